//! Templates that belong together: nested stacks with their parents, and what one exports with what
//! another imports.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::doctor::node::{Node, Value};
use crate::doctor::yaml;

/// Deepest nesting of stacks that is followed; CloudFormation allows few more.
const MAX_NESTING: usize = 8;

#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) file: String,
    /// Stands before the names of resources where there are several templates.
    pub(crate) prefix: String,
    pub(crate) node: Node,
    /// The template and the resource that this stack is nested in.
    pub(crate) parent: Option<(usize, String)>,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Program {
    pub(crate) templates: Vec<Template>,
    /// Nested stacks by the template and the resource that make them.
    pub(crate) children: BTreeMap<(usize, String), usize>,
    /// Values of parameters that the operator gives.
    pub(crate) given: BTreeMap<String, String>,
}

impl Program {
    /// Sorts templates into programs, with the nested stacks that are on disk.
    pub(crate) fn all_of(templates: Vec<(String, Node)>, given: &BTreeMap<String, String>) -> Vec<Self> {
        let nested = nested_files(&templates);
        let mut linked = Vec::new();
        let mut programs = Vec::new();
        for (file, node) in templates {
            // A template that another one nests is looked at with the values that it gets there.
            if nested.contains(&absolute(Path::new(&file))) {
                continue;
            }
            match has_export(&node) || has_import(&node) {
                true => linked.push((file, node)),
                false => programs.push(vec![(file, node)]),
            }
        }
        if !linked.is_empty() {
            programs.push(linked);
        }
        programs
            .into_iter()
            .map(|templates| Self::of(templates, given))
            .collect()
    }

    fn of(templates: Vec<(String, Node)>, given: &BTreeMap<String, String>) -> Self {
        let mut program = Self {
            given: given.clone(),
            ..Self::default()
        };
        let is_only = templates.len() == 1;
        for (file, node) in templates {
            let prefix = match is_only {
                true => String::new(),
                false => program.prefix(&file),
            };
            program.add(file, prefix, node, None, 0);
        }
        program
    }

    /// Returns the name of a file without its folder and its end, or with more of it where another
    /// has that name.
    fn prefix(&self, file: &str) -> String {
        let stem = Path::new(file).file_stem().unwrap_or_default().to_string_lossy();
        let short = format!("{}/", stem.replace('.', "-"));
        match self.templates.iter().any(|template| template.prefix == short) {
            true => format!("{}/", file.replace('.', "-")),
            false => short,
        }
    }

    fn add(
        &mut self,
        file: String,
        prefix: String,
        mut node: Node,
        parent: Option<(usize, String)>,
        depth: usize,
    ) {
        include(&mut node, &file);
        let index = self.templates.len();
        let children = match depth < MAX_NESTING {
            true => nested(&node, &file),
            false => Vec::new(),
        };
        self.templates.push(Template {
            file,
            prefix: prefix.clone(),
            node,
            parent,
        });
        for (name, path) in children {
            let Some(node) = read(&path) else {
                continue;
            };
            self.children.insert((index, name.clone()), self.templates.len());
            let inner = format!("{prefix}{name}/");
            self.add(
                path.display().to_string(),
                inner,
                node,
                Some((index, name)),
                depth + 1,
            );
        }
    }

    pub(crate) fn template(&self, index: usize) -> Option<&Template> {
        self.templates.get(index)
    }
}

/// Returns the nested stacks of a template whose own templates are files beside it.
fn nested(template: &Node, file: &str) -> Vec<(String, PathBuf)> {
    let resources = template.get("Resources").map(Node::members).unwrap_or_default();
    let paths = resources.iter().filter_map(|(name, resource)| {
        let path = match resource.text_at(&["Type"])? {
            // What `aws cloudformation package` and CDK leave on disk.
            "AWS::CloudFormation::Stack" => resource
                .text_at(&["Metadata", "aws:asset:path"])
                .or_else(|| resource.text_at(&["Properties", "TemplateURL"])),
            "AWS::Serverless::Application" => resource.text_at(&["Properties", "Location"]),
            _ => None,
        }?;
        let path = beside(file, path)?;
        Some((name.clone(), path))
    });
    paths.collect()
}

fn nested_files(templates: &[(String, Node)]) -> BTreeSet<PathBuf> {
    let files = templates.iter().flat_map(|(file, node)| nested(node, file));
    files.map(|(_, path)| absolute(&path)).collect()
}

fn absolute(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// Returns the path of a file named by another one, if it is there.
fn beside(file: &str, path: &str) -> Option<PathBuf> {
    if path.contains("://") || path.contains("${") {
        return None;
    }
    let folder = Path::new(file).parent()?;
    let path = folder.join(path.trim_start_matches("./"));
    path.is_file().then_some(path)
}

fn read(path: &Path) -> Option<Node> {
    let node = yaml::parse(&fs::read_to_string(path).ok()?).ok()?;
    node.get("Resources").is_some().then_some(node)
}

/// Replaces `AWS::Include` of a file on disk by what it contains.
fn include(node: &mut Node, file: &str) {
    let included = match &node.value {
        Value::Function(name, argument)
            if name == "Transform" && argument.text_at(&["Name"]) == Some("AWS::Include") =>
        {
            let location = argument.text_at(&["Parameters", "Location"]);
            let path = location.and_then(|location| beside(file, location));
            path.and_then(|path| yaml::parse(&fs::read_to_string(path).ok()?).ok())
        }
        _ => None,
    };
    if let Some(included) = included {
        *node = included;
        return;
    }
    match &mut node.value {
        Value::Null | Value::Text(_) => {}
        Value::List(elements) => elements.iter_mut().for_each(|element| include(element, file)),
        Value::Map(members) => members.iter_mut().for_each(|(_, member)| include(member, file)),
        Value::Function(_, argument) => include(argument, file),
    }
}

fn has_export(template: &Node) -> bool {
    let outputs = template.get("Outputs").map(Node::members).unwrap_or_default();
    outputs.iter().any(|(_, output)| output.get("Export").is_some())
}

fn has_import(template: &Node) -> bool {
    let mut found = false;
    template.walk(&mut |node| {
        found |= matches!(&node.value, Value::Function(name, _) if name == "ImportValue");
    });
    found
}
