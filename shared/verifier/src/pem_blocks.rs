//! Strict reading of PEM blocks (RFC 7468): nothing is skipped, nothing is repaired.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
const CERTIFICATE: &[u8] = b"CERTIFICATE";

/// What may stand before, between and after the blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Between {
    /// Nothing but line breaks, within a block too: a header that a load balancer made. A space would be a `+` that
    /// something on the way took for one.
    LineBreaks,
    /// Explanatory text, as RFC 7468 §5.2 allows and `openssl x509 -text` prints: a file that a person keeps.
    Text,
}

/// Why a text is not a sequence of PEM certificates.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PemError {
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

/// The blocks of `text` in order; stops at the first error.
pub(crate) struct CertificateBlocks<'a> {
    rest: &'a [u8],
    between: Between,
}

impl<'a> CertificateBlocks<'a> {
    pub(crate) fn new(text: &'a [u8], between: Between) -> Self {
        Self { rest: text, between }
    }

    fn read_next(&mut self) -> Result<Option<Vec<u8>>, PemError> {
        let Some(begin) = find(self.rest, BEGIN) else {
            return self.check_between(self.rest).map(|()| None);
        };
        let (before, block) = self.rest.split_at_checked(begin).ok_or(PemError::BrokenBegin)?;
        self.check_between(before)?;

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
        if self.between == Between::Text && !is_line_end(self.rest) {
            return Err(PemError::MissingEnd);
        }

        // RFC 1421's encapsulated headers have no place in a certificate; a colon is not base64.
        match STANDARD.decode(self.joined_lines(content)) {
            Ok(der) if !der.is_empty() => Ok(Some(der)),
            _ => Err(PemError::Base64),
        }
    }

    fn joined_lines(&self, content: &[u8]) -> Vec<u8> {
        let mut joined = Vec::with_capacity(content.len());
        match self.between {
            Between::LineBreaks => {
                let mut rest = content;
                while let Some(at) = memchr::memchr2(b'\r', b'\n', rest) {
                    let (line, after) = rest.split_at_checked(at).unwrap_or_default();
                    joined.extend_from_slice(line);
                    rest = after.get(1..).unwrap_or_default();
                }
                joined.extend_from_slice(rest);
            }
            Between::Text => joined.extend(content.iter().filter(|byte| !byte.is_ascii_whitespace())),
        }
        joined
    }

    fn check_between(&self, text: &[u8]) -> Result<(), PemError> {
        match self.between {
            Between::LineBreaks if text.iter().all(|byte| is_line_break(*byte)) => Ok(()),
            Between::LineBreaks => Err(PemError::Text),
            // A lone END or a mangled BEGIN is not text: some block lost its other half.
            Between::Text if find(text, DASHES).is_some() => Err(PemError::BrokenBegin),
            Between::Text => Ok(()),
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

/// How many blocks begin in `text`; cheap, to be asked before anything is decoded.
pub(crate) fn count_blocks(text: &[u8]) -> usize {
    memchr::memmem::find_iter(text, BEGIN).count()
}

/// Whether an END line ends here. `cat` joins files that lack their last line break; anything else on the line is what is
/// left of something that got lost.
fn is_line_end(rest: &[u8]) -> bool {
    rest.first().is_none_or(u8::is_ascii_whitespace) || rest.starts_with(BEGIN)
}

fn is_line_break(byte: u8) -> bool {
    matches!(byte, b'\r' | b'\n')
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    memchr::memmem::find(haystack, needle)
}

/// At most 40 characters of a label, with everything unusual escaped: it goes into logs.
fn printable(label: &[u8]) -> String {
    label.escape_ascii().to_string().chars().take(40).collect()
}
