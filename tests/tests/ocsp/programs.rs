//! Answers of responders through every program: `respond`, the authorizer, the layer and the
//! server.

use alb_mtls_tests::api_events::{Api, with_certificate};
use alb_mtls_tests::{
    Clients, Function, SECRET_HEADER, Server, binary, certificate_headers, client_headers, event, exchange,
    header_of, project,
};
use local_alb::{FunctionCommand, HeaderMode};
use serde_json::Value;
use test_pki::{CertificateBuilder, Credential};

use crate::responders::{Openssl, delegate, revoked, valid};
use crate::{LEAF, NETWORKS};

enum Program {
    Respond(Function),
    Authorize(Function),
    Layer(Function),
    Server(Server),
}

impl Program {
    async fn all(clients: &Clients, others: &[(&str, &str)]) -> [Self; 4] {
        let intermediates = clients.write("intermediates.pem", &clients.issuing.pem());
        let mut variables = vec![
            ("MTLS_ANCHORS".to_owned(), clients.anchors_source()),
            (
                "MTLS_INTERMEDIATES".to_owned(),
                format!("file:{}", intermediates.display()),
            ),
        ];
        let others = others
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        variables.extend(others);
        let layer = FunctionCommand::new(binary("alb-mtls-layer"))
            .name("app")
            .argument(project().join(".venv/bin/python"))
            .argument(project().join("tests/tests/layer/function.py"));
        let layer = variables.iter().fold(layer, |command, (name, value)| {
            command.variable(name.as_str(), value.as_str())
        });
        let server = [
            ("MTLS_HEADER", SECRET_HEADER),
            ("MTLS_PEERS", "127.0.0.0/8"),
            ("FORWARD_UPSTREAM", "http://127.0.0.1:9"),
            ("SERVER_LISTEN", "127.0.0.1:0"),
            ("SERVER_ADMIN_LISTEN", "off"),
        ];
        let server = server.map(|(name, value)| (name.to_owned(), value.to_owned()));
        [
            Self::Respond(Function::start("respond", variables.clone()).await),
            Self::Authorize(Function::start("authorize", variables.clone()).await),
            Self::Layer(Function::run(layer).await),
            Self::Server(Server::start(variables.into_iter().chain(server)).await),
        ]
    }

    fn name(&self) -> &'static str {
        match self {
            Self::Respond(_) => "respond",
            Self::Authorize(_) => "authorize",
            Self::Layer(_) => "layer",
            Self::Server(_) => "server",
        }
    }

    /// Returns the record of the decision about a client.
    async fn ask(&mut self, client: &Credential) -> Value {
        let header = header_of([client]);
        match self {
            Self::Respond(function) | Self::Layer(function) => {
                let headers = certificate_headers(header);
                function
                    .invoke(event("GET", "/", &headers, HeaderMode::MultiValue))
                    .await;
                function.record().await
            }
            Self::Authorize(function) => {
                function
                    .invoke(with_certificate(Api::Http2, client).to_string())
                    .await;
                function.record().await
            }
            Self::Server(server) => {
                let headers = client_headers();
                let mut lines: Vec<String> = headers
                    .iter()
                    .map(|(name, value)| format!("{name}: {value}"))
                    .collect();
                lines.push(format!("{SECRET_HEADER}: {header}"));
                exchange(server.address("SERVER_LISTEN"), "GET /", &lines).await;
                server.record().await
            }
        }
    }
}

fn outcome(record: &Value) -> String {
    match record["decision"].as_str().unwrap() {
        "allowed" => match record["client"]["revocation_unknown"].as_str() {
            Some(detail) => format!("allowed, {detail}"),
            None => "allowed".to_owned(),
        },
        _ => record["detail"].as_str().unwrap().to_owned(),
    }
}

#[tokio::test]
async fn every_program_asks_the_issuer_or_its_delegate() {
    let clients = Clients::new();
    let client = |name: &str| clients.issue(CertificateBuilder::client(name));
    let (bad, unregistered) = (client("CN=bad"), client("CN=unregistered"));
    let index = valid(&clients.good) + &revoked(&bad);
    for signer in [&clients.issuing, &delegate(&clients)] {
        let responder = Openssl::start(clients.directory(), &clients.issuing, signer, &index).await;
        for (mode, of_unknown) in [("strict", "ocsp_unknown"), ("soft", "allowed, ocsp_unknown")] {
            let settings = [
                ("MTLS_OCSP", responder.url.as_str()),
                NETWORKS,
                LEAF,
                ("MTLS_REVOCATION", mode),
            ];
            for mut program in Program::all(&clients, &settings).await {
                let good = program.ask(&clients.good).await;
                assert_eq!(outcome(&good), "allowed", "{}: {good}", program.name());
                assert!(good["client"]["ocsp_until"].is_string(), "{good}");
                let record = program.ask(&bad).await;
                assert_eq!(outcome(&record), "revoked", "{}: {record}", program.name());
                let explanation = record["explanation"].as_str().unwrap();
                assert!(
                    explanation.contains("keyCompromise, by the OCSP response of"),
                    "{record}"
                );
                let record = program.ask(&unregistered).await;
                assert_eq!(outcome(&record), of_unknown, "{}: {record}", program.name());
            }
        }
    }
}
