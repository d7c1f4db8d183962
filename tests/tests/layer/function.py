"""A function that speaks the Runtime API with the standard library alone, and answers with the event as it arrived.

It counts its calls. Some paths have it fail, each in another way, as functions do."""

import base64
import http.client
import json
import os
import signal
import sys
import threading
import time

API = os.environ["AWS_LAMBDA_RUNTIME_API"]
INVOCATION = "/2018-06-01/runtime/invocation/"
CALLS = 0
LOCK = threading.Lock()


def connect():
    return http.client.HTTPConnection(API)


def send(connection, method, path, body=None, headers=None):
    connection.request(method, path, body, headers or {})
    response = connection.getresponse()
    return response, response.read()


def last_words(path, body):
    """Sends a request and ends before an answer can arrive."""
    connection = connect()
    connection.connect()
    head = f"POST {path} HTTP/1.1\r\nhost: {API}\r\ncontent-length: {len(body)}\r\n\r\n"
    connection.sock.sendall(head.encode() + body)
    os._exit(1)


def answer(event, headers):
    global CALLS
    with LOCK:
        CALLS += 1
        calls = CALLS
    seen = {
        "statusCode": 200,
        "calls": calls,
        "event": base64.b64encode(event).decode(),
        "invocation": {name.lower(): value for name, value in headers.items()},
    }
    path = None
    try:
        path = json.loads(event)["path"]
    except (ValueError, KeyError, TypeError):
        pass
    if path == "/large":
        seen["body"] = "x\u00e9\n" * 300_000
    return path, json.dumps(seen).encode()


def fail(connection, request_id, path):
    if path == "/error":
        error = {"errorType": "ValueError", "errorMessage": "the function failed", "stackTrace": []}
        headers = {"Lambda-Runtime-Function-Error-Type": "Runtime.ValueError"}
        send(connection, "POST", f"{INVOCATION}{request_id}/error", json.dumps(error), headers)
        return True
    if path == "/exit":
        sys.exit(3)
    if path == "/kill":
        os.kill(os.getpid(), signal.SIGKILL)
    if path == "/silence":
        threading.Event().wait()
    if path == "/last-words":
        last_words(f"{INVOCATION}{request_id}/error", b'{"errorType":"Last","errorMessage":"words"}')
    return False


def loop(barrier=None):
    connection = connect()
    while True:
        response, event = send(connection, "GET", INVOCATION + "next")
        if response.status != 200:
            sys.exit(f"no event but {response.status}")
        request_id = response.getheader("Lambda-Runtime-Aws-Request-Id")
        path, body = answer(event, response.headers)
        print(f"function: {request_id}", flush=True)
        if barrier:
            barrier.wait()
        if path == "/stream":
            stream(request_id, body)
        elif not fail(connection, request_id, path):
            send(connection, "POST", f"{INVOCATION}{request_id}/response", body)


def stream(request_id, body):
    """A streamed response whose second half waits until a pipe is written to."""
    connection = connect()
    connection.putrequest("POST", f"{INVOCATION}{request_id}/response")
    connection.putheader("Lambda-Runtime-Function-Response-Mode", "streaming")
    connection.putheader("Transfer-Encoding", "chunked")
    connection.putheader("Trailer", "Lambda-Runtime-Function-Error-Type")
    connection.putheader("Trailer", "Lambda-Runtime-Function-Error-Body")
    connection.endheaders()
    connection.send(b"5\r\nfirst\r\n")
    with open(os.environ["GO_ON"]) as pipe:
        pipe.read()
    connection.send(b"6\r\nsecond\r\n0\r\n")
    connection.send(b"Lambda-Runtime-Function-Error-Type: Late\r\n")
    connection.send(b"Lambda-Runtime-Function-Error-Body: bGF0ZQ==\r\n\r\n")
    connection.getresponse().read()


def terminated(*_):
    # A signal may come in the middle of `print`, which cannot be called again then.
    os.write(1, b"function: told to end\n")
    os._exit(5)


def main():
    mode = sys.argv[1] if len(sys.argv) > 1 else ""
    if mode == "init-error":
        error = {"errorType": "Import", "errorMessage": "no module of that name"}
        send(connect(), "POST", "/2018-06-01/runtime/init/error", json.dumps(error))
        sys.exit(1)
    if mode == "last-words":
        last_words("/2018-06-01/runtime/init/error", b'{"errorType":"Last","errorMessage":"words"}')
    if mode == "connections":
        connections = [connect() for _ in range(100)]
        for connection in connections:
            connection.connect()
        time.sleep(0.5)
        for connection in connections:
            connection.close()
    signal.signal(signal.SIGTERM, terminated)
    print("function: started", flush=True)
    if mode == "terminated":
        threading.Event().wait()
    concurrency = int(os.environ.get("AWS_LAMBDA_MAX_CONCURRENCY", "1"))
    if concurrency == 1:
        loop()
    barrier = threading.Barrier(concurrency)
    for _ in range(concurrency):
        threading.Thread(target=loop, args=(barrier,)).start()


main()
