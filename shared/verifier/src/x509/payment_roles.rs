//! Roles of payment service providers under PSD2 in the QC statements of a certificate (ETSI TS 119
//! 495 §5.1).

use der::asn1::ObjectIdentifier;

use crate::x509::der::{Elements, Malformed, Tag};
use crate::x509::oid::Oid;

/// id-etsi-psd2-qcStatement.
const PAYMENT_STATEMENT: ObjectIdentifier = ObjectIdentifier::new_unwrap("0.4.0.19495.2");

/// Roles of payment service providers: object identifier and name. The identifier counts, whatever
/// name stands beside it.
pub const PAYMENT_ROLES: &[(ObjectIdentifier, &str)] = &[
    (ObjectIdentifier::new_unwrap("0.4.0.19495.1.1"), "PSP_AS"),
    (ObjectIdentifier::new_unwrap("0.4.0.19495.1.2"), "PSP_PI"),
    (ObjectIdentifier::new_unwrap("0.4.0.19495.1.3"), "PSP_AI"),
    (ObjectIdentifier::new_unwrap("0.4.0.19495.1.4"), "PSP_IC"),
];

/// Levels in a payment statement at most: the statement's information, its roles, one role, and one
/// more.
const LEVELS: usize = 4;

/// Reads the value of a qcStatements extension: each role once, by its name or, where it has none,
/// its identifier in dotted form.
///
/// The standard has a SEQUENCE for each role in a SEQUENCE of roles. CAs also write the roles of
/// one statement, or a single role, without the inner or the outer one, or with an explicit tag
/// around them. Nothing else in the statement is an object identifier, so that every one at any
/// level is a role.
pub(crate) fn read(value: &[u8]) -> Result<Vec<String>, Malformed> {
    let mut statements = Elements::inside(value, Tag::SEQUENCE)?;
    let mut roles = Vec::new();
    while !statements.at_end() {
        let mut statement = Elements::new(statements.expect(Tag::SEQUENCE)?.content);
        if statement.expect(Tag::OBJECT_IDENTIFIER)?.content == PAYMENT_STATEMENT.as_bytes() {
            collect(statement, LEVELS, &mut roles)?;
        }
    }
    Ok(roles)
}

fn collect(mut elements: Elements<'_>, levels: usize, roles: &mut Vec<String>) -> Result<(), Malformed> {
    while !elements.at_end() {
        let element = elements.next_element()?;
        match element.tag {
            Tag::OBJECT_IDENTIFIER => {
                let role = name_of(Oid::parse(element.content)?);
                if !roles.contains(&role) {
                    roles.push(role);
                }
            }
            tag if tag.is_constructed() => {
                let levels = levels.checked_sub(1).ok_or(Malformed)?;
                collect(Elements::new(element.content), levels, roles)?;
            }
            // Names of roles, and name and identifier of the competent authority.
            _ => {}
        }
    }
    Ok(())
}

fn name_of(role: Oid<'_>) -> String {
    let known = PAYMENT_ROLES.iter().find(|(known, _)| *known == role);
    known.map_or_else(|| role.to_string(), |(_, name)| (*name).to_owned())
}

#[cfg(test)]
mod tests {
    use test_pki::raw::tlv;

    use super::*;

    fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
        tlv(0x30, &parts.concat())
    }

    fn role(last: u8) -> Vec<u8> {
        let oid = tlv(6, &[4, 0, 0x81, 0x98, 0x27, 1, last]);
        [oid, tlv(0x0C, b"PSP")].concat()
    }

    fn roles_of(roles: &[Vec<u8>]) -> Result<Vec<String>, Malformed> {
        let authority = [tlv(0x0C, b"BaFin"), tlv(0x0C, b"DE-BAFIN")];
        let information = sequence(&[roles, &authority].concat());
        let statement = tlv(6, &[4, 0, 0x81, 0x98, 0x27, 2]);
        let compliance = sequence(&[tlv(6, &[4, 0, 0x8E, 0x46, 1, 1])]);
        read(&sequence(&[compliance, sequence(&[statement, information])]))
    }

    #[test]
    fn every_encoding_in_use_has_all_roles() {
        let nested = sequence(&[sequence(&[role(3)]), sequence(&[role(2)])]);
        let flat = sequence(&[role(3), role(2)]);
        let without_list = [sequence(&[role(3)]), sequence(&[role(2)])];
        let as_set = tlv(0x31, &[sequence(&[role(3)]), sequence(&[role(2)])].concat());
        let tagged = tlv(0xA0, &sequence(&[sequence(&[role(3)]), sequence(&[role(2)])]));
        for roles in [
            &[nested][..],
            &[flat],
            &without_list,
            &[role(3), role(2)],
            &[as_set],
            &[tagged],
        ] {
            assert_eq!(roles_of(roles).unwrap(), ["PSP_AI", "PSP_PI"], "{roles:02x?}");
        }
        assert_eq!(roles_of(&[sequence(&[role(4)])]).unwrap(), ["PSP_IC"]);
    }

    #[test]
    fn unknown_role_is_kept_and_none_stands_twice() {
        let roles = sequence(&[role(1), role(0), role(1)]);
        assert_eq!(roles_of(&[roles]).unwrap(), ["PSP_AS", "0.4.0.19495.1.0"]);
    }

    #[test]
    fn statement_that_is_too_deep_or_cut_off_is_malformed() {
        let deep = (0..5).fold(role(1), |inner, _| sequence(&[inner]));
        assert_eq!(roles_of(&[deep]), Err(Malformed));
        assert_eq!(roles_of(&[vec![0x30, 9, 6]]), Err(Malformed));
    }
}
