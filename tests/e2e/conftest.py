"""One home in which the whole tour ran once, and copies of it to break."""

import json
import shutil
from pathlib import Path

import pytest
from commands import zkml


@pytest.fixture(scope="session")
def toured(tmp_path_factory) -> tuple[Path, dict]:
    """Run the tour from nothing; return its home and its report."""
    home = tmp_path_factory.mktemp("tour") / "home"
    run = zkml(home, "demo", "--json")
    assert run.returncode == 0, run.stderr
    return home, json.loads(run.stdout)


@pytest.fixture
def copied_home(toured, tmp_path) -> Path:
    """Return a copy of the toured home, which a test may break."""
    return Path(shutil.copytree(toured[0], tmp_path / "home"))


@pytest.fixture
def running_home(copied_home):
    """Return a copy of the toured home with its node up; the node is stopped whatever happens."""
    try:
        started = zkml(copied_home, "chain", "up", "--json")
        assert started.returncode == 0, started.stderr
        yield copied_home
    finally:
        zkml(copied_home, "chain", "down")
