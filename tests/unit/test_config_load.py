"""Settings: order of sources, every problem at once, origins."""

import contextlib
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkml.config.load import Loaded, known_keys, load, read_toml, variable_of
from zkml.config.settings import Settings
from zkml.config.template import render_toml
from zkml.errors import ConfigError

EXAMPLE = Path(__file__).parents[2] / "zkml.example.toml"


def origin_of(loaded: Loaded, key: str):
    """Return the origin of one key."""
    return next(origin for origin in loaded.origins if origin.key == key)


def test_load__nothing_given__defaults():
    """Without any source every value is its default and says so."""
    loaded = load()
    assert loaded.settings == Settings()
    assert {origin.source for origin in loaded.origins} == {"default"}


def test_load__flag_beats_variable_beats_file_beats_default():
    """The four sources rank flag, environment, file, default."""
    toml = {"chain": {"rpc_url": "http://file", "chain_id": 1, "confirmations": 7}}
    environment = {"ZKML_CHAIN_RPC_URL": "http://variable", "ZKML_CHAIN_CHAIN_ID": "2"}
    loaded = load(
        flags={"chain.rpc_url": "http://flag", "chain.chain_id": None}, environment=environment, toml=toml
    )
    chain = loaded.settings.chain
    assert (chain.rpc_url, chain.chain_id, chain.confirmations, chain.finality_blocks) == (
        "http://flag",
        2,
        7,
        64,
    )
    sources = [origin_of(loaded, f"chain.{k}").source for k in ("rpc_url", "chain_id", "confirmations")]
    assert sources == ["flag", "ZKML_CHAIN_CHAIN_ID", "zkml.toml"]


def test_load__three_problems__all_reported_at_once_with_suggestion():
    """A user sees every mistake in one run, and the nearest known name."""
    toml = {"chain": {"rpc_ulr": "x", "chain_id": "many"}}
    with pytest.raises(ConfigError, match="3 problem") as caught:
        load(environment={"ZKML_HOMEE": "x"}, toml=toml)
    message = str(caught.value)
    assert "chain.rpc_ulr; did you mean chain.rpc_url?" in message
    assert "chain.chain_id" in message
    assert "ZKML_HOMEE; did you mean ZKML_HOME?" in message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("chain.rpc_url", "ftp://x"),
        ("chain.rpc_url", 5),
        ("chain.chain_id", -1),
        ("chain.chain_id", 1.5),
        ("chain.chain_id", True),
        ("chain.timeout_seconds", 0),
        ("chain.timeout_seconds", "nan"),
        ("chain.timeout_seconds", "inf"),
        ("chain.max_fee_gwei", 0),
        ("chain.max_fee_gwei", "inf"),
        ("chain.accepted_classes", ["local"]),
        ("chain.accepted_classes", [1]),
        ("home", ""),
        ("prover.bundles", 3),
        ("prover.workers", -1),
        ("prover.admin_port", 65536),
        ("prover.log_format", "yaml"),
        ("api.public_url", "tcp://prover"),
        ("api.public_url", "https://" + "a" * 256),
        ("prover.auto_stake", "yes"),
        ("prover.auto_stake", 1),
    ],
)
def test_load__malformed_value__refused_by_key(key, value):
    """Each malformed value is refused under its own key, never used."""
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
        load(flags={key: value})


@pytest.mark.parametrize("text", ["false", "False"])
def test_load__switch_in_a_variable__is_read_as_one(text):
    """Only the words true and false switch anything; a text that is not empty is not simply true."""
    loaded = load(environment={"ZKML_PROVER_AUTO_STAKE": text}, toml={"prover": {"reclaim": True}})
    assert loaded.settings.prover.auto_stake is False
    assert loaded.settings.prover.reclaim is True


def test_load__secret_variable__never_among_origins():
    """A private key in the environment is accepted and never shown."""
    secret = "ab" * 32
    loaded = load(environment={"ZKML_PRIVATE_KEY": secret})
    assert secret not in repr(loaded)


def test_example_file__is_what_the_settings_say():
    """zkml.example.toml is written from settings.py: every key with its sentence and its default."""
    assert EXAMPLE.read_text() == render_toml({})
    loaded = load(toml=tomllib.loads(EXAMPLE.read_text()))
    assert loaded.settings == Settings()
    assert {origin.key for origin in loaded.origins if origin.source != "default"} == set(known_keys())


@pytest.mark.parametrize("content", [b"\xff\xfe", b"a = ", None])
def test_read_toml__unreadable__config_error(tmp_path, content):
    """A missing, binary or malformed file is a configuration error that names it."""
    path = tmp_path / "zkml.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ConfigError):
        read_toml(path)


@given(
    st.dictionaries(
        st.text(max_size=12),
        st.one_of(st.text(max_size=8), st.integers(), st.lists(st.integers())),
        max_size=4,
    )
)
def test_load__any_toml__settings_or_config_error(table):
    """No file content makes the loader fail in any other way than a ConfigError."""
    with contextlib.suppress(ConfigError):
        assert load(toml=table).settings.home


def test_variable_of__every_key__distinct():
    """No two keys share an environment variable."""
    names = [variable_of(key) for key in known_keys()]
    assert len(set(names)) == len(names)
