//! Headers that claim an identity never reach the upstream.

use alb_mtls_tests::{Clients, IDENTITY_HEADERS, RESTATING_HEADERS, client_headers, spellings};

use crate::functions::{self, calling};
use crate::harness::{Event, forward};
use crate::upstream::{Recorder, Reply};

const FORGED: &str = "forged-identity";

/// Upstream behind the forwarder.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Behind {
    Server,
    Function,
}

const BEHIND: [Behind; 2] = [Behind::Server, Behind::Function];

/// Sends each spelling of each name in a request of its own and returns how many of them were
/// forwarded.
async fn forge(
    behind: Behind,
    variables: &[(&str, &str)],
    headers: &[(String, String)],
    path: &str,
) -> usize {
    let clients = Clients::new();
    forge_as(&clients, behind, variables, headers, path).await
}

async fn forge_as(
    clients: &Clients,
    behind: Behind,
    variables: &[(&str, &str)],
    headers: &[(String, String)],
    path: &str,
) -> usize {
    let mut variables = variables.to_vec();
    variables.push(("MTLS_HEADER", "x-renamed-header"));
    let (mut upstream, function);
    match behind {
        Behind::Server => {
            upstream = Recorder::start([Reply::ok()]).await;
            function = forward(clients, &upstream.url(), &variables).await;
        }
        Behind::Function => {
            upstream = Recorder::start([functions::ok()]).await;
            function = calling(clients, &upstream, "lambda:app", &variables).await;
        }
    }
    let mut forwarded = 0;
    for name in forged_names() {
        let event = Event::get(path, headers.to_vec())
            .header(&name, FORGED)
            .header("x-innocent", "1");
        let answer = function.answer(event.to_bytes()).await;
        match upstream.arrived() {
            None => assert!([400, 401].contains(&answer.status), "{name}: {}", answer.body()),
            Some(recorded) => {
                assert_eq!(answer.status, 200, "{name}: {}", answer.body());
                let text = recorded.head() + std::str::from_utf8(&recorded.body).unwrap();
                assert!(!text.contains(FORGED), "{name}:\n{text}");
                let innocent = match behind {
                    Behind::Server => "x-innocent: 1",
                    Behind::Function => r#""x-innocent":["1"]"#,
                };
                assert!(text.contains(innocent), "{text}");
                forwarded += 1;
            }
        }
    }
    forwarded
}

fn forged_names() -> impl Iterator<Item = String> {
    let names = IDENTITY_HEADERS.iter().chain(RESTATING_HEADERS);
    names.flat_map(|name| spellings(name))
}

fn total() -> usize {
    forged_names().count()
}

#[tokio::test]
async fn nothing_forged_passes_beside_a_certificate() {
    let clients = Clients::new();
    let all = "verify-mode,rfc9440,xfcc,passthrough";
    for (behind, identity) in [
        (Behind::Server, all),
        (Behind::Server, "none"),
        (Behind::Function, all),
        (Behind::Function, "none"),
    ] {
        let variables = [("FORWARD_IDENTITY", identity)];
        let headers: Vec<(String, String)> = clients
            .good_headers()
            .into_iter()
            .map(|(name, value)| (name.replace("x-amzn-mtls-clientcert", "x-renamed-header"), value))
            .collect();
        let forwarded = forge_as(&clients, behind, &variables, &headers, "/").await;
        // Copies and look-alikes of the certificate header, under its own and its usual name, are
        // refused.
        let refused = spellings("X-Renamed-Header").len() + spellings("X-Amzn-Mtls-Clientcert").len();
        assert_eq!(forwarded, total() - refused);
    }
}

#[tokio::test]
async fn nothing_forged_passes_without_a_certificate() {
    for behind in BEHIND {
        let forwarded = forge(behind, &[("MTLS_MODE", "optional")], &client_headers(), "/").await;
        assert!(forwarded > total() / 2, "{forwarded}");
        let forwarded = forge(behind, &[("MTLS_MODE", "report")], &client_headers(), "/").await;
        assert_eq!(forwarded, total());
    }
}

#[tokio::test]
async fn nothing_forged_passes_on_a_public_route() {
    for behind in BEHIND {
        let routes = [("FORWARD_ROUTES", "public:/open")];
        let forwarded = forge(behind, &routes, &client_headers(), "/open").await;
        assert_eq!(forwarded, total());
    }
}

#[tokio::test]
async fn a_client_cannot_have_the_gates_headers_removed() {
    let clients = Clients::new();
    let mut upstream = Recorder::start([Reply::ok()]).await;
    let function = forward(
        &clients,
        &upstream.url(),
        &[("FORWARD_IDENTITY", "verify-mode,rfc9440,xfcc")],
    )
    .await;
    let named = "x-amzn-mtls-clientcert-subject, client-cert, x-forwarded-client-cert, x-forwarded-for, host";
    let event = Event::get("/", clients.good_headers()).header("connection", named);
    assert_eq!(function.answer(event.to_bytes()).await.status, 200);
    let recorded = upstream.next().await;
    assert_eq!(
        recorded.values("x-amzn-mtls-clientcert-subject"),
        ["CN=client-1,OU=Payments,O=Tests"]
    );
    assert_eq!(recorded.values("x-forwarded-for"), ["192.0.2.7"]);
    for name in ["client-cert", "x-forwarded-client-cert", "host"] {
        assert_eq!(recorded.values(name).len(), 1, "{name}");
    }
}

#[tokio::test]
async fn the_certificate_header_stays_behind_unless_asked_for() {
    let clients = Clients::new();
    for (identity, expected) in [("none", 0), ("verify-mode,rfc9440,xfcc", 0), ("passthrough", 1)] {
        let mut upstream = Recorder::start([Reply::ok()]).await;
        let function = forward(&clients, &upstream.url(), &[("FORWARD_IDENTITY", identity)]).await;
        let event = Event::get("/", clients.good_headers());
        assert_eq!(function.answer(event.to_bytes()).await.status, 200);
        let values = upstream.next().await.values("x-amzn-mtls-clientcert");
        assert_eq!(values.len(), expected, "{identity}");
        if let [value] = values.as_slice() {
            assert_eq!(*value, clients.header(&clients.good));
        }
    }
}

#[tokio::test]
async fn refused_clients_reach_no_upstream() {
    let clients = Clients::new();
    let mut upstream = Recorder::start([Reply::ok()]).await;
    let function = forward(&clients, &upstream.url(), &[]).await;
    for headers in [
        client_headers(),
        alb_mtls_tests::certificate_headers(clients.header(&Clients::self_signed())),
        alb_mtls_tests::certificate_headers(clients.header(&clients.expired())),
    ] {
        assert_eq!(
            function.answer(Event::get("/", headers).to_bytes()).await.status,
            401
        );
    }
    assert!(upstream.arrived().is_none());
}
