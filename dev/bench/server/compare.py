#!/usr/bin/env python3
"""Requests a second and latencies of the server, beside nginx with `proxy_pass` and no checks, and of no proxy at all.

Everything runs on this machine, one after the other in each round, so that the ratios are valid on a busy machine too. It needs
nginx, wrk, h2load and openssl. The upstream is nginx with files of 1 KB and 1 MB.

    dev/bench/server/compare.py --server target/release/alb-mtls-server --seconds 10 --rounds 3
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.parse

HEADER = "x-bench-certificate"
UPSTREAM, NGINX, SERVER, UNSEEN, ASKING, ASKED, BARE = 19100, 19101, 19102, 19103, 19104, 19105, 19106

NGINX_CONFIGURATION = """
daemon off; worker_processes 2; pid {folder}/{name}.pid; error_log {folder}/{name}.log error;
events {{ worker_connections 4096; }}
http {{
    access_log {log}; keepalive_requests 1000000; client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2;
    fastcgi_temp_path {folder}/t3; uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5; large_client_header_buffers 4 64k;
    {body}
}}
"""
FILES = "server {{ listen 127.0.0.1:{port} reuseport; root {folder}/files; }}"
PASS = """
    upstream files {{ server 127.0.0.1:{upstream}; keepalive 256; keepalive_requests 1000000; }}
    server {{ listen 127.0.0.1:{port} reuseport {http2};
        location / {{ proxy_pass http://files; proxy_http_version 1.1; proxy_set_header Connection ""; {ask} }}
        {location}
    }}
"""
ASK = "auth_request /ask;"
LOCATION = """
        location = /ask {{ internal; proxy_pass http://gate/authorize/nginx; proxy_http_version 1.1; proxy_pass_request_body off;
            proxy_set_header Connection ""; proxy_set_header Content-Length ""; proxy_set_header X-Original-Method $request_method;
            proxy_set_header X-Original-URI $request_uri; }}
"""
GATE = "upstream gate {{ server 127.0.0.1:{port}; keepalive 256; keepalive_requests 1000000; }}"


def run(*command, **options):
    return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout


def certificates(folder, count):
    """Makes a root and clients, and returns each client's header."""
    root = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    run(*root, "-subj", "/CN=root", "-keyout", folder / "root.key", "-out", folder / "root.pem")
    headers = []
    for number in range(count):
        run("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
            "-subj", f"/CN=client-{number}", "-CA", folder / "root.pem", "-CAkey", folder / "root.key",
            "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", folder / "client.key", "-out", folder / "client.pem")
        headers.append(urllib.parse.quote((folder / "client.pem").read_text(), safe="+/="))
    return headers


class Programs:
    def __init__(self, folder):
        self.folder, self.running = folder, []

    def start(self, command, port, **options):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **options)
        self.running.append(process)
        for _ in range(200):
            with socket.socket() as attempt:
                if attempt.connect_ex(("127.0.0.1", port)) == 0:
                    return process
            if process.poll() is not None:
                sys.exit(f"{command[0]} ended with {process.returncode}")
            time.sleep(0.05)
        sys.exit(f"nothing listens on port {port}")

    def nginx(self, name, port, body, log="off"):
        path = self.folder / f"{name}.conf"
        path.write_text(NGINX_CONFIGURATION.format(folder=self.folder, name=name, body=body, log=log))
        return self.start(["nginx", "-p", str(self.folder), "-c", str(path)], port)

    def server(self, program, port, **variables):
        environment = {
            "PATH": os.environ["PATH"],
            "MTLS_ANCHORS": f"file:{self.folder}/root.pem",
            "MTLS_HEADER": HEADER,
            **variables,
        }
        return self.start([program], port, env=environment)

    def stop(self):
        for process in self.running:
            process.send_signal(signal.SIGKILL if process.args[0] != "nginx" else signal.SIGTERM)
        for process in self.running:
            process.wait()


UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0}


def duration(text):
    found = re.fullmatch(r"([0-9.]+)(us|ms|s)", text)
    if found is None:
        sys.exit(f"not a duration of wrk: {text}")
    number, unit = found.groups()
    return float(number) * UNITS[unit]


def wrk(port, path, script, connections, seconds):
    answer = run("wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--latency", "-s", script, f"http://127.0.0.1:{port}{path}")
    if "Non-2xx" in answer or "Socket errors" in answer:
        sys.exit(f"port {port} answered with errors:\n{answer}")
    return {
        "rate": float(re.search(r"Requests/sec:\s+([0-9.]+)", answer)[1]),
        "p50": duration(re.search(r"\n\s+50%\s+(\S+)", answer)[1]),
        "p99": duration(re.search(r"\n\s+99%\s+(\S+)", answer)[1]),
    }


def h2load(port, path, header, connections, seconds):
    answer = run("h2load", "-t2", f"-c{connections}", "-m8", f"-D{seconds}", "--warm-up-time=1", "-H", f"{HEADER}: {header}",
                 f"http://127.0.0.1:{port}{path}")
    done, succeeded = re.search(r"requests: \d+ total, \d+ started, (\d+) done, (\d+) succeeded", answer).groups()
    if done != succeeded:
        sys.exit(f"port {port} answered with errors:\n{answer}")
    return {"rate": float(re.search(r"finished in [^,]+, ([0-9.]+) req/s", answer)[1])}


def resident(process):
    status = pathlib.Path(f"/proc/{process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


def connections(port, count, request):
    opened = []
    for _ in range(count):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.sendall(request)
        opened.append(connection)
    for connection in opened:
        if not connection.recv(65536).startswith(b"HTTP/1.1 200"):
            sys.exit("a connection was not answered with 200")
    return opened


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--server", default="target/release/alb-mtls-server")
    parser.add_argument("--seconds", type=int, default=10, help="of each measurement (10)")
    parser.add_argument("--rounds", type=int, default=3, help="of which the median counts (3)")
    parser.add_argument("--connections", type=int, default=32, help="at a time (32)")
    parser.add_argument("--clients", type=int, default=400, help="different certificates of new clients (400)")
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    for needed in ["nginx", "wrk", "h2load", "openssl"]:
        if shutil.which(needed) is None:
            sys.exit(f"{needed} is not installed")
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        measure(arguments, pathlib.Path(folder))


def measure(arguments, folder):
    folder.chmod(0o755)
    (folder / "files").mkdir()
    (folder / "files/1k").write_bytes(b"a" * 1024)
    (folder / "files/1m").write_bytes(b"a" * 1024 * 1024)
    headers = certificates(folder, arguments.clients)
    seen, many = folder / "seen.lua", folder / "many.lua"
    seen.write_text(f'wrk.headers["{HEADER}"] = "{headers[0]}"\n')
    lines = ",\n".join(f'"{header}"' for header in headers)
    many.write_text(
        f"local headers = {{ {lines} }}\nlocal next = 0\nfunction request()\n next = next % #headers + 1\n"
        f' return wrk.format("GET", nil, {{ ["{HEADER}"] = headers[next] }})\nend\n'
    )
    programs = Programs(folder)
    through = {"MTLS_PEERS": "127.0.0.1/32", "FORWARD_UPSTREAM": f"http://127.0.0.1:{UPSTREAM}", "SERVER_ADMIN_LISTEN": "off"}
    passing = {"upstream": UPSTREAM, "http2": "", "ask": "", "location": ""}
    try:
        programs.nginx("upstream", UPSTREAM, FILES.format(port=UPSTREAM, folder=folder))
        log = f"{folder}/access.log"
        programs.nginx("pass", NGINX, PASS.format(port=NGINX, **passing), log)
        programs.nginx("bare", BARE, PASS.format(port=BARE, **{**passing, "http2": "http2"}), log)
        asks = {**passing, "ask": ASK, "location": LOCATION.format()}
        programs.nginx("ask", ASKING, GATE.format(port=ASKED) + PASS.format(port=ASKING, **asks), log)
        server = programs.server(arguments.server, SERVER, SERVER_LISTEN=f"127.0.0.1:{SERVER}", **through)
        programs.server(arguments.server, UNSEEN, SERVER_LISTEN=f"127.0.0.1:{UNSEEN}", MTLS_VERDICT_CACHE="0", **through)
        programs.server(arguments.server, ASKED, SERVER_LISTEN="off", SERVER_AUTHORIZE_LISTEN=f"127.0.0.1:{ASKED}",
                        SERVER_ADMIN_LISTEN="off")
        cases = [
            ("no proxy", UPSTREAM, seen),
            ("nginx proxy_pass", NGINX, seen),
            ("server, clients seen before", SERVER, seen),
            ("server, new clients", UNSEEN, many),
            ("nginx with auth_request", ASKING, seen),
        ]
        results = {}
        for _ in range(arguments.rounds):
            for path in ["/1k", "/1m"]:
                for name, port, script in cases:
                    figures = wrk(port, path, script, arguments.connections, arguments.seconds)
                    results.setdefault(f"HTTP/1.1, {path[1:]}, {name}", []).append(figures)
                for name, port in [("nginx proxy_pass", BARE), ("server, clients seen before", SERVER)]:
                    figures = h2load(port, path, headers[0], 8, arguments.seconds)
                    results.setdefault(f"HTTP/2, {path[1:]}, {name}", []).append(figures)
            # One connection: the time that a question adds, without other requests in between.
            for name, port in [("nginx proxy_pass", NGINX), ("nginx with auth_request", ASKING)]:
                figures = wrk(port, "/1k", seen, 2, arguments.seconds)
                results.setdefault(f"HTTP/1.1, 1k, one at a time, {name}", []).append(figures)
        request = f"GET /1k HTTP/1.1\r\nHost: a\r\n{HEADER}: {headers[0]}\r\n\r\n".encode()
        fresh = programs.server(arguments.server, 19107, SERVER_LISTEN="127.0.0.1:19107", **through)
        memory = {"started": resident(fresh)}
        idle = connections(19107, 1000, request)
        memory["1,000 idle connections"] = resident(fresh)
        del idle
        busy = wrk(19107, "/1k", seen, 1000, arguments.seconds)
        memory["1,000 busy connections"] = resident(fresh)
        memory["after the whole run"] = resident(server)
        report(arguments, results, memory, busy)
    finally:
        programs.stop()


def report(arguments, results, memory, busy):
    medians = {
        name: {figure: statistics.median(one[figure] for one in rounds) for figure in rounds[0]}
        for name, rounds in results.items()
    }
    if arguments.json:
        print(json.dumps({"results": medians, "memory_mb": memory, "busy": busy}, indent=2))
        return
    print("| what | requests/s | to nginx | p50 | p99 | p99 to nginx |\n| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, figures in medians.items():
        nginx = medians[f"{name.rsplit(', nginx', 1)[0].rsplit(', server', 1)[0].rsplit(', no proxy', 1)[0]}, nginx proxy_pass"]
        ratio = figures["rate"] / nginx["rate"]
        cells = [name, f"{figures['rate']:,.0f}", f"{ratio:.2f}"]
        if "p99" in figures:
            cells += [f"{figures['p50'] * 1e3:.2f} ms", f"{figures['p99'] * 1e3:.2f} ms", f"{figures['p99'] / nginx['p99']:.2f}"]
        else:
            cells += ["", "", ""]
        print(f"| {' | '.join(cells)} |")
    print("\n| memory of the server | MB |\n| --- | ---: |")
    for name, megabytes in memory.items():
        print(f"| {name} | {megabytes:.1f} |")


if __name__ == "__main__":
    main()
