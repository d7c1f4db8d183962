//! Fields of a certificate before its extensions (RFC 5280 §4.1.2).

use crate::choices::Choices;
use crate::der::{self, GENERALIZED_TIME, INTEGER, UTC_TIME, tlv};
use crate::scene::Scene;
use crate::values::{self, NOW};

pub(super) fn version(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    let versions = [
        ("absent", Vec::new()),
        ("explicit_1", tlv(0xA0, der::integer(0))),
        ("2", tlv(0xA0, der::integer(1))),
        ("4", tlv(0xA0, der::integer(3))),
        ("negative", tlv(0xA0, tlv(INTEGER, [0xFF]))),
        ("padded", tlv(0xA0, tlv(INTEGER, [0, 2]))),
        ("untagged", der::integer(2)),
    ];
    let (what, version) = choices.one_of(&versions)?;
    let (place, certificate) = scene.certificate(choices)?;
    certificate.version = version;
    let is_bare = choices.one_in(3);
    if is_bare {
        certificate.extensions.clear();
    }
    let bare = if is_bare { "_bare" } else { "" };
    Some(format!("{}/{what}{bare}", place.name()))
}

pub(super) fn serial(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    let serials: [(&str, Vec<u8>); 9] = [
        ("zero", vec![0]),
        ("negative", vec![0x80 | choices.octet(), 1]),
        ("20_octets", vec![0x7F; 20]),
        ("21_octets", vec![0x7F; 21]),
        ("64_octets", vec![0x7F; 64]),
        ("65_octets", vec![0x7F; 65]),
        ("empty", Vec::new()),
        ("padded", vec![0, 0x40, 0x11]),
        ("high_bit", vec![0, 0x80, 0x11]),
    ];
    let (what, serial) = choices.one_of(&serials)?;
    let (place, certificate) = scene.certificate(choices)?;
    certificate.serial = serial;
    Some(format!("{}/{what}", place.name()))
}

pub(super) fn validity(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    const DAY: i64 = 86_400;
    let (utc, generalized) = (values::utc_time, values::generalized_time);
    // Values of notBefore.
    let starts = [
        ("future", utc(NOW + DAY)),
        ("now", utc(NOW)),
        ("next_second", utc(NOW + 1)),
        ("year_1950", tlv(UTC_TIME, "500101000000Z")),
        ("year_1949_as_2049", tlv(UTC_TIME, "490101000000Z")),
        ("generalized_before_2050", generalized(NOW - DAY)),
        ("generalized_1900", tlv(GENERALIZED_TIME, "19000101000000Z")),
        ("generalized_year_0", tlv(GENERALIZED_TIME, "00000101000000Z")),
        ("without_seconds", tlv(UTC_TIME, "2601010000Z")),
        ("offset", tlv(UTC_TIME, "260101000000+0000")),
        ("without_zone", tlv(UTC_TIME, "260101000000")),
        ("february_30", tlv(UTC_TIME, "260230000000Z")),
        ("second_60", tlv(UTC_TIME, "260101000060Z")),
        ("hour_24", tlv(UTC_TIME, "260101240000Z")),
        ("letters", tlv(UTC_TIME, "26O101000000Z")),
        ("empty", tlv(UTC_TIME, "")),
    ];
    let ends = [
        ("expired", utc(NOW - DAY)),
        ("now", utc(NOW)),
        ("last_second", utc(NOW - 1)),
        ("before_its_start", utc(NOW - 400 * DAY)),
        ("year_2049", tlv(UTC_TIME, "491231235959Z")),
        ("year_2050", tlv(GENERALIZED_TIME, "20500101000000Z")),
        ("year_9999", tlv(GENERALIZED_TIME, "99991231235959Z")),
        ("year_1999", tlv(UTC_TIME, "991231235959Z")),
        ("fraction", tlv(GENERALIZED_TIME, "20280101000000.5Z")),
        ("generalized_before_2050", generalized(NOW + DAY)),
        ("generalized_offset", tlv(GENERALIZED_TIME, "20280101000000+0100")),
        (
            "generalized_without_zone",
            tlv(GENERALIZED_TIME, "20280101000000"),
        ),
        ("wrong_tag", tlv(GENERALIZED_TIME, "280101000000Z")),
        ("month_13", tlv(UTC_TIME, "281301000000Z")),
        ("february_29", tlv(UTC_TIME, "280229000000Z")),
    ];
    let is_start = choices.one_in(2);
    let (what, time) = if is_start {
        choices.one_of(&starts)?
    } else {
        choices.one_of(&ends)?
    };
    let (place, certificate) = scene.certificate(choices)?;
    let field = if is_start {
        certificate.not_before = time;
        "not_before"
    } else {
        certificate.not_after = time;
        "not_after"
    };
    Some(format!("{}/{field}_{what}", place.name()))
}

pub(super) fn unique_identifier(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    let values = [
        ("issuer", tlv(0x81, [0, 1])),
        ("subject", tlv(0x82, [0, 1])),
        ("both", [tlv(0x81, [0, 1]), tlv(0x82, [0, 1])].concat()),
        ("reversed", [tlv(0x82, [0, 1]), tlv(0x81, [0, 1])].concat()),
        ("garbage", tlv(0x81, [9])),
        ("other_field", tlv(0x84, [0, 1])),
    ];
    let (what, value) = choices.one_of(&values)?;
    let (place, certificate) = scene.certificate(choices)?;
    certificate.unique_identifiers = value;
    Some(format!("{}/{what}", place.name()))
}
