//! Checks for functions in which the layer is left out.

use super::{Checks, remedy};
use crate::doctor::facts::Function;
use crate::doctor::rules;
use crate::doctor::text;

const WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";
const NEXT_WRAPPER: &str = "LAYER_NEXT_WRAPPER";
const LISTEN: &str = "LAYER_LISTEN";
const PROXY: &str = "AWS_LWA_LAMBDA_RUNTIME_API_PROXY";

/// Names of the gate's wrapper and of its program, in whatever folder.
const WRAPPERS_OF_THE_GATE: [&str; 2] = ["alb-mtls", "alb-mtls-layer"];

/// Least timeout of a function, in seconds: a lookup of trust material can take 5.
const LEAST_TIMEOUT: u32 = 6;

impl Checks<'_> {
    /// Checks a function with a gate, in its own program or in the layer.
    pub(super) fn layer(&mut self, function: &Function) {
        self.wrapper(function);
        if let Some(what) = unrouted_adapter(function) {
            self.find(&rules::ADAPTER_UNROUTED, &function.place, &function.name, &what);
        }
        let after = function.layers.iter().rev().take_while(|layer| !is_gate(layer));
        if let Some(last) = after
            .clone()
            .next()
            .filter(|_| after.count() < function.layers.len())
        {
            let what = format!("the layer of the gate comes before `{last}`");
            self.find(&rules::LAYER_ORDER, &function.place, &function.name, &what);
        }
        if let Some(seconds) = function.timeout.filter(|seconds| *seconds < LEAST_TIMEOUT) {
            let what = format!("Timeout is {seconds} seconds");
            self.find(&rules::TIMEOUT_SHORT, &function.place, &function.name, &what);
        }
    }

    fn wrapper(&mut self, function: &Function) {
        let wrapper = function.variables.get(WRAPPER).map(String::as_str);
        let is_gates = wrapper.is_some_and(|wrapper| {
            let name = wrapper.rsplit('/').next().unwrap_or(wrapper);
            WRAPPERS_OF_THE_GATE.contains(&name)
        });
        let (rule, what) = match (function.knows_wrappers(), wrapper) {
            (Some(false), Some(_)) => (
                &rules::WRAPPER_IGNORED,
                "AWS_LAMBDA_EXEC_WRAPPER is set on a `provided` runtime".to_owned(),
            ),
            (Some(true), None) => (
                &rules::WRAPPER_MISSING,
                "has settings of the gate, and AWS_LAMBDA_EXEC_WRAPPER is not set".to_owned(),
            ),
            (Some(true), Some(wrapper)) if text::is_unknown(wrapper) => {
                self.miss(
                    rules::UNKNOWN_VALUE,
                    &function.place,
                    &function.name,
                    &format!("AWS_LAMBDA_EXEC_WRAPPER is `{wrapper}`, which is not known"),
                    &remedy(wrapper),
                );
                return;
            }
            (Some(true), Some(wrapper)) if !is_gates => (
                &rules::WRAPPER_REPLACED,
                format!("AWS_LAMBDA_EXEC_WRAPPER is `{wrapper}`"),
            ),
            (None, _) => {
                self.runtime(function);
                return;
            }
            _ => return,
        };
        self.find(rule, &function.place, &function.name, &what);
    }

    /// A runtime that is not known decides whether the wrapper is started.
    fn runtime(&mut self, function: &Function) {
        let unknown = function
            .runtime
            .as_deref()
            .filter(|runtime| text::is_unknown(runtime));
        if let Some(runtime) = unknown {
            self.miss(
                rules::UNKNOWN_VALUE,
                &function.place,
                &function.name,
                &format!(
                    "Runtime is `{runtime}`, which is not known: whether Lambda starts the gate depends on it"
                ),
                &remedy(runtime),
            );
        }
    }
}

/// Returns the sign of Lambda Web Adapter, where that is not led to the gate.
fn unrouted_adapter(function: &Function) -> Option<String> {
    let variable = |name: &str| function.variables.get(name).map(String::as_str);
    let layer = function
        .layers
        .iter()
        .find(|layer| layer.to_ascii_lowercase().contains("lambdaadapterlayer"));
    let wrapper = [WRAPPER, NEXT_WRAPPER]
        .into_iter()
        .find(|name| variable(name) == Some("/opt/bootstrap"));
    let named = function
        .variables
        .keys()
        .find(|name| name.starts_with("AWS_LWA_"));
    let sign = match (layer, wrapper, named) {
        (Some(layer), ..) => format!("has the layer `{layer}`"),
        (None, Some(name), _) => format!("{name} is `/opt/bootstrap`"),
        (None, None, Some(name)) => format!("{name} is set"),
        (None, None, None) => return None,
    };
    match (variable(PROXY).map(authority), variable(LISTEN)) {
        (Some(proxy), Some(listen)) if proxy == listen => None,
        (None, _) => Some(format!("{sign}, and {PROXY} is not set")),
        (Some(proxy), None) => Some(format!("{sign}, {PROXY} is `{proxy}`, and {LISTEN} is not set")),
        (Some(proxy), Some(listen)) => Some(format!(
            "{sign}, {PROXY} is `{proxy}`, and {LISTEN} is `{listen}`"
        )),
    }
}

/// Returns the authority that the adapter takes, with or without `http://`.
fn authority(value: &str) -> &str {
    let value = value.strip_prefix("http://").unwrap_or(value);
    value.strip_suffix('/').unwrap_or(value)
}

/// Returns true if a layer is the gate's, by the names that the template, the module and the guide
/// give it.
fn is_gate(layer: &str) -> bool {
    let name = layer.split_once(":layer:").map_or(layer, |(_, name)| name);
    let lower = name.to_ascii_lowercase();
    let mut words = lower.split(|character: char| !character.is_ascii_alphanumeric());
    // `${GateLayer}`, `stack-gate`, and not `log-aggregate`.
    name.contains("Gate") || lower.contains("alb-mtls") || words.any(|word| word.starts_with("gate"))
}
