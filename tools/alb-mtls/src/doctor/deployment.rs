//! What a gate's safety depends on, whether a template promises it or a stack has it.

use std::collections::{BTreeMap, BTreeSet};

use super::world::resource_in;

/// A file and a line in it; no line where the file is of one line.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: usize,
}

/// Everything that was found. Names are logical ids in a template and ARNs or names in a stack.
#[derive(Clone, Debug, Default)]
pub(super) struct Deployment {
    pub(super) listeners: Vec<Listener>,
    pub(super) target_groups: Vec<TargetGroup>,
    pub(super) functions: Vec<Function>,
    pub(super) permissions: Vec<Permission>,
    pub(super) function_urls: Vec<FunctionUrl>,
    pub(super) authorizers: Vec<Authorizer>,
    pub(super) apis: Vec<Api>,
    pub(super) log_groups: Vec<LogGroup>,
    pub(super) buckets: Vec<Bucket>,
    pub(super) grants: Vec<Grant>,
}

impl Deployment {
    /// Names, or logical ids, of the buckets that functions have their trust material from.
    pub(super) fn trust_buckets(&self) -> BTreeSet<&str> {
        let sources = self.functions.iter().flat_map(Function::trust_sources);
        sources
            .filter_map(|source| source.strip_prefix("s3://")?.split('/').next())
            .map(|bucket| resource_in(bucket).unwrap_or(bucket))
            .collect()
    }

    /// Whoever refers to an alias or a version refers to its function.
    pub(super) fn rename_function(&mut self, alias: &str, function: &str) {
        let targets = self
            .target_groups
            .iter_mut()
            .flat_map(|group| &mut group.functions);
        let permissions = self.permissions.iter_mut().map(|one| &mut one.function);
        let urls = self.function_urls.iter_mut().map(|one| &mut one.function);
        let authorizers = self.authorizers.iter_mut().map(|one| &mut one.function);
        let references = targets.chain(permissions).chain(urls).chain(authorizers);
        for reference in references.filter(|reference| *reference == alias) {
            function.clone_into(reference);
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Listener {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) mutual_authentication: MutualAuthentication,
    pub(super) forwards: Vec<Forward>,
    pub(super) certificate_header: Knowledge<Option<String>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MutualAuthentication {
    Off,
    Passthrough,
    /// `verify`, or a mode that is not known yet.
    Other,
}

/// An action of a listener or of one of its rules.
#[derive(Clone, Debug)]
pub(super) struct Forward {
    pub(super) target_group: String,
    /// The listener or the rule.
    pub(super) by: String,
    pub(super) place: Place,
}

/// Files of a stack may leave something out; a template says everything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Knowledge<T> {
    Known(T),
    /// With the command that tells it.
    Unknown(&'static str),
}

#[derive(Clone, Debug)]
pub(super) struct TargetGroup {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) is_for_lambda: bool,
    pub(super) multi_value_headers: Knowledge<bool>,
    /// Functions, where the template or a permission says which.
    pub(super) functions: Vec<String>,
}

#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) place: Place,
    /// Such as `python3.13`, where it is said.
    pub(super) runtime: Option<String>,
    pub(super) variables: BTreeMap<String, String>,
    /// ARNs in the order in which Lambda unpacks them, or references such as `${GateLayer}`.
    pub(super) layers: Vec<String>,
    /// In seconds, where it is said.
    pub(super) timeout: Option<u32>,
    /// The log group that it writes to, where it does not make its own.
    pub(super) log_group: Option<String>,
}

impl Function {
    /// Whether the gate is in it.
    pub(super) fn is_gate(&self) -> bool {
        self.variables.contains_key("MTLS_ANCHORS")
    }

    /// Returns the header that the gate reads, where it is not the one that every client knows.
    pub(super) fn certificate_header(&self) -> Option<&str> {
        let of_format = || match self.variables.get("MTLS_HEADER_FORMAT")?.as_str() {
            "rfc9440" => Some("client-cert"),
            _ => None,
        };
        self.variables
            .get("MTLS_HEADER")
            .map(String::as_str)
            .or_else(of_format)
    }

    /// Returns whether Lambda starts wrappers: it does with the runtimes of languages, and not with `provided` ones. None
    /// where the runtime is not said, as for images.
    pub(super) fn knows_wrappers(&self) -> Option<bool> {
        let runtime = self.runtime.as_ref().filter(|runtime| !runtime.contains("${"))?;
        Some(!runtime.starts_with("provided"))
    }

    /// Sources of what it trusts, `ssm:` and `s3:` alike.
    pub(super) fn trust_sources(&self) -> impl Iterator<Item = &str> {
        let values = SOURCE_VARIABLES
            .iter()
            .filter_map(|name| self.variables.get(*name));
        values.flat_map(|value| value.split_whitespace())
    }
}

const SOURCE_VARIABLES: [&str; 9] = [
    "MTLS_ANCHORS",
    "MTLS_INTERMEDIATES",
    "MTLS_CRLS",
    "MTLS_POLICY",
    "MTLS_TOKEN_KEYS",
    "FORWARD_ASSERTION_KEYS",
    "CRL_ANCHORS",
    "CRL_INTERMEDIATES",
    "CRL_DESTINATION",
];

/// Who may invoke a function.
#[derive(Clone, Debug)]
pub(super) struct Permission {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) function: String,
    pub(super) principal: String,
    pub(super) source_arn: Option<String>,
    pub(super) source_account: Option<String>,
}

#[derive(Clone, Debug)]
pub(super) struct FunctionUrl {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) function: String,
}

/// A Lambda authorizer of API Gateway.
#[derive(Clone, Debug)]
pub(super) struct Authorizer {
    pub(super) name: String,
    pub(super) place: Place,
    /// For which answers are kept, as written.
    pub(super) seconds: String,
    pub(super) function: String,
    pub(super) api: String,
}

#[derive(Clone, Debug)]
pub(super) struct Api {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) has_default_endpoint: bool,
}

#[derive(Clone, Debug)]
pub(super) struct LogGroup {
    pub(super) name: String,
    /// The name that functions give, where it differs.
    pub(super) log_group_name: Option<String>,
    pub(super) place: Place,
    pub(super) has_retention: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Bucket {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) blocks_public_access: Knowledge<bool>,
    pub(super) is_versioned: Knowledge<bool>,
}

/// A statement of a policy that allows something.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) to: String,
    pub(super) place: Place,
    pub(super) actions: Vec<String>,
    pub(super) resources: Vec<String>,
    /// `CRL_DESTINATION` of the function that it is for: what that function is there to write.
    pub(super) destination: Option<String>,
}
