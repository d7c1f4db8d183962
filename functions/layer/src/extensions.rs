//! Extensions that fetch events from Lambda themselves, past the gate.
//!
//! Lambda starts every program in `/opt/extensions` before the runtime and beside it, with the
//! function's variables and not with those that a wrapper sets. A program there that asks the
//! Runtime API for events gets requests that no gate has seen: AWS Lambda Web Adapter does. It
//! cannot be seen from outside what a program will ask for, but it contains the path that it asks.
//!
//! Sources: Lambda developer guide, "Using the Lambda Extensions API" (order of the init phase);
//! AWS Lambda Web Adapter 0.9.1 and later, `AWS_LWA_LAMBDA_RUNTIME_API_PROXY`.

use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::settings::{LayerSettings, LoopbackAddress};

/// Folder in which Lambda looks for extensions, also in a container image.
const EXTENSIONS: &str = "/opt/extensions";

/// Text in every program that asks for events: the end of the path of `GET
/// /2018-06-01/runtime/invocation/next`.
const ASKS: &str = "/runtime/invocation/next";

/// Variable by which Lambda Web Adapter asks elsewhere. Older versions do not know the name.
pub(crate) const PROXY: &str = "AWS_LWA_LAMBDA_RUNTIME_API_PROXY";

/// Prefix of the variables of Lambda Web Adapter, except some older ones.
const ADAPTER: &str = "AWS_LWA_";

/// An extension that would fetch events past the gate. Displays as one line with the remedy.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ExtensionError {
    #[error(
        "`{}` fetches events from Lambda itself, past the gate: set LAYER_LISTEN and {PROXY} to one address, such as `127.0.0.1:9009`",
        .0.display()
    )]
    NotRouted(PathBuf),
    #[error(
        "`{}` can fetch events from Lambda itself, past the gate, and cannot be told to ask the gate: remove it, take version 0.9.1 or one after 1.0.0 if it is Lambda Web Adapter, or name it in LAYER_EXTENSIONS if it only asks when it is asked",
        .0.display()
    )]
    NotRoutable(PathBuf),
    #[error(
        "`{}` cannot be read ({error}), and might fetch events past the gate: make it readable, or name it in LAYER_EXTENSIONS if it does not",
        path.display()
    )]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("LAYER_EXTENSIONS names `{}`, which is not in {EXTENSIONS}", .0.escape_debug())]
    Unknown(String),
    #[error(
        "{PROXY} holds `{value}`, where the gate does not listen: set LAYER_LISTEN and it to one address, such as `127.0.0.1:9009`"
    )]
    ProxyElsewhere { value: String },
    #[error(
        "{0} is set, so that Lambda Web Adapter may be there, which fetches events past the gate: set LAYER_LISTEN and {PROXY} to one address, such as `127.0.0.1:9009`"
    )]
    Adapter(String),
}

/// Checks that no extension fetches events past the gate.
///
/// # Errors
/// [`ExtensionError`].
pub(crate) fn check(settings: &LayerSettings) -> Result<(), ExtensionError> {
    let is_routed = check_variables(std::env::vars_os(), settings.listen)?;
    check_folders(&folders(), &settings.extensions, is_routed)
}

/// Returns the folders of extensions: Lambda's, and that of the layer in which this program lies,
/// which is the same in Lambda.
fn folders() -> Vec<PathBuf> {
    let of_layer = std::env::current_exe()
        .ok()
        .and_then(|program| Some(program.parent()?.parent()?.join("extensions")));
    let mut folders = vec![PathBuf::from(EXTENSIONS)];
    folders.extend(of_layer.filter(|folder| folder != Path::new(EXTENSIONS)));
    folders
}

/// Returns whether the adapter's variable is set and leads to the gate.
fn check_variables(
    variables: impl IntoIterator<Item = (OsString, OsString)>,
    listen: Option<LoopbackAddress>,
) -> Result<bool, ExtensionError> {
    let mut adapter = None;
    for (name, value) in variables {
        if name == PROXY {
            let value = value.to_string_lossy();
            if !leads_to(&value, listen) {
                return Err(ExtensionError::ProxyElsewhere {
                    value: value.escape_debug().to_string(),
                });
            }
            return Ok(true);
        }
        adapter = adapter.or_else(|| name.into_string().ok().filter(|name| name.starts_with(ADAPTER)));
    }
    match adapter {
        Some(name) => Err(ExtensionError::Adapter(name)),
        None => Ok(false),
    }
}

/// Returns whether a value of the adapter's variable leads to the gate: an authority, with or
/// without `http://`.
fn leads_to(value: &str, listen: Option<LoopbackAddress>) -> bool {
    let address = value.strip_prefix("http://").unwrap_or(value);
    let address = address.strip_suffix('/').unwrap_or(address);
    listen.is_some_and(|listen| address == listen.to_string())
}

fn check_folders(folders: &[PathBuf], known: &[String], is_routed: bool) -> Result<(), ExtensionError> {
    let mut missing: Vec<&String> = known.iter().collect();
    for folder in folders {
        let unreadable = |error| ExtensionError::Unreadable {
            path: folder.clone(),
            error,
        };
        let entries = match std::fs::read_dir(folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(error)),
        };
        for entry in entries {
            let entry = entry.map_err(unreadable)?;
            let name = entry.file_name();
            if known.iter().any(|known| name == known.as_str()) {
                missing.retain(|known| name != known.as_str());
            } else if !entry.path().is_dir() {
                check_program(entry.path(), is_routed)?;
            }
        }
    }
    match missing.first() {
        Some(name) => Err(ExtensionError::Unknown((*name).clone())),
        None => Ok(()),
    }
}

fn check_program(path: PathBuf, is_routed: bool) -> Result<(), ExtensionError> {
    match File::open(&path).and_then(|file| holds(file, [ASKS, PROXY])) {
        Ok([false, _]) => Ok(()),
        Ok([true, true]) if is_routed => Ok(()),
        Ok([true, true]) => Err(ExtensionError::NotRouted(path)),
        Ok([true, false]) => Err(ExtensionError::NotRoutable(path)),
        Err(error) => Err(ExtensionError::Unreadable { path, error }),
    }
}

/// Returns which of these texts stand in a file. It is read in parts: extensions have tens of
/// megabytes.
fn holds<const TEXTS: usize>(mut file: impl Read, texts: [&str; TEXTS]) -> io::Result<[bool; TEXTS]> {
    const PART: usize = 256 * 1024;
    let finders = texts.map(memchr::memmem::Finder::new);
    let overlap = texts.iter().map(|text| text.len()).max().unwrap_or_default();
    let mut found = [false; TEXTS];
    let mut part = Vec::with_capacity(PART + overlap);
    loop {
        // A text may begin in one part and end in the next.
        part.drain(..part.len().saturating_sub(overlap));
        let read = file.by_ref().take(PART as u64).read_to_end(&mut part)?;
        for (found, finder) in found.iter_mut().zip(&finders) {
            *found |= finder.find(&part).is_some();
        }
        if read == 0 || found.iter().all(|found| *found) {
            return Ok(found);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    const LISTEN: &str = "127.0.0.1:9009";

    fn variables(set: &[(&str, &str)], listen: Option<&str>) -> Result<bool, String> {
        let set = set
            .iter()
            .map(|(name, value)| (OsString::from(name), OsString::from(value)));
        let listen = listen.map(|listen| listen.parse().unwrap());
        check_variables(set, listen).map_err(|error| error.to_string())
    }

    #[test]
    fn adapter_variable_leads_to_the_gate_or_fails() {
        let listen = Some(LISTEN);
        assert_eq!(variables(&[("PATH", "/bin"), ("PORT", "8000")], None), Ok(false));
        for value in [LISTEN, "http://127.0.0.1:9009", "http://127.0.0.1:9009/"] {
            assert_eq!(
                variables(
                    &[
                        ("AWS_LWA_PORT", "1"),
                        (PROXY, value),
                        ("AWS_LWA_ASYNC_INIT", "true")
                    ],
                    listen
                ),
                Ok(true)
            );
        }
        for (value, listen) in [
            (LISTEN, None),
            (LISTEN, Some("127.0.0.1:9010")),
            ("127.0.0.1:9001", listen),
            ("127.0.0.1:90091", listen),
            ("localhost:9009", listen),
            ("https://127.0.0.1:9009", listen),
            ("http://127.0.0.1:9009/x", listen),
            ("", listen),
        ] {
            let error = variables(&[(PROXY, value)], listen).unwrap_err();
            assert!(
                error.contains("where the gate does not listen: set LAYER_LISTEN"),
                "{error}"
            );
        }
        let error = variables(&[("AWS_LWA_PORT", "8000")], listen).unwrap_err();
        assert!(error.starts_with("AWS_LWA_PORT is set"), "{error}");
    }

    #[test]
    fn extension_that_asks_for_events_needs_the_gate() {
        let folder = tempfile::tempdir().unwrap();
        let extensions = folder.path().join("extensions");
        std::fs::create_dir(&extensions).unwrap();
        let check = |known: &[&str], is_routed| {
            let known: Vec<String> = known.iter().map(|name| (*name).to_owned()).collect();
            let folders = [folder.path().join("nowhere"), extensions.clone()];
            check_folders(&folders, &known, is_routed).map_err(|error| error.to_string())
        };
        assert_eq!(check(&[], false), Ok(()));
        // Across the end of a part, as in a program of some size.
        let program = |texts: &[&str]| {
            let mut program = vec![0_u8; 256 * 1024 - 5];
            for text in texts {
                program.extend_from_slice(text.as_bytes());
                program.extend_from_slice(&[0; 300_000]);
            }
            program
        };
        std::fs::write(
            extensions.join("telemetry"),
            program(&["/2020-01-01/extension/event/next"]),
        )
        .unwrap();
        std::fs::create_dir(extensions.join("folder")).unwrap();
        assert_eq!(check(&[], false), Ok(()));
        assert!(check(&["other"], false).unwrap_err().contains("names `other`"));

        let elsewhere = folder.path().join("adapter");
        std::fs::write(
            &elsewhere,
            program(&["/2018-06-01/runtime/invocation/next", PROXY]),
        )
        .unwrap();
        symlink(&elsewhere, extensions.join("any-name")).unwrap();
        assert!(
            check(&[], false)
                .unwrap_err()
                .contains("any-name` fetches events from Lambda itself")
        );
        assert_eq!(check(&[], true), Ok(()));
        assert_eq!(check(&["any-name"], false), Ok(()));

        std::fs::write(&elsewhere, program(&["/2018-06-01/runtime/invocation/next"])).unwrap();
        for is_routed in [false, true] {
            let error = check(&[], is_routed).unwrap_err();
            assert!(error.contains("version 0.9.1"), "{error}");
            assert_eq!(check(&["any-name"], is_routed), Ok(()));
        }

        std::fs::remove_file(&elsewhere).unwrap();
        assert!(check(&[], true).unwrap_err().contains("any-name` cannot be read"));
    }
}
