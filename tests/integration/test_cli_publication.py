"""From an ONNX file to a PROVEN model by command: committed weights, a batch, the shared verifier, terms, a parent."""

import json

import numpy as np
import pytest
from ezkl_circuits import SAMPLES, write_mlp

from zkml.adapters.evm.anvil import Anvil
from zkml.cli.main import run

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def studio(tmp_path_factory):
    """A home with a chain, deployed by command, and the samples that circuits are calibrated with."""
    folder = tmp_path_factory.mktemp("studio")
    np.save(folder / "data.npy", SAMPLES)
    with Anvil.start(folder / "node") as node:
        chain = ("--home", str(folder / "home"), "--rpc-url", node.endpoint)
        assert run(["chain", "deploy", "-q", *chain]) == 0
        yield folder, chain


@pytest.fixture
def ask(studio, capsys):
    """Run a command with --json and return its one object."""
    _, chain = studio

    def run_one(*argv: str, code: int = 0, on_chain: bool = True):
        words = [*argv, "--json", "-q", *(chain if on_chain else chain[:2])]
        assert run(words) == code, capsys.readouterr()
        return json.loads(capsys.readouterr().out)

    return run_one


def compile_model(studio, ask, name, seed, *options):
    """Compile a small model to a bundle by command; return the bundle's path and its description."""
    folder, _ = studio
    onnx = write_mlp(folder / f"{name}.onnx", seed=seed)
    bundle, data = str(folder / name), str(folder / "data.npy")
    argv = ("circuit", "compile", str(onnx), bundle, "--data", data, "--domain", "-1", "1", *options)
    return bundle, ask(*argv, on_chain=False)


def test_publication__by_command__is_what_the_options_asked_for(studio, ask):
    """Weights, batch, verifier, fees, licence and lineage of the chain are those of the command lines."""
    parent_bundle, made = compile_model(studio, ask, "parent", 3, "--batch", "2")
    assert made["manifest"]["param_visibility"] == "fixed"
    batch_bundle = made["batches"][0]["path"]
    assert made["batches"][0]["manifest"]["batch"] == 2
    published = ("registry", "register", parent_bundle, "--batch", batch_bundle, "--model-fee", "0.5")
    planned = ask(*published, "--dry-run")
    assert [call["target"] for call in planned["transactions"]] == [None, None]
    assert planned["asked_for"]["fees"]["model_fee"] == "0.500000 zUSD"
    parent = ask(*published)
    assert (len(parent["circuit_ids"]), parent["registered_now"]) == (2, True)
    shown = ask("registry", "show", parent["model_id"])
    assert [circuit["inputs_at_once"] for circuit in shown["circuits"]] == [1, 2]
    assert ask(*published)["registered_now"] is False
    again = ask(*published, "--dry-run")
    assert (again["transactions"], again["then"][0][:7]) == ([], "nothing")

    bundle, made = compile_model(studio, ask, "child", 4, "--weights", "committed")
    assert made["manifest"]["param_visibility"] == "committed"
    added = ("verifier", "add", bundle, "--kind", "shared")
    planned = ask(*added, "--dry-run")
    assert len(planned["transactions"]) == 1
    circuit = ask(*added)
    span = circuit["input"]["max"] - circuit["input"]["min"] + 1
    assert circuit["warning"] == planned["warning"]
    assert f"{span**4} possible inputs, fewer than 2^64" in circuit["warning"]
    assert (circuit["kind"], circuit["added_now"]) == ("shared", True)
    assert ask(*added)["added_now"] is False
    assert ask(*added, "--dry-run")["then"][0][:7] == "nothing"
    pinned = ask("verifier", "show", circuit["circuit_id"])
    assert pinned["kind"] == "shared"
    assert pinned["weight_commitment"] == circuit["weight_commitment"] is not None

    offer = f"{parent['model_id']}:50000"
    terms = (
        "--licence",
        "CC-BY-4.0",
        "--model-fee",
        "1",
        "--min-model-fee",
        "0.25",
        "--dataset-digest",
        "ab" * 32,
    )
    child = ask(
        "registry",
        "register",
        bundle,
        "--verifier",
        "shared",
        "--parent",
        offer,
        "--max-total",
        "50000",
        *terms,
    )
    assert child["circuit_id"] == circuit["circuit_id"]
    shown = ask("registry", "show", child["model_id"])
    assert (shown["status"], shown["licence"], shown["dataset"]) == (
        "PROVEN",
        "CC-BY-4.0",
        "sha256:" + "ab" * 32,
    )
    assert shown["parents"] == [{"model_id": parent["model_id"], "rate_ppm": 50_000}]
    assert shown["fees"]["min_model_fee"] == "0.250000 zUSD"
    graph = ask("lineage", "show", child["model_id"])
    assert [edge["effective"] for edge in graph["edges"]] == [True]


def test_circuit_batch__of_a_bundle__proves_so_many_inputs(studio, ask):
    """The verb makes from a bundle what `compile --batch` makes with it."""
    folder, _ = studio
    bundle, _ = compile_model(studio, ask, "single", 5)
    made = ask("circuit", "batch", bundle, str(folder / "triple"), "--inputs", "3", on_chain=False)
    assert made["manifest"]["batch"] == 3
    assert ask("circuit", "inspect", str(folder / "triple"), on_chain=False)["manifest"]["batch"] == 3
