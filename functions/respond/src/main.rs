//! A Lambda target that answers every request with who the client is.

mod answer;
mod page;

use std::process::ExitCode;

use alb_mtls_settings::help_if_asked;
use lambda_http::tower::service_fn;

const ABOUT: &str = "A Lambda target that answers every request with who the client is.";

fn main() -> ExitCode {
    if let Some(help) = help_if_asked(ABOUT, &[&alb_mtls_gate::SETTINGS]) {
        print!("{help}");
        return ExitCode::SUCCESS;
    }
    alb_mtls_alb::block_on(alb_mtls_alb::serve(service_fn(answer::answer)))
}
