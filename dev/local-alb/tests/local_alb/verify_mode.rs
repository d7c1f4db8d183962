//! Verify mode, which a target can be written for as well.

use bytes::Bytes;
use local_alb::{
    ClientCertificateHeaderCopies, LocalAlb, LocalAlbError, MutualAuthentication, passthrough_header,
};
use rcgen::{DnType, SerialNumber, date_time_ymd};

use crate::support::{Authority, Site, client_params};

async fn site(root: &Authority) -> Site {
    let trust_anchors = vec![root.certificate.clone()];
    Site::with(
        |listener| {
            listener
                .mode(MutualAuthentication::Verify { trust_anchors })
                .client_header_copies(ClientCertificateHeaderCopies::Strip)
        },
        |group| group,
    )
    .await
}

#[tokio::test]
async fn sends_the_five_headers_instead_of_the_chain() {
    let root = Authority::new("root, \"quoted\"");
    let site = site(&root).await;
    let mut params = client_params("client_.com");
    params.distinguished_name.push(DnType::OrganizationName, "mTLS");
    params.distinguished_name.push(DnType::CountryName, "US");
    params.serial_number = Some(SerialNumber::from_slice(&[0x03, 0xa5, 0xb1]));
    params.not_before = date_time_ymd(2023, 9, 21);
    params.not_after = date_time_ymd(2049, 9, 20);
    let identity = root.client_with(params, &[]);
    for client in [
        site.client().identity(&identity),
        site.client().identity(&identity).http_2(),
    ] {
        let event = client
            .event(client.request("/").body(Bytes::new()).unwrap())
            .await;
        let headers = &event["headers"];
        assert_eq!(headers["x-amzn-mtls-clientcert-serial-number"], "03A5B1");
        assert_eq!(
            headers["x-amzn-mtls-clientcert-subject"],
            "C=US,O=mTLS,CN=client_.com"
        );
        assert_eq!(
            headers["x-amzn-mtls-clientcert-issuer"],
            "CN=root\\, \\\"quoted\\\""
        );
        assert_eq!(
            headers["x-amzn-mtls-clientcert-validity"],
            "NotBefore=2023-09-21T00:00:00Z;NotAfter=2049-09-20T00:00:00Z"
        );
        assert_eq!(
            headers["x-amzn-mtls-clientcert-leaf"],
            passthrough_header(&identity.chain)
        );
        assert!(headers.get("x-amzn-mtls-clientcert").is_none());
    }
}

#[tokio::test]
async fn prints_a_serial_number_without_its_sign_byte() {
    let root = Authority::new("root");
    let site = site(&root).await;
    let mut params = client_params("client");
    params.serial_number = Some(SerialNumber::from_slice(&[0xf3, 0xa5]));
    let client = site.client().identity(&root.client_with(params, &[]));
    let event = client
        .event(client.request("/").body(Bytes::new()).unwrap())
        .await;
    assert_eq!(event["headers"]["x-amzn-mtls-clientcert-serial-number"], "F3A5");
}

#[tokio::test]
async fn refuses_the_handshake_of_a_client_that_is_not_vouched_for() {
    let root = Authority::new("root");
    let site = site(&root).await;
    let mut expired = client_params("expired");
    expired.not_before = date_time_ymd(2001, 1, 1);
    expired.not_after = date_time_ymd(2002, 1, 1);
    let foreign = Authority::new("root").client("foreign", &[]);
    let expired = root.client_with(expired, &[]);
    let good = root.client("good", &[]);
    for client in [
        site.client(),
        site.client().identity(&foreign),
        site.client().identity(&expired),
        site.client().stolen(&good, &foreign),
    ] {
        for client in [client.clone(), client.clone().http_2(), client.tls_1_2()] {
            let request = client.request("/").body(Bytes::new()).unwrap();
            assert!(client.send(request).await.is_err());
        }
    }
    assert_eq!(site.client().identity(&good).get("/").await.status(), 200);
}

#[tokio::test]
async fn does_not_start_without_a_trust_anchor() {
    let listener = Authority::new("server").server().listener();
    let listener = listener.mode(MutualAuthentication::Verify {
        trust_anchors: Vec::new(),
    });
    let group = local_alb::TargetGroup::new("x", local_alb::Target::Http(([127, 0, 0, 1], 1).into()));
    let error = LocalAlb::start(listener, vec![group]).await.unwrap_err();
    assert!(matches!(error, LocalAlbError::Tls(_)), "{error}");
}
