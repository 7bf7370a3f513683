"""What every test shares: an environment without the developer's settings."""

import os

import pytest
from built_once import open_folder, remove_folder
from hypothesis import settings

# How fast a machine is says nothing about what is tested.
settings.register_profile("zkml", deadline=None)
settings.load_profile("zkml")

KEPT = {"ZKML_NODE", "ZKML_NODE_MODULES", "ZKML_ANVIL", "ZKML_FORGE"}


def pytest_addoption(parser):
    """Add the option that rewrites golden files."""
    parser.addoption(
        "--write-golden", action="store_true", help="rewrite golden files from what is there now"
    )


def pytest_configure(config):
    """Make the folder that the processes of a run share, in the one that starts the others."""
    if not hasattr(config, "workerinput"):
        open_folder()


def pytest_unconfigure(config):
    """Remove it when all others have ended."""
    if not hasattr(config, "workerinput"):
        remove_folder()


@pytest.fixture(autouse=True)
def without_settings(monkeypatch):
    """Remove the developer's own ZKML_ variables, so that no test depends on them."""
    for name in os.environ:
        if name.startswith("ZKML_") and name not in KEPT:
            monkeypatch.delenv(name)
