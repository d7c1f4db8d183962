//! The deny list: clients that are refused within seconds of an entry, cached verdicts included.

use std::sync::Arc;
use std::time::Duration;

use alb_mtls_trust::LoadedDenyList;
use alb_mtls_verifier::VerifiedClient;

use crate::decision::DecisionContext;
use crate::denial::Denial;
use crate::gate::Gate;
use crate::reason::GateReason;

impl Gate {
    /// Denies a verified client that the deny list names, itself or a CA above it. Without a list
    /// that is young enough every verified client is denied. An anonymous client has no name to be
    /// found under.
    ///
    /// The list is asked for after the certificate was verified, so that it is as new as can be,
    /// and requests that are denied anyway do not wait for it.
    pub(crate) async fn check_deny_list(
        &self,
        client: Option<&VerifiedClient>,
        left: Option<Duration>,
        context: &mut DecisionContext,
    ) -> Result<(), Denial> {
        let (Some(lists), Some(client)) = (&self.deny_lists, client) else {
            return Ok(());
        };
        let list = lists
            .current(context.now, left)
            .await
            .map_err(|error| Denial::new(GateReason::NoDenyList, format!("the deny list {error}")))?;
        let outcome = check(&list, client);
        context.deny_list = Some(list);
        outcome
    }

    /// Denies a client that a list names which came while the request was decided about. Nothing is
    /// looked up.
    pub(crate) fn check_newer_deny_list(
        &self,
        client: Option<&VerifiedClient>,
        context: &DecisionContext,
    ) -> Result<(), Denial> {
        let (Some(client), Some(used)) = (client, &context.deny_list) else {
            return Ok(());
        };
        let newest = self.deny_lists.as_ref().and_then(|lists| lists.last_good());
        match newest {
            Some(newest) if !Arc::ptr_eq(&newest, used) => check(&newest, client),
            _ => Ok(()),
        }
    }
}

fn check(list: &LoadedDenyList, client: &VerifiedClient) -> Result<(), Denial> {
    match list.find(client) {
        None => Ok(()),
        Some(denied_by) => Err(Denial::new(GateReason::DenyList, denied_by.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use alb_mtls_http::host::RequestHost;
    use alb_mtls_verifier::{
        CertificateDer, Intermediates, PresentedChain, Timestamp, TrustAnchor, TrustAnchors, Verifier,
        VerifyOptions,
    };
    use test_pki::CertificateBuilder;

    use super::*;
    use crate::settings::Settings;

    /// The request is verified, another one brings a newer list, and the first is answered.
    #[tokio::test]
    async fn an_entry_that_comes_between_verification_and_answer_acts() {
        let der = |one: &test_pki::Credential| CertificateDer::from(one.der().to_vec());
        let root = CertificateBuilder::root("CN=Root").self_signed().unwrap();
        let client = CertificateBuilder::client("CN=client").issued_by(&root).unwrap();
        let anchors = TrustAnchors::new([TrustAnchor::new(der(&root)).unwrap()]).unwrap();
        let verifier = Verifier::new(anchors, Intermediates::default(), VerifyOptions::default());
        let now = Timestamp::now();
        let client = verifier
            .verify(&PresentedChain::new([der(&client)]).unwrap(), now)
            .unwrap();

        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("deny.txt");
        std::fs::write(&file, "none").unwrap();
        let variables = [
            ("MTLS_ANCHORS", "file:/anchors.pem".to_owned()),
            ("MTLS_DENY", format!("file:{}", file.display())),
        ];
        let variables = variables.map(|(name, value)| (name.to_owned(), value));
        let gate = Gate::new(Settings::from_variables(variables).unwrap());
        let mut context = DecisionContext::new(RequestHost::Absent, now);
        let key = client.identity().public_key_fingerprint;
        let client = Some(&client);
        assert_eq!(gate.check_deny_list(client, None, &mut context).await, Ok(()));
        assert_eq!(gate.check_newer_deny_list(client, &context), Ok(()));
        std::fs::write(&file, format!("key {key}")).unwrap();
        let of_another = gate.deny_lists.as_ref().unwrap();
        of_another.current(now.plus_seconds(10), None).await.unwrap();
        let denial = gate.check_newer_deny_list(client, &context).unwrap_err();
        assert_eq!(denial.reason(), GateReason::DenyList.into());
    }
}
