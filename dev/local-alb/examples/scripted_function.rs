//! A function for tests: it shows the event that it got, or misbehaves as the path asks for.
//!
//! `/answer` answers with the JSON in the body as it is, `/error` and `/panic` fail, `/exit` ends
//! the process, `/hang` never answers, `/slow` takes a while, `/lines` writes to both streams, and
//! every other path shows the event and the environment.

use std::collections::BTreeMap;

use lambda_runtime::{Error, LambdaEvent, service_fn};
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    match std::env::var("BEFORE_FIRST_POLL").as_deref() {
        Ok("exit") => {
            eprintln!("the setting is wrong");
            std::process::exit(7);
        }
        Ok("hang") => std::future::pending().await,
        _ => {}
    }
    lambda_runtime::run(service_fn(handle)).await
}

async fn handle(event: LambdaEvent<Value>) -> Result<Value, Error> {
    let (event, context) = event.into_parts();
    match event.get("path").and_then(Value::as_str) {
        Some("/answer") => {
            let body = event.get("body").and_then(Value::as_str).unwrap_or_default();
            return Ok(serde_json::from_str(body)?);
        }
        Some("/error") => return Err("it went wrong".into()),
        Some("/exit") => std::process::exit(3),
        Some("/hang") => {
            println!("hanging");
            std::future::pending().await
        }
        Some("/slow") => {
            println!("begun");
            tokio::time::sleep(std::time::Duration::from_millis(200)).await;
            println!("finished");
        }
        Some("/lines") => {
            println!("to standard output");
            eprintln!("to standard error");
        }
        #[expect(clippy::panic, reason = "this is what the test asks for")]
        Some("/panic") => panic!("the test asked for it"),
        _ => {}
    }
    let environment: BTreeMap<String, String> = std::env::vars().collect();
    let body = json!({
        "event": event,
        "environment": environment,
        "pid": std::process::id(),
        "request_id": context.request_id,
        "function_arn": context.invoked_function_arn,
        "milliseconds_left": context.deadline().duration_since(std::time::SystemTime::now())?.as_millis(),
    });
    let mut answer = json!({ "statusCode": 200, "isBase64Encoded": false, "body": body.to_string() });
    if let Some(fields) = answer.as_object_mut() {
        if event.get("multiValueHeaders").is_some() {
            fields.insert(
                "multiValueHeaders".to_owned(),
                json!({ "content-type": ["application/json"] }),
            );
        } else {
            fields.insert(
                "headers".to_owned(),
                json!({ "content-type": "application/json" }),
            );
        }
    }
    Ok(answer)
}
