"""Every command and every Python snippet of the pages runs, in one shell, and prints what the pages show."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
from commands import forks

ROOT = Path(__file__).parents[2]
PAGES = (
    "docs/publisher.md",
    "docs/client.md",
    "docs/prover.md",
    "docs/offerings.md",
    "docs/auditor.md",
    "README.md",
)
BIN = Path(sys.executable).parent
CLIENT = Path(__file__).with_name("fork_client.py")
TIMEOUT_SECONDS = 900
# All pages run before the first test, and the run has a limit of its own.
pytestmark = [pytest.mark.e2e, pytest.mark.timeout(TIMEOUT_SECONDS + 60)]
# `make` needs the network, and the tour has tests of its own.
NOT_RUN = re.compile(r"make\b|zkml demo\b")
MARK = "@@@ step "
SHOWN_PORTS = ("8402", "9464")
"""Of the nodes that the pages start; where they run, each is a free one."""


@dataclass(frozen=True)
class Step:
    """One command or snippet of a page, with the lines that the page shows below it."""

    where: str
    script: str
    shown: tuple[str, ...]


def steps_of(page: str) -> list[Step]:
    """Return the steps of a page, in order: each `$ ` line of a console block, and each Python block."""
    found = []
    text = (ROOT / page).read_text()
    for block in re.finditer(r"^```(console|python)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        line = text[: block.start()].count("\n") + 2
        if block[1] == "python":
            found.append(Step(f"{page}:{line}", f"python - <<'END_OF_SNIPPET'\n{block[2]}END_OF_SNIPPET", ()))
            continue
        for number, part in enumerate(re.split(r"^\$ ", block[2], flags=re.MULTILINE)):
            if number == 0:
                assert not part, f"{page}:{line}: a console block begins with a command"
                continue
            command, *shown = part.splitlines()
            if not NOT_RUN.match(command):
                found.append(Step(f"{page}:{line}", command, tuple(shown)))
            line += len(shown) + 1
    return found


STEPS = [step for page in PAGES for step in steps_of(page)]


def other_pages() -> list[str]:
    """Return the pages that are not run."""
    names = {str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md")}
    return sorted(names - set(PAGES))


@pytest.mark.parametrize("page", other_pages())
def test_other_pages__hold_no_commands(page):
    """A page that is not run has no console or Python block that would have to be."""
    assert steps_of(page) == []


def with_free_ports(text: str) -> str:
    """Return a script whose nodes listen where nobody else does."""
    with contextlib.ExitStack() as held:
        for port in SHOWN_PORTS:
            listener = held.enter_context(socket.create_server(("127.0.0.1", 0)))
            text = re.sub(rf"\b{port}\b", str(listener.getsockname()[1]), text)
    return text


@pytest.fixture(scope="module")
def outputs(tmp_path_factory) -> dict[str, str]:
    """Run all steps as one script; return what each printed, by its place."""
    folder = tmp_path_factory.mktemp("pages")
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith("ZKML_") or "NODE" in name
    }
    programs = folder / "programs"
    programs.mkdir()
    stand_in = programs / "zkml"
    # Neither site nor the environment: all of its time is starting Python.
    stand_in.write_text(f'#!/bin/sh\nexec {sys.executable} -I -S {CLIENT} {forks().socket} "$@"\n')
    stand_in.chmod(0o700)
    environment = {
        **kept,
        "PATH": os.pathsep.join([str(programs), str(BIN), kept.get("PATH", os.defpath)]),
        "ZKML_HOME": str(folder / "home"),
        "NO_COLOR": "1",
        "COLUMNS": "200",
    }
    lines = ["set -euo pipefail", "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT"]
    for number, step in enumerate(STEPS):
        lines += [f"echo '{MARK}{number}'", step.script]
    script = folder / "pages.sh"
    script.write_text(with_free_ports("\n".join(lines) + "\n"))
    log = folder / "pages.log"
    try:
        with log.open("wb") as file:
            shell = subprocess.Popen(
                ["bash", str(script)],
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
            try:
                code = shell.wait(TIMEOUT_SECONDS)
            except subprocess.TimeoutExpired:
                os.killpg(shell.pid, signal.SIGKILL)
                code = shell.wait()
    finally:
        subprocess.run(
            [BIN / "zkml", "chain", "down"], cwd=folder, env=environment, capture_output=True, check=False
        )
    parts = log.read_text().split(MARK)[1:]
    printed = [part.partition("\n")[2] for part in parts]
    last = STEPS[len(printed) - 1]
    assert code == 0, f"{last.where}: {last.script}\nexit code {code}\n{printed[-1]}"
    assert len(printed) == len(STEPS)
    return dict(enumerate(printed))


def test_pages__every_command_and_snippet__runs(outputs):
    """A reader who types what the pages say, in their order, meets no error."""
    assert all("Traceback" not in printed for printed in outputs.values())


def comparable(line: str) -> str:
    """Return a line without what differs from run to run: hashes, numbers, widths of columns."""
    line = re.sub(r"0x[0-9a-fA-F]+(\.\.\.)?", "0x", line)
    line = re.sub(r"sha256:[0-9a-f]+(\.\.\.)?", "sha256:", line)
    line = re.sub(r"-?\d+(\.\d+)?", "N", line)
    return " ".join(line.split())


def first_missing(shown: tuple[str, ...], printed: str) -> str | None:
    """Return the first shown line that was not printed, in the order shown."""
    rest = iter([comparable(line) for line in printed.splitlines()])
    return next((line for line in shown if comparable(line) not in rest), None)


@pytest.mark.parametrize(
    "number",
    [number for number, step in enumerate(STEPS) if step.shown],
    ids=[f"{step.where} {step.script[:30]}" for step in STEPS if step.shown],
)
def test_pages__what_is_shown__is_what_comes_out(outputs, number):
    """Each line that a page shows below a command is printed by it, but for hashes and figures."""
    missing = first_missing(STEPS[number].shown, outputs[number])
    assert missing is None, f"{missing!r} not in:\n{outputs[number]}"
