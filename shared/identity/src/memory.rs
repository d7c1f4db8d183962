//! The headers of clients that were here before: encoding certificates anew for each request takes longer than all else
//! that is done for a remembered client.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use alb_mtls_gate::VerifiedClient;
use alb_mtls_verifier::Fingerprint;
use http::header::HeaderMap;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use rustls_pki_types::CertificateDer;

use crate::IdentityForms;

/// Values of the headers of all remembered clients together, in bytes.
const MAX_BYTES: u64 = 512 * 1024;
/// Of a client with one intermediate, in the two forms that are usual.
const USUAL_BYTES: u64 = 4 * 1024;

/// The headers that state who clients are, in the forms that were chosen, and as the type in which they are needed.
///
/// Those of clients that come again are remembered, up to half a megabyte of values. Only verified clients have any, so
/// nobody else can displace them.
pub struct IdentityHeaders<T = HeaderMap> {
    forms: IdentityForms,
    remembered: Cache<Path, Remembered<T>, Bytes>,
}

impl<T: From<HeaderMap>> IdentityHeaders<T> {
    /// Headers in these forms.
    pub fn new(forms: IdentityForms) -> Self {
        let clients = usize::try_from(MAX_BYTES / USUAL_BYTES).unwrap_or(usize::MAX);
        Self {
            forms,
            remembered: Cache::with_weighter(clients, MAX_BYTES, Bytes),
        }
    }

    /// The headers of a client.
    pub fn of(&self, client: &VerifiedClient) -> Arc<T> {
        let path = Path {
            certificate: client.identity().certificate_fingerprint,
            intermediates: Arc::clone(client.intermediates()),
        };
        if let Some(known) = self.remembered.get(&path) {
            return known.headers;
        }
        let headers = self.forms.headers(client);
        let new = Remembered {
            bytes: headers.values().map(http::HeaderValue::len).sum(),
            headers: Arc::new(headers.into()),
        };
        self.remembered.insert(path, new.clone());
        new.headers
    }
}

impl<T> fmt::Debug for IdentityHeaders<T> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("IdentityHeaders")
            .field("forms", &self.forms)
            .finish_non_exhaustive()
    }
}

/// All that headers are made of.
#[derive(Clone, PartialEq, Eq)]
struct Path {
    certificate: Fingerprint,
    intermediates: Arc<[CertificateDer<'static>]>,
}

impl Hash for Path {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Few certificates come with more than one path.
        self.certificate.hash(state);
    }
}

struct Remembered<T> {
    headers: Arc<T>,
    /// Those of the values.
    bytes: usize,
}

// A derived one would want headers that can be cloned.
impl<T> Clone for Remembered<T> {
    fn clone(&self) -> Self {
        Self {
            headers: Arc::clone(&self.headers),
            bytes: self.bytes,
        }
    }
}

#[derive(Clone, Copy)]
struct Bytes;

impl<T> Weighter<Path, Remembered<T>> for Bytes {
    fn weight(&self, path: &Path, remembered: &Remembered<T>) -> u64 {
        let certificates: usize = path
            .intermediates
            .iter()
            .map(|certificate| certificate.len())
            .sum();
        // What weighs nothing would never make room.
        (certificates + remembered.bytes).max(1) as u64
    }
}

#[cfg(test)]
mod tests {
    use test_pki::CertificateBuilder;

    use super::*;
    use crate::tests::verified;

    #[test]
    fn headers_are_remembered_for_the_path_that_they_state_and_for_no_other() {
        let forms = IdentityForms {
            passthrough: true,
            ..IdentityForms::default()
        };
        let headers = IdentityHeaders::<HeaderMap>::new(forms);
        let (first, _, _) = verified(CertificateBuilder::client("CN=a,O=Tests"));
        let (second, _, _) = verified(CertificateBuilder::client("CN=a,O=Tests"));
        let of_first = headers.of(&first);
        assert_eq!(*of_first, forms.headers(&first));
        assert!(Arc::ptr_eq(&of_first, &headers.of(&first)));
        let of_second = headers.of(&second);
        assert_eq!(*of_second, forms.headers(&second));
        assert_ne!(of_first, of_second);
        assert!(Arc::ptr_eq(&of_first, &headers.of(&first)));
    }

    #[test]
    fn one_certificate_with_two_paths_has_headers_for_each() {
        let certificate = Fingerprint::of(b"a");
        let path = |intermediates: Vec<CertificateDer<'static>>| Path {
            certificate,
            intermediates: intermediates.into(),
        };
        assert!(path(vec![b"b".as_slice().into()]) != path(vec![b"c".as_slice().into()]));
        assert!(path(vec![b"b".as_slice().into()]) == path(vec![b"b".as_slice().into()]));
    }

    #[test]
    fn many_clients_take_no_more_memory_than_is_set() {
        let headers = IdentityHeaders::<HeaderMap>::new(IdentityForms::default());
        let (client, _, _) = verified(CertificateBuilder::client("CN=a,O=Tests"));
        let of_client = Remembered {
            headers: headers.of(&client),
            bytes: 4_000,
        };
        for number in 0..2_000_u32 {
            let path = Path {
                certificate: Fingerprint::of(&number.to_be_bytes()),
                intermediates: Arc::clone(client.intermediates()),
            };
            headers.remembered.insert(path, of_client.clone());
        }
        assert!(headers.remembered.weight() <= MAX_BYTES);
        assert!(headers.remembered.len() > 50);
    }
}
