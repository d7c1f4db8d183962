//! DER as a tree of values, to damage it anywhere and keep the lengths around the damage right.

use crate::choices::Choices;
use crate::der::{self, OCTET_STRING};

/// Kind of damage to one value of a DER encoding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Damage {
    /// Content with one bit changed.
    Bit,
    /// Content without its last octet.
    Shortened,
    /// An octet after the content.
    Extended,
    Emptied,
    Removed,
    Repeated,
    /// Changes places with the next value.
    Swapped,
    /// Another tag.
    Tag,
    /// A length of more octets than it needs, which BER allows.
    LongLength,
    /// An indefinite length, which BER allows.
    IndefiniteLength,
    /// A length that is one too large or too small.
    WrongLength,
    /// An INTEGER or BOOLEAN in a form that only BER allows, or of another value.
    Primitive,
}

impl Damage {
    pub(crate) const ALL: &'static [(Self, &'static str)] = &[
        (Self::Bit, "bit"),
        (Self::Shortened, "shortened"),
        (Self::Extended, "extended"),
        (Self::Emptied, "emptied"),
        (Self::Removed, "removed"),
        (Self::Repeated, "repeated"),
        (Self::Swapped, "swapped"),
        (Self::Tag, "tag"),
        (Self::LongLength, "long_length"),
        (Self::IndefiniteLength, "indefinite_length"),
        (Self::WrongLength, "wrong_length"),
        (Self::Primitive, "primitive"),
    ];

    /// Returns the encoding with one value damaged, which the seed chooses. What is not DER stays
    /// as it is.
    pub(crate) fn apply(self, encoding: &[u8], seed: u64) -> Vec<u8> {
        let Some(mut values) = parse(encoding) else {
            return encoding.to_vec();
        };
        let mut choices = Choices::new(seed, 0);
        let mut position = choices.below(count(&values));
        self.damage(&mut values, &mut position, &mut choices);
        encode(&values)
    }

    /// Damages the value at the position; the outer one comes before those that it contains.
    fn damage(self, values: &mut Vec<Value>, position: &mut usize, choices: &mut Choices) -> bool {
        for index in 0..values.len() {
            if *position == 0 {
                self.damage_one(values, index, choices);
                return true;
            }
            *position -= 1;
            if let Some(Value {
                content: Content::Values(inner),
                ..
            }) = values.get_mut(index)
                && self.damage(inner, position, choices)
            {
                return true;
            }
        }
        false
    }

    fn damage_one(self, values: &mut Vec<Value>, index: usize, choices: &mut Choices) {
        match self {
            Self::Removed => {
                values.remove(index);
                return;
            }
            Self::Repeated => {
                if let Some(value) = values.get(index).cloned() {
                    values.insert(index, value);
                }
                return;
            }
            Self::Swapped => {
                if index + 1 < values.len() {
                    values.swap(index, index + 1);
                }
                return;
            }
            _ => {}
        }
        let Some(value) = values.get_mut(index) else {
            return;
        };
        match self {
            Self::Tag => {
                const TAGS: &[u8] = &[
                    0x01, 0x02, 0x03, 0x04, 0x05, 0x06, 0x0A, 0x0C, 0x12, 0x13, 0x14, 0x16, 0x17, 0x18, 0x1C,
                    0x1E, 0x1F, 0x24, 0x30, 0x31, 0x80, 0x81, 0x82, 0x86, 0x87, 0xA0, 0xA1, 0xA3,
                ];
                value.tag = choices.one_of(TAGS).unwrap_or(0);
            }
            Self::LongLength => value.length = Length::Padded,
            Self::IndefiniteLength => value.length = Length::Indefinite,
            Self::WrongLength => {
                value.length = if choices.one_in(2) {
                    Length::Over
                } else {
                    Length::Under
                }
            }
            _ => {
                let mut content = value.content.encode();
                match self {
                    Self::Shortened => _ = content.pop(),
                    Self::Extended => content.push(choices.octet()),
                    Self::Emptied => content.clear(),
                    Self::Primitive => primitive(value.tag, &mut content, choices),
                    _ => {
                        let at = choices.below(content.len());
                        if let Some(octet) = content.get_mut(at) {
                            *octet ^= 1 << choices.below(8);
                        }
                    }
                }
                value.content = Content::Octets(content);
            }
        }
    }
}

fn primitive(tag: u8, content: &mut Vec<u8>, choices: &mut Choices) {
    match (tag, choices.below(3)) {
        (der::BOOLEAN, 0) => *content = vec![0x01],
        (der::BOOLEAN, 1) => *content = vec![0],
        (der::INTEGER, 0) => content.insert(0, 0),
        (der::INTEGER, 1) => content.insert(0, 0xFF),
        // A bit more that is said not to be used.
        (der::BIT_STRING, _) => {
            if let Some(unused) = content.first_mut() {
                *unused = unused.wrapping_add(1) % 9;
            }
        }
        _ => content.push(0),
    }
}

#[derive(Clone, Debug)]
struct Value {
    tag: u8,
    length: Length,
    content: Content,
}

#[derive(Clone, Copy, Debug)]
enum Length {
    Shortest,
    Padded,
    Indefinite,
    Over,
    Under,
}

#[derive(Clone, Debug)]
enum Content {
    Octets(Vec<u8>),
    Values(Vec<Value>),
}

impl Content {
    fn encode(&self) -> Vec<u8> {
        match self {
            Self::Octets(octets) => octets.clone(),
            Self::Values(values) => encode(values),
        }
    }
}

fn encode(values: &[Value]) -> Vec<u8> {
    let mut encoding = Vec::new();
    for value in values {
        let content = value.content.encode();
        encoding.push(value.tag);
        match value.length {
            Length::Shortest => encoding.extend(der::length(content.len())),
            Length::Padded => {
                let padded = u32::try_from(content.len()).unwrap_or(u32::MAX).to_be_bytes();
                encoding.push(0x84);
                encoding.extend(padded);
            }
            Length::Indefinite => encoding.push(0x80),
            Length::Over => encoding.extend(der::length(content.len() + 1)),
            Length::Under => encoding.extend(der::length(content.len().saturating_sub(1))),
        }
        encoding.extend(content);
        if matches!(value.length, Length::Indefinite) {
            encoding.extend([0, 0]);
        }
    }
    encoding
}

/// Returns the number of values, with those inside of others.
fn count(values: &[Value]) -> usize {
    let inside = values.iter().map(|value| match &value.content {
        Content::Octets(_) => 0,
        Content::Values(inner) => count(inner),
    });
    values.len() + inside.sum::<usize>()
}

/// Reads values as far as they are DER with tags of one octet. An OCTET STRING that contains one
/// value of its own is opened too.
fn parse(mut encoding: &[u8]) -> Option<Vec<Value>> {
    let mut values = Vec::new();
    while let [tag, rest @ ..] = encoding {
        let (content, after) = split(rest)?;
        let is_open = *tag & 0x20 != 0 || *tag == OCTET_STRING;
        let content = match is_open.then(|| parse(content)).flatten() {
            Some(inner) if !inner.is_empty() => Content::Values(inner),
            _ => Content::Octets(content.to_vec()),
        };
        values.push(Value {
            tag: *tag,
            length: Length::Shortest,
            content,
        });
        encoding = after;
    }
    Some(values)
}

/// Splits what follows a tag into the content and what comes after it.
fn split(encoding: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match encoding {
        [short @ ..=0x7F, rest @ ..] => (usize::from(*short), rest),
        [0x81, low, rest @ ..] => (usize::from(*low), rest),
        [0x82, high, low, rest @ ..] => (usize::from(*high) << 8 | usize::from(*low), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}
