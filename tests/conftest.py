"""What every test shares: an environment without the developer's settings."""

import os

import pytest
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


@pytest.fixture(autouse=True)
def without_settings(monkeypatch):
    """Remove the developer's own ZKML_ variables, so that no test depends on them."""
    for name in os.environ:
        if name.startswith("ZKML_") and name not in KEPT:
            monkeypatch.delenv(name)
