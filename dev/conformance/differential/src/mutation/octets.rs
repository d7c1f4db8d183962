//! Damage to the encoding, in what is signed or in the whole.

use crate::choices::Choices;
use crate::scene::Scene;
use crate::seal::Part;
use crate::tree::Damage;

pub(super) fn damage(scene: &mut Scene, choices: &mut Choices) -> Option<String> {
    let (damage, what) = choices.one_of(Damage::ALL)?;
    // Most damages to the whole only break the signature.
    let part = if choices.one_in(4) {
        Part::Whole
    } else {
        Part::ToBeSigned
    };
    let seed = choices.seed();
    let (place, seal) = if choices.one_in(4) {
        ("crl", &mut scene.list(choices)?.seal)
    } else {
        let (place, certificate) = scene.certificate(choices)?;
        (place.name(), &mut certificate.seal)
    };
    seal.damages.push((part, damage, seed));
    let part = match part {
        Part::ToBeSigned => "signed",
        Part::Whole => "whole",
    };
    Some(format!("{place}/{part}_{what}"))
}
