//! Servers that stand in for AWS in tests, and a proxy before them that makes things go wrong.
//!
//! ```
//! use test_servers::{Fault, FaultProxy, Moto};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! let moto = Moto::shared();
//! moto.put_parameter("/example/greeting", "hello");
//! let proxy = FaultProxy::before(moto.port()).await;
//! proxy.always(Fault::Drop);
//! assert!(proxy.variables().contains(&("AWS_ENDPOINT_URL".to_owned(), proxy.endpoint())));
//! # });
//! ```

#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod fault_proxy;
mod moto;
mod python;

pub use fault_proxy::{Fault, FaultProxy, ProxiedRequest};
pub use moto::Moto;
pub use python::PythonServer;

/// Returns the variables with which a function finds services at this endpoint.
fn variables(endpoint: String) -> Vec<(String, String)> {
    [
        ("AWS_ENDPOINT_URL", endpoint.as_str()),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "test"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec()
}
