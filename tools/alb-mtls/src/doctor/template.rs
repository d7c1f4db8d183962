//! A CloudFormation or SAM template as a deployment, in one world of its parameters.

use std::collections::BTreeMap;

use super::deployment::{
    Api, Authorizer, Bucket, Deployment, Forward, Function, FunctionUrl, Grant, Knowledge, Listener,
    LogGroup, MutualAuthentication, Permission, Place, TargetGroup,
};
use super::node::Node;
use super::world::{World, resource_in};

/// The attribute that names the passthrough header; those of verify mode have a suffix after `clientcert`.
pub(super) const HEADER_ATTRIBUTE: &str = "routing.http.request.x_amzn_mtls_clientcert.header_name";
pub(super) const MULTI_VALUE_ATTRIBUTE: &str = "lambda.multi_value_headers.enabled";

/// Adds what the template makes.
pub(super) fn read(template: &Node, world: &World, file: &str, deployment: &mut Deployment) {
    let mut reader = Reader {
        template,
        world,
        file,
        deployment,
    };
    let resources = world.resources(template);
    for (name, resource) in &resources {
        reader.resource(name, resource);
    }
    // Rules belong to listeners, which may stand after them.
    for (name, resource) in &resources {
        if resource.text_at(&["Type"]) == Some("AWS::ElasticLoadBalancingV2::ListenerRule") {
            reader.rule(name, resource);
        }
    }
    for (name, resource) in &resources {
        if let Some("AWS::Lambda::Alias" | "AWS::Lambda::Version") = resource.text_at(&["Type"]) {
            let function = id(resource.text_at(&["Properties", "FunctionName"]));
            deployment.rename_function(name, &function);
        }
    }
}

struct Reader<'a> {
    template: &'a Node,
    world: &'a World,
    file: &'a str,
    deployment: &'a mut Deployment,
}

impl Reader<'_> {
    fn place(&self, node: &Node) -> Place {
        Place {
            file: self.file.to_owned(),
            line: node.line,
        }
    }

    fn resource(&mut self, name: &str, resource: &Node) {
        let empty = Node {
            line: resource.line,
            value: super::node::Value::Null,
        };
        let properties = resource.get("Properties").unwrap_or(&empty);
        let place = self.place(resource);
        let name = name.to_owned();
        match resource.text_at(&["Type"]).unwrap_or_default() {
            "AWS::ElasticLoadBalancingV2::Listener" => self.listener(name, place, properties),
            "AWS::ElasticLoadBalancingV2::TargetGroup" => self.deployment.target_groups.push(TargetGroup {
                name,
                place,
                is_for_lambda: properties.text_at(&["TargetType"]) == Some("lambda"),
                multi_value_headers: Knowledge::Known(
                    attribute(properties.get("TargetGroupAttributes"), MULTI_VALUE_ATTRIBUTE) == Some("true"),
                ),
                functions: targets(properties),
            }),
            "AWS::Serverless::Function" | "AWS::Lambda::Function" => self.function(name, place, properties),
            "AWS::Lambda::Permission" => self.deployment.permissions.push(Permission {
                name,
                place,
                function: id(properties.text_at(&["FunctionName"])),
                principal: text(properties, "Principal").unwrap_or_default(),
                source_arn: text(properties, "SourceArn"),
                source_account: text(properties, "SourceAccount"),
            }),
            "AWS::Lambda::Url" => self.deployment.function_urls.push(FunctionUrl {
                name,
                place,
                function: id(properties.text_at(&["TargetFunctionArn"])),
            }),
            "AWS::ApiGateway::Authorizer" | "AWS::ApiGatewayV2::Authorizer" => {
                self.authorizer(name, place, properties, resource);
            }
            "AWS::ApiGateway::RestApi"
            | "AWS::ApiGatewayV2::Api"
            | "AWS::Serverless::Api"
            | "AWS::Serverless::HttpApi" => self.api(name, place, properties, resource),
            "AWS::Logs::LogGroup" => self.deployment.log_groups.push(LogGroup {
                log_group_name: text(properties, "LogGroupName"),
                has_retention: properties.get("RetentionInDays").is_some(),
                name,
                place,
            }),
            "AWS::S3::Bucket" => {
                let block = properties.get("PublicAccessBlockConfiguration");
                let is_versioned =
                    properties.text_at(&["VersioningConfiguration", "Status"]) == Some("Enabled");
                self.deployment.buckets.push(Bucket {
                    name,
                    place,
                    blocks_public_access: Knowledge::Known(block.is_some_and(blocks_everything)),
                    is_versioned: Knowledge::Known(is_versioned),
                });
            }
            "AWS::S3::BucketPolicy" | "AWS::IAM::Policy" | "AWS::IAM::ManagedPolicy" => {
                self.statements(&name, properties.get("PolicyDocument"), None);
            }
            "AWS::IAM::Role" | "AWS::IAM::User" | "AWS::IAM::Group" => {
                for policy in properties.get("Policies").map(Node::elements).unwrap_or_default() {
                    self.statements(&name, policy.get("PolicyDocument"), None);
                }
                for managed in properties
                    .get("ManagedPolicyArns")
                    .map(Node::elements)
                    .unwrap_or_default()
                {
                    self.managed_policy(&name, managed, None);
                }
            }
            _ => {}
        }
    }

    fn listener(&mut self, name: String, place: Place, properties: &Node) {
        let mode = properties.text_at(&["MutualAuthentication", "Mode"]);
        let attributes = properties.get("ListenerAttributes");
        // An empty value is the default name.
        let renamed = attribute(attributes, HEADER_ATTRIBUTE).filter(|name| !name.is_empty());
        let renamed = renamed.map(str::to_owned);
        let forwards = self.forwards(&name, properties.get("DefaultActions"));
        self.deployment.listeners.push(Listener {
            name,
            place,
            mutual_authentication: mutual_authentication(mode),
            forwards,
            certificate_header: Knowledge::Known(renamed),
        });
    }

    fn rule(&mut self, name: &str, resource: &Node) {
        let Some(properties) = resource.get("Properties") else {
            return;
        };
        let forwards = self.forwards(name, properties.get("Actions"));
        let listener = id(properties.text_at(&["ListenerArn"]));
        let place = self.place(resource);
        match self
            .deployment
            .listeners
            .iter_mut()
            .find(|known| known.name == listener)
        {
            Some(known) => known.forwards.extend(forwards),
            // A listener of somebody else's: nobody here knows what it asks of clients.
            None => self.deployment.listeners.push(Listener {
                name: listener,
                place,
                mutual_authentication: MutualAuthentication::Other,
                forwards,
                certificate_header: Knowledge::Known(None),
            }),
        }
    }

    fn forwards(&self, by: &str, actions: Option<&Node>) -> Vec<Forward> {
        let actions = actions.map(Node::elements).unwrap_or_default();
        let mut forwards = Vec::new();
        for action in actions {
            let several = action.at(&["ForwardConfig", "TargetGroups"]);
            let several = several.map(Node::elements).unwrap_or_default();
            for target in several.iter().chain([action]) {
                if let Some(target_group) = target.text_at(&["TargetGroupArn"]) {
                    forwards.push(Forward {
                        target_group: id(Some(target_group)),
                        by: by.to_owned(),
                        place: self.place(target),
                    });
                }
            }
        }
        forwards
    }

    fn function(&mut self, name: String, place: Place, properties: &Node) {
        let globals = self.template.at(&["Globals", "Function"]);
        let globals = globals.and_then(|globals| self.world.resolve(self.template, globals));
        let mut variables = BTreeMap::new();
        for source in globals.iter().chain([properties]) {
            let members = source.at(&["Environment", "Variables"]).map(Node::members);
            for (variable, value) in members.unwrap_or_default() {
                variables.insert(variable.clone(), value.texts().concat());
            }
        }
        let of_globals = globals.as_ref().and_then(|globals| globals.text_at(&["Runtime"]));
        let runtime = properties.text_at(&["Runtime"]).or(of_globals).map(str::to_owned);
        let log_group = properties.text_at(&["LoggingConfig", "LogGroup"]);
        // SAM puts those of `Globals` first.
        let layers = globals.iter().chain([properties]).flat_map(layers).collect();
        let timeout = globals.iter().chain([properties]).filter_map(timeout).next_back();
        let destination = variables.get("CRL_DESTINATION").cloned();
        for policy in properties.get("Policies").map(Node::elements).unwrap_or_default() {
            if policy.get("Statement").is_some() {
                self.statements(&name, Some(policy), destination.as_deref());
            } else {
                self.managed_policy(&name, policy, destination.as_deref());
            }
        }
        if properties.get("FunctionUrlConfig").is_some() {
            self.deployment.function_urls.push(FunctionUrl {
                name: name.clone(),
                place: place.clone(),
                function: name.clone(),
            });
        }
        self.deployment.functions.push(Function {
            log_group: log_group.map(|group| id(Some(group))),
            name,
            place,
            runtime,
            variables,
            layers,
            timeout,
        });
    }

    fn authorizer(&mut self, name: String, place: Place, properties: &Node, resource: &Node) {
        let is_rest = resource.text_at(&["Type"]) == Some("AWS::ApiGateway::Authorizer");
        let uri = properties.text_at(&["AuthorizerUri"]).unwrap_or_default();
        let seconds = properties.text_at(&["AuthorizerResultTtlInSeconds"]);
        let api = properties
            .text_at(&["RestApiId"])
            .or_else(|| properties.text_at(&["ApiId"]));
        self.deployment.authorizers.push(Authorizer {
            name,
            place,
            // REST APIs keep answers unless they are told not to, HTTP APIs only when they are told to.
            seconds: seconds.unwrap_or(if is_rest { "300" } else { "0" }).to_owned(),
            function: function_in(uri),
            api: id(api),
        });
    }

    fn api(&mut self, name: String, place: Place, properties: &Node, resource: &Node) {
        let is_rest = resource.text_at(&["Type"]) == Some("AWS::Serverless::Api");
        let authorizers = properties.at(&["Auth", "Authorizers"]).map(Node::members);
        for (authorizer, settings) in authorizers.unwrap_or_default() {
            let Some(function) = settings.text_at(&["FunctionArn"]) else {
                continue;
            };
            let seconds = settings.text_at(&["Identity", "ReauthorizeEvery"]);
            self.deployment.authorizers.push(Authorizer {
                name: format!("{name}/{authorizer}"),
                place: self.place(settings),
                seconds: seconds.unwrap_or(if is_rest { "300" } else { "0" }).to_owned(),
                function: id(Some(function)),
                api: name.clone(),
            });
        }
        self.deployment.apis.push(Api {
            has_default_endpoint: properties.text_at(&["DisableExecuteApiEndpoint"]) != Some("true"),
            name,
            place,
        });
    }

    fn statements(&mut self, to: &str, document: Option<&Node>, destination: Option<&str>) {
        let statements = document.and_then(|document| document.get("Statement"));
        for statement in statements.map(Node::elements).unwrap_or_default() {
            if statement.text_at(&["Effect"]) == Some("Allow") {
                let place = self.place(statement);
                self.deployment
                    .grants
                    .push(grant(to, place, statement, destination));
            }
        }
    }

    /// A policy of AWS by its name, or one of SAM's templates.
    fn managed_policy(&mut self, to: &str, policy: &Node, destination: Option<&str>) {
        let place = self.place(policy);
        let (actions, resources): (&[&str], Vec<String>) = match (policy.text(), policy.members()) {
            (Some(name), _) => match name.rsplit('/').next().unwrap_or(name) {
                "AdministratorAccess" | "PowerUserAccess" => (&["*"], vec!["*".to_owned()]),
                "AmazonS3FullAccess" => (&["s3:*"], vec!["*".to_owned()]),
                "AmazonSSMFullAccess" => (&["ssm:*"], vec!["*".to_owned()]),
                _ => return,
            },
            (None, [(name, arguments)]) if name.starts_with("S3") => {
                let writes = ["Crud", "Write", "Full"].iter().any(|word| name.contains(word));
                let bucket = arguments.text_at(&["BucketName"]).unwrap_or("*");
                (
                    if writes {
                        &["s3:PutObject"]
                    } else {
                        &["s3:GetObject"]
                    },
                    vec![bucket.to_owned()],
                )
            }
            _ => return,
        };
        self.deployment.grants.push(Grant {
            to: to.to_owned(),
            place,
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            resources,
            destination: destination.map(str::to_owned),
        });
    }
}

/// Returns the layers of a function, in order.
fn layers(function: &Node) -> Vec<String> {
    let layers = function.get("Layers").map(Node::texts).unwrap_or_default();
    layers.into_iter().map(str::to_owned).collect()
}

pub(super) fn timeout(function: &Node) -> Option<u32> {
    function.text_at(&["Timeout"])?.parse().ok()
}

pub(super) fn mutual_authentication(mode: Option<&str>) -> MutualAuthentication {
    match mode {
        None | Some("off") => MutualAuthentication::Off,
        Some("passthrough") => MutualAuthentication::Passthrough,
        Some(_) => MutualAuthentication::Other,
    }
}

pub(super) fn blocks_everything(block: &Node) -> bool {
    [
        "BlockPublicAcls",
        "BlockPublicPolicy",
        "IgnorePublicAcls",
        "RestrictPublicBuckets",
    ]
    .iter()
    .all(|name| block.text_at(&[name]) == Some("true"))
}

/// The value of an attribute in a list of keys and values.
pub(super) fn attribute<'a>(attributes: Option<&'a Node>, key: &str) -> Option<&'a str> {
    let attributes = attributes.map(Node::elements).unwrap_or_default();
    let attribute = attributes
        .iter()
        .find(|attribute| attribute.text_at(&["Key"]) == Some(key))?;
    attribute.text_at(&["Value"])
}

pub(super) fn grant(to: &str, place: Place, statement: &Node, destination: Option<&str>) -> Grant {
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
        destination: destination.map(str::to_owned),
    }
}

fn targets(properties: &Node) -> Vec<String> {
    let targets = properties.get("Targets").map(Node::elements).unwrap_or_default();
    targets.iter().map(|target| id(target.text_at(&["Id"]))).collect()
}

fn text(properties: &Node, name: &str) -> Option<String> {
    properties.text_at(&[name]).map(str::to_owned)
}

/// The logical id that a text refers to, or the text itself.
fn id(text: Option<&str>) -> String {
    let text = text.unwrap_or_default();
    resource_in(text).unwrap_or(text).to_owned()
}

/// The function in the URI of an authorizer: `…/functions/${Function.Arn}/invocations`.
fn function_in(uri: &str) -> String {
    let after = uri.split_once("/functions/").map_or(uri, |(_, after)| after);
    let function = after
        .split_once("/invocations")
        .map_or(after, |(before, _)| before);
    id(Some(function))
}
