//! Key material from SSM Parameter Store or a file, looked up again when it is due, and never lost.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use alb_mtls_trust::{Content, Deadline, Loader, Source};
use tokio::sync::Mutex;

use crate::failure::Failure;

/// Longest time for one look-up while nothing is there yet, and while something is.
const FIRST_DEADLINE: Duration = Duration::from_secs(5);
const LATER_DEADLINE: Duration = Duration::from_secs(2);

/// Time until the next attempt after one that failed.
const AFTER_FAILURE: Duration = Duration::from_secs(30);

/// Largest secret that is read, in bytes. A parameter holds 8 KB at most.
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
pub(crate) struct Secrets(Loader);

impl Secrets {
    /// The content of a source, decrypted.
    ///
    /// # Errors
    /// What is wrong, with the source's name.
    pub(crate) async fn read(&self, source: &Source) -> Result<Secret, String> {
        let deadline = Deadline::after(FIRST_DEADLINE);
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
                Content::Unchanged => return Err(format!("`{source}`: was not read")),
            }
        }
        Ok(Secret(text))
    }
}

/// Something made of secrets, looked up again when it is due.
#[derive(Debug)]
pub(crate) struct Refreshed<T> {
    /// What it is, for logs.
    name: &'static str,
    interval: Duration,
    state: Mutex<State<T>>,
}

#[derive(Debug)]
struct State<T> {
    value: Option<Arc<T>>,
    due: Option<Instant>,
}

impl<T> Refreshed<T> {
    pub(crate) fn new(name: &'static str, interval: Duration) -> Self {
        Self {
            name,
            interval,
            state: Mutex::new(State {
                value: None,
                due: None,
            }),
        }
    }

    /// The value, from `load` when there is none or when it is due. What `load` cannot replace stays.
    ///
    /// # Errors
    /// When there is none and none can be loaded.
    pub(crate) async fn get<F>(&self, load: impl FnOnce() -> F) -> Result<Arc<T>, Failure>
    where
        F: Future<Output = Result<T, String>>,
    {
        let mut state = self.state.lock().await;
        let now = Instant::now();
        if let (Some(value), Some(due)) = (&state.value, state.due)
            && now < due
        {
            return Ok(Arc::clone(value));
        }
        let deadline = if state.value.is_none() {
            FIRST_DEADLINE
        } else {
            LATER_DEADLINE
        };
        let loaded = match tokio::time::timeout(deadline, load()).await {
            Ok(loaded) => loaded,
            Err(_) => Err(format!("there was no answer within {} s", deadline.as_secs())),
        };
        match loaded {
            Ok(value) => {
                let value = Arc::new(value);
                *state = State {
                    value: Some(Arc::clone(&value)),
                    due: Some(now + self.interval),
                };
                Ok(value)
            }
            Err(error) => {
                tracing::error!(what = self.name, explanation = %error, "key material cannot be read");
                state.due = Some(now + self.interval.min(AFTER_FAILURE));
                let lost = || Failure::Material(format!("the {} cannot be read: {error}", self.name));
                state.value.clone().ok_or_else(lost)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_last_good_value_stays_when_a_look_up_fails() {
        let refreshed = Refreshed::new("test keys", Duration::ZERO);
        assert!(matches!(
            refreshed.get(async || Err("no".to_owned())).await,
            Err(Failure::Material(_))
        ));
        assert_eq!(*refreshed.get(async || Ok(1)).await.unwrap(), 1);
        assert_eq!(*refreshed.get(async || Err("no".to_owned())).await.unwrap(), 1);
        assert_eq!(*refreshed.get(async || Ok(2)).await.unwrap(), 2);
    }

    #[tokio::test]
    async fn nothing_is_looked_up_before_it_is_due() {
        let refreshed = Refreshed::new("test keys", Duration::from_secs(3_600));
        assert_eq!(*refreshed.get(async || Ok(1)).await.unwrap(), 1);
        assert_eq!(*refreshed.get(async || Ok(2)).await.unwrap(), 1);
    }

    #[tokio::test]
    async fn files_are_read_within_bounds_and_errors_name_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pem");
        let source: Source = format!("file:{}", path.display()).parse().unwrap();
        let secrets = Secrets::default();
        assert!(
            secrets
                .read(&source)
                .await
                .unwrap_err()
                .starts_with(&format!("`{source}`: "))
        );
        std::fs::write(&path, "x".repeat(64 * 1024 + 1)).unwrap();
        assert!(secrets.read(&source).await.unwrap_err().contains("larger"));
        std::fs::write(&path, "key").unwrap();
        let secret = secrets.read(&source).await.unwrap();
        assert_eq!(
            (secret.0.as_str(), format!("{secret:?}").as_str()),
            ("key", "Secret")
        );
    }
}
