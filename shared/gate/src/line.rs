//! Lines of JSON in ASCII, whatever a client sent.

use std::io::{self, Write};

use serde::Serialize;
use serde_json::Serializer;
use serde_json::ser::{CharEscape, Formatter};

/// Longest text in a line, in bytes as written. Clients choose the method, the path, the trace id
/// and the names in their certificates: without a limit an unauthenticated request would write tens
/// of kilobytes, for which the operator pays.
pub(crate) const MAX_TEXT: usize = 1_024;

/// Mark at the end of a text that was cut.
const CUT: &str = "\\u2026";

/// Returns the value as one line of JSON in ASCII, with each text cut after [`MAX_TEXT`] bytes.
/// Characters that terminals act on or hide (RFC 8259 escapes only those below U+0020) are escaped
/// too, so that a name in a certificate cannot rewrite what an operator sees.
pub(crate) fn to_line(value: &impl Serialize) -> String {
    let mut line = Vec::with_capacity(1_024);
    let mut serializer = Serializer::with_formatter(&mut line, Line::default());
    // Records hold text, numbers and nested structs of these, which always serialise.
    let _ = value.serialize(&mut serializer);
    String::from_utf8(line).unwrap_or_default()
}

/// Returns JSON text as the same JSON in ASCII, on one line.
pub fn escape_to_ascii(json: &str) -> String {
    let mut line = String::with_capacity(json.len());
    for character in json.chars() {
        if is_plain(character) {
            line.push(character);
        } else {
            line.push_str(&escape(character));
        }
    }
    line
}

/// Returns whether a character of JSON text stays as it is.
fn is_plain(character: char) -> bool {
    character.is_ascii() && character != '\u{7f}'
}

fn escape(character: char) -> String {
    let mut units = [0; 2];
    let units = character.encode_utf16(&mut units);
    units.iter().map(|unit| format!("\\u{unit:04x}")).collect()
}

/// Writes compact JSON. Every text goes through [`Line::write`], also those of fields that are
/// added later.
#[derive(Default)]
struct Line {
    /// Bytes that the text under way has taken.
    written: usize,
    is_cut: bool,
}

impl Line {
    /// Writes a part of a text that stays whole, or ends the text.
    fn write<W: ?Sized + Write>(&mut self, writer: &mut W, part: &[u8]) -> io::Result<()> {
        if self.is_cut {
            return Ok(());
        }
        if self.written + part.len() > MAX_TEXT {
            self.is_cut = true;
            return writer.write_all(CUT.as_bytes());
        }
        self.written += part.len();
        writer.write_all(part)
    }
}

impl Formatter for Line {
    fn begin_string<W: ?Sized + Write>(&mut self, writer: &mut W) -> io::Result<()> {
        *self = Self::default();
        writer.write_all(b"\"")
    }

    fn write_string_fragment<W: ?Sized + Write>(&mut self, writer: &mut W, fragment: &str) -> io::Result<()> {
        let is_plain_text = fragment.is_ascii() && !fragment.as_bytes().contains(&0x7f);
        if is_plain_text && self.written + fragment.len() <= MAX_TEXT {
            return self.write(writer, fragment.as_bytes());
        }
        for character in fragment.chars() {
            if is_plain(character) {
                let mut byte = [0];
                self.write(writer, character.encode_utf8(&mut byte).as_bytes())?;
            } else {
                self.write(writer, escape(character).as_bytes())?;
            }
            if self.is_cut {
                break;
            }
        }
        Ok(())
    }

    fn write_char_escape<W: ?Sized + Write>(&mut self, writer: &mut W, escape: CharEscape) -> io::Result<()> {
        let part = match escape {
            CharEscape::Quote => "\\\"",
            CharEscape::ReverseSolidus => "\\\\",
            CharEscape::Solidus => "\\/",
            CharEscape::Backspace => "\\b",
            CharEscape::FormFeed => "\\f",
            CharEscape::LineFeed => "\\n",
            CharEscape::CarriageReturn => "\\r",
            CharEscape::Tab => "\\t",
            CharEscape::AsciiControl(byte) => return self.write(writer, format!("\\u{byte:04x}").as_bytes()),
        };
        self.write(writer, part.as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Vec<String> {
        assert!(line.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{line}");
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn short_texts_read_back_the_same() {
        let texts = [
            "",
            "a\"b\\c/d",
            "\u{8}\u{c}\n\r\t\0\u{1b}\u{7f}",
            "\u{202e}\u{9b}\u{2028}\u{feff}\u{1f600}\u{10ffff}é",
        ];
        assert_eq!(read(&to_line(&texts)), texts);
        let line = to_line(&serde_json::json!([true, null, -1.5, "x", {}, {"a": 1}]));
        assert_eq!(line, r#"[true,null,-1.5,"x",{},{"a":1}]"#);
    }

    #[test]
    fn a_text_is_cut_after_1024_bytes_as_written() {
        for (character, bytes) in [
            ('a', 1),
            ('"', 2),
            ('\\', 2),
            ('\n', 2),
            ('\u{1}', 6),
            ('\u{7f}', 6),
            ('é', 6),
            ('\u{202e}', 6),
            ('\u{1f600}', 12),
        ] {
            let fits = MAX_TEXT / bytes;
            let whole = character.to_string().repeat(fits);
            let longer = character.to_string().repeat(15_000);
            let line = to_line(&[whole.as_str(), longer.as_str(), "next"]);
            let cut = format!("{whole}\u{2026}");
            assert_eq!(
                read(&line),
                [whole.as_str(), cut.as_str(), "next"],
                "{character:?}"
            );
            assert!(line.len() <= 2 * MAX_TEXT + 32, "{character:?}: {}", line.len());
        }
    }

    #[test]
    fn a_cut_never_splits_an_escape() {
        for before in 0..16 {
            let text = format!(
                "{}{}",
                "a".repeat(MAX_TEXT - before),
                "\u{1f600}\"b\u{7f}".repeat(20)
            );
            let read = read(&to_line(&[&text]));
            assert!(read[0].ends_with('\u{2026}'));
            assert!(text.starts_with(read[0].trim_end_matches('\u{2026}')), "{before}");
        }
    }
}
