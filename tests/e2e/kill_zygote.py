"""Run `zkml` in forks of one process that has imported everything: a real process each, without its start-up.

    python kill_zygote.py

reads one JSON object a line: {"argv": [...], "environment": {...}, "log": path, "output": path,
"crossings": path, "stop": {...}}; forks; prints {"pid": N}, and {"pid": N, "status": S} when that one ended,
S negative where a signal ended it. It ends with its standard input, and its forks with it.
"""

import contextlib
import ctypes
import importlib
import json
import os
import select
import signal
import sys
import threading
import traceback
from typing import Any, NoReturn

from kill_crossings import watch_crossings

from zkml.cli.main import main as zkml

MODULES = (
    "prover_nodes.api.server",
    "prover_nodes.direct.build",
    "prover_nodes.process",
    "prover_nodes.process_file",
    "zkml.adapters.home_directory",
    "zkml.cli.prover",
    "zkml.wiring",
)
SET_DEATH_SIGNAL = 1
POLL_SECONDS = 0.02


def run(given: dict[str, Any]) -> NoReturn:
    """Become one command, with its crossings watched."""
    ctypes.CDLL(None).prctl(SET_DEATH_SIGNAL, signal.SIGKILL)
    for path, number in ((os.devnull, 0), (given["output"], 1), (given["log"], 2)):
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND
        os.dup2(os.open(path, flags, 0o600), number)
    for name in [name for name in os.environ if name.startswith("ZKML_") and "NODE" not in name]:
        del os.environ[name]
    os.environ.update(given["environment"])
    watch_crossings(given)
    sys.argv = ["zkml", *given["argv"]]
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


def report(**values: int) -> None:
    """Tell whoever started this."""
    print(json.dumps(values), flush=True)


def reap(*, block: bool = False) -> None:
    """Report the forks that have ended."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, 0 if block else os.WNOHANG)
            if not pid:
                return
            report(pid=pid, status=os.waitstatus_to_exitcode(status))


def main() -> None:
    """Serve until standard input ends."""
    for name in MODULES:
        importlib.import_module(name)
    assert threading.active_count() == 1
    report(ready=1)
    pending = b""
    while True:
        if select.select([0], [], [], POLL_SECONDS)[0]:
            read = os.read(0, 1 << 16)
            if not read:
                return
            pending += read
            *lines, pending = pending.split(b"\n")
            for line in lines:
                pid = os.fork()
                if pid == 0:
                    run(json.loads(line))
                report(pid=pid)
        reap()


if __name__ == "__main__":
    main()
