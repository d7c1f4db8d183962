use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use tokio::sync::Semaphore;

use crate::environment::{Environment, EnvironmentFacts};
use crate::function_command::FunctionCommand;
use crate::invocation::{InvocationOutcome, StartError};
use crate::locked;

/// The environments of one function.
#[derive(Debug)]
pub(crate) struct FunctionPool {
    command: FunctionCommand,
    permits: Semaphore,
    environments: Mutex<Environments>,
}

impl FunctionPool {
    /// Starts one environment, so that a function that cannot run is known at once.
    pub(crate) async fn start(
        command: FunctionCommand,
        concurrency: NonZeroUsize,
    ) -> Result<Self, StartError> {
        let first = Arc::new(Environment::start(command.clone()).await?);
        Ok(Self {
            command,
            permits: Semaphore::new(concurrency.get().min(Semaphore::MAX_PERMITS)),
            environments: Mutex::new(Environments {
                all: vec![Arc::clone(&first)],
                idle: vec![first],
            }),
        })
    }

    /// Waits until an environment is free.
    pub(crate) async fn invoke(&self, event: Bytes) -> InvocationOutcome {
        // The semaphore is never closed, so there is always a permit in the end.
        let _permit = self.permits.acquire().await;
        let idle = locked(&self.environments).idle.pop();
        let environment = match idle {
            Some(environment) => environment,
            None => match Environment::start(self.command.clone()).await {
                Ok(environment) => {
                    let environment = Arc::new(environment);
                    locked(&self.environments).all.push(Arc::clone(&environment));
                    environment
                }
                Err(error) => {
                    return InvocationOutcome::Crashed {
                        reason: error.to_string(),
                    };
                }
            },
        };
        let outcome = environment.invoke(event).await;
        locked(&self.environments).idle.push(environment);
        outcome
    }

    pub(crate) fn facts(&self) -> Vec<EnvironmentFacts> {
        let environments = locked(&self.environments);
        environments
            .all
            .iter()
            .map(|environment| environment.facts())
            .collect()
    }

    pub(crate) async fn stop(&self) {
        let all = std::mem::take(&mut locked(&self.environments).all);
        for environment in all {
            environment.stop().await;
        }
    }
}

#[derive(Debug)]
struct Environments {
    all: Vec<Arc<Environment>>,
    idle: Vec<Arc<Environment>>,
}
