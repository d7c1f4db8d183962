"""An upstream that serves only requests which passed the gate, wherever they come from.

    pip install 'PyJWT[crypto]'
    python examples/verify_assertion.py https://gate.example/.well-known/alb-mtls/jwks.json https://gate.example http://app:8080

The arguments are the gate's key set, its FORWARD_ASSERTION_ISSUER and the audience: this server as FORWARD_UPSTREAM
names it, or FORWARD_ASSERTION_AUDIENCE. The port is the audience's.
"""

import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from urllib.parse import urlsplit

import jwt

jwks_url, issuer, audience = sys.argv[1:]
keys = jwt.PyJWKClient(jwks_url, lifespan=300)


def client_of(headers):
    """The claims about the client, or an error: no token, two of them, or one that is not for this server now."""
    [token] = headers.get_all("X-Client-Cert-Assertion") or [""]
    if jwt.get_unverified_header(token).get("typ") != "client-cert+jwt":
        raise jwt.InvalidTokenError("a token of another kind")
    key = keys.get_signing_key_from_jwt(token)
    required = {"require": ["exp", "iat", "iss", "aud", "sub", "cnf"]}
    return jwt.decode(token, key, ["ES256"], issuer=issuer, audience=audience, options=required)


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        try:
            status, answer = 200, f"hello {client_of(self.headers)['sub']}\n"
        except (ValueError, jwt.PyJWTError) as error:
            status, answer = 401, f"{type(error).__name__}\n"
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(answer.encode())


if __name__ == "__main__":
    HTTPServer((urlsplit(audience).hostname, urlsplit(audience).port), Handler).serve_forever()
