"""Stands in for the program `zkml` where a script calls it: has `fork_server.py` run the command, and ends as it does.

python fork_client.py SOCKET ARGUMENT...
"""

import json
import os
import signal
import socket
import sys


def main() -> None:
    """Hand arguments, environment and open files over, pass signals on, and wait."""
    server = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    server.connect(sys.argv[1])
    given = {"argv": sys.argv[2:], "environment": dict(os.environ), "cwd": os.getcwd()}  # noqa: PTH109 (pathlib takes longer to import than all else)
    socket.send_fds(server, [json.dumps(given).encode()], [0, 1, 2])
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: server.send(str(int(number)).encode()))
    status = int(server.recv(16))
    if status < 0:
        signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    sys.exit(status)


main()
