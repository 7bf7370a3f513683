"""The embedded development node: Anvil, with its chain kept in one folder.

The chain goes on where it stopped: state, receipts, logs and old calldata survive, and chain time never
goes back. Calls into the state of an old block do not survive a stop.
"""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from zkml.adapters.atomic_write import write_atomically
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import catch_up
from zkml.adapters.process.daemon import (
    GuardedProcess,
    ProcessIdentity,
    start_detached,
    stop_detached,
)
from zkml.adapters.programs import find_foundry
from zkml.core.strict_json import parse_object
from zkml.errors import ChainError, FormatError, StorageError

CHAIN_ID = 31337
DUMP_INTERVAL_SECONDS = 30
"""How often state is written while it runs, for the day when nothing is left to write it at the end."""

_START_SECONDS = 30.0
_STOP_SECONDS = 20.0
_LISTENING = "Listening on "

Notice = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class AnvilFiles:
    """What lies in the folder of an embedded chain.

    `state.json` is what the next start loads. A running node writes only `next.json`, which becomes the
    state at the next start if it is whole: a node that is killed while it writes costs the last seconds,
    never the chain.
    """

    folder: Path

    @property
    def state(self) -> Path:
        """State that is loaded at a start."""
        return self.folder / "state.json"

    @property
    def next_state(self) -> Path:
        """State that the running node writes."""
        return self.folder / "next.json"

    @property
    def running(self) -> Path:
        """Process and endpoint of a detached node."""
        return self.folder / "running.json"

    @property
    def log(self) -> Path:
        """Output of a detached node."""
        return self.folder / "anvil.log"


class Anvil:
    """A running node that ends with this process; use it in a `with` statement."""

    def __init__(self, process: GuardedProcess, endpoint: str) -> None:
        self.endpoint = endpoint
        self._process = process

    @classmethod
    def start(
        cls, folder: Path, *, port: int = 0, notice: Notice | None = None, keep_opcodes: bool = False
    ) -> Self:
        """Start a node on 127.0.0.1, silent, that goes on with the chain of `folder`.

        The caller holds the home's lock: two nodes must not share a folder.

        Args:
            folder: made if missing.
            port: 0 for any free one.
            notice: called with a sentence when a broken state file was moved aside.
            keep_opcodes: keep each transaction's opcodes for `debug_traceTransaction`, which takes memory.

        Raises:
            ToolchainError: Anvil is not installed.
            StorageError: the folder cannot be written.
            ChainError: a detached node runs on this folder, or Anvil did not start.
        """
        files = _prepare(folder, notice)
        command = [*_command(files, port), *(["--steps-tracing"] if keep_opcodes else [])]
        process = GuardedProcess.start(command, grace_seconds=_STOP_SECONDS)
        try:
            endpoint = _endpoint_of(process)
            _settle_clock(endpoint)
        except BaseException:
            process.stop()
            raise
        return cls(process, endpoint)

    @property
    def identity(self) -> ProcessIdentity:
        """The node's process."""
        return self._process.identity

    def stop(self) -> None:
        """Stop the node; it writes its state first."""
        self._process.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def start_detached_anvil(folder: Path, *, port: int = 0, notice: Notice | None = None) -> str:
    """Start a node that outlives this process; see `Anvil.start`.

    Returns:
        Its endpoint; `detached_endpoint` finds it again, `stop_detached_anvil` stops it.
    """
    files = _prepare(folder, notice)
    files.log.unlink(missing_ok=True)
    identity = start_detached(_command(files, port), log_path=files.log)
    try:
        endpoint = _endpoint_in_log(files.log, identity)
        _settle_clock(endpoint)
        record = {"pid": identity.pid, "started_at": identity.started_at, "endpoint": endpoint}
        files.running.write_text(json.dumps(record), encoding="utf-8")
    except BaseException:
        stop_detached(identity)
        raise
    return endpoint


def detached_endpoint(folder: Path) -> str | None:
    """Return the endpoint of the detached node of a folder, or None when none runs."""
    found = _read_running(AnvilFiles(folder))
    return found[1] if found is not None and found[0].is_running() else None


def stop_detached_anvil(folder: Path) -> bool:
    """Stop the detached node of a folder, which writes its state; say whether there was one."""
    files = AnvilFiles(folder)
    found = _read_running(files)
    was_running = found is not None and found[0].is_running()
    if found is not None and was_running:
        stop_detached(found[0], grace_seconds=_STOP_SECONDS)
    files.running.unlink(missing_ok=True)
    return was_running


def _prepare(folder: Path, notice: Notice | None) -> AnvilFiles:
    files = AnvilFiles(folder)
    endpoint = detached_endpoint(folder)
    if endpoint is not None:
        raise ChainError(
            f"expected no node on {folder}, found one at {endpoint}",
            hint=f"use it with --rpc-url {endpoint}, or stop it: zkml chain down",
            endpoint=endpoint,
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in (files.state, files.next_state):
            if path.exists() and not _is_whole(path):
                aside = _move_aside(path)
                if notice is not None:
                    notice(f"found a broken chain state, moved it to {aside}")
        if files.next_state.exists():
            _drop_later_genesis(files.next_state)
            files.next_state.replace(files.state)
    except OSError as error:
        raise StorageError(f"expected a writable folder, found {error.strerror} at {folder}") from error
    return files


def _drop_later_genesis(path: Path) -> None:
    """Keep the first block 0 of a state file.

    Anvil makes a block 0 at every start and writes all of them. Which one it finds after loading is a
    matter of luck, and a chain whose genesis changes is another chain to everybody who recorded it.
    """
    state = json.loads(path.read_bytes())
    blocks = state.get("blocks", [])
    first = [block for block in blocks if int(block["header"]["number"], 16) == 0]
    if len(first) < 2:
        return
    genesis = min(first, key=lambda block: int(block["header"]["timestamp"], 16))
    state["blocks"] = [genesis, *(block for block in blocks if block not in first)]
    write_atomically(path, json.dumps(state).encode())


def _is_whole(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return isinstance(json.load(file), dict)
    except ValueError:
        return False


def _move_aside(path: Path) -> Path:
    number = 1
    while (aside := path.with_name(f"{path.stem}.broken-{number}.json")).exists():
        number += 1
    shutil.move(path, aside)
    return aside


def _command(files: AnvilFiles, port: int) -> list[str]:
    command = [str(find_foundry("anvil")), "--host", "127.0.0.1", "--port", str(port)]
    command += ["--chain-id", str(CHAIN_ID), "--dump-state", str(files.next_state)]
    command += ["--state-interval", str(DUMP_INTERVAL_SECONDS)]
    return [*command, "--load-state", str(files.state)] if files.state.exists() else command


def _endpoint_of(process: GuardedProcess) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        line = process.read_line(timeout_seconds=0.5)
        if line is not None and line.startswith(_LISTENING):
            return "http://" + line.removeprefix(_LISTENING).strip()
        if line is None and process.returncode is not None:
            break
    raise _not_started(process.recent_output)


def _endpoint_in_log(log: Path, identity: ProcessIdentity) -> str:
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        text = log.read_text(encoding="utf-8", errors="replace")
        for line in text.splitlines(keepends=True):
            if line.startswith(_LISTENING) and line.endswith("\n"):
                return "http://" + line.removeprefix(_LISTENING).strip()
        if not identity.is_running():
            break
        time.sleep(0.02)
    raise _not_started(log.read_text(encoding="utf-8", errors="replace"))


def _not_started(output: str) -> ChainError:
    last = " ".join(output.split())[-200:] or "no output"
    return ChainError(
        f"expected Anvil to start, found {last!r}", hint="is the port free? give another with --port, or 0"
    )


def _settle_clock(endpoint: str) -> None:
    with Chain(endpoint, expected_chain_id=CHAIN_ID) as chain:
        catch_up(chain)


def _read_running(files: AnvilFiles) -> tuple[ProcessIdentity, str] | None:
    try:
        fields = parse_object(files.running.read_bytes(), where=str(files.running))
        return ProcessIdentity(int(fields["pid"]), float(fields["started_at"])), str(fields["endpoint"])
    except (OSError, FormatError, KeyError, ValueError, TypeError):
        return None
