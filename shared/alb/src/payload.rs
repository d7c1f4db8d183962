//! The payload of an invocation, before anything is known of it.

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::event::Event;

/// The payload of an invocation as it was sent.
///
/// Deserialising never fails, not even on what is not JSON or not UTF-8: the runtime's library would answer with a function
/// error, for which there is no decision record.
#[derive(Clone, Debug)]
pub struct Payload(Result<Box<RawValue>, String>);

impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Box::<RawValue>::deserialize(deserializer);
        Ok(Self(text.map_err(|error| error.to_string())))
    }
}

impl Payload {
    /// Returns the JSON text of the payload.
    ///
    /// # Errors
    /// The reason why the payload is not JSON text, for the operator.
    pub fn text(&self) -> Result<&str, &str> {
        match &self.0 {
            Ok(text) => Ok(text.get()),
            Err(error) => Err(error),
        }
    }

    /// Returns the event in the payload, whatever it is.
    pub fn event(&self) -> Event {
        self.text()
            .map_or_else(|error| Event::unreadable(&error), Event::from_json)
    }

    /// Returns the JSON text of the payload, where it is JSON.
    pub fn into_text(self) -> Option<Box<RawValue>> {
        self.0.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_is_sent_is_an_error() {
        for (sent, is_text) in [
            (&b"{}"[..], true),
            (b" {\"path\":\"\\ud800\"}", true),
            (b"1e999", true),
            (b"{\"path\":\"\xff\"}", false),
            (b"\xff", false),
            (b"{", false),
            (b"", false),
        ] {
            // As the runtime's library does it.
            let payload = Payload::deserialize(&mut serde_json::Deserializer::from_slice(sent)).unwrap();
            assert_eq!(payload.text().is_ok(), is_text, "{payload:?}");
            let _ = payload.event().into_request().unwrap_err();
        }
    }
}
