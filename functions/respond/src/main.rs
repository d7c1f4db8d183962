//! A Lambda target that answers every request with who the client is.

mod answer;
mod page;

use std::process::ExitCode;

use lambda_http::tower::service_fn;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    alb_mtls_alb::serve(service_fn(answer::answer)).await
}
