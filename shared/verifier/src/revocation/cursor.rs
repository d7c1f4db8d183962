//! DER by position instead of by slice, so that a list can be kept beside the places of its parts.
//!
//! The reader for certificates works on slices and checks more than a list of a million entries can afford.

use std::ops::Range;

use crate::x509::der::Malformed;

/// The identifier octet of an element; the high-tag-number form has no place in a CRL.
pub(crate) type TagByte = u8;

pub(crate) const BOOLEAN: TagByte = 0x01;
pub(crate) const INTEGER: TagByte = 0x02;
pub(crate) const BIT_STRING: TagByte = 0x03;
pub(crate) const OCTET_STRING: TagByte = 0x04;
pub(crate) const OBJECT_IDENTIFIER: TagByte = 0x06;
pub(crate) const ENUMERATED: TagByte = 0x0A;
pub(crate) const UTC_TIME: TagByte = 0x17;
pub(crate) const GENERALIZED_TIME: TagByte = 0x18;
pub(crate) const SEQUENCE: TagByte = 0x30;

/// `[number]` in its primitive form.
pub(crate) const fn primitive(number: u8) -> TagByte {
    0x80 | number
}

/// `[number]` in its constructed form.
pub(crate) const fn constructed(number: u8) -> TagByte {
    0xA0 | number
}

/// Reads the elements between two positions of `der` in order.
#[derive(Clone, Debug)]
pub(crate) struct Cursor<'a> {
    der: &'a [u8],
    position: usize,
    end: usize,
}

/// Where one element lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) tag: TagByte,
    /// Where the identifier octet is.
    pub(crate) start: usize,
    pub(crate) content: Range<usize>,
}

impl Place {
    /// The whole encoding.
    pub(crate) fn encoding(&self) -> Range<usize> {
        self.start..self.content.end
    }
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(der: &'a [u8]) -> Self {
        Self {
            der,
            position: 0,
            end: der.len(),
        }
    }

    /// A reader of the same bytes that stands at `range`; a range outside of them has no elements.
    pub(crate) fn within(&self, range: Range<usize>) -> Self {
        Self {
            der: self.der,
            position: range.start,
            end: range.end.min(self.der.len()),
        }
    }

    pub(crate) fn slice(&self, range: Range<usize>) -> &'a [u8] {
        self.der.get(range).unwrap_or_default()
    }

    pub(crate) fn position(&self) -> usize {
        self.position
    }

    pub(crate) fn at_end(&self) -> bool {
        self.position >= self.end
    }

    pub(crate) fn finish(&self) -> Result<(), Malformed> {
        if self.at_end() { Ok(()) } else { Err(Malformed) }
    }

    /// The tag of the next element.
    pub(crate) fn peek(&self) -> Option<TagByte> {
        if self.at_end() {
            None
        } else {
            self.der.get(self.position).copied()
        }
    }

    /// The next element, whose length must be in its shortest form (X.690 §10.1).
    #[inline]
    pub(crate) fn next_place(&mut self) -> Result<Place, Malformed> {
        let start = self.position;
        let rest = self.der.get(start..self.end).ok_or(Malformed)?;
        let [tag, first, ..] = *rest else {
            return Err(Malformed);
        };
        if tag & 0x1F == 0x1F {
            return Err(Malformed);
        }
        let (header, length) = match (first, rest) {
            (0..=0x7F, _) => (2, usize::from(first)),
            (0x81, [_, _, a @ 0x80..=0xFF, ..]) => (3, usize::from(*a)),
            (0x82, [_, _, a @ 1..=0xFF, b, ..]) => (4, big_endian([0, 0, *a, *b])?),
            (0x83, [_, _, a @ 1..=0xFF, b, c, ..]) => (5, big_endian([0, *a, *b, *c])?),
            (0x84, [_, _, a @ 1..=0xFF, b, c, d, ..]) => (6, big_endian([*a, *b, *c, *d])?),
            _ => return Err(Malformed),
        };
        if length > rest.len() - header {
            return Err(Malformed);
        }
        let content = start + header..start + header + length;
        self.position = content.end;
        Ok(Place { tag, start, content })
    }

    #[inline]
    pub(crate) fn expect(&mut self, tag: TagByte) -> Result<Place, Malformed> {
        let place = self.next_place()?;
        if place.tag == tag {
            Ok(place)
        } else {
            Err(Malformed)
        }
    }

    /// The next element if it has this tag; otherwise nothing is consumed.
    pub(crate) fn optional(&mut self, tag: TagByte) -> Result<Option<Place>, Malformed> {
        if self.peek() == Some(tag) {
            self.next_place().map(Some)
        } else {
            Ok(None)
        }
    }

    /// A reader of the next element's content.
    pub(crate) fn enter(&mut self, tag: TagByte) -> Result<Self, Malformed> {
        let place = self.expect(tag)?;
        Ok(self.within(place.content))
    }

    /// The content of the next element.
    pub(crate) fn content(&mut self, tag: TagByte) -> Result<&'a [u8], Malformed> {
        let place = self.expect(tag)?;
        Ok(self.slice(place.content))
    }
}

fn big_endian(bytes: [u8; 4]) -> Result<usize, Malformed> {
    Ok(usize::try_from(u32::from_be_bytes(bytes))?)
}

/// A two's complement number without the leading octets that say nothing: two encodings of one number become equal.
pub(crate) fn shortest(mut number: &[u8]) -> &[u8] {
    while let [0x00, 0x00..=0x7F, ..] | [0xFF, 0x80..=0xFF, ..] = number {
        number = number.get(1..).unwrap_or_default();
    }
    number
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(der: &[u8]) -> Result<Place, Malformed> {
        let mut cursor = Cursor::new(der);
        let place = cursor.next_place()?;
        cursor.finish()?;
        Ok(place)
    }

    #[test]
    fn reads_every_form_of_length() {
        for (header, length) in [
            (vec![0x04, 0x00], 0_usize),
            (vec![0x04, 0x7F], 0x7F),
            (vec![0x04, 0x81, 0x80], 0x80),
            (vec![0x04, 0x82, 0x01, 0x00], 0x100),
            (vec![0x04, 0x83, 0x01, 0x00, 0x00], 0x1_0000),
            (vec![0x04, 0x84, 0x01, 0x00, 0x00, 0x00], 0x100_0000),
        ] {
            let der = [header.clone(), vec![0; length]].concat();
            let place = one(&der).unwrap();
            assert_eq!(place.content, header.len()..header.len() + length);
            assert_eq!(place.encoding(), 0..der.len());
        }
    }

    #[test]
    fn refuses_lengths_that_are_not_in_shortest_form() {
        for header in [
            vec![0x04, 0x80],
            vec![0x04, 0x81, 0x7F],
            vec![0x04, 0x82, 0x00, 0xFF],
            vec![0x04, 0x83, 0x00, 0xFF, 0xFF],
            vec![0x04, 0x84, 0x00, 0xFF, 0xFF, 0xFF],
            vec![0x04, 0x85, 0x01, 0x00, 0x00, 0x00, 0x00],
        ] {
            assert_eq!(
                one(&[header.clone(), vec![0; 0x100_0000]].concat()),
                Err(Malformed),
                "{header:x?}"
            );
        }
    }

    #[test]
    fn refuses_what_is_cut_off() {
        let whole = [0x30, 0x82, 0x01, 0x00]
            .into_iter()
            .chain([0; 0x100])
            .collect::<Vec<u8>>();
        assert!(one(&whole).is_ok());
        for length in 0..whole.len() {
            assert_eq!(one(&whole[..length]), Err(Malformed), "{length}");
        }
    }

    #[test]
    fn an_element_cannot_reach_out_of_the_one_around_it() {
        let der = [0x30, 0x03, 0x04, 0x02, 0x00, 0x00];
        let mut outer = Cursor::new(&der);
        let mut inner = outer.enter(SEQUENCE).unwrap();
        assert_eq!(inner.next_place(), Err(Malformed));
    }

    #[test]
    fn equal_numbers_have_equal_shortest_forms() {
        assert_eq!(shortest(&[0, 0, 5]), [5]);
        assert_eq!(shortest(&[0, 0x80]), [0, 0x80], "the sign counts");
        assert_eq!(shortest(&[0xFF, 0xFF, 0x80]), [0x80]);
        assert_eq!(shortest(&[0, 0]), [0]);
        assert_eq!(shortest(&[]), [0; 0]);
    }
}
