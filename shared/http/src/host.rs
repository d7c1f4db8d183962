//! Reader of hosts: one for routes, policies, decisions and records.

mod name;
mod request_host;

pub use name::{Host, InvalidHost};
pub use request_host::{RequestHost, UnreadableHost};
