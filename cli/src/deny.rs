//! `alb-mtls deny`

mod change;
mod list;
mod place;
mod selection;
mod text;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::console::block_on;

const EXAMPLES: &str = "\
Examples:
  alb-mtls deny create s3://pki-trust/deny.txt
  alb-mtls deny add s3://pki-trust/deny.txt --pem stolen.pem --because 'stolen laptop, INC-4711'
  alb-mtls deny add ssm:/mtls/deny --serial 0A1B --issuer 'CN=Issuing CA,O=Example'
  alb-mtls deny add ssm:/mtls/deny --spiffe spiffe://example.org/ns/payments/sa/worker
  alb-mtls deny list s3://pki-trust/deny.txt --pem stolen.pem
  alb-mtls deny remove s3://pki-trust/deny.txt --pem stolen.pem

The list is what MTLS_DENY names. An entry counts in every gate within its MTLS_DENY_REFRESH, 5 s by default.

Exit codes: 0 done, or not denied; 1 nothing to remove, or denied; 2 wrong usage, or something cannot be read or written";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct DenyArguments {
    #[command(subcommand)]
    command: DenyCommand,
}

#[derive(Debug, Subcommand)]
enum DenyCommand {
    /// Deny a client, or every client under a CA
    Add(change::AddArguments),
    /// Take entries back
    Remove(change::RemoveArguments),
    /// Show the entries, or whether they deny a certificate
    List(list::ListArguments),
    /// Write a list without entries where there is none
    Create(change::CreateArguments),
}

pub(crate) fn run(arguments: DenyArguments) -> ExitCode {
    block_on(async {
        match arguments.command {
            DenyCommand::Add(arguments) => change::add(&arguments).await,
            DenyCommand::Remove(arguments) => change::remove(&arguments).await,
            DenyCommand::List(arguments) => list::run(&arguments).await,
            DenyCommand::Create(arguments) => change::create(&arguments).await,
        }
    })
}
