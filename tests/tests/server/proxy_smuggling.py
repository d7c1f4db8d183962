"""Requests that two servers could read as different ones, sent through the built server.

The kinds are those that public collections test: lengths and codings that contradict each other or
are spelled in an unusual way, ends of lines, chunks, targets, hosts, and the same over HTTP/2. Each
case carries a second request in its body or after its end, for a path that the gate denies. The
log of the upstream says which requests it saw: each must be one that the gate allowed.

python proxy_smuggling.py SCENARIO: ends with 0 if nothing was smuggled.
"""

import asyncio
import collections
import json
import os
import socket
import subprocess
import tempfile
import time

from proxy_gate import FROM_BALANCER, Gate, eventually, request, run

# With each byte that a server could take for white space, at each place.
SPELLINGS = [
    *(f"{{}}:{chr(byte)}{{}}" for byte in [*range(1, 33), *range(127, 256)]),
    *(f"{{}}{chr(byte)}: {{}}" for byte in [*range(1, 33), *range(127, 256)]),
    *(f"{chr(byte)}{{}}: {{}}" for byte in [*range(1, 33), *range(127, 256)]),
    *(f"{{}}: {{}}{chr(byte)}" for byte in [*range(1, 33), *range(127, 256)]),
]
UNUSUAL = [
    "{}: {}",
    "{} : {}",
    "{}:{}",
    "{}:\t{}",
    "{}\t: {}",
    " {}: {}",
    "\t{}: {}",
    "{}: \x0b{}",
    "{}: \x0c{}",
    "{}: \x00{}",
    "{}: \x7f{}",
    "{}: \xa0{}",
    "{}:\r\n {}",
    "{}\r\n : {}",
    "{}: {}\r",
    "{}: {}\x00",
    "{}: {},",
    "{}: ,{}",
    "{}: {}; q=1",
    "{}: {}, identity",
    "{}: identity, {}",
    '{}: "{}"',
    "{}: {}x",
    "{}: x{}",
    "{}\x00: {}",
    "x: y\r{}: {}",
    "x: y\n{}: {}",
    "x: y\r\r\n{}: {}",
    "x: y\n\r\n{}: {}",
]
NAMES = ["transfer-encoding", "Transfer-Encoding", "TRANSFER-ENCODING", "transfer_encoding", "transfer-encod\x69ng"]
LENGTHS = ["+{}", "-{}", "0x{:x}", "0{}", "{}.0", "{} 0", "{},{}", "{}, 0", "0, {}", "{}e0", "", "\u0664", "1{:0>30}"]
CHUNK_SIZES = ["{:x} ", " {:x}", "0x{:x}", "+{:x}", "-{:x}", "0000{:x}", "{:x};a=b", "{:x};\n", "{:x}\n", "1{:016x}", "{:x}\t", "{:x}\r"]


def cases():
    """Bytes of each case, with its number in its paths."""
    numbers = iter(range(100_000))

    def case(line, *headers, body=None, **options):
        number = next(numbers)
        hidden = f"GET /hidden/{number} HTTP/1.1\r\nhost: a.example\r\nx: ".encode()
        hidden += b"\r\n\r\n" if body is None else b""
        body = body(hidden) if body else hidden
        headers = [header.replace("LENGTH", str(len(body))) for header in headers]
        return request(line.format(number), *headers, body=body, **options)

    chunked = lambda hidden: b"%x\r\n%s\r\n0\r\n\r\n" % (len(hidden), hidden)
    ended = lambda hidden: b"0\r\n\r\n" + hidden + b"y\r\n\r\n"
    for spelling in SPELLINGS + UNUSUAL:
        for name in (NAMES if spelling in UNUSUAL else NAMES[:1]):
            coding = spelling.format(name, "chunked")
            for headers in (["content-length: LENGTH", coding], [coding, "content-length: LENGTH"], [coding], ["content-length: 4", coding]):
                yield case("POST /shown/{}", *headers, body=ended)
                yield case("POST /shown/{}", *headers, body=chunked)
        length = spelling.format("content-length", "LENGTH")
        yield case("POST /shown/{}", length)
        yield case("GET /shown/{}", length, "content-length: 0")
        yield case("GET /shown/{}", "content-length: 0", length)
    for coding in ("gzip, chunked", "chunked, gzip", "chunked, chunked", "gzip", "deflate", "cow", "", "chunked;a", "chunked\r\ntransfer-encoding: x"):
        for body in (ended, chunked):
            yield case("POST /shown/{}", f"transfer-encoding: {coding}", body=body)
            yield case("POST /shown/{}", f"transfer-encoding: {coding}", body=body, version="HTTP/1.0")
    for length in LENGTHS:
        value = length.format(30, 30).encode("utf-8").decode("latin-1")
        yield case("POST /shown/{}", f"content-length: {value}")
        yield case("POST /shown/{}", "content-length: 0", f"content-length: {value}")
    for size in CHUNK_SIZES:
        body = lambda hidden, size=size: size.format(3).encode() + b"\r\nabc\r\n0\r\n\r\n" + hidden + b"y\r\n\r\n"
        yield case("POST /shown/{}", "transfer-encoding: chunked", body=body)
    for end in (b"\n", b"\r", b"", b"\r\r\n", b"\n\r", b"XX", b"\0\r\n"):
        for body in (
            lambda hidden, end=end: b"3" + end + b"abc\r\n0\r\n\r\n" + hidden + b"y\r\n\r\n",
            lambda hidden, end=end: b"3\r\nabc" + end + b"0\r\n\r\n" + hidden + b"y\r\n\r\n",
            lambda hidden, end=end: b"3\r\nabc\r\n0" + end + b"\r\n" + hidden + b"y\r\n\r\n",
            lambda hidden, end=end: b"3\r\nabc\r\n0\r\n" + end + hidden + b"y\r\n\r\n",
        ):
            yield case("POST /shown/{}", "transfer-encoding: chunked", body=body)
    for method in ("GET", "HEAD", "DELETE", "OPTIONS", "TRACE", "PROPFIND", "get", "X" * 60):
        yield case(method + " /shown/{}", "content-length: LENGTH")
        yield case(method + " /shown/{}")
        yield case(method + " /shown/{}", "transfer-encoding: chunked", body=chunked)
    for expect in ("100-continue", "100-continue, x", "x", "\n100-continue"):
        yield case("POST /shown/{}", f"expect: {expect}", "content-length: LENGTH")
    for target in ("/shown/{} HTTP/1.1\r\nx: y", "/shown/{}\tHTTP/1.1", "http://a.example/shown/{}", "//a.example/shown/{}", "/shown/{}#x", "/shown/{}?\r\nx: y", "/shown/{}\x0b"):
        yield case("GET " + target)
    for host in ("host: a.example\r\nhost: b.example", "host: a.example@b.example", "host:", " host: a.example", "host: a.example\r\n b.example", None):
        yield case("GET /shown/{}", host=host)
    for option in ("close, content-length", "transfer-encoding", "keep-alive, host", "upgrade, content-length"):
        yield case("POST /shown/{}", f"connection: {option}", "content-length: LENGTH")
    for upgrade in ("h2c", "websocket", "HTTP/2.0", "TLS/1.0"):
        yield case("GET /shown/{}", "connection: upgrade", f"upgrade: {upgrade}", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==", "sec-websocket-version: 1")
    for version in ("HTTP/1.0", "HTTP/0.9", "HTTP/1.2", "HTTP/2.0", "HTTP/1.1 ", "http/1.1", "HTTP/01.1", ""):
        yield case("POST /shown/{}", "content-length: LENGTH", version=version)


async def send(port, sent):
    """Sends bytes on a connection of its own, and reads what comes until a pause."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        while await asyncio.wait_for(reader.read(65536), 0.3):
            pass
    except (TimeoutError, OSError):
        pass
    finally:
        writer.close()


async def send_http2(port):
    """The same over HTTP/2, whose frames have lengths of their own, without a library that checks."""
    import h2.config
    import h2.connection

    sent = 0
    for extra in (
        [("transfer-encoding", "chunked")],
        [("content-length", "0")],
        [("content-length", "3")],
        [("content-length", "300")],
        [("connection", "upgrade"), ("upgrade", "h2c")],
        [("x", "y\r\ntransfer-encoding: chunked")],
        [("x\r\ntransfer-encoding", "chunked")],
        [("x: y", "z")],
        [("host", "b.example")],
        [("host", "a.example"), ("host", "b.example")],
        [(":path", "/hidden/http2")],
        [("Content-Length", "0")],
        [("te", "chunked")],
        [("x", "\n\nGET /hidden/http2 HTTP/1.1")],
    ):
        for path in ("/shown/http2", "/shown/http2 HTTP/1.1\r\nx: y"):
            config = h2.config.H2Configuration(
                validate_outbound_headers=False, normalize_outbound_headers=False, header_encoding="latin-1"
            )
            connection = h2.connection.H2Connection(config)
            connection.initiate_connection()
            headers = [(":method", "POST"), (":scheme", "http"), (":authority", "a.example"), (":path", path)]
            connection.send_headers(1, headers + list(FROM_BALANCER.items()) + extra)
            connection.send_data(1, b"0\r\n\r\nGET /hidden/http2 HTTP/1.1\r\nhost: a.example\r\n\r\n", end_stream=True)
            await send(port, connection.data_to_send())
            sent += 1
    return sent


async def attack(gate, seen):
    """Sends every case, and compares what the upstream saw with what the gate allowed."""
    sent = list(cases())
    limit = asyncio.Semaphore(100)

    async def one(case):
        async with limit:
            await send(gate.port, case)

    await asyncio.gather(*(one(case) for case in sent))
    count = len(sent) + await send_http2(gate.port)
    await asyncio.sleep(0.5)
    seen = collections.Counter(seen())
    decided = collections.Counter(
        (line["method"], line["path"]) for line in gate.decisions() if line["decision"] == "allowed"
    )
    smuggled = {path: number for path, number in seen.items() if "/hidden" in path[1]}
    assert not smuggled, smuggled
    assert seen <= decided, seen - decided
    assert sum(seen.values()) > 200, "almost nothing passed"
    print(f"{count} cases, {sum(seen.values())} requests at the upstream, each of them allowed")


async def nginx():
    """nginx behind the server."""
    with tempfile.TemporaryDirectory() as directory:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        places = " ".join(
            f"{name}_temp_path {directory}/{name};" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        with open(f"{directory}/nginx.conf", "w", encoding="ascii") as file:
            file.write(
                f"daemon off; master_process off; pid {directory}/pid; error_log {directory}/error.log;"
                "events {} http {"
                """log_format seen escape=json '["$request_method","$request_uri","$status"]';"""
                f"access_log {directory}/access.log seen; {places}"
                f"server {{ listen 127.0.0.1:{port}; location / {{ return 200 ok; }} }} }}"
            )
        process = subprocess.Popen(["nginx", "-p", directory, "-c", f"{directory}/nginx.conf"])
        try:
            eventually(lambda: os.path.exists(f"{directory}/pid"))

            def seen():
                with open(f"{directory}/access.log", encoding="ascii") as file:
                    lines = [json.loads(line) for line in file]
                # Without a request line, a request that was not complete.
                assert all(status == "400" for method, _, status in lines if not method), lines
                return [(method, path) for method, path, _ in lines if method]

            with Gate(f"http://127.0.0.1:{port}", SERVER_HEADER_TIMEOUT="5s") as gate:
                await attack(gate, lambda: [(method, path.split("?")[0]) for method, path in seen()])
        finally:
            process.terminate()
            process.wait()


async def python():
    """A server in Python behind the server."""
    from aiohttp import web

    seen = []

    async def note(request):
        # Read to its end, so that what is left is a request.
        await request.read()
        seen.append((request.method, request.raw_path.split("?")[0]))
        return web.Response(text="ok")

    server = web.Server(note)
    runner = web.ServerRunner(server)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    with Gate(f"http://127.0.0.1:{port}", SERVER_HEADER_TIMEOUT="5s") as gate:
        await attack(gate, lambda: seen)
    await runner.cleanup()


if __name__ == "__main__":
    run(globals())
