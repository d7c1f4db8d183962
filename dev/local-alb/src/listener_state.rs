use std::net::SocketAddr;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use rustls_pki_types::CertificateDer;
use tokio::sync::mpsc::UnboundedSender;

use crate::admission::ConnectionFacts;
use crate::certificate_headers::{passthrough_header, verify_headers};
use crate::listener::{ClientCertificateHeaderCopies, MutualAuthentication};
use crate::record::Record;
use crate::running_target::RunningGroup;

/// Routes and settings that all connections of a listener share.
#[derive(Debug)]
pub(crate) struct ListenerState {
    pub(crate) routes: Vec<(String, Arc<RunningGroup>)>,
    pub(crate) mode: MutualAuthentication,
    pub(crate) certificate_header: HeaderName,
    pub(crate) client_header_copies: ClientCertificateHeaderCopies,
    pub(crate) records: Option<UnboundedSender<Record>>,
    pub(crate) listener_port: u16,
}

impl ListenerState {
    pub(crate) fn route(&self, path: &str) -> Option<&Arc<RunningGroup>> {
        let mut routes = self.routes.iter();
        routes
            .find(|(prefix, _)| path.starts_with(prefix))
            .map(|(_, group)| group)
    }

    /// A receiver that is gone does not stop the load balancer.
    pub(crate) fn tell(&self, record: Record) {
        if let Some(records) = &self.records {
            let _ = records.send(record);
        }
    }

    pub(crate) fn connection_facts(
        &self,
        client: SocketAddr,
        chain: &[CertificateDer<'_>],
    ) -> Result<ConnectionFacts, String> {
        let mut certificate_headers = Vec::new();
        match (&self.mode, chain.first()) {
            (_, None) => {}
            (MutualAuthentication::Passthrough, Some(_)) => {
                let value = header_value(&passthrough_header(chain))?;
                certificate_headers.push((self.certificate_header.clone(), value));
            }
            (MutualAuthentication::Verify { .. }, Some(leaf)) => {
                for (name, value) in verify_headers(leaf).map_err(|error| error.to_string())? {
                    certificate_headers.push((HeaderName::from_static(name), header_value(&value)?));
                }
            }
        }
        Ok(ConnectionFacts {
            client: client.ip(),
            listener_port: self.listener_port,
            certificate_headers,
            renamed_header: self.certificate_header.clone(),
            client_header_copies: self.client_header_copies,
        })
    }
}

fn header_value(text: &str) -> Result<HeaderValue, String> {
    HeaderValue::from_bytes(text.as_bytes())
        .map_err(|_| "a field of the client certificate does not fit into a header".to_owned())
}
