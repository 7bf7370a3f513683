"""The help of every command is what it was when somebody last looked at it.

After a wanted change: `python -m pytest tests/unit/test_cli_golden.py --write-golden`, and read the diff.
"""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from zkml.cli.main import command_tree, root

GOLDEN = Path(__file__).parents[1] / "vectors" / "cli-help"


def pages() -> dict[str, click.Command]:
    """Return every command by the words that call it."""
    found: dict[str, click.Command] = {"zkml": root}
    for noun, verbs in command_tree().items():
        if isinstance(verbs, click.Command):
            found[f"zkml {noun}"] = verbs
        else:
            found |= {f"zkml {noun} {verb}": command for verb, command in verbs.items()}
    return found


PAGES = pages()


def help_of(words: str) -> str:
    """Return the help of a command as a user of a 100-column terminal sees it."""
    argv = [*words.split()[1:], "--help"]
    return CliRunner().invoke(root, argv, prog_name="zkml", terminal_width=100).output


@pytest.mark.parametrize("words", PAGES)
def test_help__of_this_command__equals_the_golden_file(words, request):
    """A change of any help text or option shows as a diff of a file."""
    path = GOLDEN / f"{words.replace(' ', '-')}.txt"
    if request.config.getoption("--write-golden"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(help_of(words))
    assert path.read_text() == help_of(words)


def test_golden_files__none_is_of_a_command_that_is_gone():
    """Every golden file belongs to a command."""
    assert {path.stem for path in GOLDEN.iterdir()} == {words.replace(" ", "-") for words in PAGES}
