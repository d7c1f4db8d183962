//! Reading DER without copying, and writing it (X.690).

use std::ops::Range;

/// Error for octets that are not the expected DER structure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Identifier octet of an element, in the low-tag-number form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(u8);

impl Tag {
    pub(crate) const BOOLEAN: Self = Self(0x01);
    pub(crate) const INTEGER: Self = Self(0x02);
    pub(crate) const BIT_STRING: Self = Self(0x03);
    pub(crate) const OCTET_STRING: Self = Self(0x04);
    pub(crate) const NULL: Self = Self(0x05);
    pub(crate) const OBJECT_IDENTIFIER: Self = Self(0x06);
    pub(crate) const ENUMERATED: Self = Self(0x0A);
    pub(crate) const UTF8_STRING: Self = Self(0x0C);
    pub(crate) const NUMERIC_STRING: Self = Self(0x12);
    pub(crate) const PRINTABLE_STRING: Self = Self(0x13);
    pub(crate) const TELETEX_STRING: Self = Self(0x14);
    pub(crate) const IA5_STRING: Self = Self(0x16);
    pub(crate) const UTC_TIME: Self = Self(0x17);
    pub(crate) const GENERALIZED_TIME: Self = Self(0x18);
    pub(crate) const VISIBLE_STRING: Self = Self(0x1A);
    pub(crate) const UNIVERSAL_STRING: Self = Self(0x1C);
    pub(crate) const BMP_STRING: Self = Self(0x1E);
    pub(crate) const SEQUENCE: Self = Self(0x30);
    pub(crate) const SET: Self = Self(0x31);

    pub(crate) const fn is_constructed(self) -> bool {
        self.0 & 0x20 != 0
    }

    /// Returns the number, and true for the constructed form, of a tag of the context-specific
    /// class.
    pub(crate) const fn context_specific(self) -> Option<(u8, bool)> {
        if self.0 & 0xC0 == 0x80 {
            Some((self.0 & 0x1F, self.is_constructed()))
        } else {
            None
        }
    }
}

/// `[number]` of a CHOICE or an optional field, in its constructed or primitive form.
pub(crate) const fn context_tag(number: u8, constructed: bool) -> Tag {
    Tag(0x80 | if constructed { 0x20 } else { 0 } | number)
}

/// Element of a DER encoding, with its place in the input.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: Tag,
    pub(crate) content: &'a [u8],
    /// The whole encoding: tag, length and content.
    pub(crate) encoding: &'a [u8],
    /// Position of the tag in the input of the outermost reader.
    pub(crate) offset: usize,
}

impl<'a> Element<'a> {
    /// Returns a reader of the content that counts positions from the same origin.
    pub(crate) fn elements(&self) -> Elements<'a> {
        Elements {
            rest: self.content,
            offset: self.range().end - self.content.len(),
        }
    }

    /// Returns the range of the whole encoding in the input of the outermost reader.
    pub(crate) fn range(&self) -> Range<usize> {
        self.offset..self.offset + self.encoding.len()
    }

    /// Returns the range of the content in the input of the outermost reader.
    pub(crate) fn content_range(&self) -> Range<usize> {
        let end = self.range().end;
        end - self.content.len()..end
    }
}

/// Reads the elements of one constructed value in order.
///
/// It is as strict as DER (X.690 §10.1) for certificates and CRLs alike: every tag has the
/// low-number form and every length its shortest form. A long list is kept with the positions of
/// its parts, so each element knows its own.
#[derive(Clone, Debug)]
pub(crate) struct Elements<'a> {
    rest: &'a [u8],
    offset: usize,
}

impl<'a> Elements<'a> {
    /// Creates a reader that counts positions from the beginning of `input`.
    pub(crate) const fn new(input: &'a [u8]) -> Self {
        Self {
            rest: input,
            offset: 0,
        }
    }

    /// Creates a reader of octets from the middle of an encoding, at this position.
    pub(crate) const fn at(input: &'a [u8], position: usize) -> Self {
        Self {
            rest: input,
            offset: position,
        }
    }

    /// Returns true if the next element is not cut off.
    #[inline]
    pub(crate) fn has_whole_element(&self) -> bool {
        read_header(self.rest).is_ok_and(|(_, header, content)| {
            header
                .checked_add(content)
                .is_some_and(|length| length <= self.rest.len())
        })
    }

    /// Creates a reader of the content of the only element of `input`, which must have this tag.
    pub(crate) fn inside(input: &'a [u8], tag: Tag) -> Result<Self, Malformed> {
        let mut outer = Self::new(input);
        let inner = outer.enter(tag)?;
        outer.finish()?;
        Ok(inner)
    }

    pub(crate) const fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// Returns the number of octets that were not read.
    pub(crate) const fn octets_left(&self) -> usize {
        self.rest.len()
    }

    /// Returns the position of the next element.
    pub(crate) const fn position(&self) -> usize {
        self.offset
    }

    /// Returns the tag of the next element, which may be malformed.
    pub(crate) fn peek(&self) -> Option<Tag> {
        self.rest.first().copied().map(Tag)
    }

    /// Reads the next element, whose length must be definite and in its shortest form (X.690
    /// §10.1).
    #[inline]
    pub(crate) fn next_element(&mut self) -> Result<Element<'a>, Malformed> {
        let (tag, header_length, length) = read_header(self.rest)?;
        let end = length.checked_add(header_length).ok_or(Malformed)?;
        let (encoding, rest) = self.rest.split_at_checked(end).ok_or(Malformed)?;
        let content = encoding.get(header_length..).ok_or(Malformed)?;
        let offset = self.offset;
        self.rest = rest;
        self.offset += end;
        Ok(Element {
            tag,
            content,
            encoding,
            offset,
        })
    }

    /// Reads the next element, which must have this tag.
    #[inline]
    pub(crate) fn expect(&mut self, tag: Tag) -> Result<Element<'a>, Malformed> {
        let element = self.next_element()?;
        if element.tag == tag {
            Ok(element)
        } else {
            Err(Malformed)
        }
    }

    /// Reads the next element if it has this tag; otherwise nothing is consumed.
    pub(crate) fn optional(&mut self, tag: Tag) -> Result<Option<Element<'a>>, Malformed> {
        if self.peek() == Some(tag) {
            self.next_element().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Reads the next element, which must have this tag, and returns a reader of its content.
    pub(crate) fn enter(&mut self, tag: Tag) -> Result<Self, Malformed> {
        self.expect(tag).map(|element| element.elements())
    }

    /// Reads the next element, which must have this tag, and returns its content.
    pub(crate) fn content(&mut self, tag: Tag) -> Result<&'a [u8], Malformed> {
        self.expect(tag).map(|element| element.content)
    }

    pub(crate) const fn finish(&self) -> Result<(), Malformed> {
        if self.at_end() { Ok(()) } else { Err(Malformed) }
    }
}

/// Reads tag and length, and returns the tag, the octets that both take, and the length of the
/// content, which may be cut off.
#[inline]
pub(crate) fn read_header(input: &[u8]) -> Result<(Tag, usize, usize), Malformed> {
    let [tag, first, ..] = *input else {
        return Err(Malformed);
    };
    // X.690 §8.1.2.4: the high-tag-number form. No type of X.509 needs it.
    if tag & 0x1F == 0x1F {
        return Err(Malformed);
    }
    let (header_length, length) = match (first, input) {
        (0..=0x7F, _) => (2, usize::from(first)),
        (0x81, [_, _, a @ 0x80..=0xFF, ..]) => (3, usize::from(*a)),
        (0x82, [_, _, a @ 1..=0xFF, b, ..]) => (4, big_endian([0, 0, *a, *b])?),
        (0x83, [_, _, a @ 1..=0xFF, b, c, ..]) => (5, big_endian([0, *a, *b, *c])?),
        // A CRL with half a million entries needs four octets; entries are found by positions of 32
        // bits.
        (0x84, [_, _, a @ 1..=0xFF, b, c, d, ..]) => (6, big_endian([*a, *b, *c, *d])?),
        _ => return Err(Malformed),
    };
    Ok((Tag(tag), header_length, length))
}

fn big_endian(octets: [u8; 4]) -> Result<usize, Malformed> {
    Ok(usize::try_from(u32::from_be_bytes(octets))?)
}

/// Returns the DER encoding of an element whose content consists of these parts (X.690 §8.1,
/// §10.1).
pub(crate) fn encode(tag: Tag, parts: &[&[u8]]) -> Vec<u8> {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let octets = length.to_be_bytes();
    let first = octets
        .iter()
        .position(|octet| *octet != 0)
        .unwrap_or(octets.len() - 1);
    let shortest = octets.get(first..).unwrap_or_default();
    let mut encoding = vec![tag.0];
    if length > 0x7F {
        // At most eight octets.
        encoding.push(0x80 | u8::try_from(shortest.len()).unwrap_or_default());
    }
    encoding.extend_from_slice(shortest);
    for part in parts {
        encoding.extend_from_slice(part);
    }
    encoding
}

/// Returns the content of the only element of `input`, which must have this tag.
#[inline]
pub(crate) fn single(input: &[u8], tag: Tag) -> Result<&[u8], Malformed> {
    let mut elements = Elements::new(input);
    let element = elements.expect(tag)?;
    elements.finish()?;
    Ok(element.content)
}

impl From<std::num::TryFromIntError> for Malformed {
    fn from(_: std::num::TryFromIntError) -> Self {
        Self
    }
}

/// Reads a BOOLEAN, which in DER is one octet, 0x00 or 0xFF (X.690 §11.1).
pub(crate) fn boolean(content: &[u8]) -> Result<bool, Malformed> {
    match content {
        [0x00] => Ok(false),
        [0xFF] => Ok(true),
        _ => Err(Malformed),
    }
}

/// Reads an INTEGER in its shortest form that is not negative and fits 32 bits.
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

/// Returns the octets of a BIT STRING without unused bits.
pub(crate) fn whole_octets(content: &[u8]) -> Result<&[u8], Malformed> {
    match content.split_first() {
        Some((0, octets)) => Ok(octets),
        _ => Err(Malformed),
    }
}

/// Checks that this is the content of a BIT STRING: a count of unused bits that the last octet has
/// (X.690 §8.6.2), all of them zero (§11.2.1).
pub(crate) fn check_bit_string(content: &[u8]) -> Result<(), Malformed> {
    match content {
        [0] => Ok(()),
        [unused @ 0..=7, .., last] if last.trailing_zeros() >= u32::from(*unused) => Ok(()),
        _ => Err(Malformed),
    }
}

/// Returns a two's complement number without the leading octets that say nothing, so that two
/// encodings of one number become equal.
pub(crate) fn shortest(mut number: &[u8]) -> &[u8] {
    while let [0x00, 0x00..=0x7F, ..] | [0xFF, 0x80..=0xFF, ..] = number {
        number = number.get(1..).unwrap_or_default();
    }
    number
}

/// Returns the bits of a named-bit-list BIT STRING, bit 0 first. At most 16 are read: KeyUsage has
/// 9 and ReasonFlags has 9 (RFC 5280 §4.2.1.3, §4.2.1.13). DER has no trailing zero bits (X.690
/// §11.2.2), but CAs write them.
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

#[cfg(test)]
mod tests {
    use super::*;

    fn one(der: &[u8]) -> Result<Element<'_>, Malformed> {
        let mut elements = Elements::new(der);
        let element = elements.next_element()?;
        elements.finish()?;
        Ok(element)
    }

    #[test]
    fn lengths_of_every_form_are_read() {
        for length in [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x1_0000, 0x100_0000] {
            let content = vec![0; length];
            let der = encode(Tag::OCTET_STRING, &[&content]);
            let element = one(&der).unwrap();
            assert_eq!(element.content, content);
            assert_eq!(element.range(), 0..der.len());
            assert_eq!(element.content_range(), der.len() - length..der.len());
            let cut_off = der.split_last().unwrap().1;
            assert!(one(cut_off).is_err(), "cut off at {length}");
        }
    }

    #[test]
    fn lengths_not_in_shortest_form_are_malformed() {
        for header in [
            &[4, 0x80][..],
            &[4, 0x81],
            &[4, 0x81, 0x7F],
            &[4, 0x82, 0, 0xFF],
            &[4, 0x83, 0, 0xFF, 0xFF],
            &[4, 0x84, 0, 0xFF, 0xFF, 0xFF],
            &[4, 0x85, 1, 0, 0, 0, 0],
            &[0x1F, 1],
        ] {
            let der = [header, &[0; 0x100_0000]].concat();
            let read = Elements::new(&der).next_element().map(|element| element.range());
            assert_eq!(read, Err(Malformed), "{header:02x?}");
        }
    }

    #[test]
    fn element_that_is_cut_off_is_malformed() {
        let whole = encode(Tag::SEQUENCE, &[&[0; 0x100]]);
        for length in 0..whole.len() {
            let part = whole.get(..length).unwrap();
            assert!(one(part).is_err(), "{length}");
        }
    }

    #[test]
    fn element_cannot_reach_out_of_the_one_around_it() {
        let mut outer = Elements::new(&[0x30, 3, 4, 2, 0, 0]);
        let mut inner = outer.enter(Tag::SEQUENCE).unwrap();
        assert!(inner.next_element().is_err());
    }

    #[test]
    fn positions_count_from_the_outermost_input() {
        let mut outer = Elements::new(&[5, 0, 0x30, 5, 2, 1, 7, 5, 0]);
        outer.expect(Tag::NULL).unwrap();
        let mut inner = outer.enter(Tag::SEQUENCE).unwrap();
        assert_eq!(inner.position(), 4);
        let integer = inner.expect(Tag::INTEGER).unwrap();
        assert_eq!((integer.range(), integer.content_range()), (4..7, 6..7));
        assert_eq!(
            (inner.position(), inner.octets_left(), outer.position()),
            (7, 2, 9)
        );
    }

    #[test]
    fn equal_numbers_have_equal_shortest_forms() {
        assert_eq!(shortest(&[0, 0, 5]), [5]);
        assert_eq!(shortest(&[0, 0x80]), [0, 0x80], "the sign counts");
        assert_eq!(shortest(&[0xFF, 0xFF, 0x80]), [0x80]);
        assert_eq!(shortest(&[0, 0]), [0]);
        assert_eq!(shortest(&[]), [0; 0]);
    }

    #[test]
    fn optional_element_of_another_tag_is_left() {
        let mut elements = Elements::new(&[2, 1, 7]);
        assert!(elements.optional(Tag::BOOLEAN).unwrap().is_none());
        assert_eq!(elements.expect(Tag::INTEGER).unwrap().content, [7]);
        assert!(elements.optional(Tag::BOOLEAN).unwrap().is_none());
        assert_eq!(elements.finish(), Ok(()));
    }

    #[test]
    fn bit_string_has_as_many_unused_bits_as_it_says() {
        for content in [&[0][..], &[0, 1], &[7, 0x80], &[3, 1, 8]] {
            assert_eq!(check_bit_string(content), Ok(()), "{content:02x?}");
        }
        for content in [&[][..], &[1], &[8, 0], &[9], &[1, 1], &[4, 0, 8]] {
            assert_eq!(check_bit_string(content), Err(Malformed), "{content:02x?}");
        }
    }

    #[test]
    fn named_bits_have_no_padding_that_is_set() {
        assert_eq!(named_bits(&[7, 0x80]), Ok(1));
        assert_eq!(named_bits(&[0]), Ok(0));
        assert_eq!(named_bits(&[7, 0x00, 0x80]), Ok(1 << 8));
        for content in [&[][..], &[8, 0], &[1], &[1, 1], &[0, 0, 0, 0]] {
            assert_eq!(named_bits(content), Err(Malformed), "{content:02x?}");
        }
    }
}
