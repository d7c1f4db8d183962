//! The operator's command line: one module for each sub-command.

mod authorize;
mod bundle;
mod clients;
pub mod console;
mod demo_pki;
mod deny;
mod doctor;
mod event;
pub mod files;
mod generate;
mod local;
mod policy;
mod probe;
pub mod vectors;
mod verify;

use std::process::ExitCode;

use clap::{CommandFactory, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  alb-mtls pki init
      make a demo PKI in .demo
  alb-mtls local --env MTLS_ANCHORS=file:$PWD/.demo/anchors.pem
      run the function `respond` behind a local load balancer
  alb-mtls event --pem .demo/good.pem
      print the event that a function would receive

Exit codes: 0 done or accepted, 1 rejected, 2 wrong usage or unreadable input";

/// Client-certificate authentication behind an Application Load Balancer: try it out, look inside,
/// operate it
#[derive(Debug, Parser)]
#[command(name = "alb-mtls", version = env!("ALB_MTLS_VERSION"), after_help = EXAMPLES, propagate_version = false)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

/// Sub-commands in the order of `--help`, the first steps first.
#[derive(Debug, Subcommand)]
enum Command {
    /// Make a demo PKI with valid and invalid client certificates
    Pki(demo_pki::PkiArguments),
    /// Run a load balancer on this machine in front of the functions
    Local(local::LocalArguments),
    /// Print the event that a load balancer would send to a function
    Event(event::EventArguments),
    /// Send a certificate to the built authorizer, as API Gateway would
    Authorize(authorize::AuthorizeArguments),
    /// Check trust anchors, and publish them to SSM Parameter Store or S3
    Bundle(bundle::BundleArguments),
    /// Deny clients within seconds: write the list of MTLS_DENY
    Deny(deny::DenyArguments),
    /// Check Cedar policies, and evaluate them for a request
    Policy(policy::PolicyArguments),
    /// Find unsafe configuration in a template or a deployed stack
    Doctor(doctor::DoctorArguments),
    /// Try a deployed load balancer and its gate from outside
    Probe(probe::ProbeArguments),
    /// List the clients in the logs of a function, with their trust anchors
    Clients(clients::ClientsArguments),
    /// Show the verdict on a client's certificates, check by check
    Verify(verify::VerifyArguments),
    /// Print the verdict on each case of a file of test vectors
    Vectors(vectors::VectorsArguments),
    /// Generate shell completions, man pages and the page of the documentation
    #[command(hide = true)]
    Generate(generate::GenerateArguments),
}

/// Runs the command line of this process.
pub fn run() -> ExitCode {
    match CommandLine::parse().command {
        Command::Pki(arguments) => demo_pki::run(arguments),
        Command::Local(arguments) => local::run(arguments),
        Command::Event(arguments) => event::run(arguments),
        Command::Authorize(arguments) => authorize::run(arguments),
        Command::Bundle(arguments) => bundle::run(arguments),
        Command::Deny(arguments) => deny::run(arguments),
        Command::Policy(arguments) => policy::run(arguments),
        Command::Doctor(arguments) => doctor::run(arguments),
        Command::Probe(arguments) => probe::run(arguments),
        Command::Clients(arguments) => clients::run(arguments),
        Command::Verify(arguments) => verify::run(arguments),
        Command::Vectors(arguments) => vectors::run(arguments),
        Command::Generate(arguments) => generate::run(&arguments, CommandLine::command()),
    }
}
