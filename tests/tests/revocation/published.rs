//! From the URL of a CA through `refresh-crls` and the bucket to the gate, with the setting that
//! `alb-mtls` prints.

use std::collections::HashMap;
use std::process::Command;

use alb_mtls_tests::{Clients, Function, Moto, binary};
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
            stream.write_all(head.as_bytes()).await.unwrap();
            stream.write_all(body).await.unwrap();
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
