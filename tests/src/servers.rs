//! Servers that stand in for AWS.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// moto's server: SSM Parameter Store and S3 on this machine. Ends with the value.
#[derive(Debug)]
pub struct Moto {
    process: Child,
    port: u16,
}

impl Moto {
    /// Starts the server on a free port and waits until it listens.
    pub fn start() -> Self {
        Self::start_on(0)
    }

    /// The same server, empty, where this one listened. Between the two, connections are refused.
    pub fn restart(self, meanwhile: impl FnOnce()) -> Self {
        let port = self.port;
        drop(self);
        meanwhile();
        Self::start_on(port)
    }

    fn start_on(port: u16) -> Self {
        let program = crate::project().join(".venv/bin/moto_server");
        assert!(
            program.exists(),
            "{} is missing: `make test` sets it up",
            program.display()
        );
        let mut process = Command::new(program)
            .args(["-H", "127.0.0.1", "-p", &port.to_string()])
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("moto starts");
        let output = process.stderr.take().expect("standard error is piped");
        let mut lines = BufReader::new(output).lines();
        let port = loop {
            let line = lines
                .next()
                .expect("moto says where it listens")
                .expect("moto writes text");
            if let Some((_, port)) = line.rsplit_once("http://127.0.0.1:") {
                break port.trim().parse().expect("moto listens on a port");
            }
        };
        // moto must be able to go on writing its access log.
        std::thread::spawn(move || lines.for_each(drop));
        Self { process, port }
    }

    /// What AWS SDKs take as `AWS_ENDPOINT_URL`.
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The variables with which a function finds this server.
    pub fn variables(&self) -> Vec<(String, String)> {
        [
            ("AWS_ENDPOINT_URL", self.endpoint().as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .to_vec()
    }

    /// Writes a parameter, through the same API as the command line of AWS.
    pub fn put_parameter(&self, name: &str, value: &str) {
        let request = serde_json::json!({"Name": name, "Value": value, "Type": "String", "Overwrite": true, "Tier": "Advanced"});
        self.curl(
            "ssm",
            &[
                "-X",
                "POST",
                "-H",
                "x-amz-target: AmazonSSM.PutParameter",
                "-H",
                "content-type: application/x-amz-json-1.1",
                "-d",
                &request.to_string(),
                "/",
            ],
        );
    }

    /// Makes a bucket.
    pub fn create_bucket(&self, bucket: &str) {
        self.curl("s3", &["-X", "PUT", &format!("/{bucket}")]);
    }

    /// Writes an object.
    pub fn put_object(&self, bucket: &str, key: &str, content: &str) {
        self.curl(
            "s3",
            &[
                "-X",
                "PUT",
                "-H",
                "content-type: application/x-pem-file",
                "--data-binary",
                content,
                &format!("/{bucket}/{key}"),
            ],
        );
    }

    /// moto finds the service by the scope of the signature, which it does not verify.
    fn curl(&self, service: &str, arguments: &[&str]) {
        let (path, options) = arguments.split_last().expect("the last argument is the path");
        let scope = format!("Credential=test/20260101/us-east-1/{service}/aws4_request");
        let output = Command::new("curl")
            .args(["--silent", "--show-error", "--fail-with-body"])
            .arg("-H")
            .arg(format!(
                "authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"
            ))
            .args(options)
            .arg(format!("{}{path}", self.endpoint()))
            .output()
            .expect("curl starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
    }
}

impl Drop for Moto {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
