"""What the project says about its own structure."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("zkml", "circuits", "verifier_contracts", "prover_nodes", "registry", "marketplace")


def modules() -> list[Path]:
    """Return every module of the six packages."""
    return [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py"))]


def test_layers__import_linter_contracts__kept():
    """The layers of the architecture are those in .importlinter, with no broken contract."""
    run = subprocess.run(
        [Path(sys.executable).parent / "lint-imports", "--no-cache", "--no-logo"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout


@pytest.mark.parametrize(
    "path", [p for p in modules() if p.name == "__init__.py"], ids=lambda p: str(p.relative_to(ROOT))
)
def test_package_init__docstring_only(path):
    """Importing a package runs nothing; zkml.client alone re-exports its names."""
    body = ast.parse(path.read_text()).body
    assert ast.get_docstring(ast.Module(body=body, type_ignores=[]))
    if path.parent != ROOT / "zkml" / "client":
        assert len(body) == 1


def test_modules__none_is_a_drawer_for_everything():
    """No module is called utils, helpers, common or misc, and none has more than 400 lines.

    The error tree is one drawing and one class each, and stays in one file.
    """
    for path in modules():
        if path == ROOT / "zkml" / "errors.py":
            continue
        assert path.stem not in {"utils", "helpers", "common", "misc", "util", "helper"}, path
        assert len(path.read_text().splitlines()) <= 400, path


@pytest.mark.parametrize(
    "package", ["zkml.audit.report", "zkml.client", "zkml.cli.main", "zkml.core.records"]
)
def test_light_import__auditors_and_clients__without_torch_ezkl_onnx(package):
    """What auditors and clients import loads neither torch, ezkl, onnx nor the Solidity compiler."""
    heavy = ("torch", "ezkl", "onnx", "onnxruntime", "solcx", "sklearn", "sqlalchemy")
    code = f"import sys, {package}; print([m for m in {heavy!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_committed_files__name_no_machine_and_no_registry_host():
    """No tracked file names a package registry's host."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
    hosts = [b"registry." + b"npmjs.org", b"files." + b"pythonhosted.org", b"py" + b"pi.org/simple"]
    for name in tracked.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file():
            data = path.read_bytes()
            assert not [host for host in hosts if host in data], name
