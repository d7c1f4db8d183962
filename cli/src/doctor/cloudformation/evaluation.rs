//! Values of a template under given values of its parameters: conditions decided, functions
//! computed.

mod conditions;
mod functions;
mod variables;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use crate::doctor::cloudformation::program::{Program, Template};
use crate::doctor::node::{Node, Value};
use crate::doctor::text::unknown;
pub(crate) use functions::{KNOWN_FUNCTIONS, default};
pub(crate) use variables::{Choice, Table, Variable, VariableKey, Variables};

/// Longest chain of conditions, imports and nested stacks that is followed; a circle ends there.
const MAX_DEPTH: usize = 32;

/// Most resources or values that loops make: CloudFormation allows 500 resources in a stack.
const MAX_LOOPED: usize = 2_000;

/// Evaluation of a program under one choice of values, with the questions that came up.
pub(crate) struct Evaluation<'a> {
    pub(crate) program: &'a Program,
    variables: &'a Variables,
    choice: &'a [usize],
    /// Positions of the variables whose values were needed.
    read: RefCell<BTreeSet<usize>>,
    /// Equalities that nothing decides.
    pub(crate) asked: RefCell<BTreeSet<String>>,
    /// Loops over values that are not known, by template and line.
    pub(crate) loops: RefCell<BTreeSet<(usize, usize)>>,
    conditions: RefCell<BTreeMap<(usize, String), bool>>,
}

impl<'a> Evaluation<'a> {
    pub(crate) fn new(program: &'a Program, variables: &'a Variables, choice: &'a [usize]) -> Self {
        Self {
            program,
            variables,
            choice,
            read: RefCell::default(),
            asked: RefCell::default(),
            loops: RefCell::default(),
            conditions: RefCell::default(),
        }
    }

    /// Returns the positions of the variables whose values were needed so far.
    pub(crate) fn read(&self) -> Vec<usize> {
        self.read.borrow().iter().copied().collect()
    }

    /// Returns the value chosen for the variable at a position.
    fn chosen(&self, position: Option<usize>) -> Option<&'a str> {
        let position = position?;
        self.read.borrow_mut().insert(position);
        let variable = self.variables.as_slice().get(position)?;
        variable
            .values
            .get(*self.choice.get(position)?)
            .map(String::as_str)
    }

    /// Returns true if the stack of a template is made in this combination: the parent's condition
    /// decides about a nested one.
    pub(crate) fn is_made(&'a self, index: usize) -> bool {
        let template = self.program.template(index);
        let Some((parent, resource)) = template.and_then(|template| template.parent.as_ref()) else {
            return template.is_some();
        };
        let Some(scope) = self.scope(*parent) else {
            return false;
        };
        let condition = scope.template.node.text_at(&["Resources", resource, "Condition"]);
        self.is_made(*parent) && condition.is_none_or(|condition| scope.condition(condition))
    }

    pub(crate) fn scope(&'a self, index: usize) -> Option<Scope<'a>> {
        Some(Scope {
            evaluation: self,
            template: self.program.template(index)?,
            index,
            loops: Vec::new(),
            depth: 0,
        })
    }
}

/// A template in a combination.
#[derive(Clone)]
pub(crate) struct Scope<'a> {
    pub(crate) evaluation: &'a Evaluation<'a>,
    pub(crate) template: &'a Template,
    pub(crate) index: usize,
    /// Variables of loops.
    loops: Vec<(String, String)>,
    depth: usize,
}

impl<'a> Scope<'a> {
    /// Returns the resources that exist in this combination and are asked for, resolved, with their
    /// names.
    pub(crate) fn resources(&self, wanted: impl Fn(&Node) -> bool) -> Vec<(String, Node)> {
        let Some(resources) = self.template.node.get("Resources") else {
            return Vec::new();
        };
        let mut found = Vec::new();
        for (name, resource, scope) in self.looped(resources) {
            let exists = match resource.get("Condition").and_then(Node::text) {
                Some(condition) => scope.condition(condition),
                None => true,
            };
            if exists
                && wanted(resource)
                && let Some(resolved) = scope.resolve(resource)
            {
                found.push((name, resolved));
            }
        }
        found
    }

    /// Returns the members of a map, with those that loops make.
    fn looped<'n>(&self, map: &'n Node) -> Vec<(String, &'n Node, Self)> {
        let mut found = Vec::new();
        for pair in map.members() {
            let (name, member) = pair;
            if !is_loop(pair) {
                found.push((self.with_variables(name), member, self.clone()));
                continue;
            }
            let [variable, collection, body] = member.elements() else {
                continue;
            };
            let elements = self.resolve(collection);
            let elements = elements.as_ref().map(Node::elements).unwrap_or_default();
            let is_known = |element: &Node| element.text().is_some_and(|text| !text.contains("${"));
            if elements.is_empty() || !elements.iter().all(is_known) || self.depth >= MAX_DEPTH {
                self.evaluation
                    .loops
                    .borrow_mut()
                    .insert((self.index, member.line));
                continue;
            }
            for element in elements {
                let mut inner = self.deeper();
                let pair = (
                    variable.text().unwrap_or_default().to_owned(),
                    element.text().unwrap_or_default().to_owned(),
                );
                inner.loops.push(pair);
                found.extend(inner.looped(body));
                if found.len() > MAX_LOOPED {
                    self.evaluation
                        .loops
                        .borrow_mut()
                        .insert((self.index, member.line));
                    return found;
                }
            }
        }
        found
    }

    fn with_variables(&self, name: &str) -> String {
        let mut name = name.to_owned();
        for (variable, value) in &self.loops {
            let only_letters: String = value.chars().filter(char::is_ascii_alphanumeric).collect();
            name = name
                .replace(&format!("${{{variable}}}"), value)
                .replace(&format!("&{{{variable}}}"), &only_letters);
        }
        name
    }

    fn deeper(&self) -> Self {
        Self {
            depth: self.depth + 1,
            ..self.clone()
        }
    }

    /// Returns a value without functions; `None` when it is not there in this combination.
    pub(crate) fn resolve(&self, node: &Node) -> Option<Node> {
        let value = match &node.value {
            Value::Null => Value::Null,
            Value::Text(text) => Value::Text(literal(text)),
            Value::List(elements) => {
                let elements = elements.iter().filter_map(|element| self.resolve(element));
                Value::List(elements.collect())
            }
            Value::Map(members) if self.loops.is_empty() && !members.iter().any(is_loop) => {
                let members = members.iter();
                let members =
                    members.filter_map(|(name, member)| Some((name.clone(), self.resolve(member)?)));
                Value::Map(members.collect())
            }
            Value::Map(_) => {
                let members = self.looped(node).into_iter();
                let members =
                    members.filter_map(|(name, member, scope)| Some((name, scope.resolve(member)?)));
                Value::Map(members.collect())
            }
            Value::Function(name, argument) => return self.apply(node.line, name, argument),
        };
        Some(Node {
            line: node.line,
            value,
        })
    }
}

fn is_loop((name, _): &(String, Node)) -> bool {
    name.starts_with("Fn::ForEach")
}

/// Returns a text of the template, in which nothing is taken for a placeholder but dynamic
/// references.
fn literal(text: &str) -> String {
    let text = text.replace("${", "$ {");
    let mut result = String::new();
    let mut rest = text.as_str();
    while let Some((before, after)) = rest.split_once("{{resolve:") {
        let Some((name, remaining)) = after.split_once("}}") else {
            break;
        };
        result.push_str(before);
        result.push_str(&unknown(&format!("resolve:{name}")));
        rest = remaining;
    }
    result.push_str(rest);
    result
}
