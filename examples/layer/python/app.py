"""A function as it is behind many a load balancer. It knows the client from the headers of a load balancer in verify
mode, and nothing of the gate before it."""

import json

HEADER = "x-amzn-mtls-clientcert-subject"


def handler(event, context):
    # Single-value target groups send `headers`, multi-value ones `multiValueHeaders`.
    values = event.get("multiValueHeaders", {}).get(HEADER) or [event.get("headers", {}).get(HEADER)]
    answer = {"hello": values[0], "path": event["path"], "request": context.aws_request_id}
    headers = {"content-type": "application/json"}
    return {
        "statusCode": 200,
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "body": json.dumps(answer) + "\n",
        "isBase64Encoded": False,
    }
