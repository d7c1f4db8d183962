//! Events in the operator's log. Alone in its process: which events are enabled is decided once for
//! all threads.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use alb_mtls_trust::{Percent, Trust, TrustSettings};
use alb_mtls_verifier::{IdentityExtensions, Timestamp, VerifyOptions};
use serde_json::Value;
use test_pki::CertificateBuilder;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    /// Returns the events since the last call, without those of libraries.
    fn take(&self) -> Vec<Value> {
        let bytes = std::mem::take(&mut *self.0.lock().unwrap());
        let text = String::from_utf8(bytes).unwrap();
        let events = text
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap());
        events
            .filter(|event| event["target"] == "alb_mtls_trust")
            .collect()
    }

    /// Returns the only event since the last call.
    fn only(&self) -> Value {
        let mut events = self.take();
        assert_eq!(events.len(), 1, "{events:?}");
        events.remove(0)
    }
}

fn ca(name: &str) -> String {
    let builder = CertificateBuilder::root(&format!("CN={name}"));
    builder.self_signed().unwrap().pem()
}

#[tokio::test]
async fn look_ups_are_events_with_fields() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_writer(move || writer.clone())
        .finish();
    let _guard = tracing::subscriber::set_default(subscriber);
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("anchors.pem");
    std::fs::write(&path, ca("One")).unwrap();
    let source = format!("file:{}", path.display());
    let trust = Trust::new(TrustSettings {
        anchors: source.parse().unwrap(),
        intermediates: None,
        options: VerifyOptions::default(),
        identity_extensions: IdentityExtensions::default(),
        revocation: None,
        ocsp: None,
        refresh: Duration::from_secs(300),
        max_stale: Duration::from_secs(3_600),
        max_anchor_loss: Percent::default(),
    });
    let now = Timestamp::now();

    let snapshot = trust.load(now).await.unwrap();
    let loaded = log.only();
    assert_eq!(
        (&loaded["level"], &loaded["message"]),
        (&"INFO".into(), &"trust material loaded".into())
    );
    assert_eq!(
        (&loaded["version"], &loaded["anchors"]),
        (&snapshot.version().into(), &1.into())
    );

    trust.snapshot(now.plus_seconds(300)).await.unwrap();
    assert_eq!(log.take(), [Value::Null; 0], "unchanged material was reported");

    std::fs::write(&path, "damaged").unwrap();
    trust.snapshot(now.plus_seconds(650)).await.unwrap();
    let refused = log.only();
    assert_eq!(
        (&refused["level"], &refused["message"]),
        (&"ERROR".into(), &"trust material refused".into())
    );
    assert_eq!(
        refused["reason"],
        format!("`{source}`: there is no certificate in it")
    );
    assert_eq!(
        (&refused["age_seconds"], &refused["failures"]),
        (&350.into(), &1.into())
    );

    std::fs::remove_file(&path).unwrap();
    trust.snapshot(now.plus_seconds(950)).await.unwrap();
    let missing = log.only();
    assert_eq!(missing["message"], "trust material not available");
    assert_eq!(missing["version"], snapshot.version());

    std::fs::write(&path, ca("Two")).unwrap();
    trust.snapshot(now.plus_seconds(1_300)).await.unwrap();
    let loaded = log.only();
    assert_eq!(loaded["previous_version"], snapshot.version());
}
