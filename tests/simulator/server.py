"""An AWS account for tests: moto's server, with the permissions of roles enforced, stacks made of SAM templates, and Lambda
functions that are run as processes.

It prints its port and ends with its standard input. Callers with credentials of an assumed role are held to the policies of that
role; all others are the operator, who can do everything.
"""

import io
import json
import os
import sys
import threading
import traceback

from moto.moto_server import threaded_moto_server
from moto.moto_server.werkzeug_app import DomainDispatcherApplication

# SAM's translator asks for it.
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

import functions
import permissions
import stacks


class Account:
    """The WSGI application: what moto lacks, and then moto."""

    def __init__(self, create_app):
        self.moto = DomainDispatcherApplication(create_app)
        self.deploying = threading.Lock()

    def __call__(self, environ, start_response):
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        environ["wsgi.input"] = io.BytesIO(body)
        path = environ.get("PATH_INFO", "")
        try:
            if path.startswith("/simulator/"):
                answer = self.simulator(environ, path.removeprefix("/simulator/"), body)
                return respond(start_response, "200 OK", "application/json", json.dumps(answer))
            permissions.check(environ, body)
            if path.startswith("/2015-03-31/functions/") and path.endswith("/invocations"):
                return self.invoke(path, body, start_response)
        except permissions.Denied as denied:
            kind, content = denied.answer()
            return respond(start_response, denied.status, kind, content)
        except (stacks.Refused, functions.Failed) as error:
            return respond(start_response, "400 Bad Request", "application/json", json.dumps({"error": str(error)}))
        except Exception:
            traceback.print_exc()
            return respond(start_response, "500 Internal Server Error", "text/plain", traceback.format_exc())
        return self.moto(environ, start_response)

    def simulator(self, environ, path, body):
        endpoint = f"http://{environ['HTTP_HOST']}"
        if path == "deploy":
            with self.deploying:
                return stacks.deploy(endpoint, json.loads(body))
        if path == "change":
            with self.deploying:
                return stacks.change(endpoint, json.loads(body))
        if path == "function":
            return functions.register(json.loads(body))
        kind, _, name = path.partition("/")
        if kind == "stack":
            return stacks.described(name)
        raise stacks.Refused(f"there is no `{path}`")

    def invoke(self, path, body, start_response):
        name = path.removeprefix("/2015-03-31/functions/").removesuffix("/invocations")
        answer, is_error = functions.invoke(name, body)
        headers = [("X-Amz-Function-Error", "Unhandled")] if is_error else []
        return respond(start_response, "200 OK", "application/json", answer, headers)


def respond(start_response, status, kind, content, headers=()):
    content = content if isinstance(content, bytes) else content.encode()
    start_response(status, [("Content-Type", kind), ("Content-Length", str(len(content))), *headers])
    return [content]


def main():
    threaded_moto_server.DomainDispatcherApplication = Account
    server = threaded_moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    print(server.get_host_and_port()[1], flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main()
