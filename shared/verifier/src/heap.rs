//! What values keep allocated, so that a cache can weigh them.

use crate::x509::alternative_name::AlternativeName;
use crate::x509::name::DistinguishedName;

/// Octets that an allocator takes for an allocation: its own word, in steps of 16, at least 32.
pub(crate) fn allocation(octets: usize) -> usize {
    if octets == 0 {
        0
    } else {
        (octets + size_of::<usize>()).next_multiple_of(16).max(32)
    }
}

pub(crate) fn of_texts(texts: &Vec<String>) -> usize {
    let elements = allocation(texts.capacity() * size_of::<String>());
    elements
        + texts
            .iter()
            .map(|text| allocation(text.capacity()))
            .sum::<usize>()
}

pub(crate) fn of_name(name: &DistinguishedName) -> usize {
    // The one-line form is made later. Most of it is the name's own text; escaped or in hexadecimal form it is twice
    // as long, and a type in dotted form is three times its encoding.
    allocation(name.der().len()) + allocation(3 * name.der().len())
}

pub(crate) fn of_alternative_names(names: &Vec<AlternativeName>) -> usize {
    let of_one = |name: &AlternativeName| match name {
        AlternativeName::Dns(text)
        | AlternativeName::Email(text)
        | AlternativeName::Uri(text)
        | AlternativeName::RegisteredId(text) => allocation(text.capacity()),
        AlternativeName::Ip(_) => 0,
        AlternativeName::Directory(name) => of_name(name),
        AlternativeName::Other { oid, value } => allocation(oid.capacity()) + allocation(value.capacity()),
    };
    allocation(names.capacity() * size_of::<AlternativeName>()) + names.iter().map(of_one).sum::<usize>()
}
