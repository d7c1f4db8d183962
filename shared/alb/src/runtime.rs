//! The asynchronous runtime that fits where the function runs.

use std::future::Future;
use std::process::ExitCode;

use tokio::runtime::Builder;

/// How many invocations Lambda hands to this process at once; Managed Instances set it.
///
/// Source: Lambda developer guide, "Lambda Managed Instances".
const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

/// Runs what a function's `main` does: on one thread, which starts quickest, or on one for each processor where Lambda hands
/// over several invocations at once.
pub fn block_on(main: impl Future<Output = ExitCode>) -> ExitCode {
    let concurrency = std::env::var(MAX_CONCURRENCY).ok();
    let mut builder = if is_concurrent(concurrency.as_deref()) {
        Builder::new_multi_thread()
    } else {
        Builder::new_current_thread()
    };
    match builder.enable_all().build() {
        Ok(runtime) => runtime.block_on(main),
        Err(error) => {
            eprintln!("the asynchronous runtime cannot start: {error}");
            ExitCode::FAILURE
        }
    }
}

/// As the Lambda runtime reads it: everything but a number above one is one at a time.
fn is_concurrent(value: Option<&str>) -> bool {
    value
        .and_then(|value| value.parse::<u32>().ok())
        .is_some_and(|limit| limit > 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_several_at_once_take_several_threads() {
        for (value, expected) in [
            (None, false),
            (Some(""), false),
            (Some("0"), false),
            (Some("1"), false),
            (Some("many"), false),
            (Some("2"), true),
            (Some("64"), true),
        ] {
            assert_eq!(is_concurrent(value), expected, "{value:?}");
        }
    }
}
