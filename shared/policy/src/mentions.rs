//! Parts of a request and a client that policies mention, read from the parsed policy and not from
//! its text.

use std::collections::BTreeSet;

use cedar_policy::Policy;
use serde_json::Value;

/// Attributes of `context`, and extensions of the client, that a policy can depend on.
#[derive(Debug, Default)]
pub(crate) struct Mentions {
    attributes: BTreeSet<String>,
    extensions: BTreeSet<String>,
    /// True if the key of an extension is not a text, so that any extension can be meant.
    computes_extensions: bool,
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
                None => mentions.take_all(),
            },
            _ => mentions.take_all(),
        }
        mentions
    }

    fn take_all(&mut self) {
        self.whole = true;
        self.computes_extensions = true;
    }

    /// Returns the keys of the client's extensions that the policy spells.
    pub(crate) fn extensions(&self) -> impl Iterator<Item = &str> {
        self.extensions.iter().map(String::as_str)
    }

    /// Returns true if the policy asks for an extension whose key it does not spell.
    pub(crate) fn computes_extensions(&self) -> bool {
        self.computes_extensions
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
    /// Source: Cedar documentation, "JSON policy format", the expressions `Var`, `.`, `has`,
    /// `getTag` and `hasTag`.
    fn walk(&mut self, expression: &Value) {
        match expression {
            Value::Array(parts) => parts.iter().for_each(|part| self.walk(part)),
            Value::Object(fields) => {
                for (operator, operand) in fields {
                    self.walk_operator(operator, operand);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn walk_operator(&mut self, operator: &str, operand: &Value) {
        match (operator, attribute_of_context(operand)) {
            ("." | "has", Some(attribute)) => {
                self.attributes.insert(attribute.to_owned());
            }
            ("Var", _) if operand == "context" => self.whole = true,
            ("Record", _) => {
                // Its fields are not operators, whatever their names are.
                let fields = operand.as_object().into_iter().flatten();
                fields.for_each(|(_, value)| self.walk(value));
            }
            ("getTag" | "hasTag", _) => {
                match key_of_tag(operand) {
                    Some(key) => _ = self.extensions.insert(key.to_owned()),
                    None => self.computes_extensions = true,
                }
                self.walk(operand);
            }
            _ => self.walk(operand),
        }
    }
}

/// Returns the attribute in the operand of `context.attribute` or `context has attribute`.
fn attribute_of_context(operand: &Value) -> Option<&str> {
    let left = operand.get("left")?.as_object()?;
    let is_context = left.len() == 1 && left.get("Var").is_some_and(|variable| variable == "context");
    operand.get("attr")?.as_str().filter(|_| is_context)
}

/// Returns the key in the operand of `entity.getTag("key")`.
fn key_of_tag(operand: &Value) -> Option<&str> {
    operand.get("right")?.get("Value")?.as_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extension_counts_wherever_it_stands() {
        for condition in [
            "when { principal.hasTag(\"a\") }",
            "unless { !principal.hasTag(\"a\") }",
            "when { principal.getTag(\"a\") like \"x*\" }",
            "when { [principal.getTag(\"a\")].contains(\"x\") && context has host }",
            "when { (if true then principal else principal).hasTag(\"a\") }",
        ] {
            let mentions = mentions(condition);
            assert_eq!(mentions.extensions().collect::<Vec<_>>(), ["a"], "{condition}");
            assert!(!mentions.computes_extensions(), "{condition}");
        }
        for condition in [
            "when { principal.hasTag(context.method) }",
            "when { principal.getTag(if true then \"a\" else \"b\") == \"x\" }",
        ] {
            assert!(mentions(condition).computes_extensions(), "{condition}");
        }
        let mentions = mentions("when { principal.subject == \"hasTag(a)\" && {hasTag: \"a\"} has hasTag }");
        assert_eq!(mentions.extensions().count(), 0);
        assert!(!mentions.computes_extensions());
    }

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
