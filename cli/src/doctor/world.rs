//! Values of a template under given values of its parameters: conditions decided, functions computed.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use super::node::{Node, Value};
use super::program::{Program, Template};
use super::text::{self, placeholder, unknown};

/// Longest chain of conditions, imports and nested stacks that is followed; a circle ends there.
const MAX_DEPTH: usize = 32;

/// Most resources or values that loops make: CloudFormation allows 500 resources in a stack.
const MAX_LOOPED: usize = 2_000;

/// Functions that are computed, or that stand for a value of their own.
pub(super) const KNOWN_FUNCTIONS: [&str; 22] = [
    "And",
    "Base64",
    "Cidr",
    "Condition",
    "Contains",
    "Equals",
    "FindInMap",
    "GetAZs",
    "GetAtt",
    "If",
    "ImportValue",
    "Join",
    "Length",
    "Not",
    "Or",
    "Ref",
    "RefAll",
    "Select",
    "Split",
    "Sub",
    "ToJsonString",
    "Transform",
];

/// Values of what is free: parameters, pseudo parameters, and equalities of what is not known.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct World {
    pub(super) parameters: BTreeMap<(usize, String), String>,
    pub(super) pseudo: BTreeMap<String, String>,
    pub(super) equalities: BTreeMap<String, bool>,
}

/// One world of a program, and what was asked in it.
pub(super) struct Evaluation<'a> {
    pub(super) program: &'a Program,
    pub(super) world: &'a World,
    /// Equalities that nothing decides.
    pub(super) asked: RefCell<BTreeSet<String>>,
    /// Loops over values that are not known, by template and line.
    pub(super) loops: RefCell<BTreeSet<(usize, usize)>>,
    conditions: RefCell<BTreeMap<(usize, String), bool>>,
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(program: &'a Program, world: &'a World) -> Self {
        Self {
            program,
            world,
            asked: RefCell::default(),
            loops: RefCell::default(),
            conditions: RefCell::default(),
        }
    }

    pub(super) fn scope(&'a self, index: usize) -> Option<Scope<'a>> {
        Some(Scope {
            evaluation: self,
            template: self.program.template(index)?,
            index,
            loops: Vec::new(),
            depth: 0,
        })
    }

    /// Returns whether the rules of the templates allow this world.
    pub(super) fn is_deployable(&'a self) -> bool {
        let indices = 0..self.program.templates.len();
        let mut scopes = indices.filter_map(|index| self.scope(index));
        scopes.all(|scope| {
            let rules = scope.template.node.get("Rules").map(Node::members);
            let mut rules = rules.unwrap_or_default().iter();
            rules.all(|(_, rule)| {
                let condition = rule.get("RuleCondition");
                let applies = condition.is_none_or(|condition| scope.holds(condition) == Some(true));
                let mut assertions = rule.list_at(&["Assertions"]).iter();
                !applies
                    || assertions.all(|assertion| {
                        let assert = assertion.get("Assert");
                        assert.is_none_or(|assert| scope.holds(assert) != Some(false))
                    })
            })
        })
    }
}

/// A template in a world.
#[derive(Clone)]
pub(super) struct Scope<'a> {
    pub(super) evaluation: &'a Evaluation<'a>,
    pub(super) template: &'a Template,
    pub(super) index: usize,
    /// Variables of loops.
    loops: Vec<(String, String)>,
    depth: usize,
}

impl<'a> Scope<'a> {
    /// Returns the resources that exist in this world and are asked for, resolved, with their names.
    pub(super) fn resources(&self, wanted: impl Fn(&Node) -> bool) -> Vec<(String, Node)> {
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
        for (name, member) in map.members() {
            if !name.starts_with("Fn::ForEach") {
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

    /// Returns a value without functions; `None` when it is not there in this world.
    pub(super) fn resolve(&self, node: &Node) -> Option<Node> {
        let value = match &node.value {
            Value::Null => Value::Null,
            Value::Text(text) => Value::Text(literal(text)),
            Value::List(elements) => {
                let elements = elements.iter().filter_map(|element| self.resolve(element));
                Value::List(elements.collect())
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

    fn apply(&self, line: usize, function: &str, argument: &Node) -> Option<Node> {
        let text = match (function, argument.elements()) {
            ("Ref", [only]) => return self.reference(line, &self.with_variables(only.text()?)),
            ("GetAtt", [only]) => self.attribute(&self.with_variables(only.text()?)),
            ("GetAtt", [resource, attribute]) => {
                let attribute = self.resolve(attribute)?;
                let resource = self.with_variables(resource.text()?);
                self.attribute(&format!("{resource}.{}", attribute.text()?))
            }
            ("If", [condition, then, otherwise]) => {
                let branch = match self.condition(condition.text()?) {
                    true => then,
                    false => otherwise,
                };
                return self.resolve(branch);
            }
            ("Sub", [text]) => self.substitute(text.text()?, &[]),
            ("Sub", [text, variables]) => {
                let variables = self.resolve(variables)?;
                self.substitute(text.text()?, variables.members())
            }
            ("Join", [separator, parts]) => {
                let parts = self.resolve(parts)?;
                parts.texts().join(separator.text()?)
            }
            ("Select", [index, list]) => return self.select(line, index, list),
            ("Split", [separator, source]) => return self.split(line, separator.text()?, source),
            ("FindInMap", _) => return self.find_in_map(line, argument),
            ("ImportValue", _) => return self.import(line, argument),
            ("Length", _) => match self.resolve(argument)?.value {
                Value::List(elements) => elements.len().to_string(),
                _ => self.opaque(function, argument),
            },
            _ => self.opaque(function, argument),
        };
        Some(Node::text_node(line, text))
    }

    /// Returns what stands for a value that is not computed. With its argument: of two different ones there are two
    /// values, and the same one twice is one.
    fn opaque(&self, function: &str, argument: &Node) -> String {
        let argument = self.resolve(argument).map(|node| node.texts().join(","));
        unknown(&format!("Fn::{function}({})", argument.unwrap_or_default()))
    }

    fn reference(&self, line: usize, name: &str) -> Option<Node> {
        if name == "AWS::NoValue" {
            return None;
        }
        let variable = self.loops.iter().rev().find(|(variable, _)| variable == name);
        if let Some((_, value)) = variable {
            return Some(Node::text_node(line, value.as_str()));
        }
        if let Some(pseudo) = self.pseudo(name) {
            return Some(Node::text_node(line, pseudo));
        }
        let Some(parameter) = self.template.node.at(&["Parameters", name]) else {
            return Some(Node::text_node(line, self.own(name)));
        };
        let value = self.parameter(name, parameter)?;
        let is_list = parameter
            .text_at(&["Type"])
            .is_some_and(|kind| kind.contains("List<") || kind == "CommaDelimitedList");
        match value.text() {
            Some(text) if is_list => {
                let elements = text::split(text, ",").into_iter();
                let elements = elements.map(|element| Node::text_node(line, element.trim()));
                Some(Node::list(line, elements.collect()))
            }
            _ => Some(value),
        }
    }

    fn parameter(&self, name: &str, parameter: &Node) -> Option<Node> {
        let line = parameter.line;
        if let Some((index, resource)) = &self.template.parent {
            let path = ["Resources", resource, "Properties", "Parameters", name];
            let parent = self.evaluation.scope(*index)?;
            if let Some(given) = parent.template.node.at(&path) {
                let parent = Scope {
                    depth: self.depth + 1,
                    ..parent
                };
                return match parent.depth < MAX_DEPTH {
                    true => parent.resolve(given),
                    false => Some(Node::text_node(line, unknown(&format!("parameter {name}")))),
                };
            }
        } else if let Some(given) = self.evaluation.program.given.get(name) {
            return Some(Node::text_node(line, given.as_str()));
        }
        let chosen = self
            .evaluation
            .world
            .parameters
            .get(&(self.index, name.to_owned()));
        let value = chosen.cloned().unwrap_or_else(|| default(name, parameter));
        Some(Node::text_node(line, value))
    }

    fn pseudo(&self, name: &str) -> Option<String> {
        if !name.starts_with("AWS::") {
            return None;
        }
        if let Some(chosen) = self.evaluation.world.pseudo.get(name) {
            return Some(chosen.clone());
        }
        Some(match name {
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            // What is known of its form matters where a part of it is taken.
            "AWS::StackId" => "arn:${AWS::Partition}:cloudformation:${AWS::Region}:${AWS::AccountId}:stack/${AWS::StackName}/${AWS::StackUuid}".to_owned(),
            _ => placeholder(name),
        })
    }

    fn own(&self, name: &str) -> String {
        placeholder(&format!("{}{name}", self.template.prefix))
    }

    /// Returns an attribute of a resource: an output of a nested stack, if its template is there.
    fn attribute(&self, path: &str) -> String {
        let Some((resource, attribute)) = path.split_once('.') else {
            return self.own(path);
        };
        let Some(output) = attribute.strip_prefix("Outputs.") else {
            return self.own(path);
        };
        let key = (self.index, resource.to_owned());
        let child = self.evaluation.program.children.get(&key);
        let value = child
            .filter(|_| self.depth < MAX_DEPTH)
            .and_then(|child| self.evaluation.scope(*child))
            .and_then(|child| {
                let child = Scope {
                    depth: self.depth + 1,
                    ..child
                };
                let value = child.template.node.at(&["Outputs", output, "Value"])?;
                child.resolve(value)
            });
        match value.as_ref().and_then(Node::text) {
            Some(text) => text.to_owned(),
            None => unknown(&format!("output {path}")),
        }
    }

    fn substitute(&self, text: &str, variables: &[(String, Node)]) -> String {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            result.push_str(&literal(before));
            let Some((name, remaining)) = after.split_once('}') else {
                result.push_str("$ {");
                rest = after;
                continue;
            };
            let name = name.trim();
            let variable = variables.iter().find(|(variable, _)| variable == name);
            if let Some(kept) = name.strip_prefix('!') {
                result.push_str(&format!("$({kept})"));
            } else if let Some((_, value)) = variable {
                result.push_str(&value.texts().join(","));
            } else if name.contains('.') && !self.loops.iter().any(|(variable, _)| variable == name) {
                result.push_str(&self.attribute(&self.with_variables(name)));
            } else if let Some(value) = self.reference(0, name) {
                result.push_str(&value.texts().join(","));
            }
            rest = remaining;
        }
        result.push_str(&literal(rest));
        result
    }

    fn select(&self, line: usize, index: &Node, list: &Node) -> Option<Node> {
        let index = self.resolve(index)?;
        let list = self.resolve(list)?;
        let position = index.text().and_then(|text| text.parse::<usize>().ok());
        let elements = match &list.value {
            Value::List(elements) => elements.as_slice(),
            _ => &[],
        };
        let is_known = !matches!(elements, [only] if only.text().is_some_and(text::is_unknown));
        match position.and_then(|position| elements.get(position)) {
            Some(element) if is_known => Some(element.clone()),
            _ => {
                let list = list.texts().join(",");
                let index = index.texts().concat();
                Some(Node::text_node(
                    line,
                    unknown(&format!("Fn::Select({index},{list})")),
                ))
            }
        }
    }

    fn split(&self, line: usize, separator: &str, source: &Node) -> Option<Node> {
        let source = self.resolve(source)?;
        let source = source.text()?;
        let mut pieces = text::pieces(source).into_iter();
        // Neither the stack's name nor its Region contains one of these.
        let is_clear = pieces.all(|piece| !piece.starts_with("${") || piece.starts_with("${AWS::"))
            && (!source.contains("${") || matches!(separator, "/" | ":" | ","));
        let elements = match is_clear {
            true => text::split(source, separator),
            false => vec![unknown(&format!("Fn::Split({separator},{source})"))],
        };
        let elements = elements.into_iter().map(|element| Node::text_node(line, element));
        Some(Node::list(line, elements.collect()))
    }

    fn find_in_map(&self, line: usize, argument: &Node) -> Option<Node> {
        let resolved = self.resolve(argument)?;
        let [map, first, second, rest @ ..] = resolved.elements() else {
            return Some(Node::text_node(line, self.opaque("FindInMap", argument)));
        };
        let path = ["Mappings", map.text()?, first.text()?, second.text()?];
        match self.template.node.at(&path) {
            Some(value) => Some(value.clone()),
            None => match rest.first().and_then(|options| options.get("DefaultValue")) {
                Some(default) => Some(default.clone()),
                None => Some(Node::text_node(line, self.opaque("FindInMap", argument))),
            },
        }
    }

    /// Returns what a template of the program exports under a name, if it is one template alone.
    fn import(&self, line: usize, argument: &Node) -> Option<Node> {
        let name = self.resolve(argument)?.texts().concat();
        let program = self.evaluation.program;
        let mut values = Vec::new();
        for index in 0..program.templates.len() {
            let Some(scope) = self.evaluation.scope(index).filter(|_| self.depth < MAX_DEPTH) else {
                continue;
            };
            let scope = Scope {
                depth: self.depth + 1,
                ..scope
            };
            let outputs = scope.template.node.get("Outputs").map(Node::members);
            for (_, output) in outputs.unwrap_or_default() {
                let Some(export) = output.at(&["Export", "Name"]) else {
                    continue;
                };
                let condition = output.get("Condition").and_then(Node::text);
                let exported = scope.resolve(export).map(|export| export.texts().concat());
                if exported.as_deref() == Some(&name)
                    && condition.is_none_or(|condition| scope.condition(condition))
                {
                    values.extend(output.get("Value").and_then(|value| scope.resolve(value)));
                }
            }
        }
        match <[Node; 1]>::try_from(values) {
            Ok([value]) => Some(value),
            Err(_) => Some(Node::text_node(line, unknown(&format!("import {name}")))),
        }
    }

    /// Returns whether a condition holds; one that is not there, or that asks for itself, does not.
    pub(super) fn condition(&self, name: &str) -> bool {
        let key = (self.index, name.to_owned());
        if let Some(known) = self.evaluation.conditions.borrow().get(&key) {
            return *known;
        }
        let condition = self.template.node.at(&["Conditions", name]);
        let holds = condition
            .filter(|_| self.depth < MAX_DEPTH)
            .and_then(|condition| self.deeper().holds(condition));
        // A function that is not computed here can be either.
        let holds = holds.unwrap_or_else(|| self.is_chosen(&format!("condition {name}")));
        self.evaluation.conditions.borrow_mut().insert(key, holds);
        holds
    }

    /// Returns the truth of a condition; `None` where it is not computed here.
    fn holds(&self, condition: &Node) -> Option<bool> {
        let Value::Function(function, argument) = &condition.value else {
            return condition.text().map(|name| self.condition(name));
        };
        let operands = argument.elements();
        let texts = |node: &Node| {
            self.resolve(node)
                .map(|node| node.texts().concat())
                .unwrap_or_default()
        };
        match (function.as_str(), operands) {
            ("Condition", _) => argument.text().map(|name| self.condition(name)),
            ("Not", [operand]) => self.holds(operand).map(|holds| !holds),
            ("And", _) => self.all(operands, true),
            ("Or", _) => self.all(operands, false).map(|none| !none),
            ("Equals", [left, right]) => Some(self.equal(&texts(left), &texts(right))),
            ("Contains", [list, value]) => {
                let list = self.resolve(list)?;
                let value = texts(value);
                Some(
                    list.texts()
                        .into_iter()
                        .any(|element| self.equal(element, &value)),
                )
            }
            _ => None,
        }
    }

    /// Returns whether every operand has a value.
    fn all(&self, operands: &[Node], wanted: bool) -> Option<bool> {
        let values: Vec<Option<bool>> = operands.iter().map(|operand| self.holds(operand)).collect();
        match values.contains(&Some(!wanted)) {
            true => Some(false),
            false => values.into_iter().collect::<Option<Vec<_>>>().map(|_| true),
        }
    }

    fn equal(&self, left: &str, right: &str) -> bool {
        if left == right {
            return true;
        }
        // A parameter that has none of the values that it is compared with has another one.
        let is_other = |text: &str| {
            let beginnings = ["?another ", "?parameter ", "AWS::"];
            text::inner(text)
                .is_some_and(|inner| beginnings.iter().any(|beginning| inner.starts_with(beginning)))
        };
        let is_literal = |text: &str| !text.contains("${");
        match (is_literal(left), is_literal(right)) {
            (true, true) => false,
            (true, false) if is_other(right) => false,
            (false, true) if is_other(left) => false,
            _ => {
                let (first, second) = (left.min(right), left.max(right));
                self.is_chosen(&format!("{first} = {second}"))
            }
        }
    }

    fn is_chosen(&self, question: &str) -> bool {
        self.evaluation.asked.borrow_mut().insert(question.to_owned());
        self.evaluation.world.equalities.get(question) == Some(&true)
    }
}

/// Returns the value of a parameter by default.
pub(super) fn default(name: &str, parameter: &Node) -> String {
    let kind = parameter.text_at(&["Type"]).unwrap_or_default();
    match parameter.get("Default") {
        // Its default is the name of a parameter in Parameter Store.
        _ if kind.starts_with("AWS::SSM::Parameter::Value") => unknown(&format!("parameter {name}")),
        Some(default) => default.texts().join(","),
        None => unknown(&format!("parameter {name}")),
    }
}

/// Returns a text of the template, in which nothing is taken for a placeholder but dynamic references.
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
