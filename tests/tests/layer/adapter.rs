//! AWS Lambda Web Adapter, the released program, before a web server: an extension that fetches
//! events itself.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

use alb_mtls_tests::{Clients, client_headers, event, leave_out, project};
use local_alb::HeaderMode;
use serde_json::Value;

use crate::api::{Api, Arrived, Invocation};
use crate::functions::{here, layer, python};
use crate::process::Started;
use crate::wrappers::{refused_start, script};

const ADAPTER: &str = "lambda_web_adapter@1.0.0-rc1";

/// Returns the adapter's program, which is built once from the registry, as it was released there.
fn adapter() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| {
        let root = project().join("target/lambda-web-adapter");
        let program = root.join("bin/lambda-adapter");
        if !program.exists() {
            let installed = Command::new("cargo")
                .args(["install", "--quiet", "--locked", "--debug", ADAPTER, "--root"])
                .arg(&root)
                .arg("--target-dir")
                .arg(root.join("build"))
                .status();
            if !installed.is_ok_and(|status| status.success()) {
                leave_out(&format!("{ADAPTER} cannot be installed here"));
                return None;
            }
        }
        Some(program)
    });
    built.as_deref()
}

/// Returns an address without a listener.
pub(crate) fn free_address() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// `/opt` of a function with the layer and the adapter's, and its code.
struct Opt {
    folder: PathBuf,
    port: String,
}

impl Opt {
    fn new(clients: &Clients, adapter: &Path) -> Self {
        let folder = clients.directory().join("opt");
        std::fs::create_dir_all(folder.join("bin")).unwrap();
        std::fs::create_dir_all(folder.join("extensions")).unwrap();
        // The program looks for extensions beside its own folder, so that a link is not enough.
        let program = folder.join("bin/alb-mtls-layer");
        if std::fs::hard_link(layer(), &program).is_err() {
            std::fs::copy(layer(), &program).unwrap();
        }
        std::os::unix::fs::symlink(adapter, folder.join("extensions/lambda-adapter")).unwrap();
        // The adapter's own wrapper does this.
        script(&folder, "bootstrap", r#"exec "$LAMBDA_TASK_ROOT/$_HANDLER""#);
        let server = format!("exec {} {}", python().display(), here("web_app.py").display());
        script(clients.directory(), "run.sh", &server);
        let (_, port) = free_address()
            .rsplit_once(':')
            .map(|(a, b)| (a.to_owned(), b.to_owned()))
            .unwrap();
        Self { folder, port }
    }

    fn layer(&self) -> PathBuf {
        self.folder.join("bin/alb-mtls-layer")
    }

    /// Returns the variables of the function, which Lambda gives the extension and the runtime
    /// alike.
    fn variables(&self, clients: &Clients) -> Vec<(String, String)> {
        [
            ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
            ("AWS_LAMBDA_LOG_GROUP_NAME", "group"),
            ("AWS_LAMBDA_LOG_STREAM_NAME", "stream"),
            ("_HANDLER", "run.sh"),
            ("LAMBDA_TASK_ROOT", clients.directory().to_str().unwrap()),
            (
                "LAYER_NEXT_WRAPPER",
                self.folder.join("bootstrap").to_str().unwrap(),
            ),
            ("PORT", &self.port),
            ("READINESS_CHECK_PATH", "/ready"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
    }
}

/// Killed with the value.
struct Adapter(Child);

impl Drop for Adapter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start_adapter(opt: &Opt, api: &Api, variables: &[(String, String)]) -> Adapter {
    let adapter = Command::new(opt.folder.join("extensions/lambda-adapter"))
        .env_clear()
        .env("AWS_LAMBDA_RUNTIME_API", api.address.to_string())
        .env("AWS_LAMBDA_FUNCTION_NAME", "app")
        .env("AWS_LAMBDA_FUNCTION_VERSION", "7")
        .envs(variables.iter().cloned())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    Adapter(adapter)
}

fn start_layer(opt: &Opt, clients: &Clients, api: &Api, variables: &[(String, String)]) -> Started {
    let variables: Vec<(&str, &str)> = variables
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let runtime = ["/var/lang/bin/node".into(), "/var/runtime/index.mjs".into()];
    Started::of(opt.layer(), runtime, clients, api, &variables)
}

/// Starts the extension and then the runtime, as Lambda does: when every extension has registered.
async fn start(
    opt: &Opt,
    clients: &Clients,
    api: &mut Api,
    variables: &[(String, String)],
) -> (Adapter, Started) {
    let adapter = start_adapter(opt, api, variables);
    while !matches!(api.arrived().await, Arrived::Extension) {}
    (adapter, start_layer(opt, clients, api, variables))
}

/// Starts the gate and then the extension. Lambda does it the other way round, with which this
/// version of the adapter ends: it registers at the proxy, too (its pull request 737 changed that).
async fn start_gate_first(
    opt: &Opt,
    clients: &Clients,
    api: &mut Api,
    variables: &[(String, String)],
    address: &str,
) -> (Adapter, Started) {
    let started = start_layer(opt, clients, api, variables);
    while tokio::net::TcpStream::connect(address).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let adapter = start_adapter(opt, api, variables);
    while !matches!(api.arrived().await, Arrived::Extension) {}
    (adapter, started)
}

async fn answer(api: &mut Api, id: &str, headers: &[(String, String)]) -> (u64, Value) {
    api.hand_out(Invocation::new(
        id,
        event("GET", "/orders", headers, HeaderMode::MultiValue),
    ));
    let (head, body) = api.request().await;
    assert!(head.contains(&format!("/{id}/response")), "{head}");
    let answer: Value = serde_json::from_slice(&body).unwrap();
    (answer["statusCode"].as_u64().unwrap(), answer)
}

#[tokio::test]
async fn adapter_behind_the_gate_hands_over_verified_clients_alone() {
    let Some(adapter) = adapter() else { return };
    let clients = Clients::new();
    let opt = Opt::new(&clients, adapter);
    let mut api = Api::start().await;
    let address = free_address();
    let mut variables = opt.variables(&clients);
    variables.push(("AWS_LWA_LAMBDA_RUNTIME_API_PROXY".to_owned(), address.clone()));
    variables.push(("LAYER_LISTEN".to_owned(), address.clone()));
    let (_adapter, _started) = start_gate_first(&opt, &clients, &mut api, &variables, &address).await;
    for number in 1..3 {
        let (status, _) = answer(&mut api, "refused", &client_headers()).await;
        assert_eq!(status, 401);
        let mut headers = clients.good_headers();
        headers.push(("Client_Cert".to_owned(), "forged".to_owned()));
        headers.push(("X-Amzn-Mtls-Clientcert-Subject".to_owned(), "CN=admin".to_owned()));
        let (status, answer) = answer(&mut api, "good", &headers).await;
        assert_eq!(status, 200, "{answer}");
        let seen: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
        assert_eq!(
            (&seen["calls"], &seen["path"]),
            (&number.into(), &"/orders".into())
        );
        let seen = seen["headers"].to_string();
        assert!(
            seen.contains(r#"["x-amzn-mtls-clientcert-subject","CN=client-1,OU=Payments,O=Tests"]"#),
            "{seen}"
        );
        assert!(!seen.contains("forged") && !seen.contains("CN=admin"), "{seen}");
    }
}

#[tokio::test]
async fn adapter_that_is_not_led_through_the_gate_ends_the_start() {
    let Some(adapter) = adapter() else { return };
    let clients = Clients::new();
    let opt = Opt::new(&clients, adapter);
    let address = free_address();
    let proxy = "AWS_LWA_LAMBDA_RUNTIME_API_PROXY";
    for (more, words) in [
        (
            vec![],
            "lambda-adapter` fetches events from Lambda itself, past the gate: set LAYER_LISTEN",
        ),
        (
            vec![("LAYER_LISTEN", &*address)],
            "lambda-adapter` fetches events from Lambda itself",
        ),
        (vec![(proxy, &*address)], "where the gate does not listen"),
        (
            vec![("LAYER_LISTEN", &*address), (proxy, "127.0.0.1:9001")],
            "where the gate does not listen",
        ),
        (vec![("AWS_LWA_ASYNC_INIT", "true")], "AWS_LWA_ASYNC_INIT is set"),
        (
            vec![("LAYER_EXTENSIONS", "lambda-adaptor")],
            "`lambda-adapter` fetches events",
        ),
    ] {
        let mut api = Api::start().await;
        let mut variables = opt.variables(&clients);
        variables.extend(
            more.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned())),
        );
        let started = start_layer(&opt, &clients, &api, &variables);
        let (error_type, message) = refused_start(started, &mut api).await;
        assert_eq!(error_type, "AlbMtls.WrongSetting");
        assert!(message.contains(words.trim_start_matches('`')), "{message}");
    }
}

/// Starts with settings that describe the adapter wrongly.
#[tokio::test]
async fn adapter_that_is_vouched_for_wrongly_gets_past_the_gate() {
    let Some(adapter) = adapter() else { return };
    let clients = Clients::new();
    let opt = Opt::new(&clients, adapter);
    let mut api = Api::start().await;
    let mut variables = opt.variables(&clients);
    variables.push(("LAYER_EXTENSIONS".to_owned(), "lambda-adapter".to_owned()));
    let (_adapter, _started) = start(&opt, &clients, &mut api, &variables).await;
    let (status, _) = answer(&mut api, "refused", &client_headers()).await;
    assert_eq!(status, 200);
}

/// An adapter that asks for a gate which is not there yet: it ends, and Lambda with it the start.
#[tokio::test]
async fn adapter_that_finds_no_gate_ends() {
    let Some(adapter) = adapter() else { return };
    let clients = Clients::new();
    let opt = Opt::new(&clients, adapter);
    let mut api = Api::start().await;
    let mut variables = opt.variables(&clients);
    variables.push(("AWS_LWA_LAMBDA_RUNTIME_API_PROXY".to_owned(), free_address()));
    let mut adapter = start_adapter(&opt, &api, &variables);
    let status = tokio::task::spawn_blocking(move || adapter.0.wait().unwrap())
        .await
        .unwrap();
    assert_eq!(status.code(), Some(1));
    assert!(api.is_quiet(), "it asked elsewhere");
}
