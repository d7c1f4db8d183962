//! Target groups: routes, concurrency, health checks, and targets that are not run by the load
//! balancer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::num::NonZeroUsize;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use local_alb::{
    FunctionCommand, FunctionOutput, HeaderMode, HealthChecks, LocalAlb, LocalAlbError, Record, Target,
    TargetGroup, passthrough_header,
};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::support::{ARN, Authority, NAME, Site, function_target, scripted_function, shown, wait_for};

fn unused_target() -> Target {
    Target::Http(([127, 0, 0, 1], 1).into())
}

/// Returns an HTTP server that answers everything in the same way and passes on what it was asked.
async fn server(answer: fn() -> Response<Full<Bytes>>) -> (SocketAddr, UnboundedReceiver<Request<Bytes>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, requests) = unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let sender = sender.clone();
            let service = service_fn(move |request: Request<Incoming>| {
                let sender = sender.clone();
                async move {
                    let (head, body) = request.into_parts();
                    let body = body.collect().await.unwrap().to_bytes();
                    sender.send(Request::from_parts(head, body)).unwrap();
                    Ok::<_, Infallible>(answer())
                }
            });
            tokio::spawn(
                hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
            );
        }
    });
    (address, requests)
}

fn json_answer(body: &Value) -> Response<Full<Bytes>> {
    Response::new(Full::from(body.to_string()))
}

#[tokio::test]
async fn the_longest_prefix_decides_the_target_group() {
    let group = |name: &str, prefixes: &[&str]| {
        TargetGroup::new(name, function_target(scripted_function().name(name)))
            .path_prefixes(prefixes.iter().copied())
    };
    let groups = vec![
        group("root", &["/"]),
        group("api", &["/api"]).header_mode(HeaderMode::MultiValue),
        group("deep", &["/api/deep/", "/other"]).arn("arn:own"),
    ];
    let site = Site::groups(|listener| listener, groups).await;
    for (path, arn) in [
        ("/", "targetgroup/root/"),
        ("/ap", "targetgroup/root/"),
        ("/api", "targetgroup/api/"),
        ("/apis", "targetgroup/api/"),
        ("/api/deep", "targetgroup/api/"),
        ("/api/deep/x", "arn:own"),
        ("/other?/api", "arn:own"),
        ("/API", "targetgroup/root/"),
    ] {
        let event = shown(&site.client().get(path).await)["event"].clone();
        let found = event["requestContext"]["elb"]["targetGroupArn"].as_str().unwrap();
        assert!(found.contains(arn), "{path}: {found}");
        assert_eq!(
            event.get("multiValueHeaders").is_some(),
            arn.contains("/api/"),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_path_without_a_target_group_is_not_found() {
    let group = TargetGroup::new(NAME, function_target(scripted_function())).path_prefixes(["/api"]);
    let mut site = Site::groups(|listener| listener, vec![group]).await;
    assert_eq!(site.client().get("/").await.status(), 404);
    let record = site.request_record().await;
    assert_eq!((record.target_group, record.status), (None, 404));
}

#[tokio::test]
async fn refuses_target_groups_that_contradict_each_other() {
    let start = async |groups| {
        let listener = Authority::new("server").server().listener();
        LocalAlb::start(listener, groups).await.unwrap_err()
    };
    let group = |name: &str| TargetGroup::new(name, unused_target());
    assert!(matches!(start(vec![]).await, LocalAlbError::NoTargetGroup));
    let duplicate = vec![group("a"), group("a").path_prefixes(["/b"])];
    assert!(matches!(start(duplicate).await, LocalAlbError::DuplicateName(_)));
    let same_paths = vec![group("a"), group("b")];
    assert!(matches!(
        start(same_paths).await,
        LocalAlbError::DuplicatePathPrefix(_)
    ));
    let relative = vec![group("a").path_prefixes(["api"])];
    assert!(matches!(start(relative).await, LocalAlbError::PathPrefix(_)));
    let unreachable = vec![group("a").path_prefixes([""; 0])];
    assert!(matches!(start(unreachable).await, LocalAlbError::NoPathPrefix(_)));
    let restless = vec![group("a").health_checks(HealthChecks::every(Duration::ZERO))];
    assert!(matches!(
        start(restless).await,
        LocalAlbError::HealthCheckInterval(_)
    ));
}

#[tokio::test]
async fn refuses_a_port_in_use_and_a_function_that_is_not_there() {
    let site = Site::start().await;
    let listener = Authority::new("server")
        .server()
        .listener()
        .address(site.alb.address());
    let error = LocalAlb::start(listener, vec![TargetGroup::new("a", unused_target())])
        .await
        .unwrap_err();
    assert!(matches!(error, LocalAlbError::Listen { .. }));
    assert!(
        error.to_string().contains(&site.alb.address().to_string()),
        "{error}"
    );

    let listener = Authority::new("server").server().listener();
    let target = function_target(FunctionCommand::new("/nonexistent/function"));
    let error = LocalAlb::start(listener, vec![TargetGroup::new("a", target)])
        .await
        .unwrap_err();
    assert!(error.to_string().contains("`/nonexistent/function`"), "{error}");
}

#[tokio::test]
async fn starts_environments_up_to_the_concurrency() {
    let target = Target::Function {
        command: scripted_function().timeout(Duration::from_secs(2)),
        concurrency: NonZeroUsize::new(2).unwrap(),
    };
    let site = Site::groups(|listener| listener, vec![TargetGroup::new(NAME, target)]).await;
    assert_eq!(site.alb.environments(NAME).len(), 1);
    let client = site.client();
    let answers = tokio::join!(
        client.get("/hang"),
        client.get("/hang"),
        client.get("/"),
        client.get("/")
    );
    assert_eq!(
        (answers.2.status().as_u16(), answers.3.status().as_u16()),
        (200, 200)
    );
    assert_eq!(site.alb.environments(NAME).len(), 2);
}

#[tokio::test]
async fn stopping_ends_functions_and_connections() {
    let (sender, mut lines) = unbounded_channel();
    let command = scripted_function().output(FunctionOutput::Lines(sender));
    let group = TargetGroup::new(NAME, function_target(command));
    let site = Site::groups(|listener| listener, vec![group]).await;
    let pid = site.alb.environments(NAME)[0].pid;
    let client = site.client();
    let hanging = tokio::spawn({
        let client = client.clone();
        let request = client.request("/hang").body(Bytes::new()).unwrap();
        async move { client.send(request).await.is_err() }
    });
    wait_for(&mut lines, "hanging").await;
    site.alb.stop().await;
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    assert!(hanging.await.unwrap());
    assert!(client.connect().await.is_err());
}

#[tokio::test]
async fn checks_the_health_of_a_function() {
    for header_mode in [HeaderMode::SingleValue, HeaderMode::MultiValue] {
        let checks = HealthChecks::every(Duration::from_millis(20));
        let mut site = Site::with(
            |listener| listener,
            |group| group.header_mode(header_mode).health_checks(checks),
        )
        .await;
        for _ in 0..2 {
            let record = site.records.recv().await.unwrap();
            assert_eq!(
                record,
                Record::HealthCheck {
                    target_group: NAME.to_owned(),
                    result: Ok(200),
                }
            );
        }
    }
}

#[tokio::test]
async fn reports_a_health_check_that_fails() {
    let checks = HealthChecks {
        interval: Duration::from_secs(60),
        path: "/error".to_owned(),
    };
    let mut site = Site::with(|listener| listener, |group| group.health_checks(checks)).await;
    let record = site.records.recv().await.unwrap();
    let Record::HealthCheck {
        result: Err(problem), ..
    } = record
    else {
        panic!("{record:?}")
    };
    assert!(problem.contains("it went wrong"), "{problem}");
}

fn invoke_url(address: SocketAddr) -> TargetGroup {
    let url = format!("http://{address}/2015-03-31/functions/respond/invocations");
    let target = Target::InvokeUrl {
        url: url.parse().unwrap(),
        timeout: Duration::from_secs(5),
    };
    TargetGroup::new(NAME, target)
}

#[tokio::test]
async fn sends_events_to_an_invoke_endpoint() {
    let (address, mut requests) =
        server(|| json_answer(&json!({ "statusCode": 201, "headers": { "x-a": "1" }, "body": "made" })))
            .await;
    let site = Site::groups(|listener| listener, vec![invoke_url(address)]).await;
    let response = site.client().get("/a?b=c").await;
    assert_eq!(
        (response.status().as_u16(), response.body().as_ref()),
        (201, &b"made"[..])
    );
    let request = requests.recv().await.unwrap();
    assert_eq!(request.method(), "POST");
    assert_eq!(request.uri(), "/2015-03-31/functions/respond/invocations");
    assert_eq!(request.headers()["host"], address.to_string());
    let event: Value = serde_json::from_slice(request.body()).unwrap();
    assert_eq!(event["requestContext"]["elb"]["targetGroupArn"], ARN);
    assert_eq!(event["queryStringParameters"], json!({ "b": "c" }));
}

#[tokio::test]
async fn answers_502_when_the_invoke_endpoint_fails() {
    let (failing, _requests) = server(|| {
        let mut response = json_answer(&json!({ "errorType": "Broken", "errorMessage": "no luck" }));
        let headers = response.headers_mut();
        headers.insert("x-amz-function-error", "Unhandled".parse().unwrap());
        response
    })
    .await;
    let (missing, _requests) = server(|| {
        let mut response = Response::new(Full::from("no such function"));
        *response.status_mut() = http::StatusCode::NOT_FOUND;
        response
    })
    .await;
    let closed = TcpListener::bind("127.0.0.1:0")
        .await
        .unwrap()
        .local_addr()
        .unwrap();
    for (address, problem) in [
        (failing, "Broken: no luck"),
        (missing, "404: no such function"),
        (closed, "cannot connect"),
    ] {
        let mut site = Site::groups(|listener| listener, vec![invoke_url(address)]).await;
        assert_eq!(site.client().get("/").await.status(), 502);
        let told = site.problem().await;
        assert!(told.contains(problem), "{told}");
    }
}

#[tokio::test]
async fn passes_requests_on_to_an_http_target() {
    let (address, mut requests) = server(|| {
        let mut response = Response::new(Full::from("from upstream"));
        response.headers_mut().insert("x-a", "1".parse().unwrap());
        response
    })
    .await;
    let site = Site::groups(
        |listener| listener,
        vec![TargetGroup::new(NAME, Target::Http(address))],
    )
    .await;
    let identity = Authority::new("root").client("client", &[]);
    let large = vec![0; 2 * 1024 * 1024];
    for client in [
        site.client().identity(&identity),
        site.client().identity(&identity).http_2(),
    ] {
        let response = client.post("/a%2Fb/../c?d=%26", large.clone()).await;
        assert_eq!(
            (response.status().as_u16(), response.body().as_ref()),
            (200, &b"from upstream"[..])
        );
        assert_eq!(response.headers()["x-a"], "1");
        let request = requests.recv().await.unwrap();
        assert_eq!(
            (request.method().as_str(), request.uri().to_string().as_str()),
            ("POST", "/a%2Fb/../c?d=%26")
        );
        assert_eq!(request.version(), http::Version::HTTP_11);
        let headers = request.headers();
        assert_eq!(headers["host"], "localhost");
        assert_eq!(headers["x-forwarded-for"], "127.0.0.1");
        assert_eq!(
            headers["x-amzn-mtls-clientcert"],
            passthrough_header(&identity.chain)
        );
        assert_eq!(request.body().len(), large.len());
    }
}

#[tokio::test]
async fn answers_502_when_an_http_target_is_down() {
    let mut site = Site::groups(|listener| listener, vec![TargetGroup::new(NAME, unused_target())]).await;
    assert_eq!(site.client().get("/").await.status(), 502);
    assert!(site.problem().await.contains("cannot connect"));
}
