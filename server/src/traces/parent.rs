//! The trace that a request belongs to, from its headers.

use std::str::FromStr;

use http::HeaderMap;
use http::header::{HeaderName, HeaderValue};
use opentelemetry::Context;
use opentelemetry::trace::{SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState};

/// Source: W3C, "Trace Context".
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");

/// Longest list of notes that is passed on.
///
/// Source: W3C, "Trace Context", 3.3.1.5: 512 characters at least.
const MAX_STATE: usize = 512;

/// Source: AWS, "Request tracing for your Application Load Balancer".
const XRAY: HeaderName = HeaderName::from_static("x-amzn-trace-id");

/// Place of a request in a trace.
#[derive(Debug)]
pub(super) enum Parent {
    /// A span of this trace caused the request.
    Span(Context),
    /// The trace has no other spans yet.
    Trace(TraceId),
    /// The request says nothing, or what cannot be read: it begins a trace.
    None,
}

impl Parent {
    pub(super) fn read(headers: &HeaderMap) -> Self {
        if let Some(span) = only(headers, &TRACEPARENT).and_then(|value| read_w3c(value, headers)) {
            return Self::Span(Context::new().with_remote_span_context(span));
        }
        only(headers, &XRAY).map_or(Self::None, read_xray)
    }
}

/// Returns the value of a header that is there once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// Reads `00-TRACE-SPAN-FLAGS`. Later versions can have more behind it.
///
/// The reader of the SDK takes parts of other lengths, which the specification calls another trace.
fn read_w3c(traceparent: &str, headers: &HeaderMap) -> Option<SpanContext> {
    let (known, more) = traceparent.split_at_checked(55)?;
    let mut parts = known.split('-');
    let mut part = |length: usize| {
        let is_lower_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let part = parts.next()?;
        (part.len() == length && part.bytes().all(is_lower_hex)).then_some(part)
    };
    let (version, trace, span, flags) = (part(2)?, part(32)?, part(16)?, part(2)?);
    let is_known = match version {
        "00" => more.is_empty(),
        "ff" => false,
        _ => more.is_empty() || more.starts_with('-'),
    };
    let flags = u8::from_str_radix(flags, 16).ok()?;
    let span = SpanContext::new(
        TraceId::from_hex(trace).ok()?,
        SpanId::from_hex(span).ok()?,
        TraceFlags::new(flags) & TraceFlags::SAMPLED,
        true,
        trace_state(headers),
    );
    (is_known && span.is_valid()).then_some(span)
}

/// Returns what other tracers noted in all headers together; nothing if that cannot be read.
fn trace_state(headers: &HeaderMap) -> TraceState {
    let values = headers.get_all(TRACESTATE).iter();
    let Ok(values) = values.map(HeaderValue::to_str).collect::<Result<Vec<_>, _>>() else {
        return TraceState::default();
    };
    let members = values.iter().flat_map(|value| value.split(','));
    let members: Vec<&str> = members.map(|member| member.trim_matches([' ', '\t'])).collect();
    let named: Vec<&str> = members.into_iter().filter(|member| !member.is_empty()).collect();
    let joined = named.join(",");
    match joined.len() > MAX_STATE {
        true => TraceState::default(),
        false => TraceState::from_str(&joined).unwrap_or_default(),
    }
}

/// Reads `Root=1-67891233-abcdef012345678912345678`, beside which there can be the span of another
/// sender and whether it was recorded: `Parent=53995c3f42cd8ad8;Sampled=1`. `Self`, which a load
/// balancer adds to the root of a client, does not name a span.
fn read_xray(value: &str) -> Parent {
    let field = |name: &str| {
        let fields = value.split(';').filter_map(|field| field.trim().split_once('='));
        fields
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| value)
            .next()
    };
    let Some(trace) = field("Root").and_then(trace_id) else {
        return Parent::None;
    };
    let parent = field("Parent").and_then(|parent| SpanId::from_hex(parent).ok());
    let flags = match field("Sampled") {
        Some("0") => TraceFlags::NOT_SAMPLED,
        _ => TraceFlags::SAMPLED,
    };
    match parent.filter(|parent| *parent != SpanId::INVALID) {
        Some(parent) => {
            let span = SpanContext::new(trace, parent, flags, true, TraceState::NONE);
            Parent::Span(Context::new().with_remote_span_context(span))
        }
        None => Parent::Trace(trace),
    }
}

fn trace_id(root: &str) -> Option<TraceId> {
    let (time, random) = root.strip_prefix("1-")?.split_once('-')?;
    let is_hexadecimal = |text: &str| text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let is_plain = time.len() == 8 && random.len() == 24 && is_hexadecimal(time) && is_hexadecimal(random);
    let id = is_plain.then(|| TraceId::from_hex(&format!("{time}{random}")).ok())?;
    id.filter(|id| *id != TraceId::INVALID)
}

/// Writes the span that a request is sent on by, in place of what the request said.
pub(super) fn write(span: &SpanContext, headers: &mut HeaderMap) {
    let parent = format!(
        "00-{}-{}-{:02x}",
        span.trace_id(),
        span.span_id(),
        span.trace_flags()
    );
    let state = span.trace_state().header();
    for (name, value) in [(TRACEPARENT, parent), (TRACESTATE, state)] {
        headers.remove(&name);
        if let Ok(value) = HeaderValue::from_str(&value)
            && !value.is_empty()
        {
            headers.insert(name, value);
        }
    }
}

/// Returns a span in the form of X-Ray, as Lambda tells it.
pub(super) fn xray(span: &SpanContext) -> String {
    let trace = span.trace_id().to_string();
    let (time, random) = trace.split_at_checked(8).unwrap_or((&trace, ""));
    let sampled = u8::from(span.is_sampled());
    format!(
        "Root=1-{time}-{random};Parent={};Sampled={sampled}",
        span.span_id()
    )
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    const W3C: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
    const ALB: &str = "Root=1-67891233-abcdef012345678912345678";

    fn headers(lines: &[(HeaderName, &str)]) -> HeaderMap {
        let value = |text: &str| HeaderValue::from_str(text).unwrap();
        let mut headers = HeaderMap::new();
        for (name, text) in lines {
            headers.append(name, value(text));
        }
        headers
    }

    /// Returns what is read, in the form of W3C; a trace without a span has zeros in its place.
    fn read(lines: &[(HeaderName, &str)]) -> String {
        match Parent::read(&headers(lines)) {
            Parent::Span(context) => {
                let span = context.span().span_context().clone();
                let flags = u8::from(span.is_sampled());
                format!("{}-{}-{flags}", span.trace_id(), span.span_id())
            }
            Parent::Trace(trace) => format!("{trace}-0"),
            Parent::None => "none".to_owned(),
        }
    }

    #[test]
    fn trace_is_the_callers_or_the_load_balancers() {
        let parent = "Self=1-67891234-12456789abcdef012345678;Root=1-67891233-abcdef012345678912345678;\
                      Parent=53995c3f42cd8ad8;Sampled=0";
        let cases = [
            (vec![], "none"),
            (
                vec![(TRACEPARENT, W3C), (XRAY, ALB)],
                "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            ),
            (
                vec![(
                    TRACEPARENT,
                    "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-fe-more",
                )],
                "4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0",
            ),
            (vec![(XRAY, ALB)], "67891233abcdef012345678912345678-0"),
            (
                vec![(XRAY, parent)],
                "67891233abcdef012345678912345678-53995c3f42cd8ad8-0",
            ),
        ];
        for (lines, expected) in cases {
            assert_eq!(read(&lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn what_cannot_be_read_begins_a_trace() {
        for traceparent in [
            "",
            "00",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.",
            "01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01.",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-f067aa0ba902b7-0101",
            "0-4bf92f3577b34da6a3ce929d0e0e47360-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-0x",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b\u{e9}-01",
        ] {
            assert_eq!(read(&[(TRACEPARENT, traceparent)]), "none", "{traceparent}");
        }
        assert_eq!(read(&[(TRACEPARENT, W3C), (TRACEPARENT, W3C)]), "none");
        for xray in [
            "",
            "Root",
            "Root=",
            "Root=1-67891233",
            "Root=2-67891233-abcdef012345678912345678",
            "Root=1-67891233-abcdef01234567891234567",
            "Root=1-67891233-abcdef01234567891234567g",
            "Root=1-67891233-+bcdef012345678912345678",
            "Root=1-00000000-000000000000000000000000",
            "root=1-67891233-abcdef012345678912345678",
        ] {
            assert_eq!(read(&[(XRAY, xray)]), "none", "{xray}");
        }
        assert_eq!(read(&[(XRAY, ALB), (XRAY, ALB)]), "none");
    }

    #[test]
    fn span_replaces_what_the_request_said() {
        let mut sent = headers(&[
            (TRACEPARENT, W3C),
            (TRACEPARENT, "forged"),
            (TRACESTATE, "forged=1"),
        ]);
        let span = SpanContext::new(
            TraceId::from(0x4bf9),
            SpanId::from(0x00f0),
            TraceFlags::SAMPLED,
            false,
            TraceState::NONE,
        );
        assert_eq!(
            xray(&span),
            "Root=1-00000000-000000000000000000004bf9;Parent=00000000000000f0;Sampled=1"
        );
        write(&span, &mut sent);
        let written = "00-00000000000000000000000000004bf9-00000000000000f0-01";
        assert_eq!(sent, headers(&[(TRACEPARENT, written)]));
    }

    #[test]
    fn notes_of_other_tracers_are_kept_as_one_list() {
        let long = format!("foo={},bar={}", "1".repeat(250), "2".repeat(255));
        for (lines, kept) in [
            (&[][..], ""),
            (&["foo=1"], "foo=1"),
            (
                &["foo=1, ,bar=2\t", "", "congo=t61rcWkgMzE"],
                "foo=1,bar=2,congo=t61rcWkgMzE",
            ),
            (&["foo=1", "forged"], ""),
            (&["foo=1", "Foo=1"], ""),
            (&[long.as_str()], ""),
        ] {
            let mut all: Vec<_> = lines.iter().map(|line| (TRACESTATE, *line)).collect();
            all.push((TRACEPARENT, W3C));
            let Parent::Span(context) = Parent::read(&headers(&all)) else {
                panic!("{lines:?}");
            };
            assert_eq!(
                context.span().span_context().trace_state().header(),
                kept,
                "{lines:?}"
            );
        }
    }
}
