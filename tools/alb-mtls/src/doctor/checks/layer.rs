//! Checks for functions in which the layer is left out.

use super::Findings;
use crate::doctor::deployment::Function;

const WRAPPER: &str = "AWS_LAMBDA_EXEC_WRAPPER";
const NEXT_WRAPPER: &str = "LAYER_NEXT_WRAPPER";
const LISTEN: &str = "LAYER_LISTEN";
const PROXY: &str = "AWS_LWA_LAMBDA_RUNTIME_API_PROXY";

/// Names of the gate's wrapper and of its program, in whatever folder.
const WRAPPERS_OF_THE_GATE: [&str; 2] = ["alb-mtls", "alb-mtls-layer"];

/// Least timeout of a function, in seconds: a look-up of trust material may take 5.
const LEAST_TIMEOUT: u32 = 6;

impl Findings<'_> {
    /// Checks a function with a gate, in its own program or in the layer.
    pub(super) fn layer(&mut self, function: &Function) {
        self.wrapper(function);
        if let Some(what) = unrouted_adapter(function) {
            self.add(
                &function.place,
                &function.name,
                "adapter-unrouted",
                what,
                "the adapter is an extension, which no wrapper starts, and fetches requests from Lambda past the gate",
                "set LAYER_LISTEN and AWS_LWA_LAMBDA_RUNTIME_API_PROXY to one address, such as 127.0.0.1:9009, and LAYER_NEXT_WRAPPER to /opt/bootstrap",
            );
        }
        let after = function.layers.iter().rev().take_while(|layer| !is_gate(layer));
        if let Some(last) = after
            .clone()
            .next()
            .filter(|_| after.count() < function.layers.len())
        {
            self.add(
                &function.place,
                &function.name,
                "layer-order",
                format!("the layer of the gate comes before `{last}`"),
                "a file in a later layer takes the place of one of the same name, /opt/alb-mtls too",
                "make the layer of the gate the last one in the list",
            );
        }
        if let Some(seconds) = function.timeout.filter(|seconds| *seconds < LEAST_TIMEOUT) {
            self.add(
                &function.place,
                &function.name,
                "timeout-short",
                format!("Timeout is {seconds} seconds"),
                "a look-up of trust material can take 5 seconds: Lambda ends the function meanwhile, and clients get 502",
                "set Timeout to 6 seconds or more",
            );
        }
    }

    fn wrapper(&mut self, function: &Function) {
        let wrapper = function.variables.get(WRAPPER).map(String::as_str);
        let is_gates = wrapper.is_some_and(|wrapper| {
            let name = wrapper.rsplit('/').next().unwrap_or(wrapper);
            WRAPPERS_OF_THE_GATE.contains(&name)
        });
        let (check, what, risk, fix) = match (function.knows_wrappers(), wrapper) {
            (Some(false), Some(_)) => (
                "wrapper-ignored",
                "AWS_LAMBDA_EXEC_WRAPPER is set on a `provided` runtime".to_owned(),
                "Lambda ignores it there without a word, and the function runs without the gate",
                "end the function's `bootstrap` with `exec /opt/alb-mtls ./my-function`, and remove the variable",
            ),
            (Some(true), None) => (
                "wrapper-missing",
                "has settings of the gate, and AWS_LAMBDA_EXEC_WRAPPER is not set".to_owned(),
                "a layer that no wrapper starts does nothing, and the function runs without the gate",
                "set AWS_LAMBDA_EXEC_WRAPPER to /opt/alb-mtls",
            ),
            (Some(true), Some(wrapper)) if !is_gates => (
                "wrapper-replaced",
                format!("AWS_LAMBDA_EXEC_WRAPPER is `{wrapper}`"),
                "Lambda starts one wrapper: that one, and the function runs without the gate",
                "set AWS_LAMBDA_EXEC_WRAPPER to /opt/alb-mtls, and LAYER_NEXT_WRAPPER to the other wrapper",
            ),
            _ => return,
        };
        self.add(&function.place, &function.name, check, what, risk, fix);
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

/// Returns whether a layer is the gate's, by the names that the template, the module and the guide give it.
fn is_gate(layer: &str) -> bool {
    let name = layer.split_once(":layer:").map_or(layer, |(_, name)| name);
    let lower = name.to_ascii_lowercase();
    let mut words = lower.split(|character: char| !character.is_ascii_alphanumeric());
    // `${GateLayer}`, `stack-gate`, and not `log-aggregate`.
    name.contains("Gate") || lower.contains("alb-mtls") || words.any(|word| word.starts_with("gate"))
}
