//! `ssm:`: parameters of SSM Parameter Store.

use std::fmt;

use alb_mtls_settings::{Arn, is_partition};

#[cfg(feature = "aws")]
use super::place::{Fetching, Reading};
use super::place::{Place, Reason, Source, SourceForm, SourceUse};
use super::query;

pub(super) const PARAMETER: SourceForm = SourceForm {
    scheme: SCHEME,
    form: "ssm:/name",
    meaning: "one parameter, also with `:version` or `:label`, or by `ssm:` and its ARN",
    permissions: "`ssm:GetParameter` on the parameter; for a SecureString also `kms:Decrypt` on its key",
    uses: &[SourceUse::Keys, SourceUse::Pointer, SourceUse::Publishing],
    parse,
    suggest,
};

pub(super) const PATH: SourceForm = SourceForm {
    scheme: SCHEME,
    form: "ssm:/path/*",
    meaning: "every parameter directly below a path",
    permissions: "`ssm:GetParametersByPath` on the path; for a SecureString also `kms:Decrypt` on its key",
    uses: &[SourceUse::Pointer, SourceUse::Publishing],
    parse,
    suggest,
};

const SCHEME: &str = "ssm:";

fn suggest(word: &str) -> Option<String> {
    let is_parameter = Arn::split(word).is_some_and(|arn| arn.service == "ssm");
    is_parameter.then(|| format!("{SCHEME}{word}"))
}

/// Parameter of SSM Parameter Store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Parameter {
    /// Name, with `:version` or `:label` if there is one; or the whole ARN, for a parameter that
    /// another account shares.
    pub name: String,
    /// Region from the ARN or from `?region=`; otherwise that of the process.
    pub region: Option<String>,
}

/// Parameters directly below a path in SSM Parameter Store.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ParameterPath {
    /// Path that begins with a slash and ends without one, except for `/` itself.
    pub path: String,
    /// Region from `?region=`; otherwise that of the process.
    pub region: Option<String>,
}

impl Place for Parameter {
    fn form(&self) -> &'static SourceForm {
        &PARAMETER
    }

    #[cfg(feature = "aws")]
    fn read<'a>(&'a self, reading: Reading<'a>) -> Fetching<'a> {
        Box::pin(reader::read_one(self, reading))
    }

    fn check_writable(&self) -> Result<(), &'static str> {
        // Versions and labels are for reading, and a parameter of another account is written by its
        // owner.
        if self.name.contains(':') {
            Err("cannot be written: name the parameter alone, without ARN, version or label")
        } else {
            Ok(())
        }
    }
}

impl Place for ParameterPath {
    fn form(&self) -> &'static SourceForm {
        &PATH
    }

    #[cfg(feature = "aws")]
    fn read<'a>(&'a self, reading: Reading<'a>) -> Fetching<'a> {
        Box::pin(reader::read_path(self, reading))
    }
}

impl From<Parameter> for Source {
    fn from(parameter: Parameter) -> Self {
        Self::new(parameter)
    }
}

impl From<ParameterPath> for Source {
    fn from(path: ParameterPath) -> Self {
        Self::new(path)
    }
}

impl fmt::Display for Parameter {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ssm:{}", self.name)?;
        match &self.region {
            Some(region) if !self.name.starts_with("arn:") => write!(formatter, "?region={region}"),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for ParameterPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "ssm:{}/*", self.path.trim_end_matches('/'))?;
        match &self.region {
            Some(region) => write!(formatter, "?region={region}"),
            None => Ok(()),
        }
    }
}

fn parse(text: &str) -> Result<Source, Reason> {
    let (name, mut query) = query::split(text)?;
    let region = query.take_region()?;
    query.finish("region")?;

    if name.starts_with("arn:") {
        if region.is_some() {
            return Err("names its region twice, in the ARN and as a parameter".into());
        }
        return parse_arn(name).map(Source::new);
    }
    if let Some(path) = name.strip_suffix("/*") {
        let path = if path.is_empty() { "/" } else { path };
        check_name(path)?;
        if !path.starts_with('/') {
            return Err("needs a path that begins with a slash".into());
        }
        return Ok(Source::new(ParameterPath {
            path: path.into(),
            region,
        }));
    }
    check_name_and_selector(name)?;
    Ok(Source::new(Parameter {
        name: name.into(),
        region,
    }))
}

/// Parses `arn:aws:ssm:region:account:parameter/name`, where the name's own leading slash is the
/// one after `parameter`.
fn parse_arn(arn: &str) -> Result<Parameter, Reason> {
    let Some(parts) = Arn::split(arn).filter(|parts| parts.service == "ssm") else {
        return Err("is not the ARN of a parameter: `arn:aws:ssm:region:account:parameter/name`".into());
    };
    let Some(name) = parts.resource.strip_prefix("parameter/") else {
        return Err("is not the ARN of a parameter: `parameter/` is missing".into());
    };
    if name.ends_with("/*") {
        return Err(
            "is a path in an ARN, which Parameter Store cannot list: name the parameters one by one".into(),
        );
    }
    check_name_and_selector(name)?;
    query::check_account(parts.account)?;
    query::check_region(parts.region)?;
    if !is_partition(parts.partition) {
        return Err("is not the ARN of a parameter: the partition is unknown".into());
    }
    Ok(Parameter {
        name: arn.into(),
        region: Some(parts.region.to_owned()),
    })
}

/// Checks a name that can have `:version` or `:label` behind it.
fn check_name_and_selector(text: &str) -> Result<(), Reason> {
    let (name, selector) = match text.split_once(':') {
        None => (text, None),
        Some((name, selector)) => (name, Some(selector)),
    };
    check_name(name)?;
    check_selector(selector)
}

/// Longest name, in bytes: of the 2,048 characters that the service takes, 1,037 are reserved for
/// its own use.
///
/// Source: Systems Manager API reference, PutParameter, Name; the characters are from there too.
const MAX_NAME_BYTES: usize = 1_011;

fn check_name(name: &str) -> Result<(), Reason> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/');
    if name.is_empty() {
        Err("names no parameter".into())
    } else if name.contains('*') {
        Err("has a `*` that is not the whole last part of a path".into())
    } else if !name.bytes().all(allowed) {
        Err("has a character that parameter names do not have".into())
    } else if name != "/" && (name.contains("//") || name.ends_with('/')) {
        Err("has an empty part in its name".into())
    } else if name.len() > MAX_NAME_BYTES {
        Err("is longer than parameter names can be".into())
    } else {
        Ok(())
    }
}

fn check_selector(selector: Option<&str>) -> Result<(), Reason> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    match selector {
        None => Ok(()),
        Some(selector) if !selector.is_empty() && selector.bytes().all(allowed) => Ok(()),
        Some(_) => Err("has a version or label that parameters do not have".into()),
    }
}

#[cfg(feature = "aws")]
mod reader {
    use aws_sdk_ssm::error::{ProvideErrorMetadata, SdkError};
    use aws_sdk_ssm::types::Parameter as SsmParameter;

    use super::{Parameter, ParameterPath};
    use crate::aws::AwsClients;
    use crate::aws::explain::{code_of, describe, explain, status_of};
    use crate::document::Document;
    use crate::fetch_error::FetchError;
    use crate::source::place::Reading;

    /// Parameters in one answer: the most that `GetParametersByPath` takes for `MaxResults`.
    const PAGE: i32 = 10;

    impl AwsClients {
        /// Returns the client of SSM Parameter Store in this region, or in the region of the
        /// process.
        ///
        /// # Errors
        /// [`FetchError::Setup`] when neither is known.
        pub fn parameters(&self, region: Option<&str>) -> Result<aws_sdk_ssm::Client, FetchError> {
            self.client(region, aws_sdk_ssm::Client::new)
        }
    }

    /// Reads one parameter.
    pub(super) async fn read_one(
        parameter: &Parameter,
        reading: Reading<'_>,
    ) -> Result<Vec<Document>, FetchError> {
        let limit = reading.limit;
        let client = reading.aws.get().await.parameters(parameter.region.as_deref())?;
        let request = client.get_parameter().name(&parameter.name).with_decryption(true);
        let output = request
            .send()
            .await
            .map_err(|error| explain_ssm(error, "ssm:GetParameter"))?;
        let answered = output
            .parameter
            .ok_or_else(|| FetchError::Service("the service answered without a parameter".into()))?;
        if answered.value.as_ref().is_some_and(|value| value.len() > limit) {
            return Err(FetchError::TooLarge { limit });
        }
        Ok(vec![document(parameter.to_string(), answered)])
    }

    /// Reads every parameter directly below a path, all pages, in the order of their names.
    pub(super) async fn read_path(
        path: &ParameterPath,
        reading: Reading<'_>,
    ) -> Result<Vec<Document>, FetchError> {
        let client = reading.aws.get().await.parameters(path.region.as_deref())?;
        let mut parameters: Vec<SsmParameter> = Vec::new();
        let mut bytes = 0;
        let mut token: Option<String> = None;
        loop {
            let request = client
                .get_parameters_by_path()
                .path(&path.path)
                .recursive(false)
                .with_decryption(true)
                .max_results(PAGE)
                .set_next_token(token.clone());
            let page = request
                .send()
                .await
                .map_err(|error| explain_ssm(error, "ssm:GetParametersByPath"))?;
            for parameter in page.parameters.unwrap_or_default() {
                bytes += parameter.value.as_ref().map_or(0, String::len);
                parameters.push(parameter);
            }
            if bytes > reading.limit {
                return Err(FetchError::TooLarge { limit: reading.limit });
            }
            let next = page.next_token.filter(|next| !next.is_empty());
            if next.is_some() && next == token {
                return Err(FetchError::Service("the service repeats a page".into()));
            }
            token = next;
            if token.is_none() {
                break;
            }
        }
        if parameters.is_empty() {
            return Err(FetchError::NotFound(format!(
                "there is no parameter directly below `{}` (deeper ones do not count)",
                path.path
            )));
        }
        parameters.sort_by(|one, other| one.name.cmp(&other.name));
        let origin = |parameter: &SsmParameter| {
            let located = Parameter {
                name: parameter.name.clone().unwrap_or_default(),
                region: path.region.clone(),
            };
            located.to_string()
        };
        Ok(parameters
            .into_iter()
            .map(|parameter| document(origin(&parameter), parameter))
            .collect())
    }

    fn document(origin: String, parameter: SsmParameter) -> Document {
        let mut document = Document::new(origin, parameter.value.unwrap_or_default().into_bytes());
        document.revision.ssm_version = Some(parameter.version);
        document
    }

    fn explain_ssm<E>(
        error: SdkError<E, aws_sdk_ssm::config::http::HttpResponse>,
        permission: &str,
    ) -> FetchError
    where
        E: ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
    {
        let code = code_of(&error).unwrap_or_default();
        let message = error.as_service_error().and_then(ProvideErrorMetadata::message);
        let answer = describe(status_of(&error), Some(code), message);
        match code {
            "ParameterNotFound" => FetchError::NotFound("there is no such parameter".into()),
            "ParameterVersionNotFound" | "ParameterVersionLabelNotFound" => {
                FetchError::NotFound("the parameter has no such version or label".into())
            }
            "AccessDeniedException" | "AccessDenied" => FetchError::Forbidden(format!(
                "may not be read: allow this role {permission} on it, and kms:Decrypt on its key if it is a SecureString ({answer})"
            )),
            "InvalidKeyId" => FetchError::Forbidden(format!(
                "cannot be decrypted: allow this role kms:Decrypt on the parameter's key ({answer})"
            )),
            "ValidationException" => {
                FetchError::NotFound(format!("is not a parameter that can be read ({answer})"))
            }
            _ => explain(error),
        }
    }
}
