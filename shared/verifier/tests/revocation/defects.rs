//! Defects of lists that their issuer signed: such a list revokes what is on it, clears nothing,
//! and says why.

use alb_mtls_verifier::{Reason, RevocationListErrorKind, UnsupportedList};
use test_pki::{Credential, Criticality, Crl, CrlBuilder};
use time::Duration;

use crate::support::{NOW, Pki, SOFT, STRICT, daily, read, subject_of, tlv};

/// Verdicts on a client on a list with this change and on a client that is not, beside an older
/// list that clears both.
struct Verdicts {
    defect: Option<RevocationListErrorKind>,
    listed: Result<(), Reason>,
    other: Result<(), Reason>,
    other_beside_an_older_list: Result<(), Reason>,
    other_under_soft: Result<(), Reason>,
}

fn verdicts(pki: &Pki, make: impl Fn(CrlBuilder) -> Crl) -> Verdicts {
    let listed = pki.another_client(|builder| builder);
    let crl = make(daily(CrlBuilder::new().number(5)).revoke(&listed));
    let older = CrlBuilder::new()
        .number(4)
        .valid(NOW - Duration::DAY, NOW + Duration::DAY)
        .issued_by(&pki.issuing)
        .unwrap();
    let soft = |client: &Credential| {
        pki.verify_client(client, &[&crl, &pki.root_crl()], SOFT)
            .map(|_| ())
            .map_err(|rejection| rejection.reason())
    };
    assert_eq!(
        soft(&listed),
        Err(Reason::Revoked),
        "{:?}",
        read(&crl).unwrap().defect()
    );
    Verdicts {
        defect: read(&crl).unwrap().defect().cloned(),
        listed: pki.strict(&listed, &[&older, &crl]),
        other: pki.strict(&pki.client, &[&crl]),
        other_beside_an_older_list: pki.strict(&pki.client, &[&older, &crl]),
        other_under_soft: soft(&pki.client),
    }
}

fn with_extension(criticality: Criticality, identifier: &str, value: &[u8]) -> Verdicts {
    let pki = Pki::new();
    verdicts(&pki, |builder| {
        let builder = builder.extension(identifier, criticality, value);
        builder.issued_by(&pki.issuing).unwrap()
    })
}

#[track_caller]
fn assert_revokes_and_clears_nothing(verdicts: &Verdicts) {
    assert_eq!(verdicts.listed, Err(Reason::Revoked));
    assert_eq!(verdicts.other, Err(Reason::CrlUnusable));
    assert_eq!(
        verdicts.other_beside_an_older_list,
        Err(Reason::CrlUnusable),
        "the issuer has said something that is not understood"
    );
    assert_eq!(verdicts.other_under_soft, Ok(()));
}

#[test]
fn a_list_for_some_reasons_revokes_and_does_not_replace_complete_ones() {
    let value = tlv(0x30, &tlv(0x83, &[0x06, 0x40]));
    let verdicts = with_extension(Criticality::Critical, "2.5.29.28", &value);
    let kind = UnsupportedList::SomeReasons;
    assert_eq!(verdicts.defect, Some(RevocationListErrorKind::Unsupported(kind)));
    assert_eq!(verdicts.listed, Err(Reason::Revoked));
    assert_eq!(verdicts.other, Err(Reason::CrlUnusable));
    assert_eq!(verdicts.other_beside_an_older_list, Ok(()));
}

#[test]
fn a_list_for_attribute_certificates_says_nothing_about_clients() {
    let pki = Pki::new();
    let crl = daily(CrlBuilder::new())
        .revoke(&pki.client)
        .extension(
            "2.5.29.28",
            Criticality::Critical,
            &tlv(0x30, &tlv(0x85, &[0xFF])),
        )
        .issued_by(&pki.issuing)
        .unwrap();
    assert_eq!(pki.strict(&pki.client, &[&crl]), Err(Reason::CrlUnusable));
    assert_eq!(pki.strict(&pki.client, &[&crl, &pki.issuing_crl()]), Ok(()));
}

#[test]
fn scopes_that_contradict_themselves_or_cannot_be_read() {
    for fields in [
        [tlv(0x81, &[0xFF]), tlv(0x82, &[0xFF])].concat(),
        tlv(0x81, &[0x01]),
        tlv(0xA0, &tlv(0xA0, &[])),
        tlv(0xA0, &tlv(0xA2, &[])),
        [tlv(0x81, &[0xFF]), vec![0x05, 0x00]].concat(),
        [tlv(0x82, &[0xFF]), tlv(0x81, &[0xFF])].concat(),
    ] {
        for criticality in [Criticality::Critical, Criticality::NotCritical] {
            let verdicts = with_extension(criticality, "2.5.29.28", &tlv(0x30, &fields));
            assert_revokes_and_clears_nothing(&verdicts);
            let defect = verdicts.defect.unwrap().to_string();
            assert!(
                defect.starts_with("has the extension 2.5.29.28 at octet "),
                "{defect}"
            );
        }
    }
}

#[test]
fn an_issuing_distribution_point_that_says_nothing_restricts_nothing() {
    let pki = Pki::new();
    let all_false = [0x81, 0x82, 0x84, 0x85].map(|tag| tlv(tag, &[0]));
    for fields in [Vec::new(), all_false.concat()] {
        let verdicts = with_extension(Criticality::Critical, "2.5.29.28", &tlv(0x30, &fields));
        assert_eq!(verdicts.defect, None);
        assert_eq!(verdicts.listed, Err(Reason::Revoked));
        assert_eq!(
            (verdicts.other, verdicts.other_beside_an_older_list),
            (Ok(()), Ok(()))
        );
        let crl = daily(CrlBuilder::new())
            .extension("2.5.29.28", Criticality::Critical, &tlv(0x30, &fields))
            .issued_by(&pki.issuing)
            .unwrap();
        assert!(read(&crl).unwrap().is_complete());
    }
}

#[test]
fn an_entry_that_cannot_be_read_does_not_hide_those_after_it() {
    let pki = Pki::new();
    let extension = |identifier: &str, critical| x509_cert::ext::Extension {
        extn_id: identifier.parse().unwrap(),
        critical,
        extn_value: der::asn1::OctetString::new([0x05, 0x00]).unwrap(),
    };
    // A certificate issuer or a reason that cannot be read, then a critical extension that is not
    // understood.
    for first in ["2.5.29.29", "2.5.29.21"] {
        let crl = daily(CrlBuilder::new())
            .revoke_serial(&[7], None, NOW)
            .revoke(&pki.client)
            .issued_by(&pki.issuing)
            .unwrap();
        let edited = crl.edited(pki.issuing.key(), |tbs| {
            let extensions = [extension(first, false), extension("1.3.6.1.4.1.99999.2", true)];
            for (entry, extension) in tbs.revoked_certificates.iter_mut().flatten().zip(extensions) {
                entry.extensions = Some(vec![extension]);
            }
            Ok(())
        });
        let crl = edited.unwrap();
        let list = read(&crl).unwrap();
        assert!(list.defect().is_some() && list.find(&[7]).is_some());
        assert_eq!(pki.strict(&pki.client, &[&crl]), Err(Reason::Revoked));
    }
}

#[test]
fn critical_extensions_that_are_not_understood() {
    let verdicts = with_extension(Criticality::Critical, "1.3.6.1.4.1.99999.1", &[0x05, 0x00]);
    assert_revokes_and_clears_nothing(&verdicts);
    let defect = verdicts.defect.unwrap().to_string();
    assert!(
        defect.starts_with("has the critical extension 1.3.6.1.4.1.99999.1 at octet "),
        "{defect}"
    );
    let harmless = with_extension(Criticality::NotCritical, "1.3.6.1.4.1.99999.1", &[0x05, 0x00]);
    assert_eq!((harmless.defect, harmless.other), (None, Ok(())));
}

#[test]
fn known_extensions_that_cannot_be_read_are_named_with_their_place() {
    let pki = Pki::new();
    for (identifier, value) in [
        ("2.5.29.35", tlv(0x04, &[1])),
        ("2.5.29.20", tlv(0x04, &[1])),
        ("2.5.29.20", tlv(0x02, &[])),
        ("2.5.29.20", [tlv(0x02, &[1]), vec![0]].concat()),
    ] {
        let verdicts = verdicts(&pki, |builder| {
            let crl = builder
                .without_number()
                .extension(identifier, Criticality::NotCritical, &value)
                .issued_by(&pki.issuing)
                .unwrap();
            // The builder writes an authority key identifier of its own.
            let edited = crl.edited(pki.issuing.key(), |tbs| {
                tbs.extensions = tbs.extensions.take().map(|all| all.into_iter().skip(1).collect());
                Ok(())
            });
            edited.unwrap()
        });
        assert_revokes_and_clears_nothing(&verdicts);
        let defect = verdicts.defect.unwrap();
        assert!(
            matches!(&defect, RevocationListErrorKind::MalformedExtension { oid, .. } if oid == identifier),
            "{defect}"
        );
    }
}

#[test]
fn repeated_extensions_leave_the_scope_unknown() {
    let verdicts = with_extension(Criticality::NotCritical, "2.5.29.20", &tlv(0x02, &[9]));
    assert_revokes_and_clears_nothing(&verdicts);
    let defect = verdicts.defect.unwrap().to_string();
    assert!(
        defect.starts_with("has the extension 2.5.29.20 again at octet "),
        "{defect}"
    );
}

#[test]
fn more_extensions_than_a_ca_writes() {
    let pki = Pki::new();
    let verdicts = verdicts(&pki, |builder| {
        let builder = (0..40).fold(builder, |builder, number| {
            let identifier = format!("1.3.6.1.4.1.99999.2.{number}");
            builder.extension(&identifier, Criticality::NotCritical, &[5, 0])
        });
        builder.issued_by(&pki.issuing).unwrap()
    });
    assert_revokes_and_clears_nothing(&verdicts);
    assert_eq!(
        verdicts.defect,
        Some(RevocationListErrorKind::TooManyExtensions { max: 32 })
    );
}

#[test]
fn lists_of_an_unknown_version_or_without_an_end() {
    let pki = Pki::new();
    let third_version = verdicts(&pki, |builder| {
        let crl = builder.issued_by(&pki.issuing).unwrap();
        let edited = crl.edited(pki.issuing.key(), |tbs| {
            tbs.version = Some(test_pki::raw::integer(&[2])?);
            Ok(())
        });
        edited.unwrap()
    });
    assert_revokes_and_clears_nothing(&third_version);
    let found = "0x02".to_owned();
    assert_eq!(
        third_version.defect,
        Some(RevocationListErrorKind::Version { found })
    );
    let endless = verdicts(&pki, |builder| {
        let crl = builder.issued_by(&pki.issuing).unwrap();
        let edited = crl.edited(pki.issuing.key(), |tbs| {
            tbs.next_update = None;
            Ok(())
        });
        edited.unwrap()
    });
    assert_revokes_and_clears_nothing(&endless);
    assert_eq!(endless.defect, Some(RevocationListErrorKind::NextUpdateMissing));
    let inverted = verdicts(&pki, |builder| {
        builder
            .valid(NOW - Duration::hours(4), NOW - Duration::hours(5))
            .issued_by(&pki.issuing)
            .unwrap()
    });
    assert_revokes_and_clears_nothing(&inverted);
    assert!(matches!(
        inverted.defect,
        Some(RevocationListErrorKind::ValidityInverted { .. })
    ));
}

#[test]
fn entries_with_critical_extensions_are_revoked_and_spoil_the_rest() {
    let pki = Pki::new();
    let with_entry_extension = |identifier: &str, critical: bool, value: &[u8]| {
        let extension = x509_cert::ext::Extension {
            extn_id: identifier.parse().unwrap(),
            critical,
            extn_value: der::asn1::OctetString::new(value).unwrap(),
        };
        verdicts(&pki, |builder| {
            let crl = builder.issued_by(&pki.issuing).unwrap();
            let edited = crl.edited(pki.issuing.key(), |tbs| {
                for entry in tbs.revoked_certificates.iter_mut().flatten() {
                    entry.extensions = Some(vec![extension.clone()]);
                }
                Ok(())
            });
            edited.unwrap()
        })
    };
    let unknown = with_entry_extension("1.3.6.1.4.1.99999.2", true, &[0x30, 0x00]);
    assert_revokes_and_clears_nothing(&unknown);
    let defect = unknown.defect.unwrap().to_string();
    assert!(
        defect.starts_with("has an entry with the critical extension 1.3.6.1.4.1.99999.2 at octet "),
        "{defect}"
    );
    assert_revokes_and_clears_nothing(&with_entry_extension("2.5.29.21", true, &[0x05, 0x00]));
    for (identifier, value) in [
        ("1.3.6.1.4.1.99999.2", &[0x30, 0x00][..]),
        ("2.5.29.21", &[0x05, 0x00]),
        ("2.5.29.21", &[0x0A, 0x01, 7]),
    ] {
        let verdicts = with_entry_extension(identifier, false, value);
        assert_eq!((verdicts.defect, verdicts.other), (None, Ok(())), "{identifier}");
    }
}

#[test]
fn entries_of_another_issuer_do_not_revoke_and_spoil_the_rest() {
    let pki = Pki::new();
    for critical in [true, false] {
        let of = |name: &[u8]| {
            let value = tlv(0x30, &tlv(0xA4, name));
            let extension = x509_cert::ext::Extension {
                extn_id: "2.5.29.29".parse().unwrap(),
                critical,
                extn_value: der::asn1::OctetString::new(value).unwrap(),
            };
            let crl = daily(CrlBuilder::new())
                .revoke(&pki.client)
                .issued_by(&pki.issuing)
                .unwrap();
            let edited = crl.edited(pki.issuing.key(), |tbs| {
                for entry in tbs.revoked_certificates.iter_mut().flatten() {
                    entry.extensions = Some(vec![extension.clone()]);
                }
                Ok(())
            });
            edited.unwrap()
        };
        let (other, own) = (of(&subject_of(&pki.root)), of(&subject_of(&pki.issuing)));
        let found = read(&other).unwrap();
        let defect = found.defect().unwrap();
        let expected = matches!(defect, RevocationListErrorKind::EntryIssuerUnexpected { .. });
        assert!(expected, "{defect}");
        assert_eq!(pki.strict(&pki.client, &[&other]), Err(Reason::CrlUnusable));
        assert_eq!(pki.strict(&pki.client, &[&own]), Err(Reason::Revoked));
    }
}

#[test]
fn a_stale_list_revokes_unless_a_whole_one_replaced_it() {
    let pki = Pki::new();
    let stale = CrlBuilder::new()
        .number(4)
        .valid(NOW - Duration::days(3), NOW - Duration::days(2))
        .revoke(&pki.client)
        .issued_by(&pki.issuing)
        .unwrap();
    let defective = daily(CrlBuilder::new().number(5))
        .extension("1.3.6.1.4.1.99999.1", Criticality::Critical, &[0x05, 0x00])
        .issued_by(&pki.issuing)
        .unwrap();
    for crls in [[&stale, &defective], [&defective, &stale]] {
        let rejection = pki.verify(&crls, SOFT).unwrap_err();
        assert_eq!(rejection.reason(), Reason::Revoked);
    }
    let whole = daily(CrlBuilder::new().number(5))
        .issued_by(&pki.issuing)
        .unwrap();
    assert_eq!(pki.strict(&pki.client, &[&stale, &whole]), Ok(()));
}

#[test]
fn a_defect_of_another_key_of_the_name_does_not_matter() {
    let pki = Pki::new();
    let impostor = crate::support::long_lived(test_pki::CertificateBuilder::intermediate(
        "CN=Serverless Issuing CA,O=Example",
    ))
    .self_signed()
    .unwrap();
    let forged = daily(CrlBuilder::new().number(9))
        .revoke(&pki.client)
        .extension("1.3.6.1.4.1.99999.1", Criticality::Critical, &[0x05, 0x00])
        .issued_by(&impostor)
        .unwrap();
    assert_eq!(pki.strict(&pki.client, &[&forged, &pki.issuing_crl()]), Ok(()));
    assert!(pki.verify(&[&forged], SOFT).is_ok());
    assert!(
        pki.verify(&[&forged, &pki.issuing_crl(), &pki.root_crl()], STRICT)
            .is_ok()
    );
}

#[test]
fn rejection_says_which_defect_a_list_has() {
    let pki = Pki::new();
    let crl = daily(CrlBuilder::new()).extension("1.2.3.4.5", Criticality::Critical, &[5, 0]);
    let crl = crl.issued_by(&pki.issuing).unwrap();
    let defect = read(&crl).unwrap().defect().unwrap().to_string();
    assert!(defect.contains("1.2.3.4.5"), "{defect}");
    let rejection = pki
        .verify_client(&pki.client, &[&crl, &pki.root_crl()], STRICT)
        .unwrap_err();
    let text = rejection.to_string();
    assert!(text.contains(&format!(": it {defect}")), "{text}");
}
