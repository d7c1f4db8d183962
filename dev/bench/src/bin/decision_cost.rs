//! Cost of policies: reading them, and one decision with ten of them.
//!
//! `cargo run --release -p alb-mtls-bench --bin decision_cost`

#![expect(clippy::unwrap_used, reason = "a measurement that fails has to say so")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use alb_mtls_bench::percentile_of;
use alb_mtls_http::host::RequestHost;
use alb_mtls_policy::{Policies, PolicyInput, RequestFacts, SourceAddress};
use alb_mtls_verifier::{
    Intermediates, PresentedChain, Timestamp, TrustAnchor, TrustAnchors, Verifier, VerifyOptions,
};
use test_pki::CertificateBuilder;

const ROUNDS: usize = 2_000;

fn main() {
    let root = CertificateBuilder::root("CN=Example Root,O=Example")
        .self_signed()
        .unwrap();
    let client = CertificateBuilder::client("CN=client-1,OU=Payments,OU=Berlin,O=Example,C=DE")
        .dns("client-1.example.org")
        .uri("spiffe://example.org/payments/client-1")
        .issued_by(&root)
        .unwrap();
    let anchor = TrustAnchor::new(root.der().to_vec().into()).unwrap();
    let anchor_id = anchor.id();
    let verifier = Verifier::new(
        TrustAnchors::new([anchor]).unwrap(),
        Intermediates::default(),
        VerifyOptions::default(),
    );
    let now = Timestamp::now();
    let chain = PresentedChain::new([client.der().to_vec().into()]).unwrap();
    let verified = verifier.verify(&chain, now).unwrap();

    let text: String = (0..10)
        .map(|number| {
            format!(
                "@id(\"policy-{number}\")
                permit (principal is Client in Anchor::\"{anchor_id}\", action, resource in Path::\"/part-{number}\")
                when {{
                    principal.organizational_units.contains(\"Payments\") &&
                    principal has spiffe && principal.spiffe.trust_domain == \"example.org\" &&
                    principal.days_left >= 0
                }};\n"
            )
        })
        .collect();
    let facts = PolicyInput {
        client: Some(verified.identity()),
        request: RequestFacts {
            method: "GET",
            path: "/part-9/orders/7",
            host: &RequestHost::from_header(Some("api.example.org")),
            target_group: None,
            source_address: SourceAddress::Known("192.0.2.10".parse().unwrap()),
        },
        now,
    };

    let first = Instant::now();
    let policies = Policies::parse(&text, "ten.cedar").unwrap();
    println!("read ten policies, first time   {:>9.1?}", first.elapsed());
    report("read ten policies", || Policies::parse(&text, "ten.cedar"), 50);
    let one = text.split_inclusive("};\n").next().unwrap();
    report("read one policy", || Policies::parse(one, "one.cedar"), 50);
    report("decide with ten policies", || policies.decide(&facts), ROUNDS);
    let single = Policies::parse(one, "one.cedar").unwrap();
    report("decide with one policy", || single.decide(&facts), ROUNDS);
    let anonymous = PolicyInput {
        client: None,
        ..facts
    };
    report(
        "decide about an anonymous one",
        || policies.decide(&anonymous),
        ROUNDS,
    );
}

/// Prints the median and the 99th of a hundred.
fn report<T>(what: &str, mut work: impl FnMut() -> T, rounds: usize) {
    let times: Vec<Duration> = (0..rounds)
        .map(|_| {
            let started = Instant::now();
            black_box(work());
            started.elapsed()
        })
        .collect();
    let at = |percent: usize| percentile_of(&times, percent);
    println!("{what:<31} {:>9.1?} (99 of 100 below {:.1?})", at(50), at(99));
}
