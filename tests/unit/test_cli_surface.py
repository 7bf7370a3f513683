"""The command line's surface: help, examples, exit codes, one JSON object, no tracebacks."""

import json
import os
import re
import subprocess
import sys

import click
import pytest

from zkml.cli.main import NOUNS, command_tree, root, run


def commands():
    """Return every command of the tree as (words, command)."""
    found = []
    for noun, verbs in command_tree().items():
        if isinstance(verbs, click.Command):
            found.append(((noun,), verbs))
        else:
            found += [((noun, verb), command) for verb, command in verbs.items()]
    return found


COMMANDS = commands()
IDS = [" ".join(words) for words, _ in COMMANDS]


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=IDS)
def test_help__every_command__has_a_sentence_and_an_example_of_itself(words, command):
    """Help says what the command does and shows one call that names it."""
    text = command.help
    assert re.match(r"[A-Z].*\.", text.splitlines()[0])
    assert f"Example: zkml {' '.join(words)}" in text


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=IDS)
def test_options__every_command__has_json_quiet_and_no_secret_flag(words, command):
    """Every command can print JSON, and none takes a secret on the command line."""
    flags = {flag for option in command.params for flag in option.opts}
    assert {"--json", "--quiet", "--home", "--config"} <= flags
    assert not {flag for flag in flags if re.search(r"secret|private|mnemonic|password$", flag)}


def test_nouns__as_designed():
    """The nouns are those of the design, in the order of the journey."""
    assert list(NOUNS) == [
        "demo",
        "model",
        "circuit",
        "chain",
        "verifier",
        "registry",
        "lineage",
        "did",
        "infer",
        "mcp",
        "job",
        "tab",
        "prover",
        "revenue",
        "imo",
        "steward",
        "audit",
        "config",
    ]


@pytest.mark.parametrize(("words", "command"), COMMANDS, ids=IDS)
def test_options__every_command_that_signs__has_a_dry_run(words, command):
    """Whatever takes a key can show what it would send before it sends anything."""
    flags = {flag for option in command.params for flag in option.opts}
    assert ("--key-file" in flags) == ("--dry-run" in flags)


def test_run__unknown_option__exit_2_one_line_and_hint(capsys):
    """A usage error is one line and a hint on stderr, with exit code 2."""
    assert run(["config", "show", "--colour"]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: No such option")
    assert "hint: see zkml config show --help" in err


def test_run__config_problem_with_json__one_error_object_on_stdout(capsys, monkeypatch):
    """With --json a failure is one JSON object on stdout."""
    monkeypatch.setenv("ZKML_CHAIN_RPC_URL", "nonsense")
    assert run(["config", "check", "--json"]) == 2
    error = json.loads(capsys.readouterr().out)["error"]
    assert error["type"] == "ConfigError"
    assert error["code"] == "ZK-CFG-001"


def test_run__defect_of_ours__one_line_no_traceback(capsys, monkeypatch):
    """An unexpected exception ends in one line and exit code 1, never in a traceback."""

    def explode(*_args, **_kwargs):
        raise ValueError("first line\nsecond line")

    monkeypatch.setattr(root, "main", explode)
    assert run(["config", "show"]) == 1
    err = capsys.readouterr().err
    assert "internal error: ValueError: first line" in err
    assert "Traceback" not in err


def test_run__interrupted__exit_130(monkeypatch):
    """Ctrl-C exits with 130."""

    def interrupt(*_args, **_kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(root, "main", interrupt)
    assert run(["config", "show"]) == 130


def test_check_packages__foreign_circuits_first_on_the_path__refused(tmp_path):
    """zkml refuses to start when another distribution's `circuits` shadows its own."""
    (tmp_path / "circuits").mkdir()
    (tmp_path / "circuits" / "__init__.py").write_text("")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    result = subprocess.run(
        [sys.executable, "-m", "zkml.cli", "config", "show"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert result.returncode == 2
    assert "expected the package circuits of zkml" in result.stderr
    assert "Traceback" not in result.stderr
