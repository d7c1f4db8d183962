//! Sections of the table.

pub(crate) mod anchors;
pub(crate) mod decide;
pub(crate) mod edge;
pub(crate) mod functions;
pub(crate) mod load_balancer;
#[cfg(feature = "openssl")]
pub(crate) mod openssl_peer;
pub(crate) mod revocation;
pub(crate) mod verify;
pub(crate) mod webpki_peer;
