//! The signed structure of certificates and CRLs (RFC 5280 §4.1.1), and what is wrong with it.

use test_pki::raw::algorithm_identifier;
use test_pki::{Error, SignatureAlgorithm};

use crate::der::{self, sequence};
use crate::keys::{KeyName, Signer};
use crate::tree::Damage;

/// Damage to the part that is signed, before it is signed, or to the whole.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    ToBeSigned,
    Whole,
}

/// Signature, its algorithms, and damages.
#[derive(Clone, Debug)]
pub(crate) struct Seal {
    pub(crate) signer: KeyName,
    /// AlgorithmIdentifiers in and beside the part that is signed, in place of the right one.
    pub(crate) inner: Option<Vec<u8>>,
    pub(crate) outer: Option<Vec<u8>>,
    /// Content of the BIT STRING, in place of a signature.
    pub(crate) signature: Option<Vec<u8>>,
    pub(crate) damages: Vec<(Part, Damage, u64)>,
}

impl Seal {
    pub(crate) fn new(signer: KeyName) -> Self {
        Self {
            signer,
            inner: None,
            outer: None,
            signature: None,
            damages: Vec::new(),
        }
    }

    fn algorithm(&self, signer: &Signer) -> SignatureAlgorithm {
        signer.keys().algorithm(self.signer)
    }

    /// Encodes what is signed and signs it. `to_be_signed` gets the AlgorithmIdentifier.
    pub(crate) fn close(
        &self,
        signer: &mut Signer,
        to_be_signed: impl FnOnce(&[u8]) -> Vec<u8>,
    ) -> Result<Vec<u8>, Error> {
        let algorithm = encoded(self.algorithm(signer))?;
        let content = to_be_signed(self.inner.as_ref().unwrap_or(&algorithm));
        let content = self.damaged(Part::ToBeSigned, content);
        let signature = match &self.signature {
            Some(signature) => der::tlv(der::BIT_STRING, signature),
            None => der::bits(&signer.sign(self.signer, &content)?),
        };
        let outer = self.outer.as_ref().unwrap_or(&algorithm);
        let whole = sequence([&content, outer, &signature]);
        Ok(self.damaged(Part::Whole, whole))
    }

    fn damaged(&self, part: Part, encoding: Vec<u8>) -> Vec<u8> {
        let damages = self.damages.iter().filter(|(of, _, _)| *of == part);
        damages.fold(encoding, |encoding, (_, damage, seed)| {
            damage.apply(&encoding, *seed)
        })
    }
}

fn encoded(algorithm: SignatureAlgorithm) -> Result<Vec<u8>, Error> {
    let identifier = algorithm_identifier(algorithm)?;
    Ok(der::tlv(der::SEQUENCE, identifier.value()))
}
