use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use test_pki::{Certificate, CertificateBuilder, Credential, CrlBuilder, GeneralName, KeyKind, Purpose};
use time::{Duration, OffsetDateTime};

use super::files::{
    self, FileSet, ISSUING_CERTIFICATE, ISSUING_CRL, ISSUING_KEY, crl_next_update, crl_number, file_names,
};

const SERVER: &str = "server";
const SERVER_AUTHORITY: &str = "server-ca.pem";
const ROOT: &str = "client-root.pem";
const ROOT_CRL: &str = "client-root.crl.pem";
const ANCHORS: &str = "anchors.pem";
/// The client that is on the issuing CA's CRL from the start.
const REVOKED: &str = "revoked";

/// Browsers refuse server certificates that are valid for longer.
const SERVER_DAYS: u32 = 825;
const CLIENT_DAYS: u32 = 3650;

#[derive(Args, Debug)]
pub(super) struct InitArguments {
    /// Directory to make it in
    #[arg(long, value_name = "DIR", default_value = ".demo")]
    dir: PathBuf,

    /// Kind of the keys of client root and issuing CA. With ml-dsa-*, OpenSSL before 3.5 and what
    /// uses it, such as curl, refuse to present the clients' certificates
    #[arg(long, value_enum, default_value_t = AuthorityKey::P256)]
    ca_key: AuthorityKey,

    /// Replace an existing demo PKI
    #[arg(long)]
    force: bool,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum AuthorityKey {
    P256,
    P384,
    #[value(name = "ml-dsa-44")]
    MlDsa44,
    #[value(name = "ml-dsa-65")]
    MlDsa65,
    #[value(name = "ml-dsa-87")]
    MlDsa87,
}

impl From<AuthorityKey> for KeyKind {
    fn from(key: AuthorityKey) -> Self {
        match key {
            AuthorityKey::P256 => Self::P256,
            AuthorityKey::P384 => Self::P384,
            AuthorityKey::MlDsa44 => Self::MlDsa44,
            AuthorityKey::MlDsa65 => Self::MlDsa65,
            AuthorityKey::MlDsa87 => Self::MlDsa87,
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub(super) enum InitError {
    #[error("the demo PKI in `{}` has expired (`{file}`): replace it with --force", directory.display())]
    Expired { directory: PathBuf, file: String },

    #[error("the demo PKI in `{}` is not complete, `{file}` is missing: replace it with --force", directory.display())]
    Incomplete { directory: PathBuf, file: String },

    #[error(transparent)]
    Pki(#[from] test_pki::Error),
}

pub(super) fn run(arguments: &InitArguments) -> Result<String, InitError> {
    let directory = &arguments.dir;
    if !arguments.force && is_there(directory)? {
        return Ok(format!(
            "the demo PKI in {} exists and is kept (--force replaces it)\n",
            directory.display()
        ));
    }
    let files = make(arguments.ca_key.into())?;
    files::create(directory)?;
    files.write(directory)?;
    Ok(format!(
        "made a demo PKI in {}\n{}",
        directory.display(),
        files.listing()
    ))
}

/// A client certificate of the demo.
struct Client {
    name: &'static str,
    what: &'static str,
    key: KeyKind,
    kind: Kind,
}

/// Defect of a certificate, if any.
enum Kind {
    Expired,
    ForeignAuthority,
    Good,
    NoIntermediate,
    NotYetValid,
    SelfSigned,
    ServerOnly,
}

const CLIENTS: [Client; 12] = [
    Client::new("good", "client, good", KeyKind::P256, Kind::Good),
    Client::new("p384", "client, good, P-384", KeyKind::P384, Kind::Good),
    Client::new("p521", "client, good, P-521", KeyKind::P521, Kind::Good),
    Client::new("rsa-2048", "client, good, RSA-2048", KeyKind::Rsa2048, Kind::Good),
    Client::new("rsa-4096", "client, good, RSA-4096", KeyKind::Rsa4096, Kind::Good),
    Client::new(REVOKED, "client, revoked", KeyKind::P256, Kind::Good),
    Client::new("expired", "client, expired", KeyKind::P256, Kind::Expired),
    Client::new(
        "not-yet-valid",
        "client, not yet valid",
        KeyKind::P256,
        Kind::NotYetValid,
    ),
    Client::new(
        "foreign-ca",
        "client of another CA",
        KeyKind::P256,
        Kind::ForeignAuthority,
    ),
    Client::new(
        "server-only",
        "client with a server's extended key usage",
        KeyKind::P256,
        Kind::ServerOnly,
    ),
    Client::new(
        "self-signed",
        "client, self-signed",
        KeyKind::P256,
        Kind::SelfSigned,
    ),
    Client::new(
        "no-intermediate",
        "client that sends only its leaf",
        KeyKind::P256,
        Kind::NoIntermediate,
    ),
];

impl Client {
    const fn new(name: &'static str, what: &'static str, key: KeyKind, kind: Kind) -> Self {
        Self {
            name,
            what,
            key,
            kind,
        }
    }

    fn make(&self, files: &mut FileSet, issuing: &Credential) -> Result<Credential, test_pki::Error> {
        let now = OffsetDateTime::now_utc();
        let subject = format!("CN={},OU=Clients,O=Example", self.name);
        let builder = CertificateBuilder::client(&subject)
            .key_kind(self.key)
            .uri(&format!("spiffe://example.org/client/{}", self.name))
            .days(CLIENT_DAYS);
        let (client, authority) = match self.kind {
            Kind::Good => (builder.issued_by(issuing)?, Some(issuing.clone())),
            Kind::NoIntermediate => (builder.issued_by(issuing)?, None),
            Kind::SelfSigned => (builder.self_signed()?, None),
            Kind::Expired => {
                let builder = builder.valid(now - Duration::days(60), now - Duration::days(30));
                (builder.issued_by(issuing)?, Some(issuing.clone()))
            }
            Kind::NotYetValid => {
                let builder = builder.valid(now + Duration::days(3000), now + Duration::days(3030));
                (builder.issued_by(issuing)?, Some(issuing.clone()))
            }
            Kind::ServerOnly => {
                let builder = builder.purposes(&[Purpose::ServerAuth]);
                (builder.issued_by(issuing)?, Some(issuing.clone()))
            }
            Kind::ForeignAuthority => {
                let root = CertificateBuilder::root("CN=Foreign Client Root,O=Elsewhere").self_signed()?;
                let foreign = CertificateBuilder::intermediate("CN=Foreign Issuing CA,O=Elsewhere")
                    .path_length(0)
                    .issued_by(&root)?;
                (builder.issued_by(&foreign)?, Some(foreign))
            }
        };
        let chain =
            std::iter::once(client.certificate()).chain(authority.as_ref().map(Credential::certificate));
        files.credential(self.what, self.name, &client, chain)?;
        Ok(client)
    }
}

fn make(ca_key: KeyKind) -> Result<FileSet, test_pki::Error> {
    let mut files = FileSet::default();

    let authority = CertificateBuilder::root("CN=Demo Server CA,O=Example")
        .path_length(0)
        .self_signed()?;
    let server = CertificateBuilder::server("CN=localhost,O=Example")
        .dns("localhost")
        .alternative_name(&GeneralName::Ip([127, 0, 0, 1].into()))
        .days(SERVER_DAYS)
        .issued_by(&authority)?;
    files.certificates("server CA, for curl --cacert", SERVER_AUTHORITY, [&authority]);
    files.credential(
        "server localhost and 127.0.0.1",
        SERVER,
        &server,
        [&server, &authority],
    )?;

    let root = CertificateBuilder::root("CN=Demo Client Root,O=Example")
        .key_kind(ca_key)
        .self_signed()?;
    let issuing = CertificateBuilder::intermediate("CN=Demo Issuing CA,O=Example")
        .key_kind(ca_key)
        .path_length(0)
        .issued_by(&root)?;
    files.certificates("client root", ROOT, [&root]);
    files.certificates("trust anchors for the functions", ANCHORS, [&root]);
    files.credential("issuing CA, for pki issue", "issuing-ca", &issuing, [&issuing])?;

    let now = OffsetDateTime::now_utc();
    let crl = || {
        CrlBuilder::new()
            .valid(now - Duration::HOUR, crl_next_update(now))
            .number(crl_number(now))
    };
    let mut issuing_crl = crl();
    for client in &CLIENTS {
        let credential = client.make(&mut files, &issuing)?;
        if client.name == REVOKED {
            issuing_crl = issuing_crl.revoke(&credential);
        }
    }
    files.crl("CRL of the client root", ROOT_CRL, &crl().issued_by(&root)?);
    files.crl(
        "CRL of the issuing CA",
        ISSUING_CRL,
        &issuing_crl.issued_by(&issuing)?,
    );
    Ok(files)
}

/// Returns true if a complete and valid demo PKI exists, and false for a directory with none of its
/// files.
fn is_there(directory: &Path) -> Result<bool, InitError> {
    let expected = expected_files();
    let missing: Vec<&String> = expected
        .iter()
        .filter(|name| !directory.join(name).exists())
        .collect();
    if missing.len() == expected.len() {
        return Ok(false);
    }
    if let Some(&file) = missing.first() {
        return Err(InitError::Incomplete {
            directory: directory.into(),
            file: file.clone(),
        });
    }
    for name in [SERVER, "good"] {
        let (file, _) = file_names(name);
        if Certificate::load(&directory.join(&file))?.not_after()? < OffsetDateTime::now_utc() {
            return Err(InitError::Expired {
                directory: directory.into(),
                file,
            });
        }
    }
    Ok(true)
}

fn expected_files() -> Vec<String> {
    let authorities = [
        SERVER_AUTHORITY,
        ROOT,
        ROOT_CRL,
        ANCHORS,
        ISSUING_CERTIFICATE,
        ISSUING_CRL,
        ISSUING_KEY,
    ]
    .map(str::to_owned);
    let owners = std::iter::once(SERVER).chain(CLIENTS.iter().map(|client| client.name));
    authorities
        .into_iter()
        .chain(owners.flat_map(|name| {
            let (certificate, key) = file_names(name);
            [certificate, key]
        }))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expects_exactly_the_files_that_it_makes() {
        let directory = tempfile::tempdir().unwrap();
        make(KeyKind::P256).unwrap().write(directory.path()).unwrap();
        let mut made: Vec<String> = std::fs::read_dir(directory.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        let mut expected = expected_files();
        made.sort();
        expected.sort();
        assert_eq!(made, expected);
    }
}
