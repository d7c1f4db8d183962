//! Reader of the certificate header: strict, bounded, and without repairs.

use std::fmt;
use std::str::FromStr;

use alb_mtls_verifier::{PresentedChain, Reason, Rejection};
use http::HeaderName;

use crate::forms::{self, FORMS, Form, HeaderLimits, READ, Reader};

/// Form in which the certificate header is read: a value of `MTLS_HEADER_FORMAT`.
///
/// ```
/// use alb_mtls_http::{HeaderFormat, HeaderLimits, HeaderValues};
/// use alb_mtls_verifier::Reason;
///
/// let limits = HeaderLimits { max_bytes: 16_384, max_certificates: 8 };
/// let values = HeaderValues { certificate: &[b"-----BEGIN%20CERTIFICATE-----"], chain: &[] };
/// let rejection = HeaderFormat::URL_ENCODED.decode(values, limits).unwrap_err();
/// assert_eq!(rejection.reason(), Reason::HeaderNotPem);
/// ```
#[derive(Clone, Copy)]
pub struct HeaderFormat(&'static Reader);

impl HeaderFormat {
    /// Percent-encoded PEM of the whole chain, as a load balancer in passthrough mode sends it.
    pub const URL_ENCODED: Self = Self::from_form(&forms::PASSTHROUGH);

    /// Base64 of DER certificates, separated by commas.
    pub const BASE64_ENCODED: Self = Self::from_form(&forms::BASE64);

    /// RFC 9440, with the rest of the chain in a second header.
    pub const RFC9440: Self = Self::from_form(&forms::RFC9440);

    #[expect(clippy::panic, reason = "evaluated by the compiler, for constants alone")]
    const fn from_form(form: &'static Form) -> Self {
        match &form.reader {
            Some(reader) => Self(reader),
            None => panic!("the form is not read"),
        }
    }

    /// Returns every format, in the order of the documentation.
    pub fn all() -> impl Iterator<Item = Self> {
        FORMS
            .into_iter()
            .filter_map(|form| form.reader.as_ref())
            .map(Self)
    }

    /// Returns the name in settings.
    pub const fn as_str(self) -> &'static str {
        self.0.word
    }

    /// Returns the name that the certificate header has in this format unless it is set.
    pub const fn default_header(self) -> &'static str {
        self.0.header
    }

    /// Returns the name of the second header, in formats that put the rest of the chain there.
    pub fn chain_header(self) -> Option<HeaderName> {
        self.0.chain_header.map(HeaderName::from_static)
    }

    /// Splits the value of the certificate header after the end-entity certificate, without
    /// decoding it: all chains of one client begin alike. A damaged value can be split anywhere.
    pub fn split_end_entity(self, value: &[u8]) -> (&[u8], &[u8]) {
        let end = (self.0.end_of_end_entity)(value);
        value
            .split_at_checked(end.unwrap_or(value.len()))
            .unwrap_or((value, &[]))
    }

    /// Decodes the presented chain. The certificates themselves are parsed by the verification that
    /// follows.
    ///
    /// # Errors
    /// A [`Rejection`] when the header is missing, repeated, over a limit or damaged. The limits
    /// are checked before anything is decoded.
    pub fn decode(self, values: HeaderValues<'_>, limits: HeaderLimits) -> Result<PresentedChain, Rejection> {
        let certificate = only_value(values.certificate)?;
        limits.check_bytes(values.len())?;
        PresentedChain::new((self.0.decode)(certificate, values.chain, limits)?)
            .ok_or_else(|| Rejection::new(Reason::HeaderNotPem).because("it is empty"))
    }
}

impl Default for HeaderFormat {
    fn default() -> Self {
        Self::URL_ENCODED
    }
}

impl PartialEq for HeaderFormat {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for HeaderFormat {}

impl fmt::Debug for HeaderFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_tuple("HeaderFormat")
            .field(&self.as_str())
            .finish()
    }
}

impl fmt::Display for HeaderFormat {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// Text that does not name a header format. Displays as the names that there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}`", READ.join("`, `"))]
pub struct UnknownHeaderFormat;

impl FromStr for HeaderFormat {
    type Err = UnknownHeaderFormat;

    fn from_str(text: &str) -> Result<Self, UnknownHeaderFormat> {
        Self::all()
            .find(|format| format.as_str() == text)
            .ok_or(UnknownHeaderFormat)
    }
}

/// Values of the certificate header and of the second header, all of those in a request.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeaderValues<'a> {
    /// Values of the certificate header. Several are a rejection.
    pub certificate: &'a [&'a [u8]],
    /// Values of [`HeaderFormat::chain_header`].
    pub chain: &'a [&'a [u8]],
}

impl HeaderValues<'_> {
    /// Returns the size of all values together, in bytes.
    fn len(&self) -> usize {
        let values = self.certificate.iter().chain(self.chain);
        values.fold(0, |length: usize, value| length.saturating_add(value.len()))
    }
}

/// Returns the value of a header that occurs once. Several values, even equal ones, mean that a
/// client or a proxy writes this header too.
fn only_value<'a>(values: &[&'a [u8]]) -> Result<&'a [u8], Rejection> {
    match values {
        [] => Err(Reason::CertificateMissing.into()),
        [value] => Ok(value),
        several => Err(Rejection::new(Reason::HeaderRepeated).because(format!("{} values", several.len()))),
    }
}
