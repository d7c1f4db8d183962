//! Forecasts: what strict revocation would say of the certificates of a CA.

use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, CertificateStatus, Intermediates, IssuerForecast, Reason, RevocationLists,
    SignatureAlgorithms, TrustAnchor,
};
use test_pki::{CertificateBuilder, Credential, Crl, CrlBuilder, CrlScope};
use time::Duration;

use crate::support::{BASE, NOW, Pki, daily, long_lived, read, timestamp};

fn ca(credential: &Credential) -> TrustAnchor {
    TrustAnchor::new(CertificateDer::from(credential.der().to_vec())).unwrap()
}

fn forecasts(pki: &Pki, issuers: &[&Credential], crls: &[&Crl]) -> Vec<IssuerForecast> {
    let intermediates = issuers
        .iter()
        .map(|issuer| CertificateDer::from(issuer.der().to_vec()));
    let lists = crls.iter().map(|crl| Arc::new(read(crl).unwrap()));
    let lists = RevocationLists::new(
        lists,
        &pki.anchors(),
        &Intermediates::new(intermediates).unwrap(),
        None,
    );
    let issuers: Vec<TrustAnchor> = issuers.iter().map(|issuer| ca(issuer)).collect();
    lists.forecast(&issuers, 0, SignatureAlgorithms::default(), timestamp(NOW))
}

/// Returns the reason for which a status is unknown.
fn reason(status: &CertificateStatus) -> Option<Reason> {
    match status {
        CertificateStatus::Good(_) => None,
        CertificateStatus::Unknown(rejection) => Some(rejection.reason()),
        _ => panic!("another status: {status:?}"),
    }
}

/// Returns the reasons for each scope, and for certificates without a distribution point.
fn of_issuing(pki: &Pki, crls: &[&Crl]) -> (Vec<Option<Reason>>, Option<Reason>) {
    let found = forecasts(pki, &[&pki.issuing], crls);
    let [found] = found.as_slice() else {
        panic!("one CA: {found:?}");
    };
    assert_eq!(found.issuer, "CN=Serverless Issuing CA,O=Example");
    assert_eq!(found.certificates, [ca(&pki.issuing).id()]);
    let scopes = found.scopes.iter().map(|(_, status)| reason(status));
    (scopes.collect(), reason(&found.others))
}

fn scoped(pki: &Pki, scope: CrlScope) -> Crl {
    daily(CrlBuilder::new().scope(scope))
        .issued_by(&pki.issuing)
        .unwrap()
}

#[test]
fn complete_list_makes_every_certificate_good() {
    let pki = Pki::new();
    assert_eq!(of_issuing(&pki, &[&pki.issuing_crl()]), (vec![None], None));
}

#[test]
fn without_a_list_nothing_is_good() {
    let pki = Pki::new();
    let nothing = (Vec::new(), Some(Reason::CrlMissing));
    assert_eq!(of_issuing(&pki, &[]), nothing);
    // The list of another CA says nothing.
    assert_eq!(of_issuing(&pki, &[&pki.root_crl()]), nothing);
}

#[test]
fn stale_list_makes_nothing_good() {
    let pki = Pki::new();
    let stale = CrlBuilder::new().valid(NOW - Duration::days(9), NOW - Duration::DAY);
    let stale = stale.issued_by(&pki.issuing).unwrap();
    let expected = (vec![Some(Reason::CrlStale)], Some(Reason::CrlStale));
    assert_eq!(of_issuing(&pki, &[&stale]), expected);
}

#[test]
fn list_of_a_scope_makes_certificates_of_that_scope_good() {
    let pki = Pki::new();
    let (clients, cas) = (
        scoped(&pki, CrlScope::EndEntities),
        scoped(&pki, CrlScope::Authorities),
    );
    assert_eq!(of_issuing(&pki, &[&clients, &cas]), (vec![None, None], None));
    // The CA issues to clients alone: its certificate says so.
    assert_eq!(of_issuing(&pki, &[&clients]), (vec![None], None));
    let (scopes, others) = of_issuing(&pki, &[&cas]);
    assert_eq!(scopes, [None]);
    assert!(others.is_some());
}

#[test]
fn scopes_are_those_of_the_own_complete_lists_each_once() {
    let pki = Pki::new();
    let namesake = long_lived(CertificateBuilder::intermediate(
        "CN=Serverless Issuing CA,O=Example",
    ));
    let namesake = namesake.issued_by(&pki.root).unwrap();
    let of = |issuer: &Credential, number: u64, change: &dyn Fn(CrlBuilder) -> CrlBuilder| {
        change(daily(CrlBuilder::new().number(number)))
            .issued_by(issuer)
            .unwrap()
    };
    let clients = |builder: CrlBuilder| builder.scope(CrlScope::EndEntities);
    // Of a CA with the name and another key, a delta, and two lists of one scope.
    let foreign = of(&namesake, 1, &|builder| builder.scope(CrlScope::Authorities));
    let delta = of(&pki.issuing, 3, &|builder| {
        builder.delta_of(2).distribution_point(&format!("{BASE}1.crl"))
    });
    let (older, newer) = (of(&pki.issuing, 1, &clients), of(&pki.issuing, 2, &clients));
    assert_eq!(of_issuing(&pki, &[&foreign, &delta]).0, []);
    assert_eq!(
        of_issuing(&pki, &[&foreign, &older, &delta, &newer]),
        (vec![None], None)
    );
}

#[test]
fn list_of_a_distribution_point_is_good_for_what_names_it() {
    let pki = Pki::new();
    let partition = daily(CrlBuilder::new().distribution_point(&format!("{BASE}1.crl")));
    let partition = partition.issued_by(&pki.issuing).unwrap();
    let (scopes, others) = of_issuing(&pki, &[&partition]);
    assert_eq!(scopes, [None]);
    assert!(others.is_some());
}

#[test]
fn ca_that_can_issue_to_cas_needs_a_list_for_them_too() {
    let pki = Pki::new();
    let issuing = long_lived(CertificateBuilder::intermediate("CN=Policy CA,O=Example"));
    let issuing = issuing.issued_by(&pki.root).unwrap();
    let list = |scope| daily(CrlBuilder::new().scope(scope)).issued_by(&issuing).unwrap();
    let (clients, cas) = (list(CrlScope::EndEntities), list(CrlScope::Authorities));
    let others = |crls: &[&Crl]| reason(&forecasts(&pki, &[&issuing], crls)[0].others);
    assert!(others(&[&clients]).is_some());
    assert_eq!(others(&[&clients, &cas]), None);
}

#[test]
fn certificates_with_one_name_and_key_are_one_ca() {
    let pki = Pki::new();
    let other_name = long_lived(CertificateBuilder::intermediate("CN=Other,O=Example"));
    let other_key = long_lived(CertificateBuilder::intermediate(
        "CN=Serverless Issuing CA,O=Example",
    ));
    let (other_name, other_key) = (
        other_name.issued_by(&pki.root).unwrap(),
        other_key.issued_by(&pki.root).unwrap(),
    );
    let issuers = [&pki.issuing, &other_name, &pki.issuing, &other_key];
    let sizes: Vec<usize> = forecasts(&pki, &issuers, &[])
        .iter()
        .map(|forecast| forecast.certificates.len())
        .collect();
    assert_eq!(sizes, [2, 1, 1]);
}
