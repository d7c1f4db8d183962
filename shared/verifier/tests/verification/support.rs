use alb_mtls_verifier::{
    CertificateDer, IdentityExtensions, Intermediates, PresentedChain, Reason, Rejection, Timestamp,
    TrustAnchor, TrustAnchors, VerifiedClient, Verifier, VerifyOptions,
};
pub(crate) use test_pki::raw::tlv;
use test_pki::{Certificate, CertificateBuilder, Credential, SignatureAlgorithm, raw};

/// Anchors, options and time of a verification.
pub(crate) struct Scene {
    anchors: Vec<Certificate>,
    configured: Vec<Certificate>,
    pub(crate) policy: VerifyOptions,
    extensions: IdentityExtensions,
    pub(crate) now: Timestamp,
}

impl Scene {
    pub(crate) fn trusting<T: AsRef<Certificate>>(anchors: impl IntoIterator<Item = T>) -> Self {
        Self {
            anchors: anchors
                .into_iter()
                .map(|anchor| anchor.as_ref().clone())
                .collect(),
            configured: Vec::new(),
            policy: VerifyOptions::default(),
            extensions: IdentityExtensions::default(),
            now: Timestamp::now(),
        }
    }

    pub(crate) fn supplying<T: AsRef<Certificate>>(
        mut self,
        intermediates: impl IntoIterator<Item = T>,
    ) -> Self {
        self.configured = intermediates
            .into_iter()
            .map(|one| one.as_ref().clone())
            .collect();
        self
    }

    pub(crate) fn at(mut self, now: Timestamp) -> Self {
        self.now = now;
        self
    }

    pub(crate) fn with_policy(mut self, change: impl FnOnce(&mut VerifyOptions)) -> Self {
        change(&mut self.policy);
        self
    }

    pub(crate) fn identifying_by(mut self, extensions: &str) -> Self {
        self.extensions = extensions.parse().unwrap();
        self
    }

    pub(crate) fn verifier(&self) -> Verifier {
        let anchors = self
            .anchors
            .iter()
            .map(|anchor| TrustAnchor::new(der(anchor)).unwrap());
        let intermediates = Intermediates::new(self.configured.iter().map(der)).unwrap();
        Verifier::new(TrustAnchors::new(anchors).unwrap(), intermediates, self.policy)
            .with_identity_extensions(self.extensions.clone())
    }

    /// Verifies a chain. The validators never disagree.
    pub(crate) fn verify<T: AsRef<Certificate>>(
        &self,
        presented: impl IntoIterator<Item = T>,
    ) -> Result<VerifiedClient, Rejection> {
        let chain = PresentedChain::new(presented.into_iter().map(|one| der(one.as_ref()))).unwrap();
        let verified = self.verifier().verify(&chain, self.now);
        if let Err(rejection) = &verified {
            assert_ne!(rejection.reason(), Reason::ValidatorsDisagree, "{rejection}");
        }
        verified
    }

    #[track_caller]
    pub(crate) fn accepts<T: AsRef<Certificate>>(
        &self,
        presented: impl IntoIterator<Item = T>,
    ) -> VerifiedClient {
        match self.verify(presented) {
            Ok(client) => client,
            Err(rejection) => panic!("refused: {rejection}"),
        }
    }

    #[track_caller]
    pub(crate) fn refuses<T: AsRef<Certificate>>(
        &self,
        presented: impl IntoIterator<Item = T>,
        reason: Reason,
    ) -> Rejection {
        match self.verify(presented) {
            Ok(_) => panic!("accepted, expected {reason:?}"),
            Err(rejection) => {
                assert_eq!(rejection.reason(), reason, "{rejection}");
                rejection
            }
        }
    }
}

pub(crate) fn der(certificate: &Certificate) -> CertificateDer<'static> {
    CertificateDer::from(certificate.der().to_vec())
}

pub(crate) fn root() -> Credential {
    CertificateBuilder::root("CN=Root,O=Example")
        .self_signed()
        .unwrap()
}

pub(crate) fn intermediate(issuer: &Credential) -> Credential {
    CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .issued_by(issuer)
        .unwrap()
}

pub(crate) fn client(issuer: &Credential) -> Credential {
    CertificateBuilder::client("CN=client,O=Example")
        .issued_by(issuer)
        .unwrap()
}

/// Replaces octets of what is signed by as many others, and signs again.
pub(crate) fn with_octets(
    certificate: &Certificate,
    issuer: &Credential,
    from: &[u8],
    to: &[u8],
) -> Certificate {
    use test_pki::der::Encode;
    let tbs = certificate.tbs().unwrap().to_der().unwrap();
    let at = tbs.windows(from.len()).position(|window| window == from).unwrap();
    assert_eq!(from.len(), to.len(), "lengths stay");
    let tbs = [&tbs[..at], to, &tbs[at + from.len()..]].concat();
    let algorithm = issuer.key().default_algorithm();
    let signature = issuer.key().sign(algorithm, &tbs).unwrap();
    let signed = raw::Signed {
        to_be_signed: raw::any(&tbs).unwrap(),
        algorithm: raw::algorithm_identifier(algorithm).unwrap(),
        signature: der::asn1::BitString::from_bytes(&signature).unwrap(),
    };
    Certificate::from_der(signed.to_der().unwrap())
}

/// Returns the certificate with this AlgorithmIdentifier in both places, signed as if it meant
/// `algorithm`.
pub(crate) fn signed_as(
    issuer: &Credential,
    client: &Certificate,
    identifier: &[u8],
    algorithm: SignatureAlgorithm,
) -> Certificate {
    use test_pki::der::Encode;
    let mut tbs = client.tbs().unwrap();
    tbs.signature = raw::any(&tlv(0x30, identifier)).unwrap();
    let der = tbs.to_der().unwrap();
    let signed = raw::Signed {
        to_be_signed: raw::any(&der).unwrap(),
        algorithm: tbs.signature.clone(),
        signature: der::asn1::BitString::from_bytes(&issuer.key().sign(algorithm, &der).unwrap()).unwrap(),
    };
    Certificate::from_der(signed.to_der().unwrap())
}

/// Policies of a PKI, and the one that stands for each.
pub(crate) const GOLD: &str = "1.3.6.1.4.1.99999.1";
pub(crate) const SILVER: &str = "1.3.6.1.4.1.99999.2";
pub(crate) const ANY: &str = "2.5.29.32.0";

/// Encodes an object identifier.
pub(crate) fn oid(dotted: &str) -> Vec<u8> {
    tlv(6, der::asn1::ObjectIdentifier::new(dotted).unwrap().as_bytes())
}

/// Encodes policyConstraints with requireExplicitPolicy.
pub(crate) fn require_explicit(skip_certificates: u8) -> Vec<u8> {
    tlv(0x30, &tlv(0x80, &[skip_certificates]))
}

/// Encodes policyMappings with one pair.
pub(crate) fn mapping(from: &str, to: &str) -> Vec<u8> {
    tlv(0x30, &tlv(0x30, &[oid(from), oid(to)].concat()))
}
