"""A function that was written for a load balancer in verify mode and knows nothing of the gate: an ASGI application
behind Mangum, which answers with the request as it sees it."""

import hashlib
import json

from mangum import Mangum
from x509middleware.asgi import ClientCertificateMiddleware


async def application(scope, receive, send):
    body = (await receive())["body"]
    certificate = scope["client_cert"]
    seen = {
        "method": scope["method"],
        "path": scope["raw_path"].decode() if scope.get("raw_path") else scope["path"],
        "query": scope["query_string"].decode(),
        "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
        "body": hashlib.sha256(body).hexdigest(),
        "client": hashlib.sha256(certificate.dump()).hexdigest() if certificate else None,
    }
    headers = [(b"content-type", b"application/json"), (b"set-cookie", b"a=1"), (b"set-cookie", b"b=2")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})


handler = Mangum(
    ClientCertificateMiddleware(application, proxy_header="x-amzn-mtls-clientcert-leaf"),
    lifespan="off",
)
