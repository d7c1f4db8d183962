use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::Error;

/// Writes a world-readable file, such as a certificate.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_public(path: &Path, content: &str) -> Result<(), Error> {
    write(path, content, 0o644)
}

/// Writes a file that only its owner may read (mode 0600), such as a private key. A file that is
/// there is replaced, so that looser permissions of its own do not stay.
///
/// # Errors
///
/// When it cannot be written.
pub fn write_private(path: &Path, content: &str) -> Result<(), Error> {
    write(path, content, 0o600)
}

pub(crate) fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(failed("read", path))
}

fn write(path: &Path, content: &str, mode: u32) -> Result<(), Error> {
    replace(path, content, mode).map_err(failed("write", path))
}

fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Error {
    move |error| Error::File {
        action,
        path: path.into(),
        reason: error.to_string(),
    }
}

fn replace(path: &Path, content: &str, mode: u32) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(path)?;
    file.write_all(content.as_bytes())
}
