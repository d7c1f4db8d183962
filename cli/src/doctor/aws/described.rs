//! Reads what the AWS command line says of a deployed stack, each answer in a file.

use crate::doctor::facts::{
    Api, Authorizer, Bucket, Deployment, Forward, Function, FunctionUrl, Grant, Kind, Knowledge, Listener,
    LogGroup, Permission, Place, Remark, RemarkKind, TargetGroup,
};
use crate::doctor::node::{Node, Value};
use crate::doctor::resources::api::{Protocol, function_in};
use crate::doctor::resources::balancing::{
    HEADER_ATTRIBUTE, MULTI_VALUE_ATTRIBUTE, attribute, mutual_authentication,
};
use crate::doctor::resources::blocks_everything;
use crate::doctor::resources::compute::timeout;
use crate::doctor::resources::iam::grant;
use crate::doctor::text::matches;
use crate::doctor::yaml::{self, YamlError};

const LISTENER_ATTRIBUTES: &str = "aws elbv2 describe-listener-attributes";
const TARGET_GROUP_ATTRIBUTES: &str = "aws elbv2 describe-target-group-attributes";

#[derive(Debug, thiserror::Error)]
pub(crate) enum DescribedError {
    #[error("neither a template nor an answer of the AWS command line that is known here")]
    UnknownAnswer,
    #[error("its policy is {0}")]
    Policy(#[from] YamlError),
    #[error("an answer that does not say what it is about: put `{0}` into the name of the file")]
    Whose(&'static str),
}

/// Adds what one answer says. Attributes and rules belong to what other answers name: those come
/// first.
pub(crate) fn read(answer: &Node, file: &str, deployment: &mut Deployment) -> Result<(), DescribedError> {
    let place = |node: &Node| Place {
        file: file.to_owned(),
        line: node.line,
    };
    let list = |name: &str| answer.get(name).map(Node::elements);
    if let Some(listeners) = list("Listeners") {
        for listener in listeners {
            let arn = text(listener, "ListenerArn");
            deployment.listeners.push(Listener {
                forwards: forwards(&arn, listener.get("DefaultActions"), place),
                mutual_authentication: mutual_authentication(
                    listener.text_at(&["MutualAuthentication", "Mode"]),
                ),
                certificate_header: Knowledge::Unknown(save(LISTENER_ATTRIBUTES)),
                place: place(listener),
                is_mode_said: true,
                tls_policy: listener.string_at(&["SslPolicy"]).map(Knowledge::Known),
                remarks: remarks(&arn, listener, place),
                name: arn,
            });
        }
    } else if let Some(rules) = list("Rules") {
        for rule in rules {
            let arn = text(rule, "RuleArn");
            let forwards = forwards(&arn, rule.get("Actions"), place);
            let listener = listener_of_rule(&arn);
            match deployment
                .listeners
                .iter_mut()
                .find(|known| known.name == listener)
            {
                Some(known) => {
                    known.forwards.extend(forwards);
                    known.remarks.extend(remarks(&arn, rule, place));
                }
                None => {
                    return Err(DescribedError::Whose(
                        "the file of its listener, too: describe-listeners",
                    ));
                }
            }
        }
    } else if let Some(groups) = list("TargetGroups") {
        for group in groups {
            deployment.target_groups.push(TargetGroup {
                name: text(group, "TargetGroupArn"),
                physical: group.string_at(&["TargetGroupName"]),
                place: place(group),
                is_for_lambda: group.text_at(&["TargetType"]) == Some("lambda"),
                multi_value_headers: Knowledge::Unknown(save(TARGET_GROUP_ATTRIBUTES)),
                targets: Vec::new(),
            });
        }
    } else if let Some(attributes) = answer.get("Attributes") {
        read_attributes(attributes, file, deployment)?;
    } else if let Some(arn) = answer.text_at(&["FunctionArn"]) {
        if answer.get("FunctionUrl").is_some() {
            deployment.function_urls.push(FunctionUrl {
                name: text(answer, "FunctionUrl"),
                place: place(answer),
                function: unqualified(arn),
            });
        } else {
            let variables = answer.at(&["Environment", "Variables"]).map(Node::members);
            let variables = variables.unwrap_or_default();
            let layers = answer.get("Layers").map(Node::elements).unwrap_or_default();
            deployment.functions.push(Function {
                name: unqualified(arn),
                physical: answer.string_at(&["FunctionName"]),
                kind: Kind::Function,
                place: place(answer),
                runtime: answer.text_at(&["Runtime"]).map(str::to_owned),
                // What it allows is not asked for.
                role: None,
                variables: variables
                    .iter()
                    .map(|(name, value)| (name.clone(), value.texts().concat()))
                    .collect(),
                layers: layers
                    .iter()
                    .filter_map(|layer| layer.text_at(&["Arn"]).map(str::to_owned))
                    .collect(),
                timeout: timeout(answer),
                log_group: Some(answer.text_at(&["LoggingConfig", "LogGroup"]).map_or_else(
                    || format!("/aws/lambda/{}", text(answer, "FunctionName")),
                    str::to_owned,
                )),
            });
        }
    } else if let Some(policy) = answer.text_at(&["Policy"]) {
        let policy = yaml::parse(policy)?;
        for statement in policy.get("Statement").map(Node::elements).unwrap_or_default() {
            if statement.text_at(&["Effect"]) == Some("Allow") {
                read_statement(statement, place(answer), deployment);
            }
        }
    } else if let Some(groups) = list("logGroups") {
        for group in groups {
            let name = text(group, "logGroupName");
            deployment.log_groups.push(LogGroup {
                physical: Some(name.clone()),
                has_retention: group.get("retentionInDays").is_some(),
                place: place(group),
                name,
            });
        }
    } else if let Some(block) = answer.get("PublicAccessBlockConfiguration") {
        bucket(file, place(answer), deployment)?.blocks_public_access =
            Knowledge::Known(blocks_everything(block));
    } else if answer.get("MFADelete").is_some()
        || matches!(answer.text_at(&["Status"]), Some("Enabled" | "Suspended"))
    {
        let is_versioned = answer.text_at(&["Status"]) == Some("Enabled");
        bucket(file, place(answer), deployment)?.is_versioned = Knowledge::Known(is_versioned);
    } else if let Some(items) = list("items").or_else(|| list("Items")) {
        for item in items {
            read_api_item(item, place(item), deployment);
        }
    } else if answer.get("disableExecuteApiEndpoint").is_some()
        || answer.get("DisableExecuteApiEndpoint").is_some()
    {
        read_api_item(answer, place(answer), deployment);
    } else {
        return Err(DescribedError::UnknownAnswer);
    }
    Ok(())
}

/// Returns true if a document is an answer that is known here.
pub(crate) fn is_answer(document: &Node) -> bool {
    const NAMES: [&str; 14] = [
        "Attributes",
        "DisableExecuteApiEndpoint",
        "FunctionArn",
        "Items",
        "Listeners",
        "MFADelete",
        "Policy",
        "PublicAccessBlockConfiguration",
        "Rules",
        "Status",
        "TargetGroups",
        "disableExecuteApiEndpoint",
        "items",
        "logGroups",
    ];
    NAMES.iter().any(|name| document.get(name).is_some())
}

/// Returns what tells what is missing.
fn save(command: &str) -> String {
    format!("save the answer of `{command}` beside")
}

/// Returns what a listener or a rule does to requests before they are forwarded.
fn remarks(by: &str, of: &Node, place: impl Fn(&Node) -> Place) -> Vec<Remark> {
    let remark = |node: &Node, kind: RemarkKind| Remark {
        by: by.to_owned(),
        place: place(node),
        kind,
    };
    let rewrites = of.list_at(&["Transforms"]).first();
    let mut remarks: Vec<Remark> = rewrites
        .map(|node| remark(node, RemarkKind::RewritesRequest))
        .into_iter()
        .collect();
    let actions = of
        .list_at(&["Actions"])
        .iter()
        .chain(of.list_at(&["DefaultActions"]));
    let checks = actions.filter(|action| action.text_at(&["Type"]) == Some("jwt-validation"));
    remarks.extend(checks.map(|action| remark(action, RemarkKind::ChecksTokenItself)));
    remarks
}

/// Returns the order in which answers are read, so that what is about others finds them.
pub(crate) fn order(answer: &Node) -> u8 {
    let has = |name: &str| answer.get(name).is_some();
    match () {
        () if has("Listeners") || has("TargetGroups") || has("FunctionArn") => 0,
        () if has("Rules") => 1,
        () => 2,
    }
}

fn forwards(by: &str, actions: Option<&Node>, place: impl Fn(&Node) -> Place) -> Vec<Forward> {
    let mut forwards: Vec<Forward> = Vec::new();
    for action in actions.map(Node::elements).unwrap_or_default() {
        let several = action.at(&["ForwardConfig", "TargetGroups"]).map(Node::elements);
        for target in several.unwrap_or_default().iter().chain([action]) {
            let Some(target_group) = target.text_at(&["TargetGroupArn"]) else {
                continue;
            };
            // The command line says a single one twice.
            if forwards.iter().all(|known| known.target_group != target_group) {
                forwards.push(Forward {
                    target_group: target_group.to_owned(),
                    by: by.to_owned(),
                    place: place(target),
                });
            }
        }
    }
    forwards
}

/// `…:listener-rule/app/NAME/ID/LISTENER/RULE` is a rule of `…:listener/app/NAME/ID/LISTENER`.
fn listener_of_rule(arn: &str) -> String {
    let listener = arn.rsplit_once('/').map_or(arn, |(listener, _)| listener);
    listener.replacen(":listener-rule/", ":listener/", 1)
}

/// Attributes come without the name of what they belong to: the file's name has to hold it, or
/// there is only one.
fn read_attributes(attributes: &Node, file: &str, deployment: &mut Deployment) -> Result<(), DescribedError> {
    // Names of folders are not the file's.
    let file = file.rsplit('/').next().unwrap_or(file);
    let keys: Vec<&str> = attributes
        .elements()
        .iter()
        .filter_map(|one| one.text_at(&["Key"]))
        .collect();
    if keys.contains(&MULTI_VALUE_ATTRIBUTE) {
        let value = attribute(Some(attributes), MULTI_VALUE_ATTRIBUTE) == Some("true");
        let mut groups: Vec<_> = deployment
            .target_groups
            .iter_mut()
            .filter(|group| group.is_for_lambda)
            .collect();
        let only = groups.len() == 1;
        let named = |name: &str| name.split('/').any(|part| part.len() > 2 && file.contains(part));
        let group = groups
            .iter_mut()
            .find(|group| only || named(after_resource_type(&group.name)));
        group
            .ok_or(DescribedError::Whose("the name of the target group"))?
            .multi_value_headers = Knowledge::Known(value);
    } else if keys
        .iter()
        .any(|key| key.starts_with("routing.http.") && key.ends_with(".header_name"))
        || keys.iter().any(|key| key.starts_with("routing.http.response."))
    {
        let renamed = attribute(Some(attributes), HEADER_ATTRIBUTE).filter(|name| !name.is_empty());
        let only = deployment.listeners.len() == 1;
        let listener = deployment.listeners.iter_mut().find(|listener| {
            let own = listener.name.rsplit('/').next().unwrap_or_default();
            only || (!own.is_empty() && file.contains(own))
        });
        listener
            .ok_or(DescribedError::Whose("the last part of the listener's ARN"))?
            .certificate_header = Knowledge::Known(renamed.map(str::to_owned));
    }
    // Attributes of load balancers say nothing that is looked at here.
    Ok(())
}

/// `NAME/ID` of the ARN of a target group.
fn after_resource_type(arn: &str) -> &str {
    arn.split_once("targetgroup/").map_or(arn, |(_, after)| after)
}

/// Returns the ARN of a function without its alias or version.
pub(crate) fn unqualified(arn: &str) -> String {
    arn.splitn(8, ':').take(7).collect::<Vec<_>>().join(":")
}

/// A statement of a function's policy is a permission, one of a bucket's a grant.
fn read_statement(statement: &Node, place: Place, deployment: &mut Deployment) {
    let resources = statement.get("Resource").map(Node::texts).unwrap_or_default();
    let principal = match statement.get("Principal") {
        Some(principal) => principal.texts().join(" "),
        None => String::new(),
    };
    let Some(function) = resources.iter().find(|resource| resource.contains(":function:")) else {
        let to = principal.clone();
        let allowed: Grant = grant(&to, place, statement);
        return deployment.grants.push(allowed);
    };
    let function = unqualified(function);
    let source_arn = condition(statement, "aws:sourcearn");
    // Which function a target group has is said nowhere else that is asked for.
    if let Some(arn) = &source_arn {
        let groups = deployment.target_groups.iter_mut();
        for group in groups.filter(|group| matches(arn, &group.name)) {
            group.targets.push(function.clone());
        }
    }
    deployment.permissions.push(Permission {
        name: statement.text_at(&["Sid"]).unwrap_or("without a name").to_owned(),
        place,
        source_account: condition(statement, "aws:sourceaccount"),
        action: statement
            .get("Action")
            .map(Node::texts)
            .unwrap_or_default()
            .join(" "),
        url_type: condition(statement, "lambda:functionurlauthtype")
            .or_else(|| condition(statement, "lambda:invokedviafunctionurl")),
        function,
        principal,
        source_arn,
    });
}

/// Returns the value of a condition, whatever compares it; names of conditions have no case.
fn condition(statement: &Node, key: &str) -> Option<String> {
    let operators = statement.get("Condition").map(Node::members).unwrap_or_default();
    operators.iter().find_map(|(_, keys)| {
        let keys = keys.members().iter();
        keys.filter(|(name, _)| name.eq_ignore_ascii_case(key))
            .find_map(|(_, value)| value.texts().first().map(|text| (*text).to_owned()))
    })
}

/// Answers about a bucket do not name it either: the file's name has to hold its name, or there is
/// only one.
fn bucket<'a>(
    file: &str,
    place: Place,
    deployment: &'a mut Deployment,
) -> Result<&'a mut Bucket, DescribedError> {
    let known = deployment.trust_buckets();
    let named = known.iter().filter(|name| file.contains(name.as_str()));
    let name = match known.first() {
        // No function reads it.
        None => file.to_owned(),
        Some(only) if known.len() == 1 => only.clone(),
        // One name may begin with another.
        Some(_) => match named.max_by_key(|name| name.len()) {
            Some(name) => name.clone(),
            None => return Err(DescribedError::Whose("the name of the bucket")),
        },
    };
    let index = match deployment.buckets.iter().position(|known| known.name == name) {
        Some(index) => index,
        None => {
            deployment.buckets.push(Bucket {
                name,
                physical: None,
                place,
                blocks_public_access: Knowledge::Unknown(save("aws s3api get-public-access-block")),
                is_versioned: Knowledge::Unknown(save("aws s3api get-bucket-versioning")),
            });
            deployment.buckets.len() - 1
        }
    };
    #[expect(clippy::indexing_slicing, reason = "the position was found or made above")]
    Ok(&mut deployment.buckets[index])
}

/// Returns an authorizer of `get-authorizers`, or an API of `get-rest-api`, `get-api` and their
/// lists.
fn read_api_item(item: &Node, place: Place, deployment: &mut Deployment) {
    let any = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| item.text_at(&[name]))
            .map(str::to_owned)
    };
    if let Some(uri) = any(&["authorizerUri", "AuthorizerUri"]) {
        let protocol = match item.get("authorizerUri") {
            Some(_) => Protocol::Rest,
            None => Protocol::Http,
        };
        let kept = any(&["authorizerResultTtlInSeconds", "AuthorizerResultTtlInSeconds"]);
        deployment.authorizers.push(Authorizer {
            name: any(&["name", "Name"]).unwrap_or_default(),
            seconds: kept.unwrap_or_else(|| protocol.seconds_kept().to_owned()),
            function: unqualified(&function_in(&uri)),
            api: String::new(),
            place,
        });
    } else if let Some(disabled) = any(&["disableExecuteApiEndpoint", "DisableExecuteApiEndpoint"]) {
        deployment.apis.push(Api {
            name: any(&["name", "Name"]).unwrap_or_default(),
            has_default_endpoint: Knowledge::Known(disabled != "true"),
            place,
            is_websocket: any(&["ProtocolType"]).as_deref() == Some("WEBSOCKET"),
        });
    }
}

fn text(node: &Node, name: &str) -> String {
    match node.get(name).map(|node| &node.value) {
        Some(Value::Text(text)) => text.clone(),
        _ => String::new(),
    }
}
