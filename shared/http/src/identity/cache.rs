//! Cache of encoded identity headers.
//!
//! Encoding the certificates and names of a client again for each request took 100,000 of the
//! 375,000 instructions of an invocation behind the layer, more than a quarter, when the client's
//! verdict was cached (commit cf3de29).

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use alb_mtls_verifier::{CertificateDer, ExtensionValue, Fingerprint, VerifiedClient};
use http::header::HeaderMap;
use quick_cache::Weighter;
use quick_cache::sync::Cache;

use super::identity_forms::IdentityForms;

/// Largest size of all cached values together, in bytes: room for some 130 clients, and 0.4 % of
/// the smallest memory that a function can have (128 MB).
const MAX_BYTES: u64 = 512 * 1024;

/// Expected size of an entry, in bytes: a client with one intermediate, in the two default forms.
const USUAL_BYTES: u64 = 4 * 1024;

/// Identity headers in the chosen forms, as the type `T` in which they are needed, with a cache of
/// those of recent clients.
///
/// The values take half a megabyte at most. Only verified clients have entries, so that other
/// clients cannot evict them.
pub struct IdentityHeaderCache<T = HeaderMap> {
    forms: IdentityForms,
    cache: Cache<Path, Entry<T>, Bytes>,
}

impl<T: From<HeaderMap>> IdentityHeaderCache<T> {
    /// Creates an empty cache for headers in these forms.
    pub fn new(forms: IdentityForms) -> Self {
        let clients = usize::try_from(MAX_BYTES / USUAL_BYTES).unwrap_or(usize::MAX);
        Self {
            forms,
            cache: Cache::with_weighter(clients, MAX_BYTES, Bytes),
        }
    }

    /// Returns the headers of a client.
    pub fn headers(&self, client: &VerifiedClient) -> Arc<T> {
        let path = Path {
            certificate: client.identity().certificate_fingerprint,
            intermediates: Arc::clone(client.intermediates()),
            extensions: Arc::clone(&client.identity().extensions),
        };
        if let Some(known) = self.cache.get(&path) {
            return known.headers;
        }
        let headers = self.forms.headers(client);
        let new = Entry {
            bytes: headers.values().map(http::HeaderValue::len).sum(),
            headers: Arc::new(headers.into()),
        };
        self.cache.insert(path, new.clone());
        new.headers
    }
}

impl<T> fmt::Debug for IdentityHeaderCache<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("IdentityHeaderCache")
            .field("forms", &self.forms)
            .finish_non_exhaustive()
    }
}

/// Key of an entry: everything from which headers are made.
#[derive(Clone, PartialEq, Eq)]
struct Path {
    certificate: Fingerprint,
    intermediates: Arc<[CertificateDer<'static>]>,
    /// The certificate has them, and the verifier selected them.
    extensions: Arc<[ExtensionValue]>,
}

impl Hash for Path {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Hashing the intermediates would read kilobytes, and few certificates come with more than
        // one path.
        self.certificate.hash(state);
    }
}

struct Entry<T> {
    headers: Arc<T>,
    /// Size of the values, in bytes.
    bytes: usize,
}

// A derived implementation would require `T: Clone`.
impl<T> Clone for Entry<T> {
    fn clone(&self) -> Self {
        Self {
            headers: Arc::clone(&self.headers),
            bytes: self.bytes,
        }
    }
}

#[derive(Clone, Copy)]
struct Bytes;

impl<T> Weighter<Path, Entry<T>> for Bytes {
    fn weight(&self, path: &Path, entry: &Entry<T>) -> u64 {
        let certificates: usize = path
            .intermediates
            .iter()
            .map(|certificate| certificate.len())
            .sum();
        // The cache never evicts an entry of weight 0.
        (certificates + entry.bytes).max(1) as u64
    }
}

#[cfg(test)]
mod tests {
    use alb_mtls_verifier::{
        Intermediates, PresentedChain, Timestamp, TrustAnchor, TrustAnchors, Verifier, VerifyOptions,
    };
    use http::HeaderName;
    use test_pki::{CertificateBuilder, Criticality};

    use super::*;
    use crate::samples::verified;

    #[test]
    fn headers_are_cached_for_one_path() {
        let forms = IdentityForms::all();
        let headers = IdentityHeaderCache::<HeaderMap>::new(forms);
        let (first, _, _) = verified(CertificateBuilder::client("CN=a,O=Tests"));
        let (second, _, _) = verified(CertificateBuilder::client("CN=a,O=Tests"));
        let of_first = headers.headers(&first);
        assert_eq!(*of_first, forms.headers(&first));
        assert!(Arc::ptr_eq(&of_first, &headers.headers(&first)));
        let of_second = headers.headers(&second);
        assert_eq!(*of_second, forms.headers(&second));
        assert_ne!(of_first, of_second);
        assert!(Arc::ptr_eq(&of_first, &headers.headers(&first)));
    }

    #[test]
    fn one_certificate_with_two_paths_has_two_keys() {
        let certificate = Fingerprint::of(b"a");
        let path = |intermediates: Vec<CertificateDer<'static>>| Path {
            certificate,
            intermediates: intermediates.into(),
            extensions: Arc::default(),
        };
        assert!(path(vec![b"b".as_slice().into()]) != path(vec![b"c".as_slice().into()]));
        assert!(path(vec![b"b".as_slice().into()]) == path(vec![b"b".as_slice().into()]));
    }

    #[test]
    fn one_certificate_with_two_selections_has_two_sets_of_headers() {
        let root = CertificateBuilder::root("CN=Root").self_signed().unwrap();
        let client = CertificateBuilder::client("CN=a")
            .extension("1.2.3.1", Criticality::NotCritical, &[0x0C, 1, b'a'])
            .issued_by(&root)
            .unwrap();
        let chain = PresentedChain::new([client.der().to_vec().into()]).unwrap();
        let headers = IdentityHeaderCache::<HeaderMap>::new("extensions".parse().unwrap());
        for (selected, name) in [
            ("device_id=1.2.3.1", Some("x-client-cert-extension-device-id")),
            ("1.2.3.1", Some("x-client-cert-extension-1-2-3-1")),
            ("1.2.3.2", None),
        ] {
            let anchor = TrustAnchor::new(root.der().to_vec().into()).unwrap();
            let anchors = TrustAnchors::new([anchor]).unwrap();
            let verifier = Verifier::new(anchors, Intermediates::default(), VerifyOptions::default())
                .with_identity_extensions(selected.parse().unwrap());
            let client = verifier.verify(&chain, Timestamp::now()).unwrap();
            let written = headers.headers(&client);
            assert_eq!(written.keys().next().map(HeaderName::as_str), name);
        }
    }

    #[test]
    fn many_clients_stay_within_max_bytes() {
        let headers = IdentityHeaderCache::<HeaderMap>::new(IdentityForms::default());
        let (client, _, _) = verified(CertificateBuilder::client("CN=a,O=Tests"));
        let of_client = Entry {
            headers: headers.headers(&client),
            bytes: 4_000,
        };
        for number in 0..2_000_u32 {
            let path = Path {
                certificate: Fingerprint::of(&number.to_be_bytes()),
                intermediates: Arc::clone(client.intermediates()),
                extensions: Arc::default(),
            };
            headers.cache.insert(path, of_client.clone());
        }
        assert!(headers.cache.weight() <= MAX_BYTES);
        assert!(headers.cache.len() > 50);
    }
}
