//! Files of CRLs: DER or PEM, compressed or not, read without holding more than one form of them.

use std::io::{self, BufRead, BufReader, Read};
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use flate2::bufread::MultiGzDecoder;

use super::cursor::SEQUENCE;
use super::list::RevocationList;
use super::problem::{RevocationListError, RevocationListProblem};

/// Each CRL of a file in order, or why it cannot be read.
pub type EachRevocationList = Vec<Result<Arc<RevocationList>, RevocationListError>>;

/// Reads every CRL of a source: one in DER, or any number in PEM with text between the blocks; either may be
/// compressed with gzip. At most `max_bytes` are read of what it unpacks to.
///
/// # Errors
/// [`RevocationListError`] when there is no CRL, or one of them cannot be read. Nothing is skipped: a file is used whole
/// or not at all. A CRL that can be read and has a [`defect`](RevocationList::defect) is not an error.
pub fn read_revocation_lists(
    source: impl BufRead,
    max_bytes: usize,
) -> Result<Vec<Arc<RevocationList>>, RevocationListError> {
    read_each_revocation_list(source, max_bytes)?
        .into_iter()
        .collect()
}

/// Reads every CRL of a file that is in memory already, like [`read_revocation_lists`]; a single one in DER is not copied.
///
/// # Errors
/// Those of [`read_revocation_lists`].
pub fn parse_revocation_lists(
    file: Vec<u8>,
    max_bytes: usize,
) -> Result<Vec<Arc<RevocationList>>, RevocationListError> {
    parse_each_revocation_list(file, max_bytes)?.into_iter().collect()
}

/// Reads every CRL of a file that is in memory already, like [`parse_revocation_lists`], for a caller who can do without
/// one of them.
///
/// # Errors
/// [`RevocationListError`] when the file as a whole cannot be read, or has no CRL in it.
pub fn parse_each_revocation_list(
    file: Vec<u8>,
    max_bytes: usize,
) -> Result<EachRevocationList, RevocationListError> {
    if file.first() != Some(&SEQUENCE) {
        return read_each_revocation_list(file.as_slice(), max_bytes);
    }
    if file.len() > max_bytes {
        return Err(alone(RevocationListProblem::TooLarge { max_bytes }));
    }
    Ok(vec![RevocationList::from_der(file).map(Arc::new)])
}

fn read_each_revocation_list(
    mut source: impl BufRead,
    max_bytes: usize,
) -> Result<EachRevocationList, RevocationListError> {
    const GZIP: &[u8] = &[0x1F, 0x8B];
    let is_compressed = source.fill_buf().map_err(unreadable)?.starts_with(GZIP);
    if is_compressed {
        read_unpacked(
            BufReader::with_capacity(BUFFER, MultiGzDecoder::new(source)),
            max_bytes,
        )
    } else {
        read_unpacked(source, max_bytes)
    }
}

const BUFFER: usize = 64 * 1024;

fn read_unpacked(source: impl BufRead, max_bytes: usize) -> Result<EachRevocationList, RevocationListError> {
    let limit = u64::try_from(max_bytes).unwrap_or(u64::MAX).saturating_add(1);
    let mut source = source.take(limit);
    let outcome = read_lists(&mut source);
    // Whatever else is wrong with it then: it was cut off.
    if source.limit() == 0 {
        return Err(alone(RevocationListProblem::TooLarge { max_bytes }));
    }
    outcome
}

fn read_lists(source: &mut impl BufRead) -> Result<EachRevocationList, RevocationListError> {
    let is_der = source.fill_buf().map_err(unreadable)?.first() == Some(&SEQUENCE);
    if is_der {
        let mut der = Vec::new();
        source.read_to_end(&mut der).map_err(unreadable)?;
        return Ok(vec![RevocationList::from_der(der).map(Arc::new)]);
    }
    let mut lists: EachRevocationList = Vec::new();
    while let Some(der) = next_block(source).map_err(|problem| nth(lists.len(), problem))? {
        let list = RevocationList::from_der(der).map_err(|error| RevocationListError {
            entry: Some(lists.len() + 1),
            ..error
        });
        lists.push(list.map(Arc::new));
    }
    if lists.is_empty() {
        return Err(alone(RevocationListProblem::Empty));
    }
    Ok(lists)
}

const DASHES: &[u8] = b"-----";
const BEGIN: &[u8] = b"-----BEGIN X509 CRL-----";
const END: &[u8] = b"-----END X509 CRL-----";

/// The content of the next PEM block (RFC 7468 §6).
fn next_block(source: &mut impl BufRead) -> Result<Option<Vec<u8>>, RevocationListProblem> {
    let mut line = Vec::new();
    loop {
        line.clear();
        if source.read_until(b'\n', &mut line).map_err(problem)? == 0 {
            return Ok(None);
        }
        let text = line.trim_ascii();
        if text == BEGIN {
            return read_block(source).map(Some);
        }
        if memchr::memmem::find(text, DASHES).is_some() {
            return Err(unexpected_line(text));
        }
    }
}

fn unexpected_line(text: &[u8]) -> RevocationListProblem {
    if memchr::memmem::find(text, b"PRIVATE KEY").is_some() {
        return RevocationListProblem::PrivateKey;
    }
    let shown: String = text.escape_ascii().to_string().chars().take(60).collect();
    RevocationListProblem::NotPem(format!("the line `{shown}` begins no X509 CRL"))
}

/// Reads base64 up to the END line, decoding it as it comes.
fn read_block(source: &mut impl BufRead) -> Result<Vec<u8>, RevocationListProblem> {
    let mut decoder = Decoder::default();
    loop {
        let available = source.fill_buf().map_err(problem)?;
        if available.is_empty() {
            return Err(not_pem("the block has no END line"));
        }
        let end = memchr::memchr(b'-', available);
        let text = available
            .get(..end.unwrap_or(available.len()))
            .unwrap_or_default();
        decoder.add(text)?;
        let read = text.len();
        source.consume(read);
        if end.is_some() {
            break;
        }
    }
    let mut line = Vec::new();
    source
        .take(1 + u64::try_from(END.len()).unwrap_or_default())
        .read_until(b'\n', &mut line)
        .map_err(problem)?;
    if line.trim_ascii() != END {
        return Err(not_pem("the block has no END line of the same label"));
    }
    decoder.finish()
}

/// Base64 in pieces.
struct Decoder {
    /// Characters that are not decoded yet.
    pending: Vec<u8>,
    decoded: Vec<u8>,
    /// Whether the padding was seen, after which nothing may come.
    ended: bool,
}

/// A multiple of four: only the last group may be padded.
const PIECE: usize = 16 * 1024;

impl Default for Decoder {
    fn default() -> Self {
        Self {
            pending: Vec::with_capacity(PIECE),
            decoded: Vec::new(),
            ended: false,
        }
    }
}

impl Decoder {
    fn add(&mut self, text: &[u8]) -> Result<(), RevocationListProblem> {
        for line in text.split(|octet| *octet == b'\n') {
            let mut line = line.trim_ascii();
            while !line.is_empty() {
                let room = PIECE.saturating_sub(self.pending.len());
                let (now, later) = line.split_at_checked(room).unwrap_or((line, &[]));
                self.pending.extend_from_slice(now);
                line = later;
                if self.pending.len() == PIECE {
                    self.decode()?;
                }
            }
        }
        Ok(())
    }

    fn decode(&mut self) -> Result<(), RevocationListProblem> {
        if self.ended && !self.pending.is_empty() {
            return Err(not_pem("the content is not base64"));
        }
        STANDARD
            .decode_vec(&self.pending, &mut self.decoded)
            .map_err(|_| not_pem("the content is not base64"))?;
        self.ended = self.pending.ends_with(b"=");
        self.pending.clear();
        Ok(())
    }

    fn finish(mut self) -> Result<Vec<u8>, RevocationListProblem> {
        self.decode()?;
        Ok(self.decoded)
    }
}

fn not_pem(what: &str) -> RevocationListProblem {
    RevocationListProblem::NotPem(what.to_owned())
}

fn problem(error: io::Error) -> RevocationListProblem {
    RevocationListProblem::Unreadable(error.to_string())
}

fn unreadable(error: io::Error) -> RevocationListError {
    alone(problem(error))
}

fn alone(problem: RevocationListProblem) -> RevocationListError {
    RevocationListError {
        entry: None,
        issuer: None,
        problem,
    }
}

fn nth(read: usize, problem: RevocationListProblem) -> RevocationListError {
    RevocationListError {
        entry: Some(read + 1),
        issuer: None,
        problem,
    }
}
