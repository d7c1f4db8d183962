//! Reads YAML and JSON as CloudFormation's own tools do.

mod lenient;

use std::collections::BTreeMap;

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Tag};

use crate::doctor::node::{Node, Value, long_form};

/// Deepest nesting that is read: templates stay below 40, and every level is one of the stack of
/// several functions.
const MAX_DEPTH: usize = 128;

/// Most values of a file with its aliases written out: ten times the largest public template, and
/// few enough to keep.
const MAX_VALUES: usize = 500_000;

/// Size of the largest template that CloudFormation takes.
const MAX_TEMPLATE: usize = 1 << 20;

#[derive(Debug, thiserror::Error)]
pub(super) enum YamlError {
    #[error("not YAML or JSON: {0}")]
    Syntax(#[from] ScanError),
    #[error(
        "line {line}: the key `{key}` is there twice, of which CloudFormation takes one: remove the other"
    )]
    DuplicateKey { line: usize, key: String },
    #[error("contains {0} documents instead of one: put each template into a file of its own")]
    Documents(usize),
    #[error("line {line}: {what} cannot be read here")]
    Unsupported { line: usize, what: &'static str },
}

/// Reads the only document of a text.
pub(super) fn parse(text: &str) -> Result<Node, YamlError> {
    let documents = documents(text)?;
    let count = documents.len();
    match <[Node; 1]>::try_from(documents) {
        Ok([document]) => Ok(document),
        Err(_) => Err(YamlError::Documents(count)),
    }
}

/// Reads every document of a text that is not empty.
pub(super) fn documents(text: &str) -> Result<Vec<Node>, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    // Larger than any template: a plan or a state, in one line and without a key twice.
    if text.len() > MAX_TEMPLATE
        && text.starts_with('{')
        && let Ok(json) = serde_json::from_str(text)
    {
        return Ok(vec![Node::from_json(&json, 1)]);
    }
    match read(text) {
        // CloudFormation's parsers ask for no indentation of a closing bracket or of a quoted
        // text's next line.
        Err(YamlError::Syntax(error)) => match read(&lenient::indented(text)) {
            Err(YamlError::Syntax(_)) => match serde_json::from_str(text) {
                // JSON escapes characters beyond the basic plane as YAML does not.
                Ok(json) => Ok(vec![Node::from_json(&json, 1)]),
                Err(_) => Err(YamlError::Syntax(error)),
            },
            other => other,
        },
        other => other,
    }
}

fn read(text: &str) -> Result<Vec<Node>, YamlError> {
    let mut builder = Builder::default();
    for event in Parser::new_from_str(text) {
        let (event, span) = event?;
        builder.event(event, span.start.line())?;
    }
    let documents = builder.documents.into_iter();
    Ok(documents
        .filter(|document| document.value != Value::Null)
        .collect())
}

#[derive(Default)]
struct Builder {
    frames: Vec<Frame>,
    anchors: BTreeMap<usize, Node>,
    values: usize,
    documents: Vec<Node>,
}

/// A list or a map that is not complete yet.
struct Frame {
    line: usize,
    anchor: usize,
    function: Option<String>,
    content: Content,
}

enum Content {
    List(Vec<Node>),
    Map {
        members: Vec<(String, Node)>,
        merged: Vec<Node>,
        key: Option<String>,
    },
}

impl Builder {
    fn event(&mut self, event: Event<'_>, line: usize) -> Result<(), YamlError> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let function = function(tag.as_deref());
                let is_null = style == ScalarStyle::Plain
                    && matches!(text.as_ref(), "" | "~" | "null" | "Null" | "NULL");
                let value = match is_null {
                    true => Value::Null,
                    false => Value::Text(text.into_owned()),
                };
                self.complete(tagged(Node { line, value }, function), anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                let content = Content::List(Vec::new());
                self.open(line, anchor, tag.as_deref(), content)
            }
            Event::MappingStart(anchor, tag) => {
                let content = Content::Map {
                    members: Vec::new(),
                    merged: Vec::new(),
                    key: None,
                };
                self.open(line, anchor, tag.as_deref(), content)
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let Some(frame) = self.frames.pop() else {
                    return Ok(());
                };
                let (node, anchor) = frame.finish();
                self.complete(node, anchor)
            }
            Event::Alias(anchor) => {
                let Some(node) = self.anchors.get(&anchor).cloned() else {
                    let what = "an alias of something that contains it, or that is not there,";
                    return Err(YamlError::Unsupported { line, what });
                };
                let (size, height) = measure(&node);
                self.values += size;
                if self.frames.len() + height > MAX_DEPTH {
                    return Err(too_deep(line));
                }
                self.complete(node, 0)
            }
            Event::Nothing
            | Event::StreamStart
            | Event::StreamEnd
            | Event::DocumentStart(_)
            | Event::DocumentEnd => Ok(()),
        }
    }

    fn open(
        &mut self,
        line: usize,
        anchor: usize,
        tag: Option<&Tag>,
        content: Content,
    ) -> Result<(), YamlError> {
        if self.frames.len() >= MAX_DEPTH {
            return Err(too_deep(line));
        }
        self.frames.push(Frame {
            line,
            anchor,
            function: function(tag),
            content,
        });
        Ok(())
    }

    /// Puts a complete value into what contains it.
    fn complete(&mut self, node: Node, anchor: usize) -> Result<(), YamlError> {
        let line = node.line;
        self.values += 1;
        if self.values > MAX_VALUES {
            let what = "a file with more than 500,000 values, aliases written out,";
            return Err(YamlError::Unsupported { line, what });
        }
        if anchor != 0 {
            self.anchors.insert(anchor, node.clone());
        }
        let Some(frame) = self.frames.last_mut() else {
            self.documents.push(node);
            return Ok(());
        };
        match &mut frame.content {
            Content::List(elements) => elements.push(node),
            Content::Map { members, merged, key } => match (key.take(), node.value) {
                (Some(name), value) if name == "<<" => merged.push(Node { line, value }),
                (Some(name), value) => members.push((name, Node { line, value })),
                (None, Value::Text(name)) => {
                    if members.iter().any(|(known, _)| *known == name) {
                        return Err(YamlError::DuplicateKey { line, key: name });
                    }
                    *key = Some(name);
                }
                (None, Value::Null) => *key = Some("null".to_owned()),
                (None, _) => {
                    let what = "a key that is not a text";
                    return Err(YamlError::Unsupported { line, what });
                }
            },
        }
        Ok(())
    }
}

impl Frame {
    fn finish(self) -> (Node, usize) {
        let value = match self.content {
            Content::List(elements) => Value::List(elements),
            Content::Map {
                mut members, merged, ..
            } => {
                for source in merged.iter().flat_map(Node::elements) {
                    for (name, member) in source.members() {
                        if members.iter().all(|(known, _)| known != name) {
                            members.push((name.clone(), member.clone()));
                        }
                    }
                }
                // The argument of a tag can be another function: `!ImportValue {Fn::Sub: …}`.
                long_form(members)
            }
        };
        let node = Node {
            line: self.line,
            value,
        };
        (tagged(node, self.function), self.anchor)
    }
}

fn tagged(node: Node, function: Option<String>) -> Node {
    match function {
        Some(name) => Node {
            line: node.line,
            value: Value::Function(name, Box::new(node)),
        },
        None => node,
    }
}

/// Returns the function that a local tag stands for; tags of YAML itself, such as `!!str`, change
/// nothing here.
fn function(tag: Option<&Tag>) -> Option<String> {
    let tag = tag.filter(|tag| tag.handle == "!" && !tag.suffix.is_empty())?;
    Some(tag.suffix.clone())
}

fn too_deep(line: usize) -> YamlError {
    let what = "nesting of more than 128 levels";
    YamlError::Unsupported { line, what }
}

/// Returns the number of values in a value, and of its levels.
fn measure(node: &Node) -> (usize, usize) {
    let children: Vec<&Node> = match &node.value {
        Value::Null | Value::Text(_) => Vec::new(),
        Value::List(elements) => elements.iter().collect(),
        Value::Map(members) => members.iter().map(|(_, member)| member).collect(),
        Value::Function(_, argument) => vec![argument],
    };
    children.into_iter().map(measure).fold((1, 1), |sum, one| {
        (sum.0.saturating_add(one.0), sum.1.max(one.1 + 1))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_forms_of_functions_are_equal() {
        for (short, long) in [
            ("a: !GetAtt B.Arn", r#"{"a": {"Fn::GetAtt": "B.Arn"}}"#),
            ("a: !Ref B", r#"{"a": {"Ref": "B"}}"#),
            (
                "a: !ImportValue {Fn::Sub: \"${B}-c\"}",
                r#"{"a": {"Fn::ImportValue": {"Fn::Sub": "${B}-c"}}}"#,
            ),
        ] {
            let (short, long) = (parse(short).unwrap(), parse(long).unwrap());
            assert_eq!(short, long);
            assert!(matches!(short.get("a").unwrap().value, Value::Function(..)));
        }
    }

    #[test]
    fn line_is_that_of_the_value() {
        let node = parse("a:\n  b: 1\n  c: [1, 2]\n").unwrap();
        assert_eq!(node.at(&["a", "c"]).unwrap().line, 3);
    }

    #[test]
    fn spellings_that_cloudformation_reads_are_read() {
        for text in [
            "a: [\n  b\n]\nc: 1\n",
            "x:\n  a: [\n    b,\n  c]\n  d: {\"e\": 1,\n\"f\": 2}\n",
            "x:\n  a: \"b\nc [ d\"\n  e: 'it''s [\n  f'\n",
            "x:\n  a: !Join [\"\", [\n    b, # [ {\n  c ]\n  ]\n  d: |\n    [ {\n  e: 1\n",
            "- a: |\n    [\n  b: {\n  c: 1\n}\n",
            "\u{feff}a: 1\r\nb: !!str 2\r\n",
            "a: 012345678901\nb: 2012-10-17\n",
            "{\n\t\"a\": \"\\ud83d\\ude00\"\n}\n",
        ] {
            parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        }
        let node = parse("a: 012345678901\nb: yes\n").unwrap();
        assert_eq!(node.text_at(&["a"]), Some("012345678901"));
        assert!(node.is_true(&["b"]));
    }

    #[test]
    fn merge_keys_and_aliases_are_written_out() {
        let node = parse("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3}\nz: *x\n").unwrap();
        assert_eq!(node.text_at(&["y", "a"]), Some("1"));
        assert_eq!(node.text_at(&["y", "b"]), Some("3"));
        assert_eq!(node.text_at(&["z", "b"]), Some("2"));
    }

    #[test]
    fn nothing_that_would_be_lost_is_read() {
        for (text, words) in [
            ("a: 1\na: 2\n", "`a` is there twice"),
            ("x: {a: 1,\n  a: 2}\n", "line 2"),
            ("a: [\n", "not YAML"),
            ("---\na: 1\n---\nb: 1\n", "2 documents"),
            ("", "0 documents"),
            ("[1]: 2\n", "not a text"),
            ("a: &a [*a]\n", "alias"),
        ] {
            let error = parse(text).unwrap_err().to_string();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn aliases_of_aliases_and_deep_nesting_are_refused() {
        let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
        for level in 1..12 {
            let before = level - 1;
            let aliases = vec![format!("*a{before}"); 10].join(", ");
            bomb.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
        }
        assert!(parse(&bomb).unwrap_err().to_string().contains("500,000"));
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        parse(&deep).unwrap_err();
    }
}
