//! CRLs (RFC 5280 §5).

use crate::choices::Choices;
use crate::der::{self, BIT_STRING, ENUMERATED, GENERALIZED_TIME, INTEGER, UTC_TIME, nested, sequence, tlv};
use crate::keys::KeyName;
use crate::list::{Entry, List};
use crate::scene::Scene;
use crate::values::{
    self, AUTHORITY_KEY_IDENTIFIER, CERTIFICATE_ISSUER, CRL_NUMBER, CRL_REASON, DELTA_INDICATOR,
    DISTRIBUTION_POINTS, Extension, ISSUING_DISTRIBUTION_POINT, KEY_USAGE, NOW,
};

const DAY: i64 = 86_400;

/// Fields, times, numbers, signatures, and which CRLs there are.
pub(super) fn list(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    type Change = fn(&mut List, &mut Choices) -> Option<()>;
    macro_rules! set {
        ($($field:ident).+ = $value:expr) => {
            |list, _| {
                list.$($field).+ = $value;
                Some(())
            }
        };
    }
    const CHANGES: &[(&str, Change)] = &[
        ("next_update_past", set!(next_update = values::utc_time(NOW - 1))),
        ("next_update_now", set!(next_update = values::utc_time(NOW))),
        ("next_update_absent", set!(next_update = Vec::new())),
        (
            "next_update_generalized",
            set!(next_update = values::generalized_time(NOW + DAY)),
        ),
        ("next_update_malformed", set!(next_update = tlv(UTC_TIME, "2701"))),
        (
            "next_update_fraction",
            set!(next_update = tlv(GENERALIZED_TIME, "20270201000000.5Z")),
        ),
        (
            "this_update_future",
            set!(this_update = values::utc_time(NOW + 1)),
        ),
        ("this_update_now", set!(this_update = values::utc_time(NOW))),
        (
            "this_update_generalized",
            set!(this_update = values::generalized_time(NOW - DAY)),
        ),
        ("this_update_absent", set!(this_update = Vec::new())),
        ("version_absent", set!(version = Vec::new())),
        ("version_1", set!(version = der::integer(0))),
        ("version_3", set!(version = der::integer(2))),
        ("version_absent_bare", |list, _| {
            list.version = Vec::new();
            list.extensions.clear();
            Some(())
        }),
        ("bare", |list, _| {
            list.extensions.clear();
            Some(())
        }),
        ("entries_empty", |list, _| {
            list.entries.clear();
            list.has_empty_entries = true;
            Some(())
        }),
        ("entries_absent", |list, _| {
            list.entries.clear();
            Some(())
        }),
        ("issuer_other", set!(issuer = values::usual_name("Stranger"))),
        ("issuer_empty", set!(issuer = sequence([]))),
        ("signed_by_stranger", set!(seal.signer = KeyName::Stranger)),
        ("signed_by_client", set!(seal.signer = KeyName::Client)),
        ("signature_empty", set!(seal.signature = Some(vec![0]))),
        (
            "inner_algorithm_other",
            set!(seal.inner = Some(values::algorithm(&[0x2A, 3, 4], &[]))),
        ),
        ("number_huge", |list, _| {
            list.set(&CRL_NUMBER, false, tlv(INTEGER, [0x7F; 20]));
            Some(())
        }),
        ("number_21_octets", |list, _| {
            list.set(&CRL_NUMBER, false, tlv(INTEGER, [0x7F; 21]));
            Some(())
        }),
        ("number_negative", |list, _| {
            list.set(&CRL_NUMBER, false, tlv(INTEGER, [0xFF]));
            Some(())
        }),
        ("number_critical", |list, _| {
            list.set(&CRL_NUMBER, true, der::integer(7));
            Some(())
        }),
        ("number_garbage", |list, _| {
            list.set(&CRL_NUMBER, false, vec![0x30, 9]);
            Some(())
        }),
        ("number_repeated", |list, _| {
            list.extensions
                .push(Extension::new(&CRL_NUMBER, false, der::integer(8)));
            Some(())
        }),
        ("key_identifier_other", |list, _| {
            let identifier = tlv(0x80, KeyName::Stranger.identifier());
            list.set(&AUTHORITY_KEY_IDENTIFIER, false, sequence([&identifier]));
            Some(())
        }),
        ("unknown_critical", |list, _| {
            list.set(&[0x2A, 3, 4], true, sequence([]));
            Some(())
        }),
        ("unknown", |list, _| {
            list.set(&[0x2A, 3, 4], false, sequence([]));
            Some(())
        }),
        ("delta", |list, choices| {
            list.set(&DELTA_INDICATOR, !choices.one_in(3), der::integer(3));
            Some(())
        }),
    ];
    // Changes of the set of CRLs.
    match choices.below(8) {
        0 => {
            scene.list(choices)?;
            let lists = scene.lists.as_mut()?;
            lists.remove(choices.below(lists.len()));
            return Some("missing".to_owned());
        }
        1 => {
            let mut other = scene.list(choices)?.clone();
            let revoked = scene.client()?.serial.clone();
            other.entries.push(Entry::new(&revoked));
            let (what, number, age) = choices.one_of(&[
                ("second_newer", 8_u8, DAY / 2),
                ("second_older", 6, 2 * DAY),
                ("second_contradicts_itself", 6, DAY / 2),
                ("second_equal", 7, DAY),
            ])?;
            other.set(&CRL_NUMBER, false, der::integer(number));
            other.this_update = values::utc_time(NOW - age);
            let lists = scene.lists.as_mut()?;
            let at = choices.below(lists.len() + 1);
            lists.insert(at, other);
            return Some(format!("{what}_revokes"));
        }
        2 => {
            let (place, issuer) = scene.issuer(choices)?;
            issuer.set(&KEY_USAGE, true, tlv(BIT_STRING, [2, 0x04]));
            scene.add_lists();
            return Some(format!("{}_without_crl_sign", place.name()));
        }
        _ => {}
    }
    let (what, change) = choices.one_of(CHANGES)?;
    change(scene.list(choices)?, choices)?;
    Some(what.to_owned())
}

/// Scopes of CRLs, and distribution points of certificates (RFC 5280 §5.2.5 and §4.2.1.13).
pub(super) fn scope(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    let uri = |uri: &str| tlv(0xA0, tlv(0xA0, tlv(0x86, uri)));
    let (here, there) = (uri("http://crl.example.org/1"), uri("http://crl.example.org/2"));
    let relative = tlv(
        0xA0,
        tlv(0xA1, sequence([&der::oid(&[0x55, 4, 3]), &tlv(0x0C, "1")])),
    );
    let flag = |tag: u8| tlv(tag, [0xFF]);
    let reasons = tlv(0x83, [6, 0x40]);
    let scopes = [
        ("empty", sequence([])),
        ("here", sequence([&here])),
        ("there", sequence([&there])),
        ("relative", sequence([&relative])),
        ("users", sequence([&flag(0x81)])),
        ("authorities", sequence([&flag(0x82)])),
        ("users_and_authorities", sequence([&flag(0x81), &flag(0x82)])),
        ("some_reasons", sequence([&reasons])),
        ("indirect", sequence([&flag(0x84)])),
        ("attributes", sequence([&flag(0x85)])),
        ("here_for_users", sequence([&here, &flag(0x81)])),
        ("users_false", sequence([&tlv(0x81, [0])])),
        ("reversed", sequence([&flag(0x82), &here])),
        ("unknown_field", sequence([&flag(0x87)])),
        ("garbage", vec![0x30, 9, 0x81]),
    ];
    let issuer = tlv(0xA2, tlv(0xA4, values::usual_name("Stranger")));
    let points = [
        ("here", sequence([&sequence([&here])])),
        ("there", sequence([&sequence([&there])])),
        (
            "here_and_there",
            sequence([&sequence([&there]), &sequence([&here])]),
        ),
        (
            "here_for_reasons",
            sequence([&sequence([&here, &tlv(0x81, [6, 0x40])])]),
        ),
        ("of_other_issuer", sequence([&sequence([&here, &issuer])])),
        ("reasons_only", sequence([&sequence([&tlv(0x81, [6, 0x40])])])),
        ("empty", sequence([])),
        ("garbage", vec![0x30, 9, 0x30]),
    ];
    let (scope, value) = choices.one_of(&scopes)?;
    let is_critical = !choices.one_in(4);
    let (point, points) = match choices.below(3) {
        0 => ("nowhere", None),
        _ => {
            let (point, value) = choices.one_of(&points)?;
            (point, Some(value))
        }
    };
    scene.add_lists();
    if let Some(points) = points {
        let (_, certificate) = scene.certificate(choices)?;
        certificate.set(&DISTRIBUTION_POINTS, choices.one_in(6), points);
    }
    let revoked = scene.client()?.serial.clone();
    let list = scene.list(choices)?;
    list.set(&ISSUING_DISTRIBUTION_POINT, is_critical, value);
    let is_revoked = choices.one_in(4);
    if is_revoked {
        list.entries.push(Entry::new(&revoked));
    }
    let (criticality, revokes) = (
        if is_critical { "" } else { "_not_critical" },
        if is_revoked { "_revokes" } else { "" },
    );
    Some(format!("{scope}{criticality}{revokes}/point_{point}"))
}

/// Entries, most of them of a certificate of the chain.
pub(super) fn entry(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    let lists = scene.add_lists().len();
    // The CRL of the issuer of the certificate at the same position.
    let position = choices.below(lists);
    let serial = scene.presented.get(position)?.serial.clone();
    let mut entry = Entry::new(&serial);
    let reason = |code: u8| Extension::new(&CRL_REASON, false, tlv(ENUMERATED, [code]));
    let issuer = |name: &str| nested(der::SEQUENCE, [&tlv(0xA4, values::usual_name(name))]);
    let what = match choices.below(16) {
        0..=2 => "revoked",
        3 => {
            entry.extensions.push(reason(1));
            "key_compromise"
        }
        4 => {
            entry.extensions.push(reason(6));
            "on_hold"
        }
        5 => {
            entry.extensions.push(reason(8));
            "removed"
        }
        6 => {
            entry.extensions.push(reason(7));
            "unused_reason"
        }
        7 => {
            entry
                .extensions
                .push(Extension::new(&[0x2A, 3, 4], true, sequence([])));
            "unknown_critical"
        }
        8 => {
            entry
                .extensions
                .push(Extension::new(&CERTIFICATE_ISSUER, true, issuer("Stranger")));
            "of_other_issuer"
        }
        9 => {
            entry.extensions.extend([reason(1), reason(4)]);
            "reason_repeated"
        }
        10 => {
            entry
                .extensions
                .push(Extension::new(&CRL_REASON, false, vec![0x30, 9]));
            "reason_garbage"
        }
        11 => {
            entry.serial.insert(0, 0);
            "padded"
        }
        12 => {
            entry.date = values::utc_time(NOW + DAY);
            "in_the_future"
        }
        13 => {
            entry.date = tlv(UTC_TIME, "27");
            "date_malformed"
        }
        14 => {
            entry.serial = Vec::new();
            "serial_empty"
        }
        _ => {
            entry.serial = vec![0x55, 0x56];
            entry
                .extensions
                .push(Extension::new(&[0x2A, 3, 4], true, sequence([])));
            "other_with_unknown_critical"
        }
    };
    let is_repeated = choices.one_in(8);
    let list = scene.lists.as_mut()?.get_mut(position)?;
    let at = choices.below(list.entries.len() + 1);
    list.entries.insert(at, entry.clone());
    if is_repeated {
        list.entries.push(entry);
    }
    Some(format!("{what}{}", if is_repeated { "_twice" } else { "" }))
}
