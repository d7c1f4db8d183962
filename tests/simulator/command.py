"""Has `commands.py` run a program, with the files, the folder and the variables of this process: command.py SOCKET PROGRAM ARGUMENTS.

It loads nothing that takes time.
"""

import json
import os
import socket
import sys

name, *arguments = sys.argv[1:]
with socket.socket(socket.AF_UNIX) as connection:
    connection.connect(f"\0{name}")
    socket.send_fds(connection, [b"."], [0, 1, 2])
    connection.sendall(json.dumps({"arguments": arguments, "folder": os.getcwd(), "variables": dict(os.environ)}).encode())
    connection.shutdown(socket.SHUT_WR)
    code = connection.recv(1)
sys.exit(code[0] if code else 1)
