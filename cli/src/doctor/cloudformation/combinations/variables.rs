//! Free parameters of a program, with the values that make a difference.

use std::collections::{BTreeMap, BTreeSet};

use crate::doctor::cloudformation::evaluation::{self, Variable, VariableKey};
use crate::doctor::cloudformation::program::Program;
use crate::doctor::cloudformation::template::is_looked_at;
use crate::doctor::node::{Node, Value};
use crate::doctor::text::{placeholder, unknown};

/// Longest chain of conditions, or of parameters of nested stacks, that is followed.
const MAX_DEPTH: usize = 32;

/// Values that a parameter is compared with, or looked up by.
#[derive(Debug, Default)]
struct Uses {
    literals: BTreeSet<String>,
    /// True where it has no other value than those, as the key of a map.
    is_closed: bool,
    /// True where it is compared as a part of something, such as `!Sub ${Name}-gate`.
    is_part: bool,
    decides: bool,
}

/// Free parameter behind a name.
struct Free {
    key: VariableKey,
    /// True where the name stands for something computed from it.
    is_part: bool,
}

/// Returns what is free and has several values that matter, and the conditions that decide about
/// something.
pub(crate) fn of(program: &Program) -> (Vec<Variable>, Vec<(usize, String)>) {
    let mut collector = Collector {
        program,
        uses: BTreeMap::new(),
        conditions: Vec::new(),
    };
    for index in 0..program.templates.len() {
        collector.template(index);
    }
    let Collector { uses, conditions, .. } = collector;
    let variables = uses.into_iter().filter_map(|(key, uses)| {
        let values = values(program, &key, &uses);
        (values.len() > 1).then_some(Variable {
            key,
            values,
            decides: uses.decides,
        })
    });
    (variables.collect(), conditions)
}

/// Returns the keys of what a rule of a template compares.
pub(crate) fn of_rule(program: &Program, index: usize, rule: &Node) -> BTreeSet<VariableKey> {
    let mut collector = Collector {
        program,
        uses: BTreeMap::new(),
        conditions: Vec::new(),
    };
    collector.formula(index, rule);
    collector.uses.into_keys().collect()
}

/// Returns the keys of what a condition depends on.
pub(crate) fn of_condition(program: &Program, index: usize, name: &str) -> BTreeSet<VariableKey> {
    let mut collector = Collector {
        program,
        uses: BTreeMap::new(),
        conditions: Vec::new(),
    };
    collector.condition(index, name);
    collector.uses.into_keys().collect()
}

struct Collector<'a> {
    program: &'a Program,
    uses: BTreeMap<VariableKey, Uses>,
    conditions: Vec<(usize, String)>,
}

impl Collector<'_> {
    fn template(&mut self, index: usize) {
        let Some(template) = self.program.template(index) else {
            return;
        };
        let node = &template.node;
        let resources = node.get("Resources").map(Node::members).unwrap_or_default();
        for (name, resource) in resources {
            if is_looked_at(resource) || name.starts_with("Fn::ForEach") {
                if let Some(condition) = resource.get("Condition").and_then(Node::text) {
                    self.condition(index, condition);
                }
                self.value(index, resource);
            }
        }
        for part in ["Globals", "Outputs"] {
            if let Some(part) = node.get(part) {
                self.value(index, part);
            }
        }
        for (_, rule) in node.get("Rules").map(Node::members).unwrap_or_default() {
            self.formula(index, rule);
        }
    }

    /// Notes the parameters that a value depends on, and the conditions of its functions.
    fn value(&mut self, index: usize, node: &Node) {
        let mut conditions = Vec::new();
        node.walk(&mut |node| {
            if let Value::Function(function, argument) = &node.value
                && function == "If"
                && let Some(condition) = argument.elements().first().and_then(Node::text)
            {
                conditions.push(condition.to_owned());
            }
        });
        for condition in conditions {
            self.condition(index, &condition);
        }
        for name in references(node) {
            for free in self.free(index, &name, 0) {
                self.uses.entry(free.key).or_default();
            }
        }
        self.maps(index, node, false);
    }

    /// Notes what a condition depends on.
    fn condition(&mut self, index: usize, name: &str) {
        let known = (index, name.to_owned());
        if self.conditions.contains(&known) {
            return;
        }
        self.conditions.push(known);
        let program = self.program;
        let condition = program
            .template(index)
            .and_then(|template| template.node.at(&["Conditions", name]));
        if let Some(condition) = condition {
            self.formula(index, condition);
        }
    }

    fn formula(&mut self, index: usize, formula: &Node) {
        let mut others = Vec::new();
        let mut comparisons = Vec::new();
        formula.walk(&mut |node| match &node.value {
            Value::Function(function, argument) if function == "Condition" => {
                others.extend(argument.text().map(str::to_owned));
            }
            Value::Function(function, argument) if matches!(function.as_str(), "Equals" | "Contains") => {
                comparisons.push(argument.as_ref());
            }
            _ => {}
        });
        for comparison in comparisons {
            self.comparison(index, comparison.elements());
        }
        self.maps(index, formula, true);
        for name in others {
            self.condition(index, &name);
        }
    }

    /// Notes what the operands of a comparison depend on, and the values that each can be equal to.
    fn comparison(&mut self, index: usize, operands: &[Node]) {
        let literals: Vec<String> = operands
            .iter()
            .flat_map(Node::elements)
            .filter_map(|operand| operand.text().map(str::to_owned))
            .collect();
        let mut compared = Vec::new();
        for operand in operands {
            let is_reference = matches!(&operand.value, Value::Function(name, _) if name == "Ref");
            for name in references(operand) {
                let free = self.free(index, &name, 0).into_iter();
                compared.extend(free.map(|free| Free {
                    is_part: free.is_part || !is_reference,
                    ..free
                }));
            }
        }
        let own: Vec<Vec<String>> = compared.iter().map(|free| self.own_values(&free.key)).collect();
        for (position, free) in compared.into_iter().enumerate() {
            let others = own.iter().enumerate().filter(|(other, _)| *other != position);
            let others = others.flat_map(|(_, values)| values.iter().cloned());
            let uses = self.uses.entry(free.key).or_default();
            uses.literals.extend(literals.iter().cloned().chain(others));
            uses.is_part |= free.is_part;
            uses.decides = true;
        }
    }

    /// Returns the values that a parameter has by itself, which another one can be equal to.
    fn own_values(&self, key: &VariableKey) -> Vec<String> {
        let VariableKey::Parameter(index, name) = key else {
            return Vec::new();
        };
        let template = self.program.template(*index);
        let parameter = template.and_then(|template| template.node.at(&["Parameters", name]));
        let parts = ["Default", "AllowedValues"].into_iter();
        let parts = parts.filter_map(|part| parameter?.get(part));
        parts.flat_map(Node::texts).map(str::to_owned).collect()
    }

    /// Notes the keys of the maps that something is looked up in.
    fn maps(&mut self, index: usize, node: &Node, decides: bool) {
        let Some(template) = self.program.template(index) else {
            return;
        };
        let mut found = Vec::new();
        node.walk(&mut |node| {
            if let Value::Function(function, argument) = &node.value
                && function == "FindInMap"
                && let [map, first, second, rest @ ..] = argument.elements()
            {
                let map = map.text().and_then(|map| template.node.at(&["Mappings", map]));
                let rows = map.map(Node::members).unwrap_or_default();
                let is_closed = rest.is_empty();
                let names: Vec<&String> = rows.iter().map(|(name, _)| name).collect();
                found.push((first, names, is_closed));
                let columns = rows.iter().flat_map(|(_, row)| row.members());
                found.push((second, columns.map(|(name, _)| name).collect(), is_closed));
            }
        });
        for (key, names, is_closed) in found {
            let Value::Function(function, argument) = &key.value else {
                continue;
            };
            let Some(name) = argument.text().filter(|_| function == "Ref") else {
                continue;
            };
            for free in self.free(index, name, 0) {
                let uses = self.uses.entry(free.key).or_default();
                uses.literals.extend(names.iter().map(|name| (*name).clone()));
                uses.is_closed |= is_closed;
                uses.decides |= decides;
            }
        }
    }

    /// Returns the free parameters behind a name: those of the parent, for one of a nested stack.
    fn free(&self, index: usize, name: &str, depth: usize) -> Vec<Free> {
        let whole = |key| Free { key, is_part: false };
        if name.starts_with("AWS::") {
            let is_value = matches!(
                name,
                "AWS::Region" | "AWS::Partition" | "AWS::AccountId" | "AWS::URLSuffix" | "AWS::StackName"
            );
            return Vec::from_iter(is_value.then(|| whole(VariableKey::Pseudo(name.to_owned()))));
        }
        let Some(template) = self.program.template(index).filter(|_| depth < MAX_DEPTH) else {
            return Vec::new();
        };
        if template.node.at(&["Parameters", name]).is_none() {
            return Vec::new();
        }
        if let Some((parent, resource)) = &template.parent {
            let path = ["Resources", resource, "Properties", "Parameters", name];
            let given = self
                .program
                .template(*parent)
                .and_then(|template| template.node.at(&path));
            if let Some(given) = given {
                let is_reference = matches!(&given.value, Value::Function(name, _) if name == "Ref");
                let names = references(given).into_iter();
                let free = names.flat_map(|name| self.free(*parent, &name, depth + 1));
                return free
                    .map(|free| Free {
                        is_part: free.is_part || !is_reference,
                        ..free
                    })
                    .collect();
            }
        } else if self.program.given.contains_key(name) {
            return Vec::new();
        }
        vec![whole(VariableKey::Parameter(index, name.to_owned()))]
    }
}

/// Returns the values of an variable that make a difference, the default first.
fn values(program: &Program, key: &VariableKey, uses: &Uses) -> Vec<String> {
    let mut values = Vec::new();
    match key {
        VariableKey::Parameter(index, name) => {
            let template = program.template(*index);
            let Some(parameter) = template.and_then(|template| template.node.at(&["Parameters", name]))
            else {
                return Vec::new();
            };
            values.push(evaluation::default(name, parameter));
            match parameter.get("AllowedValues") {
                Some(allowed) => {
                    if parameter.get("Default").is_none() {
                        values.clear();
                    }
                    // Rules on numbers have a limit, on one side of which the least or the greatest
                    // lies if any does.
                    let are_numbers = !uses.decides && parameter.text_at(&["Type"]) == Some("Number");
                    match are_numbers {
                        true => values.extend(extremes(&allowed.texts())),
                        false => values.extend(allowed.texts().into_iter().map(str::to_owned)),
                    }
                }
                None => {
                    // A default that it is not compared with stands for every other value.
                    let is_compared = values
                        .first()
                        .is_some_and(|default| uses.literals.contains(default));
                    let needs_other = is_compared || uses.is_part || uses.literals.is_empty();
                    if uses.decides && !uses.is_closed && needs_other {
                        // Of one with a default, the operator has chosen another value.
                        let word = match parameter.get("Default") {
                            Some(_) => "another",
                            None => "parameter",
                        };
                        values.push(unknown(&format!("{word} {name}")));
                    }
                    values.extend(uses.literals.iter().cloned());
                }
            }
        }
        VariableKey::Pseudo(name) => {
            if !uses.is_closed || uses.literals.is_empty() {
                values.push(match name.as_str() {
                    "AWS::URLSuffix" => "amazonaws.com".to_owned(),
                    _ => placeholder(name),
                });
            }
            values.extend(uses.literals.iter().cloned());
        }
        VariableKey::Equality(_) => {}
    }
    let mut seen = BTreeSet::new();
    values.retain(|value| seen.insert(value.clone()));
    values
}

/// Returns the least and the greatest of some numbers; all of them where one is not a number.
fn extremes(texts: &[&str]) -> Vec<String> {
    let numbers: Option<Vec<(f64, &str)>> = texts
        .iter()
        .map(|text| Some((text.parse().ok()?, *text)))
        .collect();
    let Some(mut numbers) = numbers else {
        return texts.iter().map(|text| (*text).to_owned()).collect();
    };
    numbers.sort_by(|one, other| one.0.total_cmp(&other.0));
    let ends = [numbers.first(), numbers.last()].into_iter().flatten();
    ends.map(|(_, text)| (*text).to_owned()).collect()
}

/// Returns the names that a value refers to.
fn references(node: &Node) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    node.walk(&mut |node| {
        let Value::Function(function, argument) = &node.value else {
            return;
        };
        match function.as_str() {
            "Ref" => names.extend(argument.text().map(str::to_owned)),
            "Sub" => {
                let text = argument
                    .elements()
                    .first()
                    .and_then(Node::text)
                    .unwrap_or_default();
                for part in text.split("${").skip(1) {
                    names.extend(part.split_once('}').map(|(name, _)| name.trim().to_owned()));
                }
            }
            _ => {}
        }
    });
    names
}
