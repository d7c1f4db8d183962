"""What Lambda's own runtime for Python does, as far as it takes on one's own machine: asks the Runtime API for events and
hands them to the handler. Lambda needs no such file."""

import http.client
import json
import os
import traceback
import types

from app import handler

INVOCATION = "/2018-06-01/runtime/invocation/"


def main():
    connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def send(method, path, body=None):
        connection.request(method, INVOCATION + path, body)
        response = connection.getresponse()
        return response.headers, response.read()

    while True:
        headers, event = send("GET", "next")
        request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        context = types.SimpleNamespace(aws_request_id=request_id)
        try:
            answer = json.dumps(handler(json.loads(event), context))
        except Exception as error:
            report = {"errorType": type(error).__name__, "errorMessage": str(error), "stackTrace": traceback.format_tb(error.__traceback__)}
            send("POST", f"{request_id}/error", json.dumps(report))
        else:
            send("POST", f"{request_id}/response", answer)


main()
