//! The answer: JSON, or a page for those who prefer one.

use std::convert::Infallible;

use alb_mtls_gate::{ClientIdentity, VerifiedClient};
use http::header::{CONTENT_TYPE, HeaderValue};
use http::{Request, Response};
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
    let is_page = alb_mtls_http::page::is_preferred(request.headers());
    let body = if is_page {
        page::render(client)
    } else {
        to_json(&request, client)
    };
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    alb_mtls_http::page::set_headers(headers);
    if !is_page {
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
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
