//! Envoy's authorization API over gRPC: `envoy.service.auth.v3.Authorization/Check`.

mod messages;

use std::str::FromStr;

use http::header::{HOST, HeaderMap, HeaderName, HeaderValue};
use http::request::Parts;
use http::{Method, Request, Response, StatusCode};

use super::conventions::target_from;
use super::{Authorizer, Headers, ToldBy, own_names};
use messages::{
    CheckRequest, CheckResponse, DeniedResponse, HeaderOption, HttpRequest, HttpResponse, HttpStatus,
    OkResponse, Overwrite, RpcStatus,
};

/// Path of the calls.
pub(super) const CHECK: &str = "/envoy.service.auth.v3.Authorization/Check";

/// The answer names the headers to remove, and the question has all that the load balancer sent.
const BY_ENVOY: ToldBy = ToldBy {
    headers: Headers::Removed,
    hides_source_address: false,
};

/// Codes of `google.rpc.Code`.
const OK: i32 = 0;
const PERMISSION_DENIED: i32 = 7;
const UNAVAILABLE: i32 = 14;
const UNAUTHENTICATED: i32 = 16;

impl Authorizer {
    /// Answers a call.
    pub(super) async fn check(&self, question: CheckRequest) -> CheckResponse {
        let told = request_from(question);
        let names: Vec<HeaderName> = match &told {
            Ok(request) => request.headers.keys().cloned().collect(),
            Err(_) => Vec::new(),
        };
        let allowed = match self.decide(told, BY_ENVOY).await {
            Ok(allowed) => allowed,
            Err(denied) => return denial(denied.0),
        };
        let identity = self.identity(&allowed).unwrap_or_default();
        let left = &allowed.parts.headers;
        let mut removed: Vec<String> = names
            .iter()
            .filter(|name| !left.contains_key(*name) && !identity.contains_key(*name))
            .map(|name| name.as_str().to_owned())
            .collect();
        // Envoy can be told to keep headers from this service, and would pass them on.
        let hidden =
            own_names().filter(|own| !identity.contains_key(*own) && removed.iter().all(|name| name != own));
        let hidden: Vec<String> = hidden.map(str::to_owned).collect();
        removed.extend(hidden);
        CheckResponse {
            status: Some(RpcStatus { code: OK }),
            http_response: Some(HttpResponse::Ok(OkResponse {
                headers: options(&identity),
                headers_to_remove: removed,
                response_headers_to_add: options(&allowed.response_headers),
            })),
        }
    }
}

/// Reads the request that Envoy tells.
fn request_from(question: CheckRequest) -> Result<Parts, String> {
    let attributes = question.attributes.and_then(|attributes| attributes.request);
    let told = attributes
        .and_then(|request| request.http)
        .ok_or("the proxy does not tell about an HTTP request")?;
    let method = Method::from_str(&told.method)
        .map_err(|_| "the method that the proxy tells is not a method".to_owned())?;
    let target = target_from(&told.path)?;
    let headers = headers_from(told)?;
    let mut request = Request::new(());
    *request.method_mut() = method;
    *request.uri_mut() = target.into();
    *request.headers_mut() = headers;
    Ok(request.into_parts().0)
}

fn headers_from(told: HttpRequest) -> Result<HeaderMap, String> {
    let raw = told.header_map.map(|map| map.headers).unwrap_or_default();
    if !raw.is_empty() && !told.headers.is_empty() {
        return Err("the proxy tells headers in two places".to_owned());
    }
    let texts = told
        .headers
        .into_iter()
        .map(|(name, value)| (name, value.into_bytes()));
    let raw = raw.into_iter().map(|header| match header.raw_value.is_empty() {
        true => (header.key, header.value.into_bytes()),
        false => (header.key, header.raw_value),
    });
    let mut headers = HeaderMap::new();
    for (name, value) in texts.chain(raw).filter(|(name, _)| !name.starts_with(':')) {
        let header = HeaderName::from_str(&name)
            .ok()
            .zip(HeaderValue::from_bytes(&value).ok());
        let Some((name, value)) = header else {
            return Err(format!(
                "the header `{}` that the proxy tells is not valid",
                name.escape_default()
            ));
        };
        headers.append(name, value);
    }
    // Envoy has the host in a place of its own. A Host header beside it must be the same.
    if !told.host.is_empty() && headers.get(HOST).is_none_or(|host| host != told.host.as_str()) {
        let host = HeaderValue::from_str(&told.host);
        headers.append(
            HOST,
            host.map_err(|_| "the host that the proxy tells is not valid")?,
        );
    }
    Ok(headers)
}

fn denial(response: Response<String>) -> CheckResponse {
    let (parts, body) = response.into_parts();
    let code = match parts.status {
        StatusCode::UNAUTHORIZED => UNAUTHENTICATED,
        StatusCode::SERVICE_UNAVAILABLE => UNAVAILABLE,
        _ => PERMISSION_DENIED,
    };
    CheckResponse {
        status: Some(RpcStatus { code }),
        http_response: Some(HttpResponse::Denied(DeniedResponse {
            status: Some(HttpStatus {
                code: i32::from(parts.status.as_u16()),
            }),
            headers: options(&parts.headers),
            body,
        })),
    }
}

/// Returns headers that take the place of others of the same name.
fn options(headers: &HeaderMap) -> Vec<HeaderOption> {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let option = |(name, value): (&HeaderName, &HeaderValue)| HeaderOption {
        header: Some(messages::HeaderValue {
            key: name.as_str().to_owned(),
            value: text(value),
            raw_value: Vec::new(),
        }),
        append: Some(false),
        append_action: Overwrite::IfExistsOrAdd.into(),
    };
    headers.iter().map(option).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(method: &str, path: &str, host: &str, headers: &[(&str, &str)]) -> CheckRequest {
        let headers = headers
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        CheckRequest::about(HttpRequest {
            method: method.to_owned(),
            path: path.to_owned(),
            host: host.to_owned(),
            headers: headers.collect(),
            header_map: None,
        })
    }

    #[test]
    fn request_is_read_as_told() {
        let pseudo = [(":path", "/forged"), (":method", "DELETE"), ("accept", "a,b")];
        let request = request_from(told("GET", "/a?b", "gate.example:8443", &pseudo)).unwrap();
        assert_eq!(request.uri, "/a?b");
        assert_eq!(request.headers.len(), 2);
        assert_eq!(request.headers[HOST], "gate.example:8443");
    }

    #[test]
    fn raw_headers_stay_apart() {
        let value = |text: &str| messages::HeaderValue {
            key: "x-chain".to_owned(),
            value: String::new(),
            raw_value: text.as_bytes().to_vec(),
        };
        let mut http = HttpRequest {
            method: "GET".to_owned(),
            path: "/".to_owned(),
            header_map: Some(messages::HeaderMap {
                headers: vec![value("a"), value("b")],
            }),
            ..HttpRequest::default()
        };
        let request = request_from(CheckRequest::about(http.clone())).unwrap();
        let values: Vec<_> = request.headers.get_all("x-chain").iter().collect();
        assert_eq!(values, ["a", "b"]);
        http.headers.insert("x-chain".to_owned(), "c".to_owned());
        let error = request_from(CheckRequest::about(http)).unwrap_err();
        assert!(error.contains("two places"), "{error}");
    }

    #[test]
    fn questions_that_cannot_be_read_are_refused() {
        assert!(request_from(CheckRequest::default()).is_err());
        for (method, path, host, headers) in [
            ("", "/", "a", &[][..]),
            ("GET", "", "a", &[]),
            ("GET", "*", "a", &[]),
            ("GET", "http://a/", "a", &[]),
            ("GET", "/#", "a", &[]),
            ("GET", "/", "a\n", &[]),
            ("GET", "/", "a", &[("a b", "c")]),
            ("GET", "/", "a", &[("a", "c\nd")]),
        ] {
            assert!(
                request_from(told(method, path, host, headers)).is_err(),
                "{method} {path} {host}"
            );
        }
    }

    #[test]
    fn another_host_header_is_kept_beside_the_host() {
        let request = request_from(told("GET", "/", "a.example", &[("host", "b.example")])).unwrap();
        assert_eq!(request.headers.get_all(HOST).iter().count(), 2);
    }
}
