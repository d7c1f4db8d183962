//! `alb-mtls deny add`, `remove` and `create`

use std::process::ExitCode;

use alb_mtls_trust::{DenyEntry, DenyList};
use alb_mtls_verifier::{DistinguishedName, Timestamp};
use clap::Args;

use super::place::{Place, Read, Written};
use super::selection::{By, NameArguments};
use super::text;
use crate::bundle::SourceOrPath;
use crate::console::{Exit, finish, finish_with};

/// Attempts before giving up, when other writers are quicker each time.
const ATTEMPTS: usize = 8;

#[derive(Args, Debug)]
pub(crate) struct AddArguments {
    /// List: `s3://bucket/key`, `ssm:/name` or a file
    #[arg(value_name = "LIST")]
    list: SourceOrPath,

    #[command(flatten)]
    name: NameArguments,

    /// Issuer of `--serial`, as in `CN=Issuing CA,O=Example`
    #[arg(long, value_name = "NAME", requires = "serial")]
    issuer: Option<DistinguishedName>,

    /// Name that the entry takes from the certificate of `--pem`
    #[arg(long, value_enum, default_value_t)]
    by: By,

    /// Reason, for the list and the records of denied requests
    #[arg(long, value_name = "TEXT")]
    because: Option<String>,

    /// Show the entry, and write nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args, Debug)]
pub(crate) struct RemoveArguments {
    /// List: `s3://bucket/key`, `ssm:/name` or a file
    #[arg(value_name = "LIST")]
    list: SourceOrPath,

    #[command(flatten)]
    name: NameArguments,

    /// Issuer of `--serial`, as in `CN=Issuing CA,O=Example`
    #[arg(long, value_name = "NAME", requires = "serial")]
    issuer: Option<DistinguishedName>,

    /// Show the entries, and write nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Args, Debug)]
pub(crate) struct CreateArguments {
    /// List: `s3://bucket/key`, `ssm:/name` or a file
    #[arg(value_name = "LIST")]
    list: SourceOrPath,
}

pub(crate) async fn add(arguments: &AddArguments) -> ExitCode {
    finish(add_entry(arguments).await)
}

async fn add_entry(arguments: &AddArguments) -> Result<String, String> {
    let selected = arguments.name.select(arguments.issuer.as_ref())?;
    let entry = DenyEntry {
        name: selected.name(arguments.by)?,
        at: Some(Timestamp::now()),
        because: arguments.because.as_deref().map(one_line).transpose()?,
    };
    let place = Place::new(&arguments.list)?;
    let mut output = format!("+ {entry}\ndenies {}\n", selected.effect(&entry.name));
    if arguments.dry_run {
        place.read().await?;
        output.push_str("nothing was written\n");
        return Ok(output);
    }
    let is_there = |read: &Read| {
        let entries = entries_of(&read.text);
        entries.iter().any(|known| known.name == entry.name)
    };
    let change = |read: &Read| (!is_there(read)).then(|| text::with_entry(&read.text, &entry));
    match apply(&place, change).await? {
        Some(entries) => output.push_str(&format!(
            "`{place}` written: {}; it counts in every gate within its MTLS_DENY_REFRESH\n",
            count(entries)
        )),
        None => output = format!("`{place}` has the entry already: {}\n", entry.name),
    }
    Ok(output)
}

pub(crate) async fn remove(arguments: &RemoveArguments) -> ExitCode {
    finish_with(remove_entries(arguments).await)
}

async fn remove_entries(arguments: &RemoveArguments) -> Result<(String, Exit), String> {
    let selected = arguments.name.select(arguments.issuer.as_ref())?;
    let place = Place::new(&arguments.list)?;
    let is_unwanted = |entry: &DenyEntry| selected.is_denied_by(&entry.name);
    let read = place.read().await?;
    let mut output = String::new();
    for entry in entries_of(&read.text).iter().filter(|entry| is_unwanted(entry)) {
        output.push_str(&format!(
            "- {entry}\nallows again {}\n",
            selected.effect(&entry.name)
        ));
    }
    if output.is_empty() {
        return Ok((format!("no entry of `{place}` is about it\n"), Exit::Rejected));
    }
    if arguments.dry_run {
        output.push_str("nothing was written\n");
        return Ok((output, Exit::Done));
    }
    let change = |read: &Read| {
        let is_there = entries_of(&read.text).iter().any(is_unwanted);
        is_there.then(|| text::without_entries(&read.text, is_unwanted))
    };
    let left = apply(&place, change).await?;
    let left = left
        .map(|entries| format!(": {} left", count(entries)))
        .unwrap_or_default();
    output.push_str(&format!("`{place}` written{left}\n"));
    Ok((output, Exit::Done))
}

pub(crate) async fn create(arguments: &CreateArguments) -> ExitCode {
    finish(create_list(arguments).await)
}

async fn create_list(arguments: &CreateArguments) -> Result<String, String> {
    let place = Place::new(&arguments.list)?;
    match place.create(&text::without_any()).await? {
        Written::Conflict => Err(format!("`{place}` is there already")),
        _ => {
            place.read().await?;
            Ok(format!(
                "`{place}` written: it denies no client; set MTLS_DENY to `{place}`\n"
            ))
        }
    }
}

/// Makes a change to the list as it is now, and reads it back. Returns the number of entries
/// afterwards; `None` if there was nothing to change.
async fn apply(place: &Place, change: impl Fn(&Read) -> Option<String>) -> Result<Option<usize>, String> {
    let mut read = place.read().await?;
    let mut was_overwritten = false;
    for _ in 0..ATTEMPTS {
        // A list that was overwritten has to be restored even if there is nothing to change in it.
        let changed = change(&read).or_else(|| was_overwritten.then(|| read.text.clone()));
        let Some(changed) = changed else {
            return Ok(None);
        };
        check(&changed)?;
        let written = place.write(&read, &changed).await?;
        was_overwritten = matches!(written, Written::Overwrote(_));
        read = match written {
            Written::Done => {
                let now = place.read().await?;
                // Another writer can have added to it since.
                if change(&now).is_none() {
                    return Ok(Some(entries_of(&now.text).len()));
                }
                now
            }
            Written::Conflict => place.read().await?,
            Written::Overwrote(other) => other,
        };
    }
    Err(format!(
        "`{place}` was changed by others {ATTEMPTS} times: try again"
    ))
}

/// Checks that a list is one, before gates refuse it.
fn check(text: &str) -> Result<(), String> {
    let list = DenyList::parse(text.as_bytes().to_vec());
    list.map(|_| ())
        .map_err(|error| format!("the changed list would be refused: {error}"))
}

/// Returns the entries of a list that was read.
fn entries_of(text: &str) -> Vec<DenyEntry> {
    let list = DenyList::parse(text.as_bytes().to_vec());
    list.map(|list| list.entries().to_vec()).unwrap_or_default()
}

fn count(entries: usize) -> String {
    match entries {
        1 => "1 entry".to_owned(),
        entries => format!("{entries} entries"),
    }
}

fn one_line(reason: &str) -> Result<String, String> {
    let reason = reason.trim();
    if reason.is_empty() || reason.chars().any(char::is_control) {
        return Err("the reason must be one line of text".into());
    }
    Ok(reason.to_owned())
}
