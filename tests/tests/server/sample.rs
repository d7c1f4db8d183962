//! The sample configurations of proxies in `deploy`, run as they are apart from addresses.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use alb_mtls_tests::{exchange, leave_out, project};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// Sample configuration of a proxy.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Sample {
    /// Files in `deploy`. The first is the one that the proxy is started with.
    pub(crate) files: &'static [&'static str],
    /// Program, by its name or in `.venv/bin`.
    program: &'static str,
    /// Arguments before the file.
    arguments: &'static [&'static str],
    /// Places of the address to listen on, with `PORT` for its port.
    listen: &'static str,
}

pub(crate) const NGINX: Sample = Sample {
    files: &["nginx/alb-mtls.conf"],
    program: "nginx",
    arguments: &["-e", "stderr", "-c"],
    listen: "listen 8080;",
};
pub(crate) const CADDY: Sample = Sample {
    files: &["caddy/Caddyfile"],
    program: "caddy",
    arguments: &["run", "--adapter", "caddyfile", "--config"],
    listen: "http://:8080 {",
};
pub(crate) const HAPROXY: Sample = Sample {
    files: &["haproxy/haproxy.cfg", "haproxy/alb-mtls.lua"],
    program: "haproxy",
    arguments: &["-db", "-f"],
    listen: "bind :8080",
};
pub(crate) const TRAEFIK: Sample = Sample {
    files: &["traefik/traefik.yaml", "traefik/dynamic.yaml"],
    program: ".venv/bin/traefik",
    arguments: &["--configFile"],
    listen: "address: \":8080\"",
};
pub(crate) const ENVOY_GRPC: Sample = Sample {
    files: &["envoy/grpc.yaml"],
    program: ".venv/bin/envoy",
    arguments: &["--concurrency", "1", "--use-dynamic-base-id", "-c"],
    listen: "address: 0.0.0.0, port_value: 8080 }",
};
pub(crate) const ENVOY_HTTP: Sample = Sample {
    files: &["envoy/http.yaml"],
    ..ENVOY_GRPC
};

/// Folders of the samples' files on a machine where they are installed.
const INSTALLED: [&str; 2] = ["/etc/haproxy", "/etc/traefik"];

/// Addresses in the samples: of the authorization service, and of the service behind.
const AUTHORIZER: (&str, &str) = ("127.0.0.1:9002", "127.0.0.1, port_value: 9002 }");
const SERVICE: (&str, &str) = ("127.0.0.1:3000", "127.0.0.1, port_value: 3000 }");

/// Proxy with a sample configuration. Ends with the value.
#[derive(Debug)]
pub(crate) struct Proxy {
    _process: Child,
    _directory: tempfile::TempDir,
    pub(crate) address: SocketAddr,
}

/// Network that a proxy takes requests from.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum From {
    /// From this machine.
    Here,
    /// From the load balancer of the sample, which this machine is not.
    Elsewhere,
}

impl Sample {
    /// Starts the proxy; returns `None` if it is not installed.
    pub(crate) async fn start(
        self,
        authorizer: SocketAddr,
        service: SocketAddr,
        from: From,
    ) -> Option<Proxy> {
        let program = self.program()?;
        let directory = tempfile::tempdir().unwrap();
        let address = free_address();
        for file in self.files {
            let text = std::fs::read_to_string(project().join("deploy").join(file)).unwrap();
            let text = self.with_addresses(&text, directory.path(), [address, authorizer, service], from);
            std::fs::write(directory.path().join(file_name(file)), text).unwrap();
        }
        let mut main = directory.path().join(file_name(self.files[0]));
        if self.program == "nginx" {
            let own = format!(
                "daemon off; master_process off; pid {0}/pid; events {{}} http {{ access_log off; \
                 client_body_temp_path {0}/1; proxy_temp_path {0}/2; fastcgi_temp_path {0}/3; \
                 uwsgi_temp_path {0}/4; scgi_temp_path {0}/5; include {1}; }}",
                directory.path().display(),
                main.display()
            );
            main = directory.path().join("nginx.conf");
            std::fs::write(&main, own).unwrap();
        }
        let mut process = Command::new(program)
            .args(self.arguments)
            .arg(main)
            .env("HOME", directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        for _ in 0..200 {
            // Traefik reads its routes after it listens.
            let health = ["host: a.example".to_owned()];
            if TcpStream::connect(address).await.is_ok()
                && exchange(address, "GET /healthz", &health).await.status != 404
            {
                return Some(Proxy {
                    _process: process,
                    _directory: directory,
                    address,
                });
            }
            assert_eq!(process.try_wait().unwrap(), None, "{self:?} ended");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        panic!("{self:?} does not listen");
    }

    fn program(self) -> Option<PathBuf> {
        let paths = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&paths).chain([PathBuf::from("/usr/sbin")]);
        let mut candidates = folders.map(|folder| folder.join(self.program));
        let program = match self.program.contains('/') {
            true => Some(project().join(self.program)).filter(|path| path.exists()),
            false => candidates.find(|path| path.exists()),
        };
        if program.is_none() {
            leave_out(&format!("{} is not installed", self.program));
        }
        program
    }

    fn with_addresses(
        self,
        text: &str,
        directory: &Path,
        [own, authorizer, service]: [SocketAddr; 3],
        from: From,
    ) -> String {
        let port = |address: SocketAddr| address.port().to_string();
        let mut text = text.to_owned();
        for ((whole, in_parts), address) in [(AUTHORIZER, authorizer), (SERVICE, service)] {
            text = text.replace(whole, &address.to_string());
            text = text.replace(in_parts, &in_parts.replace(&in_parts[23..27], &port(address)));
        }
        text = text.replace(self.listen, &self.listen.replace("8080", &port(own)));
        for folder in INSTALLED {
            text = text.replace(folder, &directory.display().to_string());
        }
        if from == From::Here {
            text = text.replace("10.0.0.0/16", "127.0.0.0/8");
            text = text.replace("10.0.0.0, prefix_len: 16", "127.0.0.0, prefix_len: 8");
        }
        text
    }
}

fn file_name(file: &str) -> &str {
    file.rsplit('/').next().unwrap_or(file)
}

fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap()
}
