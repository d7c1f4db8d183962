//! Behaviour of a load balancer that AWS does not document, as far as it can be seen from outside.

use alb_mtls_http::forms::CERTIFICATE_HEADER;
use http::header::CONNECTION;
use http::{HeaderName, HeaderValue, Method, Request};
use rustls::SignatureScheme;
use serde::Serialize;

use super::answer::{Answer, Outcome, Sender};
use super::checks::{Checks, Probe};
use super::client::{ClientError, Strangers};
use super::connection::Exchange;

/// Certificates of a chain that is longer than the documented depth of 4.
const UNRELATED: usize = 4;

/// Bytes that make the certificate header longer than the documented 16 K, in base64.
const LARGE: usize = 16 * 1024;

/// A header larger than the documented 16 K.
const OVERSIZED: usize = 17 * 1024;

const UNGATED: &str = "the gate does not deny, or does not accept the valid client: see the findings";

/// A statement about load balancers, and what this one shows about it.
#[derive(Debug, Serialize)]
pub(super) struct Fact {
    pub(super) name: &'static str,
    pub(super) statement: &'static str,
    pub(super) status: FactStatus,
    pub(super) seen: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FactStatus {
    Confirmed,
    Refuted,
    CannotBeSeen,
}

/// Statements that requests from outside do not tell about, and why.
const UNSEEN: &[(&str, &str, &str)] = &[
    (
        "equals-sign",
        "`=` is written as it is in the certificate header, not as `%3D`",
        "the gate accepts both; the event of a function that logs it shows which",
    ),
    (
        "header-name-case",
        "header names in the event are in lower case",
        "the gate accepts every case; the event of a function that logs it shows which",
    ),
    (
        "health-check-event",
        "a health check with multi-value headers has only the header user-agent",
        "only the load balancer sends one; the gate records `health_check` when it knows one",
    ),
    (
        "idle-timeout",
        "the idle timeout ends a request that a function takes longer for",
        "it needs a function that waits for more than 60 seconds",
    ),
    (
        "api-gateway-cache-key",
        "API Gateway takes the client certificate as a cache key",
        "the URL is that of a load balancer",
    ),
];

type Seen = (FactStatus, String);

fn confirmed_if(is_so: bool, outcome: &Outcome) -> Seen {
    let status = match is_so {
        true => FactStatus::Confirmed,
        false => FactStatus::Refuted,
    };
    (status, outcome.to_string())
}

fn cannot_be_seen(why: impl Into<String>) -> Seen {
    (FactStatus::CannotBeSeen, why.into())
}

/// Returns the answer of the gate or of what is behind it.
fn from_target(outcome: &Outcome) -> Option<&Answer> {
    match outcome {
        Outcome::Answered(answer) if answer.sender != Sender::LoadBalancer => Some(answer),
        _ => None,
    }
}

/// Returns true if the load balancer answered by itself or ended the connection.
fn is_stopped(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Answered(answer) => answer.sender == Sender::LoadBalancer,
        Outcome::HandshakeFailed(_) | Outcome::Closed(_) => true,
        Outcome::Unreachable(_) | Outcome::TimedOut(_) => false,
    }
}

/// Returns whether a request reached the target, where its outcome tells.
fn arrival(outcome: &Outcome) -> Seen {
    match (from_target(outcome), is_stopped(outcome)) {
        (Some(_), _) => confirmed_if(true, outcome),
        (None, true) => confirmed_if(false, outcome),
        (None, false) => cannot_be_seen(outcome.to_string()),
    }
}

impl Probe {
    /// Tries what AWS does not document.
    pub(super) async fn facts(&self, checks: &Checks) -> Result<Vec<Fact>, ClientError> {
        let (alone, beside) = self.own_copies(checks).await?;
        let long = self.valid.with(Strangers::unrelated(UNRELATED)?);
        let long = self.send(Some(&long), self.request()).await;
        let large = self.valid.with([Strangers::large(LARGE)?]);
        let large = self.send(Some(&large), self.request()).await;
        let post_quantum = Strangers::of_an_ml_dsa_authority()?;
        let post_quantum = self.send(Some(&post_quantum), self.request()).await;
        let resumed = self.resumption().await;

        let mut facts = vec![
            fact(
                "own-copy-without-certificate",
                "a client's own certificate header is removed when the client has no certificate",
                alone,
            ),
            fact(
                "own-copy-beside-certificate",
                "a client's own certificate header is removed or replaced when the client has a certificate",
                beside,
            ),
            fact(
                "connection-names-header",
                "a client cannot have the certificate header removed by naming it in `Connection`",
                self.connection_header(checks).await,
            ),
            fact(
                "without-certificate-arrives",
                "in passthrough mode a request without a certificate reaches the target",
                arrival(&checks.without.outcome),
            ),
            fact(
                "unknown-ca-arrives",
                "in passthrough mode a certificate of an unknown CA reaches the target",
                arrival(&checks.stranger.outcome),
            ),
            fact(
                "depth-in-passthrough",
                "the documented depth of 4 certificates does not count in passthrough mode",
                arrival(&long.outcome),
            ),
            fact(
                "large-chain-arrives",
                "a chain whose header is longer than 16 K reaches the target",
                arrival(&large.outcome),
            ),
            fact(
                "ml-dsa-issuer",
                "a P-256 certificate of a CA with an ML-DSA key passes the handshake",
                arrival(&post_quantum.outcome),
            ),
            fact(
                "no-ed25519",
                "Ed25519 is not taken as the key of a client",
                ed25519(&checks.stranger),
            ),
            fact(
                "no-resumption",
                "TLS sessions are not resumed on a listener with mutual TLS",
                resumed,
            ),
        ];
        facts.extend(self.requests(checks).await);
        let unseen = UNSEEN.iter();
        facts.extend(unseen.map(|(name, statement, why)| fact(name, statement, cannot_be_seen(*why))));
        Ok(facts)
    }

    /// Sends requests that a load balancer can answer by itself, change or pass on.
    async fn requests(&self, checks: &Checks) -> [Fact; 4] {
        let padding = HeaderName::from_static("x-padding");
        let oversized = self.with_header(&padding, &"a".repeat(OVERSIZED));
        let oversized = self.send(Some(&self.valid), oversized).await;
        let mut raw = self.request();
        if let Ok(value) = HeaderValue::from_bytes(b"\xe4\xff") {
            raw.headers_mut().insert(padding, value);
        }
        let raw = self.send(Some(&self.valid), raw).await;
        let mut connect = self.request();
        *connect.method_mut() = Method::CONNECT;
        if let Ok(authority) = format!("{}:443", self.connector.target().host).parse() {
            *connect.uri_mut() = authority;
        }
        let connect = self.send(Some(&self.valid), connect).await;
        let stopped = |exchange: &Exchange| {
            let (status, seen) = arrival(&exchange.outcome);
            let status = match status {
                FactStatus::Confirmed => FactStatus::Refuted,
                FactStatus::Refuted => FactStatus::Confirmed,
                FactStatus::CannotBeSeen => status,
            };
            (status, seen)
        };
        [
            fact(
                "header-limit",
                "a header of more than 16 K does not reach the target",
                stopped(&oversized),
            ),
            fact(
                "header-not-utf-8",
                "a header that is not UTF-8 does not reach a function",
                stopped(&raw),
            ),
            fact("connect", "CONNECT does not reach the target", stopped(&connect)),
            fact(
                "path-as-sent",
                "the path reaches a function as the client sent it",
                self.path(checks).await,
            ),
        ]
    }

    /// Looks for the client's own copies of the certificate header at the gate.
    async fn own_copies(&self, checks: &Checks) -> Result<(Seen, Seen), ClientError> {
        if !checks.is_gated {
            return Ok((cannot_be_seen(UNGATED), cannot_be_seen(UNGATED)));
        }
        let passed_on = checks
            .forged
            .iter()
            .find(|(_, exchange)| self.deployment.is_accepted(&exchange.outcome));
        if let (None, Some((_, exchange))) = (&self.header, passed_on) {
            let beside = cannot_be_seen("give --header: it needs the name that the gate reads");
            return Ok((confirmed_if(false, &exchange.outcome), beside));
        }
        let Some(name) = &self.header else {
            let why = "give the listener's name for the certificate header with --header";
            return Ok((cannot_be_seen(why), cannot_be_seen(why)));
        };
        // With two values the gate denies; with one of them alone only the first is accepted.
        let copy = local_alb::passthrough_header(self.strangers.client()?.chain());
        let both = self.send(Some(&self.valid), self.with_header(name, &copy)).await;
        let is_accepted = self.deployment.is_accepted(&both.outcome);
        let is_denied = from_target(&both.outcome).is_some_and(|answer| answer.sender == Sender::Gate);
        let if_right =
            "if --header is exactly the listener's name: with another name the answer would be the same";
        let beside = match (is_accepted, is_denied) {
            (true, _) => (FactStatus::Confirmed, format!("{}, {if_right}", both.outcome)),
            (_, true) => confirmed_if(false, &both.outcome),
            _ => cannot_be_seen(both.outcome.to_string()),
        };
        let renamed = checks.forged.iter().find(|(is_renamed, _)| *is_renamed);
        let alone = match (passed_on, renamed) {
            (Some((_, exchange)), _) => confirmed_if(false, &exchange.outcome),
            (None, Some((_, exchange))) => match (from_target(&exchange.outcome), is_denied) {
                // The other fact showed that the name is right.
                (Some(_), true) => confirmed_if(true, &exchange.outcome),
                (Some(_), false) => (FactStatus::Confirmed, format!("{}, {if_right}", exchange.outcome)),
                (None, _) => cannot_be_seen(exchange.outcome.to_string()),
            },
            (None, None) => cannot_be_seen("not tried"),
        };
        Ok((alone, beside))
    }

    async fn connection_header(&self, checks: &Checks) -> Seen {
        if !checks.is_gated {
            return cannot_be_seen(UNGATED);
        }
        let name = self
            .header
            .as_ref()
            .map_or(CERTIFICATE_HEADER, HeaderName::as_str);
        let exchange = self
            .send(Some(&self.valid), self.with_header(&CONNECTION, name))
            .await;
        match self.header {
            _ if !self.deployment.is_accepted(&exchange.outcome) => confirmed_if(false, &exchange.outcome),
            Some(_) => confirmed_if(true, &exchange.outcome),
            None => cannot_be_seen("give --header: with the default name nothing was removed"),
        }
    }

    async fn resumption(&self) -> Seen {
        let attempt = super::connection::Attempt {
            client: Some(&self.valid),
            request: self.request(),
        };
        let second = self.connector.send_twice(attempt).await;
        match &second.tls {
            None => cannot_be_seen(second.outcome.to_string()),
            Some(_) if second.was_resumed => {
                (FactStatus::Refuted, "the second handshake was resumed".to_owned())
            }
            Some(_) => (
                FactStatus::Confirmed,
                "the second handshake was a full one".to_owned(),
            ),
        }
    }

    async fn path(&self, checks: &Checks) -> Seen {
        const SENT: &str = "a%2Fb//%7Ec";
        if !checks.is_gated {
            return cannot_be_seen(UNGATED);
        }
        let path = self.connector.target().path.split('?').next().unwrap_or_default();
        let path = format!("{}/{SENT}", path.trim_end_matches('/'));
        let mut request: Request<()> = self.request();
        let Ok(uri) = path.parse() else {
            return cannot_be_seen("the path of the URL cannot be extended");
        };
        *request.uri_mut() = uri;
        let exchange = self.send(Some(&self.valid), request).await;
        match from_target(&exchange.outcome).and_then(|answer| answer.path.as_ref()) {
            Some(arrived) if *arrived == path => (FactStatus::Confirmed, format!("{SENT} arrived as sent")),
            Some(_) => (FactStatus::Refuted, format!("{SENT} arrived as another path")),
            None => cannot_be_seen("the answer does not show the path; that of `respond` does"),
        }
    }
}

/// Reads the list that the server sent with its request for a certificate.
fn ed25519(exchange: &Exchange) -> Seen {
    match &exchange.offered {
        None => cannot_be_seen("the listener does not ask for a certificate"),
        Some(offered) => match offered.contains(&SignatureScheme::ED25519) {
            true => (FactStatus::Refuted, "the handshake offers ed25519".to_owned()),
            false => (
                FactStatus::Confirmed,
                "the handshake does not offer ed25519".to_owned(),
            ),
        },
    }
}

fn fact(name: &'static str, statement: &'static str, (status, seen): Seen) -> Fact {
    Fact {
        name,
        statement,
        status,
        seen,
    }
}
