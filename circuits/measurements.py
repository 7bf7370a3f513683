"""How long a circuit's stages took on this machine, for predictions only.

Kept outside bundles: a measurement is no property of a circuit and must not change its digests. Losing the
file costs nothing, so an unreadable one counts as empty and a failed write is ignored.
"""

import contextlib
import json
import os
import tempfile
from pathlib import Path

from zkml.core.digests import Digest
from zkml.core.strict_json import parse_object
from zkml.errors import FormatError

_WEIGHT_OF_LATEST = 0.5
_MAX_ENTRIES = 1000


class Measurements:
    """Seconds by circuit and stage, in one JSON file or, without a path, in memory."""

    def __init__(self, path: Path | None = None) -> None:
        """Use the file at `path`, which the first measurement creates."""
        self._path = path
        self._memory: dict[str, float] = {}

    def expected_seconds(self, circuit: Digest, stage: str) -> float | None:
        """Return what `stage` should take, or None when it was never measured."""
        return self._read().get(f"{circuit}/{stage}")

    def record(self, circuit: Digest, stage: str, seconds: float) -> None:
        """Remember a measurement, averaged with the earlier ones."""
        known = self._read()
        key = f"{circuit}/{stage}"
        earlier = known.pop(key, seconds)
        known[key] = round(_WEIGHT_OF_LATEST * seconds + (1 - _WEIGHT_OF_LATEST) * earlier, 3)
        while len(known) > _MAX_ENTRIES:
            del known[next(iter(known))]
        self._memory = known
        self._write(known)

    def _read(self) -> dict[str, float]:
        if self._path is None:
            return dict(self._memory)
        try:
            found = parse_object(self._path.read_bytes(), where=str(self._path))
        except (OSError, FormatError):
            return dict(self._memory)
        return {
            key: float(value)
            for key, value in found.items()
            if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0
        }

    def _write(self, known: dict[str, float]) -> None:
        if self._path is None:
            return
        with contextlib.suppress(OSError):
            self._path.parent.mkdir(parents=True, exist_ok=True)
            descriptor, name = tempfile.mkstemp(dir=self._path.parent, suffix=".partial")
            try:
                with os.fdopen(descriptor, "w") as stream:
                    json.dump(known, stream, indent=1)
                Path(name).replace(self._path)
            finally:
                Path(name).unlink(missing_ok=True)
