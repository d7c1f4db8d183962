//! What the verdict on a header costs that was never seen before, beside webpki alone on certificates that somebody
//! has decoded already: `cargo run --release -p alb-mtls-bench --bin first_sight`.

use std::error::Error;
use std::hint::black_box;
use std::time::{Duration, Instant};

use alb_mtls_verifier::{
    CertificateDer, HeaderFormat, HeaderLimits, HeaderValues, Intermediates, Timestamp, TrustAnchor,
    TrustAnchors, Verifier, VerifyOptions,
};
use rustls_pki_types::{SignatureVerificationAlgorithm, UnixTime};
use test_pki::CertificateBuilder;
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};

/// Each measurement is the quickest of so many rounds, so that what else runs on the machine counts least; the
/// measurements take turns.
const ROUNDS: usize = 60;
const RUNS_PER_ROUND: u32 = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let root = CertificateBuilder::root("CN=Root,O=Example").self_signed()?;
    let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Example").issued_by(&root)?;
    let client = CertificateBuilder::client("CN=client,OU=Payments,O=Example")
        .uri("spiffe://example.org/client")
        .dns("client.example")
        .issued_by(&issuing)?;
    let header: String = format!("{}{}", client.pem(), issuing.pem())
        .replace(' ', "%20")
        .replace('\n', "%0A");
    let der = |credential: &test_pki::Credential| CertificateDer::from(credential.der().to_vec());
    let (root, issuing, client) = (der(&root), der(&issuing), der(&client));

    let anchors = TrustAnchors::new([TrustAnchor::new(root.clone())?]).ok_or("no anchor")?;
    let verifier = Verifier::new(anchors, Intermediates::default(), VerifyOptions::default());
    let now = Timestamp::now();
    let limits = HeaderLimits {
        max_bytes: 16_384,
        max_certificates: 8,
    };
    let decode = || {
        let values = HeaderValues {
            certificate: &[black_box(header.as_bytes())],
            chain: &[],
        };
        HeaderFormat::UrlEncoded.decode(values, limits)
    };

    let webpki_anchors = [anchor_from_trusted_cert(&root)?];
    let intermediates = [issuing];
    let algorithms: &[&dyn SignatureVerificationAlgorithm] = webpki::ALL_VERIFICATION_ALGS;
    let mut measured = [Duration::MAX; 3];
    for _ in 0..ROUNDS {
        let bare = time(|| {
            let end_entity =
                EndEntityCert::try_from(black_box(&client)).map_err(|error| error.to_string())?;
            let path = end_entity.verify_for_usage(
                algorithms,
                &webpki_anchors,
                &intermediates,
                UnixTime::now(),
                KeyUsage::client_auth(),
                None,
                None,
            );
            path.map(|path| _ = black_box(path))
                .map_err(|error| error.to_string())
        })?;
        let decoded = time(|| {
            decode()
                .map(|chain| _ = black_box(chain))
                .map_err(|error| error.to_string())
        })?;
        let verified = time(|| {
            let client = decode().and_then(|chain| verifier.verify(&chain, now));
            client
                .map(|client| _ = black_box(client))
                .map_err(|error| error.to_string())
        })?;
        for (best, one) in measured.iter_mut().zip([bare, decoded, verified]) {
            *best = one.min(*best);
        }
    }
    let [bare, decoded, verified] = measured;
    let ratio = |one: Duration| one.as_secs_f64() / bare.as_secs_f64();
    println!(
        "P-256 end-entity certificate and intermediate, {} bytes of header",
        header.len()
    );
    println!("bare webpki on DER        {:>9} ns", bare.as_nanos());
    println!("header decoded            {:>9} ns", decoded.as_nanos());
    println!(
        "header to verdict         {:>9} ns  {:.3}",
        verified.as_nanos(),
        ratio(verified)
    );
    Ok(())
}

/// The time of one run, from a round of many.
fn time(run: impl Fn() -> Result<(), String>) -> Result<Duration, String> {
    let started = Instant::now();
    for _ in 0..RUNS_PER_ROUND {
        run()?;
    }
    Ok(started.elapsed() / RUNS_PER_ROUND)
}
