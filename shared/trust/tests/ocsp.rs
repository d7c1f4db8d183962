//! The client of OCSP responders: who is asked, how often, and what is kept.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use alb_mtls_trust::{OcspClient, OcspSettings};
use alb_mtls_verifier::{
    CertificateDer, Intermediates, PresentedChain, Reason, RevocationDepth, RevocationMode,
    RevocationOptions, StatusSources, Timestamp, TrustAnchor, TrustAnchors, Verifier, VerifyOptions,
};
use test_pki::{CertificateBuilder, Credential, OcspHash, OcspResponseBuilder, ocsp_declined};
use time::OffsetDateTime;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// A CA, its client, and a responder that calls a function for each request.
struct Deployment {
    ca: Credential,
    client: Credential,
    requests: Arc<AtomicUsize>,
    ocsp: OcspClient,
    verifier: Verifier,
}

const OPTIONS: RevocationOptions = RevocationOptions {
    mode: RevocationMode::Strict,
    depth: RevocationDepth::EndEntity,
    grace_seconds: 0,
};

impl Deployment {
    /// `respond` gets the request and its number, from 0, and returns a body or closes the
    /// connection.
    async fn new<F>(respond: impl FnOnce(&Credential, &Credential) -> F) -> Self
    where
        F: Fn(&[u8], usize) -> Option<Vec<u8>> + Send + 'static,
    {
        let ca = CertificateBuilder::root("CN=CA").self_signed().unwrap();
        let client = CertificateBuilder::client("CN=client").issued_by(&ca).unwrap();
        let respond = respond(&client, &ca);
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/ocsp", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&requests);
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                // Headers, and the body that follows them, whose length is in its second octet.
                loop {
                    request.push(stream.read_u8().await.unwrap());
                    let end = request.windows(4).position(|octets| octets == b"\r\n\r\n");
                    let body = end.and_then(|end| request.get(end + 4..)).unwrap_or_default();
                    if let [0x30, length, content @ ..] = body
                        && content.len() == usize::from(*length)
                    {
                        break;
                    }
                }
                let number = count.fetch_add(1, Ordering::SeqCst);
                // Others with the same question come in the meantime.
                tokio::time::sleep(Duration::from_millis(50)).await;
                if let Some(body) = respond(&request, number) {
                    let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
                    let _ = stream.write_all(&[head.as_bytes(), &body].concat()).await;
                }
            }
        });
        let anchor = TrustAnchor::new(CertificateDer::from(ca.der().to_vec())).unwrap();
        let anchors = TrustAnchors::new([anchor]).unwrap();
        let verifier = Verifier::new(anchors, Intermediates::default(), VerifyOptions::default())
            .with_status_sources(None, OPTIONS, StatusSources::Ocsp);
        let ocsp = OcspClient::new(OcspSettings {
            options: OPTIONS,
            sources: StatusSources::Ocsp,
            responders: [url.parse().unwrap()].into_iter().collect(),
            private_networks: vec!["127.0.0.0/8".parse().unwrap()],
            timeout: Duration::from_secs(5),
            refresh: Duration::from_secs(600),
        });
        Self {
            ca,
            client,
            requests,
            ocsp,
            verifier,
        }
    }

    async fn verdict_after(&self, seconds: i64) -> Result<(), Reason> {
        let chain = PresentedChain::new([CertificateDer::from(self.client.der().to_vec())]).unwrap();
        let now = Timestamp::now().plus_seconds(seconds);
        let verdict = self.ocsp.verify(&self.verifier, &chain, now, None).await;
        verdict.map(|_| ()).map_err(|rejection| rejection.reason())
    }

    fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn good(client: &Credential, ca: &Credential) -> Vec<u8> {
    let now = OffsetDateTime::now_utc();
    OcspResponseBuilder::new(client, ca)
        .valid(now - time::Duration::HOUR, now + time::Duration::HOUR)
        .signed_by(ca)
        .unwrap()
}

#[tokio::test]
async fn clients_with_one_certificate_cause_one_request() {
    let deployment = Deployment::new(|client, ca| {
        let good = good(client, ca);
        move |_: &[u8], _| Some(good.clone())
    })
    .await;
    let many = (0..20).map(|_| deployment.verdict_after(0));
    for verdict in futures_util::future::join_all(many).await {
        assert_eq!(verdict, Ok(()));
    }
    assert_eq!(deployment.requests(), 1);
    assert_eq!(deployment.ocsp.counts().requests, 1);
}

#[tokio::test]
async fn answer_is_asked_for_again_and_used_while_the_responder_fails() {
    let deployment = Deployment::new(|client, ca| {
        let good = good(client, ca);
        move |_: &[u8], number| (number == 0).then(|| good.clone())
    })
    .await;
    assert_eq!(deployment.verdict_after(0).await, Ok(()));
    assert_eq!(deployment.verdict_after(590).await, Ok(()));
    assert_eq!(deployment.requests(), 1);
    // It is due, the responder fails, and what it said is still valid.
    assert_eq!(deployment.verdict_after(610).await, Ok(()));
    assert_eq!(deployment.requests(), 2);
    assert_eq!(deployment.verdict_after(611).await, Ok(()));
    assert_eq!(deployment.requests(), 2, "not at once");
    assert_eq!(
        deployment.verdict_after(3_700).await,
        Err(Reason::OcspUnavailable)
    );
}

#[tokio::test]
async fn revocation_is_seen_when_the_answer_is_asked_for_again() {
    let deployment = Deployment::new(|client, ca| {
        let answers = [
            good(client, ca),
            OcspResponseBuilder::new(client, ca)
                .revoked(OffsetDateTime::now_utc())
                .signed_by(ca)
                .unwrap(),
        ];
        move |_: &[u8], number| answers.get(number).cloned()
    })
    .await;
    assert_eq!(deployment.verdict_after(0).await, Ok(()));
    assert_eq!(deployment.verdict_after(610).await, Err(Reason::Revoked));
}

#[tokio::test]
async fn failure_is_kept_for_ten_seconds() {
    let deployment = Deployment::new(|client, ca| {
        let good = good(client, ca);
        move |_: &[u8], number| (number > 0).then(|| good.clone())
    })
    .await;
    let unavailable = Err(Reason::OcspUnavailable);
    assert_eq!(deployment.verdict_after(0).await, unavailable);
    assert_eq!(deployment.verdict_after(8).await, unavailable);
    assert_eq!(deployment.requests(), 1);
    assert_eq!(deployment.verdict_after(12).await, Ok(()));
    assert_eq!(deployment.ocsp.counts().failures, 1);
}

#[tokio::test]
async fn responder_without_sha_1_is_asked_by_sha_256() {
    let deployment = Deployment::new(|client, ca| {
        let by_sha_256 = OcspResponseBuilder::new(client, ca)
            .hash(OcspHash::Sha256)
            .signed_by(ca)
            .unwrap();
        move |request: &[u8], _| {
            let sha_1 = [0x2B, 0x0E, 3, 2, 0x1A];
            let is_sha_1 = request.windows(5).any(|octets| octets == sha_1);
            Some(if is_sha_1 {
                ocsp_declined(6)
            } else {
                by_sha_256.clone()
            })
        }
    })
    .await;
    assert_eq!(deployment.verdict_after(0).await, Ok(()));
    assert_eq!(deployment.requests(), 2);
}

#[tokio::test]
async fn response_of_another_ca_of_the_same_name_is_refused() {
    let deployment = Deployment::new(|client, ca| {
        let namesake = CertificateBuilder::root("CN=CA")
            .seed("namesake")
            .self_signed()
            .unwrap();
        let forged = OcspResponseBuilder::new(client, ca).signed_by(&namesake).unwrap();
        move |_: &[u8], _| Some(forged.clone())
    })
    .await;
    assert_eq!(deployment.verdict_after(0).await, Err(Reason::OcspSignature));
    assert_ne!(deployment.ca.der(), deployment.client.der());
}
