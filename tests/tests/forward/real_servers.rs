//! Express and nginx behind public routes: what they read as a protected host or a closed path
//! needs a certificate.

use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use alb_mtls_tests::{Answer, Clients, Function, client_headers, leave_out, project};

use crate::harness::{Event, forward};

/// A server that ends with the value.
struct Server {
    process: Child,
    url: String,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Returns true if a test is to be left out because something is not installed, which is a fault in
/// CI.
fn is_left_out(missing: &str) -> bool {
    leave_out(missing);
    true
}

fn express() -> Option<Server> {
    let modules = project().join(".venv/express/node_modules");
    if !modules.join("express").exists() {
        is_left_out("`make .venv/express/installed` installs Express");
        return None;
    }
    let mut process = Command::new("node")
        .arg(project().join("tests/tests/forward/express.js"))
        .env("NODE_PATH", modules)
        .stdout(Stdio::piped())
        .spawn()
        .expect("node starts");
    let mut port = String::new();
    let output = process.stdout.take().unwrap();
    BufReader::new(output).read_line(&mut port).unwrap();
    let url = format!("http://127.0.0.1:{}", port.trim());
    Some(Server { process, url })
}

fn nginx(directory: &Path) -> Option<Server> {
    if Command::new("nginx")
        .arg("-v")
        .stderr(Stdio::null())
        .status()
        .is_err()
    {
        is_left_out("`apt-get install nginx-light` installs nginx");
        return None;
    }
    let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let directory = directory.display();
    let answer = |route: &str| format!(r#"return 200 '{{"host":"$host","route":"{route}"}}';"#);
    let configuration = format!(
        "daemon off; master_process off; pid {directory}/nginx.pid; error_log stderr;
        events {{}}
        http {{
            access_log off;
            client_body_temp_path {directory}/a; proxy_temp_path {directory}/b; fastcgi_temp_path {directory}/c;
            uwsgi_temp_path {directory}/d; scgi_temp_path {directory}/e;
            server {{ listen 127.0.0.1:{port}; server_name admin.example.org; location / {{ {} }} }}
            server {{
                listen 127.0.0.1:{port} default_server;
                location /docs/keys {{ {} }} location /docs {{ {} }} location /status {{ {} }} location / {{ {} }}
            }}
        }}",
        answer("admin"),
        answer("/docs/keys"),
        answer("/docs"),
        answer("/status"),
        answer("other"),
    );
    let file = format!("{directory}/nginx.conf");
    std::fs::write(&file, configuration).unwrap();
    let process = Command::new("nginx")
        .args(["-c", &file, "-p", &directory.to_string()])
        .stderr(Stdio::null())
        .spawn()
        .expect("nginx starts");
    let started = Instant::now();
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        assert!(
            started.elapsed() < Duration::from_secs(20),
            "nginx does not listen"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
    let url = format!("http://127.0.0.1:{port}");
    Some(Server { process, url })
}

fn servers(clients: &Clients) -> Vec<Server> {
    [express(), nginx(clients.directory())]
        .into_iter()
        .flatten()
        .collect()
}

async fn get(function: &Function, path: &str, hosts: &[&str]) -> Answer {
    let mut headers = client_headers();
    headers.retain(|(name, _)| name != "host");
    headers.extend(hosts.iter().map(|host| ("host".to_owned(), (*host).to_owned())));
    function.answer(Event::get(path, headers).to_bytes()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_look_alike_does_not_reach_a_protected_host() {
    let clients = Clients::new();
    for server in servers(&clients) {
        let routes = [("FORWARD_ROUTES", "public:/status admin.example.org./")];
        let function = forward(&clients, &server.url, &routes).await;
        for host in ["www.example.org", "WWW.example.org:443", "www.example.org."] {
            let answer = get(&function, "/status/x", &[host]).await;
            assert_eq!(answer.status, 200, "{host}: {}", answer.body());
            assert_eq!(answer.body_json()["route"], "/status", "{host}");
            assert_eq!(function.record().await["decision"], "public");
        }
        for host in [
            "admin.example.org",
            "ADMIN.example.org:443",
            "admin.example.org.",
            "admin.example.org.:8443",
        ] {
            let answer = get(&function, "/status/x", &[host]).await;
            assert_eq!(answer.status, 401, "{host}");
            let record = function.record().await;
            assert_eq!(record["host"], "admin.example.org", "{record}");
        }
        for hosts in [
            &["admin.example.org:abc"][..],
            &["x@admin.example.org"],
            &["admin.example.org:443:443"],
            &["admin.example.org:80/x"],
            &["admin.example.org,www.example.org"],
            &["admin.example.org%20"],
            &["admin.example.org.."],
            &["[admin.example.org]"],
            &["admin.example.org:443 "],
            &["\u{fe52}admin.example.org"],
            &["\u{ff41}dmin.example.org"],
            &["xn--admin-.example.org"],
            &["admin.example.org", "www.example.org"],
            &["www.example.org", "admin.example.org"],
            &["www.example.org", "www.example.org"],
            &[""],
            &[],
        ] {
            let answer = get(&function, "/status/x", hosts).await;
            assert_eq!(answer.status, 400, "{hosts:?}: {}", answer.body());
            let record = function.record().await;
            assert_eq!(record["detail"], "host_unclear", "{hosts:?}: {record}");
            assert!(record["host"].is_null(), "{record}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_path_look_alike_does_not_reach_a_closed_path() {
    let clients = Clients::new();
    for server in servers(&clients) {
        let routes = [("FORWARD_ROUTES", "public:/docs /docs/keys")];
        let function = forward(&clients, &server.url, &routes).await;
        for path in ["/docs", "/docs/", "/docs/K%C3%A4se", "/docs/other-keys"] {
            let answer = get(&function, path, &["www.example.org"]).await;
            assert_eq!(
                (answer.status, &answer.body_json()["route"]),
                (200, &"/docs".into()),
                "{path}"
            );
        }
        for path in [
            "/docs/keys",
            "/docs/keys/",
            "/docs/KEYS",
            "/docs/%6beys",
            "/docs//keys",
            "/docs/./keys",
            "/docs/x/../keys",
            "/docs/x/%2e%2e/keys",
            "/docs%2fkeys",
            "/docs/keys;x",
            "/docs/(S(x))/keys",
            "/docs/keys::$DATA",
            "/docs/%E2%84%AAeys",
            "/docs/%EF%BC%8E%EF%BC%8E/keys",
            "/docs/keys%C2%A0",
            "/docs/keys%E2%80%8B",
        ] {
            let answer = get(&function, path, &["www.example.org"]).await;
            assert_eq!(answer.status, 401, "{path}: {}", answer.body());
        }
    }
}
