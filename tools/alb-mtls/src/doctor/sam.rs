//! What AWS SAM makes of its resources: functions with `Globals`, URLs, policies and aliases, APIs with their routes.

use super::api::{self, Protocol};
use super::facts::{Authorization, Authorizer, Route, identity_of};
use super::iam;
use super::node::Node;
use super::resources::{Facts, Resource};
use super::text::placeholder;

/// Adds what the resources of SAM make.
pub(super) fn read(facts: &mut Facts<'_>, resources: &[Resource], globals: Option<&Node>, prefix: &str) {
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
            name: format!("{prefix}Serverless{}", match protocol {
                Protocol::Rest => "RestApi",
                Protocol::Http => "HttpApi",
            }),
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
        iam::of_function(facts, &resource.name, policies, None);
    }
    for api in apis {
        let is_implicit = api.name.strip_prefix(prefix).is_some_and(|name| {
            matches!(name, "ServerlessRestApi" | "ServerlessHttpApi")
        });
        if !is_implicit || used.contains(&api.name) {
            read_api(facts, &api);
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
}

fn with_globals(globals: Option<&Node>, kind: &str, resource: &Node) -> Node {
    let empty = Node::empty(resource.line);
    let properties = resource.get("Properties").unwrap_or(&empty);
    match globals.and_then(|globals| globals.get(kind)) {
        Some(globals) => globals.merged_with(properties),
        None => properties.clone(),
    }
}

fn read_function(facts: &mut Facts<'_>, resource: &Resource, function: &Node) {
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
    let destination = function.string_at(&["Environment", "Variables", "CRL_DESTINATION"]);
    let policies = function.list_at(&["Policies"]);
    iam::of_function(facts, name, policies, destination.as_deref());
}

/// Adds the routes that a function's events make; returns the APIs that they are of.
fn events(
    facts: &mut Facts<'_>,
    resource: &Resource,
    function: &Node,
    apis: &[Api],
    prefix: &str,
) -> Vec<String> {
    let mut used = Vec::new();
    for (name, event) in function.get("Events").map(Node::members).unwrap_or_default() {
        let (reference, implicit) = match event.text_at(&["Type"]) {
            Some("Api") => ("RestApiId", "ServerlessRestApi"),
            Some("HttpApi") => ("ApiId", "ServerlessHttpApi"),
            _ => continue,
        };
        let given = event.get("Properties").and_then(|properties| properties.get(reference));
        // The reference can be written as a map, `{Ref: Api}`, which is resolved by now.
        let api = given.and_then(Node::text).map_or_else(|| format!("{prefix}{implicit}"), identity_of);
        let settings = apis.iter().find(|known| known.name == api);
        let own = event.text_at(&["Properties", "Auth", "Authorizer"]);
        let authorizer = own.or_else(|| settings.and_then(Api::default_authorizer));
        facts.deployment.routes.push(Route {
            name: format!("{}/{name}", resource.name),
            place: facts.place(event),
            api: api.clone(),
            authorization: authorization(authorizer),
        });
        used.push(api);
    }
    used
}

fn authorization(authorizer: Option<&str>) -> Authorization {
    match authorizer {
        None | Some("NONE") => Authorization::None,
        Some("AWS_IAM") => Authorization::Other("AWS_IAM".to_owned()),
        Some(name) => Authorization::Authorizer(name.to_owned()),
    }
}

fn read_api(facts: &mut Facts<'_>, api: &Api) {
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
    api::documents(facts, &api.name, api.protocol, properties, api.default_authorizer());
}
