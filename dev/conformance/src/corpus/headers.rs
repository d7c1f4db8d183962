//! Headers of every format: as they should be, damaged on the way, and forged.

use test_pki::CertificateBuilder;

use super::{Case, Cases, case, certificates, client, der, header, issuing, root};

const CLIENT: &str = "CN=client,O=Example";
const BEGIN: &str = "-----BEGIN%20CERTIFICATE-----";
const END: &str = "-----END%20CERTIFICATE-----";

pub(super) fn cases() -> Cases {
    let mut cases = Vec::new();
    url_encoded(&mut cases)?;
    base64_encoded(&mut cases)?;
    rfc9440(&mut cases)?;
    limits(&mut cases)?;
    Ok(cases)
}

fn url_encoded(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let issuing = issuing(&root)?;
    let leaf = client(&issuing)?;
    let good = case("", "", [&root], certificates([&leaf, &issuing]));
    let with = |id: &str, why, header: String| Case {
        id: format!("headers/url-encoded/{id}"),
        why,
        header,
        ..good.clone()
    };
    let text = good.header.as_str();
    for (id, why, header) in [
        ("as-sent", "as a load balancer sends it", text.to_owned()),
        (
            "all-escaped",
            "`+`, `=` and `/` are escaped too",
            text.replace('+', "%2B").replace('=', "%3D").replace('/', "%2F"),
        ),
        (
            "lower-case-escapes",
            "escapes in lower case",
            text.replace("%0A", "%0a"),
        ),
        (
            "carriage-returns",
            "lines end in CR LF",
            text.replace("%0A", "%0D%0A"),
        ),
        ("one-line", "no line breaks at all", text.replace("%0A", "")),
    ] {
        cases.push(with(id, why, header).accepted(CLIENT));
    }
    for (id, why, header, detail) in [
        (
            "plus-as-space",
            "a form decoder took `+` for a space",
            text.replace('+', " "),
            "header_encoding",
        ),
        (
            "plus-as-escaped-space",
            "the same, encoded again",
            text.replace('+', "%20"),
            "header_not_pem",
        ),
        (
            "double-encoded",
            "percent-encoded twice",
            text.replace('%', "%25"),
            "header_not_pem",
        ),
        (
            "decoded",
            "a proxy decoded it",
            text.replace("%20", " ").replace("%0A", "\n"),
            "header_encoding",
        ),
        (
            "line-breaks-as-spaces",
            "nginx's way to put PEM into a header",
            text.replace("%0A", "%20"),
            "header_not_pem",
        ),
        (
            "joined",
            "two headers joined by a comma",
            format!("{text},{text}"),
            "header_joined",
        ),
        (
            "cut-in-escape",
            "it ends within an escape",
            format!("{text}%4"),
            "header_encoding",
        ),
        (
            "bad-escape",
            "an invalid escape",
            format!("{text}%zz"),
            "header_encoding",
        ),
        ("nul", "a NUL at the end", format!("{text}%00"), "header_not_pem"),
        (
            "not-ascii",
            "a byte that is not ASCII",
            format!("{text}\u{fc}"),
            "header_encoding",
        ),
        (
            "text-before",
            "text before the first block",
            format!("x{text}"),
            "header_not_pem",
        ),
        (
            "text-after",
            "text after the last block",
            format!("{text}x"),
            "header_not_pem",
        ),
        (
            "no-end",
            "the last END line is missing",
            text.trim_end_matches("%0A").trim_end_matches(END).to_owned(),
            "header_not_pem",
        ),
        (
            "no-begin",
            "the first BEGIN line is missing",
            text.replacen(BEGIN, "", 1),
            "header_not_pem",
        ),
        (
            "label-key",
            "a private key in place of the certificate",
            text.replace("CERTIFICATE", "PRIVATE%20KEY"),
            "header_not_pem",
        ),
        (
            "label-trusted",
            "OpenSSL's trusted certificate",
            text.replace("CERTIFICATE", "TRUSTED%20CERTIFICATE"),
            "header_not_pem",
        ),
        (
            "encapsulated-header",
            "an RFC 1421 header in the block",
            text.replacen("-----%0A", "-----%0AProc-Type:%204%0A%0A", 1),
            "header_not_pem",
        ),
        (
            "empty-block",
            "a block without content",
            format!("{BEGIN}%0A{END}%0A"),
            "header_not_pem",
        ),
        ("empty", "an empty value", String::new(), "header_not_pem"),
    ] {
        cases.push(with(id, why, header).refused(detail));
    }
    let mut repeated = with(
        "repeated",
        "the header occurs twice, with the same value",
        text.to_owned(),
    )
    .refused("header_repeated");
    repeated.more_headers = vec![text.to_owned()];
    cases.push(repeated);
    Ok(())
}

fn base64_encoded(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let issuing = issuing(&root)?;
    let leaf = client(&issuing)?;
    let texts = [base64(&leaf), base64(&issuing)];
    let good = case("", "", [&root], certificates([&leaf, &issuing]));
    let with = |id: &str, why, header: String| Case {
        id: format!("headers/base64-encoded/{id}"),
        why,
        header,
        header_format: "base64_encoded",
        ..good.clone()
    };
    cases.push(with("as-sent", "base64 of DER, separated by a comma", texts.join(",")).accepted(CLIENT));
    cases.push(with("space-after-comma", "a space after the comma", texts.join(", ")).accepted(CLIENT));
    for (id, why, header, detail) in [
        (
            "pem",
            "PEM in place of base64",
            good.header.clone(),
            "header_encoding",
        ),
        (
            "plus-as-space",
            "a form decoder took `+` for a space",
            texts.join(",").replace('+', " "),
            "header_encoding",
        ),
        (
            "url-alphabet",
            "the alphabet of URLs",
            texts.join(",").replace('+', "-").replace('/', "_"),
            "header_encoding",
        ),
        (
            "comma-at-end",
            "a comma at the end",
            format!("{},", texts.join(",")),
            "header_encoding",
        ),
    ] {
        cases.push(with(id, why, header).refused(detail));
    }
    Ok(())
}

fn rfc9440(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let issuing = issuing(&root)?;
    let leaf = client(&issuing)?;
    let items = [format!(":{}:", base64(&leaf)), format!(":{}:", base64(&issuing))];
    let [first, second] = &items;
    let good = case("", "", [&root], certificates([&leaf, &issuing]));
    let with = |id: &str, why, header: &str, chain: &[&str]| Case {
        id: format!("headers/rfc9440/{id}"),
        why,
        header: header.to_owned(),
        header_format: "rfc9440",
        chain_headers: chain.iter().map(|value| (*value).to_owned()).collect(),
        ..good.clone()
    };
    cases.push(with("as-sent", "Client-Cert and Client-Cert-Chain", first, &[second]).accepted(CLIENT));
    cases.push(
        with(
            "chain-in-two-lines",
            "a list may be spread over lines",
            first,
            &[second, second],
        )
        .accepted(CLIENT),
    );
    for (id, why, header, chain, detail) in [
        (
            "no-colons",
            "base64 without colons",
            first.trim_matches(':'),
            vec![second.as_str()],
            "header_encoding",
        ),
        (
            "a-string",
            "a string in place of bytes",
            "\"MIIB\"",
            vec![],
            "header_encoding",
        ),
        (
            "inner-list",
            "a list within the list",
            first,
            vec!["(:AAAA:)"],
            "header_encoding",
        ),
        (
            "no-chain",
            "the chain's header is missing",
            first,
            vec![],
            "issuer_unknown",
        ),
    ] {
        cases.push(with(id, why, header, &chain).refused(detail));
    }
    Ok(())
}

fn limits(cases: &mut Vec<Case>) -> Result<(), test_pki::Error> {
    let root = root()?;
    let leaf = client(&root)?;
    let one = header([leaf.certificate()]);
    let with = |id: &str, why, header: String| Case {
        id: format!("headers/limits/{id}"),
        header,
        why,
        max_depth: Some(4),
        ..case("", "", [&root], certificates([&leaf]))
    };
    cases.push(
        with(
            "eight-certificates",
            "twice as many as the path may have",
            one.repeat(8),
        )
        .accepted(CLIENT),
    );
    cases.push(
        with("nine-certificates", "one more: refused unread", one.repeat(9))
            .refused("header_too_many_certificates"),
    );
    let large = CertificateBuilder::client("CN=client,O=Example").seed("large");
    let large = large
        .extension("1.2.3.4", test_pki::Criticality::NotCritical, &[0; 50_000])
        .issued_by(&root)?;
    cases.push(
        with(
            "too-large",
            "more bytes than any setting allows",
            header([large.certificate()]),
        )
        .refused("header_too_large"),
    );
    Ok(())
}

fn base64(credential: &test_pki::Credential) -> String {
    let pem = credential.pem();
    debug_assert_eq!(der(credential).as_ref(), credential.der());
    pem.lines().filter(|line| !line.starts_with('-')).collect()
}
