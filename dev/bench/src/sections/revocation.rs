//! Cost of revoked certificates, at the start and at each request.

use std::io::Cursor;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_mtls_bench::{Beside, Chain, Effort, Goal, Plot, Quantity, Row, Subject, Table, in_turns, progress};
use alb_mtls_tests::large_crl;
use alb_mtls_verifier::{
    Intermediates, RevocationLists, RevocationOptions, TrustAnchor, TrustAnchors, read_revocation_lists,
};
use rustls_pki_types::CertificateDer;
use test_pki::{CrlBuilder, KeyKind};
use webpki::{CertRevocationList, OwnedCertRevocationList};

use super::verify::{decide, verifier};
use super::webpki_peer;

const REQUEST: &str = "header to verdict, first sight, by revoked certificates (P-256, 2 certificates)";
const LOADING: &str = "loading a CRL, signature and all";

pub(crate) fn measure(effort: Effort, table: &mut Table) -> Plot {
    let chain = Chain::new(KeyKind::P256, 2);
    let issuing = &chain.intermediates[0];
    let presented = chain.presented(&chain.client);
    let clean = verifier(&chain);
    let root = CertificateDer::from(chain.root.der().to_vec());
    let webpki_anchors = [webpki_peer::anchor(&root)];
    let anchors = TrustAnchors::new([TrustAnchor::new(root.clone()).expect("a trust anchor")]).expect("one");
    let intermediates = Intermediates::new(presented.intermediates.clone()).expect("an intermediate");
    let of_root = CrlBuilder::new().issued_by(&chain.root).expect("a CRL");

    let (mut ours, mut webpkis, mut loading) = (Vec::new(), Vec::new(), Vec::new());
    for &entries in effort.choose(&[0, 1_000, 10_000, 100_000, 500_000][..], &[0, 1_000]) {
        progress(&format!("{entries} revoked certificates"));
        let list = large_crl(entries, issuing, CrlBuilder::new());
        let files = [list.der(), of_root.der()];

        let own_load = quickest(effort, || {
            let lists = files
                .iter()
                .flat_map(|file| read_revocation_lists(Cursor::new(*file), 1 << 30).expect("a CRL"));
            RevocationLists::new(lists.collect::<Vec<_>>(), &anchors, &intermediates, None)
        });
        let webpki_load = quickest(effort, || {
            files
                .map(|file| CertRevocationList::from(OwnedCertRevocationList::from_der(file).expect("a CRL")))
        });
        let held = clean
            .clone()
            .with_revocation(Arc::new(own_load.result), RevocationOptions::default());
        let webpki_lists: Vec<_> = webpki_load.result.iter().collect();
        let [own, without, webpki] = in_turns(
            effort,
            [
                Subject::new(|| decide(&held, &presented.header).expect("a verified client")),
                Subject::new(|| decide(&clean, &presented.header).expect("a verified client")),
                Subject::new(|| {
                    webpki_peer::verify(&presented, &webpki_anchors, &webpki_lists).expect("a path")
                }),
            ],
        );
        let beside = |name, series: &alb_mtls_bench::Series| {
            Beside::with_ratio(name, Quantity::Seconds(series.median()), own.ratio_to(series))
        };
        let what = format!("{entries} entries");
        let row = Row::new(REQUEST, &what, Quantity::Seconds(own.median()))
            .compared(beside("no CRLs", &without))
            .compared(beside("webpki", &webpki));
        let load = Row::new(LOADING, &what, Quantity::Seconds(own_load.took.as_secs_f64()))
            .beside("webpki", Quantity::Seconds(webpki_load.took.as_secs_f64()));
        let is_largest = entries == 500_000;
        table.push(if is_largest {
            row.goal(Goal::Ratio(1.02))
        } else {
            row
        });
        loading.push(if is_largest {
            load.goal(Goal::AtMost(Quantity::Seconds(0.15)))
        } else {
            load
        });
        ours.push((entries, own.median()));
        webpkis.push((entries, webpki.median()));
    }
    loading.into_iter().for_each(|row| table.push(row));
    Plot::beside_webpki("revoked certificates in CRLs", ours, webpkis)
}

struct Load<T> {
    result: T,
    took: Duration,
}

/// Returns the quickest of a few, which take long enough to be met by whatever else the machine
/// does.
fn quickest<T>(effort: Effort, mut work: impl FnMut() -> T) -> Load<T> {
    let mut once = || {
        let started = Instant::now();
        let result = work();
        Load {
            result,
            took: started.elapsed(),
        }
    };
    let mut best = once();
    for _ in 1..effort.choose(5, 1) {
        let next = once();
        if next.took < best.took {
            best = next;
        }
    }
    best
}
