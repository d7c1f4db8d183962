//! Every property of our template that keeps the gate closed, removed.

use super::{OurTemplates, doctor, report};

/// A line of the template, how often it keeps the gate closed, and the check that misses it. The
/// others of that line are of buckets and functions that do not belong to the gate.
const PROPERTIES: &[(&str, usize, &str)] = &[
    ("        Mode: passthrough\n", 1, "listener-without-mutual-tls"),
    (
        "        - Key: lambda.multi_value_headers.enabled\n          Value: \"true\"\n",
        3,
        "single-value-headers",
    ),
    // Of respond it is the only variable: without it the others are gone too, and that is found.
    ("          MTLS_TARGET_GROUPS: ", 2, "target-groups-unset"),
    ("      SourceArn: ", 5, "permission-too-wide"),
    ("      SourceAccount: !Ref AWS::AccountId\n", 3, "source-account"),
    ("      DisableExecuteApiEndpoint: true\n", 2, "default-endpoint"),
    ("      AuthorizationType: CUSTOM\n", 3, "route-without-authorizer"),
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
    ("        MTLS_ANCHORS: ", 1, "target-without-gate"),
];

#[test]
fn every_removal_of_a_security_property_is_found() {
    let templates = OurTemplates::read();
    for (line, expected, check) in PROPERTIES {
        let (mut places, mut found) = (0, 0);
        for (file, text) in &templates.0 {
            for (place, _) in text.match_indices(line) {
                if !text[..place].ends_with('\n') {
                    continue;
                }
                places += 1;
                let mut changed = templates.clone();
                let slot = changed.0.iter_mut().find(|(other, _)| other == file).unwrap();
                slot.1 = without(text, place, line);
                let (_folder, path) = changed.written();
                let report = report(&doctor(&["--json"], &path));
                let mut findings = report["findings"].as_array().unwrap().iter();
                found += usize::from(findings.any(|finding| finding["check"] == *check));
            }
        }
        assert!(
            places >= *expected,
            "the templates no longer have {line:?} {expected} times"
        );
        assert!(found >= *expected, "{line:?}: {found} of {expected}");
    }
}

/// Returns a template without the line at a place, and without what belongs to it, such as the
/// branches of a function.
fn without(template: &str, place: usize, line: &str) -> String {
    let length = match line.ends_with('\n') {
        true => line.len(),
        false => template[place..].find('\n').unwrap() + 1,
    };
    let indentation = line.len() - line.trim_start().len();
    let after = &template[place + length..];
    let belongs = after.split_inclusive('\n').take_while(|next| {
        let own = next.len() - next.trim_start().len();
        !line.ends_with('\n') && own > indentation
    });
    let length = length + belongs.map(str::len).sum::<usize>();
    format!("{}{}", &template[..place], &template[place + length..])
}
