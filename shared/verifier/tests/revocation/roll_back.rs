//! An older list in the place of a newer one.

use pki::{CertificateBuilder, Crl, CrlBuilder};
use time::Duration;

use crate::support::{BASE, NOW, Pki, daily, long_lived};

fn numbered(pki: &Pki, number: u64) -> Crl {
    daily(CrlBuilder::new().number(number))
        .issued_by(&pki.root)
        .unwrap()
}

#[test]
fn is_an_older_list_in_the_place_of_a_newer_one() {
    let pki = Pki::new();
    let before = pki.lists(&[&numbered(&pki, 8), &numbered(&pki, 3)]);
    let roll_back = pki.lists(&[&numbered(&pki, 7)]).roll_back_from(&before).unwrap();
    assert_eq!(
        roll_back.to_string(),
        "the CRL of CN=Serverless Root CA,O=Example for all certificates goes back from number 0x8 to 0x7"
    );
    for later in [8, 9] {
        assert_eq!(pki.lists(&[&numbered(&pki, later)]).roll_back_from(&before), None);
    }
    assert_eq!(
        pki.lists(&[]).roll_back_from(&before),
        None,
        "it was taken out of the settings"
    );
}

#[test]
fn is_a_matter_of_one_scope_and_one_key() {
    let pki = Pki::new();
    let before = pki.lists(&[&numbered(&pki, 8)]);
    let partition = daily(CrlBuilder::new().number(2))
        .distribution_point(&format!("{BASE}2.crl"))
        .issued_by(&pki.root)
        .unwrap();
    assert_eq!(pki.lists(&[&partition]).roll_back_from(&before), None);
    let impostor = long_lived(CertificateBuilder::root("CN=Serverless Root CA,O=Example"))
        .self_signed()
        .unwrap();
    let forged = daily(CrlBuilder::new().number(99)).issued_by(&impostor).unwrap();
    let forged_before = pki.lists(&[&forged]);
    assert_eq!(
        pki.lists(&[&numbered(&pki, 8)]).roll_back_from(&forged_before),
        None
    );
}

#[test]
fn is_noticed_under_an_unchanged_number_too() {
    let pki = Pki::new();
    let earlier = CrlBuilder::new()
        .number(8)
        .valid(NOW - Duration::days(2), NOW + Duration::DAY)
        .issued_by(&pki.root)
        .unwrap();
    let before = pki.lists(&[&numbered(&pki, 8)]);
    assert!(pki.lists(&[&earlier]).roll_back_from(&before).is_some());
}
