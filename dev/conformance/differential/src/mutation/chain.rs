//! Presented and trusted certificates: order, loops, strangers, CAs of one name.

use crate::certificate::Certificate;
use crate::choices::Choices;
use crate::der::{BIT_STRING, BOOLEAN, sequence, tlv};
use crate::keys::KeyName;
use crate::scene::Scene;
use crate::seal::Seal;
use crate::values::{self, BASIC_CONSTRAINTS, KEY_USAGE, NOW};

pub(super) fn chain(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    type Change = fn(&mut Scene, &mut Choices) -> Option<()>;
    const CHANGES: &[(&str, Change)] = &[
        ("shuffled", |scene, choices| {
            choices.shuffle(scene.presented.get_mut(1..)?);
            Some(())
        }),
        ("client_last", |scene, _| {
            (scene.presented.len() > 1).then(|| scene.presented.rotate_left(1))
        }),
        ("repeated", |scene, choices| {
            let repeated = choices.one_of(&scene.presented)?;
            scene.presented.push(repeated);
            Some(())
        }),
        ("intermediate_missing", |scene, choices| {
            let intermediates = scene.presented.len().checked_sub(2)?;
            scene.presented.remove(1 + choices.below(intermediates + 1));
            Some(())
        }),
        ("with_root", |scene, _| {
            scene.presented.extend(scene.anchors.first().cloned());
            Some(())
        }),
        ("with_stranger", |scene, choices| {
            let position = 1 + choices.below(scene.presented.len());
            scene.presented.insert(position, stranger());
            Some(())
        }),
        ("stranger_of_issuer_name", impostor_issuer),
        ("second_anchor_of_name_first", |scene, _| {
            scene
                .anchors
                .insert(0, Certificate::authority("Root", KeyName::Other, None, 0x07));
            Some(())
        }),
        ("expired_twin_of_anchor_first", |scene, _| {
            let mut twin = scene.anchors.first()?.clone();
            twin.serial = vec![0x40, 0x08];
            twin.not_after = values::utc_time(NOW - 1);
            scene.anchors.insert(0, twin);
            Some(())
        }),
        ("unrelated_anchor_only", |scene, _| {
            scene.anchors = vec![stranger()];
            Some(())
        }),
        ("impostor_of_anchor_only", |scene, _| {
            scene.anchors = vec![Certificate::authority("Root", KeyName::Other, None, 0x01)];
            Some(())
        }),
        ("intermediate_as_anchor", |scene, choices| {
            let intermediates = scene.presented.len().checked_sub(2)?;
            let position = 1 + choices.below(intermediates + 1);
            scene.anchors = vec![scene.presented.get(position)?.clone()];
            if choices.one_in(2) {
                scene.presented.truncate(position);
            }
            Some(())
        }),
        ("client_as_anchor", |scene, _| {
            scene.anchors = vec![scene.client()?.clone()];
            Some(())
        }),
        ("client_self_signed", |scene, _| {
            let client = scene.client()?;
            client.seal = Seal::new(KeyName::Client);
            client.issuer = client.subject.clone();
            Some(())
        }),
        ("client_as_issuer", client_as_issuer),
        ("loop", certify_each_other),
        ("self_issued_rollover", rollover),
        ("cross_signed", |scene, choices| {
            // The issuing CA has a certificate of another root too, which is not trusted.
            let mut cross = scene.presented.get(1)?.clone();
            cross.issuer = values::usual_name("Stranger");
            cross.seal.signer = KeyName::Stranger;
            cross.serial = vec![0x40, 0x09];
            let position = 1 + choices.below(scene.presented.len());
            scene.presented.insert(position, cross);
            if choices.one_in(2) {
                scene.presented.push(stranger());
            }
            Some(())
        }),
        ("expired_twin_of_issuer", |scene, choices| {
            let mut twin = scene.presented.get(1)?.clone();
            twin.not_after = values::utc_time(NOW - 1);
            twin.serial = vec![0x40, 0x0A];
            let position = 1 + choices.below(2);
            scene.presented.insert(position, twin);
            Some(())
        }),
        ("long", lengthen),
    ];
    let (what, change) = choices.one_of(CHANGES)?;
    change(scene, choices)?;
    Some(what.to_owned())
}

fn stranger() -> Certificate {
    Certificate::authority("Stranger", KeyName::Stranger, None, 0x06)
}

/// A CA with the name of the client's issuer and another key.
fn impostor_issuer(scene: &mut Scene, choices: &mut Choices) -> Option<()> {
    let mut impostor = scene.presented.get(1)?.clone();
    impostor.key = KeyName::Other;
    impostor.serial = vec![0x40, 0x0B];
    if choices.one_in(2) {
        impostor.seal.signer = KeyName::Stranger;
    }
    if choices.one_in(3) {
        // The impostor issued the client.
        scene.client()?.seal.signer = KeyName::Other;
    }
    let position = 1 + choices.below(2);
    scene.presented.insert(position, impostor);
    Some(())
}

/// Makes the client issue another client.
fn client_as_issuer(scene: &mut Scene, choices: &mut Choices) -> Option<()> {
    let issuer = scene.client()?;
    if choices.one_in(4) {
        issuer.set(&KEY_USAGE, true, tlv(BIT_STRING, [2, 0x84]));
    }
    if choices.one_in(8) {
        issuer.set(&BASIC_CONSTRAINTS, true, sequence([&tlv(BOOLEAN, [0xFF])]));
    }
    let mut client = Certificate::client(("client", KeyName::Client));
    client.key = KeyName::Other;
    client.subject = values::usual_name("second");
    client.serial = vec![0x40, 0x12];
    scene.presented.insert(0, client);
    Some(())
}

/// Makes two CAs certify each other, as in CVE-2024-0567; an anchor may stand above one of them.
fn certify_each_other(scene: &mut Scene, choices: &mut Choices) -> Option<()> {
    let mut one = scene.presented.get(1)?.clone();
    let mut other =
        Certificate::authority("Other", KeyName::Other, Some(("Issuing", KeyName::Issuing)), 0x0C);
    one.issuer = values::usual_name("Other");
    one.seal.signer = KeyName::Other;
    one.serial = vec![0x40, 0x0D];
    other.issuer = scene.presented.get(1)?.subject.clone();
    if choices.one_in(2) {
        scene.presented.truncate(1);
    }
    scene.presented.extend([one, other]);
    Some(())
}

/// Makes the issuing CA certify its new key with the old one (RFC 4210 §4.4).
fn rollover(scene: &mut Scene, choices: &mut Choices) -> Option<()> {
    let issuing = scene.presented.get(1)?.clone();
    let mut next = Certificate::authority("Issuing", KeyName::Other, Some(("Issuing", issuing.key)), 0x0E);
    next.seal.signer = issuing.key;
    let client = scene.client()?;
    client.seal.signer = KeyName::Other;
    let position = 1 + choices.below(2);
    scene.presented.insert(position, next);
    if choices.one_in(2) {
        let length = choices.one_of(&[0, 1, 2])?;
        let value = sequence([&tlv(BOOLEAN, [0xFF]), &crate::der::integer(length)]);
        let last = scene.presented.last_mut()?;
        last.set(&BASIC_CONSTRAINTS, true, value);
    }
    Some(())
}

/// Intermediates below the root, each of another name or all of one, with one key.
fn lengthen(scene: &mut Scene, choices: &mut Choices) -> Option<()> {
    let more = 1 + choices.below(10);
    let is_same_name = choices.one_in(4);
    let mut issuer = ("Root".to_owned(), KeyName::Root);
    let mut added = Vec::new();
    for number in 0..more {
        let name = if is_same_name {
            "Level".to_owned()
        } else {
            format!("Level {number}")
        };
        let serial = 0x20 + u8::try_from(number).ok()?;
        let of = Some((issuer.0.as_str(), issuer.1));
        added.push(Certificate::authority(&name, KeyName::Other, of, serial));
        issuer = (name, KeyName::Other);
    }
    let top = scene.presented.last_mut()?;
    top.issuer = values::usual_name(&issuer.0);
    top.seal.signer = KeyName::Other;
    added.reverse();
    scene.presented.extend(added);
    Some(())
}
