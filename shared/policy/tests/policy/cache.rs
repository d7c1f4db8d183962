//! Clients, addresses and times that were seen before decide as if they were seen for the first
//! time.

use alb_mtls_verifier::Timestamp;
use test_pki::{CertificateBuilder, Criticality};

use crate::clients::{Asked, Authority, NOT_PERMITTED, allowed_by, anybody, dated, now, permit_when};

const A_DAY: i64 = 86_400;

#[test]
fn days_left_of_a_cached_client_are_todays() {
    let client = anybody();
    let policies = permit_when("principal.days_left >= 0");
    // More days than there is room for clients, so that some are forgotten, and back again.
    let days = -400..400;
    for day in days.clone().chain(days.rev()) {
        let mut asked = Asked::by(&client, "GET", "/");
        asked.now = Timestamp::from_unix_seconds(now().unix_seconds() + day * A_DAY);
        let expected = if client.days_left(asked.now) >= 0 {
            allowed_by("it")
        } else {
            NOT_PERMITTED
        };
        assert_eq!(asked.decide(&policies), expected, "{day}");
    }
}

#[test]
fn a_certificate_below_two_anchors_is_two_clients() {
    let old = Authority::new("Root");
    let new = Authority {
        root: dated(CertificateBuilder::root("CN=Root,O=Example").key(old.root.key()))
            .self_signed()
            .unwrap(),
        issuing: old.issuing.clone(),
    };
    let certificate = old.issue(CertificateBuilder::client("CN=client"));
    let (by_old, by_new) = (old.verify(&certificate), new.verify(&certificate));
    let policies = permit_when(&format!("principal in Anchor::\"{}\"", old.id()));
    for _ in 0..2 {
        assert_eq!(Asked::by(&by_old, "GET", "/").decide(&policies), allowed_by("it"));
        assert_eq!(Asked::by(&by_new, "GET", "/").decide(&policies), NOT_PERMITTED);
    }
}

#[test]
fn certificate_with_two_selections_of_extensions_is_two_clients() {
    let authority = Authority::new("Root");
    let certificate = authority.issue(CertificateBuilder::client("CN=client").extension(
        "1.2.3.1",
        Criticality::NotCritical,
        &[0x0C, 1, b'a'],
    ));
    let policies = permit_when(r#"principal.hasTag("device_id") && principal.getTag("device_id") == "a""#);
    for _ in 0..2 {
        for (selected, expected) in [
            ("device_id=1.2.3.1", allowed_by("it")),
            ("1.2.3.1", NOT_PERMITTED),
            ("device_id=1.2.3.2", NOT_PERMITTED),
        ] {
            let client = authority.verify_with(&certificate, selected);
            assert_eq!(
                Asked::by(&client, "GET", "/").decide(&policies),
                expected,
                "{selected}"
            );
        }
    }
}

#[test]
fn addresses_and_times_are_not_mixed_up() {
    let client = anybody();
    let policies = permit_when(
        r#"context has source_address && context.source_address == ip("192.0.2.7") &&
           context.now == datetime("2026-11-22T12:00:00Z")"#,
    );
    for _ in 0..2 {
        for (address, time, expected) in [
            ("192.0.2.7", "2026-11-22T12:00:00Z", allowed_by("it")),
            ("192.0.2.8", "2026-11-22T12:00:00Z", NOT_PERMITTED),
            ("::ffff:192.0.2.7", "2026-11-22T12:00:00Z", NOT_PERMITTED),
            ("192.0.2.7", "2026-11-22T12:00:01Z", NOT_PERMITTED),
        ] {
            let asked = Asked::by(&client, "GET", "/").from(address).at(time);
            assert_eq!(asked.decide(&policies), expected, "{address} {time}");
        }
    }
}
