//! Services that fail in every way, at start and later, and come back.

use alb_mtls_tests::{Clients, Fault, Function, Moto};
use alb_mtls_verifier::Fingerprint;

use super::{NOT_AVAILABLE, ask, ask_until, has_line, proxy, respond, side_by_side, start};

#[derive(Clone, Copy, Debug)]
enum Service {
    Ssm,
    S3,
}

/// An outage: its name, what the service does, and how the log words it.
struct Outage {
    service: Service,
    name: &'static str,
    fault: Fault,
    words: &'static str,
}

fn outages() -> Vec<Outage> {
    let (unreachable, slow) = ("cannot be reached", "there was no complete answer within");
    let error = |status| Fault::Answer(status, "", String::new());
    let ssm = [
        (
            "throttled",
            Fault::ssm_error("ThrottlingException"),
            "limits the rate of requests",
        ),
        ("failing", error(500), "the service answered 500"),
        (
            "unavailable",
            Fault::Answer(503, "", "not json".into()),
            "the service answered 503",
        ),
        (
            "forbidden",
            Fault::ssm_error("AccessDeniedException"),
            "ssm:GetParameter",
        ),
        ("closing", Fault::Drop, unreachable),
        ("cutting", Fault::Truncate, unreachable),
        ("stalling", Fault::Stall, slow),
        ("silent", Fault::Silence, slow),
        (
            "another page",
            Fault::Answer(200, "", "<html>captive portal</html>".into()),
            unreachable,
        ),
    ];
    let s3 = [
        (
            "throttled",
            Fault::s3_error(503, "SlowDown"),
            "limits the rate of requests",
        ),
        (
            "failing",
            Fault::s3_error(500, "InternalError"),
            "500 InternalError",
        ),
        ("forbidden", Fault::s3_error(403, "AccessDenied"), "s3:ListBucket"),
        ("closing", Fault::Drop, unreachable),
        ("cutting", Fault::Truncate, unreachable),
        ("stalling", Fault::Stall, slow),
        ("silent", Fault::Silence, slow),
    ];
    let of = |service: Service| {
        move |(name, fault, words)| Outage {
            service,
            name,
            fault,
            words,
        }
    };
    ssm.into_iter()
        .map(of(Service::Ssm))
        .chain(s3.into_iter().map(of(Service::S3)))
        .collect()
}

/// A place of its own for the material of one outage.
fn place(service: Service, group: &str, name: &str) -> (String, impl Fn(&Clients) + use<>) {
    let key = name.replace(' ', "-");
    let group = group.to_owned();
    let source = match service {
        Service::Ssm => format!("ssm:/{group}/{key}"),
        Service::S3 => format!("s3://{group}/{key}"),
    };
    let put = move |clients: &Clients| match service {
        Service::Ssm => Moto::shared().put_parameter(&format!("/{group}/{key}"), &clients.root.pem()),
        Service::S3 => drop(Moto::shared().put_object(&group, &key, clients.root.pem())),
    };
    (source, put)
}

#[tokio::test]
async fn the_last_good_material_serves_through_an_outage_of_any_kind_and_is_renewed_after_it() {
    Moto::shared().create_bucket("outages");
    let (old, new) = (Clients::of("Old"), Clients::of("New"));
    side_by_side(outages(), async |outage| {
        let (source, put) = place(outage.service, "outages", outage.name);
        let name = format!("{:?}, {}", outage.service, outage.name);
        put(&old);
        let proxy = proxy().await;
        let function = respond(&proxy, &source, &[]).await;
        assert_eq!(ask(&function, &old).await, 200, "{name}");

        proxy.always(outage.fault);
        put(&new);
        let away = |_: &_, log: &str| has_line(log, &[NOT_AVAILABLE, outage.words]);
        let statuses = ask_until(&function, &old, away).await;
        assert!(
            statuses.iter().all(|status| *status == 200),
            "{name}: {statuses:?}"
        );

        proxy.recover();
        let statuses = ask_until(&function, &new, |answer, _| answer.status == 200).await;
        assert!(
            statuses.iter().all(|status| [200, 401].contains(status)),
            "{name}: {statuses:?}"
        );
    })
    .await;
}

#[tokio::test]
async fn an_outage_at_start_leaves_everybody_outside_until_it_is_over() {
    Moto::shared().create_bucket("outages-at-start");
    let clients = Clients::new();
    side_by_side(outages(), async |outage| {
        let (source, put) = place(outage.service, "outages-at-start", outage.name);
        let name = format!("{:?}, {}", outage.service, outage.name);
        put(&clients);
        let proxy = proxy().await;
        proxy.always(outage.fault);
        let function = respond(&proxy, &source, &[]).await;
        refuses_for_want_of_material(&function, &clients, outage.words, &name).await;
        let took = function.facts().start_to_first_poll;
        assert!(
            took.as_secs() < 9,
            "{name}: Lambda ends a start after ten seconds: {took:?}"
        );

        proxy.recover();
        ask_until(&function, &clients, |answer, _| answer.status == 200).await;
    })
    .await;
}

async fn refuses_for_want_of_material(function: &Function, clients: &Clients, words: &str, name: &str) {
    assert_eq!(ask(function, clients).await, 503, "{name}");
    let record = function.record().await;
    assert_eq!(record["detail"], "no_trust_material", "{name}");
    let explanation = record["explanation"].as_str().unwrap();
    assert!(explanation.contains(words), "{name}: {explanation}");
}

#[tokio::test]
async fn refused_connections_are_survived_at_start_and_later() {
    let moto = Moto::shared();
    let (old, new) = (Clients::of("Old"), Clients::of("New"));
    moto.put_parameter("/refused/anchors", &old.root.pem());
    let proxy = proxy().await;
    proxy.refuse_connections().await;
    let function = respond(&proxy, "ssm:/refused/anchors", &[]).await;
    refuses_for_want_of_material(&function, &old, "cannot be reached", "at start").await;
    proxy.accept_connections().await;
    ask_until(&function, &old, |answer, _| answer.status == 200).await;

    proxy.refuse_connections().await;
    moto.put_parameter("/refused/anchors", &new.root.pem());
    let away = |_: &_, log: &str| has_line(log, &[NOT_AVAILABLE, "cannot be reached"]);
    let statuses = ask_until(&function, &old, away).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    proxy.accept_connections().await;
    ask_until(&function, &new, |answer, _| answer.status == 200).await;
}

#[tokio::test]
async fn a_name_that_does_not_resolve_is_survived_at_start_and_later() {
    let clients = Clients::new();
    let variables = || {
        let mut variables = Moto::shared().variables();
        variables.retain(|(name, _)| name != "AWS_ENDPOINT_URL");
        variables.push((
            "AWS_ENDPOINT_URL".to_owned(),
            "http://no-such-host.invalid".to_owned(),
        ));
        variables
    };
    let function = start(variables(), "ssm:/resolved/never", &[]).await;
    refuses_for_want_of_material(&function, &clients, "cannot be reached", "at start").await;

    // Later: what was a bundle becomes a pointer to a place that cannot be reached.
    let function = start(variables(), &clients.anchors_source(), &[]).await;
    assert_eq!(ask(&function, &clients).await, 200);
    let pointer = format!("s3://bucket/anchors.pem#sha256={}", Fingerprint::of(b""));
    clients.write("anchors.pem", &pointer);
    let away = |_: &_, log: &str| has_line(log, &[NOT_AVAILABLE, "cannot be reached", "dns error"]);
    let statuses = ask_until(&function, &clients, away).await;
    assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    let renewed = Clients::of("Renewed");
    clients.write("anchors.pem", &renewed.root.pem());
    ask_until(&function, &renewed, |answer, _| answer.status == 200).await;
}

#[tokio::test]
async fn material_that_is_too_old_is_not_used_and_comes_back() {
    let clients = Clients::new();
    Moto::shared().put_parameter("/too-old/anchors", &clients.root.pem());
    let proxy = proxy().await;
    let function = respond(&proxy, "ssm:/too-old/anchors", &[("MTLS_MAX_STALE", "3s")]).await;
    assert_eq!(ask(&function, &clients).await, 200);

    proxy.always(Fault::Drop);
    let mut statuses = ask_until(&function, &clients, |answer, _| answer.status == 503).await;
    statuses.pop();
    assert!(
        statuses.iter().all(|status| *status == 200),
        "it serves until then: {statuses:?}"
    );
    let too_old = |line: &serde_json::Value| line["detail"] == "no_trust_material";
    assert_eq!(ask(&function, &clients).await, 503);
    let record = function.line_where(too_old).await;
    let explanation = record["explanation"].as_str().unwrap();
    assert!(explanation.contains("longer than allowed"), "{explanation}");

    proxy.recover();
    ask_until(&function, &clients, |answer, _| answer.status == 200).await;
}

#[tokio::test]
async fn an_outage_is_not_hammered() {
    let clients = Clients::new();
    Moto::shared().put_parameter("/hammered/anchors", &clients.root.pem());
    let proxy = proxy().await;
    let function = respond(&proxy, "ssm:/hammered/anchors", &[]).await;
    proxy.always(Fault::Answer(500, "", String::new()));
    let away = |_: &_, log: &str| has_line(log, &[NOT_AVAILABLE]);
    ask_until(&function, &clients, away).await;
    let tried = proxy.take_requests().len();
    assert!(tried <= 4, "{tried}");
    for _ in 0..40 {
        assert_eq!(ask(&function, &clients).await, 200);
    }
    assert_eq!(
        proxy.take_requests().len(),
        0,
        "forty requests, and it waits before it tries again"
    );
}

#[tokio::test]
async fn cold_starts_together_are_throttled_and_all_of_them_serve() {
    let clients = Clients::new();
    Moto::shared().put_parameter("/burst/anchors", &clients.root.pem());
    let proxy = proxy().await;
    // Parameter Store allows so many a second; this is a tenth of what it allows by default.
    const A_SECOND: usize = 4;
    let (mut second, mut answered) = (std::time::Instant::now(), 0);
    proxy.decide(move |_| {
        if second.elapsed().as_secs() >= 1 {
            (second, answered) = (std::time::Instant::now(), 0);
        }
        answered += 1;
        if answered > A_SECOND {
            Fault::ssm_error("ThrottlingException")
        } else {
            Fault::None
        }
    });
    side_by_side(0..12, async |_| {
        let function = respond(&proxy, "ssm:/burst/anchors", &[("MTLS_REFRESH", "300s")]).await;
        assert_eq!(
            ask(&function, &clients).await,
            200,
            "{}",
            function.log().join("\n")
        );
    })
    .await;
    assert!(proxy.take_requests().len() > 12, "some were throttled");
}
