#![no_main]

use alb_mtls_alb::Event;
use serde_json::Value;

// Any JSON is read, and a request says what the event says.
libfuzzer_sys::fuzz_target!(|json: &[u8]| {
    let event = serde_json::from_slice::<Event>(json);
    let Ok(value) = serde_json::from_slice::<Value>(json) else {
        return;
    };
    let Ok(request) = event.expect("JSON that can be read is an event").into_request() else {
        return;
    };
    assert_eq!(value["httpMethod"], request.method().as_str());
    assert_eq!(value["path"], request.uri().path());
    assert!(value["requestContext"]["elb"].is_object());
    let single = &value["headers"];
    let several = &value["multiValueHeaders"];
    for (name, header) in request.headers() {
        let is_sent = |field: &Value| {
            field.as_object().is_some_and(|fields| {
                fields.iter().any(|(sent, value)| {
                    sent.eq_ignore_ascii_case(name.as_str())
                        && (value.as_str().map(str::as_bytes) == Some(header.as_bytes())
                            || value.as_array().is_some_and(|values| {
                                values
                                    .iter()
                                    .any(|value| value.as_str().map(str::as_bytes) == Some(header.as_bytes()))
                            }))
                })
            })
        };
        assert!(is_sent(single) || is_sent(several), "{name}");
    }
});
