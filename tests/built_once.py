"""What takes long to build is built once in a test run, by whichever of its processes needs it first."""

import os
import pickle
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from filelock import FileLock

FOLDER = "PYTEST_ZKML_SHARED"
"""Names the run's folder to pytest's worker processes."""


def open_folder() -> None:
    """Make the run's folder; its workers inherit it."""
    os.environ[FOLDER] = tempfile.mkdtemp(prefix="zkml-test-run-")


def remove_folder() -> None:
    """Remove the run's folder with all that was built."""
    shutil.rmtree(os.environ.pop(FOLDER), ignore_errors=True)


def shared_folder() -> Path:
    """Return the run's folder."""
    return Path(os.environ[FOLDER])


def built_once(name: str, build: Callable[[Path], Any]) -> tuple[Path, Any]:
    """Return a folder and what building it returned; who comes second waits and reads.

    Nobody may write to the folder afterwards. A build that fails is tried again by the next who needs it.

    Args:
        name: of the folder, unique in the run.
        build: fills an empty folder, and returns something that can be pickled.
    """
    folder = shared_folder() / name
    result = folder.with_suffix(".pickle")
    with FileLock(folder.with_suffix(".lock")):
        if not result.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            result.write_bytes(pickle.dumps(build(folder)))
    return folder, pickle.loads(result.read_bytes())
