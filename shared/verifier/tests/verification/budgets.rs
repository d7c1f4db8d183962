//! What hostile chains cost. Time is compared with that of one signature on the same machine, in the same run.

use std::time::{Duration, Instant};

use alb_mtls_verifier::{PathBuilder, PresentedChain, Reason};
use pki::{Certificate, CertificateBuilder, Credential, Key, KeyKind};

use crate::support::{Scene, client, der, root};

/// The quickest of several, so that what else runs on the machine does not count.
fn quickest(mut measured: impl FnMut()) -> Duration {
    let one = |_| {
        let started = Instant::now();
        measured();
        started.elapsed()
    };
    (0..5).map(one).min().unwrap()
}

/// What it costs to refuse a lone client of a CA with the anchor's name: one signature.
fn one_signature(scene: &Scene) -> Duration {
    let forger = CertificateBuilder::root("CN=Root,O=Example")
        .self_signed()
        .unwrap();
    let client = client(&forger);
    quickest(|| {
        scene.refuses([&client], Reason::SignatureInvalid);
    })
}

/// CAs that all bear the anchor's name, each with another key.
fn namesakes(count: usize) -> Vec<Credential> {
    (0..count)
        .map(|_| {
            CertificateBuilder::intermediate("CN=Root,O=Example")
                .self_signed()
                .unwrap()
        })
        .collect()
}

#[test]
fn sixty_intermediates_of_one_name_cost_no_more_than_one_signature_each() {
    let scene = Scene::trusting([&root()]);
    let namesakes = namesakes(60);
    let client = client(&namesakes[0]);
    let presented: Vec<&Credential> = std::iter::once(&client).chain(&namesakes).collect();
    let baseline = one_signature(&scene);
    let cost = quickest(|| {
        let rejection = scene.verify(presented.clone()).unwrap_err();
        assert_eq!(rejection.reason(), Reason::SignatureInvalid);
    });
    // Unoptimised code walks the steps slowly; twice 61 signatures for the two path builders, and room for the steps.
    assert!(
        cost < baseline * 61 * 4,
        "{cost:?} for 61 certificates, {baseline:?} for one"
    );
}

#[test]
fn a_complete_graph_of_cas_that_certify_each_other_is_bounded() {
    // Every CA certifies every other, all under two names: every signature between them is good.
    let keys: Vec<Key> = (0..6).map(|_| Key::random(KeyKind::P256).unwrap()).collect();
    let names = ["CN=Even", "CN=Odd"];
    let named = |index: usize| names[index % 2];
    let mut graph: Vec<Credential> = Vec::new();
    for (issuer, issuer_key) in keys.iter().enumerate() {
        let issuer_certificate = CertificateBuilder::root(named(issuer))
            .key(issuer_key)
            .self_signed()
            .unwrap();
        for (subject, subject_key) in keys.iter().enumerate() {
            if subject != issuer {
                let certificate = CertificateBuilder::intermediate(named(subject)).key(subject_key);
                graph.push(certificate.issued_by(&issuer_certificate).unwrap());
            }
        }
    }
    let client = client(&graph[0]);
    let presented: Vec<&Credential> = std::iter::once(&client).chain(&graph).collect();
    let scene = Scene::trusting([&root()]);
    let cost = quickest(|| {
        let rejection = scene.verify(presented.clone()).unwrap_err();
        assert_eq!(rejection.reason(), Reason::IssuerUnknown);
    });
    assert!(cost < Duration::from_millis(500), "{cost:?}");
}

#[test]
fn many_names_under_many_constraints_are_refused_in_time() {
    let names = |builder: CertificateBuilder, count: usize| {
        (0..count).fold(builder, |builder, number| {
            builder.dns(&format!("n{number}.example.org"))
        })
    };
    let root = root();
    let constrained = (0..500).fold(
        CertificateBuilder::intermediate("CN=Issuing"),
        |builder, number| {
            builder.exclude(&pki::GeneralName::Dns(Box::leak(
                format!("x{number}.example").into_boxed_str(),
            )))
        },
    );
    let issuing = constrained.issued_by(&root).unwrap();
    let scene = Scene::trusting([&root]);
    let few = names(CertificateBuilder::client("CN=client"), 100)
        .issued_by(&issuing)
        .unwrap();
    scene.accepts([&few, &issuing]);
    let many = names(CertificateBuilder::client("CN=client"), 1_000)
        .issued_by(&issuing)
        .unwrap();
    scene.refuses([&many, &issuing], Reason::PathTooComplex);
}

/// Three CAs of one name on each of three levels, each with its own constraints: 27 paths, on each of which the last of
/// the client's names is refused.
fn many_paths_under_constraints(names: usize, subtrees: usize) -> (Credential, Vec<Credential>) {
    let root = root();
    let mut signer = root.clone();
    let mut presented = Vec::new();
    for level in 0..3 {
        let key = Key::random(KeyKind::P256).unwrap();
        let named = |number: usize| {
            let bases: Vec<String> = (0..subtrees)
                .map(|subtree| format!("{level}.{number}.{subtree}.example"))
                .collect();
            let builder = CertificateBuilder::intermediate(&format!("CN=Level {level}")).key(&key);
            let builder = builder.exclude(&pki::GeneralName::Dns("last.example.org"));
            bases.iter().fold(builder, |builder, base| {
                builder.exclude(&pki::GeneralName::Dns(base))
            })
        };
        let authorities: Vec<Credential> = (0..3)
            .map(|number| named(number).issued_by(&signer).unwrap())
            .collect();
        signer = authorities[0].clone();
        presented.extend(authorities);
    }
    let client = (0..names).fold(CertificateBuilder::client("CN=client"), |builder, number| {
        builder.dns(&format!("{number}.example.org"))
    });
    let client = client.dns("last.example.org").issued_by(&signer).unwrap();
    presented.insert(0, client);
    (root, presented)
}

#[test]
fn one_budget_of_comparisons_holds_for_all_paths() {
    let (root, presented) = many_paths_under_constraints(20, 10);
    let scene = Scene::trusting([&root]);
    scene.refuses(&presented, Reason::NameConstraints);
    // A path costs 30,000 comparisons, 27 paths 800,000.
    let (root, presented) = many_paths_under_constraints(200, 50);
    let scene = Scene::trusting([&root]);
    scene.refuses(&presented, Reason::PathTooComplex);
}

fn renamed(certificate: &Credential, from: &str, to: &str) -> Certificate {
    let mut der = certificate.der().to_vec();
    for start in 0..der.len() - from.len() {
        if der[start..].starts_with(from.as_bytes()) {
            der[start..start + to.len()].copy_from_slice(to.as_bytes());
        }
    }
    Certificate::from_der(der)
}

#[test]
fn ten_thousand_anchors_cost_as_much_as_one() {
    let wanted = root();
    // An anchor's own signature is never verified, so its name can be written over.
    let pattern = CertificateBuilder::root("CN=Root 00000,O=Example")
        .self_signed()
        .unwrap();
    let others: Vec<Certificate> = (0..10_000)
        .map(|number| renamed(&pattern, "Root 00000", &format!("Root {number:05}")))
        .collect();
    let client = client(&wanted);
    let chain = PresentedChain::new([der(client.certificate())]).unwrap();
    let few = Scene::trusting([&wanted]);
    let many = Scene::trusting(others.iter().chain([wanted.certificate()]));
    let cost = |scene: &Scene| {
        let verifier = scene.verifier(PathBuilder::WebpkiFirst);
        let hundred = || {
            for _ in 0..100 {
                verifier.verify(&chain, scene.now).unwrap();
            }
        };
        quickest(hundred)
    };
    let (few, many) = (cost(&few), cost(&many));
    assert!(
        many < few * 3 / 2,
        "{many:?} with 10,001 anchors, {few:?} with one"
    );
}
