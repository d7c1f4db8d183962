//! Answers in the place of the service: problem details for programs, pages for browsers.

use alb_mtls_gate::{Admission, Gate, Incoming, Ingress, Peer};
use alb_mtls_verifier::Timestamp;
use http::request::Builder;
use http::{Method, Request, Response};

use crate::support::{KEYS, Site, TOKENS, of_client};

const CERTIFICATE: &str = "A valid client certificate is required";
const TOKEN: &str = "An access token is required";
const NOT_ALLOWED: &str = "You are not allowed to see this";
const UNDECIDED: &str = "This service cannot check certificates at the moment";
const NOT_SERVABLE: &str = "This request cannot be served";

async fn answer(gate: &Gate, incoming: impl Into<Incoming>) -> Response<String> {
    match gate.admit_at(incoming.into(), Timestamp::now()).await {
        Admission::Answered(answer) => answer.to_response(),
        Admission::Allowed(allowed) => panic!("{:?}", allowed.principal),
    }
}

fn parts(request: Builder) -> http::request::Parts {
    request.body(()).unwrap().into_parts().0
}

fn header<'r>(response: &'r Response<String>, name: &str) -> Option<&'r str> {
    response.headers().get(name).map(|value| value.to_str().unwrap())
}

/// A gate, a request that it denies, and the answer: status, title of the page, detail of the
/// problem, and challenge.
type Case<'c> = (
    Gate,
    &'c dyn Fn() -> Builder,
    u16,
    &'c str,
    &'c str,
    Option<&'c str>,
);

#[tokio::test]
async fn each_kind_of_denial_has_its_own_words() {
    let site = Site::new();
    let client = site.client("CN=client");
    let keys = site.write("keys.json", KEYS);
    let [requirement, issuer, audience, algorithms] = TOKENS;
    let tokens = [
        requirement,
        issuer,
        audience,
        algorithms,
        ("MTLS_TOKEN_KEYS", keys.as_str()),
    ];
    let peers = [("MTLS_PEERS", "10.0.0.0/8")];
    let stranger = || Ingress::from_peer(Peer::Address("192.0.2.1".parse().unwrap()));
    let absent = [("MTLS_DENY", "file:/nonexistent/deny.txt")];
    let cases: [Case<'_>; 5] = [
        (
            site.gate(&[]),
            &Request::builder,
            401,
            CERTIFICATE,
            "a valid client certificate is required",
            Some("ClientCertificate"),
        ),
        (
            site.gate(&tokens),
            &|| of_client(&client),
            401,
            TOKEN,
            "an access token for the client certificate is required",
            Some("Bearer"),
        ),
        (
            site.gate(&peers),
            &|| of_client(&client).extension(stranger()),
            403,
            NOT_ALLOWED,
            "this request is not allowed",
            None,
        ),
        (
            site.gate(&absent),
            &|| of_client(&client),
            503,
            UNDECIDED,
            "the request cannot be decided at the moment",
            None,
        ),
        (
            site.gate(&[]),
            &|| {
                of_client(&client)
                    .method(Method::CONNECT)
                    .uri("orders.example:443")
            },
            400,
            NOT_SERVABLE,
            "the request cannot be served",
            None,
        ),
    ];
    for (gate, request, status, title, detail, challenge) in cases {
        let problem = answer(&gate, parts(request())).await;
        assert_eq!(problem.status(), status, "{title}");
        assert_eq!(header(&problem, "content-type"), Some("application/problem+json"));
        assert_eq!(header(&problem, "cache-control"), Some("no-store"));
        assert_eq!(header(&problem, "www-authenticate"), challenge, "{title}");
        let body: serde_json::Value = serde_json::from_str(problem.body()).unwrap();
        assert_eq!(
            (&body["status"], &body["detail"]),
            (&status.into(), &detail.into())
        );
        assert!(body.get("code").is_none(), "{body}");

        let page = answer(&gate, parts(request().header("accept", "text/html"))).await;
        assert_eq!(page.status(), status, "{title}");
        assert_eq!(header(&page, "www-authenticate"), challenge, "{title}");
        assert!(header(&page, "content-type").unwrap().starts_with("text/html"));
        assert_eq!(header(&page, "cache-control"), Some("no-store"));
        let titles = [CERTIFICATE, TOKEN, NOT_ALLOWED, UNDECIDED, NOT_SERVABLE];
        for other in titles {
            let has_title = page.body().contains(&format!("<h1>{other}</h1>"));
            assert_eq!(has_title, other == title, "{other}");
        }
    }
}

#[tokio::test]
async fn code_is_told_where_the_settings_ask_for_it() {
    let site = Site::new();
    let gate = site.gate(&[("MTLS_EXPOSE_CODE", "true")]);
    let problem = answer(&gate, parts(Request::builder())).await;
    assert!(
        problem.body().contains(r#""code":"ClientCertMissing""#),
        "{}",
        problem.body()
    );
    let page = answer(&gate, parts(Request::builder().header("accept", "text/html"))).await;
    assert!(
        page.body().contains("<code>ClientCertMissing</code>"),
        "{}",
        page.body()
    );
}

#[tokio::test]
async fn event_that_is_no_request_is_answered_with_problem_details_and_recorded() {
    let site = Site::new();
    let event = Incoming::NotServable {
        explanation: "It has a field twice.".to_owned(),
        ingress: Ingress {
            function_request_id: Some("request-1".to_owned()),
            ..Ingress::default()
        },
    };
    let problem = answer(&site.gate(&[("MTLS_MODE", "report")]), event).await;
    assert_eq!(problem.status(), 400);
    assert_eq!(header(&problem, "content-type"), Some("application/problem+json"));
    assert!(!problem.body().contains("twice"), "{}", problem.body());
    let record = site.records.last();
    assert_eq!(
        (&record["decision"], &record["detail"]),
        (&"denied".into(), &"not_servable".into())
    );
    assert!(
        record["explanation"]
            .as_str()
            .unwrap()
            .contains("It has a field twice."),
        "{record}"
    );
    assert_eq!(record["function_request_id"], "request-1");
    assert_eq!((&record["method"], &record["path"]), (&"".into(), &"".into()));
}
