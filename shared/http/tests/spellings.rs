//! A decision by path is the same for all spellings that a server reads alike.

#![expect(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that cannot be set up has failed"
)]

mod models;

use alb_mtls_http::path::PlainPath;
use proptest::prelude::*;

use crate::models::{SERVERS, respelt};

const RULES: &[&str] = &[
    "/docs",
    "/docs/keys",
    "/administration",
    "/a+b",
    "/v1/things:cancel",
];

const PATHS: &[&str] = &[
    "/docs",
    "/docs/keys",
    "/docs/keys/x",
    "/docs/secrets",
    "/administration/x",
    "/a+b",
    "/v1/things:cancel",
    "/v1/things",
    "/other",
];

/// Outcome of a request by a rule for what is below a path.
#[derive(Debug, PartialEq)]
enum Decision {
    Within,
    Outside,
    Refused,
}

fn decide(path: &str, rule: &str) -> Decision {
    let rule = PlainPath::parse(rule).unwrap();
    match PlainPath::parse(path) {
        None => Decision::Refused,
        Some(path) => match (path.is_within(&rule), path.may_be_within(&rule)) {
            (true, true) => Decision::Within,
            (false, false) => Decision::Outside,
            (true, false) => panic!("{path:?} is within {rule:?} and cannot be"),
            (false, true) => Decision::Refused,
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(20_000) })]

    #[test]
    fn spellings_that_a_server_reads_alike_get_one_decision(
        (path, spelling) in respelt(PATHS),
        (_, other) in respelt(PATHS),
    ) {
        for (server, read) in SERVERS {
            for (one, two) in [(path, spelling.as_str()), (&other, &spelling)] {
                if read(one).is_none() || read(one) != read(two) {
                    continue;
                }
                for rule in RULES {
                    // A rule for a path with a colon is one for a server that does not take it for
                    // a stream.
                    if *server == "ASP.NET" && rule.contains(':') {
                        continue;
                    }
                    let decisions = (decide(one, rule), decide(two, rule));
                    let opposite = matches!(
                        decisions,
                        (Decision::Within, Decision::Outside) | (Decision::Outside, Decision::Within)
                    );
                    prop_assert!(!opposite, "{server} reads {one} and {two} alike, {rule}: {decisions:?}");
                }
            }
        }
    }
}

/// The property above would hold for a model that reads nothing alike.
#[test]
fn every_server_has_a_look_alike() {
    for (path, spelling, servers) in [
        ("/docs", "/%64ocs", "nginx Tomcat Starlette Werkzeug"),
        ("/docs", "/DOCS/", "Express"),
        ("/docs/keys", "/docs/(S(x))/keys::$DATA", "ASP.NET"),
        ("/administration", "/ADMINI~1", "ASP.NET"),
        ("/docs/keys", "/docs;x/keys", "Tomcat"),
        ("/docs/keys", "//docs/x/../keys", "nginx Tomcat"),
        ("/docs", "/d%E2%80%8BOcs", "files on APFS"),
        (
            "/docs/keys",
            "/docs/%E2%84%AAe%CC%81ys+",
            "a database with an accent-insensitive collation",
        ),
    ] {
        for (server, read) in SERVERS.iter().filter(|(name, _)| servers.contains(name)) {
            assert_eq!(read(path), read(spelling), "{server}");
        }
        assert_eq!(decide(spelling, path), Decision::Refused, "{spelling}");
    }
}
