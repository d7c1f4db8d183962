//! A load balancer on this machine in front of one target.

use std::path::PathBuf;
use std::process::Output;

use alb_mtls_tests::Clients;
use local_alb::{ClientCertificateHeaderCopies, HeaderMode, LocalAlb, Target, TargetGroup};

pub(crate) struct LoadBalancer {
    alb: LocalAlb,
    pub(crate) server_authority: PathBuf,
}

impl LoadBalancer {
    pub(crate) async fn start(
        clients: &Clients,
        target: Target,
        copies: ClientCertificateHeaderCopies,
    ) -> Self {
        let (listener, server_authority) = clients.listener(copies);
        let group = TargetGroup::new("gate", target).header_mode(HeaderMode::MultiValue);
        Self {
            alb: LocalAlb::start(listener, vec![group]).await.unwrap(),
            server_authority,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}/", self.alb.address().port())
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
