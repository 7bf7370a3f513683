"""Run one EZKL call in a child process and turn whatever goes wrong into our errors.

Never imports EZKL. The child gets a short list of environment variables: no secret reaches it, and no
EZKL_* of the caller's shell can change a key.
"""

import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from zkml.adapters.process.child import ChildResult, Limits, OnTick, ReadyChild
from zkml.core.extras import install_hint
from zkml.errors import BackendError, ProverLimitError, StorageError, ToolchainError, ZkmlError

VERSION = "23.0.5"
"""The only version of EZKL whose files and traps this project knows."""

BUFFER_BYTES = 1 << 20
"""EZKL reads keys in pieces of 8,000 bytes unless told otherwise."""

DEFAULT_LIMITS = Limits(memory_bytes=16 << 30, wall_seconds=1800.0)

_PASSED_ON = (
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "PYTHONPATH",
    "PYTHONDONTWRITEBYTECODE",
    "RAYON_NUM_THREADS",
    "SYSTEMROOT",
)
_KILLED = 128 + 9
_MAX_WORDS = 300
_REASON = re.compile(r"(?:decomposition|lookup|range check) error: [^\[\n]+", re.IGNORECASE)
_NO_SPACE = re.compile(r"os error (28|122)\b|no space left", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Flavour:
    """What is fixed when a child starts, before anybody knows what it will be asked.

    Attributes:
        verbose: pass EZKL's own warnings on to stderr.
        unchecked_keys: skip the curve checks on the proving key; only for one whose digest was checked.
        threads: processor threads that it may use; all when None.
    """

    verbose: bool = False
    unchecked_keys: bool = False
    threads: int | None = None


class Children(Protocol):
    """Where children come from: started now, or earlier."""

    def take(self, flavour: Flavour) -> "EzklChild":
        """Return a child of this flavour that nobody has used.

        Raises:
            ToolchainError: it cannot be started.
        """


@dataclass(frozen=True, slots=True)
class ChildOptions:
    """How a call is run.

    Attributes:
        limits: memory and time of the child process.
        on_tick: called about five times a second with the elapsed seconds.
        verbose: pass EZKL's own warnings on to stderr.
        unchecked_keys: skip the curve checks on the proving key; only for one whose digest was checked.
        threads: processor threads that it may use; all when None.
        children: where it comes from; started for this call when None.
    """

    limits: Limits = field(default=DEFAULT_LIMITS)
    on_tick: OnTick | None = None
    verbose: bool = False
    unchecked_keys: bool = False
    threads: int | None = None
    children: Children | None = None

    @property
    def flavour(self) -> Flavour:
        """What the child is started with."""
        return Flavour(self.verbose, self.unchecked_keys, self.threads)


DEFAULT_OPTIONS = ChildOptions()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call returned, and what it cost.

    Attributes:
        value: plain JSON.
        wall_seconds: time of the child, its start included.
        peak_rss_bytes: its peak memory.
        remark: why a witness failed, which EZKL says on stderr only; or empty.
    """

    value: Any
    wall_seconds: float
    peak_rss_bytes: int
    remark: str = ""


class EzklChild:
    """A child process that has imported EZKL and waits for its one request."""

    def __init__(self, flavour: Flavour) -> None:
        """Start it.

        Raises:
            ToolchainError: it cannot be started.
        """
        self._private = tempfile.mkdtemp(prefix="zkml-ezkl-")
        try:
            self._child = ReadyChild(
                [sys.executable, "-P", "-m", "zkml.adapters.ezkl.child"],
                env=environment(self._private, flavour),
            )
        except BaseException:
            shutil.rmtree(self._private, ignore_errors=True)
            raise

    @property
    def is_alive(self) -> bool:
        """Say whether it still waits."""
        return self._child.is_alive

    def run(self, request: bytes, options: ChildOptions, started: float) -> ChildResult:
        """Give it its request and wait for the answer; it is gone afterwards.

        Raises:
            ProverLimitError: out of memory or time.
        """
        try:
            return self._child.run(request, limits=options.limits, on_tick=options.on_tick, started=started)
        finally:
            self.close()

    def close(self) -> None:
        """End it; doing it again changes nothing."""
        self._child.close()
        shutil.rmtree(self._private, ignore_errors=True)


def call_ezkl(
    name: str,
    arguments: Mapping[str, Any],
    *,
    raises: type[ZkmlError],
    options: ChildOptions = DEFAULT_OPTIONS,
) -> Answer:
    """Run one call of `zkml.adapters.ezkl.child`.

    Args:
        name: the call's name.
        arguments: its arguments as plain JSON; paths as text.
        raises: the class of error for a refusal by EZKL itself.
        options: limits, progress, verbosity.

    Returns:
        The value, wall time in seconds and peak memory in bytes.

    Raises:
        ZkmlError: of class `raises`, when EZKL refused; its words are in the message.
        StorageError: no space for what EZKL writes.
        ProverLimitError: out of memory or time.
        ToolchainError: EZKL is not installed, or is another version.
        BackendError: the child died or answered nonsense.
    """
    request = json.dumps({"call": name, "arguments": dict(arguments)}).encode()
    started = time.monotonic()
    children = options.children
    child = EzklChild(options.flavour) if children is None else children.take(options.flavour)
    result = child.run(request, options, started)
    if options.verbose and result.stderr:
        sys.stderr.write(result.stderr.decode("utf-8", "replace"))
    value = _value_of(name, result, raises)
    return Answer(value, result.wall_seconds, result.peak_rss_bytes, _remark(result))


def shorten(words: str) -> str:
    """Return EZKL's words on one line, without the prefixes that name its modules."""
    line = " ".join(words.split())
    line = re.sub(r"^Failed to [a-z ]+: ", "", line)
    line = re.sub(r"^(\[[a-z0-9_]+\] )+", "", line)
    return line[:_MAX_WORDS] or "no words"


def environment(private: str, flavour: Flavour) -> dict[str, str]:
    """Return the whole environment of a process that runs EZKL.

    Args:
        private: a directory of its own.
        flavour: what else is fixed at its start.
    """
    threads = {} if flavour.threads is None else {"RAYON_NUM_THREADS": str(flavour.threads)}
    passed_on = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    return (
        passed_on
        | threads
        | {
            # Tables cached in ~/.ezkl by other programs would be taken on trust.
            "EZKL_REPO_PATH": private,
            "EZKL_BUF_CAPACITY": str(BUFFER_BYTES),
            "EZKL_KEY_FORMAT": "raw-bytes-unchecked" if flavour.unchecked_keys else "raw-bytes",
            "RUST_BACKTRACE": "0",
            "RUST_LOG": "warn" if flavour.verbose else "error",
        }
    )


def _value_of(name: str, result: ChildResult, raises: type[ZkmlError]) -> Any:
    try:
        answer = json.loads(result.stdout)
    except ValueError as error:
        raise _died(name, result) from error
    if "failure" not in answer:
        return answer["value"]
    words = shorten(str(answer["words"]))
    if "synthesis error" in words:
        words = _remark(result) or words
    if answer["failure"] in ("ModuleNotFoundError", "ImportError"):
        raise ToolchainError(f"expected EZKL {VERSION}, found none", hint=install_hint("ezkl"))
    if _NO_SPACE.search(words):
        raise StorageError(f"expected space for EZKL's files, found {words}", hint="free some disk space")
    raise raises(f"expected EZKL's {name} to succeed, found: {words}", call=name, words=words)


def _remark(result: ChildResult) -> str:
    found = _REASON.findall(result.stderr.decode("utf-8", "replace"))
    return shorten(found[-1]) if found else ""


def was_killed(result: ChildResult) -> bool:
    """Say whether somebody else killed a command, or its guard."""
    return result.returncode in (_KILLED, -9)


def killed(name: str) -> ProverLimitError:
    """Return the error for a command that somebody else killed."""
    return ProverLimitError(
        f"expected EZKL's {name} to end, found it killed by the system",
        hint="most likely the machine is out of memory: give this node more of it, or fewer workers",
        call=name,
    )


def _died(name: str, result: ChildResult) -> ZkmlError:
    lines = result.stderr.decode("utf-8", "replace").strip().splitlines()
    if "No module named" in (lines[-1] if lines else ""):
        return ToolchainError(f"expected a complete installation, found: {lines[-1]:.200}")
    if was_killed(result):
        return killed(name)
    last = shorten(lines[-1]) if lines else "no words"
    return BackendError(
        f"expected an answer of EZKL's {name}, found exit code {result.returncode}: {last}", call=name
    )
