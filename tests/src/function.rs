//! A built function in an execution environment, with its logs.

use std::sync::Mutex;

use crate::clients::Clients;
use local_alb::{
    AlbRequest, Environment, EnvironmentFacts, FunctionCommand, FunctionOutput, HeaderMode,
    InvocationOutcome, OutputLine,
};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// The target group of every event here.
pub const TARGET_GROUP: &str =
    "arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/gate/73e2d6bc24d8a067";

/// A function that was started by a test.
#[derive(Debug)]
pub struct Function {
    environment: Environment,
    lines: Mutex<UnboundedReceiver<OutputLine>>,
}

/// Answer of a function.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub json: Value,
}

impl Answer {
    /// Returns the body as text.
    pub fn body(&self) -> &str {
        self.json.get("body").and_then(Value::as_str).unwrap_or_default()
    }

    /// Returns the body as JSON.
    pub fn body_json(&self) -> Value {
        serde_json::from_str(self.body()).expect("the body is JSON")
    }

    /// Returns the first value of a header, in whichever form the answer has it.
    pub fn header(&self, name: &str) -> Option<&str> {
        let single = self
            .json
            .get("headers")
            .and_then(|headers| headers.get(name))
            .and_then(Value::as_str);
        let multi = self
            .json
            .get("multiValueHeaders")
            .and_then(|headers| headers.get(name)?.get(0)?.as_str());
        single.or(multi)
    }
}

impl Function {
    /// Starts a built function with these variables and waits for its first poll.
    pub async fn start<N: Into<String>, V: Into<String>>(
        package: &str,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let mut command = FunctionCommand::new(crate::binary(package));
        for (name, value) in variables {
            command = command.variable(name.into(), value.into());
        }
        Self::run(command).await
    }

    /// Starts any command as a function and waits for its first poll.
    pub async fn run(command: FunctionCommand) -> Self {
        let (sender, lines) = unbounded_channel();
        let command = command.output(FunctionOutput::Lines(sender));
        let environment = Environment::start(command).await.expect("the function starts");
        Self {
            environment,
            lines: Mutex::new(lines),
        }
    }

    /// Returns the outcome of an event.
    pub async fn invoke(&self, event: impl Into<bytes::Bytes>) -> InvocationOutcome {
        self.environment.invoke(event).await
    }

    /// Returns the function's answer to an event. Everything but an answer fails the test: a gate
    /// never errors.
    pub async fn answer(&self, event: impl Into<bytes::Bytes>) -> Answer {
        match self.environment.invoke(event).await {
            InvocationOutcome::Response(bytes) => {
                let json: Value = serde_json::from_slice(&bytes).expect("an answer is JSON");
                let status = json
                    .get("statusCode")
                    .and_then(Value::as_u64)
                    .expect("an answer has a status");
                Answer {
                    status: u16::try_from(status).expect("a status is small"),
                    json,
                }
            }
            other => panic!(
                "not an answer but {other:?}; the function wrote:\n{}",
                self.log().join("\n")
            ),
        }
    }

    /// Returns the answer to a GET of `path` with these headers, in multi-value mode.
    pub async fn get(&self, path: &str, headers: &[(String, String)]) -> Answer {
        self.answer(event("GET", path, headers, HeaderMode::MultiValue))
            .await
    }

    /// Returns the lines that the function wrote since the last call.
    pub fn log(&self) -> Vec<String> {
        let mut lines = self
            .lines
            .lock()
            .expect("no test panics while it holds this lock");
        let mut log = Vec::new();
        while let Ok(line) = lines.try_recv() {
            log.push(line.text);
        }
        log
    }

    /// Returns the next decision record; waits for it.
    pub async fn record(&self) -> Value {
        self.line_where(|line| line.get("message").is_some_and(|message| message == "decision"))
            .await
    }

    /// Returns the next JSON line for which this holds; waits for it.
    pub async fn line_where(&self, wanted: impl Fn(&Value) -> bool) -> Value {
        std::future::poll_fn(|context| {
            let mut lines = self
                .lines
                .lock()
                .expect("no test panics while it holds this lock");
            loop {
                match std::task::ready!(lines.poll_recv(context)) {
                    None => panic!("the function ended without such a line"),
                    Some(line) => match serde_json::from_str::<Value>(&line.text) {
                        Ok(json) if wanted(&json) => return std::task::Poll::Ready(json),
                        _ => {}
                    },
                }
            }
        })
        .await
    }

    /// Returns measurements of the function.
    pub fn facts(&self) -> EnvironmentFacts {
        self.environment.facts()
    }
}

/// Returns an event as the load balancer makes it.
pub fn event(method: &str, target: &str, headers: &[(String, String)], mode: HeaderMode) -> bytes::Bytes {
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query.to_owned())),
        None => (target, None),
    };
    let request = AlbRequest {
        method: method.to_owned(),
        path: path.to_owned(),
        query,
        headers: headers.to_vec(),
        body: bytes::Bytes::new(),
    };
    request.to_event(TARGET_GROUP, mode).expect("an event")
}

/// Starts `respond` with the anchors of these clients.
pub async fn respond(clients: &Clients, variables: &[(&str, &str)]) -> Function {
    let anchors = [("MTLS_ANCHORS".to_owned(), clients.anchors_source())];
    let others = variables
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Function::start("respond", anchors.into_iter().chain(others)).await
}
