"""A web server as people run them behind Lambda Web Adapter: it knows nothing of Lambda.

It answers with the headers that it got and the number of its calls, not counting readiness checks."""

import http.server
import json
import os

calls = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        global calls
        if self.path != "/ready":
            calls += 1
        headers = [[name.lower(), value] for name, value in self.headers.items()]
        body = json.dumps({"calls": calls, "path": self.path, "headers": headers}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


http.server.ThreadingHTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
