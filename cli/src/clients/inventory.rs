//! Clients in the records, with their trust anchors.

use std::collections::BTreeMap;
use std::fmt::Write;

use alb_mtls_verifier::Timestamp;
use serde_json::{Value, json};

use super::log_lines::{Client, LogLines, ReadRecord};

/// Clients by certificate, and the anchors that vouched for them.
#[derive(Debug, Default)]
pub(super) struct Inventory {
    /// By SHA-256 of the certificate, then by anchor: while anchors change, one client may come by
    /// two.
    clients: BTreeMap<(String, String), Seen>,
    /// Subjects by id, also of anchors without clients.
    anchors: BTreeMap<String, String>,
    period: Option<Period>,
    without_identity: u64,
}

#[derive(Debug)]
struct Seen {
    client: Client,
    not_after: Timestamp,
    allowed: u64,
    refused: u64,
    period: Period,
}

#[derive(Clone, Copy, Debug)]
struct Period {
    first: Timestamp,
    last: Timestamp,
}

impl Period {
    fn with(this: Option<Self>, at: Timestamp) -> Self {
        let this = this.unwrap_or(Self { first: at, last: at });
        Self {
            first: this.first.min(at),
            last: this.last.max(at),
        }
    }
}

/// Use of one anchor.
struct AnchorUse<'a> {
    id: &'a str,
    subject: &'a str,
    clients: usize,
    /// Clients whose certificates have not expired.
    valid_clients: usize,
    requests: u64,
    last_seen: Option<Timestamp>,
    last_expiry: Option<Timestamp>,
}

impl Inventory {
    /// Lists this anchor even without clients.
    pub(super) fn expect(&mut self, id: &str, subject: &str) {
        self.anchors.insert(id.to_owned(), subject.to_owned());
    }

    pub(super) fn take(&mut self, record: &ReadRecord) {
        self.period = Some(Period::with(self.period, record.at));
        let Some((client, not_after)) = &record.client else {
            self.without_identity += 1;
            return;
        };
        self.anchors
            .insert(client.anchor_id.clone(), client.anchor.clone());
        let key = (client.certificate_sha256.clone(), client.anchor_id.clone());
        let seen = self.clients.entry(key).or_insert_with(|| Seen {
            client: client.clone(),
            not_after: *not_after,
            allowed: 0,
            refused: 0,
            period: Period::with(None, record.at),
        });
        seen.period = Period::with(Some(seen.period), record.at);
        match record.was_allowed {
            true => seen.allowed += 1,
            false => seen.refused += 1,
        }
    }

    pub(super) fn to_json(&self, lines: &LogLines, now: Timestamp) -> Value {
        let anchors = self.anchor_use(now).into_iter().map(|anchor| {
            json!({
                "id": anchor.id,
                "subject": anchor.subject,
                "clients": anchor.clients,
                "valid_clients": anchor.valid_clients,
                "requests": anchor.requests,
                "last_seen": anchor.last_seen,
                "last_expiry": anchor.last_expiry,
            })
        });
        let clients = self.by_expiry().into_iter().map(|seen| {
            let client = &seen.client;
            json!({
                "subject": client.subject,
                "alternative_names": client.alternative_names,
                "issuer": client.issuer,
                "serial_number": client.serial_number,
                "certificate_sha256": client.certificate_sha256,
                "anchor_id": client.anchor_id,
                "anchor": client.anchor,
                "allowed": seen.allowed,
                "refused": seen.refused,
                "first_seen": seen.period.first,
                "last_seen": seen.period.last,
                "not_after": seen.not_after,
                "days_left": days(now, seen.not_after),
            })
        });
        json!({
            "first_record": self.period.map(|period| period.first),
            "last_record": self.period.map(|period| period.last),
            "records": lines.records,
            "records_without_client": self.without_identity,
            "unreadable_records": lines.unreadable,
            "other_lines": lines.other,
            "anchors": anchors.collect::<Vec<_>>(),
            "clients": clients.collect::<Vec<_>>(),
        })
    }

    pub(super) fn to_text(&self, lines: &LogLines, now: Timestamp) -> String {
        let mut text = String::new();
        // Writing to a string does not fail.
        let _ = self.write(&mut text, lines, now);
        text
    }

    fn write(&self, text: &mut String, lines: &LogLines, now: Timestamp) -> std::fmt::Result {
        if let Some(period) = self.period {
            write!(
                text,
                "{} records from {} to {}",
                lines.records, period.first, period.last
            )?;
        }
        writeln!(
            text,
            "; {} without a verified client, {} unreadable, {} other lines",
            self.without_identity, lines.unreadable, lines.other
        )?;
        writeln!(text, "\nclients, those whose certificates expire first on top:")?;
        for seen in self.by_expiry() {
            writeln!(text, "  {}", visible(&name_of(&seen.client)))?;
            writeln!(
                text,
                "    serial {} of {}, under {}",
                visible(&seen.client.serial_number),
                visible(&seen.client.issuer),
                visible(&seen.client.anchor),
            )?;
            writeln!(
                text,
                "    expires {} ({}), allowed {}, refused {}, last seen {}",
                seen.not_after,
                days_in_words(days(now, seen.not_after)),
                seen.allowed,
                seen.refused,
                seen.period.last,
            )?;
        }
        if self.clients.is_empty() {
            writeln!(text, "  none")?;
        }
        writeln!(text, "\nanchors:")?;
        for anchor in self.anchor_use(now) {
            writeln!(text, "  {}", visible(anchor.subject))?;
            writeln!(text, "    id {}", visible(anchor.id))?;
            match (anchor.last_seen, anchor.last_expiry) {
                (Some(last_seen), Some(last_expiry)) => writeln!(
                    text,
                    "    in use: {} requests, last seen {last_seen}; {} of {} certificates valid, the last until {last_expiry}",
                    anchor.requests, anchor.valid_clients, anchor.clients,
                )?,
                _ => writeln!(text, "    not seen in these records")?,
            }
        }
        if self.anchors.is_empty() {
            writeln!(text, "  none")?;
        }
        Ok(())
    }

    fn by_expiry(&self) -> Vec<&Seen> {
        let mut clients: Vec<&Seen> = self.clients.values().collect();
        clients.sort_by_key(|seen| seen.not_after);
        clients
    }

    /// Returns the anchors with the least recently used first: they are candidates for removal.
    fn anchor_use(&self, now: Timestamp) -> Vec<AnchorUse<'_>> {
        let mut all: Vec<AnchorUse<'_>> = self
            .anchors
            .iter()
            .map(|(id, subject)| {
                let clients: Vec<&Seen> = self
                    .clients
                    .values()
                    .filter(|seen| seen.client.anchor_id == *id)
                    .collect();
                AnchorUse {
                    id,
                    subject,
                    clients: clients.len(),
                    valid_clients: clients.iter().filter(|seen| seen.not_after >= now).count(),
                    requests: clients.iter().map(|seen| seen.allowed + seen.refused).sum(),
                    last_seen: clients.iter().map(|seen| seen.period.last).max(),
                    last_expiry: clients.iter().map(|seen| seen.not_after).max(),
                }
            })
            .collect();
        all.sort_by_key(|anchor| anchor.last_seen);
        all
    }
}

/// Returns the subject, or the first alternative name where there is none.
fn name_of(client: &Client) -> String {
    if !client.subject.is_empty() {
        return client.subject.clone();
    }
    let first = client
        .alternative_names
        .first()
        .and_then(|name| name.iter().next());
    match first {
        Some((kind, Value::String(name))) => format!("no subject, {kind} {name}"),
        _ => "no subject".to_owned(),
    }
}

/// Returns whole days, negative for a time in the past.
fn days(now: Timestamp, until: Timestamp) -> i64 {
    until
        .unix_seconds()
        .saturating_sub(now.unix_seconds())
        .div_euclid(86_400)
}

fn days_in_words(days: i64) -> String {
    match days {
        ..=-1 => "expired".to_owned(),
        1 => "1 day left".to_owned(),
        days => format!("{days} days left"),
    }
}

/// Names come from certificates, and a log can hold what no verifier let through: nothing that a
/// terminal acts on or hides is printed.
fn visible(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        if character == ' ' || character.is_ascii_graphic() || character.is_alphanumeric() {
            text.push(character);
        } else {
            text.extend(character.escape_unicode());
        }
    }
    text
}
