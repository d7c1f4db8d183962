//! The authorization service behind real proxies, with the text of the samples in `deploy`.

use alb_mtls_tests::{
    Clients, IDENTITY_HEADERS, RESTATING_HEADERS, RawAnswer, SECRET_HEADER, Server, exchange, source,
    spellings,
};
use serde_json::Value;

use crate::sample::{CADDY, ENVOY_GRPC, ENVOY_HTTP, From, HAPROXY, NGINX, Sample, TRAEFIK};
use crate::{client_lines, good_lines};
use alb_mtls_tests::upstream::{Recorded, Recorder, Reply};

const FORGED: &str = "forged-identity";

/// Headers that the samples are written for: the default of `SERVER_AUTHORIZE_IDENTITY`.
const IDENTITY: [&str; 7] = [
    "x-amzn-mtls-clientcert-serial-number",
    "x-amzn-mtls-clientcert-issuer",
    "x-amzn-mtls-clientcert-subject",
    "x-amzn-mtls-clientcert-validity",
    "x-amzn-mtls-clientcert-leaf",
    "client-cert",
    "client-cert-chain",
];

/// A proxy between clients and a service, beside the authorization service.
struct Setup {
    clients: Clients,
    server: Server,
    service: Recorder,
    proxy: crate::sample::Proxy,
}

impl Setup {
    async fn new(sample: Sample, from: From, variables: &[(&str, &str)]) -> Option<Self> {
        let clients = Clients::new();
        let server = Server::authorizing(&clients, variables).await;
        let service = Recorder::start([Reply::ok()]).await;
        let authorizer = server.address("SERVER_AUTHORIZE_LISTEN");
        let proxy = sample.start(authorizer, service.address(), from).await?;
        Some(Self {
            clients,
            server,
            service,
            proxy,
        })
    }

    async fn ask(&self, request_line: &str, headers: &[String]) -> RawAnswer {
        exchange(self.proxy.address, request_line, headers).await
    }
}

/// Returns the values of a header, by its name in lower case.
fn values(recorded: &Recorded, name: &str) -> Vec<String> {
    let lines = recorded.headers().into_iter();
    let values = lines.filter_map(|line| {
        let (known, value) = line.split_once(": ")?;
        known.eq_ignore_ascii_case(name).then(|| value.to_owned())
    });
    values.collect()
}

async fn verified_clients_pass_with_their_identity(sample: Sample) {
    let Some(mut setup) = Setup::new(sample, From::Here, &[]).await else {
        return;
    };
    let lines = good_lines(&setup.clients);
    for target in ["/", "/a/b?c=d", "/a/../b", "//a", "/a%2Fb%20c", "/a?_method=1&b"] {
        let answer = setup.ask(&format!("GET {target}"), &lines).await;
        assert_eq!(
            (answer.status, answer.body.as_str()),
            (200, "ok"),
            "{target}: {}",
            answer.head
        );
        let recorded = setup.service.next().await;
        for name in IDENTITY {
            assert_eq!(values(&recorded, name).len(), 1, "{name}: {}", recorded.head());
        }
        let subject = values(&recorded, "x-amzn-mtls-clientcert-subject");
        assert_eq!(subject, ["CN=client-1,OU=Payments,O=Tests"]);
        assert!(values(&recorded, SECRET_HEADER).is_empty(), "{}", recorded.head());
        // What was decided about is what the service sees.
        let record = setup.server.record().await;
        let told = format!(
            "{} {}",
            record["method"].as_str().unwrap(),
            record["path"].as_str().unwrap()
        );
        let seen = recorded.request_line();
        let seen = seen.split([' ', '?']).take(2).collect::<Vec<_>>().join(" ");
        assert_eq!(told, seen, "{target}");
        assert_eq!(values(&recorded, "host"), [record["host"].as_str().unwrap()]);
        assert_eq!(record["alb_trace_id"], "Root=1-67890000-0123456789abcdef01234567");
    }
    let mut posted = lines.clone();
    posted.push("content-length: 0".to_owned());
    assert_eq!(setup.ask("DELETE /a", &posted).await.status, 200);
    let recorded = setup.service.next().await;
    assert!(
        recorded.request_line().starts_with("DELETE /a "),
        "{}",
        recorded.head()
    );
    assert_eq!(setup.server.record().await["method"], "DELETE");
}

async fn other_clients_are_denied(sample: Sample) {
    let Some(mut setup) = Setup::new(sample, From::Here, &[]).await else {
        return;
    };
    let answer = setup.ask("GET /", &client_lines()).await;
    assert_eq!(answer.status, 401, "{}", answer.head);
    assert_eq!(answer.header("www-authenticate"), Some("ClientCertificate"));
    let lines = good_lines(&setup.clients);
    let foreign = Clients::of("Foreign");
    for other in [
        [client_lines(), vec![format!("{SECRET_HEADER}: x")]].concat(),
        good_lines(&foreign),
        // The certificate header twice.
        [lines.clone(), good_lines(&foreign)[5..].to_vec()].concat(),
        // The load balancer's own health check, which is the proxy's matter.
        vec![
            "host: a.example".to_owned(),
            "user-agent: ELB-HealthChecker/2.0".to_owned(),
        ],
    ] {
        let answer = setup.ask("GET /", &other).await;
        assert!([400, 401].contains(&answer.status), "{other:?}: {}", answer.head);
    }
    let health = setup.ask("GET /healthz", &["host: a.example".to_owned()]).await;
    assert!((200..300).contains(&health.status), "{}", health.head);
    assert!(setup.service.arrived().is_none());
}

async fn forged_identities_never_arrive(sample: Sample) {
    let Some(mut setup) = Setup::new(sample, From::Here, &[("MTLS_MODE", "optional")]).await else {
        return;
    };
    let (mut forwarded, mut denied) = (0, 0);
    let names = IDENTITY_HEADERS.iter().chain(RESTATING_HEADERS);
    let names = names.map(|name| match *name {
        // That of the corpus.
        "X-Renamed-Header" => SECRET_HEADER,
        name => name,
    });
    for name in names.flat_map(spellings) {
        for mut lines in [good_lines(&setup.clients), client_lines()] {
            let is_verified = lines.len() > client_lines().len();
            lines.push(format!("{name}: {FORGED}"));
            let answer = setup.ask("GET /", &lines).await;
            match setup.service.arrived() {
                None => {
                    assert!([400, 401].contains(&answer.status), "{name}: {}", answer.head);
                    denied += 1;
                }
                Some(recorded) => {
                    assert_eq!(answer.status, 200, "{name}: {}", answer.head);
                    let head = recorded.head();
                    assert!(!head.contains(FORGED), "{name}:\n{head}");
                    let subjects = values(&recorded, "x-amzn-mtls-clientcert-subject");
                    assert_eq!(subjects.len(), usize::from(is_verified), "{name}:\n{head}");
                    forwarded += 1;
                }
            }
        }
    }
    assert!(denied + forwarded > 1_000, "{denied} {forwarded}");
}

/// Checks that in mode `report` no client passes with an identity that it gave itself.
async fn forged_identities_never_arrive_in_report(sample: Sample) {
    let Some(mut setup) = Setup::new(sample, From::Here, &[("MTLS_MODE", "report")]).await else {
        return;
    };
    assert_eq!(setup.ask("GET /", &client_lines()).await.status, 200);
    setup.service.next().await;
    for name in IDENTITY_HEADERS
        .iter()
        .filter(|name| **name != "X-Renamed-Header")
    {
        for mut lines in [good_lines(&setup.clients), client_lines()] {
            lines.push(format!("{name}: {FORGED}"));
            let answer = setup.ask("GET /", &lines).await;
            match setup.service.arrived() {
                None => assert!([400, 401].contains(&answer.status), "{name}: {}", answer.head),
                Some(recorded) => assert!(!recorded.head().contains(FORGED), "{}", recorded.head()),
            }
        }
    }
}

/// Checks that a policy sees the address that the load balancer named, or denies.
async fn source_address_is_what_the_load_balancer_said(sample: Sample, is_told: bool) {
    for (network, status) in [
        ("127.0.0.0/8", 403),
        ("203.0.113.0/24", if is_told { 200 } else { 403 }),
    ] {
        let policies = Clients::new();
        let text = format!(
            "permit (principal, action, resource) when \
             {{ context has source_address && context.source_address.isInRange(ip(\"{network}\")) }};"
        );
        let policies = source(&policies, "policies.cedar", text);
        let variables = [("MTLS_POLICY", policies.as_str())];
        let Some(mut setup) = Setup::new(sample, From::Here, &variables).await else {
            return;
        };
        let mut lines = good_lines(&setup.clients);
        lines.retain(|line| !line.starts_with("x-forwarded-for"));
        lines.push("x-forwarded-for: 127.0.0.9, 203.0.113.9".to_owned());
        let answer = setup.ask("GET /", &lines).await;
        assert_eq!(answer.status, status, "{network}: {}", answer.head);
        let record = setup.server.record().await;
        let detail = match (status, is_told) {
            (200, _) => Value::Null,
            (_, true) => "policy_does_not_permit".into(),
            (_, false) => "policy_source_address_unclear".into(),
        };
        assert_eq!(record["detail"], detail, "{network}");
    }
}

/// Checks that the host of another message is not decided about where there is none.
async fn request_without_a_host_does_not_pass(sample: Sample) {
    let policies = Clients::new();
    let text = "permit (principal, action, resource) unless { resource in Host::\"admin.example\" };";
    let policies = source(&policies, "policies.cedar", text);
    let variables = [("MTLS_POLICY", policies.as_str())];
    let Some(mut setup) = Setup::new(sample, From::Here, &variables).await else {
        return;
    };
    let with_host = good_lines(&setup.clients);
    let mut without: Vec<String> = with_host.clone();
    without.retain(|line| !line.starts_with("host:"));
    let empty = [without.clone(), vec!["host:".to_owned()]].concat();
    for (line, headers) in [
        ("GET / HTTP/1.0", &without),
        ("GET / HTTP/1.1", &without),
        ("GET / HTTP/1.1", &empty),
    ] {
        let answer = setup.ask(line, headers).await;
        assert_ne!(answer.status, 200, "{line}: {}", answer.head);
        assert!(setup.service.arrived().is_none(), "{line}");
    }
    assert_eq!(setup.ask("GET /", &with_host).await.status, 200);
}

async fn nothing_passes_without_the_service(sample: Sample) {
    let Some(mut setup) = Setup::new(sample, From::Here, &[]).await else {
        return;
    };
    let lines = good_lines(&setup.clients);
    assert_eq!(setup.ask("GET /", &lines).await.status, 200);
    setup.service.next().await;
    setup.server.signal("KILL").await;
    setup.server.ended().await;
    for _ in 0..3 {
        let answer = setup.ask("GET /", &lines).await;
        assert!((500..=503).contains(&answer.status), "{}", answer.head);
    }
    assert!(setup.service.arrived().is_none());
}

async fn nothing_passes_without_trust_material(sample: Sample) {
    let variables = [("MTLS_ANCHORS", "file:/nowhere/anchors.pem")];
    let Some(mut setup) = Setup::new(sample, From::Here, &variables).await else {
        return;
    };
    let answer = setup.ask("GET /", &good_lines(&setup.clients)).await;
    assert_eq!(answer.status, 503, "{}", answer.head);
    assert!(setup.service.arrived().is_none());
}

async fn other_networks_are_denied(sample: Sample) {
    let Some(mut setup) = Setup::new(sample, From::Elsewhere, &[]).await else {
        return;
    };
    let mut lines = good_lines(&setup.clients);
    lines.retain(|line| !line.starts_with("x-forwarded-for"));
    lines.push("x-forwarded-for: 10.0.0.1".to_owned());
    lines.push("x-real-ip: 10.0.0.1".to_owned());
    assert_eq!(setup.ask("GET /", &lines).await.status, 403);
    assert!(setup.service.arrived().is_none());
}

macro_rules! tests_of {
    ($($name:ident: $sample:expr, tells_source_address: $is_told:expr;)+) => { $(
        mod $name {
            use super::*;

            #[tokio::test]
            async fn verified_clients_pass_with_their_identity() {
                super::verified_clients_pass_with_their_identity($sample).await;
            }

            #[tokio::test]
            async fn other_clients_are_denied() {
                super::other_clients_are_denied($sample).await;
            }

            #[tokio::test]
            async fn forged_identities_never_arrive() {
                super::forged_identities_never_arrive($sample).await;
            }

            #[tokio::test]
            async fn forged_identities_never_arrive_in_report() {
                super::forged_identities_never_arrive_in_report($sample).await;
            }

            #[tokio::test]
            async fn source_address_is_what_the_load_balancer_said() {
                super::source_address_is_what_the_load_balancer_said($sample, $is_told).await;
            }

            #[tokio::test]
            async fn request_without_a_host_does_not_pass() {
                super::request_without_a_host_does_not_pass($sample).await;
            }

            #[tokio::test]
            async fn nothing_passes_without_the_service() {
                super::nothing_passes_without_the_service($sample).await;
            }

            #[tokio::test]
            async fn nothing_passes_without_trust_material() {
                super::nothing_passes_without_trust_material($sample).await;
            }

            #[tokio::test]
            async fn other_networks_are_denied() {
                super::other_networks_are_denied($sample).await;
            }
        }
    )+ };
}

tests_of! {
    nginx: NGINX, tells_source_address: true;
    caddy: CADDY, tells_source_address: false;
    haproxy: HAPROXY, tells_source_address: true;
    traefik: TRAEFIK, tells_source_address: false;
    envoy_grpc: ENVOY_GRPC, tells_source_address: true;
    envoy_http: ENVOY_HTTP, tells_source_address: true;
}
