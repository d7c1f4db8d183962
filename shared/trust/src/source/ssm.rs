use aws_sdk_ssm::error::SdkError;
use aws_sdk_ssm::types::Parameter as SsmParameter;

use super::AwsClients;
use super::explain::{code_of, describe, explain, status_of};
use crate::document::Document;
use crate::error::SourceProblem;
use crate::source::{Parameter, ParameterPath};

/// What Parameter Store hands out at once.
const PAGE: i32 = 10;

/// Reads one parameter.
pub(crate) async fn read_one(
    clients: &AwsClients,
    parameter: &Parameter,
    origin: String,
    limit: usize,
) -> Result<Document, SourceProblem> {
    let client = clients.parameters(parameter.region.as_deref())?;
    let request = client.get_parameter().name(&parameter.name).with_decryption(true);
    let output = request
        .send()
        .await
        .map_err(|error| explain_ssm(error, "ssm:GetParameter"))?;
    let answered = output
        .parameter
        .ok_or_else(|| SourceProblem::Service("the service answered without a parameter".into()))?;
    if answered.value.as_ref().is_some_and(|value| value.len() > limit) {
        return Err(SourceProblem::TooLarge { limit });
    }
    Ok(document(origin, answered))
}

/// Reads every parameter directly below a path, all pages, in the order of their names.
pub(crate) async fn read_path(
    clients: &AwsClients,
    path: &ParameterPath,
    limit: usize,
) -> Result<Vec<Document>, SourceProblem> {
    let client = clients.parameters(path.region.as_deref())?;
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
        if bytes > limit {
            return Err(SourceProblem::TooLarge { limit });
        }
        let next = page.next_token.filter(|next| !next.is_empty());
        if next.is_some() && next == token {
            return Err(SourceProblem::Service("the service repeats a page".into()));
        }
        token = next;
        if token.is_none() {
            break;
        }
    }
    if parameters.is_empty() {
        return Err(SourceProblem::NotFound(format!(
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
) -> SourceProblem
where
    E: aws_sdk_ssm::error::ProvideErrorMetadata + std::error::Error + Send + Sync + 'static,
{
    let code = code_of(&error).unwrap_or_default();
    let message = error
        .as_service_error()
        .and_then(aws_sdk_ssm::error::ProvideErrorMetadata::message);
    let answer = describe(status_of(&error), Some(code), message);
    match code {
        "ParameterNotFound" => SourceProblem::NotFound("there is no such parameter".into()),
        "ParameterVersionNotFound" | "ParameterVersionLabelNotFound" => {
            SourceProblem::NotFound("the parameter has no such version or label".into())
        }
        "AccessDeniedException" | "AccessDenied" => SourceProblem::Forbidden(format!(
            "may not be read: allow this role {permission} on it, and kms:Decrypt on its key if it is a SecureString ({answer})"
        )),
        "InvalidKeyId" => SourceProblem::Forbidden(format!(
            "cannot be decrypted: allow this role kms:Decrypt on the parameter's key ({answer})"
        )),
        "ValidationException" => {
            SourceProblem::NotFound(format!("is not a parameter that can be read ({answer})"))
        }
        _ => explain(error),
    }
}
