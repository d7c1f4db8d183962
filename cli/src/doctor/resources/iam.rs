//! Facts from policies: statements, policies of AWS by name, SAM's templates and connectors.

use super::reader::ResourceReader;
use crate::doctor::facts::{Grant, Place, identity_of};
use crate::doctor::node::Node;
use crate::doctor::text::{placeholder, resource_in};
use crate::doctor::yaml;

/// Policies of AWS that allow writing, or invoking, everything.
const MANAGED: [(&str, &[&str]); 8] = [
    ("AdministratorAccess", &["*"]),
    ("PowerUserAccess", &["*"]),
    ("AmazonS3FullAccess", &["s3:*"]),
    ("AmazonSSMFullAccess", &["ssm:*"]),
    ("AWSLambda_FullAccess", &["lambda:*"]),
    ("AWSLambdaExecute", &["s3:GetObject", "s3:PutObject"]),
    ("AWSLambdaRole", &["lambda:InvokeFunction"]),
    ("SystemAdministrator", &["lambda:*", "ssm:*"]),
];

/// Adds the statements of a resource that has a policy.
pub(crate) fn resource(facts: &mut ResourceReader<'_>, kind: &str, name: &str, properties: &Node) {
    let before = facts.deployment.grants.len();
    match kind {
        "AWS::IAM::Role" | "AWS::IAM::User" | "AWS::IAM::Group" => {
            for policy in properties.list_at(&["Policies"]) {
                statements(facts, name, policy.get("PolicyDocument"), None);
            }
        }
        _ => {
            for document in ["PolicyDocument", "InlinePolicy", "Policy"] {
                statements(facts, name, properties.get(document), None);
            }
        }
    }
    for list in ["ManagedPolicyArns", "ManagedPolicies"] {
        for policy in properties.list_at(&[list]) {
            managed_policy(facts, name, policy, None);
        }
    }
    let role = match (kind, properties.list_at(&["Roles"])) {
        ("AWS::IAM::Role", _) => Some(name.to_owned()),
        ("AWS::IAM::Policy", [role]) => role.text().map(identity_of),
        _ => None,
    };
    for grant in facts.deployment.grants.iter_mut().skip(before) {
        grant.role.clone_from(&role);
    }
}

/// Adds the policies of a function of SAM.
pub(crate) fn of_function(
    facts: &mut ResourceReader<'_>,
    name: &str,
    policies: &[Node],
    destination: Option<&str>,
) {
    for policy in policies {
        match policy.get("Statement") {
            Some(_) => statements(facts, name, Some(policy), destination),
            None => managed_policy(facts, name, policy, destination),
        }
    }
}

pub(crate) fn statements(
    facts: &mut ResourceReader<'_>,
    to: &str,
    document: Option<&Node>,
    destination: Option<&str>,
) {
    let Some(document) = document else {
        return;
    };
    // A document can be written as a text.
    let parsed = document.text().and_then(|text| yaml::parse(text).ok());
    let document = parsed.as_ref().unwrap_or(document);
    for statement in document.list_at(&["Statement"]) {
        if statement.text_at(&["Effect"]) == Some("Allow") {
            let place = facts.place(statement);
            facts
                .deployment
                .grants
                .push(grant(to, place, statement, destination));
        }
    }
}

fn managed_policy(facts: &mut ResourceReader<'_>, to: &str, policy: &Node, destination: Option<&str>) {
    let (actions, resources): (Vec<&str>, Vec<String>) = match (policy.text(), policy.members()) {
        (Some(name), _) => {
            let name = name.rsplit('/').next().unwrap_or(name);
            match MANAGED.iter().find(|(managed, _)| *managed == name) {
                Some((_, actions)) => (actions.to_vec(), vec!["*".to_owned()]),
                None => return,
            }
        }
        (None, [(name, arguments)]) => {
            let writes = ["Crud", "Write", "Full"].iter().any(|word| name.contains(word));
            let (actions, argument) = match name.as_str() {
                _ if name.starts_with("S3") && writes => (vec!["s3:PutObject"], "BucketName"),
                _ if name.starts_with("SSMParameter") && writes => {
                    (vec!["ssm:PutParameter"], "ParameterName")
                }
                "LambdaInvokePolicy" => (vec!["lambda:InvokeFunction"], "FunctionName"),
                _ => return,
            };
            let resource = arguments.string_at(&[argument]);
            (actions, vec![resource.unwrap_or_else(|| "*".to_owned())])
        }
        _ => return,
    };
    let place = facts.place(policy);
    facts.deployment.grants.push(Grant {
        to: to.to_owned(),
        place,
        actions: actions.into_iter().map(str::to_owned).collect(),
        resources,
        role: None,
        destination: destination.map(str::to_owned),
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
            role: None,
            destination: None,
        });
    }
}

/// Returns what a statement allows.
pub(crate) fn grant(to: &str, place: Place, statement: &Node, destination: Option<&str>) -> Grant {
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
        role: None,
        destination: destination.map(str::to_owned),
    }
}
