"""The home: one process at a time, and clear refusals."""

import subprocess
import sys

import pytest

from zkml.adapters.home_directory import create_home, lock_home
from zkml.config.home import Home
from zkml.errors import ConfigError, HomeLockedError

HOLD = """
import sys
from pathlib import Path
from zkml.adapters.home_directory import lock_home
from zkml.config.home import Home
with lock_home(Home(Path(sys.argv[1])), "demo"):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_lock_home__held_by_another_process__refused_with_its_pid(tmp_path):
    """A second process in the same home is told who holds it, and may enter after the holder is killed."""
    home = Home(tmp_path / "home")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(home.root)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(HomeLockedError, match=f"pid {holder.pid}"), lock_home(home, "demo"):
            pass
        holder.kill()
        holder.wait()
    with lock_home(home, "demo"):
        assert home.keys.stat().st_mode & 0o777 == 0o700


def test_create_home__file_in_the_way__config_error(tmp_path):
    """A file where the home should be is refused and left alone."""
    path = tmp_path / "home"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="found a file"):
        create_home(Home(path))
    assert path.read_text() == "precious"
