use std::fmt;

use base64::Engine;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, URL_SAFE_NO_PAD};

use crate::rejection::{TokenReason, TokenRejection};

/// Longest token that is read, in bytes. API Gateway allows 10,240 for all headers together, a load
/// balancer 16 K for one.
const MAX_TOKEN_BYTES: usize = 8_192;

/// Scheme of RFC 6750 §2.1; schemes have no case (RFC 9110 §11.1).
const BEARER: &str = "Bearer";

/// Schemes that access tokens come in: RFC 6750's, and RFC 9449's, whose token is bound to a key of
/// its own and has to be bound to the certificate too.
const TOKEN_SCHEMES: [&str; 2] = [BEARER, "DPoP"];

/// A token as a client sent it. Nothing is known of it yet.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct BearerToken<'a>(&'a str);

impl<'a> BearerToken<'a> {
    /// Reads every value of the `Authorization` header of a request. `None` when there is no value,
    /// or one of another scheme in the grammar of RFC 9110 §11.4 without a JWT.
    ///
    /// Servers read this header leniently: some split it at any white space, take a token without a
    /// scheme, or search for one. A value that this function could not read is not absent to them,
    /// so it is an error and never `None`.
    ///
    /// # Errors
    /// A [`TokenRejection`] when the header is repeated, names a token's scheme without one token
    /// after it, or can be read in more than one way. Two values, even equal ones, would let this
    /// function and a later one read different tokens.
    pub fn read(authorization: &[&'a [u8]]) -> Result<Option<Self>, TokenRejection> {
        let value = match authorization {
            [] => return Ok(None),
            [value] => value,
            several => {
                let explanation = format!("{} values", several.len());
                return Err(TokenRejection::new(TokenReason::Repeated).because(explanation));
            }
        };
        let is_visible = |byte: &u8| matches!(byte, b' ' | b'\t' | 0x21..=0x7e);
        if !value.iter().all(is_visible) {
            return Err(unreadable("it contains characters that are not visible ASCII"));
        }
        let value = std::str::from_utf8(value)
            .map_err(|_| unreadable("it is not text"))?
            .trim_matches(is_white_space);
        let Some((scheme, credentials)) = value.split_once(is_white_space) else {
            return without_scheme(value);
        };
        let credentials = credentials.trim_start_matches(is_white_space);
        if TOKEN_SCHEMES
            .iter()
            .any(|known| scheme.eq_ignore_ascii_case(known))
        {
            return Self::parse(credentials).map(Some);
        }
        if !is_token(scheme) || begins_like_bearer(scheme) || contains_jwt(scheme.as_bytes()) {
            return Err(unreadable("its first word is not the name of a scheme"));
        }
        if is_jwt_alone(credentials) {
            return Self::parse(credentials).map(Some);
        }
        check_other_scheme(credentials)?;
        Ok(None)
    }

    /// Reads what stands behind the scheme: base64url and the dots of the compact form (RFC 7515
    /// §3.1), less than the `b64token` of RFC 6750.
    fn parse(token: &'a str) -> Result<Self, TokenRejection> {
        let malformed =
            |explanation: String| TokenRejection::new(TokenReason::Malformed).because(explanation);
        if token.contains(',') {
            return Err(joined());
        }
        if token.len() > MAX_TOKEN_BYTES {
            let explanation = format!("{} bytes, read are {MAX_TOKEN_BYTES}", token.len());
            return Err(malformed(explanation));
        }
        if token.is_empty() || !token.bytes().all(|byte| is_base64url(byte) || byte == b'.') {
            return Err(malformed("the scheme is followed by something else".to_owned()));
        }
        Ok(Self(token))
    }

    pub(crate) fn as_str(self) -> &'a str {
        self.0
    }
}

impl fmt::Debug for BearerToken<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        // It may be valid, and then it is a secret.
        write!(formatter, "BearerToken({} bytes)", self.0.len())
    }
}

/// A value of one word: a token that its sender put no scheme before, or something that cannot be
/// told.
fn without_scheme(value: &str) -> Result<Option<BearerToken<'_>>, TokenRejection> {
    if TOKEN_SCHEMES
        .iter()
        .any(|known| value.eq_ignore_ascii_case(known))
    {
        let explanation = "the scheme is followed by nothing";
        return Err(TokenRejection::new(TokenReason::Malformed).because(explanation));
    }
    if is_jwt_alone(value) {
        return BearerToken::parse(value).map(Some);
    }
    Err(unreadable(if value.is_empty() {
        "it is empty"
    } else {
        "it is one word without a scheme before it"
    }))
}

/// Checks that the credentials of another scheme are in RFC 9110's grammar, and contain no token.
fn check_other_scheme(credentials: &str) -> Result<(), TokenRejection> {
    // API Gateway joins repeated headers with a comma, and the other one may be a token.
    if credentials.split(',').skip(1).any(begins_with_token_scheme) {
        return Err(joined());
    }
    if !is_token68(credentials) && !are_parameters(credentials) {
        let explanation = "the credentials behind its scheme are neither one word nor parameters";
        return Err(unreadable(explanation));
    }
    // Basic credentials are base64, and clients send tokens as the password in them.
    let decoded = LENIENT.decode(to_base64(credentials)).unwrap_or_default();
    if contains_jwt(credentials.as_bytes()) || contains_jwt(&decoded) {
        return Err(unreadable("the credentials of another scheme contain a JWT"));
    }
    Ok(())
}

/// Returns `true` for a JWT and nothing else.
fn is_jwt_alone(text: &str) -> bool {
    contains_jwt(text.as_bytes()) && text.bytes().all(|byte| is_base64url(byte) || byte == b'.')
}

/// Returns `true` if the text contains something that some server could take for a JWT in compact
/// form (RFC 7519 §3.1): base64 that decodes to the beginning of a JSON object, with two more parts
/// behind dots. JSON is not parsed; few credentials begin so by chance, and none of a registered
/// scheme.
fn contains_jwt(text: &[u8]) -> bool {
    let is_part = |byte: &u8| is_base64url(*byte) || matches!(byte, b'+' | b'/' | b'=');
    let mut dotted = text.split(|byte| !is_part(byte) && *byte != b'.');
    dotted.any(|dotted| {
        let parts: Vec<&[u8]> = dotted.split(|byte| *byte == b'.').collect();
        let headers = parts.len().saturating_sub(2);
        let mut headers = parts.iter().take(headers);
        headers.any(|header| header.windows(4).any(begins_object))
    })
}

/// Returns `true` for base64 of an object's beginning: a brace, then white space, a quotation mark
/// or another brace.
fn begins_object(quantum: &[u8]) -> bool {
    matches!(
        URL_SAFE_NO_PAD.decode(quantum).as_deref(),
        Ok([b'{', b' ' | b'\t' | b'\n' | b'\r' | b'"' | b'}', _])
    )
}

/// Decodes with or without padding, and whatever the last bits are.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Returns the text in the standard alphabet, without the characters that lenient decoders skip.
fn to_base64(text: &str) -> String {
    text.chars()
        .filter_map(|character| match character {
            '-' => Some('+'),
            '_' => Some('/'),
            '+' | '/' => Some(character),
            letter if letter.is_ascii_alphanumeric() => Some(letter),
            _ => None,
        })
        .collect()
}

/// `token68` of RFC 9110 §11.2.
fn is_token68(text: &str) -> bool {
    let word = text.trim_end_matches('=');
    let is_allowed = |byte: u8| is_base64url(byte) || matches!(byte, b'.' | b'~' | b'+' | b'/');
    !word.is_empty() && word.bytes().all(is_allowed)
}

/// `#auth-param` of RFC 9110 §11.2: names with a word or a quoted string each, separated by commas.
///
/// A value without quotation marks is looser than a word: AWS's signature has slashes in it.
fn are_parameters(text: &str) -> bool {
    let mut rest = text;
    loop {
        let Some((name, value)) = rest.split_once('=') else {
            return false;
        };
        if !is_token(name.trim_matches(is_white_space)) {
            return false;
        }
        let value = value.trim_start_matches(is_white_space);
        let Some(after) = skip_value(value) else {
            return false;
        };
        let after = after.trim_matches(is_white_space);
        let Some(next) = after.strip_prefix(',') else {
            return after.is_empty();
        };
        rest = next.trim_start_matches(is_white_space);
    }
}

/// Returns the text after a quoted string or a word.
fn skip_value(text: &str) -> Option<&str> {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text
            .find(|character: char| is_white_space(character) || character == ',')
            .unwrap_or(text.len());
        let (word, after) = text.split_at_checked(end)?;
        let is_allowed = |byte: u8| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\');
        return (!word.is_empty() && word.bytes().all(is_allowed)).then_some(after);
    };
    let mut characters = quoted.char_indices();
    while let Some((index, character)) = characters.next() {
        match character {
            '"' => return quoted.get(index + 1..),
            // The next one stands for itself.
            '\\' => drop(characters.next()?),
            _ => {}
        }
    }
    None
}

/// `token` of RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    let is_allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !text.is_empty() && text.bytes().all(is_allowed)
}

const fn is_base64url(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

const fn is_white_space(character: char) -> bool {
    matches!(character, ' ' | '\t')
}

/// Servers that look at a value's beginning only take the rest for a token.
fn begins_like_bearer(scheme: &str) -> bool {
    let start = scheme.get(..BEARER.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(BEARER))
}

fn begins_with_token_scheme(part: &str) -> bool {
    let word = part.trim_start_matches(is_white_space);
    TOKEN_SCHEMES.iter().any(|scheme| {
        let start = word.get(..scheme.len());
        start.is_some_and(|start| start.eq_ignore_ascii_case(scheme))
    })
}

fn joined() -> TokenRejection {
    TokenRejection::new(TokenReason::Repeated).because("values joined by a comma")
}

fn unreadable(explanation: &'static str) -> TokenRejection {
    TokenRejection::new(TokenReason::Unreadable).because(explanation)
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;

    /// `{"alg":"ES256"}.{"sub":"a"}.signature`
    const JWT: &str = "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl";

    fn read(values: &[&str]) -> Result<Option<String>, TokenReason> {
        let values: Vec<&[u8]> = values.iter().map(|value| value.as_bytes()).collect();
        BearerToken::read(&values)
            .map(|token| token.map(|token| token.as_str().to_owned()))
            .map_err(|rejection| rejection.reason())
    }

    #[test]
    fn two_values_are_refused_in_each_form() {
        for values in [
            &["Bearer a.b.c", "Bearer a.b.c"][..],
            &["Basic YTpi", "Bearer a.b.c"],
            &["Bearer a.b.c,Bearer d.e.f"],
            &["Bearer a.b.c, Basic YTpi"],
            &["Basic YTpi, bearer a.b.c"],
            &["Basic YTpi,\tDPoP a.b.c"],
        ] {
            assert_eq!(read(values), Err(TokenReason::Repeated), "{values:?}");
        }
    }

    #[test]
    fn what_is_no_token_is_refused() {
        let long = format!("Bearer {}", "a".repeat(MAX_TOKEN_BYTES + 1));
        for value in [
            "Bearer",
            "Bearer ",
            "DPoP",
            "Bearer a b",
            "Bearer a.b\t.c",
            "Bearer a.b.c=",
            "bearer \"a\"",
            &long,
        ] {
            assert_eq!(read(&[value]), Err(TokenReason::Malformed), "{value}");
        }
    }

    #[test]
    fn clean_credentials_of_other_schemes_are_no_token() {
        assert_eq!(read(&[]), Ok(None));
        for value in [
            "Basic YTpi",
            "basic  YTpi=",
            "Negotiate YIIZ+/==",
            "Token 9944b09199c62bcf9418ad846dd0e4bb",
            "Digest username=\"a\", realm=\"b, c\", uri=\"/x?y=z\", qop=auth, nc=00000001",
            "Digest username=\"a \\\" b\" ,\trealm = \"\"",
            "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request, \
             SignedHeaders=content-type;host;x-amz-date, Signature=5d672d79",
            "AWS4-HMAC-SHA256 Credential=A/b/c,SignedHeaders=host,Signature=aa==",
            "Hawk id=\"dh37\", ts=\"1353832234\", mac=\"6R4rV5iE+NPo=\"",
            "Signature keyId=\"a\",algorithm=\"hs2019\",headers=\"(request-target) host\",signature=\"b==\"",
        ] {
            assert_eq!(read(&[value]), Ok(None), "{value}");
        }
    }

    #[test]
    fn white_space_of_any_kind_ends_the_scheme() {
        for value in [
            "Bearer a.b.c",
            "bearer  a.b.c",
            "BEARER a.b.c ",
            "Bearer\ta.b.c",
            " Bearer \t a.b.c\t",
            "DPoP a.b.c",
        ] {
            assert_eq!(read(&[value]), Ok(Some("a.b.c".to_owned())), "{value}");
        }
    }

    #[test]
    fn jwt_is_a_token_in_every_scheme() {
        for value in ["", "JWT ", "Token\t", "DPoP ", "MAC ", "bearer "] {
            assert_eq!(
                read(&[&format!("{value}{JWT}")]),
                Ok(Some(JWT.to_owned())),
                "{value}"
            );
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused_and_not_absent() {
        let basic = |text: String| format!("Basic {}", STANDARD.encode(text));
        let (padded, quoted) = (format!("Token {JWT}="), format!("Token token=\"{JWT}\""));
        for value in [
            "",
            " ",
            "opaque",
            "Negotiate",
            "Bearer: a.b.c",
            "Bearer=a.b.c",
            "Bearer_a.b.c d",
            "BearerToken a",
            "\"Bearer\" a.b.c",
            "Basic YTpi; Bearer a.b.c",
            "Basic YTpi Bearer a.b.c",
            "Basic YTpi,",
            "Digest username=\"a",
            "Digest username=, realm=\"b\"",
            "Scheme {\"a\":1}",
            "Bearer a.b.c\u{e9}",
            "Bearer\u{a0}a.b.c",
            &padded,
            &quoted,
            &format!("Token {JWT}, x=1"),
            &format!("OAuth oauth_token={JWT}"),
            &format!("Basic YTpi x{JWT}"),
            &basic(format!("x:{JWT}")),
            &basic(format!("{JWT}:")),
            &basic(format!("x:{JWT}")).replace('=', ""),
            // An encrypted token has five parts, an unsigned one ends in a dot.
            "Token token=eyJhbGciOiJkaXIifQ..a.b.c",
            "Token token=eyJhbGciOiJub25lIn0.e30.",
            "Token token=eyAiYWxnIjoibm9uZSJ9.e30.",
            "Token token=ewogICJhbGciOiAibm9uZSJ9.e30.",
        ] {
            assert_eq!(read(&[value]), Err(TokenReason::Unreadable), "{value}");
        }
    }

    #[test]
    fn an_explanation_never_quotes_the_credentials() {
        for value in [
            "secret",
            "secret x y z",
            "Secret {secret}",
            "Bearer secret secret",
            "Bearer secret=,",
        ] {
            let rejection = BearerToken::read(&[value.as_bytes()]).unwrap_err();
            assert!(
                !rejection.to_string().to_ascii_lowercase().contains("secret"),
                "{rejection}"
            );
        }
    }

    proptest! {
        #[test]
        fn a_jwt_is_never_overlooked(before in "[ -~\\t]{0,12}", after in "[ -~\\t]{0,12}") {
            let value = format!("{before} {JWT} {after}");
            if let Ok(token) = read(&[&value]) {
                prop_assert_eq!(token, Some(JWT.to_owned()), "{}", value);
            }
        }

        #[test]
        fn any_bytes_are_answered(value in proptest::collection::vec(any::<u8>(), 0..64)) {
            let _ = BearerToken::read(&[&value]);
        }
    }
}
