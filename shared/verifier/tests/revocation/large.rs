//! Lists that arrive in parts and stay in a storage: they decide as the same lists in memory do.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use alb_mtls_verifier::{
    CertificateDer, Intermediates, ListStanding, ListStorage, Reason, RevocationList, RevocationListStream,
    RevocationLists, RevocationReason,
};
use test_pki::{CertificateBuilder, Criticality, Crl, CrlBuilder, KeyKind, SignatureAlgorithm};

use crate::support::{NOW, Pki, STRICT, chain, daily, long_lived, read, timestamp, tlv, verifier};

#[derive(Debug, Default)]
struct Memory {
    octets: Vec<u8>,
    is_broken: Arc<AtomicBool>,
}

impl ListStorage for Memory {
    fn append(&mut self, octets: &[u8]) -> io::Result<()> {
        self.octets.extend_from_slice(octets);
        Ok(())
    }

    fn read_at(&self, position: u64, octets: &mut [u8]) -> io::Result<()> {
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(io::Error::other("broken"));
        }
        let start = usize::try_from(position).unwrap();
        octets.copy_from_slice(self.octets.get(start..start + octets.len()).unwrap());
        Ok(())
    }
}

/// Reads a list in parts of this size.
fn stream(der: &[u8], part: usize) -> Result<RevocationList, String> {
    stream_to(Memory::default(), der, part)
}

fn stream_to(storage: Memory, der: &[u8], part: usize) -> Result<RevocationList, String> {
    let mut stream = RevocationListStream::new(Box::new(storage));
    for part in der.chunks(part) {
        stream.push(part).map_err(|error| error.to_string())?;
    }
    stream.finish().map_err(|error| error.to_string())
}

/// Returns a list with `count` entries of three octets, and the client's.
fn list_of(pki: &Pki, count: u32, change: impl FnOnce(CrlBuilder) -> CrlBuilder) -> Crl {
    let builder = (0..count).fold(daily(CrlBuilder::new()), |builder, number| {
        let reason = (number % 3 == 0).then_some(test_pki::CrlReason::Superseded);
        builder.revoke_serial(&(number * 2 + 1).to_be_bytes()[1..], reason, NOW)
    });
    change(builder.revoke(&pki.client))
        .issued_by(&pki.issuing)
        .unwrap()
}

fn strict(
    pki: &Pki,
    client: &test_pki::Credential,
    list: RevocationList,
) -> (Result<(), Reason>, ListStanding) {
    let configured = Intermediates::new([CertificateDer::from(pki.issuing.der().to_vec())]).unwrap();
    let lists = [list, read(&pki.root_crl()).unwrap()].map(Arc::new);
    let lists = RevocationLists::new(lists, &pki.anchors(), &configured, None);
    let standing = lists.iter().next().unwrap().1;
    let verdict = verifier(pki.anchors())
        .with_revocation(Arc::new(lists), STRICT)
        .verify(&chain([client, &pki.issuing]), timestamp(NOW));
    (
        verdict.map(|_| ()).map_err(|rejection| rejection.reason()),
        standing,
    )
}

#[test]
fn decides_as_the_same_list_in_memory_in_parts_of_any_size() {
    let pki = Pki::new();
    let other = pki.another_client(|builder| builder);
    for count in [0, 1, 6_000] {
        let crl = list_of(&pki, count, |builder| builder);
        let in_memory = read(&crl).unwrap();
        for part in [1, 7, 100, 4_096, crl.der().len()] {
            let list = stream(crl.der(), part).unwrap();
            assert_eq!(list.to_string(), in_memory.to_string());
            assert_eq!(list.entry_count(), in_memory.entry_count());
            assert_eq!(list.encoded_length(), crl.der().len());
            assert_eq!((list.der(), list.defect()), (None, None));
            for number in 0..count * 2 + 2 {
                let serial = &number.to_be_bytes()[1..];
                assert_eq!(list.find(serial), in_memory.find(serial), "{number}");
            }
            assert_eq!(
                strict(&pki, &pki.client, list),
                (Err(Reason::Revoked), ListStanding::Verified)
            );
            let list = stream(crl.der(), part).unwrap();
            assert_eq!(strict(&pki, &other, list), (Ok(()), ListStanding::Verified));
        }
    }
    let empty = daily(CrlBuilder::new()).issued_by(&pki.issuing).unwrap();
    let list = stream(empty.der(), 10).unwrap();
    assert_eq!(strict(&pki, &pki.client, list), (Ok(()), ListStanding::Verified));
}

#[test]
fn same_list_is_known_in_parts_and_in_memory_and_another_is_not() {
    let pki = Pki::new();
    let list = |number: u64| list_of(&pki, 1, |builder| builder.number(number));
    let first = list(7);
    let both = |crl: &Crl| [read(crl).unwrap(), stream(crl.der(), 64).unwrap()];
    for own in both(&first) {
        for same in both(&first) {
            assert!(own.is_same_as(&same));
        }
        // Of the same length: other content, and another signature.
        let mut altered = first.der().to_vec();
        *altered.last_mut().unwrap() ^= 1;
        for other in [list(8), Crl::from_der(altered)] {
            for other in both(&other) {
                assert!(!own.is_same_as(&other));
            }
        }
    }
}

#[test]
fn every_octet_that_is_changed_breaks_the_signature_or_the_list() {
    let pki = Pki::new();
    let other = pki.another_client(|builder| builder);
    let crl = list_of(&pki, 3, |builder| builder);
    for position in 0..crl.der().len() {
        let mut changed = crl.der().to_vec();
        changed[position] ^= 0x01;
        let Ok(list) = stream(&changed, 64) else { continue };
        let (verdict, standing) = strict(&pki, &other, list);
        assert!(verdict.is_err(), "octet {position}: {standing}");
        assert_ne!(standing, ListStanding::Verified, "octet {position}");
    }
}

#[test]
fn a_list_that_is_cut_off_or_goes_on_is_an_error() {
    let pki = Pki::new();
    let crl = list_of(&pki, 5, |builder| builder);
    for length in 0..crl.der().len() {
        assert!(stream(&crl.der()[..length], 50).is_err(), "{length}");
    }
    let longer = [crl.der(), &[0]].concat();
    assert!(stream(&longer, 50).is_err());
    assert!(stream(&longer, longer.len()).is_err());
    let mut failed = RevocationListStream::new(Box::new(Memory::default()));
    assert!(failed.push(&vec![0x31; 70_000]).is_err());
    assert!(failed.push(crl.der()).is_err(), "nothing follows an error");
    assert!(failed.finish().is_err());
}

#[test]
fn defects_are_those_of_the_same_list_in_memory() {
    let pki = Pki::new();
    let damage = |crl: &Crl, extension: &[u8], critical| {
        let extension = x509_cert::ext::Extension {
            extn_id: "2.5.29.29".parse().unwrap(),
            critical,
            extn_value: der::asn1::OctetString::new(extension).unwrap(),
        };
        let edited = crl.edited(pki.issuing.key(), |tbs| {
            for entry in tbs.revoked_certificates.iter_mut().flatten().skip(1).take(1) {
                entry.extensions = Some(vec![extension.clone()]);
            }
            Ok(())
        });
        edited.unwrap()
    };
    let name = tlv(0x30, &tlv(0xA4, &crate::support::subject_of(&pki.root)));
    for indirect in [false, true] {
        let builder = [[1], [3], [5]]
            .iter()
            .fold(daily(CrlBuilder::new()), |builder, serial| {
                builder.revoke_serial(serial, None, NOW)
            });
        let builder = if indirect { builder.indirect() } else { builder };
        let crl = builder.issued_by(&pki.issuing).unwrap();
        for critical in [false, true] {
            for crl in [damage(&crl, &name, critical), damage(&crl, &[5, 0], critical)] {
                let (list, in_memory) = (stream(crl.der(), 9).unwrap(), read(&crl).unwrap());
                assert_eq!(list.defect(), in_memory.defect());
                for serial in [[1], [3], [5]] {
                    assert_eq!(list.find(&serial), in_memory.find(&serial), "{serial:?}");
                }
            }
        }
    }
}

#[test]
fn a_storage_that_fails_later_revokes_what_it_cannot_show() {
    let pki = Pki::new();
    let crl = list_of(&pki, 100, |builder| builder);
    let storage = Memory::default();
    let is_broken = Arc::clone(&storage.is_broken);
    let list = stream_to(storage, crl.der(), 1_000).unwrap();
    is_broken.store(true, Ordering::Relaxed);
    let serial = pki.client.certificate().serial().unwrap();
    assert_eq!(
        list.find(&serial).unwrap().reason,
        Some(RevocationReason::Unreadable)
    );
    assert_eq!(strict(&pki, &pki.client, list).0, Err(Reason::Revoked));
}

#[test]
fn algorithms_are_verified_by_the_digest_or_not_read_in_parts() {
    for (kind, algorithm) in [
        (KeyKind::P256, SignatureAlgorithm::EcdsaSha256),
        (KeyKind::P256, SignatureAlgorithm::EcdsaSha512),
        (KeyKind::P384, SignatureAlgorithm::EcdsaSha384),
        (KeyKind::P521, SignatureAlgorithm::EcdsaSha512),
    ] {
        let root = long_lived(CertificateBuilder::root("CN=Root")).key_kind(kind);
        let root = root.self_signed().unwrap();
        let crl = daily(CrlBuilder::new().signature_algorithm(algorithm))
            .issued_by(&root)
            .unwrap();
        assert!(RevocationListStream::can_read(&crl.der()[..100]));
        let list = Arc::new(stream(crl.der(), 100).unwrap());
        let anchors = crate::support::anchors([&root]);
        let lists = RevocationLists::new([list], &anchors, &Intermediates::default(), None);
        assert_eq!(
            lists.iter().next().unwrap().1,
            ListStanding::Verified,
            "{algorithm:?}"
        );
    }
    let pki = Pki::new();
    let crl = daily(CrlBuilder::new().extension("1.2.3.4", Criticality::NotCritical, &[5, 0]))
        .issued_by(&pki.issuing)
        .unwrap();
    for head in [
        &b"-----BEGIN X509 CRL-----"[..],
        &[],
        &[0x1F, 0x8B, 8],
        pki.issuing.der(),
    ] {
        assert!(!RevocationListStream::can_read(head));
    }
    assert!(RevocationListStream::can_read(crl.der()));
}
