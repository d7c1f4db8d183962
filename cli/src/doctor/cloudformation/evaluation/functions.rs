//! Intrinsic functions of templates.

use super::{MAX_DEPTH, Scope, literal};
use crate::doctor::node::{Node, Value};
use crate::doctor::text::{self, placeholder, unknown};

/// Functions that are computed, or that stand for a value of their own.
pub(crate) const KNOWN_FUNCTIONS: [&str; 22] = [
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

impl Scope<'_> {
    /// Returns the value of a function; `None` where that is `AWS::NoValue`. A function that cannot
    /// be computed stands for a value of its own: a property with it must not count as absent.
    pub(super) fn apply(&self, line: usize, function: &str, argument: &Node) -> Option<Node> {
        match (function, argument.elements()) {
            ("Ref", [only]) => match self.name(only) {
                Some(name) => self.reference(line, &name),
                None => Some(Node::text_node(line, self.opaque(function, argument))),
            },
            ("If", [condition, then, otherwise]) if condition.text().is_some() => {
                let branch = match self.condition(condition.text().unwrap_or_default()) {
                    true => then,
                    false => otherwise,
                };
                self.resolve(branch)
            }
            _ => {
                let computed = self.compute(line, function, argument);
                Some(computed.unwrap_or_else(|| Node::text_node(line, self.opaque(function, argument))))
            }
        }
    }

    /// Returns a name that is written out, or computed within a loop.
    fn name(&self, node: &Node) -> Option<String> {
        match node.text() {
            Some(text) => Some(self.with_variables(text)),
            None => self.resolve(node)?.text().map(str::to_owned),
        }
    }

    fn compute(&self, line: usize, function: &str, argument: &Node) -> Option<Node> {
        let text = match (function, argument.elements()) {
            ("GetAtt", [only]) => self.attribute(&self.name(only)?),
            ("GetAtt", [resource, attribute]) => {
                let attribute = self.resolve(attribute)?;
                self.attribute(&format!("{}.{}", self.name(resource)?, attribute.text()?))
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

    /// Returns what stands for a value that is not computed. With its argument: of two different
    /// ones there are two values, and the same one twice is one.
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
        let variables = self.evaluation.variables;
        let chosen = self.evaluation.chosen(variables.parameter(self.index, name));
        let value = chosen.map_or_else(|| default(name, parameter), str::to_owned);
        Some(Node::text_node(line, value))
    }

    fn pseudo(&self, name: &str) -> Option<String> {
        if !name.starts_with("AWS::") {
            return None;
        }
        let variables = self.evaluation.variables;
        if let Some(chosen) = self.evaluation.chosen(variables.pseudo(name)) {
            return Some(chosen.to_owned());
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
}

/// Returns the value of a parameter by default.
pub(crate) fn default(name: &str, parameter: &Node) -> String {
    let kind = parameter.text_at(&["Type"]).unwrap_or_default();
    match parameter.get("Default") {
        // Its default is the name of a parameter in Parameter Store.
        _ if kind.starts_with("AWS::SSM::Parameter::Value") => unknown(&format!("parameter {name}")),
        Some(default) => default.texts().join(","),
        None => unknown(&format!("parameter {name}")),
    }
}
