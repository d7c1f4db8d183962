//! Checks of listeners, their rules and target groups.

use alb_mtls_http::forms::CERTIFICATE_HEADER;

use super::{Checks, remedy};
use crate::doctor::facts::{
    Deployment, Forward, Function, Kind, Knowledge, Listener, MutualAuthentication, RemarkKind, TargetGroup,
};
use crate::doctor::rules;
use crate::doctor::text;

/// Beginnings of the names of security policies with TLS 1.0 or 1.1.
const OLD_POLICIES: [&str; 8] = [
    "ELBSecurityPolicy-2015",
    "ELBSecurityPolicy-2016",
    "ELBSecurityPolicy-TLS-1-0",
    "ELBSecurityPolicy-TLS-1-1",
    "ELBSecurityPolicy-TLS13-1-0",
    "ELBSecurityPolicy-TLS13-1-1",
    "ELBSecurityPolicy-FS-2018",
    "ELBSecurityPolicy-FS-1-1",
];

/// Step after which the listener of a gate is known.
const NAME_THE_LISTENER: &str =
    "name the template of the listener too, or look at the deployed one with --load-balancer NAME";

impl Checks<'_> {
    /// Requests for the gate come through listeners in passthrough mode alone.
    pub(super) fn listeners(&mut self) {
        let deployment = self.deployment;
        for listener in &deployment.listeners {
            let gated = listener.forwards.iter();
            for forward in gated.filter(|forward| is_gated(deployment, &forward.target_group)) {
                let group = &forward.target_group;
                match &listener.mutual_authentication {
                    MutualAuthentication::Passthrough => {}
                    MutualAuthentication::Off => self.find(
                        &rules::LISTENER_WITHOUT_MUTUAL_TLS,
                        &forward.place,
                        &forward.by,
                        &format!("forwards to {group} without mutual TLS"),
                    ),
                    MutualAuthentication::Verify => self.find(
                        &rules::LISTENER_NOT_PASSTHROUGH,
                        &forward.place,
                        &forward.by,
                        &format!("forwards to {group} in verify mode"),
                    ),
                    MutualAuthentication::Unknown(value) => self.miss(
                        rules::UNKNOWN_LISTENER,
                        &forward.place,
                        &forward.by,
                        &format!("forwards to {group}, and the mode of its listener `{value}` is not known"),
                        &remedy(value),
                    ),
                }
            }
            if gated_forward(deployment, listener) {
                self.remarks(listener);
            }
            if listener.mutual_authentication != MutualAuthentication::Passthrough {
                self.unknown_forwards(listener);
            }
        }
    }

    /// A target group that is not known can be that of a gate.
    fn unknown_forwards(&mut self, listener: &Listener) {
        let mut groups = self.deployment.target_groups.iter();
        if !groups.any(|group| is_gated(self.deployment, &group.name)) {
            return;
        }
        let forwards = listener.forwards.iter();
        for forward in forwards.filter(|forward| text::is_unknown(&forward.target_group)) {
            let what = format!(
                "{} forwards to the target group `{}` without mutual TLS in passthrough mode, and whether that is the gate's is not known",
                forward.by, forward.target_group
            );
            self.miss(
                rules::UNKNOWN_TARGET_GROUP,
                &forward.place,
                &forward.target_group,
                &what,
                &remedy(&forward.target_group),
            );
        }
    }

    fn remarks(&mut self, listener: &Listener) {
        for remark in &listener.remarks {
            let (rule, what) = match remark.kind {
                RemarkKind::RewritesRequest => (
                    &rules::REWRITTEN_REQUEST,
                    "rewrites the host or the path of requests",
                ),
                RemarkKind::ChecksTokenItself => (
                    &rules::TOKEN_ACTION,
                    "verifies tokens before the gate does, and not their certificate",
                ),
            };
            self.find(rule, &remark.place, &remark.by, what);
        }
        let (Some(policy), MutualAuthentication::Passthrough) =
            (&listener.tls_policy, &listener.mutual_authentication)
        else {
            return;
        };
        if let Knowledge::Known(policy) = policy
            && (policy.is_empty() || OLD_POLICIES.iter().any(|old| policy.starts_with(old)))
        {
            let what = match policy.as_str() {
                "" => "has no SslPolicy".to_owned(),
                policy => format!("has the SslPolicy `{policy}`"),
            };
            self.find(&rules::TLS_POLICY, &listener.place, &listener.name, &what);
        }
    }

    /// Checks that every target behind a listener in passthrough mode verifies.
    pub(super) fn targets(&mut self) {
        let deployment = self.deployment;
        for listener in deployment.passthrough_listeners() {
            for forward in &listener.forwards {
                match deployment.target_group(&forward.target_group) {
                    Some(group) => self.targets_of(forward, group),
                    None => self.miss(
                        rules::UNKNOWN_TARGET_GROUP,
                        &forward.place,
                        &forward.target_group,
                        &format!(
                            "{} forwards to the target group `{}`, which is not among the files",
                            forward.by, forward.target_group
                        ),
                        &remedy(&forward.target_group),
                    ),
                }
            }
        }
    }

    fn targets_of(&mut self, forward: &Forward, group: &TargetGroup) {
        if group.targets.is_empty() {
            self.miss(
                rules::UNKNOWN_TARGET,
                &group.place,
                &group.name,
                &format!("no target of {}, which {} forwards to, is among the files", group.name, forward.by),
                match group.is_for_lambda {
                    true => "name the template that registers it too, or save the answers of `aws lambda get-function-configuration` and `get-policy` beside",
                    false => "name the task definition or the manifest of the service too, or accept the target group once you have looked at what answers there",
                },
            );
        }
        for target in &group.targets {
            match self.deployment.function(target) {
                Some(function) if function.is_gate() => {}
                Some(function) => self.find(
                    &rules::TARGET_WITHOUT_GATE,
                    &forward.place,
                    &forward.by,
                    &format!(
                        "forwards to {} by {}, which has no MTLS_ANCHORS",
                        function.name, group.name
                    ),
                ),
                None => self.miss(
                    rules::UNKNOWN_TARGET,
                    &group.place,
                    target,
                    &format!("the target `{target}` of {} is not among the files", group.name),
                    &remedy(target),
                ),
            }
        }
    }

    /// Checks that the gate reads the header that the load balancer writes: any other one is the
    /// client's own.
    pub(super) fn header_names(&mut self) {
        let deployment = self.deployment;
        for listener in deployment.passthrough_listeners() {
            let written = match &listener.certificate_header {
                Knowledge::Known(name) => name.as_deref().unwrap_or(CERTIFICATE_HEADER),
                Knowledge::Unknown(command) => {
                    self.miss(
                        rules::UNKNOWN_VALUE,
                        &listener.place,
                        &listener.name,
                        "the name of the certificate header is not said",
                        command,
                    );
                    continue;
                }
            };
            if text::is_open(written) {
                self.miss(
                    rules::UNKNOWN_VALUE,
                    &listener.place,
                    &listener.name,
                    &format!("hands over the certificate under the name `{written}`, which is not known"),
                    &remedy(written),
                );
            } else if written.eq_ignore_ascii_case(CERTIFICATE_HEADER) {
                self.find(
                    &rules::DEFAULT_CERTIFICATE_HEADER,
                    &listener.place,
                    &listener.name,
                    "hands over the certificate under the default name",
                );
            }
            let groups = listener.forwards.iter();
            let groups = groups.filter_map(|forward| deployment.target_group(&forward.target_group));
            for function in groups.flat_map(|group| deployment.gates_of(group)) {
                self.header_name(listener, written, function);
            }
        }
    }

    fn header_name(&mut self, listener: &Listener, written: &str, function: &Function) {
        let read = function.certificate_header();
        if read.eq_ignore_ascii_case(written) {
            return;
        }
        let what = format!("reads `{read}`, and {} writes `{written}`", listener.name);
        match [read, written].into_iter().find(|name| text::is_unknown(name)) {
            Some(name) => self.miss(
                rules::UNKNOWN_VALUE,
                &function.place,
                &function.name,
                &format!("{what}: whether that is one name is not known"),
                &remedy(name),
            ),
            None => self.find(
                &rules::HEADER_NAME_DIFFERS,
                &function.place,
                &function.name,
                &what,
            ),
        }
    }

    /// Functions whose listener is not known here, such as one of another stack: what they read
    /// says enough.
    pub(super) fn header_names_of_functions(&mut self) {
        let deployment = self.deployment;
        for function in deployment.gates() {
            let read = function.certificate_header();
            if is_behind_known_listener(deployment, function)
                || has_certificates_from_api(deployment, function)
            {
                continue;
            }
            if text::is_open(read) {
                self.miss(
                    rules::UNKNOWN_VALUE,
                    &function.place,
                    &function.name,
                    &format!("reads the certificate from the header `{read}`, which is not known"),
                    &remedy(read),
                );
            } else if read.eq_ignore_ascii_case(CERTIFICATE_HEADER) {
                self.find(
                    &rules::DEFAULT_CERTIFICATE_HEADER,
                    &function.place,
                    &function.name,
                    "reads the certificate from the header with the default name",
                );
            }
        }
    }

    pub(super) fn target_groups(&mut self) {
        let deployment = self.deployment;
        let gated = deployment.target_groups.iter();
        let gated = gated.filter(|group| deployment.gates_of(group).next().is_some());
        for group in gated.filter(|group| !is_forwarded_to(deployment, &group.name)) {
            self.miss(
                rules::UNKNOWN_LISTENER,
                &group.place,
                &group.name,
                &format!(
                    "no listener among the files forwards to {}: which ones do is not known",
                    group.name
                ),
                NAME_THE_LISTENER,
            );
        }
        for gate in deployment.gates().filter(|gate| !is_reached(deployment, gate)) {
            self.miss(
                rules::UNKNOWN_LISTENER,
                &gate.place,
                &gate.name,
                "nothing among the files sends requests to it: which listeners and target groups do is not known",
                NAME_THE_LISTENER,
            );
        }
        for group in &deployment.target_groups {
            if !group.is_for_lambda || !is_gated(deployment, &group.name) {
                continue;
            }
            match &group.multi_value_headers {
                Knowledge::Known(true) => {}
                Knowledge::Known(false) => self.find(
                    &rules::SINGLE_VALUE_HEADERS,
                    &group.place,
                    &group.name,
                    "multi-value headers are off",
                ),
                Knowledge::Unknown(command) => self.miss(
                    rules::UNKNOWN_VALUE,
                    &group.place,
                    &group.name,
                    "whether multi-value headers are on is not said",
                    command,
                ),
            }
        }
    }
}

/// Returns true if a listener or a rule among the files forwards to a target group.
fn is_forwarded_to(deployment: &Deployment, group: &str) -> bool {
    let mut forwards = deployment
        .listeners
        .iter()
        .flat_map(|listener| &listener.forwards);
    forwards.any(|forward| forward.target_group == group)
}

/// Returns true if something among the files sends requests to a gate: a target group, an API, or
/// the proxies that ask it.
fn is_reached(deployment: &Deployment, gate: &Function) -> bool {
    let mut authorizers = deployment.authorizers.iter();
    let asked = gate.variables.get("SERVER_AUTHORIZE_LISTEN");
    deployment.groups_of(gate).next().is_some()
        || authorizers.any(|authorizer| authorizer.function == gate.name)
        || asked.is_some_and(|address| address != "off")
}

/// Returns true if requests through this target group are allowed in by the certificate header.
fn is_gated(deployment: &Deployment, name: &str) -> bool {
    let group = deployment.target_group(name);
    let has_gate = group.is_some_and(|group| deployment.gates_of(group).next().is_some());
    let mut passthrough = deployment.passthrough_listeners();
    has_gate
        || passthrough.any(|listener| {
            listener
                .forwards
                .iter()
                .any(|forward| forward.target_group == name)
        })
}

fn gated_forward(deployment: &Deployment, listener: &Listener) -> bool {
    let mut forwards = listener.forwards.iter();
    forwards.any(|forward| is_gated(deployment, &forward.target_group))
}

/// Returns true if a listener in passthrough mode is known to forward to the function, and under
/// which name it hands over the certificate: then the listener's check speaks of both.
fn is_behind_known_listener(deployment: &Deployment, function: &Function) -> bool {
    let groups: Vec<&str> = deployment
        .groups_of(function)
        .map(|group| group.name.as_str())
        .collect();
    let mut listeners = deployment.passthrough_listeners();
    listeners.any(|listener| {
        let mut forwards = listener.forwards.iter();
        matches!(listener.certificate_header, Knowledge::Known(_))
            && forwards.any(|forward| groups.contains(&forward.target_group.as_str()))
    })
}

/// Returns true if API Gateway, and no header, tells the function about certificates.
pub(super) fn has_certificates_from_api(deployment: &Deployment, function: &Function) -> bool {
    let place = function.variables.get("AUTHORIZE_CERTIFICATE");
    match place.map(String::as_str) {
        Some(place) => place != "header",
        None => {
            function.kind == Kind::Function
                && deployment
                    .authorizers
                    .iter()
                    .any(|authorizer| authorizer.function == function.name)
        }
    }
}
