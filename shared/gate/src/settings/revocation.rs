//! Settings of revocation: CRLs, OCSP responders, and what both decide.

use alb_mtls_settings::{SettingsError, Values};
use alb_mtls_trust::{CrlState, OcspResponder, OcspSettings, PrivateNetwork, RevocationSettings, Sources};
use alb_mtls_verifier::{RevocationDepth, RevocationMode, RevocationOptions, StatusSources};

use super::{
    CRL_GRACE, CRL_STATE, CRLS, OCSP, OCSP_NETWORKS, OCSP_REFRESH, OCSP_TIMEOUT, REVOCATION,
    REVOCATION_DEPTH, REVOCATION_SOURCES, UP_TO_A_YEAR,
};

const WITHOUT_CRLS: &str = "without MTLS_CRLS";
const WITHOUT_OCSP: &str = "without MTLS_OCSP";
const WITHOUT_BOTH: &str = "without MTLS_CRLS or MTLS_OCSP";

/// Sources of revocation status that are set.
#[derive(Debug, Default)]
pub(super) struct Revocation {
    pub(super) crls: Option<RevocationSettings>,
    pub(super) ocsp: Option<OcspSettings>,
}

impl Revocation {
    /// Reads the settings. Those about a source that is not set are errors: they would do nothing,
    /// and the operator meant them.
    pub(super) fn read(values: &Values) -> Result<Self, SettingsError> {
        let mode = values.word(REVOCATION, RevocationMode::ALL, RevocationMode::as_str)?;
        let crls: Option<Sources> = values.parsed(CRLS)?;
        let responders: Vec<OcspResponder> = match values.is_set(OCSP) {
            true => values.words_required(OCSP)?,
            false => Vec::new(),
        };
        if crls.is_none() {
            values.refuse_set(&[CRL_GRACE, CRL_STATE], WITHOUT_CRLS)?;
        }
        if responders.is_empty() {
            values.refuse_set(&[OCSP_NETWORKS, OCSP_TIMEOUT, OCSP_REFRESH], WITHOUT_OCSP)?;
        }
        let sources = match (crls.is_some(), !responders.is_empty()) {
            (true, false) => StatusSources::Crl,
            (false, true) => StatusSources::Ocsp,
            (true, true) => StatusSources::CrlThenOcsp,
            (false, false) => {
                if mode != RevocationMode::Off {
                    values.refuse_set(&[REVOCATION], WITHOUT_BOTH)?;
                }
                values.refuse_set(&[REVOCATION_DEPTH, REVOCATION_SOURCES], WITHOUT_BOTH)?;
                return Ok(Self::default());
            }
        };
        let sources = order(values, sources)?;
        let grace = values.duration(CRL_GRACE, UP_TO_A_YEAR)?;
        let options = RevocationOptions {
            mode,
            depth: values.word(REVOCATION_DEPTH, RevocationDepth::ALL, RevocationDepth::as_str)?,
            grace_seconds: u32::try_from(grace.as_secs()).unwrap_or(u32::MAX),
        };
        let state = values.word(CRL_STATE, CrlState::ALL, CrlState::as_str)?;
        let ocsp = OcspSettings {
            options,
            sources,
            responders: responders.into_iter().collect(),
            private_networks: values
                .words::<PrivateNetwork>(OCSP_NETWORKS)?
                .into_iter()
                .map(|network| network.0)
                .collect(),
            timeout: values.duration(OCSP_TIMEOUT, 1..=30)?,
            refresh: values.duration(OCSP_REFRESH, UP_TO_A_YEAR)?,
        };
        if mode == RevocationMode::Off {
            return Ok(Self::default());
        }
        Ok(Self {
            crls: crls.map(|crls| RevocationSettings { crls, options, state }),
            ocsp: sources.has_ocsp().then_some(ocsp),
        })
    }
}

/// Reads the order of the sources that are set. It cannot leave one of them out, which would then
/// be set for nothing.
fn order(values: &Values, set: StatusSources) -> Result<StatusSources, SettingsError> {
    if !values.is_set(REVOCATION_SOURCES) {
        return Ok(set);
    }
    let named = values.word(REVOCATION_SOURCES, StatusSources::ALL, StatusSources::as_str)?;
    if named.has_crls() == set.has_crls() && named.has_ocsp() == set.has_ocsp() {
        return Ok(named);
    }
    Err(values.wrong(
        REVOCATION_SOURCES,
        format!("the sources that are set, by MTLS_CRLS and MTLS_OCSP: `{set}`"),
    ))
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::*;

    const RESPONDER: (&str, &str) = ("MTLS_OCSP", "http://ocsp.example.com/");
    const LISTS: (&str, &str) = ("MTLS_CRLS", "file:/crls.pem");

    #[test]
    fn sources_are_what_is_set_crls_first() {
        for (variables, sources) in [
            (&[LISTS][..], None),
            (&[RESPONDER], Some(StatusSources::Ocsp)),
            (&[LISTS, RESPONDER], Some(StatusSources::CrlThenOcsp)),
            (
                &[LISTS, RESPONDER, ("MTLS_REVOCATION_SOURCES", "ocsp,crl")],
                Some(StatusSources::OcspThenCrl),
            ),
            (&[LISTS, RESPONDER, ("MTLS_REVOCATION", "off")], None),
        ] {
            let trust = read(variables).unwrap().trust;
            assert_eq!(trust.ocsp.map(|ocsp| ocsp.sources), sources, "{variables:?}");
        }
        let ocsp = read(&[RESPONDER]).unwrap().trust.ocsp.unwrap();
        assert_eq!(ocsp.options, RevocationOptions::default());
        assert_eq!((ocsp.timeout.as_secs(), ocsp.refresh.as_secs()), (2, 3_600));
    }

    #[test]
    fn setting_without_its_source_is_refused() {
        for (variables, words) in [
            (&[("MTLS_OCSP", "")][..], "MTLS_OCSP"),
            (&[("MTLS_OCSP", "ocsp.example.com")], "does not begin with"),
            (&[("MTLS_OCSP_NETWORKS", "10.0.0.0/8")], "without MTLS_OCSP"),
            (&[LISTS, ("MTLS_OCSP_TIMEOUT", "3s")], "without MTLS_OCSP"),
            (&[RESPONDER, ("MTLS_OCSP_TIMEOUT", "31s")], "a duration"),
            (&[RESPONDER, ("MTLS_OCSP_NETWORKS", "ten")], "`10.1.0.0/16`"),
            (&[RESPONDER, ("MTLS_CRL_GRACE", "1h")], "without MTLS_CRLS"),
            (
                &[("MTLS_REVOCATION_SOURCES", "crl")],
                "without MTLS_CRLS or MTLS_OCSP",
            ),
            (
                &[LISTS, ("MTLS_REVOCATION_SOURCES", "crl,ocsp")],
                "the sources that are set, by MTLS_CRLS and MTLS_OCSP: `crl`",
            ),
            (
                &[LISTS, RESPONDER, ("MTLS_REVOCATION_SOURCES", "ocsp")],
                "`crl,ocsp`",
            ),
            (
                &[LISTS, RESPONDER, ("MTLS_REVOCATION_SOURCES", "both")],
                "`crl`, `ocsp`, `crl,ocsp`, `ocsp,crl`",
            ),
        ] {
            let error = read(variables).unwrap_err().to_string();
            assert!(error.contains(words), "{variables:?}: {error}");
        }
    }
}
