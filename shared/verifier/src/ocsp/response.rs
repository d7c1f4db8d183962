//! Reading of OCSP responses (RFC 6960 §4.2.1).

use super::error::{OcspError, in_part};
use super::identifier;
use crate::revocation::RevocationReason;
use crate::x509::der::{Element, Elements, Malformed, Tag, context_tag, single, whole_octets};
use crate::x509::extensions::parse_extension;
use crate::x509::oid::dotted;
use crate::x509::time::Timestamp;

/// A BasicOCSPResponse that borrows from its DER encoding. Nothing about it is verified.
#[derive(Debug)]
pub(super) struct BasicResponse<'a> {
    /// The whole encoding of what is signed.
    pub(super) to_be_signed: &'a [u8],
    /// Content of the AlgorithmIdentifier.
    pub(super) signature_algorithm: &'a [u8],
    pub(super) signature: &'a [u8],
    pub(super) responder: ResponderId<'a>,
    pub(super) responses: Vec<SingleResponse<'a>>,
    /// Certificates that come with the response.
    pub(super) certificates: Vec<&'a [u8]>,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum ResponderId<'a> {
    /// Whole encoding of a Name.
    Name(&'a [u8]),
    /// SHA-1 of the octets of a public key.
    Key(&'a [u8]),
}

/// Status of one certificate.
#[derive(Debug)]
pub(super) struct SingleResponse<'a> {
    /// Content of the OBJECT IDENTIFIER of the hash function.
    pub(super) hash: &'a [u8],
    pub(super) issuer_name_hash: &'a [u8],
    pub(super) issuer_key_hash: &'a [u8],
    pub(super) serial_number: &'a [u8],
    pub(super) status: CertStatus,
    pub(super) this_update: Timestamp,
    pub(super) next_update: Option<Timestamp>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum CertStatus {
    Good,
    Revoked {
        since: Timestamp,
        reason: Option<RevocationReason>,
    },
    Unknown,
}

/// Most certificates in one response, and most that are looked at. Real responses have one or two,
/// and RFC 5019 §2.2.1 asks for exactly one status.
const MAX_PARTS: usize = 32;

/// Reads a whole OCSPResponse.
pub(super) fn parse(response: &[u8]) -> Result<BasicResponse<'_>, OcspError> {
    let frame = in_part("the outermost SEQUENCE");
    let mut outer = Elements::inside(response, Tag::SEQUENCE).map_err(frame)?;
    let in_status = in_part("responseStatus");
    let status = outer.content(Tag::ENUMERATED).map_err(in_status)?;
    match status {
        [0] => {}
        [1] => return Err(OcspError::Declined("malformedRequest")),
        [2] => return Err(OcspError::Declined("internalError")),
        [3] => return Err(OcspError::Declined("tryLater")),
        [5] => return Err(OcspError::Declined("sigRequired")),
        [6] => return Err(OcspError::Declined("unauthorized")),
        _ => return Err(OcspError::Malformed("responseStatus")),
    }
    let in_bytes = in_part("responseBytes");
    let bytes = outer.expect(context_tag(0, true)).map_err(in_bytes)?;
    outer.finish().map_err(frame)?;
    let mut bytes = Elements::inside(bytes.content, Tag::SEQUENCE).map_err(in_bytes)?;
    let kind = bytes.content(Tag::OBJECT_IDENTIFIER).map_err(in_bytes)?;
    let content = bytes.content(Tag::OCTET_STRING).map_err(in_bytes)?;
    bytes.finish().map_err(in_bytes)?;
    if kind != identifier::BASIC_RESPONSE.as_bytes() {
        return Err(OcspError::Malformed(
            "responseType, which is not id-pkix-ocsp-basic",
        ));
    }
    parse_basic(content)
}

fn parse_basic(content: &[u8]) -> Result<BasicResponse<'_>, OcspError> {
    let frame = in_part("the BasicOCSPResponse and its parts");
    let mut outer = Elements::inside(content, Tag::SEQUENCE).map_err(frame)?;
    let to_be_signed = outer.expect(Tag::SEQUENCE).map_err(frame)?;
    let signature_algorithm = outer.content(Tag::SEQUENCE).map_err(frame)?;
    let signature = outer.content(Tag::BIT_STRING).map_err(frame)?;
    let signature = whole_octets(signature).map_err(frame)?;
    let in_certificates = in_part("certs");
    let mut certificates = Vec::new();
    if let Some(explicit) = outer.optional(context_tag(0, true)).map_err(in_certificates)? {
        let mut all = Elements::inside(explicit.content, Tag::SEQUENCE).map_err(in_certificates)?;
        while !all.at_end() {
            let certificate = all.expect(Tag::SEQUENCE).map_err(in_certificates)?;
            push(
                &mut certificates,
                certificate.encoding,
                "certs, of which there are too many",
            )?;
        }
    }
    outer.finish().map_err(frame)?;

    let mut fields = to_be_signed.elements();
    let in_version = in_part("version");
    if let Some(explicit) = fields.optional(context_tag(0, true)).map_err(in_version)?
        && single(explicit.content, Tag::INTEGER).map_err(in_version)? != [0]
    {
        return Err(OcspError::Malformed("version"));
    }
    let responder = responder_id(&mut fields).map_err(in_part("responderID"))?;
    time(&mut fields).map_err(in_part("producedAt"))?;
    let in_responses = in_part("responses");
    let mut all = fields.enter(Tag::SEQUENCE).map_err(in_responses)?;
    let mut responses = Vec::new();
    while !all.at_end() {
        let one = all.enter(Tag::SEQUENCE).map_err(in_responses)?;
        push(
            &mut responses,
            single_response(one)?,
            "responses, of which there are too many",
        )?;
    }
    check_extensions(fields.optional(context_tag(1, true)), "responseExtensions")?;
    fields.finish().map_err(in_part("fields after the extensions"))?;
    Ok(BasicResponse {
        to_be_signed: to_be_signed.encoding,
        signature_algorithm,
        signature,
        responder,
        responses,
        certificates,
    })
}

fn push<T>(parts: &mut Vec<T>, part: T, too_many: &'static str) -> Result<(), OcspError> {
    if parts.len() == MAX_PARTS {
        return Err(OcspError::Malformed(too_many));
    }
    parts.push(part);
    Ok(())
}

fn responder_id<'a>(fields: &mut Elements<'a>) -> Result<ResponderId<'a>, Malformed> {
    let choice = fields.next_element()?;
    let mut explicit = choice.elements();
    let id = if choice.tag == context_tag(1, true) {
        ResponderId::Name(explicit.expect(Tag::SEQUENCE)?.encoding)
    } else if choice.tag == context_tag(2, true) {
        ResponderId::Key(explicit.content(Tag::OCTET_STRING)?)
    } else {
        return Err(Malformed);
    };
    explicit.finish()?;
    Ok(id)
}

/// Reads a GeneralizedTime, the only form of times in OCSP.
fn time(fields: &mut Elements<'_>) -> Result<Timestamp, Malformed> {
    Timestamp::from_element(fields.expect(Tag::GENERALIZED_TIME)?)
}

fn single_response(mut fields: Elements<'_>) -> Result<SingleResponse<'_>, OcspError> {
    let in_id = in_part("certID");
    let mut id = fields.enter(Tag::SEQUENCE).map_err(in_id)?;
    // Parameters of the hash function are NULL or absent, and say nothing.
    let mut algorithm = id.enter(Tag::SEQUENCE).map_err(in_id)?;
    let hash = algorithm.content(Tag::OBJECT_IDENTIFIER).map_err(in_id)?;
    let issuer_name_hash = id.content(Tag::OCTET_STRING).map_err(in_id)?;
    let issuer_key_hash = id.content(Tag::OCTET_STRING).map_err(in_id)?;
    let serial_number = id.content(Tag::INTEGER).map_err(in_id)?;
    id.finish().map_err(in_id)?;
    let status = fields
        .next_element()
        .and_then(cert_status)
        .map_err(in_part("certStatus"))?;
    let this_update = time(&mut fields).map_err(in_part("thisUpdate"))?;
    let in_next = in_part("nextUpdate");
    let next_update = match fields.optional(context_tag(0, true)).map_err(in_next)? {
        None => None,
        Some(explicit) => {
            let mut explicit = explicit.elements();
            let next = time(&mut explicit).map_err(in_next)?;
            explicit.finish().map_err(in_next)?;
            Some(next)
        }
    };
    check_extensions(fields.optional(context_tag(1, true)), "singleExtensions")?;
    fields.finish().map_err(in_part("fields after the status"))?;
    Ok(SingleResponse {
        hash,
        issuer_name_hash,
        issuer_key_hash,
        serial_number,
        status,
        this_update,
        next_update,
    })
}

fn cert_status(choice: Element<'_>) -> Result<CertStatus, Malformed> {
    if choice.tag == context_tag(0, false) && choice.content.is_empty() {
        Ok(CertStatus::Good)
    } else if choice.tag == context_tag(1, true) {
        let mut fields = choice.elements();
        let since = time(&mut fields)?;
        let reason = match fields.optional(context_tag(0, true))? {
            None => None,
            Some(explicit) => RevocationReason::from_code(single(explicit.content, Tag::ENUMERATED)?),
        };
        fields.finish()?;
        Ok(CertStatus::Revoked { since, reason })
    } else if choice.tag == context_tag(2, false) && choice.content.is_empty() {
        Ok(CertStatus::Unknown)
    } else {
        Err(Malformed)
    }
}

/// Extensions that change nothing about what a status means, and are read over even if they are
/// critical. A nonce was not sent, so one that comes back says nothing.
const UNDERSTOOD: &[&[u8]] = &[
    identifier::NONCE.as_bytes(),
    identifier::CRL_REFERENCES.as_bytes(),
    identifier::ARCHIVE_CUTOFF.as_bytes(),
    identifier::EXTENDED_REVOKE.as_bytes(),
];

fn check_extensions(
    explicit: Result<Option<Element<'_>>, Malformed>,
    part: &'static str,
) -> Result<(), OcspError> {
    let in_extensions = in_part(part);
    let Some(explicit) = explicit.map_err(in_extensions)? else {
        return Ok(());
    };
    let mut all = Elements::inside(explicit.content, Tag::SEQUENCE).map_err(in_extensions)?;
    while !all.at_end() {
        let extension = all.content(Tag::SEQUENCE).map_err(in_extensions)?;
        let extension = parse_extension(extension).map_err(in_extensions)?;
        if extension.critical && !UNDERSTOOD.contains(&extension.oid) {
            return Err(OcspError::CriticalExtension(dotted(extension.oid)));
        }
    }
    Ok(())
}
