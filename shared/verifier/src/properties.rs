//! Properties of the parsers and the verifier for any octets. Tests check them with random octets
//! and damaged certificates, fuzzers with whatever they find.

#![expect(
    clippy::expect_used,
    reason = "a property that does not hold must stop the fuzzer"
)]

use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use webpki::{BorrowedCertRevocationList, EndEntityCert};

use crate::anchors::TrustAnchor;
use crate::identity::{ClientIdentity, IdentityExtensions};
use crate::options::VerifyOptions;
use crate::presented_chain::PresentedChain;
use crate::rules::{self, Budget, Context, Path};
use crate::signature_budget::{Namesakes, SignatureBudget};
use crate::x509::certificate::Certificate;
use crate::x509::der::shortest;
use crate::x509::oid::dotted;
use crate::x509::summary::CertificateSummary;
use crate::x509::time::Timestamp;
use crate::{
    Intermediates, RevocationList, TrustAnchors, Verifier, parse_revocation_lists, read_bundle,
    without_byte_order_mark,
};

/// Size to which a gzip file of a fuzzer may unpack.
const LARGEST_FILE: usize = 1 << 20;

/// A bundle is read whole: as many certificates as there are BEGIN lines that are not commented
/// out, or one in DER.
pub fn bundle(text: &[u8]) {
    let Ok(certificates) = read_bundle(text) else {
        return;
    };
    let begins_in = |line: &[u8]| match without_byte_order_mark(line.trim_ascii()).trim_ascii_start() {
        [b'#', ..] => 0,
        line => memchr::memmem::find_iter(line, b"-----BEGIN ").count(),
    };
    let lines = text.split(|octet| matches!(octet, b'\n' | b'\r'));
    let begins: usize = lines.map(begins_in).sum();
    let is_der = text.first() == Some(&0x30) && certificates == [CertificateDer::from(text)];
    assert!(is_der || certificates.len() == begins);
    for certificate in certificates {
        let _ = TrustAnchor::new(certificate);
    }
}

/// Checks that webpki reads the same from a certificate.
pub fn certificate(der: &[u8]) {
    let der = CertificateDer::from(der);
    let (Ok(ours), Ok(theirs)) = (Certificate::parse(&der), EndEntityCert::try_from(&der)) else {
        return;
    };
    let content = |encoding: &[u8]| {
        crate::x509::der::single(encoding, crate::x509::der::Tag::SEQUENCE).map(<[u8]>::to_vec)
    };
    assert_eq!(content(ours.issuer).as_deref(), Ok(theirs.issuer()));
    assert_eq!(content(ours.subject).as_deref(), Ok(theirs.subject()));
    assert_eq!(ours.serial_number, theirs.serial());
    let info = theirs.subject_public_key_info();
    assert_eq!(ours.public_key_info.encoding, info.as_ref());
    let summary = CertificateSummary::read(&der).expect("it was read before");
    assert_eq!(summary.is_authority, ours.is_authority());
}

/// Checks that webpki reads the same from a CRL: each entry is found again, and nothing else is.
pub fn revocation_lists(file: &[u8]) {
    let Ok(lists) = parse_revocation_lists(file.to_vec(), LARGEST_FILE) else {
        return;
    };
    assert!(!lists.is_empty());
    for list in lists {
        let again = RevocationList::from_der(list.der().expect("it is in memory").to_vec())
            .expect("it was read before");
        assert_eq!(
            (again.number(), again.entry_count()),
            (list.number(), list.entry_count())
        );
        let Ok(theirs) = BorrowedCertRevocationList::from_der(list.der().expect("it is in memory")) else {
            continue;
        };
        let serials: Option<Vec<&[u8]>> = theirs
            .into_iter()
            .map(|entry| Some(entry.ok()?.serial_number))
            .collect();
        let Some(serials) = serials else {
            continue;
        };
        assert_eq!(serials.len(), list.entry_count());
        for serial in &serials {
            assert!(list.find(serial).is_some());
            let mut longer = serial.to_vec();
            longer.push(0);
            // By value: a zero behind the serial number 0 is the same number.
            let is_listed = serials.iter().any(|other| shortest(other) == shortest(&longer));
            assert_eq!(list.find(&longer).is_some(), is_listed);
        }
    }
}

/// Extensions of every kind that the samples have, and of the kinds that their mutations have.
const EXTENSIONS: &str = "a=1.3.6.1.5.5.7.1.3 1.3.6.1.5.5.7.1.1 1.3.6.1.4.1.57264.1.8 1.2.3.4.5.6.7.8.1";

/// Checks that no text about a client contains a control character, and that every text of an
/// extension is the only form of its octets.
pub fn identity(der: &[u8], anchor: &Arc<TrustAnchor>) {
    let Ok(certificate) = Certificate::parse(der) else {
        return;
    };
    let extensions: IdentityExtensions = EXTENSIONS.parse().expect("the selection is sound");
    let Ok(identity) = ClientIdentity::read(&certificate, Arc::clone(anchor), &extensions) else {
        return;
    };
    let mut shown = vec![
        identity.subject.to_string(),
        identity.issuer.to_string(),
        identity.serial_number.clone(),
    ];
    shown.extend(identity.alternative_names.iter().map(ToString::to_string));
    shown.extend(identity.spiffe_id.clone());
    shown.extend(identity.organization_identifier.clone());
    shown.extend(identity.certificate_policies.iter().cloned());
    for extension in identity.extensions.iter() {
        shown.push(extension.value.to_string());
        let octets = certificate.extensions.all.iter();
        let octets = octets.filter(|one| dotted(one.oid) == *extension.oid);
        let octets: Vec<&[u8]> = octets.map(|one| one.value).collect();
        assert_eq!(octets.len(), 1);
        match extension.value.strip_prefix('#') {
            Some(hexadecimal) => {
                assert_eq!(
                    octets,
                    [base16ct::lower::decode_vec(hexadecimal).unwrap_or_default()]
                );
            }
            None => assert!((1..=1_000).contains(&extension.value.len())),
        }
    }
    for text in shown {
        assert!(!text.chars().any(char::is_control), "{text:?}");
    }
    let _ = identity.common_name();
}

/// Checks that every rule has an answer for every path, though no signature in it verifies.
pub fn rules(ders: &[&[u8]], anchor: &Arc<TrustAnchor>) {
    let certificates: Vec<Certificate<'_>> = ders
        .iter()
        .filter_map(|der| Certificate::parse(der).ok())
        .collect();
    let Some((end_entity, intermediates)) = certificates.split_first() else {
        return;
    };
    let context = Context {
        options: VerifyOptions::default(),
        now: Timestamp::from_unix_seconds(1_800_000_000),
        comparisons: Budget::default(),
        signatures: SignatureBudget::new(
            VerifyOptions::default().max_depth,
            Namesakes::default(),
            Arc::default(),
        ),
    };
    for (_, rule) in rules::END_ENTITY_RULES {
        let _ = rule(end_entity, &context);
    }
    let path = Path {
        end_entity,
        intermediates: &intermediates.iter().collect::<Vec<_>>(),
        anchor,
    };
    for (_, rule) in rules::PATH_RULES {
        let _ = rule(&path, &context);
    }
}

/// A chain is refused or accepted, and explained the same way.
pub fn chain(ders: &[&[u8]], anchor: &CertificateDer<'static>) {
    let certificates = ders.iter().map(|der| CertificateDer::from(der.to_vec()));
    let Some(chain) = PresentedChain::new(certificates) else {
        return;
    };
    let anchor = TrustAnchor::new(anchor.clone()).expect("the anchor is sound");
    let anchors = TrustAnchors::new([anchor]).expect("there is one");
    let verifier = Verifier::new(anchors, Intermediates::default(), VerifyOptions::default());
    let explanation = verifier.explain(&chain, Timestamp::from_unix_seconds(1_800_000_000));
    let failed = explanation
        .checks
        .iter()
        .any(|(_, outcome)| matches!(outcome, crate::explanation::Outcome::Failed(_)));
    assert_eq!(explanation.verdict.is_err(), failed);
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;
    use test_pki::{CertificateBuilder, CrlBuilder, CrlReason, GeneralName};

    use super::*;

    /// Certificates with something of everything.
    fn samples() -> Vec<Vec<u8>> {
        let root = CertificateBuilder::root("CN=Root,O=Example")
            .seed("root")
            .self_signed()
            .unwrap();
        let issuing = CertificateBuilder::intermediate("CN=Issuing,O=Example")
            .seed("issuing")
            .path_length(1)
            .permit(&GeneralName::Dns("example.org"))
            .permit(&GeneralName::Email("example.org"))
            .exclude(&GeneralName::Uri("evil.example"))
            .exclude(&GeneralName::Directory("O=Other"))
            .exclude(&GeneralName::Subnet([10, 0, 0, 0].into(), 8))
            .policy("1.2.3.4")
            .extension(
                "2.5.29.36",
                test_pki::Criticality::Critical,
                &[0x30, 3, 0x80, 1, 0],
            )
            .issued_by(&root)
            .unwrap();
        let client = CertificateBuilder::client("CN=client,OU=Payments,O=Example,C=DE")
            .seed("client")
            .dns("client.example.org")
            .email("client@example.org")
            .uri("spiffe://example.org/client")
            .ip([192, 0, 2, 1])
            .alternative_name(&GeneralName::Directory("CN=other,O=Example"))
            .policy("1.2.3.4")
            .issued_by(&issuing)
            .unwrap();
        [client, issuing, root]
            .iter()
            .map(|credential| credential.der().to_vec())
            .collect()
    }

    fn anchor() -> (Arc<TrustAnchor>, CertificateDer<'static>) {
        let der = CertificateDer::from(samples().pop().unwrap());
        (Arc::new(TrustAnchor::new(der.clone()).unwrap()), der)
    }

    /// A certificate in which some octets are others, some are gone, and some are new.
    fn damaged() -> impl Strategy<Value = Vec<u8>> {
        (0..3_usize, edits()).prop_map(|(which, edits)| edited(samples().swap_remove(which), edits))
    }

    /// Generates a damaged CRL with an entry of each kind.
    fn damaged_crl() -> impl Strategy<Value = Vec<u8>> {
        let root = CertificateBuilder::root("CN=Root,O=Example")
            .self_signed()
            .unwrap();
        let long_ago = time::OffsetDateTime::UNIX_EPOCH;
        let crl = CrlBuilder::new()
            .revoke_serial(&[0], None, long_ago)
            .revoke_serial(&[1], None, long_ago)
            .revoke_serial(&[0x00, 0xff, 0x02], Some(CrlReason::KeyCompromise), long_ago)
            .revoke_serial(&[7; 20], Some(CrlReason::CertificateHold), long_ago)
            .distribution_point("http://example.org/1.crl")
            .issued_by(&root)
            .unwrap();
        edits().prop_map(move |edits| edited(crl.der().to_vec(), edits))
    }

    type Edit = (prop::sample::Index, u8, u8);

    fn edits() -> impl Strategy<Value = Vec<Edit>> {
        let edit = (any::<prop::sample::Index>(), any::<u8>(), 0..3_u8);
        prop::collection::vec(edit, 0..4)
    }

    fn edited(mut der: Vec<u8>, edits: Vec<Edit>) -> Vec<u8> {
        for (at, octet, kind) in edits {
            let at = at.index(der.len());
            match kind {
                0 => der[at] = octet,
                1 => _ = der.remove(at),
                _ => der.insert(at, octet),
            }
        }
        der
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn damaged_bundles_are_read_whole_or_not_at_all(der in damaged(), at: prop::sample::Index, octet: u8) {
            let base64 = STANDARD.encode(&der);
            let text = format!("-----BEGIN CERTIFICATE-----\n{base64}\n-----END CERTIFICATE-----\n");
            let mut text = text.into_bytes();
            let at = at.index(text.len());
            text[at] = octet;
            bundle(&text);
        }

        #[test]
        fn certificates_are_read_as_webpki_reads_them(der in damaged(), random: Vec<u8>) {
            certificate(&der);
            certificate(&random);
        }

        #[test]
        fn crls_are_read_as_webpki_reads_them(crl in damaged_crl(), random: Vec<u8>) {
            revocation_lists(&crl);
            revocation_lists(&random);
        }

        #[test]
        fn what_is_shown_of_a_client_can_be_shown(der in damaged()) {
            identity(&der, &anchor().0);
        }

        #[test]
        fn every_rule_answers(first in damaged(), second in damaged(), third in damaged()) {
            let (shared, own) = anchor();
            rules(&[&first, &second, &third], &shared);
            chain(&[&first, &second, &third], &own);
        }
    }

    #[test]
    fn the_samples_are_sound() {
        let samples = samples();
        let (shared, own) = anchor();
        let [client, issuing, _] = samples.as_slice() else {
            panic!("three samples");
        };
        let certificates = [client, issuing].map(|der| CertificateDer::from(der.clone()));
        let anchors = TrustAnchors::new([TrustAnchor::new(own).unwrap()]).unwrap();
        let verifier = Verifier::new(anchors, Intermediates::default(), VerifyOptions::default());
        let chain = PresentedChain::new(certificates).unwrap();
        verifier
            .verify(&chain, Timestamp::from_unix_seconds(1_800_000_000))
            .unwrap();
        identity(client, &shared);
    }
}
