//! Cost of hostile headers below an anchor, beside one signature on P-256:
//! `cargo run --profile quick -p alb-mtls-bench --bin hostile_names`.

use std::error::Error;
use std::time::{Duration, Instant};

use alb_mtls_http::{HeaderFormat, HeaderLimits, HeaderValues};
use alb_mtls_verifier::{
    CertificateDer, Intermediates, Timestamp, TrustAnchor, TrustAnchors, Verifier, VerifyOptions,
};
use test_pki::{CertificateBuilder, Credential, GeneralName, Key, KeyKind};

/// Each measurement is the quickest of so many.
const ROUNDS: usize = 20;

/// Form of the names of a header, with names of a subtree that none of them is within.
#[derive(Clone, Copy, Debug)]
enum Names {
    ShortDns,
    LongDns,
    Directory,
    DirectoryBeyondAscii,
    Mailbox,
}

/// Limits of settings, and how many CAs of one name stand on each level.
#[derive(Clone, Copy, Debug)]
struct Limits {
    bytes: usize,
    max_depth: usize,
    levels: [usize; 3],
}

const LIMITS: [Limits; 2] = [
    Limits {
        bytes: 16_384,
        max_depth: 4,
        levels: [3, 2, 2],
    },
    Limits {
        bytes: 65_536,
        max_depth: 10,
        levels: [7, 6, 6],
    },
];

/// The kinds of keys that CAs flood with.
const KINDS: [KeyKind; 5] = [
    KeyKind::P256,
    KeyKind::P384,
    KeyKind::P521,
    KeyKind::Rsa2048,
    KeyKind::Rsa4096,
];

impl Names {
    const ALL: [Self; 5] = [
        Self::ShortDns,
        Self::LongDns,
        Self::Directory,
        Self::DirectoryBeyondAscii,
        Self::Mailbox,
    ];

    fn text(self, number: usize, is_base: bool) -> String {
        let side = if is_base { 'y' } else { 'x' };
        let label = "a".repeat(60);
        match self {
            Self::ShortDns => format!("{side}{number:x}"),
            Self::LongDns => format!("{side}{number:04}.{label}.{label}.{label}.example"),
            Self::Directory => format!("CN={side}{number:x},O=a,C=DE"),
            Self::DirectoryBeyondAscii => format!("CN={side}\u{FDFA}{number:x},O=a,C=DE"),
            Self::Mailbox => format!("{side}{number:x}@a.de"),
        }
    }

    fn general(self, text: &str) -> GeneralName<'_> {
        match self {
            Self::ShortDns | Self::LongDns => GeneralName::Dns(text),
            Self::Directory | Self::DirectoryBeyondAscii => GeneralName::Directory(text),
            Self::Mailbox => GeneralName::Email(text),
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let root = CertificateBuilder::root("CN=Root").self_signed()?;
    let client = CertificateBuilder::client("CN=client").issued_by(&root)?;
    let (one, _) = cost(&root, &[client], LIMITS[0])?;
    println!("one signature and a client without constraints: {one:?}");
    println!(
        " bytes  {:<34} {:>12} {:>8} {:>5}  verdict",
        "header", "time", "ratio", "units"
    );
    for limits in LIMITS {
        for names in Names::ALL {
            let chain = largest(&root, names, limits)?;
            report(&format!("{names:?}"), cost(&root, &chain, limits)?, one, &chain);
        }
        for kind in KINDS {
            let chain = fitting(limits, |authorities| flood(&root, kind, authorities))?;
            report(
                &format!("flood below an anchor, {kind:?}"),
                cost(&root, &chain, limits)?,
                one,
                &chain,
            );
        }
        // No more than the budgets are spent, so that the header need not be as large as it can be.
        let chain = flood_under_constraints(&root, 2 * limits.max_depth - 1, 600)?;
        report("flood and names", cost(&root, &chain, limits)?, one, &chain);
        for kind in KINDS {
            let root = CertificateBuilder::root("CN=Root").key_kind(kind).self_signed()?;
            let chain = fitting(limits, |authorities| namesakes(kind, authorities))?;
            report(
                &format!("flood without a key, {kind:?}"),
                cost(&root, &chain, limits)?,
                one,
                &chain,
            );
        }
        for kind in KINDS {
            let root = CertificateBuilder::root("CN=Root").key_kind(kind).self_signed()?;
            let chain = deepest_path(&root, kind, limits.max_depth)?;
            if header(&chain).len() <= limits.bytes {
                report(
                    &format!("deepest path, {kind:?}"),
                    cost(&root, &chain, limits)?,
                    one,
                    &chain,
                );
            }
        }
    }
    Ok(())
}

fn report(what: &str, (cost, verdict): (Duration, Verdict), one: Duration, chain: &[Credential]) {
    let ratio = cost.as_secs_f64() / one.as_secs_f64();
    let bytes = header(chain).len();
    let Verdict { units, text } = verdict;
    println!("{bytes:>6}  {what:<34} {cost:>12.3?} {ratio:>8.1} {units:>5}  {text}");
}

/// Returns the largest chain within the limits, half of it names and half of it subtrees.
fn largest(root: &Credential, names: Names, limits: Limits) -> Result<Vec<Credential>, Box<dyn Error>> {
    let (mut least, mut most) = (1, 8_192);
    while least + 1 < most {
        let count = (least + most) / 2;
        if header(&chain(root, names, limits, count)?).len() <= limits.bytes {
            least = count;
        } else {
            most = count;
        }
    }
    // Signatures differ in length by an octet or two from one chain to the next.
    loop {
        let largest = chain(root, names, limits, least)?;
        if header(&largest).len() <= limits.bytes {
            return Ok(largest);
        }
        least -= 1;
    }
}

/// Returns a chain whose paths are all rejected for the last name, so that each is searched.
fn chain(
    root: &Credential,
    names: Names,
    limits: Limits,
    count: usize,
) -> Result<Vec<Credential>, Box<dyn Error>> {
    let last = names.text(0, true);
    let authorities: usize = limits.levels.iter().sum();
    let mut signer = root.clone();
    let mut presented = Vec::new();
    for (level, width) in limits.levels.iter().enumerate() {
        let key = Key::random(KeyKind::P256)?;
        let mut of_level = Vec::new();
        for number in 0..*width {
            let builder = CertificateBuilder::intermediate(&format!("CN={level}")).key(&key);
            let bases = (0..=count / authorities).map(|base| names.text(base * 10 + number, true));
            let builder = bases.fold(builder, |builder, base| builder.exclude(&names.general(&base)));
            of_level.push(builder.exclude(&names.general(&last)).issued_by(&signer)?);
        }
        signer = of_level.first().ok_or("a level without a CA")?.clone();
        presented.append(&mut of_level);
    }
    let builder = (0..count).fold(CertificateBuilder::client("CN=client"), |builder, number| {
        builder.alternative_name(&names.general(&names.text(number, false)))
    });
    presented.insert(
        0,
        builder
            .alternative_name(&names.general(&last))
            .issued_by(&signer)?,
    );
    Ok(presented)
}

/// Returns the chain with the most CAs that is within the limits.
fn fitting(
    limits: Limits,
    chain: impl Fn(usize) -> Result<Vec<Credential>, Box<dyn Error>>,
) -> Result<Vec<Credential>, Box<dyn Error>> {
    let mut authorities = 2 * limits.max_depth - 1;
    loop {
        let chain = chain(authorities)?;
        if header(&chain).len() <= limits.bytes {
            return Ok(chain);
        }
        authorities -= 1;
    }
}

/// CAs of one name, all below the anchor, whose keys could each have signed every other
/// certificate.
fn flood(root: &Credential, kind: KeyKind, authorities: usize) -> Result<Vec<Credential>, Box<dyn Error>> {
    let named = || CertificateBuilder::intermediate("CN=Root").key_kind(kind);
    let mut presented = vec![named().issued_by(root)?];
    for _ in 1..authorities {
        let signer = presented.last().ok_or("no CA")?;
        presented.push(named().issued_by(signer)?);
    }
    // None of them issued the client, or the search would end early.
    let other = named().self_signed()?;
    let client = CertificateBuilder::client("CN=client").issued_by(&other)?;
    presented.insert(0, client);
    Ok(presented)
}

/// Returns a flood below an anchor with a good path too, on which names are checked for
/// constraints.
fn flood_under_constraints(
    root: &Credential,
    authorities: usize,
    names: usize,
) -> Result<Vec<Credential>, Box<dyn Error>> {
    let kind = Names::ShortDns;
    let mut presented = flood(root, KeyKind::P256, authorities - 1)?;
    let constrained = (0..names).fold(CertificateBuilder::intermediate("CN=Root"), |builder, number| {
        builder.exclude(&kind.general(&kind.text(number, true)))
    });
    let constrained = constrained.issued_by(root)?;
    let client = (0..names).fold(CertificateBuilder::client("CN=client"), |builder, number| {
        builder.alternative_name(&kind.general(&kind.text(number, false)))
    });
    let client = client.issued_by(&constrained)?;
    presented.splice(0..1, [client, constrained]);
    Ok(presented)
}

/// Returns certificates with an anchor's name and without its key, as any attacker can make them.
fn namesakes(kind: KeyKind, authorities: usize) -> Result<Vec<Credential>, Box<dyn Error>> {
    let presented: Result<Vec<Credential>, _> = (0..authorities)
        .map(|_| {
            CertificateBuilder::intermediate("CN=Root")
                .key_kind(kind)
                .self_signed()
        })
        .collect();
    let mut presented = presented?;
    let client = CertificateBuilder::client("CN=client").issued_by(presented.last().ok_or("no CA")?)?;
    presented.insert(0, client);
    Ok(presented)
}

/// Returns an ordinary chain of the greatest depth.
fn deepest_path(root: &Credential, kind: KeyKind, depth: usize) -> Result<Vec<Credential>, Box<dyn Error>> {
    let mut issuer = root.clone();
    let mut presented = Vec::new();
    for level in 1..depth {
        let builder = CertificateBuilder::intermediate(&format!("CN={level}")).key_kind(kind);
        issuer = builder.issued_by(&issuer)?;
        presented.insert(0, issuer.clone());
    }
    presented.insert(0, CertificateBuilder::client("CN=client").issued_by(&issuer)?);
    Ok(presented)
}

fn header(chain: &[Credential]) -> String {
    let pem: String = chain.iter().map(Credential::pem).collect();
    pem.replace(' ', "%20").replace('\n', "%0A")
}

struct Verdict {
    /// Spent on signatures.
    units: usize,
    text: &'static str,
}

fn cost(
    root: &Credential,
    chain: &[Credential],
    limits: Limits,
) -> Result<(Duration, Verdict), Box<dyn Error>> {
    let anchor = TrustAnchor::new(CertificateDer::from(root.der().to_vec()))?;
    let policy = VerifyOptions {
        max_depth: limits.max_depth,
        ..VerifyOptions::default()
    };
    let anchors = TrustAnchors::new([anchor]).ok_or("no anchor")?;
    let verifier = Verifier::new(anchors, Intermediates::default(), policy);
    let header = header(chain);
    let header_limits = HeaderLimits {
        max_bytes: limits.bytes,
        max_certificates: 2 * limits.max_depth,
    };
    let mut quickest = Duration::MAX;
    let mut verdict = Verdict { units: 0, text: "" };
    for _ in 0..ROUNDS {
        let started = Instant::now();
        let values = HeaderValues {
            certificate: &[header.as_bytes()],
            chain: &[],
        };
        let chain = HeaderFormat::URL_ENCODED
            .decode(values, header_limits)
            .map_err(|error| error.to_string())?;
        let (result, units) = verifier.verify_counting(&chain, Timestamp::now());
        quickest = quickest.min(started.elapsed());
        let text = result.map_or_else(|rejection| rejection.reason().detail(), |_| "accepted");
        verdict = Verdict { units, text };
    }
    Ok((quickest, verdict))
}
