//! webpki with the CRL type that it recommends for large CRLs: it keeps each entry in a map.

use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use webpki::{
    CertRevocationList, EndEntityCert, KeyUsage, OwnedCertRevocationList, RevocationOptionsBuilder,
    anchor_from_trusted_cert,
};

use crate::files::certificate;
use crate::{Measured, in_turns, memory};

pub(crate) fn measure(folder: &Path) -> Measured {
    let (root, issuing, client) = (
        certificate(folder, "root"),
        certificate(folder, "issuing"),
        certificate(folder, "client"),
    );
    let anchors = [anchor_from_trusted_cert(&root).unwrap()];
    let intermediates = [issuing];
    let now = rustls_pki_types::UnixTime::now();

    let start = Instant::now();
    let mut rest = Duration::ZERO;
    let lists: Vec<CertRevocationList<'_>> = ["list.der", "root-list.der"]
        .iter()
        .map(|file| {
            let der = std::fs::read(folder.join(file)).unwrap();
            let last_octet = Instant::now();
            let list = OwnedCertRevocationList::from_der(&der).unwrap().into();
            rest += last_octet.elapsed();
            list
        })
        .collect();
    let lists: Vec<&CertRevocationList<'_>> = lists.iter().collect();
    let load = start.elapsed();
    let (resident, peak) = (memory::resident(), memory::peak());

    let verify = |revocation| {
        let client = EndEntityCert::try_from(&client).unwrap();
        let verified = client.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors,
            &intermediates,
            now,
            KeyUsage::client_auth(),
            revocation,
            None,
        );
        drop(black_box(verified.unwrap()));
    };
    let (clean, held) = in_turns(
        || verify(None),
        || verify(Some(RevocationOptionsBuilder::new(&lists).unwrap().build())),
    );
    Measured {
        load,
        rest,
        resident,
        peak,
        clean,
        held,
    }
}
