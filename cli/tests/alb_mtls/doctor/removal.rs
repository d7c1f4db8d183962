//! Every property of our template that keeps the gate closed, removed.

use std::fs;

use tempfile::TempDir;

use super::{doctor, project, report};

/// A line of the template, how often it keeps the gate closed, and the check that misses it. The
/// others of that line are of buckets and functions that do not belong to the gate.
const PROPERTIES: &[(&str, usize, &str)] = &[
    ("        Mode: passthrough\n", 1, "listener-without-mutual-tls"),
    (
        "        - Key: lambda.multi_value_headers.enabled\n          Value: \"true\"\n",
        3,
        "single-value-headers",
    ),
    ("          MTLS_TARGET_GROUPS: ", 3, "target-groups-unset"),
    ("      SourceArn: ", 5, "permission-too-wide"),
    ("      SourceAccount: !Ref AWS::AccountId\n", 3, "source-account"),
    ("      DisableExecuteApiEndpoint: true\n", 2, "default-endpoint"),
    ("      AuthorizationType: CUSTOM\n", 2, "route-without-authorizer"),
    ("          AWS_LAMBDA_EXEC_WRAPPER: ", 1, "wrapper-missing"),
    ("        MTLS_HEADER: ", 1, "header-name-differs"),
    ("      SslPolicy: ", 1, "tls-policy"),
    ("        BlockPublicAcls: true\n", 1, "trust-bucket-public"),
    ("        BlockPublicPolicy: true\n", 1, "trust-bucket-public"),
    ("        IgnorePublicAcls: true\n", 1, "trust-bucket-public"),
    ("        RestrictPublicBuckets: true\n", 1, "trust-bucket-public"),
    ("        Status: Enabled\n", 1, "trust-bucket-unversioned"),
    (
        "      RetentionInDays: !Ref LogRetentionDays\n",
        4,
        "log-retention",
    ),
    ("          MTLS_ANCHORS: ", 4, "target-without-gate"),
];

#[test]
fn every_removal_of_a_security_property_is_found() {
    let template = fs::read_to_string(project().join("template.yaml")).unwrap();
    for (line, expected, check) in PROPERTIES {
        let places: Vec<usize> = template
            .match_indices(line)
            .map(|(place, _)| place)
            .filter(|place| template[..*place].ends_with('\n'))
            .collect();
        assert!(
            places.len() >= *expected,
            "the template no longer has {line:?} {expected} times"
        );
        let mut found = 0;
        for place in places {
            let length = match line.ends_with('\n') {
                true => line.len(),
                false => template[place..].find('\n').unwrap() + 1,
            };
            // What belongs to the line, such as the branches of a function, goes with it.
            let indentation = line.len() - line.trim_start().len();
            let after = &template[place + length..];
            let belongs = after.split_inclusive('\n').take_while(|next| {
                let own = next.len() - next.trim_start().len();
                !line.ends_with('\n') && own > indentation
            });
            let length = length + belongs.map(str::len).sum::<usize>();
            let without = format!("{}{}", &template[..place], &template[place + length..]);
            let folder = TempDir::new().unwrap();
            fs::write(folder.path().join("template.yaml"), without).unwrap();
            let report = report(&doctor(&["--json"], folder.path()));
            let findings = report["findings"].as_array().unwrap().iter();
            found += usize::from(findings.clone().any(|finding| finding["check"] == *check));
        }
        // An authorizer without anchors is not a target, and only then not found.
        let least = expected - usize::from(*line == "          MTLS_ANCHORS: ");
        assert!(found >= least, "{line:?}: {found} of {expected}");
    }
}
