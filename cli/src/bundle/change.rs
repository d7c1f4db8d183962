//! Changes that publishing would make.

use std::collections::HashSet;
use std::fmt::Write;

use alb_mtls_trust::Inspection;
use alb_mtls_verifier::{Fingerprint, Timestamp, TrustAnchor};
use serde_json::{Value, json};

use super::report::{anchor_json, anchor_line};

/// Time before its end from which an anchor is shown as expiring.
const EXPIRING_SECONDS: i64 = 30 * 86_400;

/// The difference between the anchors that are published now and those that are going to be.
#[derive(Debug)]
pub(crate) struct Change<'a> {
    pub(crate) added: Vec<&'a TrustAnchor>,
    pub(crate) removed: Vec<&'a TrustAnchor>,
    pub(crate) expiring: Vec<&'a TrustAnchor>,
    kept: usize,
}

impl<'a> Change<'a> {
    pub(crate) fn between(before: &'a Inspection, after: &'a Inspection, now: Timestamp) -> Self {
        let ids = |inspection: &Inspection| -> HashSet<Fingerprint> {
            inspection.anchors.iter().map(TrustAnchor::id).collect()
        };
        let (old, new) = (ids(before), ids(after));
        let soon = now.plus_seconds(EXPIRING_SECONDS);
        Self {
            added: after
                .anchors
                .iter()
                .filter(|anchor| !old.contains(&anchor.id()))
                .collect(),
            removed: before
                .anchors
                .iter()
                .filter(|anchor| !new.contains(&anchor.id()))
                .collect(),
            expiring: after
                .anchors
                .iter()
                .filter(|anchor| anchor.validity().not_after < soon)
                .collect(),
            kept: old.intersection(&new).count(),
        }
    }

    pub(crate) fn to_text(&self) -> String {
        let mut text = String::new();
        for (sign, anchors) in [
            ("+ added", &self.added),
            ("- removed", &self.removed),
            ("! expiring", &self.expiring),
        ] {
            for anchor in anchors {
                // Writing to a string does not fail.
                let _ = writeln!(text, "{sign}: {}", anchor_line(anchor));
            }
        }
        let _ = writeln!(
            text,
            "{} added, {} removed, {} kept",
            self.added.len(),
            self.removed.len(),
            self.kept
        );
        text
    }

    pub(crate) fn to_json(&self) -> Value {
        let all = |anchors: &[&TrustAnchor]| -> Vec<Value> {
            anchors.iter().map(|anchor| anchor_json(anchor)).collect()
        };
        json!({
            "added": all(&self.added),
            "removed": all(&self.removed),
            "expiring": all(&self.expiring),
            "kept": self.kept,
        })
    }
}
