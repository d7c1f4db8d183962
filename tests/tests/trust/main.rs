//! Trust material through the built function: moto's server holds it, and a proxy before that makes
//! things go wrong.

#![expect(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests"
)]

mod deadlines;
mod outages;
mod refusals;
mod replaced;
mod rotation;
mod sources;

use std::time::Duration;

use alb_mtls_tests::{Answer, Clients, FaultProxy, Function, Moto};
use futures_util::future::join_all;

/// Returns the function with these anchors, which finds SSM and S3 behind the proxy and looks every
/// second.
async fn respond(proxy: &FaultProxy, anchors: &str, others: &[(&str, &str)]) -> Function {
    start(proxy.variables(), anchors, others).await
}

async fn start(mut variables: Vec<(String, String)>, anchors: &str, others: &[(&str, &str)]) -> Function {
    let others = others
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    variables.push(("MTLS_ANCHORS".to_owned(), anchors.to_owned()));
    variables.push(("MTLS_REFRESH".to_owned(), "1s".to_owned()));
    variables.extend(others);
    Function::start("respond", variables).await
}

async fn proxy() -> FaultProxy {
    FaultProxy::before(Moto::shared().port()).await
}

/// Returns the status that the good client of this PKI gets.
async fn ask(function: &Function, clients: &Clients) -> u16 {
    function.get("/", &clients.good_headers()).await.status
}

/// Asks as the good client, forty times a second, until an answer, together with what the function
/// has written since the first of them, is as wanted.
async fn ask_until(
    function: &Function,
    clients: &Clients,
    wanted: impl Fn(&Answer, &str) -> bool,
) -> Vec<u16> {
    let (mut statuses, mut log) = (Vec::new(), String::new());
    let mut pace = tokio::time::interval(Duration::from_millis(25));
    let asked = tokio::time::timeout(Duration::from_secs(60), async {
        loop {
            pace.tick().await;
            let answer = function.get("/", &clients.good_headers()).await;
            statuses.push(answer.status);
            for line in function.log() {
                if line.contains("\"decision\"") {
                    continue;
                }
                log.push_str(&line);
                log.push('\n');
            }
            if wanted(&answer, &log) {
                return;
            }
        }
    });
    let outcome = asked.await;
    assert!(
        outcome.is_ok(),
        "what is wanted did not happen within a minute; the last answer was {:?}\n{log}",
        statuses.last()
    );
    statuses
}

/// Runs the same with each of these at the same time.
async fn side_by_side<T>(cases: impl IntoIterator<Item = T>, run: impl AsyncFn(T)) {
    join_all(cases.into_iter().map(|case| run(case))).await;
}

/// Returns true if one line of the log has all of these words.
fn has_line(log: &str, words: &[&str]) -> bool {
    log.lines()
        .any(|line| words.iter().all(|word| line.contains(word)))
}

const NOT_AVAILABLE: &str = "trust material not available";
const REFUSED: &str = "trust material refused";
