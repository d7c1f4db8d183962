//! Objects that `refresh-crls` publishes CRLs as, for the setting that names them to the gate.

use std::process::ExitCode;

use alb_mtls_trust::{CrlDestination, CrlLocation, CrlPlan, Loader, S3Object, SkippedCrl, Source, Sources};
use clap::Args;
use serde_json::{Value, json};

use super::{SourceOrPath, patience};
use crate::console::{Exit, finish, finish_with, note};

const EXIT_CODES: &str = "\
The CRL of a URL is published as the destination followed by the URL without its scheme. The answer is escaped as
MTLS_CRLS takes it, and URLs that are not fetched are named on stderr.

Exit codes: 0 done, 1 none of the URLs is fetched, 2 wrong usage or a source that cannot be read";

#[derive(Args, Debug)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct CrlsArguments {
    /// URLs of CRLs, as in CRL_SOURCES
    #[arg(value_name = "URL", required_unless_present = "certificates")]
    urls: Vec<String>,

    /// CA certificates whose distribution points are fetched too, as with
    /// CRL_DISTRIBUTION_POINTS=fetch, may be repeated
    #[arg(long, value_name = "SOURCE")]
    certificates: Vec<SourceOrPath>,

    /// Place that CRLs are published to, as in CRL_DESTINATION: `s3://bucket/prefix/`
    #[arg(long, value_name = "LOCATION")]
    destination: String,

    /// Print JSON
    #[arg(long)]
    json: bool,
}

pub(crate) async fn run(arguments: &CrlsArguments) -> ExitCode {
    let published = match Published::find(arguments).await {
        Ok(published) => published,
        Err(error) => return finish(Err(error)),
    };
    let text = if arguments.json {
        format!("{:#}\n", published.json())
    } else {
        for SkippedCrl { url, reason, .. } in &published.plan.skipped {
            note(format!("skipped: `{url}` {reason}"));
        }
        published
            .setting()
            .map(|setting| format!("{setting}\n"))
            .unwrap_or_default()
    };
    let exit = Exit::accepted(!published.plan.locations.is_empty());
    finish_with(Ok::<_, String>((text, exit)))
}

/// Locations of CRLs, and the object that each is published as.
struct Published {
    plan: CrlPlan,
    objects: Vec<S3Object>,
}

impl Published {
    async fn find(arguments: &CrlsArguments) -> Result<Self, String> {
        let destination = arguments.destination.parse::<CrlDestination>().map_err(|error| {
            format!(
                "--destination holds `{}`: it takes {error}",
                arguments.destination
            )
        })?;
        // One argument may be the whole value of the setting.
        let words = arguments.urls.iter().flat_map(|urls| urls.split_whitespace());
        let named: Vec<CrlLocation> = words
            .map(|word| {
                let location = word.parse::<CrlLocation>();
                location.map_err(|error| format!("URL holds `{word}`: it takes {error}"))
            })
            .collect::<Result<_, _>>()?;
        destination
            .check_distinct(&named)
            .map_err(|error| error.to_string())?;
        let certificates = if arguments.certificates.is_empty() {
            Vec::new()
        } else {
            let sources = Sources::new(arguments.certificates.iter().map(|source| source.0.clone()))
                .map_err(|error| error.to_string())?;
            let read = Loader::new().certificates(&sources, patience()).await;
            read.map_err(|error| error.to_string())?
        };
        let plan = CrlPlan::new(&named, &certificates, &destination);
        let objects = plan
            .locations
            .iter()
            .map(|location| destination.object_for(location))
            .collect();
        Ok(Self { plan, objects })
    }

    /// Returns the value for `MTLS_CRLS`; `None` where nothing is published.
    fn setting(&self) -> Option<Sources> {
        Sources::new(self.objects.iter().cloned().map(Source::from)).ok()
    }

    fn json(&self) -> Value {
        let crls: Vec<Value> = self
            .plan
            .locations
            .iter()
            .zip(&self.objects)
            .map(|(location, object)| json!({"url": location.to_string(), "source": object.to_string(), "key": object.key}))
            .collect();
        let skipped: Vec<Value> = self
            .plan
            .skipped
            .iter()
            .map(|skipped| json!({"url": skipped.url, "reason": skipped.reason}))
            .collect();
        json!({
            "MTLS_CRLS": self.setting().map(|setting| setting.to_string()),
            "crls": crls,
            "skipped": skipped,
        })
    }
}
