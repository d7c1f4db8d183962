//! Settings in environment variables. A table lists every variable; values, defaults, errors,
//! `--help` and the documentation are made from it.
//!
//! A variable that begins with the table's prefix and is not in the table is an error: a setting
//! with a typing mistake must not silently do nothing.
//!
//! ```
//! use alb_mtls_settings::{Values, table};
//!
//! table! {
//!     /// The settings of a door.
//!     pub DOOR, "DOOR_";
//!     KEYS, "DOOR_KEYS", Required, "names of the keys that open it";
//!     CLOSES, "DOOR_CLOSES_AFTER", Value("90s"), "how long it stays open";
//! }
//!
//! let environment = [("DOOR_KEYS", "blue red"), ("DOOR_CLOSES_AFTER", "5m"), ("HOME", "/root")];
//! let values = Values::new(&DOOR, environment.map(|(name, value)| (name.to_owned(), value.to_owned())))?;
//! assert_eq!(values.words::<String>(KEYS)?, ["blue", "red"]);
//! assert_eq!(values.duration(CLOSES, 1..=3_600)?.as_secs(), 300);
//!
//! let mistyped = Values::new(&DOOR, [("DOOR_CLOSES_AFTR".to_owned(), "5m".to_owned())]);
//! assert_eq!(
//!     mistyped.unwrap_err().to_string(),
//!     "DOOR_CLOSES_AFTR is not a setting: did you mean DOOR_CLOSES_AFTER?"
//! );
//! # Ok::<(), alb_mtls_settings::SettingsError>(())
//! ```

#![warn(missing_docs)]

mod arn;
mod duration;
mod error;
mod help;
mod percent;
mod table;
mod text;
mod values;
mod wildcard;
mod words;

pub use arn::{Arn, is_account, is_partition, is_region};
pub use error::SettingsError;
pub use help::help_if_asked;
pub use percent::{InvalidPercent, Percent};
pub use table::{DefaultValue, Table, Variable};
#[doc(hidden)]
pub use text::{list_parts, text_bytes, text_length, text_of};
pub use values::{Values, process_environment};
pub use wildcard::matches_wildcard;

/// Runs the examples of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
