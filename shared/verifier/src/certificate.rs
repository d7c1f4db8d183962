//! What the rules need of an X.509 certificate, read once and without copying.

use std::cell::OnceCell;

use der::asn1::ObjectIdentifier;

use crate::algorithm_name::describe_signature_algorithm;
use crate::der_reader::{
    Element, Elements, Malformed, Tag, boolean, context_tag, named_bits, single, small_unsigned,
};
use crate::name::{DistinguishedName, Unrepresentable, names_are_equal};
use crate::oid::dotted;
use crate::rejection::{Reason, Rejection};
use crate::rules::{NameConstraints, Names};
use crate::timestamp::Timestamp;

/// A parsed certificate that borrows from its DER encoding (RFC 5280 §4.1).
#[derive(Debug)]
pub(crate) struct Certificate<'a> {
    /// Its place among the presented certificates; none for one that the operator configured.
    pub(crate) presented_at: Option<usize>,
    pub(crate) der: &'a [u8],
    pub(crate) to_be_signed: &'a [u8],
    pub(crate) version: Version,
    pub(crate) serial_number: &'a [u8],
    /// The whole encoding of the AlgorithmIdentifier's content.
    pub(crate) signature_algorithm: &'a [u8],
    pub(crate) signature: &'a [u8],
    /// The whole encoding of the Name.
    pub(crate) issuer: &'a [u8],
    pub(crate) validity: Validity,
    /// The whole encoding of the Name.
    pub(crate) subject: &'a [u8],
    pub(crate) public_key_info: PublicKeyInfo<'a>,
    pub(crate) public_key: PublicKey,
    /// An issuer or subject has a unique identifier (RFC 5280 §4.1.2.8).
    pub(crate) has_unique_identifiers: bool,
    pub(crate) extensions: Extensions<'a>,
    derived: Derived<'a>,
}

/// What several paths ask of a certificate, taken apart when it is asked first.
#[derive(Debug, Default)]
struct Derived<'a> {
    is_self_issued: OnceCell<bool>,
    names: OnceCell<Result<Names<'a>, Unrepresentable>>,
    name_constraints: OnceCell<Result<Option<NameConstraints<'a>>, Malformed>>,
}

/// A SubjectPublicKeyInfo and its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PublicKeyInfo<'a> {
    pub(crate) encoding: &'a [u8],
    /// The content of the AlgorithmIdentifier.
    pub(crate) algorithm: &'a [u8],
    /// The octets of the BIT STRING.
    pub(crate) key: &'a [u8],
}

/// The key of an issuer, as its SubjectPublicKeyInfo gives it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct IssuerKey<'a> {
    /// The content of the AlgorithmIdentifier.
    pub(crate) algorithm: &'a [u8],
    pub(crate) key: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
    V3,
}

/// The period in which a certificate is valid, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// First second at which the certificate is valid.
    pub not_before: Timestamp,
    /// Last second at which the certificate is valid.
    pub not_after: Timestamp,
}

/// Kind and size of a public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PublicKey {
    /// ECDSA on NIST P-256.
    P256,
    /// ECDSA on NIST P-384.
    P384,
    /// ECDSA on NIST P-521.
    P521,
    /// RSA with a modulus of this many bits.
    Rsa {
        /// Bits of the modulus.
        bits: usize,
    },
    /// Anything that a load balancer does not accept.
    Unsupported,
}

impl std::fmt::Display for PublicKey {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::P256 => formatter.write_str("P-256"),
            Self::P384 => formatter.write_str("P-384"),
            Self::P521 => formatter.write_str("P-521"),
            Self::Rsa { bits } => write!(formatter, "RSA-{bits}"),
            Self::Unsupported => formatter.write_str("unsupported key"),
        }
    }
}

/// The extensions that some rule or the identity reads; the others only count when they are critical.
#[derive(Debug, Default)]
pub(crate) struct Extensions<'a> {
    pub(crate) basic_constraints: Option<BasicConstraints>,
    pub(crate) key_usage: Option<KeyUsage>,
    pub(crate) all: Vec<Extension<'a>>,
}

impl<'a> Extensions<'a> {
    pub(crate) fn find(&self, oid: ObjectIdentifier) -> Option<&Extension<'a>> {
        self.all.iter().find(|extension| extension.oid == oid.as_bytes())
    }
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Extension<'a> {
    /// The content of the OBJECT IDENTIFIER.
    pub(crate) oid: &'a [u8],
    pub(crate) critical: bool,
    pub(crate) value: &'a [u8],
}

/// RFC 5280 §4.2.1.9.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct BasicConstraints {
    pub(crate) authority: bool,
    pub(crate) path_length: Option<u32>,
}

/// RFC 5280 §4.2.1.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KeyUsage(u16);

impl KeyUsage {
    pub(crate) fn allows_digital_signature(self) -> bool {
        self.0 & 1 != 0
    }

    pub(crate) fn allows_certificate_signing(self) -> bool {
        self.0 & (1 << 5) != 0
    }

    pub(crate) fn allows_crl_signing(self) -> bool {
        self.0 & (1 << 6) != 0
    }
}

impl std::fmt::Display for KeyUsage {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const NAMES: [&str; 9] = [
            "digitalSignature",
            "nonRepudiation",
            "keyEncipherment",
            "dataEncipherment",
            "keyAgreement",
            "keyCertSign",
            "cRLSign",
            "encipherOnly",
            "decipherOnly",
        ];
        let mut separator = "";
        for (bit, name) in NAMES.iter().enumerate() {
            if self.0 & (1 << bit) != 0 {
                write!(formatter, "{separator}{name}")?;
                separator = ", ";
            }
        }
        if separator.is_empty() {
            formatter.write_str("nothing")?;
        }
        Ok(())
    }
}

pub(crate) mod oid {
    use der::asn1::ObjectIdentifier;

    pub(crate) const ANY_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32.0");
    pub(crate) const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
    pub(crate) const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
    pub(crate) const CERTIFICATE_POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");
    pub(crate) const CRL_DISTRIBUTION_POINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.31");
    pub(crate) const EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
    pub(crate) const INHIBIT_ANY_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.54");
    pub(crate) const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
    pub(crate) const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");
    pub(crate) const POLICY_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.36");
    pub(crate) const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
    pub(crate) const POLICY_MAPPINGS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.33");
    pub(crate) const QC_STATEMENTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.3");
    pub(crate) const SUBJECT_ALTERNATIVE_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");

    pub(crate) const ANY_EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
    pub(crate) const CLIENT_AUTHENTICATION: ObjectIdentifier =
        ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

    /// SmtpUTF8Mailbox (RFC 9598): an email address in the clothes of an otherName.
    pub(crate) const INTERNATIONAL_MAILBOX: ObjectIdentifier =
        ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.8.9");
    pub(crate) const QUALIFIER_CERTIFICATION_PRACTICE: ObjectIdentifier =
        ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.2.1");
    pub(crate) const QUALIFIER_USER_NOTICE: ObjectIdentifier =
        ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.2.2");

    pub(crate) const EC_PUBLIC_KEY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
    pub(crate) const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
    pub(crate) const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
    pub(crate) const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");
    pub(crate) const RSA_ENCRYPTION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
}

/// More extensions than any real certificate has; the cap keeps the search for repeats cheap.
const MAX_EXTENSIONS: usize = 64;

/// Reason for which a certificate cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CertificateError {
    /// Not DER of an X.509 certificate; the field is the one where reading ended.
    Malformed(&'static str),
    /// Dotted identifier of the extension.
    RepeatedExtension(String),
    /// Names of the algorithm inside of what is signed and of the one outside.
    SignatureAlgorithmMismatch(String, String),
    TooManyExtensions,
}

impl CertificateError {
    pub(crate) fn reason(&self) -> Reason {
        match self {
            Self::RepeatedExtension(_) => Reason::ExtensionRepeated,
            Self::Malformed(_) | Self::SignatureAlgorithmMismatch(..) | Self::TooManyExtensions => {
                Reason::CertificateMalformed
            }
        }
    }

    pub(crate) fn to_rejection(&self) -> Rejection {
        let rejection = Rejection::new(self.reason());
        match self {
            Self::Malformed(field) => rejection.in_field(field),
            Self::RepeatedExtension(oid) => rejection.in_field(&format!("extension {oid}")),
            Self::SignatureAlgorithmMismatch(inside, outside) => rejection
                .in_field("signature algorithm")
                .found(&format!("{inside} in what is signed, {outside} outside of it"))
                .allowed("the same in both places"),
            Self::TooManyExtensions => rejection
                .in_field("extensions")
                .allowed(&format!("at most {MAX_EXTENSIONS}")),
        }
    }
}

/// Names the field in which something cannot be read.
fn in_field(field: &'static str) -> impl Fn(Malformed) -> CertificateError + Copy {
    move |Malformed| CertificateError::Malformed(field)
}

impl<'a> Certificate<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, CertificateError> {
        let frame = in_field("the outermost SEQUENCE and its three parts");
        let mut outer = Elements::inside(der, Tag::SEQUENCE).map_err(frame)?;
        let to_be_signed = outer.expect(Tag::SEQUENCE).map_err(frame)?;
        let in_algorithm = in_field("signature algorithm");
        let signature_algorithm = outer.expect(Tag::SEQUENCE).map_err(in_algorithm)?.content;
        let in_signature = in_field("signature");
        let signature = outer.expect(Tag::BIT_STRING).map_err(in_signature)?.content;
        let signature = whole_octets(signature).map_err(in_signature)?;
        outer.finish().map_err(frame)?;

        let mut fields = Elements::new(to_be_signed.content);
        let version = parse_version(&mut fields).map_err(in_field("version"))?;
        let in_serial_number = in_field("serial number");
        let serial_number = fields.expect(Tag::INTEGER).map_err(in_serial_number)?.content;
        check_shortest_form(serial_number).map_err(in_serial_number)?;
        let inner_algorithm = fields.expect(Tag::SEQUENCE).map_err(in_algorithm)?.content;
        if inner_algorithm != signature_algorithm {
            let name = describe_signature_algorithm;
            return Err(CertificateError::SignatureAlgorithmMismatch(
                name(inner_algorithm),
                name(signature_algorithm),
            ));
        }
        let issuer = fields.expect(Tag::SEQUENCE).map_err(in_field("issuer"))?.encoding;
        let in_validity = in_field("validity");
        let validity = fields.expect(Tag::SEQUENCE).map_err(in_validity)?;
        let validity = parse_validity(validity.content).map_err(in_validity)?;
        let subject = fields
            .expect(Tag::SEQUENCE)
            .map_err(in_field("subject"))?
            .encoding;
        let in_public_key = in_field("public key");
        let public_key_info = fields.expect(Tag::SEQUENCE).map_err(in_public_key)?;
        let public_key_info = PublicKeyInfo::parse(public_key_info).map_err(in_public_key)?;
        let public_key =
            PublicKey::parse(public_key_info.algorithm, public_key_info.key).map_err(in_public_key)?;
        // RFC 5280 §4.1.2.8 wants them read, not interpreted.
        let mut has_unique_identifiers = false;
        for (number, name) in [(1, "issuer unique identifier"), (2, "subject unique identifier")] {
            let identifier = fields
                .optional(context_tag(number, false))
                .map_err(in_field(name))?;
            has_unique_identifiers |= identifier.is_some();
        }
        let in_extensions = in_field("extensions");
        let extensions = match fields.optional(context_tag(3, true)).map_err(in_extensions)? {
            None => Extensions::default(),
            Some(explicit) if version == Version::V3 => {
                parse_extensions(single(explicit.content, Tag::SEQUENCE).map_err(in_extensions)?)?
            }
            Some(_) => return Err(CertificateError::Malformed("extensions before version 3")),
        };
        fields.finish().map_err(in_field("fields after the extensions"))?;

        Ok(Self {
            presented_at: None,
            der,
            to_be_signed: to_be_signed.encoding,
            version,
            serial_number,
            signature_algorithm,
            signature,
            issuer,
            validity,
            subject,
            public_key_info,
            public_key,
            has_unique_identifiers,
            extensions,
            derived: Derived::default(),
        })
    }

    pub(crate) fn is_authority(&self) -> bool {
        self.extensions
            .basic_constraints
            .is_some_and(|constraints| constraints.authority)
    }

    /// Whether its key usage, if it has one, allows signing CRLs (RFC 5280 §4.2.1.3).
    pub(crate) fn may_sign_lists(&self) -> bool {
        let usage = self.extensions.key_usage;
        usage.is_none_or(|usage| usage.allows_crl_signing())
    }

    /// RFC 5280 §3.2: subject and issuer are the same name.
    pub(crate) fn is_self_issued(&self) -> bool {
        let is_self_issued = &self.derived.is_self_issued;
        *is_self_issued.get_or_init(|| names_are_equal(self.issuer, self.subject))
    }

    /// The names that constraints of its issuers apply to.
    pub(crate) fn names(&self) -> Result<&Names<'a>, Unrepresentable> {
        let parse = || Names::parse(self.subject, self.extensions.find(oid::SUBJECT_ALTERNATIVE_NAME));
        let names = self.derived.names.get_or_init(parse);
        names.as_ref().map_err(Clone::clone)
    }

    /// The constraints on names below it, if it has some.
    pub(crate) fn name_constraints(&self) -> Result<Option<&NameConstraints<'a>>, Malformed> {
        let parse = || {
            let extension = self.extensions.find(oid::NAME_CONSTRAINTS);
            extension
                .map(|extension| NameConstraints::parse(extension.value))
                .transpose()
        };
        let constraints = self.derived.name_constraints.get_or_init(parse);
        constraints.as_ref().map(Option::as_ref).map_err(|error| *error)
    }

    /// Returns the identifier of its key; `None` without the extension and where it cannot be read.
    pub(crate) fn key_identifier(&self) -> Option<&'a [u8]> {
        let extension = self.extensions.find(oid::SUBJECT_KEY_IDENTIFIER)?;
        single(extension.value, Tag::OCTET_STRING).ok()
    }

    /// Returns the identifier of its issuer's key; `None` where it gives none and where it cannot be read.
    pub(crate) fn authority_key_identifier(&self) -> Option<&'a [u8]> {
        let extension = self.extensions.find(oid::AUTHORITY_KEY_IDENTIFIER)?;
        authority_key_identifier(extension.value).ok().flatten()
    }

    pub(crate) fn issuer_key(&self) -> IssuerKey<'a> {
        IssuerKey {
            algorithm: self.public_key_info.algorithm,
            key: self.public_key_info.key,
        }
    }

    /// Returns a rejection that names this certificate.
    pub(crate) fn reject(&self, reason: Reason) -> Rejection {
        let rejection = match self.presented_at {
            Some(index) => Rejection::new(reason).of_certificate(index),
            None => Rejection::new(reason),
        };
        match DistinguishedName::parse(self.subject) {
            Ok(subject) if !subject.is_empty() => rejection.about(subject.as_str()),
            _ => rejection,
        }
    }
}

fn parse_version(fields: &mut Elements<'_>) -> Result<Version, Malformed> {
    let Some(explicit) = fields.optional(context_tag(0, true))? else {
        return Ok(Version::V1);
    };
    match single(explicit.content, Tag::INTEGER)? {
        // The default, which DER leaves out.
        [0] => Ok(Version::V1),
        [1] => Ok(Version::V2),
        [2] => Ok(Version::V3),
        _ => Err(Malformed),
    }
}

/// Reads the keyIdentifier of the extension authorityKeyIdentifier, `[0]` of its sequence.
pub(crate) fn authority_key_identifier(value: &[u8]) -> Result<Option<&[u8]>, Malformed> {
    let mut fields = Elements::inside(value, Tag::SEQUENCE)?;
    let identifier = fields.optional(context_tag(0, false))?;
    Ok(identifier.map(|element| element.content))
}

/// X.690 §8.3.2: the first nine bits of an INTEGER are never all equal. A serial number with two forms could be
/// revoked in one and pass in the other.
fn check_shortest_form(integer: &[u8]) -> Result<(), Malformed> {
    match integer {
        [] => Err(Malformed),
        [0x00, second, ..] if second & 0x80 == 0 => Err(Malformed),
        [0xFF, second, ..] if second & 0x80 != 0 => Err(Malformed),
        _ => Ok(()),
    }
}

/// A BIT STRING that holds whole octets: no unused bits.
fn whole_octets(content: &[u8]) -> Result<&[u8], Malformed> {
    match content.split_first() {
        Some((0, octets)) => Ok(octets),
        _ => Err(Malformed),
    }
}

fn parse_validity(content: &[u8]) -> Result<Validity, Malformed> {
    let mut times = Elements::new(content);
    let not_before = Timestamp::from_element(times.next_element()?)?;
    let not_after = Timestamp::from_element(times.next_element()?)?;
    times.finish()?;
    Ok(Validity {
        not_before,
        not_after,
    })
}

impl<'a> PublicKeyInfo<'a> {
    fn parse(info: Element<'a>) -> Result<Self, Malformed> {
        let mut fields = Elements::new(info.content);
        let algorithm = fields.expect(Tag::SEQUENCE)?.content;
        let key = whole_octets(fields.expect(Tag::BIT_STRING)?.content)?;
        fields.finish()?;
        Ok(Self {
            encoding: info.encoding,
            algorithm,
            key,
        })
    }
}

impl Validity {
    /// Returns true if the time lies between both ends, which count.
    pub(crate) fn covers(&self, time: Timestamp) -> bool {
        self.not_before <= time && time <= self.not_after
    }
}

impl PublicKey {
    /// Reads the content of the AlgorithmIdentifier and the octets of the key. Parameters that do not decide which key it
    /// is are not looked at.
    pub(crate) fn parse(algorithm: &[u8], key: &[u8]) -> Result<Self, Malformed> {
        let mut fields = Elements::new(algorithm);
        let kind = fields.expect(Tag::OBJECT_IDENTIFIER)?.content;
        if kind == oid::EC_PUBLIC_KEY.as_bytes() {
            let curve = fields.next_element()?;
            Ok(match curve.content {
                _ if curve.tag != Tag::OBJECT_IDENTIFIER => Self::Unsupported,
                curve if curve == oid::P256.as_bytes() => Self::P256,
                curve if curve == oid::P384.as_bytes() => Self::P384,
                curve if curve == oid::P521.as_bytes() => Self::P521,
                _ => Self::Unsupported,
            })
        } else if kind == oid::RSA_ENCRYPTION.as_bytes() {
            let mut numbers = Elements::inside(key, Tag::SEQUENCE)?;
            let modulus = numbers.expect(Tag::INTEGER)?.content;
            numbers.expect(Tag::INTEGER)?;
            numbers.finish()?;
            Ok(Self::Rsa {
                bits: bit_length(modulus),
            })
        } else {
            Ok(Self::Unsupported)
        }
    }

    /// Returns true if a load balancer accepts the kind and size.
    pub(crate) fn is_supported(self) -> bool {
        match self {
            Self::P256 | Self::P384 | Self::P521 => true,
            Self::Rsa { bits } => (2048..=8192).contains(&bits),
            Self::Unsupported => false,
        }
    }
}

/// Bits of an INTEGER that is taken for unsigned.
pub(crate) fn bit_length(unsigned: &[u8]) -> usize {
    let mut bytes = unsigned.iter().skip_while(|byte| **byte == 0);
    match bytes.next() {
        None => 0,
        Some(first) => bytes.count() * 8 + (8 - first.leading_zeros() as usize),
    }
}

fn parse_extensions(content: &[u8]) -> Result<Extensions<'_>, CertificateError> {
    let mut elements = Elements::new(content);
    let mut extensions = Extensions {
        all: Vec::with_capacity(10),
        ..Extensions::default()
    };
    while !elements.at_end() {
        let in_extensions = in_field("extensions");
        let extension = elements.expect(Tag::SEQUENCE).map_err(in_extensions)?;
        let extension = parse_extension(extension.content).map_err(in_extensions)?;
        if extensions.all.len() == MAX_EXTENSIONS {
            return Err(CertificateError::TooManyExtensions);
        }
        // RFC 5280 §4.2: a certificate holds at most one instance of an extension.
        if extensions.all.iter().any(|other| other.oid == extension.oid) {
            return Err(CertificateError::RepeatedExtension(dotted(extension.oid)));
        }
        if extension.oid == oid::BASIC_CONSTRAINTS.as_bytes() {
            let constraints = parse_basic_constraints(extension.value);
            extensions.basic_constraints =
                Some(constraints.map_err(in_field("basic constraints (2.5.29.19)"))?);
        } else if extension.oid == oid::KEY_USAGE.as_bytes() {
            let bits = single(extension.value, Tag::BIT_STRING).and_then(named_bits);
            extensions.key_usage = Some(KeyUsage(bits.map_err(in_field("key usage (2.5.29.15)"))?));
        }
        extensions.all.push(extension);
    }
    Ok(extensions)
}

fn parse_extension(content: &[u8]) -> Result<Extension<'_>, Malformed> {
    let mut fields = Elements::new(content);
    let oid = fields.expect(Tag::OBJECT_IDENTIFIER)?.content;
    let critical = match fields.optional(Tag::BOOLEAN)? {
        None => false,
        Some(value) => boolean(value.content)?,
    };
    let value = fields.expect(Tag::OCTET_STRING)?.content;
    fields.finish()?;
    Ok(Extension { oid, critical, value })
}

fn parse_basic_constraints(value: &[u8]) -> Result<BasicConstraints, Malformed> {
    let mut fields = Elements::inside(value, Tag::SEQUENCE)?;
    let authority = match fields.optional(Tag::BOOLEAN)? {
        None => false,
        Some(value) => boolean(value.content)?,
    };
    let path_length = match fields.optional(Tag::INTEGER)? {
        None => None,
        Some(value) => Some(small_unsigned(value.content)?),
    };
    fields.finish()?;
    Ok(BasicConstraints {
        authority,
        path_length,
    })
}
