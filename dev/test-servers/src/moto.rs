use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use crate::python::PythonServer;

/// moto's server: SSM Parameter Store and S3 on this machine. It ends with the value.
#[derive(Debug)]
pub struct Moto(PythonServer);

const SERVE: &str = "
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address='127.0.0.1', port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
";

impl Moto {
    /// A server of one's own, empty, on a free port.
    pub fn start() -> Self {
        Self(PythonServer::start(["-c", SERVE], &[]))
    }

    /// Returns the server of this test process, for tests that use names of their own; started when
    /// first asked for.
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Moto> = OnceLock::new();
        SHARED.get_or_init(Self::start)
    }

    /// Returns the address on which it listens.
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// Returns the value of `AWS_ENDPOINT_URL` for AWS SDKs.
    pub fn endpoint(&self) -> String {
        self.0.endpoint()
    }

    /// Returns the variables with which a function finds this server.
    pub fn variables(&self) -> Vec<(String, String)> {
        crate::variables(self.endpoint())
    }

    /// Writes a parameter, through the same API as the command line of AWS.
    pub fn put_parameter(&self, name: &str, value: &str) {
        self.put_parameter_of("String", name, value);
    }

    /// Writes an encrypted parameter.
    pub fn put_secure_parameter(&self, name: &str, value: &str) {
        self.put_parameter_of("SecureString", name, value);
    }

    /// Makes a bucket whose objects have versions.
    pub fn create_bucket(&self, bucket: &str) {
        self.curl("s3", &["-X", "PUT"], &format!("/{bucket}"), b"");
        let versioning = b"<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        self.curl("s3", &["-X", "PUT"], &format!("/{bucket}?versioning"), versioning);
    }

    /// Writes an object and returns its version id.
    pub fn put_object(&self, bucket: &str, key: &str, content: impl AsRef<[u8]>) -> String {
        let options = ["-X", "PUT", "--write-out", "%header{x-amz-version-id}"];
        self.curl("s3", &options, &format!("/{bucket}/{key}"), content.as_ref())
    }

    fn put_parameter_of(&self, kind: &str, name: &str, value: &str) {
        let request = serde_json::json!({"Name": name, "Value": value, "Type": kind, "Overwrite": true, "Tier": "Advanced"});
        let options = ["-X", "POST", "-H", "x-amz-target: AmazonSSM.PutParameter"];
        self.curl("ssm", &options, "/", request.to_string().as_bytes());
    }

    /// moto finds the service by the scope of the signature, which it does not verify.
    fn curl(&self, service: &str, options: &[&str], path: &str, body: &[u8]) -> String {
        let scope = format!("Credential=test/20260101/us-east-1/{service}/aws4_request");
        let mut process = Command::new("curl")
            .args(["--silent", "--show-error", "--fail-with-body"])
            .arg("-H")
            .arg(format!(
                "authorization: AWS4-HMAC-SHA256 {scope}, SignedHeaders=host, Signature=0"
            ))
            .args(["-H", "content-type: application/octet-stream"])
            .args(options)
            .args(["--data-binary", "@-"])
            .arg(format!("{}{path}", self.endpoint()))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("curl starts");
        let mut input = process.stdin.take().expect("standard input is piped");
        input.write_all(body).expect("curl reads the body");
        drop(input);
        let output = process.wait_with_output().expect("curl ends");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{text}");
        text
    }
}
