//! The life of the process: start of the listeners, signals, drain and end.

use std::sync::Arc;
use std::time::Duration;

use alb_mtls_gate::{Connections, Gate, Peers, Reload, StandardOutput};
use tokio::runtime::Handle;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::admin::Admin;
use crate::authorize::Authorizer;
use crate::listener::{ListenAddress, Listener, Service};
use crate::proxy::Proxy;
use crate::settings::{ServerSettings, Settings};
use crate::start::StartError;
use crate::traces::Traces;
use crate::workers::Workers;

/// Part of the life of the process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// Requests are served.
    Serving,
    /// Requests are served, and the load balancer is to send no more of them.
    Draining,
    /// Connections end when their requests do.
    Ending,
}

/// Longest time for requests under way after the drain. With the default of `SERVER_DRAIN` the
/// process ends within the 30 s after which Kubernetes and ECS kill it.
const LAST_REQUESTS: Duration = Duration::from_secs(10);

/// Interval at which keys and trust anchors for upstreams are looked at: those that are due are
/// looked up, so that no request waits for them.
const UPSTREAM_CHECK: Duration = Duration::from_secs(1);

/// Serves until the process is told to end.
///
/// # Errors
/// [`StartError`] when an address cannot be listened on.
pub(crate) async fn run(settings: Settings, workers: Workers) -> Result<(), StartError> {
    let Settings {
        gate,
        upstreams,
        server,
    } = settings;
    let mut signals = Signals::register()?;
    if gate.gate.peers == Some(Peers::Any) {
        tracing::warn!(
            kind = "peers_any",
            remedy = "set MTLS_PEERS to the networks of the load balancer's subnets",
            "requests may come from every network: what reaches this address past the load balancer can write the \
             certificate header itself"
        );
    }
    let traces = Traces::start(&server.traces, Handle::current()).map_err(StartError::Traces)?;
    let upstreams = upstreams
        .map(|settings| alb_mtls_proxy::Proxy::new(settings, &gate.trust))
        .transpose()
        .map_err(StartError::Upstreams)?
        .map(Arc::new);
    let connections = Connections::default();
    let mut gate = Gate::new(gate)
        .with_totals()
        .with_connections(connections.clone());
    if let Some(upstreams) = &upstreams {
        gate = gate.with_public_requests(Arc::clone(upstreams) as _);
    }
    let gate = Arc::new(gate);
    let (phase, phases) = watch::channel(Phase::Serving);
    let mut servers = Servers {
        settings: &server,
        workers,
        connections,
        phases,
        tasks: JoinSet::new(),
    };
    let admin = Admin::new(Arc::clone(&gate), servers.phases.clone());
    servers
        .start("SERVER_ADMIN_LISTEN", server.admin.as_ref(), admin)
        .await?;
    let authorizer = Authorizer::new(Arc::clone(&gate), traces.clone(), &server);
    servers
        .start("SERVER_AUTHORIZE_LISTEN", server.authorize.as_ref(), authorizer)
        .await?;
    if let Some(upstreams) = &upstreams {
        let (gate, upstreams) = (Arc::clone(&gate), Arc::clone(upstreams));
        let proxy = Proxy::new(gate, upstreams, traces.clone(), server.body_limits);
        servers
            .start("SERVER_LISTEN", server.proxy.as_ref(), proxy)
            .await?;
    }
    tracing::info!("serving");
    let reload = Reload::new();
    let looking_up = tokio::spawn({
        let (gate, reload) = (Arc::clone(&gate), reload.clone());
        async move {
            let upstreams = async {
                let Some(upstreams) = &upstreams else {
                    return;
                };
                upstreams.load().await;
                loop {
                    sleep(UPSTREAM_CHECK).await;
                    // Its lookups log what fails, when they are made.
                    let _ = upstreams.keep_up().await;
                }
            };
            let trust = async {
                gate.load().await;
                match gate.refresh_in_background(&reload).await {}
            };
            tokio::join!(trust, upstreams);
        }
    });

    if signals.next_end(&reload).await == Asked::ToDrain {
        phase.send_replace(Phase::Draining);
        tracing::info!(seconds = server.drain.as_secs(), "draining");
        tokio::select! {
            () = sleep(server.drain) => {}
            _ = signals.next_end(&reload) => {}
        }
    }
    looking_up.abort();
    phase.send_replace(Phase::Ending);
    let ended = async { while servers.tasks.join_next().await.is_some() {} };
    if timeout(LAST_REQUESTS, ended).await.is_err() {
        tracing::warn!("requests were still under way at the end");
    }
    traces.end().await;
    gate.write_metrics();
    StandardOutput.finish();
    Ok(())
}

/// Listeners of the process.
struct Servers<'a> {
    settings: &'a ServerSettings,
    workers: Workers,
    connections: Connections,
    phases: watch::Receiver<Phase>,
    tasks: JoinSet<()>,
}

impl Servers<'_> {
    /// Starts a service on its address; does nothing without one.
    async fn start(
        &mut self,
        setting: &'static str,
        address: Option<&ListenAddress>,
        service: impl Service,
    ) -> Result<(), StartError> {
        let Some(address) = address else {
            return Ok(());
        };
        let listen_error = |source| StartError::Listen {
            address: address.clone(),
            setting,
            source,
        };
        let listener = Listener::bind(address, self.settings.limits, self.connections.clone())
            .await
            .map_err(listen_error)?;
        let bound = listener.address().map_err(listen_error)?;
        tracing::info!(setting, address = %bound, "listening");
        let phases = self.phases.clone();
        let workers = self.workers.clone();
        self.tasks
            .spawn(listener.serve(Arc::new(service), workers, phases));
        Ok(())
    }
}

/// Wish of a signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    /// SIGTERM: of an orchestrator.
    ToDrain,
    /// SIGINT: of a person at a terminal.
    ToEnd,
}

struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

impl Signals {
    fn register() -> Result<Self, StartError> {
        let register = |kind| signal(kind).map_err(StartError::Signals);
        Ok(Self {
            terminate: register(SignalKind::terminate())?,
            interrupt: register(SignalKind::interrupt())?,
            hang_up: register(SignalKind::hangup())?,
        })
    }

    /// Waits for a signal to end. SIGHUP looks trust material up again meanwhile.
    async fn next_end(&mut self, reload: &Reload) -> Asked {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Asked::ToDrain,
                _ = self.interrupt.recv() => return Asked::ToEnd,
                _ = self.hang_up.recv() => reload.ask(),
            }
        }
    }
}
