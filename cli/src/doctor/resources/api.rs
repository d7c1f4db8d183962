//! Facts from API Gateway: authorizers, routes, endpoints, and the OpenAPI documents that can say
//! all of it.

use std::fs;
use std::path::Path;

use super::reader::ResourceReader;
use crate::doctor::facts::{Api, Authorization, Authorizer, Knowledge, Place, Route, identity_of};
use crate::doctor::node::Node;
use crate::doctor::rules;
use crate::doctor::text;
use crate::doctor::yaml;

const AUTHORIZER: &str = "x-amazon-apigateway-authorizer";
const ENDPOINT: &str = "x-amazon-apigateway-endpoint-configuration";

const METHODS: [&str; 9] = [
    "get",
    "put",
    "post",
    "delete",
    "options",
    "head",
    "patch",
    "trace",
    "x-amazon-apigateway-any-method",
];

/// Names in `security` that SAM defines.
const SAM_SCHEMES: [&str; 2] = ["AWS_IAM", "api_key"];

/// Additions of SAM's `Auth` to the document of an API.
#[derive(Clone, Debug, Default)]
pub(crate) struct ApiAuth<'a> {
    pub(crate) default: Option<&'a str>,
    pub(crate) authorizers: Vec<&'a str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Rest,
    Http,
}

impl Protocol {
    /// Returns the seconds for which answers are kept by default: REST APIs keep them unless they
    /// are told not to, HTTP APIs only when they are told to.
    pub(crate) fn seconds_kept(self) -> &'static str {
        match self {
            Self::Rest => "300",
            Self::Http => "0",
        }
    }
}

/// Adds what a resource of API Gateway says.
pub(crate) fn resource(
    facts: &mut ResourceReader<'_>,
    kind: &str,
    name: &str,
    place: Place,
    properties: &Node,
) {
    match kind {
        "AWS::ApiGateway::Authorizer" => authorizer(facts, name, place, properties, Protocol::Rest),
        "AWS::ApiGatewayV2::Authorizer" => authorizer(facts, name, place, properties, Protocol::Http),
        "AWS::ApiGateway::RestApi" | "AWS::ApiGatewayV2::Api" => {
            let protocol = match kind {
                "AWS::ApiGateway::RestApi" => Protocol::Rest,
                _ => Protocol::Http,
            };
            let mut node = Node::empty(place.line);
            node.set("Properties", properties.clone());
            endpoint(facts, name, &node);
            documents(facts, name, protocol, properties, &ApiAuth::default());
            // The quick way to make an API makes a route without an authorizer.
            if properties.get("Target").is_some() {
                facts.deployment.routes.push(Route {
                    name: name.to_owned(),
                    place,
                    api: name.to_owned(),
                    authorization: Authorization::None,
                    is_default: false,
                });
            }
        }
        "AWS::ApiGateway::Method" => {
            let is_preflight = properties.text_at(&["HttpMethod"]) == Some("OPTIONS")
                && properties.text_at(&["Integration", "Type"]) == Some("MOCK");
            if !is_preflight {
                route(facts, name, place, properties, "RestApiId");
            }
        }
        "AWS::ApiGatewayV2::Route" => {
            // Of a WebSocket API only the connection can be authorized.
            let key = properties.text_at(&["RouteKey"]).unwrap_or_default();
            let is_http = key.contains(' ') || matches!(key, "$default" | "$connect") || key.contains("${");
            if is_http {
                route(facts, name, place, properties, "ApiId");
            }
        }
        _ => {}
    }
}

fn authorizer(
    facts: &mut ResourceReader<'_>,
    name: &str,
    place: Place,
    properties: &Node,
    protocol: Protocol,
) {
    let Some(uri) = properties.text_at(&["AuthorizerUri"]) else {
        return;
    };
    let seconds = properties.string_at(&["AuthorizerResultTtlInSeconds"]);
    let api = properties
        .string_at(&["RestApiId"])
        .or_else(|| properties.string_at(&["ApiId"]));
    facts.deployment.authorizers.push(Authorizer {
        name: name.to_owned(),
        place,
        seconds: seconds.unwrap_or_else(|| protocol.seconds_kept().to_owned()),
        function: function_in(uri),
        api: api.unwrap_or_default(),
    });
}

/// Adds a method, or a route by its key.
fn route(facts: &mut ResourceReader<'_>, name: &str, place: Place, properties: &Node, api: &str) {
    let kind = properties.text_at(&["AuthorizationType"]).unwrap_or("NONE");
    let authorization = match (kind, properties.text_at(&["AuthorizerId"])) {
        ("NONE" | "", _) => Authorization::None,
        ("CUSTOM", Some(authorizer)) => Authorization::Authorizer(identity_of(authorizer)),
        (other, _) => Authorization::Other(other.to_owned()),
    };
    facts.deployment.routes.push(Route {
        name: name.to_owned(),
        place,
        api: properties.string_at(&[api]).unwrap_or_default(),
        authorization,
        is_default: properties.text_at(&["RouteKey"]) == Some("$default"),
    });
}

/// Adds an API, with what its own document says of its default endpoint.
pub(crate) fn endpoint(facts: &mut ResourceReader<'_>, name: &str, resource: &Node) {
    let properties = resource.get("Properties");
    let written = properties.and_then(|properties| properties.text_at(&["DisableExecuteApiEndpoint"]));
    let body = properties.and_then(|properties| body(properties));
    let in_body = body.and_then(|body| {
        let servers = body.list_at(&["servers"]).iter();
        let mut places = servers.chain([body]);
        places.find_map(|place| place.text_at(&[ENDPOINT, "disableExecuteApiEndpoint"]))
    });
    let has_default_endpoint = match written.or(in_body) {
        Some(value) if text::is_unknown(value) => Knowledge::Unknown(value.to_owned()),
        value => Knowledge::Known(!value.is_some_and(crate::doctor::node::is_true)),
    };
    facts.deployment.apis.push(Api {
        name: name.to_owned(),
        place: facts.place(resource),
        has_default_endpoint,
        is_websocket: properties.and_then(|properties| properties.text_at(&["ProtocolType"]))
            == Some("WEBSOCKET"),
    });
}

fn body(properties: &Node) -> Option<&Node> {
    properties
        .get("Body")
        .or_else(|| properties.get("DefinitionBody"))
}

/// Adds what the OpenAPI document of an API says, in the template or in a file beside it.
pub(crate) fn documents(
    facts: &mut ResourceReader<'_>,
    api: &str,
    protocol: Protocol,
    properties: &Node,
    auth: &ApiAuth<'_>,
) {
    if let Some(body) = body(properties).filter(|body| !body.members().is_empty()) {
        document(facts, api, protocol, body, auth);
    } else if let Some(body) = body(properties) {
        unread_document(facts, api, body);
    }
    let elsewhere = ["DefinitionUri", "BodyS3Location"];
    for location in elsewhere.iter().filter_map(|name| properties.get(name)) {
        let folder = Path::new(facts.file).parent();
        let path = location
            .text()
            .and_then(|path| folder.map(|folder| folder.join(path)));
        let text = path.and_then(|path| fs::read_to_string(path).ok());
        match text.and_then(|text| yaml::parse(&text).ok()) {
            Some(node) => document(facts, api, protocol, &node, auth),
            None => unread_document(facts, api, location),
        }
    }
}

fn unread_document(facts: &mut ResourceReader<'_>, api: &str, node: &Node) {
    facts.note(
        node,
        rules::API_DOCUMENT,
        api,
        "the OpenAPI document of an API is not beside this file: its routes and authorizers are not known",
        "put the file where the template says, or look at the answer of `aws apigateway get-export`, as the Body of the API",
    );
}

fn document(
    facts: &mut ResourceReader<'_>,
    api: &str,
    protocol: Protocol,
    document: &Node,
    auth: &ApiAuth<'_>,
) {
    let schemes: Vec<(String, Node)> = [
        document.at(&["components", "securitySchemes"]),
        document.get("securityDefinitions"),
    ]
    .into_iter()
    .flatten()
    .flat_map(|schemes| schemes.members().iter().cloned())
    .collect();
    for (name, scheme) in &schemes {
        let Some(settings) = scheme.get(AUTHORIZER) else {
            continue;
        };
        let Some(uri) = settings.text_at(&["authorizerUri"]) else {
            continue;
        };
        let seconds = settings.string_at(&["authorizerResultTtlInSeconds"]);
        facts.deployment.authorizers.push(Authorizer {
            name: format!("{api}/{name}"),
            place: facts.place(settings),
            seconds: seconds.unwrap_or_else(|| protocol.seconds_kept().to_owned()),
            function: function_in(uri),
            api: api.to_owned(),
        });
    }
    for (path, item) in document.get("paths").map(Node::members).unwrap_or_default() {
        if let Some(elsewhere) = item.get("$ref") {
            unread_document(facts, api, elsewhere);
        }
        for (method, operation) in item.members() {
            let method = method.to_ascii_lowercase();
            let integration = operation.text_at(&["x-amazon-apigateway-integration", "type"]);
            let is_mock = integration.is_some_and(|kind| kind.eq_ignore_ascii_case("mock"));
            if !METHODS.contains(&method.as_str()) || (method == "options" && is_mock) {
                continue;
            }
            let verb = method.strip_prefix("x-amazon-apigateway-").unwrap_or(&method);
            facts.deployment.routes.push(Route {
                name: format!("{api} {} {path}", verb.trim_end_matches("-method").to_uppercase()),
                place: facts.place(operation),
                api: api.to_owned(),
                authorization: security(document, operation, &schemes, auth),
                is_default: false,
            });
        }
    }
}

/// Returns the authorization of an operation: the weakest of the alternatives that it names.
fn security(
    document: &Node,
    operation: &Node,
    schemes: &[(String, Node)],
    auth: &ApiAuth<'_>,
) -> Authorization {
    let ApiAuth { default, authorizers } = auth;
    let own = operation.get("security").or_else(|| document.get("security"));
    let alternatives = own.map(Node::elements).unwrap_or_default();
    let kind = operation.text_at(&["x-amazon-apigateway-auth", "type"]);
    if alternatives.is_empty() {
        return match (kind, default) {
            (Some(kind), _) if kind != "NONE" => Authorization::Other(kind.to_owned()),
            (None, Some(default)) if own.is_none() && *default != "NONE" => {
                Authorization::Authorizer((*default).to_owned())
            }
            _ => Authorization::None,
        };
    }
    let is_authorizer = |name: &String| {
        let mut schemes = schemes.iter();
        let scheme = schemes.find(|(scheme, _)| scheme == name);
        match scheme {
            Some((_, scheme)) => scheme.at(&[AUTHORIZER, "authorizerUri"]).is_some(),
            None => authorizers.contains(&name.as_str()),
        }
    };
    // API Gateway leaves a name out that nothing defines.
    let is_defined = |name: &str| {
        let mut schemes = schemes.iter();
        let is_of_sam = authorizers.contains(&name) || SAM_SCHEMES.contains(&name);
        schemes.any(|(scheme, _)| scheme == name) || is_of_sam
    };
    // A key is asked for beside the authorizer, and says nothing of the client's certificate.
    let is_key = |name: &str| {
        let mut schemes = schemes.iter();
        let scheme = schemes
            .find(|(scheme, _)| scheme == name)
            .map(|(_, scheme)| scheme);
        scheme.is_some_and(|scheme| {
            scheme.text_at(&["type"]) == Some("apiKey")
                && scheme.get(AUTHORIZER).is_none()
                && scheme.get("x-amazon-apigateway-authtype").is_none()
        })
    };
    let mut weakest = Authorization::None;
    for alternative in alternatives {
        let all = alternative.members().iter().map(|(name, _)| name);
        let names: Vec<&String> = all.filter(|name| !is_key(name)).collect();
        if names.iter().any(|name| *name != "NONE" && !is_defined(name)) {
            return Authorization::None;
        }
        let authorizer = names.iter().find(|name| is_authorizer(name));
        match (names.first(), authorizer) {
            (None, _) if !alternative.members().is_empty() => {}
            (None, _) => return Authorization::None,
            (Some(name), _) if *name == "NONE" => return Authorization::None,
            (_, Some(name)) if weakest == Authorization::None => {
                weakest = Authorization::Authorizer((**name).clone());
            }
            (Some(name), None) => weakest = Authorization::Other((*name).clone()),
            _ => {}
        }
    }
    weakest
}

/// Returns the function in the URI of an authorizer: `…/functions/${Function.Arn}/invocations`.
pub(crate) fn function_in(uri: &str) -> String {
    let after = uri.split_once("/functions/").map_or(uri, |(_, after)| after);
    let function = after
        .split_once("/invocations")
        .map_or(after, |(before, _)| before);
    function.to_owned()
}
