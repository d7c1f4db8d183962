//! The built server, started as a manifest says, behind a load balancer on this machine.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use alb_mtls_tests::upstream::{Recorder, Reply};
use alb_mtls_tests::{Clients, Server, binary};
use local_alb::{ClientCertificateHeaderCopies, LocalAlb, Target, TargetGroup};

/// Parts of a manifest that decide whether the gate serves.
#[derive(Debug)]
pub(crate) struct Deployment {
    pub(crate) environment: BTreeMap<String, String>,
    /// Name that the listener gives the certificate header.
    pub(crate) header: String,
    /// Port that requests are sent to.
    pub(crate) port: u64,
    /// Port of the health checks, and their paths.
    pub(crate) health_port: u64,
    pub(crate) health_paths: Vec<String>,
}

/// Asks the port of health checks, and returns status and body.
pub(crate) async fn health(server: &Server, path: &str) -> (String, String) {
    let url = format!("http://{}{path}", server.address("SERVER_ADMIN_LISTEN"));
    curl(&[&url]).await
}

pub(crate) async fn becomes_ready(server: &Server, path: &str) {
    let started = Instant::now();
    while health(server, path).await.0 != "200" {
        assert!(
            started.elapsed() < Duration::from_secs(15),
            "{path} never answers 200"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Returns status and body.
pub(crate) async fn curl(arguments: &[&str]) -> (String, String) {
    let output = tokio::process::Command::new("curl")
        .args(["--silent", "--max-time", "20", "--write-out", "\n%{http_code}"])
        .args(arguments)
        .output()
        .await
        .unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let (body, status) = text.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

/// Folder with a file as Kubernetes mounts a ConfigMap: links to links, of which one is replaced.
pub(crate) struct ConfigMap {
    folder: tempfile::TempDir,
    version: u32,
}

impl ConfigMap {
    pub(crate) fn new(name: &str, content: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        symlink(format!("..data/{name}"), folder.path().join(name)).unwrap();
        let mut map = Self { folder, version: 0 };
        map.replace(name, content);
        map
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Writes a version beside the one in use, swaps the link, and removes the old one.
    pub(crate) fn replace(&mut self, name: &str, content: &str) {
        let at = |name: &str| self.folder.path().join(name);
        let old = format!("..{}", self.version);
        self.version += 1;
        let new = format!("..{}", self.version);
        std::fs::create_dir(at(&new)).unwrap();
        std::fs::write(at(&new).join(name), content).unwrap();
        symlink(&new, at("..data_tmp")).unwrap();
        std::fs::rename(at("..data_tmp"), at("..data")).unwrap();
        if at(&old).is_dir() {
            std::fs::remove_dir_all(at(&old)).unwrap();
        }
    }
}

/// Site with an upstream, the server and a load balancer.
pub(crate) struct Site {
    pub(crate) clients: Clients,
    pub(crate) upstream: Recorder,
    pub(crate) server: Server,
    alb: LocalAlb,
    server_authority: std::path::PathBuf,
    paths: Vec<String>,
}

impl Site {
    /// Starts the server with the environment of a deployment. Only what belongs to a network is
    /// replaced: the listeners' ports, which are checked apart, the load balancer's networks, and
    /// the address of the service.
    pub(crate) async fn start(deployment: &Deployment, clients: Clients, others: &[(&str, &str)]) -> Self {
        let upstream = Recorder::start(std::iter::repeat_n(Reply::ok(), 64)).await;
        let mut environment = deployment.environment.clone();
        let networks = environment.insert("MTLS_PEERS".to_owned(), "127.0.0.0/8".to_owned());
        assert!(!networks.unwrap().is_empty());
        let service = environment.insert("FORWARD_UPSTREAM".to_owned(), upstream.url());
        assert!(service.unwrap().starts_with("http://"));
        let mut command = Command::new(binary("alb-mtls-server"));
        command
            .env_clear()
            .envs(&environment)
            .env("SERVER_LISTEN", "127.0.0.1:0")
            .env("SERVER_ADMIN_LISTEN", "127.0.0.1:0")
            .envs(others.iter().copied());
        let server = Server::run(command.into()).await;
        let (listener, server_authority) = clients.listener(ClientCertificateHeaderCopies::PassOn);
        let listener = listener.certificate_header(deployment.header.parse().unwrap());
        let group = TargetGroup::new("gate", Target::Http(server.address("SERVER_LISTEN")));
        let site = Self {
            clients,
            upstream,
            server,
            alb: LocalAlb::start(listener, vec![group]).await.unwrap(),
            server_authority,
            paths: deployment.health_paths.clone(),
        };
        assert!(!site.paths.is_empty());
        for path in &site.paths {
            becomes_ready(&site.server, path).await;
        }
        site
    }

    /// Returns the status of a request as the client of a CA.
    pub(crate) async fn ask(&self, clients: Option<&Clients>) -> String {
        let files = clients.map(|clients| clients.write_client("asking", &clients.good));
        self.ask_with(files.as_ref().map(|(chain, key)| (&**chain, &**key)))
            .await
    }

    /// Returns the status of a request with the certificates and the key of these files.
    pub(crate) async fn ask_with(&self, files: Option<(&Path, &Path)>) -> String {
        let url = format!("https://localhost:{}/hello", self.alb.address().port());
        let authority = self.server_authority.display().to_string();
        let mut arguments = vec!["--cacert", &authority, &url];
        let files = files.map(|(chain, key)| [chain, key].map(|path| path.display().to_string()));
        if let Some([chain, key]) = &files {
            arguments.extend(["--cert", chain, "--key", key]);
        }
        curl(&arguments).await.0
    }

    /// Checks that a client of the anchors is served and no other request is.
    pub(crate) async fn serves_its_clients_alone(&mut self) {
        assert_eq!(self.ask(Some(&self.clients)).await, "200");
        let head = self.upstream.next().await.head().to_lowercase();
        assert!(head.contains("client-cert: :"), "no identity: {head}");
        assert_eq!(self.ask(None).await, "401");
        assert_eq!(self.ask(Some(&Clients::of("Foreign"))).await, "401");
        // Past the load balancer's renaming: the default name says nothing.
        let url = format!("http://{}/hello", self.server.address("SERVER_LISTEN"));
        let forged = format!(
            "x-amzn-mtls-clientcert: {}",
            self.clients.header(&self.clients.good)
        );
        assert_eq!(curl(&["--header", &forged, &url]).await.0, "401");
        assert!(self.upstream.arrived().is_none(), "a denied request came through");
    }

    /// Reads the metrics where the manifests have Prometheus read them.
    pub(crate) async fn shows_metrics(&self) {
        let (status, page) = health(&self.server, "/metrics").await;
        assert_eq!(status, "200");
        assert!(page.contains("\nalb_mtls_allowed_requests_total 1\n"), "{page}");
        assert!(
            page.contains("\nalb_mtls_trust_confirmed_timestamp_seconds "),
            "{page}"
        );
    }

    /// Sends SIGHUP, and waits until a client gets a status.
    pub(crate) async fn reload_until(&self, clients: &Clients, status: &str) {
        self.server.signal("HUP").await;
        self.wait_until(clients, status).await;
    }

    pub(crate) async fn wait_until(&self, clients: &Clients, status: &str) {
        let (chain, key) = clients.write_client("asking", &clients.good);
        self.wait_until_files((&chain, &key), status).await;
    }

    /// Waits until the client of these files gets a status.
    pub(crate) async fn wait_until_files(&self, files: (&Path, &Path), status: &str) {
        let started = Instant::now();
        while self.ask_with(Some(files)).await != status {
            assert!(started.elapsed() < Duration::from_secs(15), "never {status}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

/// Checks that the ports of a deployment are those that the server listens on by itself.
pub(crate) fn has_the_default_ports(deployment: &Deployment) {
    let help = Command::new(binary("alb-mtls-server"))
        .arg("--help")
        .output()
        .unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    for (setting, port) in [
        ("SERVER_LISTEN", deployment.port),
        ("SERVER_ADMIN_LISTEN", deployment.health_port),
    ] {
        assert!(!deployment.environment.contains_key(setting));
        let row = help.find(&format!("  {setting} ")).unwrap();
        let row = help.get(row..row + 200).unwrap();
        assert!(row.contains(&format!("0.0.0.0:{port}")), "{row}");
    }
}
