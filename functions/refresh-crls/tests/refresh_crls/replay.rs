//! A revoked client, the gate, and an attacker who serves old CRLs of the CA and those of other
//! CAs.

use alb_mtls_tests::{Function as Gate, certificate_headers, header_of};
use test_pki::{CertificateBuilder, Credential, Crl, CrlBuilder, CrlScope};

use crate::deployment::{BUCKET, Deployment, Function, verdict};
use crate::web::Web;

/// Time after which the gate has looked at its sources again, also after a failed attempt.
const REFRESHED: std::time::Duration = std::time::Duration::from_millis(2_500);

struct Attack {
    deployment: Deployment,
    web: Web,
    good: Credential,
    revoked: Credential,
    port: u16,
}

impl Attack {
    async fn new() -> Self {
        let (deployment, web) = (Deployment::new(), Web::start().await);
        let client = |name: &str| {
            CertificateBuilder::client(name)
                .issued_by(&deployment.issuing)
                .unwrap()
        };
        Self {
            good: client("CN=good"),
            revoked: client("CN=revoked"),
            port: web.address.port(),
            deployment,
            web,
        }
    }

    /// Returns the CRL of the issuing CA; the client is revoked from number 5 on.
    fn issuing(&self, number: u64) -> Crl {
        self.made(number, CrlBuilder::new().number(number))
    }

    /// Returns the CRL as easy-rsa writes it, which differs from others in its date alone.
    fn unnumbered(&self, number: u64) -> Crl {
        self.made(number, CrlBuilder::new().without_number())
    }

    fn made(&self, number: u64, crl: CrlBuilder) -> Crl {
        let now = time::OffsetDateTime::now_utc();
        let made = now - time::Duration::hours(20 - i64::try_from(number).unwrap());
        let crl = crl.valid(made, now + time::Duration::DAY);
        let crl = if number < 5 {
            crl
        } else {
            crl.revoke(&self.revoked)
        };
        crl.issued_by(&self.deployment.issuing).unwrap()
    }

    /// Returns an old CRL for end-entity certificates alone.
    fn scoped(&self) -> Crl {
        let now = time::OffsetDateTime::now_utc();
        let crl = CrlBuilder::new().number(1).scope(CrlScope::EndEntities);
        crl.valid(now - time::Duration::hours(19), now + time::Duration::DAY)
            .issued_by(&self.deployment.issuing)
            .unwrap()
    }

    async fn refresher(&self) -> Function {
        let sources = [self.web.url("/root.crl"), self.web.url("/issuing.crl")];
        self.web
            .put_content("/root.crl", self.deployment.root_crl(1).der());
        self.deployment.function(&[&sources[0], &sources[1]], &[]).await
    }

    /// Runs the refresher with this content in the place of the issuing CA's CRL, and returns the
    /// outcome.
    async fn refresh(&self, function: &mut Function, content: &Crl) -> String {
        self.web.put_content("/issuing.crl", content.der());
        assert_ne!(verdict(&function.refresh().await), "refused");
        verdict(&function.record().await)
    }

    fn key(&self) -> String {
        format!("crls/127.0.0.1_{}/issuing.crl", self.port)
    }

    fn put(&self, crl: &Crl) {
        self.deployment.moto.put_object(BUCKET, &self.key(), crl.der());
    }

    async fn gate(&self, mode: &str, more: &[(&str, &str)]) -> Gate {
        let crls = format!(
            "s3://trust/crls/127.0.0.1_{}/root.crl s3://trust/{}",
            self.port,
            self.key()
        );
        let mut variables = self.deployment.moto.variables();
        let own = [
            ("MTLS_ANCHORS", self.deployment.file("root.pem")),
            ("MTLS_CRLS", crls),
            ("MTLS_REVOCATION", mode.to_owned()),
            ("MTLS_REFRESH", "1s".to_owned()),
        ];
        let more = more.iter().map(|(name, value)| (*name, (*value).to_owned()));
        variables.extend(
            own.into_iter()
                .chain(more)
                .map(|(name, value)| (name.to_owned(), value)),
        );
        Gate::start("respond", variables).await
    }

    /// Returns the statuses of the revoked and the good client.
    async fn ask(&self, gate: &Gate) -> (u16, u16) {
        let status = async |client| {
            let headers = certificate_headers(header_of([client, &self.deployment.issuing]));
            gate.get("/", &headers).await.status
        };
        (status(&self.revoked).await, status(&self.good).await)
    }

    /// Asks as both clients until the gate has written these words. Failed attempts are followed by
    /// ever longer pauses.
    async fn ask_until_logged(&self, gate: &Gate, words: &str) {
        let mut log = String::new();
        for _ in 0..120 {
            assert_eq!(self.ask(gate).await, (401, 200), "{words}");
            log.push_str(&gate.log().join("\n"));
            if log.contains(words) {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(500)).await;
        }
        panic!("{words}: {log}");
    }

    async fn ask_later(&self, gate: &Gate) -> (u16, u16) {
        // The first request after the pause looks up; the second one sees what came of it.
        tokio::time::sleep(REFRESHED).await;
        self.ask(gate).await;
        self.ask(gate).await
    }
}

#[tokio::test]
async fn another_crl_does_not_make_room_for_an_old_one_at_the_refresher() {
    for mode in ["strict", "soft"] {
        let attack = Attack::new().await;
        let mut refresher = attack.refresher().await;
        assert_eq!(
            attack.refresh(&mut refresher, &attack.issuing(5)).await,
            "published"
        );
        let warm = attack.gate(mode, &[]).await;
        assert_eq!(attack.ask(&warm).await, (401, 200));

        for (crl, words) in [
            (attack.issuing(4), "goes back from number 0x5 to 0x4"),
            (attack.deployment.root_crl(9), "is bound to"),
            (attack.issuing(4), "goes back from number 0x5 to 0x4"),
            (attack.scoped(), "is bound to"),
        ] {
            let outcome = attack.refresh(&mut refresher, &crl).await;
            assert!(
                outcome.starts_with("refused: ") && outcome.contains(words),
                "{mode}: {outcome}"
            );
        }
        assert_eq!(attack.ask_later(&warm).await, (401, 200), "{mode}");
        assert_eq!(
            attack.ask(&attack.gate(mode, &[]).await).await,
            (401, 200),
            "{mode}, cold"
        );

        assert_eq!(
            attack.refresh(&mut refresher, &attack.issuing(6)).await,
            "published"
        );
        assert_eq!(attack.ask_later(&warm).await, (401, 200), "{mode}");
        assert!(
            !warm
                .log()
                .iter()
                .any(|line| line.contains("trust material refused"))
        );
    }
}

#[tokio::test]
async fn another_crl_does_not_make_room_for_an_old_one_at_a_warm_gate() {
    for mode in ["strict", "soft"] {
        let attack = Attack::new().await;
        let mut refresher = attack.refresher().await;
        assert_eq!(
            attack.refresh(&mut refresher, &attack.issuing(5)).await,
            "published"
        );
        // Records are not read, so that the process has to know by itself.
        let warm = attack.gate(mode, &[("MTLS_CRL_STATE", "ignore")]).await;
        assert_eq!(attack.ask(&warm).await, (401, 200));
        for (crl, words) in [
            (attack.deployment.root_crl(9), "for all certificates is missing"),
            (attack.issuing(4), "goes back from number 0x5 to 0x4"),
            (attack.scoped(), "for all certificates is missing"),
            (attack.issuing(6), "trust material loaded"),
        ] {
            warm.log();
            attack.put(&crl);
            attack.ask_until_logged(&warm, words).await;
        }
        assert_eq!(attack.ask(&warm).await, (401, 200), "{mode}");
    }
}

#[tokio::test]
async fn a_cold_gate_knows_by_the_record_what_was_published() {
    for mode in ["strict", "soft"] {
        let attack = Attack::new().await;
        let mut refresher = attack.refresher().await;
        assert_eq!(
            attack.refresh(&mut refresher, &attack.issuing(5)).await,
            "published"
        );
        for (crl, words) in [
            (attack.issuing(4), "goes back from number 0x5 to 0x4"),
            (attack.deployment.root_crl(9), "is missing"),
            (attack.scoped(), "is missing"),
        ] {
            attack.put(&crl);
            let cold = attack.gate(mode, &[]).await;
            assert_eq!(attack.ask(&cold).await, (503, 503), "{mode}");
            let log = cold.log().join("\n");
            assert!(log.contains(words), "{mode}, {words}: {log}");
        }
        attack.put(&attack.issuing(4));
        let without = attack.gate(mode, &[("MTLS_CRL_STATE", "ignore")]).await;
        assert_eq!(
            attack.ask(&without).await.0,
            200,
            "{mode}: nothing else knows of number 5"
        );
        attack.put(&attack.issuing(5));
        assert_eq!(
            attack.ask(&attack.gate(mode, &[]).await).await,
            (401, 200),
            "{mode}"
        );
    }
}

#[tokio::test]
async fn an_old_crl_without_a_number_does_not_come_again() {
    for mode in ["strict", "soft"] {
        let attack = Attack::new().await;
        let mut refresher = attack.refresher().await;
        let newest = attack.unnumbered(5);
        assert_eq!(attack.refresh(&mut refresher, &newest).await, "published");
        let warm = attack.gate(mode, &[("MTLS_CRL_STATE", "ignore")]).await;
        assert_eq!(attack.ask(&warm).await, (401, 200), "{mode}");
        // Numbers say nothing beside a CRL without one.
        for old in [attack.unnumbered(4), attack.issuing(4), attack.issuing(3)] {
            let outcome = attack.refresh(&mut refresher, &old).await;
            assert!(
                outcome.starts_with("refused: ") && outcome.contains("goes back from the one of"),
                "{mode}: {outcome}"
            );
            attack.put(&old);
            let cold = attack.gate(mode, &[]).await;
            assert_eq!(attack.ask(&cold).await, (503, 503), "{mode}");
            let log = cold.log().join("\n");
            assert!(log.contains("goes back from the one of"), "{mode}: {log}");
            warm.log();
            attack.ask_until_logged(&warm, "goes back from the one of").await;
            attack.put(&newest);
        }
        // A CA that begins to number its CRLs.
        assert_eq!(
            attack.refresh(&mut refresher, &attack.issuing(6)).await,
            "published"
        );
        let outcome = attack.refresh(&mut refresher, &newest).await;
        assert!(outcome.contains("goes back from number 0x6"), "{mode}: {outcome}");
        assert_eq!(
            attack.ask(&attack.gate(mode, &[]).await).await,
            (401, 200),
            "{mode}"
        );
    }
}

#[tokio::test]
async fn a_record_that_cannot_be_read_is_an_error_of_its_crl() {
    let attack = Attack::new().await;
    let mut refresher = attack.refresher().await;
    assert_eq!(
        attack.refresh(&mut refresher, &attack.issuing(5)).await,
        "published"
    );
    attack
        .deployment
        .moto
        .put_object(BUCKET, &format!("{}.state.json", attack.key()), "garbage");
    let cold = attack.gate("strict", &[]).await;
    assert_eq!(attack.ask(&cold).await, (503, 503));
    let log = cold.log().join("\n");
    assert!(
        log.contains("is not a record of CRLs that this version can read"),
        "{log}"
    );
}
