//! Adds what AWS SAM makes of its resources: functions with `Globals`, URLs, policies and aliases,
//! APIs with their routes.

use crate::doctor::facts::{Authorization, Authorizer, Grant, Permission, Route, identity_of};
use crate::doctor::node::Node;
use crate::doctor::resources::api::{self, Protocol};
use crate::doctor::resources::iam;
use crate::doctor::resources::{Resource, ResourceReader};
use crate::doctor::rules;
use crate::doctor::text::placeholder;

/// Kinds of SAM whose effect on a gate is known: the others are named as not read.
const KNOWN: [&str; 8] = [
    "AWS::Serverless::Api",
    "AWS::Serverless::Application",
    "AWS::Serverless::Connector",
    "AWS::Serverless::Function",
    "AWS::Serverless::HttpApi",
    "AWS::Serverless::LayerVersion",
    "AWS::Serverless::SimpleTable",
    "AWS::Serverless::StateMachine",
];

/// Kinds with a role, to which a connector adds a policy; for others it lets the destination be
/// invoked by the source alone.
const WITH_ROLE: [&str; 4] = [
    "AWS::Lambda::Function",
    "AWS::Serverless::Function",
    "AWS::Serverless::StateMachine",
    "AWS::StepFunctions::StateMachine",
];

/// Adds what the resources of SAM make.
pub(crate) fn read(
    facts: &mut ResourceReader<'_>,
    resources: &[Resource],
    globals: Option<&Node>,
    prefix: &str,
) {
    let of_kind = |kind: &'static str| {
        let resources = resources.iter();
        resources.filter(move |resource| resource.node.text_at(&["Type"]) == Some(kind))
    };
    let mut apis = Vec::new();
    for (kind, global, protocol) in [
        ("AWS::Serverless::Api", "Api", Protocol::Rest),
        ("AWS::Serverless::HttpApi", "HttpApi", Protocol::Http),
    ] {
        for resource in of_kind(kind) {
            let properties = with_globals(globals, global, &resource.node);
            apis.push(Api {
                name: resource.name.clone(),
                line: resource.node.line,
                properties,
                protocol,
            });
        }
        // Made by the first function with an event that names no API.
        let empty = Node::empty(globals.map_or(1, |globals| globals.line));
        apis.push(Api {
            name: format!(
                "{prefix}Serverless{}",
                match protocol {
                    Protocol::Rest => "RestApi",
                    Protocol::Http => "HttpApi",
                }
            ),
            line: empty.line,
            properties: with_globals(globals, global, &empty),
            protocol,
        });
    }
    let mut used = Vec::new();
    for resource in of_kind("AWS::Serverless::Function") {
        let function = with_globals(globals, "Function", &resource.node);
        read_function(facts, resource, &function);
        used.extend(events(facts, resource, &function, &apis, prefix));
    }
    for resource in of_kind("AWS::Serverless::StateMachine") {
        let policies = resource.node.list_at(&["Properties", "Policies"]);
        iam::of_function(facts, &resource.name, policies);
    }
    connectors(facts, resources, prefix);
    for resource in resources {
        let kind = resource.node.text_at(&["Type"]).unwrap_or_default();
        if kind.starts_with("AWS::Serverless::") && !KNOWN.contains(&kind) {
            facts.note(
                &resource.node,
                rules::TRANSFORM,
                &resource.name,
                &format!("what SAM makes of {kind} is not read"),
                "look at the answer of `aws cloudformation get-template --template-stage Processed`, or at the stack with --stack",
            );
        }
    }
    for api in apis {
        let is_implicit = api
            .name
            .strip_prefix(prefix)
            .is_some_and(|name| matches!(name, "ServerlessRestApi" | "ServerlessHttpApi"));
        if !is_implicit || used.contains(&api.name) {
            read_api(facts, &api);
        }
    }
}

/// Adds what connectors allow, within a resource or as resources of their own.
fn connectors(facts: &mut ResourceReader<'_>, resources: &[Resource], prefix: &str) {
    for Resource { name, node } in resources {
        let kind = node.text_at(&["Type"]).unwrap_or_default();
        if kind == "AWS::Serverless::Connector" {
            let source = node.at(&["Properties", "Source"]);
            let id = source.and_then(|source| source.text_at(&["Id"]));
            let id = id.map_or_else(|| name.clone(), |id| format!("{prefix}{id}"));
            let mut resources = resources.iter();
            let of_source = resources.find(|resource| resource.name == id);
            let kind = of_source
                .and_then(|resource| resource.node.text_at(&["Type"]))
                .or_else(|| source.and_then(|source| source.text_at(&["Type"])));
            if kind.is_some_and(|kind| WITH_ROLE.contains(&kind)) {
                iam::connector(facts, &id, prefix, node);
            }
        }
        let own = node.get("Connectors").map(Node::members).unwrap_or_default();
        for (_, connector) in own.iter().filter(|_| WITH_ROLE.contains(&kind)) {
            iam::connector(facts, name, prefix, connector);
        }
    }
}

/// An API of SAM with what `Globals` says of all of them.
struct Api {
    name: String,
    line: usize,
    properties: Node,
    protocol: Protocol,
}

impl Api {
    fn default_authorizer(&self) -> Option<&str> {
        self.properties.text_at(&["Auth", "DefaultAuthorizer"])
    }

    /// Returns true if the API's own document has the path and the method of an event.
    fn documents(&self, event: &Node) -> bool {
        let text = |name: &str| event.text_at(&["Properties", name]).unwrap_or_default();
        let path = ["DefinitionBody", "paths", text("Path")];
        let methods = self.properties.at(&path).map(Node::members).unwrap_or_default();
        let mut methods = methods.iter().map(|(method, _)| method);
        methods.any(|method| method.eq_ignore_ascii_case(text("Method")))
    }
}

fn with_globals(globals: Option<&Node>, kind: &str, resource: &Node) -> Node {
    let empty = Node::empty(resource.line);
    let properties = resource.get("Properties").unwrap_or(&empty);
    let Some(globals) = globals.and_then(|globals| globals.get(kind)) else {
        return properties.clone();
    };
    let ignored = resource.get("IgnoreGlobals").map(Node::texts).unwrap_or_default();
    if ignored.contains(&"*") {
        return properties.clone();
    }
    let members = globals.members().iter();
    let members = members.filter(|(name, _)| !ignored.contains(&name.as_str()));
    Node::map(globals.line, members.cloned().collect()).merged_with(properties)
}

fn read_function(facts: &mut ResourceReader<'_>, resource: &Resource, function: &Node) {
    let Resource { name, node } = resource;
    let place = facts.place(node);
    facts.function(name, place.clone(), function);
    if let Some(alias) = function.text_at(&["AutoPublishAlias"]) {
        let alias = format!("{name}Alias{alias}");
        facts.deployment.aliases.insert(alias, placeholder(name));
    }
    if let Some(url) = function.get("FunctionUrlConfig") {
        let mut properties = url.clone();
        properties.set("TargetFunctionArn", Node::text_node(url.line, placeholder(name)));
        facts.function_url(name, place, &properties);
    }
    // With a role of its own, SAM ignores the policies.
    if function.get("Role").is_none() {
        iam::role(facts, name, None);
        destinations(facts, resource, function);
        if let Some(own) = facts.deployment.functions.last_mut() {
            own.role = Some(placeholder(name));
        }
    }
    iam::of_function(facts, name, function.list_at(&["Policies"]));
}

/// Adds that a function may invoke those that the outcomes of its invocations go to.
fn destinations(facts: &mut ResourceReader<'_>, resource: &Resource, function: &Node) {
    for outcome in ["OnSuccess", "OnFailure"] {
        let destination = function.at(&["EventInvokeConfig", "DestinationConfig", outcome]);
        let destination = destination.filter(|one| one.text_at(&["Type"]) == Some("Lambda"));
        let Some(other) = destination.and_then(|one| one.string_at(&["Destination"])) else {
            continue;
        };
        may_invoke(facts, resource.name.clone(), function, other);
    }
}

fn may_invoke(facts: &mut ResourceReader<'_>, to: String, node: &Node, function: String) {
    let place = facts.place(node);
    facts.deployment.grants.push(Grant {
        to,
        place,
        actions: vec!["lambda:InvokeFunction".to_owned()],
        resources: vec![function],
    });
}

/// Adds the routes that a function's events make; returns the APIs that they are of.
fn events(
    facts: &mut ResourceReader<'_>,
    resource: &Resource,
    function: &Node,
    apis: &[Api],
    prefix: &str,
) -> Vec<String> {
    let mut used = Vec::new();
    for (name, event) in function.get("Events").map(Node::members).unwrap_or_default() {
        invocation(facts, resource, name, event);
        let (reference, implicit) = match event.text_at(&["Type"]) {
            Some("Api") => ("RestApiId", "ServerlessRestApi"),
            Some("HttpApi") => ("ApiId", "ServerlessHttpApi"),
            _ => continue,
        };
        let given = event
            .get("Properties")
            .and_then(|properties| properties.get(reference));
        // The reference can be written as a map, `{Ref: Api}`, which is resolved by now.
        let api = given
            .and_then(Node::text)
            .map_or_else(|| format!("{prefix}{implicit}"), identity_of);
        let settings = apis.iter().find(|known| known.name == api);
        used.push(api.clone());
        // What the API's own document and default say stays, unless the event overrides it.
        let is_kept = settings.is_some_and(|api| api.default_authorizer().is_some() && api.documents(event))
            && !event.is_true(&["Properties", "Auth", "OverrideApiAuth"]);
        if is_kept {
            continue;
        }
        let own = event.text_at(&["Properties", "Auth", "Authorizer"]);
        let authorizer = own.or_else(|| settings.and_then(Api::default_authorizer));
        facts.deployment.routes.push(Route {
            name: format!("{}/{name}", resource.name),
            place: facts.place(event),
            api,
            authorization: authorization(authorizer),
            is_default: false,
        });
    }
    used
}

/// Adds the permission of an event for which SAM names no source, or only its account.
fn invocation(facts: &mut ResourceReader<'_>, resource: &Resource, name: &str, event: &Node) {
    let (principal, account) = match event.text_at(&["Type"]) {
        Some("AlexaSkill") => ("alexa-appkit.amazon.com", None),
        Some("S3") => ("s3.amazonaws.com", Some(placeholder("AWS::AccountId"))),
        // SAM makes a role for the scheduler.
        Some("ScheduleV2") if event.at(&["Properties", "RoleArn"]).is_none() => {
            let role = format!("{}/{name}", resource.name);
            return may_invoke(facts, role, event, placeholder(&resource.name));
        }
        _ => return,
    };
    let place = facts.place(event);
    facts.deployment.permissions.push(Permission {
        name: format!("{}/{name}", resource.name),
        place,
        function: placeholder(&resource.name),
        action: "lambda:InvokeFunction".to_owned(),
        principal: principal.to_owned(),
        source_arn: None,
        source_account: account,
        url_type: None,
    });
}

fn authorization(authorizer: Option<&str>) -> Authorization {
    match authorizer {
        None | Some("NONE") => Authorization::None,
        Some("AWS_IAM") => Authorization::Other("AWS_IAM".to_owned()),
        Some(name) => Authorization::Authorizer(name.to_owned()),
    }
}

fn read_api(facts: &mut ResourceReader<'_>, api: &Api) {
    let properties = &api.properties;
    let authorizers = properties.at(&["Auth", "Authorizers"]).map(Node::members);
    for (name, settings) in authorizers.unwrap_or_default() {
        let Some(function) = settings.string_at(&["FunctionArn"]) else {
            continue;
        };
        let seconds = settings.string_at(&["Identity", "ReauthorizeEvery"]);
        facts.deployment.authorizers.push(Authorizer {
            name: format!("{}/{name}", api.name),
            place: facts.place(settings),
            seconds: seconds.unwrap_or_else(|| api.protocol.seconds_kept().to_owned()),
            function,
            api: api.name.clone(),
        });
    }
    let mut node = Node::empty(api.line);
    node.set("Properties", properties.clone());
    api::endpoint(facts, &api.name, &node);
    let names = authorizers.unwrap_or_default().iter();
    let auth = api::ApiAuth {
        default: api.default_authorizer(),
        authorizers: names.map(|(name, _)| name.as_str()).collect(),
    };
    api::documents(facts, &api.name, api.protocol, properties, &auth);
}
