//! `alb-mtls pki`

mod files;
mod init;
mod issue;
mod revoke;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::console::finish;

const EXAMPLES: &str = "\
Examples:
  alb-mtls pki init
  alb-mtls pki issue --name worker --uri spiffe://example.org/worker --days 30
  alb-mtls pki revoke --name worker
  alb-mtls pki issue --name ops --subject 'CN=ops,OU=Admins,O=Example' --key rsa-2048

The private keys lie unencrypted in the directory, readable by their owner: for trying things out, not for production.";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct PkiArguments {
    #[command(subcommand)]
    command: PkiCommand,
}

#[derive(Debug, Subcommand)]
enum PkiCommand {
    /// Make the demo PKI; an existing one is kept
    Init(init::InitArguments),
    /// Issue one more client certificate from the demo PKI
    Issue(issue::IssueArguments),
    /// Revoke a client certificate of the demo PKI
    Revoke(revoke::RevokeArguments),
}

pub(crate) fn run(arguments: PkiArguments) -> ExitCode {
    match arguments.command {
        PkiCommand::Init(arguments) => finish(init::run(&arguments)),
        PkiCommand::Issue(arguments) => finish(issue::run(&arguments)),
        PkiCommand::Revoke(arguments) => finish(revoke::run(&arguments)),
    }
}
