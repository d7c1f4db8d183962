//! The meaning of an event.

use alb_mtls_trust::CrlLocation;
use percent_encoding::percent_decode_str;
use serde_json::Value;

/// CRLs to refresh.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All: for the schedule, for a message that a certificate was revoked, and for an operator's
    /// request.
    All,
    /// The CRLs in these objects: S3 says that they changed.
    Objects(Vec<Changed>),
}

/// An object that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Changed {
    bucket: String,
    key: String,
}

/// The event asks for something that cannot be done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidEvent {
    #[error("`rebind` is not a list of URLs of CRLs")]
    Rebind,
    #[error("`rebind` names `{0}`, which is not among the CRLs of this function")]
    UnknownSource(String),
}

/// Reads for which CRLs an operator lifts the binding: `{"rebind":
/// ["http://crl.example.com/root.crl"]}`.
///
/// Only the event itself can ask for that. A message or notification within it comes from another
/// party.
pub(crate) fn rebinds(event: &Value) -> Result<Vec<CrlLocation>, InvalidEvent> {
    let Some(wanted) = event.get("rebind") else {
        return Ok(Vec::new());
    };
    let wanted = wanted.as_array().ok_or(InvalidEvent::Rebind)?;
    let locations = wanted.iter().map(|text| {
        let text = text.as_str().ok_or(InvalidEvent::Rebind)?;
        text.parse()
            .map_err(|_| InvalidEvent::UnknownSource(text.to_owned()))
    });
    locations.collect()
}

impl Wanted {
    /// Reads an event. Only a notification of S3, also within a message of SNS, asks for less than
    /// everything, so that what this function publishes itself never starts it again.
    pub(crate) fn by(event: &Value) -> Self {
        if let Some(changed) = changed_by_event_bridge(event) {
            return Self::Objects(vec![changed]);
        }
        let Some(records) = event.get("Records").and_then(Value::as_array) else {
            return Self::All;
        };
        let mut objects = Vec::new();
        for record in records {
            if let Some(changed) = changed_by_notification(record) {
                objects.push(changed);
                continue;
            }
            let message = record.pointer("/Sns/Message").and_then(Value::as_str);
            let inner = message.and_then(|message| serde_json::from_str(message).ok());
            match inner.as_ref().map(Self::by) {
                Some(Self::Objects(more)) => objects.extend(more),
                Some(Self::All) | None => return Self::All,
            }
        }
        Self::Objects(objects)
    }

    pub(crate) fn includes(&self, location: &CrlLocation) -> bool {
        match (self, location) {
            (Self::All, _) => true,
            (Self::Objects(_), CrlLocation::Http(_)) => false,
            (Self::Objects(objects), CrlLocation::Object(object)) => objects
                .iter()
                .any(|changed| changed.bucket == object.bucket && changed.key == object.key),
        }
    }
}

/// S3 through EventBridge; keys are written as they are.
fn changed_by_event_bridge(event: &Value) -> Option<Changed> {
    if event.get("source")?.as_str()? != "aws.s3" {
        return None;
    }
    Some(Changed {
        bucket: event.pointer("/detail/bucket/name")?.as_str()?.to_owned(),
        key: event.pointer("/detail/object/key")?.as_str()?.to_owned(),
    })
}

/// S3's own notifications; keys are encoded like forms.
fn changed_by_notification(record: &Value) -> Option<Changed> {
    let key = record.pointer("/s3/object/key")?.as_str()?.replace('+', " ");
    Some(Changed {
        bucket: record.pointer("/s3/bucket/name")?.as_str()?.to_owned(),
        key: percent_decode_str(&key).decode_utf8().ok()?.into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn includes(event: &Value, location: &str) -> bool {
        Wanted::by(event).includes(&location.parse().unwrap())
    }

    #[test]
    fn schedules_revocations_and_people_ask_for_everything() {
        for event in [
            json!({"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}),
            json!({}),
            json!(null),
            json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "{\"Subject\": \"Client certificate revoked\"}"}}]}),
            json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": "Client certificate revoked"}}]}),
        ] {
            assert_eq!(Wanted::by(&event), Wanted::All, "{event}");
        }
    }

    #[test]
    fn rebind_in_the_event_itself_alone_lifts_a_binding() {
        let url = "http://crl.example.com/root.crl";
        let event = json!({"rebind": [url]});
        assert_eq!(rebinds(&event), Ok(vec![url.parse().unwrap()]));
        assert_eq!(Wanted::by(&event), Wanted::All);
        let message = json!({"Records": [{"EventSource": "aws:sns", "Sns": {"Message": event.to_string()}}]});
        let bridged = json!({"source": "pki", "detail": event});
        for other in [message, bridged, json!({}), json!(null)] {
            assert_eq!(rebinds(&other), Ok(Vec::new()), "{other}");
        }
        for wrong in [
            json!({"rebind": url}),
            json!({"rebind": [7]}),
            json!({"rebind": null}),
        ] {
            assert_eq!(rebinds(&wrong), Err(InvalidEvent::Rebind), "{wrong}");
        }
        let unknown = json!({"rebind": ["root.crl"]});
        assert_eq!(
            rebinds(&unknown),
            Err(InvalidEvent::UnknownSource("root.crl".into()))
        );
    }

    #[test]
    fn changed_objects_ask_for_themselves() {
        let notification = json!({"Records": [{"s3": {"bucket": {"name": "pki"}, "object": {"key": "crls/my+root%2B.crl"}}}]});
        let bridged = json!({"source": "aws.s3", "detail": {"bucket": {"name": "pki"}, "object": {"key": "crls/my root+.crl"}}});
        let told = json!({"Records": [{"Sns": {"Message": notification.to_string()}}]});
        for event in [notification, bridged, told] {
            let changed = Changed {
                bucket: "pki".into(),
                key: "crls/my root+.crl".into(),
            };
            assert_eq!(Wanted::by(&event), Wanted::Objects(vec![changed]));
            assert!(!includes(&event, "s3://pki/other.crl"));
            assert!(!includes(&event, "http://pki/crls/root.crl"));
        }
        let plain = json!({"Records": [{"s3": {"bucket": {"name": "pki"}, "object": {"key": "root.crl"}}}]});
        assert!(includes(&plain, "s3://pki/root.crl"));
    }
}
