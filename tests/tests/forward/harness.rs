//! The forwarder started for a test, and events beyond what a well-behaved client makes.

use alb_mtls_tests::{Answer, Clients, Function, TARGET_GROUP};
use serde_json::{Value, json};

/// Starts the forwarder before this upstream with further variables.
pub(crate) async fn forward(clients: &Clients, upstream: &str, variables: &[(&str, &str)]) -> Function {
    let mut all = vec![("MTLS_ANCHORS".to_owned(), clients.anchors_source())];
    if !upstream.is_empty() {
        all.push(("FORWARD_UPSTREAM".to_owned(), upstream.to_owned()));
    }
    all.extend(
        variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    Function::start("forward", all).await
}

/// An event in multi-value mode, field by field.
#[derive(Clone)]
pub(crate) struct Event {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Value,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
    pub is_base64: bool,
}

impl Event {
    pub(crate) fn get(path: &str, headers: Vec<(String, String)>) -> Self {
        Self::new("GET", path, headers)
    }

    pub(crate) fn new(method: &str, path: &str, headers: Vec<(String, String)>) -> Self {
        Self {
            method: method.to_owned(),
            path: path.to_owned(),
            query: json!({}),
            headers,
            body: String::new(),
            is_base64: false,
        }
    }

    pub(crate) fn query(mut self, query: Value) -> Self {
        self.query = query;
        self
    }

    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn text(mut self, body: &str) -> Self {
        self.body = body.to_owned();
        self
    }

    pub(crate) fn base64(mut self, body: &str) -> Self {
        self.body = body.to_owned();
        self.is_base64 = true;
        self
    }

    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut headers = serde_json::Map::new();
        for (name, value) in &self.headers {
            let values = headers.entry(name.clone()).or_insert_with(|| json!([]));
            values.as_array_mut().unwrap().push(json!(value));
        }
        let event = json!({
            "requestContext": {"elb": {"targetGroupArn": TARGET_GROUP}},
            "httpMethod": self.method,
            "path": self.path,
            "multiValueQueryStringParameters": self.query,
            "multiValueHeaders": headers,
            "body": self.body,
            "isBase64Encoded": self.is_base64,
        });
        serde_json::to_vec(&event).unwrap()
    }
}

/// Returns every value of a header of an answer in multi-value mode.
pub(crate) fn values(answer: &Answer, name: &str) -> Vec<String> {
    let values = &answer.json["multiValueHeaders"][name];
    values
        .as_array()
        .into_iter()
        .flatten()
        .map(|value| value.as_str().unwrap().to_owned())
        .collect()
}

/// Asserts that the answer is a problem with this status, and that its record has this detail.
pub(crate) async fn assert_problem(function: &Function, answer: &Answer, status: u16, detail: &str) -> Value {
    assert_eq!(answer.status, status, "{}", answer.body());
    assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    assert_eq!(answer.body_json()["status"], status);
    let record = function
        .line_where(|line| line["message"] == "not forwarded")
        .await;
    assert_eq!(record["detail"], detail, "{record}");
    assert_eq!(record["status"], status);
    assert_eq!(record["level"], "ERROR");
    record
}
