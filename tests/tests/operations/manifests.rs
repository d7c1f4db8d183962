//! Settings of deployments that are written in manifests of Cargo.

use alb_mtls_tests::project;

#[test]
fn a_deployment_by_cargo_lambda_takes_no_setting_away() {
    let functions = std::fs::read_dir(project().join("functions")).unwrap();
    let mut deployed = 0;
    for folder in functions {
        let path = folder.unwrap().path().join("Cargo.toml");
        let text = std::fs::read_to_string(&path).unwrap();
        // Variables that stand there replace those of the function: CRLs that an operator named
        // would be gone.
        assert!(
            !text.contains("[package.metadata.lambda.deploy.env]"),
            "{}",
            path.display()
        );
        if let Some((_, deploy)) = text.split_once("[package.metadata.lambda.deploy]\n") {
            let own = deploy.split("\n[").next().unwrap();
            assert!(
                own.lines().any(|line| line == "merge_env = true"),
                "{}",
                path.display()
            );
            deployed += 1;
        }
    }
    assert!(deployed >= 4, "{deployed}");
}
