//! CRLs that change while the function runs: one client is revoked and taken back, again and again.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use alb_mtls_tests::Clients;
use test_pki::{CertificateBuilder, Credential, CrlBuilder};

use crate::locked;

/// Content of the CRLs.
#[derive(Debug)]
pub(crate) struct Revocation {
    /// On the CRL from the start to the end.
    pub(crate) revoked: Credential,
    /// On the CRL now and then.
    pub(crate) sometimes: Credential,
    folder: PathBuf,
    refresh: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Debug)]
struct State {
    is_revoked: bool,
    since: Instant,
    changes: u64,
}

/// Revocation status of a client, as far as the function must know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    Good,
    Revoked,
    /// Status that has just changed.
    Either,
}

impl Revocation {
    /// Writes the first CRLs, and others every four refreshes for as long as the runtime lives.
    pub(crate) fn start(clients: &Arc<Clients>, refresh: Duration) -> Self {
        let client = |name: &str| clients.issue(CertificateBuilder::client(&format!("CN={name},O=Tests")));
        let state = Arc::new(Mutex::new(State {
            is_revoked: false,
            since: Instant::now(),
            changes: 0,
        }));
        let this = Self {
            revoked: client("revoked"),
            sometimes: client("sometimes"),
            folder: clients.directory().to_owned(),
            refresh,
            state: Arc::clone(&state),
        };
        let root_list = CrlBuilder::new().issued_by(&clients.root).expect("a CRL");
        std::fs::write(this.folder.join("root.crl"), root_list.der())
            .expect("a file in the temporary folder");
        write(clients, &this.revoked, None, 1);
        let (clients, revoked, sometimes) =
            (Arc::clone(clients), this.revoked.clone(), this.sometimes.clone());
        tokio::spawn(async move {
            for number in 2.. {
                tokio::time::sleep(4 * refresh).await;
                let mut state = locked(&state);
                state.is_revoked = !state.is_revoked;
                write(&clients, &revoked, state.is_revoked.then_some(&sometimes), number);
                state.since = Instant::now();
                state.changes += 1;
            }
        });
        this
    }

    /// Returns the value of `MTLS_CRLS`.
    pub(crate) fn sources(&self) -> String {
        let source = |name: &str| format!("file:{}", self.folder.join(name).display());
        format!("{} {}", source("issuing.crl"), source("root.crl"))
    }

    /// Returns the status of the changing client that the function must have known at `asked`.
    pub(crate) fn standing(&self, asked: Instant) -> Standing {
        let state = locked(&self.state);
        // A change counts from the refresh after it, which itself happens at the next request.
        if asked < state.since
            || asked.duration_since(state.since) < 2 * self.refresh + Duration::from_millis(500)
        {
            return Standing::Either;
        }
        if state.is_revoked {
            Standing::Revoked
        } else {
            Standing::Good
        }
    }

    pub(crate) fn changes(&self) -> u64 {
        locked(&self.state).changes
    }
}

/// Checks that the function sees all of one list or all of the other.
fn write(clients: &Clients, revoked: &Credential, sometimes: Option<&Credential>, number: u64) {
    let mut list = CrlBuilder::new().number(number).revoke(revoked);
    if let Some(sometimes) = sometimes {
        list = list.revoke(sometimes);
    }
    let list = list.issued_by(&clients.issuing).expect("a CRL");
    let folder: &Path = clients.directory();
    std::fs::write(folder.join("next.crl"), list.der()).expect("a file in the temporary folder");
    std::fs::rename(folder.join("next.crl"), folder.join("issuing.crl"))
        .expect("a file that takes the place of another");
}
