//! Deployments that must not succeed, and say why.

use crate::configuration::Configuration;

#[test]
fn crl_of_an_issuing_ca_that_is_not_named_fails_the_run() {
    let Some(configuration) = Configuration::new() else {
        return;
    };
    let partitions = [
        "s3://example-crls/crl/SUBORDINATE/1.crl",
        "s3://example-crls/crl/SUBORDINATE/2.crl",
    ];
    configuration.put_crls("s3://example-crls/crl/ROOT.crl", &partitions);
    std::fs::copy(
        configuration.path().join("root.pem"),
        configuration.path().join("issuing.pem"),
    )
    .unwrap();
    let output = configuration.run(&Configuration::commands("private-ca"), &[]);
    assert!(!output.is_success, "{}", output.text);
    let text = output
        .text
        .split_whitespace()
        .filter(|word| *word != "│")
        .collect::<Vec<_>>()
        .join(" ");
    assert!(
        text.contains("an issuing CA that is not in `intermediates`"),
        "{}",
        output.text
    );
}

#[test]
fn missing_source_fails_the_run_with_the_functions_own_words() {
    let Some(configuration) = Configuration::new() else {
        return;
    };
    configuration.put_crls(
        "s3://example-crls/crl/ROOT.crl",
        &["s3://example-crls/crl/SUBORDINATE/1.crl"],
    );
    let output = configuration.run(&Configuration::commands("private-ca"), &[]);
    assert!(!output.is_success, "{}", output.text);
    assert!(
        output.text.contains("CrlsUnreachable") && output.text.contains("SUBORDINATE/2.crl"),
        "{}",
        output.text
    );
}
