"""The built server before an upstream, for the scenarios that are written in Python.

MTLS_ANCHORS and MTLS_HEADER are the server's, and CERTIFICATE is the value of the certificate
header.
"""

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time

HEADER = os.environ["MTLS_HEADER"]
CERTIFICATE = os.environ["CERTIFICATE"]
FROM_BALANCER = {"x-forwarded-for": "192.0.2.7", HEADER: CERTIFICATE}


class Gate:
    """The built server in front of an upstream."""

    def __init__(self, upstream, setting="SERVER_LISTEN", **variables):
        names = ("MTLS_ANCHORS", "MTLS_HEADER")
        environment = {name: os.environ[name] for name in names}
        environment |= {
            "MTLS_PEERS": "127.0.0.1/32",
            "SERVER_LISTEN": "127.0.0.1:0",
            "SERVER_ADMIN_LISTEN": "off",
            "SERVER_DRAIN": "1s",
            "FORWARD_UPSTREAM": upstream,
        }
        self.process = subprocess.Popen(
            [os.environ["SERVER"]], env=environment | variables, stdout=subprocess.PIPE, text=True
        )
        self.lines = []
        for line in self.process.stdout:
            line = json.loads(line)
            if line.get("setting") == setting:
                self.port = int(line["address"].rsplit(":", 1)[1])
                break
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def decisions(self):
        return [line for line in self.lines if line["message"] == "decision"]

    def memory(self):
        """Most bytes that the process has had in memory."""
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as status:
            peak = next(line for line in status if line.startswith("VmHWM"))
        return int(peak.split()[1]) * 1024

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)

    def exchange(self, sent, quiet=0.7):
        """Sends bytes and returns what comes until the end or a pause, and whether it ended."""
        with self.connect() as connection:
            try:
                connection.sendall(sent)
            except OSError:
                pass
            return self.read(connection, quiet)

    @staticmethod
    def read(connection, quiet=0.7):
        # A busy machine answers late.
        connection.settimeout(max(quiet, 10))
        read = b""
        try:
            while part := connection.recv(65536):
                connection.settimeout(quiet)
                read += part
        except TimeoutError:
            return read, False
        except OSError:
            return read, True
        return read, True

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()


def eventually(condition):
    end = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.05)


def run(scenarios):
    """Runs the scenario that the command line names."""
    scenario = scenarios[sys.argv[1]]()
    if asyncio.iscoroutine(scenario):
        asyncio.run(asyncio.wait_for(scenario, 120))


def request(line, *headers, body=b"", host="host: a.example", version="HTTP/1.1", verified=True):
    """A request as a load balancer writes it, with header lines as they are."""
    lines = [f"{line} {version}", host, "x-forwarded-for: 192.0.2.7"]
    lines += [f"{HEADER}: {CERTIFICATE}"] if verified else []
    head = "\r\n".join([line for line in lines if line] + list(headers))
    return head.encode("latin-1") + b"\r\n\r\n" + body


class Upstream:
    """A server without a library: `serve` gets each connection, in a thread of its own."""

    def __init__(self, serve):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.connections = 0
        threading.Thread(target=self._accept, args=(serve,), daemon=True).start()

    def _accept(self, serve):
        while True:
            connection, _ = self.listener.accept()
            self.connections += 1
            threading.Thread(target=self._serve, args=(serve, connection), daemon=True).start()

    @staticmethod
    def _serve(serve, connection):
        with connection:
            try:
                serve(connection)
            except OSError:
                pass


def head(connection):
    """Reads a head from a connection: the bytes up to its end, and some after it."""
    read = b""
    while b"\r\n\r\n" not in read:
        part = connection.recv(65536)
        if not part:
            return b""
        read += part
    return read


def answering(answer):
    """Returns what answers each head of a connection with the same bytes."""

    def serve(connection):
        while head(connection):
            connection.sendall(answer)

    return serve
