//! Cost of hostile chains. Time is compared with that of one signature on the same machine, in the
//! same run.

use std::time::{Duration, Instant};

use alb_mtls_verifier::{PresentedChain, Reason};
use test_pki::{Certificate, CertificateBuilder, Credential, Key, KeyKind};
use time::macros::datetime;

use crate::support::{Scene, client, der, intermediate, root};

/// Returns the time of the quickest of several runs, so that other load on the machine does not
/// count.
fn quickest(mut measured: impl FnMut()) -> Duration {
    let one = |_| {
        let started = Instant::now();
        measured();
        started.elapsed()
    };
    (0..5).map(one).min().unwrap()
}

/// Measures the rejection of a lone client of a CA with the anchor's name: one signature.
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
    // At the default depth, so many signatures are beyond their budget.
    let scene = Scene::trusting([&root()]).with_policy(|policy| policy.max_depth = 10);
    let namesakes = namesakes(60);
    let client = client(&namesakes[0]);
    let presented: Vec<&Credential> = std::iter::once(&client).chain(&namesakes).collect();
    let baseline = one_signature(&scene);
    let cost = quickest(|| {
        let rejection = scene.verify(presented.clone()).unwrap_err();
        assert_eq!(rejection.reason(), Reason::SignatureInvalid);
    });
    // Unoptimised code walks the steps slowly; twice 61 signatures for the two path builders, and
    // room for the steps.
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
            builder.exclude(&test_pki::GeneralName::Dns(Box::leak(
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

/// Issues three CAs of one name on each of three levels, each with its own constraints: 27 paths,
/// on each of which the last of the client's names is rejected.
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
            let builder = builder.exclude(&test_pki::GeneralName::Dns("last.example.org"));
            bases.iter().fold(builder, |builder, base| {
                builder.exclude(&test_pki::GeneralName::Dns(base))
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

/// Verifies a chain and counts the units that were spent on signatures.
fn counted(scene: &Scene, presented: &[Credential]) -> (Result<(), Reason>, usize) {
    let chain = PresentedChain::new(presented.iter().map(|one| der(one.certificate()))).unwrap();
    let (verified, units) = scene.verifier().verify_counting(&chain, scene.now);
    (
        verified.map(|_| ()).map_err(|rejection| rejection.reason()),
        units,
    )
}

fn keyed(name: &str, kind: KeyKind) -> CertificateBuilder {
    CertificateBuilder::intermediate(name).key_kind(kind)
}

fn keyed_root(kind: KeyKind) -> Credential {
    CertificateBuilder::root("CN=Root,O=Example")
        .key_kind(kind)
        .self_signed()
        .unwrap()
}

/// Issues the deepest path, the client first: every issuer has a key of this kind.
fn deepest_path(kind: KeyKind, depth: usize) -> (Credential, Vec<Credential>) {
    let root = keyed_root(kind);
    let mut issuer = root.clone();
    let mut path = Vec::new();
    for level in 1..depth {
        let name = format!("CN=Level {level}");
        issuer = keyed(&name, kind).issued_by(&issuer).unwrap();
        path.insert(0, issuer.clone());
    }
    path.insert(0, client(&issuer));
    (root, path)
}

#[test]
fn each_signature_counts_once_for_both_path_builders() {
    let (root, path) = deepest_path(KeyKind::P256, 3);
    let scene = Scene::trusting([&root]);
    assert_eq!(counted(&scene, &path), (Ok(()), 3));

    // webpki verifies every signature before it looks at the names, and the search after it.
    let constrained =
        CertificateBuilder::intermediate("CN=Issuing").exclude(&test_pki::GeneralName::Dns("example.org"));
    let issuing = constrained.issued_by(&root).unwrap();
    let named = CertificateBuilder::client("CN=client").dns("a.example.org");
    let path = [named.issued_by(&issuing).unwrap(), issuing];
    assert_eq!(counted(&scene, &path), (Err(Reason::NameConstraints), 2));
}

#[test]
fn units_of_a_signature_grow_with_the_issuers_key() {
    let kinds = [
        (KeyKind::P256, 1),
        (KeyKind::P384, 4),
        (KeyKind::P521, 6),
        (KeyKind::Rsa2048, 1),
        (KeyKind::Rsa4096, 2),
    ];
    for (kind, units) in kinds {
        let (root, path) = deepest_path(kind, 1);
        let scene = Scene::trusting([&root]);
        assert_eq!(counted(&scene, &path), (Ok(()), units), "{kind:?}");
    }
}

#[test]
fn flood_of_signatures_below_an_anchor_is_path_too_complex() {
    for (kind, depth) in [
        (KeyKind::P256, 4),
        (KeyKind::P521, 4),
        (KeyKind::P256, 10),
        (KeyKind::P521, 10),
    ] {
        // CAs of one name, each of which could have issued every other certificate.
        let root = root();
        let mut presented = vec![keyed("CN=Root,O=Example", kind).issued_by(&root).unwrap()];
        for _ in 2..2 * depth {
            let signer = presented.last().unwrap();
            presented.push(keyed("CN=Root,O=Example", kind).issued_by(signer).unwrap());
        }
        let unrelated = CertificateBuilder::root("CN=Root,O=Example")
            .self_signed()
            .unwrap();
        presented.insert(0, client(&unrelated));
        let scene = Scene::trusting([&root]).with_policy(|policy| policy.max_depth = depth);
        let (verdict, units) = counted(&scene, &presented);
        assert_eq!(verdict, Err(Reason::PathTooComplex), "{kind:?} {depth}");
        assert!(units <= 10 * depth, "{units}");
    }
}

#[test]
fn flood_of_signatures_without_any_key_is_path_too_complex() {
    let presented = namesakes(7);
    let presented = [vec![client(&presented[0])], presented].concat();
    let few = Scene::trusting([&keyed_root(KeyKind::P256)]);
    assert_eq!(counted(&few, &presented), (Err(Reason::SignatureInvalid), 8));
    // The sender takes an anchor's name alone; no certificate of the operator's CAs is among these.
    let roots: Vec<Credential> = (0..6).map(|_| keyed_root(KeyKind::P256)).collect();
    for scene in [
        Scene::trusting(&roots),
        Scene::trusting([&keyed_root(KeyKind::P521)]),
    ] {
        let (verdict, units) = counted(&scene, &presented);
        assert_eq!(verdict, Err(Reason::PathTooComplex));
        assert!((30..=40).contains(&units), "{units}");
    }
}

#[test]
fn deepest_path_with_costly_keys_is_accepted_among_wrong_issuers() {
    for depth in [4, 10] {
        let (root, path) = deepest_path(KeyKind::P521, depth);
        let scene = Scene::trusting([&root]).with_policy(|policy| policy.max_depth = depth);
        assert_eq!(counted(&scene, &path).0, Ok(()), "{depth}");
        // They bear the name of the client's issuer, and the anchor stands behind them: 12 units
        // each.
        let name = format!("CN=Level {}", depth - 1);
        let wrong: Vec<Credential> = (0..depth)
            .map(|_| keyed(&name, KeyKind::P521).issued_by(&root).unwrap())
            .collect();
        let presented = [&path[..1], &wrong, &path[1..]].concat();
        let (verdict, units) = counted(&scene, &presented);
        assert_eq!(verdict, Ok(()), "{depth}");
        assert!(units <= 10 * depth, "{units}");
    }
}

#[test]
fn deepest_path_without_key_identifiers_is_accepted_with_a_wrong_issuer() {
    let without = |builder: CertificateBuilder| {
        builder
            .without_extension("2.5.29.14".parse().unwrap())
            .without_extension("2.5.29.35".parse().unwrap())
    };
    let root = keyed_root(KeyKind::P521);
    let first = without(keyed("CN=Level 1", KeyKind::P521))
        .issued_by(&root)
        .unwrap();
    let second = without(keyed("CN=Level 2", KeyKind::P521))
        .issued_by(&first)
        .unwrap();
    let third = without(keyed("CN=Level 3", KeyKind::P521))
        .issued_by(&second)
        .unwrap();
    let wrong = without(keyed("CN=Level 3", KeyKind::P521))
        .issued_by(&second)
        .unwrap();
    let client = without(CertificateBuilder::client("CN=client"))
        .issued_by(&third)
        .unwrap();
    let scene = Scene::trusting([&root]);
    let presented = [client, wrong, third, second, first];
    assert_eq!(counted(&scene, &presented), (Ok(()), 36));
}

#[test]
fn issuer_with_the_right_key_identifier_is_tried_first() {
    let roots: Vec<Credential> = (0..99).map(|_| keyed_root(KeyKind::P256)).collect();
    for wanted in [&roots[0], &roots[98]] {
        let issuing = CertificateBuilder::intermediate("CN=Issuing")
            .issued_by(wanted)
            .unwrap();
        let presented = [client(&issuing), issuing];
        let (verdict, units) = counted(&Scene::trusting(&roots), &presented);
        assert_eq!((verdict, units), (Ok(()), 2));
    }
}

#[test]
fn anchors_of_one_name_are_all_tried_in_any_order() {
    let without_identifier =
        |builder: CertificateBuilder| builder.without_extension("2.5.29.35".parse().unwrap());
    let mut roots: Vec<Credential> = (0..120).map(|_| keyed_root(KeyKind::P256)).collect();
    let wanted = roots[0].clone();
    let issuing = without_identifier(CertificateBuilder::intermediate("CN=Issuing"));
    let issuing = issuing.issued_by(&wanted).unwrap();
    let direct = without_identifier(CertificateBuilder::client("CN=client"));
    let direct = direct.issued_by(&wanted).unwrap();
    let stranger = client(&keyed_root(KeyKind::P256));
    for place in [0, 60, 119] {
        roots.swap(0, place);
        let scene = Scene::trusting(&roots);
        for presented in [
            vec![direct.clone()],
            vec![client(&wanted)],
            vec![client(&issuing), issuing.clone()],
        ] {
            let (verdict, units) = counted(&scene, &presented);
            assert_eq!(verdict, Ok(()), "{place}");
            // 6 for each certificate of the deepest path, and one for each anchor.
            assert!(units <= 24 + 120, "{units}");
        }
        let (verdict, units) = counted(&scene, std::slice::from_ref(&stranger));
        assert_eq!(verdict, Err(Reason::SignatureInvalid), "{place}");
        assert_eq!(units, 120);
        roots.swap(0, place);
    }
}

#[test]
fn anchors_of_one_name_do_not_pay_for_a_flood() {
    let roots: Vec<Credential> = (0..120).map(|_| keyed_root(KeyKind::P256)).collect();
    let flood = namesakes(7);
    let presented = [vec![client(&flood[0])], flood].concat();
    let (verdict, units) = counted(&Scene::trusting(&roots), &presented);
    assert_eq!(verdict, Err(Reason::PathTooComplex));
    assert!(units <= 24 + 120, "{units}");
}

#[test]
fn renewed_anchors_with_one_key_are_all_judged() {
    // All verify the client's signature; only the last one is for clients.
    let key = Key::random(KeyKind::P256).unwrap();
    let renewed = |purpose: test_pki::Purpose| {
        let root = CertificateBuilder::root("CN=Root,O=Example").key(&key);
        root.purposes(&[purpose]).self_signed().unwrap()
    };
    let mut roots: Vec<Credential> = (0..120).map(|_| renewed(test_pki::Purpose::ServerAuth)).collect();
    roots.push(renewed(test_pki::Purpose::ClientAuth));
    let presented = [client(&roots[0])];
    assert_eq!(counted(&Scene::trusting(&roots), &presented), (Ok(()), 1));
    roots.reverse();
    assert_eq!(counted(&Scene::trusting(&roots), &presented), (Ok(()), 1));
}

#[test]
fn issuer_that_has_expired_is_tried_last() {
    let root = root();
    let expired = datetime!(2020-01-01 0:00 UTC);
    let costly: Vec<Credential> = (0..3)
        .map(|_| {
            let builder = keyed("CN=Issuing", KeyKind::P521).valid(expired, expired);
            builder.issued_by(&root).unwrap()
        })
        .collect();
    let issuing = keyed("CN=Issuing", KeyKind::P521).issued_by(&root).unwrap();
    let flood = namesakes(10);
    let without = "2.5.29.35".parse().unwrap();
    let client = CertificateBuilder::client("CN=client").without_extension(without);
    let client = client.issued_by(&issuing).unwrap();
    let presented = [vec![client], costly, flood, vec![issuing]].concat();
    let scene = Scene::trusting([&root]).with_policy(|policy| policy.max_depth = 2);
    assert_eq!(counted(&scene, &presented).0, Ok(()));
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
    let clients = [client(&wanted)];
    let few = Scene::trusting([&wanted]);
    let many = Scene::trusting(others.iter().chain([wanted.certificate()]));
    let (verdict, units) = counted(&few, &clients);
    assert_eq!(verdict, Ok(()));
    assert_eq!(counted(&many, &clients), (Ok(()), units));
}

/// A name must not make every configured CA a candidate.
#[test]
fn sixteen_configured_namesakes_are_tried() {
    let root = root();
    let namesakes: Vec<_> = (0..20).map(|_| intermediate(&root)).collect();
    let scene = Scene::trusting([&root]).supplying(&namesakes);
    let found = namesakes.iter().filter(|issuer| {
        let client = client(issuer);
        scene.verify([&client]).is_ok()
    });
    assert_eq!(found.count(), 16);
}
