"""What is printed: one JSON object, tables, progress, and nothing that a stranger could do to a terminal."""

import io
import json
import subprocess
import sys

import pytest
from rich.console import Console as RichConsole

from zkml.adapters.process.environment import child_environment
from zkml.cli.console import Console, harmless, table
from zkml.core.progress import ProgressEvent
from zkml.core.records import ProofFile
from zkml.errors import FormatError, ZkmlError

ESCAPES = "ezkl\x1b[2J\x1b[H\x1b[32maccepted\x1b[8m"


def test_result__text_with_escapes__reaches_the_terminal_harmless(capsys):
    """A name that holds escape codes is printed as what it is, and moves nothing."""
    Console().result({}, f"name {ESCAPES}\nnext")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "\\x1b[2J" in out
    assert out.endswith("next\n")


def test_failure__message_with_line_ends_and_escapes__stays_one_line(capsys):
    """An error message cannot forge a line of its own."""
    Console().failure(ZkmlError(f"found {ESCAPES}\nverdict: accepted", hint="a\nb"))
    err = capsys.readouterr().err
    assert "\x1b[2J" not in err
    assert not [line for line in err.splitlines() if line.startswith(("verdict", "b"))]


def test_result__json__one_object_whatever_it_holds(capsys):
    """With --json exactly one object is on stdout."""
    Console(as_json=True).result({"name": ESCAPES}, "ignored")
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert json.loads(out) == {"name": ESCAPES}


@pytest.mark.parametrize("field", ["system", "system_version"])
def test_proof_file__name_with_anything_but_a_name__refused(field):
    """A proof file cannot carry escape codes or line ends into a report."""
    proof = ProofFile(
        system="ezkl",
        system_version="23.0.5",
        circuit="sha256:" + "00" * 32,
        verifying_key="sha256:" + "00" * 32,
        input="0x",
        output="0x",
        proof="0x",
    )
    for bad in (ESCAPES, "1\nverdict: accepted", "", " 1"):
        fields = json.loads(proof.to_bytes()) | {field: bad}
        with pytest.raises(FormatError):
            ProofFile.from_bytes(json.dumps(fields).encode(), where="a test")


def test_table__numbers_to_the_right_text_to_the_left():
    """Columns line up, and a header stands over its column."""
    assert table(["name", "count"], [["a", "5"], ["bcd", "100"]]) == "name  count\na         5\nbcd     100"


def test_progress__without_a_terminal__one_line_for_each_finished_stage(capsys):
    """Where stderr is no terminal, a stage leaves one line, when it ends."""
    with Console().progress() as progress:
        progress(ProgressEvent("prove", 0.1))
        progress(ProgressEvent("prove", 1.2, finished=True, note="fine"))
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines() == ["  prove                                           1.2 s  fine"]


def test_progress__quiet__nothing_at_all(capsys):
    """With -q nothing but errors is on stderr."""
    with Console(quiet=True).progress() as progress:
        progress(ProgressEvent("prove", 1.2, finished=True))
    assert capsys.readouterr().err == ""


def test_progress__on_a_terminal__finished_stages_keep_their_lines():
    """On a terminal a finished stage leaves its line above the bars."""
    console = Console()
    console._rich = RichConsole(file=io.StringIO(), force_terminal=True, width=80, highlight=False)
    with console.progress() as progress:
        progress(ProgressEvent("prove", 0.1, expected_seconds=1.0))
        progress(ProgressEvent("prove", 1.2, finished=True))
    assert "prove" in console._rich.file.getvalue()
    assert "1.2 s" in console._rich.file.getvalue()


def test_harmless__printable_text__unchanged():
    """Ordinary text in any script is left as it is."""
    assert harmless("größe 数\nline") == "größe 数\nline"


def test_child_environment__private_key__never_handed_to_a_program(monkeypatch):
    """Programs that we start do not get the key, whether we name their environment or not."""
    monkeypatch.setenv("ZKML_PRIVATE_KEY", "7f" * 32)
    monkeypatch.setenv("KEPT", "1")
    assert "ZKML_PRIVATE_KEY" not in child_environment(None)
    assert child_environment(None)["KEPT"] == "1"
    assert child_environment({"ZKML_PRIVATE_KEY": "x", "A": "1"}) == {"A": "1"}


def test_missing_extra__is_a_toolchain_error_with_the_command_that_installs_it():
    """Without an optional package a command says which extra brings it, and calls nothing a defect."""
    code = (
        "import sys; sys.modules['sqlalchemy'] = None\n"
        "from zkml.cli.main import run; sys.exit(run(['prover', 'status']))"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "expected the package sqlalchemy" in result.stderr
    assert "pip install '.[prover]'" in result.stderr
