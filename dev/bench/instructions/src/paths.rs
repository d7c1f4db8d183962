//! The hot paths. Certificates are the same each time, so what differs between two counts is the
//! code.

use std::convert::Infallible;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll, Waker};

use alb_mtls_gate::{Admission, AuditRecord, AuditSink, Gate, Ingress, Settings, to_line};
use alb_mtls_http::{HeaderFormat, HeaderLimits, HeaderValues, IdentityForms, IdentityHeaderCache};
use alb_mtls_lambda::{Event, EventForm, EventHeaders, admit, handle, rewrite};
use alb_mtls_verifier::{Intermediates, Timestamp, TrustAnchor, TrustAnchors, Verifier, VerifyOptions};
use http::{Request, Response};
use lambda_http::tower::service_fn;
use lambda_http::{Body, Context};
use serde_json::json;
use test_pki::{CertificateBuilder, Credential};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HotPath {
    /// Header to verdict of a client never seen before, P-256 with one intermediate.
    FirstSight,
    /// Event to decision and record to answer, of a client that is remembered.
    SeenBefore,
    /// Event to the event that a function behind the layer gets, of a client that is remembered.
    Rewritten,
    /// Event to decision and record to answer, of a header that is not PEM.
    Malformed,
    /// Event to decision and record to answer, without a certificate.
    Anonymous,
}

impl HotPath {
    pub(crate) const ALL: &'static [Self] = &[
        Self::FirstSight,
        Self::SeenBefore,
        Self::Rewritten,
        Self::Malformed,
        Self::Anonymous,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::FirstSight => "verdict-first-sight",
            Self::SeenBefore => "event-seen-before",
            Self::Rewritten => "event-rewritten-seen-before",
            Self::Malformed => "event-malformed-header",
            Self::Anonymous => "event-no-certificate",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|path| path.name() == name)
    }

    pub(crate) fn run(self, times: u64) {
        let clients = Clients::new();
        match self {
            Self::FirstSight => first_sight(&clients, times),
            Self::SeenBefore => events(&clients, Some(&clients.header), 200, times),
            Self::Rewritten => rewritten(&clients, times),
            Self::Malformed => events(
                &clients,
                Some(&clients.header.replacen("BEGIN", "BEG1N", 1)),
                401,
                times,
            ),
            Self::Anonymous => events(&clients, None, 401, times),
        }
    }
}

struct Clients {
    root: Credential,
    header: String,
}

impl Clients {
    fn new() -> Self {
        let root = CertificateBuilder::root("CN=Counted Root,O=Example").seed("root");
        let root = root.self_signed().expect("a root");
        let issuing = CertificateBuilder::intermediate("CN=Counted CA,O=Example").seed("issuing");
        let issuing = issuing.issued_by(&root).expect("an authority");
        let client = CertificateBuilder::client("CN=client-1,OU=Payments,O=Example")
            .uri("spiffe://example.org/client-1")
            .dns("client-1.example.org")
            .seed("client")
            .issued_by(&issuing)
            .expect("a client");
        let pem = client.pem() + &issuing.pem();
        Self {
            root,
            header: pem.replace(' ', "%20").replace('\n', "%0A"),
        }
    }
}

fn first_sight(clients: &Clients, times: u64) {
    let anchor = TrustAnchor::new(clients.root.der().to_vec().into()).expect("a trust anchor");
    let anchors = TrustAnchors::new([anchor]).expect("a trust anchor");
    let verifier = Verifier::new(anchors, Intermediates::default(), VerifyOptions::default());
    let limits = HeaderLimits {
        max_bytes: 16_384,
        max_certificates: 8,
    };
    for _ in 0..times {
        let values = HeaderValues {
            certificate: &[black_box(clients.header.as_bytes())],
            chain: &[],
        };
        let chain = HeaderFormat::URL_ENCODED.decode(values, limits).expect("a chain");
        black_box(
            verifier
                .verify(&chain, Timestamp::now())
                .expect("a verified client"),
        );
    }
}

/// Events with this certificate header, through all but the Runtime API.
fn events(clients: &Clients, header: Option<&str>, status: u16, times: u64) {
    let gate = gate(clients);
    let event = event(header);
    let status = format!("\"statusCode\":{status}");
    let handler =
        service_fn(async |_: Request<Body>| Ok::<_, Infallible>(Response::new(Body::from("hello"))));
    for _ in 0..times {
        let event: Event = serde_json::from_slice(black_box(&event)).expect("an event");
        let answer = at_once(handle(&gate, handler, event, Context::default()));
        let answer = serde_json::to_string(&answer.expect("an answer")).expect("JSON");
        assert!(black_box(&answer).contains(&status), "{answer}");
    }
}

/// Events of a good client, with its identity put in among the headers.
fn rewritten(clients: &Clients, times: u64) {
    let gate = gate(clients);
    let event = String::from_utf8(event(Some(&clients.header))).expect("text");
    let headers = IdentityHeaderCache::<EventHeaders>::new(IdentityForms::default());
    for _ in 0..times {
        let sent = black_box(event.as_str());
        let read: Event = serde_json::from_str(sent).expect("an event");
        let admission = at_once(admit(&gate, read, Ingress::default()));
        let (Admission::Allowed(allowed), _) = admission else {
            panic!("the request is allowed");
        };
        let identity = headers.headers(allowed.principal.client().expect("a client"));
        let (event, _) =
            rewrite(sent, &allowed.parts.headers, &identity, EventForm::AsSent).expect("an event");
        assert!(black_box(&event).len() > sent.len());
    }
}

/// A gate that has loaded its trust anchors.
fn gate(clients: &Clients) -> Arc<Gate> {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let anchors = folder.path().join("anchors.pem");
    std::fs::write(&anchors, clients.root.pem()).expect("a file in the temporary folder");
    let variable = ("MTLS_ANCHORS".to_owned(), format!("file:{}", anchors.display()));
    let settings = Settings::from_variables([variable]).expect("settings");
    let gate = Gate::new(settings).with_audit_sink(ToText);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(gate.load());
    Arc::new(gate)
}

/// Returns an event as a load balancer makes it, with multi-value headers.
fn event(header: Option<&str>) -> Vec<u8> {
    let mut event = json!({
        "requestContext": {"elb": {
            "targetGroupArn": "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate/73e2d6bc24d8a067"
        }},
        "httpMethod": "GET",
        "path": "/orders/7",
        "multiValueQueryStringParameters": {"a": ["1"]},
        "multiValueHeaders": {
            "host": ["gate.example.org"],
            "user-agent": ["curl/8.14.1"],
            "x-amzn-trace-id": ["Root=1-67890000-0123456789abcdef01234567"],
            "x-forwarded-for": ["192.0.2.7"],
            "x-forwarded-port": ["443"],
            "x-forwarded-proto": ["https"]
        },
        "body": "",
        "isBase64Encoded": false
    });
    if let Some(headers) = event
        .pointer_mut("/multiValueHeaders")
        .and_then(|headers| headers.as_object_mut())
        && let Some(header) = header
    {
        headers.insert("x-amzn-mtls-clientcert".to_owned(), json!([header]));
    }
    event.to_string().into_bytes()
}

fn at_once<F: Future>(future: F) -> F::Output {
    match pin!(future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the future waits for something"),
    }
}

/// Makes the text of each record and leaves it at that.
#[derive(Debug)]
struct ToText;

impl AuditSink for ToText {
    fn write(&self, record: &AuditRecord<'_>) {
        black_box(to_line(record));
    }
}
