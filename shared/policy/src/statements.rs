//! A look at the text before Cedar's parser gets it.

/// Policy as its text shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Statement {
    /// Offset at which it begins: its first annotation, or its effect.
    pub(crate) offset: usize,
    /// Deepest nesting of brackets and conditional expressions.
    pub(crate) depth: usize,
    /// Most operators and conditions.
    pub(crate) operators: usize,
}

/// Takes a text apart into policies, as far as strings, comments, brackets and semicolons tell.
///
/// Cedar's parser and validator call themselves for each level of an expression. Beyond a depth
/// they end the process (seen with 40 brackets on a stack of 2 MiB in an unoptimised build), which
/// nothing can catch.
pub(crate) fn statements(text: &str) -> Vec<Statement> {
    let mut all = Vec::new();
    let mut current: Option<Statement> = None;
    let mut brackets: usize = 0;
    let mut conditionals: usize = 0;
    let mut characters = text.char_indices().peekable();
    while let Some((offset, character)) = characters.next() {
        if character.is_whitespace() {
            continue;
        }
        if character == '/' && characters.peek().is_some_and(|(_, next)| *next == '/') {
            while characters
                .next_if(|(_, next)| !matches!(next, '\n' | '\r'))
                .is_some()
            {}
            continue;
        }
        let statement = current.get_or_insert_with(|| Statement {
            offset,
            ..Statement::default()
        });
        match character {
            ';' => {
                all.extend(current.take());
                (brackets, conditionals) = (0, 0);
                continue;
            }
            '"' => {
                while let Some((_, next)) = characters.next() {
                    match next {
                        '\\' => _ = characters.next(),
                        '"' => break,
                        _ => {}
                    }
                }
            }
            '(' | '[' | '{' => {
                brackets += 1;
                statement.operators += 1;
            }
            ')' | ']' | '}' => brackets = brackets.saturating_sub(1),
            '|' | '&' | '+' | '-' | '*' | '.' | '=' | '<' | '>' | '!' => statement.operators += 1,
            character if character.is_alphanumeric() || character == '_' => {
                let mut end = offset + character.len_utf8();
                while let Some((at, next)) =
                    characters.next_if(|(_, next)| next.is_alphanumeric() || *next == '_')
                {
                    end = at + next.len_utf8();
                }
                if text.get(offset..end) == Some("if") {
                    conditionals += 1;
                    statement.operators += 1;
                }
            }
            _ => {}
        }
        statement.depth = statement.depth.max(brackets + conditionals);
    }
    all.extend(current);
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_policies_whatever_stands_in_strings_and_comments() {
        let text = "// permit;\n@id(\"a;\\\";(((\") permit (x); // ;\r forbid [{}];\n";
        let found = statements(text);
        let starts: Vec<&str> = found
            .iter()
            .map(|statement| text.get(statement.offset..statement.offset + 3).unwrap())
            .collect();
        assert_eq!(starts, ["@id", "for"]);
        assert_eq!(found[0].depth, 1);
        assert_eq!(found[1].depth, 2);
    }

    #[test]
    fn counts_what_nests() {
        let of = |text: &str| statements(text)[0];
        assert_eq!(of("((()))").depth, 3);
        assert_eq!(of("()()()").depth, 1);
        assert_eq!(of("if if if iffy \"if\"").depth, 3);
        assert_eq!(of("a || b").operators, 2);
        assert_eq!(of("\"unterminated ((((").depth, 0);
    }
}
