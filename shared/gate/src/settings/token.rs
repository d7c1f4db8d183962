//! Settings of bound tokens.

use alb_mtls_settings::{SettingsError, Values};
use alb_mtls_token::{Algorithm, TokenOptions};

use super::{
    BOUND_TOKEN, MAX_STALE, REFRESH, TOKEN_ALGORITHMS, TOKEN_AUDIENCE, TOKEN_ISSUER, TOKEN_KEYS,
    TOKEN_SETTINGS, UP_TO_A_YEAR, WITHOUT_BOUND_TOKEN,
};
use crate::bound_token::{BoundTokenSettings, TokenRequirement};

/// Values of `MTLS_BOUND_TOKEN`; `None` turns the check off.
const REQUIREMENTS: &[Option<TokenRequirement>] = &[
    None,
    Some(TokenRequirement::IfPresent),
    Some(TokenRequirement::Required),
];

const fn requirement_name(requirement: Option<TokenRequirement>) -> &'static str {
    match requirement {
        None => "off",
        Some(TokenRequirement::IfPresent) => "if-present",
        Some(TokenRequirement::Required) => "required",
    }
}

pub(super) fn bound_token(values: &Values) -> Result<Option<BoundTokenSettings>, SettingsError> {
    let Some(requirement) = values.word(BOUND_TOKEN, REQUIREMENTS, requirement_name)? else {
        values.refuse_set(TOKEN_SETTINGS, WITHOUT_BOUND_TOKEN)?;
        return Ok(None);
    };
    Ok(Some(BoundTokenSettings {
        requirement,
        keys: values.parsed_required(TOKEN_KEYS)?,
        options: TokenOptions {
            issuer: values
                .visible_text(TOKEN_ISSUER)?
                .ok_or_else(|| values.missing(TOKEN_ISSUER))?
                .to_owned(),
            audiences: values.words_required(TOKEN_AUDIENCE)?,
            algorithms: algorithms(values)?,
        },
        refresh: values.duration(REFRESH, UP_TO_A_YEAR)?,
        max_stale: values.duration(MAX_STALE, UP_TO_A_YEAR)?,
    }))
}

fn algorithms(values: &Values) -> Result<Vec<Algorithm>, SettingsError> {
    let words: Vec<String> = values.words_required(TOKEN_ALGORITHMS)?;
    let all = || {
        let names: Vec<&str> = Algorithm::ALL
            .iter()
            .map(|algorithm| algorithm.as_str())
            .collect();
        format!("one or more of {}", names.join(", "))
    };
    words
        .iter()
        .map(|word| word.parse().map_err(|_| values.wrong(TOKEN_ALGORITHMS, all())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::*;

    #[test]
    fn bound_tokens_need_keys_issuer_audience_and_algorithms() {
        let all = [
            ("MTLS_BOUND_TOKEN", "required"),
            ("MTLS_TOKEN_KEYS", "file:/keys.json"),
            ("MTLS_TOKEN_ISSUER", "https://issuer.example"),
            ("MTLS_TOKEN_AUDIENCE", "https://a.example https://b.example"),
            ("MTLS_TOKEN_ALGORITHMS", "ES256 EdDSA"),
        ];
        let settings = read(&all).unwrap().gate.bound_token.unwrap();
        assert_eq!(settings.requirement, TokenRequirement::Required);
        assert_eq!(settings.options.issuer, "https://issuer.example");
        assert_eq!(settings.options.audiences.len(), 2);
        assert_eq!(settings.options.algorithms, [Algorithm::Es256, Algorithm::EdDsa]);
        for index in 1..all.len() {
            let mut others = all.to_vec();
            let (name, _) = others.remove(index);
            let error = read(&others).unwrap_err();
            assert!(
                matches!(error, SettingsError::Missing { name: missing, .. } if missing == name),
                "{error}"
            );
        }
        for (name, value) in [
            ("MTLS_TOKEN_KEYS", "https://issuer.example/keys"),
            ("MTLS_TOKEN_ISSUER", "https://a.example https://b.example"),
            ("MTLS_TOKEN_ISSUER", ""),
            ("MTLS_TOKEN_AUDIENCE", " "),
            ("MTLS_TOKEN_ALGORITHMS", ""),
            ("MTLS_TOKEN_ALGORITHMS", "none"),
            ("MTLS_TOKEN_ALGORITHMS", "ES256 HS256"),
            ("MTLS_TOKEN_ALGORITHMS", "ES256,PS256"),
        ] {
            let with = all.map(|(other, before)| (other, if other == name { value } else { before }));
            let error = read(&with).unwrap_err().to_string();
            assert!(error.starts_with(&format!("{name} holds")), "{error}");
        }
    }
}
