//! `deploy/container`: the image of the built server, run as the manifests say.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use alb_mtls_tests::{Clients, Server, binary, leave_out, project};
use serde_json::Value;

use crate::gate::{becomes_ready, curl, health};

/// Most bytes of everything but the program: the C library and public CAs.
const BESIDE_THE_PROGRAM: u64 = 6_000_000;

/// Commit that the image is labelled with.
const COMMIT: &str = "0123456789ab";

/// Buildah with a storage of its own.
struct Buildah {
    folder: tempfile::TempDir,
}

impl Buildah {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name).display().to_string();
        let configuration = format!(
            "[storage]\ndriver = \"vfs\"\ngraphroot = \"{}\"\nrunroot = \"{}\"\n",
            at("graph"),
            at("run")
        );
        std::fs::write(at("storage.conf"), configuration).unwrap();
        Self { folder }
    }

    fn command(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = Command::new(program);
        command
            .env("CONTAINERS_STORAGE_CONF", self.folder.path().join("storage.conf"))
            .env("BUILDAH_ISOLATION", "chroot");
        command
    }

    fn output(&self, arguments: &[&str]) -> String {
        let output = self.command("buildah").args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "buildah {arguments:?}: {errors}");
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    /// Builds the image of the server without what helps to debug it, and returns the folder that
    /// its files are in.
    fn built(&self) -> PathBuf {
        let program = self.folder.path().join("alb-mtls-server");
        let stripped = Command::new("strip")
            .args(["--strip-all", "-o"])
            .arg(&program)
            .arg(binary("alb-mtls-server"))
            .status();
        assert!(stripped.unwrap().success());
        let built = self
            .command(project().join("deploy/container/image"))
            .arg(&program)
            .env("IMAGE", "tested")
            .env("ALB_MTLS_COMMIT", COMMIT)
            .output()
            .unwrap();
        assert!(
            built.status.success(),
            "{}",
            String::from_utf8_lossy(&built.stderr)
        );
        let container = self.output(&["from", "tested"]);
        PathBuf::from(self.output(&["mount", &container]))
    }
}

/// Returns the files below a folder, with their lengths.
fn files(folder: &Path) -> Vec<(PathBuf, u64)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = std::fs::symlink_metadata(&path).unwrap();
        if metadata.is_dir() {
            found.extend(files(&path));
        } else {
            found.push((path, metadata.len()));
        }
    }
    found
}

/// Returns the fields of a process's status, such as `CapEff`.
fn status(process: u32, field: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(field)).unwrap();
    line.trim_start_matches(':').trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_has_one_program_and_runs_without_privileges() {
    if Command::new("buildah").arg("--version").output().is_err() {
        leave_out("Buildah is in Debian's package `buildah`");
        return;
    }
    let buildah = Buildah::new();
    let root = buildah.built();

    let inspected = buildah.output(&["inspect", "--type", "image", "tested"]);
    let inspected: Value = serde_json::from_str(&inspected).unwrap();
    let config = &inspected["OCIv1"]["config"];
    assert_eq!(config["User"], "65532:65532");
    assert_eq!(config["Entrypoint"], serde_json::json!(["/alb-mtls-server"]));
    assert_eq!(config["Labels"]["org.opencontainers.image.revision"], COMMIT);
    let ports: BTreeSet<&String> = config["ExposedPorts"].as_object().unwrap().keys().collect();
    assert_eq!(ports.into_iter().collect::<Vec<_>>(), ["8080/tcp", "9901/tcp"]);

    let all = files(&root);
    let program = root.join("alb-mtls-server");
    let beside: Vec<&(PathBuf, u64)> = all.iter().filter(|(path, _)| *path != program).collect();
    let bytes: u64 = beside.iter().map(|(_, bytes)| bytes).sum();
    assert!(bytes < BESIDE_THE_PROGRAM, "{bytes} bytes: {beside:?}");
    for (path, _) in &beside {
        let name = path.file_name().unwrap().to_string_lossy();
        let is_known = name.contains(".so") || name == "ca-certificates.crt" || name == "nsswitch.conf";
        assert!(is_known, "{} is not needed", path.display());
    }

    let clients = Clients::new();
    let server = Server::run(restricted(&buildah, &root, &clients).into()).await;
    becomes_ready(&server, "/readyz").await;
    assert_eq!(health(&server, "/livez").await.0, "200");
    let url = format!("http://{}/", server.address("SERVER_LISTEN"));
    assert_eq!(curl(&[&url]).await.0, "401");
    assert_eq!(status(server.id(), "Uid"), "65532\t65532\t65532\t65532");
    assert_eq!(status(server.id(), "CapEff"), "0000000000000000");
    assert_eq!(status(server.id(), "CapPrm"), "0000000000000000");
    assert_eq!(status(server.id(), "NoNewPrivs"), "1");
    drop(server);
    buildah.output(&["rm", "--all"]);
}

/// Returns the command that starts the program in the image's files: another user than root,
/// without capabilities, with files that cannot be written, and the anchors mounted.
fn restricted(buildah: &Buildah, root: &Path, clients: &Clients) -> Command {
    std::fs::create_dir_all(root.join("etc/alb-mtls")).unwrap();
    let script = r#"
        mount --bind "$0" "$0"
        mount --bind "$1" "$0/etc/alb-mtls"
        mount -o remount,bind,ro "$0"
        if touch "$0/file" 2>/dev/null; then echo "the files can be written" >&2; exit 1; fi
        cd /
        exec setpriv --no-new-privs chroot --userspec=65532:65532 --groups= "$0" /alb-mtls-server
    "#;
    let anchors = clients.directory().join("mounted");
    std::fs::create_dir(&anchors).unwrap();
    std::fs::write(anchors.join("anchors.pem"), clients.root.pem()).unwrap();
    let mut permissions = std::fs::metadata(&anchors).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o755);
    std::fs::set_permissions(&anchors, permissions).unwrap();
    let mut command = buildah.command("unshare");
    command
        .args(["--mount", "sh", "-e", "-c", script])
        .arg(root)
        .arg(&anchors)
        .env_clear()
        .env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin")
        .env("MTLS_ANCHORS", "file:/etc/alb-mtls/anchors.pem")
        .env("MTLS_HEADER", "x-7f3a9c1e")
        .env("MTLS_PEERS", "127.0.0.0/8")
        .env("FORWARD_UPSTREAM", "http://127.0.0.1:3000")
        .env("SERVER_LISTEN", "127.0.0.1:0")
        .env("SERVER_ADMIN_LISTEN", "127.0.0.1:0");
    command
}
