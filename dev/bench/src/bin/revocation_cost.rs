//! Cost of revocation: webpki's own check against this crate's, with lists of several sizes, in
//! one run.
//!
//! ```text
//! cargo run --release -p alb-mtls-bench --bin revocation_cost [ENTRIES …]
//! ```
//!
//! Without arguments: 100, 10,000, 500,000 (a load balancer's own limit) and 2,000,000 entries.
//! Every measurement is made in a process of its own, so that memory is that of one list: from a
//! file on disk to the first client that can be verified. "clean" and "held" are the median time of
//! one verification of a client with one intermediate, without and with the list, alternating.

#![expect(
    clippy::unwrap_used,
    reason = "a measurement that cannot be made has no result"
)]

use std::fs::File;
use std::hint::black_box;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_mtls_bench::{peak_memory, percentile_of, resident_memory};
use alb_mtls_verifier::{
    CertificateDer, Intermediates, PresentedChain, RevocationLists, RevocationOptions, Timestamp,
    TrustAnchor, TrustAnchors, Verifier, VerifyOptions, read_revocation_lists,
};
use der::asn1::{AnyRef, BitString};
use der::{Encode, Tag, TagNumber};
use test_pki::{CertificateBuilder, Credential, CrlBuilder};
use webpki::{
    CertRevocationList, EndEntityCert, KeyUsage, OwnedCertRevocationList, RevocationOptionsBuilder,
    anchor_from_trusted_cert,
};

const SIZES: [usize; 4] = [100, 10_000, 500_000, 2_000_000];
const ENGINES: [&str; 3] = ["webpki", "ours", "ours, PEM"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [flag, engine, folder] if flag == "--measure" => measure(engine, Path::new(folder)),
        [] => compare(&SIZES),
        sizes => compare(&sizes.iter().map(|size| size.parse().unwrap()).collect::<Vec<_>>()),
    }
}

fn compare(sizes: &[usize]) {
    println!(
        "{:>9}  {:<9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>7}",
        "entries", "who", "load ms", "now MB", "peak MB", "clean µs", "held µs", "ratio"
    );
    for size in sizes {
        let folder = tempfile::tempdir().unwrap();
        make_files(*size, folder.path());
        for engine in ENGINES {
            let output = Command::new(std::env::current_exe().unwrap())
                .args(["--measure", engine])
                .arg(folder.path())
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{}",
                String::from_utf8_lossy(&output.stderr)
            );
            print!(
                "{size:>9}  {engine:<9}  {}",
                String::from_utf8_lossy(&output.stdout)
            );
        }
    }
}

/// Measures one engine with the files of one size; prints the rest of its line.
fn measure(engine: &str, folder: &Path) {
    let (load, clean, held) = match engine {
        "webpki" => measure_webpki(folder),
        "ours" => measure_ours(folder, "list.der"),
        _ => measure_ours(folder, "list.pem"),
    };
    println!(
        "{:>9.2}  {:>9.1}  {:>9.1}  {:>9.1}  {:>9.1}  {:>7.3}",
        load.duration.as_secs_f64() * 1e3,
        load.resident,
        load.peak,
        clean.as_secs_f64() * 1e6,
        held.as_secs_f64() * 1e6,
        held.as_secs_f64() / clean.as_secs_f64(),
    );
}

struct Load {
    duration: Duration,
    /// In megabytes.
    resident: f64,
    /// In megabytes.
    peak: f64,
}

impl Load {
    fn since(start: Instant) -> Self {
        Self {
            duration: start.elapsed(),
            resident: megabytes(resident_memory(std::process::id())),
            peak: megabytes(peak_memory(std::process::id())),
        }
    }
}

fn measure_ours(folder: &Path, file: &str) -> (Load, Duration, Duration) {
    let root = TrustAnchor::new(certificate(folder, "root")).unwrap();
    let anchors = TrustAnchors::new([root]).unwrap();
    let chain = PresentedChain::new([certificate(folder, "client"), certificate(folder, "issuing")]).unwrap();
    let now = Timestamp::now();
    let clean = Verifier::new(
        anchors.clone(),
        Intermediates::default(),
        VerifyOptions::default(),
    );
    let intermediates = Intermediates::new([certificate(folder, "issuing")]).unwrap();

    let start = Instant::now();
    let mut lists = read_lists(&folder.join(file));
    lists.extend(read_lists(&folder.join("root-list.der")));
    let lists = RevocationLists::new(lists, &anchors, &intermediates, None);
    let held = clean
        .clone()
        .with_revocation(Arc::new(lists), RevocationOptions::default());
    let load = Load::since(start);

    let (clean, held) = in_turns(
        || drop(black_box(clean.verify(&chain, now).unwrap())),
        || drop(black_box(held.verify(&chain, now).unwrap())),
    );
    (load, clean, held)
}

fn read_lists(path: &Path) -> Vec<Arc<alb_mtls_verifier::RevocationList>> {
    read_revocation_lists(BufReader::new(File::open(path).unwrap()), 1 << 30).unwrap()
}

fn measure_webpki(folder: &Path) -> (Load, Duration, Duration) {
    let (root, issuing, client) = (
        certificate(folder, "root"),
        certificate(folder, "issuing"),
        certificate(folder, "client"),
    );
    let anchors = [anchor_from_trusted_cert(&root).unwrap()];
    let intermediates = [issuing];
    let now = rustls_pki_types::UnixTime::now();

    let start = Instant::now();
    let lists: Vec<CertRevocationList<'_>> = ["list.der", "root-list.der"]
        .iter()
        .map(|file| {
            let der = std::fs::read(folder.join(file)).unwrap();
            OwnedCertRevocationList::from_der(&der).unwrap().into()
        })
        .collect();
    let lists: Vec<&CertRevocationList<'_>> = lists.iter().collect();
    let load = Load::since(start);

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
    (load, clean, held)
}

/// Returns the median times of both, measured alternately so that other work of the machine affects
/// both alike.
fn in_turns(first: impl Fn(), second: impl Fn()) -> (Duration, Duration) {
    const BUDGET: Duration = Duration::from_secs(3);
    const AT_LEAST: usize = 20;
    let time = |work: &dyn Fn()| {
        let start = Instant::now();
        work();
        start.elapsed()
    };
    first();
    second();
    let (mut firsts, mut seconds) = (Vec::new(), Vec::new());
    let start = Instant::now();
    while firsts.len() < AT_LEAST || start.elapsed() < BUDGET {
        firsts.push(time(&first));
        seconds.push(time(&second));
    }
    (percentile_of(&firsts, 50), percentile_of(&seconds, 50))
}

#[expect(clippy::cast_precision_loss, reason = "printed with one digit")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}

fn certificate(folder: &Path, name: &str) -> CertificateDer<'static> {
    std::fs::read(folder.join(name)).unwrap().into()
}

/// Writes the root, issuing authority, client, an empty list of the root and a list of the issuing
/// authority of this size.
fn make_files(size: usize, folder: &Path) {
    let root = CertificateBuilder::root("CN=Root").self_signed().unwrap();
    let issuing = CertificateBuilder::intermediate("CN=Issuing")
        .issued_by(&root)
        .unwrap();
    let client = CertificateBuilder::client("CN=client")
        .issued_by(&issuing)
        .unwrap();
    let write = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    write("root", root.der());
    write("issuing", issuing.der());
    write("client", client.der());
    write("root-list.der", CrlBuilder::new().issued_by(&root).unwrap().der());
    let list = large_list(size, &issuing);
    write("list.der", list.der());
    write("list.pem", list.pem().as_bytes());
}

/// A list with that many entries of 16 octets of serial number, a date and a reason; put together
/// by hand, because a builder holds each entry as a structure of its own.
fn large_list(size: usize, issuer: &Credential) -> test_pki::Crl {
    let empty = CrlBuilder::new().issued_by(issuer).unwrap();
    let signed = test_pki::raw::Signed::from_der(empty.der()).unwrap();
    let fields: test_pki::raw::TbsCertList = signed.to_be_signed.decode_as().unwrap();

    let mut entries = Vec::with_capacity(size * 50);
    let mut state = 0x0123_4567_89AB_CDEF_u64;
    for _ in 0..size {
        entries.extend_from_slice(b"\x30\x2F\x02\x10\x1F");
        for _ in 0..2 {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            entries.extend_from_slice(&state.to_be_bytes());
        }
        entries.pop();
        entries.extend_from_slice(b"\x17\x0D250101000000Z");
        entries.extend_from_slice(b"\x30\x0C\x30\x0A\x06\x03\x55\x1D\x15\x04\x03\x0A\x01\x04");
    }
    let list = [
        fields.version.to_der().unwrap(),
        fields.signature.to_der().unwrap(),
        fields.issuer.to_der().unwrap(),
        fields.this_update.to_der().unwrap(),
        fields.next_update.to_der().unwrap(),
        element(Tag::Sequence, &entries),
        element(EXTENSIONS, &fields.extensions.to_der().unwrap()),
    ]
    .concat();
    let to_be_signed = element(Tag::Sequence, &list);
    let key = issuer.key();
    let signature = key.sign(key.default_algorithm(), &to_be_signed).unwrap();
    let signed = test_pki::raw::Signed {
        to_be_signed: test_pki::raw::any(&to_be_signed).unwrap(),
        signature: BitString::from_bytes(&signature).unwrap(),
        ..signed
    };
    test_pki::Crl::from_der(signed.to_der().unwrap())
}

const EXTENSIONS: Tag = Tag::ContextSpecific {
    constructed: true,
    number: TagNumber(0),
};

fn element(tag: Tag, content: &[u8]) -> Vec<u8> {
    AnyRef::new(tag, content).unwrap().to_der().unwrap()
}
