//! A PKI, the bucket, and the function between them.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use alb_mtls_tests::Moto;
use local_alb::{Environment, FunctionCommand, FunctionOutput, InvocationOutcome, OutputLine};
use serde_json::Value;
use test_pki::{CertificateBuilder, Credential, Crl, CrlBuilder};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

pub(crate) const BUCKET: &str = "trust";

pub(crate) struct Deployment {
    pub(crate) root: Credential,
    pub(crate) issuing: Credential,
    pub(crate) moto: Moto,
    folder: tempfile::TempDir,
}

impl Deployment {
    pub(crate) fn new() -> Self {
        Self::with_issuing(|builder| builder)
    }

    pub(crate) fn with_issuing(change: impl FnOnce(CertificateBuilder) -> CertificateBuilder) -> Self {
        let root = CertificateBuilder::root("CN=Root,O=Example")
            .self_signed()
            .unwrap();
        let issuing = change(CertificateBuilder::intermediate("CN=Issuing,O=Example"))
            .issued_by(&root)
            .unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("root.pem"), root.pem()).unwrap();
        std::fs::write(folder.path().join("issuing.pem"), issuing.pem()).unwrap();
        let moto = Moto::start();
        moto.create_bucket(BUCKET);
        Self {
            root,
            issuing,
            moto,
            folder,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn file(&self, name: &str) -> String {
        format!("file:{}", self.folder.path().join(name).display())
    }

    pub(crate) fn root_crl(&self, number: u64) -> Crl {
        CrlBuilder::new().number(number).issued_by(&self.root).unwrap()
    }

    pub(crate) fn issuing_crl(&self, number: u64) -> Crl {
        CrlBuilder::new().number(number).issued_by(&self.issuing).unwrap()
    }

    /// Starts the function with these sources, allowed to fetch from this machine.
    pub(crate) async fn function(&self, sources: &[&str], more: &[(&str, &str)]) -> Function {
        self.function_within(Duration::from_secs(120), sources, more)
            .await
    }

    /// Starts the function with an invocation's time of this length.
    pub(crate) async fn function_within(
        &self,
        time: Duration,
        sources: &[&str],
        more: &[(&str, &str)],
    ) -> Function {
        let (sources, anchors, intermediates) =
            (sources.join(" "), self.file("root.pem"), self.file("issuing.pem"));
        let base = [
            ("CRL_ANCHORS", anchors.as_str()),
            ("CRL_INTERMEDIATES", intermediates.as_str()),
            ("CRL_DESTINATION", "s3://trust/crls/"),
            ("CRL_PRIVATE_NETWORKS", "127.0.0.0/8"),
        ];
        let (sender, lines) = unbounded_channel();
        let mut command = FunctionCommand::new(env!("CARGO_BIN_EXE_refresh-crls"))
            .output(FunctionOutput::Lines(sender))
            .timeout(time);
        if !sources.is_empty() {
            command = command.variable("CRL_SOURCES", sources);
        }
        for (name, value) in base.iter().chain(more) {
            command = command.variable(*name, *value);
        }
        for (name, value) in self.moto.variables() {
            command = command.variable(name, value);
        }
        let environment = Environment::start(command).await.unwrap();
        Function { environment, lines }
    }

    /// Returns an object of the bucket, if it is there. Its key is escaped as in a source.
    pub(crate) fn object(&self, key: &str) -> Option<Vec<u8>> {
        let output = Command::new("curl")
            .args(["--silent", "--fail", "--globoff", "--path-as-is", "-H"])
            .arg("authorization: AWS4-HMAC-SHA256 Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=0")
            .arg(format!("{}/{BUCKET}/{key}", self.moto.endpoint()))
            .output()
            .unwrap();
        output.status.success().then_some(output.stdout)
    }
}

pub(crate) struct Function {
    pub(crate) environment: Environment,
    lines: UnboundedReceiver<OutputLine>,
}

impl Function {
    /// Invokes the function with an event that asks for everything, and gives the record of its
    /// only CRL.
    pub(crate) async fn refresh(&mut self) -> Value {
        let outcome = self.environment.invoke("{}").await;
        let is_finished = match &outcome {
            InvocationOutcome::Response(_) => true,
            InvocationOutcome::FunctionError { error_type, .. } => error_type == "NothingFetched",
            _ => false,
        };
        assert!(is_finished, "{outcome:?}");
        self.record().await
    }

    /// Returns type and words of the error of an invocation that fetched nothing, and its record.
    pub(crate) async fn nothing_fetched(&mut self) -> (String, Value) {
        match self.environment.invoke("{}").await {
            InvocationOutcome::FunctionError { error_type, message } => {
                assert_eq!(error_type, "NothingFetched", "{message}");
                (message, self.line("refresh").await)
            }
            other => panic!("{other:?}"),
        }
    }

    /// Invokes the function so that it lifts the binding of this source.
    pub(crate) async fn rebind(&mut self, source: &str) -> Value {
        let event = serde_json::json!({"rebind": [source]}).to_string();
        let outcome = self.environment.invoke(event).await;
        assert!(matches!(outcome, InvocationOutcome::Response(_)), "{outcome:?}");
        self.record().await
    }

    /// Returns the summary of an invocation.
    pub(crate) async fn summary(&self, event: &Value) -> Value {
        match self.environment.invoke(event.to_string()).await {
            InvocationOutcome::Response(bytes) => serde_json::from_slice(&bytes).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    /// Returns the words of the error of an invocation.
    pub(crate) async fn error(&self) -> String {
        match self.environment.invoke("{}").await {
            InvocationOutcome::FunctionError { message, .. } => message,
            other => panic!("{other:?}"),
        }
    }

    /// Returns the next record of a CRL.
    pub(crate) async fn record(&mut self) -> Value {
        self.line("crl").await
    }

    /// Returns the next line with this message. Lines before it are left out.
    async fn line(&mut self, message: &str) -> Value {
        let reading = async {
            loop {
                let line = self.lines.recv().await.unwrap();
                match serde_json::from_str::<Value>(&line.text) {
                    Ok(record) if record["message"] == message => return record,
                    _ => {}
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(30), reading)
            .await
            .unwrap()
    }
}

/// `refused: …` or the like, for comparisons.
pub(crate) fn verdict(record: &Value) -> String {
    match record["problem"].as_str() {
        None => record["outcome"].as_str().unwrap().to_owned(),
        Some(problem) => format!("{}: {problem}", record["outcome"].as_str().unwrap()),
    }
}
