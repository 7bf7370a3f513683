"""Bundles that a prover is given, or finds in its home: none is taken whose proofs no contract pays for."""

from types import SimpleNamespace

import pytest
from bundle_files import fill

from circuits import verifier_source
from circuits.bundle import write_bundle
from prover_nodes.setup import check_setup
from zkml.cli.prover_bundles import open_bundles
from zkml.config.home import Home
from zkml.config.load import load
from zkml.errors import CircuitError, ConfigError, UnsuitableCircuitError


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


@pytest.fixture(autouse=True)
def too_large(monkeypatch):
    """OCTET's circuits here are too large for a contract."""

    def refuse(_bundle):
        raise UnsuitableCircuitError(
            "expected a key of at most 2047 words, found 3000", hint="split the model"
        )

    monkeypatch.setattr(verifier_source, "shared_key", refuse)


def made(path, system):
    return write_bundle(path, lambda folder: fill(folder).model_copy(update={"system": system}))


def test_home__with_a_bundle_too_large_for_a_chain__leaves_it_out_and_says_so(session):
    """Nobody named it: the node works with the others."""
    made(session.home.bundles / "large", "octet")
    paid = made(session.home.bundles / "paid", "ezkl")
    assert [bundle.path for bundle in open_bundles(session, ())] == [paid.path]
    assert len(session.notes) == 1
    assert "large" in session.notes[0]


def test_named__bundle_too_large_for_a_chain__is_refused_with_its_path(session, tmp_path):
    """Who names it believes that it earns something."""
    large = made(tmp_path / "large", "octet")
    with pytest.raises(UnsuitableCircuitError, match=r"2047 words.* in .*large"):
        open_bundles(session, (large.path,))
    session.settings.prover.bundles = [str(large.path)]
    with pytest.raises(UnsuitableCircuitError, match=r"2047 words.* in .*large"):
        open_bundles(session, ())


def test_home__with_such_bundles_alone__is_as_good_as_empty(session):
    """There is nothing to prove for money."""
    made(session.home.bundles / "large", "octet")
    with pytest.raises(ConfigError, match="found none configured"):
        open_bundles(session, ())


def test_setup__such_a_bundle_in_the_settings__is_told_before_a_node_runs(tmp_path):
    """The wizard's look at bundles finds it, with the next step."""
    large = made(tmp_path / "large", "octet")
    settings = load(toml={"prover": {"bundles": [str(large.path)]}}).settings
    found = next(iter(check_setup(settings, Home(tmp_path / "home"), {})))
    assert not found.is_well
    assert "2047 words" in found.found
    assert "split" in found.hint


def test_home__with_a_bundle_of_another_version__leaves_it_out(session, monkeypatch):
    """What an older zkml compiled stops no node that was not told to prove it."""

    def refuse(_bundle):
        raise CircuitError("expected a circuit of octet 2.0.0, found one of octet 1.0.0")

    monkeypatch.setattr(verifier_source, "shared_key", refuse)
    made(session.home.bundles / "old", "octet")
    paid = made(session.home.bundles / "paid", "ezkl")
    assert [bundle.path for bundle in open_bundles(session, ())] == [paid.path]
    assert "1.0.0" in session.notes[0]
