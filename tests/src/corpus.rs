//! Requests of hostile clients, for every function behind a load balancer.

use serde_json::{Value, json};

use crate::{Clients, TARGET_GROUP, certificate_headers, header_of};

/// Names by which some service is told who the client is.
pub const IDENTITY_HEADERS: &[&str] = &[
    "X-Amzn-Mtls-Clientcert",
    "X-Amzn-Mtls-Clientcert-Serial-Number",
    "X-Amzn-Mtls-Clientcert-Issuer",
    "X-Amzn-Mtls-Clientcert-Subject",
    "X-Amzn-Mtls-Clientcert-Validity",
    "X-Amzn-Mtls-Clientcert-Leaf",
    "Client-Cert",
    "Client-Cert-Chain",
    "X-Forwarded-Client-Cert",
    "X-Forwarded-Tls-Client-Cert",
    "X-Forwarded-Tls-Client-Cert-Info",
    "X-SSL-Client-Verify",
    "X-SSL-Client-S-DN",
    "X-SSL-Client-Cert",
    "X-SSL-Cert",
    "SSL-Client-Cert",
    "SSL-Client-S-DN",
    "X-Client-Cert",
    "X-Client-Cert-DN",
    "X-Client-Cert-San",
    "X-Client-Cert-Assertion",
    "X-Client-Cert-Extension-Device-Id",
    "X-Client-Cert-Extension-1-3-6-1-4-1-99999-1",
    "X-Consumer-ID",
    "X-Consumer-Custom-ID",
    "X-Consumer-Username",
    "X-Consumer-Groups",
    "X-Credential-Identifier",
    "X-Anonymous-Consumer",
    "X-ARR-ClientCert",
    "CloudFront-Viewer-Cert-Subject",
    "L5d-Client-Id",
    "CF-Client-Cert-Der-Base64",
    "X-Forwarded-mTLS-Client-Cert",
    "X-Client-TLS-Info",
    "X-TLS-Client-CN",
    "X-Renamed-Header",
    "Cf-Cert-Verified",
    "Cf-Cert-Subject-DN",
    "X-Client-Verify",
    "X-Client-DN",
    "X-Client-S-DN",
    "X-SSL",
    "X-SSL-Issuer",
    "X-SSL-Subject-DN",
    "X-Forwarded-Tls-Client-Cert-Infos",
    "X-Forwarded-Ssl-Client-Cert",
    "X-Forwarded-For-Client-Cert",
    "Client-To-Edge",
    "X-Authenticated-Userid",
    "X-Credential-Username",
    "X-MTLS-Subject",
    "X-TLS-Subject",
    "X-Spiffe-Id",
    "Client-Verify",
    "X-ClientCert",
    "WL-Proxy-Client-Cert",
    "$WSCC",
    "Remote-User",
    "X-Remote-User",
    "X-Forwarded-User",
    "X-Auth-Request-User",
    "X-WEBAUTH-USER",
    "X-MS-CLIENT-PRINCIPAL-NAME",
    "X-Amzn-Oidc-Identity",
    "X-Amzn-Oidc-Data",
];

/// Names by which a request restates its method, path or host.
pub const RESTATING_HEADERS: &[&str] = &[
    "X-HTTP-Method-Override",
    "X-HTTP-Method",
    "X-Method-Override",
    "X-Original-URL",
    "X-Rewrite-URL",
    "X-Original-URI",
    "X-Original-Host",
    "X-Forwarded-Host",
    "X-Forwarded-Server",
    "X-Forwarded-Uri",
    "X-Forwarded-Prefix",
    "X-Forwarded-Path",
    "Forwarded",
    "X-Host",
];

/// Returns every way to write a name that some backend reads as the same.
pub fn spellings(name: &str) -> Vec<String> {
    let lower = name.to_ascii_lowercase();
    let alternating = lower
        .char_indices()
        .map(|(index, character)| match (character, index % 2) {
            ('-', 0) => '_',
            (other, _) => other,
        });
    let mut spellings = vec![
        name.to_owned(),
        lower.clone(),
        lower.to_ascii_uppercase(),
        lower.replace('-', "_"),
        name.replace('-', "_").to_ascii_uppercase(),
        lower.replacen('-', "_", 1),
        lower.replace('-', "."),
        lower.replacen('-', "~", 1),
        alternating.collect(),
    ];
    spellings.sort();
    spellings.dedup();
    spellings
}

/// Returns the event of a good client, in multi-value mode.
pub fn valid_event(clients: &Clients) -> Value {
    let headers = clients.good_headers().into_iter();
    event_of(headers.map(|(name, value)| (name, json!([value]))).collect())
}

/// Returns the event of a request with these headers, in multi-value mode.
pub fn event_of(headers: serde_json::Map<String, Value>) -> Value {
    json!({
        "requestContext": {"elb": {"targetGroupArn": TARGET_GROUP}},
        "httpMethod": "GET",
        "path": "/",
        "multiValueQueryStringParameters": {},
        "multiValueHeaders": headers,
        "body": "",
        "isBase64Encoded": false,
    })
}

/// Returns the valid event with one member replaced.
fn with(clients: &Clients, pointer: &str, value: Value) -> Vec<u8> {
    let mut event = valid_event(clients);
    let (parent, name) = pointer.rsplit_once('/').expect("a member of the event");
    let object = event
        .pointer_mut(parent)
        .expect("a member of the event")
        .as_object_mut()
        .expect("a member of the event");
    object.insert(name.to_owned(), value);
    event.to_string().into_bytes()
}

/// Events that no load balancer sends, or only for a hostile client, each with a name. None of them
/// may be served.
pub fn hostile_events(clients: &Clients) -> Vec<(String, Vec<u8>)> {
    let mut events: Vec<(String, Vec<u8>)> = ["null", "true", "7", "\"text\"", "[]", "{}", "[[[[[[]]]]]]"]
        .iter()
        .map(|json| ((*json).to_owned(), json.as_bytes().to_vec()))
        .collect();
    for (pointer, value) in [
        ("/requestContext", json!(null)),
        ("/requestContext", json!({"elb": 7})),
        ("/requestContext", json!({"elb": {"targetGroupArn": ["arn"]}})),
        ("/httpMethod", json!("G ET")),
        ("/httpMethod", json!("")),
        ("/httpMethod", json!({"a": 1})),
        ("/path", json!("no-slash")),
        ("/path", json!("/a b")),
        ("/path", json!("/\u{0}")),
        ("/path", json!(7)),
        ("/multiValueQueryStringParameters", json!({"a b": ["1"]})),
        ("/multiValueQueryStringParameters", json!({"a": "\n"})),
        ("/multiValueQueryStringParameters", json!({"a": [1]})),
        ("/multiValueHeaders", json!([])),
        ("/multiValueHeaders", json!({"x-amzn-mtls-clientcert": []})),
        ("/multiValueHeaders", json!({"x-amzn-mtls-clientcert": [null]})),
        ("/multiValueHeaders/bad name", json!(["1"])),
        ("/multiValueHeaders/", json!(["1"])),
        ("/multiValueHeaders/x-a", json!(["a\r\nx-b: 1"])),
        ("/multiValueHeaders/x-a", json!(["\u{0}"])),
        ("/headers", json!({"x-a": "both modes"})),
        ("/body", json!({"not": "text"})),
        ("/isBase64Encoded", json!("true")),
    ] {
        events.push((format!("{pointer} {value}"), with(clients, pointer, value)));
    }
    let mut bad_body = valid_event(clients);
    let members = bad_body.as_object_mut().expect("an event is an object");
    members.insert("body".to_owned(), json!("***"));
    members.insert("isBase64Encoded".to_owned(), json!(true));
    events.push((
        "a body that is not base64".to_owned(),
        bad_body.to_string().into_bytes(),
    ));

    let depth = 100_000;
    events.push((
        "deep nesting".to_owned(),
        format!("{}{}", "[".repeat(depth), "]".repeat(depth)).into_bytes(),
    ));
    let nested = format!(
        "{{\"requestContext\":{}1{}}}",
        "{\"a\":".repeat(depth),
        "}".repeat(depth)
    );
    events.push(("deep objects".to_owned(), nested.into_bytes()));

    events.extend(unreadable_events(&valid_event(clients).to_string()));

    let good = clients.header(&clients.good);
    for (name, header) in [
        ("1 MB of header", "A".repeat(1 << 20)),
        ("1 MB of dashes", "-".repeat(1 << 20)),
        (
            "a thousand certificates",
            header_of(std::iter::repeat_n(&clients.good, 1_000)),
        ),
        (
            "64 K of empty blocks",
            "-----BEGIN%20CERTIFICATE-----%0A-----END%20CERTIFICATE-----%0A".repeat(200),
        ),
        ("percent at the end", format!("{good}%")),
        ("percent-encoded NUL", format!("{good}%00")),
        ("non-ASCII", format!("{good}ü")),
        ("a plus for each space", good.replace("%20", "+")),
        ("encoded twice", good.replace('%', "%25")),
        ("cut in the middle", good.chars().take(900).collect()),
        (
            "a private key",
            "-----BEGIN%20PRIVATE%20KEY-----%0AAAAA%0A-----END%20PRIVATE%20KEY-----%0A".to_owned(),
        ),
    ] {
        let headers: serde_json::Map<String, Value> = certificate_headers(header)
            .into_iter()
            .map(|(name, value)| (name, json!([value])))
            .collect();
        events.push((
            name.to_owned(),
            with(clients, "/multiValueHeaders", Value::Object(headers)),
        ));
    }
    events
}

/// A good client's event in which something is that no reader, or not every reader, can read.
fn unreadable_events(good: &str) -> Vec<(String, Vec<u8>)> {
    let elb = good
        .find("\"requestContext\":")
        .map(|start| start + "\"requestContext\":{".len());
    let replaced = |before: &str, after: &str| {
        assert!(good.contains(before), "the event holds {before}");
        good.replacen(before, after, 1).into_bytes()
    };
    let mut not_utf8 = good.as_bytes().to_vec();
    let path = good.find("\"path\":\"/").expect("the event has a path");
    not_utf8.insert(path + "\"path\":\"/".len(), 0xff);
    let mut two_load_balancers = good.to_owned();
    two_load_balancers.insert_str(
        elb.expect("the event has a context"),
        r#""elb":{"targetGroupArn":"arn:other"},"#,
    );
    [
        (
            "half a surrogate pair in the path",
            replaced("\"path\":\"/", r#""path":"/\ud800"#),
        ),
        (
            "half a surrogate pair in the body",
            replaced("\"body\":\"", r#""body":"\udc00"#),
        ),
        (
            "half a surrogate pair in a header's name",
            replaced(
                "\"multiValueHeaders\":{",
                r#""multiValueHeaders":{"x-\ud800":["1"],"#,
            ),
        ),
        (
            "half a surrogate pair in a header",
            replaced(
                "\"multiValueHeaders\":{",
                r#""multiValueHeaders":{"x-a":["\ud800"],"#,
            ),
        ),
        (
            "half a surrogate pair in the query",
            replaced(
                "\"multiValueQueryStringParameters\":{",
                r#""multiValueQueryStringParameters":{"\ud800":["1"]"#,
            ),
        ),
        (
            "a number beyond all numbers",
            replaced("\"body\":\"\"", "\"body\":1e999"),
        ),
        (
            "headers that Go would read",
            replaced(
                "\"httpMethod\"",
                r#""multiValueHeader\u017f":{"x-amzn-mtls-clientcert-subject":["CN=admin"]},"httpMethod""#,
            ),
        ),
        ("two load balancers", two_load_balancers.into_bytes()),
        ("bytes that are not text", not_utf8),
    ]
    .map(|(name, event)| (name.to_owned(), event))
    .into()
}
