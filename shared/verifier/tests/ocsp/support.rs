//! A deployment whose clients are asked about.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, Fingerprint, Intermediates, OcspAnswer, OcspAnswers, OcspError, OcspFailure,
    OcspQuestion, OcspStatus, PresentedChain, Reason, RevocationDepth, RevocationList, RevocationLists,
    RevocationMode, RevocationOptions, StatusSources, Timestamp, TrustAnchor, TrustAnchors, Verification,
    Verifier, VerifyOptions,
};
use test_pki::raw::tlv;
use test_pki::{CertificateBuilder, Credential, Criticality, Crl, OcspResponseBuilder, Purpose};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

pub(crate) const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);

pub(crate) fn now() -> Timestamp {
    Timestamp::from_unix_seconds(NOW.unix_timestamp())
}

pub(crate) fn long_lived(builder: CertificateBuilder) -> CertificateBuilder {
    builder.valid(NOW - Duration::days(30), NOW + Duration::days(30))
}

pub(crate) fn der(credential: &Credential) -> CertificateDer<'static> {
    CertificateDer::from(credential.der().to_vec())
}

/// Encodes an AccessDescription of the method id-ad 1, OCSP, or 2, caIssuers.
pub(crate) fn access(method: u8, name: &[u8]) -> Vec<u8> {
    let method = tlv(6, &[0x2B, 6, 1, 5, 5, 7, 0x30, method]);
    tlv(0x30, &[&method, name].concat())
}

/// Changes the status in a response from good to unknown.
pub(crate) fn altered(mut response: Vec<u8>) -> Vec<u8> {
    let mut pairs = response.windows(2);
    let position = pairs.position(|octets| octets == [0x80, 0]).unwrap();
    response[position] = 0x82;
    response
}

/// A root, a CA and a client.
pub(crate) struct Pki {
    pub(crate) root: Credential,
    pub(crate) issuing: Credential,
    pub(crate) client: Credential,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let root = long_lived(CertificateBuilder::root("CN=Root"))
            .self_signed()
            .unwrap();
        let issuing = long_lived(CertificateBuilder::intermediate("CN=Issuing"))
            .issued_by(&root)
            .unwrap();
        let client = long_lived(CertificateBuilder::client("CN=client").serial_bytes(&[0x76, 0xAD, 0xF1]))
            .issued_by(&issuing)
            .unwrap();
        Self {
            root,
            issuing,
            client,
        }
    }

    /// Returns the response about the client that its CA would give, to be changed.
    pub(crate) fn response(&self) -> OcspResponseBuilder {
        response(&self.client, &self.issuing)
    }

    /// A responder that the CA authorizes.
    pub(crate) fn delegate(
        &self,
        change: impl FnOnce(CertificateBuilder) -> CertificateBuilder,
    ) -> Credential {
        let builder = CertificateBuilder::client("CN=OCSP responder").purposes(&[Purpose::OcspSigning]);
        change(long_lived(builder)).issued_by(&self.issuing).unwrap()
    }

    /// Returns the PKI with a client whose certificate has an authorityInfoAccess of these.
    pub(crate) fn with_access(&self, descriptions: &[Vec<u8>]) -> Self {
        let value = tlv(0x30, &descriptions.concat());
        let client = long_lived(CertificateBuilder::client("CN=client"))
            .extension("1.3.6.1.5.5.7.1.1", Criticality::NotCritical, &value)
            .issued_by(&self.issuing)
            .unwrap();
        Self {
            root: self.root.clone(),
            issuing: self.issuing.clone(),
            client,
        }
    }

    pub(crate) fn chain(&self) -> PresentedChain {
        PresentedChain::new([&self.client, &self.issuing].map(der)).unwrap()
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        let anchor = TrustAnchor::new(der(&self.root)).unwrap();
        TrustAnchors::new([anchor]).unwrap()
    }

    pub(crate) fn verifier(
        &self,
        sources: StatusSources,
        mode: RevocationMode,
        depth: RevocationDepth,
        crls: &[&Crl],
    ) -> Verifier {
        let lists = sources.has_crls().then(|| {
            let lists = crls
                .iter()
                .map(|crl| Arc::new(RevocationList::from_der(crl.der().to_vec()).unwrap()));
            let anchors = self.anchors();
            Arc::new(RevocationLists::new(
                lists,
                &anchors,
                &Intermediates::default(),
                None,
            ))
        });
        let options = RevocationOptions {
            mode,
            depth,
            grace_seconds: 0,
        };
        Verifier::new(self.anchors(), Intermediates::default(), VerifyOptions::default())
            .with_status_sources(lists, options, sources)
    }

    /// Returns the question about the client.
    pub(crate) fn question(&self) -> OcspQuestion {
        let strict = self.verifier(
            StatusSources::Ocsp,
            RevocationMode::Strict,
            RevocationDepth::EndEntity,
            &[],
        );
        let Verification { needed, .. } = strict.verify_with(&self.chain(), now(), &Answers::default());
        needed.into_iter().next().unwrap()
    }

    /// Judges a response about the client.
    pub(crate) fn judge(&self, response: &[u8]) -> Result<OcspStatus, OcspError> {
        self.question().judge(response, now())
    }
}

pub(crate) fn response(certificate: &Credential, issuer: &Credential) -> OcspResponseBuilder {
    OcspResponseBuilder::new(certificate, issuer).valid(NOW - Duration::HOUR, NOW + Duration::HOUR)
}

/// Answers by question, and the questions that were asked.
#[derive(Default)]
pub(crate) struct Answers {
    pub(crate) known: HashMap<Fingerprint, OcspAnswer>,
    pub(crate) asked: RefCell<Vec<Fingerprint>>,
}

impl OcspAnswers for Answers {
    fn answer(&self, question: &OcspQuestion) -> Option<OcspAnswer> {
        self.asked.borrow_mut().push(question.id());
        self.known.get(&question.id()).cloned()
    }
}

/// Asks until nothing is needed: `respond` gives the response to a question, or none.
pub(crate) fn verify(
    verifier: &Verifier,
    chain: &PresentedChain,
    respond: impl Fn(&OcspQuestion) -> Option<Vec<u8>>,
) -> Verification {
    let mut answers = Answers::default();
    loop {
        let verification = verifier.verify_with(chain, now(), &answers);
        if verification.needed.is_empty() {
            return verification;
        }
        for question in verification.needed {
            let failed = |reason: Reason, explanation: String| {
                OcspAnswer::Failed(OcspFailure {
                    reason,
                    explanation: explanation.into(),
                    until: now().plus_seconds(10),
                })
            };
            let answer = match respond(&question) {
                None => failed(Reason::OcspUnavailable, "no answer".to_owned()),
                Some(response) => match question.judge(&response, now()) {
                    Ok(status) => OcspAnswer::Status(Arc::new(status)),
                    Err(error) => failed(error.reason(), error.to_string()),
                },
            };
            answers.known.insert(question.id(), answer);
        }
    }
}
