//! The opening handshake of a WebSocket (RFC 6455 §4): the only way in which a connection changes
//! its protocol.

use aws_lc_rs::digest;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONNECTION, GetAll, HeaderValue, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, UPGRADE};
use http::request::Parts;
use http::{HeaderMap, Method, Version};

use crate::framing::has_word;

/// Protocol that a connection may be switched to. Any other could carry requests past the gate:
/// with `h2c` the upstream would answer requests that the gate has not seen.
pub(crate) const PROTOCOL: HeaderValue = HeaderValue::from_static("websocket");

/// Text that a server adds to the client's key (RFC 6455 §1.3).
const ADDED: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Client's part of a handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WebSocketHandshake {
    /// Value of `Sec-WebSocket-Accept` with which a server completes it.
    accept: String,
}

impl WebSocketHandshake {
    /// Returns the handshake of a request that asks for a WebSocket, and for nothing else.
    pub(crate) fn read(request: &Parts) -> Option<Self> {
        let headers = &request.headers;
        // A server ignores Upgrade in HTTP/1.0 (RFC 9110 §7.8).
        let asks = request.version == Version::HTTP_11
            && request.method == Method::GET
            && has_word(headers, &CONNECTION, "upgrade")
            && names_websocket(headers);
        let key = only(headers.get_all(SEC_WEBSOCKET_KEY)).filter(|_| asks)?;
        let mut context = digest::Context::new(&digest::SHA1_FOR_LEGACY_USE_ONLY);
        context.update(key.as_bytes());
        context.update(ADDED);
        Some(Self {
            accept: STANDARD.encode(context.finish()),
        })
    }

    /// Returns true if a server has completed the handshake. Status 101 alone is not enough: an
    /// upstream that a client can make answer with any status, and that goes on reading requests,
    /// would then get requests that the gate does not see.
    pub(crate) fn is_completed_by(&self, answer: &HeaderMap) -> bool {
        let accept = only(answer.get_all(SEC_WEBSOCKET_ACCEPT));
        names_websocket(answer) && accept.is_some_and(|accept| accept.as_bytes() == self.accept.as_bytes())
    }
}

fn names_websocket(headers: &HeaderMap) -> bool {
    let named = only(headers.get_all(UPGRADE));
    named.is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(PROTOCOL.as_bytes()))
}

/// Returns a header's value if there is exactly one.
fn only(values: GetAll<'_, HeaderValue>) -> Option<&HeaderValue> {
    let mut values = values.iter();
    values.next().filter(|_| values.next().is_none())
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    /// Key and answer of RFC 6455 §1.3.
    const KEY: (&str, &str) = ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
    const ACCEPT: (&str, &str) = ("sec-websocket-accept", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    const CONNECTION: (&str, &str) = ("connection", "keep-alive, Upgrade");
    const UPGRADE: (&str, &str) = ("upgrade", "WebSocket");

    fn parts(pairs: &[(&str, &str)]) -> Parts {
        let mut request = Request::builder();
        for (name, value) in pairs {
            request = request.header(*name, *value);
        }
        request.body(()).unwrap().into_parts().0
    }

    #[test]
    fn only_a_websocket_is_asked_for() {
        for (pairs, expected) in [
            (&[KEY, CONNECTION, UPGRADE][..], true),
            (&[CONNECTION, UPGRADE], false),
            (&[KEY, KEY, CONNECTION, UPGRADE], false),
            (&[KEY, CONNECTION, ("upgrade", "h2c")], false),
            (&[KEY, CONNECTION, ("upgrade", "websocket, h2c")], false),
            (&[KEY, CONNECTION, UPGRADE, ("upgrade", "h2c")], false),
            (&[KEY, UPGRADE], false),
            (&[KEY, UPGRADE, ("connection", "close")], false),
        ] {
            let mut request = parts(pairs);
            assert_eq!(
                WebSocketHandshake::read(&request).is_some(),
                expected,
                "{pairs:?}"
            );
            request.method = Method::POST;
            assert_eq!(WebSocketHandshake::read(&request), None);
            request.method = Method::GET;
            request.version = Version::HTTP_10;
            assert_eq!(WebSocketHandshake::read(&request), None);
        }
    }

    #[test]
    fn only_the_answer_to_the_key_completes_the_handshake() {
        let handshake = WebSocketHandshake::read(&parts(&[KEY, CONNECTION, UPGRADE])).unwrap();
        for (pairs, expected) in [
            (&[ACCEPT, UPGRADE][..], true),
            (&[UPGRADE], false),
            (&[ACCEPT], false),
            (&[ACCEPT, ("upgrade", "h2c")], false),
            (&[ACCEPT, ACCEPT, UPGRADE], false),
            (&[("sec-websocket-accept", KEY.1), UPGRADE], false),
        ] {
            let answer = parts(pairs).headers;
            assert_eq!(handshake.is_completed_by(&answer), expected, "{pairs:?}");
        }
    }
}
