//! Material that is gone, older, or that of another party: one answer for each kind. CRLs have an
//! order and an issuer, and are tested with `refresh-crls`. The others have neither: their content
//! is what its last writer made it, so that the pins of `MTLS_ANCHORS` and permissions protect it.
//! But nothing that is gone or empty counts as an answer.

use std::path::PathBuf;

use alb_mtls_tests::tokens::{AUDIENCE, ISSUER, key_set, sign};
use alb_mtls_tests::{Clients, Function, certificate_headers, header_of};
use alb_mtls_verifier::Fingerprint;
use serde_json::json;

use super::{NOT_AVAILABLE, REFUSED, ask, ask_until, has_line};

/// Time after which the next request looks at the sources again, also after a failed attempt.
const REFRESHED: std::time::Duration = std::time::Duration::from_millis(2_500);

/// A file that is read each second, and the function that reads it.
struct Watched {
    clients: Clients,
    path: PathBuf,
    function: Function,
}

impl Watched {
    async fn new(name: &str, variable: &str, content: &str, others: &[(&str, &str)]) -> Self {
        let clients = Clients::new();
        let path = clients.write(name, content);
        let source = format!("file:{}", path.display());
        let mut variables = vec![
            ("MTLS_ANCHORS", clients.anchors_source()),
            ("MTLS_REFRESH", "1s".to_owned()),
        ];
        variables.retain(|(other, _)| *other != variable);
        variables.push((variable, source));
        variables.extend(others.iter().map(|(name, value)| (*name, (*value).to_owned())));
        let function = Function::start("respond", variables).await;
        Self {
            clients,
            path,
            function,
        }
    }

    fn write(&self, content: &str) {
        std::fs::write(&self.path, content).unwrap();
    }

    /// Takes the material away and empties it; asks until the log says so, and gives all statuses.
    async fn gone_and_empty(&self, good: &str, empty: &str) -> Vec<u16> {
        std::fs::remove_file(&self.path).unwrap();
        let gone = |_: &_, log: &str| has_line(log, &[NOT_AVAILABLE, "there is no such file"]);
        let mut statuses = ask_until(&self.function, &self.clients, gone).await;
        self.write(good);
        tokio::time::sleep(REFRESHED).await;
        self.write(empty);
        let refused = |_: &_, log: &str| has_line(log, &[REFUSED]);
        statuses.extend(ask_until(&self.function, &self.clients, refused).await);
        statuses
    }
}

#[tokio::test]
async fn anchors_that_are_gone_or_empty_stay_and_those_of_another_need_the_loss_limit() {
    let root = |clients: &Clients| clients.root.pem();
    for (limit, after) in [("100%", 401), ("99%", 200)] {
        let other = Clients::of("Other");
        let watched = Watched::new(
            "watched.pem",
            "MTLS_ANCHORS",
            &other.root.pem(),
            &[("MTLS_MAX_ANCHOR_LOSS", limit)],
        )
        .await;
        assert_eq!(ask(&watched.function, &other).await, 200);
        std::fs::remove_file(&watched.path).unwrap();
        let gone = |_: &_, log: &str| has_line(log, &[NOT_AVAILABLE]);
        let statuses = ask_until(&watched.function, &other, gone).await;
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
        watched.write(&root(&watched.clients));
        let decided = |_: &_, log: &str| {
            has_line(log, &[REFUSED, "trust anchors in use are missing"])
                || has_line(log, &["trust material loaded", "previous_version"])
        };
        ask_until(&watched.function, &other, decided).await;
        assert_eq!(ask(&watched.function, &other).await, after, "{limit}");
    }
}

#[tokio::test]
async fn intermediates_that_are_gone_or_empty_stay_and_those_of_another_give_nothing() {
    let seed = Clients::new();
    let watched = Watched::new(
        "issuing.pem",
        "MTLS_INTERMEDIATES",
        &seed.issuing.pem(),
        &[("MTLS_ANCHORS", &seed.anchors_source())],
    )
    .await;
    let alone = certificate_headers(header_of([&seed.good]));
    let status = async || watched.function.get("/", &alone).await.status;
    assert_eq!(status().await, 200);
    watched.gone_and_empty(&seed.issuing.pem(), "").await;
    assert_eq!(status().await, 200);

    let other = Clients::of("Other");
    watched.write(&other.issuing.pem());
    let loaded = |_: &_, log: &str| has_line(log, &["trust material loaded", "previous_version"]);
    ask_until(&watched.function, &watched.clients, loaded).await;
    assert_eq!(status().await, 401, "no path leads to the anchor");
    assert_eq!(
        ask(&watched.function, &seed).await,
        200,
        "a client that sends its issuer needs none"
    );
    assert_eq!(ask(&watched.function, &other).await, 401);
}

#[tokio::test]
async fn policies_that_are_gone_or_empty_stay_and_the_last_writer_decides() {
    let nobody = "forbid (principal, action, resource);";
    let all = "permit (principal, action, resource);";
    let watched = Watched::new("policy.cedar", "MTLS_POLICY", nobody, &[]).await;
    assert_eq!(ask(&watched.function, &watched.clients).await, 403);
    let statuses = watched.gone_and_empty(nobody, "// nothing\n").await;
    assert!(statuses.iter().all(|status| *status == 403), "{statuses:?}");
    watched.write(all);
    ask_until(&watched.function, &watched.clients, |answer, _| {
        answer.status == 200
    })
    .await;
    watched.write(nobody);
    ask_until(&watched.function, &watched.clients, |answer, _| {
        answer.status == 403
    })
    .await;
}

#[tokio::test]
async fn token_keys_that_are_gone_or_empty_stay_and_the_last_writer_decides() {
    let settings = [
        ("MTLS_BOUND_TOKEN", "required"),
        ("MTLS_TOKEN_ISSUER", ISSUER),
        ("MTLS_TOKEN_AUDIENCE", AUDIENCE),
        ("MTLS_TOKEN_ALGORITHMS", "ES256"),
    ];
    let watched = Watched::new("keys.json", "MTLS_TOKEN_KEYS", &key_set(&["2025"]), &settings).await;
    let claims = json!({
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": time::OffsetDateTime::now_utc().unix_timestamp() + 3_600,
        "sub": "user-1",
        "cnf": {"x5t#S256": Fingerprint::of(watched.clients.good.der()).to_base64url()},
    });
    let status = async |id: &str| {
        let mut headers = watched.clients.good_headers();
        headers.push((
            "authorization".to_owned(),
            format!("Bearer {}", sign(id, &claims)),
        ));
        watched.function.get("/", &headers).await.status
    };
    assert_eq!((status("2025").await, status("2026").await), (200, 401));
    for content in [None, Some(""), Some("{}"), Some(r#"{"keys": []}"#)] {
        match content {
            None => std::fs::remove_file(&watched.path).unwrap(),
            Some(content) => watched.write(content),
        }
        tokio::time::sleep(REFRESHED).await;
        assert_eq!(status("2025").await, 200, "{content:?}");
        assert_eq!(status("2026").await, 401, "{content:?}");
    }
    watched.write(&key_set(&["2026"]));
    let taken_over = async {
        while status("2026").await != 200 {
            tokio::time::sleep(REFRESHED).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(90), taken_over)
        .await
        .unwrap();
    assert_eq!(
        status("2025").await,
        401,
        "a key that is not published any more ends"
    );
}
