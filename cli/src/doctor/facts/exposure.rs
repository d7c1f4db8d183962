//! Ways to containers past a load balancer.

use std::collections::BTreeSet;

use super::identity::id;
use super::{Deployment, Function, Kind, Place};

/// Way to a container that leads past the listeners of a load balancer.
#[derive(Clone, Debug)]
pub(in crate::doctor) struct Exposure {
    /// The service or the workload that opens it.
    pub(in crate::doctor) by: String,
    pub(in crate::doctor) place: Place,
    pub(in crate::doctor) container: String,
    pub(in crate::doctor) how: String,
    /// True where a load balancer can need it to reach the container.
    pub(in crate::doctor) is_for_load_balancer: bool,
}

/// Rule of a security group that lets traffic in.
#[derive(Clone, Debug)]
pub(in crate::doctor) struct Ingress {
    pub(in crate::doctor) security_group: String,
    pub(in crate::doctor) place: Place,
    pub(in crate::doctor) addresses: String,
}

/// Security groups of the containers of a task.
#[derive(Clone, Debug)]
pub(in crate::doctor) struct TaskNetwork {
    pub(in crate::doctor) task: String,
    pub(in crate::doctor) place: Place,
    pub(in crate::doctor) security_groups: Vec<String>,
}

/// Network of the pods of a workload.
#[derive(Clone, Debug)]
pub(in crate::doctor) struct PodNetwork {
    pub(in crate::doctor) unit: String,
    pub(in crate::doctor) place: Place,
    /// True where a policy selects the pods, so that only what it allows reaches them.
    pub(in crate::doctor) is_restricted: bool,
    pub(in crate::doctor) admissions: Vec<Admission>,
}

/// Source that a network policy allows.
#[derive(Clone, Debug)]
pub(in crate::doctor) struct Admission {
    pub(in crate::doctor) by: String,
    pub(in crate::doctor) place: Place,
    /// A network, or `any`.
    pub(in crate::doctor) from: String,
}

impl Deployment {
    /// Returns the tasks and pods with a gate, and those that a gate forwards to.
    pub(in crate::doctor) fn gated_units(&self) -> BTreeSet<String> {
        let containers = self.gates().filter(|function| function.kind == Kind::Container);
        let mut units = BTreeSet::new();
        for gate in containers {
            units.insert(unit(&gate.name).to_owned());
            for service in upstream_services(gate) {
                let group = self.target_groups.iter().find(|group| group.name == service);
                let targets = group.map(|group| group.targets.as_slice()).unwrap_or_default();
                units.extend(targets.iter().map(|target| unit(target).to_owned()));
            }
        }
        units
    }

    /// Returns the rules of a security group; none where the group is not among the files.
    pub(in crate::doctor) fn ingress_of(&self, security_group: &str) -> Option<Vec<&Ingress>> {
        let name = id(security_group);
        self.security_groups.get(&name)?;
        let rules = self.ingress.iter();
        Some(rules.filter(|rule| id(&rule.security_group) == name).collect())
    }
}

/// Returns the task or the pod of a container.
pub(in crate::doctor) fn unit(container: &str) -> &str {
    container.rsplit_once('/').map_or(container, |(unit, _)| unit)
}

/// Returns the Kubernetes services that a gate forwards to, by the names that its variables give.
pub(in crate::doctor) fn upstream_services(gate: &Function) -> Vec<String> {
    let namespace = gate.name.split('/').next().unwrap_or_default();
    let variables = gate.variables.iter();
    let upstreams = variables.filter(|(name, _)| name.ends_with("_UPSTREAM"));
    let hosts = upstreams.filter_map(|(_, url)| {
        let (_, after) = url.split_once("://")?;
        after.split([':', '/']).next()
    });
    let services = hosts.map(|host| {
        let mut labels = host.split('.');
        let service = labels.next().unwrap_or_default();
        let namespace = labels.next().unwrap_or(namespace);
        format!("{namespace}/Service/{service}")
    });
    services.collect()
}
