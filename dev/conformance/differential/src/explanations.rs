//! Differences of verdicts that are on purpose.

mod table;

use alb_mtls_settings::matches_wildcard;

use crate::peers::{Peer, Verdict, Verdicts};
use crate::scene::Case;

pub(crate) use table::EXPLANATIONS;

/// Side that is stricter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Difference {
    /// We accept what this peer rejects.
    Accept(Peer),
    /// We reject what every peer accepts.
    Reject,
}

/// Row of the reviewed table.
#[derive(Debug)]
pub(crate) struct Explanation {
    /// Stable name.
    pub(crate) name: &'static str,
    pub(crate) differences: &'static [Difference],
    /// Reasons of who rejects; a `*` stands for anything.
    pub(crate) reasons: &'static [&'static str],
    /// Mutations of the case.
    pub(crate) mutations: &'static [&'static str],
    /// Difference, and why it is right.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for readers of the table and of its page")
    )]
    pub(crate) why: &'static str,
    /// Document that decides.
    #[cfg_attr(
        not(test),
        expect(dead_code, reason = "for readers of the table and of its page")
    )]
    pub(crate) source: &'static str,
}

impl Explanation {
    fn explains(&self, case: &Case, difference: Difference, reason: &str) -> bool {
        let is_one_of = |patterns: &[&str], text: &str| {
            let mut patterns = patterns.iter();
            patterns.any(|pattern| matches_wildcard(pattern, text))
        };
        let mut mutations = case.mutations.iter();
        self.differences.contains(&difference)
            && is_one_of(self.reasons, reason)
            && mutations.any(|mutation| is_one_of(self.mutations, mutation))
    }
}

/// Returns the differences of a case, each with the reason of who rejects.
pub(crate) fn differences(verdicts: &Verdicts) -> Vec<(Difference, String)> {
    match &verdicts.own {
        Verdict::Accept => {
            let rejects = |(peer, verdict): &(Peer, Verdict)| match verdict {
                Verdict::Accept => None,
                Verdict::Reject(reason) => Some((Difference::Accept(*peer), reason.clone())),
            };
            verdicts.peers.iter().filter_map(rejects).collect()
        }
        Verdict::Reject(reason) => {
            let mut peers = verdicts.peers.iter();
            let are_alone = peers.all(|(_, verdict)| *verdict == Verdict::Accept);
            are_alone
                .then(|| (Difference::Reject, reason.clone()))
                .into_iter()
                .collect()
        }
    }
}

/// Returns the position of the row that explains a difference.
pub(crate) fn explain(case: &Case, difference: Difference, reason: &str) -> Option<usize> {
    EXPLANATIONS
        .iter()
        .position(|row| row.explains(case, difference, reason))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn case(mutations: &[&str]) -> Case {
        Case {
            number: 0,
            mutations: mutations.iter().map(|mutation| (*mutation).to_owned()).collect(),
            anchors: Vec::new(),
            presented: Vec::new(),
            lists: None,
        }
    }

    fn verdicts(own: Verdict, peers: [Verdict; 2]) -> Verdicts {
        let [openssl, webpki] = peers;
        Verdicts {
            own,
            explanation: String::new(),
            peers: vec![(Peer::Openssl, openssl), (Peer::Webpki, webpki)],
        }
    }

    fn reject(reason: &str) -> Verdict {
        Verdict::Reject(reason.to_owned())
    }

    #[test]
    fn accept_that_one_peer_rejects_is_a_difference() {
        let one = verdicts(Verdict::Accept, [Verdict::Accept, reject("CertExpired")]);
        let expected = vec![(Difference::Accept(Peer::Webpki), "CertExpired".to_owned())];
        assert_eq!(differences(&one), expected);
        let all = verdicts(Verdict::Accept, [Verdict::Accept, Verdict::Accept]);
        assert_eq!(differences(&all), []);
    }

    #[test]
    fn reject_is_a_difference_if_every_peer_accepts() {
        let alone = verdicts(reject("expired"), [Verdict::Accept, Verdict::Accept]);
        assert_eq!(differences(&alone), [(Difference::Reject, "expired".to_owned())]);
        let shared = verdicts(reject("expired"), [Verdict::Accept, reject("x")]);
        assert_eq!(differences(&shared), []);
    }

    #[test]
    fn no_explanation_covers_a_sound_case_or_a_wrong_accept() {
        let webpki = Difference::Accept(Peer::Webpki);
        assert_eq!(explain(&case(&[]), webpki, "UnknownIssuer"), None);
        let renamed = case(&["name/client/issuer_upper_case"]);
        assert!(explain(&renamed, webpki, "UnknownIssuer").is_some());
        for reason in [
            "CertExpired",
            "CertRevoked",
            "InvalidSignatureForPublicKey",
            "CaUsedAsEndEntity",
        ] {
            assert_eq!(explain(&renamed, webpki, reason), None, "{reason}");
        }
        let openssl = Difference::Accept(Peer::Openssl);
        let revoked = case(&["crl_entry/revoked"]);
        assert_eq!(explain(&revoked, openssl, "certificate revoked"), None);
    }

    #[test]
    fn names_of_explanations_are_unique() {
        for (position, row) in EXPLANATIONS.iter().enumerate() {
            let mut before = EXPLANATIONS.iter().take(position);
            assert!(before.all(|other| other.name != row.name), "{}", row.name);
            assert!(!row.why.is_empty() && !row.source.is_empty(), "{}", row.name);
        }
    }
}
