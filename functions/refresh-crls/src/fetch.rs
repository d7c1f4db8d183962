//! Fetching of CRLs over HTTP, by the rules of [`WebRules`].

use std::sync::Arc;

use alb_mtls_trust::{Content, HttpLocation, WebRules};
use rustls::ClientConfig;
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;

use crate::error::RefreshError;

/// Configuration of fetching CRLs over HTTP.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fetcher<'a> {
    pub(crate) rules: WebRules<'a>,
    /// Of `https` servers; there when a location needs it.
    pub(crate) tls: Option<&'a Arc<ClientConfig>>,
}

impl Fetcher<'_> {
    /// Returns the CRLs of the location. The caller limits the time.
    pub(crate) async fn fetch(self, location: &HttpLocation) -> Result<Content, RefreshError> {
        let stream = self.rules.connect(location).await?;
        let content = match (location.is_tls(), self.tls) {
            (false, _) => self.rules.get_lists(location, stream).await,
            (true, Some(configuration)) => {
                let host = location.host();
                let name = ServerName::try_from(host.to_owned())
                    .map_err(|_| RefreshError::Refused(format!("`{host}` is not a name of a server")))?;
                let connector = TlsConnector::from(Arc::clone(configuration));
                let stream = connector
                    .connect(name, stream)
                    .await
                    .map_err(|error| RefreshError::Unreachable(format!("TLS: {error}")))?;
                self.rules.get_lists(location, stream).await
            }
            (true, None) => return Err(RefreshError::Refused("TLS is not set up".to_owned())),
        };
        Ok(content?)
    }
}
