//! Mutations of a sound scene, each with the label under which explanations find it.

mod chain;
mod extensions;
mod fields;
mod keys;
mod lists;
mod names;
mod octets;
mod policies;

use crate::choices::Choices;
use crate::keys::Keys;
use crate::scene::Scene;

/// Changes the scene and says what was changed; `None` if the scene has nothing to change.
type Mutation = fn(&mut Scene, &mut Choices, &Keys) -> Option<String>;

/// Every mutation; a number of rows is a weight.
const MUTATIONS: &[(&str, u8, Mutation)] = &[
    ("version", 1, |scene, choices, _| fields::version(scene, choices)),
    ("serial", 1, |scene, choices, _| fields::serial(scene, choices)),
    ("validity", 2, |scene, choices, _| {
        fields::validity(scene, choices)
    }),
    ("name", 2, |scene, choices, _| {
        names::distinguished(scene, choices)
    }),
    ("unique_identifier", 1, |scene, choices, _| {
        fields::unique_identifier(scene, choices)
    }),
    ("algorithm", 1, |scene, choices, _| {
        keys::algorithm(scene, choices)
    }),
    ("signature", 2, |scene, choices, _| {
        keys::signature(scene, choices)
    }),
    ("key", 2, keys::key),
    ("basic_constraints", 2, |scene, choices, _| {
        extensions::basic_constraints(scene, choices)
    }),
    ("key_usage", 2, |scene, choices, _| {
        extensions::key_usage(scene, choices)
    }),
    ("extended_key_usage", 2, |scene, choices, _| {
        extensions::extended_key_usage(scene, choices)
    }),
    ("extension", 3, |scene, choices, _| {
        extensions::any(scene, choices)
    }),
    ("key_identifier", 1, |scene, choices, _| {
        extensions::key_identifier(scene, choices)
    }),
    ("name_constraints", 4, |scene, choices, _| {
        names::constraints(scene, choices)
    }),
    ("alternative_name", 2, |scene, choices, _| {
        names::alternative(scene, choices)
    }),
    ("policies", 2, |scene, choices, _| {
        policies::policies(scene, choices)
    }),
    ("chain", 5, |scene, choices, _| chain::chain(scene, choices)),
    ("crl", 6, |scene, choices, _| lists::list(scene, choices)),
    ("crl_scope", 2, |scene, choices, _| lists::scope(scene, choices)),
    ("crl_entry", 2, |scene, choices, _| lists::entry(scene, choices)),
    ("octets", 5, |scene, choices, _| octets::damage(scene, choices)),
];

/// Applies one mutation and returns its label, such as `serial/client/negative`.
pub(crate) fn mutate(scene: &mut Scene, choices: &mut Choices, keys: &Keys) -> Option<String> {
    let weights: usize = MUTATIONS.iter().map(|(_, weight, _)| usize::from(*weight)).sum();
    let mut chosen = choices.below(weights);
    let (name, _, mutation) = MUTATIONS.iter().find(|(_, weight, _)| {
        let weight = usize::from(*weight);
        let is_chosen = chosen < weight;
        chosen = chosen.saturating_sub(weight);
        is_chosen
    })?;
    let what = mutation(scene, choices, keys)?;
    Some(format!("{name}/{what}"))
}

/// Returns the first part of each label.
#[cfg(test)]
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    MUTATIONS.iter().map(|(name, _, _)| *name)
}
