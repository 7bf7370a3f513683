"""Bundles that a prover is given, or finds in its home: none is taken whose proofs no contract pays for."""

from types import SimpleNamespace

import pytest
from bundle_files import fill

from circuits.bundle import write_bundle
from prover_nodes.setup import check_setup
from zkml.cli.prover_bundles import open_bundles
from zkml.config.home import Home
from zkml.config.load import load
from zkml.errors import ConfigError, UnsuitableCircuitError


@pytest.fixture
def session(tmp_path):
    """A command's session, as far as bundles go; it keeps what was noted."""
    notes = []
    return SimpleNamespace(
        console=SimpleNamespace(note=notes.append),
        notes=notes,
        home=SimpleNamespace(bundles=tmp_path / "home"),
        settings=SimpleNamespace(prover=SimpleNamespace(bundles=[])),
    )


def made(path, system):
    return write_bundle(path, lambda folder: fill(folder).model_copy(update={"system": system}))


def test_home__with_an_octet_bundle__leaves_it_out_and_says_so(session):
    """Nobody named it: the node works with the others."""
    made(session.home.bundles / "fast", "octet")
    paid = made(session.home.bundles / "paid", "ezkl")
    assert [bundle.path for bundle in open_bundles(session, ())] == [paid.path]
    assert len(session.notes) == 1
    assert "fast" in session.notes[0]


def test_named__octet_bundle__is_refused_with_its_path(session, tmp_path):
    """Who names it believes that it earns something."""
    fast = made(tmp_path / "fast", "octet")
    with pytest.raises(UnsuitableCircuitError, match=r"octet.* in .*fast"):
        open_bundles(session, (fast.path,))
    session.settings.prover.bundles = [str(fast.path)]
    with pytest.raises(UnsuitableCircuitError, match=r"octet.* in .*fast"):
        open_bundles(session, ())


def test_home__with_octet_bundles_alone__is_as_good_as_empty(session):
    """There is nothing to prove for money."""
    made(session.home.bundles / "fast", "octet")
    with pytest.raises(ConfigError, match="found none configured"):
        open_bundles(session, ())


def test_setup__octet_bundle_in_the_settings__is_told_before_a_node_runs(tmp_path):
    """The wizard's look at bundles finds it, with the next step."""
    fast = made(tmp_path / "fast", "octet")
    settings = load(toml={"prover": {"bundles": [str(fast.path)]}}).settings
    found = next(iter(check_setup(settings, Home(tmp_path / "home"), {})))
    assert not found.is_well
    assert "octet" in found.found
    assert "--system ezkl" in found.hint
