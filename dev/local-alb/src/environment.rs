use std::sync::Mutex;
use std::time::Duration;

use bytes::Bytes;

use crate::function_command::FunctionCommand;
use crate::invocation::{InvocationOutcome, StartError};
use crate::locked;
use crate::process::{Process, peak_memory};
use crate::runtime_api::Concurrency;

/// Execution environment of a function: the built program behind a Runtime API of its own, as
/// in Lambda.
///
/// It handles one invocation at a time; more of them wait for their turn. A process that has died
/// or was killed is started again for the next invocation.
///
/// Dropping the future of [`invoke`](Self::invoke) before it is ready kills the process, so that no
/// answer can be taken for that of a later invocation. Dropping the environment kills it too.
#[derive(Debug)]
pub struct Environment {
    command: FunctionCommand,
    process: tokio::sync::Mutex<Option<Process>>,
    record: Mutex<LifeRecord>,
}

impl Environment {
    /// Starts the process and waits until it first asks for an event.
    ///
    /// # Errors
    ///
    /// When the program cannot be run, ends or reports an initialization error before its first
    /// poll, or takes longer than its initialization timeout.
    pub async fn start(command: FunctionCommand) -> Result<Self, StartError> {
        let process = Process::start(&command, Concurrency::One).await?;
        let record = LifeRecord {
            pid: process.pid(),
            start_to_first_poll: process.start_to_first_poll(),
            restarts: 0,
            invocations: 0,
        };
        Ok(Self {
            command,
            process: tokio::sync::Mutex::new(Some(process)),
            record: Mutex::new(record),
        })
    }

    /// Hands one event to the function and waits for its outcome.
    ///
    /// The event is passed on byte for byte, so that a test can send what is not JSON.
    pub async fn invoke(&self, event: impl Into<Bytes>) -> InvocationOutcome {
        let mut slot = self.process.lock().await;
        let process = match slot.take_if(Process::is_fit) {
            Some(process) => slot.insert(process),
            None => {
                if let Some(unfit) = slot.take() {
                    unfit.stop().await;
                }
                match self.restart().await {
                    Ok(process) => slot.insert(process),
                    Err(error) => {
                        return InvocationOutcome::Crashed {
                            reason: error.to_string(),
                        };
                    }
                }
            }
        };
        locked(&self.record).invocations += 1;
        let lease = Lease(process);
        lease.0.invoke(event.into(), &self.command).await
    }

    /// Returns measurements of the process that runs now, or ran last.
    pub fn facts(&self) -> EnvironmentFacts {
        let record = locked(&self.record);
        EnvironmentFacts {
            pid: record.pid,
            start_to_first_poll: record.start_to_first_poll,
            peak_memory: peak_memory(record.pid),
            restarts: record.restarts,
            invocations: record.invocations,
        }
    }

    /// Kills the process and waits until it is gone.
    pub async fn stop(&self) {
        if let Some(process) = self.process.lock().await.take() {
            process.stop().await;
        }
    }

    async fn restart(&self) -> Result<Process, StartError> {
        locked(&self.record).restarts += 1;
        let process = Process::start(&self.command, Concurrency::One).await?;
        let mut record = locked(&self.record);
        record.pid = process.pid();
        record.start_to_first_poll = process.start_to_first_poll();
        Ok(process)
    }
}

/// Kills the process when the invocation is given up before its end.
struct Lease<'a>(&'a mut Process);

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        self.0.kill_unless_fit();
    }
}

/// Measurements of an execution environment.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct EnvironmentFacts {
    /// The process id.
    pub pid: u32,
    /// From the moment before the process was spawned until it first asked for an event.
    pub start_to_first_poll: Duration,
    /// The largest resident set so far, in bytes (`VmHWM`); none once the process is gone.
    pub peak_memory: Option<u64>,
    /// Number of restarts of the process, failed ones included.
    pub restarts: u64,
    /// Events handed to the function, over all of its processes.
    pub invocations: u64,
}

#[derive(Debug)]
struct LifeRecord {
    pid: u32,
    start_to_first_poll: Duration,
    restarts: u64,
    invocations: u64,
}
