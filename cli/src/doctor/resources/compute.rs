//! Functions, who may invoke them, and containers.

use super::reader::ResourceReader;
use crate::doctor::facts::{
    Exposure, Function, FunctionUrl, Kind, Permission, Place, TaskNetwork, identity_of,
};
use crate::doctor::node::Node;
use crate::doctor::rules;
use crate::doctor::text::{placeholder, unknown};

impl ResourceReader<'_> {
    pub(in crate::doctor) fn function(&mut self, name: &str, place: Place, properties: &Node) {
        let variables = properties.at(&["Environment", "Variables"]);
        let variables = variables.map(Node::members).unwrap_or_default().iter();
        let layers = properties.get("Layers").map(Node::texts).unwrap_or_default();
        let physical = properties.string_at(&["FunctionName"]);
        self.deployment.functions.push(Function {
            name: name.to_owned(),
            physical: physical.map(|physical| last_of_arn(&physical)),
            kind: Kind::Function,
            place,
            runtime: properties.string_at(&["Runtime"]),
            role: properties.string_at(&["Role"]),
            variables: variables
                .map(|(name, value)| (name.clone(), value.texts().concat()))
                .collect(),
            layers: layers.into_iter().map(str::to_owned).collect(),
            timeout: timeout(properties),
            log_group: properties.string_at(&["LoggingConfig", "LogGroup"]),
        });
    }

    pub(super) fn permission(&mut self, name: &str, place: Place, properties: &Node) {
        let text = |key: &str| properties.string_at(&[key]);
        let action = text("Action").unwrap_or_else(|| "lambda:InvokeFunction".to_owned());
        let url_type = text("FunctionUrlAuthType").or_else(|| {
            let is_for_url = properties.is_true(&["InvokedViaFunctionUrl"]);
            is_for_url.then(|| "NONE".to_owned())
        });
        self.deployment.permissions.push(Permission {
            name: name.to_owned(),
            place,
            function: text("FunctionName").unwrap_or_default(),
            action,
            principal: text("Principal").unwrap_or_default(),
            source_arn: text("SourceArn"),
            source_account: text("SourceAccount"),
            url_type,
        });
    }

    pub(in crate::doctor) fn function_url(&mut self, name: &str, place: Place, properties: &Node) {
        self.deployment.function_urls.push(FunctionUrl {
            name: name.to_owned(),
            place,
            function: properties.string_at(&["TargetFunctionArn"]).unwrap_or_default(),
        });
    }

    pub(super) fn alias(&mut self, name: &str, properties: &Node) {
        let function = properties.string_at(&["FunctionName"]).unwrap_or_default();
        self.deployment.aliases.insert(name.to_owned(), function);
    }

    /// Adds each container, which can be the gate or have the gate in it.
    pub(super) fn task_definition(&mut self, name: &str, place: Place, properties: &Node) {
        for container in properties.list_at(&["ContainerDefinitions"]) {
            let variables = container.list_at(&["Environment"]).iter();
            let variables = variables.filter_map(|variable| {
                let value = variable.get("Value").map(|value| value.texts().concat());
                Some((variable.string_at(&["Name"])?, value?))
            });
            // Their values are in Parameter Store or Secrets Manager.
            let secrets = container.list_at(&["Secrets"]).iter();
            let secrets = secrets.filter_map(|secret| {
                let name = secret.string_at(&["Name"])?;
                let value = unknown(&format!("secret {name}"));
                Some((name, value))
            });
            let variables = secrets.chain(variables);
            if let Some(file) = container.list_at(&["EnvironmentFiles"]).first() {
                self.note(
                    file,
                    rules::UNKNOWN_VALUE,
                    name,
                    "variables of a container come from a file in S3",
                    "write the gate's variables into Environment",
                );
            }
            let own = container.text_at(&["Name"]).unwrap_or_default();
            let own = format!("{name}/{own}");
            // In the other modes, a port is one of the host.
            let is_alone = properties.text_at(&["NetworkMode"]) == Some("awsvpc");
            if !is_alone && !container.list_at(&["PortMappings"]).is_empty() {
                self.deployment.exposures.push(Exposure {
                    by: name.to_owned(),
                    place: place.clone(),
                    container: own.clone(),
                    how: "a port of the host".to_owned(),
                    is_for_load_balancer: true,
                });
            }
            self.container(own, place.clone(), variables.collect());
        }
    }

    pub(in crate::doctor) fn container(
        &mut self,
        name: String,
        place: Place,
        variables: std::collections::BTreeMap<String, String>,
    ) {
        self.deployment.functions.push(Function {
            name,
            physical: None,
            kind: Kind::Container,
            place,
            runtime: None,
            role: None,
            variables,
            layers: Vec::new(),
            timeout: None,
            log_group: None,
        });
    }

    pub(super) fn service(&mut self, place: Place, properties: &Node) {
        let task = properties.text_at(&["TaskDefinition"]).unwrap_or_default();
        let groups = properties.at(&["NetworkConfiguration", "AwsvpcConfiguration", "SecurityGroups"]);
        let groups = groups.map(Node::texts).unwrap_or_default().into_iter();
        self.deployment.task_networks.push(TaskNetwork {
            task: identity_of(task),
            place,
            security_groups: groups.map(str::to_owned).collect(),
        });
        for balancer in properties.list_at(&["LoadBalancers"]) {
            let group = balancer.text_at(&["TargetGroupArn"]).unwrap_or_default();
            let container = balancer.text_at(&["ContainerName"]).unwrap_or_default();
            let container = placeholder(&format!("{}/{container}", identity_of(task)));
            let pair = (group.to_owned(), container);
            self.deployment.attachments.push(pair);
        }
    }
}

pub(in crate::doctor) fn timeout(function: &Node) -> Option<u32> {
    function.text_at(&["Timeout"])?.parse().ok()
}

fn last_of_arn(name: &str) -> String {
    match name.split_once(":function:") {
        Some((_, name)) => name.to_owned(),
        None => name.to_owned(),
    }
}
