//! The process that is the gate: it serves the runtime for as long as that lives.

use std::convert::Infallible;
use std::error::Error;
use std::ffi::OsStr;
use std::io;
use std::os::fd::AsFd;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use alb_mtls_gate::{Gate, StandardOutput};
use alb_mtls_lambda::RuntimeApi;
use alb_mtls_verifier::CryptoModule;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};
use tokio::net::{TcpListener, TcpStream};
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::judge::Judge;
use crate::proxy::Proxy;
use crate::recorder::{AfterTheEvent, UnderWay};
use crate::settings::Settings;
use crate::watch::watch;

/// Longest time for the runtime's last messages to reach Lambda. Processes that the runtime started
/// can keep its connections open indefinitely.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Pause after a connection could not be accepted: long enough not to fill the log, short enough
/// for a client.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// Serves the runtime, whose process id this is, until it ends.
pub(crate) fn run(runtime: &OsStr) -> ExitCode {
    let executor = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(executor) => executor,
        Err(error) => return stopped(&error),
    };
    match executor.block_on(serve(runtime)) {
        // Everything that is still under way is for a runtime that has ended.
        Ok(()) => std::process::exit(0),
        Err(error) => stopped(&*error),
    }
}

fn stopped(error: &dyn Error) -> ExitCode {
    eprintln!("the gate stopped: {error}");
    ExitCode::FAILURE
}

async fn serve(runtime: &OsStr) -> Result<(), Box<dyn Error>> {
    let runtime = Runtime::watch(runtime)?;
    alb_mtls_lambda::start_logging();
    CryptoModule::check()?;
    let settings = Settings::from_environment()?;
    let runtime_api = RuntimeApi::from_environment()?;
    let under_way = UnderWay::default();
    let gate = Gate::new(settings.gate).with_audit_sink(AfterTheEvent(Arc::clone(&under_way)));
    let judge = Judge::new(gate, settings.layer);
    let proxy = Arc::new(Proxy::new(runtime_api, judge, under_way));
    let listener = listener()?;
    let address = listener.local_addr()?.to_string();
    let process = runtime.id;
    // While the runtime starts.
    tokio::spawn({
        let proxy = Arc::clone(&proxy);
        async move { proxy.load().await }
    });
    let mut connections = Connections {
        proxy: Arc::clone(&proxy),
        listener,
        open: JoinSet::new(),
    };
    tokio::select! {
        ended = runtime.ended(&proxy) => ended?,
        never = connections.serve() => match never {},
        never = watch(process, &address, &proxy) => match never {},
    }
    // After this time an open connection belongs to another process than the runtime.
    let finished = timeout(LAST_WORDS, async {
        let finished = connections.finish().await;
        proxy.all_told().await;
        finished
    });
    let finished = finished.await.unwrap_or(Ok(()));
    proxy.write_metrics();
    StandardOutput.finish();
    Ok(finished?)
}

/// Returns the socket that was passed to this process as its standard input.
fn listener() -> io::Result<TcpListener> {
    let listener = std::net::TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    listener.set_nonblocking(true)?;
    TcpListener::from_std(listener)
}

/// The runtime's process, which is the parent of this one.
struct Runtime {
    id: Pid,
    signals: tokio::signal::unix::Signal,
}

impl Runtime {
    /// Has the kernel tell this process when the runtime ends.
    fn watch(id: &OsStr) -> Result<Self, Box<dyn Error>> {
        let id = id.to_str().and_then(|id| Pid::from_raw(id.parse().ok()?));
        let runtime = Self {
            id: id.ok_or("this is for the layer's own use: it needs the id of a process")?,
            signals: signal(SignalKind::terminate())?,
        };
        // Meant for the runtime, which decides what it makes of them: the gate ends with it and not
        // before.
        drop(signal(SignalKind::interrupt())?);
        drop(signal(SignalKind::hangup())?);
        set_parent_process_death_signal(Some(Signal::TERM))?;
        Ok(runtime)
    }

    /// Waits until the runtime ends. Metrics are written when Lambda, which sends the same signal,
    /// will end the environment: the runtime decides how it reacts, and might be killed before it
    /// ends.
    async fn ended(mut self, proxy: &Proxy) -> io::Result<()> {
        // It can have ended before it was watched.
        while getppid() == Some(self.id) {
            if self.signals.recv().await.is_none() {
                return Err(io::Error::other("signals no longer arrive"));
            }
            proxy.write_metrics();
        }
        Ok(())
    }
}

struct Connections {
    proxy: Arc<Proxy>,
    listener: TcpListener,
    open: JoinSet<()>,
}

impl Connections {
    /// Serves indefinitely.
    async fn serve(&mut self) -> Infallible {
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => open(&mut self.open, &self.proxy, stream),
                    // A connection that has ended, or no free descriptors: open connections can
                    // free some.
                    Err(error) => {
                        tracing::error!(explanation = %error, "a connection of the runtime could not be accepted");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
                Some(_) = self.open.join_next() => {}
            }
        }
    }

    /// Serves those that are open, and those that wait to be accepted, to their end.
    async fn finish(mut self) -> io::Result<()> {
        // Without the executor, which would first have to notice the wait.
        let listener = self.listener.into_std()?;
        while let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(true)?;
            open(&mut self.open, &self.proxy, TcpStream::from_std(stream)?);
        }
        while self.open.join_next().await.is_some() {}
        Ok(())
    }
}

fn open(connections: &mut JoinSet<()>, proxy: &Arc<Proxy>, stream: TcpStream) {
    // Small messages on one machine: waiting for more to send only delays them.
    let _ = stream.set_nodelay(true);
    let proxy = Arc::clone(proxy);
    let service = service_fn(move |request| {
        let answer = proxy.answer(request);
        async move {
            answer.await.inspect_err(|error| {
                tracing::error!(explanation = %error, "the runtime gets no answer");
            })
        }
    });
    connections.spawn(async move {
        // A connection fails when the runtime ends it, and when there is no answer for it, which is
        // in the log.
        let _ = http1::Builder::new()
            .preserve_header_case(true)
            .auto_date_header(false)
            .serve_connection(TokioIo::new(stream), service)
            .await;
    });
}
