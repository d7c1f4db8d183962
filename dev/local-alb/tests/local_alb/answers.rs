//! Responses that clients get for the answers of a function.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use local_alb::{FunctionOutput, TargetGroup};
use serde_json::{Value, json};
use tokio::sync::mpsc::unbounded_channel;

use crate::support::{NAME, Site, function_target, scripted_function, shown, wait_for};

async fn answered(site: &Site, answer: &Value) -> Response<Bytes> {
    site.client().post("/answer", answer.to_string()).await
}

fn assert_is_albs_502(response: &Response<Bytes>) {
    assert_eq!(response.status(), 502);
    assert_eq!(response.headers()["server"], "awselb/2.0");
    assert_eq!(response.headers()["content-type"], "text/html");
    let page = std::str::from_utf8(response.body()).unwrap();
    assert!(
        page.contains("<center><h1>502 Bad Gateway</h1></center>"),
        "{page}"
    );
}

#[tokio::test]
async fn converts_an_answer_of_single_value_mode() {
    let site = Site::start().await;
    let answer = json!({
        "statusCode": 404,
        "statusDescription": "404 Not Found",
        "headers": { "Content-Type": "text/plain", "X-A": "1" },
        "body": "nothing here",
        "isBase64Encoded": false,
    });
    let response = answered(&site, &answer).await;
    assert_eq!(response.status(), 404);
    assert_eq!(response.headers()["content-type"], "text/plain");
    assert_eq!(response.headers()["x-a"], "1");
    assert_eq!(response.headers()["content-length"], "12");
    assert_eq!(response.body(), "nothing here");
}

#[tokio::test]
async fn converts_an_answer_of_multi_value_mode() {
    let site = Site::multi_value().await;
    let answer = json!({
        "statusCode": 200,
        "multiValueHeaders": { "set-cookie": ["a=1", "b=2"] },
        "headers": { "set-cookie": "not this" },
        "body": "+/8=",
        "isBase64Encoded": true,
    });
    for client in [site.client(), site.client().http_2()] {
        let response = client.post("/answer", answer.to_string()).await;
        let cookies: Vec<_> = response.headers().get_all("set-cookie").iter().collect();
        assert_eq!(cookies, ["a=1", "b=2"]);
        assert_eq!(response.body().as_ref(), b"\xfb\xff");
    }
}

#[tokio::test]
async fn computes_the_length_and_ignores_hop_by_hop_headers() {
    let site = Site::start().await;
    let answer = json!({
        "statusCode": 200,
        "headers": {
            "content-length": "9999", "connection": "close", "transfer-encoding": "chunked", "keep-alive": "x"
        },
        "body": "four",
    });
    for client in [site.client(), site.client().http_2()] {
        let response = client.post("/answer", answer.to_string()).await;
        assert_eq!(response.headers()["content-length"], "4");
        for name in ["connection", "transfer-encoding", "keep-alive"] {
            assert!(!response.headers().contains_key(name), "{name}");
        }
        assert_eq!(response.body(), "four");
    }
}

#[tokio::test]
async fn sends_no_body_to_head_and_with_204() {
    let site = Site::start().await;
    for client in [site.client(), site.client().http_2()] {
        let request = client.request("/").method("HEAD").body(Bytes::new()).unwrap();
        let response = client.send(request).await.unwrap();
        assert_eq!((response.status().as_u16(), response.body().len()), (200, 0));
        assert_ne!(response.headers()["content-length"], "0");
        let answer = json!({ "statusCode": 204, "headers": {}, "body": "ignored" });
        let response = client.post("/answer", answer.to_string()).await;
        assert_eq!((response.status().as_u16(), response.body().len()), (204, 0));
        assert!(!response.headers().contains_key("content-length"));
    }
}

#[tokio::test]
async fn answers_502_when_the_answer_is_not_a_response() {
    let mut site = Site::start().await;
    let large = "x".repeat(1024 * 1024);
    for (answer, problem) in [
        (json!("text"), "not a JSON object"),
        (json!({ "headers": {} }), "`statusCode`"),
        (json!({ "statusCode": "200", "headers": {} }), "`statusCode`"),
        (json!({ "statusCode": 99, "headers": {} }), "`statusCode`"),
        (json!({ "statusCode": 101, "headers": {} }), "`statusCode`"),
        (json!({ "statusCode": 600, "headers": {} }), "`statusCode`"),
        (
            json!({ "statusCode": 200, "multiValueHeaders": {} }),
            "asks for `headers`",
        ),
        (json!({ "statusCode": 200, "headers": [] }), "`headers`"),
        (
            json!({ "statusCode": 200, "headers": { "a": ["1"] } }),
            "`headers`",
        ),
        (json!({ "statusCode": 200, "headers": { "a b": "1" } }), "`a b`"),
        (
            json!({ "statusCode": 200, "headers": { "a": "1\r\nb: 2" } }),
            "`a`",
        ),
        (
            json!({ "statusCode": 200, "headers": { "a": "x".repeat(33 * 1024) } }),
            "32 K",
        ),
        (json!({ "statusCode": 200, "headers": {}, "body": {} }), "`body`"),
        (
            json!({ "statusCode": 200, "headers": {}, "body": "+/8", "isBase64Encoded": true }),
            "base64",
        ),
        (
            json!({ "statusCode": 200, "headers": {}, "isBase64Encoded": "true" }),
            "`isBase64Encoded`",
        ),
    ] {
        let response = answered(&site, &answer).await;
        assert_is_albs_502(&response);
        let told = site.problem().await;
        assert!(told.contains(problem), "{answer}: {told}");
    }
    // As large as a request may be, the answer is larger than an answer may be: it shows the event.
    let response = site.client().post("/", large).await;
    assert_is_albs_502(&response);
    assert!(site.problem().await.contains("larger than 1 MB"));
    assert_eq!(site.alb.environments(NAME)[0].restarts, 0);
}

#[tokio::test]
async fn answers_502_when_the_other_modes_headers_come() {
    let mut site = Site::multi_value().await;
    let answer = json!({ "statusCode": 200, "headers": { "a": "1" }, "body": "" });
    assert_is_albs_502(&answered(&site, &answer).await);
    assert!(site.problem().await.contains("asks for `multiValueHeaders`"));
}

#[tokio::test]
async fn answers_502_when_the_function_fails() {
    let mut site = Site::start().await;
    for (path, problem) in [("/error", "it went wrong"), ("/panic", "the test asked for it")] {
        for client in [site.client(), site.client().http_2()] {
            assert_is_albs_502(&client.get(path).await);
            assert!(site.problem().await.contains(problem));
        }
    }
}

#[tokio::test]
async fn answers_502_when_the_function_crashes_and_starts_it_again() {
    let mut site = Site::start().await;
    let before = shown(&site.client().get("/").await)["pid"].clone();
    site.request_record().await;
    assert_is_albs_502(&site.client().get("/exit").await);
    assert!(site.problem().await.contains("exit status: 3"));
    let after = shown(&site.client().get("/").await)["pid"].clone();
    assert_ne!(before, after);
    assert_eq!(site.alb.environments(NAME)[0].restarts, 1);
}

#[tokio::test]
async fn answers_502_when_the_function_takes_too_long() {
    let command = scripted_function().timeout(Duration::from_millis(200));
    let group = TargetGroup::new(NAME, function_target(command));
    let mut site = Site::groups(|listener| listener, vec![group]).await;
    assert_is_albs_502(&site.client().get("/hang").await);
    assert!(site.problem().await.contains("in time"));
    assert_eq!(site.client().get("/").await.status(), 200);
}

#[tokio::test]
async fn a_client_that_goes_away_does_not_end_the_function() {
    let (sender, mut lines) = unbounded_channel();
    let command = scripted_function().output(FunctionOutput::Lines(sender));
    let group = TargetGroup::new(NAME, function_target(command));
    let site = Site::groups(|listener| listener, vec![group]).await;
    let client = site.client();
    let request = tokio::spawn(async move { client.get("/slow").await });
    wait_for(&mut lines, "begun").await;
    request.abort();
    assert!(request.await.unwrap_err().is_cancelled());
    wait_for(&mut lines, "finished").await;
    assert_eq!(site.client().get("/").await.status(), 200);
    assert_eq!(site.alb.environments(NAME)[0].restarts, 0);
}
