//! Resolution of names to addresses, none of which can be a metadata service.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::task::{Context, Poll};

use alb_mtls_http::address::AddressClass;
use hyper_util::client::legacy::connect::dns::Name;
use tower::Service;

use crate::upstream;

/// Resolver that uses the system's and returns only addresses that were checked. The connection is
/// made to one of them, without a second lookup in between.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CheckingResolver;

/// Reason why a name has no usable address.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ResolveError {
    #[error("{0}")]
    LookUp(#[source] io::Error),
    #[error("{address} is {class}")]
    Forbidden { address: IpAddr, class: AddressClass },
}

impl Service<Name> for CheckingResolver {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = ResolveError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, ResolveError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ResolveError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, name: Name) -> Self::Future {
        Box::pin(async move {
            // The connector puts the port in.
            let addresses = tokio::net::lookup_host((name.as_str(), 0))
                .await
                .map_err(ResolveError::LookUp)?;
            checked(addresses.collect())
        })
    }
}

/// Rejects a name if one of its addresses is forbidden.
fn checked(addresses: Vec<SocketAddr>) -> Result<std::vec::IntoIter<SocketAddr>, ResolveError> {
    for address in &addresses {
        let address = address.ip();
        upstream::check(address).map_err(|class| ResolveError::Forbidden { address, class })?;
    }
    Ok(addresses.into_iter())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_forbidden_address_condemns_the_name() {
        let addresses = ["10.0.0.7:0", "169.254.169.254:0"].map(|address| address.parse().unwrap());
        assert!(matches!(
            checked(addresses.to_vec()),
            Err(ResolveError::Forbidden { .. })
        ));
        assert_eq!(checked(addresses[..1].to_vec()).unwrap().len(), 1);
    }
}
