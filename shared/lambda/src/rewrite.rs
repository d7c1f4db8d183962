//! The event for what is behind the gate: the one that the load balancer sent, with the client's
//! identity in its headers.

use std::borrow::Cow;
use std::ops::Range;

use alb_mtls_settings::words;
use http::header::{HeaderMap, HeaderName};
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::event::HeaderMode;

words! {
    /// In which form a function takes headers and parameters.
    pub enum EventForm {
        /// In the one in which the load balancer sent them.
        AsSent = "as-sent",
        /// With one value each, the last one.
        SingleValue = "single-value",
    }
}

/// An event without exactly one place for the client's identity. The gate denies them all, except
/// an event without headers where every client may pass.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RewriteError {
    /// The event is not a JSON object, or its headers are not.
    #[error("the event is not as documented: {0}")]
    NotAsDocumented(String),
    /// Readers could take the one or the other.
    #[error("the event has headers in two places")]
    HeadersTwice,
    /// Neither `headers` nor `multiValueHeaders`.
    #[error("the event has no headers")]
    NoHeaders,
}

/// Headers to be put into events, in the text that they have there in both modes.
#[derive(Clone, Debug, Default)]
pub struct EventHeaders {
    names: HeaderMap<()>,
    single_value: String,
    multi_value: String,
}

impl EventHeaders {
    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    fn members(&self, mode: HeaderMode) -> &str {
        match mode {
            HeaderMode::SingleValue => &self.single_value,
            HeaderMode::MultiValue => &self.multi_value,
        }
    }
}

impl From<HeaderMap> for EventHeaders {
    fn from(headers: HeaderMap) -> Self {
        let (mut single_value, mut multi_value) = (Object::default(), Object::default());
        for name in headers.keys() {
            let values: Vec<_> = headers
                .get_all(name)
                .iter()
                .map(|value| String::from_utf8_lossy(value.as_bytes()))
                .collect();
            let name = Value::from(name.as_str());
            single_value.add([
                &*name.to_string(),
                ":",
                &Value::from(values.join(", ")).to_string(),
            ]);
            multi_value.add([&*name.to_string(), ":", &Value::from(values).to_string()]);
        }
        Self {
            names: headers.keys().map(|name| (name.clone(), ())).collect(),
            single_value: single_value.0,
            multi_value: multi_value.0,
        }
    }
}

/// Returns the event as JSON, and the form in which it has its headers. Of the headers that were
/// sent, those in `kept` go on. Then `identity` is added to them. Everything else, unknown fields
/// too, stays byte for byte.
///
/// # Errors
/// [`RewriteError`]: there is not exactly one place for the identity.
pub fn rewrite(
    sent: &str,
    kept: &HeaderMap,
    identity: &EventHeaders,
    form: EventForm,
) -> Result<(Vec<u8>, HeaderMode), RewriteError> {
    let room = sent.len() + identity.members(HeaderMode::MultiValue).len();
    let mut rewritten = Rewritten::new(sent, room);
    let mut mode = None;
    for member in members(sent)?.0 {
        let of_field = match &*member.name {
            "headers" => HeaderMode::SingleValue,
            "multiValueHeaders" => HeaderMode::MultiValue,
            "multiValueQueryStringParameters" if form == EventForm::SingleValue => {
                rewritten.replace(member.key, "\"queryStringParameters\"");
                rewritten.replace(member.value, &last_values(member.value.get())?);
                continue;
            }
            _ => continue,
        };
        // What is null is not there.
        if member.value.get() == "null" {
            continue;
        }
        let mut headers = headers(member.value.get(), kept, identity, of_field)?;
        let mut mode_of_event = of_field;
        if form == EventForm::SingleValue && of_field == HeaderMode::MultiValue {
            headers = last_values(&headers)?;
            rewritten.replace(member.key, "\"headers\"");
            mode_of_event = HeaderMode::SingleValue;
        }
        rewritten.replace(member.value, &headers);
        if mode.replace(mode_of_event).is_some() {
            return Err(RewriteError::HeadersTwice);
        }
    }
    let mode = mode.ok_or(RewriteError::NoHeaders)?;
    Ok((rewritten.finish(), mode))
}

/// Returns the object of headers without those that are not kept, and with the identity at its end.
fn headers(
    sent: &str,
    kept: &HeaderMap,
    identity: &EventHeaders,
    mode: HeaderMode,
) -> Result<String, RewriteError> {
    let identity_members = identity.members(mode);
    let mut object = Object(String::with_capacity(sent.len() + identity_members.len() + 2));
    for member in members(sent)?.0 {
        let is_kept = HeaderName::from_bytes(member.name.as_bytes())
            .is_ok_and(|name| kept.contains_key(&name) && !identity.names.contains_key(name));
        if is_kept {
            object.add([text_between(sent, member.key, member.value)]);
        }
    }
    if !identity_members.is_empty() {
        object.add([identity_members]);
    }
    Ok(object.finish())
}

/// Converts an object of lists to an object of each list's last value: what a load balancer sends
/// in single-value mode.
fn last_values(lists: &str) -> Result<String, RewriteError> {
    if lists == "null" {
        return Ok(lists.to_owned());
    }
    let mut object = Object::default();
    for member in members(lists)?.0 {
        let last = match serde_json::from_str::<Vec<&RawValue>>(member.value.get()) {
            Ok(list) => list.last().map_or("\"\"", |last| last.get()),
            // A single value is its own last one.
            Err(_) => member.value.get(),
        };
        object.add([member.key.get(), ":", last]);
    }
    Ok(object.finish())
}

/// Parses the members of an object.
pub(crate) fn members(object: &str) -> Result<Members<'_>, RewriteError> {
    serde_json::from_str(object).map_err(RewriteError::unreadable)
}

impl RewriteError {
    #[expect(clippy::needless_pass_by_value, reason = "it is what `map_err` hands over")]
    pub(crate) fn unreadable(error: serde_json::Error) -> Self {
        Self::NotAsDocumented(error.to_string())
    }
}

/// Text of which some parts are replaced, from its start to its end.
struct Rewritten<'a> {
    sent: &'a str,
    copied: usize,
    text: Vec<u8>,
}

impl<'a> Rewritten<'a> {
    fn new(sent: &'a str, room: usize) -> Self {
        Self {
            sent,
            copied: 0,
            text: Vec::with_capacity(room),
        }
    }

    fn replace(&mut self, part: &RawValue, by: &str) {
        let range = range_in(self.sent, part.get());
        self.copy(self.copied..range.start);
        self.text.extend_from_slice(by.as_bytes());
        self.copied = range.end;
    }

    fn finish(mut self) -> Vec<u8> {
        self.copy(self.copied..self.sent.len());
        self.text
    }

    fn copy(&mut self, range: Range<usize>) {
        let part = self.sent.as_bytes().get(range).unwrap_or_default();
        self.text.extend_from_slice(part);
    }
}

/// The members of an object, written one after the other.
#[derive(Default)]
struct Object(String);

impl Object {
    /// Adds a member that is made of these parts, or several with commas between them.
    fn add<const PARTS: usize>(&mut self, parts: [&str; PARTS]) {
        if !self.0.is_empty() {
            self.0.push(',');
        }
        for part in parts {
            self.0.push_str(part);
        }
    }

    fn finish(mut self) -> String {
        self.0.insert(0, '{');
        self.0.push('}');
        self.0
    }
}

/// Returns the range of a part of a text.
fn range_in(text: &str, part: &str) -> Range<usize> {
    let start = part.as_ptr().addr() - text.as_ptr().addr();
    start..start + part.len()
}

/// A member as it was written.
fn text_between<'a>(text: &'a str, key: &RawValue, value: &RawValue) -> &'a str {
    let range = range_in(text, key.get()).start..range_in(text, value.get()).end;
    text.get(range).unwrap_or_default()
}

/// A JSON object, in order and with repeats; the values are not read.
pub(crate) struct Members<'a>(pub(crate) Vec<Member<'a>>);

pub(crate) struct Member<'a> {
    pub(crate) name: Cow<'a, str>,
    key: &'a RawValue,
    pub(crate) value: &'a RawValue,
}

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::with_capacity(16);
        while let Some((key, value)) = map.next_entry::<&'de RawValue, &'de RawValue>()? {
            members.push(Member {
                name: text(key).map_err(serde::de::Error::custom)?,
                key,
                value,
            });
        }
        Ok(Members(members))
    }
}

/// Returns the value of a JSON string; copies it only if it has escapes.
fn text(string: &RawValue) -> serde_json::Result<Cow<'_, str>> {
    match serde_json::from_str::<&str>(string.get()) {
        Ok(text) => Ok(Cow::Borrowed(text)),
        Err(_) => serde_json::from_str(string.get()).map(Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(HeaderName::try_from(*name).unwrap(), value.parse().unwrap());
        }
        headers
    }

    fn rewritten(sent: &str, kept: &HeaderMap, identity: &HeaderMap, form: EventForm) -> String {
        let (event, mode) = rewrite(sent, kept, &identity.clone().into(), form).unwrap();
        let event = String::from_utf8(event).unwrap();
        let is_multi = event.contains(r#""multiValueHeaders":{"#);
        assert_eq!(mode == HeaderMode::MultiValue, is_multi, "{event}");
        event
    }

    #[test]
    fn all_but_the_identity_is_copied_unchanged() {
        let kept = headers(&[("accept", "a"), ("host", "x"), ("x-odd", "1")]);
        let identity = headers(&[
            ("client-cert", ":AA==:"),
            ("x-amzn-mtls-clientcert-subject", "CN=\"a\""),
        ]);
        assert_eq!(
            rewritten(
                r#"{"z":{"b":1.50,"a":[1e3,null]},"requestContext":{"elb":{"targetGroupArn":"arn"},"new":"\u00e9"},"httpMethod":"PUT","path":"/a%2F..//;\u0026\/","multiValueQueryStringParameters":{"b":["2","1"],"a":[""]},"multiValueHeaders":{"X-Odd":["\u0031",  "2"],"host":["x"],"X-Amzn-Mtls-Clientcert":["PEM"],"Accept":["a","b"],"client_cert":["forged"]},"body":"\ud83d\ude00 \u0000","isBase64Encoded":false}"#,
                &kept,
                &identity,
                EventForm::AsSent,
            ),
            r#"{"z":{"b":1.50,"a":[1e3,null]},"requestContext":{"elb":{"targetGroupArn":"arn"},"new":"\u00e9"},"httpMethod":"PUT","path":"/a%2F..//;\u0026\/","multiValueQueryStringParameters":{"b":["2","1"],"a":[""]},"multiValueHeaders":{"X-Odd":["\u0031",  "2"],"host":["x"],"Accept":["a","b"],"client-cert":[":AA==:"],"x-amzn-mtls-clientcert-subject":["CN=\"a\""]},"body":"\ud83d\ude00 \u0000","isBase64Encoded":false}"#,
        );
        assert_eq!(
            rewritten(
                r#"{"headers":{"Client_Cert":"forged","accept":"a"},"multiValueHeaders":null}"#,
                &headers(&[("accept", "a")]),
                &headers(&[("client-cert", ":AA==:")]),
                EventForm::SingleValue,
            )
            .replace(r#","multiValueHeaders":null"#, ""),
            r#"{"headers":{"accept":"a","client-cert":":AA==:"}}"#,
        );
    }

    #[test]
    fn white_space_and_escapes_stay_where_nothing_is_changed() {
        assert_eq!(
            rewritten(
                "\n{ \"a\\u0062\" : [ 1 , 2 ] ,\"h\\u0065aders\" : { \"\\u0061ccept\" :  \"\\u0078\" , \"client\\u002dcert\":\"forged\" } , \"body\":\"\\ud83d\\ude00\" }\n",
                &headers(&[("accept", "x")]),
                &headers(&[("client-cert", ":AA==:")]),
                EventForm::AsSent,
            ),
            "\n{ \"a\\u0062\" : [ 1 , 2 ] ,\"h\\u0065aders\" : {\"\\u0061ccept\" :  \"\\u0078\",\"client-cert\":\":AA==:\"} , \"body\":\"\\ud83d\\ude00\" }\n",
        );
    }

    #[test]
    fn headers_of_identity_are_replaced_even_when_kept() {
        let event = rewritten(
            r#"{"headers":{"Client-Cert":"forged"}}"#,
            &headers(&[("client-cert", "forged")]),
            &headers(&[("client-cert", ":AA==:")]),
            EventForm::AsSent,
        );
        assert_eq!(event, r#"{"headers":{"client-cert":":AA==:"}}"#);
    }

    #[test]
    fn single_value_form_keeps_the_last_value() {
        let event = rewritten(
            r#"{"path":"/","multiValueQueryStringParameters":{"a":["1","2"],"b":[]},"multiValueHeaders":{"accept":["x","y"]}}"#,
            &headers(&[("accept", "x")]),
            &headers(&[("client-cert", ":AA==:")]),
            EventForm::SingleValue,
        );
        assert_eq!(
            event,
            r#"{"path":"/","queryStringParameters":{"a":"2","b":""},"headers":{"accept":"y","client-cert":":AA==:"}}"#
        );
    }

    #[test]
    fn event_without_place_for_identity_is_an_error() {
        for sent in [
            r#"{"path":"/"}"#,
            r#"{"headers":null}"#,
            r#"{"headers":[]}"#,
            r#"{"headers":{},"multiValueHeaders":{}}"#,
            r#"{"headers":{},"headers":{}}"#,
            "[]",
            "null",
        ] {
            let identity = EventHeaders::from(headers(&[("client-cert", ":AA==:")]));
            for form in [EventForm::AsSent, EventForm::SingleValue] {
                assert!(
                    rewrite(sent, &HeaderMap::new(), &identity, form).is_err(),
                    "{sent}"
                );
            }
        }
    }
}
