//! Cache of values in Cedar's terms. A client that comes again is the same entity, and Cedar parses
//! the names of its own functions each time that an address or a time is made.

use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::Arc;

use alb_mtls_verifier::{ClientIdentity, ExtensionValue, Fingerprint, Timestamp};
use cedar_policy::{Entity, RestrictedExpression};
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use crate::outcome::PolicyDenial;

/// Certificates of all cached clients together, in bytes: some three hundred clients. In
/// Cedar's terms they take about ten times as much.
const MAX_CERTIFICATES: u64 = 256 * 1024;
/// Usual size of a certificate, to size the table of clients.
const USUAL_CERTIFICATE: u64 = 768;
/// Most addresses: a client that invents `X-Forwarded-For` must not fill the memory.
const MAX_ADDRESSES: usize = 1_024;
/// Most times: those of one second's requests, and of the seconds around it.
const MAX_TIMES: usize = 8;

/// Cache whose keys contain everything that a value is made of, so that no value can be out of
/// date.
pub(crate) struct EntityCache {
    clients: Cache<ClientKey, Entity, CertificateBytes>,
    addresses: Cache<IpAddr, RestrictedExpression>,
    times: Cache<Timestamp, RestrictedExpression>,
}

/// All of an identity is read from the end-entity certificate and the trust anchor; only the days
/// that it has left change, and the extensions that a verifier selects.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct ClientKey {
    certificate: Fingerprint,
    certificate_bytes: usize,
    anchor: Fingerprint,
    extensions: Arc<[ExtensionValue]>,
    days_left: i64,
}

#[derive(Clone, Copy)]
struct CertificateBytes;

impl Weighter<ClientKey, Entity> for CertificateBytes {
    fn weight(&self, client: &ClientKey, _: &Entity) -> u64 {
        client.certificate_bytes as u64
    }
}

impl EntityCache {
    pub(crate) fn new() -> Self {
        let clients = usize::try_from(MAX_CERTIFICATES / USUAL_CERTIFICATE).unwrap_or(usize::MAX);
        Self {
            clients: Cache::with_weighter(clients, MAX_CERTIFICATES, CertificateBytes),
            addresses: Cache::new(MAX_ADDRESSES),
            times: Cache::new(MAX_TIMES),
        }
    }

    /// Returns the client as an entity. A client that cannot become an entity is not cached.
    pub(crate) fn client(
        &self,
        identity: &ClientIdentity,
        now: Timestamp,
        describe: impl FnOnce() -> Result<Entity, PolicyDenial>,
    ) -> Result<Entity, PolicyDenial> {
        let key = ClientKey {
            certificate: identity.certificate_fingerprint,
            certificate_bytes: identity.certificate().len(),
            anchor: identity.anchor.id(),
            extensions: Arc::clone(&identity.extensions),
            days_left: identity.days_left(now),
        };
        if let Some(entity) = self.clients.get(&key) {
            return Ok(entity);
        }
        let entity = describe()?;
        self.clients.insert(key, entity.clone());
        Ok(entity)
    }

    pub(crate) fn address(
        &self,
        address: IpAddr,
        describe: impl FnOnce(IpAddr) -> RestrictedExpression,
    ) -> RestrictedExpression {
        cached(&self.addresses, address, describe)
    }

    pub(crate) fn time(
        &self,
        time: Timestamp,
        describe: impl FnOnce(Timestamp) -> RestrictedExpression,
    ) -> RestrictedExpression {
        cached(&self.times, time, describe)
    }
}

fn cached<K: Copy + Eq + Hash>(
    cache: &Cache<K, RestrictedExpression>,
    key: K,
    describe: impl FnOnce(K) -> RestrictedExpression,
) -> RestrictedExpression {
    cache.get(&key).unwrap_or_else(|| {
        let described = describe(key);
        cache.insert(key, described.clone());
        described
    })
}

impl fmt::Debug for EntityCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("EntityCache").finish_non_exhaustive()
    }
}
