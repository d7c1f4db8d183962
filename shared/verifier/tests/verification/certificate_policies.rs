//! Certificate policies (RFC 5280 section 6.1): asked for only where an issuer asks for them.

use alb_mtls_verifier::Reason;
use test_pki::{CertificateBuilder, Credential, Criticality};

use crate::support::{ANY, GOLD, SILVER, Scene, mapping, oid, require_explicit, tlv};

trait Policies: Sized {
    fn constrained(self, value: &[u8], criticality: Criticality) -> Self;
    fn mapped(self, from: &str, to: &str) -> Self;
    fn any_inhibited(self, skip_certificates: u8) -> Self;
}

impl Policies for CertificateBuilder {
    fn constrained(self, value: &[u8], criticality: Criticality) -> Self {
        self.extension("2.5.29.36", criticality, value)
    }

    fn mapped(self, from: &str, to: &str) -> Self {
        self.extension("2.5.29.33", Criticality::Critical, &mapping(from, to))
    }

    fn any_inhibited(self, skip_certificates: u8) -> Self {
        self.extension("2.5.29.54", Criticality::Critical, &tlv(2, &[skip_certificates]))
    }
}

fn ca(name: &str) -> CertificateBuilder {
    CertificateBuilder::intermediate(name)
}

fn client() -> CertificateBuilder {
    CertificateBuilder::client("CN=client")
}

/// Verifies a path given from the root down.
fn verdict(builders: impl IntoIterator<Item = CertificateBuilder>) -> Option<Reason> {
    let mut path: Vec<Credential> = Vec::new();
    for builder in builders {
        let next = match path.last() {
            None => builder.self_signed(),
            Some(issuer) => builder.issued_by(issuer),
        };
        path.push(next.unwrap());
    }
    let anchor = path.remove(0);
    let verdict = Scene::trusting([&anchor]).verify(path.iter().rev());
    verdict.err().map(|rejection| rejection.reason())
}

const REFUSED: Option<Reason> = Some(Reason::CertificatePolicies);

#[test]
fn policies_that_nobody_requires_do_not_matter() {
    assert_eq!(
        verdict([ca("CN=Root"), ca("CN=A").policy(GOLD), client().policy(SILVER)]),
        None
    );
    assert_eq!(verdict([ca("CN=Root"), ca("CN=A").policy(GOLD), client()]), None);
}

#[test]
fn a_required_policy_must_reach_the_client() {
    for criticality in [Criticality::Critical, Criticality::NotCritical] {
        let requiring = || {
            ca("CN=A")
                .policy(GOLD)
                .constrained(&require_explicit(0), criticality)
        };
        assert_eq!(verdict([ca("CN=Root"), requiring(), client().policy(GOLD)]), None);
        assert_eq!(
            verdict([ca("CN=Root"), requiring(), client().policy(SILVER)]),
            REFUSED
        );
        assert_eq!(verdict([ca("CN=Root"), requiring(), client()]), REFUSED);
        assert_eq!(
            verdict([ca("CN=Root"), requiring(), ca("CN=B"), client().policy(GOLD)]),
            REFUSED
        );
    }
}

#[test]
fn a_requirement_can_begin_further_down() {
    let requiring = |skip| {
        ca("CN=A")
            .policy(GOLD)
            .constrained(&require_explicit(skip), Criticality::Critical)
    };
    let below = || [ca("CN=B").policy(GOLD), client()];
    let path = |skip| [ca("CN=Root"), requiring(skip)].into_iter().chain(below());
    assert_eq!(verdict(path(0)), REFUSED);
    assert_eq!(verdict(path(1)), REFUSED);
    assert_eq!(verdict(path(2)), REFUSED);
    assert_eq!(verdict(path(3)), None);
}

#[test]
fn any_policy_stands_for_each() {
    let requiring = || {
        ca("CN=A")
            .policy(ANY)
            .constrained(&require_explicit(0), Criticality::Critical)
    };
    assert_eq!(verdict([ca("CN=Root"), requiring(), client().policy(GOLD)]), None);
    assert_eq!(verdict([ca("CN=Root"), requiring(), client().policy(ANY)]), None);
    let inhibited = || requiring().any_inhibited(0);
    assert_eq!(
        verdict([ca("CN=Root"), inhibited(), client().policy(ANY)]),
        REFUSED
    );
    assert_eq!(verdict([ca("CN=Root"), inhibited(), client().policy(GOLD)]), None);
}

#[test]
fn policies_are_mapped_from_one_domain_to_the_next() {
    let requiring = || {
        ca("CN=A")
            .policy(GOLD)
            .constrained(&require_explicit(0), Criticality::Critical)
            .mapped(GOLD, SILVER)
    };
    assert_eq!(
        verdict([ca("CN=Root"), requiring(), client().policy(SILVER)]),
        None
    );
    assert_eq!(
        verdict([ca("CN=Root"), requiring(), client().policy(GOLD)]),
        REFUSED
    );
}

#[test]
fn mapping_can_be_inhibited() {
    let both = tlv(0x30, &[tlv(0x80, &[0]), tlv(0x81, &[0])].concat());
    let requiring = || ca("CN=A").policy(GOLD).constrained(&both, Criticality::Critical);
    let mapping = || ca("CN=B").policy(GOLD).mapped(GOLD, SILVER);
    assert_eq!(
        verdict([ca("CN=Root"), requiring(), mapping(), client().policy(SILVER)]),
        REFUSED
    );
    assert_eq!(
        verdict([ca("CN=Root"), requiring(), mapping(), client().policy(GOLD)]),
        REFUSED
    );
}

#[test]
fn any_policy_is_never_mapped() {
    for (from, to) in [(ANY, GOLD), (GOLD, ANY)] {
        let verdict = verdict([ca("CN=Root"), ca("CN=A").policy(GOLD).mapped(from, to), client()]);
        assert_eq!(verdict, Some(Reason::ExtensionMalformed));
    }
}

/// RFC 5280 §6.1.4(a), whether or not a policy is required.
#[test]
fn mapping_of_any_policy_is_extension_malformed_when_not_critical() {
    let mapped = |value: &[u8]| ca("CN=A").extension("2.5.29.33", Criticality::NotCritical, value);
    for wrong in [mapping(ANY, GOLD), mapping(GOLD, ANY)] {
        let verdict = verdict([ca("CN=Root"), mapped(&wrong), client()]);
        assert_eq!(verdict, Some(Reason::ExtensionMalformed), "{wrong:02x?}");
    }
    assert_eq!(
        verdict([ca("CN=Root"), mapped(&mapping(GOLD, SILVER)), client()]),
        None
    );
}

#[test]
fn the_anchors_own_requirement_counts() {
    let root = || ca("CN=Root").constrained(&require_explicit(0), Criticality::Critical);
    assert_eq!(
        verdict([root(), ca("CN=A").policy(GOLD), client().policy(GOLD)]),
        None
    );
    assert_eq!(verdict([root(), ca("CN=A"), client().policy(GOLD)]), REFUSED);
    let naming = || root().policy(SILVER);
    assert_eq!(
        verdict([naming(), ca("CN=A").policy(GOLD), client().policy(GOLD)]),
        REFUSED
    );
    assert_eq!(
        verdict([naming(), ca("CN=A").policy(SILVER), client().policy(SILVER)]),
        None
    );
}

#[test]
fn qualifiers_that_are_not_known_matter_only_where_policies_are_critical() {
    let qualifier = tlv(0x30, &[oid("1.2.3.4"), tlv(5, &[])].concat());
    let value = tlv(0x30, &tlv(0x30, &[oid(GOLD), tlv(0x30, &qualifier)].concat()));
    let named = |criticality| client().extension("2.5.29.32", criticality, &value);
    assert_eq!(verdict([ca("CN=Root"), named(Criticality::NotCritical)]), None);
    assert_eq!(
        verdict([ca("CN=Root"), named(Criticality::Critical)]),
        Some(Reason::CriticalExtension)
    );
}

#[test]
fn policy_named_twice_is_refused_where_policies_count() {
    let twice = tlv(0x30, &[tlv(0x30, &oid(GOLD)), tlv(0x30, &oid(GOLD))].concat());
    let named = || client().extension("2.5.29.32", Criticality::NotCritical, &twice);
    assert_eq!(verdict([ca("CN=Root"), named()]), None);
    let critical = client().extension("2.5.29.32", Criticality::Critical, &twice);
    assert_eq!(
        verdict([ca("CN=Root"), critical]),
        Some(Reason::ExtensionMalformed)
    );
    let requiring = ca("CN=Root").constrained(&require_explicit(0), Criticality::Critical);
    assert_eq!(verdict([requiring, named()]), Some(Reason::ExtensionMalformed));
}

#[test]
fn exponential_mappings_cost_no_more_than_their_length() {
    // Each level maps every policy to every other one: a tree would have 40^8 leaves.
    let policies: Vec<String> = (0..40)
        .map(|number| format!("1.3.6.1.4.1.99999.{number}"))
        .collect();
    let mappings: Vec<u8> = policies
        .iter()
        .flat_map(|from| {
            policies
                .iter()
                .map(move |to| tlv(0x30, &[oid(from), oid(to)].concat()))
        })
        .flatten()
        .collect();
    let level = |number: usize| {
        let named = policies
            .iter()
            .fold(ca(&format!("CN=Level {number}")), |ca, policy| ca.policy(policy));
        named
            .constrained(&require_explicit(0), Criticality::Critical)
            .extension("2.5.29.33", Criticality::Critical, &tlv(0x30, &mappings))
    };
    let mut path: Vec<Credential> = vec![ca("CN=Root").self_signed().unwrap()];
    for number in 0..8 {
        let next = level(number).issued_by(path.last().unwrap()).unwrap();
        path.push(next);
    }
    let client = client()
        .policy("1.3.6.1.4.1.99999.99")
        .issued_by(path.last().unwrap())
        .unwrap();
    let anchor = path.remove(0);
    let scene = Scene::trusting([&anchor]).with_policy(|policy| policy.max_depth = 10);
    path.push(client);
    let started = std::time::Instant::now();
    scene.refuses(path.iter().rev(), Reason::CertificatePolicies);
    assert!(
        started.elapsed().as_millis() < 500,
        "took {:?}",
        started.elapsed()
    );
}

/// Returns the certificate that is refused, with the field, the value and the allowed values.
fn refusal(path: [CertificateBuilder; 3]) -> (Option<usize>, [Option<String>; 3]) {
    let [root, issuing, client] = path;
    let root = root.self_signed().unwrap();
    let issuing = issuing.issued_by(&root).unwrap();
    let client = client.issued_by(&issuing).unwrap();
    let rejection = Scene::trusting([&root]).verify([&client, &issuing]).unwrap_err();
    let context = rejection.context();
    let facts = [context.field, context.found, context.allowed];
    (context.certificate, facts.map(|fact| fact.map(str::to_owned)))
}

#[test]
fn refusals_name_the_policies_that_were_found() {
    let field = || Some("certificate policies (2.5.29.32)".to_owned());
    let requiring = || {
        ca("CN=A")
            .policy(GOLD)
            .constrained(&require_explicit(0), Criticality::Critical)
    };
    assert_eq!(
        refusal([ca("CN=Root"), requiring(), client()]),
        (Some(0), [field(), Some("no policies".to_owned()), None])
    );
    let mapping_any = ca("CN=A").extension("2.5.29.33", Criticality::NotCritical, &mapping(ANY, GOLD));
    let others = client().policy(SILVER).policy("1.2.3.4");
    assert_eq!(
        refusal([ca("CN=Root"), requiring(), others]),
        (Some(0), [field(), Some(format!("1.2.3.4, {SILVER}")), None])
    );
    assert_eq!(
        refusal([ca("CN=Root"), mapping_any, client()]),
        (
            Some(1),
            [
                Some("policy mappings (2.5.29.33)".to_owned()),
                Some("a mapping of anyPolicy".to_owned()),
                None
            ]
        )
    );
}
