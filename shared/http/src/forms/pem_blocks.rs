//! Strict reader of the PEM blocks in a certificate header (RFC 7468): nothing is skipped, nothing
//! is repaired.
//!
//! The verifier's reader of files ([`read_bundle`](alb_mtls_verifier::read_bundle)) allows comments
//! around blocks, because people edit files. A header comes from a program.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
const CERTIFICATE: &[u8] = b"CERTIFICATE";

/// Reason for which a text is not a sequence of PEM certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PemError {
    #[error("text stands outside of the PEM blocks")]
    Text,
    #[error("the label `{0}` is not CERTIFICATE")]
    Label(String),
    #[error("a BEGIN line is not complete")]
    BrokenBegin,
    #[error("the block has no END line of the same label")]
    MissingEnd,
    #[error("the content is not base64")]
    Base64,
}

/// Iterator over the blocks of a text, up to the first error.
///
/// Only line breaks can be around the blocks and between the lines of base64. A space is an error:
/// a form decoder on the way may have made it from a `+`.
pub(super) struct CertificateBlocks<'a> {
    rest: &'a [u8],
}

impl<'a> CertificateBlocks<'a> {
    pub(super) fn new(text: &'a [u8]) -> Self {
        Self { rest: text }
    }

    fn read_next(&mut self) -> Result<Option<Vec<u8>>, PemError> {
        let Some(begin) = find(self.rest, BEGIN) else {
            return check_between(self.rest).map(|()| None);
        };
        let (before, block) = self.rest.split_at_checked(begin).ok_or(PemError::BrokenBegin)?;
        check_between(before)?;

        let after_begin = block.get(BEGIN.len()..).unwrap_or_default();
        let label_length = find(after_begin, DASHES).ok_or(PemError::BrokenBegin)?;
        let label = after_begin.get(..label_length).unwrap_or_default();
        if label != CERTIFICATE {
            return Err(PemError::Label(printable(label)));
        }
        let body = after_begin.get(label_length + DASHES.len()..).unwrap_or_default();
        let end = find(body, DASHES).ok_or(PemError::MissingEnd)?;
        let (content, end_line) = body.split_at_checked(end).ok_or(PemError::MissingEnd)?;
        self.rest = end_line
            .strip_prefix(END)
            .and_then(|line| line.strip_prefix(label))
            .and_then(|line| line.strip_prefix(DASHES))
            .ok_or(PemError::MissingEnd)?;

        // Encapsulated headers (RFC 1421 §4.4) are an error here, because a colon is not base64
        // (RFC 7468 §2).
        match STANDARD.decode(joined_lines(content)) {
            Ok(der) if !der.is_empty() => Ok(Some(der)),
            _ => Err(PemError::Base64),
        }
    }
}

impl Iterator for CertificateBlocks<'_> {
    type Item = Result<Vec<u8>, PemError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.read_next().transpose();
        if matches!(item, None | Some(Err(_))) {
            self.rest = &[];
        }
        item
    }
}

/// Counts the blocks that begin in a text. Cheap, so that a limit holds before anything is decoded.
pub(super) fn count_blocks(text: &[u8]) -> usize {
    memchr::memmem::find_iter(text, BEGIN).count()
}

fn joined_lines(content: &[u8]) -> Vec<u8> {
    let mut joined = Vec::with_capacity(content.len());
    let mut rest = content;
    while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
        let (line, after) = rest.split_at_checked(at).unwrap_or_default();
        joined.extend_from_slice(line);
        rest = after.get(1..).unwrap_or_default();
    }
    joined.extend_from_slice(rest);
    joined
}

fn check_between(text: &[u8]) -> Result<(), PemError> {
    if text.iter().all(|byte| matches!(byte, b'\r' | b'\n')) {
        Ok(())
    } else {
        Err(PemError::Text)
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

/// Returns at most 40 characters of a label, with everything but visible ASCII escaped, for the
/// log.
fn printable(label: &[u8]) -> String {
    label.escape_ascii().to_string().chars().take(40).collect()
}
