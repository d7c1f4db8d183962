//! Responses of the issuer itself.

use alb_mtls_verifier::{CertIdHash, MAX_OCSP_RESPONSE_BYTES, OcspError, OcspState, Reason, Timestamp};
use test_pki::{CertificateBuilder, OcspHash, ocsp_declined};
use time::Duration;

use crate::support::{NOW, Pki, altered, long_lived, now, response};

#[test]
fn good_response_of_the_issuer_counts_until_its_next_update() {
    let pki = Pki::new();
    for response in [
        pki.response(),
        pki.response().by_key(),
        pki.response().hash(OcspHash::Sha256),
    ] {
        let status = pki.judge(&response.signed_by(&pki.issuing).unwrap()).unwrap();
        assert_eq!(status.state(), OcspState::Good);
        assert_eq!(status.until(), now().plus_seconds(3_600));
        assert_eq!(status.question(), pki.question().id());
    }
}

#[test]
fn revoked_and_unknown_are_statuses() {
    let pki = Pki::new();
    let since = NOW - Duration::DAY;
    let revoked = pki.response().revoked(since).signed_by(&pki.issuing).unwrap();
    let state = OcspState::Revoked {
        since: Timestamp::from_unix_seconds(since.unix_timestamp()),
        reason: None,
    };
    assert_eq!(pki.judge(&revoked).unwrap().state(), state);
    let unknown = pki.response().unknown().signed_by(&pki.issuing).unwrap();
    assert_eq!(pki.judge(&unknown).unwrap().state(), OcspState::Unknown);
}

#[test]
fn response_of_another_time_is_stale() {
    let pki = Pki::new();
    let at = |from: Duration, to: Duration| {
        let response = pki.response().valid(NOW + from, NOW + to);
        pki.judge(&response.signed_by(&pki.issuing).unwrap())
    };
    // The last second counts, as does a clock that is five minutes ahead.
    assert!(at(-Duration::HOUR, Duration::ZERO).is_ok());
    assert!(at(Duration::minutes(5), Duration::HOUR).is_ok());
    let expired = at(-Duration::HOUR, -Duration::SECOND).unwrap_err();
    assert!(matches!(expired, OcspError::Expired { .. }), "{expired}");
    let early = at(Duration::seconds(301), Duration::HOUR).unwrap_err();
    assert!(matches!(early, OcspError::NotYetValid { .. }), "{early}");
    assert_eq!([&expired, &early].map(OcspError::reason), [Reason::OcspStale; 2]);
    let inverted = at(-Duration::HOUR, -Duration::hours(2)).unwrap_err();
    assert!(inverted.to_string().contains("before thisUpdate"), "{inverted}");
}

#[test]
fn response_without_next_update_counts_for_ten_minutes() {
    let pki = Pki::new();
    let aged = |age: Duration| {
        let response = pki.response().valid(NOW - age, NOW).without_next_update();
        pki.judge(&response.signed_by(&pki.issuing).unwrap())
    };
    assert_eq!(
        aged(Duration::minutes(1)).unwrap().until(),
        now().plus_seconds(540)
    );
    assert!(matches!(
        aged(Duration::minutes(11)),
        Err(OcspError::Expired { .. })
    ));
}

#[test]
fn response_about_another_certificate_is_refused_with_both_serials() {
    let pki = Pki::new();
    let serials = |serials: &[&[u8]]| {
        let response = pki.response().serials(serials).signed_by(&pki.issuing);
        pki.judge(&response.unwrap()).unwrap_err()
    };
    let own = pki.client.certificate().serial().unwrap();
    let other = serials(&[&[0x11, 0x22]]);
    assert!(
        other.to_string().contains("1122") && other.suggests_other_hash(),
        "{other}"
    );
    assert_eq!(other.reason(), Reason::OcspUnusable);
    assert!(serials(&[]).to_string().contains("no certificate"));
    assert!(serials(&[&own, &own]).to_string().contains("two statuses"));
    // The same serial number below another CA.
    let elsewhere = long_lived(CertificateBuilder::root("CN=Elsewhere"))
        .self_signed()
        .unwrap();
    let confused = response(&pki.client, &elsewhere).signed_by(&pki.issuing).unwrap();
    let confused = pki.judge(&confused).unwrap_err();
    assert!(confused.to_string().contains("another issuer"), "{confused}");
    // Beside others, the right one is found.
    let among = pki
        .response()
        .serials(&[&[1], &own, &[2]])
        .signed_by(&pki.issuing)
        .unwrap();
    assert!(pki.judge(&among).is_ok());
}

#[test]
fn signature_of_another_key_is_refused() {
    let pki = Pki::new();
    let impostor = long_lived(CertificateBuilder::root("CN=Issuing"))
        .self_signed()
        .unwrap();
    for signer in [&impostor, &pki.root, &pki.client] {
        let error = pki.judge(&pki.response().signed_by(signer).unwrap()).unwrap_err();
        assert_eq!(error.reason(), Reason::OcspSignature, "{error}");
    }
    let altered = altered(pki.response().signed_by(&pki.issuing).unwrap());
    let error = pki.judge(&altered).unwrap_err();
    assert_eq!(error.reason(), Reason::OcspSignature, "{error}");
}

#[test]
fn critical_extension_that_is_not_understood_is_refused() {
    let pki = Pki::new();
    const PRIVATE: &[u8] = &[0x2A, 3, 4];
    const NONCE: &[u8] = &[0x2B, 6, 1, 5, 5, 7, 0x30, 1, 2];
    let judge =
        |response: test_pki::OcspResponseBuilder| pki.judge(&response.signed_by(&pki.issuing).unwrap());
    for critical in [
        pki.response().response_extension(PRIVATE, true),
        pki.response().single_extension(PRIVATE, true),
    ] {
        let error = judge(critical).unwrap_err();
        assert_eq!(error, OcspError::CriticalExtension("1.2.3.4".to_owned()));
    }
    for fine in [
        pki.response().response_extension(PRIVATE, false),
        pki.response().single_extension(PRIVATE, false),
        pki.response().response_extension(NONCE, true),
    ] {
        assert!(judge(fine).is_ok());
    }
}

#[test]
fn responder_that_declines_gives_no_answer() {
    let pki = Pki::new();
    for (status, word) in [
        (1, "malformedRequest"),
        (2, "internalError"),
        (3, "tryLater"),
        (5, "sigRequired"),
        (6, "unauthorized"),
    ] {
        let error = pki.judge(&ocsp_declined(status)).unwrap_err();
        assert_eq!(error, OcspError::Declined(word));
        assert_eq!(error.reason(), Reason::OcspUnavailable);
    }
    // Successful, and nothing else.
    assert_eq!(
        pki.judge(&ocsp_declined(0)).unwrap_err().reason(),
        Reason::OcspUnusable
    );
    assert_eq!(
        pki.judge(&ocsp_declined(4)).unwrap_err().reason(),
        Reason::OcspUnusable
    );
}

#[test]
fn response_that_is_cut_or_changed_anywhere_is_never_good() {
    let pki = Pki::new();
    let question = pki.question();
    let delegate = pki.delegate(|builder| builder);
    let whole = pki
        .response()
        .certificate(&delegate)
        .signed_by(&delegate)
        .unwrap();
    let good = question.judge(&whole, now()).unwrap();
    for length in 0..whole.len() {
        assert!(question.judge(&whole[..length], now()).is_err(), "{length}");
    }
    for position in 0..whole.len() {
        for bit in 0..8 {
            let mut changed = whole.clone();
            changed[position] ^= 1 << bit;
            if let Ok(status) = question.judge(&changed, now()) {
                // What is not signed may change, and then says the same.
                assert_eq!(
                    (status.state(), status.until()),
                    (good.state(), good.until()),
                    "{position}.{bit}"
                );
            }
        }
    }
    assert!(question.judge(&[whole.clone(), vec![0]].concat(), now()).is_err());
}

#[test]
fn response_of_a_megabyte_is_refused_unread() {
    let error = Pki::new().judge(&vec![0x30; 1 << 20]).unwrap_err();
    assert_eq!(error, OcspError::TooLarge(MAX_OCSP_RESPONSE_BYTES));
}

#[test]
fn request_names_one_certificate_by_either_hash() {
    let question = Pki::new().question();
    let [sha_1, sha_256] = [CertIdHash::Sha1, CertIdHash::Sha256].map(|hash| question.request(hash));
    // Digests of 32 octets in the place of 20, twice, and a longer identifier.
    assert_eq!(sha_256.len(), sha_1.len() + 2 * 12 + 4);
    assert!(sha_1.ends_with(&[2, 3, 0x76, 0xAD, 0xF1]), "{sha_1:02x?}");
}
