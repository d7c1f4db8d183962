//! Distribution points whose names are not URIs, and `cRLIssuer`.

use alb_mtls_verifier::{CertificateDer, Reason, RevocationLists};
use test_pki::{CertificateBuilder, Credential, Criticality, Crl, CrlBuilder};

use crate::support::{BASE, Pki, daily, subject_of, tlv};

const PRINTABLE_STRING: u8 = 0x13;
const UTF8_STRING: u8 = 0x0C;

/// Encodes one attribute in a SET: a relative distinguished name.
fn relative_name(attribute: u8, string: u8, text: &str) -> Vec<u8> {
    let pair = [tlv(0x06, &[0x55, 4, attribute]), tlv(string, text.as_bytes())].concat();
    tlv(0x31, &tlv(0x30, &pair))
}

/// `O=Example, CN=<text>` in strings of this type, as a GeneralName.
fn directory(string: u8, text: &str) -> Vec<u8> {
    let names = [
        relative_name(10, string, "Example"),
        relative_name(3, string, text),
    ];
    tlv(0xA4, &tlv(0x30, &names.concat()))
}

/// Encodes the name of a CA as a GeneralName.
fn directory_of(credential: &Credential) -> Vec<u8> {
    tlv(0xA4, &subject_of(credential))
}

fn uri(name: &str) -> Vec<u8> {
    tlv(0x86, format!("{BASE}{name}").as_bytes())
}

/// `distributionPoint` with these full names.
fn full(names: &[u8]) -> Vec<u8> {
    tlv(0xA0, &tlv(0xA0, names))
}

/// `distributionPoint` with `CN=<text>` below the name of the CRL's issuer.
fn relative(string: u8, text: &str) -> Vec<u8> {
    let name = relative_name(3, string, text);
    tlv(0xA0, &tlv(0xA1, name.get(2..).unwrap()))
}

/// Issues the list of the issuing CA for a distribution point with this name.
fn list(pki: &Pki, name: &[u8], change: impl FnOnce(CrlBuilder) -> CrlBuilder) -> Crl {
    change(daily(CrlBuilder::new()))
        .extension("2.5.29.28", Criticality::Critical, &tlv(0x30, name))
        .issued_by(&pki.issuing)
        .unwrap()
}

/// A client whose only distribution point has these fields.
fn client(pki: &Pki, fields: &[u8]) -> Credential {
    let value = tlv(0x30, &tlv(0x30, fields));
    pki.another_client(|builder| builder.extension("2.5.29.31", Criticality::NotCritical, &value))
}

#[test]
fn list_tells_the_uris_that_it_is_for() {
    let pki = Pki::new();
    let uris = |name: &[u8]| {
        let crl = list(&pki, name, |builder| builder);
        crate::support::read(&crl).unwrap().distribution_points()
    };
    let both = [uri("a.crl"), directory(UTF8_STRING, "CRL1"), uri("b.crl")].concat();
    assert_eq!(
        uris(&full(&both)),
        [format!("{BASE}a.crl"), format!("{BASE}b.crl")]
    );
    assert!(uris(&relative(UTF8_STRING, "CRL1")).is_empty());
}

#[track_caller]
fn assert_verdict(pki: &Pki, of_list: &[u8], of_client: &[u8], expected: Result<(), Reason>) {
    let client = client(pki, of_client);
    let clearing = list(pki, of_list, |builder| builder);
    assert_eq!(pki.strict(&client, &[&clearing]), expected);
    let revoking = list(pki, of_list, |builder| builder.revoke(&client));
    assert_eq!(pki.strict(&client, &[&revoking]), Err(Reason::Revoked));
}

#[test]
fn directory_names_are_compared_as_names() {
    let pki = Pki::new();
    let of_list = full(&directory(PRINTABLE_STRING, "CRL1"));
    for (string, text, expected) in [
        (PRINTABLE_STRING, "CRL1", Ok(())),
        (UTF8_STRING, "CRL1", Ok(())),
        (UTF8_STRING, "crl1", Ok(())),
        (UTF8_STRING, " CRL1  ", Ok(())),
        (UTF8_STRING, "CRL2", Err(Reason::CrlScope)),
        (UTF8_STRING, "CRL 1", Err(Reason::CrlScope)),
    ] {
        assert_verdict(&pki, &of_list, &full(&directory(string, text)), expected);
    }
}

#[test]
fn one_name_of_several_is_enough() {
    let pki = Pki::new();
    let of_list = full(&[uri("a.crl"), directory(PRINTABLE_STRING, "CRL1")].concat());
    for (names, expected) in [
        ([uri("b.crl"), directory(UTF8_STRING, "CRL1")], Ok(())),
        ([uri("a.crl"), directory(UTF8_STRING, "CRL2")], Ok(())),
        (
            [uri("b.crl"), directory(UTF8_STRING, "CRL2")],
            Err(Reason::CrlScope),
        ),
        // A URI with the text of a name is another kind of name.
        (
            [tlv(0x86, &directory(PRINTABLE_STRING, "CRL1")), uri("A.crl")],
            Err(Reason::CrlScope),
        ),
    ] {
        assert_verdict(&pki, &of_list, &full(&names.concat()), expected);
    }
}

#[test]
fn relative_names_lie_below_the_issuer() {
    let pki = Pki::new();
    let name = subject_of(&pki.issuing);
    let whole = [&name[2..], &relative_name(3, UTF8_STRING, "1")].concat();
    let whole = full(&tlv(0xA4, &tlv(0x30, &whole)));
    let relative_1 = relative(PRINTABLE_STRING, "1");
    for (of_list, of_client) in [
        (&relative_1, &relative(UTF8_STRING, "1")),
        (&relative_1, &whole),
        (&whole, &relative_1),
    ] {
        assert_verdict(&pki, of_list, of_client, Ok(()));
    }
    assert_verdict(
        &pki,
        &relative_1,
        &relative(UTF8_STRING, "2"),
        Err(Reason::CrlScope),
    );
}

#[test]
fn a_crl_issuer_that_is_the_ca_itself_makes_no_difference() {
    let pki = Pki::new();
    let issuer = |names: &[u8]| tlv(0xA2, names);
    let own = directory_of(&pki.issuing);
    let own_in_capitals = {
        let names = [
            relative_name(10, PRINTABLE_STRING, "EXAMPLE"),
            relative_name(3, PRINTABLE_STRING, "SERVERLESS ISSUING CA"),
        ];
        tlv(0xA4, &tlv(0x30, &names.concat()))
    };
    let other = directory_of(&pki.root);
    let of_list = full(&uri("1.crl"));
    for (issuer, expected) in [
        (issuer(&own), Ok(())),
        (issuer(&own_in_capitals), Ok(())),
        (issuer(&[other.clone(), own.clone()].concat()), Ok(())),
        (issuer(&other), Err(Reason::CrlScope)),
        (issuer(&uri("x")), Err(Reason::CrlScope)),
    ] {
        assert_verdict(&pki, &of_list, &[full(&uri("1.crl")), issuer].concat(), expected);
    }
    // For some reasons only, it does not clear.
    let some_reasons = [full(&uri("1.crl")), tlv(0x81, &[0x06, 0x40]), issuer(&own)].concat();
    assert_verdict(&pki, &of_list, &some_reasons, Err(Reason::CrlScope));
    // Without a name of its own, the point has those of the CRL's issuer.
    let both = issuer(&[uri("1.crl"), own.clone()].concat());
    assert_verdict(&pki, &of_list, &both, Ok(()));
    assert_verdict(&pki, &of_list, &issuer(&own), Err(Reason::CrlScope));
    assert_verdict(&pki, &full(&other), &issuer(&other), Err(Reason::CrlScope));
}

#[test]
fn a_list_that_bears_the_name_of_its_issuer_speaks_of_certificates_without_points() {
    let pki = Pki::new();
    for (name, expected) in [
        (full(&directory_of(&pki.issuing)), Ok(())),
        (full(&directory_of(&pki.root)), Err(Reason::CrlScope)),
        (full(&uri("1.crl")), Err(Reason::CrlScope)),
    ] {
        let crl = list(&pki, &name, |builder| builder);
        assert_eq!(pki.strict(&pki.client, &[&crl]), expected);
        let revoking = list(&pki, &name, |builder| builder.revoke(&pki.client));
        assert_eq!(pki.strict(&pki.client, &[&revoking]), Err(Reason::Revoked));
    }
}

#[test]
fn distribution_points_of_a_ca_include_those_with_itself_as_crl_issuer() {
    let pki = Pki::new();
    let point = |name: &str, issuer: &[u8]| {
        let issuer = tlv(0xA2, issuer);
        tlv(0x30, &[full(&uri(name)), issuer].concat())
    };
    let points = [
        point("own.crl", &directory_of(&pki.root)),
        point("other.crl", &directory_of(&pki.issuing)),
    ];
    let value = tlv(0x30, &points.concat());
    let authority = CertificateBuilder::intermediate("CN=Other")
        .extension("2.5.29.31", Criticality::NotCritical, &value)
        .issued_by(&pki.root)
        .unwrap();
    assert_eq!(
        RevocationLists::distribution_points_of(&CertificateDer::from(authority.der().to_vec())),
        [format!("{BASE}own.crl")]
    );
}
