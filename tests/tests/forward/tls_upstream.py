"""An HTTPS upstream that answers with what it knows of its client: tls_upstream.py CHAIN KEY [CLIENT_CA]."""

import http.server
import json
import ssl
import sys

chain, key, *client_ca = sys.argv[1:]
context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
context.load_cert_chain(chain, key)
if client_ca:
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(client_ca[0])
names = []
context.sni_callback = lambda _socket, name, _context: names.append(name)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        peer = self.connection.getpeercert() or {}
        subject = {key: value for part in peer.get("subject", ()) for key, value in part}
        body = json.dumps({
            "client": subject.get("commonName"),
            "server_name": names[-1] if names else None,
            "protocol": self.connection.version(),
            "application_protocol": self.connection.selected_alpn_protocol(),
        }).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def finish_request(self, request, client_address):
        try:
            with context.wrap_socket(request, server_side=True) as wrapped:
                super().finish_request(wrapped, client_address)
        except (OSError, ssl.SSLError):
            pass


server = Server(("127.0.0.1", 0), Handler)
print(server.server_address[1], flush=True)
server.serve_forever()
