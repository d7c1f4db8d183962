//! Wrong settings end the function at once, with one line.

use std::process::Command;

use alb_mtls_tests::{Clients, binary, client_headers};

use crate::harness::{Event, assert_problem, forward};

#[test]
fn a_wrong_setting_is_one_line_and_exit_code_2() {
    let anchors = ("MTLS_ANCHORS", "file:/anchors.pem");
    for (variables, start) in [
        (vec![anchors], "FORWARD_UPSTREAM is not set"),
        (
            vec![anchors, ("FORWARD_UPSTREAM", "app")],
            "FORWARD_UPSTREAM holds `app`",
        ),
        (
            vec![anchors, ("FORWARD_UPSTREAM", "http://169.254.169.254")],
            "FORWARD_UPSTREAM holds",
        ),
        (
            vec![
                anchors,
                ("FORWARD_UPSTREAM", "http://app"),
                ("FORWARD_HOSTS", "keep"),
            ],
            "FORWARD_HOSTS is not a setting",
        ),
        (
            vec![("FORWARD_UPSTREAM", "http://app")],
            "MTLS_ANCHORS is not set",
        ),
    ] {
        let output = Command::new(binary("forward"))
            .env_clear()
            .envs(variables)
            .output()
            .unwrap();
        let error = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{error}");
        assert!(
            error.starts_with(start) && error.trim_end().lines().count() == 1,
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_path_that_no_route_takes_is_not_found() {
    let clients = Clients::new();
    let function = forward(&clients, "", &[("FORWARD_ROUTES", "/a=http://127.0.0.1:9")]).await;
    let answer = function
        .answer(Event::get("/b", clients.good_headers()).to_bytes())
        .await;
    assert_problem(&function, &answer, 404, "no_route").await;
    let answer = function
        .answer(Event::get("/b", client_headers()).to_bytes())
        .await;
    assert_eq!(
        answer.status, 401,
        "a denied client does not learn which routes exist"
    );
}
