//! From the URL of a CA through `refresh-crls` and the bucket to the gate, with the setting that
//! `alb-mtls` prints.

use std::collections::HashMap;
use std::process::Command;

use alb_mtls_tests::{Clients, Function, Moto, binary, large_crl, large_crl_serials};
use local_alb::InvocationOutcome;
use test_pki::{CertificateBuilder, CrlBuilder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::ask;

/// Serves these targets and returns the address.
async fn serve(pages: HashMap<String, Vec<u8>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = Vec::new();
            while !head.ends_with(b"\r\n\r\n") {
                head.push(stream.read_u8().await.unwrap());
            }
            let head = String::from_utf8(head).unwrap();
            let page = head.split(' ').nth(1).and_then(|target| pages.get(target));
            let (status, body) = page.map_or(("404 Not Found", &[][..]), |body| ("200 OK", body.as_slice()));
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n", body.len());
            // Who is not allowed so much does not read to the end.
            let _ = stream.write_all(&[head.as_bytes(), body].concat()).await;
        }
    });
    address
}

#[tokio::test]
async fn gate_reads_what_refresh_crls_published_by_the_printed_setting() {
    let clients = Clients::new();
    let client = |name: &str| {
        CertificateBuilder::client(name)
            .issued_by(&clients.issuing)
            .unwrap()
    };
    let revoked = client("CN=revoked");
    clients.write("issuing.pem", &clients.issuing.pem());
    let root_crl = CrlBuilder::new().number(1).issued_by(&clients.root).unwrap();
    let issuing_crl = CrlBuilder::new()
        .number(1)
        .revoke(&revoked)
        .issued_by(&clients.issuing)
        .unwrap();
    let ad_cs = "/CertEnroll/Test%20Root(1).crl";
    let ejbca =
        "/ejbca/publicweb/webdist/certdist?cmd=crl&issuer=CN%3DTest+Issuing+CA%2CO%3DTests&format=PEM";
    let address = serve(HashMap::from([
        (ad_cs.to_owned(), root_crl.der().to_vec()),
        (ejbca.to_owned(), issuing_crl.pem().into_bytes()),
    ]))
    .await;
    let sources = format!("http://{address}{ad_cs} http://{address}{ejbca}");

    let moto = Moto::start();
    moto.create_bucket("trust");
    let source = |name: &str| format!("file:{}", clients.directory().join(name).display());
    let refresher = [
        ("CRL_ANCHORS".to_owned(), clients.anchors_source()),
        ("CRL_INTERMEDIATES".to_owned(), source("issuing.pem")),
        ("CRL_SOURCES".to_owned(), sources.clone()),
        ("CRL_DESTINATION".to_owned(), "s3://trust/crls/".to_owned()),
        ("CRL_PRIVATE_NETWORKS".to_owned(), "127.0.0.0/8".to_owned()),
    ];
    let refresher = Function::start("refresh-crls", refresher.into_iter().chain(moto.variables())).await;
    let outcome = refresher.invoke("{}").await;
    assert!(matches!(outcome, InvocationOutcome::Response(_)), "{outcome:?}");

    let printed = Command::new(binary("alb-mtls"))
        .args(["bundle", "crls", "--destination", "s3://trust/crls/", &sources])
        .output()
        .unwrap();
    assert!(printed.status.success(), "{printed:?}");
    let crls = String::from_utf8(printed.stdout).unwrap();
    let settings = [
        ("MTLS_ANCHORS".to_owned(), clients.anchors_source()),
        ("MTLS_CRLS".to_owned(), crls.trim().to_owned()),
    ];
    let gate = Function::start("respond", settings.into_iter().chain(moto.variables())).await;
    let (status, record) = ask(&gate, [&clients.good, &clients.issuing]).await;
    assert_eq!(status, 200, "{record}");
    let (status, record) = ask(&gate, [&revoked, &clients.issuing]).await;
    assert_eq!((status, &record["detail"]), (401, &"revoked".into()), "{record}");
}

#[tokio::test]
async fn a_large_list_is_published_from_a_temporary_file() {
    const ENTRIES: usize = 1_200_000;
    let clients = Clients::new();
    clients.write("issuing.pem", &clients.issuing.pem());
    let root = CrlBuilder::new().number(1).issued_by(&clients.root).unwrap();
    let list = large_crl(ENTRIES, &clients.issuing, CrlBuilder::new().number(1));
    let length = list.der().len() as u64;
    let mut forged = list.der().to_vec();
    let middle = forged.len() / 2;
    forged[middle] ^= 1;
    let pages = [("/root", root.der()), ("/list", list.der()), ("/forged", &forged)];
    let pages = pages.map(|(target, page)| (target.to_owned(), page.to_vec()));
    let address = serve(HashMap::from(pages)).await;
    let moto = Moto::start();
    moto.create_bucket("trust");
    let issuing = format!("file:{}", clients.directory().join("issuing.pem").display());
    let refresher = async |page: &str, most: &str| {
        let sources = format!("http://{address}/root http://{address}/{page}");
        let settings = [
            ("CRL_ANCHORS".to_owned(), clients.anchors_source()),
            ("CRL_INTERMEDIATES".to_owned(), issuing.clone()),
            ("CRL_SOURCES".to_owned(), sources),
            ("CRL_DESTINATION".to_owned(), "s3://trust/crls/".to_owned()),
            ("CRL_PRIVATE_NETWORKS".to_owned(), "127.0.0.0/8".to_owned()),
            ("CRL_TIMEOUT".to_owned(), "5m".to_owned()),
            ("CRL_MAX_BYTES".to_owned(), most.to_owned()),
        ];
        Function::start("refresh-crls", settings.into_iter().chain(moto.variables())).await
    };
    let summary = async |function: &Function| match function.invoke("{}").await {
        InvocationOutcome::Response(summary) => String::from_utf8(summary.to_vec()).unwrap(),
        other => panic!("{other:?}"),
    };
    let function = refresher("list", "100000000").await;
    let published = summary(&function).await;
    assert!(published.contains("\"published\":2"), "{published}");
    let peak = function.facts().peak_memory.unwrap();
    println!(
        "peak resident memory: {:.1} MB for a list of {:.1} MB",
        peak as f64 / 1e6,
        length as f64 / 1e6
    );
    // In memory, the list that is published and the new one would take more than twice as much.
    assert!(peak < 2 * length, "{peak} bytes");
    // What is published is the same, and the gate can read it.
    let again = summary(&function).await;
    assert!(again.contains("\"unchanged\":2"), "{again}");
    let printed = Command::new(binary("alb-mtls"))
        .args(["bundle", "crls", "--destination", "s3://trust/crls/"])
        .arg(format!("http://{address}/root http://{address}/list"))
        .output()
        .unwrap();
    let settings = [
        ("MTLS_ANCHORS".to_owned(), clients.anchors_source()),
        (
            "MTLS_CRLS".to_owned(),
            String::from_utf8(printed.stdout).unwrap().trim().to_owned(),
        ),
    ];
    let gate = Function::start("respond", settings.into_iter().chain(moto.variables())).await;
    let listed = CertificateBuilder::client("CN=listed")
        .serial_bytes(&large_crl_serials().nth(ENTRIES - 1).unwrap())
        .issued_by(&clients.issuing)
        .unwrap();
    for (client, expected) in [(&clients.good, 200), (&listed, 401)] {
        let (status, record) = ask(&gate, [client, &clients.issuing]).await;
        assert_eq!(status, expected, "{record}");
    }
    // One other octet, and one more than the operator allows.
    for (page, most) in [("forged", "100000000"), ("list", "50000000")] {
        let refused = summary(&refresher(page, most).await).await;
        assert!(refused.contains("\"refused\":1"), "{page}: {refused}");
    }
}
