//! A load balancer on this machine in front of one target.

use std::path::PathBuf;
use std::process::Output;

use alb_mtls_tests::Clients;
use local_alb::{ClientCertificateHeaderCopies, HeaderMode, Listener, LocalAlb, Target, TargetGroup};
use pki::{CertificateBuilder, write_private};

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
        let authority = CertificateBuilder::root("CN=Server CA").self_signed().unwrap();
        let server = CertificateBuilder::server("CN=localhost")
            .dns("localhost")
            .issued_by(&authority)
            .unwrap();
        let certificate = clients.write("server.pem", &server.pem());
        let key = clients.directory().join("server.key");
        write_private(&key, &server.key().to_pem().unwrap()).unwrap();
        let listener = Listener::from_pem_files(&certificate, &key)
            .unwrap()
            .address("127.0.0.1:0".parse().unwrap())
            .client_header_copies(copies);
        let group = TargetGroup::new("gate", target).header_mode(HeaderMode::MultiValue);
        Self {
            alb: LocalAlb::start(listener, vec![group]).await.unwrap(),
            server_authority: clients.write("server-ca.pem", &authority.pem()),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("https://localhost:{}/", self.alb.address().port())
    }
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
