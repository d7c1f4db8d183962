//! What is refused when it is read, by name.

use alb_mtls_verifier::{RevocationList, RevocationListProblem, UnsupportedList};
use pki::{Criticality, Crl, CrlBuilder};
use time::Duration;

use crate::support::{NOW, Pki, daily, read, tlv};

fn with_extension(identifier: &str, value: &[u8]) -> RevocationListProblem {
    let crl = daily(CrlBuilder::new())
        .extension(identifier, Criticality::Critical, value)
        .issued_by(&Pki::new().issuing)
        .unwrap();
    read(&crl).unwrap_err()
}

fn with_distribution_point(fields: &[u8]) -> RevocationListProblem {
    with_extension("2.5.29.28", &tlv(0x30, fields))
}

#[test]
fn kinds_that_are_not_processed() {
    use UnsupportedList::*;
    assert_eq!(
        with_extension("2.5.29.27", &tlv(0x02, &[1])),
        RevocationListProblem::Unsupported(Delta)
    );
    for (fields, kind) in [
        (tlv(0x84, &[0xFF]), Indirect),
        (tlv(0x83, &[0x06, 0x40]), SomeReasons),
        (tlv(0x85, &[0xFF]), AttributeCertificates),
        (tlv(0xA0, &tlv(0xA1, &[])), RelativeDistributionPoint),
    ] {
        assert_eq!(
            with_distribution_point(&fields),
            RevocationListProblem::Unsupported(kind)
        );
    }
}

#[test]
fn scopes_that_contradict_themselves_or_say_nothing() {
    for fields in [
        vec![],
        [tlv(0x81, &[0xFF]), tlv(0x82, &[0xFF])].concat(),
        tlv(0x81, &[0x01]),
        tlv(0xA0, &tlv(0xA0, &[])),
        [tlv(0x81, &[0xFF]), vec![0x05, 0x00]].concat(),
        [tlv(0x82, &[0xFF]), tlv(0x81, &[0xFF])].concat(),
    ] {
        assert_eq!(
            with_distribution_point(&fields),
            RevocationListProblem::Malformed,
            "{fields:x?}"
        );
    }
}

#[test]
fn critical_extensions_that_nobody_knows() {
    assert_eq!(
        with_extension("1.3.6.1.4.1.99999.1", &[0x05, 0x00]),
        RevocationListProblem::CriticalExtension("1.3.6.1.4.1.99999.1".to_owned())
    );
    let pki = Pki::new();
    let harmless = daily(CrlBuilder::new())
        .extension("1.3.6.1.4.1.99999.1", Criticality::NotCritical, &[0x05, 0x00])
        .issued_by(&pki.issuing)
        .unwrap();
    assert_eq!(pki.strict(&pki.client, &[&harmless]), Ok(()));
}

#[test]
fn entries_with_critical_extensions_or_another_issuer() {
    let pki = Pki::new();
    let with_entry_extension = |identifier: &str, critical: bool| {
        let crl = pki.issuing_crl();
        let extension = x509_cert::ext::Extension {
            extn_id: identifier.parse().unwrap(),
            critical,
            extn_value: der::asn1::OctetString::new([0x30, 0x00]).unwrap(),
        };
        let edited = crl.edited(pki.issuing.key(), |tbs| {
            tbs.revoked_certificates = Some(vec![pki::raw::RevokedCertificate {
                serial_number: pki::raw::integer(&[1])?,
                revocation_date: tbs.this_update,
                extensions: Some(vec![extension]),
            }]);
            Ok(())
        });
        read(&edited.unwrap()).map(|list| list.entry_count())
    };
    assert_eq!(
        with_entry_extension("1.3.6.1.4.1.99999.2", true),
        Err(RevocationListProblem::CriticalEntryExtension(
            "1.3.6.1.4.1.99999.2".to_owned()
        ))
    );
    assert_eq!(with_entry_extension("1.3.6.1.4.1.99999.2", false), Ok(1));
    for critical in [true, false] {
        assert_eq!(
            with_entry_extension("2.5.29.29", critical),
            Err(RevocationListProblem::Unsupported(UnsupportedList::Indirect))
        );
    }
}

#[test]
fn lists_without_version_number_or_next_update() {
    let pki = Pki::new();
    let without_number = daily(CrlBuilder::new())
        .without_number()
        .issued_by(&pki.issuing)
        .unwrap();
    assert_eq!(
        read(&without_number).unwrap_err(),
        RevocationListProblem::NumberMissing
    );
    let endless = CrlBuilder::new()
        .without_next_update()
        .issued_by(&pki.issuing)
        .unwrap();
    assert_eq!(
        read(&endless).unwrap_err(),
        RevocationListProblem::NextUpdateMissing
    );
    let first_version = pki.issuing_crl().edited(pki.issuing.key(), |tbs| {
        tbs.version = None;
        tbs.extensions = None;
        Ok(())
    });
    assert_eq!(
        read(&first_version.unwrap()).unwrap_err(),
        RevocationListProblem::Version
    );
    let third_version = pki.issuing_crl().edited(pki.issuing.key(), |tbs| {
        tbs.version = Some(pki::raw::integer(&[2])?);
        Ok(())
    });
    assert_eq!(
        read(&third_version.unwrap()).unwrap_err(),
        RevocationListProblem::Version
    );
    let inverted = CrlBuilder::new()
        .valid(NOW, NOW - Duration::SECOND)
        .issued_by(&pki.issuing)
        .unwrap();
    assert_eq!(
        read(&inverted).unwrap_err(),
        RevocationListProblem::ValidityInverted
    );
}

#[test]
fn repeated_extensions() {
    assert_eq!(
        with_extension("2.5.29.20", &tlv(0x02, &[9])),
        RevocationListProblem::RepeatedExtension
    );
}

#[test]
fn two_signature_algorithms() {
    let pki = Pki::new();
    let mut signed = pki::raw::Signed::from_der(pki.issuing_crl().der()).unwrap();
    signed.algorithm = pki::raw::algorithm_identifier(pki::SignatureAlgorithm::EcdsaSha512).unwrap();
    let crl = Crl::from_der(signed.to_der().unwrap());
    assert_eq!(
        read(&crl).unwrap_err(),
        RevocationListProblem::SignatureAlgorithmMismatch
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
        let problem = RevocationList::from_der(crl.der()[..length].to_vec()).unwrap_err();
        assert_eq!(problem, RevocationListProblem::Malformed, "{length}");
    }
    let trailing = [crl.der(), &[0]].concat();
    assert_eq!(
        RevocationList::from_der(trailing).unwrap_err(),
        RevocationListProblem::Malformed
    );
}
