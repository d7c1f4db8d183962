//! Intake of content: into memory, or a large CRL through a temporary file.

use std::fs::{File, OpenOptions};
use std::hash::BuildHasher;
use std::io::{self, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Arc;

use alb_mtls_verifier::{
    FingerprintBuilder, ListStorage, RevocationList, RevocationListError, RevocationListStream,
};

use crate::document::{Content, Document, LargeList};
use crate::fetch_error::FetchError;

/// Size from which on a CRL is read through a file. In memory, one of this size takes 20 MB with
/// its index, and a few milliseconds to read.
const LARGE: usize = 16 * 1_024 * 1_024;

/// Largest CRL that is read through a file: 26 million usual entries. Half of the largest temporary
/// storage that a function gets by default.
pub(crate) const MAX_LARGE: usize = 1_024 * 1_024 * 1_024;

/// Octets by which a CRL is told from other content: version, algorithm, issuer and dates are in
/// them.
const HEAD: usize = 64 * 1_024;

/// Content of a document that arrives in parts.
pub(crate) struct Intake {
    limit: usize,
    /// Set while the content may turn out to be a large CRL.
    reads_lists: bool,
    /// Size that was announced.
    announced: usize,
    octets: Vec<u8>,
    large: Option<Large>,
    /// Reason why a large CRL has no temporary file.
    no_file: Option<FetchError>,
}

struct Large {
    /// The first error ends it, and the rest is hashed alone.
    stream: Result<RevocationListStream, RevocationListError>,
    sha256: FingerprintBuilder,
    bytes: usize,
}

impl Intake {
    /// Begins to take in content of an announced size; zero if it is not known. So many bytes are
    /// read into memory at most, and a CRL can be larger where `reads_lists` is set.
    ///
    /// # Errors
    /// [`FetchError::TooLarge`] if so much is not read.
    pub(crate) fn new(limit: usize, reads_lists: bool, announced: usize) -> Result<Self, FetchError> {
        let this = Self {
            limit,
            reads_lists,
            announced,
            octets: Vec::new(),
            large: None,
            no_file: None,
        };
        let most = match reads_lists {
            true => MAX_LARGE.max(limit),
            false => limit,
        };
        if announced > most {
            return Err(FetchError::TooLarge { limit: most });
        }
        Ok(this)
    }

    /// Takes the next part.
    ///
    /// # Errors
    /// [`FetchError`] if the content is too large, or a large CRL finds no room.
    pub(crate) fn push(&mut self, part: &[u8]) -> Result<(), FetchError> {
        if let Some(large) = &mut self.large {
            return large.push(part);
        }
        if self.octets.is_empty() && self.announced <= LARGE {
            self.octets.reserve(self.announced);
        }
        self.octets.extend_from_slice(part);
        let read = self.octets.len();
        if self.reads_lists && (read > LARGE || (self.announced > LARGE && read >= HEAD)) {
            self.reads_lists = false;
            if RevocationListStream::can_read(&self.octets) {
                match Large::new() {
                    Ok(mut large) => {
                        large.push(&std::mem::take(&mut self.octets))?;
                        self.large = Some(large);
                        return Ok(());
                    }
                    // Up to the limit, memory does as well.
                    Err(error) => self.no_file = Some(error),
                }
            }
        }
        if read > self.limit || (!self.reads_lists && self.announced > self.limit) {
            let too_large = FetchError::TooLarge { limit: self.limit };
            return Err(self.no_file.take().unwrap_or(too_large));
        }
        Ok(())
    }

    /// Ends the document.
    pub(crate) fn finish(self, origin: String) -> Document {
        match self.large {
            None => Document::new(origin, self.octets),
            Some(large) => large.finish(origin),
        }
    }
}

impl Large {
    fn new() -> Result<Self, FetchError> {
        let storage = TemporaryFile::new().map_err(|error| {
            let folder = std::env::temp_dir();
            FetchError::Setup(format!(
                "is a CRL of more than {} MB, which is kept in a temporary file, and `{}` cannot be written to: {error}; \
                 TMPDIR names another folder",
                LARGE >> 20,
                folder.display()
            ))
        })?;
        Ok(Self {
            stream: Ok(RevocationListStream::new(Box::new(storage))),
            sha256: FingerprintBuilder::default(),
            bytes: 0,
        })
    }

    fn push(&mut self, part: &[u8]) -> Result<(), FetchError> {
        self.bytes += part.len();
        if self.bytes > MAX_LARGE {
            return Err(FetchError::TooLarge { limit: MAX_LARGE });
        }
        self.sha256.update(part);
        if let Ok(stream) = &mut self.stream
            && let Err(error) = stream.push(part)
        {
            self.stream = Err(error);
        }
        Ok(())
    }

    fn finish(self, origin: String) -> Document {
        let list = self.stream.and_then(RevocationListStream::finish);
        let list: Result<Arc<RevocationList>, _> = list.map(Arc::new);
        let content = Content::List(LargeList(list));
        Document::with_content(origin, content, self.sha256.finish(), self.bytes)
    }
}

/// File without a name: nothing else can open it, and it goes with the process.
#[derive(Debug)]
struct TemporaryFile(File);

impl TemporaryFile {
    fn new() -> io::Result<Self> {
        let random = std::hash::RandomState::new().hash_one(0_u8);
        let path = std::env::temp_dir().join(format!("alb-mtls-{}-{random:016x}.crl", std::process::id()));
        let mut options = OpenOptions::new();
        // A file or link that is there already is never opened.
        options.read(true).write(true).create_new(true).mode(0o600);
        let file = options.open(&path)?;
        std::fs::remove_file(&path)?;
        Ok(Self(file))
    }
}

impl ListStorage for TemporaryFile {
    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        self.0.write_all(octets)
    }

    fn read_at(&self, position: u64, octets: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(octets, position)
    }
}
