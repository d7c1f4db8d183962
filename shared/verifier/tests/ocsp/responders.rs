//! Responders that a CA delegates to (RFC 6960 §4.2.2.2).

use alb_mtls_verifier::{OcspError, Reason};
use test_pki::{CertificateBuilder, Credential, Criticality, KeyUsage, Purpose};
use time::Duration;

use crate::support::{NOW, Pki, long_lived, now};

fn judge_by(pki: &Pki, responder: &Credential) -> Result<(), String> {
    let response = pki
        .response()
        .certificate(responder)
        .signed_by(responder)
        .unwrap();
    match pki.judge(&response) {
        Ok(_) => Ok(()),
        Err(error) => {
            assert_eq!(error.reason(), Reason::OcspSignature, "{error}");
            Err(error.to_string())
        }
    }
}

#[test]
fn responder_that_the_issuer_authorizes_counts() {
    let pki = Pki::new();
    let delegate = pki.delegate(|builder| builder);
    assert_eq!(judge_by(&pki, &delegate), Ok(()));
    let by_key = pki
        .response()
        .by_key()
        .certificate(&pki.issuing)
        .certificate(&delegate);
    assert!(pki.judge(&by_key.signed_by(&delegate).unwrap()).is_ok());
}

#[test]
fn status_ends_with_the_certificate_of_its_responder() {
    let pki = Pki::new();
    let soon = pki.delegate(|builder| builder.valid(NOW - Duration::DAY, NOW + Duration::minutes(5)));
    let response = pki.response().certificate(&soon).signed_by(&soon).unwrap();
    assert_eq!(pki.judge(&response).unwrap().until(), now().plus_seconds(300));
}

#[test]
fn responder_without_the_purpose_is_refused() {
    let pki = Pki::new();
    for purposes in [&[][..], &[Purpose::ClientAuth], &[Purpose::Any]] {
        let other = pki.delegate(|builder| builder.purposes(purposes));
        let error = judge_by(&pki, &other).unwrap_err();
        assert!(error.contains("OCSPSigning"), "{error}");
    }
    // Any client of the CA could say that it is not revoked.
    let error = judge_by(&pki, &pki.client).unwrap_err();
    assert!(error.contains("OCSPSigning"), "{error}");
}

#[test]
fn responder_of_another_issuer_is_refused() {
    let pki = Pki::new();
    let builder =
        || long_lived(CertificateBuilder::client("CN=OCSP responder").purposes(&[Purpose::OcspSigning]));
    // Of the root, which is not the issuer of the client.
    let above = builder().issued_by(&pki.root).unwrap();
    let error = judge_by(&pki, &above).unwrap_err();
    assert!(error.contains("issued by CN=Root"), "{error}");
    // Of a CA below the issuer.
    let below = long_lived(CertificateBuilder::intermediate("CN=Below"))
        .issued_by(&pki.issuing)
        .unwrap();
    let error = judge_by(&pki, &builder().issued_by(&below).unwrap()).unwrap_err();
    assert!(error.contains("issued by CN=Below"), "{error}");
    // Of a CA with the issuer's name.
    let namesake = long_lived(CertificateBuilder::root("CN=Issuing"))
        .self_signed()
        .unwrap();
    let error = judge_by(&pki, &builder().issued_by(&namesake).unwrap()).unwrap_err();
    assert!(error.contains("not signed with the key of the issuer"), "{error}");
    let error = judge_by(&pki, &builder().self_signed().unwrap()).unwrap_err();
    assert!(error.contains("issued by CN=OCSP responder"), "{error}");
}

#[test]
fn responder_out_of_its_own_validity_is_refused() {
    let pki = Pki::new();
    for (from, to) in [
        (-Duration::DAY, -Duration::SECOND),
        (Duration::SECOND, Duration::DAY),
    ] {
        let other = pki.delegate(|builder| builder.valid(NOW + from, NOW + to));
        let error = judge_by(&pki, &other).unwrap_err();
        assert!(error.contains("is valid from"), "{error}");
    }
}

#[test]
fn responder_whose_certificate_restricts_it_is_refused() {
    let pki = Pki::new();
    let other = pki.delegate(|builder| builder.key_usage(&[KeyUsage::KeyEncipherment]));
    assert!(judge_by(&pki, &other).unwrap_err().contains("digitalSignature"));
    let other = pki.delegate(|builder| builder.extension("1.2.3.4", Criticality::Critical, &[5, 0]));
    assert!(judge_by(&pki, &other).unwrap_err().contains("critical extension"));
}

#[test]
fn signature_of_another_key_than_the_responders_is_refused() {
    let pki = Pki::new();
    let delegate = pki.delegate(|builder| builder);
    let namesake = pki.delegate(|builder| builder.seed("another"));
    let response = pki
        .response()
        .certificate(&delegate)
        .signed_by(&namesake)
        .unwrap();
    let error = pki.judge(&response).unwrap_err();
    assert!(error.to_string().contains("does not verify"), "{error}");
    // With the right certificate behind the wrong one, the right one is found.
    let both = pki.response().certificate(&delegate).certificate(&namesake);
    assert!(pki.judge(&both.signed_by(&namesake).unwrap()).is_ok());
    // Without its certificate.
    let error = pki
        .judge(&pki.response().signed_by(&delegate).unwrap())
        .unwrap_err();
    assert!(matches!(error, OcspError::Signature(_)), "{error}");
}

#[test]
fn no_more_than_four_certificates_are_tried() {
    let pki = Pki::new();
    let delegate = pki.delegate(|builder| builder);
    let mut response = pki.response();
    for number in 0..4 {
        response = response.certificate(pki.delegate(|builder| builder.seed(&number.to_string())));
    }
    let response = response.certificate(&delegate).signed_by(&delegate).unwrap();
    assert_eq!(pki.judge(&response).unwrap_err().reason(), Reason::OcspSignature);
}
