//! What a template says under given values of its parameters: conditions decided, functions replaced by text.

use std::collections::{BTreeMap, BTreeSet};

use super::node::{Node, Value};

/// Parameters and their values. What is not known until it is deployed stays as `${Name}`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct World {
    parameters: BTreeMap<String, String>,
}

impl World {
    /// The template by its defaults; with each parameter that a condition asks for at another value; and with all of
    /// them at other values. What opens a gate under one of them is a finding.
    pub(super) fn all_of(template: &Node) -> Vec<Self> {
        let defaults = Self {
            parameters: template
                .get("Parameters")
                .map(Node::members)
                .map_or_else(BTreeMap::new, |members| {
                    members
                        .iter()
                        .map(|(name, parameter)| {
                            let default = parameter.text_at(&["Default"]);
                            (
                                name.clone(),
                                default.map_or_else(|| placeholder(name), str::to_owned),
                            )
                        })
                        .collect()
                }),
        };
        let alternatives = alternatives(template, &defaults);
        let mut everything = defaults.clone();
        let mut worlds = BTreeSet::new();
        for (name, value) in &alternatives {
            everything.parameters.insert(name.clone(), value.clone());
            let mut one = defaults.clone();
            one.parameters.insert(name.clone(), value.clone());
            worlds.insert(one);
        }
        worlds.insert(everything);
        worlds.remove(&defaults);
        [defaults].into_iter().chain(worlds).collect()
    }

    /// The template's resources that exist in this world, with names, and everything in them resolved.
    pub(super) fn resources(&self, template: &Node) -> Vec<(String, Node)> {
        let members = template.get("Resources").map(Node::members).unwrap_or_default();
        members
            .iter()
            .filter(|(_, resource)| match condition_of(resource) {
                Some(name) => self.condition(template, name, 0),
                None => true,
            })
            .filter_map(|(name, resource)| Some((name.clone(), self.resolve(template, resource)?)))
            .collect()
    }

    /// A value without functions; `None` when it is not there in this world.
    pub(super) fn resolve(&self, template: &Node, node: &Node) -> Option<Node> {
        let value = match &node.value {
            Value::Null => Value::Null,
            Value::Text(text) => Value::Text(text.clone()),
            Value::List(elements) => {
                let elements = elements
                    .iter()
                    .filter_map(|element| self.resolve(template, element));
                Value::List(elements.collect())
            }
            Value::Map(members) => {
                let members = members
                    .iter()
                    .filter_map(|(name, member)| Some((name.clone(), self.resolve(template, member)?)));
                Value::Map(members.collect())
            }
            Value::Function(name, argument) => return self.apply(template, node.line, name, argument),
        };
        Some(Node {
            line: node.line,
            value,
        })
    }

    fn apply(&self, template: &Node, line: usize, function: &str, argument: &Node) -> Option<Node> {
        let text = match (function, argument.elements()) {
            ("Ref", [only]) => match only.text()? {
                "AWS::NoValue" => return None,
                name => self.parameter(name),
            },
            ("GetAtt", [only]) => placeholder(only.text()?),
            ("GetAtt", [resource, attribute]) => {
                placeholder(&format!("{}.{}", resource.text()?, attribute.text()?))
            }
            ("If", [condition, then, otherwise]) => {
                let branch = match self.condition(template, condition.text()?, 0) {
                    true => then,
                    false => otherwise,
                };
                return self.resolve(template, branch);
            }
            ("Sub", [text]) => self.substitute(text.text()?, &[]),
            ("Sub", [text, variables]) => {
                let variables = self.resolve(template, variables)?;
                self.substitute(text.text()?, variables.members())
            }
            ("Join", [separator, parts]) => {
                let parts = self.resolve(template, parts)?;
                parts.texts().join(separator.text()?)
            }
            // With its argument: two different ones are two values, and the same one twice is one.
            (other, _) => {
                let argument = self.resolve(template, argument);
                let argument = argument.map(|node| node.texts().join(","));
                placeholder(&format!("Fn::{other}({})", argument.unwrap_or_default()))
            }
        };
        Some(Node {
            line,
            value: Value::Text(text),
        })
    }

    fn parameter(&self, name: &str) -> String {
        self.parameters
            .get(name)
            .cloned()
            .unwrap_or_else(|| placeholder(name))
    }

    fn substitute(&self, text: &str, variables: &[(String, Node)]) -> String {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            result.push_str(before);
            let Some((name, remaining)) = after.split_once('}') else {
                result.push_str("${");
                rest = after;
                continue;
            };
            let variable = variables.iter().find(|(variable, _)| variable == name);
            match variable.and_then(|(_, value)| value.text()) {
                Some(value) => result.push_str(value),
                None => result.push_str(&self.parameter(name)),
            }
            rest = remaining;
        }
        result.push_str(rest);
        result
    }

    /// What is not there is false, as is a condition that asks for itself.
    fn condition(&self, template: &Node, name: &str, depth: usize) -> bool {
        let condition = template.at(&["Conditions", name]);
        depth < MAX_DEPTH && condition.is_some_and(|condition| self.holds(template, condition, depth))
    }

    fn holds(&self, template: &Node, condition: &Node, depth: usize) -> bool {
        let Value::Function(function, argument) = &condition.value else {
            return condition
                .text()
                .is_some_and(|name| self.condition(template, name, depth + 1));
        };
        let mut operands = argument.elements().iter();
        match function.as_str() {
            "Condition" => argument
                .text()
                .is_some_and(|name| self.condition(template, name, depth + 1)),
            "Not" => !operands.any(|operand| self.holds(template, operand, depth)),
            "And" => operands.all(|operand| self.holds(template, operand, depth)),
            "Or" => operands.any(|operand| self.holds(template, operand, depth)),
            "Equals" => {
                let values: Vec<String> = operands
                    .map(|operand| {
                        let resolved = self.resolve(template, operand);
                        resolved.map(|node| node.texts().concat()).unwrap_or_default()
                    })
                    .collect();
                matches!(values.as_slice(), [left, right] if left == right)
            }
            _ => false,
        }
    }
}

const MAX_DEPTH: usize = 32;

/// How something appears that only a deployment knows.
pub(super) fn placeholder(name: &str) -> String {
    format!("${{{name}}}")
}

/// The logical id in `${Name}` or `${Name.Attribute}`.
pub(super) fn resource_in(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("${")?.strip_suffix('}')?;
    let (resource, _) = inner.split_once('.').unwrap_or((inner, ""));
    Some(resource)
}

fn condition_of(resource: &Node) -> Option<&str> {
    resource.get("Condition")?.text()
}

/// For each parameter that a condition compares: other values than the default one.
fn alternatives(template: &Node, defaults: &World) -> Vec<(String, String)> {
    let conditions = template.get("Conditions").map(Node::members).unwrap_or_default();
    let mut found = Vec::new();
    for (_, condition) in conditions {
        compared(condition, &mut |parameter, literal| {
            let Some(default) = defaults.parameters.get(parameter) else {
                return;
            };
            let allowed = template.at(&["Parameters", parameter, "AllowedValues"]);
            let allowed = allowed.map(Node::texts).unwrap_or_default();
            let other = match literal {
                Some(literal) if literal != default => literal.to_owned(),
                // Any other value than the compared one; an allowed one where they are listed.
                _ => allowed
                    .iter()
                    .find(|value| *value != default)
                    .map_or_else(|| placeholder(parameter), |value| (*value).to_owned()),
            };
            found.push((parameter.to_owned(), other));
        });
    }
    found
}

/// Calls with the parameter of each comparison, and with what it is compared with where that is a text.
fn compared(condition: &Node, found: &mut impl FnMut(&str, Option<&str>)) {
    let Value::Function(function, argument) = &condition.value else {
        return;
    };
    if function != "Equals" {
        return argument
            .elements()
            .iter()
            .for_each(|operand| compared(operand, found));
    }
    let literal = argument.elements().iter().find_map(Node::text);
    for operand in argument.elements() {
        references(operand, &mut |parameter| found(parameter, literal));
    }
}

fn references(node: &Node, found: &mut impl FnMut(&str)) {
    match &node.value {
        Value::Function(function, argument) if function == "Ref" => {
            if let Some(name) = argument.text() {
                found(name);
            }
        }
        Value::Function(_, argument) => references(argument, found),
        Value::List(elements) => elements.iter().for_each(|element| references(element, found)),
        _ => {}
    }
}
