//! The answer: JSON, or a page for those who prefer one.

use std::convert::Infallible;

use alb_mtls_gate::{ClientIdentity, VerifiedClient};
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderValue, VARY};
use http::{HeaderMap, Request, Response};
use lambda_http::Body;
use serde::Serialize;

use crate::page;

#[derive(Serialize)]
struct Answer<'a> {
    verified: bool,
    client: Option<&'a ClientIdentity>,
    request: RequestLine<'a>,
}

/// The request as it arrived, so that it can be seen that nothing on the way changed it.
#[derive(Serialize)]
struct RequestLine<'a> {
    method: &'a str,
    path: &'a str,
    query: Option<&'a str>,
}

pub(crate) async fn answer(request: Request<Body>) -> Result<Response<Body>, Infallible> {
    let client = request
        .extensions()
        .get::<VerifiedClient>()
        .map(|client| client.identity().as_ref());
    let (content_type, body) = if prefers_html(request.headers()) {
        ("text/html; charset=utf-8", page::render(client))
    } else {
        ("application/json", to_json(&request, client))
    };
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(VARY, HeaderValue::from_static("accept"));
    headers.insert(
        CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
    );
    Ok(response)
}

fn to_json(request: &Request<Body>, client: Option<&ClientIdentity>) -> String {
    let answer = Answer {
        verified: client.is_some(),
        client,
        request: RequestLine {
            method: request.method().as_str(),
            path: request.uri().path(),
            query: request.uri().query(),
        },
    };
    // Text, numbers and lists of these always serialise.
    serde_json::to_string_pretty(&answer).unwrap_or_default() + "\n"
}

/// Returns true if the client asks for `text/html` by name and at least as much as for JSON (RFC
/// 9110 §12.5.1). `*/*` alone, which curl sends, does not ask for it by name.
fn prefers_html(headers: &HeaderMap) -> bool {
    let (mut html, mut json) = (0.0, 0.0);
    for value in headers
        .get_all(ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
    {
        for range in value.split(',') {
            let mut parts = range.split(';').map(str::trim);
            let media_type = parts.next().unwrap_or_default().to_ascii_lowercase();
            let quality = parts
                .find_map(|parameter| parameter.strip_prefix("q="))
                .map_or(Ok(1.0), str::parse);
            let quality: f32 = quality.unwrap_or(0.0);
            match media_type.as_str() {
                "text/html" => html = quality,
                "application/json" => json = quality,
                _ => {}
            }
        }
    }
    html > 0.0 && html >= json
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_get_a_page_and_programs_get_json() {
        for (accept, expected) in [
            (
                "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
                true,
            ),
            ("*/*", false),
            ("application/json", false),
            ("application/json, text/html;q=0.9", false),
            ("text/html;q=0", false),
        ] {
            let headers = HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))]);
            assert_eq!(prefers_html(&headers), expected, "{accept}");
        }
    }
}
