//! Facts that a gate's safety depends on, whether a template promises them or a stack has them.

mod exposure;
mod identity;
mod roles;

pub(super) use exposure::{Admission, Exposure, Ingress, PodNetwork, TaskNetwork, unit, upstream_services};
pub(super) use identity::id as identity_of;
pub(super) use roles::{PolicyAttachment, Role};

use std::collections::{BTreeMap, BTreeSet};

use alb_mtls_http::HeaderFormat;

use crate::doctor::text;

/// A file and a line in it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) file: String,
    pub(super) line: usize,
}

/// Resources and how they relate. Names are logical ids in a template, addresses in a plan, ARNs or
/// names in a stack.
#[derive(Clone, Debug, Default)]
pub(super) struct Deployment {
    pub(super) listeners: Vec<Listener>,
    pub(super) target_groups: Vec<TargetGroup>,
    pub(super) functions: Vec<Function>,
    /// Functions by their aliases and versions.
    pub(super) aliases: BTreeMap<String, String>,
    pub(super) permissions: Vec<Permission>,
    pub(super) function_urls: Vec<FunctionUrl>,
    pub(super) authorizers: Vec<Authorizer>,
    pub(super) apis: Vec<Api>,
    pub(super) routes: Vec<Route>,
    pub(super) log_groups: Vec<LogGroup>,
    pub(super) buckets: Vec<Bucket>,
    pub(super) parameters: Vec<Parameter>,
    pub(super) grants: Vec<Grant>,
    pub(super) roles: Vec<Role>,
    /// Names of the resources whose statements are in `grants`.
    pub(super) policies: BTreeSet<String>,
    pub(super) policy_attachments: Vec<PolicyAttachment>,
    pub(super) exposures: Vec<Exposure>,
    /// Security groups among the files.
    pub(super) security_groups: BTreeSet<String>,
    pub(super) ingress: Vec<Ingress>,
    pub(super) task_networks: Vec<TaskNetwork>,
    pub(super) pod_networks: Vec<PodNetwork>,
    pub(super) unread: BTreeSet<Unread>,
    /// Rules, until they are put to their listeners: these may stand in another file.
    pub(super) rules: Vec<Listener>,
    /// Target groups and what is registered in them, likewise.
    pub(super) attachments: Vec<(String, String)>,
}

/// Something that could not be looked at.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Unread {
    pub(super) place: Place,
    /// Stable name of the kind, in kebab case.
    pub(super) kind: &'static str,
    /// The thing itself, by which an operator accepts it.
    pub(super) subject: String,
    pub(super) what: String,
    /// Step that makes it readable.
    pub(super) remedy: String,
}

/// An answer that files may leave out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Knowledge<T> {
    Known(T),
    /// With what would tell: the command, or the parameter.
    Unknown(String),
}

#[derive(Clone, Debug)]
pub(super) struct Listener {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) mutual_authentication: MutualAuthentication,
    /// False where the file leaves the mode out, which CloudFormation takes for no change.
    pub(super) is_mode_said: bool,
    pub(super) forwards: Vec<Forward>,
    /// None is the default name.
    pub(super) certificate_header: Knowledge<Option<String>>,
    /// Security policy of TLS, where it is said; None where the listener is without TLS.
    pub(super) tls_policy: Option<Knowledge<String>>,
    /// Actions that change what a target sees, or that check something of their own.
    pub(super) remarks: Vec<Remark>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum MutualAuthentication {
    Off,
    Passthrough,
    Verify,
    /// A value that was not among the files, with what would tell.
    Unknown(String),
}

/// An action of a listener or of one of its rules that sends requests to a target group.
#[derive(Clone, Debug)]
pub(super) struct Forward {
    pub(super) target_group: String,
    /// The listener or the rule.
    pub(super) by: String,
    pub(super) place: Place,
}

/// Part of a rule that a gate behind it has to know about.
#[derive(Clone, Debug)]
pub(super) struct Remark {
    pub(super) by: String,
    pub(super) place: Place,
    pub(super) kind: RemarkKind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum RemarkKind {
    RewritesRequest,
    ChecksTokenItself,
}

#[derive(Clone, Debug)]
pub(super) struct TargetGroup {
    pub(super) name: String,
    /// Name in AWS, where it is said.
    pub(super) physical: Option<String>,
    pub(super) place: Place,
    pub(super) is_for_lambda: bool,
    pub(super) multi_value_headers: Knowledge<bool>,
    /// Functions or containers that are registered.
    pub(super) targets: Vec<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Function,
    Container,
}

/// A Lambda function, or a container behind a target group.
#[derive(Clone, Debug)]
pub(super) struct Function {
    pub(super) name: String,
    /// Name in AWS, where it is said.
    pub(super) physical: Option<String>,
    pub(super) kind: Kind,
    pub(super) place: Place,
    /// Such as `python3.13`, where it is said.
    pub(super) runtime: Option<String>,
    /// Role that it has, as it is referred to.
    pub(super) role: Option<String>,
    pub(super) variables: BTreeMap<String, String>,
    /// ARNs in the order in which Lambda unpacks them, or references such as `${GateLayer}`.
    pub(super) layers: Vec<String>,
    /// In seconds, where it is said.
    pub(super) timeout: Option<u32>,
    /// Log group that it writes to, where it is said.
    pub(super) log_group: Option<String>,
}

impl Function {
    /// Returns true if the gate is in it.
    pub(super) fn is_gate(&self) -> bool {
        self.variables.contains_key("MTLS_ANCHORS")
    }

    /// Returns the header that the gate reads.
    pub(super) fn certificate_header(&self) -> &str {
        let format = || {
            let word = self.variables.get("MTLS_HEADER_FORMAT");
            word.and_then(|word| word.parse::<HeaderFormat>().ok())
                .unwrap_or_default()
        };
        match self.variables.get("MTLS_HEADER") {
            Some(name) => name,
            None => format().default_header(),
        }
    }

    /// Returns true if Lambda starts wrappers: it does with the runtimes of languages, and not with
    /// `provided` ones. None where the runtime is not said, as for images.
    pub(super) fn knows_wrappers(&self) -> Option<bool> {
        let runtime = self.runtime.as_ref().filter(|runtime| !runtime.contains("${"))?;
        Some(!runtime.starts_with("provided"))
    }

    /// Returns the sources of what it trusts, `ssm:` and `s3:` alike.
    pub(super) fn trust_sources(&self) -> impl Iterator<Item = &str> {
        let values = SOURCE_VARIABLES
            .iter()
            .filter_map(|name| self.variables.get(*name));
        values.flat_map(|value| value.split_whitespace())
    }

    /// Returns the sources that its role has to be allowed to read.
    pub(super) fn read_sources(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let values = READ_VARIABLES
            .iter()
            .filter_map(|name| Some((*name, self.variables.get(*name)?)));
        values.flat_map(|(name, value)| value.split_whitespace().map(move |source| (name, source)))
    }

    /// Returns the log group's name: the one that is said, or Lambda's own.
    pub(super) fn log_group_name(&self) -> String {
        let own = || format!("/aws/lambda/{}", text::placeholder(&self.name));
        self.log_group.clone().unwrap_or_else(own)
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

const READ_VARIABLES: [&str; 11] = [
    "MTLS_ANCHORS",
    "MTLS_INTERMEDIATES",
    "MTLS_CRLS",
    "MTLS_POLICY",
    "MTLS_SHADOW_ANCHORS",
    "MTLS_SHADOW_POLICY",
    "MTLS_TOKEN_KEYS",
    "FORWARD_ASSERTION_KEYS",
    "CRL_ANCHORS",
    "CRL_INTERMEDIATES",
    "CRL_SOURCES",
];

/// A statement of a function's own policy.
#[derive(Clone, Debug)]
pub(super) struct Permission {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) function: String,
    pub(super) action: String,
    pub(super) principal: String,
    pub(super) source_arn: Option<String>,
    pub(super) source_account: Option<String>,
    /// Such as `NONE`, for calls through the function's URL alone.
    pub(super) url_type: Option<String>,
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
    /// Time for which answers are kept, as written.
    pub(super) seconds: String,
    pub(super) function: String,
    pub(super) api: String,
}

#[derive(Clone, Debug)]
pub(super) struct Api {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) has_default_endpoint: Knowledge<bool>,
    /// True where only the connection can have an authorizer, and no message.
    pub(super) is_websocket: bool,
}

/// A method of a REST API or a route of an HTTP API.
#[derive(Clone, Debug)]
pub(super) struct Route {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) api: String,
    pub(super) authorization: Authorization,
    /// True for `$default`, which takes what no other route does.
    pub(super) is_default: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Authorization {
    None,
    /// By its id, or by its name in the API's own document.
    Authorizer(String),
    /// Such as `AWS_IAM` or `JWT`.
    Other(String),
}

#[derive(Clone, Debug)]
pub(super) struct LogGroup {
    pub(super) name: String,
    /// Name in AWS, where it is said.
    pub(super) physical: Option<String>,
    pub(super) place: Place,
    pub(super) has_retention: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Bucket {
    pub(super) name: String,
    /// Name in AWS, where it is said.
    pub(super) physical: Option<String>,
    pub(super) place: Place,
    pub(super) blocks_public_access: Knowledge<bool>,
    pub(super) is_versioned: Knowledge<bool>,
}

/// A parameter of Parameter Store.
#[derive(Clone, Debug)]
pub(super) struct Parameter {
    pub(super) name: String,
    pub(super) physical: Option<String>,
    pub(super) place: Place,
    /// True where the resource is of a template, of which there can be several stacks.
    pub(super) is_of_template: bool,
}

/// A statement of a policy that allows something.
#[derive(Clone, Debug)]
pub(super) struct Grant {
    pub(super) to: String,
    pub(super) place: Place,
    pub(super) actions: Vec<String>,
    pub(super) resources: Vec<String>,
}

impl Deployment {
    /// Returns true if there is anything to look at: a gate, or a listener that passes certificates
    /// on.
    pub(super) fn has_gate(&self) -> bool {
        self.functions.iter().any(Function::is_gate) || self.passthrough_listeners().next().is_some()
    }

    pub(super) fn gates(&self) -> impl Iterator<Item = &Function> {
        self.functions.iter().filter(|function| function.is_gate())
    }

    pub(super) fn passthrough_listeners(&self) -> impl Iterator<Item = &Listener> {
        self.listeners
            .iter()
            .filter(|listener| listener.mutual_authentication == MutualAuthentication::Passthrough)
    }

    pub(super) fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|function| function.name == name)
    }

    pub(super) fn gate(&self, name: &str) -> Option<&Function> {
        self.function(name).filter(|function| function.is_gate())
    }

    pub(super) fn target_group(&self, name: &str) -> Option<&TargetGroup> {
        self.target_groups.iter().find(|group| group.name == name)
    }

    /// Returns the functions with a gate that a target group has.
    pub(super) fn gates_of<'a>(&'a self, group: &'a TargetGroup) -> impl Iterator<Item = &'a Function> {
        self.gates()
            .filter(|function| group.targets.contains(&function.name))
    }

    /// Returns the target groups that a function or a container is registered in.
    pub(super) fn groups_of<'a>(&'a self, function: &'a Function) -> impl Iterator<Item = &'a TargetGroup> {
        self.target_groups
            .iter()
            .filter(|group| group.targets.contains(&function.name))
    }

    /// Adds what several files say about one thing to what is known.
    pub(super) fn note(&mut self, place: Place, kind: &'static str, subject: &str, what: &str, remedy: &str) {
        self.unread.insert(Unread {
            place,
            kind,
            subject: text::shown(subject),
            what: text::shown(what),
            remedy: remedy.to_owned(),
        });
    }
}
