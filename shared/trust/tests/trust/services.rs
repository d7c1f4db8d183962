//! Trust material in SSM Parameter Store and S3, before moto's server, with a proxy between that
//! makes things go wrong.
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::support::moto::{sdk_config, store};
use crate::support::{ca, ca_credential, names, settings, start};
use alb_mtls_trust::{
    CrlState, Deadlines, Loader, RevocationSettings, Snapshot, Trust, TrustError, TrustSettings,
};
use alb_mtls_verifier::{Fingerprint, RevocationOptions};
use aws_sdk_ssm::types::ParameterType;
use test_servers::{Fault, FaultProxy, Moto};
use tokio::sync::watch;

/// Creates trust that reaches the services through the proxy.
fn trust_through(proxy: &FaultProxy, settings: TrustSettings) -> Trust {
    Trust::new(settings).with_loader(Loader::with_sdk_config(sdk_config(proxy.port())))
}

async fn proxy() -> FaultProxy {
    FaultProxy::before(Moto::shared().port()).await
}

/// Returns the error of loading these anchors.
async fn failure(anchors: &str) -> String {
    let proxy = proxy().await;
    let error = trust_through(&proxy, settings(anchors))
        .load(start())
        .await
        .unwrap_err();
    error.to_string()
}

async fn load(anchors: &str) -> Arc<Snapshot> {
    trust_through(&proxy().await, settings(anchors))
        .load(start())
        .await
        .unwrap()
}

async fn names_of(anchors: &str) -> Vec<String> {
    names(load(anchors).await.as_ref())
}

#[tokio::test]
async fn loads_a_parameter_and_says_its_version() {
    let store = store();
    store.put_parameter("/one/anchors", &ca("Old")).await;
    store.put_parameter("/one/anchors", &ca("One")).await;
    let snapshot = load("ssm:/one/anchors").await;
    assert_eq!(names(&snapshot), ["One"]);
    assert_eq!(snapshot.sources()[0].documents[0].ssm_version, Some(2));

    assert_eq!(names_of("ssm:/one/anchors:1").await, ["Old"]);
}

#[tokio::test]
async fn decrypts_a_secure_parameter() {
    let pem = ca("Secret");
    store()
        .put_parameter_of("/secure/anchors", &pem, ParameterType::SecureString)
        .await;
    assert_eq!(names_of("ssm:/secure/anchors").await, ["Secret"]);
    assert_eq!(names_of("ssm:/secure/*").await, ["Secret"]);
}

#[tokio::test]
async fn loads_a_parameter_by_its_arn_in_the_region_of_the_arn() {
    store().put_parameter("/arn/anchors", &ca("By ARN")).await;
    let proxy = proxy().await;
    let source = "ssm:arn:aws:ssm:eu-central-1:123456789012:parameter/arn/anchors";
    let snapshot = trust_through(&proxy, settings(source))
        .load(start())
        .await
        .unwrap();
    assert_eq!(names(&snapshot), ["By ARN"]);

    let elsewhere = "ssm:arn:aws:ssm:us-west-2:123456789012:parameter/arn/anchors";
    let error = trust_through(&proxy, settings(elsewhere)).load(start()).await;
    assert!(error.unwrap_err().to_string().contains("no such parameter"));
    let authorization = proxy.take_requests().pop().unwrap();
    let authorization = authorization.header("authorization").unwrap();
    assert!(authorization.contains("/us-west-2/ssm/"), "{authorization}");
}

#[tokio::test]
async fn loads_every_page_of_a_path_and_nothing_deeper() {
    let store = store();
    for number in 1..=23 {
        store
            .put_parameter(&format!("/many/ca-{number:02}"), &ca(&format!("CA {number}")))
            .await;
    }
    store.put_parameter("/many/deeper/ca", &ca("Deeper")).await;
    store.put_parameter("/many-others", &ca("Other")).await;
    let proxy = proxy().await;
    let snapshot = trust_through(&proxy, settings("ssm:/many/*"))
        .load(start())
        .await
        .unwrap();
    let expected: Vec<String> = (1..=23).map(|number| format!("CA {number}")).collect();
    assert_eq!(names(&snapshot), expected);
    assert_eq!(proxy.take_requests().len(), 3);
    let documents = &snapshot.sources()[0].documents;
    assert_eq!(documents[22].origin, "ssm:/many/ca-23");
}

#[tokio::test]
async fn a_certificate_may_not_run_from_one_parameter_into_the_next() {
    let store = store();
    let pem = ca("Split");
    let (first, second) = pem.split_at(400);
    store.put_parameter("/split/1", first).await;
    store.put_parameter("/split/2", second).await;
    let failure = failure("ssm:/split/*").await;
    assert!(
        failure.contains("`ssm:/split/*`, `ssm:/split/1`: entry 1:"),
        "{failure}"
    );
}

#[tokio::test]
async fn loads_an_object_in_its_newest_or_in_a_given_version() {
    let store = store();
    store.make_bucket("versions").await;
    let first = store
        .put_object("versions", "a b/ünchors.pem", &ca("First"))
        .await;
    let pem = ca("Second");
    let second = store.put_object("versions", "a b/ünchors.pem", &pem).await;

    let newest = load("s3://versions/a%20b/ünchors.pem").await;
    assert_eq!(names(&newest), ["Second"]);
    let document = &newest.sources()[0].documents[0];
    assert_eq!(document.s3_version_id.as_deref(), Some(second.as_str()));
    assert!(document.etag.is_some());
    assert_eq!(document.sha256, Fingerprint::of(pem.as_bytes()));

    let given = load(&format!("s3://versions/a%20b/ünchors.pem?versionId={first}")).await;
    assert_eq!(names(&given), ["First"]);
}

#[tokio::test]
async fn sources_of_every_kind_are_asked_at_the_same_time() {
    let store = store();
    store.make_bucket("mixed").await;
    store.put_object("mixed", "anchors.pem", &ca("Object")).await;
    store.put_parameter("/mixed/one", &ca("Parameter")).await;
    store.put_parameter("/mixed/path/one", &ca("Path")).await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("anchors.pem");
    std::fs::write(&file, ca("File")).unwrap();

    let proxy = proxy().await;
    let (release, released) = watch::channel(false);
    proxy.always(Fault::Hold(released));
    let anchors = format!(
        "s3://mixed/anchors.pem ssm:/mixed/one file:{} ssm:/mixed/path/*",
        file.display()
    );
    let trust = trust_through(&proxy, settings(&anchors));
    let (snapshot, ()) = tokio::join!(trust.load(start()), async {
        // None of the three has been answered when the third arrives.
        proxy.arrived(3).await;
        release.send(true).unwrap();
    });
    assert_eq!(names(&snapshot.unwrap()), ["Object", "Parameter", "File", "Path"]);
}

#[tokio::test]
async fn says_which_parameter_or_object_is_missing() {
    store().make_bucket("missing").await;
    for (anchors, reason) in [
        ("ssm:/missing/one", "there is no such parameter"),
        (
            "ssm:/missing/*",
            "there is no parameter directly below `/missing`",
        ),
        ("s3://missing/key", "there is no such object in the bucket"),
        ("s3://nowhere-to-be-found/key", "there is no such bucket"),
    ] {
        let failure = failure(anchors).await;
        assert!(failure.contains(&format!("`{anchors}`: {reason}")), "{failure}");
    }
}

#[tokio::test]
async fn says_which_permission_may_be_missing() {
    let proxy = proxy().await;
    for (anchors, fault, words) in [
        (
            "ssm:/denied/one",
            Fault::ssm_error("AccessDeniedException"),
            "ssm:GetParameter on it, and kms:Decrypt",
        ),
        (
            "ssm:/denied/*",
            Fault::ssm_error("AccessDeniedException"),
            "ssm:GetParametersByPath on it",
        ),
        (
            "ssm:/denied/one",
            Fault::ssm_error("InvalidKeyId"),
            "kms:Decrypt on the parameter's key",
        ),
        (
            "s3://denied/key",
            Fault::s3_error(403, "AccessDenied"),
            "s3:GetObject on it",
        ),
        (
            "s3://denied/key",
            Fault::s3_error(403, "AccessDenied"),
            "without s3:ListBucket on the bucket a missing object looks the same",
        ),
        (
            "s3://denied/key?versionId=v1",
            Fault::s3_error(403, "AccessDenied"),
            "s3:GetObjectVersion on it",
        ),
        (
            "s3://denied/key?owner=111122223333",
            Fault::s3_error(403, "AccessDenied"),
            "must belong to the `owner`",
        ),
    ] {
        proxy.always(fault);
        let error = trust_through(&proxy, settings(anchors))
            .load(start())
            .await
            .unwrap_err();
        let error = error.to_string();
        assert!(error.contains(words), "{error}");
        assert!(
            error.contains("as the test wants it"),
            "AWS's own words are left out: {error}"
        );
    }
}

#[tokio::test]
async fn asks_that_the_bucket_belongs_to_the_owner() {
    let store = store();
    store.make_bucket("owned").await;
    store.put_object("owned", "anchors.pem", &ca("Owned")).await;
    let proxy = proxy().await;
    let anchors = settings("s3://owned/anchors.pem?owner=123456789012");
    trust_through(&proxy, anchors).load(start()).await.unwrap();
    let request = proxy.take_requests().pop().unwrap();
    assert_eq!(
        request.header("x-amz-expected-bucket-owner"),
        Some("123456789012")
    );
}

#[tokio::test]
async fn a_bucket_in_another_region_is_named_with_its_region() {
    let proxy = proxy().await;
    proxy.always(Fault::Answer(
        301,
        "x-amz-bucket-region: us-west-2\r\n",
        "<Error><Code>PermanentRedirect</Code></Error>".into(),
    ));
    let error = trust_through(&proxy, settings("s3://far-away/key"))
        .load(start())
        .await;
    let error = error.unwrap_err().to_string();
    assert!(error.contains("add `?region=us-west-2`"), "{error}");

    proxy.recover();
    proxy.take_requests();
    let there = settings("s3://far-away/key?region=us-west-2");
    trust_through(&proxy, there).load(start()).await.unwrap_err();
    let request = proxy.take_requests().pop().unwrap();
    assert!(
        request
            .header("authorization")
            .unwrap()
            .contains("/us-west-2/s3/")
    );
}

#[tokio::test]
async fn refuses_bad_material_from_the_services_like_from_files() {
    let store = store();
    let key = ca_credential("Key").key().to_pem().unwrap();
    store.put_parameter("/bad/key", &key).await;
    store.put_parameter("/bad/blank", " ").await;
    store.make_bucket("bad-material").await;
    store.put_object("bad-material", "empty.pem", "").await;
    for (anchors, reason) in [
        ("ssm:/bad/key", "entry 1: holds a private key"),
        ("ssm:/bad/blank", "there is no certificate in it"),
        ("s3://bad-material/empty.pem", "there is no certificate in it"),
    ] {
        let failure = failure(anchors).await;
        assert!(failure.contains(&format!("`{anchors}`: {reason}")), "{failure}");
    }
}

#[tokio::test]
async fn refuses_an_object_beyond_the_limit_before_reading_it() {
    let proxy = proxy().await;
    proxy.always(Fault::Answer(
        200,
        "x-test: large\r\n",
        "\n".repeat(alb_mtls_trust::MAX_CERTIFICATE_BYTES + 1),
    ));
    let error = trust_through(&proxy, settings("s3://large/anchors.pem"))
        .load(start())
        .await;
    assert!(
        error
            .unwrap_err()
            .to_string()
            .contains("is larger than 16777216 bytes")
    );
}

// Pins

/// Writes an object, and returns the pointer to exactly this content.
async fn pinned(bucket: &str, key: &str, content: &str) -> String {
    let version = store().put_object(bucket, key, content).await;
    let digest = Fingerprint::of(content.as_bytes());
    format!("s3://{bucket}/{key}?versionId={version}#sha256={digest}")
}

#[tokio::test]
async fn follows_a_pointer_and_rotates_and_rolls_back_with_it() {
    let store = store();
    store.make_bucket("pins").await;
    let old = pinned("pins", "anchors.pem", &ca("Old")).await;
    let new = pinned("pins", "anchors.pem", &ca("New")).await;
    store.put_parameter("/pins/anchors", &old).await;

    let proxy = proxy().await;
    let trust = trust_through(&proxy, settings("ssm:/pins/anchors"));
    let now = start();
    let snapshot = trust.load(now).await.unwrap();
    assert_eq!(
        names(&snapshot),
        ["Old"],
        "the object's newest version is not what counts"
    );
    let document = &snapshot.sources()[0].documents[0];
    assert_eq!(document.origin, "ssm:/pins/anchors");
    assert_eq!(document.target.as_deref(), Some(old.as_str()));
    assert_eq!(document.ssm_version, Some(1));
    assert!(document.s3_version_id.is_some());

    store.put_parameter("/pins/anchors", &format!("{new}\n")).await;
    let snapshot = trust.snapshot(now.plus_seconds(300)).await.unwrap();
    assert_eq!(names(&snapshot), ["New"]);
    store.put_parameter("/pins/anchors", &old).await;
    let snapshot = trust.snapshot(now.plus_seconds(600)).await.unwrap();
    assert_eq!(names(&snapshot), ["Old"]);
    assert_eq!(snapshot.sources()[0].documents[0].ssm_version, Some(3));
}

#[tokio::test]
async fn an_unchanged_pointer_saves_the_transfer() {
    let store = store();
    store.make_bucket("saved").await;
    let pointer = pinned("saved", "anchors.pem", &ca("One")).await;
    store.put_parameter("/saved/anchors", &pointer).await;
    let proxy = proxy().await;
    let trust = trust_through(&proxy, settings("ssm:/saved/anchors"));
    let now = start();
    let first = trust.load(now).await.unwrap();
    assert_eq!(proxy.take_requests().len(), 2);
    let second = trust.snapshot(now.plus_seconds(300)).await.unwrap();
    assert!(Arc::ptr_eq(&first, &second));
    let requests = proxy.take_requests();
    assert!(
        requests.len() == 1 && requests[0].is_ssm("GetParameter"),
        "{requests:?}"
    );
}

#[tokio::test]
async fn a_pointer_in_a_file_or_below_a_path_is_followed_too() {
    let store = store();
    store.make_bucket("pins-elsewhere").await;
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("pointer");
    std::fs::write(&file, pinned("pins-elsewhere", "1", &ca("From file")).await).unwrap();
    store
        .put_parameter(
            "/pins-elsewhere/a",
            &pinned("pins-elsewhere", "2", &ca("From path")).await,
        )
        .await;
    store.put_parameter("/pins-elsewhere/b", &ca("Direct")).await;
    let snapshot = load(&format!("file:{} ssm:/pins-elsewhere/*", file.display())).await;
    assert_eq!(names(&snapshot), ["From file", "From path", "Direct"]);
}

#[tokio::test]
async fn other_content_than_pinned_is_refused() {
    let store = store();
    store.make_bucket("tampered").await;
    let pem = ca("Meant");
    store.put_object("tampered", "anchors.pem", &ca("Smuggled")).await;
    let digest = Fingerprint::of(pem.as_bytes());
    let pointer = format!("s3://tampered/anchors.pem#sha256={digest}");
    store.put_parameter("/tampered/anchors", &pointer).await;
    let words = format!("and {digest} is required");
    for anchors in ["ssm:/tampered/anchors", &pointer] {
        let failure = failure(anchors).await;
        assert!(
            failure.contains("has the SHA-256 digest") && failure.contains(&words),
            "{failure}"
        );
    }

    store.put_object("tampered", "anchors.pem", &pem).await;
    assert_eq!(names_of("ssm:/tampered/anchors").await, ["Meant"]);
}

#[tokio::test]
async fn pointers_are_exact_and_lead_one_level_only() {
    let store = store();
    store.make_bucket("levels").await;
    let inner = pinned("levels", "anchors.pem", &ca("Inner")).await;
    let outer = pinned("levels", "pointer", &inner).await;
    store.put_parameter("/levels/two", &outer).await;
    store
        .put_parameter("/levels/bare", "s3://levels/anchors.pem")
        .await;
    for (anchors, reason) in [
        ("ssm:/levels/two", "and no further"),
        ("s3://levels/pointer", "and no further"),
        ("ssm:/levels/bare", "without `#sha256=`"),
    ] {
        let failure = failure(anchors).await;
        assert!(failure.contains(reason) && failure.contains(anchors), "{failure}");
    }
}

// Refreshing

#[tokio::test]
async fn unchanged_objects_are_asked_for_by_their_tag_and_not_transferred() {
    let store = store();
    store.make_bucket("tags").await;
    store.put_object("tags", "anchors.pem", &ca("One")).await;
    let proxy = proxy().await;
    let trust = trust_through(&proxy, settings("s3://tags/anchors.pem"));
    let now = start();
    let first = trust.load(now).await.unwrap();
    let tag = first.sources()[0].documents[0].etag.clone().unwrap();
    assert_eq!(proxy.take_requests().pop().unwrap().header("if-none-match"), None);

    for look_up in 1..=3 {
        let same = trust.snapshot(now.plus_seconds(300 * look_up)).await.unwrap();
        assert!(Arc::ptr_eq(&first, &same));
        let request = proxy.take_requests().pop().unwrap();
        assert_eq!(request.header("if-none-match"), Some(tag.as_str()));
    }
    assert_eq!((trust.status().loads, trust.status().unchanged), (1, 3));

    store.put_object("tags", "anchors.pem", &ca("Two")).await;
    assert_eq!(
        names(&trust.snapshot(now.plus_seconds(1_200)).await.unwrap()),
        ["Two"]
    );
}

#[tokio::test]
async fn a_parameter_made_anew_is_seen_although_its_version_is_the_same() {
    let store = store();
    store.put_parameter("/anew/anchors", &ca("Old")).await;
    let trust = trust_through(&proxy().await, settings("ssm:/anew/anchors"));
    let now = start();
    trust.load(now).await.unwrap();
    store.delete_parameter("/anew/anchors").await;
    store.put_parameter("/anew/anchors", &ca("New")).await;
    let snapshot = trust.snapshot(now.plus_seconds(300)).await.unwrap();
    assert_eq!(names(&snapshot), ["New"]);
    assert_eq!(snapshot.sources()[0].documents[0].ssm_version, Some(1));
}

#[tokio::test]
async fn a_parameter_added_to_or_taken_from_a_path_is_seen() {
    let store = store();
    store.put_parameter("/changing/a", &ca("A")).await;
    let trust = trust_through(&proxy().await, settings("ssm:/changing/*"));
    let now = start();
    trust.load(now).await.unwrap();
    store.put_parameter("/changing/b", &ca("B")).await;
    assert_eq!(
        names(&trust.snapshot(now.plus_seconds(300)).await.unwrap()),
        ["A", "B"]
    );
    store.delete_parameter("/changing/a").await;
    assert_eq!(
        names(&trust.snapshot(now.plus_seconds(600)).await.unwrap()),
        ["B"]
    );
    store.delete_parameter("/changing/b").await;
    assert_eq!(
        names(&trust.snapshot(now.plus_seconds(900)).await.unwrap()),
        ["B"]
    );
}

/// Asks `count` times at once while the services hold their answers, and lets them go when all but
/// one are served or wait.
async fn ask_at_once(
    trust: Arc<Trust>,
    proxy: &FaultProxy,
    now: alb_mtls_verifier::Timestamp,
    count: usize,
) -> Vec<Result<Arc<Snapshot>, TrustError>> {
    let (release, released) = watch::channel(false);
    let so_far = proxy.take_requests().len();
    proxy.always(Fault::Hold(released));
    let callers: Vec<_> = (0..count)
        .map(|_| {
            let trust = Arc::clone(&trust);
            tokio::spawn(async move { trust.snapshot(now).await })
        })
        .collect();
    proxy.arrived(so_far + 1).await;
    // On one thread, every task that can go on has gone on when this one runs again.
    for _ in 0..count {
        tokio::task::yield_now().await;
    }
    release.send(true).unwrap();
    let mut answers = Vec::new();
    for caller in callers {
        answers.push(caller.await.unwrap());
    }
    answers
}

#[tokio::test]
async fn callers_at_the_same_time_cause_one_look_up_and_the_others_do_not_wait_for_it() {
    let store = store();
    store.put_parameter("/at-once/anchors", &ca("Old")).await;
    let proxy = proxy().await;
    let trust = Arc::new(trust_through(&proxy, settings("ssm:/at-once/anchors")));
    let now = start();
    trust.load(now).await.unwrap();
    store.put_parameter("/at-once/anchors", &ca("New")).await;

    let answers = ask_at_once(Arc::clone(&trust), &proxy, now.plus_seconds(300), 50).await;
    let served: Vec<String> = answers
        .iter()
        .map(|answer| names(answer.as_ref().unwrap()).concat())
        .collect();
    assert_eq!(proxy.take_requests().len(), 1);
    assert_eq!(served.iter().filter(|name| *name == "New").count(), 1);
    assert_eq!(served.iter().filter(|name| *name == "Old").count(), 49);
}

#[tokio::test]
async fn callers_at_the_first_time_wait_for_one_look_up_and_share_it() {
    store().put_parameter("/first/anchors", &ca("One")).await;
    let proxy = proxy().await;
    let trust = Arc::new(trust_through(&proxy, settings("ssm:/first/anchors")));
    let answers = ask_at_once(Arc::clone(&trust), &proxy, start(), 50).await;
    assert_eq!(proxy.take_requests().len(), 1);
    assert!(answers.iter().all(Result::is_ok));
}

#[tokio::test]
async fn callers_at_the_first_time_share_a_failure_too() {
    let proxy = proxy().await;
    let trust = Arc::new(trust_through(&proxy, settings("ssm:/no-such/anchors")));
    let answers = ask_at_once(Arc::clone(&trust), &proxy, start(), 50).await;
    assert_eq!(proxy.take_requests().len(), 1);
    assert!(answers.iter().all(Result::is_err));
}

#[tokio::test]
async fn a_caller_who_goes_away_leaves_trust_usable() {
    let store = store();
    store.put_parameter("/away/anchors", &ca("One")).await;
    let proxy = proxy().await;
    let trust = trust_through(&proxy, settings("ssm:/away/anchors"));
    let now = start();
    let (_keep, released) = watch::channel(false);
    proxy.always(Fault::Hold(released));
    tokio::select! {
        _ = trust.snapshot(now) => panic!("nothing was answered"),
        () = proxy.arrived(1) => {}
    }
    assert_eq!(
        trust.status().failures_since,
        1,
        "callers that go away could cause one lookup after another"
    );
    proxy.recover();
    assert!(trust.snapshot(now).await.is_ok());
}

// Outages

/// Loads, then breaks the services, and checks that the last good snapshot serves, that the failure
/// is counted and explained, and that trust recovers.
async fn survives(name: &str, anchors: &str, fault: Fault, words: &str) {
    let proxy = proxy().await;
    let request = if words.contains("no complete answer") {
        Duration::from_millis(400)
    } else {
        Duration::from_secs(20)
    };
    let deadlines = Deadlines {
        start: Duration::from_secs(20),
        request,
        ..Deadlines::default()
    };
    let trust = trust_through(&proxy, settings(anchors)).with_deadlines(deadlines);
    let now = start();
    let good = trust.load(now).await.unwrap();
    proxy.always(fault);
    let served = trust.snapshot(now.plus_seconds(300)).await.unwrap();
    assert!(Arc::ptr_eq(&good, &served), "{name}");
    let status = trust.status();
    assert_eq!(
        (status.failures_since, status.failures, status.refusals),
        (1, 1, 0),
        "{name}"
    );
    let error = status.last_error.unwrap().to_string();
    assert!(
        error.contains(words) && error.contains(anchors),
        "{name}: {error}"
    );

    proxy.recover();
    trust.snapshot(now.plus_seconds(400)).await.unwrap();
    assert_eq!(trust.status().failures_since, 0, "{name}");
}

#[tokio::test]
async fn survives_an_outage_of_parameter_store_of_any_kind() {
    store().put_parameter("/outage/anchors", &ca("One")).await;
    let (_keep, never) = watch::channel(false);
    for (name, fault, words) in [
        (
            "throttling",
            Fault::ssm_error("ThrottlingException"),
            "limits the rate of requests (400 ThrottlingException",
        ),
        (
            "500",
            Fault::Answer(500, "", String::new()),
            "the service answered 500",
        ),
        ("503", Fault::Answer(503, "", "not json".into()), "503"),
        (
            "no answer",
            Fault::Hold(never),
            "no complete answer within 400 ms",
        ),
        ("closed", Fault::Drop, "cannot be reached"),
        ("truncated", Fault::Truncate, "cannot be reached"),
        ("slow", Fault::Stall, "no complete answer within 400 ms"),
        (
            "not what it should be",
            Fault::Answer(200, "", "<html>captive portal</html>".into()),
            "cannot be reached",
        ),
    ] {
        survives(name, "ssm:/outage/anchors", fault, words).await;
    }
}

#[tokio::test]
async fn survives_an_outage_of_s3_of_any_kind() {
    let store = store();
    store.make_bucket("outage").await;
    store.put_object("outage", "anchors.pem", &ca("One")).await;
    let (_keep, never) = watch::channel(false);
    for (name, fault, words) in [
        (
            "throttling",
            Fault::s3_error(503, "SlowDown"),
            "limits the rate of requests (503 SlowDown",
        ),
        ("500", Fault::s3_error(500, "InternalError"), "500 InternalError"),
        (
            "no answer",
            Fault::Hold(never),
            "no complete answer within 400 ms",
        ),
        ("closed", Fault::Drop, "cannot be reached"),
        ("truncated", Fault::Truncate, "cannot be reached"),
    ] {
        survives(name, "s3://outage/anchors.pem", fault, words).await;
    }
}

#[tokio::test]
async fn a_transfer_that_breaks_off_is_begun_again_and_never_used_half() {
    let store = store();
    store.make_bucket("broken-transfer").await;
    let many: String = (0..40).map(|number| ca(&format!("CA {number}"))).collect();
    store.put_object("broken-transfer", "anchors.pem", &many).await;
    let proxy = proxy().await;
    let mut answers = 0;
    proxy.decide(move |_| {
        answers += 1;
        if answers == 1 {
            Fault::Truncate
        } else {
            Fault::None
        }
    });
    let trust = trust_through(&proxy, settings("s3://broken-transfer/anchors.pem"));
    assert_eq!(names(&trust.load(start()).await.unwrap()).len(), 40);
    assert_eq!(proxy.take_requests().len(), 2);

    proxy.always(Fault::Truncate);
    let trust = trust_through(&proxy, settings("s3://broken-transfer/anchors.pem"));
    let error = trust.load(start()).await.unwrap_err().to_string();
    assert!(error.contains("the transfer broke off"), "{error}");
}

#[tokio::test]
async fn a_burst_of_throttling_at_start_is_sat_out() {
    store().put_parameter("/burst/anchors", &ca("One")).await;
    let proxy = proxy().await;
    let mut answers = 0;
    proxy.decide(move |_| {
        answers += 1;
        if answers <= 2 {
            Fault::ssm_error("ThrottlingException")
        } else {
            Fault::None
        }
    });
    assert!(
        trust_through(&proxy, settings("ssm:/burst/anchors"))
            .load(start())
            .await
            .is_ok()
    );
    assert_eq!(proxy.take_requests().len(), 3);
}

/// Parameter Store allows 40 requests a second by default, for the whole account.
#[tokio::test]
async fn a_hundred_starts_at_once_share_the_services_limit_and_all_of_them_load() {
    const A_SECOND: usize = 40;
    let proxy = proxy().await;
    let parameter = serde_json::json!({"Name": "/cold-starts/anchors", "Type": "String", "Version": 1, "Value": ca("One")});
    let answer = serde_json::json!({ "Parameter": parameter }).to_string();
    let (mut second, mut answered) = (Instant::now(), 0);
    proxy.decide(move |_| {
        if second.elapsed() >= Duration::from_secs(1) {
            (second, answered) = (Instant::now(), 0);
        }
        answered += 1;
        if answered > A_SECOND {
            Fault::ssm_error("ThrottlingException")
        } else {
            Fault::Answer(
                200,
                "content-type: application/x-amz-json-1.1\r\n",
                answer.clone(),
            )
        }
    });
    let starts = (0..100).map(|_| {
        let trust = trust_through(&proxy, settings("ssm:/cold-starts/anchors"));
        tokio::spawn(async move { trust.load(start()).await })
    });
    for start in starts.collect::<Vec<_>>() {
        start.await.unwrap().unwrap();
    }
}

/// A caller that has material to go on with does not keep a request waiting for more.
#[tokio::test]
async fn throttling_of_a_refresh_is_not_sat_out() {
    store().put_parameter("/not-sat-out/anchors", &ca("One")).await;
    let proxy = proxy().await;
    let trust = trust_through(&proxy, settings("ssm:/not-sat-out/anchors"));
    let now = start();
    trust.load(now).await.unwrap();
    proxy.take_requests();
    proxy.always(Fault::ssm_error("ThrottlingException"));
    trust.snapshot(now.plus_seconds(300)).await.unwrap();
    assert_eq!(proxy.take_requests().len(), 3);
}

#[tokio::test]
async fn refused_connections_at_start_and_later_are_survived() {
    store().put_parameter("/refused/anchors", &ca("One")).await;
    let proxy = proxy().await;
    proxy.refuse_connections().await;
    let trust = trust_through(&proxy, settings("ssm:/refused/anchors"));
    let now = start();
    let error = trust.load(now).await.unwrap_err().to_string();
    assert!(
        error.contains("`ssm:/refused/anchors`: cannot be reached") && error.contains("refused"),
        "{error}"
    );

    proxy.accept_connections().await;
    let good = trust.snapshot(now).await.unwrap();
    proxy.refuse_connections().await;
    let served = trust.snapshot(now.plus_seconds(300)).await.unwrap();
    assert!(Arc::ptr_eq(&good, &served));
    proxy.accept_connections().await;
    trust.snapshot(now.plus_seconds(400)).await.unwrap();
    assert_eq!(trust.status().failures_since, 0);
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_reported_as_such() {
    // However slow the resolver of this machine is.
    let patience = Duration::from_secs(60);
    let timeouts = aws_config::timeout::TimeoutConfig::builder()
        .connect_timeout(patience)
        .build();
    let config = sdk_config(1)
        .to_builder()
        .endpoint_url("http://no-such-host.invalid")
        .timeout_config(timeouts)
        .build();
    let trust = Trust::new(settings("ssm:/dns/anchors"))
        .with_loader(Loader::with_sdk_config(config))
        .with_deadlines(Deadlines {
            start: patience,
            request: patience,
            ..Deadlines::default()
        });
    let error = trust.load(start()).await.unwrap_err().to_string();
    assert!(
        error.contains("cannot be reached") && error.contains("dns error"),
        "{error}"
    );
}

#[tokio::test]
async fn an_outage_is_not_hammered_and_ends_in_refusal_and_recovery() {
    store().put_parameter("/hammer/anchors", &ca("One")).await;
    let proxy = proxy().await;
    let trust = trust_through(&proxy, settings("ssm:/hammer/anchors"));
    let now = start();
    trust.load(now).await.unwrap();
    proxy.take_requests();
    proxy.always(Fault::Answer(403, "", String::new()));

    // One caller a second, for as long as the last good snapshot may serve.
    for second in 240..=3_600 {
        assert!(
            trust.snapshot(now.plus_seconds(second)).await.is_ok(),
            "at {second} s"
        );
    }
    let asked = proxy.take_requests().len();
    assert!((50..=130).contains(&asked), "asked {asked} times in an hour");
    for second in 3_601..=3_700 {
        let error = trust.snapshot(now.plus_seconds(second)).await.unwrap_err();
        assert!(matches!(error, TrustError::Stale { .. }), "{error}");
    }
    let asked = proxy.take_requests().len();
    assert!((5..=20).contains(&asked), "asked {asked} times in 100 s");

    proxy.recover();
    trust.snapshot(now.plus_seconds(3_715)).await.unwrap();
    assert_eq!(trust.status().failures_since, 0);
}

#[tokio::test]
async fn one_failing_source_of_several_keeps_the_whole_snapshot_as_it_was() {
    let store = store();
    store.put_parameter("/partial/a", &ca("A")).await;
    store.put_parameter("/partial/b", &ca("B")).await;
    let proxy = proxy().await;
    let trust = trust_through(&proxy, settings("ssm:/partial/a ssm:/partial/b"));
    let now = start();
    let good = trust.load(now).await.unwrap();
    store.put_parameter("/partial/a", &ca("New A")).await;
    proxy.decide(|request| {
        if request.body.contains("/partial/b") {
            Fault::ssm_error("AccessDeniedException")
        } else {
            Fault::None
        }
    });
    let served = trust.snapshot(now.plus_seconds(300)).await.unwrap();
    assert!(Arc::ptr_eq(&good, &served));
    proxy.recover();
    assert_eq!(
        names(&trust.snapshot(now.plus_seconds(400)).await.unwrap()),
        ["New A", "B"]
    );
}

#[tokio::test]
async fn without_credentials_it_says_so() {
    let config = aws_config::SdkConfig::builder()
        .behavior_version(aws_config::BehaviorVersion::v2026_01_12())
        .region(aws_config::Region::new("eu-central-1"))
        .endpoint_url(format!("http://127.0.0.1:{}", Moto::shared().port()))
        .build();
    let trust = Trust::new(settings("ssm:/nobody/anchors")).with_loader(Loader::with_sdk_config(config));
    let error = trust.load(start()).await.unwrap_err().to_string();
    assert!(error.contains("credentials"), "{error}");
}

#[tokio::test]
async fn a_record_that_may_not_be_read_is_an_error_unless_records_are_ignored() {
    let store = store();
    store.make_bucket("records").await;
    let authority = ca_credential("Records");
    let crl = test_pki::CrlBuilder::new().issued_by(&authority).unwrap();
    store.put_object("records", "root.crl", &crl.pem()).await;
    let directory = tempfile::tempdir().unwrap();
    let anchors = directory.path().join("anchors.pem");
    std::fs::write(&anchors, authority.pem()).unwrap();
    let with = |state: CrlState| TrustSettings {
        revocation: Some(RevocationSettings {
            crls: "s3://records/root.crl".parse().unwrap(),
            options: RevocationOptions::default(),
            state,
        }),
        ..settings(&format!("file:{}", anchors.display()))
    };
    let proxy = proxy().await;
    // The record is not there: another program published the CRL.
    for (state, requests) in [(CrlState::Read, 2), (CrlState::Ignore, 1)] {
        trust_through(&proxy, with(state)).load(start()).await.unwrap();
        assert_eq!(proxy.take_requests().len(), requests);
    }
    for fault in [Fault::s3_error(403, "AccessDenied"), Fault::s3_error(400, "Bad")] {
        proxy.always(fault);
        let outcome = trust_through(&proxy, with(CrlState::Read)).load(start()).await;
        let error = outcome.unwrap_err().to_string();
        assert!(
            error.contains("the record of its CRLs, `s3://records/root.crl.state.json`, "),
            "{error}"
        );
        assert!(error.contains("MTLS_CRL_STATE=ignore"), "{error}");
        proxy.recover();
        trust_through(&proxy, with(CrlState::Ignore))
            .load(start())
            .await
            .unwrap();
    }
}
