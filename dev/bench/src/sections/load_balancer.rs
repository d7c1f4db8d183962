//! Requests a second through the load balancer on this machine, TLS and all.

use std::num::NonZeroUsize;
use std::time::{Duration, Instant};

use alb_mtls_bench::{Effort, HttpsClient, Quantity, Row, Table, built, progress};
use alb_mtls_tests::Clients;
use local_alb::{
    ClientCertificateHeaderCopies, FunctionCommand, FunctionOutput, HeaderMode, LocalAlb, Target, TargetGroup,
};

const SECTION: &str = "through the load balancer on this machine, connections kept";

pub(crate) async fn measure(effort: Effort, table: &mut Table) {
    let clients = Clients::new();
    let empty = FunctionCommand::new(built("empty-function"));
    let respond = FunctionCommand::new(built("respond")).variable("MTLS_ANCHORS", clients.anchors_source());
    for connections in effort.choose(&[1, 8][..], &[1]) {
        progress(&format!("requests a second over {connections} connections"));
        let mut rates = [Vec::new(), Vec::new()];
        for _ in 0..effort.choose(5, 1) {
            for (rates, command) in rates.iter_mut().zip([&empty, &respond]) {
                rates.push(rate(effort, &clients, command.clone(), *connections).await);
            }
        }
        let [of_empty, of_respond] = rates.map(|mut rates| {
            rates.sort_by(f64::total_cmp);
            rates[rates.len() / 2]
        });
        let plural = if *connections == 1 { "" } else { "s" };
        let what = format!("respond, {connections} connection{plural}, one environment");
        let row = Row::new(SECTION, what, Quantity::PerSecond(of_respond));
        table.push(row.beside("empty function", Quantity::PerSecond(of_empty)));
    }
}

async fn rate(effort: Effort, clients: &Clients, command: FunctionCommand, connections: usize) -> f64 {
    let (listener, authority) = clients.listener(ClientCertificateHeaderCopies::Strip);
    let target = Target::Function {
        command: command.output(FunctionOutput::Discard),
        concurrency: NonZeroUsize::MIN,
    };
    let group = TargetGroup::new("measured", target).header_mode(HeaderMode::MultiValue);
    let alb = LocalAlb::start(listener, vec![group])
        .await
        .expect("the load balancer starts");
    let authority = std::fs::read_to_string(authority).expect("the authority's file");
    let mut connected = Vec::new();
    for _ in 0..connections {
        let presented = [&clients.good, &clients.issuing];
        connected.push(HttpsClient::connect(alb.address(), &authority, &presented).await);
    }
    let started = Instant::now();
    let end = started + effort.choose(Duration::from_secs(2), Duration::from_millis(100));
    let mut tasks = tokio::task::JoinSet::new();
    for mut client in connected {
        tasks.spawn(async move {
            let mut answered = 0_u64;
            while Instant::now() < end {
                let (status, _) = client.get("/", &[]).await.expect("an answer");
                assert_eq!(status, 200);
                answered += 1;
            }
            answered
        });
    }
    let answered: u64 = tasks.join_all().await.into_iter().sum();
    let rate = answered as f64 / started.elapsed().as_secs_f64();
    alb.stop().await;
    rate
}
