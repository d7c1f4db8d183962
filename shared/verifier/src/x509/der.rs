//! Reading DER without copying (X.690).

/// The bytes are not the DER structure that was expected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The identifier octet of an element. The high-tag-number form has no place in a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tag(u8);

impl Tag {
    pub(crate) const BOOLEAN: Self = Self(0x01);
    pub(crate) const INTEGER: Self = Self(0x02);
    pub(crate) const BIT_STRING: Self = Self(0x03);
    pub(crate) const OCTET_STRING: Self = Self(0x04);
    pub(crate) const NULL: Self = Self(0x05);
    pub(crate) const OBJECT_IDENTIFIER: Self = Self(0x06);
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

    /// Number and whether it is constructed, for a tag of the context-specific class.
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

/// One element: its tag, its content, and the whole encoding that it came from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Element<'a> {
    pub(crate) tag: Tag,
    pub(crate) content: &'a [u8],
    pub(crate) encoding: &'a [u8],
}

/// Reads the elements of one constructed value in order.
#[derive(Clone, Debug)]
pub(crate) struct Elements<'a> {
    rest: &'a [u8],
}

impl<'a> Elements<'a> {
    pub(crate) const fn new(input: &'a [u8]) -> Self {
        Self { rest: input }
    }

    /// The content of the only element of `input`, which must have this tag.
    pub(crate) fn inside(input: &'a [u8], tag: Tag) -> Result<Self, Malformed> {
        single(input, tag).map(Self::new)
    }

    pub(crate) const fn at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next element, whose length must be definite and in its shortest form (X.690 §10.1).
    #[inline]
    pub(crate) fn next_element(&mut self) -> Result<Element<'a>, Malformed> {
        let (tag, header_length, length) = match *self.rest {
            [tag, length @ 0..=0x7F, ..] => (tag, 2, usize::from(length)),
            [tag, 0x81, length @ 0x80..=0xFF, ..] => (tag, 3, usize::from(length)),
            [tag, 0x82, high @ 1..=0xFF, low, ..] => (tag, 4, usize::from(u16::from_be_bytes([high, low]))),
            [tag, 0x83, high @ 1..=0xFF, middle, low, ..] => {
                let length = u32::from_be_bytes([0, high, middle, low]);
                (tag, 5, usize::try_from(length).map_err(|_| Malformed)?)
            }
            // No certificate is longer, and nothing in it.
            _ => return Err(Malformed),
        };
        if tag & 0x1F == 0x1F {
            return Err(Malformed);
        }
        let (encoding, rest) = self
            .rest
            .split_at_checked(header_length + length)
            .ok_or(Malformed)?;
        let content = encoding.get(header_length..).ok_or(Malformed)?;
        self.rest = rest;
        Ok(Element {
            tag: Tag(tag),
            content,
            encoding,
        })
    }

    #[inline]
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
        match self.rest.first() {
            Some(first) if *first == tag.0 => self.next_element().map(Some),
            _ => Ok(None),
        }
    }

    pub(crate) const fn finish(&self) -> Result<(), Malformed> {
        if self.at_end() { Ok(()) } else { Err(Malformed) }
    }
}

/// The content of the only element of `input`, which must have this tag.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lengths_in_their_shortest_form_only() {
        let read = |der: &[u8]| {
            Elements::new(der)
                .next_element()
                .map(|element| element.content.len())
        };
        for length in [0, 1, 0x7F, 0x80, 0xFF, 0x100, 0xFFFF, 0x1_0000] {
            let header: &[u8] = match length {
                0..=0x7F => &[4, u8::try_from(length).unwrap()],
                0x80..=0xFF => &[4, 0x81, u8::try_from(length).unwrap()],
                0x100..=0xFFFF => &[&[4, 0x82][..], &u16::try_from(length).unwrap().to_be_bytes()].concat(),
                _ => &[4, 0x83, 1, 0, 0],
            };
            let der = [header, &vec![0; length]].concat();
            assert_eq!(read(&der), Ok(length));
            assert_eq!(read(&der[..der.len() - 1]), Err(Malformed), "cut off at {length}");
        }
        for header in [
            &[4, 0x80][..],
            &[4, 0x81],
            &[4, 0x81, 0x7F],
            &[4, 0x82, 0, 0xFF],
            &[4, 0x83, 0, 1, 0],
            &[4, 0x84, 0, 0, 1, 0],
            &[0x1F, 1],
        ] {
            let der = [header, &[0; 300]].concat();
            assert_eq!(read(&der), Err(Malformed), "{header:02x?}");
        }
        assert_eq!(read(&[]), Err(Malformed));
        assert_eq!(read(&[4]), Err(Malformed));
    }

    #[test]
    fn an_optional_element_is_left_when_it_is_another() {
        let mut elements = Elements::new(&[2, 1, 7]);
        assert!(elements.optional(Tag::BOOLEAN).unwrap().is_none());
        assert_eq!(elements.expect(Tag::INTEGER).unwrap().content, [7]);
        assert!(elements.optional(Tag::BOOLEAN).unwrap().is_none());
        assert_eq!(elements.finish(), Ok(()));
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
