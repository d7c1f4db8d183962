use std::path::PathBuf;

use clap::Args;
use test_pki::{Certificate, Credential, Crl, write_public};
use time::OffsetDateTime;

use super::files::{
    FileName, ISSUING_CERTIFICATE, ISSUING_CRL, ISSUING_KEY, crl_next_update, crl_number, file_names,
};

#[derive(Args, Debug)]
pub(super) struct RevokeArguments {
    /// Directory of the demo PKI
    #[arg(long, value_name = "DIR", default_value = ".demo")]
    dir: PathBuf,

    /// Name of the client, as in NAME.pem
    #[arg(long)]
    name: FileName,
}

#[derive(Debug, thiserror::Error)]
pub(super) enum RevokeError {
    #[error("{source}; `alb-mtls pki init --dir {}` makes the demo PKI", directory.display())]
    NoAuthority {
        directory: PathBuf,
        source: test_pki::Error,
    },

    #[error(transparent)]
    Pki(#[from] test_pki::Error),

    #[error("`{name}` is revoked already")]
    Revoked { name: String },

    #[error("`{name}` was not issued by the demo's issuing CA, which can revoke its own certificates only")]
    Stranger { name: String },
}

pub(super) fn run(arguments: &RevokeArguments) -> Result<String, RevokeError> {
    let directory = &arguments.dir;
    let FileName(name) = &arguments.name;
    let no_authority = |source| RevokeError::NoAuthority {
        directory: directory.clone(),
        source,
    };
    let issuing = Credential::load(&directory.join(ISSUING_CERTIFICATE), &directory.join(ISSUING_KEY))
        .map_err(no_authority)?;
    let path = directory.join(ISSUING_CRL);
    let crl = Crl::load(&path).map_err(no_authority)?;
    let (file, _) = file_names(name);
    let client = Certificate::load(&directory.join(file))?;
    if client.tbs()?.issuer != issuing.certificate().tbs()?.subject {
        return Err(RevokeError::Stranger { name: name.clone() });
    }
    if crl.revokes(&client)? {
        return Err(RevokeError::Revoked { name: name.clone() });
    }
    let now = OffsetDateTime::now_utc();
    let next = crl.revoking(&client, &issuing, crl_number(now), crl_next_update(now))?;
    write_public(&path, &next.pem())?;
    Ok(format!(
        "revoked {name}: {} is new, and functions see it at their next refresh\n",
        path.display()
    ))
}
