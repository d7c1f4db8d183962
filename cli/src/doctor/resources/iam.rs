//! Facts from policies: statements, policies of AWS by name, SAM's templates and connectors.

mod known;

use super::reader::ResourceReader;
use crate::doctor::facts::{Grant, Place, PolicyAttachment, Role};
use crate::doctor::node::Node;
use crate::doctor::text::{placeholder, resource_in, unknown};
use crate::doctor::yaml;
use known::{HARMLESS, HARMLESS_TEMPLATES, MANAGED, TEMPLATES};

/// Adds the statements of a resource that has a policy.
pub(crate) fn resource(facts: &mut ResourceReader<'_>, kind: &str, name: &str, properties: &Node) {
    match kind {
        "AWS::IAM::Role" | "AWS::IAM::User" | "AWS::IAM::Group" => {
            if kind == "AWS::IAM::Role" {
                role(facts, name, properties.string_at(&["RoleName"]));
            }
            for policy in properties.list_at(&["Policies"]) {
                statements(facts, name, policy.get("PolicyDocument"));
            }
        }
        _ => {
            for document in ["PolicyDocument", "InlinePolicy", "Policy"] {
                statements(facts, name, properties.get(document));
            }
            for list in ["Roles", "RoleName", "Users", "Groups"] {
                for owner in properties.get(list).map(Node::texts).unwrap_or_default() {
                    attach(facts, owner, &placeholder(name));
                }
            }
        }
    }
    for list in ["ManagedPolicyArns", "ManagedPolicies"] {
        for policy in properties.list_at(&[list]) {
            managed_policy(facts, name, policy);
        }
    }
}

/// Adds a role.
pub(crate) fn role(facts: &mut ResourceReader<'_>, name: &str, physical: Option<String>) {
    let name = name.to_owned();
    facts.deployment.roles.push(Role { name, physical });
}

/// Adds that a role, a user or a group has a policy.
pub(crate) fn attach(facts: &mut ResourceReader<'_>, owner: &str, policy: &str) {
    facts.deployment.policy_attachments.push(PolicyAttachment {
        owner: owner.to_owned(),
        policy: policy.to_owned(),
    });
}

/// Adds the policies of a function of SAM.
pub(crate) fn of_function(facts: &mut ResourceReader<'_>, name: &str, policies: &[Node]) {
    for policy in policies {
        match policy.get("Statement") {
            Some(_) => statements(facts, name, Some(policy)),
            None => managed_policy(facts, name, policy),
        }
    }
}

pub(crate) fn statements(facts: &mut ResourceReader<'_>, to: &str, document: Option<&Node>) {
    let Some(document) = document else {
        return;
    };
    // A document can be written as a text.
    let parsed = document.text().and_then(|text| yaml::parse(text).ok());
    let document = parsed.as_ref().unwrap_or(document);
    facts.deployment.policies.insert(to.to_owned());
    for statement in document.list_at(&["Statement"]) {
        if statement.text_at(&["Effect"]) == Some("Allow") {
            let place = facts.place(statement);
            facts.deployment.grants.push(grant(to, place, statement));
        }
    }
}

/// Adds what a policy by its name or its ARN, or of one of SAM's templates, allows.
pub(crate) fn managed_policy(facts: &mut ResourceReader<'_>, to: &str, policy: &Node) {
    let (actions, resources): (Vec<&str>, Vec<String>) = match (policy.text(), policy.members()) {
        (Some(reference), _) => {
            let name = reference.rsplit('/').next().unwrap_or(reference);
            match MANAGED.iter().find(|(managed, _)| *managed == name) {
                Some((_, actions)) => (actions.to_vec(), vec!["*".to_owned()]),
                None if HARMLESS.contains(&name) => return,
                None => return attach(facts, &placeholder(to), reference),
            }
        }
        (None, [(name, _)]) if HARMLESS_TEMPLATES.contains(&name.as_str()) => return,
        (None, [(name, arguments)]) => match TEMPLATES.iter().find(|(known, ..)| known == name) {
            Some((_, actions, argument)) => {
                let resource = arguments.string_at(&[argument]);
                let resource = resource.unwrap_or_else(|| "*".to_owned());
                let resource = match *argument {
                    "BucketName" => format!("{resource}/*"),
                    _ => resource,
                };
                (actions.to_vec(), vec![resource])
            }
            // A newer one can allow anything.
            None => {
                let policy = unknown(&format!("policy template {name}"));
                return attach(facts, &placeholder(to), &policy);
            }
        },
        _ => return,
    };
    let place = facts.place(policy);
    facts.deployment.grants.push(Grant {
        to: to.to_owned(),
        place,
        actions: actions.into_iter().map(str::to_owned).collect(),
        resources,
    });
}

/// Adds what a connector of SAM allows its source, where that has a role.
pub(crate) fn connector(facts: &mut ResourceReader<'_>, source: &str, prefix: &str, node: &Node) {
    let mut permissions = node.list_at(&["Properties", "Permissions"]).iter();
    if !permissions.any(|permission| permission.text() == Some("Write")) {
        return;
    }
    for destination in node.list_at(&["Properties", "Destination"]) {
        let id = destination.text_at(&["Id"]).map(|id| format!("{prefix}{id}"));
        let arn = destination.text_at(&["Arn"]).and_then(resource_in);
        let Some(id) = id.or_else(|| arn.map(str::to_owned)) else {
            continue;
        };
        let place = facts.place(node);
        let actions = ["s3:PutObject", "ssm:PutParameter", "lambda:InvokeFunction"];
        facts.deployment.grants.push(Grant {
            to: source.to_owned(),
            place,
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            resources: vec![placeholder(&id)],
        });
    }
}

/// Returns what a statement allows.
pub(crate) fn grant(to: &str, place: Place, statement: &Node) -> Grant {
    let all = |name: &str| {
        let values = statement.get(name).map(Node::texts).unwrap_or_default();
        values.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    // What is allowed by naming what is not allowed is nearly everything.
    let or_everything = |values: Vec<String>, inverse: &str| match statement.get(inverse) {
        Some(_) => vec!["*".to_owned()],
        None => values,
    };
    Grant {
        to: to.to_owned(),
        place,
        actions: or_everything(all("Action"), "NotAction"),
        resources: or_everything(all("Resource"), "NotResource"),
    }
}
