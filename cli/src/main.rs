use std::process::ExitCode;

fn main() -> ExitCode {
    alb_mtls::run()
}
