"""The client's public names, and what a client never has to install."""

import importlib
import subprocess
import sys

import pytest

import zkml.client


def test_public_names__all_of_them_are_there_and_documented():
    """`__all__` is exactly what can be imported, each name with its first sentence."""
    for name in zkml.client.__all__:
        value = getattr(zkml.client, name)
        assert value.__doc__, name
        assert value.__name__ == name
        home = importlib.import_module(value.__module__)
        assert getattr(home, name) is value
    assert set(zkml.client.__all__) <= set(dir(zkml.client))


def test_public_names__functions_and_records_of_the_modules__none_forgotten():
    """Every public function and class that speaks to a requester is exported."""
    expected = {
        "AsyncModel",
        "JobOutput",
        "Model",
        "OpenedJob",
        "OpenedTab",
        "OpeningJournal",
        "OpeningRecord",
        "Prediction",
        "Proved",
        "Receipt",
        "RequestJournal",
        "Requester",
        "TabAnswer",
        "TabJournal",
        "Withdrawal",
        "cancel",
        "checked_commitment",
        "checked_tab",
        "close_tab",
        "fetch_manifest",
        "open_job",
        "open_requester",
        "open_tab",
        "pack_input",
        "read_answer",
        "read_output",
        "refund",
        "resume_openings",
        "sign_request",
        "verify_answer",
        "wait_for_settlement",
        "withdraw",
    }
    assert set(zkml.client.__all__) == expected


def test_public_names__unknown__attribute_error():
    """A name that is not there is an AttributeError, as of any module."""
    with pytest.raises(AttributeError, match="no attribute 'settle'"):
        _ = zkml.client.settle


def test_import__of_the_package__loads_none_of_its_modules():
    """Importing the package imports nothing below it."""
    code = "import sys, zkml.client; print([m for m in sys.modules if m.startswith('zkml.client.')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("module", ["zkml.audit.job_audit", "zkml.audit.proof_audit", "zkml.client.outputs"])
def test_import__auditor_and_client__without_ezkl_and_torch(module):
    """Where importing ezkl, torch or onnx fails, auditor and client still import."""
    code = (
        "import sys\n"
        "for name in ('ezkl', 'torch', 'onnx', 'onnxruntime', 'solcx', 'sqlalchemy', 'click'):\n"
        "    sys.modules[name] = None\n"
        f"import {module}\n"
        "for name in __import__('zkml.client').client.__all__:\n"
        "    getattr(sys.modules['zkml.client'], name)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_import__infer_and_model__base_install_suffices():
    """A client that infers loads neither torch, ezkl, onnx, ray, a server framework, a database nor mcp."""
    heavy = (
        "torch",
        "ezkl",
        "onnx",
        "onnxruntime",
        "ray",
        "fastapi",
        "starlette",
        "uvicorn",
        "sqlalchemy",
        "mcp",
        "prometheus_client",
        "pynvml",
        "solcx",
        "structlog",
        "sklearn",
    )
    code = (
        "import sys\n"
        f"for name in {heavy!r}:\n"
        "    sys.modules[name] = None\n"
        "from zkml.client import AsyncModel, Model\n"
        "import zkml.cli.infer, zkml.client.inference\n"
        "from zkml.cli.main import run\n"
        "assert run(['infer', '--help']) == 0\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
