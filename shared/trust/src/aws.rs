//! SSM Parameter Store and S3 through the AWS SDK.

mod clients;
mod explain;
pub(crate) mod objects;
pub(crate) mod parameters;

pub use clients::AwsClients;
pub(crate) use clients::LazyClients;
