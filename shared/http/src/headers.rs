//! Headers of a request by name: those that state an identity, those that restate what was decided,
//! those that concern one connection.

mod certificate_name;
mod hop_by_hop;
mod identity_headers;
mod names;
pub mod restated;
mod stripped;
mod table;

pub use certificate_name::{
    InvalidCertificateHeader, looks_like_certificate_header, parse_certificate_header,
};
pub use hop_by_hop::remove_hop_by_hop;
pub use names::{InvalidNamePattern, NamePattern};
pub use stripped::{InvalidPattern, StrippedHeaders};
pub use table::{ASSERTION, Role, names};
