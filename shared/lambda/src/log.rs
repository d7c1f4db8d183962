//! Logs as Lambda's own filters read them.

use tracing::level_filters::LevelFilter;

/// Sends what the libraries report to standard output. `AWS_LAMBDA_LOG_LEVEL`, which Lambda sets
/// from the function's logging configuration, says what is kept; without it that is `INFO` and
/// above.
///
/// Source: Lambda developer guide, "Configuring advanced logging controls for Lambda functions".
pub fn start_logging() {
    let level = std::env::var("AWS_LAMBDA_LOG_LEVEL").map_or(LevelFilter::INFO, |level| level_filter(&level));
    alb_mtls_gate::start_logging(level);
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
