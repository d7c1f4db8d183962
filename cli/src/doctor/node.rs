//! A document as a tree of values with their lines, and CloudFormation's functions in one form.

/// A value and the line that it stands in, counted from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Node {
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

impl Node {
    pub(super) fn text_node(line: usize, text: impl Into<String>) -> Self {
        Self {
            line,
            value: Value::Text(text.into()),
        }
    }

    pub(super) fn map(line: usize, members: Vec<(String, Self)>) -> Self {
        Self {
            line,
            value: Value::Map(members),
        }
    }

    pub(super) fn list(line: usize, elements: Vec<Self>) -> Self {
        Self {
            line,
            value: Value::List(elements),
        }
    }

    pub(super) fn empty(line: usize) -> Self {
        Self::map(line, Vec::new())
    }

    /// Returns a member of a map.
    pub(super) fn get(&self, name: &str) -> Option<&Self> {
        let members = self.members();
        members
            .iter()
            .find(|(member, _)| member == name)
            .map(|(_, node)| node)
    }

    /// Returns a member of a member, and so on.
    pub(super) fn at(&self, path: &[&str]) -> Option<&Self> {
        path.iter().try_fold(self, |node, name| node.get(name))
    }

    /// Returns the names and values of a map; of anything else, nothing.
    pub(super) fn members(&self) -> &[(String, Self)] {
        match &self.value {
            Value::Map(members) => members,
            _ => &[],
        }
    }

    /// Returns the elements of a list; anything else is a list of itself, as in policies.
    pub(super) fn elements(&self) -> &[Self] {
        match &self.value {
            Value::List(elements) => elements,
            Value::Null => &[],
            _ => std::slice::from_ref(self),
        }
    }

    /// Returns the elements of a member.
    pub(super) fn list_at(&self, path: &[&str]) -> &[Self] {
        self.at(path).map(Self::elements).unwrap_or_default()
    }

    pub(super) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Returns the text of a member.
    pub(super) fn text_at(&self, path: &[&str]) -> Option<&str> {
        self.at(path)?.text()
    }

    pub(super) fn string_at(&self, path: &[&str]) -> Option<String> {
        self.text_at(path).map(str::to_owned)
    }

    /// Returns true if a member is true, in any spelling of YAML 1.1, which CloudFormation reads.
    pub(super) fn is_true(&self, path: &[&str]) -> bool {
        self.text_at(path).is_some_and(is_true)
    }

    /// Returns every text in the value, in order.
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

    /// Calls `visit` with the value and everything in it.
    pub(super) fn walk<'a>(&'a self, visit: &mut impl FnMut(&'a Self)) {
        visit(self);
        match &self.value {
            Value::Null | Value::Text(_) => {}
            Value::List(elements) => elements.iter().for_each(|element| element.walk(visit)),
            Value::Map(members) => members.iter().for_each(|(_, member)| member.walk(visit)),
            Value::Function(_, argument) => argument.walk(visit),
        }
    }

    /// Adds a member, or replaces the one of that name.
    pub(super) fn set(&mut self, name: &str, member: Self) {
        let Value::Map(members) = &mut self.value else {
            *self = Self::map(self.line, vec![(name.to_owned(), member)]);
            return;
        };
        match members.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => *known = member,
            None => members.push((name.to_owned(), member)),
        }
    }

    /// Returns `self` with what `over` says in its place: maps are merged, lists follow each other,
    /// as SAM merges `Globals` with a resource.
    pub(super) fn merged_with(&self, over: &Self) -> Self {
        match (&self.value, &over.value) {
            (Value::Map(_), Value::Map(members)) => {
                let mut merged = self.clone();
                for (name, member) in members {
                    let member = match self.get(name) {
                        Some(own) => own.merged_with(member),
                        None => member.clone(),
                    };
                    merged.set(name, member);
                }
                merged.line = over.line;
                merged
            }
            (Value::List(own), Value::List(others)) => {
                Self::list(over.line, own.iter().chain(others).cloned().collect())
            }
            _ => over.clone(),
        }
    }

    /// Converts a JSON value, all of it in one line.
    pub(super) fn from_json(value: &serde_json::Value, line: usize) -> Self {
        use serde_json::Value as Json;
        match value {
            Json::Null => Self {
                line,
                value: Value::Null,
            },
            Json::Bool(value) => Self::text_node(line, value.to_string()),
            Json::Number(value) => Self::text_node(line, value.to_string()),
            Json::String(text) => Self::text_node(line, text.as_str()),
            Json::Array(elements) => Self::list(
                line,
                elements
                    .iter()
                    .map(|element| Self::from_json(element, line))
                    .collect(),
            ),
            Json::Object(members) => {
                let members = members
                    .iter()
                    .map(|(name, member)| (name.clone(), Self::from_json(member, line)));
                Self {
                    line,
                    value: long_form(members.collect()),
                }
            }
        }
    }
}

/// Returns true if a text is `true` in any spelling of YAML 1.1.
pub(super) fn is_true(text: &str) -> bool {
    ["true", "yes", "on", "y"]
        .iter()
        .any(|word| text.eq_ignore_ascii_case(word))
}

/// Converts `{"Fn::If": […]}`, `{"Ref": …}` and `{"Condition": …}` to what `!If`, `!Ref` and
/// `!Condition` are.
pub(super) fn long_form(members: Vec<(String, Node)>) -> Value {
    match <[(String, Node); 1]>::try_from(members) {
        Ok([(name, argument)]) => {
            let function = match name.as_str() {
                "Ref" => Some("Ref"),
                // As the only member of a map, and of text, this is a condition; in a policy's
                // statement it is a map.
                "Condition" if argument.text().is_some() => Some("Condition"),
                // A loop stands beside the resources that it adds to.
                _ if name.starts_with("Fn::ForEach") => None,
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
