//! SHA-256 fingerprints.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::digest::{Context, SHA256};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// SHA-256 of a DER encoding. Displays as lower-case hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Computes the fingerprint of these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        let mut context = Context::new(&SHA256);
        context.update(bytes);
        Self::finish(context)
    }

    /// Computes the fingerprint of a list of texts, each with its length before it, so that
    /// different lists are different inputs.
    pub fn of_list<'a>(texts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let mut context = Context::new(&SHA256);
        for text in texts {
            context.update(&(text.len() as u64).to_be_bytes());
            context.update(text);
        }
        Self::finish(context)
    }

    fn finish(context: Context) -> Self {
        let mut fingerprint = [0; 32];
        for (to, from) in fingerprint.iter_mut().zip(context.finish().as_ref()) {
            *to = *from;
        }
        Self(fingerprint)
    }

    /// Returns the 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Writes lower-case hexadecimal to `buffer`.
    fn to_hexadecimal(self, buffer: &mut [u8; 64]) -> &str {
        // Twice the bytes always hold it.
        base16ct::lower::encode_str(&self.0, buffer).unwrap_or_default()
    }

    /// Base64url without padding: the form of `x5t#S256` (RFC 8705 §3.1).
    pub fn to_base64url(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

/// Fingerprint of octets that arrive in parts.
pub struct FingerprintBuilder(Context);

impl FingerprintBuilder {
    /// Takes the next octets.
    pub fn update(&mut self, octets: &[u8]) {
        self.0.update(octets);
    }

    /// Returns the fingerprint of all of them.
    pub fn finish(self) -> Fingerprint {
        Fingerprint::finish(self.0)
    }
}

impl Default for FingerprintBuilder {
    fn default() -> Self {
        Self(Context::new(&SHA256))
    }
}

impl fmt::Debug for FingerprintBuilder {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("FingerprintBuilder")
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.to_hexadecimal(&mut [0; 64]))
    }
}

/// The text is not a SHA-256 in hexadecimal form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a SHA-256: 64 hexadecimal digits, with or without a colon between each two")]
pub struct InvalidFingerprint;

impl FromStr for Fingerprint {
    type Err = InvalidFingerprint;

    /// Reads hexadecimal digits of either case, also with the colons that OpenSSL writes.
    fn from_str(text: &str) -> Result<Self, InvalidFingerprint> {
        let octets: Vec<&str> = text.split(':').collect();
        let has_colons = octets.len() == 32 && octets.iter().all(|octet| octet.len() == 2);
        if octets.len() != 1 && !has_colons {
            return Err(InvalidFingerprint);
        }
        let mut bytes = [0; 32];
        match base16ct::mixed::decode(octets.concat(), &mut bytes) {
            Ok(decoded) if decoded.len() == 32 => Ok(Self(bytes)),
            _ => Err(InvalidFingerprint),
        }
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl serde::Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.to_hexadecimal(&mut [0; 64]))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_of_either_case_is_read_with_colons_or_without() {
        let fingerprint = Fingerprint::of(b"");
        let digits = fingerprint.to_string();
        let pairs: Vec<String> = digits
            .as_bytes()
            .chunks(2)
            .map(|pair| String::from_utf8_lossy(pair).to_uppercase())
            .collect();
        for text in [digits.clone(), digits.to_uppercase(), pairs.join(":")] {
            assert_eq!(text.parse(), Ok(fingerprint), "{text}");
        }
        let cut = digits.split_at(62).0.to_owned();
        for text in [
            String::new(),
            cut,
            format!("{digits}00"),
            format!("{digits}:"),
            digits.replacen('e', "g", 1),
            pairs.join("::"),
            // As many colons, at other places.
            pairs.join(":").replacen(':', "", 1) + ":",
            format!("{}:{}:", pairs[..31].concat(), pairs[31]) + &":".repeat(29),
        ] {
            assert_eq!(text.parse::<Fingerprint>(), Err(InvalidFingerprint), "{text}");
        }
    }
}
