"""Prints whether botocore makes the same signature for a request: signature.py HEAD BODY ORIGIN REGION SECRET."""

import sys

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

head_path, body_path, origin, region, secret = sys.argv[1:]
with open(head_path, encoding="ascii") as head:
    request_line, *lines = head.read().splitlines()
with open(body_path, "rb") as body:
    body = body.read()
method, target, _ = request_line.split(" ")
headers = dict(line.split(": ", 1) for line in lines if line)
given = headers["authorization"]
signed_names = given.split("SignedHeaders=")[1].split(",")[0].split(";")
request = AWSRequest(method, origin + target, {name: headers[name] for name in signed_names}, body)
request.context["timestamp"] = headers["x-amz-date"]
auth = SigV4Auth(Credentials("test", secret), "lambda", region)
signature = auth.signature(auth.string_to_sign(request, auth.canonical_request(request)), request)
print(given.endswith(f"Signature={signature}"))
