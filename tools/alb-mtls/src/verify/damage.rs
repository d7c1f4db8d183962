//! What happened to a chain on its way: the mistakes that people really make.

use std::fmt;

use alb_mtls_verifier::{
    CertificateSummary, HeaderFormat, HeaderLimits, HeaderValues, PresentedChain, Reason, Rejection,
    read_bundle,
};

/// A known damage to a header, or a known mistake in a chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// The value is cut off.
    CutOff,
    /// Something decoded it.
    Decoded,
    /// Something percent-encoded it again.
    DoubleEncoded,
    /// Line breaks have become spaces.
    LineBreaksToSpaces,
    /// It is in another format.
    OtherFormat(HeaderFormat),
    /// A `+` has become a space.
    PlusToSpace,
    /// It stands in quotation marks.
    Quoted,
    /// Two values were joined by a comma.
    Joined,
    /// The client's own certificate is not the first one.
    LeafNotFirst(usize),
    /// The client sent a root in place of its own certificate.
    RootOnly,
    /// The client sent a CA certificate in place of its own certificate.
    AuthorityOnly,
    /// Nobody sent the issuer of this certificate.
    IssuerMissing { position: usize, issuer: String },
    /// The chain ends at a root that is not among the anchors.
    ForeignRoot(String),
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CutOff => formatter.write_str(
                "the value ends within a certificate: something on the way cuts headers off, or it was copied in part",
            ),
            Self::Decoded => formatter.write_str(
                "the value is PEM that is not encoded: a proxy or framework has decoded it; take the header as it came",
            ),
            Self::DoubleEncoded => formatter.write_str(
                "the value was percent-encoded twice: something behind the load balancer encodes headers again",
            ),
            Self::LineBreaksToSpaces => formatter.write_str(
                "line breaks have become spaces, as in nginx's $ssl_client_cert: use $ssl_client_escaped_cert there",
            ),
            Self::OtherFormat(format) => write!(formatter, "the value is in another format: --format {format}, MTLS_HEADER_FORMAT={format}"),
            Self::PlusToSpace => formatter.write_str(
                "every `+` has become a space: something decodes the value like a form; a load balancer leaves `+` as it is",
            ),
            Self::Quoted => formatter.write_str("the value stands in quotation marks, which are no part of it"),
            Self::Joined => formatter.write_str(
                "two values are joined by a comma: somebody besides the load balancer sends the header",
            ),
            Self::LeafNotFirst(position) => write!(
                formatter,
                "certificate {position} is the client's own, and should be the first: its own, then its issuer, and so on"
            ),
            Self::RootOnly => formatter.write_str(
                "the client sent a root in place of its own certificate: its key and certificate do not belong together, or the file holds the wrong one",
            ),
            Self::AuthorityOnly => formatter.write_str(
                "the client sent a CA certificate in place of its own: give it the certificate that was issued to it",
            ),
            Self::IssuerMissing { position, issuer } => write!(
                formatter,
                "the issuer of certificate {position} is neither among the anchors nor sent, {issuer}: have the client send it, put it into MTLS_INTERMEDIATES (--intermediates), or if it is a root whose clients are meant, into MTLS_ANCHORS"
            ),
            Self::ForeignRoot(root) => write!(
                formatter,
                "the chain ends at the root {root}, which is not among the anchors: add it to MTLS_ANCHORS if its clients are meant"
            ),
        }
    }
}

/// What a header that could not be decoded may have gone through: each guess is tried out.
pub(super) fn of_header(value: &[u8], format: HeaderFormat, limits: HeaderLimits) -> Vec<Damage> {
    let text = String::from_utf8_lossy(value).into_owned();
    let reads = |format: HeaderFormat, text: &str| {
        let values = HeaderValues {
            certificate: &[text.as_bytes()],
            chain: &[],
        };
        let generous = HeaderLimits {
            max_bytes: 4 * limits.max_bytes,
            max_certificates: limits.max_certificates,
        };
        format
            .decode(values, generous)
            .is_ok_and(|chain| CertificateSummary::read(chain.end_entity()).is_some())
    };
    let mut damages = Vec::new();
    let guesses = [
        (Damage::PlusToSpace, text.replace(' ', "+")),
        (Damage::PlusToSpace, plus_restored(&text)),
        (Damage::DoubleEncoded, text.replace("%25", "%")),
        (Damage::LineBreaksToSpaces, line_breaks_restored(&text)),
        (Damage::Quoted, text.trim_matches('"').to_owned()),
    ];
    for (damage, repaired) in guesses {
        if repaired != text && reads(format, &repaired) && !damages.contains(&damage) {
            damages.push(damage);
        }
    }
    for other in HeaderFormat::ALL {
        if *other != format && reads(*other, &text) {
            damages.push(Damage::OtherFormat(*other));
        }
    }
    if read_bundle(value).is_ok() {
        let damage = if text.contains('\n') {
            Damage::Decoded
        } else {
            Damage::LineBreaksToSpaces
        };
        if !damages.contains(&damage) {
            damages.push(damage);
        }
    }
    if format == HeaderFormat::UrlEncoded
        && text.split(',').count() > 1
        && text.split(',').all(|one| reads(format, one.trim()))
    {
        damages.push(Damage::Joined);
    }
    let end = text.trim_end_matches("%0A").trim_end();
    if damages.is_empty() && text.contains("-----BEGIN") && !end.ends_with("-----") {
        damages.push(Damage::CutOff);
    }
    damages
}

/// Spaces within the base64 were `+`; those of the BEGIN and END lines were spaces.
fn plus_restored(text: &str) -> String {
    let spaced = text.replace("%20", " ").replace(' ', "+");
    spaced
        .replace("BEGIN+CERTIFICATE", "BEGIN%20CERTIFICATE")
        .replace("END+CERTIFICATE", "END%20CERTIFICATE")
}

fn line_breaks_restored(text: &str) -> String {
    text.replace(' ', "%20")
        .replace("%20", "%0A")
        .replace("BEGIN%0ACERTIFICATE", "BEGIN%20CERTIFICATE")
        .replace("END%0ACERTIFICATE", "END%20CERTIFICATE")
}

/// What is wrong with a refused chain as a whole.
pub(super) fn of_chain(chain: &PresentedChain, rejection: &Rejection) -> Vec<Damage> {
    let presented = std::iter::once(chain.end_entity()).chain(chain.intermediates());
    let summaries: Vec<Option<CertificateSummary>> = presented.map(CertificateSummary::read).collect();
    let Some(Some(first)) = summaries.first() else {
        return Vec::new();
    };
    match rejection.reason() {
        Reason::EndEntityIsAuthority => {
            let own = summaries
                .iter()
                .position(|summary| summary.as_ref().is_some_and(|one| !one.is_authority));
            match own {
                Some(position) => vec![Damage::LeafNotFirst(position)],
                None if first.is_self_issued => vec![Damage::RootOnly],
                None => vec![Damage::AuthorityOnly],
            }
        }
        Reason::IssuerUnknown => {
            let position = rejection.certificate().unwrap_or(0);
            let Some(Some(last)) = summaries.get(position) else {
                return Vec::new();
            };
            let issuer = last.issuer.as_ref().map_or_else(String::new, ToString::to_string);
            if last.is_self_issued {
                vec![Damage::ForeignRoot(issuer)]
            } else {
                vec![Damage::IssuerMissing { position, issuer }]
            }
        }
        _ => Vec::new(),
    }
}
