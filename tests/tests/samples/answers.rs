//! The sample events of `events/`, each through the built function.

use alb_mtls_tests::{Function, project};

/// Returns the status that the name of a sample promises; `None` for events of others than the load
/// balancer.
pub(crate) fn expected_status(name: &str) -> Option<u16> {
    let case = name.strip_prefix("alb-mtls-")?.trim_end_matches("-single-value");
    Some(match case {
        "valid" | "plus-heavy" | "health-check" => 200,
        "no-header" | "expired" | "unknown-ca" | "duplicate-header" | "truncated-pem" | "serverauth-only" => {
            401
        }
        other => panic!("no expectation for the sample `{other}`"),
    })
}

#[tokio::test]
async fn every_sample_event_gets_the_answer_that_its_name_says() {
    let events = project().join("events");
    let anchors = format!("file:{}", events.join("anchors.pem").display());
    let function = Function::start("respond", [("MTLS_ANCHORS", anchors)]).await;
    let mut seen = 0;
    for entry in std::fs::read_dir(&events).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let Some(expected) = expected_status(&name) else {
            continue;
        };
        let answer = function.answer(std::fs::read(&path).unwrap()).await;
        assert_eq!(answer.status, expected, "{name}: {}", answer.body());
        seen += 1;
    }
    assert!(seen >= 10, "only {seen} samples");
}
