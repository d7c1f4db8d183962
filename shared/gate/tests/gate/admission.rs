//! Requests that pass, those that the gate answers itself, and the parts of one that goes on.

use std::sync::Arc;

use alb_mtls_gate::{
    Admission, AllowedRequest, EdgeCertificate, Gate, Ingress, Peer, PublicRequests, VerifiedClient,
};
use alb_mtls_http::host::RequestHost;
use alb_mtls_trust::Snapshot;
use alb_mtls_verifier::{PresentedChain, Timestamp};
use http::request::{Builder, Parts};
use http::{Method, Request};
use rustls_pki_types::CertificateDer;

use crate::support::{CERTIFICATE, Site, of_client, percent_encoded, status};

async fn admit(gate: &Gate, request: Builder) -> Admission {
    let (parts, ()) = request.body(()).unwrap().into_parts();
    gate.admit_at(parts.into(), Timestamp::now()).await
}

/// Returns `allowed`, `healthy`, or the detail of the denial.
async fn outcome(gate: &Gate, request: Builder) -> &'static str {
    match admit(gate, request).await {
        Admission::Allowed(_) => "allowed",
        Admission::Answered(answer) => answer.denial().map_or("healthy", |denial| denial.reason().detail),
    }
}

async fn allowed(gate: &Gate, request: Builder) -> AllowedRequest {
    match admit(gate, request).await {
        Admission::Allowed(allowed) => allowed,
        Admission::Answered(answer) => panic!("{:?}", answer.denial()),
    }
}

fn health_check() -> Builder {
    Request::get("/").header("user-agent", "ELB-HealthChecker/2.0")
}

#[tokio::test]
async fn health_checks_of_the_load_balancer_alone_are_answered() {
    let site = Site::new();
    for mode in ["enforce", "report", "optional"] {
        let gate = site.gate(&[("MTLS_MODE", mode)]);
        let answered = admit(&gate, health_check()).await;
        assert_eq!(status(&answered), 200);
        assert_eq!(site.records.last()["decision"], "health_check");
    }
    let gate = site.gate(&[]);
    let address = Peer::Address("10.0.0.1".parse().unwrap());
    let healthy = [
        health_check(),
        health_check().extension(Ingress::default()),
        health_check().header("host", "10.0.0.7"),
        health_check()
            .header("host", "10.0.0.7")
            .extension(Ingress::from_peer(address)),
    ];
    for request in healthy {
        assert_eq!(outcome(&gate, request).await, "healthy");
    }
    let presented = PresentedChain::new([CertificateDer::from(site.root.der().to_vec())]).unwrap();
    let of_clients = [
        health_check().header("x-amzn-trace-id", "Root=1-67891233-abcdef012345678912345678"),
        health_check().header("x-forwarded-for", "192.0.2.1"),
        health_check().header("x-forwarded-port", "443"),
        health_check().header("x-forwarded-proto", "https"),
        health_check().method(Method::POST),
        health_check().method(Method::HEAD),
        Request::get("/").header("user-agent", "ELB-HealthChecker/2.0 "),
        Request::get("/"),
        // An event of Lambda's has the host that a client sent.
        health_check()
            .header("host", "orders.example")
            .extension(Ingress::default()),
        health_check().extension(Ingress::from_peer(Peer::Vouched)),
    ];
    for request in of_clients {
        let text = format!("{request:?}");
        assert_eq!(outcome(&gate, request).await, "certificate_missing", "{text}");
    }
    // Behind another edge than a load balancer there are none.
    let request = health_check().extension(EdgeCertificate(Ok(presented)));
    assert_ne!(outcome(&gate, request).await, "healthy");
}

#[tokio::test]
async fn other_ways_than_the_expected_one_are_denied_in_every_mode() {
    let site = Site::new();
    let client = site.client("CN=client");
    let group = |name: &str| {
        format!("arn:aws:elasticloadbalancing:us-east-1:123456789012:targetgroup/{name}/0123456789abcdef")
    };
    let through = |name: Option<&str>| Ingress {
        target_group: name.map(group),
        ..Ingress::default()
    };
    let served = group("orders");
    for mode in ["enforce", "report", "optional"] {
        let gate = site.gate(&[("MTLS_MODE", mode), ("MTLS_TARGET_GROUPS", &served)]);
        for (ingress, expected) in [
            (through(Some("orders")), "allowed"),
            (through(Some("others")), "target_group"),
            (through(None), "target_group"),
        ] {
            let request = of_client(&client).extension(ingress);
            assert_eq!(outcome(&gate, request).await, expected, "{mode}");
        }
        assert_eq!(outcome(&gate, of_client(&client)).await, "target_group", "{mode}");
        let gate = site.gate(&[("MTLS_MODE", mode), ("MTLS_PEERS", "10.0.0.0/8")]);
        let address = |text: &str| Peer::Address(text.parse().unwrap());
        for (peer, expected) in [
            (address("10.1.2.3"), "allowed"),
            (address("::ffff:10.1.2.3"), "allowed"),
            (Peer::Vouched, "allowed"),
            (address("192.0.2.1"), "peer"),
            (address("::1"), "peer"),
            (Peer::Unknown, "peer"),
        ] {
            let request = of_client(&client).extension(Ingress::from_peer(peer));
            assert_eq!(outcome(&gate, request).await, expected, "{mode} {peer:?}");
        }
        assert_eq!(outcome(&gate, of_client(&client)).await, "peer", "{mode}");
        let tunnel = of_client(&client)
            .method(Method::CONNECT)
            .uri("orders.example:443");
        let gate = site.gate(&[("MTLS_MODE", mode)]);
        assert_eq!(outcome(&gate, tunnel).await, "method_connect", "{mode}");
    }
}

/// Opens one path.
#[derive(Debug)]
struct Open {
    goes_by_host: bool,
}

impl PublicRequests for Open {
    fn is_public(&self, request: &Parts, _: &RequestHost) -> bool {
        request.uri.path() == "/open"
    }

    fn goes_by_host(&self) -> bool {
        self.goes_by_host
    }
}

#[tokio::test]
async fn public_requests_pass_without_a_certificate_and_without_an_identity() {
    let site = Site::new();
    let gate = site
        .gate(&[])
        .with_public_requests(Arc::new(Open { goes_by_host: false }));
    let open = || Request::get("/open").header("x-amzn-mtls-clientcert-subject", "CN=forged");
    let AllowedRequest { parts, principal, .. } = allowed(&gate, open()).await;
    assert!(principal.client().is_none(), "{principal:?}");
    assert!(!parts.headers.contains_key("x-amzn-mtls-clientcert-subject"));
    assert!(parts.extensions.get::<VerifiedClient>().is_none());
    assert_eq!(site.records.last()["decision"], "public");
    assert_eq!(
        outcome(&gate, Request::get("/other")).await,
        "certificate_missing"
    );
    // What is public for this service is not for that of a proxy that asks.
    let asked = open().extension(Ingress::from_peer(Peer::Vouched));
    assert_eq!(outcome(&gate, asked).await, "certificate_missing");
    let restated = Request::get("/open?_method=DELETE");
    assert_eq!(outcome(&gate, restated).await, "restated");
    let kept = site
        .gate(&[("MTLS_RESTATED", "keep")])
        .with_public_requests(Arc::new(Open { goes_by_host: false }));
    assert_eq!(
        outcome(&kept, Request::get("/open?_method=DELETE")).await,
        "allowed"
    );
}

#[tokio::test]
async fn request_without_a_host_is_denied_where_routes_go_by_it() {
    let site = Site::new();
    let client = site.client("CN=client");
    for mode in ["enforce", "report"] {
        let gate = |goes_by_host| {
            let public = Arc::new(Open { goes_by_host });
            site.gate(&[("MTLS_MODE", mode)]).with_public_requests(public)
        };
        assert_eq!(outcome(&gate(true), of_client(&client)).await, "host_unclear");
        assert_eq!(outcome(&gate(false), of_client(&client)).await, "allowed");
        let named = of_client(&client).header("host", "orders.example");
        assert_eq!(outcome(&gate(true), named).await, "allowed");
    }
}

#[tokio::test]
async fn a_verified_request_goes_on_with_its_client_and_the_trust_material() {
    let site = Site::new();
    let client = site.client("CN=client");
    let request = of_client(&client)
        .header("client-cert", "forged")
        .header("accept", "text/html");
    let AllowedRequest { parts, principal, .. } = allowed(&site.gate(&[]), request).await;
    let names: Vec<&str> = parts.headers.keys().map(|name| name.as_str()).collect();
    assert_eq!(names, ["accept"]);
    let verified = parts.extensions.get::<VerifiedClient>().unwrap();
    assert_eq!(verified.identity().subject.as_str(), "CN=client");
    assert_eq!(
        principal.client().unwrap().identity().subject.as_str(),
        "CN=client"
    );
    let snapshot = parts.extensions.get::<Arc<Snapshot>>().unwrap();
    assert_eq!(site.records.last()["trust_version"], snapshot.version());
}

#[tokio::test]
async fn certificate_header_counts_for_nothing_behind_another_edge() {
    let site = Site::new();
    let client = site.client("CN=client");
    let gate = site.gate(&[]).without_certificate_header();
    assert_eq!(outcome(&gate, of_client(&client)).await, "certificate_missing");
    let chain = PresentedChain::new([CertificateDer::from(client.der().to_vec())]).unwrap();
    let handed_over = || Request::get("/").extension(EdgeCertificate(Ok(chain.clone())));
    assert_eq!(outcome(&gate, handed_over()).await, "allowed");
    // The edge's certificate decides where there is a header too.
    let stranger = Site::new().client("CN=stranger");
    let both = handed_over().header(CERTIFICATE, percent_encoded(&stranger.pem()));
    let passed = allowed(&site.gate(&[]), both).await;
    assert_eq!(
        passed.principal.client().unwrap().identity().subject.as_str(),
        "CN=client"
    );
}

#[tokio::test]
async fn the_hint_to_renew_comes_within_its_time_and_to_verified_clients() {
    let site = Site::new();
    let client = site.client("CN=client");
    let end = Timestamp::from_unix_seconds(client.certificate().not_after().unwrap().unix_timestamp());
    let hint = async |gate: &Gate, request: Builder, seconds_left: i64| {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        match gate.admit_at(parts.into(), end.plus_seconds(-seconds_left)).await {
            Admission::Allowed(allowed) => {
                let value = allowed.response_headers.get("client-cert-expires");
                value.map(|value| value.to_str().unwrap().to_owned())
            }
            Admission::Answered(answer) => panic!("{:?}", answer.denial()),
        }
    };
    let day = 86_400;
    let gate = site.gate(&[("MTLS_RENEWAL_HINT", "7d"), ("MTLS_MODE", "optional")]);
    assert_eq!(hint(&gate, of_client(&client), 7 * day + 1).await, None);
    for seconds in [7 * day, day, 0] {
        let told = hint(&gate, of_client(&client), seconds).await;
        assert_eq!(told, Some(end.to_string()));
    }
    assert_eq!(
        hint(&gate, Request::get("/"), day).await,
        None,
        "without a certificate"
    );
    let silent = site.gate(&[]);
    assert_eq!(hint(&silent, of_client(&client), day).await, None);
}
