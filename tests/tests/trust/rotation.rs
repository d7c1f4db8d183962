//! Material that changes while requests come.

use alb_mtls_tests::{Clients, Moto};

use super::{ask, ask_until, has_line, proxy, respond, side_by_side};

/// Log messages about replaced material.
const REPLACED: &[&str] = &["trust material loaded", "previous_version"];

/// Three PKIs: one that stays, one that goes, and one that comes.
struct Change {
    staying: Clients,
    going: Clients,
    coming: Clients,
}

impl Change {
    fn new() -> Self {
        Self {
            staying: Clients::of("Staying"),
            going: Clients::of("Going"),
            coming: Clients::of("Coming"),
        }
    }

    fn before(&self) -> String {
        self.staying.root.pem() + &self.going.root.pem()
    }

    fn after(&self) -> String {
        self.staying.root.pem() + &self.coming.root.pem()
    }
}

#[tokio::test]
async fn a_rotation_is_seen_at_the_next_refresh_and_no_request_is_dropped() {
    let moto = Moto::shared();
    moto.create_bucket("rotation");
    let kinds = ["parameter", "path", "object", "pointer"];
    side_by_side(kinds, async |kind| {
        let change = Change::new();
        let put = |pem: String| match kind {
            "parameter" => moto.put_parameter("/rotation/one", &pem),
            "path" => moto.put_parameter("/rotation/path/one", &pem),
            "object" => drop(moto.put_object("rotation", "anchors.pem", &pem)),
            _ => {
                let version = moto.put_object("rotation", "pinned.pem", &pem);
                let digest = alb_mtls_verifier::Fingerprint::of(pem.as_bytes());
                let pointer = format!("s3://rotation/pinned.pem?versionId={version}#sha256={digest}");
                moto.put_parameter("/rotation/pointer", &pointer);
            }
        };
        put(change.before());
        let source = match kind {
            "parameter" => "ssm:/rotation/one",
            "path" => "ssm:/rotation/path/*",
            "object" => "s3://rotation/anchors.pem",
            _ => "ssm:/rotation/pointer",
        };
        let proxy = proxy().await;
        let function = respond(&proxy, source, &[]).await;
        assert_eq!(ask(&function, &change.going).await, 200, "{kind}");
        assert_eq!(ask(&function, &change.coming).await, 401, "{kind}");

        put(change.after());
        proxy.take_requests();
        let seen = |_: &_, log: &str| has_line(log, REPLACED);
        let statuses = ask_until(&function, &change.staying, seen).await;
        assert!(
            statuses.iter().all(|status| *status == 200),
            "{kind}: who stays is never refused: {statuses:?}"
        );
        let look_ups = proxy.take_requests().len();
        let most = if kind == "pointer" { 2 } else { 1 };
        assert_eq!(look_ups, most, "{kind}: the first lookup afterwards sees it");
        assert_eq!(ask(&function, &change.coming).await, 200, "{kind}");
        assert_eq!(ask(&function, &change.going).await, 401, "{kind}");
    })
    .await;
}

#[tokio::test]
async fn an_unchanged_object_is_not_transferred_again() {
    let moto = Moto::shared();
    let clients = Clients::new();
    moto.create_bucket("unchanged");
    moto.put_object("unchanged", "anchors.pem", clients.root.pem());
    let proxy = proxy().await;
    let function = respond(&proxy, "s3://unchanged/anchors.pem", &[]).await;
    assert_eq!(proxy.take_statuses(), [200]);
    let three_look_ups = {
        let proxy = proxy.clone();
        let seen = std::sync::Mutex::new(Vec::new());
        move |_: &_, log: &str| {
            assert!(!has_line(log, REPLACED), "{log}");
            let mut seen = seen.lock().unwrap();
            seen.extend(proxy.take_statuses());
            assert!(seen.iter().all(|status| *status == 304), "{seen:?}");
            seen.len() == 3
        }
    };
    let statuses = ask_until(&function, &clients, three_look_ups).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let requests = proxy.take_requests();
    assert_eq!(requests.len(), 4);
    assert!(
        requests
            .iter()
            .skip(1)
            .all(|request| request.header("if-none-match").is_some())
    );
}

#[tokio::test]
async fn a_pointer_is_rolled_back_by_one_change_of_the_parameter() {
    let moto = Moto::shared();
    moto.create_bucket("rolled-back");
    let (old, new) = (Clients::of("Old"), Clients::of("New"));
    let pointer_to = |clients: &Clients| {
        let pem = clients.root.pem();
        let version = moto.put_object("rolled-back", "anchors.pem", &pem);
        let digest = alb_mtls_verifier::Fingerprint::of(pem.as_bytes());
        format!("s3://rolled-back/anchors.pem?versionId={version}#sha256={digest}")
    };
    let (old_pointer, new_pointer) = (pointer_to(&old), pointer_to(&new));
    moto.put_parameter("/rolled-back/anchors", &old_pointer);
    let function = respond(&proxy().await, "ssm:/rolled-back/anchors", &[]).await;
    for (pointer, welcome, other) in [(&new_pointer, &new, &old), (&old_pointer, &old, &new)] {
        moto.put_parameter("/rolled-back/anchors", pointer);
        ask_until(&function, welcome, |answer, _| answer.status == 200).await;
        assert_eq!(ask(&function, other).await, 401);
    }
}
