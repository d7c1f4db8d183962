//! Second forms of ECDSA-signed certificates.
//!
//! For every ECDSA signature `(r, s)` the pair `(r, n - s)` is valid too, where `n` is the order of
//! the curve. The signature is not part of what is signed, so a client can send its certificate in
//! either form, with two different fingerprints. Strict DER leaves no third form. A list of denied
//! fingerprints that knows one form alone does not stop the client that it names:
//! <https://github.com/slackhq/nebula/issues/1600>.

use crate::x509::certificate::Certificate;
use crate::x509::der::{Elements, Malformed, Tag, encode};

/// Orders of P-256, P-384 and P-521 (SEC 2 §2.4.2, §2.5.1, §2.6.1).
const ORDERS: [&[u8]; 3] = [
    &[
        0xFF, 0xFF, 0xFF, 0xFF, 0x00, 0x00, 0x00, 0x00, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xBC,
        0xE6, 0xFA, 0xAD, 0xA7, 0x17, 0x9E, 0x84, 0xF3, 0xB9, 0xCA, 0xC2, 0xFC, 0x63, 0x25, 0x51,
    ],
    &[
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xC7, 0x63, 0x4D, 0x81, 0xF4, 0x37, 0x2D, 0xDF, 0x58, 0x1A,
        0x0D, 0xB2, 0x48, 0xB0, 0xA7, 0x7A, 0xEC, 0xEC, 0x19, 0x6A, 0xCC, 0xC5, 0x29, 0x73,
    ],
    &[
        0x01, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
        0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFA,
        0x51, 0x86, 0x87, 0x83, 0xBF, 0x2F, 0x96, 0x6B, 0x7F, 0xCC, 0x01, 0x48, 0xF7, 0x09, 0xA5, 0xD0, 0x3B,
        0xB5, 0xC9, 0xB8, 0x89, 0x9C, 0x47, 0xAE, 0xBB, 0x6F, 0xB7, 0x1E, 0x91, 0x38, 0x64, 0x09,
    ],
];

/// Returns the other forms of a certificate whose signature has the shape of ECDSA, one for each
/// curve that the issuer's key can be on; the forms for other curves are not accepted anywhere.
pub(crate) fn twins(certificate: &Certificate<'_>) -> Vec<Vec<u8>> {
    let Ok((r, s)) = numbers(certificate.signature) else {
        return Vec::new();
    };
    let others = ORDERS.iter().filter_map(|order| difference(order, s));
    others
        .map(|s| {
            let signature = encode(
                Tag::SEQUENCE,
                &[&encode(Tag::INTEGER, &[r]), &encode(Tag::INTEGER, &[&s])],
            );
            encode(
                Tag::SEQUENCE,
                &[
                    certificate.to_be_signed,
                    &encode(Tag::SEQUENCE, &[certificate.signature_algorithm]),
                    &encode(Tag::BIT_STRING, &[&[0], &signature]),
                ],
            )
        })
        .collect()
}

/// Returns the contents of the two INTEGERs of an Ecdsa-Sig-Value (RFC 3279 §2.2.3).
fn numbers(signature: &[u8]) -> Result<(&[u8], &[u8]), Malformed> {
    let mut numbers = Elements::inside(signature, Tag::SEQUENCE)?;
    let (r, s) = (numbers.content(Tag::INTEGER)?, numbers.content(Tag::INTEGER)?);
    numbers.finish()?;
    Ok((r, s))
}

/// Returns `order - number` as the content of an INTEGER; `None` unless the number is between 0 and
/// the order.
fn difference(order: &[u8], number: &[u8]) -> Option<Vec<u8>> {
    let is_negative = number.first().is_none_or(|first| first & 0x80 != 0);
    let zeros = number.iter().take_while(|octet| **octet == 0).count();
    let number = number.get(zeros..)?;
    if is_negative || number.is_empty() || number.len() > order.len() {
        return None;
    }
    let mut borrow = false;
    let missing = std::iter::repeat_n(&0, order.len() - number.len());
    let padded = number.iter().rev().chain(missing);
    let mut octets: Vec<u8> = order
        .iter()
        .rev()
        .zip(padded)
        .map(|(minuend, subtrahend)| {
            let (octet, first) = minuend.overflowing_sub(*subtrahend);
            let (octet, second) = octet.overflowing_sub(u8::from(borrow));
            borrow = first || second;
            octet
        })
        .collect();
    if borrow {
        return None;
    }
    while let [.., 0] = octets.as_slice() {
        octets.pop();
    }
    // The sign.
    if octets.last()? & 0x80 != 0 {
        octets.push(0);
    }
    octets.reverse();
    Some(octets)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difference_is_that_of_numbers() {
        assert_eq!(difference(&[1, 0], &[1]), Some(vec![0, 0xFF]));
        assert_eq!(difference(&[1, 0], &[0, 0x81]), Some(vec![0x7F]));
        assert_eq!(difference(&[1, 0], &[0, 0xFF]), Some(vec![1]));
        for number in [&[][..], &[0], &[0x80], &[1, 0], &[1, 1], &[1, 0, 0]] {
            assert_eq!(difference(&[1, 0], number), None, "{number:02x?}");
        }
    }
}
