//! Writing parameters.

use alb_mtls_trust::{AwsClients, Parameter, ParameterPath};
use alb_mtls_verifier::Fingerprint;
use aws_sdk_ssm::types::{ParameterTier, ParameterType};

use super::service_error::explain;

/// Most names that one call of DeleteParameters takes.
const DELETIONS: usize = 10;

/// Size limit and price class of a parameter.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Tier {
    /// 4 KB, free of charge
    #[default]
    Standard,
    /// 8 KB, charged
    Advanced,
}

impl Tier {
    const fn bytes(self) -> usize {
        match self {
            Self::Standard => 4_096,
            Self::Advanced => 8_192,
        }
    }
}

/// Writes one parameter.
pub(crate) async fn write_one(
    clients: &AwsClients,
    parameter: &Parameter,
    value: &str,
    tier: Tier,
) -> Result<(), String> {
    if value.len() > tier.bytes() {
        return Err(format!(
            "the bundle has {} bytes and `{parameter}` holds {}: publish below a path with `ssm:{}/*`, or to S3 with \
             `--pointer {parameter}`",
            value.len(),
            tier.bytes(),
            parameter.name
        ));
    }
    let client = clients
        .parameters(parameter.region.as_deref())
        .map_err(|error| error.to_string())?;
    put(&client, &parameter.name, value, tier).await
}

/// Parameters written and deleted below a path.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) written: Vec<String>,
    pub(crate) deleted: Vec<String>,
}

/// Makes the parameters below a path hold exactly these certificates.
///
/// A parameter is named by what it holds and never changes. The new ones are all written before an
/// old one is deleted, so that a reader in between finds every certificate that stays; after a
/// failure, publishing again goes on.
pub(crate) async fn write_path(
    clients: &AwsClients,
    path: &ParameterPath,
    certificates: &[String],
    tier: Tier,
) -> Result<Written, String> {
    let client = clients
        .parameters(path.region.as_deref())
        .map_err(|error| error.to_string())?;
    let wanted: Vec<(String, String)> = pack(certificates, tier)?
        .into_iter()
        .map(|value| (name_below(path, &value), value))
        .collect();
    let present = names_below(&client, path).await?;
    let mut written = Vec::new();
    for (name, value) in &wanted {
        if !present.contains(name) {
            put(&client, name, value, tier).await?;
            written.push(name.clone());
        }
    }
    let deleted: Vec<String> = present
        .into_iter()
        .filter(|name| wanted.iter().all(|(other, _)| other != name))
        .collect();
    for names in deleted.chunks(DELETIONS) {
        let request = client.delete_parameters().set_names(Some(names.to_vec()));
        request
            .send()
            .await
            .map_err(|error| explain(error, "delete parameters", "ssm:DeleteParameters"))?;
    }
    Ok(Written { written, deleted })
}

/// As few values as possible, in order, none of them with half a certificate.
fn pack(certificates: &[String], tier: Tier) -> Result<Vec<String>, String> {
    let mut values: Vec<String> = Vec::new();
    for (certificate, entry) in certificates.iter().zip(1..) {
        if certificate.len() > tier.bytes() {
            return Err(format!(
                "certificate {entry} has {} bytes and a parameter holds {}: {}",
                certificate.len(),
                tier.bytes(),
                match tier {
                    Tier::Standard => "use `--tier advanced` or publish to S3",
                    Tier::Advanced => "publish to S3",
                }
            ));
        }
        match values.last_mut() {
            Some(value) if value.len() + certificate.len() <= tier.bytes() => value.push_str(certificate),
            _ => values.push(certificate.clone()),
        }
    }
    Ok(values)
}

fn name_below(path: &ParameterPath, value: &str) -> String {
    let digest = Fingerprint::of(value.as_bytes()).to_string();
    let short: String = digest.chars().take(32).collect();
    format!("{}/{short}", path.path.trim_end_matches('/'))
}

async fn names_below(client: &aws_sdk_ssm::Client, path: &ParameterPath) -> Result<Vec<String>, String> {
    let request = client.get_parameters_by_path().path(&path.path).recursive(false);
    let mut pages = request.into_paginator().send();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.map_err(|error| explain(error, "list the parameters", "ssm:GetParametersByPath"))?;
        let parameters = page.parameters.unwrap_or_default();
        names.extend(parameters.into_iter().filter_map(|parameter| parameter.name));
    }
    Ok(names)
}

async fn put(client: &aws_sdk_ssm::Client, name: &str, value: &str, tier: Tier) -> Result<(), String> {
    let request = client
        .put_parameter()
        .name(name)
        .value(value)
        .r#type(ParameterType::String)
        .tier(match tier {
            Tier::Standard => ParameterTier::Standard,
            Tier::Advanced => ParameterTier::Advanced,
        })
        .overwrite(true);
    let action = format!("write the parameter `{name}`");
    request
        .send()
        .await
        .map_err(|error| explain(error, &action, "ssm:PutParameter"))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn certificates_stay_whole_and_in_order_and_share_parameters() {
        let certificates: Vec<String> = ["a", "b", "c", "d"]
            .iter()
            .map(|letter| letter.repeat(2_000))
            .collect();
        let values = pack(&certificates, Tier::Standard).unwrap();
        assert_eq!(values.concat(), certificates.concat());
        assert_eq!(values.iter().map(String::len).collect::<Vec<_>>(), [4_000, 4_000]);
        assert_eq!(pack(&certificates, Tier::Advanced).unwrap().len(), 1);
    }

    #[test]
    fn a_certificate_that_fits_nowhere_is_refused_with_the_way_out() {
        let large = ["x".repeat(4_097)];
        assert!(
            pack(&large, Tier::Standard)
                .unwrap_err()
                .contains("`--tier advanced`")
        );
        assert!(pack(&large, Tier::Advanced).is_ok());
        let larger = ["x".repeat(8_193)];
        assert!(
            pack(&larger, Tier::Advanced)
                .unwrap_err()
                .contains("publish to S3")
        );
        assert_eq!(pack(&["x".repeat(4_096)], Tier::Standard).unwrap().len(), 1);
    }
}
