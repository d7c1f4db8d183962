//! The event for the function: the one that the load balancer sent, with the client's identity in its headers.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use alb_mtls_alb::HeaderMode;
use http::header::{HeaderMap, HeaderName};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::ser::{SerializeMap, Serializer};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The text of the event that a request was read from: an extension of the request.
#[derive(Clone, Debug)]
pub(crate) struct SentEvent(pub(crate) Arc<RawValue>);

/// In which form a function takes headers and parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum EventForm {
    /// In the one in which the load balancer sent them.
    AsSent,
    /// With one value each, the last one.
    SingleValue,
}

impl EventForm {
    pub(crate) const ALL: &[Self] = &[Self::AsSent, Self::SingleValue];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::AsSent => "as-sent",
            Self::SingleValue => "single-value",
        }
    }
}

/// The event as JSON. Of the headers that were sent those go on that the gate left in `kept`, then `identity` is put in
/// among them. Everything else, unknown fields too, is copied as it was written.
///
/// Beside it is the form in which it has its headers.
///
/// # Errors
/// What is wrong with an event that the gate took.
pub(super) fn rewrite(
    sent: &RawValue,
    kept: &HeaderMap,
    identity: &HeaderMap,
    form: EventForm,
) -> Result<(Vec<u8>, HeaderMode), String> {
    let Members(mut members) = serde_json::from_str(sent.get()).map_err(|error| error.to_string())?;
    let mut mode = None;
    for (field, value) in &mut members {
        let of_field = match field.as_ref() {
            "headers" => HeaderMode::SingleValue,
            "multiValueHeaders" => HeaderMode::MultiValue,
            "multiValueQueryStringParameters" if form == EventForm::SingleValue => {
                *value = Cow::Owned(last_values(value)?);
                *field = "queryStringParameters".into();
                continue;
            }
            _ => continue,
        };
        // What is null is not there.
        let Some(Members(mut headers)) = parse(value)? else {
            continue;
        };
        headers.retain(|(name, _)| {
            HeaderName::from_bytes(name.as_bytes())
                .is_ok_and(|name| kept.contains_key(&name) && !identity.contains_key(name))
        });
        for name in identity.keys() {
            headers.push((
                name.as_str().into(),
                Cow::Owned(values(identity, name, of_field)?),
            ));
        }
        let mut headers = raw(&Members(headers))?;
        let mut mode_of_event = of_field;
        if form == EventForm::SingleValue && of_field == HeaderMode::MultiValue {
            headers = last_values(&headers)?;
            *field = "headers".into();
            mode_of_event = HeaderMode::SingleValue;
        }
        *value = Cow::Owned(headers);
        if mode.replace(mode_of_event).is_some() {
            return Err("the event has headers in two places".to_owned());
        }
    }
    let mode = mode.ok_or("the event has no headers")?;
    let event = serde_json::to_vec(&Members(members)).map_err(|error| error.to_string())?;
    Ok((event, mode))
}

/// The values of one header, in the form that the event has them.
fn values(headers: &HeaderMap, name: &HeaderName, mode: HeaderMode) -> Result<Box<RawValue>, String> {
    let values: Vec<Cow<'_, str>> = headers
        .get_all(name)
        .iter()
        .map(|value| String::from_utf8_lossy(value.as_bytes()))
        .collect();
    match mode {
        HeaderMode::SingleValue => raw(&values.join(", ")),
        HeaderMode::MultiValue => raw(&values),
    }
}

/// An object of lists as an object of each list's last value: what a load balancer sends in single-value mode.
fn last_values(lists: &RawValue) -> Result<Box<RawValue>, String> {
    let Some(Members(mut members)) = parse(lists)? else {
        return raw(&());
    };
    for (_, value) in &mut members {
        let last = match serde_json::from_str::<Vec<Box<RawValue>>>(value.get()) {
            Ok(list) => list.into_iter().next_back(),
            // A single value is its own last one.
            Err(_) => continue,
        };
        *value = Cow::Owned(match last {
            Some(last) => last,
            None => raw(&"")?,
        });
    }
    raw(&Members(members))
}

fn parse<'a>(value: &'a RawValue) -> Result<Option<Members<'a>>, String> {
    serde_json::from_str(value.get()).map_err(|error| error.to_string())
}

fn raw<T: Serialize>(value: &T) -> Result<Box<RawValue>, String> {
    serde_json::value::to_raw_value(value).map_err(|error| error.to_string())
}

/// A JSON object, in order and with repeats; the values are not read.
struct Members<'a>(Vec<(Cow<'a, str>, Cow<'a, RawValue>)>);

impl<'de> Deserialize<'de> for Members<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::with_capacity(16);
        while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
            members.push((Cow::Owned(name), Cow::Borrowed(value)));
        }
        Ok(Members(members))
    }
}

impl Serialize for Members<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut object = serializer.serialize_map(Some(self.0.len()))?;
        for (name, value) in &self.0 {
            object.serialize_entry(name, value.as_ref())?;
        }
        object.end()
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
        let sent = RawValue::from_string(sent.to_owned()).unwrap();
        let (event, mode) = rewrite(&sent, kept, identity, form).unwrap();
        let event = String::from_utf8(event).unwrap();
        let is_multi = event.contains(r#""multiValueHeaders":{"#);
        assert_eq!(mode == HeaderMode::MultiValue, is_multi, "{event}");
        event
    }

    #[test]
    fn all_but_the_identity_is_copied_as_it_was_written() {
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
    fn what_the_gate_would_have_let_pass_gives_way_to_the_identity() {
        let event = rewritten(
            r#"{"headers":{"Client-Cert":"forged"}}"#,
            &headers(&[("client-cert", "forged")]),
            &headers(&[("client-cert", ":AA==:")]),
            EventForm::AsSent,
        );
        assert_eq!(event, r#"{"headers":{"client-cert":":AA==:"}}"#);
    }

    #[test]
    fn in_single_value_form_the_last_value_stays_as_with_a_load_balancer() {
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
    fn an_event_that_has_no_place_for_the_identity_goes_nowhere() {
        for sent in [
            r#"{"path":"/"}"#,
            r#"{"headers":null}"#,
            r#"{"headers":[]}"#,
            r#"{"headers":{},"multiValueHeaders":{}}"#,
            r#"{"headers":{},"headers":{}}"#,
            "[]",
            "null",
        ] {
            let sent = RawValue::from_string(sent.to_owned()).unwrap();
            let identity = headers(&[("client-cert", ":AA==:")]);
            for form in [EventForm::AsSent, EventForm::SingleValue] {
                assert!(
                    rewrite(&sent, &HeaderMap::new(), &identity, form).is_err(),
                    "{sent}"
                );
            }
        }
    }
}
