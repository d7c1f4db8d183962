"""Clients and servers in Python libraries on both sides of the built server.

python proxy_libraries.py SCENARIO: ends with 0 if the scenario went as it should.
"""

import asyncio
import contextlib
import hashlib
import os
import threading
import time
from concurrent import futures

from proxy_gate import FROM_BALANCER, HEADER, Gate, eventually, run


def grpc():
    """Unary calls, streams in all directions, status in trailers, deadline, cancellation."""
    import grpc as library

    seen = {"ended": [], "metadata": {}}

    def unary(request, context):
        seen["metadata"] = dict(context.invocation_metadata())
        context.set_trailing_metadata((("x-sum", hashlib.sha256(request).hexdigest()),))
        if request == b"fail":
            context.abort(library.StatusCode.FAILED_PRECONDITION, "not today: ä")
        return request

    def server_stream(request, context):
        context.add_callback(lambda: seen["ended"].append("server_stream"))
        for number in range(int(request)):
            if not context.is_active():
                return
            yield str(number).encode()
            time.sleep(0.01)

    def client_stream(requests, context):
        return str(sum(len(request) for request in requests)).encode()

    def both(requests, context):
        for request in requests:
            yield request[::-1]

    def slow(request, context):
        context.add_callback(lambda: seen["ended"].append("slow"))
        eventually(lambda: not context.is_active())
        return b""

    handlers = {
        "unary": library.unary_unary_rpc_method_handler(unary),
        "server_stream": library.unary_stream_rpc_method_handler(server_stream),
        "client_stream": library.stream_unary_rpc_method_handler(client_stream),
        "both": library.stream_stream_rpc_method_handler(both),
        "slow": library.unary_unary_rpc_method_handler(slow),
    }
    server = library.server(futures.ThreadPoolExecutor(16))
    server.add_generic_rpc_handlers((library.method_handlers_generic_handler("t.T", handlers),))
    with open(os.environ["UPSTREAM_KEY"], "rb") as key, open(os.environ["UPSTREAM_CHAIN"], "rb") as chain:
        credentials = library.ssl_server_credentials([(key.read(), chain.read())])
    secure = server.add_secure_port("localhost:0", credentials)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    metadata = tuple(FROM_BALANCER.items())
    with Gate(f"h2://localhost:{secure}", FORWARD_UPSTREAM_CA=os.environ["UPSTREAM_CA"]) as gate:
        call = library.insecure_channel(f"127.0.0.1:{gate.port}").unary_unary("/t.T/unary")
        answer, done = call.with_call(b"a", metadata=metadata)
        assert answer == b"a" and "x-sum" in dict(done.trailing_metadata())
    with Gate(f"h2c://127.0.0.1:{port}") as gate:
        channel = library.insecure_channel(f"127.0.0.1:{gate.port}")
        call = channel.unary_unary("/t.T/unary")
        for size in (0, 1, 100_000, 4_000_000):
            request = os.urandom(size)
            answer, done = call.with_call(request, metadata=metadata)
            assert answer == request
            sums = dict(done.trailing_metadata())
            assert sums["x-sum"] == hashlib.sha256(request).hexdigest()
        assert "client-cert" in seen["metadata"] and HEADER not in seen["metadata"]
        with contextlib.suppress(library.RpcError):
            call(b"fail", metadata=metadata)
            raise AssertionError("it did not fail")
        try:
            call(b"fail", metadata=metadata)
        except library.RpcError as error:
            assert error.code() == library.StatusCode.FAILED_PRECONDITION, error
            assert error.details() == "not today: ä"
        try:
            call(b"", metadata=(("x-forwarded-for", "192.0.2.7"),))
        except library.RpcError as error:
            assert error.code() == library.StatusCode.UNAUTHENTICATED, error
        stream = channel.unary_stream("/t.T/server_stream")
        assert len(list(stream(b"50", metadata=metadata))) == 50
        parts = channel.stream_unary("/t.T/client_stream")
        assert parts((b"x" * 10_000 for _ in range(300)), metadata=metadata) == b"3000000"
        # Each part is answered before the next is sent.
        ready = threading.Semaphore(1)

        def one_by_one():
            for number in range(20):
                ready.acquire()
                yield str(number).encode()

        answers = []
        for answer in channel.stream_stream("/t.T/both")(one_by_one(), metadata=metadata):
            answers.append(answer)
            ready.release()
        assert answers == [str(number).encode()[::-1] for number in range(20)]
        begun = time.monotonic()
        try:
            channel.unary_unary("/t.T/slow")(b"", timeout=0.5, metadata=metadata)
            raise AssertionError("it did not end")
        except library.RpcError as error:
            assert error.code() == library.StatusCode.DEADLINE_EXCEEDED, error
        assert time.monotonic() - begun < 2
        eventually(lambda: "slow" in seen["ended"])
        seen["ended"].clear()
        cancelled = stream(b"100000", metadata=metadata)
        next(cancelled)
        cancelled.cancel()
        eventually(lambda: "server_stream" in seen["ended"])
        # An upstream that restarts: calls fail while it is away, and none after.
        assert call(b"a", metadata=metadata) == b"a"
        server.stop(0).wait()
        try:
            call(b"a", metadata=metadata)
            raise AssertionError("it did not fail")
        except library.RpcError as error:
            assert error.code() == library.StatusCode.UNAVAILABLE, error


async def websocket():
    """Messages both ways, a large one, fragments, close codes, an upstream that says no."""
    from websockets.asyncio.client import connect
    from websockets.asyncio.server import serve
    from websockets.exceptions import ConnectionClosed, InvalidStatus

    seen = {}

    async def echo(connection):
        seen["headers"] = connection.request.headers
        try:
            async for message in connection:
                if message == "bye":
                    await connection.close(4001, "as asked")
                await connection.send(message)
        except ConnectionClosed as closed:
            seen["closed"] = closed.rcvd and closed.rcvd.code

    def deny(connection, request):
        return connection.respond(403, "no\n") if request.path == "/no" else None

    async with serve(echo, "127.0.0.1", 0, process_request=deny, max_size=None, ping_interval=None) as upstream:
        port = upstream.sockets[0].getsockname()[1]
        with Gate(f"http://127.0.0.1:{port}", SERVER_IDLE_TIMEOUT="3s") as gate:
            url = f"ws://127.0.0.1:{gate.port}"
            usual = {"additional_headers": FROM_BALANCER, "max_size": None, "ping_interval": None}
            async with connect(f"{url}/a", **usual) as client:
                assert "client-cert" in seen["headers"] and HEADER not in seen["headers"]
                for message in ("a", "", b"\0" * 100, b"x" * 5_000_000, "ä" * 70_000):
                    await client.send(message)
                    assert await client.recv() == message
                await client.send(["a", "b", "c"])
                assert await client.recv() == "abc"
                await (await client.ping())
                await client.send("bye")
                try:
                    while True:
                        await client.recv()
                except ConnectionClosed as closed:
                    assert (closed.rcvd.code, closed.rcvd.reason) == (4001, "as asked")
            for path, headers, status in (("/no", FROM_BALANCER, 403), ("/a", {}, 401)):
                try:
                    await connect(f"{url}{path}", additional_headers=headers).__aenter__()
                    raise AssertionError("it was accepted")
                except InvalidStatus as error:
                    assert error.response.status_code == status
            # A client that goes away without a word.
            client = await connect(f"{url}/a", **usual)
            client.transport.abort()
            begun = time.monotonic()
            while "closed" not in seen:
                assert time.monotonic() - begun < 5
                await asyncio.sleep(0.05)
            # Without a byte in either direction the connection ends.
            idle = await connect(f"{url}/a", **usual)
            await asyncio.sleep(2)
            await idle.send("still here")
            assert await idle.recv() == "still here"
            begun = time.monotonic()
            try:
                await idle.recv()
                raise AssertionError("it did not end")
            except ConnectionClosed:
                assert 2.5 < time.monotonic() - begun < 5, time.monotonic() - begun


async def bodies():
    """100 MB each way over each kind of upstream, in little memory; events as they come."""
    import tempfile

    from aiohttp import ClientSession, TCPConnector, UnixConnector, web

    size = 100 * 1024 * 1024
    part = os.urandom(1024 * 1024)

    async def upload(request):
        total, digest = 0, hashlib.sha256()
        async for chunk in request.content.iter_any():
            total += len(chunk)
            digest.update(chunk)
        return web.json_response({"total": total, "digest": digest.hexdigest()})

    async def download(request):
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(size // len(part)):
            await response.write(part)
        return response

    async def events(request):
        response = web.StreamResponse(headers={"content-type": "text/event-stream"})
        await response.prepare(request)
        for number in range(5):
            await response.write(f"data: {number} {time.monotonic()}\n\n".encode())
            await asyncio.sleep(0.3)
        return response

    application = web.Application(client_max_size=2 * size)
    application.add_routes(
        [web.post("/", upload), web.get("/", download), web.get("/events", events)]
    )
    runner = web.AppRunner(application)
    await runner.setup()
    expected = hashlib.sha256(part * (size // len(part))).hexdigest()

    async def sent():
        for _ in range(size // len(part)):
            yield part

    with tempfile.TemporaryDirectory() as directory:
        tcp = web.TCPSite(runner, "127.0.0.1", 0)
        await tcp.start()
        await web.UnixSite(runner, f"{directory}/app.sock").start()
        port = tcp._server.sockets[0].getsockname()[1]
        for upstream in (f"http://127.0.0.1:{port}", f"unix:{directory}/app.sock"):
            with Gate(upstream) as gate:
                async with ClientSession(f"http://127.0.0.1:{gate.port}", headers=FROM_BALANCER) as client:
                    async with client.get("/events") as answer:
                        async for line in answer.content:
                            if line.strip():
                                late = time.monotonic() - float(line.split()[2])
                                assert late < 0.25, f"{late} s late"
                    before = gate.memory()
                    answer = await client.post("/", data=sent())
                    assert await answer.json() == {"total": size, "digest": expected}
                    async with client.get("/") as answer:
                        digest = hashlib.sha256()
                        async for chunk in answer.content.iter_any():
                            digest.update(chunk)
                    assert digest.hexdigest() == expected
                    grown = gate.memory() - before
                    assert grown < 24 * 1024 * 1024, f"{grown} bytes"
    await runner.cleanup()


async def restarts():
    """SIGTERM in the middle of traffic: each request that was sent is answered."""
    from aiohttp import ClientSession, ClientError, web

    async def slow(request):
        await asyncio.sleep(0.2)
        return web.Response(text=request.path)

    application = web.Application()
    application.add_routes([web.get("/{name}", slow)])
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = site._server.sockets[0].getsockname()[1]
    with Gate(f"http://127.0.0.1:{port}") as gate:
        lost, answered, drained = [], 0, asyncio.Event()
        async with ClientSession(f"http://127.0.0.1:{gate.port}", headers=FROM_BALANCER) as client:

            async def ask(number):
                nonlocal answered
                try:
                    while not drained.is_set():
                        async with client.get(f"/{number}") as answer:
                            assert (answer.status, await answer.text()) == (200, f"/{number}")
                            answered += 1
                except ClientError as error:
                    lost.append(error)

            tasks = [asyncio.create_task(ask(number)) for number in range(16)]
            await asyncio.sleep(1)
            gate.process.terminate()
            # A load balancer stops sending while the server drains.
            await asyncio.sleep(0.7)
            drained.set()
            await asyncio.gather(*tasks)
        assert await asyncio.to_thread(gate.process.wait, 10) == 0
        assert not lost and answered > 60, (lost, answered)
    await runner.cleanup()


if __name__ == "__main__":
    run(globals())
