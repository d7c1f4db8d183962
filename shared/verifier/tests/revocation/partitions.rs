//! Lists for some certificates only, as AWS Private CA publishes them: partitions of the serial
//! numbers, each with a critical issuing distribution point that its certificates name.

use alb_mtls_verifier::Reason;
use test_pki::{Credential, Criticality, Crl, CrlBuilder, CrlScope};
use time::Duration;

use crate::support::{BASE, NOW, Pki, SOFT, STRICT, daily, tlv};

fn partition(pki: &Pki, name: &str, change: impl FnOnce(CrlBuilder) -> CrlBuilder) -> Crl {
    change(daily(CrlBuilder::new()))
        .distribution_point(&format!("{BASE}{name}"))
        .issued_by(&pki.issuing)
        .unwrap()
}

fn client_of(pki: &Pki, name: &str) -> Credential {
    pki.another_client(|builder| builder.crl_distribution_point(&format!("{BASE}{name}")))
}

#[test]
fn a_certificate_is_cleared_by_its_own_partition_only() {
    let pki = Pki::new();
    let client = client_of(&pki, "2.crl");
    let first = partition(&pki, "1.crl", |builder| builder.number(70));
    let second = partition(&pki, "2.crl", |builder| builder.number(7));
    assert_eq!(pki.strict(&client, &[&first, &second]), Ok(()));
    assert_eq!(pki.strict(&client, &[&second, &first]), Ok(()));
    assert_eq!(pki.strict(&client, &[&first]), Err(Reason::CrlScope));
    assert_eq!(pki.strict(&client, &[]), Err(Reason::CrlMissing));
    let revoking = partition(&pki, "2.crl", |builder| builder.number(7).revoke(&client));
    assert_eq!(pki.strict(&client, &[&first, &revoking]), Err(Reason::Revoked));
}

#[test]
fn partitions_do_not_replace_each_other() {
    let pki = Pki::new();
    let client = client_of(&pki, "1.crl");
    let stale = CrlBuilder::new()
        .valid(NOW - Duration::days(2), NOW - Duration::DAY)
        .distribution_point(&format!("{BASE}1.crl"))
        .issued_by(&pki.issuing)
        .unwrap();
    let other = partition(&pki, "2.crl", |builder| builder.number(70));
    assert_eq!(pki.strict(&client, &[&stale, &other]), Err(Reason::CrlStale));
    let complete = daily(CrlBuilder::new().number(70))
        .issued_by(&pki.issuing)
        .unwrap();
    assert_eq!(
        pki.strict(&client, &[&stale, &complete]),
        Ok(()),
        "the complete one covers every certificate"
    );
}

#[test]
fn a_certificate_that_names_no_distribution_point_is_cleared_by_no_partition() {
    let pki = Pki::new();
    let only = partition(&pki, "1.crl", |builder| builder);
    assert_eq!(pki.strict(&pki.client, &[&only]), Err(Reason::CrlScope));
    assert_eq!(pki.strict(&pki.client, &[&only, &pki.issuing_crl()]), Ok(()));
    let verified = pki.verify(&[&only, &pki.root_crl()], SOFT).unwrap();
    assert_eq!(
        verified.revocation().unknown().unwrap().reason(),
        Reason::CrlScope
    );
}

#[test]
fn a_serial_number_on_any_partition_is_revoked() {
    let pki = Pki::new();
    let second = partition(&pki, "2.crl", |builder| builder.revoke(&pki.client));
    let first = partition(&pki, "1.crl", |builder| builder);
    assert_eq!(pki.strict(&pki.client, &[&first, &second]), Err(Reason::Revoked));
    assert_eq!(
        pki.strict(&pki.client, &[&pki.issuing_crl(), &second]),
        Err(Reason::Revoked)
    );
}

#[test]
fn a_distribution_point_served_by_another_issuer_or_for_some_reasons_does_not_count() {
    let pki = Pki::new();
    let only = partition(&pki, "1.crl", |builder| builder);
    let uri = format!("{BASE}1.crl");
    let name = tlv(0xA0, &tlv(0xA0, &tlv(0x86, uri.as_bytes())));
    let issuer = tlv(0xA2, &tlv(0xA4, &tlv(0x30, &[])));
    for (rest, expected) in [
        (vec![], Ok(())),
        (tlv(0x81, &[0x06, 0x40]), Err(Reason::CrlScope)),
        (issuer, Err(Reason::CrlScope)),
    ] {
        let value = tlv(0x30, &tlv(0x30, &[name.clone(), rest].concat()));
        let client =
            pki.another_client(|builder| builder.extension("2.5.29.31", Criticality::NotCritical, &value));
        assert_eq!(pki.strict(&client, &[&only]), expected);
    }
}

#[test]
fn a_list_for_end_entities_or_for_authorities_speaks_of_these_alone() {
    let pki = Pki::new();
    let scoped = |credential: &Credential, scope| {
        daily(CrlBuilder::new())
            .scope(scope)
            .issued_by(credential)
            .unwrap()
    };
    assert_eq!(
        pki.strict(&pki.client, &[&scoped(&pki.issuing, CrlScope::EndEntities)]),
        Ok(())
    );
    assert_eq!(
        pki.strict(&pki.client, &[&scoped(&pki.issuing, CrlScope::Authorities)]),
        Err(Reason::CrlScope)
    );
    let verdict = |scope| {
        pki.verify(&[&pki.issuing_crl(), &scoped(&pki.root, scope)], STRICT)
            .map(|_| ())
            .map_err(|rejection| rejection.reason())
    };
    assert_eq!(verdict(CrlScope::Authorities), Ok(()));
    assert_eq!(verdict(CrlScope::EndEntities), Err(Reason::CrlScope));
}
