"""OCTET by command: compile, inspect, mock, prove, verify and audit one small model, and what is refused."""

import contextlib
import io
import json
import subprocess
import sys

import numpy as np
import pytest
import torch
from onnx import TensorProto, helper

from circuits.zoo.options.model import option_pricer
from zkml.adapters.evm.anvil import Anvil
from zkml.cli.main import run
from zkml.export.torch_module import export_module

pytestmark = pytest.mark.integration

DOMAIN = ("--domain", "0", "0.99609375")


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """Return a folder with a home, an ONNX model of a few weights, calibration data and one input."""
    folder = tmp_path_factory.mktemp("octet")
    torch.manual_seed(0)
    export_module(option_pricer((8,)), torch.zeros(1, 4), folder / "model.onnx", name="pricer")
    grid = np.random.default_rng(0).integers(0, 256, (64, 1, 4)) / 256
    np.save(folder / "data.npy", grid)
    (folder / "input.json").write_text(json.dumps(grid[0].tolist()))
    return folder


def called(studio, *argv: str, code: int = 0):
    """Run a command with --json; return its one object, and what it said on stderr."""
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        assert run([*argv, "--json", "--home", str(studio / "home")]) == code
    assert "Traceback" not in err.getvalue()
    return json.loads(out.getvalue()), err.getvalue()


@pytest.fixture(scope="module")
def ask(studio):
    """Run a command in the studio's home."""

    def run_one(*argv: str, code: int = 0):
        return called(studio, *argv, code=code)

    return run_one


@pytest.fixture(scope="module")
def auto(studio):
    """Compile once with the choice left to zkml; return what the command said."""
    argv = ("circuit", "compile", str(studio / "model.onnx"), str(studio / "bundle"))
    return called(studio, *argv, "--data", str(studio / "data.npy"), *DOMAIN, "--system", "auto")


@pytest.fixture(scope="module")
def compiled(auto):
    """Return the bundle's path."""
    return auto[0]["path"]


@pytest.fixture(scope="module")
def proved(studio, compiled):
    """Prove the input once; return what the command said."""
    given, out = str(studio / "input.json"), str(studio / "proof.json")
    return called(studio, "circuit", "prove", compiled, "--input", given, "--out", out)[0]


@pytest.fixture(scope="module")
def proof(studio, proved):
    """Return the proof's path."""
    return studio / "proof.json"


def test_compile__auto__takes_octet_and_prints_the_comparison(auto):
    """The choice is in JSON, the comparison on stderr, and there is nothing to warn of."""
    value, err = auto
    assert value["choice"]["system"] == value["manifest"]["system"] == "octet"
    first, second = value["choice"]["candidates"]
    assert first["compiled"]
    assert first["max_abs_error"] == value["manifest"]["fidelity"]["max_abs_error"]
    assert (second["system"], second["compiled"], second["refusal"]) == ("ezkl", False, None)
    assert "taken: octet, since" in err
    assert value["warnings"] == []


def test_inspect__shows_rows_columns_and_fidelity(compiled, ask):
    """The facts are those of the program in the bundle's settings."""
    value, _ = ask("circuit", "inspect", compiled)
    assert value["facts"]["rows"] >= 256
    assert value["facts"]["columns"] > 8
    assert value["manifest"]["fidelity"]["argmax_agreement"] == 1.0


def test_mock_and_prove__give_one_output(studio, compiled, proved, ask):
    """What mock computes is what the proof is about."""
    mocked, _ = ask("circuit", "mock", compiled, "--input", str(studio / "input.json"))
    assert mocked["satisfied"]
    assert proved["system"] == "octet"
    assert proved["output_integers"] == mocked["output"]


def test_verify__true_proof__accepted_and_one_bit_less_rejected(studio, compiled, proof, ask):
    """Exit code 0 for the proof, 3 for one with a changed bit, wherever it is."""
    value, _ = ask("circuit", "verify", compiled, str(proof))
    assert value["accepted"]
    record = json.loads(proof.read_text())
    for key in ("output", "input", "proof"):
        text = record[key]
        changed = text[:-1] + ("0" if text[-1] != "0" else "1")
        forged = studio / f"forged-{key}.json"
        forged.write_text(json.dumps(record | {key: changed}))
        error, _ = ask("circuit", "verify", compiled, str(forged), code=3)
        assert error["error"]["code"].startswith("ZK-VER")


def test_context__asked_for__is_bound_and_no_other_passes(studio, compiled, proof, ask):
    """A proof made for one context serves no other, nor does one without, and it cannot be relabelled."""
    mine, other = "0x" + "ab" * 32, "0x" + "cd" * 32
    path = studio / "bound.json"
    argv = ("circuit", "prove", compiled, "--input", str(studio / "input.json"), "-o", str(path))
    assert ask(*argv, "--context", mine)[0]["context"] == mine
    verify = ("circuit", "verify", compiled)
    assert ask(*verify, str(path), "--context", mine)[0]["accepted"]
    assert ask(*verify, str(path))[0]["context"] == mine
    for foreign, wanted in ((path, other), (proof, mine)):
        error, _ = ask(*verify, str(foreign), "--context", wanted, code=3)
        assert error["error"]["type"] == "BindingError"
    relabelled = studio / "relabelled.json"
    relabelled.write_text(json.dumps(json.loads(path.read_text()) | {"context": other}))
    error, _ = ask(*verify, str(relabelled), "--context", other, code=3)
    assert error["error"]["type"] == "ProofRejectedError"
    assert ask(*argv, "--context", "0x12", code=2)[0]["error"]["code"] == "ZK-CFG-001"


def test_audit__proof_and_bundle__accepted_without_a_chain(compiled, proof, ask):
    """An auditor verifies the proof and rebuilds the key; the insecure SRS is said."""
    found, _ = ask("audit", "proof", str(proof), "--bundle", compiled)
    assert found["verdict"] == "accepted"
    assert "insecure SRS: no security" in found["notes"]
    rebuilt, _ = ask("audit", "bundle", compiled)
    assert rebuilt["verdict"] == "accepted"
    assert rebuilt["facts"]["system"] == "octet"


def test_audit__forged_output__rejected_at_the_proof_system(studio, compiled, proof, ask):
    """The step that decides is the proof system's own."""
    record = json.loads(proof.read_text())
    last = int(record["output"][-2:], 16) ^ 1
    forged = studio / "forged.json"
    forged.write_text(json.dumps(record | {"output": f"{record['output'][:-2]}{last:02x}"}))
    found, _ = ask("audit", "proof", str(forged), "--bundle", compiled, code=3)
    assert [step["number"] for step in found["steps"] if step["outcome"] == "rejected"] == [5]


LIGHT = """
import sys

class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"ezkl", "onnx", "onnxruntime", "sklearn", "torch"}:
            raise ImportError(name)

sys.meta_path.insert(0, Missing())
from zkml.cli.main import run
sys.exit(run(sys.argv[1:]))
"""


@pytest.mark.parametrize("command", [("circuit", "verify"), ("audit", "proof"), ("circuit", "inspect")])
def test_verify__light_install__takes_no_extra(studio, compiled, proof, command):
    """Neither EZKL nor ONNX nor torch is imported where a proof is checked."""
    words = {
        "verify": [compiled, str(proof)],
        "proof": [str(proof), "--bundle", compiled],
        "inspect": [compiled],
    }[command[1]]
    argv = [sys.executable, "-c", LIGHT, *command, *words, "--home", str(studio / "home")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_audit__light_install__names_the_extra_that_rebuilding_takes(studio, compiled):
    """Making a key anew takes onnx: without it there is no verdict, and the hint says what to install."""
    argv = [sys.executable, "-c", LIGHT, "audit", "bundle", compiled, "--home", str(studio / "home")]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 4, done.stderr
    assert "pip install '.[ezkl]'" in done.stdout


def test_input__outside_the_domain__refused_before_any_work(studio, compiled, ask):
    """One element beyond the domain, and no proof is written."""
    (studio / "far.json").write_text("[[0.5, 0.5, 0.5, 1.5]]")
    out = studio / "never.json"
    error, _ = ask("circuit", "prove", compiled, "--input", str(studio / "far.json"), "-o", str(out), code=1)
    assert error["error"]["code"] == "ZK-PRV-003"
    assert not out.exists()


def test_compile__batch__is_a_bundle_beside_the_models(studio, ask):
    """One command makes the circuit for one input and the one for two; each job's output is its own."""
    out = studio / "several"
    argv = ("circuit", "compile", str(studio / "model.onnx"), str(out), "--data", str(studio / "data.npy"))
    made, _ = ask(*argv, *DOMAIN, "--system", "octet", "--batch", "2")
    (batch,) = made["batches"]
    more, _ = ask("circuit", "batch", str(out), str(studio / "three"), "--inputs", "3")
    assert (batch["manifest"]["batch"], more["manifest"]["batch"]) == (2, 3)
    jobs = np.load(studio / "data.npy")[:2]
    found = []
    for folder, values in ((batch["path"], jobs), (str(out), jobs[0]), (str(out), jobs[1])):
        (studio / "jobs.json").write_text(json.dumps(values.tolist()))
        proof = str(studio / "jobs-proof.json")
        proved, _ = ask("circuit", "prove", folder, "--input", str(studio / "jobs.json"), "-o", proof)
        ask("circuit", "verify", folder, proof)
        found.append(proved["output_integers"])
    both, first, second = found
    assert both == first + second


def test_compile__octet_asked_for_what_it_does_not_do__refused(studio, ask):
    """Nothing is compiled, and the hint names the system that can."""
    out = studio / "refused"
    argv = ("circuit", "compile", str(studio / "model.onnx"), str(out), "--data", str(studio / "data.npy"))
    error, _ = ask(*argv, "--system", "octet", "--weights", "committed", code=1)
    assert error["error"]["code"] == "ZK-REG-003"
    assert "--system ezkl" in error["error"]["hint"]
    assert "--weights" in error["error"]["message"]
    assert not out.exists()


def test_compile__budget_that_bytes_cannot_hold__refused_with_the_error_measured(studio, ask):
    """Who asks for OCTET by name and for more than it gives, learns how much it gives."""
    argv = ("circuit", "compile", str(studio / "model.onnx"), str(studio / "exact"))
    data = str(studio / "data.npy")
    error, _ = ask(*argv, "--data", data, *DOMAIN, "--system", "octet", "--max-error", "1e-9", code=1)
    assert error["error"]["code"] == "ZK-CIR-003"
    assert float(error["error"]["context"]["max_abs_error"]) > 1e-9


def test_verifier__of_an_octet_bundle__added_shown_and_attested(studio, compiled, tmp_path, capsys):
    """From the command line a circuit is planned, pinned, shown, rebuilt and attested; a generated one is refused."""
    with Anvil.start(tmp_path / "node") as node:
        chain = ["--home", str(tmp_path / "home"), "--rpc-url", node.endpoint]

        def told(*command, code=0):
            capsys.readouterr()
            assert run([*command, "--json", *chain]) == code
            out, err = capsys.readouterr()
            assert "Traceback" not in err
            return json.loads(out)

        assert run(["chain", "deploy", "-q", *chain]) == 0
        planned = told("verifier", "add", compiled, "--dry-run")
        [call] = planned["transactions"]
        assert call["function"] == "OctetSharedVerifierFactory.storeKeyAndAddCircuit"
        assert call["gas"] > 500_000
        refused = told("verifier", "add", compiled, "--kind", "generated", code=1)
        assert refused["error"]["code"] == "ZK-REG-003"
        added = told("verifier", "add", compiled)
        assert (added["kind"], added["added_now"], added["class"]) == ("shared", True, "local")
        circuit = added["circuit_id"]
        report = str(tmp_path / "report.json")
        audited = ["audit", "circuit", circuit, "--bundle", compiled, "--report", report, "--attest"]
        assert told(*audited)["verdict"] == "accepted"
        shown = told("verifier", "show", circuit)
        assert (shown["kind"], shown["verifier"]) == ("shared", added["verifier"])
        assert [said["verdict"] for said in shown["attestations"]] == ["rebuilt"]


def write_model(path, operator, shape=(1, 4), result=(1, 4)):
    """Write a model of a ReLU and one more operator."""
    graph = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["r"]), helper.make_node(operator, ["r"], ["y"], name="the_node")],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, result)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return path


def test_compile__auto_and_both_refuse__tells_both_reasons(tmp_path, ask):
    """The error is EZKL's, and OCTET's reason stands before it and in its context."""
    path = write_model(tmp_path / "model.onnx", "Det", (1, 3, 3), (1,))
    np.save(tmp_path / "data.npy", np.zeros((4, 1, 3, 3)))
    argv = ("circuit", "compile", str(path), str(tmp_path / "out"), "--data", str(tmp_path / "data.npy"))
    error, err = ask(*argv, "--system", "auto", code=1)
    assert "OCTET refuses: expected" in err
    assert err.index("OCTET refuses") < err.index("error: expected an operator that ezkl")
    assert "found Det" in error["error"]["context"]["octet"]


@pytest.mark.parametrize(("operator", "system"), [("Softmax", "octet"), ("Mish", "ezkl")])
def test_model_check__by_system__names_the_node_that_this_one_lacks(tmp_path, ask, operator, system):
    """Each system's own operators are checked: what one lacks, the other may have."""
    path = write_model(tmp_path / "model.onnx", operator)
    error, _ = ask("model", "check", str(path), "--system", system, code=1)
    assert error["error"]["code"] == "ZK-MOD-004"
    assert "the_node" in error["error"]["message"]
    other = "ezkl" if system == "octet" else "octet"
    found, _ = ask("model", "check", str(path), "--system", other)
    assert found["operators"] == {"Relu": 1, operator: 1}
