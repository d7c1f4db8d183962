//! Arbitrary names under arbitrary constraints, many of them damaged. What is accepted though
//! webpki refuses it must use something that webpki does not process.

use alb_mtls_verifier::{
    CertificateDer, Intermediates, PresentedChain, Reason, Timestamp, TrustAnchor, TrustAnchors, Validators,
    Verifier, VerifyOptions,
};
use proptest::prelude::*;
use proptest::sample::Index;
use rustls_pki_types::UnixTime;
use test_pki::raw::tlv;
use test_pki::{CertificateBuilder, Criticality};
use webpki::{EndEntityCert, anchor_from_trusted_cert};

const NOW: i64 = 1_800_000_000;

/// Kinds of names whose constraints webpki does not process: with a name of the kind there, it
/// refuses the chain.
const BEYOND_WEBPKI: [(u8, &str); 3] = [
    (RFC822, "rfc822Name"),
    (DIRECTORY, "directoryName"),
    (URI, "uniformResourceIdentifier"),
];

const RFC822: u8 = 0x81;
const DIRECTORY: u8 = 0xA4;
const URI: u8 = 0x86;

/// A GeneralName by its tag and content.
type Element = (u8, Vec<u8>);

/// Names and bases of subtrees that have something to do with each other, some of them not
/// well-formed.
fn elements() -> impl Strategy<Value = Element> {
    let organization = |value: &str| {
        let attribute = [&[6, 3, 0x55, 4, 10][..], &tlv(0x0C, value.as_bytes())].concat();
        tlv(0x30, &tlv(0x31, &tlv(0x30, &attribute)))
    };
    let other_name = |oid: &[u8]| [tlv(6, oid), tlv(0xA0, &tlv(0x0C, b"a@example.org"))].concat();
    let text = |tag: u8, text: &str| (tag, text.as_bytes().to_vec());
    let known = vec![
        text(0x82, "example.org"),
        text(0x82, "a.example.org"),
        text(0x82, "*.example.org"),
        text(0x82, ".example.org"),
        text(0x82, "a..example.org"),
        text(0x82, "example.com"),
        text(0x82, ""),
        text(RFC822, "a@example.org"),
        text(RFC822, "a@b@example.org"),
        text(RFC822, "example.org"),
        text(RFC822, ".example.org"),
        text(URI, "spiffe://example.org/a"),
        text(URI, "https:///a"),
        text(URI, "example.org"),
        text(URI, ".example.org"),
        (0x87, vec![10, 1, 2, 3]),
        (0x87, vec![10, 0, 0, 0, 255, 0, 0, 0]),
        (0x87, [[0xFD; 16], [0xFF; 16]].concat()),
        (0x87, vec![0xFD; 16]),
        (DIRECTORY, organization("Example")),
        (DIRECTORY, organization("EXAM\u{AD}PLE")),
        (DIRECTORY, organization("Other")),
        (0xA0, other_name(&[0x2B, 6, 1, 5, 5, 7, 8, 9])),
        (0xA0, other_name(&[0x2A, 3])),
        (0x88, vec![0x2A, 3, 4]),
    ];
    let edit = prop::option::weighted(0.3, (any::<Index>(), any::<u8>(), 0..3_u8));
    (prop::sample::select(known), edit).prop_map(|((tag, mut content), edit)| {
        if let Some((at, octet, kind)) = edit
            && !content.is_empty()
        {
            let at = at.index(content.len());
            match kind {
                0 => content[at] = octet,
                1 => _ = content.remove(at),
                _ => content.insert(at, octet),
            }
        }
        (tag, content)
    })
}

#[derive(Debug)]
struct Scene {
    permitted: Vec<Element>,
    excluded: Vec<Element>,
    names: Vec<Element>,
    subject: &'static str,
}

fn scenes() -> impl Strategy<Value = Scene> {
    let subject = prop::sample::select(vec!["CN=client", "CN=client.example.org", "CN=x,O=Example", ""]);
    let list = |least| prop::collection::vec(elements(), least..3);
    (list(0), list(0), list(0), subject).prop_map(|(permitted, excluded, names, subject)| Scene {
        permitted,
        excluded,
        names,
        subject,
    })
}

impl Scene {
    fn constraints(&self) -> Option<Vec<u8>> {
        let list = |tag: u8, all: &[Element]| {
            let bases: Vec<u8> = all
                .iter()
                .flat_map(|(tag, content)| tlv(0x30, &tlv(*tag, content)))
                .collect();
            if all.is_empty() {
                Vec::new()
            } else {
                tlv(tag, &bases)
            }
        };
        let both = [list(0xA0, &self.permitted), list(0xA1, &self.excluded)].concat();
        (!both.is_empty()).then(|| tlv(0x30, &both))
    }

    /// Returns the feature of this chain that webpki does not process.
    fn beyond_webpki(&self) -> Option<&'static str> {
        let is_constrained = |wanted: u8| {
            let mut bases = self.permitted.iter().chain(&self.excluded);
            bases.any(|(tag, _)| *tag == wanted)
        };
        let is_named = |wanted: u8| wanted == DIRECTORY || self.names.iter().any(|(tag, _)| *tag == wanted);
        let mut kinds = BEYOND_WEBPKI.iter();
        let found = kinds.find(|(kind, _)| is_constrained(*kind) && is_named(*kind));
        found.map(|(_, name)| *name)
    }

    fn chain(&self) -> [CertificateDer<'static>; 3] {
        let root = CertificateBuilder::root("CN=Root")
            .seed("root")
            .self_signed()
            .unwrap();
        let mut issuing = CertificateBuilder::intermediate("CN=Issuing").seed("issuing");
        if let Some(constraints) = self.constraints() {
            issuing = issuing.extension("2.5.29.30", Criticality::Critical, &constraints);
        }
        let issuing = issuing.issued_by(&root).unwrap();
        let mut client = CertificateBuilder::client(self.subject).seed("client");
        if !self.names.is_empty() {
            let names: Vec<u8> = self
                .names
                .iter()
                .flat_map(|(tag, content)| tlv(*tag, content))
                .collect();
            client = client.extension("2.5.29.17", Criticality::NotCritical, &tlv(0x30, &names));
        }
        let client = client.issued_by(&issuing).unwrap();
        [root, issuing, client].map(|one| CertificateDer::from(one.der().to_vec()))
    }

    /// Verifies the chain. Returns true for our verdict, and true for webpki's, if it is accepted.
    fn judge(&self) -> (bool, bool) {
        let [root, issuing, client] = self.chain();
        let anchors = TrustAnchors::new([TrustAnchor::new(root.clone()).unwrap()]).unwrap();
        let verifier = Verifier::new(anchors, Intermediates::default(), VerifyOptions::default());
        let chain = PresentedChain::new([client.clone(), issuing.clone()]).unwrap();
        let ours = verifier.verify(&chain, Timestamp::from_unix_seconds(NOW));
        let trusted = [anchor_from_trusted_cert(&root).unwrap()];
        let theirs = EndEntityCert::try_from(&client).is_ok_and(|end_entity| {
            let verified = end_entity.verify_for_usage(
                webpki::ALL_VERIFICATION_ALGS,
                &trusted,
                std::slice::from_ref(&issuing),
                UnixTime::since_unix_epoch(std::time::Duration::from_secs(NOW.unsigned_abs())),
                webpki::KeyUsage::client_auth(),
                None,
                None,
            );
            verified.is_ok()
        });
        match &ours {
            Ok(client) => assert_eq!(client.validators() == Validators::Both, theirs),
            Err(rejection) => assert_ne!(rejection.reason(), Reason::ValidatorsDisagree, "{rejection}"),
        }
        (ours.is_ok(), theirs)
    }
}

/// `PROPTEST_CASES` asks for more.
#[test]
fn names_that_webpki_refuses_pass_only_where_it_cannot_judge() {
    let config = ProptestConfig {
        failure_persistence: None,
        rng_seed: prop::test_runner::RngSeed::Fixed(20_261_127),
        ..ProptestConfig::default()
    };
    let mut runner = prop::test_runner::TestRunner::new(config);
    let counts = std::cell::Cell::new((0_u32, 0_u32));
    let result = runner.run(&scenes(), |scene| {
        let (ours, theirs) = scene.judge();
        let (accepted, refused) = counts.get();
        counts.set((accepted + u32::from(ours), refused + u32::from(!ours)));
        prop_assert!(!ours || theirs || scene.beyond_webpki().is_some());
        Ok(())
    });
    result.unwrap();
    let (accepted, refused) = counts.get();
    assert!(
        accepted > refused / 20 && refused > accepted / 20,
        "{accepted} accepted, {refused} refused"
    );
}
