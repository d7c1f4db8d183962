//! Reasons for which a client is rejected: one table, from which the documentation is made too.

use std::fmt;

use crate::excerpt::abbreviated;
use crate::heap;

/// Rejection of a client.
///
/// Compares by value, so that a test can name the exact outcome. It is for the operator; the caller
/// decides what the client is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rejection {
    reason: Reason,
    certificate: Option<usize>,
    explanation: Option<Box<str>>,
    /// Boxed, so that `Result<VerifiedClient, Rejection>` stays small.
    facts: Option<Box<Facts>>,
}

/// Facts of a rejection, each absent where it says nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Facts {
    subject: Option<Box<str>>,
    field: Option<Box<str>>,
    found: Option<Box<str>>,
    allowed: Option<Box<str>>,
}

/// Facts of a [`Rejection`] for programs: which certificate, which field of it, what was found, and
/// what is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[non_exhaustive]
pub struct RejectionContext<'r> {
    /// Position among the presented certificates (0 is the end-entity certificate); absent for one
    /// from the settings.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate: Option<usize>,
    /// Subject of that certificate, cut at 200 characters; absent when it cannot be represented.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<&'r str>,
    /// Field, extension or name of the certificate, with the object identifier where it has one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<&'r str>,
    /// Value that was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<&'r str>,
    /// Values that are allowed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub allowed: Option<&'r str>,
}

impl Rejection {
    /// Creates a rejection without details.
    pub const fn new(reason: Reason) -> Self {
        Self {
            reason,
            certificate: None,
            explanation: None,
            facts: None,
        }
    }

    /// Sets the position of the presented certificate that the rejection concerns (0 is the
    /// end-entity certificate).
    #[must_use]
    pub const fn of_certificate(mut self, index: usize) -> Self {
        self.certificate = Some(index);
        self
    }

    /// Sets an explanation for the operator, one clause without a full stop.
    #[must_use]
    pub fn because(mut self, explanation: impl Into<Box<str>>) -> Self {
        self.explanation = Some(explanation.into());
        self
    }

    /// Adds the subject of the certificate, in one line.
    #[must_use]
    pub fn about(mut self, subject: &str) -> Self {
        self.facts_mut().subject = Some(abbreviated(subject));
        self
    }

    /// Adds the field, extension or name that the rejection is about.
    #[must_use]
    pub fn in_field(mut self, field: &str) -> Self {
        self.facts_mut().field = Some(abbreviated(field));
        self
    }

    /// Adds the value that was found.
    #[must_use]
    pub fn found(mut self, value: &str) -> Self {
        self.facts_mut().found = Some(abbreviated(value));
        self
    }

    /// Adds the values that are allowed.
    #[must_use]
    pub fn allowed(mut self, values: &str) -> Self {
        self.facts_mut().allowed = Some(abbreviated(values));
        self
    }

    fn facts_mut(&mut self) -> &mut Facts {
        self.facts.get_or_insert_default()
    }

    /// Returns the facts for programs; [`fmt::Display`] has the same in words.
    pub fn context(&self) -> RejectionContext<'_> {
        let facts = self.facts.as_deref();
        RejectionContext {
            certificate: self.certificate,
            subject: facts.and_then(|facts| facts.subject.as_deref()),
            field: facts.and_then(|facts| facts.field.as_deref()),
            found: facts.and_then(|facts| facts.found.as_deref()),
            allowed: facts.and_then(|facts| facts.allowed.as_deref()),
        }
    }

    /// Returns the entry of the table of reasons.
    pub const fn reason(&self) -> Reason {
        self.reason
    }

    /// Returns the code in the words of the load balancer's connection log.
    pub const fn code(&self) -> ReasonCode {
        self.reason.code()
    }

    /// Returns the finer reason in `snake_case`; stable, for logs, metrics and queries.
    pub const fn detail(&self) -> &'static str {
        self.reason.detail()
    }

    /// Returns the position of the presented certificate that the rejection concerns, if there is
    /// one (0 is the end-entity certificate).
    pub const fn certificate(&self) -> Option<usize> {
        self.certificate
    }

    /// Octets that this rejection keeps allocated.
    pub fn heap_bytes(&self) -> usize {
        let context = self.context();
        let texts = [
            self.explanation(),
            context.subject,
            context.field,
            context.found,
            context.allowed,
        ];
        let texts = texts.into_iter().flatten();
        let boxed = self
            .facts
            .as_ref()
            .map_or(0, |_| heap::allocation(size_of::<Facts>()));
        boxed + texts.map(|text| heap::allocation(text.len())).sum::<usize>()
    }

    /// Particulars, such as the time at which a certificate expired.
    pub fn explanation(&self) -> Option<&str> {
        self.explanation.as_deref()
    }
}

impl From<Reason> for Rejection {
    fn from(reason: Reason) -> Self {
        Self::new(reason)
    }
}

impl fmt::Display for Rejection {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.reason.meaning())?;
        let context = self.context();
        match &self.explanation {
            Some(explanation) => write!(formatter, ": {explanation}")?,
            None if context.field.or(context.found).is_some() => write!(formatter, ": {context}")?,
            None => {}
        }
        match (context.certificate, context.subject) {
            (None, None) => Ok(()),
            (Some(index), None) => write!(formatter, " (certificate {index} of the header)"),
            (Some(index), Some(subject)) => {
                write!(formatter, " (certificate {index} of the header, `{subject}`)")
            }
            (None, Some(subject)) => write!(formatter, " (certificate `{subject}` from the settings)"),
        }
    }
}

impl std::error::Error for Rejection {}

impl RejectionContext<'_> {
    /// Returns the context if it has a fact.
    pub fn if_any(self) -> Option<Self> {
        let texts = [self.subject, self.field, self.found, self.allowed];
        (self.certificate.is_some() || texts.iter().any(Option::is_some)).then_some(self)
    }
}

/// Writes field, value found and values allowed as one clause; the certificate is left out.
impl fmt::Display for RejectionContext<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.field, self.found) {
            (None, None) => {}
            (Some(text), None) | (None, Some(text)) => formatter.write_str(text)?,
            (Some(field), Some(found)) => write!(formatter, "{field}: {found}")?,
        }
        match self.allowed {
            Some(allowed) => write!(formatter, "; allowed: {allowed}"),
            None => Ok(()),
        }
    }
}

/// The codes of the load balancer's own connection log, plus CloudFront's for a missing
/// certificate.
///
/// Source: Elastic Load Balancing user guide, "Connection logs for your Application Load Balancer",
/// error reason codes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[non_exhaustive]
pub enum ReasonCode {
    /// A CRL could not be used.
    ClientCertCrlProcessingError,
    /// The certificate is revoked.
    ClientCertCrlHit,
    /// The certificate is past its notAfter.
    ClientCertExpired,
    /// The certificate, or what was sent in its place, is invalid.
    ClientCertInvalid,
    /// The chain is too deep.
    ClientCertMaxChainDepthExceeded,
    /// The certificates are too large.
    ClientCertMaxSizeExceeded,
    /// No certificate was presented.
    ClientCertMissing,
    /// The certificate is before its notBefore.
    ClientCertNotYetValid,
    /// The certificate is not for this purpose.
    ClientCertPurposeInvalid,
    /// The certificate is valid and denied nevertheless.
    ClientCertRejected,
    /// A version, key or algorithm that is not supported.
    ClientCertTypeUnsupported,
    /// No path to a trust anchor.
    ClientCertUntrusted,
    /// Anything else at run time.
    UnmappedConnectionError,
}

impl ReasonCode {
    /// Returns the code as it is written in logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClientCertCrlProcessingError => "ClientCertCrlProcessingError",
            Self::ClientCertCrlHit => "ClientCertCrlHit",
            Self::ClientCertExpired => "ClientCertExpired",
            Self::ClientCertInvalid => "ClientCertInvalid",
            Self::ClientCertMaxChainDepthExceeded => "ClientCertMaxChainDepthExceeded",
            Self::ClientCertMaxSizeExceeded => "ClientCertMaxSizeExceeded",
            Self::ClientCertMissing => "ClientCertMissing",
            Self::ClientCertNotYetValid => "ClientCertNotYetValid",
            Self::ClientCertPurposeInvalid => "ClientCertPurposeInvalid",
            Self::ClientCertRejected => "ClientCertRejected",
            Self::ClientCertTypeUnsupported => "ClientCertTypeUnsupported",
            Self::ClientCertUntrusted => "ClientCertUntrusted",
            Self::UnmappedConnectionError => "UnmappedConnectionError",
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

crate::reason_table! {
    /// Reason for which the verifier rejects a client.
    pub enum Reason;
    CertificateMissing, ClientCertMissing, "certificate_missing",
        "the client presented no certificate",
        "configure the client to send its certificate; check that the listener is in passthrough mode and that MTLS_HEADER names its header";

    HeaderRepeated, ClientCertInvalid, "header_repeated",
        "the certificate header occurs more than once",
        "another sender adds the header as well as the load balancer: look at the client and at proxies before the load balancer";
    HeaderJoined, ClientCertInvalid, "header_joined",
        "the certificate header holds several values joined by a comma",
        "another sender adds the header as well as the load balancer: look at the client and at proxies before the load balancer";
    HeaderLookAlike, ClientCertInvalid, "header_look_alike",
        "a header was sent whose name could be taken for the certificate header's",
        "an attempt to smuggle a certificate, or a proxy that rewrites `-` to `_`";
    HeaderTooLarge, ClientCertMaxSizeExceeded, "header_too_large",
        "the certificate header is larger than allowed",
        "raise MTLS_MAX_HEADER if the client's chain is legitimate, or have it send fewer certificates";
    HeaderEncoding, ClientCertInvalid, "header_encoding",
        "the certificate header is not encoded as expected",
        "check MTLS_HEADER_FORMAT, and whether a proxy on the way decodes or re-encodes headers";
    HeaderNotPem, ClientCertInvalid, "header_not_pem",
        "the certificate header is not a sequence of PEM certificates",
        "check MTLS_HEADER_FORMAT; `alb-mtls verify --header` shows where the header is damaged";
    HeaderTooManyCertificates, ClientCertMaxChainDepthExceeded, "header_too_many_certificates",
        "the header holds more certificates than are read",
        "have the client send only its chain, or raise MTLS_MAX_DEPTH";

    CertificateMalformed, ClientCertInvalid, "certificate_malformed",
        "a certificate is not valid DER of an X.509 certificate",
        "reissue the certificate; `openssl x509 -text` shows how far it can be read";
    CertificateVersion, ClientCertTypeUnsupported, "certificate_version",
        "a certificate is not of X.509 version 3",
        "reissue it as version 3; the load balancer accepts no other";
    ExtensionRepeated, ClientCertInvalid, "extension_repeated",
        "a certificate holds the same extension twice",
        "reissue the certificate (RFC 5280 section 4.2)";
    ExtensionMalformed, ClientCertInvalid, "extension_malformed",
        "an extension of a certificate cannot be read",
        "reissue the certificate";
    CriticalExtension, ClientCertInvalid, "critical_extension",
        "a certificate holds a critical extension that is not understood",
        "reissue the certificate without it, or with the extension not critical";
    ExtensionTooLong, ClientCertInvalid, "extension_too_long",
        "an extension that MTLS_EXTENSIONS makes part of the identity is too long to be shown whole",
        "take it out of MTLS_EXTENSIONS, or reissue the certificate with a shorter value";
    SerialNumber, ClientCertInvalid, "serial_number",
        "the serial number is longer than 64 octets",
        "reissue the certificate (RFC 5280 section 4.1.2.2 allows 20)";
    NameUnrepresentable, ClientCertInvalid, "name_unrepresentable",
        "a name in the end-entity certificate contains control characters or cannot be represented",
        "reissue the certificate without it";
    NameMissing, ClientCertInvalid, "name_missing",
        "the end-entity certificate has neither a subject nor a subject alternative name",
        "reissue it with a name: nothing in it says who the client is";
    KeyUnsupported, ClientCertTypeUnsupported, "key_unsupported",
        "a public key is of a kind that is not supported",
        "reissue the certificate with a key that is accepted: RSA of 2048 to 8192 bits, P-256, P-384, P-521 or ML-DSA";
    KeySize, ClientCertTypeUnsupported, "key_size",
        "an RSA key has fewer than 2048 or more than 8192 bits",
        "reissue the certificate with a key of 2048 to 8192 bits";
    KeyUnsound, ClientCertInvalid, "key_unsound",
        "a public key proves nothing, such as RSA with an even exponent or 1",
        "reissue the certificate with a new key; find out how this one came to be signed";
    SignatureAlgorithm, ClientCertTypeUnsupported, "signature_algorithm",
        "a certificate is signed with an algorithm that is not accepted",
        "reissue it with SHA-256, SHA-384 or SHA-512 and RSA, RSASSA-PSS or ECDSA, or with ML-DSA";
    SignatureNotAllowed, ClientCertTypeUnsupported, "signature_not_allowed",
        "a certificate is signed with an algorithm that MTLS_SIGNATURES does not list",
        "reissue it from a CA that signs with an algorithm of MTLS_SIGNATURES, or add the algorithm there";

    Expired, ClientCertExpired, "expired",
        "a certificate has expired",
        "renew it; `MTLS_MODE=report` allows expired clients while they are renewed, and all other clients too";
    NotYetValid, ClientCertNotYetValid, "not_yet_valid",
        "a certificate is not valid yet",
        "check the clock of the issuing CA, or wait";
    ValidityInverted, ClientCertInvalid, "validity_inverted",
        "a certificate ends before it begins",
        "reissue the certificate";

    IssuerUnknown, ClientCertUntrusted, "issuer_unknown",
        "no path leads from the certificate to a trust anchor",
        "add the client's root to MTLS_ANCHORS, or have the client send its intermediates (or put them into MTLS_INTERMEDIATES)";
    IssuerKeyMismatch, ClientCertUntrusted, "issuer_key_mismatch",
        "a certificate is signed with another kind of key than the CA of its issuer's name has",
        "another CA has that name: add its certificate to MTLS_ANCHORS or MTLS_INTERMEDIATES";
    SelfSigned, ClientCertUntrusted, "self_signed",
        "the client presented a self-signed certificate",
        "issue the client a certificate from a CA among MTLS_ANCHORS; a certificate cannot vouch for itself";
    AnchorExpired, ClientCertUntrusted, "anchor_expired",
        "the trust anchor of the path has expired",
        "replace the anchor in MTLS_ANCHORS by its renewed certificate";
    AnchorNotYetValid, ClientCertUntrusted, "anchor_not_yet_valid",
        "the trust anchor of the path is not valid yet",
        "check the clock of the CA, or wait";
    AnchorPathLength, ClientCertUntrusted, "anchor_path_length",
        "the trust anchor allows fewer intermediates than the path has",
        "issue from a CA nearer to the anchor, or reissue the anchor (RFC 5280 section 4.2.1.9)";
    AnchorExtendedKeyUsage, ClientCertPurposeInvalid, "anchor_extended_key_usage",
        "the trust anchor of the path has an extended key usage without clientAuth",
        "this CA is not for clients: take it out of MTLS_ANCHORS, or reissue its certificate with clientAuth";
    SignatureInvalid, ClientCertInvalid, "signature_invalid",
        "a signature in the path does not verify",
        "add the issuer's certificate with the right key: the issuer has another key now, another CA uses its name, or the certificate was altered";
    KeyDistrusted, ClientCertUntrusted, "key_distrusted",
        "a key in the path is known to be compromised",
        "reissue every certificate that uses this key";
    IssuerNameEmpty, ClientCertInvalid, "issuer_name_empty",
        "a certificate in the path names no issuer",
        "reissue it from a CA whose subject is not empty (RFC 5280 section 4.1.2.4)";
    IssuerNotAuthority, ClientCertInvalid, "issuer_not_authority",
        "a certificate in the path was issued by one that is not a CA",
        "reissue from a CA certificate (basicConstraints with cA)";
    IssuerKeyUsage, ClientCertInvalid, "issuer_key_usage",
        "a CA in the path has a key usage without keyCertSign",
        "reissue the CA certificate with keyCertSign (RFC 5280 section 4.2.1.3)";
    PathLength, ClientCertInvalid, "path_length",
        "a CA in the path allows fewer intermediates below it than there are",
        "reissue the CA certificate with a larger path length (RFC 5280 section 4.2.1.9)";
    ChainTooDeep, ClientCertMaxChainDepthExceeded, "chain_too_deep",
        "the path has more certificates below the trust anchor than allowed",
        "raise MTLS_MAX_DEPTH, or make an intermediate a trust anchor";
    PathTooComplex, ClientCertInvalid, "path_too_complex",
        "the certificates allow more paths than are tried",
        "have the client send only its own chain; a hostile client sends such headers to cost time";

    ValidatorsDisagree, ClientCertInvalid, "validators_disagree",
        "our rules accept the path and the second validator, webpki, rejects it",
        "report it with the certificates: one of two validators has a fault; until it is found, the client is denied";

    EndEntityIsAuthority, ClientCertPurposeInvalid, "end_entity_is_authority",
        "the first certificate is a CA certificate",
        "have the client send its own certificate first, then the intermediates";
    EndEntityKeyUsage, ClientCertPurposeInvalid, "end_entity_key_usage",
        "the end-entity certificate has a key usage without digitalSignature",
        "reissue it with digitalSignature";
    ExtendedKeyUsage, ClientCertPurposeInvalid, "extended_key_usage",
        "a certificate has an extended key usage without clientAuth",
        "reissue it with clientAuth";
    ExtendedKeyUsageMissing, ClientCertPurposeInvalid, "extended_key_usage_missing",
        "the end-entity certificate has no extended key usage and MTLS_EKU requires one",
        "reissue it with clientAuth, or set MTLS_EKU=if-present";

    NameConstraints, ClientCertInvalid, "name_constraints",
        "a name in the path is outside of what a CA above it may issue for",
        "issue from a CA whose name constraints allow the name (RFC 5280 section 4.2.1.10)";
    NameConstraintsUnsupported, ClientCertInvalid, "name_constraints_unsupported",
        "a CA in the path has name constraints of a kind that is not processed",
        "use constraints on dNSName, iPAddress, directoryName, rfc822Name or uniformResourceIdentifier";
    CertificatePolicies, ClientCertInvalid, "certificate_policies",
        "a CA in the path requires a certificate policy that the path does not have",
        "reissue with the policy, or drop the policy constraint (RFC 5280 section 6.1)";

    Revoked, ClientCertCrlHit, "revoked",
        "a certificate in the path is revoked by its issuer",
        "issue the client a new certificate if it should have one; a suspended one is allowed again when the issuer publishes a CRL without it";
    CrlMissing, ClientCertCrlProcessingError, "crl_missing",
        "there is no CRL of the issuer of a certificate in the path",
        "add the issuer's CRL to MTLS_CRLS; MTLS_REVOCATION=soft lets clients of unknown status in";
    CrlScope, ClientCertCrlProcessingError, "crl_scope",
        "the CRLs of the issuer do not speak of a certificate in the path",
        "add the CRL of the distribution point that the certificate names, or a CRL for all certificates, to MTLS_CRLS";
    CrlStale, ClientCertCrlProcessingError, "crl_stale",
        "the newest CRL for a certificate in the path is past its nextUpdate",
        "publish a newer one and see why its refresh failed; MTLS_CRL_GRACE lets a CRL count for longer";
    CrlNotYetValid, ClientCertCrlProcessingError, "crl_not_yet_valid",
        "the only CRL for a certificate in the path is before its thisUpdate",
        "check the clock of the issuing CA, or wait";
    CrlBaseMissing, ClientCertCrlProcessingError, "crl_base_missing",
        "there is a delta CRL for a certificate in the path, without the complete CRL that it continues",
        "add the complete CRL that the delta CRL continues, or a newer one, to MTLS_CRLS; certificates on the delta CRL are revoked";
    CrlUnusable, ClientCertCrlProcessingError, "crl_unusable",
        "the newest CRL for a certificate in the path has a defect, so that it clears no certificate",
        "publish a CRL without the defect that the audit record names; certificates on this one stay revoked";
    CrlSignature, ClientCertCrlProcessingError, "crl_signature",
        "no CRL in the issuer's name is signed with the issuer's key",
        "the CRL is of another CA of the same name, or the issuer has a new key, or the CRL was altered: add the right one to MTLS_CRLS";
    CrlSignatureUnsupported, ClientCertCrlProcessingError, "crl_signature_unsupported",
        "the CRL in the issuer's name is signed with an algorithm or a key that is not supported",
        "have the CA sign CRLs with SHA-256, SHA-384 or SHA-512 and RSA of 2048 bits or more, P-256, P-384 or P-521, or with ML-DSA";
    CrlSignatureNotAllowed, ClientCertCrlProcessingError, "crl_signature_not_allowed",
        "the newest CRL for a certificate in the path is signed with an algorithm that MTLS_SIGNATURES does not list",
        "have the CA sign CRLs with an algorithm of MTLS_SIGNATURES, or add the algorithm there; certificates on this CRL stay revoked";
    CrlIssuerKeyUsage, ClientCertCrlProcessingError, "crl_issuer_key_usage",
        "the issuer of a CRL has a key usage without cRLSign",
        "reissue the CA certificate with cRLSign (RFC 5280 section 4.2.1.3)";

    OcspResponderMissing, ClientCertCrlProcessingError, "ocsp_responder_missing",
        "there is no OCSP responder for the issuer of a certificate in the path",
        "add the issuer's responder to MTLS_OCSP, or `aia-clients` if its certificates name one";
    OcspUnavailable, ClientCertCrlProcessingError, "ocsp_unavailable",
        "no OCSP responder gave an answer about a certificate in the path",
        "see whether the responder that the audit record names is up and can be reached from here; MTLS_REVOCATION=soft lets clients of unknown status in";
    OcspUnknown, ClientCertCrlProcessingError, "ocsp_unknown",
        "the OCSP responder does not know a certificate in the path",
        "ask the right responder of the issuer, or have the CA register the certificate there";
    OcspStale, ClientCertCrlProcessingError, "ocsp_stale",
        "the OCSP response for a certificate in the path is past its nextUpdate, or before its thisUpdate",
        "see why the responder gives old responses, and check its clock";
    OcspSignature, ClientCertCrlProcessingError, "ocsp_signature",
        "the OCSP response for a certificate in the path is not signed by the issuer, nor by a responder that the issuer authorizes",
        "have the responder sign with the issuer's key or with a certificate that the issuer itself issued for OCSPSigning, by an algorithm of MTLS_SIGNATURES";
    OcspUnusable, ClientCertCrlProcessingError, "ocsp_unusable",
        "the OCSP response for a certificate in the path cannot be read or is about another certificate",
        "see what the responder that the audit record names sends; `alb-mtls verify --ocsp` shows it";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_unique_and_in_snake_case() {
        for (index, reason) in Reason::ALL.iter().enumerate() {
            let detail = reason.detail();
            assert!(
                detail
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_'),
                "{detail}"
            );
            assert!(
                Reason::ALL[..index].iter().all(|other| other.detail() != detail),
                "{detail} stands twice"
            );
        }
    }

    /// Alarms and dashboards compare the text with the names that the load balancer has.
    #[test]
    fn codes_are_written_as_they_are_named() {
        for reason in Reason::ALL {
            assert_eq!(reason.code().as_str(), format!("{:?}", reason.code()));
        }
    }

    #[test]
    fn display_says_what_where_and_why() {
        let rejection = Rejection::new(Reason::Expired)
            .of_certificate(1)
            .because("notAfter was 2025-01-01T00:00:00Z");
        assert_eq!(
            rejection.to_string(),
            "a certificate has expired: notAfter was 2025-01-01T00:00:00Z (certificate 1 of the header)"
        );
        let rejection = Rejection::new(Reason::CertificateVersion)
            .about("CN=a")
            .in_field("version")
            .found("1")
            .allowed("3");
        assert_eq!(
            rejection.to_string(),
            "a certificate is not of X.509 version 3: version: 1; allowed: 3 (certificate `CN=a` from the settings)"
        );
    }

    #[test]
    fn value_in_context_has_200_characters_at_most() {
        let rejection = Rejection::new(Reason::Expired)
            .about(&"ü".repeat(201))
            .found(&"x".repeat(200));
        let context = rejection.context();
        assert_eq!(context.subject.map(|subject| subject.chars().count()), Some(201));
        assert!(context.subject.is_some_and(|subject| subject.ends_with('…')));
        assert_eq!(context.found, Some("x".repeat(200)).as_deref());
        assert!(rejection.heap_bytes() >= 600);
    }
}
