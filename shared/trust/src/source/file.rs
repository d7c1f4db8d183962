//! `file:`: a file of this machine.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use tokio::fs::File;
use tokio::io::AsyncReadExt;

use super::intake::Intake;
use super::place::{Fetching, Place, Reading, Reason, Source, SourceForm, SourceUse};
use crate::fetch_error::FetchError;

pub(super) const FORM: SourceForm = SourceForm {
    scheme: "file:",
    form: "file:/path",
    meaning: "a file by its absolute path",
    permissions: "",
    uses: &[SourceUse::Keys, SourceUse::Pointer],
    parse,
    suggest: |word| word.starts_with('/').then(|| format!("file:{word}")),
};

/// File of this machine.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct LocalFile {
    /// Absolute path.
    pub path: PathBuf,
}

impl Place for LocalFile {
    fn form(&self) -> &'static SourceForm {
        &FORM
    }

    fn read<'a>(&'a self, reading: Reading<'a>) -> Fetching<'a> {
        Box::pin(async move {
            let content = read(&self.path, reading).await?;
            Ok(vec![content.finish(self.to_string())])
        })
    }
}

impl From<LocalFile> for Source {
    fn from(file: LocalFile) -> Self {
        Self::new(file)
    }
}

impl fmt::Display for LocalFile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "file:{}", self.path.display())
    }
}

fn parse(path: &str) -> Result<Source, Reason> {
    // RFC 8089 §2 writes a local file with an empty authority too.
    let path = match path.strip_prefix("//") {
        Some(after_authority) if after_authority.starts_with('/') => after_authority,
        Some(_) => return Err("names a host, and files are read from this machine only".into()),
        None => path,
    };
    if !path.starts_with('/') {
        Err("needs an absolute path".into())
    } else if path.ends_with('/') {
        Err("names a directory, not a file".into())
    } else {
        Ok(Source::new(LocalFile { path: path.into() }))
    }
}

/// Octets that are read at once: enough that the calls cost nothing, and little beside the memory
/// of a function.
const PART: usize = 256 * 1_024;

/// Reads a whole file, as far as the limit allows.
async fn read(path: &Path, reading: Reading<'_>) -> Result<Intake, FetchError> {
    // Checked before it is opened: to open a pipe without a writer would block a thread
    // indefinitely.
    let metadata = tokio::fs::metadata(path).await.map_err(|error| explain(&error))?;
    if !metadata.is_file() {
        return Err(FetchError::Service("is not a regular file".into()));
    }
    let mut file = File::open(path).await.map_err(|error| explain(&error))?;
    let announced = usize::try_from(metadata.len()).unwrap_or(usize::MAX);
    let mut content = Intake::new(reading.limit, reading.reads_lists, announced)?;
    let mut part = vec![0; PART.min(announced.saturating_add(1))];
    loop {
        let read = file.read(&mut part).await.map_err(|error| explain(&error))?;
        match part.get(..read) {
            None | Some([]) => return Ok(content),
            Some(part) => content.push(part)?,
        }
    }
}

fn explain(error: &io::Error) -> FetchError {
    match error.kind() {
        io::ErrorKind::NotFound => FetchError::NotFound("there is no such file".into()),
        io::ErrorKind::PermissionDenied => {
            FetchError::Forbidden("the user of this process may not read the file".into())
        }
        _ => FetchError::Service(format!("cannot be read: {error}")),
    }
}
