//! What opens a gate that is right but wired wrong: one function for each way.

mod layer;

use std::collections::BTreeSet;

use serde::Serialize;

use super::deployment::{
    Deployment, Function, Grant, Knowledge, Listener, MutualAuthentication, Place, TargetGroup,
};
use super::described::matches_pattern;
use super::world::resource_in;

/// One way in, and how to close it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub(super) struct Finding {
    pub(super) file: String,
    pub(super) line: usize,
    /// What it is about.
    pub(super) resource: String,
    /// Stable name of the check, in kebab case.
    pub(super) check: &'static str,
    pub(super) what: String,
    pub(super) risk: &'static str,
    pub(super) fix: &'static str,
}

/// The name that the load balancer gives the header, and that the gate reads, when nobody says otherwise.
const DEFAULT_HEADER: &str = "x-amzn-mtls-clientcert";
const DEFAULT_CERTIFICATE_HEADER: &str = "default-certificate-header";
const DEFAULT_HEADER_RISK: &str = "a client without a certificate passes as another one if it copies their public chain into the header and the load balancer passes that on: AWS does not say that it is removed, and MTLS_TARGET_GROUPS does not help";
const DEFAULT_HEADER_FIX: &str = "set the listener attribute routing.http.request.x_amzn_mtls_clientcert.header_name to a name that only you know, and MTLS_HEADER to the same";

/// Every finding, in no particular order.
pub(super) fn all(deployment: &Deployment) -> BTreeSet<Finding> {
    let mut findings = Findings {
        deployment,
        found: BTreeSet::new(),
    };
    findings.listeners();
    findings.header_names();
    findings.header_names_of_functions();
    findings.target_groups();
    findings.functions();
    findings.permissions();
    findings.authorizers();
    findings.log_groups();
    findings.trust_sources();
    findings.found
}

/// Whether there is anything to look at: a function with a gate, or a listener that hands certificates on.
pub(super) fn has_gate(deployment: &Deployment) -> bool {
    deployment.functions.iter().any(Function::is_gate) || deployment.listeners.iter().any(is_passthrough)
}

fn is_passthrough(listener: &Listener) -> bool {
    listener.mutual_authentication == MutualAuthentication::Passthrough
}

/// Functions with a gate that a target group has.
fn functions_of<'a>(deployment: &'a Deployment, group: &TargetGroup) -> Vec<&'a Function> {
    let functions = deployment.functions.iter();
    functions
        .filter(|function| function.is_gate() && group.functions.contains(&function.name))
        .collect()
}

/// Returns whether a listener in passthrough mode is known to forward to the function, and under which name it hands
/// over the certificate: then the listener's check speaks of both.
fn is_behind_known_listener(deployment: &Deployment, function: &Function) -> bool {
    let groups = deployment.target_groups.iter();
    let of_function = groups.filter(|group| group.functions.contains(&function.name));
    let names: Vec<&str> = of_function.map(|group| group.name.as_str()).collect();
    let mut listeners = deployment
        .listeners
        .iter()
        .filter(|listener| is_passthrough(listener));
    listeners.any(|listener| {
        let forwards = listener.forwards.iter();
        let mut forwarded = forwards.map(|forward| forward.target_group.as_str());
        matches!(listener.certificate_header, Knowledge::Known(_))
            && forwarded.any(|group| names.contains(&group))
    })
}

/// Returns whether API Gateway, and no header, tells the function about certificates.
fn has_certificates_from_api(deployment: &Deployment, function: &Function) -> bool {
    match function
        .variables
        .get("AUTHORIZE_CERTIFICATE")
        .map(String::as_str)
    {
        Some(place) => place != "header",
        None => deployment
            .authorizers
            .iter()
            .any(|authorizer| authorizer.function == function.name),
    }
}

/// Whether requests through this target group are let in by the certificate header.
fn is_gated(deployment: &Deployment, name: &str) -> bool {
    let by_function = deployment
        .target_groups
        .iter()
        .any(|group| group.name == name && !functions_of(deployment, group).is_empty());
    let by_listener = deployment
        .listeners
        .iter()
        .filter(|listener| is_passthrough(listener))
        .any(|listener| {
            listener
                .forwards
                .iter()
                .any(|forward| forward.target_group == name)
        });
    by_function || by_listener
}

struct Findings<'a> {
    deployment: &'a Deployment,
    found: BTreeSet<Finding>,
}

impl<'a> Findings<'a> {
    fn add(
        &mut self,
        place: &Place,
        resource: &str,
        check: &'static str,
        what: String,
        risk: &'static str,
        fix: &'static str,
    ) {
        self.found.insert(Finding {
            file: place.file.clone(),
            line: place.line,
            resource: resource.to_owned(),
            check,
            what,
            risk,
            fix,
        });
    }

    fn listeners(&mut self) {
        let deployment = self.deployment;
        for listener in &deployment.listeners {
            for forward in listener
                .forwards
                .iter()
                .filter(|forward| is_gated(deployment, &forward.target_group))
            {
                let (check, what) = match listener.mutual_authentication {
                    MutualAuthentication::Passthrough => continue,
                    MutualAuthentication::Off => (
                        "listener-without-mutual-tls",
                        format!("forwards to {} without mutual TLS", forward.target_group),
                    ),
                    MutualAuthentication::Other => (
                        "listener-not-passthrough",
                        format!(
                            "forwards to {}, and is not known to be in passthrough mode",
                            forward.target_group
                        ),
                    ),
                };
                self.add(
                    &forward.place,
                    &forward.by,
                    check,
                    what,
                    "nobody proved to hold the private key: a client that writes somebody's public certificate into the header may pass as them",
                    "let this listener only redirect, or give it MutualAuthentication with Mode passthrough",
                );
            }
        }
    }

    /// The gate must read the header that the load balancer writes: any other one is the client's own.
    fn header_names(&mut self) {
        for listener in self
            .deployment
            .listeners
            .iter()
            .filter(|listener| is_passthrough(listener))
        {
            let written = match &listener.certificate_header {
                Knowledge::Known(name) => name.clone().unwrap_or_else(|| DEFAULT_HEADER.to_owned()),
                Knowledge::Unknown(command) => {
                    self.add(
                        &listener.place,
                        &listener.name,
                        "header-name-unknown",
                        format!("under which name it hands over the certificate is not said: save the answer of `{command}`"),
                        "a gate that reads another header reads what clients write",
                        "compare the listener's attribute routing.http.request.x_amzn_mtls_clientcert.header_name with MTLS_HEADER",
                    );
                    continue;
                }
            };
            if written.eq_ignore_ascii_case(DEFAULT_HEADER) {
                self.add(
                    &listener.place,
                    &listener.name,
                    DEFAULT_CERTIFICATE_HEADER,
                    "hands over the certificate under the default name".to_owned(),
                    DEFAULT_HEADER_RISK,
                    DEFAULT_HEADER_FIX,
                );
            }
            let names: Vec<&str> = listener
                .forwards
                .iter()
                .map(|forward| forward.target_group.as_str())
                .collect();
            for group in self
                .deployment
                .target_groups
                .iter()
                .filter(|group| names.contains(&group.name.as_str()))
            {
                for function in functions_of(self.deployment, group) {
                    let read = function.certificate_header().unwrap_or(DEFAULT_HEADER);
                    if !read.eq_ignore_ascii_case(&written) {
                        self.add(
                            &function.place,
                            &function.name,
                            "header-name-differs",
                            format!("reads `{read}`, and {} writes `{written}`", listener.name),
                            "the header that the gate reads is one that clients write: somebody's public certificate in it is taken for a proof",
                            "set MTLS_HEADER and the listener's attribute to the same name, in one deployment",
                        );
                    }
                }
            }
        }
    }

    /// Functions whose listener is not known here, such as one of another stack: what they read says enough.
    fn header_names_of_functions(&mut self) {
        let deployment = self.deployment;
        for function in deployment.functions.iter().filter(|function| function.is_gate()) {
            let read = function.certificate_header().unwrap_or(DEFAULT_HEADER);
            if !read.eq_ignore_ascii_case(DEFAULT_HEADER)
                || is_behind_known_listener(deployment, function)
                || has_certificates_from_api(deployment, function)
            {
                continue;
            }
            self.add(
                &function.place,
                &function.name,
                DEFAULT_CERTIFICATE_HEADER,
                "reads the certificate from the header with the default name".to_owned(),
                DEFAULT_HEADER_RISK,
                DEFAULT_HEADER_FIX,
            );
        }
    }

    fn target_groups(&mut self) {
        for group in &self.deployment.target_groups {
            if !group.is_for_lambda || !is_gated(self.deployment, &group.name) {
                continue;
            }
            let what = match group.multi_value_headers {
                Knowledge::Known(true) => continue,
                Knowledge::Known(false) => "multi-value headers are off".to_owned(),
                Knowledge::Unknown(command) => {
                    format!("whether multi-value headers are on is not said: save the answer of `{command}`")
                }
            };
            self.add(
                &group.place,
                &group.name,
                "single-value-headers",
                what,
                "of two certificate headers the function sees the last only: the client's own cannot be told from the load balancer's",
                "set the attribute lambda.multi_value_headers.enabled to true",
            );
        }
    }

    fn functions(&mut self) {
        for function in self
            .deployment
            .functions
            .iter()
            .filter(|function| function.is_gate())
        {
            let has_target_group = self
                .deployment
                .target_groups
                .iter()
                .any(|group| group.functions.contains(&function.name));
            let served = function.variables.get("MTLS_TARGET_GROUPS").map(String::as_str);
            if has_target_group
                && served.is_none_or(|served| served.split_whitespace().any(serves_everything))
            {
                self.add(
                    &function.place,
                    &function.name,
                    "target-groups-unset",
                    match served {
                        None => "MTLS_TARGET_GROUPS is not set".to_owned(),
                        Some(served) => format!("MTLS_TARGET_GROUPS is `{served}`"),
                    },
                    "whoever registers the function in another target group, behind a listener without mutual TLS, has a way around the handshake",
                    "set MTLS_TARGET_GROUPS to the ARN of the target group behind the listener in passthrough mode",
                );
            }
            self.layer(function);
            if function
                .variables
                .get("MTLS_MODE")
                .is_some_and(|mode| mode == "report")
            {
                self.add(
                    &function.place,
                    &function.name,
                    "mode-report",
                    "MTLS_MODE is report".to_owned(),
                    "nobody is refused",
                    "set MTLS_MODE to enforce once the records show whom it would refuse",
                );
            }
        }
        for url in &self.deployment.function_urls {
            let mut gates = self
                .deployment
                .functions
                .iter()
                .filter(|function| function.is_gate());
            if gates.any(|function| function.name == url.function) {
                self.add(
                    &url.place,
                    &url.name,
                    "function-url",
                    format!("{} has a URL of its own", url.function),
                    "requests reach the function past the load balancer, where no handshake asks for a certificate",
                    "delete the URL",
                );
            }
        }
    }

    fn permissions(&mut self) {
        for permission in &self.deployment.permissions {
            let mut functions = self.deployment.functions.iter();
            if !functions.any(|function| function.is_gate() && function.name == permission.function) {
                continue;
            }
            let mut missing = Vec::new();
            if permission.source_arn.as_deref().is_none_or(names_no_resource) {
                missing.push("SourceArn");
            }
            // The ARNs of other services name their account.
            let is_load_balancer = permission.principal.starts_with("elasticloadbalancing.");
            if permission.source_account.is_none() && is_load_balancer {
                missing.push("SourceAccount");
            }
            if !permission.principal.contains(".amazonaws.com") {
                missing = vec!["a service as principal"];
            }
            if missing.is_empty() {
                continue;
            }
            self.add(
                &permission.place,
                &permission.name,
                "permission-too-wide",
                format!(
                    "lets {} invoke {} without {}",
                    permission.principal,
                    permission.function,
                    missing.join(" and ")
                ),
                "others can have the function invoked, with events that hold any certificate they like",
                "name the target group in SourceArn and the account in SourceAccount",
            );
        }
    }

    fn authorizers(&mut self) {
        for authorizer in &self.deployment.authorizers {
            let mut functions = self.deployment.functions.iter();
            let Some(function) =
                functions.find(|function| function.is_gate() && function.name == authorizer.function)
            else {
                continue;
            };
            if authorizer.seconds != "0" {
                self.add(
                    &authorizer.place,
                    &authorizer.name,
                    "authorizer-cached",
                    format!("keeps verdicts for {} seconds", authorizer.seconds),
                    "the cache's key does not hold the certificate: one client gets another's verdict, and a revoked one its own old one",
                    "set AuthorizerResultTtlInSeconds to 0; left out, REST APIs keep verdicts for 300 seconds",
                );
            }
            let reads_header = function
                .variables
                .get("AUTHORIZE_CERTIFICATE")
                .is_some_and(|from| from == "header");
            for api in &self.deployment.apis {
                if api.has_default_endpoint
                    && !reads_header
                    && (authorizer.api == api.name || authorizer.api.is_empty())
                {
                    self.add(
                        &api.place,
                        &api.name,
                        "default-endpoint",
                        "its default endpoint is on".to_owned(),
                        "the default endpoint asks nobody for a certificate: only the custom domain does",
                        "set DisableExecuteApiEndpoint to true",
                    );
                }
            }
        }
    }

    fn log_groups(&mut self) {
        for function in self
            .deployment
            .functions
            .iter()
            .filter(|function| function.is_gate())
        {
            let group = function.log_group.as_deref().and_then(|wanted| {
                let mut groups = self.deployment.log_groups.iter();
                groups.find(|group| group.name == wanted || group.log_group_name.as_deref() == Some(wanted))
            });
            let (place, resource, what) = match group {
                Some(group) if group.has_retention => continue,
                Some(group) => (&group.place, &group.name, "has no retention"),
                None => (
                    &function.place,
                    &function.name,
                    "writes to a log group whose retention is not said",
                ),
            };
            self.add(
                place,
                resource,
                "log-retention",
                what.to_owned(),
                "records with the names of clients are kept for ever, or by somebody's hand too short to look into an incident",
                "make the log group with RetentionInDays, and name it in the function's LoggingConfig",
            );
        }
    }

    /// Who may write what the gate trusts.
    fn trust_sources(&mut self) {
        let sources = TrustSources::of(self.deployment);
        for bucket in &self.deployment.buckets {
            if !sources.buckets.contains(bucket.name.as_str()) {
                continue;
            }
            for (knowledge, check, yes_no, risk, fix) in [
                (
                    &bucket.blocks_public_access,
                    "trust-bucket-public",
                    "does not block public access",
                    "one wrong policy or list lets anybody write trust anchors, and so decide who gets in",
                    "block all four kinds of public access",
                ),
                (
                    &bucket.is_versioned,
                    "trust-bucket-unversioned",
                    "is not versioned",
                    "what was trusted when cannot be told, and a wrong bundle cannot be taken back",
                    "enable versioning",
                ),
            ] {
                let what = match knowledge {
                    Knowledge::Known(true) => continue,
                    Knowledge::Known(false) => yes_no.to_owned(),
                    Knowledge::Unknown(command) => {
                        format!(
                            "whether it {} is not said: save the answer of `{command}`",
                            yes_no.replace("does not block", "blocks").replace("is not", "is")
                        )
                    }
                };
                self.add(&bucket.place, &bucket.name, check, what, risk, fix);
            }
        }
        for grant in &self.deployment.grants {
            if let Some(what) = sources.written_by(grant) {
                self.add(
                    &grant.place,
                    &grant.to,
                    "trust-writer",
                    what,
                    "whoever may write trust anchors or CRLs decides who gets in",
                    "allow no more than reading; refresh-crls alone writes, and only below its CRL_DESTINATION",
                );
            }
        }
    }
}

/// A pattern that fits target groups of every name.
fn serves_everything(pattern: &str) -> bool {
    let name = pattern
        .rsplit_once("targetgroup/")
        .map_or(pattern, |(_, name)| name);
    name.split('/')
        .next()
        .unwrap_or_default()
        .chars()
        .all(|character| character == '*')
}

/// `*`, or an ARN with nothing but `*` for a resource.
fn names_no_resource(arn: &str) -> bool {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or(arn);
    let name = resource
        .rsplit_once("targetgroup/")
        .map_or(resource, |(_, name)| name);
    name.chars().all(|character| matches!(character, '*' | '/'))
}

/// Where the functions have their trust material from.
struct TrustSources<'a> {
    /// Names, or logical ids.
    buckets: BTreeSet<&'a str>,
    /// Paths in Parameter Store.
    parameters: BTreeSet<&'a str>,
}

const S3_WRITES: [&str; 7] = [
    "s3:putobject",
    "s3:deleteobject",
    "s3:deleteobjectversion",
    "s3:putobjectacl",
    "s3:putbucketpolicy",
    "s3:putbucketacl",
    "s3:putbucketversioning",
];

const SSM_WRITES: [&str; 3] = ["ssm:putparameter", "ssm:deleteparameter", "ssm:deleteparameters"];

impl<'a> TrustSources<'a> {
    fn of(deployment: &'a Deployment) -> Self {
        let sources = deployment.functions.iter().flat_map(Function::trust_sources);
        let parameters = sources.filter_map(|source| source.strip_prefix("ssm:"));
        Self {
            buckets: deployment.trust_buckets(),
            parameters: parameters.map(|path| path.trim_end_matches("/*")).collect(),
        }
    }

    /// What a grant lets somebody write that is none of their business.
    fn written_by(&self, grant: &Grant) -> Option<String> {
        let allows = |writes: &[&str]| {
            let mut actions = grant.actions.iter().map(|action| action.to_ascii_lowercase());
            actions.any(|action| writes.iter().any(|write| matches_pattern(&action, write)))
        };
        if allows(&S3_WRITES) {
            let resource = grant
                .resources
                .iter()
                .find(|resource| self.is_in_trust_bucket(resource));
            if let Some(resource) = resource.filter(|resource| !is_below_destination(resource, grant)) {
                return Some(format!("{} may write `{resource}`", grant.to));
            }
        }
        if allows(&SSM_WRITES) {
            let resource = grant
                .resources
                .iter()
                .find(|resource| self.is_trust_parameter(resource));
            if let Some(resource) = resource {
                return Some(format!("{} may write `{resource}`", grant.to));
            }
        }
        None
    }

    fn is_in_trust_bucket(&self, resource: &str) -> bool {
        self.buckets.iter().any(|bucket| {
            let name = resource
                .strip_prefix("arn:")
                .and_then(|arn| arn.split(":::").nth(1))
                .unwrap_or(resource);
            let name = name.split('/').next().unwrap_or_default();
            match resource_in(name) {
                Some(logical) => logical == *bucket,
                None => matches_pattern(name, bucket),
            }
        })
    }

    fn is_trust_parameter(&self, resource: &str) -> bool {
        let name = resource
            .split_once(":parameter")
            .map_or(resource, |(_, name)| name);
        self.parameters.iter().any(|path| {
            matches_pattern(name, path)
                || matches_pattern(name, &format!("{path}/a"))
                || name.starts_with(&format!("{path}/"))
        })
    }
}

/// Whether everything that fits the resource lies where its function publishes CRLs.
fn is_below_destination(resource: &str, grant: &Grant) -> bool {
    let destination = grant
        .destination
        .as_deref()
        .and_then(|url| url.strip_prefix("s3://"));
    let Some((bucket, prefix)) = destination.and_then(|object| object.split_once('/')) else {
        return false;
    };
    let Some((resource_bucket, key)) = resource.split_once('/') else {
        return false;
    };
    let bucket = resource_in(bucket).unwrap_or(bucket);
    let resource_bucket = resource_in(resource_bucket)
        .or_else(|| resource_bucket.split(":::").nth(1))
        .unwrap_or(resource_bucket);
    resource_bucket == bucket && !prefix.is_empty() && key.starts_with(prefix)
}
