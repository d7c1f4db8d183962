//! Addresses that the function connects to, and those that it never does.

use crate::deployment::{Deployment, verdict};
use crate::web::{Page, Web};

#[tokio::test]
async fn private_addresses_are_refused_unless_they_are_listed() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    web.put_content("/root.crl", deployment.root_crl(1).der());
    let port = web.address.port();
    for (host, networks) in [
        ("127.0.0.1", "10.0.0.0/8"),
        ("localhost", "10.0.0.0/8"),
        ("127.1", "10.0.0.0/8"),
        ("2130706433", "10.0.0.0/8"),
        ("[::ffff:127.0.0.1]", "10.0.0.0/8 ::/0"),
    ] {
        let url = format!("http://{host}:{port}/root.crl");
        let mut function = deployment
            .function(&[&url], &[("CRL_PRIVATE_NETWORKS", networks)])
            .await;
        let record = function.refresh().await;
        assert!(
            verdict(&record).contains("is not a public address"),
            "{host}: {record}"
        );
    }
    assert_eq!(web.connections(), 0, "a connection was made");
    let mut function = deployment
        .function(
            &[&web.url("/root.crl")],
            &[("CRL_PRIVATE_NETWORKS", "127.0.0.1/32")],
        )
        .await;
    assert_eq!(verdict(&function.refresh().await), "published");
}

#[tokio::test]
async fn metadata_services_are_never_asked() {
    let deployment = Deployment::new();
    for host in ["169.254.169.254", "[fd00:ec2::254]", "[::ffff:169.254.169.254]"] {
        let url = format!("http://{host}/latest/meta-data");
        let mut function = deployment
            .function(&[&url], &[("CRL_PRIVATE_NETWORKS", "0.0.0.0/0 ::/0")])
            .await;
        let record = function.refresh().await;
        assert!(verdict(&record).contains("metadata"), "{record}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    web.put_content("/real.crl", deployment.root_crl(1).der());
    let mut function = deployment.function(&[&web.url("/root.crl")], &[]).await;
    for target in ["http://169.254.169.254/latest/meta-data/", "/real.crl"] {
        for status in ["301 Moved", "302 Found", "307 Temporary", "308 Permanent"] {
            web.put(
                "/root.crl",
                Page::Head(format!("{status}\r\nlocation: {target}\r\ncontent-length: 0")),
            );
            let record = function.refresh().await;
            assert_eq!(record["outcome"], "refused");
            assert!(
                verdict(&record).contains("redirects are not followed"),
                "{record}"
            );
        }
    }
    assert!(
        web.requests().iter().all(|line| line == "GET /root.crl HTTP/1.1"),
        "{:?}",
        web.requests()
    );
}

#[tokio::test]
async fn distribution_points_of_the_own_authorities_are_fetched_when_asked_for() {
    let web = Web::start().await;
    let url = web.url("/from-certificate.crl");
    let deployment = Deployment::with_issuing(|builder| {
        builder
            .crl_distribution_point("ldap://directory.example.com/cn=crl")
            .crl_distribution_point(&url)
    });
    web.put_content("/from-certificate.crl", deployment.root_crl(1).der());
    web.put_content("/issuing.crl", deployment.issuing_crl(1).der());
    let named = web.url("/issuing.crl");

    let mut function = deployment.function(&[&named], &[]).await;
    function.refresh().await;
    assert_eq!(web.requests(), ["GET /issuing.crl HTTP/1.1"]);

    let mut function = deployment
        .function(&[&named], &[("CRL_DISTRIBUTION_POINTS", "fetch")])
        .await;
    assert!(verdict(&function.refresh().await).starts_with("skipped: has the scheme `ldap:`"));
    assert_eq!(verdict(&function.record().await), "unchanged");
    let second = function.record().await;
    assert_eq!(
        (verdict(&second).as_str(), &second["source"]),
        ("published", &url.into())
    );
}
