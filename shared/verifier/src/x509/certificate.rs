//! Certificates (RFC 5280 §4.1), read once and without copying.

use std::cell::OnceCell;

use crate::rejection::{Reason, Rejection};
use crate::x509::algorithm_name::describe_signature_algorithm;
use crate::x509::der::{
    Elements, Malformed, Tag, check_bit_string, context_tag, named_bits, single, whole_octets,
};
use crate::x509::extensions::{
    Extensions, KeyUsage, MAX_EXTENSIONS, authority_key_identifier, parse_basic_constraints, parse_extension,
};
use crate::x509::name::{DistinguishedName, Unrepresentable, names_are_equal};
use crate::x509::name_constraints::{NameConstraints, Names};
use crate::x509::oid::{self, dotted};
use crate::x509::public_key::{IssuerKey, PublicKey, PublicKeyInfo};
use crate::x509::time::Timestamp;

/// A parsed certificate that borrows from its DER encoding (RFC 5280 §4.1).
#[derive(Debug)]
pub(crate) struct Certificate<'a> {
    /// Position among the presented certificates; absent for a certificate that the operator
    /// configured.
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

/// Parts that several paths need, parsed on first use.
#[derive(Debug, Default)]
struct Derived<'a> {
    is_self_issued: OnceCell<bool>,
    names: OnceCell<Result<Names<'a>, Unrepresentable>>,
    name_constraints: OnceCell<Result<Option<NameConstraints<'a>>, Malformed>>,
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
        // RFC 5280 §4.1.1.2: the same AlgorithmIdentifier as in what is signed, compared below.
        let signature_algorithm = outer.expect(Tag::SEQUENCE).map_err(in_algorithm)?.content;
        let in_signature = in_field("signature");
        let signature = outer.expect(Tag::BIT_STRING).map_err(in_signature)?.content;
        let signature = whole_octets(signature).map_err(in_signature)?;
        outer.finish().map_err(frame)?;

        let mut fields = Elements::new(to_be_signed.content);
        let version = parse_version(&mut fields).map_err(in_field("version"))?;
        let in_serial_number = in_field("serial number");
        let serial_number = fields.expect(Tag::INTEGER).map_err(in_serial_number)?.content;
        // Revocation compares serial numbers; one with two encodings could be revoked in one and
        // pass in the other.
        check_shortest_form(serial_number).map_err(in_serial_number)?;
        let inner_algorithm = fields.expect(Tag::SEQUENCE).map_err(in_algorithm)?.content;
        // Only the inner one is signed. Comparing octets is stricter than comparing meaning, which
        // no CA needs.
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
            if let Some(identifier) = identifier {
                check_bit_string(identifier.content).map_err(in_field(name))?;
                has_unique_identifiers = true;
            }
        }
        let in_extensions = in_field("extensions");
        let extensions = match fields.optional(context_tag(3, true)).map_err(in_extensions)? {
            None => Extensions::default(),
            // RFC 5280 §4.1.2.9: extensions only in version 3.
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

    /// Returns true if the key usage allows signing CRLs or is absent (RFC 5280 §4.2.1.3).
    pub(crate) fn may_sign_lists(&self) -> bool {
        let usage = self.extensions.key_usage;
        usage.is_none_or(|usage| usage.allows_crl_signing())
    }

    /// RFC 5280 §3.2: subject and issuer are the same name.
    pub(crate) fn is_self_issued(&self) -> bool {
        let is_self_issued = &self.derived.is_self_issued;
        *is_self_issued.get_or_init(|| names_are_equal(self.issuer, self.subject))
    }

    /// Returns the names that constraints of the issuers apply to.
    pub(crate) fn names(&self) -> Result<&Names<'a>, Unrepresentable> {
        let parse = || Names::parse(self.subject, self.extensions.find(oid::SUBJECT_ALTERNATIVE_NAME));
        let names = self.derived.names.get_or_init(parse);
        names.as_ref().map_err(Clone::clone)
    }

    /// Returns the constraints on names below this CA, if there are any.
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

    /// Returns the identifier of its issuer's key; `None` where it gives none and where it cannot
    /// be read.
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

/// X.690 §8.3.2: the first nine bits of an INTEGER are never all equal. A serial number with two
/// forms could be revoked in one and pass in the other.
fn check_shortest_form(integer: &[u8]) -> Result<(), Malformed> {
    match integer {
        [] => Err(Malformed),
        [0x00, second, ..] if second & 0x80 == 0 => Err(Malformed),
        [0xFF, second, ..] if second & 0x80 != 0 => Err(Malformed),
        _ => Ok(()),
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

impl Validity {
    /// Every time that a certificate can state (RFC 5280 §4.1.2.5): from the year 0 to the last
    /// second of 9999.
    pub(crate) const UNLIMITED: Self = Self {
        not_before: Timestamp::from_unix_seconds(-62_167_219_200),
        not_after: Timestamp::from_unix_seconds(253_402_300_799),
    };

    /// Returns true if the time lies between both ends, which count.
    pub(crate) fn covers(&self, time: Timestamp) -> bool {
        self.not_before <= time && time <= self.not_after
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
        // Before the search for repeats, whose time the limit bounds.
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
