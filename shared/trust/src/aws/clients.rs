use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableCredentialsProvider;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::web_identity_token::WebIdentityTokenCredentialsProvider;
use aws_config::{BehaviorVersion, ConfigLoader, Region, SdkConfig};
use tokio::sync::OnceCell;

use crate::fetch_error::FetchError;

/// Clients of the AWS SDK, one for each service and region.
///
/// The environment decides which credentials are used, in this order. Nothing is asked over the
/// network that is not there:
///
/// 1. `AWS_ACCESS_KEY_ID`: the credentials in the environment, as Lambda sets them;
/// 2. `AWS_WEB_IDENTITY_TOKEN_FILE`: IAM roles for service accounts on EKS;
/// 3. `AWS_CONTAINER_CREDENTIALS_RELATIVE_URI` or `…_FULL_URI`: ECS tasks, EKS Pod Identity;
/// 4. else the SDK's default chain: profile files, then the instance metadata service. Profiles of
///    `aws sso login` are not supported; `aws configure export-credentials` turns them into the
///    first kind.
///
/// The region is `AWS_REGION`, or the profile's. `AWS_ENDPOINT_URL` and its kind are honoured.
#[derive(Debug)]
pub struct AwsClients {
    config: SdkConfig,
    /// Client of each type and region that was needed.
    clients: Mutex<HashMap<(TypeId, Region), Box<dyn Any + Send + Sync>>>,
}

impl AwsClients {
    /// Creates clients configured by the process's environment. Nothing is sent over the network
    /// yet.
    pub async fn from_environment() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
            .timeout_config(timeouts())
            .retry_config(retries());
        let loader = match CredentialsKind::of_environment(is_set) {
            CredentialsKind::Environment => {
                loader.credentials_provider(EnvironmentVariableCredentialsProvider::new())
            }
            CredentialsKind::WebIdentity => {
                with_provider_config(loader, |config| {
                    WebIdentityTokenCredentialsProvider::builder()
                        .configure(config)
                        .build()
                })
                .await
            }
            CredentialsKind::Container => {
                with_provider_config(loader, |config| {
                    EcsCredentialsProvider::builder().configure(config).build()
                })
                .await
            }
            CredentialsKind::DefaultChain => {
                loader.credentials_provider(DefaultCredentialsChain::builder().build().await)
            }
        };
        Self::new(loader.load().await)
    }

    /// Creates clients with the application's own configuration. Where it sets no time limits and
    /// retries, ours apply.
    pub fn new(config: SdkConfig) -> Self {
        let mut builder = config.to_builder();
        if config.timeout_config().is_none() {
            builder.set_timeout_config(Some(timeouts()));
        }
        if config.retry_config().is_none() {
            builder.set_retry_config(Some(retries()));
        }
        if config.behavior_version().is_none() {
            // A client without one would panic.
            builder.set_behavior_version(Some(BehaviorVersion::v2026_01_12()));
        }
        Self {
            config: builder.build(),
            clients: Mutex::default(),
        }
    }

    /// Returns the client of a service in this region, or in the region of the process. `make`
    /// makes it once for each region; sources have one method each that calls this.
    ///
    /// # Errors
    /// [`FetchError::Setup`] when neither region is known.
    pub(crate) fn client<T: Any + Clone + Send + Sync>(
        &self,
        region: Option<&str>,
        make: impl FnOnce(&SdkConfig) -> T,
    ) -> Result<T, FetchError> {
        let named = region.map(|region| Region::new(region.to_owned()));
        let Some(region) = named.or_else(|| self.config.region().cloned()) else {
            return Err(FetchError::Setup(
                "no region is known: set AWS_REGION, or name it in the source with `?region=`".into(),
            ));
        };
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        let key = (TypeId::of::<T>(), region.clone());
        let known = clients.get(&key).and_then(|client| client.downcast_ref::<T>());
        if let Some(client) = known {
            return Ok(client.clone());
        }
        let client = make(&self.config.to_builder().region(region).build());
        clients.insert(key, Box::new(client.clone()));
        Ok(client)
    }
}

/// Returns time limits that are short enough to retry a lost packet within the ten seconds that
/// Lambda allows for the start.
fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_secs(1))
        .operation_attempt_timeout(Duration::from_secs(2))
        .build()
}

/// Returns few retries: a lookup has a deadline, and the next one comes soon.
fn retries() -> RetryConfig {
    RetryConfig::standard()
        .with_max_attempts(3)
        .with_initial_backoff(Duration::from_millis(100))
        .with_max_backoff(Duration::from_secs(1))
}

async fn with_provider_config<P>(
    loader: ConfigLoader,
    make: impl FnOnce(&aws_config::provider_config::ProviderConfig) -> P,
) -> ConfigLoader
where
    P: aws_sdk_ssm::config::ProvideCredentials + 'static,
{
    let config = aws_config::provider_config::ProviderConfig::with_default_region().await;
    loader.credentials_provider(make(&config))
}

/// Origin of credentials.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum CredentialsKind {
    Environment,
    WebIdentity,
    Container,
    DefaultChain,
}

impl CredentialsKind {
    fn of_environment(is_set: impl Fn(&str) -> bool) -> Self {
        if is_set("AWS_ACCESS_KEY_ID") {
            Self::Environment
        } else if is_set("AWS_WEB_IDENTITY_TOKEN_FILE") {
            Self::WebIdentity
        } else if is_set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI")
            || is_set("AWS_CONTAINER_CREDENTIALS_FULL_URI")
        {
            Self::Container
        } else {
            Self::DefaultChain
        }
    }
}

/// Clients that are made when they are first needed.
#[derive(Debug, Default)]
pub(crate) struct LazyClients(OnceCell<AwsClients>);

impl LazyClients {
    pub(crate) fn with_config(config: SdkConfig) -> Self {
        Self(OnceCell::new_with(Some(AwsClients::new(config))))
    }

    #[cfg(test)]
    pub(crate) fn are_made(&self) -> bool {
        self.0.initialized()
    }

    pub(crate) async fn get(&self) -> &AwsClients {
        self.0.get_or_init(AwsClients::from_environment).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_environment_offers_decides_where_credentials_come_from() {
        let kind_with = |names: &[&str]| CredentialsKind::of_environment(|name| names.contains(&name));
        let container = "AWS_CONTAINER_CREDENTIALS_FULL_URI";
        let web_identity = "AWS_WEB_IDENTITY_TOKEN_FILE";
        assert_eq!(
            kind_with(&["AWS_ACCESS_KEY_ID", container]),
            CredentialsKind::Environment
        );
        assert_eq!(
            kind_with(&[web_identity, container]),
            CredentialsKind::WebIdentity
        );
        assert_eq!(kind_with(&[container]), CredentialsKind::Container);
        assert_eq!(
            kind_with(&["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"]),
            CredentialsKind::Container
        );
        assert_eq!(kind_with(&["AWS_PROFILE"]), CredentialsKind::DefaultChain);
    }

    #[test]
    fn without_a_region_it_says_what_to_set() {
        let clients = AwsClients::new(SdkConfig::builder().build());
        let problem = clients.objects(None).unwrap_err();
        assert!(problem.to_string().contains("set AWS_REGION"), "{problem}");
    }
}
