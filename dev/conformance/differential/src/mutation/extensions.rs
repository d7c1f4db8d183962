//! Extensions of a certificate (RFC 5280 §4.2), except names and policies.

use crate::choices::Choices;
use crate::der::{self, BIT_STRING, BOOLEAN, INTEGER, OCTET_STRING, sequence, tlv};
use crate::keys::KeyName;
use crate::scene::{Place, Scene};
use crate::values::{
    self, AUTHORITY_KEY_IDENTIFIER, BASIC_CONSTRAINTS, CLIENT_AUTHENTICATION, EXTENDED_KEY_USAGE, Extension,
    KEY_USAGE, SUBJECT_KEY_IDENTIFIER, id_ce,
};

pub(super) fn basic_constraints(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    let yes = tlv(BOOLEAN, [0xFF]);
    let length = |content: &[u8]| sequence([&yes, &tlv(INTEGER, content)]);
    let values = [
        ("absent", Vec::new()),
        ("ca", sequence([&yes])),
        ("not_ca", sequence([])),
        ("explicit_false", sequence([&tlv(BOOLEAN, [0])])),
        ("true_as_1", sequence([&tlv(BOOLEAN, [1])])),
        ("length_0", length(&[0])),
        ("length_1", length(&[1])),
        ("length_255", length(&[0, 0xFF])),
        ("length_256", length(&[1, 0])),
        ("length_huge", length(&[0x7F; 9])),
        ("length_negative", length(&[0xFF])),
        ("length_padded", length(&[0, 0])),
        ("length_without_ca", sequence([&der::integer(0)])),
        ("trailing", sequence([&yes, &der::integer(0), &der::integer(0)])),
        ("garbage", vec![0x30, 0x05, 0x01]),
    ];
    let (what, value) = choices.one_of(&values)?;
    let (place, certificate) = scene.certificate(choices)?;
    let is_critical = !choices.one_in(4);
    match value.is_empty() {
        true => certificate.remove(&BASIC_CONSTRAINTS),
        false => certificate.set(&BASIC_CONSTRAINTS, is_critical, value),
    }
    let criticality = if is_critical { "" } else { "_not_critical" };
    Some(format!("{}/{what}{criticality}", place.name()))
}

pub(super) fn key_usage(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    let values = [
        ("absent", Vec::new()),
        ("digital_signature", tlv(BIT_STRING, [7, 0x80])),
        ("key_encipherment", tlv(BIT_STRING, [5, 0x20])),
        ("key_agreement", tlv(BIT_STRING, [3, 0x08])),
        ("cert_sign", tlv(BIT_STRING, [2, 0x04])),
        ("crl_sign", tlv(BIT_STRING, [1, 0x02])),
        ("all", tlv(BIT_STRING, [7, 0xFF, 0x80])),
        ("none", tlv(BIT_STRING, [0])),
        ("zero", tlv(BIT_STRING, [7, 0])),
        ("trailing_zeros", tlv(BIT_STRING, [0, 0x86])),
        ("unused_bits_set", tlv(BIT_STRING, [7, 0xFF])),
        ("long", tlv(BIT_STRING, [0, 0x86, 0, 1])),
        ("not_bits", tlv(OCTET_STRING, [7, 0x80])),
        ("garbage", vec![0x03, 0x05]),
    ];
    let (what, value) = choices.one_of(&values)?;
    let (place, certificate) = scene.certificate(choices)?;
    let is_critical = !choices.one_in(3);
    match value.is_empty() {
        true => certificate.remove(&KEY_USAGE),
        false => certificate.set(&KEY_USAGE, is_critical, value),
    }
    let criticality = if is_critical { "" } else { "_not_critical" };
    Some(format!("{}/{what}{criticality}", place.name()))
}

pub(super) fn extended_key_usage(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    let [first @ .., _] = CLIENT_AUTHENTICATION;
    let client = der::oid(&CLIENT_AUTHENTICATION);
    let server = der::oid(&[first.as_slice(), &[1]].concat());
    let any = der::oid(&[id_ce(37).as_slice(), &[0]].concat());
    let longer = der::oid(&[CLIENT_AUTHENTICATION.as_slice(), &[0]].concat());
    let values = [
        ("absent", Vec::new()),
        ("client", sequence([&client])),
        ("server", sequence([&server])),
        ("both", sequence([&server, &client])),
        ("any", sequence([&any])),
        ("server_and_any", sequence([&server, &any])),
        ("longer", sequence([&longer])),
        ("empty", sequence([])),
        ("not_oids", sequence([&der::integer(1)])),
        ("client_and_garbage", sequence([&client, &der::integer(1)])),
        ("garbage", vec![0x30, 0x0A, 0x06]),
    ];
    let (what, value) = choices.one_of(&values)?;
    let (place, certificate) = scene.certificate(choices)?;
    let is_critical = choices.one_in(3);
    match value.is_empty() {
        true => certificate.remove(&EXTENDED_KEY_USAGE),
        false => certificate.set(&EXTENDED_KEY_USAGE, is_critical, value),
    }
    let criticality = if is_critical { "_critical" } else { "" };
    Some(format!("{}/{what}{criticality}", place.name()))
}

/// Extensions that few know, and what can be wrong with any of them.
pub(super) fn any(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    /// Known extensions and others, by the content of their object identifiers.
    const OTHERS: &[(&str, &[u8])] = &[
        ("unknown", &[0x2A, 3, 4]),
        ("unknown_id_ce", &[0x55, 0x1D, 99]),
        ("authority_information", &[0x2B, 6, 1, 5, 5, 7, 1, 1]),
        ("subject_information", &[0x2B, 6, 1, 5, 5, 7, 1, 11]),
        ("tls_feature", &[0x2B, 6, 1, 5, 5, 7, 1, 24]),
        ("issuer_alternative_name", &[0x55, 0x1D, 18]),
        ("subject_directory_attributes", &[0x55, 0x1D, 9]),
        ("private_key_usage_period", &[0x55, 0x1D, 16]),
        ("freshest_crl", &[0x55, 0x1D, 46]),
        ("netscape_type", &[0x60, 0x86, 0x48, 1, 0x86, 0xF8, 0x42, 1, 1]),
        ("proxy_information", &[0x2B, 6, 1, 5, 5, 7, 1, 14]),
    ];
    let (other, identifier) = choices.one_of(OTHERS)?;
    let octet = choices.octet();
    let action = choices.below(9);
    let (place, certificate) = scene.certificate(choices)?;
    let position = choices.below(certificate.extensions.len());
    let known = certificate.extensions.get(position)?.clone();
    let name = name_of(&known.identifier);
    let extensions = &mut certificate.extensions;
    let what = match action {
        0 => {
            extensions.push(Extension::new(identifier, true, sequence([])));
            format!("{other}_critical")
        }
        1 => {
            extensions.push(Extension::new(identifier, false, vec![octet; 3]));
            format!("{other}_garbage")
        }
        2 => {
            extensions.push(known);
            format!("{name}_repeated")
        }
        3 => {
            // The first or the last one counts for a reader that does not look for repetitions.
            let other_value = Extension {
                value: sequence([]),
                ..known
            };
            let at = if octet & 1 == 0 { 0 } else { extensions.len() };
            extensions.insert(at, other_value);
            format!("{name}_contradicted")
        }
        4 => {
            extensions.reverse();
            "reversed".to_owned()
        }
        5 => {
            let extension = extensions.get_mut(position)?;
            extension.critical = values::critical(extension.critical.is_empty());
            format!("{name}_other_criticality")
        }
        6 => {
            let criticals = [("false", vec![BOOLEAN, 1, 0]), ("true_as_1", vec![BOOLEAN, 1, 1])];
            let (form, critical) = choices.one_of(&criticals)?;
            extensions.get_mut(position)?.critical = critical;
            format!("{name}_critical_{form}")
        }
        7 => {
            extensions.remove(position);
            format!("{name}_removed")
        }
        _ => {
            extensions.clear();
            certificate.has_empty_extensions = octet & 1 == 0;
            if octet & 1 == 0 {
                "empty".to_owned()
            } else {
                "none".to_owned()
            }
        }
    };
    Some(format!("{}/{what}", place.name()))
}

fn name_of(identifier: &[u8]) -> &'static str {
    const NAMES: &[(u8, &str)] = &[
        (14, "subject_key_identifier"),
        (15, "key_usage"),
        (17, "alternative_name"),
        (19, "basic_constraints"),
        (30, "name_constraints"),
        (35, "authority_key_identifier"),
        (37, "extended_key_usage"),
    ];
    let known = NAMES.iter().find(|(last, _)| identifier == id_ce(*last));
    known.map_or("other", |(_, name)| name)
}

pub(super) fn key_identifier(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    let identifier = tlv(0x80, KeyName::Stranger.identifier());
    let name = |name: &str| tlv(0xA1, tlv(0xA4, values::usual_name(name)));
    let authority = [
        ("other", sequence([&identifier])),
        ("empty", sequence([])),
        ("empty_identifier", sequence([&tlv(0x80, [])])),
        ("other_serial", sequence([&name("Stranger"), &tlv(0x82, [1])])),
        ("name_without_serial", sequence([&name("Root")])),
        ("garbage", vec![0x30, 3, 0x80]),
        ("not_a_sequence", tlv(OCTET_STRING, [1])),
    ];
    let subject = [
        ("other", tlv(OCTET_STRING, KeyName::Stranger.identifier())),
        ("empty", tlv(OCTET_STRING, [])),
        ("long", tlv(OCTET_STRING, [7; 300])),
        ("garbage", vec![OCTET_STRING, 9]),
        ("not_octets", sequence([])),
    ];
    let is_authority = choices.one_in(2);
    let (what, value) = if is_authority {
        choices.one_of(&authority)?
    } else {
        choices.one_of(&subject)?
    };
    let (place, certificate) = if is_authority {
        scene.certificate(choices)?
    } else if choices.one_in(3) {
        (Place::Client, scene.client()?)
    } else {
        scene.issuer(choices)?
    };
    let (field, extension) = if is_authority {
        ("authority", AUTHORITY_KEY_IDENTIFIER)
    } else {
        ("subject", SUBJECT_KEY_IDENTIFIER)
    };
    certificate.set(&extension, false, value);
    Some(format!("{}/{field}_{what}", place.name()))
}
