//! Comparing names (RFC 5280 §7.1, RFC 4518).
//!
//! Names are compared for two purposes, and each takes the answer that is safe for it. Names that
//! are *surely* the same chain, and lie within a permitted subtree: case and white space are all
//! that may differ. Names that are
//! *possibly* the same lie within an excluded subtree: whatever RFC 4518 maps together, and some
//! more.

use std::borrow::Cow;
use std::cell::OnceCell;
use std::ops::RangeInclusive;

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_public_assigned;

use super::{AttributeValue, NameAttribute, Unrepresentable, walk};
use crate::x509::oid::Oid;

/// A name taken apart for comparison.
#[derive(Debug)]
pub(crate) struct ComparableName<'a> {
    relative_names: Vec<Vec<ComparableAttribute<'a>>>,
}

/// The answer to whether two names, or a name and a subtree, are the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    /// Surely.
    Same,
    /// Surely not.
    Different,
    /// The names are possibly the same. The caller decides for the safe side.
    Undecided,
}

#[derive(Debug)]
struct ComparableAttribute<'a> {
    oid: Oid<'a>,
    value: ComparableValue<'a>,
    /// Text that is not ASCII, and what else it may be the same as, once that is asked.
    beyond_ascii: Option<(Cow<'a, str>, OnceCell<Possible>)>,
}

/// Form of a value that is equal for two values that are certainly the same.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
enum ComparableValue<'a> {
    /// In lower case, runs of white space as one, none at the edges.
    Text(String),
    Der(&'a [u8]),
}

/// Form of a value that is equal for two values that are possibly the same.
#[derive(Debug)]
enum Possible {
    Text(String),
    /// Some character is not assigned, or means nothing by itself: RFC 4518 §2.4 leaves the
    /// comparison undefined.
    Anything,
}

impl<'a> ComparableName<'a> {
    /// Takes the whole DER encoding of a Name.
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, Unrepresentable> {
        let mut relative_names: Vec<Vec<ComparableAttribute<'a>>> = Vec::new();
        walk(der, |attribute| {
            let wanted = relative_names.len().max(attribute.relative_name + 1);
            relative_names.resize_with(wanted, Vec::new);
            if let Some(relative_name) = relative_names.last_mut() {
                relative_name.push(ComparableAttribute::from(attribute));
            }
        })?;
        for relative_name in &mut relative_names {
            relative_name.sort_by(|left, right| left.certain().cmp(&right.certain()));
        }
        Ok(Self { relative_names })
    }

    /// Compares this name, as far as it is needed, with `base`, the root of a subtree: it is within
    /// when every relative name of `base` is the one in the same place of this name (RFC 5280
    /// §4.2.1.10).
    pub(crate) fn is_within(&self, base: &Self) -> Comparison {
        if base.relative_names.len() > self.relative_names.len() {
            return Comparison::Different;
        }
        let mut whole = Comparison::Same;
        for (base, name) in base.relative_names.iter().zip(&self.relative_names) {
            match compare_relative_names(base, name) {
                Comparison::Same => {}
                Comparison::Different => return Comparison::Different,
                Comparison::Undecided => whole = Comparison::Undecided,
            }
        }
        whole
    }

    /// Returns true if there are no attributes.
    pub(crate) fn is_empty(&self) -> bool {
        self.relative_names.is_empty()
    }

    fn certain(&self) -> Vec<Vec<(&Oid<'a>, &ComparableValue<'a>)>> {
        let relative_names = self.relative_names.iter();
        relative_names
            .map(|name| name.iter().map(ComparableAttribute::certain).collect())
            .collect()
    }
}

fn compare_relative_names(left: &[ComparableAttribute<'_>], right: &[ComparableAttribute<'_>]) -> Comparison {
    let mut pairs = left.iter().zip(right);
    // Attributes are sorted by type first.
    if left.len() != right.len() || pairs.any(|(left, right)| left.oid != right.oid) {
        return Comparison::Different;
    }
    let mut pairs = left.iter().zip(right);
    if pairs.all(|(left, right)| left.value == right.value) {
        return Comparison::Same;
    }
    let is_possible = match (left, right) {
        ([left], [right]) => left.is_possibly(right),
        // Several attributes in one relative name are rare, and those beyond ASCII have no order to
        // pair them by.
        _ => left.iter().chain(right).any(|attribute| !attribute.is_plain()),
    };
    if is_possible {
        Comparison::Undecided
    } else {
        Comparison::Different
    }
}

impl<'a> ComparableAttribute<'a> {
    fn certain(&self) -> (&Oid<'a>, &ComparableValue<'a>) {
        (&self.oid, &self.value)
    }

    /// Returns true for ASCII text, of which the certain form says everything.
    fn is_plain(&self) -> bool {
        matches!(self.value, ComparableValue::Text(_)) && self.beyond_ascii.is_none()
    }

    fn is_possibly(&self, other: &Self) -> bool {
        match (self.possible(), other.possible()) {
            (Some(left), Some(right)) => left == right,
            _ => true,
        }
    }

    /// `None` when the value could be any.
    fn possible(&self) -> Option<&str> {
        match (&self.beyond_ascii, &self.value) {
            (Some((text, form)), _) => match form.get_or_init(|| Possible::of(text)) {
                Possible::Text(text) => Some(text),
                Possible::Anything => None,
            },
            (None, ComparableValue::Text(text)) => Some(text),
            (None, ComparableValue::Der(_)) => None,
        }
    }
}

impl<'a> From<NameAttribute<'a>> for ComparableAttribute<'a> {
    fn from(attribute: NameAttribute<'a>) -> Self {
        let (value, beyond_ascii) = match attribute.value {
            AttributeValue::Text(text) => {
                let certain = certain_text(&text);
                let beyond_ascii = (!text.is_ascii()).then(|| {
                    let possible = match attribute.is_approximate {
                        true => OnceCell::from(Possible::Anything),
                        false => OnceCell::new(),
                    };
                    (text, possible)
                });
                (ComparableValue::Text(certain), beyond_ascii)
            }
            AttributeValue::Der(der) => (ComparableValue::Der(der), None),
        };
        Self {
            oid: attribute.oid,
            value,
            beyond_ascii,
        }
    }
}

/// Returns the text in lower case, with runs of white space as one and none at the edges.
fn certain_text(text: &str) -> String {
    let mut certain = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !certain.is_empty() {
            certain.push(' ');
        }
        if word.is_ascii() {
            certain.extend(word.chars().map(|character| character.to_ascii_lowercase()));
        } else {
            certain.push_str(&word.to_lowercase());
        }
    }
    certain
}

impl Possible {
    fn of(text: &str) -> Self {
        const REPLACEMENT_CHARACTER: char = '\u{FFFD}';
        let says_nothing =
            |character: char| !is_public_assigned(character) || character == REPLACEMENT_CHARACTER;
        if text.chars().any(says_nothing) {
            return Self::Anything;
        }
        // Twice, because `ẞ` becomes `ß` before `ss`.
        let folded = folded(&folded(text));
        Self::Text(folded.split_whitespace().collect::<Vec<_>>().join(" "))
    }
}

/// Returns the text in compatibility decomposition, without case and without invisible characters.
/// It is coarser than RFC 4518: upper case and then lower case joins what case folding joins, and
/// also dotless `ı` with `i`.
fn folded(text: &str) -> String {
    let is_visible = |character: &char| !is_ignorable(*character);
    text.nfkd()
        .filter(is_visible)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfkd()
        .filter(is_visible)
        .collect()
}

/// Characters that RFC 4518 §2.2 maps to nothing, and those of Unicode's property
/// Default_Ignorable_Code_Point.
const IGNORABLE: &[RangeInclusive<char>] = &[
    '\u{AD}'..='\u{AD}',
    '\u{34F}'..='\u{34F}',
    '\u{61C}'..='\u{61C}',
    '\u{6DD}'..='\u{6DD}',
    '\u{70F}'..='\u{70F}',
    '\u{115F}'..='\u{1160}',
    '\u{17B4}'..='\u{17B5}',
    '\u{1806}'..='\u{1806}',
    '\u{180B}'..='\u{180F}',
    '\u{200B}'..='\u{200F}',
    '\u{202A}'..='\u{202E}',
    '\u{2060}'..='\u{206F}',
    '\u{3164}'..='\u{3164}',
    '\u{FE00}'..='\u{FE0F}',
    '\u{FEFF}'..='\u{FEFF}',
    '\u{FFA0}'..='\u{FFA0}',
    '\u{FFF0}'..='\u{FFFC}',
    '\u{1BCA0}'..='\u{1BCA3}',
    '\u{1D173}'..='\u{1D17A}',
    '\u{E0000}'..='\u{E0FFF}',
];

/// Returns true for a character that is not visible by itself, such as one that turns the direction
/// of text around.
pub(crate) fn is_ignorable(character: char) -> bool {
    !character.is_ascii() && IGNORABLE.iter().any(|range| range.contains(&character))
}

/// Returns true if two whole DER encodings of a Name are certainly the same name: octet for octet,
/// or by RFC 5280 §7.1.
pub(crate) fn names_are_equal(left: &[u8], right: &[u8]) -> bool {
    if left == right {
        return true;
    }
    match (ComparableName::parse(left), ComparableName::parse(right)) {
        (Ok(left), Ok(right)) => left.certain() == right.certain(),
        _ => false,
    }
}

/// Returns true unless two whole DER encodings of a Name are certainly different names, for a
/// purpose to which a false match is the safe side. A name that cannot be read can be any.
pub(crate) fn names_are_possibly_equal(left: &[u8], right: &[u8]) -> bool {
    match (ComparableName::parse(left), ComparableName::parse(right)) {
        (Ok(left), Ok(right)) => {
            left.relative_names.len() == right.relative_names.len()
                && left.is_within(&right) != Comparison::Different
        }
        _ => true,
    }
}

/// Returns octets that are the same for all names that are certainly equal, and only for these, for
/// lookups. Each part has its length before it.
pub(crate) fn look_up_key(der: &[u8]) -> Option<Box<[u8]>> {
    const TEXT: &[u8] = &[0];
    const DER: &[u8] = &[1];
    let name = ComparableName::parse(der).ok()?;
    let mut key = Vec::with_capacity(2 * der.len());
    for relative_name in &name.relative_names {
        key.extend(relative_name.len().to_be_bytes());
        for attribute in relative_name {
            let (kind, value) = match &attribute.value {
                ComparableValue::Text(text) => (TEXT, text.as_bytes()),
                ComparableValue::Der(der) => (DER, *der),
            };
            for part in [kind, attribute.oid.as_bytes(), value] {
                key.extend(part.len().to_be_bytes());
                key.extend(part);
            }
        }
    }
    Some(key.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Vec<u8> {
        use der::Encode;
        use std::str::FromStr;
        x509_cert::name::Name::from_str(text).unwrap().to_der().unwrap()
    }

    /// `O=<value>` with a string type of one's choice.
    fn organization(tag: u8, value: &[u8]) -> Vec<u8> {
        let wrap = |tag: u8, content: &[u8]| [&[tag, u8::try_from(content.len()).unwrap()], content].concat();
        let attribute = [vec![6, 3, 0x55, 4, 10], wrap(tag, value)].concat();
        wrap(0x30, &wrap(0x31, &wrap(0x30, &attribute)))
    }

    fn within(name: &[u8], base: &[u8]) -> Comparison {
        let base = ComparableName::parse(base).unwrap();
        ComparableName::parse(name).unwrap().is_within(&base)
    }

    #[test]
    fn names_are_equal_whatever_their_case_white_space_and_string_type() {
        let printable = organization(0x13, b"Good  CA ");
        let utf8 = organization(0x0C, b"good ca");
        assert!(names_are_equal(&printable, &utf8));
        assert_eq!(look_up_key(&printable), look_up_key(&utf8));
        assert!(!names_are_equal(&printable, &organization(0x0C, b"good cb")));
        assert!(
            !names_are_equal(&name("CN=a,O=b"), &name("O=b,CN=a")),
            "order counts"
        );
        assert!(!names_are_equal(&name("CN=a"), &name("CN=a,O=b")));
    }

    #[test]
    fn look_up_keys_are_equal_only_for_equal_names() {
        let names = [
            name("CN=a"),
            name("O=a"),
            name("CN=A B"),
            name("CN=a,CN=b"),
            name("CN=b,CN=a"),
            name("CN=a+CN=b"),
            name("CN=a+O=b"),
            name("CN=a,O=b"),
            name("CN=\u{130}stanbul"),
            name("CN=i\u{307}stanbul"),
            organization(0x0C, b"Example"),
            organization(0x1B, b"Example"),
        ];
        for left in &names {
            for right in &names {
                let is_equal = names_are_equal(left, right);
                assert_eq!(look_up_key(left) == look_up_key(right), is_equal);
            }
        }
    }

    #[test]
    fn attributes_of_one_relative_name_have_no_order() {
        assert!(names_are_equal(&name("CN=a+OU=b"), &name("OU=b+CN=a")));
        assert!(!names_are_equal(&name("CN=a+OU=b"), &name("CN=a,OU=b")));
    }

    #[test]
    fn a_subtree_holds_its_root_and_what_is_below() {
        let base = name("OU=payments,O=Example,C=DE");
        assert_eq!(within(&base, &base), Comparison::Same);
        assert_eq!(
            within(&name("CN=x,OU=Payments,O=EXAMPLE,C=DE"), &base),
            Comparison::Same
        );
        assert_eq!(within(&name("O=Example,C=DE"), &base), Comparison::Different);
        assert_eq!(
            within(&name("CN=x,OU=payments,O=Exampl,C=DE"), &base),
            Comparison::Different
        );
    }

    #[test]
    fn text_that_cannot_be_compared_is_undecided() {
        let general = organization(0x1B, b"Example");
        let utf8 = organization(0x0C, b"Example");
        assert_eq!(within(&general, &utf8), Comparison::Undecided);
        assert_eq!(within(&general, &general), Comparison::Same);
        assert!(!names_are_equal(&general, &utf8), "only equal bytes chain");
    }

    #[test]
    fn every_string_type_is_compared_as_text() {
        let utf8 = organization(0x0C, b"Example");
        let wide = |width: usize| -> Vec<u8> {
            let padded = |octet: u8| [vec![0; width - 1], vec![octet]].concat();
            b"EXAMPLE".iter().copied().flat_map(padded).collect()
        };
        for (tag, value) in [
            (0x13, b"EXAMPLE".to_vec()),
            (0x14, b"EXAMPLE".to_vec()),
            (0x16, b"EXAMPLE".to_vec()),
            (0x1A, b"EXAMPLE".to_vec()),
            (0x1C, wide(4)),
            (0x1E, wide(2)),
        ] {
            let name = organization(tag, &value);
            assert!(names_are_equal(&name, &utf8), "{tag:02x}");
            assert_eq!(look_up_key(&name), look_up_key(&utf8), "{tag:02x}");
            assert_eq!(within(&name, &utf8), Comparison::Same, "{tag:02x}");
            assert_eq!(
                within(&name, &organization(0x0C, b"Exempli")),
                Comparison::Different
            );
        }
    }

    #[test]
    fn teletex_beyond_ascii_is_latin_1_and_lies_in_any_excluded_subtree() {
        let teletex = organization(0x14, b"M\xFCller");
        assert!(names_are_equal(
            &teletex,
            &organization(0x0C, "M\u{FC}ller".as_bytes())
        ));
        // The same octets mean something else where T.61 is meant.
        assert_eq!(
            within(&teletex, &organization(0x0C, b"Gasse")),
            Comparison::Undecided
        );
    }

    #[test]
    fn spellings_that_look_alike_are_undecided() {
        let base = organization(0x13, b"Strasse");
        for spelling in [
            "stra\u{DF}e",
            "STRA\u{1E9E}E",
            "Stra\u{AD}sse",
            "Stra\u{200B}sse",
            "\u{FEFF}Strasse",
            "Strasse\u{FE0F}",
            "\u{FF33}\u{FF54}\u{FF52}\u{FF41}\u{FF53}\u{FF53}\u{FF45}",
            "\u{17F}trasse",
            "\u{1D412}trasse",
            "Strasse\u{3000}",
            // Private use, not assigned, and what stands for damage.
            "\u{E000}",
            "x\u{378}",
            "\u{FFFD}",
        ] {
            let name = organization(0x0C, spelling.as_bytes());
            assert_ne!(within(&name, &base), Comparison::Different, "{spelling:?}");
        }
        for spelling in ["Stra\u{DF}", "Gasse", "M\u{FC}ller", "\u{421}trasse"] {
            let name = organization(0x0C, spelling.as_bytes());
            assert_eq!(within(&name, &base), Comparison::Different, "{spelling:?}");
        }
    }

    #[test]
    fn both_normalization_forms_are_undecided() {
        let (composed, decomposed) = ("Zo\u{EB} \u{1E69}", "Zoe\u{308} s\u{307}\u{323}");
        let (left, right) = (
            organization(0x0C, composed.as_bytes()),
            organization(0x0C, decomposed.as_bytes()),
        );
        assert_eq!(within(&left, &right), Comparison::Undecided);
        assert!(!names_are_equal(&left, &right), "chaining takes what is sure");
    }

    #[test]
    fn one_attribute_beyond_ascii_leaves_several_undecided() {
        let (base, name_beyond) = (name("O=a+OU=b"), name("O=a+OU=\u{E4}"));
        assert_eq!(within(&name_beyond, &base), Comparison::Undecided);
        assert_eq!(within(&name("O=a+OU=c"), &base), Comparison::Different);
        assert_eq!(within(&name("O=a+L=b"), &base), Comparison::Different);
    }

    #[test]
    fn folding_ends_where_it_began() {
        let characters = (0x80..=0x10_FFFF).filter_map(char::from_u32);
        for character in characters.filter(|character| is_public_assigned(*character)) {
            let once = folded(&folded(character.encode_utf8(&mut [0; 4])));
            assert_eq!(folded(&once), once, "{character:?}");
        }
    }
}
