//! `docs/your-ca.md`: the commands of each CA that can be had here, and the shape of one that
//! cannot.

use std::path::{Path, PathBuf};

use alb_mtls_tests::{Moto, leave_out, project};

use super::guides::{run, script};

/// Returns the sections of the page with something to run.
fn sections() -> Vec<(String, String)> {
    let page = std::fs::read_to_string(project().join("docs/your-ca.md")).unwrap();
    let sections = page.split("\n## ").skip(1).map(|section| {
        let (name, text) = section.split_once('\n').unwrap();
        (name.to_owned(), text.to_owned())
    });
    sections.filter(|(_, text)| text.contains("<!-- run")).collect()
}

/// Returns the folder of a program, if it is there.
fn folder_of(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap();
    let more = [PathBuf::from("/usr/share/easy-rsa"), project().join(".venv/bin")];
    let mut folders = std::env::split_paths(&path).chain(more);
    folders.find(|folder| folder.join(program).is_file())
}

#[test]
fn client_of_each_ca_is_accepted_and_refused_once_revoked() {
    let mut run_sections = Vec::new();
    for (name, text) in sections() {
        let program = text
            .split_once("<!-- run with ")
            .map_or("openssl", |(_, rest)| rest.split_once(" -->").unwrap().0);
        let Some(programs) = folder_of(program) else {
            leave_out(&format!("`{program}` is not installed: {name}"));
            continue;
        };
        let moto = (program == "aws").then(|| {
            let moto = Moto::start();
            moto.create_bucket("example-crls");
            moto
        });
        let mut variables = moto.as_ref().map(Moto::variables).unwrap_or_default();
        // The name that AWS's command line knows.
        variables.push(("AWS_DEFAULT_REGION".to_owned(), "us-east-1".to_owned()));
        let folder = tempfile::tempdir().unwrap();
        let (succeeded, output) = run(&script(&text), folder.path(), &[programs], &variables);
        assert!(succeeded, "{name}:\n{output}");
        check(&name, &text, &output, folder.path());
        run_sections.push(name);
    }
    let expected = [
        "Where a CRL lies",
        "openssl",
        "cfssl",
        "easy-rsa",
        "AWS Private CA",
    ];
    let is_missing = |name: &&str| !run_sections.iter().any(|run| run == name);
    let missing: Vec<&str> = expected.into_iter().filter(is_missing).collect();
    if !missing.is_empty() {
        leave_out(&missing.join(", "));
    }
}

/// Checks what a section left: the verdicts, and the outputs that it shows.
fn check(name: &str, text: &str, output: &str, folder: &Path) {
    let mut outputs = 0;
    for shown in text.split("<!-- output of ").skip(1) {
        let (file, rest) = shown.split_once(" -->\n```text\n").unwrap();
        let (expected, _) = rest.split_once("```").unwrap();
        let found = std::fs::read_to_string(folder.join(file)).unwrap();
        assert_eq!(found, expected, "{name}: {file}");
        outputs += 1;
    }
    let accepted = output.matches("accepted  CN=client-1").count();
    let revoked = output.matches("ClientCertCrlHit").count();
    match name {
        "Where a CRL lies" => assert_eq!(outputs, 1),
        // The emulator makes no CRLs.
        "AWS Private CA" => assert_eq!(accepted, 1, "{output}"),
        _ => assert!(accepted == 1 && revoked > 0, "{name}:\n{output}"),
    }
}

/// CRLs of step-ca have a critical issuing distribution point, and its default template names none
/// in certificates (smallstep/certificates#2250).
#[test]
fn step_ca_needs_the_distribution_point_that_the_page_says() {
    let page = std::fs::read_to_string(project().join("docs/your-ca.md")).unwrap();
    let url = "http://ca.example.com/1.0/crl";
    assert_eq!(
        page.matches(&format!("\"crlDistributionPoints\": [\"{url}\"]"))
            .count(),
        1
    );
    let script = format!(
        "
        new_key() {{ openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out $1; }}
        touch index.txt; echo 01 > number; for name in ca client; do new_key $name.key; done
        cat > ca.cnf <<'END'
[ca]
default_ca = one
[one]
database = index.txt
crlnumber = number
default_md = sha256
crl_extensions = crl
[crl]
issuingDistributionPoint = critical, @point
[point]
fullname = URI:{url}
onlyuser = TRUE
END
        openssl req -x509 -new -key ca.key -out issuing.pem -days 30 -subj '/CN=Step Intermediate CA' \
            -addext basicConstraints=critical,CA:TRUE -addext keyUsage=critical,keyCertSign,cRLSign
        openssl req -new -key client.key -out client.csr -subj /CN=client-1
        for kind in default template; do
            echo extendedKeyUsage=clientAuth > $kind.cnf
            if test $kind = template; then echo crlDistributionPoints=URI:{url} >> $kind.cnf; fi
            openssl x509 -req -in client.csr -CA issuing.pem -CAkey ca.key -CAcreateserial -days 1 -extfile $kind.cnf -out $kind.pem
        done
        openssl ca -config ca.cnf -cert issuing.pem -keyfile ca.key -gencrl -crldays 1 -out crls.crl
        verify() {{ alb-mtls verify --anchors issuing.pem --crls crls.crl --pem $1 > $2 || test $? -eq 1; }}
        verify default.pem default.txt
        verify template.pem accepted.txt
        openssl ca -config ca.cnf -cert issuing.pem -keyfile ca.key -revoke template.pem
        openssl ca -config ca.cnf -cert issuing.pem -keyfile ca.key -gencrl -crldays 1 -out crls.crl
        verify template.pem revoked.txt"
    );
    let folder = tempfile::tempdir().unwrap();
    let (succeeded, output) = run(&script, folder.path(), &[], &[]);
    assert!(succeeded, "{output}");
    let verdict = |file: &str| std::fs::read_to_string(folder.path().join(file)).unwrap();
    assert!(
        verdict("default.txt").contains("crl_scope"),
        "{}",
        verdict("default.txt")
    );
    assert!(
        verdict("accepted.txt").starts_with("accepted"),
        "{}",
        verdict("accepted.txt")
    );
    assert!(
        verdict("revoked.txt").contains("ClientCertCrlHit"),
        "{}",
        verdict("revoked.txt")
    );
}
