//! Cases: a sound chain of one to three certificates, perhaps with CRLs, and what is changed in it.

use std::fmt;

use test_pki::Error;

use crate::certificate::Certificate;
use crate::choices::Choices;
use crate::keys::{KeyName, Signer};
use crate::list::List;
use crate::mutation;

/// Certificate of a scene.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Client,
    Intermediate,
    Anchor,
}

impl Place {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Intermediate => "intermediate",
            Self::Anchor => "anchor",
        }
    }
}

/// Trusted and presented certificates, and CRLs.
#[derive(Clone, Debug)]
pub(crate) struct Scene {
    pub(crate) anchors: Vec<Certificate>,
    /// The client's certificate first.
    pub(crate) presented: Vec<Certificate>,
    /// A CRL of each issuer; `None` if revocation is not checked.
    pub(crate) lists: Option<Vec<List>>,
}

impl Scene {
    /// Returns a scene that every verifier accepts.
    fn sound(choices: &mut Choices) -> Self {
        let root = Certificate::authority("Root", KeyName::Root, None, 0x01);
        let policy = Certificate::authority("Policy", KeyName::Policy, Some(("Root", KeyName::Root)), 0x02);
        let of_root = ("Root", KeyName::Root);
        let of_policy = ("Policy", KeyName::Policy);
        let of_issuing = ("Issuing", KeyName::Issuing);
        let issuing = |issuer| Certificate::authority("Issuing", KeyName::Issuing, Some(issuer), 0x03);
        let presented = match choices.below(4) {
            0 => vec![Certificate::client(of_root)],
            1 => vec![Certificate::client(of_issuing), issuing(of_policy), policy],
            _ => vec![Certificate::client(of_issuing), issuing(of_root)],
        };
        let mut scene = Self {
            anchors: vec![root],
            presented,
            lists: None,
        };
        if choices.below(5) < 2 {
            scene.add_lists();
        }
        scene
    }

    /// Checks revocation from now on, with a CRL of each issuer.
    pub(crate) fn add_lists(&mut self) -> &mut Vec<List> {
        let issuers = self.presented.iter().skip(1).chain(&self.anchors);
        let lists = issuers.map(|issuer| List::new(&issuer.subject, issuer.key));
        let lists = lists.collect();
        self.lists.get_or_insert(lists)
    }

    /// Chooses a certificate, half of the time the client's.
    pub(crate) fn certificate(&mut self, choices: &mut Choices) -> Option<(Place, &mut Certificate)> {
        let intermediates = self.presented.len().saturating_sub(1);
        match choices.below(8) {
            0 => Some((Place::Anchor, self.anchors.first_mut()?)),
            1..=3 if intermediates > 0 => {
                let position = 1 + choices.below(intermediates);
                Some((Place::Intermediate, self.presented.get_mut(position)?))
            }
            _ => Some((Place::Client, self.presented.first_mut()?)),
        }
    }

    /// Chooses a certificate that issued another.
    pub(crate) fn issuer(&mut self, choices: &mut Choices) -> Option<(Place, &mut Certificate)> {
        let intermediates = self.presented.len().saturating_sub(1);
        if intermediates == 0 || choices.one_in(5) {
            return Some((Place::Anchor, self.anchors.first_mut()?));
        }
        let position = 1 + choices.below(intermediates);
        Some((Place::Intermediate, self.presented.get_mut(position)?))
    }

    pub(crate) fn client(&mut self) -> Option<&mut Certificate> {
        self.presented.first_mut()
    }

    /// Chooses a CRL.
    pub(crate) fn list(&mut self, choices: &mut Choices) -> Option<&mut List> {
        let lists = self.add_lists();
        let position = choices.below(lists.len());
        lists.get_mut(position)
    }
}

/// Encodings of a case, and the mutations that made it.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) number: u64,
    /// Label of each mutation; empty for a sound case.
    pub(crate) mutations: Vec<String>,
    pub(crate) anchors: Vec<Vec<u8>>,
    pub(crate) presented: Vec<Vec<u8>>,
    pub(crate) lists: Option<Vec<Vec<u8>>>,
}

impl Case {
    /// Makes a case. The same seed and number make the same case each time.
    pub(crate) fn new(seed: u64, number: u64, signer: &mut Signer) -> Result<Self, Error> {
        let mut choices = Choices::new(seed, number);
        let mut scene = Scene::sound(&mut choices);
        let wanted = match choices.below(40) {
            0 => 0,
            1..=29 => 1,
            30..=37 => 2,
            _ => 3,
        };
        let mut mutations = Vec::new();
        while mutations.len() < wanted {
            // A mutation that does not apply to the scene leaves the choice to another one.
            mutations.extend(mutation::mutate(&mut scene, &mut choices, signer.keys()));
        }
        let mut encode = |certificates: &[Certificate]| {
            let encoded = certificates.iter().map(|certificate| certificate.encode(signer));
            encoded.collect::<Result<Vec<_>, _>>()
        };
        let anchors = encode(&scene.anchors)?;
        let presented = encode(&scene.presented)?;
        let lists = scene.lists.map(|lists| {
            let encoded = lists.iter().map(|list| list.encode(signer));
            encoded.collect::<Result<Vec<_>, _>>()
        });
        Ok(Self {
            number,
            mutations,
            anchors,
            presented,
            lists: lists.transpose()?,
        })
    }
}

impl fmt::Display for Case {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mutations.as_slice() {
            [] => write!(formatter, "case {}: sound", self.number),
            mutations => write!(formatter, "case {}: {}", self.number, mutations.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use super::*;
    use crate::keys::Keys;

    fn cases(seed: u64, count: u64) -> Vec<Case> {
        let mut signer = Signer::new(Arc::new(Keys::new().unwrap()));
        let numbers = 0..count;
        numbers
            .map(|number| Case::new(seed, number, &mut signer).unwrap())
            .collect()
    }

    #[test]
    fn same_seed_and_number_make_the_same_case() {
        let encodings = |cases: Vec<Case>| -> Vec<_> {
            let cases = cases.into_iter();
            cases
                .map(|case| (case.mutations, case.anchors, case.presented, case.lists))
                .collect()
        };
        let first = encodings(cases(7, 20));
        assert_eq!(first, encodings(cases(7, 20)));
        assert_ne!(first, encodings(cases(8, 20)));
    }

    #[test]
    fn every_kind_of_mutation_occurs() {
        let mut kinds: BTreeSet<String> = BTreeSet::new();
        for case in cases(1, 600) {
            let names = case
                .mutations
                .iter()
                .filter_map(|mutation| mutation.split('/').next());
            kinds.extend(names.map(str::to_owned));
        }
        assert_eq!(kinds, mutation::names().map(str::to_owned).collect());
    }
}
