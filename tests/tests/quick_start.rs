//! `make run` as docs/demo.md tells it: every curl line that it prints answers what it says.

#![expect(clippy::expect_used, clippy::unwrap_used, reason = "helpers of tests")]

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use alb_mtls_tests::project;

/// `make run`, stopped with everything that it started.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let group = format!("-{}", self.0.id());
        let _ = Command::new("kill").args(["-TERM", "--", &group]).status();
        let _ = self.0.wait();
    }
}

#[test]
fn each_line_that_make_run_prints_answers_what_it_says() {
    use std::os::unix::process::CommandExt;
    // A free port, which other programs are unlikely to take in the meantime.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let mut running = Running(
        Command::new("make")
            .args(["--no-print-directory", "run", &format!("PORT={port}")])
            .current_dir(project())
            .stdout(Stdio::piped())
            .process_group(0)
            .spawn()
            .unwrap(),
    );
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines();
    let mut promised = Vec::new();
    loop {
        let line = lines.next().expect("`make run` listens before it ends").unwrap();
        if line.starts_with("listening on") {
            break;
        }
        if let Some((command, status)) = line
            .trim()
            .split_once("  # ")
            .filter(|_| line.trim().starts_with("curl "))
        {
            promised.push((command.to_owned(), status.to_owned()));
        }
    }
    assert!(promised.len() >= 7, "{promised:?}");
    for command in documented(port) {
        assert!(promised.iter().any(|(line, _)| *line == command), "{command}");
    }
    std::thread::spawn(move || lines.for_each(drop));
    for (command, promise) in promised {
        let shell = format!("{command} --silent --output /dev/null --write-out '%{{http_code}}'");
        let output = Command::new("bash")
            .args(["-c", &shell])
            .current_dir(project())
            .output()
            .unwrap();
        let status = String::from_utf8(output.stdout).unwrap();
        assert!(
            promise.starts_with(&format!("{status}:")),
            "{command}: {status}, promised was {promise}"
        );
    }
    assert_eq!(copied_chain(port), "401");
    let seen = walk_through(port);
    assert!(seen.starts_with("GET /forward/a%20b?x=%26 HTTP/1.1\n"), "{seen}");
    assert!(
        seen.contains("\nx-amzn-mtls-clientcert-subject: CN=good,OU=Clients,O=Example\n"),
        "{seen}"
    );
    for lie in ["admin", "YWRtaW4=", "SUCCESS"] {
        assert!(!seen.contains(lie), "{seen}");
    }
}

/// Returns the one-line requests of the README and of docs/demo.md.
fn documented(port: u16) -> Vec<String> {
    let pages =
        ["README.md", "docs/demo.md"].map(|page| std::fs::read_to_string(project().join(page)).unwrap());
    let lines = pages.iter().flat_map(|page| page.lines()).map(str::trim);
    let commands: Vec<String> = lines
        .filter(|line| line.starts_with("curl ") && !line.ends_with('\\'))
        .map(|line| line.replace("8443", &port.to_string()))
        .collect();
    assert!(commands.len() >= 4, "{commands:?}");
    commands
}

/// Returns the answer for a client without a certificate that copies a public chain into the
/// well-known header.
fn copied_chain(port: u16) -> String {
    let chain = std::fs::read_to_string(project().join(".demo/good.pem")).unwrap();
    let header = chain.replace(' ', "%20").replace('\n', "%0A");
    let output = Command::new("curl")
        .args([
            "--cacert",
            ".demo/server-ca.pem",
            "--silent",
            "--output",
            "/dev/null",
        ])
        .args(["--write-out", "%{http_code}", "--header"])
        .arg(format!("x-amzn-mtls-clientcert: {header}"))
        .arg(format!("https://localhost:{port}/"))
        .current_dir(project())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// Returns the forged headers of docs/demo.md that reached the upstream.
fn walk_through(port: u16) -> String {
    let page = std::fs::read_to_string(project().join("docs/demo.md")).unwrap();
    let command = page
        .split("```sh\n")
        .filter_map(|rest| rest.split("```").next())
        .find(|command| command.contains("X-SSL-Client-Verify"))
        .expect("docs/demo.md has the walk-through")
        .replace("8443", &port.to_string());
    let output = Command::new("bash")
        .args(["-c", &format!("{} --silent", command.trim_end())])
        .current_dir(project())
        .output()
        .unwrap();
    String::from_utf8(output.stdout).unwrap().replace('\r', "")
}
