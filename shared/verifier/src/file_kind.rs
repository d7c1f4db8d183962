//! Kinds of file that are given in place of a PEM file, each with the command that converts it.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use der::asn1::ObjectIdentifier;

use crate::pem_file::BYTE_ORDER_MARK;
use crate::x509::der::{Element, Elements, Malformed, Tag, context_tag, read_header};

/// Kind of a file or of a PEM block that is not the wanted one. Its display is one clause without a
/// subject: what the file is, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileKind {
    /// Attribute certificate (RFC 5755).
    AttributeCertificate,
    /// Base64 of a file of another kind, without PEM lines around it.
    Base64(Box<Self>),
    /// X.509 certificate in DER.
    Certificate,
    /// PKCS #10 certificate request.
    CertificateRequest,
    /// Certificate revocation list.
    Crl,
    /// DER that ends before its own length says.
    CutOff {
        /// Octets that its length announces.
        announced: usize,
        /// Octets that are there.
        found: usize,
    },
    /// Empty file, or one with white space alone.
    Empty,
    /// OpenPGP armour.
    OpenPgp,
    /// File that is compressed with gzip.
    Gzip,
    /// Page of a web server.
    Html,
    /// Key store of Java.
    JavaKeyStore,
    /// JSON, such as the answer of a command line.
    Json,
    /// PEM whose line breaks are written as `\n`.
    LiteralLineBreaks,
    /// Parameters of a key, without the key.
    KeyParameters,
    /// PEM with percent encoding: the value of a certificate header.
    PercentEncoded,
    /// Text in PEM lines.
    Pem,
    /// PKCS #12 key store.
    Pkcs12,
    /// PKCS #7 bundle in DER.
    Pkcs7Der,
    /// PKCS #7 bundle in PEM.
    Pkcs7Pem,
    /// Private key.
    PrivateKey,
    /// Public key without a certificate.
    PublicKey,
    /// Name of a place, such as an ARN, a URL or a path, and not its content.
    Reference(String),
    /// Public key of SSH.
    Ssh,
    /// PEM blocks that are joined by commas, as in a StringList of SSM.
    StringList,
    /// DER certificate or PEM block with OpenSSL's trust settings behind the certificate.
    TrustedCertificate,
    /// DER with other octets behind it.
    Trailing {
        /// Octet at which the rest begins.
        offset: usize,
    },
    /// Text in UTF-16.
    Utf16,
    /// XML, such as the error of a service.
    Xml,
    /// ZIP archive.
    Zip,
}

impl FileKind {
    /// Recognises a whole file by its content; `None` for what could be any text.
    pub fn recognise(file: &[u8]) -> Option<Self> {
        let file = without_byte_order_mark(file);
        match file {
            [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [0, b'-', 0, b'-', ..] | [b'-', 0, b'-', 0, ..] => {
                return Some(Self::Utf16);
            }
            [0x1F, 0x8B, ..] => return Some(Self::Gzip),
            [b'P', b'K', 3, 4, ..] => return Some(Self::Zip),
            [0xFE, 0xED, 0xFE, 0xED, ..] => return Some(Self::JavaKeyStore),
            [0x30, length, ..] if !length.is_ascii_whitespace() => {
                if let Some(kind) = Self::of_der(file) {
                    return Some(kind);
                }
            }
            _ => {}
        }
        Self::of_text(file.trim_ascii())
    }

    /// Returns the kind of a PEM block with this label; `None` for unknown labels.
    pub fn of_label(label: &str) -> Option<Self> {
        Some(match label {
            "CERTIFICATE" | "X509 CERTIFICATE" => Self::Certificate,
            "TRUSTED CERTIFICATE" => Self::TrustedCertificate,
            "X509 CRL" => Self::Crl,
            "CERTIFICATE REQUEST" | "NEW CERTIFICATE REQUEST" => Self::CertificateRequest,
            "PKCS7" | "PKCS #7 SIGNED DATA" | "CMS" => Self::Pkcs7Pem,
            "PKCS12" => Self::Pkcs12,
            "ATTRIBUTE CERTIFICATE" => Self::AttributeCertificate,
            "EC PARAMETERS" | "DH PARAMETERS" | "DSA PARAMETERS" | "X9.42 DH PARAMETERS" => {
                Self::KeyParameters
            }
            "SSH2 PUBLIC KEY" => Self::Ssh,
            _ if label.starts_with("PGP ") => Self::OpenPgp,
            _ if label.ends_with("PRIVATE KEY") => Self::PrivateKey,
            _ if label.ends_with("PUBLIC KEY") => Self::PublicKey,
            _ => return None,
        })
    }

    /// Recognises DER by its structure. `None` for what is not DER at all.
    pub(crate) fn of_der(file: &[u8]) -> Option<Self> {
        if let Some((announced, found)) = missing_octets(file) {
            return Some(Self::CutOff { announced, found });
        }
        let mut elements = Elements::new(file);
        let first = elements.expect(Tag::SEQUENCE).ok()?;
        let kind = of_structure(first).ok()?;
        match file.get(first.encoding.len()..) {
            None | Some([]) => Some(kind),
            Some(rest) => {
                let has_settings = matches!(Elements::new(rest).expect(Tag::SEQUENCE), Ok(settings)
                    if settings.encoding.len() == rest.len() && of_structure(settings).is_err());
                Some(match kind {
                    Self::Certificate if has_settings => Self::TrustedCertificate,
                    _ => Self::Trailing {
                        offset: first.encoding.len(),
                    },
                })
            }
        }
    }

    fn of_text(text: &[u8]) -> Option<Self> {
        let contains = |word: &[u8]| memchr::memmem::find(text, word).is_some();
        let begins_pem = contains(b"-----BEGIN ");
        let lower: Vec<u8> = text.iter().take(64).map(u8::to_ascii_lowercase).collect();
        match text.first() {
            None => return Some(Self::Empty),
            Some(b'{' | b'[') => return Some(Self::Json),
            Some(b'"') if begins_pem && contains(b"\\n") => return Some(Self::Json),
            Some(b'<') if lower.starts_with(b"<!doctype html") || lower.starts_with(b"<html") => {
                return Some(Self::Html);
            }
            Some(b'<') => return Some(Self::Xml),
            _ => {}
        }
        if contains(b"-----BEGIN%20") {
            Some(Self::PercentEncoded)
        } else if begins_pem && (contains(b"-----\\n") || contains(b"-----\\r\\n")) {
            Some(Self::LiteralLineBreaks)
        } else if begins_pem && joins_blocks_by_commas(text) {
            Some(Self::StringList)
        } else if begins_pem {
            Some(Self::Pem)
        } else if lower.starts_with(b"ssh-") || lower.starts_with(b"ecdsa-sha2-") {
            Some(Self::Ssh)
        } else {
            Self::of_reference(text).or_else(|| Self::of_base64(text))
        }
    }

    fn of_reference(text: &[u8]) -> Option<Self> {
        let word = std::str::from_utf8(text).ok()?;
        let is_path = |word: &str| {
            let is_absolute = word.starts_with('/') && word.len() < 256 && word.contains('.');
            is_absolute || word.ends_with(".pem") || word.ends_with(".crt") || word.ends_with(".crl")
        };
        let is_reference = !word.contains(char::is_whitespace)
            && (word.starts_with("arn:")
                || word.starts_with("ssm:")
                || word.starts_with("file:")
                || word.contains("://")
                || is_path(word));
        is_reference.then(|| Self::Reference(word.escape_default().to_string().chars().take(200).collect()))
    }

    fn of_base64(text: &[u8]) -> Option<Self> {
        /// Shorter text is rather a word than base64.
        const SHORTEST: usize = 64;
        let characters: Vec<u8> = text
            .iter()
            .copied()
            .filter(|octet| !octet.is_ascii_whitespace())
            .collect();
        if characters.len() < SHORTEST {
            return None;
        }
        let decoded = STANDARD.decode(&characters).ok()?;
        let inner = match decoded.first() {
            Some(0x30) => Self::of_der(&decoded)?,
            _ => Self::of_text(without_byte_order_mark(&decoded).trim_ascii())?,
        };
        Some(Self::Base64(Box::new(inner)))
    }

    /// Recognises the content of a block that was encoded in base64 twice.
    pub(crate) fn of_block_content(content: &[u8]) -> Option<Self> {
        match content.first() {
            Some(0x30) | None => None,
            Some(_) => match Self::of_text(content.trim_ascii())? {
                kind @ (Self::Base64(_) | Self::Pem) => Some(Self::Base64(Box::new(kind))),
                _ => None,
            },
        }
    }

    /// Returns the name of the kind, with its article.
    fn name(&self) -> String {
        match self {
            Self::AttributeCertificate => "an attribute certificate",
            Self::Base64(inner) => {
                return match **inner {
                    Self::Base64(_) | Self::Pem => "PEM that was encoded in base64 again".to_owned(),
                    _ => format!("{} in base64 without PEM lines", inner.name()),
                };
            }
            Self::Certificate => "a certificate",
            Self::CertificateRequest => "a certificate request",
            Self::Crl => "a CRL",
            Self::CutOff { .. } => "DER that is cut off",
            Self::Empty => "empty",
            Self::OpenPgp => "an OpenPGP file",
            Self::Gzip => "compressed with gzip",
            Self::Html => "an HTML page",
            Self::JavaKeyStore => "a Java key store",
            Self::Json => "JSON",
            Self::LiteralLineBreaks => "PEM whose line breaks are written as `\\n`",
            Self::KeyParameters => "a block of key parameters",
            Self::PercentEncoded => "PEM with percent encoding, as in a certificate header",
            Self::Pem => "PEM",
            Self::Pkcs12 => "a PKCS #12 key store",
            Self::Pkcs7Der => "a PKCS #7 bundle in DER",
            Self::Pkcs7Pem => "a PKCS #7 bundle",
            Self::PrivateKey => "a private key",
            Self::PublicKey => "a public key without a certificate",
            Self::Reference(word) => return format!("`{word}`, the name of a place and not its content"),
            Self::Ssh => "an SSH key",
            Self::StringList => "PEM whose blocks are joined by commas, as in an SSM StringList",
            Self::TrustedCertificate => "a certificate with OpenSSL's trust settings (TRUSTED CERTIFICATE)",
            Self::Trailing { .. } => "DER with other octets behind it",
            Self::Utf16 => "text in UTF-16",
            Self::Xml => "XML",
            Self::Zip => "a ZIP archive",
        }
        .to_owned()
    }

    /// Returns advice, often one command, in which FILE stands for the file.
    pub fn advice(&self) -> String {
        match self {
            Self::AttributeCertificate => "use a public key certificate",
            Self::Base64(inner) => return inner.advice_behind("base64 -d FILE"),
            Self::Certificate => "trust anchors belong into MTLS_ANCHORS, other CAs into MTLS_INTERMEDIATES",
            Self::CertificateRequest => "use the certificate that its CA issued for it",
            Self::Crl => "CRLs belong into MTLS_CRLS",
            Self::CutOff { announced, found } => {
                return format!("its length is {announced} octets, and {found} are there: copy the file again");
            }
            Self::Empty => "see whether the command that wrote it failed",
            Self::OpenPgp => "use X.509 certificates",
            Self::Gzip => "`gunzip -c FILE > FILE.pem` unpacks it",
            Self::Html => "a server answered with a page: see with a browser what it says at that URL",
            Self::JavaKeyStore => "`keytool -list -rfc -keystore FILE > certificates.pem` writes its certificates",
            Self::Json => {
                "`jq -r '.. | strings | select(contains(\"-----BEGIN\"))' FILE > FILE.pem` writes the PEM text in it"
            }
            Self::LiteralLineBreaks => "`printf '%b' \"$(cat FILE)\" > FILE.pem` writes real line breaks",
            Self::KeyParameters => "leave them out: they belong to a private key",
            Self::PercentEncoded => "`alb-mtls verify --header FILE` reads it",
            Self::Pem => "use it as it is",
            Self::Pkcs12 => "`openssl pkcs12 -in FILE -nokeys -out certificates.pem` writes its certificates",
            Self::Pkcs7Der => {
                "`openssl pkcs7 -inform DER -print_certs -in FILE -out certificates.pem` writes its certificates"
            }
            Self::Pkcs7Pem => "`openssl pkcs7 -print_certs -in FILE -out certificates.pem` writes its certificates",
            Self::PrivateKey => {
                "`openssl crl2pkcs7 -nocrl -certfile FILE | openssl pkcs7 -print_certs -out certificates.pem` writes the \
                 certificates beside it; replace the key if others could read it"
            }
            Self::PublicKey => "use the certificate of the key",
            Self::Reference(_) => {
                "name it in the setting itself, as `file:/path`, `ssm:/name` or `s3://bucket/key`, or store the content"
            }
            Self::Ssh => "use X.509 certificates",
            Self::StringList => "`tr , '\\n' < FILE > FILE.pem` separates them; use a parameter of type String",
            Self::TrustedCertificate => {
                "trust settings are not read: `openssl x509 -in FILE -out certificate.pem` writes the certificate \
                 without them"
            }
            Self::Trailing { offset } => {
                return format!("the rest begins at octet {offset}: `openssl x509 -inform DER -in FILE -out certificate.pem` writes the first one");
            }
            Self::Utf16 => "`iconv -f UTF-16 -t UTF-8 FILE > FILE.utf8` converts it",
            Self::Xml => "a service answered with an error: see what it says",
            Self::Zip => "`unzip FILE` unpacks it",
        }
        .to_owned()
    }

    /// Returns advice for a file that a first command decodes.
    fn advice_behind(&self, decode: &str) -> String {
        match self {
            Self::Base64(inner) => inner.advice_behind(&format!("{decode} | base64 -d")),
            Self::Certificate => {
                format!("`{decode} | openssl x509 -inform DER -out certificate.pem` writes it as PEM")
            }
            Self::Crl => format!("`{decode} | openssl crl -inform DER -out crl.pem` writes it as PEM"),
            Self::Pem => format!("`{decode} > FILE.pem` decodes it"),
            Self::Pkcs7Der => format!(
                "`{decode} | openssl pkcs7 -inform DER -print_certs -out certificates.pem` writes its certificates"
            ),
            _ => self.advice(),
        }
    }
}

impl fmt::Display for FileKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "is {}: {}", self.name(), self.advice())
    }
}

/// A block of the kind, by the line on which it begins.
pub(crate) fn describe_block(kind: &FileKind, line: usize, label: &str) -> String {
    let (name, advice) = (kind.name(), kind.advice());
    format!("line {line} begins {name} (`{label}`): {advice}")
}

/// Returns the file without the byte order mark of UTF-8.
pub fn without_byte_order_mark(file: &[u8]) -> &[u8] {
    file.strip_prefix(BYTE_ORDER_MARK).unwrap_or(file)
}

/// Reads a text file in UTF-8, without its byte order mark.
///
/// # Errors
/// Description of the file as it is, one clause without a subject.
pub fn read_text(file: Vec<u8>) -> Result<String, String> {
    let file = match file.strip_prefix(BYTE_ORDER_MARK) {
        None => file,
        Some(text) => text.to_vec(),
    };
    String::from_utf8(file).map_err(|error| match FileKind::recognise(error.as_bytes()) {
        Some(kind) => kind.to_string(),
        None => format!(
            "is not text in UTF-8, from octet {} on",
            error.utf8_error().valid_up_to()
        ),
    })
}

/// Octets that the outer length of DER announces and that are there, if some are missing.
fn missing_octets(file: &[u8]) -> Option<(usize, usize)> {
    let (tag, header, length) = read_header(file).ok()?;
    if tag != Tag::SEQUENCE || length <= 0x7F {
        return None;
    }
    // What follows an outer SEQUENCE of all kinds here.
    let begins_like_der = matches!(file.get(header), Some(0x30 | 0x02 | 0x06));
    (begins_like_der && file.len() < header + length).then_some((header + length, file.len()))
}

/// Recognises the content of an outer SEQUENCE (RFC 5280, 2986, 5652, 7292, 5958).
fn of_structure(outer: Element<'_>) -> Result<FileKind, Malformed> {
    const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
    let mut fields = Elements::new(outer.content);
    let first = fields.next_element()?;
    if first.tag == Tag::OBJECT_IDENTIFIER && first.content == SIGNED_DATA.as_bytes() {
        return Ok(FileKind::Pkcs7Der);
    }
    let second = fields.next_element()?;
    if first.tag == Tag::INTEGER {
        return match (first.content, second.tag) {
            ([3], Tag::SEQUENCE) => Ok(FileKind::Pkcs12),
            // PKCS #8, PKCS #1 and SEC 1.
            ([0 | 1], Tag::SEQUENCE | Tag::INTEGER | Tag::OCTET_STRING) => Ok(FileKind::PrivateKey),
            _ => Err(Malformed),
        };
    }
    match (first.tag, second.tag) {
        (Tag::SEQUENCE, Tag::BIT_STRING) => Ok(FileKind::PublicKey),
        // EncryptedPrivateKeyInfo.
        (Tag::SEQUENCE, Tag::OCTET_STRING) => Ok(FileKind::PrivateKey),
        (Tag::SEQUENCE, Tag::SEQUENCE) => {
            fields.expect(Tag::BIT_STRING)?;
            of_signed(first.content)
        }
        _ => Err(Malformed),
    }
}

/// Recognises what is signed: a certificate, a request or a CRL.
fn of_signed(content: &[u8]) -> Result<FileKind, Malformed> {
    let mut fields = Elements::new(content);
    if fields.optional(context_tag(0, true))?.is_some() {
        return Ok(FileKind::Certificate);
    }
    let number = fields.optional(Tag::INTEGER)?.map(|number| number.content);
    fields.expect(Tag::SEQUENCE)?;
    fields.expect(Tag::SEQUENCE)?;
    match (fields.next_element()?.tag, number) {
        (Tag::UTC_TIME | Tag::GENERALIZED_TIME, _) => Ok(FileKind::Crl),
        (Tag::SEQUENCE, Some(_)) => Ok(FileKind::Certificate),
        // RFC 2986 §4.1: the version is 0.
        (tag, Some([0])) if tag == context_tag(0, true) => Ok(FileKind::CertificateRequest),
        _ => Err(Malformed),
    }
}

fn joins_blocks_by_commas(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr::memmem::find(rest, b"-----,") {
        rest = rest.get(at + 6..).unwrap_or_default();
        if rest.trim_ascii_start().starts_with(b"-----BEGIN ") {
            return true;
        }
    }
    false
}
