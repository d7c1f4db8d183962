//! The Lambda edge: event to request, response to answer, and all that lies between.

use std::convert::Infallible;

use alb_mtls_bench::{Beside, Chain, Effort, Quantity, Row, Subject, Table, at_once, in_turns, progress};
use alb_mtls_gate::{Gate, Settings};
use alb_mtls_lambda::{Answer, Event, HeaderMode, handle};
use alb_mtls_tests::{certificate_headers, event};
use http::{Request, Response};
use lambda_http::tower::service_fn;
use lambda_http::{Body, Context};
use test_pki::KeyKind;

use super::TextSink;

const SECTION: &str = "the Lambda edge, without the Runtime API";

pub(crate) async fn measure(effort: Effort, table: &mut Table) {
    progress("the Lambda edge");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let chain = Chain::new(KeyKind::P256, 2);
    let anchors = folder.path().join("anchors.pem");
    std::fs::write(&anchors, chain.root.pem()).expect("a file in the temporary folder");
    let variable = ("MTLS_ANCHORS".to_owned(), format!("file:{}", anchors.display()));
    let gate = Gate::new(Settings::from_variables([variable]).expect("settings")).with_audit_sink(TextSink);
    gate.load().await;

    let headers = certificate_headers(chain.presented(&chain.client).header);
    let json = event(
        "GET",
        "/orders/7?a=1",
        &headers,
        local_alb::HeaderMode::MultiValue,
    );
    let text = String::from_utf8(json.to_vec()).expect("text");
    let handler = service_fn(async |_: Request<Body>| Ok::<_, Infallible>(hello()));
    let answer = |json: &[u8]| {
        let event: Event = serde_json::from_slice(json).expect("an event");
        let answer = at_once(handle(&gate, handler, event, Context::default())).expect("an answer");
        serde_json::to_vec(&answer).expect("JSON")
    };
    assert!(answer(&json).windows(5).any(|part| part == b"hello"));

    let [request, of_lambda_http, response, whole] = in_turns(
        effort,
        [
            Subject::new(|| {
                let event: Event = serde_json::from_slice(&json).expect("an event");
                event.into_request().expect("a request")
            }),
            Subject::new(|| lambda_http::request::from_str(&text).expect("a request")),
            Subject::new(|| serde_json::to_vec(&Answer::new(hello(), HeaderMode::MultiValue)).expect("JSON")),
            Subject::new(|| answer(&json)),
        ],
    );
    let beside = Beside::with_ratio(
        "lambda_http",
        Quantity::Seconds(of_lambda_http.median()),
        request.ratio_to(&of_lambda_http),
    );
    let what = format!("event of {} bytes to request", json.len());
    table.push(Row::new(SECTION, what, Quantity::Seconds(request.median())).compared(beside));
    table.push(Row::new(
        SECTION,
        "response to answer",
        Quantity::Seconds(response.median()),
    ));
    let what = "event to decision and record to answer, seen before";
    table.push(Row::new(SECTION, what, Quantity::Seconds(whole.median())));
}

fn hello() -> Response<Body> {
    let response = Response::builder().header("content-type", "text/plain");
    response.body(Body::from("hello")).expect("a response")
}
