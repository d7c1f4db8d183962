//! Files of CRLs: DER or PEM, compressed or not, read without holding more than one form of them.

use std::io::{self, BufRead, BufReader};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;

use super::error::{RevocationListError, RevocationListErrorKind};
use super::list::RevocationList;
use crate::file_kind::{FileKind, describe_block};
use crate::pem_file::{PemBlock, PemError, PemReader};
use crate::x509::der::{Elements, Tag};
use crate::x509::summary::CertificateSummary;

/// Each CRL of a file in order, or why it cannot be read.
pub type EachRevocationList = Vec<Result<Arc<RevocationList>, RevocationListError>>;

/// Reads every CRL of a source: one in DER, or any number in PEM with text between the blocks;
/// either may be compressed with gzip. At most `max_bytes` are read of what it unpacks to.
///
/// # Errors
/// [`RevocationListError`] when there is no CRL, or one of them cannot be read. Nothing is skipped:
/// a file is used whole or not at all. A CRL that can be read and has a
/// [`defect`](RevocationList::defect) is not an error.
pub fn read_revocation_lists(
    source: impl BufRead,
    max_bytes: usize,
) -> Result<Vec<Arc<RevocationList>>, RevocationListError> {
    read_each_revocation_list(source, max_bytes)?
        .into_iter()
        .collect()
}

/// Reads every CRL of a file that is in memory already, like [`read_revocation_lists`]; a single
/// one in DER is not copied.
///
/// # Errors
/// Those of [`read_revocation_lists`].
pub fn parse_revocation_lists(
    file: Vec<u8>,
    max_bytes: usize,
) -> Result<Vec<Arc<RevocationList>>, RevocationListError> {
    parse_each_revocation_list(file, max_bytes)?.into_iter().collect()
}

/// Reads every CRL of a file that is in memory already, like [`parse_revocation_lists`], for a
/// caller who can do without one of them.
///
/// # Errors
/// [`RevocationListError`] when the file as a whole cannot be read, or has no CRL in it.
pub fn parse_each_revocation_list(
    file: Vec<u8>,
    max_bytes: usize,
) -> Result<EachRevocationList, RevocationListError> {
    if Elements::new(&file).peek() != Some(Tag::SEQUENCE) {
        return read_each_revocation_list(file.as_slice(), max_bytes);
    }
    if file.len() > max_bytes {
        return Err(alone(RevocationListErrorKind::TooLarge { max_bytes }));
    }
    Ok(vec![read_der(file)])
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
        return Err(alone(RevocationListErrorKind::TooLarge { max_bytes }));
    }
    outcome
}

/// Octets at the beginning of a file by which its kind is recognised where it is not one of CRLs.
const HEAD: usize = 16 * 1_024;

fn read_lists(source: &mut impl BufRead) -> Result<EachRevocationList, RevocationListError> {
    let head = source.fill_buf().map_err(unreadable)?;
    let is_der = Elements::new(head).peek() == Some(Tag::SEQUENCE);
    let head = head.get(..HEAD).unwrap_or(head).to_vec();
    if is_der {
        let mut der = Vec::new();
        source.read_to_end(&mut der).map_err(unreadable)?;
        return Ok(vec![read_der(der)]);
    }
    let mut reader = PemReader::new(source);
    let mut lists: EachRevocationList = Vec::new();
    loop {
        let block = reader.next_block(&[LABEL]);
        let block = block.map_err(|error| error_of(&head, lists.len(), error))?;
        let Some(PemBlock { der, .. }) = block else { break };
        let list = RevocationList::from_der(der).map_err(|error| RevocationListError {
            entry: Some(lists.len() + 1),
            ..error
        });
        lists.push(list.map(Arc::new));
    }
    if lists.is_empty() {
        return Err(alone(kind_of(&head).unwrap_or(RevocationListErrorKind::Empty)));
    }
    Ok(lists)
}

const LABEL: &str = "X509 CRL";

/// Reads one CRL in DER. Another kind of DER is named only if it is certain: a damaged CRL could
/// look like something else.
fn read_der(der: Vec<u8>) -> Result<Arc<RevocationList>, RevocationListError> {
    let kind = match FileKind::of_der(&der) {
        None | Some(FileKind::Crl) => None,
        Some(FileKind::Certificate) if CertificateSummary::read(&der.as_slice().into()).is_none() => None,
        Some(kind) => Some(kind.to_string()),
    };
    let list = RevocationList::from_der(der).map(Arc::new);
    list.map_err(|error| match kind {
        None => error,
        Some(kind) => alone(RevocationListErrorKind::NotPem(kind)),
    })
}

/// Names the kind of file or block where that says more than the defect of the PEM text.
fn error_of(head: &[u8], read: usize, error: PemError) -> RevocationListError {
    let problem = match &error {
        PemError::Unreadable(reason) => RevocationListErrorKind::Unreadable(reason.clone()),
        PemError::Label { line, label } => match FileKind::of_label(label) {
            Some(FileKind::PrivateKey) => RevocationListErrorKind::PrivateKey,
            Some(kind) => RevocationListErrorKind::NotPem(describe_block(&kind, *line, label)),
            None => RevocationListErrorKind::NotPem(error.to_string()),
        },
        _ => match kind_of(head) {
            Some(kind) => return alone(kind),
            None => RevocationListErrorKind::NotPem(error.to_string()),
        },
    };
    nth(read, problem)
}

fn kind_of(head: &[u8]) -> Option<RevocationListErrorKind> {
    match FileKind::recognise(head)? {
        FileKind::Empty | FileKind::Pem => None,
        kind => Some(RevocationListErrorKind::NotPem(kind.to_string())),
    }
}

fn problem(error: io::Error) -> RevocationListErrorKind {
    RevocationListErrorKind::Unreadable(error.to_string())
}

fn unreadable(error: io::Error) -> RevocationListError {
    alone(problem(error))
}

fn alone(problem: RevocationListErrorKind) -> RevocationListError {
    RevocationListError {
        entry: None,
        issuer: None,
        problem,
    }
}

fn nth(read: usize, problem: RevocationListErrorKind) -> RevocationListError {
    RevocationListError {
        entry: Some(read + 1),
        issuer: None,
        problem,
    }
}
