//! `alb-mtls deny list`

use std::process::ExitCode;

use alb_mtls_trust::{DenyEntry, DenyList, LoadedDenyList};
use alb_mtls_verifier::{CertificateNames, PresentedChain};
use clap::Args;
use serde_json::json;

use super::place::Place;
use crate::bundle::SourceOrPath;
use crate::console::{Exit, finish_with};
use crate::files;

#[derive(Args, Debug)]
pub(crate) struct ListArguments {
    /// List: `s3://bucket/key`, `ssm:/name` or a file
    #[arg(value_name = "LIST")]
    list: SourceOrPath,

    /// PEM file of a certificate, perhaps with the CAs above it: show the entry that denies it
    #[arg(long, value_name = "FILE")]
    pem: Option<std::path::PathBuf>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &ListArguments) -> ExitCode {
    finish_with(show(arguments).await)
}

async fn show(arguments: &ListArguments) -> Result<(String, Exit), String> {
    let place = Place::new(&arguments.list)?;
    let text = place.read().await?.text;
    let list = DenyList::parse(text.into_bytes()).map_err(|error| error.to_string())?;
    let Some(path) = &arguments.pem else {
        return Ok((print(list.entries(), arguments.json), Exit::Done));
    };
    let chain = files::presented_chain(path).map_err(|error| error.to_string())?;
    let found = find(list, &chain)?;
    let exit = Exit::accepted(found.is_none());
    let output = match (found, arguments.json) {
        (found, true) => print(found.as_slice(), true),
        (Some(entry), false) => format!("denied: {entry}\n"),
        (None, false) => format!("`{place}` does not deny it\n"),
    };
    Ok((output, exit))
}

/// Finds the entry that denies one of the certificates.
fn find(list: DenyList, chain: &PresentedChain) -> Result<Option<DenyEntry>, String> {
    let list = LoadedDenyList::from(list);
    for certificate in std::iter::once(chain.end_entity()).chain(chain.intermediates()) {
        let names = CertificateNames::read(certificate).ok_or("a certificate cannot be read")?;
        if let Some(entry) = list.find_certificate(&names) {
            return Ok(Some(entry.clone()));
        }
    }
    Ok(None)
}

fn print(entries: &[DenyEntry], json: bool) -> String {
    if json {
        let entries: Vec<_> = entries
            .iter()
            .map(|entry| json!({ "name": entry.name.to_string(), "at": entry.at, "because": entry.because }))
            .collect();
        return format!("{:#}\n", json!({ "entries": entries }));
    }
    if entries.is_empty() {
        return "no entry: no client is denied\n".to_owned();
    }
    entries.iter().map(|entry| format!("{entry}\n")).collect()
}
