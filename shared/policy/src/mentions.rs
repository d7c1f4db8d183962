//! Parts of a request that policies mention, read from the parsed policy and not from its text.

use std::collections::BTreeSet;

use cedar_policy::Policy;
use serde_json::Value;

/// Attributes of `context` that a policy can depend on.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    attributes: BTreeSet<String>,
    /// True if `context` is used as a whole, such as in a comparison, so that every attribute
    /// counts.
    whole: bool,
}

impl Mentions {
    /// Walks the conditions of a policy in Cedar's JSON format. A policy that has no such form
    /// mentions everything.
    pub(crate) fn from_policy(policy: &Policy) -> Self {
        let mut mentions = Self::default();
        match policy.to_json() {
            Ok(Value::Object(fields)) => match fields.get("conditions") {
                Some(conditions) => mentions.walk(conditions),
                None => mentions.whole = true,
            },
            _ => mentions.whole = true,
        }
        mentions
    }

    /// Returns whether the decision of the policy can depend on this attribute.
    pub(crate) fn may_ask(&self, attribute: &str) -> bool {
        self.whole || self.names(attribute)
    }

    /// Returns whether the policy names this attribute.
    pub(crate) fn names(&self, attribute: &str) -> bool {
        self.attributes.contains(attribute)
    }

    /// Collects the attributes of an expression and its parts.
    ///
    /// Source: Cedar documentation, "JSON policy format", the expressions `Var`, `.` and `has`.
    fn walk(&mut self, expression: &Value) {
        match expression {
            Value::Array(parts) => parts.iter().for_each(|part| self.walk(part)),
            Value::Object(fields) => {
                for (operator, operand) in fields {
                    match (operator.as_str(), attribute_of_context(operand)) {
                        ("." | "has", Some(attribute)) => {
                            self.attributes.insert(attribute.to_owned());
                        }
                        ("Var", _) if operand == "context" => self.whole = true,
                        _ => self.walk(operand),
                    }
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

/// Returns the attribute in the operand of `context.attribute` or `context has attribute`.
fn attribute_of_context(operand: &Value) -> Option<&str> {
    let left = operand.get("left")?.as_object()?;
    let is_context = left.len() == 1 && left.get("Var").is_some_and(|variable| variable == "context");
    operand.get("attr")?.as_str().filter(|_| is_context)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mentions(condition: &str) -> Mentions {
        let text = format!("forbid (principal, action, resource) {condition};");
        Mentions::from_policy(&text.parse().unwrap())
    }

    #[test]
    fn an_attribute_counts_wherever_it_stands() {
        for condition in [
            "when { context.host == \"x\" }",
            "when { context has host }",
            "when { context[\"host\"] == \"x\" }",
            "unless { context has host }",
            "when { true } unless { context.now > datetime(\"2026-01-01\") || !(context has host) }",
            "when { if context has host then true else false }",
            "when { [{a: context.host}].contains({a: \"x\"}) }",
            "when { context.host like \"admin*\" }",
            "when { context has host && context.host.length == 1 }",
            // The whole record, on which everything counts.
            "when { context == {host: \"x\"} }",
            "when { (if true then context else context) has host }",
            "when { {c: context}.c has host }",
            "when { [context].contains({host: \"x\"}) }",
        ] {
            assert!(mentions(condition).may_ask("host"), "{condition}");
        }
    }

    #[test]
    fn a_text_or_another_record_does_not_count() {
        for condition in [
            "",
            "when { principal.host == \"context.host\" }",
            "when { {host: \"x\"} has host }",
            "when { {Var: \"context\"}.Var == \"context\" }",
            "when { context.now == context.now && context has source_address }",
        ] {
            assert!(!mentions(condition).may_ask("host"), "{condition}");
        }
        let text = "@note(\"context has host\") @Var(\"context\") permit (principal, action, resource);";
        assert!(!Mentions::from_policy(&text.parse().unwrap()).may_ask("host"));
    }
}
