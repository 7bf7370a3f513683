"""`zkml prover init`: asks, looks, and writes settings in which no secret stands."""

import json
import stat
import tomllib

import pytest
from click.testing import CliRunner

from prover_nodes import setup
from prover_nodes.setup import Finding
from zkml.adapters.keys.key_files import create_key_file
from zkml.cli import prover_init
from zkml.cli.main import root, run
from zkml.config.load import known_keys, load

PASSWORD = "correct-horse-battery"


@pytest.fixture
def file(tmp_path):
    """Where the settings go."""
    return tmp_path / "zkml.toml"


@pytest.fixture
def init(file, capsys, monkeypatch):
    """Run the command; return its one JSON object."""
    monkeypatch.delenv("ZKML_PRIVATE_KEY", raising=False)

    def run_one(*argv, code=0):
        where = ["--home", str(file.parent / "home"), "--config", str(file)]
        assert run(["prover", "init", "--json", *where, *argv]) == code, capsys.readouterr()
        return json.loads(capsys.readouterr().out)

    return run_one


@pytest.fixture
def working(monkeypatch):
    """Let every look find that all is well."""
    well = [Finding("chain", is_well=True, found="it answers")]
    monkeypatch.setattr(setup, "check_setup", lambda *_: well)


def settings_in(file):
    """Load what was written."""
    return load(toml=tomllib.loads(file.read_text())).settings


@pytest.mark.usefixtures("working")
def test_init__writes_every_key_of_a_node(init, file):
    """All keys of chain, keys, prover and api are there to be changed, and load as they were given."""
    found = init("--set", "prover.workers=3", "--set", "api.port=8080", "--bundle", str(file.parent))
    assert (found["written"], found["backup"]) == (True, None)
    loaded = settings_in(file)
    assert (loaded.prover.workers, loaded.api.port) == (3, 8080)
    assert loaded.prover.bundles == (str(file.parent),)
    for key in known_keys():
        section, _, name = key.partition(".")
        if section in prover_init.WRITTEN:
            assert f"\n{name} = " in file.read_text(), key
    assert "[client]" not in file.read_text()


@pytest.mark.usefixtures("working")
def test_init__a_file_is_there__is_replaced_only_when_asked_and_kept(init, file):
    """Without --overwrite nothing happens; with it, each old file is kept and its values stay the defaults."""
    file.write_text("[prover]\nworkers = 7\n[client]\ntab_hours = 3.0\n")
    old = file.read_text()
    assert "expected no settings yet" in init("--yes", code=2)["error"]["message"]
    assert file.read_text() == old
    found = init("--overwrite", "--set", "prover.settlers=2")
    assert found["backup"] == str(file) + ".1.bak"
    assert (file.parent / "zkml.toml.1.bak").read_text() == old
    assert stat.S_IMODE((file.parent / "zkml.toml.1.bak").stat().st_mode) == 0o600
    loaded = settings_in(file)
    assert (loaded.prover.workers, loaded.prover.settlers, loaded.client.tab_hours) == (7, 2, 3.0)
    assert init("--overwrite")["backup"] == str(file) + ".2.bak"


@pytest.mark.usefixtures("working")
def test_init__secrets__are_never_written(init, file, monkeypatch):
    """A URL that holds a password or a key is left to its variable; the key in the environment as well."""
    monkeypatch.setenv("ZKML_PRIVATE_KEY", "ab" * 32)
    endpoint = f"https://alice:{PASSWORD}@chain.example/v3/q7RkZ2fJ0123456789"
    journal = f"prover.journal_url=postgresql+psycopg://node:{PASSWORD}@db.example/journal"
    found = init("--rpc-url", endpoint, "--set", journal)
    assert found["variables"] == ["ZKML_CHAIN_RPC_URL", "ZKML_PROVER_JOURNAL_URL"]
    written = file.read_text()
    assert not [secret for secret in (PASSWORD, "q7RkZ2fJ", "alice", "ab" * 32) if secret in written]


def test_init__something_does_not_work__is_found_before_anything_is_written(init, file):
    """A bundle that does not open, a key that others can read and a dead endpoint are each told."""
    key = file.parent / "prover.key"
    create_key_file(key)
    key.chmod(0o644)
    argv = ("--bundle", str(file.parent), "--key-file", str(key), "--rpc-url", "http://127.0.0.1:9")
    assert "bundle" in init(*argv, code=2)["error"]["message"]
    assert not file.exists()
    previewed = init(*argv, "--dry-run")
    assert (previewed["dry_run"], previewed["written"], file.exists()) == (True, False, False)
    checks = {found["about"].split()[0]: found for found in previewed["checks"]}
    assert [name for name, found in checks.items() if not found["ok"]] == ["bundle", "key", "chain"]
    assert checks["key"]["hint"] == f"chmod 600 {key}"
    key.chmod(0o600)
    found = init(*argv, "--unchecked")
    assert found["written"]
    assert [look["ok"] for look in found["checks"]] == [False, True, False]


@pytest.mark.usefixtures("working")
def test_init__key_file__is_found_from_any_folder_and_missed_where_none_is_named(file, capsys, monkeypatch):
    """A relative path to a key is written whole; without any key in sight the operator is told."""
    argv = [
        "prover",
        "init",
        "--yes",
        "--overwrite",
        "--home",
        str(file.parent / "home"),
        "--config",
        str(file),
    ]
    monkeypatch.delenv("ZKML_PRIVATE_KEY", raising=False)
    monkeypatch.chdir(file.parent)
    assert run(argv) == 0
    assert "no key is named" in capsys.readouterr().out
    assert run([*argv, "--key-file", "own.key"]) == 0
    assert "no key is named" not in capsys.readouterr().out
    assert settings_in(file).keys.key_file == str(file.parent / "own.key")


@pytest.mark.parametrize("change", ["prover.workers", "prover.wokers=2", "prover.workers=many"])
def test_init__a_setting_that_is_none__is_refused(init, file, change):
    """A key that does not exist, or a value that cannot be, is an error and no file."""
    assert init("--set", change, code=2)["error"]["type"] == "ConfigError"
    assert not file.exists()


def ask(file, monkeypatch, answers, *argv):
    """Run the wizard as on a terminal; return its result."""
    monkeypatch.setattr(prover_init, "_is_terminal", lambda: True)
    words = ["prover", "init", "--home", str(file.parent / "home"), "--config", str(file), *argv]
    return CliRunner().invoke(root, words, input="".join(f"{answer}\n" for answer in answers))


@pytest.mark.usefixtures("working")
def test_init__asks_for_each_key_and_again_for_what_cannot_be(file, monkeypatch):
    """The wizard asks what is not given, explains each key, and asks again after a bad answer."""
    answers = {key: "" for key in prover_init.ASKED if not key.startswith("api.")}
    answers |= {"prover.workers": "no number\n4", "prover.min_fee": "25", "api.port": "0"}
    done = ask(file, monkeypatch, [answers[key] for key in prover_init.ASKED if key in answers])
    assert done.exit_code == 0, done.output
    assert "Proofs made at once; 0 for two" in done.output
    assert "expected" in done.output
    loaded = settings_in(file)
    assert (loaded.prover.workers, loaded.prover.min_fee) == (4, 25)


@pytest.mark.usefixtures("working")
def test_init__asks_before_it_replaces_a_file(file, monkeypatch):
    """Answered no, the wizard leaves the file that is there as it is."""
    file.write_text("[prover]\nworkers = 7\n")
    blank = [""] * sum(not key.startswith("api.") for key in prover_init.ASKED)
    done = ask(file, monkeypatch, [*blank, "0", "n"])
    assert done.exit_code != 0
    assert file.read_text() == "[prover]\nworkers = 7\n"
    done = ask(file, monkeypatch, [*blank, "0", "y"])
    assert (done.exit_code, settings_in(file).prover.workers) == (0, 7)
