//! The verifier, with the CRL in memory and in a file.

use std::fs::File;
use std::hint::black_box;
use std::io::{self, BufReader, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_mtls_verifier::{
    Intermediates, ListStanding, ListStorage, PresentedChain, RevocationList, RevocationListStream,
    RevocationLists, RevocationOptions, Timestamp, TrustAnchor, TrustAnchors, Verifier, VerifyOptions,
    parse_revocation_lists, read_revocation_lists,
};

use crate::files::certificate;
use crate::{Measured, in_turns, memory};

/// Octets that are handed over at once, as many as a download brings.
const PART: usize = 256 * 1_024;

pub(crate) fn measure_in_memory(folder: &Path) -> Measured {
    // The whole file has to be there before it is read.
    measure(folder, |path| {
        let octets = std::fs::read(path).unwrap();
        let last_octet = Instant::now();
        (parse_revocation_lists(octets, 1 << 30).unwrap(), last_octet)
    })
}

pub(crate) fn measure_in_file(folder: &Path) -> Measured {
    measure(folder, |path| {
        let storage = Storage(tempfile::tempfile().unwrap());
        let mut stream = RevocationListStream::new(Box::new(storage));
        let mut file = File::open(path).unwrap();
        let mut part = vec![0; PART];
        loop {
            let read = file.read(&mut part).unwrap();
            if read == 0 {
                break;
            }
            stream.push(part.get(..read).unwrap()).unwrap();
        }
        let last_octet = Instant::now();
        (vec![Arc::new(stream.finish().unwrap())], last_octet)
    })
}

type Lists = Vec<Arc<RevocationList>>;

fn measure(folder: &Path, load: impl FnOnce(&Path) -> (Lists, Instant)) -> Measured {
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
    let root_list = read(&folder.join("root-list.der"));

    let start = Instant::now();
    let (mut lists, last_octet) = load(&folder.join("list.der"));
    lists.extend(root_list);
    let lists = RevocationLists::new(lists, &anchors, &intermediates, None);
    let (load, rest) = (start.elapsed(), last_octet.elapsed());
    assert!(
        lists
            .iter()
            .all(|(_, standing)| standing == ListStanding::Verified)
    );
    let (resident, peak) = (memory::resident(), memory::peak());
    let held = clean
        .clone()
        .with_revocation(Arc::new(lists), RevocationOptions::default());
    let (clean, held) = in_turns(
        || drop(black_box(clean.verify(&chain, now).unwrap())),
        || drop(black_box(held.verify(&chain, now).unwrap())),
    );
    Measured {
        load,
        rest: rest.max(Duration::ZERO),
        resident,
        peak,
        clean,
        held,
    }
}

fn read(path: &Path) -> Lists {
    read_revocation_lists(BufReader::new(File::open(path).unwrap()), 1 << 30).unwrap()
}

#[derive(Debug)]
struct Storage(File);

impl ListStorage for Storage {
    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        self.0.write_all(octets)
    }

    fn read_at(&self, position: u64, octets: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(octets, position)
    }
}
