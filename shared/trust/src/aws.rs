//! Clients of the AWS SDK, and what its errors mean to an operator.

mod clients;
pub(crate) mod explain;

pub use clients::AwsClients;
pub(crate) use clients::LazyClients;
