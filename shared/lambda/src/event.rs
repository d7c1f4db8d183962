//! The event that a load balancer sends to a Lambda target, read so that no input fails.

use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// An event of an Application Load Balancer, or whatever was sent in its place.
///
/// [`Event::from_json`] never fails: an error would become a function error, a 502 at the load
/// balancer and an alarm for the operator, and a client must not be able to cause that. Each fault
/// is kept as a [`EventError`] instead, and such an event is answered with 400. Deserialising fails
/// on text that is not Unicode (half of a surrogate pair) and on numbers that are too large, which
/// are valid JSON.
///
/// Source: Elastic Load Balancing user guide, "Lambda functions as targets", request and response
/// events.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    pub(crate) target_group_arn: Option<String>,
    pub(crate) method: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) query: Vec<(String, String)>,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) header_mode: Option<HeaderMode>,
    pub(crate) body: Option<String>,
    pub(crate) body_is_base64: bool,
    pub(crate) is_http: bool,
    pub(crate) defect: Option<EventError>,
}

/// Form in which repeated headers arrive and leave: the target group's
/// `lambda.multi_value_headers.enabled`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HeaderMode {
    /// `headers`: one value a name, the last one that the client sent.
    SingleValue,
    /// `multiValueHeaders`: every value.
    MultiValue,
}

/// Reason why an event is not an HTTP request that can be served.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventError {
    /// Not JSON, or JSON that no request can be, such as half of a surrogate pair.
    #[error("the event cannot be read as JSON: {0}")]
    NotJson(String),
    /// No `requestContext.elb`: the event does not come from a load balancer.
    #[error("the event does not come from an Application Load Balancer")]
    NotLoadBalancer,
    /// A field has another JSON type than documented.
    #[error("the field `{0}` of the event is not of the documented type")]
    FieldType(&'static str),
    /// A field that occurs more than once, where readers may differ on which counts.
    #[error("the field `{0}` occurs twice in the event")]
    FieldRepeated(&'static str),
    /// A field in another spelling than documented, which some readers take for it.
    #[error("a field of the event could be taken for `{0}` and is not written like it")]
    FieldSpelling(&'static str),
    /// A field with a name of more than ASCII: readers that ignore case differ in which letters
    /// they take for which.
    #[error("a field of the event has a name that is not ASCII")]
    FieldNotAscii,
    /// Both `headers` and `multiValueHeaders`, or both forms of the query: a load balancer sends
    /// one.
    #[error("the event contains single-value and multi-value fields at once")]
    BothModes,
    /// The method is not a token of RFC 9110.
    #[error("the request method is invalid")]
    Method,
    /// The path and query are not a request target.
    #[error("the path or query contains characters that cannot be in a request target")]
    Target,
    /// A header's name is not a token of RFC 9110.
    #[error("a header name is invalid")]
    HeaderName,
    /// A header's value contains control characters.
    #[error("a header value is invalid")]
    HeaderValue,
    /// The body claims to be base64 and is not.
    #[error("the body is not valid base64")]
    Body,
}

/// Fields of a load balancer's events that are read, here and by functions.
const FIELDS: [&str; 9] = [
    "requestContext",
    "httpMethod",
    "path",
    "body",
    "headers",
    "multiValueHeaders",
    "queryStringParameters",
    "multiValueQueryStringParameters",
    "isBase64Encoded",
];

/// Members of `requestContext` and of its `elb` that are read.
const LOAD_BALANCER: &str = "elb";
const TARGET_GROUP_ARN: &str = "targetGroupArn";

/// Fields by which an event says that it is an HTTP request: at least one is in those of load
/// balancers, APIs, function URLs and VPC Lattice, and none in those of schedules, queues, streams
/// and buckets.
const FIELDS_OF_HTTP: [&str; 4] = ["requestContext", "httpMethod", "headers", "multiValueHeaders"];

impl Event {
    /// Reads what was sent as an event, whatever that is.
    pub fn from_json(sent: &str) -> Self {
        serde_json::from_str(sent).unwrap_or_else(|error| Self::unreadable(&error))
    }

    /// Reads a payload as an event, whatever it is.
    pub fn from_slice(sent: &[u8]) -> Self {
        match std::str::from_utf8(sent) {
            Ok(text) => Self::from_json(text),
            Err(error) => Self::unreadable(&error),
        }
    }

    /// Returns how the answer has to write its headers; `None` where the event does not say.
    pub fn header_mode(&self) -> Option<HeaderMode> {
        self.header_mode
    }

    /// Returns the event for text that cannot be read. An HTTP request could have caused it.
    pub fn unreadable(error: &dyn fmt::Display) -> Self {
        Self {
            is_http: true,
            defect: Some(EventError::NotJson(error.to_string())),
            ..Self::default()
        }
    }

    /// Returns true if an HTTP request could have caused the event, through a load balancer or
    /// anything else. Otherwise the event has no headers at its top, in which a client could claim
    /// an identity; [`holds_request_headers`] looks deeper.
    ///
    /// [`holds_request_headers`]: crate::holds_request_headers
    pub fn is_http(&self) -> bool {
        self.is_http
    }

    fn note(&mut self, defect: EventError) {
        self.defect.get_or_insert(defect);
    }

    fn set_headers(&mut self, mode: HeaderMode, pairs: Pairs) {
        let field = match mode {
            HeaderMode::SingleValue => "headers",
            HeaderMode::MultiValue => "multiValueHeaders",
        };
        match pairs {
            Pairs::Absent => return,
            Pairs::WrongType => self.note(EventError::FieldType(field)),
            Pairs::Of(pairs) => self.headers = pairs,
        }
        if self.header_mode.replace(mode).is_some() {
            self.note(EventError::BothModes);
        }
    }

    fn set_query(&mut self, seen: &mut bool, field: &'static str, pairs: Pairs) {
        match pairs {
            Pairs::Absent => return,
            Pairs::WrongType => self.note(EventError::FieldType(field)),
            // API test events have both forms; an empty one does not count.
            Pairs::Of(pairs) if pairs.is_empty() => return,
            Pairs::Of(pairs) => self.query = pairs,
        }
        if std::mem::replace(seen, true) {
            self.note(EventError::BothModes);
        }
    }
}

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(EventVisitor)
    }
}

struct EventVisitor;

impl<'de> Visitor<'de> for EventVisitor {
    type Value = Event;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Event, A::Error> {
        let mut event = Event::default();
        let mut query_seen = false;
        let mut seen = Vec::with_capacity(FIELDS.len());
        while let Some(Key(key)) = map.next_key()? {
            match taken_for(&FIELDS, &key) {
                Taken::For(field) => {
                    note_name(field, &key, &mut seen, |defect| event.note(defect));
                    event.is_http |= FIELDS_OF_HTTP.contains(&field);
                }
                Taken::ForAny => {
                    event.note(EventError::FieldNotAscii);
                    event.is_http = true;
                }
                Taken::ForNone => {}
            }
            match key.as_str() {
                "requestContext" => match map.next_value()? {
                    RequestContext::LoadBalancer(arn) => event.target_group_arn = Some(arn),
                    RequestContext::Other => event.note(EventError::NotLoadBalancer),
                    RequestContext::Unclear(defect) => event.note(defect),
                },
                "httpMethod" => set_text(&mut event, "httpMethod", map.next_value()?, |event| {
                    &mut event.method
                }),
                "path" => set_text(&mut event, "path", map.next_value()?, |event| &mut event.path),
                "body" => set_text(&mut event, "body", map.next_value()?, |event| &mut event.body),
                "headers" => event.set_headers(HeaderMode::SingleValue, map.next_value()?),
                "multiValueHeaders" => event.set_headers(HeaderMode::MultiValue, map.next_value()?),
                "queryStringParameters" => {
                    let pairs = map.next_value()?;
                    event.set_query(&mut query_seen, "queryStringParameters", pairs);
                }
                "multiValueQueryStringParameters" => {
                    let pairs = map.next_value()?;
                    event.set_query(&mut query_seen, "multiValueQueryStringParameters", pairs);
                }
                "isBase64Encoded" => match map.next_value()? {
                    Scalar::Boolean(value) => event.body_is_base64 = value,
                    Scalar::Null => {}
                    Scalar::Text(_) | Scalar::Other => event.note(EventError::FieldType("isBase64Encoded")),
                },
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if event.target_group_arn.is_none() {
            event.note(EventError::NotLoadBalancer);
        }
        Ok(event)
    }

    fn visit_unit<E>(self) -> Result<Event, E> {
        Ok(not_an_object())
    }

    fn visit_bool<E>(self, _: bool) -> Result<Event, E> {
        Ok(not_an_object())
    }

    fn visit_i64<E>(self, _: i64) -> Result<Event, E> {
        Ok(not_an_object())
    }

    fn visit_u64<E>(self, _: u64) -> Result<Event, E> {
        Ok(not_an_object())
    }

    fn visit_f64<E>(self, _: f64) -> Result<Event, E> {
        Ok(not_an_object())
    }

    fn visit_str<E>(self, _: &str) -> Result<Event, E> {
        Ok(not_an_object())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Event, A::Error> {
        while elements.next_element::<IgnoredAny>()?.is_some() {}
        Ok(not_an_object())
    }
}

/// Field that a reader could take a name for.
enum Taken {
    For(&'static str),
    ForAny,
    ForNone,
}

/// Returns the field that a reader could take a name for. Readers differ on whether case counts (it
/// does not in Go), and `_` and `-` (models with aliases take `multi_value_headers` too). Beyond
/// ASCII they also differ on what case is: Go folds U+017F to `s` and U+212A to `k`, Java U+0131 to
/// `i`.
fn taken_for(fields: &[&'static str], name: &str) -> Taken {
    if let Some(field) = fields.iter().find(|field| **field == name) {
        return Taken::For(field);
    }
    if !name.is_ascii() {
        return Taken::ForAny;
    }
    match fields.iter().find(|field| reads_as(name, field)) {
        Some(field) => Taken::For(field),
        None => Taken::ForNone,
    }
}

/// Returns true if two names are the same except for case and for characters that are neither a
/// letter nor a digit.
pub(crate) fn reads_as(name: &str, field: &str) -> bool {
    let letters = name.bytes().filter(u8::is_ascii_alphanumeric);
    letters
        .map(|byte| byte.to_ascii_lowercase())
        .eq(field.bytes().map(|byte| byte.to_ascii_lowercase()))
}

/// Notes a name that is not written like its field, or occurs twice: readers differ on which one
/// counts.
fn note_name(
    field: &'static str,
    name: &str,
    seen: &mut Vec<&'static str>,
    mut note: impl FnMut(EventError),
) {
    if field != name {
        note(EventError::FieldSpelling(field));
    }
    if seen.contains(&field) {
        note(EventError::FieldRepeated(field));
    }
    seen.push(field);
}

/// The one member of an object that counts.
struct OnlyOne {
    field: [&'static str; 1],
    seen: Vec<&'static str>,
    defect: Option<EventError>,
}

impl OnlyOne {
    fn new(field: &'static str) -> Self {
        Self {
            field: [field],
            seen: Vec::with_capacity(1),
            defect: None,
        }
    }

    /// Returns whether this is the member, and notes a name that could be taken for it.
    fn is(&mut self, name: &str) -> bool {
        let defect = &mut self.defect;
        let mut note = |found| {
            defect.get_or_insert(found);
        };
        match taken_for(&self.field, name) {
            Taken::For(field) => {
                note_name(field, name, &mut self.seen, note);
                field == name
            }
            Taken::ForAny => {
                note(EventError::FieldNotAscii);
                false
            }
            Taken::ForNone => false,
        }
    }

    fn or_defect(self, found: RequestContext) -> RequestContext {
        match self.defect {
            Some(defect) => RequestContext::Unclear(defect),
            None => found,
        }
    }
}

fn not_an_object() -> Event {
    Event {
        defect: Some(EventError::NotLoadBalancer),
        ..Event::default()
    }
}

fn set_text(
    event: &mut Event,
    field: &'static str,
    value: Scalar,
    place: fn(&mut Event) -> &mut Option<String>,
) {
    match value {
        Scalar::Null => {}
        Scalar::Text(text) => *place(event) = Some(text),
        Scalar::Boolean(_) | Scalar::Other => event.note(EventError::FieldType(field)),
    }
}

/// An object's key; JSON has no others than text.
struct Key(String);

impl<'de> Deserialize<'de> for Key {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Key)
    }
}

enum RequestContext {
    LoadBalancer(String),
    Other,
    /// Load balancer that readers could disagree about.
    Unclear(EventError),
}

/// A JSON value of which only text and truth values matter.
enum Scalar {
    Null,
    Boolean(bool),
    Text(String),
    Other,
}

/// The name-value pairs of a single-value or a multi-value object, in order, with repeats.
enum Pairs {
    Absent,
    WrongType,
    Of(Vec<(String, String)>),
}

/// Implements `Deserialize` for a type that takes any JSON value: `$other` for all that its visitor
/// has no method for.
macro_rules! tolerant {
    ($type:ident, $visitor:ident, unit: $unit:expr, other: $other:expr, $($method:item)*) => {
        struct $visitor;

        impl<'de> Visitor<'de> for $visitor {
            type Value = $type;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("any JSON value")
            }

            fn visit_unit<E>(self) -> Result<$type, E> {
                Ok($unit)
            }

            fn visit_i64<E>(self, _: i64) -> Result<$type, E> {
                Ok($other)
            }

            fn visit_u64<E>(self, _: u64) -> Result<$type, E> {
                Ok($other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<$type, E> {
                Ok($other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<$type, A::Error> {
                while elements.next_element::<IgnoredAny>()?.is_some() {}
                Ok($other)
            }

            $($method)*
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                deserializer.deserialize_any($visitor)
            }
        }
    };
}

tolerant! { Scalar, ScalarVisitor, unit: Scalar::Null, other: Scalar::Other,
    fn visit_bool<E>(self, value: bool) -> Result<Scalar, E> {
        Ok(Scalar::Boolean(value))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(text))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Scalar, A::Error> {
        skip(map)?;
        Ok(Scalar::Other)
    }
}

tolerant! { RequestContext, RequestContextVisitor, unit: RequestContext::Other, other: RequestContext::Other,
    fn visit_bool<E>(self, _: bool) -> Result<RequestContext, E> {
        Ok(RequestContext::Other)
    }

    fn visit_str<E>(self, _: &str) -> Result<RequestContext, E> {
        Ok(RequestContext::Other)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<RequestContext, A::Error> {
        let mut found = RequestContext::Other;
        let mut only = OnlyOne::new(LOAD_BALANCER);
        while let Some(Key(key)) = map.next_key()? {
            if only.is(&key) {
                found = map.next_value::<LoadBalancer>()?.0;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(only.or_defect(found))
    }
}

/// `requestContext.elb`.
struct LoadBalancer(RequestContext);

tolerant! { LoadBalancer, LoadBalancerVisitor,
    unit: LoadBalancer(RequestContext::Other), other: LoadBalancer(RequestContext::Other),
    fn visit_bool<E>(self, _: bool) -> Result<LoadBalancer, E> {
        Ok(LoadBalancer(RequestContext::Other))
    }

    fn visit_str<E>(self, _: &str) -> Result<LoadBalancer, E> {
        Ok(LoadBalancer(RequestContext::Other))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<LoadBalancer, A::Error> {
        let mut found = RequestContext::Other;
        let mut only = OnlyOne::new(TARGET_GROUP_ARN);
        while let Some(Key(key)) = map.next_key()? {
            if only.is(&key) {
                found = match map.next_value()? {
                    Scalar::Text(arn) => RequestContext::LoadBalancer(arn),
                    _ => RequestContext::Other,
                };
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(LoadBalancer(only.or_defect(found)))
    }
}

tolerant! { Pairs, PairsVisitor, unit: Pairs::Absent, other: Pairs::WrongType,
    fn visit_bool<E>(self, _: bool) -> Result<Pairs, E> {
        Ok(Pairs::WrongType)
    }

    fn visit_str<E>(self, _: &str) -> Result<Pairs, E> {
        Ok(Pairs::WrongType)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs, A::Error> {
        let mut pairs = Vec::with_capacity(map.size_hint().unwrap_or(16).min(64));
        let mut wrong = false;
        while let Some(Key(name)) = map.next_key()? {
            match map.next_value()? {
                Values::One(value) => pairs.push((name, value)),
                Values::Several(values) => pairs.extend(values.into_iter().map(|value| (name.clone(), value))),
                Values::WrongType => wrong = true,
            }
        }
        Ok(if wrong { Pairs::WrongType } else { Pairs::Of(pairs) })
    }
}

/// The value or the values of one header or parameter.
enum Values {
    One(String),
    Several(Vec<String>),
    WrongType,
}

struct ValuesVisitor;

impl<'de> Deserialize<'de> for Values {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ValuesVisitor)
    }
}

impl<'de> Visitor<'de> for ValuesVisitor {
    type Value = Values;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any JSON value")
    }

    fn visit_str<E>(self, text: &str) -> Result<Values, E> {
        Ok(Values::One(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Values, E> {
        Ok(Values::One(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<Values, A::Error> {
        let mut values = Vec::with_capacity(1);
        let mut wrong = false;
        while let Some(value) = elements.next_element()? {
            match value {
                Scalar::Text(text) => values.push(text),
                _ => wrong = true,
            }
        }
        Ok(if wrong {
            Values::WrongType
        } else {
            Values::Several(values)
        })
    }

    fn visit_unit<E>(self) -> Result<Values, E> {
        Ok(Values::WrongType)
    }

    fn visit_bool<E>(self, _: bool) -> Result<Values, E> {
        Ok(Values::WrongType)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Values, E> {
        Ok(Values::WrongType)
    }

    fn visit_u64<E>(self, _: u64) -> Result<Values, E> {
        Ok(Values::WrongType)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Values, E> {
        Ok(Values::WrongType)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Values, A::Error> {
        skip(map)?;
        Ok(Values::WrongType)
    }
}

fn skip<'de, A: MapAccess<'de>>(mut map: A) -> Result<(), A::Error> {
    while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Event {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn any_json_value_is_an_event() {
        for json in [
            "null",
            "true",
            "-1",
            "1",
            "1.5",
            "\"text\"",
            "[1,[2]]",
            "{}",
            "{\"requestContext\":{\"elb\":[]}}",
        ] {
            assert_eq!(read(json).defect, Some(EventError::NotLoadBalancer), "{json}");
        }
    }

    #[test]
    fn events_of_clients_differ_from_schedules_and_queues() {
        for http in [
            r#"{"requestContext":null}"#,
            r#"{"version":"2.0","rawPath":"/","Headers":{}}"#,
            r#"{"method":"GET","raw_path":"/","headers":{}}"#,
            r#"{"HTTPMETHOD":"GET"}"#,
            r#"{"http_method":"GET"}"#,
            r#"{"header\u017f":{}}"#,
        ] {
            assert!(read(http).is_http(), "{http}");
        }
        for other in [
            "null",
            "[]",
            "\"headers\"",
            r#"{"Records":[{"headers":{}}]}"#,
            r#"{"source":"aws.events","detail":{"requestContext":1}}"#,
            r#"{"body":"{}","path":"/"}"#,
        ] {
            assert!(!read(other).is_http(), "{other}");
        }
    }

    #[test]
    fn wrong_types_are_named() {
        let context = r#""requestContext":{"elb":{"targetGroupArn":"arn"}}"#;
        for (field, value) in [
            ("headers", "[]"),
            ("headers", r#"{"a":null}"#),
            ("multiValueHeaders", r#"{"a":[null]}"#),
            ("multiValueHeaders", r#"{"a":{"b":1}}"#),
            ("queryStringParameters", r#"{"a":1}"#),
            ("httpMethod", "7"),
            ("path", "{}"),
            ("body", "[]"),
            ("isBase64Encoded", "\"yes\""),
        ] {
            let event = read(&format!("{{{context},\"{field}\":{value}}}"));
            assert_eq!(
                event.defect,
                Some(EventError::FieldType(field)),
                "{field} {value}"
            );
        }
    }

    #[test]
    fn repeats_in_any_spelling_are_all_kept() {
        let event = read(
            r#"{"requestContext":{"elb":{"targetGroupArn":"arn"}},
                "headers":{"x-a":"1","X-A":"2","x-a":"3"}}"#,
        );
        assert_eq!(event.headers.len(), 3);
        assert_eq!(event.header_mode, Some(HeaderMode::SingleValue));
        assert_eq!(event.defect, None);
    }

    #[test]
    fn names_that_read_as_one_field_are_errors() {
        let context = r#""requestContext":{"elb":{"targetGroupArn":"arn"}}"#;
        for (fields, defect) in [
            (r#""path":"/a","path":"/b""#, EventError::FieldRepeated("path")),
            (r#""path":"/a","path":null"#, EventError::FieldRepeated("path")),
            (
                r#""headers":{"a":"1"},"headers":null"#,
                EventError::FieldRepeated("headers"),
            ),
            (
                r#""isBase64Encoded":true,"isBase64Encoded":false"#,
                EventError::FieldRepeated("isBase64Encoded"),
            ),
            (
                r#""headers":{},"Headers":{"a":"1"}"#,
                EventError::FieldSpelling("headers"),
            ),
            (
                r#""MULTIVALUEHEADERS":{}"#,
                EventError::FieldSpelling("multiValueHeaders"),
            ),
            (
                r#""multi_value-headers":{}"#,
                EventError::FieldSpelling("multiValueHeaders"),
            ),
            (r#""header\u017f":{}"#, EventError::FieldNotAscii),
            (r#""\u212a":1"#, EventError::FieldNotAscii),
            (r#""größe":1"#, EventError::FieldNotAscii),
            (context, EventError::FieldRepeated("requestContext")),
        ] {
            assert_eq!(
                read(&format!("{{{context},{fields}}}")).defect,
                Some(defect),
                "{fields}"
            );
        }
        assert_eq!(read(&format!("{{{context},\"pathology\":1}}")).defect, None);
    }

    #[test]
    fn load_balancer_named_twice_is_an_error() {
        for (context, defect) in [
            (
                r#"{"elb":{"targetGroupArn":"a"},"elb":{"targetGroupArn":"b"}}"#,
                EventError::FieldRepeated("elb"),
            ),
            (
                r#"{"elb":null,"e\u006cb":{"targetGroupArn":"b"}}"#,
                EventError::FieldRepeated("elb"),
            ),
            (
                r#"{"elb":{"targetGroupArn":"a"},"ELB":{"targetGroupArn":"b"}}"#,
                EventError::FieldSpelling("elb"),
            ),
            (
                r#"{"elb":{"targetGroupArn":"a","targetGroupArn":"b"}}"#,
                EventError::FieldRepeated("targetGroupArn"),
            ),
            (
                r#"{"elb":{"targetGroupArn":"a","target_group_arn":"b"}}"#,
                EventError::FieldSpelling("targetGroupArn"),
            ),
            (
                r#"{"elb":{"targetGroupArn":"a","\u017f":"b"}}"#,
                EventError::FieldNotAscii,
            ),
        ] {
            let event = read(&format!(r#"{{"requestContext":{context}}}"#));
            assert_eq!(event.defect, Some(defect), "{context}");
            assert_eq!(event.target_group_arn, None, "{context}");
        }
        let event = read(r#"{"requestContext":{"new":1,"elb":{"new":{},"targetGroupArn":"a"}}}"#);
        assert_eq!(
            (event.defect, event.target_group_arn.as_deref()),
            (None, Some("a"))
        );
    }

    #[test]
    fn unreadable_text_is_an_event_with_error() {
        for sent in [
            "",
            "{",
            "{}{}",
            "\u{feff}{}",
            r#"{"path":"\ud800"}"#,
            r#"{"\ud800":1}"#,
            r#"{"headers":{"\udfff":"1"}}"#,
            r#"{"headers":{"a":"\ud800\ud800"}}"#,
            r#"{"multiValueHeaders":{"a":["\ud800"]}}"#,
            r#"{"queryStringParameters":{"a":1e999}}"#,
            r#"{"path":1e999}"#,
            r#"{"requestContext":{"elb":{"targetGroupArn":"\ud800"}}}"#,
        ] {
            let event = Event::from_json(sent);
            assert!(
                matches!(event.defect, Some(EventError::NotJson(_))),
                "{sent}: {event:?}"
            );
            assert!(event.is_http(), "{sent}");
        }
        // Nothing reads these.
        for sent in [
            r#"{"z":"\ud800"}"#,
            r#"{"z":[1e999]}"#,
            r#"{"requestContext":{"z":1e999}}"#,
        ] {
            assert_eq!(
                Event::from_json(sent).defect,
                Some(EventError::NotLoadBalancer),
                "{sent}"
            );
        }
    }

    #[test]
    fn both_header_modes_at_once_are_a_defect() {
        let event = read(
            r#"{"requestContext":{"elb":{"targetGroupArn":"arn"}},
                "headers":{"a":"1"},"multiValueHeaders":{"a":["2"]}}"#,
        );
        assert_eq!(event.defect, Some(EventError::BothModes));
    }
}
