//! Wrong settings of the built function.

use std::process::Command;

use alb_mtls_tests::binary;

#[test]
fn a_wrong_setting_stops_the_function_with_one_line() {
    for (name, value, line) in [
        (
            "AUTHORIZE_CERTIFICATE",
            "clientCert",
            "AUTHORIZE_CERTIFICATE holds `clientCert`: it takes `client-cert`, `header`",
        ),
        ("AUTHORIZE_CACHE", "300", "AUTHORIZE_CACHE is not a setting"),
        (
            "AUTHORIZE_BOUND_TOKEN",
            "required",
            "MTLS_TOKEN_KEYS is not set: sources of the issuer's public keys, each a JWK set; required with MTLS_BOUND_TOKEN, like the next three",
        ),
        (
            "MTLS_TARGET_GROUPS",
            "arn:aws:elasticloadbalancing:*",
            "MTLS_TARGET_GROUPS has no effect without a load balancer: events of API Gateway name no target group",
        ),
        (
            "MTLS_MODE",
            "off",
            "MTLS_MODE holds `off`: it takes `enforce`, `optional`, `report`",
        ),
    ] {
        let output = Command::new(binary("authorize"))
            .env_clear()
            .env("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9")
            .envs([("MTLS_ANCHORS", "file:/nowhere"), (name, value)])
            .output()
            .unwrap();
        assert_eq!(String::from_utf8(output.stderr).unwrap().trim_end(), line);
        assert_eq!(output.status.code(), Some(2));
    }
}
