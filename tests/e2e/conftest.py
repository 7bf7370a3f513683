"""One home in which the whole tour ran once, a copy where it ran with the other proof system too, and copies to break."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from built_once import built_once
from commands import nodes_of, zkml
from systems import FAST


def _tour(folder: Path) -> tuple[dict, list[int]]:
    home = folder / "home"
    run = zkml(home, "demo", "--json")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout), nodes_of(home)


def _tour_with_octet(folder: Path) -> tuple[dict, list[int]]:
    """Run the tour with OCTET where it ran with EZKL before: one model on one chain, in two circuits."""
    home = Path(shutil.copytree(built_once("tour", _tour)[0] / "home", folder / "home"))
    run = zkml(home, "demo", "--system", FAST, "--json")
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout), nodes_of(home)


@pytest.fixture(scope="session")
def toured(tmp_path_factory) -> tuple[Path, dict]:
    """Run the tour from nothing, once in a test run; return a copy of its home, and its report."""
    folder, (report, _) = built_once("tour", _tour)
    return Path(shutil.copytree(folder / "home", tmp_path_factory.mktemp("tour") / "home")), report


@pytest.fixture(scope="session")
def toured_with_octet(tmp_path_factory) -> tuple[Path, dict]:
    """Return a copy of a home in which the tour ran with both systems, and its second report."""
    folder, (report, _) = built_once("tour-octet", _tour_with_octet)
    return Path(shutil.copytree(folder / "home", tmp_path_factory.mktemp("octet") / "home")), report


@pytest.fixture(scope="session")
def left_behind() -> list[int]:
    """Return the processes of these tours that were there when they had ended."""
    return built_once("tour", _tour)[1][1] + built_once("tour-octet", _tour_with_octet)[1][1]


@pytest.fixture(scope="session")
def toured_again(toured_with_octet, tmp_path_factory) -> tuple[CompletedProcess[str], dict]:
    """Run the tour with OCTET a second time, in a copy of the home; return the command and its report."""
    home = Path(shutil.copytree(toured_with_octet[0], tmp_path_factory.mktemp("again") / "home"))
    run = zkml(home, "demo", "--system", FAST, "--json")
    assert run.returncode == 0, run.stderr
    return run, json.loads(run.stdout)


@pytest.fixture
def copied_home(toured, tmp_path) -> Path:
    """Return a copy of the toured home, which a test may break."""
    return Path(shutil.copytree(toured[0], tmp_path / "home"))


@pytest.fixture
def copied_octet_home(toured_with_octet, tmp_path) -> Path:
    """Return a copy of the home toured with both systems, which a test may break."""
    return Path(shutil.copytree(toured_with_octet[0], tmp_path / "home"))


@pytest.fixture
def running_home(copied_home):
    """Return a copy of the toured home with its node up; the node is stopped whatever happens."""
    yield from running(copied_home)


@pytest.fixture
def running_octet_home(copied_octet_home):
    """Return the same of the home toured with both systems."""
    yield from running(copied_octet_home)


def running(home: Path) -> Iterator[Path]:
    """Start a home's node; stop it whatever happens."""
    try:
        started = zkml(home, "chain", "up", "--json")
        assert started.returncode == 0, started.stderr
        yield home
    finally:
        zkml(home, "chain", "down")
