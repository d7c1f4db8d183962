//! CRLs as large as a load balancer takes them.

use test_pki::der::asn1::{AnyRef, BitString};
use test_pki::der::{Encode, Tag, TagNumber};
use test_pki::{Credential, Crl, CrlBuilder};

/// Octets that an entry of [`large_crl`] takes.
pub const LARGE_CRL_ENTRY_BYTES: usize = 49;

/// A CRL with that many entries, each with a serial number of 16 octets, a date and a reason; none
/// of them is a certificate that `test-pki` issues. It is put together by hand: a builder holds
/// each entry as a structure of its own.
pub fn large_crl(entries: usize, issuer: &Credential, builder: CrlBuilder) -> Crl {
    let empty = builder.issued_by(issuer).expect("a CRL without entries");
    let signed = test_pki::raw::Signed::from_der(empty.der()).expect("the encoding of a CRL");
    let fields: test_pki::raw::TbsCertList = signed.to_be_signed.decode_as().expect("the encoding of a CRL");
    let to_be_signed = element(
        Tag::Sequence,
        &[
            encoding(&fields.version),
            encoding(&fields.signature),
            encoding(&fields.issuer),
            encoding(&fields.this_update),
            encoding(&fields.next_update),
            element(Tag::Sequence, &raw_entries(entries)),
            element(EXTENSIONS, &encoding(&fields.extensions)),
        ]
        .concat(),
    );
    let key = issuer.key();
    let signature = key
        .sign(key.default_algorithm(), &to_be_signed)
        .expect("a signature");
    let signed = test_pki::raw::Signed {
        to_be_signed: test_pki::raw::any(&to_be_signed).expect("the encoding of a CRL"),
        signature: BitString::from_bytes(&signature).expect("a signature"),
        ..signed
    };
    Crl::from_der(encoding(&signed))
}

const EXTENSIONS: Tag = Tag::ContextSpecific {
    constructed: true,
    number: TagNumber(0),
};

/// Returns the serial numbers of a large CRL in order, each as the content of an INTEGER.
pub fn large_crl_serials() -> impl Iterator<Item = [u8; 16]> {
    let mut state = 0x0123_4567_89AB_CDEF_u64;
    (0..u64::MAX).map(move |number| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        let mut serial = [0x1F; 16];
        serial[1..9].copy_from_slice(&state.to_be_bytes());
        serial[9..].copy_from_slice(&number.to_be_bytes()[1..]);
        serial
    })
}

fn raw_entries(count: usize) -> Vec<u8> {
    let mut entries = Vec::with_capacity(count * LARGE_CRL_ENTRY_BYTES);
    for serial in large_crl_serials().take(count) {
        entries.extend_from_slice(b"\x30\x2F\x02\x10");
        entries.extend_from_slice(&serial);
        entries.extend_from_slice(b"\x17\x0D250101000000Z");
        entries.extend_from_slice(b"\x30\x0C\x30\x0A\x06\x03\x55\x1D\x15\x04\x03\x0A\x01\x04");
    }
    entries
}

fn element(tag: Tag, content: &[u8]) -> Vec<u8> {
    encoding(&AnyRef::new(tag, content).expect("content of a length that can be encoded"))
}

fn encoding(value: &impl Encode) -> Vec<u8> {
    value.to_der().expect("what was read can be written")
}
