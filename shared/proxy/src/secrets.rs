//! Key material from SSM Parameter Store or a file.

use std::fmt;

use alb_mtls_trust::{Content, Deadline, FailedLookup, Loader, NoValue, Source};
use alb_mtls_verifier::PemError;

use crate::error::ForwardError;

/// Largest secret that is read, in bytes. A parameter has 8 KB at most.
const MAXIMUM: usize = 64 * 1024;

/// A secret's text. Its debug form shows nothing of it.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Secret(pub(crate) String);

impl fmt::Debug for Secret {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Secret")
    }
}

/// Reads secrets. The AWS SDK is set up at the first parameter that is read, if there is one.
#[derive(Debug, Default)]
pub struct Secrets(Loader);

impl Secrets {
    /// Returns the content of a source, decrypted.
    ///
    /// # Errors
    /// What is wrong, with the source's name.
    pub(crate) async fn read(&self, source: &Source, deadline: Deadline) -> Result<Secret, String> {
        let documents = self
            .0
            .fetch(source, &[], MAXIMUM, deadline)
            .await
            .map_err(|error| error.to_string())?;
        let mut text = String::new();
        for document in documents {
            match document.content {
                Content::New(bytes) => {
                    text.push_str(&String::from_utf8(bytes).map_err(|_| format!("`{source}`: is not text"))?);
                }
                Content::Unchanged | Content::List(_) => return Err(format!("`{source}`: was not read")),
            }
        }
        Ok(Secret(text))
    }
}

/// Explains why a secret is not PEM with what is wanted, and nothing of its content.
pub(crate) fn pem_problem(error: &PemError) -> String {
    match error {
        PemError::Label { line, label } if label == "ENCRYPTED PRIVATE KEY" => format!(
            "contains an encrypted private key, which begins in line {line}: `openssl pkey -in FILE -out key.pem` decrypts it"
        ),
        PemError::Label { line, label } if label.ends_with("PRIVATE KEY") => format!(
            "contains a key that is not in PKCS #8 PEM (`{label}`), which begins in line {line}: \
             `openssl pkcs8 -topk8 -nocrypt -in FILE -out key.pem` converts it"
        ),
        // Their text could be a part of a key.
        PemError::Marker { line, .. } | PemError::Trailing { line, .. } => {
            format!("is not valid PEM: line {line} is neither text nor a whole BEGIN or END line")
        }
        _ => format!("is not valid PEM: {error}"),
    }
}

/// Reports that something made of secrets could not be looked up; `name` says what it is.
pub(crate) fn report_failure<T>(name: &str, failure: &FailedLookup<'_, T, String>) {
    tracing::error!(
        what = name,
        explanation = %failure.error,
        failures = failure.failures,
        age_seconds = failure.age.map(|age| age.as_secs()),
        retry_after_seconds = failure.retry_after.as_secs(),
        "key material cannot be read"
    );
}

/// Returns the failure of a request that needs something made of secrets while there is none;
/// `name` says what it is.
pub(crate) fn missing(name: &str, unavailable: &NoValue<String>) -> ForwardError {
    ForwardError::Material(format!("the {name}: {unavailable}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn files_are_read_within_bounds_and_errors_name_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        let source: Source = format!("file:{}", path.display()).parse().unwrap();
        let secrets = Secrets::default();
        let deadline = Deadline::after(std::time::Duration::from_secs(5));
        assert!(
            secrets
                .read(&source, deadline)
                .await
                .unwrap_err()
                .starts_with(&format!("`{source}`: "))
        );
        std::fs::write(&path, "x".repeat(64 * 1024 + 1)).unwrap();
        assert!(
            secrets
                .read(&source, deadline)
                .await
                .unwrap_err()
                .contains("larger")
        );
        std::fs::write(&path, "key").unwrap();
        let secret = secrets.read(&source, deadline).await.unwrap();
        assert_eq!(
            (secret.0.as_str(), format!("{secret:?}").as_str()),
            ("key", "Secret")
        );
    }
}
