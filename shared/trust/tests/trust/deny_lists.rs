//! Deny lists in S3, SSM and files, good and bad.

use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_mtls_trust::{DenyListSettings, DenyLists, LoadedDenyList, Loader};
use alb_mtls_verifier::Timestamp;
use test_servers::{Fault, FaultProxy, Moto};

use crate::support::moto::{sdk_config, store};

const KEY: &str = "key 0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const ID: &str = "spiffe spiffe://example.org/a";

fn settings(sources: &str) -> DenyListSettings {
    DenyListSettings {
        sources: sources.parse().unwrap(),
        refresh: Duration::from_secs(5),
        max_stale: Duration::from_secs(600),
    }
}

async fn lists(sources: &str) -> (FaultProxy, DenyLists) {
    let proxy = FaultProxy::before(Moto::shared().port()).await;
    let loader = Loader::with_sdk_config(sdk_config(proxy.port()));
    (proxy, DenyLists::with_loader(settings(sources), loader))
}

async fn at(lists: &DenyLists, now: Timestamp) -> Result<Arc<LoadedDenyList>, String> {
    lists.current(now, None).await.map_err(|error| error.to_string())
}

fn entries(list: &LoadedDenyList) -> Vec<String> {
    list.entries().iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn an_object_is_asked_for_by_its_entity_tag_and_transferred_when_it_is_another() {
    let store = store();
    store.make_bucket("deny").await;
    store.put_object("deny", "list.txt", KEY).await;
    let (proxy, lists) = lists("s3://deny/list.txt").await;
    let now = Timestamp::now();
    assert_eq!(entries(&at(&lists, now).await.unwrap()), [KEY]);
    assert_eq!(entries(&at(&lists, now.plus_seconds(60)).await.unwrap()), [KEY]);
    assert_eq!(proxy.take_statuses(), [200, 304]);
    store
        .put_object("deny", "list.txt", &format!("{KEY}\n{ID}\n"))
        .await;
    assert_eq!(
        entries(&at(&lists, now.plus_seconds(120)).await.unwrap()),
        [KEY, ID],
        "a process that was frozen looks before it answers"
    );
    assert_eq!(lists.status().confirmed, Some(now.plus_seconds(120)));
}

#[tokio::test]
async fn a_request_in_time_gets_the_list_at_once_and_the_next_one_is_on_its_way() {
    let store = store();
    store.put_parameter("/deny/ahead", KEY).await;
    let (proxy, lists) = lists("ssm:/deny/ahead").await;
    let now = Timestamp::now();
    at(&lists, now).await.unwrap();
    store.put_parameter("/deny/ahead", ID).await;
    proxy.always(Fault::Drip(Duration::from_millis(1)));
    let asked = Instant::now();
    assert_eq!(entries(&at(&lists, now.plus_seconds(3)).await.unwrap()), [KEY]);
    assert!(
        asked.elapsed() < Duration::from_millis(50),
        "{:?}",
        asked.elapsed()
    );
    let patience = Instant::now() + Duration::from_secs(5);
    while entries(&lists.last_good().unwrap()) != [ID] {
        assert!(Instant::now() < patience, "the lookup ahead of time never ended");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Contents that are not a list. Each is refused with the entries in use in place, and becomes a
/// failure once the list is too old.
#[tokio::test]
async fn what_is_not_a_list_leaves_the_last_good_one_in_use() {
    let store = store();
    store.make_bucket("deny-bad").await;
    let huge = format!("{KEY}\n").repeat(10_000);
    for (content, words) in [
        ("", "has no entry"),
        ("\n# gone\n", "has no entry"),
        (
            "<html>Service Unavailable</html>",
            "line 1 begins with `<html>Service`",
        ),
        (&format!("{ID}\n{KEY}0\n"), "line 2 "),
        (&huge, "is larger than 262144 bytes"),
    ] {
        store.put_object("deny-bad", "list.txt", KEY).await;
        let (_proxy, lists) = lists("s3://deny-bad/list.txt").await;
        let now = Timestamp::now();
        at(&lists, now).await.unwrap();
        store.put_object("deny-bad", "list.txt", content).await;
        let list = at(&lists, now.plus_seconds(60)).await.unwrap();
        assert_eq!(entries(&list), [KEY]);
        assert_eq!(lists.status().failures, 1);
        let error = at(&lists, now.plus_seconds(601)).await.unwrap_err();
        assert!(error.contains(words) && error.contains("601 s ago"), "{error}");
        store.put_object("deny-bad", "list.txt", "none").await;
        let list = at(&lists, now.plus_seconds(700)).await.unwrap();
        assert!(list.entries().is_empty());
    }
}

#[tokio::test]
async fn a_list_that_cannot_be_had_is_not_an_empty_one() {
    let store = store();
    store.make_bucket("deny-lost").await;
    store.put_object("deny-lost", "list.txt", KEY).await;
    for fault in [
        Fault::s3_error(403, "AccessDenied"),
        Fault::s3_error(404, "NoSuchKey"),
        Fault::s3_error(404, "NoSuchBucket"),
        Fault::s3_error(304, "NotModified"),
        Fault::Silence,
        Fault::Garbage,
        Fault::Truncate,
    ] {
        let (proxy, lists) = lists("s3://deny-lost/list.txt").await;
        let now = Timestamp::now();
        proxy.always(fault.clone());
        let asked = Instant::now();
        assert!(at(&lists, now).await.is_err(), "{fault:?} at the start");
        proxy.recover();
        assert_eq!(entries(&at(&lists, now.plus_seconds(20)).await.unwrap()), [KEY]);
        proxy.always(fault.clone());
        let list = at(&lists, now.plus_seconds(80)).await.unwrap();
        assert_eq!(entries(&list), [KEY], "{fault:?}");
        assert!(
            asked.elapsed() < Duration::from_secs(9),
            "{fault:?} {:?}",
            asked.elapsed()
        );
        if !matches!(&fault, Fault::Answer(304, ..)) {
            assert!(
                at(&lists, now.plus_seconds(700)).await.is_err(),
                "{fault:?} for too long"
            );
        }
    }
}

#[tokio::test]
async fn the_entries_of_every_source_count_and_one_bad_source_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::write(path("one"), format!("{KEY} because first\n")).unwrap();
    std::fs::write(path("two"), "none\r\n").unwrap();
    let sources = format!("file:{} file:{}", path("one").display(), path("two").display());
    let lists = DenyLists::new(settings(&sources));
    let now = Timestamp::now();
    assert_eq!(
        entries(&at(&lists, now).await.unwrap()),
        [format!("{KEY} because first")]
    );
    std::fs::write(path("two"), ID).unwrap();
    assert_eq!(at(&lists, now.plus_seconds(60)).await.unwrap().entries().len(), 2);
    std::fs::write(path("one"), "none").unwrap();
    std::fs::remove_file(path("two")).unwrap();
    let list = at(&lists, now.plus_seconds(120)).await.unwrap();
    assert_eq!(list.entries().len(), 2, "a part of a new list is not used");
    std::fs::write(path("two"), "none").unwrap();
    assert!(
        at(&lists, now.plus_seconds(180))
            .await
            .unwrap()
            .entries()
            .is_empty()
    );
}
