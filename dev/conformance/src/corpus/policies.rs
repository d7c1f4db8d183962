//! Certificate policies (RFC 5280 section 6.1).

use test_pki::{CertificateBuilder, Credential, Criticality};

use super::{Cases, case, certificates, tlv};

const GOLD: &str = "1.3.6.1.4.1.99999.1";
const SILVER: &str = "1.3.6.1.4.1.99999.2";
const ANY: &str = "2.5.29.32.0";

/// Identifiers of those policies and of anyPolicy in DER.
const GOLD_DER: &[u8] = &[6, 9, 0x2B, 6, 1, 4, 1, 0x86, 0x8D, 0x1F, 1];
const SILVER_DER: &[u8] = &[6, 9, 0x2B, 6, 1, 4, 1, 0x86, 0x8D, 0x1F, 2];
const ANY_DER: &[u8] = &[6, 4, 0x55, 0x1D, 0x20, 0];

const REQUIRED: &[u8] = &[0x30, 3, 0x80, 1, 0];

type Change = fn(CertificateBuilder) -> CertificateBuilder;

fn requiring(issuing: CertificateBuilder) -> CertificateBuilder {
    issuing.extension("2.5.29.36", Criticality::Critical, REQUIRED)
}

fn mapping(issuing: CertificateBuilder, from: &[u8], to: &[u8]) -> CertificateBuilder {
    let value = tlv(0x30, &tlv(0x30, &[from, to].concat()));
    issuing.extension("2.5.29.33", Criticality::Critical, &value)
}

/// Id, why, what the issuer says, what the client says, and the detail of the refusal; empty when
/// it is accepted.
const POLICIES: &[(&str, &str, Change, Change, &str)] = &[
    (
        "not-required",
        "no certificate requires a policy",
        |issuing| issuing.policy(GOLD),
        |client| client.policy(SILVER),
        "",
    ),
    (
        "kept",
        "the required policy is there",
        |issuing| requiring(issuing.policy(GOLD)),
        |client| client.policy(GOLD),
        "",
    ),
    (
        "missing",
        "a policy is required and the client has none",
        |issuing| requiring(issuing.policy(GOLD)),
        |client| client,
        "certificate_policies",
    ),
    (
        "another",
        "a policy is required and the client has another one",
        |issuing| requiring(issuing.policy(GOLD)),
        |client| client.policy(SILVER),
        "certificate_policies",
    ),
    (
        "required-not-critical",
        "the requirement counts although it is not critical",
        |issuing| {
            issuing
                .policy(GOLD)
                .extension("2.5.29.36", Criticality::NotCritical, REQUIRED)
        },
        |client| client,
        "certificate_policies",
    ),
    (
        "any",
        "anyPolicy stands for each",
        |issuing| requiring(issuing.policy(ANY)),
        |client| client.policy(GOLD),
        "",
    ),
    (
        "any-inhibited",
        "anyPolicy may not stand for each any more",
        |issuing| requiring(issuing.policy(GOLD)).extension("2.5.29.54", Criticality::Critical, &[2, 1, 0]),
        |client| client.policy(ANY),
        "certificate_policies",
    ),
    (
        "mapped",
        "the policy of the issuer's domain is another one in the client's",
        |issuing| mapping(requiring(issuing.policy(GOLD)), GOLD_DER, SILVER_DER),
        |client| client.policy(SILVER),
        "",
    ),
    (
        "mapped-away",
        "the client has the policy of the issuer's domain",
        |issuing| mapping(requiring(issuing.policy(GOLD)), GOLD_DER, SILVER_DER),
        |client| client.policy(GOLD),
        "certificate_policies",
    ),
    (
        "mapped-from-any",
        "anyPolicy is never mapped",
        |issuing| mapping(issuing.policy(GOLD), ANY_DER, SILVER_DER),
        |client| client,
        "extension_malformed",
    ),
    (
        "mapped-to-any",
        "anyPolicy is never mapped to",
        |issuing| mapping(issuing.policy(GOLD), GOLD_DER, ANY_DER),
        |client| client,
        "extension_malformed",
    ),
];

pub(super) fn cases() -> Cases {
    let mut cases = Vec::new();
    for (id, why, of_issuer, of_client, detail) in POLICIES {
        let root: Credential = super::root()?;
        let issuing =
            of_issuer(CertificateBuilder::intermediate("CN=Issuing,O=Example").seed(id)).issued_by(&root)?;
        let client =
            of_client(CertificateBuilder::client("CN=client,O=Example").seed(id)).issued_by(&issuing)?;
        let case = case(
            &format!("policies/{id}"),
            why,
            [&root],
            certificates([&client, &issuing]),
        );
        cases.push(match *detail {
            "" => case.accepted("CN=client,O=Example"),
            detail => case.refused(detail),
        });
    }
    Ok(cases)
}
