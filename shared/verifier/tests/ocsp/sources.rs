//! Verdicts by CRLs, by OCSP, and by both.

use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateNames, CertificateStatus, Intermediates, OcspAnswer, OcspQuestion, Reason, RevocationDepth,
    RevocationMode, RevocationOptions, StatusSources, Verifier, VerifyOptions,
};
use test_pki::raw::tlv;
use test_pki::{
    CertificateBuilder, Credential, Criticality, Crl, CrlBuilder, CrlReason, KeyKind, OcspResponseBuilder,
};
use time::Duration;

use crate::support::{Answers, NOW, Pki, access, der, long_lived, now, response, verify};

const STRICT: RevocationMode = RevocationMode::Strict;
const SOFT: RevocationMode = RevocationMode::Soft;
const LEAF: RevocationDepth = RevocationDepth::EndEntity;
const CHAIN: RevocationDepth = RevocationDepth::Chain;

impl Pki {
    fn good(&self) -> Option<Vec<u8>> {
        self.response().signed_by(&self.issuing).ok()
    }

    fn revoked(&self) -> Option<Vec<u8>> {
        self.response()
            .revoked(NOW - Duration::DAY)
            .signed_by(&self.issuing)
            .ok()
    }

    fn crl(&self, change: impl FnOnce(CrlBuilder) -> CrlBuilder) -> Crl {
        let builder = CrlBuilder::new().valid(NOW - Duration::DAY, NOW + Duration::minutes(30));
        change(builder).issued_by(&self.issuing).unwrap()
    }

    fn verdict(
        &self,
        sources: StatusSources,
        mode: RevocationMode,
        crls: &[&Crl],
        response: Option<Vec<u8>>,
    ) -> Result<String, Reason> {
        let verifier = self.verifier(sources, mode, LEAF, crls);
        let verified = verify(&verifier, &self.chain(), |_| response.clone()).verdict;
        let client = verified.map_err(|rejection| rejection.reason())?;
        Ok(match &client.revocation().certificates()[0] {
            CertificateStatus::Good(_) => "crl".to_owned(),
            CertificateStatus::Answered(_) => "ocsp".to_owned(),
            CertificateStatus::Unknown(rejection) => rejection.detail().to_owned(),
        })
    }
}

#[test]
fn client_is_good_revoked_or_unknown_by_ocsp_alone() {
    let pki = Pki::new();
    let verdict = |mode, response| pki.verdict(StatusSources::Ocsp, mode, &[], response);
    let unknown = pki.response().unknown().signed_by(&pki.issuing).ok();
    let stale = pki
        .response()
        .valid(NOW - Duration::DAY, NOW - Duration::HOUR)
        .signed_by(&pki.issuing)
        .ok();
    for mode in [STRICT, SOFT] {
        assert_eq!(verdict(mode, pki.good()).as_deref(), Ok("ocsp"));
        assert_eq!(verdict(mode, pki.revoked()), Err(Reason::Revoked));
    }
    for (response, reason) in [
        (None, Reason::OcspUnavailable),
        (unknown, Reason::OcspUnknown),
        (stale, Reason::OcspStale),
        (pki.response().signed_by(&pki.root).ok(), Reason::OcspSignature),
        (Some(vec![0x30; 9]), Reason::OcspUnusable),
    ] {
        assert_eq!(verdict(STRICT, response.clone()), Err(reason));
        assert_eq!(verdict(SOFT, response).as_deref(), Ok(reason.detail()));
    }
}

#[test]
fn nothing_is_asked_about_a_path_that_is_refused_otherwise() {
    let pki = Pki::new();
    let verifier = pki.verifier(StatusSources::Ocsp, STRICT, CHAIN, &[]);
    let expired = CertificateBuilder::client("CN=client").valid(NOW - Duration::days(2), NOW - Duration::DAY);
    let elsewhere = long_lived(CertificateBuilder::root("CN=Issuing"))
        .self_signed()
        .unwrap();
    let forged = long_lived(CertificateBuilder::client("CN=client"))
        .issued_by(&elsewhere)
        .unwrap();
    for client in [expired.issued_by(&pki.issuing).unwrap(), forged] {
        let pki = Pki {
            client,
            root: pki.root.clone(),
            issuing: pki.issuing.clone(),
        };
        let answers = Answers::default();
        let verification = verifier.verify_with(&pki.chain(), now(), &answers);
        assert!(verification.verdict.is_err() && verification.needed.is_empty());
        assert!(answers.asked.borrow().is_empty());
    }
}

#[test]
fn every_certificate_below_the_anchor_is_asked_about_at_once() {
    let pki = Pki::new();
    let verifier = pki.verifier(StatusSources::Ocsp, STRICT, CHAIN, &[]);
    let first = verifier.verify_with(&pki.chain(), now(), &Answers::default());
    assert_eq!(first.needed.len(), 2);
    assert_eq!(first.verdict.unwrap_err().reason(), Reason::OcspUnavailable);
    let client = pki.question().id();
    let respond = |question: &OcspQuestion| match question.id() == client {
        true => pki.good(),
        false => response(&pki.issuing, &pki.root).signed_by(&pki.root).ok(),
    };
    let verified = verify(&verifier, &pki.chain(), respond).verdict.unwrap();
    assert_eq!(verified.revocation().certificates().len(), 2);
    // The CA is revoked.
    let respond = |question: &OcspQuestion| match question.id() == client {
        true => pki.good(),
        false => response(&pki.issuing, &pki.root)
            .revoked(NOW)
            .signed_by(&pki.root)
            .ok(),
    };
    let rejection = verify(&verifier, &pki.chain(), respond).verdict.unwrap_err();
    assert_eq!(
        (rejection.reason(), rejection.certificate()),
        (Reason::Revoked, Some(1))
    );
}

#[test]
fn question_says_whether_the_operator_configured_the_certificate() {
    let pki = Pki::new();
    // Another CA of the same name: a name alone does not make a certificate a configured one.
    let namesake = long_lived(CertificateBuilder::intermediate("CN=Issuing"))
        .issued_by(&pki.root)
        .unwrap();
    for (configured, expected) in [(&pki.issuing, [false, true]), (&namesake, [false, false])] {
        let intermediates = Intermediates::new([der(configured)]).unwrap();
        let options = RevocationOptions {
            mode: STRICT,
            depth: CHAIN,
            grace_seconds: 0,
        };
        let verifier = Verifier::new(pki.anchors(), intermediates, VerifyOptions::default())
            .with_status_sources(None, options, StatusSources::Ocsp);
        let needed = verifier
            .verify_with(&pki.chain(), now(), &Answers::default())
            .needed;
        let configured: Vec<bool> = needed.iter().map(OcspQuestion::is_configured).collect();
        assert_eq!(configured, expected, "client, CA");
    }
}

/// Encodes a uniformResourceIdentifier.
fn uri(text: &str) -> Vec<u8> {
    tlv(0x86, text.as_bytes())
}

#[test]
fn question_names_the_issuer_and_the_responders_of_the_certificate() {
    // A responder can also be named by a directory name, which cannot be asked.
    let directory = tlv(0xA4, &tlv(0x30, &[]));
    let pki = Pki::new().with_access(&[
        access(2, &uri("http://ca.example/ca.crt")),
        access(1, &directory),
        access(1, &uri("http://ocsp.example/")),
        access(1, &uri("http://ocsp.example/with space")),
        access(1, &uri("http://second.example/")),
    ]);
    let question = pki.question();
    assert_eq!(question.issuer_name(), "CN=Issuing");
    assert_eq!(
        question.named_responders(),
        ["http://ocsp.example/", "http://second.example/"]
    );
}

#[test]
fn responders_of_a_certificate_are_two_of_a_length_that_can_be_asked() {
    let pki = Pki::new();
    let url = |number: usize, length: usize| {
        let start = format!("http://ocsp.example/{number}/");
        format!("{start}{}", "a".repeat(length - start.len()))
    };
    let named = |urls: &[&String]| {
        let descriptions: Vec<Vec<u8>> = urls.iter().map(|url| access(1, &uri(url))).collect();
        let question = pki.with_access(&descriptions).question();
        question.named_responders().to_vec()
    };
    let [long, too_long, short, fourth] = [url(1, 1_024), url(2, 1_025), url(3, 40), url(4, 40)];
    assert_eq!(named(&[&too_long, &long]), std::slice::from_ref(&long));
    assert_eq!(named(&[&too_long, &short, &long, &fourth]), [short, long]);
}

#[test]
fn issuer_of_a_question_is_known_by_its_certificate_and_by_its_key() {
    let pki = Pki::new();
    let names = |credential: &Credential| CertificateNames::read(&der(credential)).unwrap();
    let question = pki.question();
    assert!(question.is_of_issuer(names(&pki.issuing).fingerprints()[0]));
    assert!(question.is_of_issuer(names(&pki.issuing).public_key_fingerprint()));
    for other in [names(&pki.root), names(&pki.client)] {
        assert!(!question.is_of_issuer(other.fingerprints()[0]));
        assert!(!question.is_of_issuer(other.public_key_fingerprint()));
    }
    assert_eq!(question.serial_number(), "76adf1");
}

#[test]
fn verdict_ends_with_the_response_or_the_retry() {
    let pki = Pki::new();
    let until = |mode, response: Option<Vec<u8>>| {
        let verifier = pki.verifier(StatusSources::Ocsp, mode, LEAF, &[]);
        verify(&verifier, &pki.chain(), |_| response.clone())
            .verdict
            .unwrap()
            .valid_until()
    };
    assert_eq!(until(STRICT, pki.good()), now().plus_seconds(3_600));
    assert_eq!(until(SOFT, None), now().plus_seconds(10));
}

#[test]
fn order_of_sources_decides_what_clears() {
    let pki = Pki::new();
    let clean = pki.crl(|crl| crl);
    let both = [StatusSources::CrlThenOcsp, StatusSources::OcspThenCrl];
    let verdict = |sources, crls: &[&Crl], response| pki.verdict(sources, STRICT, crls, response);
    assert_eq!(
        both.map(|sources| verdict(sources, &[&clean], pki.good()).unwrap()),
        ["crl", "ocsp"]
    );
    // The other source steps in.
    assert_eq!(
        both.map(|sources| verdict(sources, &[], pki.good()).unwrap()),
        ["ocsp", "ocsp"]
    );
    assert_eq!(
        both.map(|sources| verdict(sources, &[&clean], None).unwrap()),
        ["crl", "crl"]
    );
    // The first source names the reason.
    assert_eq!(
        both.map(|sources| verdict(sources, &[], None).unwrap_err()),
        [Reason::CrlMissing, Reason::OcspUnavailable]
    );
    // Where the CRL comes first, no responder is asked; where it comes second, a responder can
    // revoke.
    assert_eq!(
        both.map(|sources| verdict(sources, &[&clean], pki.revoked()).is_ok()),
        [true, false]
    );
}

#[test]
fn certificate_on_a_crl_is_revoked_whatever_a_responder_says() {
    let pki = Pki::new();
    let crl = pki.crl(|crl| crl.revoke(&pki.client));
    for sources in [StatusSources::CrlThenOcsp, StatusSources::OcspThenCrl] {
        let verifier = pki.verifier(sources, SOFT, LEAF, &[&crl]);
        let answers = Answers::default();
        let verification = verifier.verify_with(&pki.chain(), now(), &answers);
        assert_eq!(verification.verdict.unwrap_err().reason(), Reason::Revoked);
        assert!(verification.needed.is_empty(), "no request is needed for that");
    }
}

#[test]
fn revoked_responder_clears_nothing_unless_exempt() {
    const NO_CHECK: &str = "1.3.6.1.5.5.7.48.1.5";
    let pki = Pki::new();
    let delegate = pki.delegate(|builder| builder.serial_bytes(&[99]));
    let exempt = pki.delegate(|builder| {
        builder
            .serial_bytes(&[98])
            .extension(NO_CHECK, Criticality::NotCritical, &[5, 0])
    });
    let crl = pki.crl(|crl| {
        let at = NOW - Duration::DAY;
        crl.revoke_serial(&[99], Some(CrlReason::KeyCompromise), at)
            .revoke_serial(&[98], None, at)
    });
    let by = |responder| pki.response().certificate(responder).signed_by(responder).ok();
    let verdict = |crls: &[&Crl], response| pki.verdict(StatusSources::OcspThenCrl, STRICT, crls, response);
    assert_eq!(verdict(&[], by(&delegate)).as_deref(), Ok("ocsp"));
    assert_eq!(verdict(&[&crl], by(&exempt)).as_deref(), Ok("ocsp"));
    // The CRL itself clears the client.
    assert_eq!(verdict(&[&crl], by(&delegate)).as_deref(), Ok("crl"));
    let partial = pki.crl(|crl| {
        crl.revoke_serial(&[99], None, NOW - Duration::DAY)
            .distribution_point("http://other/")
    });
    assert_eq!(verdict(&[&partial], by(&delegate)), Err(Reason::OcspSignature));
}

#[test]
fn algorithm_that_is_not_allowed_revokes_and_clears_nothing() {
    let pki = Pki::new();
    let options = VerifyOptions {
        signatures: "ecdsa-p256-sha256".parse().unwrap(),
        ..VerifyOptions::default()
    };
    let revocation = RevocationOptions {
        mode: STRICT,
        depth: LEAF,
        grace_seconds: 0,
    };
    let verifier = Verifier::new(pki.anchors(), Intermediates::default(), options).with_status_sources(
        None,
        revocation,
        StatusSources::Ocsp,
    );
    let delegate = pki.delegate(|builder| builder.key_kind(KeyKind::P384));
    let verdict = |response: OcspResponseBuilder| {
        let response = response.certificate(&delegate).signed_by(&delegate).unwrap();
        verify(&verifier, &pki.chain(), |_| Some(response.clone()))
            .verdict
            .unwrap_err()
    };
    let unknown = verdict(pki.response());
    assert_eq!(unknown.reason(), Reason::OcspSignature);
    assert!(unknown.to_string().contains("ecdsa-p384-sha384"), "{unknown}");
    let revoked = verdict(pki.response().revoked(NOW));
    assert_eq!(revoked.reason(), Reason::Revoked);
}

#[test]
fn answer_to_another_question_is_not_taken() {
    let pki = Pki::new();
    let other = Pki::new();
    let status = Arc::new(other.judge(&other.good().unwrap()).unwrap());
    let mut answers = Answers::default();
    answers
        .known
        .insert(pki.question().id(), OcspAnswer::Status(status));
    let verifier = pki.verifier(StatusSources::Ocsp, STRICT, LEAF, &[]);
    let verification = verifier.verify_with(&pki.chain(), now(), &answers);
    assert_eq!(verification.verdict.unwrap_err().reason(), Reason::OcspUnusable);
}

#[test]
fn status_that_ended_since_is_stale() {
    let pki = Pki::new();
    let status = Arc::new(pki.judge(&pki.good().unwrap()).unwrap());
    let mut answers = Answers::default();
    answers
        .known
        .insert(status.question(), OcspAnswer::Status(status));
    let verifier = pki.verifier(StatusSources::Ocsp, STRICT, LEAF, &[]);
    let at = |seconds| {
        verifier
            .verify_with(&pki.chain(), now().plus_seconds(seconds), &answers)
            .verdict
    };
    assert!(at(3_600).is_ok());
    assert_eq!(at(3_601).unwrap_err().reason(), Reason::OcspStale);
}
