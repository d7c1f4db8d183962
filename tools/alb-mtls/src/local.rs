//! `alb-mtls local`

use std::process::ExitCode;

use crate::outcome::finish;

#[derive(clap::Args, Debug)]
pub(crate) struct LocalArguments {}

pub(crate) fn run(_arguments: LocalArguments) -> ExitCode {
    finish(Err("the local load balancer is not part of this build yet"))
}
