//! Pointers: instead of material, a parameter or a file can name an object with the material and
//! its digest.

use crate::fetch_error::FetchError;
use crate::source::{S3Object, Source, s3};

/// Returns true for content that is, or tries to be, a pointer.
pub(crate) fn is_pointer(content: &[u8]) -> bool {
    content.trim_ascii().starts_with(s3::SCHEME.as_bytes())
}

/// Reads content that is a pointer to an object in S3; `None` when it is not a pointer.
///
/// # Errors
/// [`FetchError::Pointer`] when it cannot be followed. A digest is required: without it, every
/// writer of the object would decide what is trusted.
pub(crate) fn read_pointer(content: &[u8]) -> Result<Option<Source>, FetchError> {
    if !is_pointer(content) {
        return Ok(None);
    }
    let refuse = |reason: String| Err(FetchError::Pointer(reason));
    let Ok(word) = std::str::from_utf8(content.trim_ascii()) else {
        return refuse("it is not text".into());
    };
    if word.contains(char::is_whitespace) {
        return refuse("there is more than one word".into());
    }
    let is_pinned = |source: &Source| {
        source
            .downcast_ref::<S3Object>()
            .is_some_and(|object| object.sha256.is_some())
    };
    match word.parse() {
        Ok(source) if is_pinned(&source) => Ok(Some(source)),
        Ok(_) => refuse("it ends without `#sha256=` and the digest of the object".into()),
        Err(error) => refuse(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DIGEST: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn a_pointer_is_one_word_with_a_digest() {
        let text = format!("\n s3://bucket/key?versionId=v1#sha256={DIGEST}\r\n");
        let source = read_pointer(text.as_bytes()).unwrap().unwrap();
        let object: &S3Object = source.downcast_ref().unwrap();
        assert_eq!(
            (object.key.as_str(), object.version_id.as_deref()),
            ("key", Some("v1"))
        );
        assert_eq!(object.sha256.as_deref(), Some(DIGEST));
    }

    #[test]
    fn other_content_is_no_pointer() {
        for content in [
            b"".as_slice(),
            b"-----BEGIN CERTIFICATE-----",
            b"# s3://bucket/key",
        ] {
            assert_eq!(read_pointer(content), Ok(None));
        }
    }

    #[test]
    fn refuses_a_pointer_that_is_not_exact() {
        for (text, reason) in [
            ("s3://bucket/key?versionId=v1".to_owned(), "#sha256="),
            (
                format!("s3://bucket/key#sha256={DIGEST} s3://bucket/other"),
                "more than one word",
            ),
            (format!("s3://bucket#sha256={DIGEST}"), "names no key"),
        ] {
            let error = read_pointer(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(reason), "{error}");
        }
        assert!(read_pointer(b"s3://bucket/\xff").is_err());
    }
}
