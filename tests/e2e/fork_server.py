"""Run `zkml` in forks of one process that has imported everything: a real process each, without its start-up.

    python fork_server.py SOCKET

Each connection is one command. Its first message is a JSON object {"argv", "environment", "cwd"} with three
open files, which become standard input, output and error; each further message is the number of a signal for
it. The answer is how it ended, negative where a signal ended it. Who hangs up kills the command. The server ends
with its standard input, and its forks with it.
"""

import ctypes
import importlib
import json
import os
import random
import selectors
import signal
import socket
import sys
import threading
import traceback
from typing import NoReturn

from zkml.cli.main import main as zkml

MODULES = (
    "circuits.systems",
    "circuits.ezkl.system",
    "circuits.octet.chain.chain_key",
    "circuits.octet.system",
    "prover_nodes.direct.build",
    "prover_nodes.logs",
    "prover_nodes.process",
    "pynvml",
    "structlog",
    "zkml.audit.job_audit",
    "zkml.cli.job_open",
    "zkml.cli.prover",
    "zkml.client",
    "zkml.publish.publication",
    "zkml.wiring",
)
SET_DEATH_SIGNAL = 1
MESSAGE_BYTES = 1 << 18


def become(argv: list[str], environment: dict[str, str], files: list[int]) -> None:
    """Make a fork look like a process that was started with these, and dies with its parent."""
    ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL)
    for number, file in enumerate(files):
        os.dup2(file, number)
    os.environ.clear()
    os.environ.update(environment)
    random.seed()
    sys.argv = ["zkml", *argv]


def run_and_exit() -> NoReturn:
    """Run the command line, and end like a process of its own."""
    try:
        zkml()
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    except BaseException:  # noqa: BLE001 a fork must never go on as its parent
        traceback.print_exc()
        code = 99
    else:
        code = 0
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


class Server:
    """Forks a command for each connection."""

    def __init__(self, path: str) -> None:
        self.events = selectors.DefaultSelector()
        self.listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.listener.bind(path)
        self.listener.listen(64)
        self.events.register(0, selectors.EVENT_READ, None)
        self.events.register(self.listener, selectors.EVENT_READ, None)

    def serve(self) -> None:
        """Serve until standard input ends."""
        while True:
            for key, _ in self.events.select():
                if key.fileobj == 0:
                    return
                if key.fileobj is self.listener:
                    self.accept()
                elif isinstance(key.fileobj, int):
                    self.finish(key.fileobj, *key.data)
                else:
                    self.signal(key.fileobj, key.data)

    def accept(self) -> None:
        """Start a command."""
        connection, _ = self.listener.accept()
        message, files, _, _ = socket.recv_fds(connection, MESSAGE_BYTES, 3)
        given = json.loads(message)
        pid = os.fork()
        if pid == 0:
            os.chdir(given["cwd"])
            become(given["argv"], given["environment"], files)
            run_and_exit()
        for file in files:
            os.close(file)
        handle = os.pidfd_open(pid)
        self.events.register(handle, selectors.EVENT_READ, (pid, connection))
        self.events.register(connection, selectors.EVENT_READ, handle)

    def signal(self, connection: socket.socket, handle: int) -> None:
        """Pass a signal on; kill the command of whoever has hung up."""
        number = connection.recv(16)
        if not number:
            self.events.unregister(connection)
        signal.pidfd_send_signal(handle, int(number or signal.SIGKILL))

    def finish(self, handle: int, pid: int, connection: socket.socket) -> None:
        """Tell how a command ended."""
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self.events.unregister(handle)
        os.close(handle)
        if connection in self.events.get_map():
            self.events.unregister(connection)
            connection.send(str(status).encode())
        connection.close()


def main() -> None:
    """Import everything, and serve."""
    for name in MODULES:
        importlib.import_module(name)
    assert threading.active_count() == 1
    server = Server(sys.argv[1])
    print("ready", flush=True)
    server.serve()


if __name__ == "__main__":
    main()
