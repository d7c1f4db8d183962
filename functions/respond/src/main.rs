//! A Lambda target that answers every request with who the client is.

mod answer;
mod page;

use std::process::ExitCode;

use lambda_http::tower::service_fn;

const ABOUT: &str = "A Lambda target that answers every request with who the client is.";

fn main() -> ExitCode {
    let serve = alb_mtls_lambda::serve(service_fn(answer::answer));
    alb_mtls_lambda::start(ABOUT, &[&alb_mtls_gate::SETTINGS], serve)
}
