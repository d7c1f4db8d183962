//! Logs as Lambda's own filters read them.

use tracing::level_filters::LevelFilter;

/// Sends what the libraries report to standard output, a JSON object a line with `timestamp` (RFC 3339) and `level` at
/// the top. `AWS_LAMBDA_LOG_LEVEL`, which Lambda sets from the function's logging configuration, says what is kept; without it
/// that is `INFO` and above.
///
/// Source: Lambda developer guide, "Configuring advanced logging controls for Lambda functions".
pub fn start_logging() {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").map_or(LevelFilter::INFO, |level| level_filter(&level));
    let subscriber = tracing_subscriber::fmt()
        .json()
        .flatten_event(true)
        .with_current_span(false)
        .with_span_list(false)
        .with_max_level(level)
        .with_writer(std::io::stdout)
        .finish();
    // A second call in one process keeps the first subscriber.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

fn level_filter(level: &str) -> LevelFilter {
    match level.to_ascii_uppercase().as_str() {
        "TRACE" => LevelFilter::TRACE,
        "DEBUG" => LevelFilter::DEBUG,
        "WARN" => LevelFilter::WARN,
        "ERROR" | "FATAL" => LevelFilter::ERROR,
        _ => LevelFilter::INFO,
    }
}
