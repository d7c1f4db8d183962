//! What is known of CRLs, and what `MTLS_REVOCATION=strict` would make of them.

use std::fmt::Write;

use alb_mtls_trust::{InspectedList, IssuerCoverage};
use alb_mtls_verifier::{Reason, RevocationList, Timestamp};
use serde_json::{Value, json};

/// One line on one CRL.
pub(crate) fn crl_line(crl: &InspectedList) -> String {
    format!(
        "{}; {} entries; {}; entry {} of `{}`",
        crl.list,
        crl.list.entry_count(),
        signature_words(crl),
        crl.entry,
        crl.origin
    )
}

/// One CRL for machines.
pub(crate) fn crl_json(crl: &InspectedList) -> Value {
    json!({
        "origin": crl.origin,
        "entry": crl.entry,
        "issuer": crl.list.issuer().to_string(),
        "number": number(&crl.list),
        "this_update": crl.list.this_update(),
        "next_update": crl.list.next_update(),
        "entries": crl.list.entry_count(),
        "scope": crl.list.coverage(),
        "distribution_points": crl.list.distribution_points(),
        "signature": signature_words(crl),
        "defect": crl.list.defect().map(ToString::to_string),
    })
}

/// The number as it is displayed; `None` for a CRL without one.
fn number(list: &RevocationList) -> Option<String> {
    list.number().map(|number| number.to_string())
}

/// The CRL among the others of its issuer.
fn name(list: &RevocationList) -> String {
    match list.number() {
        Some(number) => format!("CRL {number}"),
        None => format!("the CRL of {}", list.this_update()),
    }
}

fn signature_words(crl: &InspectedList) -> String {
    match &crl.standing {
        Some(standing) => standing.to_string(),
        None => "its signature was not checked, name the trust anchors too".to_owned(),
    }
}

/// What `strict` would make of the certificates of one issuer.
pub(crate) struct StrictVerdict<'a> {
    issuer: &'a IssuerCoverage,
    answers: Vec<Answer<'a>>,
}

/// What it would make of those that one CRL speaks of.
struct Answer<'a> {
    list: &'a RevocationList,
    /// Why they are refused; `None` for those that are cleared.
    refused: Option<Reason>,
}

impl<'a> StrictVerdict<'a> {
    pub(crate) fn of(issuer: &'a IssuerCoverage, now: Timestamp) -> Self {
        let answers = issuer.crls.iter().map(|list| Answer {
            list,
            refused: if now < list.this_update() {
                Some(Reason::CrlNotYetValid)
            } else if list.defect().is_some() {
                Some(Reason::CrlUnusable)
            } else if list.next_update() < Some(now) {
                Some(Reason::CrlStale)
            } else {
                None
            },
        });
        Self {
            answers: answers.collect(),
            issuer,
        }
    }

    /// Whether some of what the issuer has issued would be refused for want of a CRL that counts.
    pub(crate) fn refuses(&self) -> bool {
        self.answers.is_empty() || self.answers.iter().any(|answer| answer.refused.is_some())
    }

    /// A line for each CRL, or one that says that there is none.
    pub(crate) fn lines(&self) -> Vec<String> {
        let name = self.issuer.issuer.subject().to_string();
        if self.answers.is_empty() {
            let reason = Reason::CrlMissing;
            return vec![format!(
                "everything that {name} issued is refused with {}: there is no CRL of it that counts",
                reason.detail()
            )];
        }
        self.answers
            .iter()
            .map(|answer| answer.line(&name))
            .chain(
                self.rest()
                    .map(|reason| format!("what else {name} issued is refused with {}", reason.detail())),
            )
            .collect()
    }

    /// The same for machines.
    pub(crate) fn json(&self) -> Value {
        json!({
            "issuer": self.issuer.issuer.subject().to_string(),
            "sha256": self.issuer.issuer.id(),
            "scopes": self.answers.iter().map(Answer::json).collect::<Vec<_>>(),
            "others": self.rest().map(Reason::detail),
        })
    }

    /// Why certificates are refused that no CRL of the issuer speaks of; `None` when each is spoken of.
    fn rest(&self) -> Option<Reason> {
        let of_all = |answer: &Answer<'_>| answer.list.is_complete();
        if self.answers.is_empty() {
            Some(Reason::CrlMissing)
        } else if self.answers.iter().any(of_all) {
            None
        } else {
            Some(Reason::CrlScope)
        }
    }
}

impl Answer<'_> {
    fn line(&self, issuer: &str) -> String {
        let Self { list, refused } = self;
        let mut line = format!("{} of {issuer}", list.coverage());
        // Writing to a string does not fail.
        let name = name(list);
        let end = list.next_update().map(|end| end.to_string()).unwrap_or_default();
        let _ = match refused {
            None => write!(line, " are cleared by {name} until {end}"),
            Some(Reason::CrlStale) => write!(
                line,
                " are refused with {}: {name} counted until {end}, longer with MTLS_CRL_GRACE",
                Reason::CrlStale.detail(),
            ),
            Some(Reason::CrlUnusable) => write!(
                line,
                " are refused with {}: {name} {}",
                Reason::CrlUnusable.detail(),
                list.defect().map(ToString::to_string).unwrap_or_default(),
            ),
            Some(reason) => write!(
                line,
                " are refused with {}: {name} counts from {} on",
                reason.detail(),
                list.this_update()
            ),
        };
        line
    }

    fn json(&self) -> Value {
        json!({
            "scope": self.list.coverage(),
            "number": number(self.list),
            "cleared_until": self.refused.is_none().then(|| self.list.next_update()),
            "refused": self.refused.map(Reason::detail),
        })
    }
}
