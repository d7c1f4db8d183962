//! Extensions of a client's certificate that policies ask for.

use alb_mtls_verifier::IdentityExtensions;

use crate::error::{Place, PolicyError, PolicyErrors, PolicyProblem, one_line};

/// Extension that a policy asks for by its key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MentionedExtension {
    pub(crate) key: String,
    pub(crate) source_name: String,
    pub(crate) place: Option<Place>,
}

/// Checks that every extension can be part of an identity. A prohibition that asks for another one
/// would never apply.
pub(crate) fn check(
    mentioned: &[MentionedExtension],
    selected: &IdentityExtensions,
) -> Result<(), PolicyErrors> {
    let is_selected = |key: &str| selected.keys().any(|known| known == key);
    let unknown = mentioned.iter().filter(|asked| !is_selected(&asked.key));
    let errors = unknown.map(|asked| PolicyError {
        source_name: asked.source_name.clone(),
        place: asked.place,
        problem: PolicyProblem::UnknownExtension {
            key: one_line(&asked.key),
            known: selected.keys().map(str::to_owned).collect(),
        },
    });
    PolicyErrors::check(errors.collect())
}
