//! Certificate policies (RFC 5280 §4.2.1.4, §4.2.1.5, §4.2.1.11 and §4.2.1.14).

use crate::choices::Choices;
use crate::der::{self, INTEGER, sequence, tlv};
use crate::scene::Scene;
use crate::values::{CERTIFICATE_POLICIES, INHIBIT_ANY_POLICY, POLICY_CONSTRAINTS, POLICY_MAPPINGS, id_ce};

/// Policies of all certificates, then one extension that asks for more.
pub(super) fn policies(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    let (one, two) = (der::oid(&[0x2A, 3, 1]), der::oid(&[0x2A, 3, 2]));
    let any = der::oid(&[id_ce(32).as_slice(), &[0]].concat());
    let policy = |identifier: &[u8]| sequence([identifier]);
    let (only_one, only_two) = (sequence([&policy(&one)]), sequence([&policy(&two)]));
    // Certificates without policies make the set of valid policies empty, which matters once a
    // policy is required.
    let have = choices.below(4);
    for certificate in &mut scene.presented {
        let value = match have {
            0 => continue,
            1 => only_one.clone(),
            2 => sequence([&policy(&any)]),
            _ => match choices.below(3) {
                0 => only_one.clone(),
                1 => only_two.clone(),
                _ => sequence([&policy(&one), &policy(&two)]),
            },
        };
        certificate.set(&CERTIFICATE_POLICIES, choices.one_in(5), value);
    }
    let of_all = ["none", "one", "any", "mixed"].get(have)?;
    let skip = |tag: u8, certificates: u8| tlv(tag, [certificates]);
    let mapping = |from: &[u8], to: &[u8]| sequence([&sequence([from, to])]);
    let qualifier = |content: &[u8]| sequence([&sequence([&one, &sequence([content])])]);
    let constraints = POLICY_CONSTRAINTS;
    let extensions = [
        ("require_0", constraints, sequence([&skip(0x80, 0)])),
        ("require_1", constraints, sequence([&skip(0x80, 1)])),
        ("require_5", constraints, sequence([&skip(0x80, 5)])),
        ("inhibit_mapping_0", constraints, sequence([&skip(0x81, 0)])),
        ("both", constraints, sequence([&skip(0x80, 0), &skip(0x81, 0)])),
        ("constraints_empty", constraints, sequence([])),
        (
            "constraints_negative",
            constraints,
            sequence([&tlv(0x80, [0xFF])]),
        ),
        ("constraints_garbage", constraints, vec![0x30, 9]),
        ("inhibit_any_0", INHIBIT_ANY_POLICY, tlv(INTEGER, [0])),
        ("inhibit_any_1", INHIBIT_ANY_POLICY, tlv(INTEGER, [1])),
        ("inhibit_any_negative", INHIBIT_ANY_POLICY, tlv(INTEGER, [0xFF])),
        ("mapping", POLICY_MAPPINGS, mapping(&one, &two)),
        ("mapping_to_any", POLICY_MAPPINGS, mapping(&one, &any)),
        ("mapping_from_any", POLICY_MAPPINGS, mapping(&any, &one)),
        ("mapping_empty", POLICY_MAPPINGS, sequence([])),
        ("mapping_garbage", POLICY_MAPPINGS, vec![0x30, 9]),
        ("policies_empty", CERTIFICATE_POLICIES, sequence([])),
        ("policies_garbage", CERTIFICATE_POLICIES, vec![0x30, 9]),
        (
            "policies_repeated",
            CERTIFICATE_POLICIES,
            sequence([&policy(&one), &policy(&one)]),
        ),
        (
            "unknown_qualifier",
            CERTIFICATE_POLICIES,
            qualifier(&sequence([&der::oid(&[0x2A, 3, 9]), &der::integer(1)])),
        ),
        ("empty_qualifier", CERTIFICATE_POLICIES, qualifier(&[])),
    ];
    let (what, extension, value) = choices.one_of(&extensions)?;
    let (place, certificate) = if choices.one_in(4) {
        scene.certificate(choices)?
    } else {
        scene.issuer(choices)?
    };
    let is_critical = choices.one_in(2);
    certificate.set(&extension, is_critical, value);
    let criticality = if is_critical { "_critical" } else { "" };
    Some(format!("{}/{what}{criticality}_of_{of_all}", place.name()))
}
