"""Runs the command lines of AWS and SAM, and simulated accounts, in forks of one process that has loaded them: loading takes longer
than what they do.

    commands.py NAME        serves the abstract Unix socket of this name, until its standard input ends

`command.py` is the client.
"""

import json
import logging
import os
import pathlib
import select
import signal
import socket
import sys
import traceback

os.environ.setdefault("SAM_CLI_TELEMETRY", "0")
os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")

import aws_cli
import sam
import server
import templates

PROGRAMS = {"aws": aws_cli.main, "sam": sam.main, "account": server.main}
PROJECT = pathlib.Path(__file__).resolve().parents[2]
# The command line of AWS says where its own data is when it is loaded.
DATA = {"AWS_DATA_PATH": os.environ["AWS_DATA_PATH"]}


def run(connection):
    """Runs one program with the files, the folder and the variables of its client, in a process of its own."""
    _, files, _, _ = socket.recv_fds(connection, 1, 3)
    request = b""
    while part := connection.recv(65536):
        request += part
    if os.fork():
        for file in files:
            os.close(file)
        return
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    request = json.loads(request)
    for standard, file in enumerate(files):
        os.dup2(file, standard)
        os.close(file)
    os.chdir(request["folder"])
    os.environ.clear()
    os.environ.update(request["variables"] | DATA)
    # SAM would have the others write what it logs.
    logging.root.handlers.clear()
    sys.argv = request["arguments"]
    code = 1
    try:
        code = PROGRAMS[sys.argv[0]]() or 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        if isinstance(end.code, str):
            print(end.code, file=sys.stderr)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([code & 255]))
        os._exit(0)


def main(name):
    # The system removes children that have ended.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    for template in [PROJECT / "template.yaml", *PROJECT.glob("deploy/sam/*.yaml")]:
        templates.translation(template.read_text())
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(f"\0{name}")
        listener.listen()
        # The tests wait for a port.
        print(0, flush=True)
        while True:
            ready, _, _ = select.select([listener, 0], [], [])
            if listener in ready:
                connection, _ = listener.accept()
                with connection:
                    run(connection)
            elif not os.read(0, 1):
                return


if __name__ == "__main__":
    main(sys.argv[1])
