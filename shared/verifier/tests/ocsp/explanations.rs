//! Words of a refusal about the answer of a responder, or about the lack of one.

use alb_mtls_verifier::{OcspError, Reason, Rejection, RevocationDepth, RevocationMode, StatusSources};
use test_pki::{Crl, CrlBuilder, ocsp_declined};
use time::Duration;

use crate::support::{Answers, NOW, Pki, altered, now, verify};

/// Returns the reason, the value of the field serialNumber, and the explanation, one a line.
fn told(rejection: &Rejection) -> String {
    let context = rejection.context();
    assert_eq!(context.field, Some("serialNumber"));
    let lines = [Some(rejection.detail()), context.found, rejection.explanation()];
    lines.map(|line| line.unwrap_or("-")).join("\n")
}

impl Pki {
    /// Returns what mode strict says of the client, whose responders give this response.
    fn told(&self, sources: StatusSources, crls: &[&Crl], response: Option<Vec<u8>>) -> String {
        let (strict, client_alone) = (RevocationMode::Strict, RevocationDepth::EndEntity);
        let verifier = self.verifier(sources, strict, client_alone, crls);
        let verified = verify(&verifier, &self.chain(), |_| response.clone());
        let rejection = verified.verdict.unwrap_err();
        match sources {
            StatusSources::Ocsp => told(&rejection),
            _ => rejection.explanation().unwrap().to_owned(),
        }
    }
}

#[test]
fn status_is_told_with_its_responder_and_its_times() {
    let pki = Pki::new();
    let told = |response: test_pki::OcspResponseBuilder| {
        let response = response.signed_by(&pki.issuing).ok();
        pki.told(StatusSources::Ocsp, &[], response)
    };
    let response =
        "the OCSP response of CN=Issuing of 2026-06-01T11:00:00Z, valid until 2026-06-01T13:00:00Z";
    assert_eq!(
        told(pki.response().revoked(NOW - Duration::DAY)),
        format!("revoked\n76adf1\nrevoked since 2026-05-31T12:00:00Z, by {response}")
    );
    assert_eq!(
        told(pki.response().unknown()),
        format!("ocsp_unknown\n76adf1\nby {response}")
    );
    assert_eq!(
        told(pki.response().valid(NOW - Duration::DAY, NOW - Duration::HOUR)),
        "ocsp_stale\n76adf1\nit was valid until 2026-06-01T11:00:00Z, and it is 2026-06-01T12:00:00Z"
    );
    assert_eq!(
        told(pki.response().valid(NOW + Duration::HOUR, NOW + Duration::DAY)),
        "ocsp_stale\n76adf1\nits thisUpdate is 2026-06-01T13:00:00Z, and it is 2026-06-01T12:00:00Z"
    );
    assert_eq!(
        told(pki.response().serials(&[&[0x11]])),
        "ocsp_unusable\n76adf1\nthe response is about the serial number 11, asked for was 76adf1"
    );
}

#[test]
fn status_that_was_not_asked_for_is_told_as_such() {
    let pki = Pki::new();
    let (strict, client_alone) = (RevocationMode::Strict, RevocationDepth::EndEntity);
    let verifier = pki.verifier(StatusSources::Ocsp, strict, client_alone, &[]);
    let verification = verifier.verify_with(&pki.chain(), now(), &Answers::default());
    assert_eq!(
        told(&verification.verdict.unwrap_err()),
        "ocsp_unavailable\n76adf1\nits status was not asked for"
    );
}

#[test]
fn signer_is_told_with_why_it_does_not_count() {
    let pki = Pki::new();
    let told = |response: Vec<u8>| pki.told(StatusSources::Ocsp, &[], Some(response));
    assert_eq!(
        told(pki.response().signed_by(&pki.root).unwrap()),
        "ocsp_signature\n76adf1\nit names a responder that is not the issuer, without the responder's certificate"
    );
    let delegate = pki.delegate(|builder| builder);
    let responder = "the certificate of its responder `CN=OCSP responder`";
    let unauthorized = pki.delegate(|builder| builder.purposes(&[]));
    let by = |responder| {
        let response = pki.response().certificate(responder);
        response.signed_by(responder).unwrap()
    };
    assert_eq!(
        told(by(&unauthorized)),
        format!(
            "ocsp_signature\n76adf1\n{responder} has no extended key usage OCSPSigning (1.3.6.1.5.5.7.3.9)"
        )
    );
    assert_eq!(
        told(altered(by(&delegate))),
        format!(
            "ocsp_signature\n76adf1\n{responder} is in order, but its signature does not verify with that key"
        )
    );
    let revoking = pki.delegate(|builder| builder.serial_bytes(&[99]));
    let crl = CrlBuilder::new()
        .valid(NOW - Duration::DAY, NOW + Duration::HOUR)
        .distribution_point("http://other/")
        .revoke_serial(&[99], None, NOW - Duration::DAY)
        .issued_by(&pki.issuing)
        .unwrap();
    let explanation = pki.told(StatusSources::OcspThenCrl, &[&crl], Some(by(&revoking)));
    let expected = "the certificate of its responder is revoked: the OCSP response of CN=OCSP responder of \
                    2026-06-01T11:00:00Z, valid until 2026-06-01T13:00:00Z; and ";
    assert!(explanation.starts_with(expected), "{explanation}");
}

#[test]
fn both_sources_are_told_in_their_order() {
    let pki = Pki::new();
    let both = [StatusSources::CrlThenOcsp, StatusSources::OcspThenCrl];
    let texts = both.map(|sources| pki.told(sources, &[], None));
    let (crl, ocsp) = (Reason::CrlMissing.meaning(), Reason::OcspUnavailable.meaning());
    assert_eq!(
        texts,
        [
            format!("the issuer is CN=Issuing; and {ocsp}: no answer"),
            format!("no answer; and {crl}: the issuer is CN=Issuing"),
        ]
    );
}

#[test]
fn answer_that_can_be_about_the_other_hash_is_known() {
    let pki = Pki::new();
    let suggests = |response: Vec<u8>| pki.judge(&response).unwrap_err().suggests_other_hash();
    for (status, expected) in [(1, true), (2, false), (3, false), (5, false), (6, true)] {
        assert_eq!(suggests(ocsp_declined(status)), expected, "{status}");
    }
    assert!(!suggests(pki.response().signed_by(&pki.root).unwrap()));
    assert!(!suggests(Vec::new()));
    let error = OcspError::OtherCertificate("no certificate".to_owned());
    assert!(error.suggests_other_hash());
}
