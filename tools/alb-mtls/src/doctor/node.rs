//! A YAML or JSON document, with the line of each value and CloudFormation's functions in one form.

use saphyr::{LoadableYamlNode, MarkedYamlOwned, ScalarOwned, ScanError, YamlDataOwned};

/// A value and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
    /// From 1.
    pub(super) line: usize,
    pub(super) value: Value,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Value {
    Null,
    /// Text, a number or a boolean: CloudFormation takes each for the other.
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
    /// `!Ref`, `Fn::If` and so on, by the name without `Fn::`.
    Function(String, Box<Node>),
}

#[derive(Debug, thiserror::Error)]
pub(super) enum NodeError {
    #[error("not YAML or JSON: {0}")]
    Syntax(#[from] ScanError),
    #[error("holds {0} documents instead of one")]
    Documents(usize),
    #[error("line {line}: {what} cannot be read here")]
    Unsupported { line: usize, what: &'static str },
}

impl Node {
    /// Reads the only document of a text.
    pub(super) fn parse(text: &str) -> Result<Self, NodeError> {
        let documents = MarkedYamlOwned::load_from_str(text)?;
        let count = documents.len();
        match <[MarkedYamlOwned; 1]>::try_from(documents) {
            Ok([document]) => Self::read(document),
            Err(_) => Err(NodeError::Documents(count)),
        }
    }

    /// A member of a map.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let members = self.members();
        members
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, node)| node)
    }

    /// A member of a member, and so on.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    /// Names and values of a map; nothing of anything else.
    pub(super) fn members(&self) -> &[(String, Self)] {
        match &self.value {
            Value::Map(members) => members,
            _ => &[],
        }
    }

    /// The elements of a list; anything else is a list of itself, as in policies.
    pub(super) fn elements(&self) -> &[Self] {
        match &self.value {
            Value::List(elements) => elements,
            Value::Null => &[],
            _ => std::slice::from_ref(self),
        }
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The text of a member.
    pub(super) fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.text()
    }

    /// Every text in it, in order.
    pub(super) fn texts(&self) -> Vec<&str> {
        let mut texts = Vec::new();
        self.collect_texts(&mut texts);
        texts
    }

    fn collect_texts<'a>(&'a self, texts: &mut Vec<&'a str>) {
        match &self.value {
            Value::Null => {}
            Value::Text(text) => texts.push(text),
            Value::List(elements) => elements.iter().for_each(|element| element.collect_texts(texts)),
            Value::Map(members) => members.iter().for_each(|(_, member)| member.collect_texts(texts)),
            Value::Function(_, argument) => argument.collect_texts(texts),
        }
    }

    fn read(node: MarkedYamlOwned) -> Result<Self, NodeError> {
        let line = node.span.start.line();
        let value = match node.data {
            YamlDataOwned::Value(scalar) => scalar_value(scalar),
            YamlDataOwned::Representation(text, ..) => Value::Text(text),
            YamlDataOwned::Sequence(elements) => {
                Value::List(elements.into_iter().map(Self::read).collect::<Result<_, _>>()?)
            }
            YamlDataOwned::Mapping(members) => {
                let mut read = Vec::new();
                for (name, member) in members {
                    let Value::Text(name) = Self::read(name)?.value else {
                        let what = "a name that is no text";
                        return Err(NodeError::Unsupported { line, what });
                    };
                    read.push((name, Self::read(member)?));
                }
                long_form(read)
            }
            YamlDataOwned::Tagged(tag, inner) => {
                Value::Function(tag.suffix.clone(), Box::new(Self::read(*inner)?))
            }
            YamlDataOwned::Alias(_) => {
                let what = "an alias";
                return Err(NodeError::Unsupported { line, what });
            }
            YamlDataOwned::BadValue => {
                let what = "a value that does not fit its tag";
                return Err(NodeError::Unsupported { line, what });
            }
        };
        Ok(Self { line, value })
    }
}

fn scalar_value(scalar: ScalarOwned) -> Value {
    match scalar {
        ScalarOwned::Null => Value::Null,
        ScalarOwned::Boolean(value) => Value::Text(value.to_string()),
        ScalarOwned::Integer(value) => Value::Text(value.to_string()),
        ScalarOwned::FloatingPoint(value) => Value::Text(value.to_string()),
        ScalarOwned::String(text) => Value::Text(text),
    }
}

/// `{"Fn::If": […]}`, `{"Ref": …}` and `{"Condition": …}` are what `!If`, `!Ref` and `!Condition` are.
fn long_form(members: Vec<(String, Node)>) -> Value {
    match <[(String, Node); 1]>::try_from(members) {
        Ok([(name, argument)]) => {
            let function = match name.as_str() {
                "Ref" => Some("Ref"),
                // As the only member of a map of text this is a condition; a statement of a policy has more members.
                "Condition" if argument.text().is_some() => Some("Condition"),
                _ => name.strip_prefix("Fn::"),
            };
            match function {
                Some(function) => Value::Function(function.to_owned(), Box::new(argument)),
                None => Value::Map(vec![(name, argument)]),
            }
        }
        Err(members) => Value::Map(members),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_forms_of_functions_are_the_same() {
        let value = |text: &str| {
            Node::parse(text)
                .unwrap()
                .get("a")
                .cloned()
                .map(|node| node.texts().join(" "))
        };
        assert_eq!(
            value("a: !GetAtt B.Arn"),
            value(r#"{"a": {"Fn::GetAtt": "B.Arn"}}"#)
        );
        for text in ["a: !Ref B", r#"{"a": {"Ref": "B"}}"#] {
            let node = Node::parse(text).unwrap();
            let Some(Value::Function(name, argument)) = node.get("a").map(|node| &node.value) else {
                panic!("{node:?}");
            };
            assert_eq!((name.as_str(), argument.text()), ("Ref", Some("B")));
        }
    }

    #[test]
    fn lines_are_those_of_the_values() {
        let node = Node::parse("a:\n  b: 1\n  c: [1, 2]\n").unwrap();
        assert_eq!(node.at(&["a", "c"]).unwrap().line, 3);
    }

    #[test]
    fn nothing_that_would_be_lost_is_read() {
        for text in ["a: 1\na: 2\n", "a: [\n", "---\na: 1\n---\nb: 1\n", "", "[1]: 2\n"] {
            assert!(Node::parse(text).is_err(), "{text:?}");
        }
    }
}
