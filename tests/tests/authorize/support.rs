//! The built authorizer, and what it answers.

use std::sync::Mutex;

use alb_mtls_tests::{Clients, binary};
use local_alb::{
    Environment, EnvironmentFacts, FunctionCommand, FunctionOutput, InvocationOutcome, OutputLine,
};
use serde_json::Value;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::events::STAGE;

pub(crate) struct Authorizer {
    environment: Environment,
    lines: Mutex<UnboundedReceiver<OutputLine>>,
}

/// Outcome of an answer at API Gateway.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    Allow(Value),
    /// 403.
    Deny(Value),
    /// 401.
    Unauthorized,
}

impl Authorizer {
    /// Starts the function with these variables and the anchors and intermediates of the
    /// clients, who send only their own certificate to API Gateway.
    pub(crate) async fn start(clients: &Clients, variables: &[(&str, &str)]) -> Self {
        let intermediates = clients.write("intermediates.pem", &clients.issuing.pem());
        let (sender, lines) = unbounded_channel();
        let mut command = FunctionCommand::new(binary("authorize"))
            .output(FunctionOutput::Lines(sender))
            .variable("MTLS_ANCHORS", clients.anchors_source())
            .variable("MTLS_INTERMEDIATES", format!("file:{}", intermediates.display()));
        for (name, value) in variables {
            command = command.variable(*name, *value);
        }
        Self {
            environment: Environment::start(command).await.expect("the authorizer starts"),
            lines: Mutex::new(lines),
        }
    }

    /// Returns the outcome of an event. Every answer must have a form that API Gateway takes.
    pub(crate) async fn ask(&self, event: &Value) -> Outcome {
        self.ask_bytes(event.to_string().into_bytes()).await
    }

    pub(crate) async fn ask_bytes(&self, event: Vec<u8>) -> Outcome {
        match self.environment.invoke(event).await {
            InvocationOutcome::Response(bytes) => classify(serde_json::from_slice(&bytes).unwrap()),
            InvocationOutcome::FunctionError { message, .. } if message == "Unauthorized" => {
                Outcome::Unauthorized
            }
            other => panic!("neither an answer nor a 401 but {other:?}"),
        }
    }

    /// Returns the next decision record; waits for it.
    pub(crate) async fn record(&self) -> Value {
        std::future::poll_fn(|context| {
            let mut lines = self.lines.lock().unwrap();
            loop {
                let line = std::task::ready!(lines.poll_recv(context)).expect("the function runs");
                match serde_json::from_str::<Value>(&line.text) {
                    Ok(record) if record["message"] == "decision" => return std::task::Poll::Ready(record),
                    _ => {}
                }
            }
        })
        .await
    }

    /// Returns the detail of the next decision record.
    pub(crate) async fn detail(&self) -> String {
        let record = self.record().await;
        record["detail"].as_str().unwrap_or_default().to_owned()
    }

    pub(crate) fn facts(&self) -> EnvironmentFacts {
        self.environment.facts()
    }
}

/// Returns the verdict of an answer that is exactly of one of the two documented forms.
fn classify(answer: Value) -> Outcome {
    let members = |json: &Value| {
        let mut names: Vec<String> = json.as_object().unwrap().keys().cloned().collect();
        names.sort_unstable();
        names
    };
    let context = answer["context"].as_object().expect("context is an object");
    assert!(context.values().all(Value::is_string), "not text alone: {answer}");
    assert!(answer.to_string().len() < 8_192, "{answer}");
    if answer.get("isAuthorized").is_some() {
        assert_eq!(members(&answer), ["context", "isAuthorized"]);
        return match answer["isAuthorized"]
            .as_bool()
            .expect("isAuthorized is a truth value")
        {
            true => Outcome::Allow(answer),
            false => Outcome::Deny(answer),
        };
    }
    assert_eq!(members(&answer), ["context", "policyDocument", "principalId"]);
    assert!(!answer["principalId"].as_str().unwrap().is_empty());
    let document = &answer["policyDocument"];
    assert_eq!(members(document), ["Statement", "Version"]);
    assert_eq!(document["Version"], "2012-10-17");
    let statements = document["Statement"].as_array().unwrap();
    let [statement] = statements.as_slice() else {
        panic!("not one statement: {answer}");
    };
    assert_eq!(members(statement), ["Action", "Effect", "Resource"]);
    assert_eq!(statement["Action"], "execute-api:Invoke");
    match statement["Effect"].as_str().unwrap() {
        "Allow" => Outcome::Allow(answer),
        "Deny" => Outcome::Deny(answer),
        other => panic!("the effect is {other}"),
    }
}

impl Outcome {
    pub(crate) fn answer(&self) -> Option<&Value> {
        match self {
            Self::Allow(answer) | Self::Deny(answer) => Some(answer),
            Self::Unauthorized => None,
        }
    }

    pub(crate) fn context(&self) -> &Value {
        &self.answer().expect("there is an answer")["context"]
    }

    /// Returns true for a policy about the whole stage.
    pub(crate) fn is_about_the_stage(&self) -> bool {
        let answer = self.answer().expect("there is an answer");
        answer["policyDocument"]["Statement"][0]["Resource"] == STAGE
    }
}
