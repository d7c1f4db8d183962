//! The gate in front of a function in any language, as a Lambda layer.
//!
//! Lambda starts this program with the runtime's command line (`AWS_LAMBDA_EXEC_WRAPPER`). The
//! program starts itself once more, as a proxy of the Runtime API on this machine's loopback
//! address. Then it becomes the runtime, which asks that proxy for its events. So the exit code,
//! the signals and the output of the runtime are the same as without the layer.

mod extensions;
mod gate_process;
mod judge;
mod launch;
mod proxy;
mod recorder;
mod settings;
mod watch;

use std::process::ExitCode;

use alb_mtls_settings::help_if_asked;

const ABOUT: &str = "\
The gate in front of a Lambda function in any language: alb-mtls-layer RUNTIME [ARGUMENT...]

In Lambda: AWS_LAMBDA_EXEC_WRAPPER=/opt/alb-mtls. In the `bootstrap` of a custom runtime: exec /opt/alb-mtls ./my-runtime";

fn main() -> ExitCode {
    if let Some(help) = help_if_asked(ABOUT, &[&alb_mtls_gate::SETTINGS, &settings::SETTINGS]) {
        print!("{help}");
        return ExitCode::SUCCESS;
    }
    let mut arguments = std::env::args_os().skip(1);
    match (arguments.next(), arguments.next()) {
        (Some(first), Some(runtime)) if first == launch::GATE => gate_process::run(&runtime),
        (Some(program), first) => launch::launch(&program, first.into_iter().chain(arguments)),
        (None, _) => {
            eprintln!("the command line of a runtime is missing: alb-mtls-layer RUNTIME [ARGUMENT...]");
            ExitCode::from(2)
        }
    }
}
