//! Responses of real CAs, from the package `cryptography_vectors` of PyPI: run, not copied.

use std::path::{Path, PathBuf};

use alb_mtls_tests::{leave_out, project};
use alb_mtls_verifier::{
    Intermediates, OcspAnswer, OcspAnswers, OcspError, OcspQuestion, PresentedChain, RevocationDepth,
    RevocationMode, RevocationOptions, StatusSources, Timestamp, TrustAnchors, Verifier, VerifyOptions,
    read_anchors, read_bundle,
};

struct Unanswered;

impl OcspAnswers for Unanswered {
    fn answer(&self, _: &OcspQuestion) -> Option<OcspAnswer> {
        None
    }
}

/// Returns the folder of the vectors.
fn vectors() -> Option<PathBuf> {
    let libraries = std::fs::read_dir(project().join(".venv/lib")).ok()?;
    let folders = libraries.filter_map(|python| {
        Some(
            python
                .ok()?
                .path()
                .join("site-packages/cryptography_vectors/x509"),
        )
    });
    let mut folders = folders.filter(|folder| folder.join("ocsp").is_dir());
    folders.next()
}

/// Returns the question about a certificate whose issuer is the trust anchor.
fn question(folder: &Path, client: &str, issuer: &str, now: Timestamp) -> OcspQuestion {
    let read = |name: &str| std::fs::read(folder.join(name)).unwrap();
    let chain = PresentedChain::new(read_bundle(&read(client)).unwrap()).unwrap();
    let anchors = TrustAnchors::new(read_anchors(&read(issuer)).unwrap()).unwrap();
    let options = RevocationOptions {
        mode: RevocationMode::Strict,
        depth: RevocationDepth::EndEntity,
        grace_seconds: 0,
    };
    let verifier = Verifier::new(anchors, Intermediates::default(), VerifyOptions::default())
        .with_status_sources(None, options, StatusSources::Ocsp);
    let verification = verifier.verify_with(&chain, now, &Unanswered);
    let verdict = verification.verdict;
    verification
        .needed
        .into_iter()
        .next()
        .unwrap_or_else(|| panic!("{verdict:?}"))
}

#[test]
fn published_responses_are_read_and_none_clears_another_certificate() {
    let Some(folder) = vectors() else {
        leave_out("`cryptography_vectors` is not in .venv");
        return;
    };
    let now: Timestamp = "2018-10-01T00:00:00Z".parse().unwrap();
    let question = question(&folder, "cryptography-scts.pem", "letsencryptx3.pem", now);
    let judge = |name: &str| {
        let response = std::fs::read(folder.join("ocsp").join(name)).unwrap();
        question.judge(&response, now).unwrap_err()
    };
    // This CA signed it, about an earlier certificate of the same name.
    let other = judge("resp-sha256.der");
    assert!(matches!(&other, OcspError::OtherCertificate(_)), "{other}");
    assert!(
        other.to_string().contains("31c787a7dc90295007bc5f2220b3b527af0"),
        "{other}"
    );
    for name in [
        "ocsp-army.deps.mil-resp.der",
        "resp-delegate-unknown-cert.der",
        "resp-responder-key-hash.der",
        "resp-revoked-no-next-update.der",
        "resp-revoked-reason.der",
        "resp-revoked.der",
        "resp-sct-extension.der",
        "resp-single-extension-reason.der",
        "resp-unknown-extension.der",
        "resp-invalid-signature-oid.der",
        "resp-unknown-hash-alg.der",
    ] {
        let error = judge(name);
        assert!(matches!(error, OcspError::Signature(_)), "{name}: {error}");
    }
    for (name, part) in [
        ("resp-invalid-version.der", "version"),
        ("resp-response-type-unknown-oid.der", "responseType"),
        ("resp-successful-no-response-bytes.der", "responseBytes"),
        ("resp-unknown-response-status.der", "responseStatus"),
    ] {
        let error = judge(name);
        assert!(
            matches!(error, OcspError::Malformed(at) if at.starts_with(part)),
            "{name}: {error}"
        );
    }
    assert_eq!(
        judge("resp-unauthorized.der"),
        OcspError::Declined("unauthorized")
    );
    // Requests are not responses.
    for name in ["req-sha1.der", "req-multi-sha1.der", "req-ext-nonce.der"] {
        assert!(matches!(judge(name), OcspError::Malformed(_)), "{name}");
    }
}
