//! A deployment to try lists on.

use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, Intermediates, ListStanding, PresentedChain, Reason, Rejection, RevocationDepth,
    RevocationList, RevocationListErrorKind, RevocationLists, RevocationMode, RevocationOptions, Timestamp,
    TrustAnchor, TrustAnchors, VerifiedClient, Verifier, VerifyOptions,
};
pub(crate) use test_pki::raw::tlv;
use test_pki::{CertificateBuilder, Credential, Crl, CrlBuilder, KeyKind};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

pub(crate) const NOW: OffsetDateTime = datetime!(2026-06-01 12:00 UTC);
pub(crate) const MAX_BYTES: usize = 1 << 20;
pub(crate) const BASE: &str = "http://crl.example.com/";

/// A root, an issuing authority and a client, in the shape of a serverless CA: P-384 above P-256, a
/// client that has nothing but a common name, and a CRL for each of the two levels.
pub(crate) struct Pki {
    pub(crate) root: Credential,
    pub(crate) issuing: Credential,
    pub(crate) client: Credential,
}

impl Pki {
    pub(crate) fn new() -> Self {
        let root = long_lived(CertificateBuilder::root("CN=Serverless Root CA,O=Example"))
            .key_kind(KeyKind::P384)
            .self_signed()
            .unwrap();
        let issuing = long_lived(CertificateBuilder::intermediate(
            "CN=Serverless Issuing CA,O=Example",
        ))
        .path_length(0)
        .issued_by(&root)
        .unwrap();
        let client = long_lived(CertificateBuilder::client("CN=client-1"))
            .issued_by(&issuing)
            .unwrap();
        Self {
            root,
            issuing,
            client,
        }
    }

    pub(crate) fn another_client(
        &self,
        change: impl FnOnce(CertificateBuilder) -> CertificateBuilder,
    ) -> Credential {
        change(long_lived(CertificateBuilder::client("CN=client-2")))
            .issued_by(&self.issuing)
            .unwrap()
    }

    pub(crate) fn root_crl(&self) -> Crl {
        daily(CrlBuilder::new()).issued_by(&self.root).unwrap()
    }

    pub(crate) fn issuing_crl(&self) -> Crl {
        daily(CrlBuilder::new()).issued_by(&self.issuing).unwrap()
    }

    pub(crate) fn anchors(&self) -> TrustAnchors {
        anchors([&self.root])
    }

    pub(crate) fn lists(&self, crls: &[&Crl]) -> RevocationLists {
        load(crls, &self.anchors())
    }

    pub(crate) fn verify(
        &self,
        crls: &[&Crl],
        policy: RevocationOptions,
    ) -> Result<VerifiedClient, Rejection> {
        self.verify_client(&self.client, crls, policy)
    }

    pub(crate) fn verify_client(
        &self,
        client: &Credential,
        crls: &[&Crl],
        policy: RevocationOptions,
    ) -> Result<VerifiedClient, Rejection> {
        let verifier = verifier(self.anchors()).with_revocation(Arc::new(self.lists(crls)), policy);
        verifier.verify(&chain([client, &self.issuing]), timestamp(NOW))
    }

    /// Returns the reason for which mode strict rejects a client of the issuing CA, whose root's
    /// CRL is fine.
    pub(crate) fn strict(&self, client: &Credential, crls: &[&Crl]) -> Result<(), Reason> {
        let root_crl = self.root_crl();
        let crls: Vec<&Crl> = crls.iter().copied().chain([&root_crl]).collect();
        self.verify_client(client, &crls, STRICT)
            .map(|_| ())
            .map_err(|rejection| rejection.reason())
    }
}

pub(crate) const STRICT: RevocationOptions = RevocationOptions {
    mode: RevocationMode::Strict,
    depth: RevocationDepth::Chain,
    grace_seconds: 0,
};

pub(crate) const SOFT: RevocationOptions = RevocationOptions {
    mode: RevocationMode::Soft,
    ..STRICT
};

pub(crate) fn long_lived(builder: CertificateBuilder) -> CertificateBuilder {
    builder.valid(datetime!(2025-01-01 0:00 UTC), datetime!(2030-01-01 0:00 UTC))
}

/// Makes the list four hours old and valid for one day and ten minutes.
pub(crate) fn daily(builder: CrlBuilder) -> CrlBuilder {
    let this_update = NOW - Duration::hours(4);
    builder.valid(this_update, this_update + Duration::DAY + Duration::minutes(10))
}

pub(crate) fn timestamp(time: OffsetDateTime) -> Timestamp {
    Timestamp::from_unix_seconds(time.unix_timestamp())
}

pub(crate) fn anchors<'c>(roots: impl IntoIterator<Item = &'c Credential>) -> TrustAnchors {
    let roots = roots.into_iter();
    TrustAnchors::new(roots.map(|root| TrustAnchor::new(CertificateDer::from(root.der().to_vec())).unwrap()))
        .unwrap()
}

pub(crate) fn verifier(anchors: TrustAnchors) -> Verifier {
    Verifier::new(anchors, Intermediates::default(), VerifyOptions::default())
}

pub(crate) fn chain<'c>(certificates: impl IntoIterator<Item = &'c Credential>) -> PresentedChain {
    let certificates = certificates.into_iter();
    PresentedChain::new(certificates.map(|certificate| CertificateDer::from(certificate.der().to_vec())))
        .unwrap()
}

pub(crate) fn read(crl: &Crl) -> Result<RevocationList, RevocationListErrorKind> {
    RevocationList::from_der(crl.der().to_vec()).map_err(|error| error.problem)
}

pub(crate) fn load(crls: &[&Crl], anchors: &TrustAnchors) -> RevocationLists {
    let lists = crls.iter().map(|crl| Arc::new(read(crl).unwrap()));
    RevocationLists::new(lists, anchors, &Intermediates::default(), None)
}

pub(crate) fn standings(lists: &RevocationLists) -> Vec<ListStanding> {
    lists.iter().map(|(_, standing)| standing).collect()
}

/// Returns the whole encoding of the subject.
pub(crate) fn subject_of(credential: &Credential) -> Vec<u8> {
    der::Encode::to_der(&credential.certificate().tbs().unwrap().subject).unwrap()
}
