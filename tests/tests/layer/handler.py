"""A function for AWS's own runtime client, which knows nothing of the layer. It counts its calls."""

import json

CALLS = 0


def handler(event, context):
    global CALLS
    CALLS += 1
    if isinstance(event, dict) and event.get("path") == "/error":
        raise ValueError("the function failed")
    return {
        "statusCode": 200,
        "calls": CALLS,
        "seen": event,
        "request": context.aws_request_id,
        "body": json.dumps(context.get_remaining_time_in_millis() > 0),
    }
