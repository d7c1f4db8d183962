//! Files of lists, and tools that make them.

use std::io::Write;

use alb_mtls_verifier::{RevocationListErrorKind, parse_each_revocation_list, read_revocation_lists};
use flate2::Compression;
use flate2::write::GzEncoder;

use crate::support::{MAX_BYTES, Pki};

fn problem(text: &[u8]) -> RevocationListErrorKind {
    read_revocation_lists(text, MAX_BYTES).unwrap_err().problem
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn hold_one_list_in_der_or_several_in_pem_compressed_or_not() {
    let pki = Pki::new();
    let (first, second) = (pki.root_crl(), pki.issuing_crl());
    let several = format!(
        "# root\n{}\nissuing:\n{}",
        first.pem(),
        second.pem().replace('\n', "\r\n")
    );
    for (bytes, expected) in [
        (first.der(), 1),
        (first.pem().as_bytes(), 1),
        (several.as_bytes(), 2),
    ] {
        for bytes in [bytes.to_vec(), gzip(bytes)] {
            let lists = read_revocation_lists(&*bytes, MAX_BYTES).unwrap();
            assert_eq!(lists.len(), expected);
            assert_eq!(lists[0].der(), Some(first.der()));
            assert!(lists.iter().skip(1).all(|list| list.der() == Some(second.der())));
        }
    }
}

#[test]
fn are_read_the_same_in_pieces_of_any_size() {
    let pki = Pki::new();
    let (first, second) = (pki.root_crl(), pki.issuing_crl());
    let pem = [first.pem(), second.pem()].concat();
    for size in [1, 2, 3, 5, 64, 65, 100] {
        let reader = std::io::BufReader::with_capacity(size, pem.as_bytes());
        let lists = read_revocation_lists(reader, MAX_BYTES).unwrap();
        let read: Vec<&[u8]> = lists.iter().filter_map(|list| list.der()).collect();
        assert_eq!(read, [first.der(), second.der()], "{size}");
    }
}

#[test]
fn without_a_list_are_an_error() {
    for text in ["", "\n", "no list here\n"] {
        assert_eq!(problem(text.as_bytes()), RevocationListErrorKind::Empty);
    }
}

#[test]
fn with_anything_else_in_them_are_refused_whole() {
    let pki = Pki::new();
    let good = pki.root_crl().pem();
    let certificate = [good.as_str(), &pki.root.certificate().pem()].concat();
    assert!(matches!(
        problem(certificate.as_bytes()),
        RevocationListErrorKind::NotPem(_)
    ));
    let key = [good.as_str(), &pki.root.key().to_pem().unwrap()].concat();
    assert_eq!(problem(key.as_bytes()), RevocationListErrorKind::PrivateKey);
    for damaged in [
        good.replace("-----END X509 CRL-----", ""),
        good.replace("END X509", "END X508"),
        good.replace("-----BEGIN X509 CRL-----", "----BEGIN X509 CRL-----"),
        good.replacen("MI", "M*", 1),
        good.replacen("MI", "MI==", 1),
        good.replace("X509 CRL-----\n", ""),
    ] {
        assert!(
            matches!(problem(damaged.as_bytes()), RevocationListErrorKind::NotPem(_)),
            "{damaged}"
        );
    }
    let cut = read_revocation_lists(
        [good.as_bytes(), &good.as_bytes()[..120]].concat().as_slice(),
        MAX_BYTES,
    );
    let message = cut.unwrap_err().to_string();
    assert!(
        message.starts_with("CRL 2: the block has no END line"),
        "{message}"
    );
}

#[test]
fn that_are_too_large_are_refused_before_they_are_unpacked_whole() {
    let bomb = gzip(&vec![b'\n'; 64 * MAX_BYTES]);
    assert!(bomb.len() < MAX_BYTES / 4);
    assert_eq!(
        problem(&bomb),
        RevocationListErrorKind::TooLarge { max_bytes: MAX_BYTES }
    );
    let pem = Pki::new().root_crl().pem();
    assert!(read_revocation_lists(pem.as_bytes(), pem.len()).is_ok());
    let error = read_revocation_lists(pem.as_bytes(), pem.len() - 1).unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("is larger than {} bytes when unpacked", pem.len() - 1)
    );
}

#[test]
fn that_are_damaged_in_their_compressed_form_are_refused() {
    let whole = gzip(Pki::new().root_crl().der());
    for length in [3, 10, whole.len() / 2, whole.len() - 1] {
        assert!(
            matches!(problem(&whole[..length]), RevocationListErrorKind::Unreadable(_)),
            "{length}"
        );
    }
    let mut flipped = whole.clone();
    *flipped.last_mut().unwrap() ^= 1;
    assert!(matches!(
        problem(&flipped),
        RevocationListErrorKind::Unreadable(_)
    ));
}

#[test]
fn error_of_one_of_several_lists_has_its_number() {
    let pki = Pki::new();
    let damaged = "-----BEGIN X509 CRL-----\nMAA=\n-----END X509 CRL-----\n";
    let file = format!("{}{damaged}{}", pki.root_crl().pem(), pki.issuing_crl().pem());
    let each = parse_each_revocation_list(file.clone().into_bytes(), MAX_BYTES).unwrap();
    let entries: Vec<Option<usize>> = each
        .iter()
        .map(|list| list.as_ref().err().and_then(|error| error.entry))
        .collect();
    assert_eq!(entries, [None, Some(2), None]);
    let error = read_revocation_lists(file.as_bytes(), MAX_BYTES).unwrap_err();
    assert_eq!(error.entry, Some(2));
}
