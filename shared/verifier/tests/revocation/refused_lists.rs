//! Files that cannot be read as a CRL, by the part that cannot be read.

use alb_mtls_verifier::{RevocationList, RevocationListErrorKind};
use test_pki::{Crl, CrlBuilder};

use crate::support::{Pki, daily, read};

#[test]
fn two_signature_algorithms_are_refused_with_both_names() {
    let pki = Pki::new();
    let mut signed = test_pki::raw::Signed::from_der(pki.issuing_crl().der()).unwrap();
    signed.algorithm =
        test_pki::raw::algorithm_identifier(test_pki::SignatureAlgorithm::EcdsaSha512).unwrap();
    let crl = Crl::from_der(signed.to_der().unwrap());
    let error = RevocationList::from_der(crl.der().to_vec()).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the CRL of CN=Serverless Issuing CA,O=Example: names two different signature algorithms, ECDSA with SHA-256 \
         (1.2.840.10045.4.3.2) in what is signed and ECDSA with SHA-512 (1.2.840.10045.4.3.4) beside the signature"
    );
}

#[test]
fn a_list_that_is_cut_off_anywhere_is_refused() {
    let pki = Pki::new();
    let crl = daily(CrlBuilder::new())
        .revoke(&pki.client)
        .issued_by(&pki.issuing)
        .unwrap();
    for length in 0..crl.der().len() {
        let error = RevocationList::from_der(crl.der()[..length].to_vec()).unwrap_err();
        assert_eq!(
            error.problem,
            RevocationListErrorKind::Malformed {
                field: "the CRL",
                offset: 0
            },
            "{length}"
        );
    }
    let trailing = [crl.der(), &[0]].concat();
    assert_eq!(
        RevocationList::from_der(trailing).unwrap_err().problem,
        RevocationListErrorKind::Malformed {
            field: "nothing more",
            offset: crl.der().len()
        }
    );
}

#[test]
fn a_part_that_cannot_be_read_is_named_with_its_place() {
    let pki = Pki::new();
    let crl = pki.issuing_crl();
    let time = b"\x17\x0D";
    let place = memchr_of(crl.der(), time);
    let mut der = crl.der().to_vec();
    der[place] = 0x04;
    let error = RevocationList::from_der(der).unwrap_err();
    assert_eq!(
        error.problem,
        RevocationListErrorKind::Malformed {
            field: "thisUpdate",
            offset: place
        }
    );
    assert_eq!(
        error.to_string(),
        format!(
            "the CRL of CN=Serverless Issuing CA,O=Example: is not the DER encoding of a whole CRL: octet {place} should \
             begin thisUpdate"
        )
    );
    assert_eq!(
        read(&Crl::from_der(vec![0x30, 0x00])).unwrap_err(),
        RevocationListErrorKind::Malformed {
            field: "what is signed",
            offset: 2
        }
    );
}

fn memchr_of(haystack: &[u8], needle: &[u8]) -> usize {
    let mut windows = haystack.windows(needle.len());
    windows.position(|window| window == needle).unwrap()
}
