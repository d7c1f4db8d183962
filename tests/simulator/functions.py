"""Lambda functions as processes: `Invoke` starts the program of a function with its variables, hands it one event through a Runtime
API, and ends it."""

import http.server
import os
import subprocess
import threading
import time

TIMEOUT = 60
registered = {}  # name -> {"command", "environment"}


class Failed(Exception):
    """A function that does not answer."""


def register(function):
    registered[function["name"]] = function
    return {}


def invoke(name, event):
    """Returns the answer of a function, and whether it is an error."""
    name = name.split(":function:")[-1].split(":")[0]
    if name not in registered:
        raise Failed(f"there is no function `{name}`")
    function = registered[name]
    api = RuntimeApi(event)
    variables = {
        "PATH": os.environ["PATH"],
        "AWS_LAMBDA_RUNTIME_API": api.address,
        "AWS_LAMBDA_FUNCTION_NAME": name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_LOG_STREAM_NAME": "stream",
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{name}",
        "AWS_LAMBDA_LOG_FORMAT": "JSON",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "on-demand",
    }
    process = subprocess.Popen(
        function["command"],
        env=variables | function["environment"],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    # Its output is read, or it would wait for that.
    output = []
    reader = threading.Thread(target=lambda: output.extend(process.stdout), daemon=True)
    reader.start()
    ends = time.monotonic() + TIMEOUT
    while not api.answered.wait(0.05) and process.poll() is None and time.monotonic() < ends:
        pass
    process.kill()
    process.wait()
    reader.join()
    api.stop()
    function["output"] = "".join(output)
    if not api.answered.is_set():
        raise Failed(f"{name} did not answer:\n{function['output']}")
    return api.answer, api.is_error


class RuntimeApi:
    """The Runtime API of one invocation."""

    def __init__(self, event):
        self.answered = threading.Event()
        self.answer, self.is_error = b"", False
        handed_over = threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                if handed_over.is_set():
                    # There is no second event: the process is ended.
                    time.sleep(TIMEOUT)
                    return
                handed_over.set()
                self.send_response(200)
                self.send_header("Lambda-Runtime-Aws-Request-Id", "00000000-0000-4000-8000-000000000001")
                self.send_header("Lambda-Runtime-Deadline-Ms", str(int((time.time() + TIMEOUT) * 1000)))
                self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:123456789012:function:invoked")
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(event)))
                self.end_headers()
                self.wfile.write(event)

            def do_POST(self):
                length = self.headers.get("Content-Length")
                body = self.rfile.read(int(length)) if length is not None else self.chunks()
                self.send_response(202)
                self.send_header("Content-Length", "0")
                self.end_headers()
                outer.answer, outer.is_error = body, not self.path.endswith("/response")
                outer.answered.set()

            def chunks(self):
                body = b""
                while size := int(self.rfile.readline().split(b";")[0], 16):
                    body += self.rfile.read(size)
                    self.rfile.readline()
                self.rfile.readline()
                return body

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.server.block_on_close = False
        self.address = f"127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def stop(self):
        self.server.shutdown()
        self.server.server_close()
