"""The built server, byte for byte: broken answers, slow peers, early answers, limits.

python proxy_bytes.py SCENARIO: ends with 0 if the scenario went as it should.
"""

import os
import socket
import threading
import time

from proxy_gate import Gate, Upstream, answering, eventually, head, request, run

OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
KEY = "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"


def broken_answers():
    """An answer that breaks off is broken for the client too, and no request is sent twice."""
    for case, answer, expected in [
        ("length", b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nabc", "200 broken"),
        ("chunks", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n", "200 broken"),
        ("chunk", b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n", "200 broken"),
        ("head", b"HTTP/1.1 200 O", "502"),
        ("nothing", b"", "502"),
        ("another protocol", b"SSH-2.0-x\r\n", "502"),
        ("two lengths", b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ncontent-length: 4\r\n\r\nabcd", "502"),
        ("coding", b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "502"),
        ("until the end", b"HTTP/1.0 200 OK\r\n\r\nabc", "200 whole"),
    ]:
        heads = []

        def serve(connection, answer=answer):
            heads.append(head(connection))
            connection.sendall(answer)
            time.sleep(0.05)

        with Gate(Upstream(serve).url) as gate:
            got, ended = gate.exchange(request("GET /"))
            assert got.startswith(b"HTTP/1.1 " + expected[:3].encode()), (case, got)
            if "broken" in expected:
                assert ended and not got.endswith(b"\r\n0\r\n\r\n"), (case, got)
            if "whole" in expected:
                assert got.endswith(b"3\r\nabc\r\n0\r\n\r\n"), (case, got)
            assert len(heads) == 1, case


def bodyless_answers():
    """Two requests on one connection get their own answers, where an answer has no body."""
    for method, answer, first in [
        ("GET", b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", b"204"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", b"304"),
        ("HEAD", b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", b"200"),
        ("HEAD", b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\n", b"204"),
        ("GET", b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + OK, b"200"),
        # What comes after the answer is not taken for the next one.
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", b"204"),
    ]:
        with Gate(Upstream(answering(answer)).url) as gate:
            got, ended = gate.exchange(request(f"{method} /1") + request(f"{method} /2"))
            assert got.count(b"HTTP/1.1 " + first) == 2 and got.count(b"HTTP/") == 2, got
            assert b"evil" not in got and not ended, got
            if first == b"204":
                assert b"content-length" not in got, got
            if method == "HEAD" and first == b"200":
                assert got.count(b"content-length: 5") == 2, got


def switched_protocols():
    """Only a WebSocket that the client asked for, and that the upstream completed, is joined."""
    ask = ["connection: Upgrade", "upgrade: websocket", KEY, "sec-websocket-version: 13"]
    switch = b"HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\n"
    for case, sent, answer, joined in [
        ("a WebSocket", request("GET /", *ask), switch + b"upgrade: websocket\r\n" + ACCEPT, True),
        ("not asked for", request("GET /"), switch + b"upgrade: websocket\r\n" + ACCEPT, False),
        ("without its key", request("GET /", *ask[:2]), switch + b"upgrade: websocket\r\n" + ACCEPT, False),
        ("not completed", request("GET /", *ask), switch + b"upgrade: websocket\r\n", False),
        ("another protocol", request("GET /", *ask), switch + b"upgrade: h2c\r\n" + ACCEPT, False),
        ("POST", request("POST /", *ask), switch + b"upgrade: websocket\r\n" + ACCEPT, False),
        ("HTTP/1.0", request("GET /", *ask, version="HTTP/1.0"), switch + b"upgrade: websocket\r\n" + ACCEPT, False),
        (
            "h2c",
            request("GET /", "connection: upgrade, http2-settings", "upgrade: h2c", "http2-settings: AAMAAABk"),
            switch + b"upgrade: h2c\r\n",
            False,
        ),
    ]:
        heads, after = [], []

        def serve(connection, answer=answer, heads=heads, after=after):
            heads.append(head(connection))
            connection.sendall(answer + b"\r\n")
            while part := connection.recv(100):
                after.append(part)
                connection.sendall(b"echo " + part)

        with Gate(Upstream(serve).url) as gate, gate.connect() as client:
            client.sendall(sent)
            got = head(client)
            assert got.startswith(b"HTTP/1.1 101" if joined else (b"HTTP/1.0 502", b"HTTP/1.1 502")), (case, got)
            asked = b"upgrade: websocket" in heads[0].lower()
            assert asked == (case in ("a WebSocket", "not completed", "another protocol")), (case, heads)
            assert b"h2c" not in heads[0] and b"http2-settings" not in heads[0], heads
            # A request in the tunnel would be one that the gate does not see.
            client.sendall(request("GET /smuggled", verified=False))
            got, _ = gate.read(client)
            assert (b"echo " in got) == joined and bool(after) == joined, (case, got)
            if joined:
                # The end of one direction is passed on, and the other goes on.
                client.shutdown(socket.SHUT_WR)
                got, ended = gate.read(client)
                assert ended


def uploads():
    """Answers before the end of an upload: the gate's own, and the upstream's."""
    body = b"x" * 10_000_000
    length = f"content-length: {len(body)}"

    def early(connection):
        head(connection)
        connection.sendall(b"HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig")

    def patient(connection):
        left = len(body)
        rest = head(connection)
        left -= len(rest.split(b"\r\n\r\n", 1)[1])
        connection.sendall(b"HTTP/1.1 403 No\r\ncontent-length: 2\r\n\r\nno")
        while left > 0:
            left -= len(connection.recv(65536))
        answering(OK)(connection)

    with Gate(Upstream(early).url) as gate:
        for _ in range(20):
            got, _ = gate.exchange(request("POST /", length) + body, quiet=3)
            assert got.startswith(b"HTTP/1.1 413"), got
    upstream = Upstream(patient)
    with Gate(upstream.url, SERVER_MAX_BODY="20000000") as gate:
        with gate.connect() as client:
            client.sendall(request("POST /", length))
            assert client.recv(1000).startswith(b"HTTP/1.1 403")
            client.sendall(body + request("POST /2", "content-length: 0"))
            got, _ = gate.read(client, 2)
            assert got.startswith((b"HTTP/1.1 403", b"HTTP/1.1 200")), got
        # A denied client sends all of its body, reads the answer and uses the connection again.
        with gate.connect() as client:
            client.sendall(request("POST /", length, verified=False) + body)
            client.sendall(request("GET /last", verified=False))
            got, _ = gate.read(client, 2)
            assert got.count(b"HTTP/1.1 401") == 2, got
        # It is not asked for a body that is not needed.
        expect = "expect: 100-continue"
        got, _ = gate.exchange(request("POST /", "content-length: 3", expect, verified=False))
        assert got.startswith(b"HTTP/1.1 401"), got
        for length in ["content-length: 30000000", "transfer-encoding: chunked"]:
            sent = b"%x\r\n" % len(body) + body + b"\r\n"
            sent = b"x" * 30_000_000 if "content" in length else sent * 3 + b"0\r\n\r\n"
            got, _ = gate.exchange(request("POST /", length) + sent, quiet=3)
            assert got.startswith(b"HTTP/1.1 4"), got[:100]


def slow_peers():
    """Each wait has an end: for headers, bodies, readers, and upstreams that say nothing."""
    limits = {"SERVER_HEADER_TIMEOUT": "1s", "SERVER_IDLE_TIMEOUT": "2s", "FORWARD_TIMEOUT": "2s"}
    gone = threading.Event()

    def endless(connection):
        read = head(connection)
        if b"POST" in read:
            while connection.recv(1000):
                pass
            return
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n")
        try:
            while True:
                connection.sendall(b"x" * 65536)
        except OSError:
            gone.set()

    with Gate(Upstream(endless).url, **limits) as gate:
        # A client that does not read its answer.
        reader = gate.connect()
        reader.sendall(request("GET /"))
        begun = time.monotonic()
        got, ended = gate.exchange(request("POST /", "content-length: 9", body=b"abc"), quiet=5)
        assert got.startswith(b"HTTP/1.1 408"), got
        assert 1.8 < time.monotonic() - begun < 8
        begun = time.monotonic()
        got, ended = gate.exchange(b"GET / HTTP/1.1\r\nhost: a.exa", quiet=5)
        assert ended and time.monotonic() - begun < 3
        assert gone.wait(8), "the upstream still writes"
        assert gate.memory() < 64 * 1024 * 1024
        eventually(lambda: any(line.get("detail") == "request_stalled" for line in gate.lines))
    # Its backlog takes connections, and it never says a word.
    listener = socket.create_server(("127.0.0.1", 0))
    port = listener.getsockname()[1]
    for scheme in ("https", "h2", "h2c", "http"):
        tls = {"FORWARD_UPSTREAM_CA": os.environ["UPSTREAM_CA"]} if scheme in ("https", "h2") else {}
        with Gate(f"{scheme}://localhost:{port}", **limits, **tls) as gate:
            results = []

            def ask(gate=gate, results=results):
                begun = time.monotonic()
                got, _ = gate.exchange(request("GET /"), quiet=8)
                results.append((got[9:12], time.monotonic() - begun))

            threads = [threading.Thread(target=ask) for _ in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert all(status == b"504" for status, _ in results), (scheme, results)


def clients_that_leave():
    """The upstream learns that its client has gone: before an answer, and in the middle of one."""
    ends = []

    def serve(connection):
        if b"/wait" in head(connection):
            ends.append(("wait", connection.recv(1)))
            return
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 1000000000000\r\n\r\n")
        try:
            while True:
                connection.sendall(b"x" * 65536)
        finally:
            ends.append(("read", b""))

    with Gate(Upstream(serve).url) as gate:
        for path in ("/wait", "/read"):
            with gate.connect() as client:
                client.sendall(request(f"GET {path}"))
                time.sleep(0.3)
            eventually(lambda path=path: (path[1:], b"") in ends)


def late_answers():
    """An answer that was not asked for reaches no client, and no connection with one is used."""
    lock, connections = threading.Lock(), []

    def serve(connection):
        with lock:
            connections.append(connection)
        while read := head(connection):
            path = read.split(b" ")[1]
            connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%s" % (len(path), path))

    stranger = b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nstranger"
    late = [stranger, b"HTTP/1.1 2", b"\r\n", b"x"]
    with Gate(Upstream(serve).url) as gate:
        swapped = []

        def ask(number, rounds):
            with gate.connect() as client:
                for one in range(rounds):
                    path = f"/{number}/{one}".encode()
                    client.sendall(request(path.decode().join(["GET ", ""])))
                    got = head(client)
                    while not got.endswith(path) and b"stranger" not in got and b" 502" not in got:
                        part = client.recv(1000)
                        assert part, got
                        got += part
                    if not got.endswith(path):
                        swapped.append(got)
                    with lock:
                        for other in connections:
                            try:
                                other.send(late[one % len(late)], socket.MSG_DONTWAIT)
                            except OSError:
                                pass
                    time.sleep(0.002)

        ask("alone", 100)
        assert not swapped, swapped[:3]
        # While others are under way, a late answer can be taken for theirs: by the upstream's own
        # fault. One at a time stays right.
        with lock:
            connections.clear()
        ask("again", 100)
        assert not swapped, swapped[:3]


def hosts():
    """Two hosts in one request are rejected, whichever way they are written."""
    upstream = Upstream(answering(OK))
    with Gate(upstream.url) as gate:
        for sent, status in [
            (request("GET /", "host: b.example"), b"400"),
            (request("GET /", "host: a.example"), b"400"),
            (request("GET http://b.example/"), b"400"),
            (request("GET http://a.example/"), b"200"),
            (request("GET http://A.example:80/"), b"200"),
        ]:
            got, _ = gate.exchange(sent)
            assert got[9:12] == status, (sent[:60], got[:60])
        assert upstream.connections <= 2


FORGED = [
    "x-amzn-mtls-clientcert-subject",
    "X-Amzn-Mtls-Clientcert-Leaf",
    "x-amzn-mtls-clientcert-serial-number",
    "x-amzn-mtls-clientcert-issuer",
    "x-amzn-mtls-clientcert",
    "x_amzn_mtls_clientcert_subject",
    "client-cert",
    "Client-Cert-Chain",
    "client_cert",
    "x-forwarded-client-cert",
    "x-ssl-client-cert",
    "x-client-verify",
    "ssl-client-cert",
    "x-alb-mtls-assertion",
]
OVERRIDES = [
    "x-http-method-override",
    "X-HTTP-Method",
    "x-method-override",
    "x_http_method_override",
    "x-original-url",
    "x-rewrite-url",
    "x-original-uri",
    "x-forwarded-host",
    "x-forwarded-prefix",
    "x-forwarded-uri",
    "x-forwarded-method",
]


def forgery():
    """No header in which a client states an identity, a method or a path of its own gets through."""
    heads = []

    def serve(connection):
        while read := head(connection):
            heads.append(read.decode("latin-1").lower())
            connection.sendall(OK)

    upstream = Upstream(serve)
    routes = {"FORWARD_ROUTES": "public:/status /"}
    with Gate(upstream.url, **routes) as gate:
        for name in FORGED + OVERRIDES:
            for spelled in {name, name.upper(), name.replace("-", "_"), name.title()}:
                for path, verified in (("/", True), ("/status", False)):
                    sent = [f"{spelled}: forged", f"{spelled}: forged twice", f"connection: close, {spelled}"]
                    before = len(heads)
                    got, _ = gate.exchange(request(f"GET {path}", *sent, verified=verified), quiet=5)
                    if name == "x-amzn-mtls-clientcert" and got[9:12] == b"401":
                        # Certificates in the header that load balancers use by default.
                        assert len(heads) == before
                        continue
                    assert got[9:12] == b"200", (spelled, got[:100])
                    assert "forged" not in heads[-1], (spelled, heads[-1])
                    stated = "client-cert:" in heads[-1]
                    assert stated == verified, (spelled, heads[-1])
        count = len(heads)
        # A path that some server takes for a public one needs a certificate.
        for path in ("/statu%73", "/status/../a", "//status", "/status/..;/a", "/STATUS", "/status%2f..%2fa", "/"):
            got, _ = gate.exchange(request(f"GET {path}", "connection: close", verified=False), quiet=5)
            assert got[9:12] == b"401", (path, got[:100])
        assert len(heads) == count
        trailers = b"3\r\nabc\r\n0\r\nclient-cert: forged\r\n\r\n"
        fields = ["transfer-encoding: chunked", "trailer: client-cert"]
        got, _ = gate.exchange(request("POST /", *fields, body=trailers))
        assert got[9:12] == b"200" and "forged" not in heads[-1], heads[-1]
    # A certificate is only taken from the networks of the load balancer.
    with Gate(upstream.url, MTLS_PEERS="127.0.0.2/32") as gate:
        got, _ = gate.exchange(request("GET /"))
        assert got[9:12] == b"403", got
        with socket.create_connection(("127.0.0.1", gate.port), 5, ("127.0.0.2", 0)) as other:
            other.sendall(request("GET /"))
            got, _ = gate.read(other)
        assert got[9:12] == b"200", got


if __name__ == "__main__":
    run(globals())
