//! Header to verdict.

use std::time::Duration;

use alb_mtls_bench::{
    Beside, Chain, Effort, Goal, Presented, Quantity, Row, Subject, Table, in_turns, progress,
};
use alb_mtls_http::{HeaderFormat, HeaderLimits, HeaderValues};
use alb_mtls_verifier::{
    Intermediates, Rejection, Timestamp, TrustAnchor, TrustAnchors, VerifiedClient, Verifier, VerifyOptions,
};
use rustls_pki_types::CertificateDer;
use test_pki::{CertificateBuilder, KeyKind};

use super::webpki_peer;

const ACCEPTED: &str = "header to verdict, first sight, accepted";
const REFUSED: &str = "header to verdict, first sight, refused (P-256, 2 certificates)";

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
            let chain = Chain::new(kind, length);
            let row = row(
                effort,
                ACCEPTED,
                &what,
                &chain,
                &chain.presented(&chain.client),
                Verdict::Accepted,
            );
            let is_baseline = kind == KeyKind::P256 && length == 2;
            table.push(if is_baseline {
                row.goal(Goal::Ratio(1.05))
            } else {
                row
            });
        }
    }
    let chain = Chain::new(KeyKind::P256, 2);
    let impostor = Chain::new(KeyKind::P256, 2);
    let mut forged = chain.presented(&impostor.issue(Chain::client(KeyKind::P256)));
    let expired = chain.presented(&expired(&chain));
    let stranger = CertificateBuilder::client("CN=stranger,O=Elsewhere");
    let other = CertificateBuilder::root("CN=Other Root")
        .self_signed()
        .expect("a root");
    let stranger = chain.presented(&stranger.issued_by(&other).expect("a client"));
    for (what, presented) in [
        ("an impostor of the issuing authority", &forged),
        ("expired", &expired),
        ("an unknown authority", &stranger),
    ] {
        progress(&format!("header to verdict: {what}"));
        table.push(row(effort, REFUSED, what, &chain, presented, Verdict::Refused));
    }
    forged.header = forged.header.replacen("BEGIN", "BEG1N", 1);
    let verifier = verifier(&chain);
    let [malformed] = in_turns(
        effort,
        [Subject::new(|| decide(&verifier, &forged.header).is_ok())],
    );
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

#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Accepted,
    Refused,
}

fn row(
    effort: Effort,
    section: &'static str,
    what: &str,
    chain: &Chain,
    presented: &Presented,
    expected: Verdict,
) -> Row {
    let verifier = verifier(chain);
    let root = CertificateDer::from(chain.root.der().to_vec());
    let anchors = [webpki_peer::anchor(&root)];
    let accepts = [
        decide(&verifier, &presented.header).is_ok(),
        webpki_peer::verify(presented, &anchors, &[]).is_ok(),
        openssl(chain, presented)(),
    ];
    assert!(
        accepts
            .iter()
            .all(|accepts| *accepts == (expected == Verdict::Accepted)),
        "{what}: {accepts:?}"
    );
    let [own, webpki, openssl] = in_turns(
        effort,
        [
            Subject::new(|| decide(&verifier, &presented.header)),
            Subject::new(|| webpki_peer::verify(presented, &anchors, &[])),
            Subject::new(openssl(chain, presented)),
        ],
    );
    let beside = |name, series: &alb_mtls_bench::Series| {
        Beside::with_ratio(name, Quantity::Seconds(series.median()), own.ratio_to(series))
    };
    let row =
        Row::new(section, what, Quantity::Seconds(own.median())).compared(beside("webpki on DER", &webpki));
    if cfg!(feature = "openssl") {
        row.compared(beside("OpenSSL", &openssl))
    } else {
        row
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

/// A verifier with this chain's trust anchor.
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
