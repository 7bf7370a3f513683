"""Every verb once, as a user of `--json` and `--dry-run` sees it."""

import json
import signal
import subprocess

import pytest
from commands import ZKML, environment, nodes_of, zkml

from zkml.adapters.evm.anvil import detached_endpoint
from zkml.adapters.evm.rpc import Chain

pytestmark = pytest.mark.e2e


def as_json(home, *argv, code=0):
    """Run a command with --json and return its one object."""
    run = zkml(home, *argv, "--json")
    assert run.returncode == code, run.stderr
    return json.loads(run.stdout)


def test_journey__every_verb_with_json__one_object_that_fits_the_next(running_home, toured, tmp_path):
    """What a verb prints is what the next one takes: model, job, proof, audit, money."""
    home, bundle = running_home, str(running_home / "bundles" / "digits")
    model = toured[1]["model_id"]
    source = tmp_path / "input.json"
    source.write_text(json.dumps([0.5] * 64))
    proof = tmp_path / "proof.json"

    assert as_json(home, "model", "check", str(home / "models" / "digits.onnx"))["parameters"] == 1474
    assert as_json(home, "circuit", "inspect", bundle)["manifest"]["srs"]["secure"] is False
    assert as_json(home, "circuit", "mock", bundle, "--input", str(source))["satisfied"] is True
    proved = as_json(home, "circuit", "prove", bundle, "--input", str(source), "--out", str(proof))
    assert as_json(home, "circuit", "verify", bundle, str(proof))["accepted"] is True
    assert as_json(home, "audit", "proof", str(proof), "--bundle", bundle)["verdict"] == "accepted"

    assert as_json(home, "chain", "deploy")["chain_id"] == 31337
    registered = as_json(home, "registry", "register", bundle)
    assert (registered["model_id"], registered["registered_now"]) == (model, False)
    assert as_json(home, "registry", "show", model)["status"] == "PROVEN"
    assert model in [found["model_id"] for found in as_json(home, "registry", "list")["models"]]

    job = as_json(home, "job", "open", model, "--input", str(source), "--fee", "2.5")["job_id"]
    assert as_json(home, "job", "show", job)["status"] == "OPEN"
    assert as_json(home, "audit", "job", job, code=4)["verdict"] == "inconclusive"
    previewed = as_json(home, "prover", "run", "--dry-run")["jobs"]
    assert {"job": job, "would": "claim"} in previewed
    served = as_json(home, "prover", "run", "--job", job)
    assert served["settled"] == 1
    waited = as_json(home, "job", "wait", job)
    assert waited["verified"] is True
    assert waited["output_integers"] == proved["output_integers"]
    assert as_json(home, "audit", "job", job, "--rebuild")["verdict"] == "accepted"
    assert as_json(home, "prover", "withdraw")["withdrawn"] == "3.500000 zUSD"
    assert as_json(home, "prover", "status")["markets"][0]["counts"]["settled"] >= 4

    assert as_json(home, "chain", "down") == {"stopped": True}
    assert nodes_of(home) == []


DRY_RUNS = {
    "deploy": ("chain", "deploy"),
    "register": ("registry", "register", "{bundle}"),
    "open": ("job", "open", "{model}", "--input", "{input}", "--fee", "1"),
    "refund": ("job", "refund", "{job}"),
    "withdraw": ("prover", "withdraw"),
}


def test_dry_run__of_everything_that_sends__sends_nothing(running_home, toured, tmp_path):
    """With --dry-run the chain's height and every journal stay as they were."""
    home, model = running_home, toured[1]["model_id"]
    source = tmp_path / "input.json"
    source.write_text(json.dumps([0.25] * 64))
    job = as_json(home, "job", "open", model, "--input", str(source), "--fee", "1")["job_id"]
    served = as_json(home, "prover", "run", "--job", job)
    assert served["settled"] == 1
    later = as_json(home, "job", "open", model, "--input", str(source), "--fee", "1")["job_id"]
    values = {"bundle": home / "bundles" / "digits", "model": model, "input": source, "job": later}
    before = {name: as_json(home, "registry", "show", model) for name in ("model",)}
    height = _height(home)
    for argv in DRY_RUNS.values():
        planned = as_json(home, *(part.format(**values) for part in argv), "--dry-run")
        assert planned["dry_run"] is True
    assert _height(home) == height
    assert as_json(home, "registry", "show", model) == before["model"]
    assert as_json(home, "job", "show", later)["status"] == "OPEN"


def _height(home) -> int:

    with Chain(detached_endpoint(home / "chain")) as chain:
        return chain.height()


def test_prover_run__as_a_loop__serves_a_job_and_stops_on_sigterm(running_home, toured, tmp_path):
    """A running node settles what is opened meanwhile, and SIGTERM ends it in order."""
    source = tmp_path / "input.json"
    source.write_text(json.dumps([0.75] * 64))
    with subprocess.Popen(
        [*ZKML, "prover", "run"],
        env={**environment(running_home), "ZKML_PROVER_POLL_SECONDS": "0.2"},
        cwd=running_home.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as node:
        try:
            opened = as_json(
                running_home, "job", "open", toured[1]["model_id"], "--input", str(source), "--fee", "1"
            )
            waited = as_json(running_home, "job", "wait", opened["job_id"], "--timeout", "120")
            assert waited["verified"] is True
            node.send_signal(signal.SIGTERM)
            out, err = node.communicate(timeout=60)
        finally:
            node.kill()
    assert node.returncode == 0, err
    assert "stopped" in out
    assert "Traceback" not in err
