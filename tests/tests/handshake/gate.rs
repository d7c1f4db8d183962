//! The gate that clients shake hands with.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use alb_mtls_tests::{Clients, binary};
use local_alb::{
    ClientCertificateHeaderCopies, FunctionCommand, FunctionOutput, HeaderMode, LocalAlb, Target, TargetGroup,
};

/// A load balancer on this machine with `respond` behind it.
pub(crate) struct Gate {
    alb: LocalAlb,
    server_authority: PathBuf,
    /// Environment of curl beside that of the test.
    curl_variables: Vec<(&'static str, PathBuf)>,
}

impl Gate {
    pub(crate) async fn start(
        clients: &Clients,
        variables: &[(&str, &str)],
        copies: ClientCertificateHeaderCopies,
        mode: HeaderMode,
    ) -> Self {
        let (listener, server_authority) = clients.listener(copies);
        let command = FunctionCommand::new(binary("respond"))
            .variable("MTLS_EXPOSE_CODE", "true")
            .output(FunctionOutput::Discard);
        let command = variables
            .iter()
            .fold(command, |command, (name, value)| command.variable(*name, *value));
        let target = Target::Function {
            command,
            concurrency: NonZeroUsize::MIN,
        };
        let alb = LocalAlb::start(
            listener,
            vec![TargetGroup::new("respond", target).header_mode(mode)],
        )
        .await
        .unwrap();
        Self {
            alb,
            server_authority,
            curl_variables: Vec::new(),
        }
    }

    pub(crate) fn with_curl_variable(mut self, name: &'static str, value: PathBuf) -> Self {
        self.curl_variables.push((name, value));
        self
    }

    /// Status and body of a request with these options of curl.
    pub(crate) async fn curl(&self, options: &[&str]) -> (u16, String) {
        let mut command = tokio::process::Command::new("curl");
        command
            .args([
                "--silent",
                "--show-error",
                "--write-out",
                "\n%{http_code}",
                "--cacert",
            ])
            .arg(&self.server_authority)
            .args(options)
            .arg(format!(
                "https://localhost:{}/who?x=%2F",
                self.alb.address().port()
            ));
        command.envs(self.curl_variables.iter().cloned());
        let output = command.output().await.unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        let (body, status) = text.rsplit_once('\n').unwrap();
        (status.parse().unwrap(), body.to_owned())
    }

    pub(crate) async fn curl_as(&self, (chain, key): &(PathBuf, PathBuf), options: &[&str]) -> (u16, String) {
        let with_client = [&["--cert", text(chain), "--key", text(key)][..], options].concat();
        self.curl(&with_client).await
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}
