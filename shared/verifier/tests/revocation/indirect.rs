//! Indirect CRLs of CRL issuers that the CA names in its certificates and the operator configures
//! (RFC 5280 §6.3.3).

use std::sync::Arc;

use alb_mtls_verifier::{
    CertificateDer, Intermediates, Reason, Rejection, RevocationListErrorKind, RevocationLists,
    RevocationOptions, SignatureAlgorithms, VerifiedClient, Verifier, VerifyOptions,
};
use test_pki::{CertificateBuilder, Credential, Criticality, Crl, CrlBuilder, KeyUsage, SignatureAlgorithm};
use time::Duration;

use crate::support::{
    BASE, NOW, Pki, SOFT, STRICT, anchors, chain, daily, long_lived, read, subject_of, timestamp, tlv,
    verifier,
};

const CRL_ISSUER: &str = "CN=Revocation Service,O=Example";

/// A CRL issuer beside the CAs, and a client whose certificate names it.
struct Scene {
    pki: Pki,
    crl_issuer: Credential,
    client: Credential,
}

impl Scene {
    fn new() -> Self {
        let pki = Pki::new();
        let crl_issuer = list_issuer().issued_by(&pki.root).unwrap();
        Self::of(pki, crl_issuer)
    }

    fn of(pki: Pki, crl_issuer: Credential) -> Self {
        let client = pki.another_client(|builder| served_by(builder, &crl_issuer, Some("all.crl")));
        Self {
            pki,
            crl_issuer,
            client,
        }
    }

    /// Returns an indirect CRL of the distribution point that the client's certificate names.
    fn list(&self, change: impl FnOnce(CrlBuilder) -> CrlBuilder) -> Crl {
        list_of(&self.crl_issuer, change)
    }

    fn verify(
        &self,
        client: &Credential,
        configured: &[&Credential],
        crls: &[&Crl],
        options: RevocationOptions,
    ) -> Result<VerifiedClient, Rejection> {
        self.verify_with(client, configured, crls, options, VerifyOptions::default())
    }

    fn verify_with(
        &self,
        client: &Credential,
        configured: &[&Credential],
        crls: &[&Crl],
        options: RevocationOptions,
        verify_options: VerifyOptions,
    ) -> Result<VerifiedClient, Rejection> {
        let anchors = self.pki.anchors();
        let configured = configured
            .iter()
            .map(|issuer| CertificateDer::from(issuer.der().to_vec()));
        let intermediates = Intermediates::new(configured).unwrap();
        let root_crl = self.pki.root_crl();
        let lists = crls.iter().copied().chain([&root_crl]);
        let lists = lists.map(|crl| Arc::new(read(crl).unwrap()));
        let lists = RevocationLists::new(lists, &anchors, &intermediates, None);
        let verifier = Verifier::new(anchors, Intermediates::default(), verify_options)
            .with_revocation(Arc::new(lists), options);
        // What a client presents configures nothing.
        let presented = chain([client, &self.pki.issuing, &self.crl_issuer]);
        verifier.verify(&presented, timestamp(NOW))
    }

    fn strict(&self, client: &Credential, crls: &[&Crl]) -> Result<(), Reason> {
        self.strict_with(&[&self.crl_issuer], client, crls)
    }

    fn strict_with(
        &self,
        configured: &[&Credential],
        client: &Credential,
        crls: &[&Crl],
    ) -> Result<(), Reason> {
        let verdict = self.verify(client, configured, crls, STRICT);
        verdict.map(|_| ()).map_err(|rejection| rejection.reason())
    }
}

fn list_issuer() -> CertificateBuilder {
    long_lived(CertificateBuilder::bare(CRL_ISSUER)).key_usage(&[KeyUsage::CRLSign])
}

fn list_of(issuer: &Credential, change: impl FnOnce(CrlBuilder) -> CrlBuilder) -> Crl {
    change(daily(CrlBuilder::new()).indirect())
        .distribution_point(&format!("{BASE}all.crl"))
        .issued_by(issuer)
        .unwrap()
}

/// Adds a distribution point that `crl_issuer` serves.
fn served_by(builder: CertificateBuilder, crl_issuer: &Credential, name: Option<&str>) -> CertificateBuilder {
    served_for(builder, crl_issuer, name, &[])
}

/// Adds a distribution point that `crl_issuer` serves, with `reasons` as they are encoded.
fn served_for(
    builder: CertificateBuilder,
    crl_issuer: &Credential,
    name: Option<&str>,
    reasons: &[u8],
) -> CertificateBuilder {
    let name = name.map(|name| {
        let uri = format!("{BASE}{name}");
        tlv(0xA0, &tlv(0xA0, &tlv(0x86, uri.as_bytes())))
    });
    let issuer = tlv(0xA2, &tlv(0xA4, &subject_of(crl_issuer)));
    let point = [&name.unwrap_or_default(), reasons, &issuer].concat();
    let value = tlv(0x30, &tlv(0x30, &point));
    builder.extension("2.5.29.31", Criticality::NotCritical, &value)
}

/// Returns the reason for which mode strict rejects a client, whose root's CRL is fine, below two
/// trusted anchors.
fn strict_below_two(
    pki: &Pki,
    other: &Credential,
    configured: Intermediates,
    client: &Credential,
    list: &Crl,
) -> Result<(), Reason> {
    let trusted = anchors([&pki.root, other]);
    let lists = [list, &pki.root_crl()].map(|crl| Arc::new(read(crl).unwrap()));
    let lists = RevocationLists::new(lists, &trusted, &configured, None);
    verifier(trusted)
        .with_revocation(Arc::new(lists), STRICT)
        .verify(&chain([client, &pki.issuing]), timestamp(NOW))
        .map(drop)
        .map_err(|rejection| rejection.reason())
}

#[test]
fn a_configured_issuer_that_the_certificate_names_clears_and_revokes() {
    let scene = Scene::new();
    let empty = scene.list(|builder| builder);
    assert_eq!(scene.strict(&scene.client, &[&empty]), Ok(()));
    let revoking = scene.list(|builder| {
        builder
            .revoke(&scene.client)
            .of_issuer(&scene.pki.issuing, Criticality::Critical)
    });
    assert_eq!(scene.strict(&scene.client, &[&revoking]), Err(Reason::Revoked));
    let soft = scene.verify(&scene.client, &[&scene.crl_issuer], &[&revoking], SOFT);
    assert_eq!(soft.unwrap_err().reason(), Reason::Revoked);
    let verified = scene
        .verify(&scene.client, &[&scene.crl_issuer], &[&empty], STRICT)
        .unwrap();
    assert_eq!(Some(verified.valid_until()), read(&empty).unwrap().next_update());
    // The own list of the CA clears too, and does not hide what the other says.
    let own = scene.pki.issuing_crl();
    assert_eq!(scene.strict(&scene.client, &[&own]), Ok(()));
    assert_eq!(
        scene.strict(&scene.client, &[&own, &revoking]),
        Err(Reason::Revoked)
    );
}

#[test]
fn entries_are_of_the_issuer_named_last_and_of_no_other() {
    let scene = Scene::new();
    let critical = Criticality::Critical;
    // Without a name, an entry is of the issuer of the list.
    let own_entry = scene.list(|builder| builder.revoke(&scene.client));
    assert_eq!(scene.strict(&scene.client, &[&own_entry]), Ok(()));
    let of_root = scene.list(|builder| builder.revoke(&scene.client).of_issuer(&scene.pki.root, critical));
    assert_eq!(scene.strict(&scene.client, &[&of_root]), Ok(()));
    let carried = scene.list(|builder| {
        builder
            .revoke_serial(&[7], None, NOW)
            .of_issuer(&scene.pki.issuing, critical)
            .revoke(&scene.client)
    });
    assert_eq!(scene.strict(&scene.client, &[&carried]), Err(Reason::Revoked));
    let ended = scene.list(|builder| {
        builder
            .revoke_serial(&[7], None, NOW)
            .of_issuer(&scene.pki.issuing, critical)
            .revoke_serial(&[8], None, NOW)
            .of_issuer(&scene.pki.root, critical)
            .revoke(&scene.client)
    });
    assert_eq!(scene.strict(&scene.client, &[&ended]), Ok(()));
}

#[test]
fn an_issuer_that_is_not_configured_says_nothing() {
    let scene = Scene::new();
    let empty = scene.list(|builder| builder);
    let revoking = scene.list(|builder| {
        builder
            .revoke(&scene.client)
            .of_issuer(&scene.pki.issuing, Criticality::Critical)
    });
    for list in [&empty, &revoking] {
        assert_eq!(
            scene.strict_with(&[], &scene.client, &[list]),
            Err(Reason::CrlMissing)
        );
    }
    let rejection = scene.verify(&scene.client, &[], &[&empty], STRICT).unwrap_err();
    assert!(rejection.to_string().contains(CRL_ISSUER), "{rejection}");
    // Configured, and below another anchor.
    let stranger = long_lived(CertificateBuilder::root("CN=Other Root"))
        .self_signed()
        .unwrap();
    let below_stranger = list_issuer().issued_by(&stranger).unwrap();
    let list = list_of(&below_stranger, |builder| builder);
    let client = scene
        .pki
        .another_client(|builder| served_by(builder, &below_stranger, Some("all.crl")));
    assert_eq!(
        scene.strict_with(&[&below_stranger, &stranger], &client, &[&list]),
        Err(Reason::CrlMissing)
    );
    let configured = Intermediates::new([CertificateDer::from(below_stranger.der().to_vec())]).unwrap();
    assert_eq!(
        strict_below_two(&scene.pki, &stranger, configured, &client, &list),
        Err(Reason::CrlMissing),
        "both anchors are trusted, and the client's is another one"
    );
}

#[test]
fn a_certificate_that_may_not_sign_lists_is_not_accepted_as_their_issuer() {
    let pki = Pki::new();
    for builder in [
        long_lived(CertificateBuilder::bare(CRL_ISSUER)),
        long_lived(CertificateBuilder::client(CRL_ISSUER)),
    ] {
        let issuer = builder.issued_by(&pki.root).unwrap();
        let der = CertificateDer::from(issuer.der().to_vec());
        assert!(!alb_mtls_verifier::is_crl_issuer(&der));
        assert!(Intermediates::new([der]).is_err());
    }
    // A CA without cRLSign.
    let scene = Scene::new();
    let authority = long_lived(CertificateBuilder::intermediate(CRL_ISSUER))
        .key_usage(&[KeyUsage::KeyCertSign])
        .issued_by(&scene.pki.root)
        .unwrap();
    let list = list_of(&authority, |builder| builder);
    assert_eq!(
        scene.strict_with(&[&authority], &scene.client, &[&list]),
        Err(Reason::CrlMissing)
    );
}

#[test]
fn the_certificate_of_the_issuer_must_be_valid_and_not_revoked() {
    let scene = Scene::new();
    let expired = CertificateBuilder::bare(CRL_ISSUER)
        .key_usage(&[KeyUsage::CRLSign])
        .valid(NOW - Duration::days(9), NOW - Duration::DAY)
        .issued_by(&scene.pki.root)
        .unwrap();
    let list = list_of(&expired, |builder| builder);
    assert_eq!(
        scene.strict_with(&[&expired], &scene.client, &[&list]),
        Err(Reason::CrlMissing)
    );
    let ending = CertificateBuilder::bare(CRL_ISSUER)
        .key_usage(&[KeyUsage::CRLSign])
        .valid(NOW - Duration::days(9), NOW + Duration::HOUR)
        .issued_by(&scene.pki.root)
        .unwrap();
    let list = list_of(&ending, |builder| builder);
    let verified = scene.verify(&scene.client, &[&ending], &[&list], STRICT).unwrap();
    assert_eq!(verified.valid_until(), timestamp(NOW + Duration::HOUR));

    let revoking = daily(CrlBuilder::new().number(2))
        .revoke(&scene.crl_issuer)
        .issued_by(&scene.pki.root)
        .unwrap();
    let list = scene.list(|builder| builder);
    assert_eq!(
        scene.strict(&scene.client, &[&list, &revoking]),
        Err(Reason::CrlMissing)
    );
}

#[test]
fn only_certificates_that_name_the_issuer_are_its_concern() {
    let scene = Scene::new();
    let plain = &scene.pki.client;
    let other = long_lived(CertificateBuilder::bare("CN=Another Service"))
        .key_usage(&[KeyUsage::CRLSign])
        .issued_by(&scene.pki.root)
        .unwrap();
    let served_by_other = scene
        .pki
        .another_client(|builder| served_by(builder, &other, Some("all.crl")));
    let revoking = scene.list(|builder| {
        builder
            .revoke(plain)
            .of_issuer(&scene.pki.issuing, Criticality::Critical)
            .revoke(&served_by_other)
    });
    // A CA among others must not revoke the clients of these.
    assert_eq!(
        scene.strict(plain, &[&revoking, &scene.pki.issuing_crl()]),
        Ok(())
    );
    assert_eq!(scene.strict(plain, &[&revoking]), Err(Reason::CrlMissing));
    assert_eq!(
        scene.strict(&served_by_other, &[&revoking]),
        Err(Reason::CrlMissing)
    );
}

#[test]
fn list_and_distribution_point_must_match() {
    let scene = Scene::new();
    let empty = scene.list(|builder| builder);
    let of_everything = daily(CrlBuilder::new())
        .indirect()
        .issued_by(&scene.crl_issuer)
        .unwrap();
    let served = |name| {
        scene
            .pki
            .another_client(|builder| served_by(builder, &scene.crl_issuer, name))
    };
    let (elsewhere, without_name) = (served(Some("other.crl")), served(None));
    assert_eq!(scene.strict(&elsewhere, &[&empty]), Err(Reason::CrlScope));
    assert_eq!(scene.strict(&elsewhere, &[&of_everything]), Ok(()));
    assert_eq!(scene.strict(&without_name, &[&empty]), Err(Reason::CrlScope));
    assert_eq!(scene.strict(&without_name, &[&of_everything]), Ok(()));
    // The name of the CRL issuer is the name of the point then.
    let name = tlv(0xA0, &tlv(0xA0, &tlv(0xA4, &subject_of(&scene.crl_issuer))));
    let value = tlv(0x30, &[name, tlv(0x84, &[0xFF])].concat());
    let by_name = daily(CrlBuilder::new())
        .extension("2.5.29.28", Criticality::Critical, &value)
        .issued_by(&scene.crl_issuer)
        .unwrap();
    assert_eq!(scene.strict(&without_name, &[&by_name]), Ok(()));
    // A list that does not say that it is indirect.
    let direct = daily(CrlBuilder::new())
        .distribution_point(&format!("{BASE}all.crl"))
        .revoke(&scene.client)
        .of_issuer(&scene.pki.issuing, Criticality::Critical)
        .issued_by(&scene.crl_issuer)
        .unwrap();
    assert_eq!(scene.strict(&scene.client, &[&direct]), Err(Reason::CrlMissing));
    let lists = [&direct, &empty];
    assert_eq!(scene.strict(&scene.client, &lists), Ok(()));
}

#[test]
fn an_entry_issuer_that_is_not_critical_revokes_and_is_a_defect() {
    let scene = Scene::new();
    let list = scene.list(|builder| {
        builder
            .revoke_serial(&[7], None, NOW)
            .of_issuer(&scene.pki.issuing, Criticality::NotCritical)
    });
    let read_list = read(&list).unwrap();
    let defect = read_list.defect().unwrap();
    assert!(
        matches!(defect, RevocationListErrorKind::EntryIssuerNotCritical { .. }),
        "{defect}"
    );
    assert_eq!(scene.strict(&scene.client, &[&list]), Err(Reason::CrlUnusable));
    let revoking = scene.list(|builder| {
        builder
            .revoke(&scene.client)
            .of_issuer(&scene.pki.issuing, Criticality::NotCritical)
    });
    assert_eq!(scene.strict(&scene.client, &[&revoking]), Err(Reason::Revoked));
}

#[test]
fn a_list_in_the_name_of_the_issuer_with_another_key_does_not_count() {
    let scene = Scene::new();
    let impostor = list_issuer().self_signed().unwrap();
    let forged = list_of(&impostor, |builder| {
        builder
            .number(9)
            .revoke(&scene.client)
            .of_issuer(&scene.pki.issuing, Criticality::Critical)
    });
    assert_eq!(scene.strict(&scene.client, &[&forged]), Err(Reason::CrlSignature));
    let empty = scene.list(|builder| builder);
    assert_eq!(scene.strict(&scene.client, &[&forged, &empty]), Ok(()));
}

#[test]
fn an_indirect_list_of_the_ca_itself_clears_what_names_it_alone() {
    let scene = Scene::new();
    let list = |change: &dyn Fn(CrlBuilder) -> CrlBuilder| {
        change(daily(CrlBuilder::new()).indirect())
            .issued_by(&scene.pki.issuing)
            .unwrap()
    };
    let client = &scene.pki.client;
    assert_eq!(
        scene.strict(client, &[&list(&|builder| builder)]),
        Err(Reason::CrlScope)
    );
    let own = list(&|builder| builder.revoke(client));
    assert_eq!(scene.strict(client, &[&own]), Err(Reason::Revoked));
    let of_other = list(&|builder| {
        builder
            .revoke(client)
            .of_issuer(&scene.pki.root, Criticality::Critical)
    });
    assert_eq!(scene.strict(client, &[&of_other]), Err(Reason::CrlScope));
    let complete = daily(CrlBuilder::new()).issued_by(&scene.pki.issuing).unwrap();
    assert_eq!(scene.strict(client, &[&of_other, &complete]), Ok(()));
}

#[test]
fn an_indirect_list_has_deltas_like_others() {
    let scene = Scene::new();
    let base = scene.list(|builder| builder.number(4));
    let delta = |base: u64| {
        scene.list(|builder| {
            builder
                .number(6)
                .delta_of(base)
                .revoke(&scene.client)
                .of_issuer(&scene.pki.issuing, Criticality::Critical)
        })
    };
    let other = scene
        .pki
        .another_client(|builder| served_by(builder, &scene.crl_issuer, Some("all.crl")));
    assert_eq!(
        scene.strict(&scene.client, &[&base, &delta(4)]),
        Err(Reason::Revoked)
    );
    assert_eq!(scene.strict(&other, &[&base, &delta(4)]), Ok(()));
    assert_eq!(
        scene.strict(&other, &[&base, &delta(5)]),
        Err(Reason::CrlBaseMissing)
    );
}

#[test]
fn an_issuer_is_found_below_as_many_cas_as_a_client_can_have() {
    let pki = Pki::new();
    let mut above = vec![pki.root.clone()];
    for number in 0..7 {
        let authority = long_lived(CertificateBuilder::intermediate(&format!("CN=Tier {number}")));
        above.push(authority.issued_by(above.last().unwrap()).unwrap());
    }
    let crl_issuer = list_issuer().issued_by(above.last().unwrap()).unwrap();
    let scene = Scene::of(pki, crl_issuer);
    let list = scene.list(|builder| builder);
    let configured: Vec<&Credential> = above.iter().skip(1).chain([&scene.crl_issuer]).collect();
    assert_eq!(scene.strict_with(&configured, &scene.client, &[&list]), Ok(()));
}

/// A CRL issuer whose certificate a weak signature could forge must clear no client.
#[test]
fn an_issuer_whose_certificate_is_signed_otherwise_clears_nothing() {
    let pki = Pki::new();
    let crl_issuer = list_issuer()
        .signature_algorithm(SignatureAlgorithm::EcdsaSha512)
        .issued_by(&pki.root)
        .unwrap();
    let scene = Scene::of(pki, crl_issuer);
    let list = scene.list(|builder| builder);
    let verdict = |words: &str| {
        let allowed: SignatureAlgorithms = words.split(' ').map(|word| word.parse().unwrap()).collect();
        let options = VerifyOptions {
            signatures: allowed,
            ..VerifyOptions::default()
        };
        let verified = scene.verify_with(&scene.client, &[&scene.crl_issuer], &[&list], STRICT, options);
        verified.map(drop).map_err(|rejection| rejection.reason())
    };
    assert_eq!(
        verdict("ecdsa-p384-sha384 ecdsa-p384-sha512 ecdsa-p256-sha256"),
        Ok(())
    );
    assert!(verdict("ecdsa-p384-sha384 ecdsa-p256-sha256").is_err());
}

/// A distribution point for some reasons is not one through which a list for every reason clears.
#[test]
fn a_distribution_point_for_some_reasons_is_not_served() {
    let scene = Scene::new();
    // keyCompromise and cACompromise.
    let reasons = tlv(0x81, &[5, 0x60]);
    let client = scene
        .pki
        .another_client(|builder| served_for(builder, &scene.crl_issuer, Some("all.crl"), &reasons));
    let empty = scene.list(|builder| builder);
    assert_eq!(scene.strict(&client, &[&empty]), Err(Reason::CrlScope));
    assert_eq!(scene.strict(&scene.client, &[&empty]), Ok(()));
}

#[test]
fn the_anchor_of_the_path_may_be_the_issuer_and_another_anchor_may_not() {
    let pki = Pki::new();
    let other = long_lived(CertificateBuilder::root("CN=Other Root"))
        .self_signed()
        .unwrap();
    let verdict = |issuer: &Credential| {
        let client = pki.another_client(|builder| served_by(builder, issuer, Some("all.crl")));
        let list = list_of(issuer, |builder| builder);
        strict_below_two(&pki, &other, Intermediates::default(), &client, &list)
    };
    assert_eq!(verdict(&pki.root), Ok(()));
    assert_eq!(verdict(&other), Err(Reason::CrlMissing));
}
