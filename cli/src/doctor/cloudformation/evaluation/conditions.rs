//! Conditions and rules of templates.

use super::{MAX_DEPTH, Scope};
use crate::doctor::node::{Node, Value};
use crate::doctor::text;

impl Scope<'_> {
    /// Returns the number of comparisons that would have to come out otherwise for a rule of the
    /// template to allow the choice; 0 where it does.
    pub(crate) fn distance_to_rule(&self, rule: &Node) -> usize {
        let condition = rule.get("RuleCondition");
        if condition.is_some_and(|condition| self.holds(condition) != Some(true)) {
            return 0;
        }
        let assertions = rule.list_at(&["Assertions"]).iter();
        let assertions = assertions.filter_map(|assertion| assertion.get("Assert"));
        assertions.map(|assert| self.distance(assert, true)).sum()
    }

    /// Returns whether a condition holds; one that is not there, or that asks for itself, does not.
    pub(crate) fn condition(&self, name: &str) -> bool {
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

    /// Returns the number of comparisons that would have to come out otherwise for this value; what
    /// is not computed here can have it.
    fn distance(&self, condition: &Node, wanted: bool) -> usize {
        let is_there = || usize::from(self.holds(condition) == Some(!wanted));
        let Value::Function(function, argument) = &condition.value else {
            return is_there();
        };
        let mut distances = argument
            .elements()
            .iter()
            .map(|operand| self.distance(operand, wanted));
        match (function.as_str(), argument.elements(), wanted) {
            ("Not", [operand], _) => self.distance(operand, !wanted),
            ("And", _, true) | ("Or", _, false) => distances.sum(),
            ("And", _, false) | ("Or", _, true) => distances.by_ref().min().unwrap_or_default(),
            _ => is_there(),
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
            (true, false) if !can_be(right, left) => false,
            (false, true) if !can_be(left, right) => false,
            _ => {
                let (first, second) = (left.min(right), left.max(right));
                self.is_chosen(&format!("{first} = {second}"))
            }
        }
    }

    fn is_chosen(&self, question: &str) -> bool {
        self.evaluation.asked.borrow_mut().insert(question.to_owned());
        let variables = self.evaluation.variables;
        self.evaluation.chosen(variables.equality(question)) == Some("true")
    }
}

/// Returns true if a text with values that are not known can be another text.
fn can_be(open: &str, literal: &str) -> bool {
    let pieces = text::pieces(open).into_iter();
    let pattern: String = pieces
        .map(|piece| match piece.starts_with("${") {
            true => "*",
            false => piece,
        })
        .collect();
    text::matches(&pattern, literal)
}
