//! The verdict with all that led to it, for people and for machines.

use std::fmt::Write;

use alb_mtls_http::HeaderLimits;
use alb_mtls_verifier::{
    CertificateDer, CertificateStatus, CertificateSummary, Check, Explanation, ExtensionValue, Outcome,
    PresentedChain, Rejection, Timestamp, TrustAnchor, Validators, VerifiedClient, WebpkiGap,
};
use serde_json::{Value, json};

use super::damage::{self, Damage, Given};
use super::input::Input;
use crate::console::Colours;

#[derive(Debug)]
pub(super) struct Report {
    now: Timestamp,
    verdict: Result<VerifiedClient, Rejection>,
    /// Absent when there is no chain to explain.
    explained: Option<Explained>,
    damages: Vec<Damage>,
}

#[derive(Debug)]
struct Explained {
    chain: PresentedChain,
    explanation: Explanation,
}

impl Report {
    pub(super) fn new(
        input: Input,
        limits: HeaderLimits,
        given: &Given,
        explain: impl FnOnce(&PresentedChain) -> Explanation,
        now: Timestamp,
    ) -> Self {
        match input.decode(limits) {
            Err(rejection) => Self {
                now,
                damages: match input.only_header() {
                    Some((format, value)) => damage::of_header(value, format, limits),
                    None => input.without_header(),
                },
                verdict: Err(rejection),
                explained: None,
            },
            Ok(chain) => {
                let explanation = explain(&chain);
                Self {
                    now,
                    damages: match &explanation.verdict {
                        Ok(_) => Vec::new(),
                        Err(rejection) => damage::of_chain(&chain, &explanation, rejection, given),
                    },
                    verdict: explanation.verdict.clone(),
                    explained: Some(Explained { chain, explanation }),
                }
            }
        }
    }

    pub(super) fn is_accepted(&self) -> bool {
        self.verdict.is_ok()
    }

    pub(super) fn to_json(&self) -> Value {
        let mut report = match &self.verdict {
            Ok(client) => json!({
                "verdict": "accept",
                "identity": **client.identity(),
                "valid_until": client.valid_until(),
                "validators": client.validators().as_str(),
                "webpki_gaps": client.validators().gaps().iter().map(WebpkiGap::name).collect::<Vec<_>>(),
            }),
            Err(rejection) => json!({
                "verdict": "reject",
                "code": rejection.code(),
                "detail": rejection.detail(),
                "explanation": rejection.to_string(),
                "certificate": rejection.certificate(),
                "context": rejection.context().if_any(),
                "remedy": rejection.reason().remedy(),
            }),
        };
        let hints: Vec<String> = self.damages.iter().map(ToString::to_string).collect();
        let kinds: Vec<&str> = self.damages.iter().map(Damage::kind).collect();
        let presented = self.explained.as_ref().map(|explained| {
            let presented = presented(&explained.chain).map(CertificateSummary::read);
            presented
                .map(|summary| summary.as_ref().map(summary_json))
                .collect::<Vec<_>>()
        });
        let explanation = self.explained.as_ref().map(|explained| &explained.explanation);
        let path = explanation.map(|explanation| {
            let path = explanation.path.iter();
            path.map(|certificate| certificate.presented_at)
                .collect::<Vec<_>>()
        });
        let checks = explanation.map(|explanation| {
            let checks = explanation.checks.iter();
            checks
                .map(|(check, outcome)| check_json(*check, outcome))
                .collect::<Vec<_>>()
        });
        if let Value::Object(fields) = &mut report {
            fields.insert("time".to_owned(), json!(self.now));
            fields.insert("hints".to_owned(), json!(hints));
            fields.insert("hint_kinds".to_owned(), json!(kinds));
            fields.insert("certificates".to_owned(), json!(presented));
            fields.insert("path".to_owned(), json!(path));
            fields.insert(
                "anchor".to_owned(),
                json!(explanation.and_then(|one| one.anchor.as_deref()).map(anchor_json)),
            );
            fields.insert("checks".to_owned(), json!(checks));
        }
        report
    }

    pub(super) fn to_text(&self, paint: Colours) -> String {
        let mut text = String::new();
        // Writing to a String does not fail.
        let _ = self.write_text(&mut text, paint);
        text
    }

    fn write_text(&self, text: &mut String, paint: Colours) -> std::fmt::Result {
        match &self.verdict {
            Ok(client) => {
                let identity = client.identity();
                writeln!(text, "{}  {}", paint.good("accepted"), identity.subject)?;
                for name in &identity.alternative_names {
                    writeln!(text, "          {name}")?;
                }
                for ExtensionValue { key, value, .. } in identity.extensions.iter() {
                    writeln!(text, "          extension {key}: {value}")?;
                }
                writeln!(text, "          until {}", client.valid_until())?;
                if let Validators::Own(gaps) = client.validators() {
                    for gap in gaps.iter() {
                        writeln!(text, "          not checked by webpki: {}", gap.meaning())?;
                    }
                }
                for status in client.revocation().certificates() {
                    match status {
                        CertificateStatus::Good(list) => writeln!(text, "          cleared by {list}")?,
                        CertificateStatus::Answered(status) => {
                            writeln!(text, "          cleared by {status}")?
                        }
                        CertificateStatus::Unknown(rejection) => {
                            writeln!(text, "          {} {rejection}", paint.notable("not cleared:"))?;
                        }
                    }
                }
            }
            Err(rejection) => {
                let (code, detail) = (rejection.code(), rejection.detail());
                writeln!(text, "{}  {code} {detail}", paint.bad("rejected"))?;
                writeln!(text, "          {rejection}")?;
                writeln!(text, "          {}", rejection.reason().remedy())?;
            }
        }
        for damage in &self.damages {
            writeln!(text, "{}      {damage}", paint.notable("hint"))?;
        }
        if let Some(explained) = &self.explained {
            writeln!(text)?;
            explained.write_tree(text, paint)?;
            writeln!(text)?;
            explained.write_checks(text, paint)?;
        }
        Ok(())
    }
}

impl Explained {
    /// Returns the path from the anchor down, then what was presented beside it.
    fn write_tree(&self, text: &mut String, paint: Colours) -> std::fmt::Result {
        let Explanation { path, anchor, .. } = &self.explanation;
        match anchor {
            Some(anchor) => {
                let validity = anchor.validity();
                let (subject, key) = (anchor.subject(), anchor.public_key());
                writeln!(text, "anchor    {subject}")?;
                writeln!(
                    text,
                    "          {key}, {} to {}",
                    validity.not_before, validity.not_after
                )?;
            }
            None => writeln!(text, "anchor    {}", paint.bad("none"))?,
        }
        for (level, certificate) in path.iter().rev().enumerate() {
            let place = match certificate.presented_at {
                Some(position) => format!("{position}"),
                None => "settings".to_owned(),
            };
            write_summary(text, &place, &"   ".repeat(level), &certificate.summary)?;
        }
        let in_path = |position: usize| path.iter().any(|one| one.presented_at == Some(position));
        for (position, certificate) in presented(&self.chain).enumerate() {
            if in_path(position) {
                continue;
            }
            match CertificateSummary::read(certificate) {
                Some(summary) => {
                    let unused = paint.faint("not in the path");
                    writeln!(text, "{position:<9} {} ({unused})", subject_of(&summary))?;
                }
                None => writeln!(
                    text,
                    "{position:<9} {}",
                    paint.bad("not a certificate that can be read")
                )?,
            }
        }
        Ok(())
    }

    fn write_checks(&self, text: &mut String, paint: Colours) -> std::fmt::Result {
        for (check, outcome) in &self.explanation.checks {
            let name = check.name();
            match outcome {
                Outcome::Passed => {
                    writeln!(text, "{}  {name:<32} {}", paint.good("pass"), check.describes())?;
                }
                Outcome::Off => {
                    let off = format!("off: governed by {}", check.setting().unwrap_or("nothing"));
                    writeln!(text, "{}  {name:<32} {}", paint.faint("  - "), paint.faint(&off))?;
                }
                Outcome::NotReached => {
                    writeln!(
                        text,
                        "{}  {name:<32} {}",
                        paint.faint("  - "),
                        paint.faint("not reached")
                    )?;
                }
                Outcome::Failed(rejection) => {
                    writeln!(text, "{}  {name:<32} {rejection}", paint.bad("FAIL"))?;
                    let (code, detail) = (rejection.code(), rejection.detail());
                    writeln!(text, "{:38} {code} {detail}; {}", "", check.source())?;
                    if let Some(setting) = check.setting() {
                        writeln!(text, "{:38} governed by {setting}", "")?;
                    }
                }
            }
        }
        Ok(())
    }
}

fn presented(chain: &PresentedChain) -> impl Iterator<Item = &CertificateDer<'static>> {
    std::iter::once(chain.end_entity()).chain(chain.intermediates())
}

fn write_summary(
    text: &mut String,
    place: &str,
    indent: &str,
    summary: &CertificateSummary,
) -> std::fmt::Result {
    writeln!(text, "{place:<9} {indent}└─ {}", subject_of(summary))?;
    let kind = if summary.is_authority { "CA, " } else { "" };
    let validity = summary.validity;
    let key = summary.public_key;
    writeln!(
        text,
        "          {indent}   {kind}{key}, {} to {}",
        validity.not_before, validity.not_after
    )
}

fn subject_of(summary: &CertificateSummary) -> String {
    match &summary.subject {
        None => "a subject that cannot be shown".to_owned(),
        Some(subject) if subject.is_empty() => "an empty subject".to_owned(),
        Some(subject) => subject.to_string(),
    }
}

fn summary_json(summary: &CertificateSummary) -> Value {
    json!({
        "subject": summary.subject,
        "issuer": summary.issuer,
        "not_before": summary.validity.not_before,
        "not_after": summary.validity.not_after,
        "public_key": summary.public_key.to_string(),
        "is_authority": summary.is_authority,
        "is_self_issued": summary.is_self_issued,
        "sha256": summary.fingerprint,
    })
}

fn anchor_json(anchor: &TrustAnchor) -> Value {
    json!({
        "id": anchor.id(),
        "subject": anchor.subject(),
        "not_before": anchor.validity().not_before,
        "not_after": anchor.validity().not_after,
        "public_key": anchor.public_key().to_string(),
    })
}

fn check_json(check: Check, outcome: &Outcome) -> Value {
    let (name, rejection) = match outcome {
        Outcome::Passed => ("pass", None),
        Outcome::Failed(rejection) => ("fail", Some(rejection)),
        Outcome::NotReached => ("not_reached", None),
        Outcome::Off => ("off", None),
    };
    json!({
        "check": check.name(),
        "outcome": name,
        "describes": check.describes(),
        "source": check.source(),
        "setting": check.setting(),
        "code": rejection.map(Rejection::code),
        "detail": rejection.map(Rejection::detail),
        "explanation": rejection.map(ToString::to_string),
        "context": rejection.and_then(|rejection| rejection.context().if_any()),
    })
}
