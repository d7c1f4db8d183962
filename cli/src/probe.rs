//! `alb-mtls probe`

mod answer;
mod checks;
mod client;
mod connection;
mod facts;
mod findings;
mod report;
mod route;
mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use alb_mtls_http::forms::CERTIFICATE_HEADER;
use clap::Args;
use http::HeaderName;
use rustls::RootCertStore;

use self::checks::Probe;
use self::client::{Client, ClientError, Strangers};
use self::connection::{Connector, UnreachableError};
use self::report::Report;
use self::route::{Redirection, Target, place};
use self::verdict::Deployment;
use crate::console::{Colours, block_on, finish_with, note};
use crate::files::{self, FileError};

const EXAMPLES: &str = "\
Examples:
  alb-mtls probe https://gate.example.org/ --cert client.pem --key client.key
      valid, unknown, expired and forged clients, each with a handshake of its own
  alb-mtls probe https://gate.example.org/ --connect-to gate.example.org:443:gate-1.us-east-1.elb.amazonaws.com:443 \\
      --cert client.pem --key client.key --refused-cert revoked.pem --refused-key revoked.key --header \"$header\"
      a load balancer without a DNS name of its own yet, a revoked client, and copies of the renamed header

It sends about 30 requests, one after the other, and changes nothing. The private keys stay on this machine.
Exit codes: 0 everything as expected; 1 findings; 2 wrong usage, unusable files, or the URL cannot be reached";

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ProbeArguments {
    /// URL of the load balancer: a name of its certificate, and a path that the client can ask for
    url: Target,

    /// Chain of a valid client, leaf first, PEM
    #[arg(long, value_name = "FILE")]
    cert: PathBuf,

    /// Private key of the valid client, PEM
    #[arg(long, value_name = "FILE")]
    key: PathBuf,

    /// Chain of a client that must be refused, such as a revoked or an expired one; repeatable
    #[arg(long, value_name = "FILE", requires = "refused_key")]
    refused_cert: Vec<PathBuf>,

    /// Private key of that client, in the same order
    #[arg(long, value_name = "FILE", requires = "refused_cert")]
    refused_key: Vec<PathBuf>,

    /// The listener's name for the certificate header, for forged copies of it; it is not printed
    #[arg(long, value_name = "NAME")]
    header: Option<HeaderName>,

    /// CA of the server's certificate, PEM [default: those of the system]
    #[arg(long, value_name = "FILE")]
    cacert: Option<PathBuf>,

    /// Connect to another host and port, as curl does; repeatable
    #[arg(long, value_name = "HOST:PORT:HOST:PORT", value_parser = Redirection::connect_to)]
    connect_to: Vec<Redirection>,

    /// Connect to this address, as curl does; repeatable
    #[arg(long, value_name = "HOST:PORT:ADDRESS", value_parser = Redirection::resolve)]
    resolve: Vec<Redirection>,

    /// A status of the service for an allowed client, beside 200 to 299; repeatable
    #[arg(long, value_name = "STATUS", value_parser = clap::value_parser!(u16).range(200..=599))]
    accepted: Vec<u16>,

    /// Requests without a certificate are allowed on purpose (MTLS_MODE=optional, a public route)
    #[arg(long)]
    anonymous: bool,

    /// Seconds that an answer may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=120))]
    timeout: u64,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

#[derive(Debug, thiserror::Error)]
enum ProbeError {
    #[error(
        "there are {0} of --refused-cert and {1} of --refused-key: each certificate needs its key, in the same order"
    )]
    Pairs(usize, usize),
    #[error(
        "`--header` is the default name, which is always tried; give the name that the listener's attribute has"
    )]
    DefaultHeader,
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Unreachable(#[from] UnreachableError),
}

pub(crate) fn run(arguments: ProbeArguments) -> ExitCode {
    block_on(async {
        let is_json = arguments.json;
        let result = probe(arguments).await;
        finish_with(result.map(|report| {
            let text = match is_json {
                true => report.to_json(),
                false => report.to_text(Colours::of_stdout()),
            };
            (text, report.exit())
        }))
    })
}

async fn probe(arguments: ProbeArguments) -> Result<Report, ProbeError> {
    let (certificates, keys) = (&arguments.refused_cert, &arguments.refused_key);
    if certificates.len() != keys.len() {
        return Err(ProbeError::Pairs(certificates.len(), keys.len()));
    }
    let header = arguments.header;
    if header.as_ref().is_some_and(|name| name == CERTIFICATE_HEADER) {
        return Err(ProbeError::DefaultHeader);
    }
    let valid = Client::load(&arguments.cert, &arguments.key)?;
    let mut refused = Vec::new();
    for (number, (certificate, key)) in certificates.iter().zip(keys).enumerate() {
        refused.push((format!("refused-{}", number + 1), Client::load(certificate, key)?));
    }
    let redirections = [arguments.connect_to, arguments.resolve].concat();
    let place = place(&arguments.url, &redirections);
    let authorities = server_authorities(arguments.cacert.as_deref())?;
    let limit = Duration::from_secs(arguments.timeout);
    let connector = Connector::new(arguments.url, place, authorities, limit).await?;
    if !connector.reach().await? {
        note(
            "note: the handshake without a client certificate fails: the listener is not in passthrough mode",
        );
    }
    let probe = Probe {
        connector,
        deployment: Deployment {
            is_anonymous_allowed: arguments.anonymous,
            accepted: arguments.accepted,
        },
        valid,
        refused,
        header,
        strangers: Strangers::new()?,
    };
    let checks = probe.run().await?;
    let facts = probe.facts(&checks).await?;
    Ok(Report::new(probe.connector.target(), checks, facts))
}

/// Returns the CAs of a file, or those of the system.
fn server_authorities(file: Option<&std::path::Path>) -> Result<RootCertStore, ProbeError> {
    let mut store = RootCertStore::empty();
    let Some(file) = file else {
        let found = rustls_native_certs::load_native_certs();
        store.add_parsable_certificates(found.certs);
        return match store.is_empty() {
            false => Ok(store),
            true => Err(UnreachableError::Authorities(
                "the system has none that can be read; name one with `--cacert`".to_owned(),
            )
            .into()),
        };
    };
    let authorities = files::trust_anchors(file).map_err(ClientError::from)?;
    for authority in authorities.iter() {
        store
            .add(authority.certificate().clone())
            .map_err(|error| ClientError::from(FileError::unusable(file, &error)))?;
    }
    Ok(store)
}
