//! The gate's whole decision, its record written as text included.

use alb_mtls_bench::{
    Beside, Chain, Effort, Goal, Quantity, Row, Subject, Table, at_once, header_parts, in_turns, progress,
};
use alb_mtls_gate::{Admission, Gate, Settings};
use http::request::Parts;
use rustls_pki_types::CertificateDer;
use test_pki::KeyKind;

use super::TextSink;
use super::verify::{decide, verifier};
use super::webpki_peer;

const SECTION: &str = "the gate's whole decision, with its record (P-256, 2 certificates)";

pub(crate) async fn measure(effort: Effort, table: &mut Table) {
    progress("the gate's decision");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let chain = Chain::new(KeyKind::P256, 2);
    let presented = chain.presented(&chain.client);
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file in the temporary folder");
        format!("file:{}", path.display())
    };
    let anchors = file("anchors.pem", &chain.root.pem());
    let open = async |others: &[(&str, &str)]| {
        let anchors = ("MTLS_ANCHORS", anchors.as_str());
        let pairs = std::iter::once(&anchors).chain(others);
        let settings =
            Settings::from_variables(pairs.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let gate = Gate::new(settings.expect("settings")).with_audit_sink(TextSink);
        gate.load().await;
        gate
    };
    let remembering = open(&[]).await;
    let forgetting = open(&[("MTLS_VERDICT_CACHE", "0")]).await;
    let anchor_id = verifier(&chain)
        .anchors()
        .iter()
        .next()
        .expect("a trust anchor")
        .id()
        .to_string();
    let one_policy = open(&[("MTLS_POLICY", &file("one.cedar", &policies(1, &anchor_id)))]).await;
    let ten_policies = open(&[("MTLS_POLICY", &file("ten.cedar", &policies(10, &anchor_id)))]).await;

    let good = header_parts(&presented.header);
    let forged = header_parts(&chain.presented(&Chain::new(KeyKind::P256, 2).client).header);
    let malformed = header_parts(&presented.header.replacen("BEGIN", "BEG1N", 1));
    let mut anonymous = header_parts("");
    anonymous.headers.remove("x-amzn-mtls-clientcert");
    for gate in [&remembering, &forgetting, &one_policy, &ten_policies] {
        assert!(passes(gate, &good));
        assert!(
            [&forged, &malformed, &anonymous]
                .iter()
                .all(|request| !passes(gate, request))
        );
    }
    let root = CertificateDer::from(chain.root.der().to_vec());
    let webpki_anchors = [webpki_peer::anchor(&root)];
    let [webpki, first, seen, one, ten, refused, no_pem, nobody, identity] = in_turns(
        effort,
        [
            Subject::new(|| webpki_peer::verify(&presented, &webpki_anchors, &[]).expect("a path")),
            Subject::new(|| passes(&forgetting, &good)),
            Subject::new(|| passes(&remembering, &good)),
            Subject::new(|| passes(&one_policy, &good)),
            Subject::new(|| passes(&ten_policies, &good)),
            Subject::new(|| passes(&remembering, &forged)),
            Subject::new(|| passes(&remembering, &malformed)),
            Subject::new(|| passes(&remembering, &anonymous)),
            Subject::new({
                let client = decide(&verifier(&chain), &presented.header).expect("a verified client");
                move || serde_json::to_string(client.identity().as_ref()).expect("JSON")
            }),
        ],
    );
    let row = |what: &str, own: &alb_mtls_bench::Series, name, other: &alb_mtls_bench::Series| {
        Row::new(SECTION, what, Quantity::Seconds(own.median())).compared(Beside::with_ratio(
            name,
            Quantity::Seconds(other.median()),
            own.ratio_to(other),
        ))
    };
    table.push(row("first sight", &first, "webpki on DER", &webpki));
    let at_most = Goal::AtMost(Quantity::Seconds(5e-6));
    table.push(row("seen before", &seen, "webpki on DER", &webpki).goal(at_most));
    table.push(row("seen before, 1 policy", &one, "no policy", &seen));
    table.push(row("seen before, 10 policies", &ten, "no policy", &seen));
    table.push(row("refused, seen before", &refused, "webpki on DER", &webpki));
    table.push(row("refused, no PEM", &no_pem, "webpki on DER", &webpki));
    table.push(row("refused, no certificate", &nobody, "webpki on DER", &webpki));
    table.push(row(
        "the client's identity as JSON",
        &identity,
        "seen before",
        &seen,
    ));
}

/// Returns true if the gate allows the request as a verified client. The gate takes requests by
/// value, so that a copy of it is part of what is measured.
fn passes(gate: &Gate, request: &Parts) -> bool {
    match at_once(gate.admit(request.clone())) {
        Admission::Allowed(allowed) => allowed.principal.client().is_some(),
        Admission::Answered(_) => false,
    }
}

/// Returns `count` policies, the last of which permits the request.
fn policies(count: usize, anchor: &str) -> String {
    let policy = |number| {
        format!(
            "@id(\"policy-{number}\")
            permit (principal is Client in Anchor::\"{anchor}\", action, resource in Path::\"/part-{number}\")
            when {{
                principal.organizational_units.contains(\"Payments\") &&
                principal has spiffe && principal.spiffe.trust_domain == \"example.org\" &&
                principal.days_left >= 0
            }};\n"
        )
    };
    (10 - count..10).map(policy).collect()
}
