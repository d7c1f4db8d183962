//! Small PKIs from arbitrary bytes: CAs that certify each other in any way, a client below one of
//! them, and here and there something that is wrong. The fuzzer of path building makes its PKIs by
//! this too.

use std::sync::LazyLock;

use alb_mtls_verifier::{
    CertificateDer, Intermediates, PresentedChain, Reason, Rejection, Timestamp, TrustAnchor, TrustAnchors,
    Validators, VerifiedClient, Verifier, VerifyOptions,
};
use rustls_pki_types::UnixTime;
use test_pki::{
    Authority, CertificateBuilder, Credential, Criticality, GeneralName, Key, KeyKind, KeyUsage, Purpose,
};
use time::macros::datetime;
use webpki::{EndEntityCert, anchor_from_trusted_cert};

const NAMES: [&str; 4] = ["CN=A", "CN=B", "CN=C", "CN=a"];
const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| {
    (0..4)
        .map(|number| Key::from_seed(KeyKind::P256, &format!("key {number}")).unwrap())
        .collect()
});

/// Anchors, certificates and options of one verification.
pub(crate) struct Topology {
    anchors: Vec<CertificateDer<'static>>,
    presented: Vec<CertificateDer<'static>>,
    max_depth: usize,
    /// Something in it is beyond webpki: names that are equal and not the same bytes, self-issued
    /// certificates, policy constraints, constraints on other names than DNS names.
    pub(crate) is_beyond_webpki: bool,
    /// Something in it is against a rule that webpki leaves to its caller: key usage, depth, an
    /// anchor's own constraints.
    pub(crate) is_stricter: bool,
}

/// Place of a certificate.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Anchor,
    Intermediate,
}

/// Reads choices from bytes; after the last one, every choice is the first.
struct Choices<'b>(&'b [u8]);

impl Choices<'_> {
    fn below(&mut self, bound: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(*first) % bound
    }

    fn one_in(&mut self, bound: usize) -> bool {
        self.below(bound) == bound - 1
    }
}

impl Topology {
    pub(crate) fn from_bytes(bytes: &[u8]) -> Self {
        let mut choices = Choices(bytes);
        let mut topology = Self {
            anchors: Vec::new(),
            presented: Vec::new(),
            max_depth: 2 + choices.below(5),
            is_beyond_webpki: false,
            is_stricter: false,
        };
        let mut authorities: Vec<Credential> = Vec::new();
        let mut names = Vec::new();
        for _ in 0..1 + choices.below(2) {
            let (name, key) = (topology.name(&mut choices), choices.below(KEYS.len()));
            names.push(name);
            let root = CertificateBuilder::root(NAMES[name]).seed("root").key(&KEYS[key]);
            let root = topology
                .flawed(root, Place::Anchor, &mut choices)
                .self_signed()
                .unwrap();
            topology.anchors.push(der(&root));
            authorities.push(root);
        }
        let mut intermediates = Vec::new();
        for number in 0..choices.below(6) {
            let issuer = choices.below(authorities.len());
            let (name, key) = (topology.name(&mut choices), choices.below(KEYS.len()));
            topology.is_beyond_webpki |= name == names[issuer];
            names.push(name);
            let builder = CertificateBuilder::intermediate(NAMES[name])
                .seed(&format!("{number}"))
                .key(&KEYS[key]);
            let builder = topology.flawed(builder, Place::Intermediate, &mut choices);
            let builder = topology.spelled(builder, &mut choices);
            let intermediate = builder.issued_by(&authorities[issuer]).unwrap();
            intermediates.push(der(&intermediate));
            authorities.push(intermediate);
        }
        let issuer = choices.below(authorities.len());
        let client = CertificateBuilder::client("CN=client")
            .seed("client")
            .dns("client.example.org");
        let client = topology.flawed_client(client, &mut choices);
        let client = topology
            .spelled(client, &mut choices)
            .issued_by(&authorities[issuer])
            .unwrap();
        topology.presented.push(der(&client));
        // In any order.
        while !intermediates.is_empty() {
            let next = choices.below(intermediates.len());
            topology.presented.push(intermediates.swap_remove(next));
        }
        topology.is_stricter |= topology.presented.len() > topology.max_depth;
        topology
    }

    /// Chooses a name. The last one is equal to the first, in other letters.
    fn name(&mut self, choices: &mut Choices<'_>) -> usize {
        let name = choices.below(NAMES.len());
        self.is_beyond_webpki |= name == NAMES.len() - 1;
        name
    }

    fn flawed(
        &mut self,
        builder: CertificateBuilder,
        place: Place,
        choices: &mut Choices<'_>,
    ) -> CertificateBuilder {
        let flaw = choices.below(24);
        self.is_stricter |= match place {
            Place::Anchor => matches!(flaw, 1 | 2 | 4 | 7..=10),
            Place::Intermediate => flaw == 2,
        };
        match flaw {
            1 => builder.valid(datetime!(2020-01-01 0:00 UTC), datetime!(2021-01-01 0:00 UTC)),
            2 => builder.key_usage(&[KeyUsage::CRLSign]),
            3 => builder.authority(Authority::No),
            4 => builder.purposes(&[Purpose::ServerAuth]),
            5 => builder.permit(&GeneralName::Dns("example.com")),
            6 => builder.exclude(&GeneralName::Dns("client.example.org")),
            7 | 8 => builder.path_length(0),
            9 => builder.path_length(1),
            10 => {
                self.is_beyond_webpki = true;
                builder.extension("2.5.29.36", Criticality::Critical, &[0x30, 3, 0x80, 1, 0])
            }
            11 => {
                self.is_beyond_webpki = true;
                builder.permit(&GeneralName::Directory("CN=client"))
            }
            12 => builder.extension("1.2.3.4", Criticality::Critical, &[5, 0]),
            _ => builder,
        }
    }

    fn flawed_client(
        &mut self,
        builder: CertificateBuilder,
        choices: &mut Choices<'_>,
    ) -> CertificateBuilder {
        let flaw = choices.below(16);
        self.is_stricter |= flaw == 2;
        match flaw {
            1 => builder.valid(datetime!(2020-01-01 0:00 UTC), datetime!(2021-01-01 0:00 UTC)),
            2 => builder.key_usage(&[KeyUsage::KeyEncipherment]),
            3 => builder.purposes(&[Purpose::ServerAuth]),
            4 => builder.policy("1.2.3.4"),
            _ => builder,
        }
    }

    /// Sets another issuer's name than the signer's, now and then.
    fn spelled(&mut self, builder: CertificateBuilder, choices: &mut Choices<'_>) -> CertificateBuilder {
        if choices.one_in(8) {
            self.is_beyond_webpki = true;
            builder.issuer(NAMES[choices.below(NAMES.len())])
        } else {
            builder
        }
    }

    /// Returns a verifier that has not seen any client; `None` without a usable anchor.
    fn verifier(&self) -> Option<Verifier> {
        let anchors = self
            .anchors
            .iter()
            .filter_map(|anchor| TrustAnchor::new(anchor.clone()).ok());
        let policy = VerifyOptions {
            max_depth: self.max_depth,
            ..VerifyOptions::default()
        };
        let anchors = TrustAnchors::new(anchors)?;
        Some(Verifier::new(anchors, Intermediates::default(), policy))
    }

    pub(crate) fn verify(&self) -> Result<VerifiedClient, Option<Rejection>> {
        let verifier = self.verifier().ok_or(None)?;
        let chain = PresentedChain::new(self.presented.iter().cloned()).ok_or(None)?;
        verifier.verify(&chain, NOW).map_err(Some)
    }

    /// Checks that a verifier which knows the signatures of the client's CAs decides like one that
    /// does not: about the client, and about its chain with one octet changed.
    fn check_cached_signatures(&self, choices: &mut Choices<'_>) {
        let (Some(knowing), Some(chain)) = (
            self.verifier(),
            PresentedChain::new(self.presented.iter().cloned()),
        ) else {
            return;
        };
        let _ = knowing.verify(&chain, NOW);
        let mut damaged = self.presented.clone();
        let which = choices.below(damaged.len());
        let mut octets = damaged[which].to_vec();
        let at = (choices.below(256) * 256 + choices.below(256)) % octets.len();
        octets[at] ^= 1 << choices.below(8);
        damaged[which] = octets.into();
        let damaged = PresentedChain::new(damaged).unwrap();
        for presented in [&chain, &damaged] {
            let fresh = self.verifier().unwrap();
            let (expected, all) = fresh.verify_counting(presented, NOW);
            let (verdict, computed) = knowing.verify_counting(presented, NOW);
            assert_eq!(facts(&verdict), facts(&expected));
            // The client's own signature is always computed, and others that are not good.
            let least = usize::from(expected.is_ok());
            assert!((least..=all).contains(&computed), "{computed} of {all}");
        }
    }

    /// Returns true if webpki alone finds a path.
    pub(crate) fn webpki_accepts(&self) -> bool {
        let Some((client, intermediates)) = self.presented.split_first() else {
            return false;
        };
        // Certificates that we reject as anchors are not anchors for either.
        let usable = self
            .anchors
            .iter()
            .filter(|anchor| TrustAnchor::new((*anchor).clone()).is_ok());
        let anchors: Vec<_> = usable
            .filter_map(|anchor| anchor_from_trusted_cert(anchor).ok())
            .collect();
        let Ok(end_entity) = EndEntityCert::try_from(client) else {
            return false;
        };
        let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_800_000_000));
        let verified = end_entity.verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors,
            intermediates,
            now,
            webpki::KeyUsage::client_auth(),
            None,
            None,
        );
        verified.is_ok()
    }
}

/// Returns everything that a verdict says.
fn facts(verdict: &Result<VerifiedClient, Rejection>) -> Result<String, Rejection> {
    match verdict {
        Ok(client) => Ok(format!("{client:?}")),
        Err(rejection) => Err(rejection.clone()),
    }
}

fn der(credential: &Credential) -> CertificateDer<'static> {
    CertificateDer::from(credential.der().to_vec())
}

/// Checks that the validators never disagree, that only features beyond webpki are decided without
/// it, that webpki alone accepts the same clients except for known reasons, and that cached
/// signatures change nothing. Returns true if the client was accepted.
pub(crate) fn check(bytes: &[u8]) -> bool {
    let topology = Topology::from_bytes(bytes);
    let verified = topology.verify();
    match &verified {
        Ok(client) => match client.validators() {
            Validators::Both => assert!(topology.webpki_accepts()),
            Validators::Own(gaps) => assert!(topology.is_beyond_webpki, "{gaps}"),
        },
        Err(Some(rejection)) => {
            assert_ne!(rejection.reason(), Reason::ValidatorsDisagree, "{rejection}");
            assert!(topology.is_stricter || !topology.webpki_accepts(), "{rejection}");
        }
        Err(None) => {}
    }
    // The last bytes, so that a change differs from PKI to PKI.
    let reversed: Vec<u8> = bytes.iter().rev().copied().collect();
    topology.check_cached_signatures(&mut Choices(&reversed));
    verified.is_ok()
}
