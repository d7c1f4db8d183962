//! Denials as pages for browsers: what a person can do, and never why in detail.

use alb_mtls_http::page::{self, escape};
use http::StatusCode;
use http::header::HeaderMap;
use http::request::Parts;

use crate::denial::{Denial, DenialBody};

/// Form in which the client gets a denial.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum DenialForm {
    /// Problem details (RFC 9457), for programs.
    Problem,
    /// Page, for a person with a browser.
    Page {
        /// Trace id of the request, by which an operator finds the audit record.
        trace_id: Option<String>,
    },
}

/// Longest trace id that a page shows. A load balancer's own is 37 characters long; with `Self`,
/// and what a client sent, it gets longer.
const LONGEST_TRACE_ID: usize = 160;

impl DenialForm {
    /// Returns the form that the client of this request prefers.
    pub(crate) fn preferred(request: &Parts) -> Self {
        if page::is_preferred(&request.headers) {
            Self::Page {
                trace_id: trace_id(&request.headers),
            }
        } else {
            Self::Problem
        }
    }
}

/// Returns the trace id, if it looks like one: a client can send its own.
fn trace_id(headers: &HeaderMap) -> Option<String> {
    let trace_id = headers.get("x-amzn-trace-id")?.to_str().ok()?;
    let is_plain = |character: char| character.is_ascii_alphanumeric() || "=;-:".contains(character);
    (trace_id.len() <= LONGEST_TRACE_ID && trace_id.chars().all(is_plain)).then(|| trace_id.to_owned())
}

/// Words of a page, by the status of the denial alone, so that a page says no more than a status.
struct Words {
    title: &'static str,
    meaning: &'static str,
    steps: &'static [&'static str],
}

const CHOOSE: &str = "Close every window of the browser, or open a private one, and come back: a browser keeps the choice of \
                      a certificate until then. Choose the certificate that was issued to you for this service.";
const CHECK: &str = "Check in the settings of your browser that this certificate is installed together with its private \
                     key, and that it has not expired.";
const ASK: &str = "If that does not help, ask those who gave you the certificate, or who run this service. Tell them the \
                   time and the reference below.";
const RETRY: &str = "Try again in a minute.";

const CERTIFICATE: Words = Words {
    title: "A valid client certificate is required",
    meaning: "Your browser sent no certificate, or one that this service does not accept.",
    steps: &[CHOOSE, CHECK, ASK],
};
const TOKEN: Words = Words {
    title: "An access token is required",
    meaning: "This service takes requests with an access token that belongs to your client certificate. A browser does \
              not send one by itself.",
    steps: &["Open the application that signs you in to this service.", ASK],
};
const NOT_ALLOWED: Words = Words {
    title: "You are not allowed to see this",
    meaning: "This service does not allow this request.",
    steps: &[
        "If you have several certificates, choose another one: close every window of the browser, or open a private one, \
         and come back.",
        "Else ask those who run this service for access. Tell them the time and the reference below.",
    ],
};
const UNDECIDED: Words = Words {
    title: "This service cannot check certificates at the moment",
    meaning: "Nothing is wrong with your certificate as far as is known.",
    steps: &[RETRY, ASK],
};
const NOT_SERVABLE: Words = Words {
    title: "This request cannot be served",
    meaning: "Something in the request, such as its address, is not as this service expects it.",
    steps: &[
        "Check the address, or start again from the first page of the service.",
        ASK,
    ],
};

/// Renders a denial for a person.
pub(crate) fn render(denial: &Denial, body: DenialBody, trace_id: Option<&str>) -> String {
    let status = denial.status();
    let words = match status {
        _ if denial.token_challenge().is_some() => &TOKEN,
        StatusCode::UNAUTHORIZED => &CERTIFICATE,
        StatusCode::FORBIDDEN => &NOT_ALLOWED,
        StatusCode::SERVICE_UNAVAILABLE => &UNDECIDED,
        _ => &NOT_SERVABLE,
    };
    let steps: String = words
        .steps
        .iter()
        .map(|step| format!("<li>{step}</li>"))
        .collect();
    let code = match body {
        DenialBody::Vague => None,
        DenialBody::WithCode => Some(denial.code().as_str()),
    };
    let facts: String = [("Reference", trace_id), ("Code", code)]
        .into_iter()
        .filter_map(|(name, value)| Some(format!("<dt>{name}</dt><dd><code>{}</code></dd>", escape(value?))))
        .collect();
    let facts = if facts.is_empty() {
        facts
    } else {
        format!("<dl>{facts}</dl>")
    };
    let content = format!(
        "<header><span class=\"badge bad\">{} {}</span><h1>{}</h1></header>\
         <section><p>{}</p><ol>{steps}</ol></section>{facts}",
        status.as_u16(),
        status.canonical_reason().unwrap_or_default(),
        words.title,
        words.meaning,
    );
    page::render(words.title, &content)
}

#[cfg(test)]
mod tests {
    use alb_mtls_verifier::{Reason, Rejection};

    use super::*;
    use crate::reason::GateReason;

    fn form(headers: &[(&str, &str)]) -> DenialForm {
        let request = headers
            .iter()
            .fold(http::Request::builder(), |request, (name, value)| {
                request.header(*name, *value)
            });
        DenialForm::preferred(&request.body(()).unwrap().into_parts().0)
    }

    #[test]
    fn page_is_for_browsers_alone() {
        let browser = "text/html,application/xhtml+xml,*/*;q=0.8";
        assert_eq!(form(&[]), DenialForm::Problem);
        assert_eq!(form(&[("accept", "*/*")]), DenialForm::Problem);
        let trace_id = "Root=1-67891233-abcdef012345678912345678";
        assert_eq!(
            form(&[("accept", browser), ("x-amzn-trace-id", trace_id)]),
            DenialForm::Page {
                trace_id: Some(trace_id.to_owned())
            }
        );
    }

    #[test]
    fn trace_id_that_is_not_one_is_not_shown() {
        let too_long = "a".repeat(LONGEST_TRACE_ID + 1);
        for trace_id in [
            "Root=<script>",
            "call 555 0100 now",
            "https://evil.example/",
            &too_long,
        ] {
            let form = form(&[("accept", "text/html"), ("x-amzn-trace-id", trace_id)]);
            assert_eq!(form, DenialForm::Page { trace_id: None }, "{trace_id}");
        }
    }

    #[test]
    fn page_says_what_to_do_and_not_why() {
        let expired = Denial::from(Rejection::new(Reason::Expired).because("notAfter was long ago"));
        let missing = Denial::from(Reason::CertificateMissing);
        let vague = render(&expired, DenialBody::Vague, Some("Root=1-2-3"));
        assert_eq!(vague, render(&missing, DenialBody::Vague, Some("Root=1-2-3")));
        assert!(vague.contains("<code>Root=1-2-3</code>"), "{vague}");
        assert!(
            !vague.contains("long ago") && !vague.contains("ClientCertExpired"),
            "{vague}"
        );
        let exposed = render(&expired, DenialBody::WithCode, None);
        assert!(exposed.contains("<code>ClientCertExpired</code>"), "{exposed}");
        let not_servable = render(
            &Denial::new(GateReason::NotServable, "a tab"),
            DenialBody::Vague,
            None,
        );
        assert!(not_servable.contains("400 Bad Request") && !not_servable.contains("a tab"));
    }
}
