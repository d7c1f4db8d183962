//! What happens to requests when the sources of trust material change, break and come back.

#![expect(clippy::unwrap_used, reason = "helpers of tests")]

use std::time::Duration;

use alb_mtls_tests::{Answer, Clients, Function, Moto};

const PARAMETER: &str = "/gate/anchors/root";

async fn respond(moto: &Moto, anchors: &str, others: &[(&str, &str)]) -> Function {
    let mut variables = moto.variables();
    variables.push(("MTLS_ANCHORS".to_owned(), anchors.to_owned()));
    variables.push(("MTLS_REFRESH".to_owned(), "1s".to_owned()));
    variables.extend(
        others
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
    );
    Function::start("respond", variables).await
}

/// Asks as the good client until an answer, together with what the function wrote meanwhile, is as wanted.
async fn ask_until(
    function: &Function,
    clients: &Clients,
    wanted: impl Fn(&Answer, &str) -> bool,
) -> Vec<u16> {
    let mut statuses = Vec::new();
    let asked = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            let answer = function.get("/", &clients.good_headers()).await;
            statuses.push(answer.status);
            if wanted(&answer, &function.log().join("\n")) {
                return;
            }
        }
    });
    asked.await.expect("what is wanted happens within a minute");
    statuses
}

#[tokio::test]
async fn all_pages_of_a_parameter_path_are_read() {
    let moto = Moto::start();
    let clients = Clients::new();
    for number in 0..24 {
        let other = Clients::of(&format!("Other {number}"));
        moto.put_parameter(&format!("/gate/many/{number:02}"), &other.root.pem());
    }
    moto.put_parameter("/gate/many/zz", &clients.root.pem());
    let function = respond(&moto, "ssm:/gate/many/*", &[]).await;
    assert_eq!(function.get("/", &clients.good_headers()).await.status, 200);
}

#[tokio::test]
async fn a_rotation_is_seen_within_a_refresh_and_no_request_is_dropped() {
    let moto = Moto::start();
    let (old, new) = (Clients::of("Old"), Clients::of("New"));
    moto.put_parameter(PARAMETER, &old.root.pem());
    let function = respond(&moto, &format!("ssm:{PARAMETER}"), &[]).await;
    assert_eq!(function.get("/", &old.good_headers()).await.status, 200);
    assert_eq!(function.get("/", &new.good_headers()).await.status, 401);
    moto.put_parameter(PARAMETER, &new.root.pem());
    let statuses = ask_until(&function, &new, |answer, _| answer.status == 200).await;
    assert!(
        statuses.iter().all(|status| [200, 401].contains(status)),
        "{statuses:?}"
    );
    assert_eq!(function.get("/", &old.good_headers()).await.status, 401);
}

#[tokio::test]
async fn material_that_is_refused_leaves_the_last_good_one_in_use() {
    let moto = Moto::start();
    let clients = Clients::new();
    moto.create_bucket("gate-trust");
    moto.put_object("gate-trust", "anchors.pem", &clients.root.pem());
    let function = respond(&moto, "s3://gate-trust/anchors.pem", &[]).await;
    let private_key = clients.root.key().to_pem().unwrap();
    for (content, words) in [
        ("nothing", "there is no certificate in it"),
        (private_key.as_str(), "private key"),
        (clients.good.pem().as_str(), "not a CA certificate"),
        (&clients.root.pem().replace("END", "FND"), "END line"),
    ] {
        moto.put_object("gate-trust", "anchors.pem", content);
        let refused = |_: &Answer, log: &str| log.contains("trust material refused") && log.contains(words);
        let statuses = ask_until(&function, &clients, refused).await;
        assert!(
            statuses.iter().all(|status| *status == 200),
            "{words}: {statuses:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_survived_until_the_material_is_too_old_and_then_recovered_from() {
    let moto = Moto::start();
    let clients = Clients::new();
    moto.put_parameter(PARAMETER, &clients.root.pem());
    let function = respond(&moto, &format!("ssm:{PARAMETER}"), &[("MTLS_MAX_STALE", "8s")]).await;
    assert_eq!(function.get("/", &clients.good_headers()).await.status, 200);

    let runtime = tokio::runtime::Handle::current();
    let moto = tokio::task::block_in_place(|| {
        moto.restart(|| {
            runtime.block_on(async {
                let away = |_: &Answer, log: &str| log.contains("trust material not available");
                let statuses = ask_until(&function, &clients, away).await;
                assert!(
                    statuses.iter().all(|status| *status == 200),
                    "the last good one serves: {statuses:?}"
                );
                ask_until(&function, &clients, |answer, _| answer.status == 503).await;
            });
        })
    });
    moto.put_parameter(PARAMETER, &clients.root.pem());
    ask_until(&function, &clients, |answer, _| answer.status == 200).await;
}
