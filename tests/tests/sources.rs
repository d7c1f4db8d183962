//! Trust anchors from SSM Parameter Store and S3, through the built function and moto's server.

use alb_mtls_tests::{Clients, Function, Moto};

async fn respond(moto: &Moto, anchors: &str) -> Function {
    let mut variables = moto.variables();
    variables.push(("MTLS_ANCHORS".to_owned(), anchors.to_owned()));
    Function::start("respond", variables).await
}

#[tokio::test]
async fn verdicts_are_the_same_wherever_the_anchors_come_from() {
    let moto = Moto::start();
    let clients = Clients::new();
    let foreign = Clients::of("Foreign");
    moto.put_parameter("/gate/anchors/root", &clients.root.pem());
    moto.put_parameter("/gate/anchors/other", &Clients::of("Other").root.pem());
    moto.create_bucket("gate-trust");
    moto.put_object("gate-trust", "anchors.pem", &clients.root.pem());

    for source in [
        "ssm:/gate/anchors/root",
        "ssm:/gate/anchors/*",
        "s3://gate-trust/anchors.pem",
        "ssm:/gate/anchors/other s3://gate-trust/anchors.pem",
    ] {
        let function = respond(&moto, source).await;
        let answer = function.get("/", &clients.good_headers()).await;
        assert_eq!(
            answer.status,
            200,
            "{source}: {}\n{}",
            answer.body(),
            function.log().join("\n")
        );
        let answer = function.get("/", &foreign.good_headers()).await;
        assert_eq!(answer.status, 401, "{source}: {}", answer.body());
    }
}

#[tokio::test]
async fn a_source_that_is_not_there_leaves_everybody_outside() {
    let moto = Moto::start();
    let clients = Clients::new();
    moto.put_parameter("/gate/anchors/root", &clients.root.pem());
    for source in [
        "ssm:/gate/nothing",
        "ssm:/nothing/*",
        "s3://nobody/anchors.pem",
        "ssm:/gate/anchors/root s3://nobody/a.pem",
    ] {
        let function = respond(&moto, source).await;
        let answer = function.get("/", &clients.good_headers()).await;
        assert_eq!(answer.status, 503, "{source}: {}", answer.body());
        assert_eq!(function.record().await["detail"], "no_trust_material");
    }
}
