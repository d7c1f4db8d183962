//! Files and folders, and what each of them is.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use crate::doctor::aws::described;
use crate::doctor::facts::{Place, Unread};
use crate::doctor::node::{Node, Value};
use crate::doctor::rules;
use crate::doctor::yaml;

/// Largest file that is read; CloudFormation takes templates of 1 MB, plans are a few.
const MAX_BYTES: u64 = 64 << 20;

/// Deepest folder that is looked into.
const MAX_FOLDERS: usize = 16;

/// Folders of tools, with copies and with files of other projects.
const SKIPPED: [&str; 6] = [
    ".git",
    ".terraform",
    ".venv",
    "node_modules",
    "target",
    "__pycache__",
];

/// Everything that was given, sorted by kind.
#[derive(Debug, Default)]
pub(super) struct Input {
    pub(super) templates: Vec<(String, Node)>,
    pub(super) answers: Vec<(String, Node)>,
    pub(super) plans: Vec<(String, Node)>,
    pub(super) manifests: Vec<(String, Node)>,
    pub(super) unread: BTreeSet<Unread>,
}

impl Input {
    /// Reads files, and the files in folders, in order.
    pub(super) fn read(paths: &[PathBuf]) -> Self {
        let mut input = Self::default();
        for path in paths {
            match path.is_dir() {
                true => {
                    let before = input.count();
                    input.folder(path, 0);
                    if input.count() == before {
                        input.unreadable(path, "contains no file that can be read here".to_owned());
                    }
                }
                false => input.file(path, true),
            }
        }
        input.templates.sort_by(|one, other| one.0.cmp(&other.0));
        input
    }

    fn count(&self) -> usize {
        let read = [&self.templates, &self.answers, &self.plans, &self.manifests];
        read.iter().map(|kind| kind.len()).sum::<usize>() + self.unread.len()
    }

    fn folder(&mut self, path: &Path, depth: usize) {
        let entries = match fs::read_dir(path) {
            Ok(entries) if depth <= MAX_FOLDERS => entries,
            Ok(_) => return self.unreadable(path, "too many folders within folders".to_owned()),
            Err(error) => return self.unreadable(path, format!("cannot be read: {error}")),
        };
        let mut paths = Vec::new();
        for entry in entries {
            match entry {
                Ok(entry) => paths.push(entry.path()),
                Err(error) => self.unreadable(path, format!("cannot be read: {error}")),
            }
        }
        paths.sort();
        for path in paths {
            let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
            let name = name.unwrap_or_default();
            if path.is_dir() {
                if path.is_symlink() {
                    self.other(&path, "name the folder that it links to");
                    continue;
                }
                // CDK puts the code of functions into folders of this name.
                if !SKIPPED.contains(&name.as_str()) && !name.starts_with("asset.") {
                    self.folder(&path, depth + 1);
                }
            } else if other_kind(&path).is_some() || is_document(&path) {
                self.file(&path, false);
            }
        }
    }

    fn file(&mut self, path: &Path, is_named: bool) {
        if let Some(remedy) = other_kind(path) {
            return self.other(path, remedy);
        }
        let size = fs::metadata(path).map(|metadata| metadata.len()).unwrap_or(0);
        if size > MAX_BYTES {
            return self.unreadable(path, "is larger than 64 MB".to_owned());
        }
        let text = match fs::read(path) {
            Ok(bytes) => match String::from_utf8(bytes) {
                Ok(text) => text,
                Err(_) => return self.unreadable(path, "is not UTF-8".to_owned()),
            },
            Err(error) => return self.unreadable(path, format!("cannot be read: {error}")),
        };
        match yaml::documents(&text) {
            Ok(documents) => self.documents(path, documents, is_named),
            Err(error) => self.unreadable(path, error.to_string()),
        }
    }

    fn documents(&mut self, path: &Path, documents: Vec<Node>, is_named: bool) {
        let file = path.display().to_string();
        if documents.iter().any(is_manifest) {
            if !documents.iter().all(is_manifest) {
                self.unreadable(
                    path,
                    "contains a document that is not a manifest beside others".to_owned(),
                );
            }
            let objects = documents.into_iter().filter(is_manifest).flat_map(listed);
            self.manifests
                .extend(objects.map(|object| (file.clone(), object)));
            return;
        }
        let count = documents.len();
        let Ok([document]) = <[Node; 1]>::try_from(documents) else {
            return self.unreadable(path, yaml::YamlError::Documents(count).to_string());
        };
        let document = match unwrapped(document) {
            Ok(document) => document,
            Err(error) => return self.unreadable(path, error.to_string()),
        };
        if document.get("Resources").is_some() || document.get("AWSTemplateFormatVersion").is_some() {
            self.templates.push((file, document));
        } else if document.get("format_version").is_some()
            && ["planned_values", "values", "resource_changes"]
                .iter()
                .any(|part| document.get(part).is_some())
        {
            self.plans.push((file, document));
        } else if described::is_answer(&document) {
            self.answers.push((file, document));
        } else if is_named || !is_of_a_tool(path, &document) {
            self.unreadable(
                path,
                "is neither a template, a plan or a manifest nor an answer of the AWS command line that is known here"
                    .to_owned(),
            );
        }
    }

    fn unreadable(&mut self, path: &Path, what: String) {
        let remedy = "correct it, leave it out, or accept it by its name";
        self.note(path, rules::UNREADABLE_FILE, what, remedy.to_owned());
    }

    fn other(&mut self, path: &Path, remedy: &str) {
        let what = "is of a kind that is not read".to_owned();
        self.note(path, rules::OTHER_FILE, what, remedy.to_owned());
    }

    fn note(&mut self, path: &Path, kind: &'static str, what: String, remedy: String) {
        let file = path.display().to_string();
        self.unread.insert(Unread {
            place: Place {
                file: file.clone(),
                line: 1,
            },
            kind,
            subject: file,
            what,
            remedy,
        });
    }
}

fn extension(path: &Path) -> String {
    let extension = path.extension().map(|extension| extension.to_string_lossy());
    extension.unwrap_or_default().to_ascii_lowercase()
}

fn is_document(path: &Path) -> bool {
    matches!(extension(path).as_str(), "json" | "yaml" | "yml" | "template")
}

/// Returns what makes a file of another kind readable.
fn other_kind(path: &Path) -> Option<&'static str> {
    let name = path.file_name()?.to_string_lossy();
    if name.ends_with(".tf") || name.ends_with(".tf.json") || name.ends_with(".tofu") {
        return Some(
            "plan it, and name what `terraform show -json PLAN` prints; or deploy it, and look at what it made with --load-balancer NAME",
        );
    }
    match name.as_ref() {
        "serverless.yml" | "serverless.yaml" | "serverless.ts" | "serverless.js" | "serverless.json" => {
            Some("run `serverless package`, and name the folder .serverless")
        }
        "cdk.json" => Some("run `cdk synth`, and name the folder cdk.out"),
        "Pulumi.yaml" => Some("deploy it, and look at what it made with --load-balancer NAME"),
        "Chart.yaml" => Some("name what `helm template` prints"),
        "kustomization.yaml" | "kustomization.yml" => Some("name what `kubectl kustomize` prints"),
        _ => None,
    }
}

/// Returns true if a document is known to describe no resources: what CDK and Serverless write
/// beside templates, and settings of tools.
fn is_of_a_tool(path: &Path, document: &Node) -> bool {
    let has = |names: &[&str]| names.iter().all(|name| document.get(name).is_some());
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
    let name = name.unwrap_or_default();
    has(&["version", "artifacts"])
        || has(&["version", "tree"])
        || has(&["version", "files", "dockerImages"])
        || has(&["service", "package"])
        || has(&["version", "missing"])
        // Newer versions of CDK write what they note about constructs into files of their own.
        || (name.ends_with(".metadata.json")
            && document.members().iter().all(|(path, _)| path.starts_with('/')))
        || (name == "validation-report.json" && has(&["pluginReports"]))
        || matches!(
            name.as_str(),
            "package.json" | "package-lock.json" | "tsconfig.json" | "samconfig.yaml" | "cdk.context.json"
        )
}

fn is_manifest(document: &Node) -> bool {
    document.text_at(&["apiVersion"]).is_some() && document.text_at(&["kind"]).is_some()
}

/// Returns the objects of a manifest; a list, as `kubectl get -o yaml` prints it, contains several.
fn listed(document: Node) -> Vec<Node> {
    let is_list = document
        .text_at(&["kind"])
        .is_some_and(|kind| kind.ends_with("List"));
    match document.get("items") {
        Some(items) if is_list => items.elements().to_vec(),
        _ => vec![document],
    }
}

/// Returns the template in an answer of `get-template`, or the document itself.
fn unwrapped(document: Node) -> Result<Node, yaml::YamlError> {
    match document.get("TemplateBody").map(|body| &body.value) {
        Some(Value::Text(text)) => yaml::parse(text),
        Some(_) => Ok(document.get("TemplateBody").cloned().unwrap_or(document)),
        None => Ok(document),
    }
}
