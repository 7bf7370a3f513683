"""What a running node tells other commands of its home: its process, where it serves, whether it drains."""

import contextlib
import http.client
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from zkml.adapters.atomic_write import write_atomically
from zkml.core.strict_json import parse_object
from zkml.errors import FormatError

ASK_SECONDS = 3.0
MAX_STATUS_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class ProcessNote:
    """One running node.

    Attributes:
        pid: its process.
        admin: base URL of its metrics and health, or empty.
        api: base URL of its API, or empty.
        draining: whether it takes nothing new any more.
    """

    pid: int
    admin: str
    api: str
    draining: bool


class ProcessFile:
    """The note of the node of one home; it is believed only while the node's lock is held."""

    def __init__(self, folder: Path) -> None:
        """Use the file in this folder."""
        self._path = folder / "process.json"

    def write(self, note: ProcessNote) -> None:
        """Write it anew.

        Raises:
            StorageError: no space or no permission.
        """
        write_atomically(self._path, (json.dumps(asdict(note)) + "\n").encode(), mode=0o600)

    def read(self) -> ProcessNote | None:
        """Return what it says; None where there is none, or nothing that can be read."""
        try:
            fields = parse_object(self._path.read_bytes(), where=str(self._path))
            return ProcessNote(
                int(fields["pid"]), str(fields["admin"]), str(fields["api"]), bool(fields["draining"])
            )
        except (OSError, FormatError, KeyError, TypeError, ValueError):
            return None

    def remove(self) -> None:
        """Remove it."""
        with contextlib.suppress(OSError):
            self._path.unlink()


def ask_status(url: str, *, timeout_seconds: float = ASK_SECONDS) -> dict[str, Any] | None:
    """Return what a running node's admin server says at /status; None where it does not say.

    Args:
        url: base URL that the node noted.
        timeout_seconds: longest wait.
    """
    parts = urlsplit(url)
    # A node that serves every address of this machine is asked at its own.
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(parts.hostname or "", parts.hostname or "")  # noqa: S104
    connection = http.client.HTTPConnection(host, parts.port, timeout=timeout_seconds)
    try:
        connection.request("GET", "/status")
        answer = connection.getresponse().read(MAX_STATUS_BYTES)
        return dict(parse_object(answer, where=f"{url}/status"))
    except (OSError, http.client.HTTPException, FormatError):
        return None
    finally:
        connection.close()
