//! Listeners, their rules and target groups.

use super::reader::ResourceReader;
use crate::doctor::facts::identity_of;
use crate::doctor::facts::{
    Forward, Knowledge, Listener, MutualAuthentication, Place, Remark, RemarkKind, TargetGroup,
};
use crate::doctor::node::Node;
use crate::doctor::text;

/// The attribute that names the passthrough header; those of verify mode have a suffix after
/// `clientcert`.
pub(in crate::doctor) const HEADER_ATTRIBUTE: &str =
    "routing.http.request.x_amzn_mtls_clientcert.header_name";
pub(in crate::doctor) const MULTI_VALUE_ATTRIBUTE: &str = "lambda.multi_value_headers.enabled";

impl ResourceReader<'_> {
    pub(super) fn listener(&mut self, name: &str, place: Place, properties: &Node) {
        let mode = properties.text_at(&["MutualAuthentication", "Mode"]);
        // An empty value is the default name.
        let renamed = attribute(properties.get("ListenerAttributes"), HEADER_ATTRIBUTE);
        let renamed = renamed.filter(|name| !name.is_empty()).map(str::to_owned);
        let has_tls = properties.text_at(&["Protocol"]) != Some("HTTP");
        let policy = properties.string_at(&["SslPolicy"]).unwrap_or_default();
        let actions = properties.get("DefaultActions");
        let (forwards, remarks) = self.actions(name, actions);
        self.deployment.listeners.push(Listener {
            name: name.to_owned(),
            place,
            mutual_authentication: mutual_authentication(mode),
            forwards,
            certificate_header: Knowledge::Known(renamed),
            is_mode_said: properties.get("MutualAuthentication").is_some(),
            tls_policy: has_tls.then_some(Knowledge::Known(policy)),
            remarks,
        });
    }

    pub(super) fn rule(&mut self, name: &str, place: Place, properties: &Node) {
        let (forwards, mut remarks) = self.actions(name, properties.get("Actions"));
        if !properties.list_at(&["Transforms"]).is_empty() {
            remarks.push(Remark {
                by: name.to_owned(),
                place: place.clone(),
                kind: RemarkKind::RewritesRequest,
            });
        }
        let listener = properties.text_at(&["ListenerArn"]).unwrap_or_default();
        self.deployment.rules.push(Listener {
            name: identity_of(listener),
            place,
            mutual_authentication: MutualAuthentication::Unknown(listener.to_owned()),
            forwards,
            certificate_header: Knowledge::Known(None),
            is_mode_said: true,
            tls_policy: None,
            remarks,
        });
    }

    fn actions(&self, by: &str, actions: Option<&Node>) -> (Vec<Forward>, Vec<Remark>) {
        let (mut forwards, mut remarks): (Vec<Forward>, Vec<Remark>) = (Vec::new(), Vec::new());
        for action in actions.map(Node::elements).unwrap_or_default() {
            let several = action.list_at(&["ForwardConfig", "TargetGroups"]);
            for target in several.iter().chain([action]) {
                let Some(target_group) = target.text_at(&["TargetGroupArn"]) else {
                    continue;
                };
                // A single one can be said in both places.
                if forwards.iter().all(|known| known.target_group != target_group) {
                    forwards.push(Forward {
                        target_group: target_group.to_owned(),
                        by: by.to_owned(),
                        place: self.place(target),
                    });
                }
            }
            if action.text_at(&["Type"]) == Some("jwt-validation") {
                remarks.push(Remark {
                    by: by.to_owned(),
                    place: self.place(action),
                    kind: RemarkKind::ChecksTokenItself,
                });
            }
        }
        (forwards, remarks)
    }

    pub(super) fn target_group(&mut self, name: &str, place: Place, properties: &Node) {
        let attributes = properties.get("TargetGroupAttributes");
        let targets = properties.list_at(&["Targets"]).iter();
        self.deployment.target_groups.push(TargetGroup {
            name: name.to_owned(),
            physical: properties.string_at(&["Name"]),
            place,
            is_for_lambda: properties.text_at(&["TargetType"]) == Some("lambda"),
            multi_value_headers: multi_value(attribute(attributes, MULTI_VALUE_ATTRIBUTE)),
            targets: targets.filter_map(|target| target.string_at(&["Id"])).collect(),
        });
    }
}

fn multi_value(value: Option<&str>) -> Knowledge<bool> {
    match value {
        Some(value) if text::is_unknown(value) => {
            Knowledge::Unknown(format!("give the value of `{}`", text::shown(value)))
        }
        value => Knowledge::Known(value.is_some_and(crate::doctor::node::is_true)),
    }
}

pub(in crate::doctor) fn mutual_authentication(mode: Option<&str>) -> MutualAuthentication {
    match mode {
        // `off` without quotes is a boolean in YAML 1.1.
        None | Some("off" | "false" | "") => MutualAuthentication::Off,
        Some("passthrough") => MutualAuthentication::Passthrough,
        Some("verify") => MutualAuthentication::Verify,
        Some(other) => MutualAuthentication::Unknown(other.to_owned()),
    }
}

/// Returns the value of an attribute in a list of keys and values.
pub(in crate::doctor) fn attribute<'a>(attributes: Option<&'a Node>, key: &str) -> Option<&'a str> {
    let attributes = attributes.map(Node::elements).unwrap_or_default();
    let mut attributes = attributes.iter();
    let attribute = attributes.find(|attribute| attribute.text_at(&["Key"]) == Some(key))?;
    attribute.text_at(&["Value"])
}
