//! `docs/certificate-and-dns.md`: a certificate of ACM, and records in Route 53.

use alb_mtls_tests::{Account, deployment_script};

use crate::certificates::{Pki, ask, deployed};

const PAGE: &str = "docs/certificate-and-dns.md";

#[tokio::test]
async fn certificate_is_asked_for_and_the_name_leads_to_the_load_balancer() {
    let (account, pki) = (Account::start(), Pki::new());
    let blocks = ["request", "validate", "stack"].map(|name| deployment_script(PAGE, name));
    let zone = "zone=$(aws route53 create-hosted-zone --name example.org --caller-reference tests --query HostedZone.Id --output text)";
    let script = [
        &[zone.to_owned(), "name=gate.example.org".to_owned()][..],
        &blocks,
    ]
    .concat();
    let stack = deployed(&account, pki.path(), &script.join("\n"));
    let listener = stack.properties("HttpsListener");
    let certificate = listener["Certificates"][0]["CertificateArn"].as_str().unwrap();
    assert!(certificate.starts_with("arn:aws:acm:us-east-1:"), "{certificate}");
    // Not the one of other pages: it is what ACM made here.
    let known = account.must_run(pki.path(), "aws acm list-certificates", &[]);
    assert!(known.contains(certificate), "{known}");

    let alias = format!(
        "zone=$(aws route53 list-hosted-zones --query 'HostedZones[0].Id' --output text)\nname=gate.example.org\nbalancer={}\nbalancer_zone=Z35SXDOTRQ7X7K\n{}\naws route53 list-resource-record-sets --hosted-zone-id $zone",
        stack.output("LoadBalancerDnsName"),
        deployment_script(PAGE, "alias")
    );
    let records = account.must_run(pki.path(), &alias, &[]);
    assert!(records.contains(stack.output("LoadBalancerDnsName")), "{records}");
    assert!(records.contains("\"CNAME\""), "{records}");

    let mut gate = stack.listen().await;
    assert_eq!(ask(&mut gate, &pki.client, "/").await.0, 200);
    // The last step of the page.
    let probed = gate.probe(stack.output("TryIt"), pki.path()).await;
    assert!(probed.contains("no findings"), "{probed}");
    gate.close().await;
}
