//! CRLs as large as a load balancer takes.

use pki::{CrlBuilder, Key};

use crate::deployment::{Deployment, verdict};
use crate::web::{Page, Web};

/// A load balancer takes 500,000 entries; this is half of it, for the sake of the unoptimised build.
const ENTRIES: usize = 250_000;

#[tokio::test]
async fn a_large_crl_is_published_within_the_memory_of_a_small_function() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    let small = CrlBuilder::new().number(1).issued_by(&deployment.root).unwrap();
    let large = with_entries(&small, ENTRIES, deployment.root.key());
    web.put_content("/root.crl", &large);
    let mut function = deployment.function(&[&web.url("/root.crl")], &[]).await;
    let record = function.refresh().await;
    assert_eq!(verdict(&record), "published", "{record}");
    assert_eq!(record["CrlEntries"], ENTRIES);
    let key = format!("crls/127.0.0.1_{}/root.crl", web.address.port());
    assert_eq!(deployment.object(&key).unwrap(), large);
    let peak = function.environment.facts().peak_memory.unwrap();
    let allowed = 64_000_000 + 3 * u64::try_from(large.len()).unwrap();
    assert!(peak < allowed, "{peak} bytes, allowed are {allowed}");
}

#[tokio::test]
async fn a_file_without_end_is_given_up_at_the_limit() {
    let deployment = Deployment::new();
    let web = Web::start().await;
    web.put("/root.crl", Page::Endless);
    let mut function = deployment.function(&[&web.url("/root.crl")], &[]).await;
    let record = function.refresh().await;
    assert_eq!(verdict(&record), "refused: is larger than 52428800 bytes");
    let peak = function.environment.facts().peak_memory.unwrap();
    assert!(peak < 160_000_000, "{peak}");
}

/// The same list with that many entries, put together by hand: a builder holds each as a structure of its own.
fn with_entries(list: &pki::Crl, count: usize, key: &Key) -> Vec<u8> {
    use pki::der::asn1::{AnyRef, BitString};
    use pki::der::{Encode, Tag, TagNumber};

    let element = |tag: Tag, content: &[u8]| AnyRef::new(tag, content).unwrap().to_der().unwrap();
    let signed = pki::raw::Signed::from_der(list.der()).unwrap();
    let fields: pki::raw::TbsCertList = signed.to_be_signed.decode_as().unwrap();
    let mut entries = Vec::with_capacity(count * 25);
    for number in 0..u32::try_from(count).unwrap() {
        entries.extend_from_slice(b"\x30\x17\x02\x06\x1F\x00");
        entries.extend_from_slice(&number.to_be_bytes());
        entries.extend_from_slice(b"\x17\x0D250101000000Z");
    }
    let extensions = Tag::ContextSpecific {
        constructed: true,
        number: TagNumber(0),
    };
    let to_be_signed = element(
        Tag::Sequence,
        &[
            fields.version.to_der().unwrap(),
            fields.signature.to_der().unwrap(),
            fields.issuer.to_der().unwrap(),
            fields.this_update.to_der().unwrap(),
            fields.next_update.to_der().unwrap(),
            element(Tag::Sequence, &entries),
            element(extensions, &fields.extensions.to_der().unwrap()),
        ]
        .concat(),
    );
    let signature = key.sign(key.default_algorithm(), &to_be_signed).unwrap();
    pki::raw::Signed {
        to_be_signed: pki::raw::any(&to_be_signed).unwrap(),
        signature: BitString::from_bytes(&signature).unwrap(),
        ..signed
    }
    .to_der()
    .unwrap()
}
