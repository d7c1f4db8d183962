//! Checks of containers with a gate: may they, and what is behind them, be reached past it.

use super::{Checks, remedy};
use crate::doctor::facts::{Function, Kind, MutualAuthentication, unit};
use crate::doctor::networks::Extent;
use crate::doctor::rules;
use crate::doctor::text;

/// Settings that name the networks from which a gate takes requests.
const PEERS: [&str; 2] = ["MTLS_PEERS", "SERVER_AUTHORIZE_PEERS"];

impl Checks<'_> {
    pub(super) fn containers(&mut self) {
        let deployment = self.deployment;
        for gate in deployment.gates().filter(|gate| gate.kind == Kind::Container) {
            self.peers(gate);
            self.default_header(gate);
        }
        self.exposures();
        self.other_target_groups();
        self.security_groups();
        self.network_policies();
    }

    fn peers(&mut self, gate: &Function) {
        for name in PEERS {
            let Some(networks) = gate.variables.get(name) else {
                continue;
            };
            let rule = match Extent::of(networks.split_whitespace()) {
                Extent::Everywhere => Some(&rules::PEERS_ANY),
                Extent::Wide(_) => Some(&rules::PEERS_WIDE),
                Extent::Narrow => None,
            };
            if let Some(rule) = rule {
                let what = format!("{name} is `{networks}`");
                self.find(rule, &gate.place, &gate.name, &what);
            } else if text::is_unknown(networks) {
                let what = format!("{name} is `{networks}`, which is not known");
                let remedy = remedy(networks);
                self.miss(rules::UNKNOWN_VALUE, &gate.place, &gate.name, &what, &remedy);
            }
        }
    }

    fn default_header(&mut self, gate: &Function) {
        if let Some(allowed) = gate.variables.get("SERVER_ALLOW_DEFAULT_HEADER") {
            if allowed == "true" {
                let what = "SERVER_ALLOW_DEFAULT_HEADER is true";
                self.find(&rules::DEFAULT_HEADER_ALLOWED, &gate.place, &gate.name, what);
            } else if text::is_unknown(allowed) {
                let what = format!("SERVER_ALLOW_DEFAULT_HEADER is `{allowed}`, which is not known");
                let remedy = remedy(allowed);
                self.miss(rules::UNKNOWN_VALUE, &gate.place, &gate.name, &what, &remedy);
            }
        }
    }

    /// Ports and services that lead to a gate, or to what is behind it, without a load balancer.
    fn exposures(&mut self) {
        let deployment = self.deployment;
        let gated = deployment.gated_units();
        for exposure in &deployment.exposures {
            let is_gate = deployment.gate(&exposure.container).is_some();
            if gated.contains(unit(&exposure.container)) && !(is_gate && exposure.is_for_load_balancer) {
                let what = format!("{} leads to {}", exposure.how, exposure.container);
                self.find(&rules::GATE_BYPASSED, &exposure.place, &exposure.by, &what);
            }
        }
    }

    /// Listeners that lead to a container behind a gate; of one in passthrough mode the check of
    /// targets speaks.
    fn other_target_groups(&mut self) {
        let deployment = self.deployment;
        let gated = deployment.gated_units();
        let listeners = deployment.listeners.iter();
        let others = listeners.filter(|one| one.mutual_authentication != MutualAuthentication::Passthrough);
        for forward in others.flat_map(|listener| &listener.forwards) {
            let group = deployment.target_group(&forward.target_group);
            for target in group.map(|group| group.targets.as_slice()).unwrap_or_default() {
                let is_gate = deployment.gate(target).is_some();
                if gated.contains(unit(target)) && !is_gate {
                    let what = format!("forwards to {target}, which is behind a gate");
                    self.find(&rules::GATE_BYPASSED, &forward.place, &forward.by, &what);
                }
            }
        }
    }

    /// Checks the network policies of pods with a gate, and of those behind.
    fn network_policies(&mut self) {
        let deployment = self.deployment;
        let gated = deployment.gated_units();
        for network in deployment
            .pod_networks
            .iter()
            .filter(|network| gated.contains(&network.unit))
        {
            if !network.is_restricted {
                let what = "no NetworkPolicy selects its pods: every pod of the cluster reaches them";
                self.find(
                    &rules::NETWORK_POLICY_MISSING,
                    &network.place,
                    &network.unit,
                    what,
                );
            }
            let together = network.admissions.iter().map(|admission| admission.from.as_str());
            let together = Extent::of(together);
            for admission in &network.admissions {
                let own = Extent::of([admission.from.as_str()]);
                if own != Extent::Narrow && together != Extent::Narrow {
                    let from = match admission.from.as_str() {
                        "any" => "every pod of the cluster".to_owned(),
                        network => format!("`{network}`"),
                    };
                    let what = format!("allows {from} to reach the pods of {}", network.unit);
                    self.find(
                        &rules::NETWORK_POLICY_OPEN,
                        &admission.place,
                        &admission.by,
                        &what,
                    );
                }
            }
        }
    }

    fn security_groups(&mut self) {
        let deployment = self.deployment;
        let gated = deployment.gated_units();
        for network in &deployment.task_networks {
            if !gated.contains(&network.task) {
                continue;
            }
            for group in &network.security_groups {
                let Some(rules) = deployment.ingress_of(group) else {
                    let what = format!("its security group `{group}` is not among the files");
                    let remedy = remedy(group);
                    self.miss(
                        rules::UNKNOWN_VALUE,
                        &network.place,
                        &network.task,
                        &what,
                        &remedy,
                    );
                    continue;
                };
                let together = rules.iter().map(|rule| rule.addresses.as_str());
                let together = Extent::of(together);
                for rule in rules {
                    let addresses = rule.addresses.as_str();
                    let broken = match (&together, Extent::of([addresses])) {
                        (_, Extent::Everywhere) => Some(&rules::SECURITY_GROUP_OPEN),
                        // Several rules that are narrower each.
                        (Extent::Everywhere, Extent::Wide(_)) => Some(&rules::SECURITY_GROUP_OPEN),
                        (_, Extent::Wide(_)) => Some(&rules::SECURITY_GROUP_WIDE),
                        (_, Extent::Narrow) => None,
                    };
                    if let Some(broken) = broken {
                        let what = format!("lets `{addresses}` reach the containers of {}", network.task);
                        self.find(broken, &rule.place, &rule.security_group, &what);
                    } else if text::is_unknown(addresses) {
                        let what = format!("lets `{addresses}` reach {}, which is not known", network.task);
                        let remedy = remedy(addresses);
                        self.miss(
                            rules::UNKNOWN_VALUE,
                            &rule.place,
                            &rule.security_group,
                            &what,
                            &remedy,
                        );
                    }
                }
            }
        }
    }
}
