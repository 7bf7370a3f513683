"""One home in which the whole tour ran once, and copies of it to break."""

import json
import shutil
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from built_once import built_once
from commands import nodes_of, zkml


def _tour(folder: Path) -> tuple[dict, list[int]]:
    home = folder / "home"
    run = zkml(home, "demo", "--json")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout), nodes_of(home)


@pytest.fixture(scope="session")
def toured(tmp_path_factory) -> tuple[Path, dict]:
    """Run the tour from nothing, once in a test run; return a copy of its home, and its report."""
    folder, (report, _) = built_once("tour", _tour)
    return Path(shutil.copytree(folder / "home", tmp_path_factory.mktemp("tour") / "home")), report


@pytest.fixture(scope="session")
def left_behind() -> list[int]:
    """Return the processes of that tour that were there when it had ended."""
    return built_once("tour", _tour)[1][1]


@pytest.fixture(scope="session")
def toured_again(toured, tmp_path_factory) -> tuple[CompletedProcess[str], dict]:
    """Run the tour a second time, in a copy of the home; return the command and its report."""
    home = Path(shutil.copytree(toured[0], tmp_path_factory.mktemp("again") / "home"))
    run = zkml(home, "demo", "--json")
    assert run.returncode == 0, run.stderr
    return run, json.loads(run.stdout)


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
