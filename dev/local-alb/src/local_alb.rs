use std::collections::HashSet;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{interval, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::environment::EnvironmentFacts;
use crate::exchange::Exchange;
use crate::invocation::StartError;
use crate::listener::Listener;
use crate::listener_state::ListenerState;
use crate::record::Record;
use crate::running_target::{RunningGroup, RunningTarget};
use crate::target::{HealthChecks, TargetGroup};
use crate::tasks::{Spawner, Tasks};
use crate::tls::{self, TlsError};

/// Timeout of a client's handshake.
const HANDSHAKE_LIMIT: Duration = Duration::from_secs(10);

/// A load balancer that runs on this machine.
///
/// Dropping it ends it as [`stop`](Self::stop) does, without waiting.
#[derive(Debug)]
pub struct LocalAlb {
    address: SocketAddr,
    groups: Vec<Arc<RunningGroup>>,
    tasks: Tasks,
}

impl LocalAlb {
    /// Starts the functions, then listens.
    ///
    /// # Errors
    ///
    /// When the target groups contradict each other, the listener's certificates cannot be used, a
    /// function does not start, or the address is in use.
    pub async fn start(listener: Listener, target_groups: Vec<TargetGroup>) -> Result<Self, LocalAlbError> {
        check(&target_groups)?;
        let acceptor = TlsAcceptor::from(tls::server_config(&listener)?);
        let bind_error = |source| LocalAlbError::Listen {
            address: listener.address,
            source,
        };
        let socket = TcpListener::bind(listener.address).await.map_err(bind_error)?;
        let address = socket.local_addr().map_err(bind_error)?;
        let tasks = Tasks::new();
        let mut groups = Vec::new();
        let mut routes = Vec::new();
        for settings in &target_groups {
            let group = Arc::new(RunningGroup::start(settings).await?);
            for prefix in &settings.path_prefixes {
                routes.push((prefix.clone(), Arc::clone(&group)));
            }
            groups.push(group);
        }
        // The longest prefix first.
        routes.sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        let state = Arc::new(ListenerState {
            routes,
            mode: listener.mode,
            certificate_header: listener.certificate_header,
            client_header_copies: listener.client_header_copies,
            records: listener.records,
            listener_port: address.port(),
        });
        for (group, settings) in groups.iter().zip(&target_groups) {
            if let Some(health_checks) = &settings.health_checks {
                let checks = check_health(
                    Arc::clone(group),
                    health_checks.clone(),
                    Arc::clone(&state),
                    tasks.spawner(),
                );
                tasks.spawner().spawn(checks);
            }
        }
        tasks
            .spawner()
            .spawn(accept(socket, acceptor, state, tasks.spawner()));
        Ok(Self {
            address,
            groups,
            tasks,
        })
    }

    /// Returns the address on which it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns measurements of the environments of a target group's function; none for other
    /// targets.
    pub fn environments(&self, target_group: &str) -> Vec<EnvironmentFacts> {
        let group = self.groups.iter().find(|group| group.name == target_group);
        match group.map(|group| &group.target) {
            Some(RunningTarget::Lambda(invoker)) => invoker.facts(),
            Some(RunningTarget::Http(_)) | None => Vec::new(),
        }
    }

    /// Ends connections and requests under way, and kills the functions.
    pub async fn stop(self) {
        self.tasks.stop().await;
        for group in self.groups {
            if let RunningTarget::Lambda(invoker) = &group.target {
                invoker.stop().await;
            }
        }
    }
}

/// Reason why a load balancer does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LocalAlbError {
    /// Two target groups have the same name.
    #[error("there are two target groups `{0}`")]
    DuplicateName(String),
    /// Two rules are for the same paths.
    #[error("there are two target groups for the path prefix `{0}`")]
    DuplicatePathPrefix(String),
    /// A function does not start.
    #[error(transparent)]
    Function(#[from] StartError),
    /// Health checks without a pause.
    #[error("the health checks of `{0}` need an interval above zero")]
    HealthCheckInterval(String),
    /// The address is in use or not of this machine.
    #[error("cannot listen on `{address}`: {source}")]
    Listen {
        /// As given.
        address: SocketAddr,
        /// The operating system's reason.
        source: io::Error,
    },
    /// A target group that no request can reach.
    #[error("the target group `{0}` has no path prefix")]
    NoPathPrefix(String),
    /// There is nothing to send requests to.
    #[error("there is no target group")]
    NoTargetGroup,
    /// A prefix that no path can have.
    #[error("the path prefix `{0}` does not begin with `/`")]
    PathPrefix(String),
    /// The listener's certificates cannot be used.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

fn check(target_groups: &[TargetGroup]) -> Result<(), LocalAlbError> {
    if target_groups.is_empty() {
        return Err(LocalAlbError::NoTargetGroup);
    }
    let mut names = HashSet::new();
    let mut prefixes = HashSet::new();
    for group in target_groups {
        if !names.insert(&group.name) {
            return Err(LocalAlbError::DuplicateName(group.name.clone()));
        }
        if group
            .health_checks
            .as_ref()
            .is_some_and(|checks| checks.interval.is_zero())
        {
            return Err(LocalAlbError::HealthCheckInterval(group.name.clone()));
        }
        if group.path_prefixes.is_empty() {
            return Err(LocalAlbError::NoPathPrefix(group.name.clone()));
        }
        for prefix in &group.path_prefixes {
            if !prefix.starts_with('/') {
                return Err(LocalAlbError::PathPrefix(prefix.clone()));
            }
            if !prefixes.insert(prefix) {
                return Err(LocalAlbError::DuplicatePathPrefix(prefix.clone()));
            }
        }
    }
    Ok(())
}

async fn accept(socket: TcpListener, acceptor: TlsAcceptor, state: Arc<ListenerState>, spawner: Spawner) {
    loop {
        let Ok((stream, client)) = socket.accept().await else {
            // Most likely too many open files: wait for connections to end instead of spinning.
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let acceptor = acceptor.clone();
        let state = Arc::clone(&state);
        let connection_spawner = spawner.clone();
        spawner.spawn(async move {
            if let Err(problem) = serve(stream, client, &acceptor, &state, connection_spawner).await {
                state.tell(Record::Connection { client, problem });
            }
        });
    }
}

async fn serve(
    stream: TcpStream,
    client: SocketAddr,
    acceptor: &TlsAcceptor,
    state: &Arc<ListenerState>,
    spawner: Spawner,
) -> Result<(), String> {
    let _ = stream.set_nodelay(true);
    let stream = match timeout(HANDSHAKE_LIMIT, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => return Err(format!("TLS handshake failed: {error}")),
        Err(_) => return Err("TLS handshake failed: the client took too long".to_owned()),
    };
    let chain = presented_chain(&stream);
    let exchange = Arc::new(Exchange {
        client,
        certificates: chain.len(),
        connection: state.connection_facts(client, &chain)?,
        state: Arc::clone(state),
        spawner,
    });
    exchange
        .serve(stream)
        .await
        .map_err(|error| match error.to_string() {
            problem if error.is_parse() => format!("not a valid HTTP request: {problem}"),
            problem => problem,
        })
}

fn presented_chain(stream: &TlsStream<TcpStream>) -> Vec<CertificateDer<'static>> {
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates().unwrap_or_default();
    chain
        .iter()
        .map(|certificate| certificate.clone().into_owned())
        .collect()
}

async fn check_health(
    group: Arc<RunningGroup>,
    health_checks: HealthChecks,
    state: Arc<ListenerState>,
    spawner: Spawner,
) {
    let mut ticks = interval(health_checks.interval);
    loop {
        ticks.tick().await;
        let result = group.check_health(&health_checks.path, &spawner).await;
        state.tell(Record::HealthCheck {
            target_group: group.name.clone(),
            result: result.map_err(|error| error.to_string()),
        });
    }
}
