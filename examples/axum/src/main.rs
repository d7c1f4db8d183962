//! The gate before an axum service in a container behind the load balancer: EKS, ECS or EC2, target
//! type `ip`.
//!
//! The port must be reachable from the load balancer alone: the gate takes the header for the load
//! balancer's word.

use std::io::{self, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;

use alb_mtls_gate::{Gate, GateLayer, Settings, StandardOutput, VerifiedClient};
use axum::routing::get;
use axum::{Extension, Router};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

fn service(gate: Arc<Gate>) -> Router {
    Router::new()
        .route("/", get(hello))
        .layer(GateLayer::new(gate))
        // Below the gate: the load balancer's health checks bring no certificate.
        .route("/healthz", get(async || "healthy\n"))
}

async fn hello(Extension(client): Extension<VerifiedClient>) -> String {
    format!("hello {}\n", client.identity().subject)
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}

async fn run() -> Result<(), Box<dyn std::error::Error>> {
    let gate = Arc::new(Gate::new(Settings::from_environment()?));
    if gate.settings().has_default_header() {
        writeln!(
            io::stderr(),
            "warning: the certificate header has the name that every client knows: rename it at the listener, and set MTLS_HEADER"
        )?;
    }
    gate.load().await;
    let address: SocketAddr = std::env::var("LISTEN")
        .as_deref()
        .unwrap_or("0.0.0.0:8080")
        .parse()?;
    let listener = TcpListener::bind(address).await?;
    writeln!(io::stderr(), "listening on {}", listener.local_addr()?)?;
    let mut terminate = signal(SignalKind::terminate())?;
    let stopped = async move {
        terminate.recv().await;
    };
    axum::serve(listener, service(Arc::clone(&gate)))
        .with_graceful_shutdown(stopped)
        .await?;
    gate.write_metrics();
    StandardOutput.finish();
    Ok(())
}
