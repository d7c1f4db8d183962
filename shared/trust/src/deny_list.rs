//! The deny list: certificates and clients that are refused within seconds, whatever CA, CRL and
//! policies say about them.
//!
//! It is apart from the [`Snapshot`](crate::Snapshot): it is small, is looked up every few seconds
//! and counts for verdicts that are cached already.

mod denied_name;
mod entry;
mod list;
mod lookup;

pub use denied_name::DeniedName;
pub use entry::{DenyEntry, InvalidDenyEntry};
pub use list::{DeniedBy, DenyList, InvalidDenyList, LoadedDenyList, MAX_DENY_LIST_BYTES, NO_ENTRIES};
pub use lookup::{DenyListError, DenyListSettings, DenyListStatus, DenyLists};
