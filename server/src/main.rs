//! The gate as a container: an authorization service that proxies ask, and a reverse proxy.

mod admin;
mod authorize;
mod body;
mod connection;
mod lifecycle;
mod listener;
mod once_a_second;
mod places;
mod proxy;
mod settings;
mod start;
mod traces;
mod tunnel;
mod workers;

use std::process::ExitCode;

use alb_mtls_settings::{Table, help_if_asked};

const ABOUT: &str =
    "The gate behind a load balancer, as an authorization service that proxies ask, and as a reverse proxy.";

const TABLES: [&Table; 3] = [
    &settings::SETTINGS,
    &alb_mtls_proxy::SETTINGS,
    &alb_mtls_gate::SETTINGS,
];

fn main() -> ExitCode {
    if let Some(help) = help_if_asked(ABOUT, &TABLES) {
        print!("{help}");
        return ExitCode::SUCCESS;
    }
    if std::env::args_os()
        .nth(1)
        .is_some_and(|argument| argument == "--version")
    {
        println!("alb-mtls-server {}", env!("CARGO_PKG_VERSION"));
        return ExitCode::SUCCESS;
    }
    start::start()
}
