//! `alb-mtls verify`

mod damage;
mod input;
mod report;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use alb_mtls_http::forms::{CERTIFICATE_HEADER, READ};
use alb_mtls_http::{HeaderFormat, HeaderLimits};
use alb_mtls_trust::{OcspClient, OcspResponder, OcspSettings, PrivateNetwork};
use alb_mtls_verifier::{
    ExtendedKeyUsageOption, IdentityExtensions, Intermediates, PresentedChain, RevocationLists,
    RevocationMode, RevocationOptions, SignatureAlgorithms, StatusSources, Timestamp, Verifier,
    VerifyOptions, read_intermediates, read_revocation_lists,
};
use clap::{ArgGroup, Args};

use crate::console::{Colours, Exit, finish_with};
use crate::files::{self, FileError, read};
use damage::Given;
use input::{Input, InputError};
use report::Report;

const EXAMPLES: &str = "\
Examples:
  alb-mtls verify --anchors .demo/anchors.pem --pem .demo/good.pem
  alb-mtls verify --anchors anchors.pem --header header.txt --at 2026-11-22T05:29:00Z
  alb-mtls verify --anchors anchors.pem --event event.json --json
  alb-mtls verify --anchors anchors.pem --pem client.pem --ocsp http://ocsp.example.com/
  pbpaste | alb-mtls verify --anchors anchors.pem --header -

`-` reads the standard input. NO_COLOR or a pipe turns colours off.
Exit codes: 0 accepted, 1 rejected, 2 wrong usage or unreadable input";

/// CRLs of half a million entries are about this long.
const MAX_LIST_BYTES: usize = 256 * 1024 * 1024;

#[derive(Args, Debug)]
#[command(after_help = EXAMPLES)]
#[command(group = ArgGroup::new("client").required(true))]
#[command(group = ArgGroup::new("status").multiple(true))]
pub(crate) struct VerifyArguments {
    /// PEM file of trust anchors, as MTLS_ANCHORS
    #[arg(long, value_name = "FILE")]
    anchors: PathBuf,

    /// PEM file of intermediates, as MTLS_INTERMEDIATES
    #[arg(long, value_name = "FILE")]
    intermediates: Option<PathBuf>,

    /// File of CRLs, PEM or DER, as MTLS_CRLS
    #[arg(long, value_name = "FILE", group = "status")]
    crls: Option<PathBuf>,

    /// OCSP responder to ask, a word of MTLS_OCSP, such as http://ocsp.example.com/; repeatable
    #[arg(long, value_name = "RESPONDER", group = "status")]
    ocsp: Vec<OcspResponder>,

    /// Network that is not public and whose responders may be asked, as MTLS_OCSP_NETWORKS
    #[arg(long, value_name = "NETWORK", requires = "ocsp")]
    ocsp_networks: Vec<PrivateNetwork>,

    /// Order of preference with --crls and --ocsp, as MTLS_REVOCATION_SOURCES: crl,ocsp or ocsp,crl
    #[arg(long, value_name = "SOURCES", requires = "crls", requires = "ocsp")]
    revocation_sources: Option<StatusSources>,

    /// Handling of an unknown revocation status, as MTLS_REVOCATION: soft or strict
    #[arg(long, value_name = "MODE", default_value = "strict", requires = "status")]
    revocation: RevocationMode,

    /// Time of the verification in RFC 3339 [default: now]
    #[arg(long, value_name = "TIME")]
    at: Option<Timestamp>,

    /// File with the value of the certificate header
    #[arg(long, value_name = "FILE", group = "client")]
    header: Option<PathBuf>,

    /// File with the client's certificate chain, leaf first: PEM, or one certificate in DER
    #[arg(long, value_name = "FILE", group = "client")]
    pem: Option<PathBuf>,

    /// Event of a load balancer or of API Gateway in JSON
    #[arg(long, value_name = "FILE", group = "client")]
    event: Option<PathBuf>,

    #[arg(long, value_name = "FORMAT", default_value_t, help = format_help())]
    format: HeaderFormat,

    /// Name of the header in the event, as MTLS_HEADER
    #[arg(long, value_name = "NAME", default_value = CERTIFICATE_HEADER)]
    header_name: String,

    /// Maximum size of the header in bytes, as MTLS_MAX_HEADER
    #[arg(long, value_name = "BYTES", default_value_t = 16_384)]
    max_header: usize,

    /// Maximum number of certificates below the trust anchor, as MTLS_MAX_DEPTH
    #[arg(long, value_name = "NUMBER", default_value_t = 4)]
    max_depth: usize,

    /// Extended key usage, as MTLS_EKU: if-present or required
    #[arg(long, value_name = "POLICY", default_value_t)]
    eku: ExtendedKeyUsageOption,

    /// Extensions that are part of the identity, as MTLS_EXTENSIONS
    #[arg(long, value_name = "OIDS")]
    extensions: Option<IdentityExtensions>,

    /// Signature algorithms that are allowed, as MTLS_SIGNATURES [default: all]
    #[arg(long, value_name = "ALGORITHMS")]
    signatures: Option<SignatureAlgorithms>,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

fn format_help() -> String {
    format!(
        "Format of certificates in the header, as MTLS_HEADER_FORMAT: {}",
        READ.join(", ")
    )
}

#[derive(Debug, thiserror::Error)]
enum VerifyError {
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(
        "`{}` contains the certificate of a client and `{}` that of a CA: give --anchors the CA and --pem the client",
        anchors.display(),
        pem.display()
    )]
    Swapped { anchors: PathBuf, pem: PathBuf },
}

pub(crate) fn run(arguments: VerifyArguments) -> ExitCode {
    finish_with(arguments.report().map(|report| {
        let text = match arguments.json {
            true => format!("{:#}\n", report.to_json()),
            false => report.to_text(Colours::of_stdout()),
        };
        (text, Exit::accepted(report.is_accepted()))
    }))
}

impl VerifyArguments {
    fn report(&self) -> Result<Report, VerifyError> {
        let (verifier, given) = self
            .verifier()
            .map_err(|error| self.swapped().unwrap_or_else(|| error.into()))?;
        let limits = HeaderLimits {
            max_bytes: self.max_header,
            max_certificates: 2 * self.max_depth,
        };
        let input = match (&self.header, &self.pem, &self.event) {
            (Some(path), ..) => Input::header(&read(path)?, self.format),
            (_, Some(path), _) => Input::Chain(files::presented_chain(path)?),
            (_, _, Some(path)) => Input::event(&read(path)?, path, &self.header_name, self.format)?,
            // clap asks for one of them.
            (None, None, None) => Input::header(&[], self.format),
        };
        let now = self.at.unwrap_or_else(Timestamp::now);
        let explain = |chain: &PresentedChain| match self.ocsp() {
            None => verifier.explain(chain, now),
            Some(ocsp) => {
                wait_for(ocsp.explain(&verifier, chain, now)).unwrap_or_else(|| verifier.explain(chain, now))
            }
        };
        Ok(Report::new(input, limits, &given, explain, now))
    }

    /// Returns an error if the files of anchors and client are in the place of each other.
    fn swapped(&self) -> Option<VerifyError> {
        let pem = self.pem.as_ref()?;
        files::presented_chain(&self.anchors).ok()?;
        // A client's chain can contain CAs, but cannot be used as trust anchors as a whole.
        files::trust_anchors(pem).ok()?;
        files::trust_anchors(&self.anchors).err()?;
        Some(VerifyError::Swapped {
            anchors: self.anchors.clone(),
            pem: pem.clone(),
        })
    }

    fn verifier(&self) -> Result<(Verifier, Given), FileError> {
        let anchors = files::trust_anchors(&self.anchors)?;
        let intermediates = match &self.intermediates {
            None => Intermediates::default(),
            Some(path) => {
                read_intermediates(&read(path)?).map_err(|error| FileError::unusable(path, &error))?
            }
        };
        let lists = match &self.crls {
            None => None,
            Some(path) => {
                let lists = read_revocation_lists(read(path)?.as_slice(), MAX_LIST_BYTES)
                    .map_err(|error| FileError::unusable(path, &error))?;
                Some(Arc::new(RevocationLists::new(
                    lists,
                    &anchors,
                    &intermediates,
                    None,
                )))
            }
        };
        let policy = VerifyOptions {
            max_depth: self.max_depth,
            extended_key_usage: self.eku,
            signatures: self.signatures.unwrap_or_default(),
        };
        let verifier = Verifier::new(anchors, intermediates, policy)
            .with_identity_extensions(self.extensions.clone().unwrap_or_default());
        let given = Given {
            intermediates: self.intermediates.is_some(),
            lists: lists.clone(),
        };
        let sources = match self.ocsp() {
            None => StatusSources::Crl,
            Some(ocsp) => ocsp.settings().sources,
        };
        let verifier = match (lists, sources) {
            (None, StatusSources::Crl) => verifier,
            (lists, sources) => verifier.with_status_sources(lists, self.options(), sources),
        };
        Ok((verifier, given))
    }

    fn options(&self) -> RevocationOptions {
        RevocationOptions {
            mode: self.revocation,
            ..RevocationOptions::default()
        }
    }

    /// Returns the client of the responders that are given.
    fn ocsp(&self) -> Option<OcspClient> {
        if self.ocsp.is_empty() {
            return None;
        }
        let by_default = match self.crls {
            None => StatusSources::Ocsp,
            Some(_) => StatusSources::CrlThenOcsp,
        };
        Some(OcspClient::new(OcspSettings {
            options: self.options(),
            sources: self.revocation_sources.unwrap_or(by_default),
            responders: self.ocsp.iter().cloned().collect(),
            private_networks: self.ocsp_networks.iter().map(|network| network.0).collect(),
            timeout: OCSP_TIMEOUT,
            refresh: OCSP_TIMEOUT,
        }))
    }
}

/// Time for a responder, for an operator who looks.
const OCSP_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs a future to its end; `None` on a machine that cannot start a runtime.
fn wait_for<F: Future>(future: F) -> Option<F::Output> {
    let mut builder = tokio::runtime::Builder::new_current_thread();
    let runtime = builder.enable_all().build().ok()?;
    Some(runtime.block_on(future))
}
