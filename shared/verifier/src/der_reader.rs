//! Reading DER without copying, on top of the `der` crate's reader.

use der::{Decode, Reader, SliceReader, Tag, asn1::AnyRef};

/// The bytes are not the DER structure that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

impl From<der::Error> for Malformed {
    fn from(_: der::Error) -> Self {
        Self
    }
}

/// One element: its tag, its content, and the whole encoding that it came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: Tag,
    pub(crate) content: &'a [u8],
    pub(crate) encoding: &'a [u8],
}

/// Reads the elements of one constructed value in order.
#[derive(Debug)]
pub(crate) struct Elements<'a> {
    input: &'a [u8],
    reader: SliceReader<'a>,
}

impl<'a> Elements<'a> {
    pub(crate) fn new(input: &'a [u8]) -> Result<Self, Malformed> {
        Ok(Self {
            input,
            reader: SliceReader::new(input)?,
        })
    }

    /// The content of the only element of `input`, which must have this tag.
    pub(crate) fn inside(input: &'a [u8], tag: Tag) -> Result<Self, Malformed> {
        Self::new(single(input, tag)?)
    }

    pub(crate) fn at_end(&self) -> bool {
        self.reader.is_finished()
    }

    pub(crate) fn next_element(&mut self) -> Result<Element<'a>, Malformed> {
        let start = usize::try_from(self.reader.position())?;
        let any = AnyRef::decode(&mut self.reader)?;
        let end = usize::try_from(self.reader.position())?;
        Ok(Element {
            tag: der::Tagged::tag(&any),
            content: any.value(),
            encoding: self.input.get(start..end).ok_or(Malformed)?,
        })
    }

    pub(crate) fn expect(&mut self, tag: Tag) -> Result<Element<'a>, Malformed> {
        let element = self.next_element()?;
        if element.tag == tag {
            Ok(element)
        } else {
            Err(Malformed)
        }
    }

    /// The next element if it has this tag; otherwise nothing is consumed.
    pub(crate) fn optional(&mut self, tag: Tag) -> Result<Option<Element<'a>>, Malformed> {
        if self.at_end() {
            return Ok(None);
        }
        if der::Header::peek(&self.reader)?.tag() == tag {
            self.expect(tag).map(Some)
        } else {
            Ok(None)
        }
    }

    pub(crate) fn finish(self) -> Result<(), Malformed> {
        if self.at_end() { Ok(()) } else { Err(Malformed) }
    }
}

/// The content of the only element of `input`, which must have this tag.
pub(crate) fn single(input: &[u8], tag: Tag) -> Result<&[u8], Malformed> {
    let mut elements = Elements::new(input)?;
    let element = elements.expect(tag)?;
    elements.finish()?;
    Ok(element.content)
}

/// `[number]` of a CHOICE or an optional field, in its constructed or primitive form.
pub(crate) fn context_tag(number: u32, constructed: bool) -> Tag {
    Tag::ContextSpecific {
        constructed,
        number: der::TagNumber(number),
    }
}

impl From<std::num::TryFromIntError> for Malformed {
    fn from(_: std::num::TryFromIntError) -> Self {
        Self
    }
}

/// DER BOOLEAN: one byte, 0x00 or 0xFF (X.690 §11.1).
pub(crate) fn boolean(content: &[u8]) -> Result<bool, Malformed> {
    match content {
        [0x00] => Ok(false),
        [0xFF] => Ok(true),
        _ => Err(Malformed),
    }
}

/// A non-negative INTEGER that fits 32 bits, in its shortest form.
pub(crate) fn small_unsigned(content: &[u8]) -> Result<u32, Malformed> {
    match content {
        [] => Err(Malformed),
        [first, ..] if first & 0x80 != 0 => Err(Malformed),
        [0, second, ..] if second & 0x80 == 0 => Err(Malformed),
        bytes if bytes.len() > 5 => Err(Malformed),
        bytes => {
            let value = bytes
                .iter()
                .fold(0_u64, |value, byte| (value << 8) | u64::from(*byte));
            u32::try_from(value).map_err(Malformed::from)
        }
    }
}

/// The bits of a named-bit-list BIT STRING, bit 0 first, at most 16 of them.
pub(crate) fn named_bits(content: &[u8]) -> Result<u16, Malformed> {
    let (unused, bytes) = content.split_first().ok_or(Malformed)?;
    if *unused > 7 || (bytes.is_empty() && *unused != 0) || bytes.len() > 2 {
        return Err(Malformed);
    }
    let mut bits = 0_u16;
    for (index, byte) in bytes.iter().enumerate() {
        bits |= u16::from(byte.reverse_bits()) << (8 * index);
    }
    let padding_is_zero = bytes
        .last()
        .is_none_or(|last| last.trailing_zeros() >= u32::from(*unused));
    if padding_is_zero { Ok(bits) } else { Err(Malformed) }
}
