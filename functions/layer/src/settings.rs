//! The settings of the layer beyond the gate's own.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use alb_mtls_http::IdentityForms;
use alb_mtls_http::forms::WRITTEN;
use alb_mtls_settings::{SettingsError, Values, list, process_environment, table, text, words};

/// Everything that an operator can set.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) gate: alb_mtls_gate::Settings,
    pub(crate) layer: LayerSettings,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct LayerSettings {
    pub(crate) identity: IdentityForms,
    pub(crate) other_events: OtherEvents,
    /// Address at which the gate listens; a free port of the loopback address otherwise.
    pub(crate) listen: Option<LoopbackAddress>,
    /// Program that starts the runtime in Lambda's place.
    pub(crate) next_wrapper: Option<AbsolutePath>,
    /// Names of extensions that ask Lambda for events only when they are asked.
    pub(crate) extensions: Vec<String>,
}

/// Address and port that only this machine reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct LoopbackAddress(pub(crate) SocketAddr);

impl FromStr for LoopbackAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let address = text.parse().ok();
        address
            .filter(|address: &SocketAddr| address.ip().is_loopback() && address.port() != 0)
            .map(Self)
            .ok_or("a loopback address and a port, such as `127.0.0.1:9009`")
    }
}

impl fmt::Display for LoopbackAddress {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Path that means the same in every folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct AbsolutePath(PathBuf);

impl AsRef<Path> for AbsolutePath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl FromStr for AbsolutePath {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let path = PathBuf::from(text);
        if path.is_absolute() {
            Ok(Self(path))
        } else {
            Err("the whole path of a program, such as `/opt/bootstrap`")
        }
    }
}

words! {
    /// Handling of events that are not HTTP requests.
    pub(crate) enum OtherEvents {
        Refuse = "refuse",
        Pass = "pass",
    }
}

table! {
    /// Every variable of the layer's own, in the order of the documentation.
    pub(crate) SETTINGS, "LAYER_";
    IDENTITY, "LAYER_IDENTITY", Value("verify-mode,rfc9440,extensions"),
        text!("headers that tell the function who the client is, separated by commas: ", list!(WRITTEN), "; or `none`");
    OTHER_EVENTS, "LAYER_OTHER_EVENTS", Value("refuse"),
        "`refuse`: events that are not a load balancer's never reach the function; `pass`: those of schedules, queues and other sources that are not HTTP requests do";
    LISTEN, "LAYER_LISTEN", Absent("a free port of 127.0.0.1"),
        "loopback address and port where the gate stands in for the Runtime API, such as `127.0.0.1:9009`, for what asks there by its own settings: AWS_LWA_LAMBDA_RUNTIME_API_PROXY";
    NEXT_WRAPPER, "LAYER_NEXT_WRAPPER", Absent("none"),
        "whole path of a wrapper that the gate starts with the runtime's command line, as Lambda would, such as `/opt/bootstrap`";
    EXTENSIONS, "LAYER_EXTENSIONS", Absent("none"),
        "names in /opt/extensions, separated by spaces, of extensions that can ask Lambda for events and only do it when they are asked themselves, such as `datadog-agent`";
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
        if gate.gate.peers.is_some() {
            return Err(SettingsError::Useless {
                name: "MTLS_PEERS",
                without: "without TCP peers, which a Lambda event does not name",
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
            listen: values.parsed(LISTEN)?,
            next_wrapper: values.parsed(NEXT_WRAPPER)?,
            extensions: values.words(EXTENSIONS)?,
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
    fn other_events_are_refused_and_decisions_told_by_default() {
        let expected = LayerSettings {
            identity: IdentityForms::default(),
            other_events: OtherEvents::Refuse,
            listen: None,
            next_wrapper: None,
            extensions: Vec::new(),
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
            ("LAYER_LISTEN", "9009", "it takes a loopback address"),
            ("LAYER_LISTEN", "127.0.0.1:0", "it takes a loopback address"),
            ("LAYER_LISTEN", "localhost:9009", "it takes a loopback address"),
            ("LAYER_LISTEN", "0.0.0.0:9009", "it takes a loopback address"),
            (
                "LAYER_LISTEN",
                "http://127.0.0.1:9009",
                "it takes a loopback address",
            ),
            ("LAYER_NEXT_WRAPPER", "bootstrap", "it takes the whole path"),
            ("LAYER_NEXT_WRAPPER", "", "it takes the whole path"),
        ] {
            let error = read(&[(name, value)]).unwrap_err();
            assert!(error.starts_with(name) && error.contains(words), "{error}");
        }
    }
}
