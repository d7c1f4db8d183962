//! Reading of PEM files (RFC 7468): the one reader for bundles, CRLs and every other file that an
//! operator keeps.
//!
//! Tools and people put a byte order mark, comments, `Bag Attributes` and explanatory text around
//! blocks, end lines with LF, CRLF or CR, and join files whose last line break is missing. All of
//! that is skipped. A damaged block is never skipped: what could be the rest of one is an error.

use std::fmt;
use std::io::{self, BufRead};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

const BEGIN: &[u8] = b"-----BEGIN ";
const END: &[u8] = b"-----END ";
const DASHES: &[u8] = b"-----";
pub(crate) const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

/// Longest label that is read; the longest in use is `ENCRYPTED PRIVATE KEY` (21 octets).
const MAX_LABEL: usize = 64;
/// Longest line outside of a block. Text is shorter, and a longer one would be kept in memory for
/// nothing.
const MAX_LINE: usize = 64 * 1_024;
/// Characters of base64 that are decoded at once. A multiple of four: only the last group can be
/// padded.
const PIECE: usize = 16 * 1_024;

/// Block of a PEM file. Its debug form shows nothing of the content, which can be a secret.
#[derive(Clone, PartialEq, Eq)]
pub struct PemBlock {
    /// Label of its BEGIN and END line, such as `CERTIFICATE`.
    pub label: String,
    /// Number of the line on which it begins, from 1.
    pub line: usize,
    /// The decoded content.
    pub der: Vec<u8>,
}

impl fmt::Debug for PemBlock {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, line, der } = self;
        write!(formatter, "PemBlock({label}, line {line}, {} octets)", der.len())
    }
}

/// Defect of a PEM file, with the number of the line, from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PemError {
    /// A character that is not base64 within a block.
    #[error("line {line}: {found} stands in the base64 of the block")]
    Base64Character {
        /// Line of the character.
        line: usize,
        /// The character, in words.
        found: String,
    },
    /// Base64 that ends within a group, or has padding in its midst.
    #[error(
        "the base64 of the block that begins in line {line} cannot be decoded: characters are missing or were added"
    )]
    Base64Incomplete {
        /// Line of the block's BEGIN line.
        line: usize,
    },
    /// A block without content.
    #[error("the block that begins in line {line} is empty")]
    Empty {
        /// Line of the block's BEGIN line.
        line: usize,
    },
    /// A line that looks like what is left of a BEGIN or END line.
    #[error("line {line}: `{text}` is not a complete BEGIN or END line, or its block has lost the other one")]
    Marker {
        /// Number of the line.
        line: usize,
        /// The beginning of the line.
        text: String,
    },
    /// A block without an END line of its label.
    #[error("the block has no END line of the same label: it begins in line {line} with `{label}`")]
    MissingEnd {
        /// Line of the block's BEGIN line.
        line: usize,
        /// Label of the block.
        label: String,
    },
    /// Text directly behind an END line.
    #[error("line {line}: `{text}` stands behind an END line")]
    Trailing {
        /// Number of the line.
        line: usize,
        /// The beginning of the text.
        text: String,
    },
    /// A line that is longer than any text.
    #[error("line {line} is longer than {MAX_LINE} characters and begins no PEM block")]
    LongLine {
        /// Number of the line.
        line: usize,
    },
    /// A block with a label that is not wanted. Its content was not decoded.
    #[error("line {line} begins a block with the label `{label}`")]
    Label {
        /// Line of the block's BEGIN line.
        line: usize,
        /// The label.
        label: String,
    },
    /// A failure of the source that the file is read from.
    #[error("cannot be read: {0}")]
    Unreadable(String),
}

impl From<io::Error> for PemError {
    fn from(error: io::Error) -> Self {
        Self::Unreadable(error.to_string())
    }
}

/// Reads every block of a PEM file whose label is one of `labels`.
///
/// # Errors
/// [`PemError`] for a block with another label, and for whatever could be the rest of a damaged
/// block.
pub fn read_pem_blocks(text: &[u8], labels: &[&str]) -> Result<Vec<PemBlock>, PemError> {
    let mut reader = PemReader::new(text);
    let mut blocks = Vec::new();
    while let Some(block) = reader.next_block(labels)? {
        blocks.push(block);
    }
    Ok(blocks)
}

/// Reads the blocks of a PEM file one after the other, decoding each while it comes.
pub(crate) struct PemReader<R> {
    source: R,
    /// Number of the line that is being read, from 1.
    line: usize,
    /// `true` when an END line was read and no line break since.
    follows_end: bool,
    /// `true` when the last line break was a CR, so that an LF directly after it belongs to it.
    after_return: bool,
}

impl<R: BufRead> PemReader<R> {
    pub(crate) fn new(source: R) -> Self {
        Self {
            source,
            line: 1,
            follows_end: false,
            after_return: false,
        }
    }

    /// Returns the next block, which must have one of these labels; `None` at the end of the file.
    pub(crate) fn next_block(&mut self, labels: &[&str]) -> Result<Option<PemBlock>, PemError> {
        if !self.find_begin()? {
            return Ok(None);
        }
        let line = self.line;
        let label = self.read_label()?;
        if !labels.contains(&label.as_str()) {
            return Err(PemError::Label { line, label });
        }
        let der = self.read_content(line, &label)?;
        if der.is_empty() {
            return Err(PemError::Empty { line });
        }
        Ok(Some(PemBlock { label, line, der }))
    }

    /// Skips text up to and including the next BEGIN marker. Returns false at the end of the file.
    fn find_begin(&mut self) -> Result<bool, PemError> {
        let mut text: Vec<u8> = Vec::new();
        loop {
            let available = match self.source.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if available.is_empty() {
                return self.check_text(&text).map(|()| false);
            }
            // The marker ends with a space.
            let stop = memchr::memchr3(b'\n', b'\r', b' ', available);
            let taken = stop.map_or(available.len(), |at| at + 1);
            text.extend_from_slice(available.get(..taken).unwrap_or_default());
            self.source.consume(taken);
            match text.last() {
                Some(end @ (b'\n' | b'\r')) => {
                    self.check_text(&text)?;
                    self.end_line(*end, text.len() == 1);
                    self.follows_end = false;
                    text.clear();
                }
                Some(b' ') => {
                    // Asked last: it looks at the whole line.
                    if let Some(before) = text.strip_suffix(BEGIN)
                        && !is_comment(&text)
                    {
                        self.check_text(before)?;
                        self.follows_end = false;
                        return Ok(true);
                    }
                }
                _ => {}
            }
            if text.len() > MAX_LINE {
                return Err(PemError::LongLine { line: self.line });
            }
        }
    }

    /// Checks that a line outside of the blocks is text, and not what is left of a block.
    fn check_text(&self, text: &[u8]) -> Result<(), PemError> {
        let line = self.line;
        let trimmed = trimmed(text);
        let text = || printable(trimmed);
        if self.follows_end && !trimmed.is_empty() {
            Err(PemError::Trailing { line, text: text() })
        } else if !is_comment(trimmed) && has_marker(trimmed) {
            Err(PemError::Marker { line, text: text() })
        } else {
            Ok(())
        }
    }

    /// Reads what follows the BEGIN marker, up to and including its dashes.
    fn read_label(&mut self) -> Result<String, PemError> {
        let mut text = BEGIN.to_vec();
        while text.len() <= BEGIN.len() + MAX_LABEL {
            match self.next_octet()? {
                None | Some(b'\n' | b'\r') => break,
                Some(octet) => text.push(octet),
            }
            let after_marker = text.get(BEGIN.len()..).unwrap_or_default();
            if let Some(label) = after_marker.strip_suffix(DASHES)
                && !label.is_empty()
                && label.iter().all(|octet| is_of_label(*octet))
            {
                return Ok(label.iter().copied().map(char::from).collect());
            }
        }
        Err(PemError::Marker {
            line: self.line,
            text: printable(&text),
        })
    }

    /// Reads base64 up to and including the END line, decoding it as it comes.
    fn read_content(&mut self, begin: usize, label: &str) -> Result<Vec<u8>, PemError> {
        let missing_end = || PemError::MissingEnd {
            line: begin,
            label: label.to_owned(),
        };
        let mut decoder = Decoder::new(begin);
        loop {
            let available = match self.source.fill_buf() {
                Ok(available) => available,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error.into()),
            };
            if available.is_empty() {
                return Err(missing_end());
            }
            let stop = memchr::memchr3(b'\n', b'\r', b'-', available);
            let text = available
                .get(..stop.unwrap_or(available.len()))
                .unwrap_or_default();
            decoder.add(text, self.line)?;
            let read = text.len();
            match stop.and_then(|at| available.get(at).copied()) {
                Some(end @ (b'\n' | b'\r')) => {
                    self.source.consume(read + 1);
                    self.end_line(end, read == 0);
                }
                Some(_) => {
                    self.source.consume(read);
                    break;
                }
                None => self.source.consume(read),
            }
        }
        let end_line = [END, label.as_bytes(), DASHES].concat();
        for expected in end_line {
            if self.next_octet()? != Some(expected) {
                return Err(missing_end());
            }
        }
        self.follows_end = true;
        decoder.finish()
    }

    fn next_octet(&mut self) -> Result<Option<u8>, PemError> {
        loop {
            match self.source.fill_buf() {
                Ok(available) => {
                    let octet = available.first().copied();
                    self.source.consume(usize::from(octet.is_some()));
                    return Ok(octet);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Counts a line break; CR and LF together are one.
    fn end_line(&mut self, end: u8, is_alone: bool) {
        let is_second_half = end == b'\n' && is_alone && self.after_return;
        self.line += usize::from(!is_second_half);
        self.after_return = end == b'\r';
    }
}

/// Base64 in pieces.
struct Decoder {
    begin: usize,
    /// Characters that are not decoded yet.
    pending: Vec<u8>,
    /// Position in `pending` and number of each line.
    lines: Vec<(usize, usize)>,
    decoded: Vec<u8>,
    /// `true` when the padding was seen, after which nothing may come.
    ended: bool,
}

impl Decoder {
    fn new(begin: usize) -> Self {
        Self {
            begin,
            pending: Vec::with_capacity(PIECE),
            lines: Vec::new(),
            decoded: Vec::new(),
            ended: false,
        }
    }

    /// Adds characters of one line; white space among them is skipped.
    fn add(&mut self, text: &[u8], line: usize) -> Result<(), PemError> {
        let mut rest = text;
        while let Some(at) = memchr::memchr3(b' ', b'\t', b'\x0C', rest) {
            let (part, after) = rest.split_at_checked(at).unwrap_or_default();
            self.add_part(part, line)?;
            rest = after.get(1..).unwrap_or_default();
        }
        self.add_part(rest, line)
    }

    fn add_part(&mut self, mut part: &[u8], line: usize) -> Result<(), PemError> {
        while !part.is_empty() {
            let room = PIECE.saturating_sub(self.pending.len());
            let (now, later) = part.split_at_checked(room).unwrap_or((part, &[]));
            self.lines.push((self.pending.len(), line));
            self.pending.extend_from_slice(now);
            part = later;
            if self.pending.len() == PIECE {
                self.decode()?;
            }
        }
        Ok(())
    }

    fn decode(&mut self) -> Result<(), PemError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.ended || STANDARD.decode_vec(&self.pending, &mut self.decoded).is_err() {
            return Err(self.error());
        }
        self.ended = self.pending.ends_with(b"=");
        self.pending.clear();
        self.lines.clear();
        Ok(())
    }

    fn error(&self) -> PemError {
        let is_base64 = |octet: u8| octet.is_ascii_alphanumeric() || matches!(octet, b'+' | b'/' | b'=');
        let wrong = self.pending.iter().position(|octet| !is_base64(*octet));
        match wrong.and_then(|at| Some((at, *self.pending.get(at)?))) {
            Some((at, octet)) => PemError::Base64Character {
                line: self.line_of(at),
                found: in_words(octet),
            },
            None => PemError::Base64Incomplete { line: self.begin },
        }
    }

    fn line_of(&self, at: usize) -> usize {
        let before = self.lines.iter().rev().find(|(start, _)| *start <= at);
        before.map_or(self.begin, |(_, line)| *line)
    }

    fn finish(mut self) -> Result<Vec<u8>, PemError> {
        self.decode()?;
        Ok(self.decoded)
    }
}

fn in_words(octet: u8) -> String {
    if octet.is_ascii_graphic() {
        format!("`{}`", char::from(octet))
    } else {
        format!("the octet 0x{octet:02X}")
    }
}

fn is_of_label(octet: u8) -> bool {
    octet.is_ascii_uppercase() || octet.is_ascii_digit() || matches!(octet, b' ' | b'#' | b'.')
}

fn trimmed(text: &[u8]) -> &[u8] {
    let text = text.trim_ascii();
    text.strip_prefix(BYTE_ORDER_MARK)
        .map_or(text, <[u8]>::trim_ascii_start)
}

/// Returns true for a line that is commented out, a BEGIN marker in it included.
fn is_comment(text: &[u8]) -> bool {
    trimmed(text).starts_with(b"#")
}

/// Returns true for text with `BEGIN LABEL` or `END LABEL` at dashes: one half of a block, whose
/// other half is lost or damaged. A ruler of dashes, or one with other words in it, is text.
fn has_marker(text: &[u8]) -> bool {
    [&b"BEGIN "[..], b"END "].iter().any(|word| {
        memchr::memmem::find_iter(text, word).any(|at| {
            let before = text.get(..at).unwrap_or_default();
            let after = text.get(at + word.len()..).unwrap_or_default();
            let label = after
                .iter()
                .take(MAX_LABEL)
                .take_while(|octet| is_of_label(**octet));
            let label = label.count();
            let rest = after.get(label..).unwrap_or_default();
            let is_at_dash = before.last().is_some_and(|octet| is_of_dash(*octet));
            let ends_at_dash = rest.starts_with(b"--") || rest.starts_with(EN_OR_EM_DASH);
            label > 0 && (ends_at_dash || is_at_dash && matches!(rest, [] | [b'-', ..]))
        })
    })
}

/// First octets of the dashes that word processors make of hyphens.
const EN_OR_EM_DASH: &[u8] = b"\xE2\x80";

/// Returns true for a hyphen and for the last octet of an en or em dash.
fn is_of_dash(octet: u8) -> bool {
    matches!(octet, b'-' | 0x93 | 0x94)
}

/// Escapes text for a log: at most 40 characters, with everything unusual escaped.
fn printable(text: &[u8]) -> String {
    text.escape_ascii().to_string().chars().take(40).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOCK: &str = "-----BEGIN CERTIFICATE-----\nMEIT\n-----END CERTIFICATE-----";

    fn read(text: impl AsRef<[u8]>) -> Result<Vec<PemBlock>, PemError> {
        read_pem_blocks(text.as_ref(), &["CERTIFICATE"])
    }

    fn message(text: impl AsRef<[u8]>) -> String {
        read(text).unwrap_err().to_string()
    }

    #[test]
    fn text_around_blocks_is_skipped() {
        for (text, count) in [
            (String::new(), 0),
            (BLOCK.to_owned(), 1),
            (format!("{BLOCK}{BLOCK}"), 2),
            (format!("\u{feff}{BLOCK}\n\u{feff}{BLOCK}"), 2),
            (format!("{BLOCK}\u{feff}{BLOCK}"), 2),
            (format!("# root\r\n{BLOCK}\r\n\nsubject=CN = Root\n{BLOCK} \n"), 2),
            (
                format!("Bag Attributes\n    localKeyID: 01 02\nKey Attributes: <No Attributes>\n{BLOCK}\n"),
                1,
            ),
            (
                format!("----------\n--- Root CA ---\n=== \u{2014} ===\n-----\n{BLOCK}\n--"),
                1,
            ),
            (format!("---------- BEGIN of the roots ----------\n{BLOCK}\n"), 1),
            (format!("the root{BLOCK}"), 1),
            (format!("#{}\n{BLOCK}", BLOCK.replace('\n', "\n# ")), 1),
            (format!("  {}  \n", BLOCK.replace('\n', "\n    ")), 1),
            (BLOCK.replace('\n', "\r"), 1),
            (BLOCK.replace('\n', "\r\n"), 1),
            (BLOCK.replace('\n', " "), 1),
            (BLOCK.replace('\n', ""), 1),
        ] {
            assert_eq!(read(&text).map(|blocks| blocks.len()), Ok(count), "{text}");
        }
    }

    #[test]
    fn rest_of_a_lost_block_is_an_error() {
        for rest in [
            "-",
            "---BEGIN CERTIFICATE-----",
            "BEGIN CERTIFICATE-----\nMEIT\n",
            "x",
            "\n----BEGIN CERTIFICATE-----\nMEIT\n",
            "\n-----BEGIN CERTIFICATE\nMEIT\n",
            "\n-----END CERTIFICATE-----",
            "\nMEIT\n-----END CERTIFICATE-----",
            "\n-----END CERTIFI",
            "\n\u{2013}\u{2013}BEGIN CERTIFICATE\u{2013}\u{2013}\nMEIT",
            "\n-----BEGIN CERTIFICATE-----\nMEIT\n",
            "\n-----BEGIN CERTIFICATE-----\nMEIT\n-----END X509 CRL-----",
            "\n-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----",
            "\n#-----BEGIN CERTIFICATE-----\nMEIT\n-----END CERTIFICATE-----",
            ",-----BEGIN CERTIFICATE-----\nMEIT\n-----END CERTIFICATE-----",
        ] {
            assert!(read(format!("{BLOCK}{rest}")).is_err(), "{rest}");
        }
    }

    #[test]
    fn errors_name_the_line_in_files_of_every_system() {
        for end in ["\n", "\r\n", "\r"] {
            let text = format!("# comment\n\n{BLOCK}\n").replace('\n', end);
            assert_eq!(read(&text).unwrap()[0].line, 3);
            let wrong = text.replace("MEIT", &format!("ME{end}I*"));
            assert_eq!(message(wrong), "line 5: `*` stands in the base64 of the block");
        }
        let space = BLOCK.replace("MEIT", "ME\u{a0}IT");
        assert_eq!(
            message(space),
            "line 2: the octet 0xC2 stands in the base64 of the block"
        );
        for part in ["MEI", "ME==IT==", "MEIT=", "MEI=\nMEIT"] {
            let text = BLOCK.replace("MEIT", part);
            assert!(
                message(&text).contains("of the block that begins in line 1"),
                "{text}"
            );
        }
        let key = BLOCK.replace("CERTIFICATE", "PRIVATE KEY");
        assert_eq!(
            message(format!("{BLOCK}\n{key}")),
            "line 4 begins a block with the label `PRIVATE KEY`"
        );
        assert!(message("x".repeat(MAX_LINE + 1)).starts_with("line 1 is longer than"));
    }

    #[test]
    fn hostile_lines_cost_no_more_than_their_length() {
        for word in ["-----BEGIN", " ", "BEGIN ", "#-----BEGIN ", "END -"] {
            let line = word.repeat(MAX_LINE / word.len()) + "\n";
            let started = std::time::Instant::now();
            let _ = read(line.repeat(16));
            assert!(started.elapsed() < std::time::Duration::from_secs(5), "{word}");
        }
    }

    #[test]
    fn blocks_are_the_same_in_pieces_of_any_size() {
        let content = vec![7; 2 * PIECE + 1];
        let text = format!(
            "-----BEGIN A-----\r\n{}\r\n-----END A-----\r\n",
            STANDARD.encode(&content)
        );
        for size in [1, 2, 3, 7, 64, 4_096] {
            let mut reader = PemReader::new(io::BufReader::with_capacity(size, text.as_bytes()));
            let block = reader.next_block(&["A"]).unwrap().unwrap();
            assert!(block.der == content, "{size}");
            assert_eq!(reader.next_block(&["A"]), Ok(None));
        }
    }
}
