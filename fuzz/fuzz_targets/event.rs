#![no_main]

use alb_mtls_lambda::Event;
use serde_json::Value;

// Any JSON is read, and a request holds everything that the event says.
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
    // Of a name that occurs twice in the JSON, `value` holds the last one; the request holds both.
    for field in ["headers", "multiValueHeaders"] {
        for (name, sent) in value[field].as_object().into_iter().flatten() {
            let one = std::slice::from_ref(sent);
            for text in sent
                .as_array()
                .map_or(one, Vec::as_slice)
                .iter()
                .filter_map(Value::as_str)
            {
                let mut values = request.headers().get_all(name).iter();
                assert!(
                    values.any(|value| value.as_bytes() == text.as_bytes()),
                    "{name}: {text}"
                );
            }
        }
    }
});
