//! Clients and requests that are tried, and the outcome that each must have.

use alb_mtls_http::forms::CERTIFICATE_HEADER;
use http::{HeaderName, HeaderValue, Request};

use super::ProbeError;
use super::answer::Outcome;
use super::client::{Client, ClientError, Strangers};
use super::connection::{Attempt, Connector, Exchange, TlsFacts, UnreachableError};
use super::findings::{ANYBODY, CLAIMED, FORGED, IMPOSTOR, REFUSED, RENAMED, UNTRUSTED, Words};
use super::verdict::{Deployment, Expected, Verdict, Wrong};

/// Headers that state an identity somewhere; the value of each is made for one run.
const IDENTITY_HEADERS: &[&str] = &[
    "x-amzn-mtls-clientcert-subject",
    "x-amzn-mtls-clientcert-leaf",
    "client-cert",
    "x-forwarded-client-cert",
    "x-ssl-client-verify",
    "x-client-cert-extension-device",
    "x-forwarded-user",
    "x-remote-user",
];

/// Bytes of a header value beyond the 16 K that a load balancer documents.
const OVERSIZED: usize = 20 * 1024;

/// Everything that a run needs.
pub(super) struct Probe {
    pub(super) connector: Connector,
    pub(super) deployment: Deployment,
    pub(super) valid: Client,
    /// Certificates that must be refused, with what the operator called them.
    pub(super) refused: Vec<(String, Client)>,
    /// The listener's own name for the certificate header.
    pub(super) header: Option<HeaderName>,
    pub(super) strangers: Strangers,
}

/// Result of one check.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) name: String,
    pub(super) what: &'static str,
    pub(super) result: CheckResult,
}

#[derive(Debug)]
pub(super) enum CheckResult {
    AsExpected {
        seen: String,
        /// Information in an expected outcome.
        note: Option<&'static str>,
    },
    NotSeen(&'static str),
    NotTried(&'static str),
    Finding {
        finding: &'static str,
        seen: String,
        meaning: &'static str,
        remedy: &'static str,
    },
}

/// Outcome of the checks.
pub(super) struct Checks {
    pub(super) checked: Vec<Checked>,
    pub(super) tls: Option<TlsFacts>,
    /// The valid client is accepted, and a request without a certificate is denied: differences
    /// between other requests say something.
    pub(super) is_gated: bool,
    /// The exchange of a client of an unknown CA.
    pub(super) stranger: Exchange,
    /// The exchange without a certificate.
    pub(super) without: Exchange,
    /// The valid chain in a header of that name, without a certificate in the handshake.
    pub(super) forged: Vec<(bool, Exchange)>,
}

impl Probe {
    /// Returns a GET of the URL with the headers that every request of the probe has.
    pub(super) fn request(&self) -> Request<()> {
        let target = self.connector.target();
        let mut request = Request::new(());
        if let Ok(uri) = target.path.parse() {
            *request.uri_mut() = uri;
        }
        let headers = request.headers_mut();
        if let Ok(host) = HeaderValue::from_str(&target.authority) {
            headers.insert(http::header::HOST, host);
        }
        // A denial for a browser is a page.
        headers.insert(http::header::ACCEPT, HeaderValue::from_static("application/json"));
        headers.insert(
            http::header::USER_AGENT,
            HeaderValue::from_static("alb-mtls-probe"),
        );
        request
    }

    pub(super) fn with_header(&self, name: &HeaderName, value: &str) -> Request<()> {
        let mut request = self.request();
        if let Ok(value) = HeaderValue::from_str(value) {
            request.headers_mut().append(name, value);
        }
        request
    }

    pub(super) async fn send(&self, client: Option<&Client>, request: Request<()>) -> Exchange {
        self.connector.send(Attempt { client, request }).await
    }

    /// Returns the valid client's chain as a load balancer writes it.
    pub(super) fn valid_header(&self) -> String {
        local_alb::passthrough_header(self.valid.chain())
    }

    /// Runs the checks one after the other: a gate is not put under load.
    pub(super) async fn run(&self) -> Result<Checks, ProbeError> {
        use Expected::{Answered, Denied, DeniedOrAnonymous};

        let mut checked = Vec::new();
        let valid = self.send(Some(&self.valid), self.request()).await;
        checked.push(self.valid_client(&valid));
        checked.push(self.leaf_only().await);

        let without = self.send(None, self.request()).await;
        if let (Outcome::TimedOut(limit), Outcome::TimedOut(_)) = (&valid.outcome, &without.outcome) {
            return Err(UnreachableError::Silent(*limit).into());
        }
        checked.push(self.judged(
            ("no-certificate", "a client without a certificate"),
            DeniedOrAnonymous,
            &without.outcome,
            ANYBODY,
        ));
        let stranger = self.send(Some(&self.strangers.client()?), self.request()).await;
        checked.push(self.judged(
            ("unknown-ca", "a client of a CA that was made for this run"),
            Denied,
            &stranger.outcome,
            UNTRUSTED,
        ));
        for (name, what, client, if_allowed) in [
            (
                "self-signed",
                "a self-signed client",
                Strangers::self_signed()?,
                UNTRUSTED,
            ),
            (
                "impostor",
                "a copy of the valid certificate with another key, from a CA with its issuer's name",
                Strangers::impostor(&self.valid)?,
                IMPOSTOR,
            ),
            (
                "expired",
                "an expired client of that CA",
                self.strangers.expired()?,
                UNTRUSTED,
            ),
        ] {
            let exchange = self.send(Some(&client), self.request()).await;
            checked.push(self.judged((name, what), Denied, &exchange.outcome, if_allowed));
        }
        checked.extend(self.refused_clients().await);
        let mut forged = Vec::new();
        checked.extend(self.forged_headers(&mut forged).await?);
        checked.extend(self.claims().await);

        let oversized = self.with_header(&HeaderName::from_static("x-padding"), &"a".repeat(OVERSIZED));
        let exchange = self.send(Some(&self.valid), oversized).await;
        checked.push(self.judged(
            ("oversized-header", "the valid client with a header of 20 K"),
            Answered,
            &exchange.outcome,
            ANYBODY,
        ));
        let name = HeaderName::from_static(CERTIFICATE_HEADER);
        let exchange = self
            .send(None, self.with_header(&name, &"A".repeat(OVERSIZED)))
            .await;
        checked.push(self.judged(
            (
                "oversized-certificate-header",
                "no certificate, and a certificate header of 20 K",
            ),
            DeniedOrAnonymous,
            &exchange.outcome,
            FORGED,
        ));
        let is_denied = |exchange: &Exchange| {
            self.deployment.judge(Denied, &exchange.outcome) == Verdict::AsExpected
                && matches!(exchange.outcome, Outcome::Answered(_))
        };
        Ok(Checks {
            is_gated: self.deployment.is_accepted(&valid.outcome) && is_denied(&without),
            tls: valid.tls.or_else(|| without.tls.clone()),
            checked,
            stranger,
            without,
            forged,
        })
    }

    fn valid_client(&self, exchange: &Exchange) -> Checked {
        let named = ("valid", "the valid client");
        let not_taken = match (&exchange.tls, &exchange.offered) {
            (Some(_), None) => Some((
                "certificate-not-requested",
                "the listener does not ask for a client certificate: its mutual authentication is off, and every client is one without a certificate",
                "set `MutualAuthentication: {Mode: passthrough}` on this listener; `alb-mtls doctor` finds others that reach the same target group",
            )),
            (_, Some(offered)) if self.valid.key().key.choose_scheme(offered).is_none() => Some((
                "key-not-supported",
                "the load balancer does not offer a signature algorithm for the kind of the client's key, so that the client could not present its certificate",
                "issue the certificate with a key on P-256 or P-384, or RSA of 2048 bits or more",
            )),
            _ => None,
        };
        match not_taken {
            Some((finding, meaning, remedy)) => {
                checked(named, finding_of(finding, &exchange.outcome, (meaning, remedy)))
            }
            None => self.judged(named, Expected::Accepted, &exchange.outcome, ANYBODY),
        }
    }

    async fn leaf_only(&self) -> Checked {
        let named = ("leaf-only", "the valid client without its intermediates");
        let Some(client) = self.valid.leaf_only() else {
            return checked(
                named,
                CheckResult::NotTried("the file of --cert contains one certificate"),
            );
        };
        let exchange = self.send(Some(&client), self.request()).await;
        let is_accepted = self.deployment.is_accepted(&exchange.outcome);
        let mut result = self.judged(named, Expected::Either, &exchange.outcome, ANYBODY);
        if let CheckResult::AsExpected { note, .. } = &mut result.result {
            *note = Some(match is_accepted {
                true => "accepted: MTLS_INTERMEDIATES or MTLS_ANCHORS has the issuing CA",
                false => {
                    "denied: clients must send their intermediates, or MTLS_INTERMEDIATES must have them"
                }
            });
        }
        result
    }

    async fn refused_clients(&self) -> Vec<Checked> {
        if self.refused.is_empty() {
            let result = CheckResult::NotTried(
                "give an expired or a revoked certificate of your CA with --refused-cert and --refused-key: a certificate of another CA does not show that dates and CRLs are checked",
            );
            return vec![checked(("refused", "a client that must be refused"), result)];
        }
        let mut results = Vec::new();
        for (name, client) in &self.refused {
            let exchange = self.send(Some(client), self.request()).await;
            let named = (name.as_str(), "a client that must be refused");
            results.push(self.judged(named, Expected::Denied, &exchange.outcome, REFUSED));
        }
        results
    }

    /// Sends the valid chain, which is public, in the header that the load balancer writes.
    async fn forged_headers(&self, seen: &mut Vec<(bool, Exchange)>) -> Result<Vec<Checked>, ClientError> {
        let mut results = Vec::new();
        let chain = self.valid_header();
        let default = HeaderName::from_static(CERTIFICATE_HEADER);
        let stranger = self.strangers.client()?;
        for (name, alone, beside, if_allowed) in [
            (Some(&default), "forged-header", "forged-header-beside", FORGED),
            (
                self.header.as_ref(),
                "forged-renamed-header",
                "forged-renamed-header-beside",
                RENAMED,
            ),
        ] {
            let what = "no certificate, and the valid one in the certificate header";
            let what_beside =
                "a client of an unknown CA with the valid certificate in the certificate header";
            let Some(name) = name else {
                let result = CheckResult::NotTried(
                    "give the listener's name for the certificate header with --header (output CertificateHeaderName)",
                );
                results.push(checked((alone, what), result));
                continue;
            };
            let exchange = self.send(None, self.with_header(name, &chain)).await;
            results.push(self.judged(
                (alone, what),
                Expected::DeniedOrAnonymous,
                &exchange.outcome,
                if_allowed,
            ));
            seen.push((alone == "forged-renamed-header", exchange));
            let exchange = self.send(Some(&stranger), self.with_header(name, &chain)).await;
            results.push(self.judged((beside, what_beside), Expected::Denied, &exchange.outcome, FORGED));
        }
        Ok(results)
    }

    /// Sends headers in which a client claims an identity.
    async fn claims(&self) -> [Checked; 2] {
        let marker = format!("probe-{}", local_alb::Listener::new_header_name());
        let claim = || {
            let mut request = self.request();
            for name in IDENTITY_HEADERS {
                if let Ok(value) = HeaderValue::from_str(&format!("CN={marker}")) {
                    request.headers_mut().insert(*name, value);
                }
            }
            request
        };
        let alone = self.send(None, claim()).await;
        let alone = self.judged(
            (
                "forged-identity",
                "no certificate, and an identity in the headers of other proxies",
            ),
            Expected::DeniedOrAnonymous,
            &alone.outcome,
            CLAIMED,
        );
        let exchange = self.send(Some(&self.valid), claim()).await;
        let named = (
            "forged-identity-beside",
            "the valid client with another identity in those headers",
        );
        let is_shown = matches!(&exchange.outcome, Outcome::Answered(answer) if answer.contains(&marker));
        let mut beside = self.judged(named, Expected::Either, &exchange.outcome, ANYBODY);
        if is_shown {
            let words = (
                "the answer shows an identity that the client claimed in a header: what is behind the gate got it",
                "name the header in MTLS_IDENTITY_HEADERS, and see that requests go through `forward` or the layer",
            );
            beside.result = finding_of("claim-passed-on", &exchange.outcome, words);
        } else if let CheckResult::AsExpected { note, .. } = &mut beside.result {
            *note =
                Some("the answer does not show the claim; a service that does not show headers cannot tell");
        }
        [alone, beside]
    }

    fn judged(
        &self,
        named: (&str, &'static str),
        expected: Expected,
        outcome: &Outcome,
        if_allowed: Words,
    ) -> Checked {
        let result = match self.deployment.judge(expected, outcome) {
            Verdict::AsExpected => CheckResult::AsExpected {
                seen: outcome.to_string(),
                note: None,
            },
            Verdict::NotSeen => CheckResult::NotSeen(
                "the answer does not say whether the request was allowed as a client or as anonymous",
            ),
            Verdict::Wrong(Wrong::Allowed) => finding_of(Wrong::Allowed.name(), outcome, if_allowed),
            Verdict::Wrong(wrong) => finding_of(wrong.name(), outcome, wrong.words()),
        };
        checked(named, result)
    }
}

fn checked((name, what): (&str, &'static str), result: CheckResult) -> Checked {
    Checked {
        name: name.to_owned(),
        what,
        result,
    }
}

fn finding_of(finding: &'static str, outcome: &Outcome, (meaning, remedy): Words) -> CheckResult {
    CheckResult::Finding {
        finding,
        seen: outcome.to_string(),
        meaning,
        remedy,
    }
}
