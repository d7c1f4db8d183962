//! Damage to a chain on its way, and common mistakes of configuration.

use std::fmt;
use std::sync::Arc;

use alb_mtls_http::{HeaderFormat, HeaderLimits, HeaderValues};
use alb_mtls_verifier::{
    CertificateSummary, DistinguishedName, Explanation, FileKind, PathCertificate, PresentedChain, Reason,
    Rejection, RevocationLists, read_bundle,
};

/// A known damage to a header, or a known mistake in a chain. Each is only reported where it was
/// made sure of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    /// The event comes from API Gateway, which saw no certificate.
    ApiGateway(ApiGatewayEdge),
    /// The client sent a CA certificate in place of its own certificate.
    AuthorityOnly,
    /// An intermediate from the settings is in the path, and its own issuer is missing.
    ConfiguredIssuerMissing { subject: String, issuer: String },
    /// A root is among the intermediates, and not among the anchors.
    ConfiguredRoot(String),
    /// The value is cut off.
    CutOff,
    /// Something decoded it.
    Decoded,
    /// The CRLs are of other distribution points than the certificate names.
    DistributionPoints {
        certificate: String,
        list: String,
        differ_in_scheme: bool,
    },
    /// Something percent-encoded it again.
    DoubleEncoded,
    /// The value is Envoy's own header.
    Envoy { element: Option<&'static str> },
    /// File of another kind.
    FileKind(FileKind),
    /// The chain ends at a root that is not among the anchors.
    ForeignRoot(String),
    /// The name of the header stands before the value.
    HeaderName(String),
    /// No certificate of --intermediates is the missing issuer.
    IntermediatesUnrelated(String),
    /// The issuer of this certificate was not sent.
    IssuerMissing { position: usize, issuer: String },
    /// Two values were joined by a comma.
    Joined,
    /// The client's own certificate is not the first one.
    LeafNotFirst(usize),
    /// Line breaks have become spaces.
    LineBreaksToSpaces,
    /// The value says that there is no certificate.
    NoCertificate(String),
    /// Value in another format.
    OtherFormat(HeaderFormat),
    /// Another header of the event contains a certificate.
    OtherHeader(String),
    /// A `+` has become a space.
    PlusToSpace,
    /// A private key stands in the value.
    PrivateKey,
    /// Value in quotation marks.
    Quoted,
    /// The client's certificate is a self-signed CA certificate.
    SelfSignedAuthority,
    /// A certificate was sent that issued none of the others.
    Unrelated { position: usize, subject: String },
}

/// Ways into API Gateway and Lambda that end TLS themselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ApiGatewayEdge {
    Api,
    FunctionUrl,
}

impl Damage {
    /// Returns the stable name of the kind, in `snake_case`.
    pub(super) const fn kind(&self) -> &'static str {
        match self {
            Self::ApiGateway(_) => "api_gateway_without_certificate",
            Self::AuthorityOnly => "authority_only",
            Self::ConfiguredIssuerMissing { .. } => "configured_issuer_missing",
            Self::ConfiguredRoot(_) => "configured_root",
            Self::CutOff => "cut_off",
            Self::Decoded => "decoded",
            Self::DistributionPoints { .. } => "distribution_points",
            Self::DoubleEncoded => "double_encoded",
            Self::Envoy { .. } => "envoy",
            Self::FileKind(_) => "file_kind",
            Self::ForeignRoot(_) => "foreign_root",
            Self::HeaderName(_) => "header_name",
            Self::IntermediatesUnrelated(_) => "intermediates_unrelated",
            Self::IssuerMissing { .. } => "issuer_missing",
            Self::Joined => "joined",
            Self::LeafNotFirst(_) => "leaf_not_first",
            Self::LineBreaksToSpaces => "line_breaks_to_spaces",
            Self::NoCertificate(_) => "no_certificate",
            Self::OtherFormat(_) => "other_format",
            Self::OtherHeader(_) => "other_header",
            Self::PlusToSpace => "plus_to_space",
            Self::PrivateKey => "private_key",
            Self::Quoted => "quoted",
            Self::SelfSignedAuthority => "self_signed_authority",
            Self::Unrelated { .. } => "unrelated",
        }
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ApiGateway(ApiGatewayEdge::Api) => formatter.write_str(
                "the event comes from API Gateway and has no `clientCert`: mutual TLS belongs to a custom domain name; call the API by that name, and turn its default endpoint off",
            ),
            Self::ApiGateway(ApiGatewayEdge::FunctionUrl) => formatter.write_str(
                "the event comes from a function URL, which has no mutual TLS: put a load balancer or API Gateway with a custom domain name before the function",
            ),
            Self::AuthorityOnly => formatter.write_str(
                "the client sent a CA certificate in place of its own: give it the certificate that was issued to it",
            ),
            Self::ConfiguredIssuerMissing { subject, issuer } => write!(
                formatter,
                "the intermediate {subject} from the settings leads nowhere: its issuer {issuer} is neither among the anchors nor among the intermediates"
            ),
            Self::ConfiguredRoot(subject) => write!(
                formatter,
                "the root {subject} is among the intermediates and not among the anchors: add it to MTLS_ANCHORS (--anchors) if its clients are meant"
            ),
            Self::CutOff => formatter.write_str(
                "the value ends within a certificate: something on the way cuts headers off, or it was copied in part",
            ),
            Self::Decoded => formatter.write_str(
                "the value is PEM that is not encoded: a proxy or framework has decoded it, or it is a file (--pem); take the header as it came",
            ),
            Self::DistributionPoints { certificate, list, differ_in_scheme } => {
                write!(
                    formatter,
                    "the certificate names the distribution point `{certificate}`, and the CRL is that of `{list}`"
                )?;
                if *differ_in_scheme {
                    formatter.write_str(", which differs in `http` and `https` alone")?;
                }
                formatter.write_str(": the names are compared as text, so have the CA write the same one into both")
            }
            Self::DoubleEncoded => formatter.write_str(
                "the value was percent-encoded twice: something behind the load balancer encodes headers again",
            ),
            Self::Envoy { element: Some(element) } => write!(
                formatter,
                "the value is Envoy's x-forwarded-client-cert: give what stands in the quotation marks of `{element}=`"
            ),
            Self::Envoy { element: None } => formatter.write_str(
                "the value is Envoy's x-forwarded-client-cert without a certificate: set `cert: true` or `chain: true` in set_current_client_cert_details",
            ),
            Self::FileKind(kind) => write!(formatter, "the file {kind}"),
            Self::ForeignRoot(root) => write!(
                formatter,
                "the chain ends at the root {root}, which is not among the anchors: add it to MTLS_ANCHORS if its clients are meant"
            ),
            Self::HeaderName(name) => write!(
                formatter,
                "the name `{name}:` of the header stands before its value: leave it out"
            ),
            Self::IntermediatesUnrelated(issuer) => write!(
                formatter,
                "no certificate of --intermediates has the name of the missing issuer, {issuer}"
            ),
            Self::IssuerMissing { position, issuer } => write!(
                formatter,
                "the issuer of certificate {position} is neither among the anchors nor sent, {issuer}: have the client send it, put it into MTLS_INTERMEDIATES (--intermediates), or if it is a root whose clients are meant, into MTLS_ANCHORS"
            ),
            Self::Joined => formatter.write_str(
                "two values are joined by a comma: a client or proxy sends the header in addition to the load balancer",
            ),
            Self::LeafNotFirst(position) => write!(
                formatter,
                "certificate {position} is the client's own, and should be the first: its own, then its issuer, and so on"
            ),
            Self::LineBreaksToSpaces => formatter.write_str(
                "line breaks have become spaces, as in nginx's $ssl_client_cert: use $ssl_client_escaped_cert there",
            ),
            Self::NoCertificate(value) => write!(
                formatter,
                "the value is `{value}`, which servers write where the client presented no certificate: have the client present one, and the server ask for it"
            ),
            Self::OtherFormat(format) => write!(formatter, "the value is in another format: --format {format}, MTLS_HEADER_FORMAT={format}"),
            Self::OtherHeader(name) => write!(
                formatter,
                "the header `{name}` of the event contains a certificate: --header-name {name}, MTLS_HEADER={name}"
            ),
            Self::PlusToSpace => formatter.write_str(
                "every `+` has become a space: something decodes the value like a form; a load balancer leaves `+` as it is",
            ),
            Self::PrivateKey => formatter.write_str(
                "a private key stands in the value: the client sends a file with key and certificate; give it the certificate alone, and replace the key",
            ),
            Self::Quoted => formatter.write_str("the value is in quotation marks, which do not belong to it"),
            Self::SelfSignedAuthority => formatter.write_str(
                "the client's certificate is a self-signed CA certificate: a root in place of its own, or one that `openssl req -x509` made; give it a certificate that a CA of the anchors issued",
            ),
            Self::Unrelated { position, subject } => write!(
                formatter,
                "certificate {position}, {subject}, was sent and leads nowhere: no other certificate names it as its issuer"
            ),
        }
    }
}

/// Returns the kinds of damage that explain a header that cannot be decoded; tries to repair each.
pub(super) fn of_header(value: &[u8], format: HeaderFormat, limits: HeaderLimits) -> Vec<Damage> {
    let text = String::from_utf8_lossy(value).into_owned();
    if let Some(damage) = of_missing(&text) {
        return vec![damage];
    }
    let generous = HeaderLimits {
        max_bytes: 4 * limits.max_bytes,
        max_certificates: limits.max_certificates,
    };
    let reads = |format: HeaderFormat, text: &str| {
        let values = HeaderValues {
            certificate: &[text.as_bytes()],
            chain: &[],
        };
        format
            .decode(values, generous)
            .is_ok_and(|chain| CertificateSummary::read(chain.end_entity()).is_some())
    };
    let reads_somehow = |text: &str| {
        let is_header = HeaderFormat::all().any(|format| reads(format, text));
        is_header || read_bundle(text.as_bytes()).is_ok()
    };
    let mut damages = Vec::new();
    if has_private_key(&text) {
        damages.push(Damage::PrivateKey);
    }
    if let Some(elements) = envoy_elements(&text) {
        let element = ["Chain", "Cert"].into_iter().find(|wanted| {
            let mut named = elements
                .iter()
                .filter(|(key, _)| key.eq_ignore_ascii_case(wanted));
            named.any(|(_, value)| reads_somehow(value))
        });
        return vec![Damage::Envoy { element }];
    }
    if let Some((name, rest)) = text.split_once(':')
        && is_header_name(name)
        && reads_somehow(rest.trim())
    {
        damages.push(Damage::HeaderName(name.to_owned()));
    }
    let guesses = [
        (Damage::PlusToSpace, text.replace(' ', "+")),
        (Damage::PlusToSpace, plus_restored(&text)),
        (Damage::DoubleEncoded, text.replace("%25", "%")),
        (Damage::LineBreaksToSpaces, line_breaks_restored(&text)),
        (Damage::Quoted, text.trim_matches('"').to_owned()),
    ];
    // Nothing became a space where none stands in the base64.
    let content = without_markers(&text);
    let has_space = content.contains(' ') || content.contains("%20");
    for (damage, repaired) in guesses {
        let needs_space = matches!(damage, Damage::PlusToSpace | Damage::LineBreaksToSpaces);
        if repaired != text
            && (has_space || !needs_space)
            && reads(format, &repaired)
            && !damages.contains(&damage)
        {
            damages.push(damage);
        }
    }
    for other in HeaderFormat::all() {
        if other != format && reads(other, &text) {
            damages.push(Damage::OtherFormat(other));
        }
    }
    if read_bundle(value).is_ok() && text.contains("-----BEGIN ") {
        let damage = if content.trim().contains(' ') && !content.trim().contains('\n') {
            Damage::LineBreaksToSpaces
        } else {
            Damage::Decoded
        };
        if !damages.contains(&damage) {
            damages.push(damage);
        }
    }
    if format == HeaderFormat::URL_ENCODED
        && text.split(',').count() > 1
        && text.split(',').all(|one| reads(format, one.trim()))
    {
        damages.push(Damage::Joined);
    }
    if damages.is_empty() && is_cut_off(&text) {
        damages.push(Damage::CutOff);
    }
    if damages.is_empty() {
        match FileKind::recognise(value) {
            None | Some(FileKind::Empty | FileKind::Pem | FileKind::PercentEncoded) => {}
            Some(kind) => damages.push(Damage::FileKind(kind)),
        }
    }
    damages
}

/// Leaves the BEGIN and END lines out, in whose midst a space belongs.
fn without_markers(text: &str) -> String {
    let mut rest = text.to_owned();
    for space in [" ", "%20", "+"] {
        for word in ["BEGIN", "END"] {
            rest = rest.replace(&format!("-----{word}{space}CERTIFICATE-----"), "");
        }
    }
    rest
}

/// Recognises the words that servers and libraries write in place of a certificate.
fn of_missing(text: &str) -> Option<Damage> {
    const WORDS: &[&str] = &["", "(null)", "null", "nil", "none", "undefined", "-"];
    let word = text.trim().trim_matches('"');
    let is_word = WORDS.iter().any(|known| word.eq_ignore_ascii_case(known));
    is_word.then(|| Damage::NoCertificate(word.to_owned()))
}

fn has_private_key(text: &str) -> bool {
    let spaced = text.replace("%20", " ").replace('+', " ");
    spaced.contains("PRIVATE KEY-----")
}

/// Splits the first value of Envoy's header into its elements, if it is one: `Key=value` separated
/// by semicolons, with values in quotation marks where they need to be.
fn envoy_elements(text: &str) -> Option<Vec<(String, String)>> {
    const KEYS: &[&str] = &["By", "Cert", "Chain", "DNS", "Hash", "Subject", "URI"];
    let mut elements: Vec<String> = vec![String::new()];
    let (mut is_quoted, mut is_escaped) = (false, false);
    for character in text.trim().chars() {
        match character {
            ';' | ',' if !is_quoted => {
                elements.push(String::new());
                continue;
            }
            '"' if !is_escaped => is_quoted = !is_quoted,
            _ => {}
        }
        is_escaped = character == '\\' && !is_escaped;
        if let Some(last) = elements.last_mut() {
            last.push(character);
        }
    }
    let pairs: Option<Vec<(String, String)>> = elements
        .iter()
        .filter(|element| !element.trim().is_empty())
        .map(|element| {
            let (key, value) = element.split_once('=')?;
            let is_known = KEYS.iter().any(|known| known.eq_ignore_ascii_case(key.trim()));
            is_known.then(|| (key.trim().to_owned(), value.trim_matches('"').to_owned()))
        })
        .collect();
    pairs.filter(|pairs| !pairs.is_empty())
}

fn is_header_name(name: &str) -> bool {
    let is_of_name = |character: char| character.is_ascii_alphanumeric() || matches!(character, '-' | '_');
    !name.is_empty() && name.chars().all(is_of_name)
}

/// Returns true if the last block has no END line, and all of it is what stands in a block.
fn is_cut_off(text: &str) -> bool {
    let Some((_, last)) = text.rsplit_once("-----BEGIN") else {
        return false;
    };
    let is_of_block = |character: char| {
        character.is_ascii_alphanumeric()
            || character.is_ascii_whitespace()
            || matches!(character, '+' | '/' | '=' | '%' | '-')
    };
    let end = last.split_once("-----END");
    let has_end = end.is_some_and(|(_, end)| end.contains("-----"));
    !has_end && last.chars().all(is_of_block)
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

/// Returns the problems of a rejected chain as a whole.
pub(super) fn of_chain(
    chain: &PresentedChain,
    explanation: &Explanation,
    rejection: &Rejection,
    given: &Given,
) -> Vec<Damage> {
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
                None if first.is_self_issued => vec![Damage::SelfSignedAuthority],
                None => vec![Damage::AuthorityOnly],
            }
        }
        Reason::IssuerUnknown => of_incomplete_path(&summaries, &explanation.path, given),
        Reason::CrlScope => of_distribution_points(chain, rejection, given),
        _ => Vec::new(),
    }
}

/// Further files that the operator gave.
#[derive(Clone, Debug, Default)]
pub(super) struct Given {
    pub(super) intermediates: bool,
    pub(super) lists: Option<Arc<RevocationLists>>,
}

/// Explains a path whose last certificate has no known issuer.
fn of_incomplete_path(
    summaries: &[Option<CertificateSummary>],
    path: &[PathCertificate],
    given: &Given,
) -> Vec<Damage> {
    let Some(last) = path.last() else {
        return Vec::new();
    };
    let issuer = shown(last.summary.issuer.as_ref());
    let mut damages = vec![match last.presented_at {
        Some(_) if last.summary.is_self_issued => Damage::ForeignRoot(issuer.clone()),
        Some(position) => Damage::IssuerMissing {
            position,
            issuer: issuer.clone(),
        },
        None if last.summary.is_self_issued => Damage::ConfiguredRoot(issuer.clone()),
        None => Damage::ConfiguredIssuerMissing {
            subject: shown(last.summary.subject.as_ref()),
            issuer: issuer.clone(),
        },
    }];
    let is_configured = |one: &PathCertificate| one.presented_at.is_none();
    if given.intermediates && !last.summary.is_self_issued && !path.iter().any(is_configured) {
        damages.push(Damage::IntermediatesUnrelated(issuer));
    }
    for (position, summary) in summaries.iter().enumerate().skip(1) {
        let Some(summary) = summary else { continue };
        let mut others = summaries
            .iter()
            .enumerate()
            .filter(|(other, _)| *other != position);
        let is_issuer = others.any(|(_, other)| {
            let other = other.as_ref();
            other.is_none_or(|other| other.issuer.is_none() || other.issuer == summary.subject)
        });
        let in_path = path.iter().any(|one| one.presented_at == Some(position));
        if !is_issuer && !in_path {
            damages.push(Damage::Unrelated {
                position,
                subject: shown(summary.subject.as_ref()),
            });
        }
    }
    damages
}

/// Says which distribution points the certificate names, and which the CRLs of its issuer.
fn of_distribution_points(chain: &PresentedChain, rejection: &Rejection, given: &Given) -> Vec<Damage> {
    let mut presented = std::iter::once(chain.end_entity()).chain(chain.intermediates());
    let certificate = rejection
        .certificate()
        .and_then(|position| presented.nth(position));
    let (Some(certificate), Some(lists)) = (certificate, &given.lists) else {
        return Vec::new();
    };
    let issuer = CertificateSummary::read(certificate).and_then(|summary| summary.issuer);
    let of_issuer = lists
        .iter()
        .filter(|(list, _)| Some(list.issuer()) == issuer.as_ref());
    let theirs: Vec<String> = of_issuer
        .flat_map(|(list, _)| list.distribution_points())
        .collect();
    let own = RevocationLists::distribution_points_of(certificate);
    let without_scheme = |uri: &str| uri.split_once("://").map(|(_, rest)| rest.to_ascii_lowercase());
    let pairs = own
        .iter()
        .flat_map(|own| theirs.iter().map(move |list| (own, list)))
        .map(|(own, list)| Damage::DistributionPoints {
            certificate: own.clone(),
            list: list.clone(),
            differ_in_scheme: without_scheme(own).is_some() && without_scheme(own) == without_scheme(list),
        });
    let mut pairs: Vec<Damage> = pairs.collect();
    let is_near = |damage: &Damage| {
        matches!(
            damage,
            Damage::DistributionPoints {
                differ_in_scheme: true,
                ..
            }
        )
    };
    // One pair is enough, the nearest first.
    pairs.sort_by_key(|damage| !is_near(damage));
    pairs.truncate(1);
    pairs
}

fn shown(name: Option<&DistinguishedName>) -> String {
    name.map_or_else(|| "(a name that cannot be shown)".to_owned(), ToString::to_string)
}
