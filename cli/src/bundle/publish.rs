use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use alb_mtls_trust::{
    Inspection, Loader, Parameter, S3Object, Source, SourceError, Sources, inspect_anchors,
};
use alb_mtls_verifier::{Fingerprint, Timestamp, TrustAnchor};
use clap::Args;
use serde_json::{Value, json};
use test_pki::Certificate;

use super::change::Change;
use super::location::{Location, PointerLocation};
use super::parameters::{self, Tier};
use super::{SourceOrPath, objects, paths, patience};
use crate::console::{Exit, finish, note};

const EXIT_CODES: &str = "\
The changes are shown on stderr; the pointer to a new object, or the JSON, is all that stdout gets.

Exit codes: 0 done, 1 refused: by a check or by the answer to the question, 2 wrong usage, or something cannot be read
or written";

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct PublishArguments {
    /// File with the trust anchors that shall be published, and no others; or another source
    #[arg(value_name = "SOURCE", required = true)]
    sources: Vec<SourceOrPath>,

    /// `ssm:/path/*`, `ssm:/name` or `s3://bucket/key`
    #[arg(long, value_name = "LOCATION")]
    to: Location,

    /// Location of the pointer to the new object: `ssm:/name` or a file. The switch is then
    /// atomic
    #[arg(long, value_name = "LOCATION")]
    pointer: Option<PointerLocation>,

    /// Tier of the parameters that are written
    #[arg(long, value_enum, default_value_t)]
    tier: Tier,

    /// Remove trust anchors without a question
    #[arg(long)]
    yes: bool,

    /// Show what would change, and write nothing
    #[arg(long)]
    dry_run: bool,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &PublishArguments) -> ExitCode {
    match publish(arguments).await {
        Ok(result) if arguments.json => finish(Ok::<_, String>(format!("{result:#}\n"))),
        Ok(result) => {
            let pointer = result.get("pointer").and_then(Value::as_str);
            finish(Ok::<_, String>(
                pointer.map(|pointer| format!("{pointer}\n")).unwrap_or_default(),
            ))
        }
        Err(Failure::Refused(reason)) => {
            note(format!("refused: {reason}"));
            Exit::Rejected.into()
        }
        Err(Failure::Unusable(reason)) => finish(Err(reason)),
    }
}

/// Reason why nothing, or not everything, was published.
enum Failure {
    /// A check said no, or the person did.
    Refused(String),
    /// Something cannot be read or written.
    Unusable(String),
}

async fn publish(arguments: &PublishArguments) -> Result<Value, Failure> {
    if arguments.pointer.is_some() && !matches!(arguments.to, Location::Object(_)) {
        return Err(Failure::Unusable(
            "`--pointer` needs `--to s3://bucket/key`: only objects are pointed to".into(),
        ));
    }
    let now = Timestamp::now();
    let loader = Loader::new();
    let new = read_new(&loader, &arguments.sources, now).await?;
    let in_use = match &arguments.pointer {
        Some(pointer) => pointer.source(),
        None => arguments.to.source(),
    };
    let old = read_old(&loader, in_use, now).await?;
    let change = Change::between(&old, &new, now);
    note(change.to_text().trim_end());
    if arguments.dry_run {
        return Ok(json!({ "change": change.to_json(), "dry_run": true }));
    }
    confirm(&change, &old, arguments.yes)?;

    let certificates: Vec<String> = new.anchors.iter().map(pem).collect();
    let mut result = write(&loader, arguments, &certificates, &old)
        .await
        .map_err(Failure::Unusable)?;
    if let Value::Object(fields) = &mut result {
        fields.insert("change".into(), change.to_json());
    }
    Ok(result)
}

/// Reads the anchors to publish, which must not have any problem.
async fn read_new(loader: &Loader, sources: &[SourceOrPath], now: Timestamp) -> Result<Inspection, Failure> {
    let sources = Sources::new(sources.iter().map(|source| source.0.clone()))
        .map_err(|error| Failure::Unusable(error.to_string()))?;
    let new = inspect_anchors(loader, &sources, patience(), now).await;
    for warning in &new.warnings {
        note(format!("note: {warning}"));
    }
    for (authority, rejection) in paths::errors(&new) {
        note(format!("note: {}", paths::error_line(authority, rejection)));
    }
    if new.errors.is_empty() {
        Ok(new)
    } else if new.errors.iter().all(|problem| problem.is_refusal()) {
        Err(Failure::Refused(in_one_line(&new.errors)))
    } else {
        Err(Failure::Unusable(in_one_line(&new.errors)))
    }
}

/// Reads the anchors in use. They can be missing or unusable, which can be the reason to publish
/// others.
async fn read_old(loader: &Loader, source: Source, now: Timestamp) -> Result<Inspection, Failure> {
    let sources = Sources::new([source]).map_err(|error| Failure::Unusable(error.to_string()))?;
    let mut old = inspect_anchors(loader, &sources, patience(), now).await;
    old.errors.retain(|error| !error.is_not_found());
    if old.errors.iter().all(|problem| problem.is_refusal()) {
        Ok(old)
    } else {
        let reason = in_one_line(&old.errors);
        Err(Failure::Unusable(format!(
            "what is published now cannot be read: {reason}"
        )))
    }
}

/// Asks the operator to confirm the removal of anchors, because it locks clients out.
fn confirm(change: &Change<'_>, old: &Inspection, yes: bool) -> Result<(), Failure> {
    if !old.errors.is_empty() {
        note(format!(
            "what is published now cannot be used: {}",
            in_one_line(&old.errors)
        ));
    } else if change.removed.is_empty() {
        return Ok(());
    }
    if yes {
        return Ok(());
    }
    let mut stderr = io::stderr();
    // With no stderr the question goes unheard, and so will the answer.
    let _ = write!(
        stderr,
        "{} trust anchors will be removed, go on? [y/N] ",
        change.removed.len()
    );
    let _ = stderr.flush();
    let mut answer = String::new();
    match io::stdin().read_line(&mut answer) {
        Ok(_) if matches!(answer.trim(), "y" | "Y" | "yes") => Ok(()),
        _ => {
            note("");
            Err(Failure::Refused(
                "trust anchors would be removed, and the answer was not yes (`--yes` gives it)".into(),
            ))
        }
    }
}

async fn write(
    loader: &Loader,
    arguments: &PublishArguments,
    certificates: &[String],
    old: &Inspection,
) -> Result<Value, String> {
    let bundle = certificates.concat();
    match &arguments.to {
        Location::ParameterPath(path) => {
            let clients = loader.clients().await;
            let done = parameters::write_path(clients, path, certificates, arguments.tier).await?;
            note(format!(
                "{} parameters written, {} deleted",
                done.written.len(),
                done.deleted.len()
            ));
            Ok(json!({ "written": done.written, "deleted": done.deleted }))
        }
        Location::Parameter(parameter) => {
            if holds(old, &bundle) {
                note("nothing to do: it is published already");
                return Ok(json!({ "written": [] }));
            }
            parameters::write_one(loader.clients().await, parameter, &bundle, arguments.tier).await?;
            note(format!("`{parameter}` written"));
            Ok(json!({ "written": [parameter.name] }))
        }
        Location::Object(object) => write_object(loader, arguments, object, &bundle, old).await,
    }
}

async fn write_object(
    loader: &Loader,
    arguments: &PublishArguments,
    object: &S3Object,
    bundle: &str,
    old: &Inspection,
) -> Result<Value, String> {
    if let Some(pointer) = pointer_in_use(old, object, bundle) {
        note("nothing to do: it is published already");
        return Ok(json!({ "written": [], "pointer": pointer.to_string() }));
    }
    let clients = loader.clients().await;
    let pointer = objects::write(clients, object, bundle).await?;
    note(format!("`{object}` written"));
    if pointer.version_id.is_none() {
        note(
            "warning: the bucket keeps no versions: the next object under this key breaks every pointer to this one, \
             and there is no way back to it",
        );
    }
    let mut written = vec![object.to_string()];
    match &arguments.pointer {
        None => {}
        Some(PointerLocation::Parameter(parameter)) => {
            write_pointer(loader, parameter, &pointer).await?;
            note(format!("`{parameter}` points to it now"));
            written.push(parameter.to_string());
        }
        Some(PointerLocation::File(path)) => {
            replace_file(path, &format!("{pointer}\n"))
                .map_err(|error| format!("cannot write `{}`: {error}", path.display()))?;
            note(format!("`{}` points to it now", path.display()));
            written.push(path.display().to_string());
        }
    }
    Ok(json!({ "written": written, "pointer": pointer.to_string() }))
}

async fn write_pointer(loader: &Loader, parameter: &Parameter, pointer: &S3Object) -> Result<(), String> {
    parameters::write_one(
        loader.clients().await,
        parameter,
        &pointer.to_string(),
        Tier::Standard,
    )
    .await
}

/// Replaces a file such that a reader finds the old pointer or the new one, never a part.
fn replace_file(path: &Path, content: &str) -> io::Result<()> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    std::fs::write(&beside, content)?;
    std::fs::rename(&beside, path)
}

/// Returns true if exactly this bundle is in use.
fn holds(old: &Inspection, bundle: &str) -> bool {
    let digest = Fingerprint::of(bundle.as_bytes());
    let mut documents = old.sources.iter().flat_map(|record| &record.documents);
    documents.any(|document| document.sha256 == digest)
}

/// Returns the pointer to this bundle in this object, when it is what is in use.
fn pointer_in_use(old: &Inspection, object: &S3Object, bundle: &str) -> Option<S3Object> {
    let digest = Fingerprint::of(bundle.as_bytes());
    let mut documents = old.sources.iter().flat_map(|record| &record.documents);
    let document = documents.find(|document| document.sha256 == digest)?;
    match &document.target {
        Some(target) => {
            let target: Source = target.parse().ok()?;
            let pointer: &S3Object = target.downcast_ref()?;
            let is_same = (&pointer.bucket, &pointer.key) == (&object.bucket, &object.key);
            is_same.then(|| pointer.clone())
        }
        // A parameter or file with the bundle itself does not contain a pointer to it.
        None if document.origin == object.to_string() => Some(S3Object {
            version_id: document.s3_version_id.clone().filter(|version| version != "null"),
            sha256: Some(digest.to_string()),
            ..object.clone()
        }),
        None => None,
    }
}

fn pem(anchor: &TrustAnchor) -> String {
    Certificate::from_der(anchor.certificate().to_vec()).pem()
}

fn in_one_line(problems: &[SourceError]) -> String {
    let lines: Vec<String> = problems.iter().map(ToString::to_string).collect();
    lines.join("; ")
}
