//! `alb-mtls local`

mod settings;
mod terminal;

use std::future::poll_fn;
use std::io::{self, Write};
use std::pin::pin;
use std::process::ExitCode;
use std::task::{Context, Poll};

use local_alb::{LocalAlb, LocalAlbError};
use tokio::runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::unbounded_channel;

use crate::console::finish;
pub(crate) use settings::LocalArguments;
use settings::SettingsError;

pub(crate) fn run(arguments: LocalArguments) -> ExitCode {
    finish(serve(&arguments).map(|()| String::new()))
}

#[derive(Debug, thiserror::Error)]
enum LocalError {
    #[error("cannot start a runtime: {0}")]
    Runtime(#[source] io::Error),
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Start(#[from] LocalAlbError),
}

fn serve(arguments: &LocalArguments) -> Result<(), LocalError> {
    let (sender, records) = unbounded_channel();
    let header = arguments.certificate_header();
    let listener = arguments.listener(header.as_ref())?.records(sender);
    let target_groups = arguments.target_groups(header.as_ref())?;
    let runtime = runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(LocalError::Runtime)?;
    runtime.block_on(async {
        let mut stop = StopRequest::new().map_err(LocalError::Runtime)?;
        let mut starting = pin!(LocalAlb::start(listener, target_groups));
        let started = poll_fn(|context| match stop.poll(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => starting.as_mut().poll(context).map(Some),
        });
        let Some(alb) = started.await.transpose()? else {
            return Ok(());
        };
        // A closed terminal does not stop the load balancer.
        let _ = writeln!(
            io::stdout(),
            "listening on https://{} ({})",
            alb.address(),
            arguments.mode_name()
        );
        if let Some(header) = &header {
            let _ = writeln!(io::stdout(), "{header}");
        }
        let printer = tokio::spawn(terminal::print(records));
        poll_fn(|context| stop.poll(context)).await;
        alb.stop().await;
        let _ = printer.await;
        Ok(())
    })
}

/// Ctrl-C, or what `kill` sends. From the start on, so that no function outlives a start that is
/// given up.
struct StopRequest {
    interrupt: Signal,
    terminate: Signal,
}

impl StopRequest {
    fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let interrupted = self.interrupt.poll_recv(context).is_ready();
        if interrupted || self.terminate.poll_recv(context).is_ready() {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}
