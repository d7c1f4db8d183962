//! An operator's changes, by the SDK, to the services that moto's server stands in for.

use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_ssm::config::{Credentials, SharedCredentialsProvider};
use aws_sdk_ssm::types::ParameterType;
use test_servers::Moto;

/// Returns the SDK's configuration for a service at this port of this machine.
pub(crate) fn sdk_config(port: u16) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::v2026_01_12())
        .region(Region::new("eu-central-1"))
        .credentials_provider(SharedCredentialsProvider::new(Credentials::new(
            "test", "test", None, None, "tests",
        )))
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .build()
}

pub(crate) struct Store {
    pub(crate) ssm: aws_sdk_ssm::Client,
    pub(crate) s3: aws_sdk_s3::Client,
}

/// Returns the operator's clients, past any proxy.
pub(crate) fn store() -> Store {
    let config = sdk_config(Moto::shared().port());
    let s3 = aws_sdk_s3::config::Builder::from(&config)
        .force_path_style(true)
        .build();
    Store {
        ssm: aws_sdk_ssm::Client::new(&config),
        s3: aws_sdk_s3::Client::from_conf(s3),
    }
}

impl Store {
    pub(crate) async fn put_parameter(&self, name: &str, value: &str) {
        self.put_parameter_of(name, value, ParameterType::String).await;
    }

    pub(crate) async fn put_parameter_of(&self, name: &str, value: &str, kind: ParameterType) {
        let request = self.ssm.put_parameter().name(name).value(value);
        request.r#type(kind).overwrite(true).send().await.unwrap();
    }

    pub(crate) async fn delete_parameter(&self, name: &str) {
        self.ssm.delete_parameter().name(name).send().await.unwrap();
    }

    /// A bucket with versions.
    pub(crate) async fn make_bucket(&self, bucket: &str) {
        use aws_sdk_s3::types::{
            BucketLocationConstraint, BucketVersioningStatus, CreateBucketConfiguration,
            VersioningConfiguration,
        };
        let location = CreateBucketConfiguration::builder()
            .location_constraint(BucketLocationConstraint::EuCentral1)
            .build();
        let request = self
            .s3
            .create_bucket()
            .bucket(bucket)
            .create_bucket_configuration(location);
        request.send().await.unwrap();
        let versioning = VersioningConfiguration::builder()
            .status(BucketVersioningStatus::Enabled)
            .build();
        let request = self
            .s3
            .put_bucket_versioning()
            .bucket(bucket)
            .versioning_configuration(versioning);
        request.send().await.unwrap();
    }

    /// Writes an object and returns its version id.
    pub(crate) async fn put_object(&self, bucket: &str, key: &str, content: &str) -> String {
        let body = ByteStream::from(content.as_bytes().to_vec());
        let request = self.s3.put_object().bucket(bucket).key(key).body(body);
        request.send().await.unwrap().version_id.unwrap()
    }
}
