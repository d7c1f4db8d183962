//! Cost of the number of trust anchors.

use alb_mtls_bench::{Beside, Chain, Effort, Goal, Plot, Quantity, Row, Subject, Table, in_turns, progress};
use alb_mtls_verifier::{Intermediates, TrustAnchor, TrustAnchors, Verifier, VerifyOptions};
use rustls_pki_types::CertificateDer;
use test_pki::{CertificateBuilder, KeyKind};

use super::verify::{decide, verifier};
use super::webpki_peer;

const SECTION: &str = "header to verdict, first sight, by trust anchors (P-256, 2 certificates)";

pub(crate) fn measure(effort: Effort, table: &mut Table) -> Plot {
    let chain = Chain::new(KeyKind::P256, 2);
    let presented = chain.presented(&chain.client);
    let one = verifier(&chain);
    let counts = effort.choose(&[1, 100, 1_000, 10_000][..], &[1, 100]);
    let (mut ours, mut webpkis) = (Vec::new(), Vec::new());
    for &count in counts {
        progress(&format!("{count} trust anchors"));
        let mut certificates = others(&chain, count - 1);
        // The one that counts comes last.
        certificates.push(chain.root.der().to_vec().into());
        let anchors = certificates
            .iter()
            .map(|one| TrustAnchor::new(one.clone()).expect("a trust anchor"));
        let many = Verifier::new(
            TrustAnchors::new(anchors).expect("trust anchors"),
            Intermediates::default(),
            VerifyOptions::default(),
        );
        let webpki_anchors: Vec<_> = certificates.iter().map(webpki_peer::anchor).collect();
        let [own, of_one, webpki] = in_turns(
            effort,
            [
                Subject::new(|| decide(&many, &presented.header).expect("a verified client")),
                Subject::new(|| decide(&one, &presented.header).expect("a verified client")),
                Subject::new(|| webpki_peer::verify(&presented, &webpki_anchors, &[]).expect("a path")),
            ],
        );
        let beside = |name, series: &alb_mtls_bench::Series| {
            Beside::with_ratio(name, Quantity::Seconds(series.median()), own.ratio_to(series))
        };
        let row = Row::new(
            SECTION,
            format!("{count} trust anchors"),
            Quantity::Seconds(own.median()),
        )
        .compared(beside("one trust anchor", &of_one))
        .compared(beside("webpki", &webpki));
        table.push(if count == 10_000 {
            row.goal(Goal::Ratio(1.1))
        } else {
            row
        });
        ours.push((count, own.median()));
        webpkis.push((count, webpki.median()));
    }
    Plot::beside_webpki("trust anchors", ours, webpkis)
}

fn others(chain: &Chain, count: usize) -> Vec<CertificateDer<'static>> {
    let other = |number| {
        let name = format!("CN=Trust Anchor {number},OU=Measured,O=Example");
        let builder = CertificateBuilder::root(&name).key(chain.root.key());
        builder.self_signed().expect("a root").der().to_vec().into()
    };
    (0..count).map(other).collect()
}
