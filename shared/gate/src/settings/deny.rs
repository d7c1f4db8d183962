//! Settings of the deny list.

use std::time::Duration;

use alb_mtls_settings::{SettingsError, Values};
use alb_mtls_trust::DenyListSettings;

use super::{DENY, DENY_MAX_STALE, DENY_REFRESH, MAX_STALE, UP_TO_A_YEAR};

/// Longest refresh, in seconds: a list that is looked up less often is as slow as a CRL.
const UP_TO_FIVE_MINUTES: std::ops::RangeInclusive<u64> = 1..=300;

pub(super) fn deny_list(values: &Values) -> Result<Option<DenyListSettings>, SettingsError> {
    let Some(sources) = values.parsed(DENY)? else {
        values.refuse_set(&[DENY_REFRESH, DENY_MAX_STALE], "without MTLS_DENY")?;
        return Ok(None);
    };
    let refresh: Duration = values.duration(DENY_REFRESH, UP_TO_FIVE_MINUTES)?;
    let max_stale = if values.is_set(DENY_MAX_STALE) {
        values.duration(DENY_MAX_STALE, UP_TO_A_YEAR)?
    } else {
        values.duration(MAX_STALE, UP_TO_A_YEAR)?
    };
    Ok(Some(DenyListSettings {
        sources,
        refresh,
        max_stale,
    }))
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::*;

    #[test]
    fn deny_list_is_as_stale_as_trust_material_unless_said_otherwise() {
        assert!(read(&[]).unwrap().gate.deny_list.is_none());
        let settings = |others: &[(&str, &str)]| {
            let all = [&[("MTLS_DENY", "s3://bucket/deny.txt file:/deny.txt")], others].concat();
            read(&all).unwrap().gate.deny_list.unwrap()
        };
        let plain = settings(&[]);
        assert_eq!(plain.sources.iter().count(), 2);
        assert_eq!(plain.refresh, Duration::from_secs(5));
        assert_eq!(plain.max_stale, Duration::from_secs(24 * 3_600));
        assert_eq!(
            settings(&[("MTLS_MAX_STALE", "1h")]).max_stale,
            Duration::from_secs(3_600)
        );
        let both = settings(&[("MTLS_MAX_STALE", "1h"), ("MTLS_DENY_MAX_STALE", "1m")]);
        assert_eq!(both.max_stale, Duration::from_secs(60));
    }

    #[test]
    fn deny_list_settings_that_are_wrong_or_useless_are_errors() {
        for (name, value, words) in [
            ("MTLS_DENY", "", "no source"),
            ("MTLS_DENY", "deny.txt", "has no known scheme"),
            ("MTLS_DENY_REFRESH", "5s", "without MTLS_DENY"),
            ("MTLS_DENY_MAX_STALE", "5m", "without MTLS_DENY"),
        ] {
            let error = read(&[(name, value)]).unwrap_err().to_string();
            assert!(error.starts_with(name) && error.contains(words), "{error}");
        }
        for (name, value) in [
            ("MTLS_DENY_REFRESH", "0s"),
            ("MTLS_DENY_REFRESH", "1h"),
            ("MTLS_DENY_REFRESH", "5"),
            ("MTLS_DENY_MAX_STALE", "ever"),
        ] {
            let error = read(&[("MTLS_DENY", "file:/deny.txt"), (name, value)]).unwrap_err();
            assert!(error.to_string().starts_with(name), "{error}");
        }
    }
}
