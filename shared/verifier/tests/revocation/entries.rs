//! Entries of lists.

use alb_mtls_verifier::{Reason, RevocationReason};
use test_pki::{CrlBuilder, CrlReason};
use time::Duration;
use time::macros::datetime;

use crate::support::{NOW, Pki, STRICT, daily, read};

#[test]
fn a_serial_number_means_nothing_under_another_issuer() {
    let pki = Pki::new();
    let root_crl = daily(CrlBuilder::new())
        .revoke(&pki.client)
        .issued_by(&pki.root)
        .unwrap();
    assert!(pki.verify(&[&root_crl, &pki.issuing_crl()], STRICT).is_ok());
}

#[test]
fn serial_numbers_with_the_top_bit_set_are_found() {
    let pki = Pki::new();
    let client = pki.another_client(|builder| builder.serial(0xFFFF_0000_0000_0001));
    let crl = daily(CrlBuilder::new())
        .revoke(&client)
        .issued_by(&pki.issuing)
        .unwrap();
    assert_eq!(pki.strict(&client, &[&crl]), Err(Reason::Revoked));
    assert_eq!(pki.strict(&pki.client, &[&crl]), Ok(()));
}

#[test]
fn a_hold_and_a_removal_count_as_revoked_on_a_complete_list() {
    let pki = Pki::new();
    let serial = pki.client.certificate().serial().unwrap();
    for (reason, read_as) in [
        (CrlReason::CertificateHold, RevocationReason::CertificateHold),
        (CrlReason::RemoveFromCRL, RevocationReason::RemoveFromCrl),
    ] {
        let crl = daily(CrlBuilder::new())
            .revoke_serial(&serial, Some(reason), datetime!(2026-05-01 0:00 UTC))
            .issued_by(&pki.issuing)
            .unwrap();
        assert_eq!(read(&crl).unwrap().find(&serial).unwrap().reason, Some(read_as));
        assert_eq!(pki.strict(&pki.client, &[&crl]), Err(Reason::Revoked));
    }
}

#[test]
fn an_empty_list_clears_everybody_however_it_says_so() {
    let pki = Pki::new();
    assert_eq!(read(&pki.issuing_crl()).unwrap().entry_count(), 0);
    let empty_sequence = pki.issuing_crl().edited(pki.issuing.key(), |tbs| {
        tbs.revoked_certificates = Some(Vec::new());
        Ok(())
    });
    assert_eq!(pki.strict(&pki.client, &[&empty_sequence.unwrap()]), Ok(()));
}

#[test]
fn a_serial_number_that_stands_twice_is_revoked() {
    let pki = Pki::new();
    let crl = daily(CrlBuilder::new())
        .revoke(&pki.client)
        .revoke(&pki.client)
        .issued_by(&pki.issuing)
        .unwrap();
    assert_eq!(read(&crl).unwrap().entry_count(), 2);
    assert_eq!(pki.strict(&pki.client, &[&crl]), Err(Reason::Revoked));
}

#[test]
fn every_entry_of_a_large_list_is_found() {
    let pki = Pki::new();
    let serial = |number: u32| [&[0x5A; 12][..], &number.to_be_bytes()].concat();
    let builder = (0..20_000_u32).fold(daily(CrlBuilder::new()), |builder, number| {
        builder.revoke_serial(&serial(number * 3), None, NOW - Duration::DAY)
    });
    let list = read(&builder.issued_by(&pki.issuing).unwrap()).unwrap();
    assert_eq!(list.entry_count(), 20_000);
    for number in 0..60_000 {
        assert_eq!(list.find(&serial(number)).is_some(), number % 3 == 0, "{number}");
    }
}
