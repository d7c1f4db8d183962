//! Verifiers that judge a case: ours, webpki alone, and OpenSSL and pyca/cryptography in Python.

mod own;
mod python;
mod webpki_alone;

use crate::scene::Case;

pub(crate) use python::{Python, PythonError};

/// Verdict of one verifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Accept,
    /// With the reason in the verifier's own words.
    Reject(String),
}

/// Verifier that ours is compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Peer {
    Openssl,
    Pyca,
    Webpki,
}

impl Peer {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Openssl => "OpenSSL",
            Self::Pyca => "pyca",
            Self::Webpki => "webpki",
        }
    }
}

/// Verdicts of all verifiers on a case.
#[derive(Clone, Debug)]
pub(crate) struct Verdicts {
    pub(crate) own: Verdict,
    /// Our rejection in full.
    pub(crate) explanation: String,
    pub(crate) peers: Vec<(Peer, Verdict)>,
}

impl Verdicts {
    /// Judges a case; those of the peers in Python come from [`Python`].
    pub(crate) fn new(case: &Case, python: [(Peer, Verdict); 2]) -> Self {
        let (own, explanation) = own::judge(case);
        let mut peers = Vec::from(python);
        peers.push((Peer::Webpki, webpki_alone::judge(case)));
        Self {
            own,
            explanation,
            peers,
        }
    }
}
