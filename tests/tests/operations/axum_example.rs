//! `examples/axum` behind a load balancer on this machine, as an IP target.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use alb_mtls_tests::{Clients, binary};
use local_alb::{ClientCertificateHeaderCopies, Target};

use crate::load_balancer::{LoadBalancer, stdout};

/// The built example. Ends with the value.
struct Service {
    process: Child,
    address: SocketAddr,
}

impl Service {
    fn start(clients: &Clients) -> Self {
        let mut process = Command::new(binary("example-axum"))
            .env("MTLS_ANCHORS", clients.anchors_source())
            .env("LISTEN", "127.0.0.1:0")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(process.stderr.take().unwrap()).lines();
        let first = lines.next().expect("the service says something").unwrap();
        assert!(
            first.starts_with("warning: the certificate header has the name"),
            "{first}"
        );
        let address = loop {
            let line = lines.next().expect("the service listens before it ends").unwrap();
            if let Some(address) = line.strip_prefix("listening on ") {
                break address.parse().unwrap();
            }
        };
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, address }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn curl(balancer: &LoadBalancer, path: &str, client: Option<(&Path, &Path)>) -> String {
    let mut command = tokio::process::Command::new("curl");
    command
        .args([
            "--silent",
            "--show-error",
            "--write-out",
            "%{http_code}",
            "--cacert",
        ])
        .arg(&balancer.server_authority);
    if let Some((chain, key)) = client {
        command.arg("--cert").arg(chain).arg("--key").arg(key);
    }
    command.arg(format!("{}{path}", balancer.url()));
    stdout(&command.output().await.unwrap())
}

#[tokio::test]
async fn an_axum_service_knows_its_clients_and_refuses_others() {
    let clients = Clients::new();
    let foreign = Clients::of("Foreign");
    let service = Service::start(&clients);
    let target = Target::Http(service.address);
    let balancer = LoadBalancer::start(&clients, target, ClientCertificateHeaderCopies::Strip).await;

    let (chain, key) = clients.write_client("good", &clients.good);
    let answer = curl(&balancer, "", Some((&chain, &key))).await;
    assert_eq!(answer, "hello CN=client-1,OU=Payments,O=Tests\n200");

    let (chain, key) = foreign.write_client("foreign", &foreign.good);
    let answer = curl(&balancer, "", Some((&chain, &key))).await;
    assert!(answer.ends_with("401") && !answer.contains("hello"), "{answer}");
    let answer = curl(&balancer, "", None).await;
    assert!(answer.ends_with("401"), "{answer}");
    assert_eq!(curl(&balancer, "healthz", None).await, "healthy\n200");
}
