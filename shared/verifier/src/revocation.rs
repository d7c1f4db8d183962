//! Certificate revocation lists (RFC 5280 §5): read and verified once, looked up for each request.
//!
//! A path builder would verify a list's signature again for each client, which takes a hundred
//! times as long as the rest for half a million entries. Here a list is read without an allocation
//! for each entry and its signature is verified when it is loaded. A request costs one lookup among
//! fingerprints of serial numbers. A large list stays outside of memory.

mod answer;
mod check;
mod delegation;
mod delta;
mod entries;
mod entry_issuers;
mod error;
mod evidence;
mod extensions;
mod forecast;
mod history;
mod issuers;
mod list;
mod list_extensions;
mod lists;
mod number;
mod options;
mod points;
mod reader;
mod scope;
mod stored;
mod stream;
mod why_not;

pub use entries::{RevocationReason, RevokedCertificate};
pub use error::{RevocationListError, RevocationListErrorKind, UnsupportedList};
pub use evidence::{CertificateStatus, RevocationEvidence};
pub use forecast::IssuerForecast;
pub use history::{CrlHistory, CrlHistoryError, CrlSeries, Departures, SeenCrl};
pub use issuers::{ListSignatureError, ListStanding};
pub use list::RevocationList;
pub use lists::RevocationLists;
pub use number::{CrlNumber, CrlVersion, InvalidCrlNumber};
pub use options::{
    RevocationDepth, RevocationMode, RevocationOptions, UnknownRevocationDepth, UnknownRevocationMode,
};
pub use reader::{
    EachRevocationList, parse_each_revocation_list, parse_revocation_lists, read_revocation_lists,
};
pub use stored::ListStorage;
pub use stream::RevocationListStream;
