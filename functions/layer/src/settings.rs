//! The settings of the layer beyond the gate's own.

use alb_mtls_identity::IdentityForms;
use alb_mtls_settings::{SettingsError, Values, process_environment, table};

/// Everything that an operator can set.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) gate: alb_mtls_gate::Settings,
    pub(crate) layer: LayerSettings,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LayerSettings {
    pub(crate) identity: IdentityForms,
    pub(crate) other_events: OtherEvents,
}

/// What becomes of events that are no HTTP request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OtherEvents {
    Refuse,
    Pass,
}

impl OtherEvents {
    const ALL: &[Self] = &[Self::Refuse, Self::Pass];

    fn as_str(self) -> &'static str {
        match self {
            Self::Refuse => "refuse",
            Self::Pass => "pass",
        }
    }
}

table! {
    /// Every variable of the layer's own, in the order of the documentation.
    pub(crate) SETTINGS, "LAYER_";
    IDENTITY, "LAYER_IDENTITY", Value("verify-mode,rfc9440"),
        "what tells the function who the client is, separated by commas: `verify-mode`, `rfc9440`, `xfcc`, `passthrough`, or `none`";
    OTHER_EVENTS, "LAYER_OTHER_EVENTS", Value("refuse"),
        "`refuse`: events that are not a load balancer's never reach the function; `pass`: those of schedules, queues and other sources that are no HTTP request do";
}

impl Settings {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// [`SettingsError`] for the first variable that is missing, unknown or wrong.
    pub(crate) fn from_environment() -> Result<Self, SettingsError> {
        let gate = alb_mtls_gate::Settings::from_environment()?;
        if gate.gate.renewal_hint.is_some() {
            return Err(SettingsError::Useless {
                name: "MTLS_RENEWAL_HINT",
                without: "without a place to tell it: a layer passes the function's responses on untouched",
            });
        }
        let layer = LayerSettings::from_variables(process_environment(&[SETTINGS.prefix])?)?;
        Ok(Self { gate, layer })
    }
}

impl LayerSettings {
    fn from_variables(variables: impl IntoIterator<Item = (String, String)>) -> Result<Self, SettingsError> {
        let values = Values::new(&SETTINGS, variables)?;
        Ok(Self {
            identity: values.parsed_required(IDENTITY)?,
            other_events: values.word(OTHER_EVENTS, OtherEvents::ALL, OtherEvents::as_str)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(variables: &[(&str, &str)]) -> Result<LayerSettings, String> {
        let variables = variables
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
        LayerSettings::from_variables(variables).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_passes_and_everything_is_told_unless_somebody_says_otherwise() {
        let expected = LayerSettings {
            identity: IdentityForms::default(),
            other_events: OtherEvents::Refuse,
        };
        assert_eq!(read(&[]), Ok(expected));
        let set = read(&[("LAYER_IDENTITY", "none"), ("LAYER_OTHER_EVENTS", "pass")]).unwrap();
        assert_eq!(
            (set.identity, set.other_events),
            (IdentityForms::NONE, OtherEvents::Pass)
        );
    }

    #[test]
    fn what_is_wrong_is_one_line() {
        for (name, value, words) in [
            ("LAYER_OTHER_EVENTS", "Pass", "it takes `refuse`, `pass`"),
            ("LAYER_IDENTITY", "assertion", "it takes `verify-mode`"),
            ("LAYER_OTHER_EVENT", "pass", "did you mean LAYER_OTHER_EVENTS?"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(name) && error.contains(words), "{error}");
        }
    }
}
