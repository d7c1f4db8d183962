//! Header to verdict.

use std::time::Duration;

use alb_mtls_bench::{
    Beside, Chain, Effort, Goal, Presented, Quantity, Row, Series, Subject, Table, in_turns, progress,
};
use alb_mtls_http::{HeaderFormat, HeaderLimits, HeaderValues};
use alb_mtls_verifier::{
    Intermediates, Rejection, Timestamp, TrustAnchor, TrustAnchors, VerifiedClient, Verifier, VerifyOptions,
};
use rustls_pki_types::CertificateDer;
use test_pki::{CertificateBuilder, KeyKind};

use super::webpki_peer;

const ACCEPTED: &str = "header to verdict, first sight, accepted";
const REFUSED: &str = "header to verdict, first sight, refused (2 certificates)";

/// Key kinds whose ratios have goals.
const WITH_GOALS: [KeyKind; 3] = [KeyKind::P256, KeyKind::P384, KeyKind::Rsa2048];

pub(crate) fn measure(effort: Effort, table: &mut Table) {
    for kind in [
        KeyKind::P256,
        KeyKind::P384,
        KeyKind::P521,
        KeyKind::Rsa2048,
        KeyKind::Rsa4096,
    ] {
        for length in [2, 3] {
            let what = format!("{}, {length} certificates", title(kind));
            progress(&format!("header to verdict: {what}"));
            accepted(effort, table, kind, length, &what);
        }
    }
    for kind in WITH_GOALS {
        let what = format!("{}, an impostor of the issuing authority", title(kind));
        progress(&format!("header to verdict: {what}"));
        let chain = Chain::new(kind, 2);
        let impostor = Chain::new(kind, 2).issue(Chain::client(kind));
        let row = refused(effort, &what, &chain, &chain.presented(&impostor));
        table.push(row.goal(Goal::Ratio(0.6)));
    }
    let chain = Chain::new(KeyKind::P256, 2);
    let impostor = Chain::new(KeyKind::P256, 2);
    let impostor = impostor.presented(&impostor.client);
    let expired = chain.presented(&expired(&chain));
    let stranger = CertificateBuilder::client("CN=stranger,O=Elsewhere");
    let other = CertificateBuilder::root("CN=Other Root")
        .self_signed()
        .expect("a root");
    let stranger = chain.presented(&stranger.issued_by(&other).expect("a client"));
    for (what, presented) in [
        ("P-256, an impostor with an authority of its own", &impostor),
        ("P-256, expired", &expired),
        ("P-256, an unknown authority", &stranger),
    ] {
        progress(&format!("header to verdict: {what}"));
        table.push(refused(effort, what, &chain, presented));
    }
    let mut malformed = chain.presented(&chain.client).header;
    malformed = malformed.replacen("BEGIN", "BEG1N", 1);
    let verifier = verifier(&chain);
    let [malformed] = in_turns(effort, [Subject::new(|| decide(&verifier, &malformed).is_ok())]);
    table.push(Row::new(REFUSED, "no PEM", Quantity::Seconds(malformed.median())));
}

fn title(kind: KeyKind) -> String {
    let name = kind.name().to_uppercase();
    if name.contains('-') {
        name
    } else {
        name.replacen('P', "P-", 1)
    }
}

/// Measures a client of an issuing authority that the verifier knows from earlier clients, and one
/// of an authority that it does not know.
fn accepted(effort: Effort, table: &mut Table, kind: KeyKind, length: usize, what: &str) {
    let chain = Chain::new(kind, length);
    let presented = chain.presented(&chain.client);
    let known = knowing_verifier(&chain);
    let fresh = || {
        let anchors = known.anchors().clone();
        Verifier::new(anchors, Intermediates::default(), VerifyOptions::default())
    };
    let root = CertificateDer::from(chain.root.der().to_vec());
    let peers = Peers::new(&chain, &root, &presented);
    peers.expect(what, true);
    let [of_known, of_unknown, webpki, openssl] = in_turns(
        effort,
        [
            Subject::new(|| decide(&known, &presented.header).expect("a verified client")),
            // Its making takes less than a microsecond, and is a part of what is measured.
            Subject::new(|| decide(&fresh(), &presented.header).expect("a verified client")),
            Subject::new(|| peers.webpki()),
            Subject::new(|| peers.openssl()),
        ],
    );
    let most = |most| WITH_GOALS.contains(&kind).then_some(Goal::Ratio(most));
    let goals = match length {
        2 => (most(0.6), most(1.08)),
        _ => (most(0.45), None),
    };
    for (issuers, own, goal) in [("known", of_known, goals.0), ("unknown", of_unknown, goals.1)] {
        let what = match length {
            2 => format!("{what}, issuer {issuers}"),
            _ => format!("{what}, issuers {issuers}"),
        };
        let row = beside_peers(ACCEPTED, &what, &own, &webpki, &openssl);
        table.push(match goal {
            Some(goal) => row.goal(goal),
            None => row,
        });
    }
}

/// Measures a client that is refused although its issuing authority is known.
fn refused(effort: Effort, what: &str, chain: &Chain, presented: &Presented) -> Row {
    let verifier = knowing_verifier(chain);
    assert!(decide(&verifier, &presented.header).is_err(), "{what}");
    let root = CertificateDer::from(chain.root.der().to_vec());
    let peers = Peers::new(chain, &root, presented);
    peers.expect(what, false);
    let [own, webpki, openssl] = in_turns(
        effort,
        [
            Subject::new(|| decide(&verifier, &presented.header).is_ok()),
            Subject::new(|| peers.webpki()),
            Subject::new(|| peers.openssl()),
        ],
    );
    beside_peers(REFUSED, what, &own, &webpki, &openssl)
}

fn beside_peers(section: &'static str, what: &str, own: &Series, webpki: &Series, openssl: &Series) -> Row {
    let beside = |name, series: &Series| {
        Beside::with_ratio(name, Quantity::Seconds(series.median()), own.ratio_to(series))
    };
    let row =
        Row::new(section, what, Quantity::Seconds(own.median())).compared(beside("webpki on DER", webpki));
    if cfg!(feature = "openssl") {
        row.compared(beside("OpenSSL", openssl))
    } else {
        row
    }
}

/// Verifiers of others with the same trust anchor, asked about the same chain.
struct Peers<'p> {
    presented: &'p Presented,
    anchors: [rustls_pki_types::TrustAnchor<'p>; 1],
    openssl: Box<dyn Fn() -> bool + 'p>,
}

impl<'p> Peers<'p> {
    fn new(chain: &'p Chain, root: &'p CertificateDer<'_>, presented: &'p Presented) -> Self {
        Self {
            presented,
            anchors: [webpki_peer::anchor(root)],
            openssl: Box::new(openssl(chain, presented)),
        }
    }

    fn webpki(&self) -> bool {
        webpki_peer::verify(self.presented, &self.anchors, &[]).is_ok()
    }

    fn openssl(&self) -> bool {
        (self.openssl)()
    }

    fn expect(&self, what: &str, accepted: bool) {
        assert_eq!([self.webpki(), self.openssl()], [accepted; 2], "{what}");
    }
}

#[cfg(feature = "openssl")]
fn openssl(chain: &Chain, presented: &Presented) -> impl Fn() -> bool {
    let store = super::openssl_peer::store(chain.root.der());
    move || super::openssl_peer::verify(presented, &store)
}

/// Agrees with the verdict that is asked for by asking webpki.
#[cfg(not(feature = "openssl"))]
fn openssl(chain: &Chain, presented: &Presented) -> impl Fn() -> bool {
    let root = CertificateDer::from(chain.root.der().to_vec());
    move || webpki_peer::verify(presented, &[webpki_peer::anchor(&root)], &[]).is_ok()
}

/// A verifier that accepted a client of this chain's issuing authority.
fn knowing_verifier(chain: &Chain) -> Verifier {
    let verifier = verifier(chain);
    decide(&verifier, &chain.presented(&chain.client).header).expect("a verified client");
    verifier
}

/// A verifier with this chain's trust anchor, which knows no issuing authority.
pub(crate) fn verifier(chain: &Chain) -> Verifier {
    let anchor = TrustAnchor::new(chain.root.der().to_vec().into()).expect("a trust anchor");
    let anchors = TrustAnchors::new([anchor]).expect("a trust anchor");
    Verifier::new(anchors, Intermediates::default(), VerifyOptions::default())
}

/// Returns the verdict about a header.
pub(crate) fn decide(verifier: &Verifier, header: &str) -> Result<VerifiedClient, Rejection> {
    let values = HeaderValues {
        certificate: &[header.as_bytes()],
        chain: &[],
    };
    let limits = HeaderLimits {
        max_bytes: 16_384,
        max_certificates: 8,
    };
    let chain = HeaderFormat::URL_ENCODED.decode(values, limits)?;
    verifier.verify(&chain, Timestamp::now())
}

fn expired(chain: &Chain) -> test_pki::Credential {
    const DAY: Duration = Duration::from_secs(86_400);
    let now = time::OffsetDateTime::now_utc();
    chain.issue(Chain::client(KeyKind::P256).valid(now - 40 * DAY, now - DAY))
}
