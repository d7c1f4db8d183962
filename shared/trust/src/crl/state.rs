//! Record of the CRLs that were published at a place, beside them.
//!
//! A process that starts does not know earlier CRLs. The record lists those that it must find, and
//! the numbers and dates that they must have reached, so that an old or another CRL in the same
//! place is rejected at once.

use alb_mtls_verifier::{CrlHistory, CrlNumber, CrlSeries, CrlVersion, SeenCrl, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use crate::source::S3Object;

/// Largest record that is read, in bytes: one of 1,000 series has about 700 KB.
pub const MAX_CRL_STATE_BYTES: usize = 1_024 * 1_024;

/// End of the key of a record.
pub const CRL_STATE_SUFFIX: &str = ".state.json";

const FORMAT: u32 = 1;

/// The content is not a record of CRLs.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("is not a record of CRLs that this version can read: {0}")]
pub struct InvalidCrlState(String);

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    format: u32,
    lists: Vec<Entry>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    /// Names for a person to read.
    issuer: String,
    description: String,
    number: Option<String>,
    this_update: String,
    next_update: String,
    expected: bool,
    issuer_der: String,
    key_algorithm: String,
    key: String,
    scope: String,
    /// Set for delta CRLs. Left out for others, so that older versions read the record.
    #[serde(default, skip_serializing_if = "is_false")]
    delta: bool,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_false(value: &bool) -> bool {
    !value
}

/// Returns the object with the record of a CRL's object. A CRL of a fixed version or content does
/// not have one: nothing can take its place.
pub fn crl_state_object(object: &S3Object) -> Option<S3Object> {
    if object.version_id.is_some() || object.sha256.is_some() {
        return None;
    }
    Some(S3Object {
        key: format!("{}{CRL_STATE_SUFFIX}", object.key),
        ..object.clone()
    })
}

/// Writes a record.
///
/// # Errors
/// Never for the history of CRLs that were read.
pub fn write_crl_state(history: &CrlHistory) -> Result<String, InvalidCrlState> {
    let lists = history
        .iter()
        .map(|seen| Entry {
            issuer: seen.series.issuer().to_string(),
            description: seen.series.to_string(),
            number: seen.version.number.map(|number| number.to_string()),
            this_update: seen.version.this_update.to_string(),
            next_update: seen.next_update.to_string(),
            expected: seen.is_expected,
            issuer_der: STANDARD.encode(seen.series.issuer().der()),
            key_algorithm: STANDARD.encode(seen.series.key_algorithm()),
            key: STANDARD.encode(seen.series.key()),
            scope: STANDARD.encode(seen.series.scope()),
            delta: seen.series.is_delta(),
        })
        .collect();
    let document = Document {
        format: FORMAT,
        lists,
    };
    serde_json::to_string_pretty(&document).map_err(|error| InvalidCrlState(error.to_string()))
}

/// Reads a record.
///
/// # Errors
/// [`InvalidCrlState`] unless all of it is understood.
pub fn read_crl_state(json: &[u8]) -> Result<CrlHistory, InvalidCrlState> {
    let document: Document =
        serde_json::from_slice(json).map_err(|error| InvalidCrlState(error.to_string()))?;
    if document.format != FORMAT {
        return Err(InvalidCrlState(format!("its format is {}", document.format)));
    }
    let mut history = CrlHistory::default();
    for (entry, position) in document.lists.iter().zip(1..) {
        let seen = entry.read();
        history.see(seen.ok_or_else(|| InvalidCrlState(format!("list {position} is damaged")))?);
    }
    if history.is_empty() {
        return Err(InvalidCrlState("it does not name a list".to_owned()));
    }
    Ok(history)
}

impl Entry {
    fn read(&self) -> Option<SeenCrl> {
        let bytes = |text: &str| STANDARD.decode(text).ok();
        let time = |text: &str| Timestamp::parse_rfc3339(text).ok();
        let number = match &self.number {
            None => None,
            Some(number) => Some(number.parse::<CrlNumber>().ok()?),
        };
        let series = CrlSeries::from_parts(
            &bytes(&self.issuer_der)?,
            &bytes(&self.key_algorithm)?,
            &bytes(&self.key)?,
            &bytes(&self.scope)?,
            self.delta,
        )?;
        let version = CrlVersion {
            number,
            this_update: time(&self.this_update)?,
        };
        Some(SeenCrl::new(
            series,
            version,
            time(&self.next_update)?,
            self.expected,
        ))
    }
}
