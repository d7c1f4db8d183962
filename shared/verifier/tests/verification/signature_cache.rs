//! Signatures of known CAs are not computed again, and nothing else changes. On P-256 a signature
//! costs one unit, so that units count signatures.

use std::sync::Arc;
use std::thread;

use alb_mtls_verifier::{
    Intermediates, PresentedChain, Reason, RevocationLists, RevocationOptions, Timestamp, TrustAnchor,
    TrustAnchors, Verifier, VerifyOptions, read_revocation_lists,
};
use test_pki::der::asn1::{BitString, Int};
use test_pki::der::{Decode, Encode};
use test_pki::{
    Certificate, CertificateBuilder, Credential, CrlBuilder, GeneralName, Key, KeyKind, Purpose, raw,
};

use crate::support::{Scene, client, der, intermediate, root};

type Counted = (Result<(), Reason>, usize);

/// Verifies a chain at `now` and counts the signatures that were computed.
fn counted_at<T: AsRef<Certificate>>(
    verifier: &Verifier,
    presented: impl IntoIterator<Item = T>,
    now: Timestamp,
) -> Counted {
    let chain = PresentedChain::new(presented.into_iter().map(|one| der(one.as_ref()))).unwrap();
    let (verdict, units) = verifier.verify_counting(&chain, now);
    let verdict = verdict.map(|_| ()).map_err(|rejection| rejection.reason());
    (verdict, units)
}

fn counted<T: AsRef<Certificate>>(verifier: &Verifier, presented: impl IntoIterator<Item = T>) -> Counted {
    counted_at(verifier, presented, Timestamp::now())
}

/// A verifier that accepted a client of an issuing CA, so that the CA's signature is cached.
struct Known {
    root: Credential,
    issuing: Credential,
    verifier: Verifier,
}

impl Known {
    fn new() -> Self {
        let root = root();
        let issuing = intermediate(&root);
        let verifier = Scene::trusting([&root]).verifier();
        let first = counted(&verifier, [&client(&issuing), &issuing]);
        assert_eq!(first, (Ok(()), 2));
        Self {
            root,
            issuing,
            verifier,
        }
    }

    /// Checks what a new client with this certificate in the place of its CA's costs.
    #[track_caller]
    fn expect(&self, client: &Credential, authority: &Certificate, expected: Counted) {
        let presented = [client.certificate(), authority];
        assert_eq!(counted(&self.verifier, presented), expected);
        // The verdict is the same without a cache.
        let fresh = Scene::trusting([&self.root]).verifier();
        assert_eq!(counted(&fresh, presented).0, expected.0);
    }
}

/// Replaces what is signed, and leaves the signature as it was.
fn with_contents(certificate: &Certificate, change: impl FnOnce(&mut raw::TbsCertificate)) -> Certificate {
    let mut tbs = certificate.tbs().unwrap();
    change(&mut tbs);
    let signed = raw::Signed {
        to_be_signed: raw::any(&tbs.to_der().unwrap()).unwrap(),
        ..certificate.signed().unwrap()
    };
    Certificate::from_der(signed.to_der().unwrap())
}

/// Returns the certificate with the other ECDSA signature that verifies: s and the order of P-256
/// minus s are equally good (FIPS 186-5 §6.4.2).
fn with_other_ecdsa_signature(certificate: &Certificate) -> Certificate {
    // SEC 2, section 2.4.2.
    const ORDER: [u8; 32] = [
        0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xbc, 0xe6, 0xfa,
        0xad, 0xa7, 0x17, 0x9e, 0x84, 0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51,
    ];
    let mut signed = certificate.signed().unwrap();
    let mut parts = Vec::<Int>::from_der(signed.signature.raw_bytes()).unwrap();
    let s = parts.pop().unwrap();
    let mut borrow = 0;
    let mut s_padded = [0; 32];
    let significant = s.as_bytes();
    let significant = significant.strip_prefix(&[0]).unwrap_or(significant);
    s_padded[32 - significant.len()..].copy_from_slice(significant);
    let mut other = [0; 33];
    for at in (0..32).rev() {
        let difference = i16::from(ORDER[at]) - i16::from(s_padded[at]) - borrow;
        borrow = i16::from(difference < 0);
        other[at + 1] = u8::try_from(difference.rem_euclid(256)).unwrap();
    }
    let zeros = other.iter().take_while(|octet| **octet == 0).count();
    let first = zeros - usize::from(other[zeros] >= 0x80);
    parts.push(raw::integer(&other[first..]).unwrap());
    let signature = parts.to_der().unwrap();
    signed.signature = BitString::from_bytes(&signature).unwrap();
    Certificate::from_der(signed.to_der().unwrap())
}

#[test]
fn new_client_of_known_ca_costs_one_signature() {
    let known = Known::new();
    known.expect(&client(&known.issuing), known.issuing.certificate(), (Ok(()), 1));
    // Its own signature is computed each time.
    let again = client(&known.issuing);
    for _ in 0..2 {
        let presented = [&again, &known.issuing];
        assert_eq!(counted(&known.verifier, presented), (Ok(()), 1));
    }
}

#[test]
fn each_known_ca_of_a_longer_path_saves_a_signature() {
    let known = Known::new();
    let second = CertificateBuilder::intermediate("CN=Second,O=Example")
        .issued_by(&known.issuing)
        .unwrap();
    let presented = |client| [client, second.clone(), known.issuing.clone()];
    assert_eq!(counted(&known.verifier, presented(client(&second))), (Ok(()), 2));
    assert_eq!(counted(&known.verifier, presented(client(&second))), (Ok(()), 1));
}

#[test]
fn configured_intermediate_becomes_known() {
    let root = root();
    let issuing = intermediate(&root);
    let verifier = Scene::trusting([&root]).supplying([&issuing]).verifier();
    assert_eq!(counted(&verifier, [&client(&issuing)]), (Ok(()), 2));
    assert_eq!(counted(&verifier, [&client(&issuing)]), (Ok(()), 1));
    // Sent by the client, it is the same certificate.
    let presented = [&client(&issuing), &issuing];
    assert_eq!(counted(&verifier, presented), (Ok(()), 1));
}

#[test]
fn clones_share_the_cache_and_a_new_verifier_starts_empty() {
    let known = Known::new();
    let presented = [&client(&known.issuing), &known.issuing];
    assert_eq!(counted(&known.verifier.clone(), presented), (Ok(()), 1));
    let fresh = Scene::trusting([&known.root]).verifier();
    assert_eq!(counted(&fresh, presented), (Ok(()), 2));
}

#[test]
fn impostor_of_known_ca_costs_one_signature_and_is_rejected() {
    let known = Known::new();
    let impostor = CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .self_signed()
        .unwrap();
    // With the real CA's certificate, and with one of its own that names the real root.
    known.expect(
        &client(&impostor),
        known.issuing.certificate(),
        (Err(Reason::SignatureInvalid), 1),
    );
    let false_root = root();
    let own = intermediate(&false_root);
    known.expect(
        &client(&own),
        own.certificate(),
        (Err(Reason::SignatureInvalid), 1),
    );
}

#[test]
fn accepted_client_with_another_chain_is_rejected() {
    let known = Known::new();
    let accepted = client(&known.issuing);
    known.expect(&accepted, known.issuing.certificate(), (Ok(()), 1));
    // Of the same name and key, below another root of the same name (zeek/zeek#875).
    let unknown = CertificateBuilder::intermediate("CN=Issuing,O=Example").key(known.issuing.key());
    let unknown = unknown.issued_by(&root()).unwrap();
    known.expect(
        &accepted,
        unknown.certificate(),
        (Err(Reason::SignatureInvalid), 1),
    );
}

#[test]
fn known_signature_over_other_extensions_is_signature_invalid() {
    let known = Known::new();
    let purposes = CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .purposes(&[Purpose::ClientAuth])
        .key(known.issuing.key())
        .self_signed()
        .unwrap();
    let other = purposes.certificate().tbs().unwrap().extensions;
    let changed = with_contents(known.issuing.certificate(), |tbs| tbs.extensions = other);
    known.expect(
        &client(&known.issuing),
        &changed,
        (Err(Reason::SignatureInvalid), 1),
    );
}

#[test]
fn known_signature_over_another_key_is_signature_invalid() {
    let known = Known::new();
    // Of the same kind, so that all lengths stay.
    let attacker = Key::random(KeyKind::P256).unwrap();
    let changed = with_contents(known.issuing.certificate(), |tbs| {
        tbs.subject_public_key_info = raw::any(&attacker.public_key_info().unwrap()).unwrap();
    });
    let authority = Credential::new(changed.clone(), attacker);
    known.expect(&client(&authority), &changed, (Err(Reason::SignatureInvalid), 1));
}

#[test]
fn another_signature_over_the_same_contents_is_computed() {
    let known = Known::new();
    let certificate = known.issuing.certificate();
    let broken = certificate.with_broken_signature().unwrap();
    let newcomer = client(&known.issuing);
    known.expect(&newcomer, &broken, (Err(Reason::SignatureInvalid), 1));
    let again = with_other_ecdsa_signature(certificate);
    assert_ne!(again.der(), certificate.der());
    known.expect(&newcomer, &again, (Ok(()), 2));
    known.expect(&newcomer, &again, (Ok(()), 1));
}

#[test]
fn known_ca_below_another_anchor_of_that_name_is_rejected() {
    let known = Known::new();
    // As in a snapshot in which the anchor was replaced.
    let verifier = Scene::trusting([&root()]).verifier();
    let presented = [&client(&known.issuing), &known.issuing];
    assert_eq!(counted(&verifier, presented), (Err(Reason::SignatureInvalid), 1));
}

#[test]
fn known_ca_that_is_revoked_is_revoked() {
    let known = Known::new();
    let lists = [
        CrlBuilder::new()
            .revoke(&known.issuing)
            .issued_by(&known.root)
            .unwrap(),
        CrlBuilder::new().issued_by(&known.issuing).unwrap(),
    ];
    let lists = lists
        .iter()
        .flat_map(|list| read_revocation_lists(list.der(), 1 << 20).unwrap());
    let anchors = TrustAnchors::new([TrustAnchor::new(der(known.root.certificate())).unwrap()]).unwrap();
    let issuers = Intermediates::new([der(known.issuing.certificate())]).unwrap();
    let lists = RevocationLists::new(lists.collect::<Vec<_>>(), &anchors, &issuers, None);
    // A clone has the cache of the verifier that accepted the CA.
    let verifier = known.verifier.clone();
    let verifier = verifier.with_revocation(Arc::new(lists), RevocationOptions::default());
    let presented = [&client(&known.issuing), &known.issuing];
    assert_eq!(counted(&verifier, presented), (Err(Reason::Revoked), 1));
}

#[test]
fn known_ca_that_has_expired_is_expired() {
    let root = root();
    let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Example").days(1);
    let issuing = issuing.issued_by(&root).unwrap();
    let verifier = Scene::trusting([&root]).verifier();
    let presented = [&client(&issuing), &issuing];
    let now = Timestamp::now();
    assert_eq!(counted_at(&verifier, presented, now), (Ok(()), 2));
    let later = now.plus_seconds(2 * 86_400);
    assert_eq!(counted_at(&verifier, presented, later), (Err(Reason::Expired), 1));
}

#[test]
fn rejected_clients_make_no_ca_known() {
    let root = root();
    let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Example")
        .permit(&GeneralName::Dns("example.org"))
        .issued_by(&root)
        .unwrap();
    let verifier = Scene::trusting([&root]).verifier();
    let named = |name| {
        let client = CertificateBuilder::client("CN=client").dns(name);
        client.issued_by(&issuing).unwrap()
    };
    for _ in 0..2 {
        let rejected = [&named("client.example.com"), &issuing];
        assert_eq!(counted(&verifier, rejected), (Err(Reason::NameConstraints), 2));
        let stranger = [&client(&intermediate(&root)), &issuing];
        assert_eq!(counted(&verifier, stranger), (Err(Reason::SignatureInvalid), 2));
    }
    let accepted = |costs| {
        let accepted = [&named("client.example.org"), &issuing];
        assert_eq!(counted(&verifier, accepted), (Ok(()), costs));
    };
    accepted(2);
    accepted(1);
}

#[test]
fn threads_compute_no_more_than_one_signature_for_each_new_client() {
    const THREADS: usize = 8;
    const AUTHORITIES: usize = 5;
    const ROUNDS: usize = 10;
    let root = root();
    let authorities: Vec<Credential> = (0..AUTHORITIES)
        .map(|number| {
            CertificateBuilder::intermediate(&format!("CN=Issuing {number}"))
                .issued_by(&root)
                .unwrap()
        })
        .collect();
    // Good ones, and those of an impostor of each CA.
    let pairs = |issuers: &[Credential]| -> Vec<PresentedChain> {
        issuers
            .iter()
            .zip(&authorities)
            .map(|(issuer, real)| {
                let presented = [der(client(issuer).certificate()), der(real.certificate())];
                PresentedChain::new(presented).unwrap()
            })
            .collect()
    };
    let impostors: Vec<Credential> = (0..AUTHORITIES)
        .map(|number| {
            CertificateBuilder::intermediate(&format!("CN=Issuing {number}"))
                .self_signed()
                .unwrap()
        })
        .collect();
    let (good, bad) = (pairs(&authorities), pairs(&impostors));
    let anchors = TrustAnchors::new([TrustAnchor::new(der(root.certificate())).unwrap()]).unwrap();
    let verifier = Verifier::new(anchors, Intermediates::default(), VerifyOptions::default());
    let now = Timestamp::now();
    let run = |thread: usize| {
        let mut computed = 0;
        for round in 0..ROUNDS {
            for at in 0..AUTHORITIES {
                // Each thread begins with another CA.
                let at = (at + thread + round) % AUTHORITIES;
                let (verdict, units) = verifier.verify_counting(&good[at], now);
                verdict.unwrap();
                computed += units;
                let (verdict, units) = verifier.verify_counting(&bad[at], now);
                assert_eq!(verdict.unwrap_err().reason(), Reason::SignatureInvalid);
                computed += units;
            }
        }
        computed
    };
    let run_all = || -> usize {
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS)
                .map(|thread| scope.spawn(move || run(thread)))
                .collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).sum()
        })
    };
    let own = THREADS * ROUNDS * AUTHORITIES * 2;
    // At first, each thread can meet a CA before another one has made it known.
    let first = run_all();
    assert!(
        (own + AUTHORITIES..=own + THREADS * AUTHORITIES).contains(&first),
        "{first} for {own}"
    );
    assert_eq!(run_all(), own);
}
