//! Managed Instances: several invocations at once in one process.

use std::collections::BTreeSet;

use alb_mtls_tests::{Clients, client_headers, event, valid_event};
use local_alb::HeaderMode;
use serde_json::Value;

use crate::api::{Api, Arrived, Invocation};
use crate::functions::{here, layer, python};
use crate::process::Started;

const AT_ONCE: usize = 8;

#[tokio::test]
async fn every_one_of_several_polls_gets_an_event_of_its_own() {
    let clients = Clients::new();
    let mut api = Api::start().await;
    let concurrency = AT_ONCE.to_string();
    let variables = [("AWS_LAMBDA_MAX_CONCURRENCY", concurrency.as_str())];
    let _layer = Started::of(
        layer(),
        [python(), here("function.py")],
        &clients,
        &api,
        &variables,
    );
    for _ in 0..AT_ONCE {
        assert!(
            matches!(api.arrived().await, Arrived::Next),
            "all of them ask before one gets an event"
        );
    }
    let refused = event("GET", "/", &client_headers(), HeaderMode::MultiValue);
    for number in 0..AT_ONCE {
        api.hand_out(Invocation::new(&format!("refused-{number}"), refused.clone()));
        // The function answers none of them before it has all of them.
        api.hand_out(Invocation::new(
            &format!("passed-{number}"),
            valid_event(&clients).to_string(),
        ));
    }
    let (mut refused, mut passed) = (BTreeSet::new(), BTreeSet::new());
    let mut requests = Vec::new();
    for _ in 0..2 * AT_ONCE {
        requests.push(api.request().await);
    }
    for (head, _) in &requests {
        let id = head.split('/').nth(4).unwrap();
        let new = match id.split_once('-').unwrap() {
            ("refused", _) => refused.insert(id),
            _ => passed.insert(id),
        };
        assert!(new && head.contains("/response "), "{head}");
    }
    assert_eq!((refused.len(), passed.len()), (AT_ONCE, AT_ONCE));
    let calls: BTreeSet<u64> = requests
        .iter()
        .filter_map(|(_, body)| serde_json::from_slice::<Value>(body).unwrap()["calls"].as_u64())
        .collect();
    assert_eq!(calls.len(), AT_ONCE);
}
