//! The asynchronous runtime that fits where the function runs.

use std::future::Future;
use std::io;

use tokio::runtime::Builder;

/// Environment variable with the number of events that Lambda hands to this process at once;
/// Managed Instances set it.
///
/// Source: Lambda developer guide, "Lambda Managed Instances".
const MAX_CONCURRENCY: &str = "AWS_LAMBDA_MAX_CONCURRENCY";

/// Returns the number of events that Lambda hands to this process at once.
pub(crate) fn concurrency() -> u32 {
    concurrency_from(std::env::var(MAX_CONCURRENCY).ok().as_deref())
}

/// As `lambda_runtime` reads it: one at a time for everything but a number above one.
fn concurrency_from(value: Option<&str>) -> u32 {
    value
        .and_then(|value| value.parse().ok())
        .filter(|number| *number > 1)
        .unwrap_or(1)
}

/// Runs what a function does: on one thread, which starts quickest, or on one for each processor
/// where Lambda hands over several events at once.
///
/// # Errors
/// Those of the operating system.
pub(crate) fn block_on<T>(main: impl Future<Output = T>) -> io::Result<T> {
    let mut builder = if concurrency() > 1 {
        Builder::new_multi_thread()
    } else {
        Builder::new_current_thread()
    };
    Ok(builder.enable_all().build()?.block_on(main))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_number_above_one_is_several_at_once() {
        for (value, expected) in [
            (None, 1),
            (Some(""), 1),
            (Some("0"), 1),
            (Some("1"), 1),
            (Some("many"), 1),
            (Some("2"), 2),
            (Some("64"), 64),
        ] {
            assert_eq!(concurrency_from(value), expected, "{value:?}");
        }
    }
}
