//! CRLs before they are read: locations, destinations, and the record of those that were published.

mod destination;
mod location;
mod plan;
mod state;

pub use destination::{CrlDestination, InvalidCrlDestination, PublishedAsOne};
pub use location::{CrlLocation, HttpLocation, InvalidCrlLocation};
pub use plan::{CrlPlan, SkippedCrl};
pub use state::{
    CRL_STATE_SUFFIX, InvalidCrlState, MAX_CRL_STATE_BYTES, crl_state_object, read_crl_state, write_crl_state,
};
