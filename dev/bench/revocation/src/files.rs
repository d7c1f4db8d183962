//! Certificates and CRLs to measure with, made when they are needed.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

use aws_lc_rs::digest::{Context, SHA256};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use test_pki::{CertificateBuilder, Credential, CrlBuilder};

/// Octets of one entry: a serial number of 16 octets, a date and a reason.
const ENTRY: usize = 49;

/// Writes the root, issuing authority, client, an empty CRL of the root and a CRL of the issuing
/// authority of this size.
pub(crate) fn make(size: usize, folder: &Path) {
    let root = CertificateBuilder::root("CN=Root").self_signed().unwrap();
    let issuing = CertificateBuilder::intermediate("CN=Issuing")
        .issued_by(&root)
        .unwrap();
    let client = CertificateBuilder::client("CN=client")
        .issued_by(&issuing)
        .unwrap();
    let write = |name: &str, octets: &[u8]| std::fs::write(folder.join(name), octets).unwrap();
    write("root", root.der());
    write("issuing", issuing.der());
    write("client", client.der());
    write("root-list.der", CrlBuilder::new().issued_by(&root).unwrap().der());
    write_large(size, &issuing, &folder.join("list.der"));
}

pub(crate) fn certificate(folder: &Path, name: &str) -> CertificateDer<'static> {
    std::fs::read(folder.join(name)).unwrap().into()
}

/// Writes a CRL with that many entries to a file, without ever having it in memory. Everything but
/// the entries is that of an empty CRL.
fn write_large(size: usize, issuer: &Credential, path: &Path) {
    let empty = CrlBuilder::new().issued_by(issuer).unwrap();
    let outer = content(empty.der());
    let (signed, rest) = outer.split_at(element_length(outer));
    let fields = content(signed);
    // The entries come before the extensions, which are `[0]`, the last field.
    let mut before = 0;
    while *fields.get(before).unwrap() != 0xA0 {
        before += element_length(fields.get(before..).unwrap());
    }
    let (before, extensions) = fields.split_at(before);
    let algorithm = rest.get(..element_length(rest)).unwrap();

    let entries = header(0x30, size * ENTRY);
    let length = before.len() + entries.len() + size * ENTRY + extensions.len();
    let tbs_header = header(0x30, length);
    // The length of a signature on P-256 is known only at the end, so the outer header is written
    // last.
    let key = issuer.key().to_pem().unwrap();
    let key = PrivatePkcs8KeyDer::from_pem_slice(key.as_bytes()).unwrap();
    let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, key.secret_pkcs8_der()).unwrap();

    let body = path.with_extension("body");
    let mut file = BufWriter::new(File::create(&body).unwrap());
    let mut digest = Context::new(&SHA256);
    let mut put = |octets: &[u8]| {
        digest.update(octets);
        file.write_all(octets).unwrap();
    };
    put(&tbs_header);
    put(before);
    put(&entries);
    let mut state = 0x0123_4567_89AB_CDEF_u64;
    for _ in 0..size {
        put(&entry(&mut state));
    }
    put(extensions);
    let signature = key.sign_digest(&digest.finish()).unwrap();
    let bits = [&[0][..], signature.as_ref()].concat();
    let signature = [&header(0x03, bits.len())[..], &bits].concat();
    file.write_all(algorithm).unwrap();
    file.write_all(&signature).unwrap();
    drop(file);

    let whole = tbs_header.len() + length + algorithm.len() + signature.len();
    let mut file = File::create(path).unwrap();
    file.write_all(&header(0x30, whole)).unwrap();
    std::io::copy(&mut File::open(&body).unwrap(), &mut file).unwrap();
    std::fs::remove_file(body).unwrap();
}

fn entry(state: &mut u64) -> Vec<u8> {
    let mut entry = b"\x30\x2F\x02\x10\x1F".to_vec();
    for _ in 0..2 {
        *state ^= *state << 13;
        *state ^= *state >> 7;
        *state ^= *state << 17;
        entry.extend_from_slice(&state.to_be_bytes());
    }
    entry.pop();
    entry.extend_from_slice(b"\x17\x0D250101000000Z");
    entry.extend_from_slice(b"\x30\x0C\x30\x0A\x06\x03\x55\x1D\x15\x04\x03\x0A\x01\x04");
    assert_eq!(entry.len(), ENTRY);
    entry
}

/// Returns tag and length.
fn header(tag: u8, length: usize) -> Vec<u8> {
    let octets = u32::try_from(length).unwrap().to_be_bytes();
    let shortest = octets.iter().position(|octet| *octet != 0).unwrap_or(3);
    let shortest = octets.get(shortest..).unwrap();
    match length {
        0..=0x7F => vec![tag, u8::try_from(length).unwrap()],
        _ => [&[tag, 0x80 | u8::try_from(shortest.len()).unwrap()][..], shortest].concat(),
    }
}

fn content(element: &[u8]) -> &[u8] {
    element.get(header_length(element)..).unwrap()
}

fn header_length(element: &[u8]) -> usize {
    match *element.get(1).unwrap() {
        0..=0x7F => 2,
        long => 2 + usize::from(long & 0x7F),
    }
}

fn element_length(octets: &[u8]) -> usize {
    let header = header_length(octets);
    let length = match *octets.get(1).unwrap() {
        short @ 0..=0x7F => usize::from(short),
        _ => octets
            .get(2..header)
            .unwrap()
            .iter()
            .fold(0, |length, octet| length << 8 | usize::from(*octet)),
    };
    header + length
}
