//! Indents what YAML 1.2 wants indented, and CloudFormation's parsers do not: lines that continue a
//! list or map in brackets, or a quoted text. There, leading white space says nothing.

/// More than any template's indentation.
const INDENT: &str = "                                                                                ";

/// Returns the text with each line that continues something indented further; no line is added or
/// removed.
pub(super) fn indented(text: &str) -> String {
    let mut scanner = Scanner::default();
    let mut result = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match scanner.is_inside() {
            true => {
                result.push_str(INDENT);
                result.push_str(line.trim_start_matches([' ', '\t']));
            }
            false => result.push_str(line),
        }
        scanner.line(line.trim_end_matches(['\n', '\r']));
    }
    result
}

#[derive(Default)]
struct Scanner {
    /// Open brackets.
    depth: usize,
    quote: Option<char>,
    /// Indentation of what a block of text (`|`, `>`) belongs to, while it lasts.
    block: Option<usize>,
}

impl Scanner {
    fn is_inside(&self) -> bool {
        self.depth > 0 || self.quote.is_some()
    }

    fn line(&mut self, line: &str) {
        let indentation = indentation(line);
        if let Some(parent) = self.block {
            if line.trim().is_empty() || line.len() - line.trim_start_matches(' ').len() > parent {
                return;
            }
            self.block = None;
        }
        // Whether a value may begin here, and the character before.
        let (mut at_start, mut before) = (true, ' ');
        let mut rest = line.chars().peekable();
        while let Some(character) = rest.next() {
            if let Some(quote) = self.quote {
                match character {
                    '\\' if quote == '"' => {
                        rest.next();
                    }
                    _ if character == quote && quote == '\'' && rest.peek() == Some(&'\'') => {
                        rest.next();
                    }
                    _ if character == quote => self.quote = None,
                    _ => {}
                }
                before = character;
                continue;
            }
            match character {
                ' ' | '\t' => {}
                '#' if before.is_whitespace() => return,
                '"' | '\'' if at_start => (self.quote, at_start) = (Some(character), false),
                '[' | '{' if at_start || self.depth > 0 => (self.depth, at_start) = (self.depth + 1, true),
                ']' | '}' if self.depth > 0 => (self.depth, at_start) = (self.depth - 1, false),
                ',' if self.depth > 0 => at_start = true,
                ':' if self.depth > 0 || rest.peek().is_none_or(|next| next.is_whitespace()) => {
                    at_start = true
                }
                '-' | '?' if at_start && rest.peek().is_none_or(|next| next.is_whitespace()) => {}
                // A tag or an anchor stands before the value.
                '!' | '&' if at_start => while rest.next_if(|next| !next.is_whitespace()).is_some() {},
                '|' | '>' if at_start && self.depth == 0 => {
                    self.block = Some(indentation);
                    return;
                }
                _ => at_start = false,
            }
            before = character;
        }
    }
}

/// Returns the column of the key or value of a line, after the hyphens of lists.
fn indentation(line: &str) -> usize {
    let mut column = 0;
    let mut rest = line;
    loop {
        let trimmed = rest.trim_start_matches(' ');
        column += rest.len() - trimmed.len();
        match trimmed.strip_prefix("- ") {
            Some(after) => {
                column += 1;
                rest = after;
                // The space after the hyphen is counted by the next turn.
                column += 1;
            }
            None => return column,
        }
    }
}
