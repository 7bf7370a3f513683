"""Every verb once, as a user of `--json` and `--dry-run` sees it, on a model whose circuit is OCTET's.

With EZKL's the pages run them: tests/e2e/test_docs_run.py.
"""

import json
import signal
import subprocess

import pytest
from commands import ZKML, environment, nodes_of, zkml

from zkml.adapters.evm.anvil import detached_endpoint
from zkml.adapters.evm.rpc import Chain
from zkml.cli.main import run

pytestmark = pytest.mark.e2e


def as_json(home, *argv, code=0):
    """Run a command with --json and return its one object."""
    run = zkml(home, *argv, "--json")
    assert run.returncode == code, run.stderr
    return json.loads(run.stdout)


@pytest.fixture
def here(running_octet_home, monkeypatch, capsys):
    """Run a command with --json in this process, which spares the start of another, and return its one object."""
    monkeypatch.chdir(running_octet_home.parent)
    monkeypatch.setenv("ZKML_HOME", str(running_octet_home))

    def run_one(*argv: str, code: int = 0):
        assert run([*argv, "--json"]) == code, capsys.readouterr().err
        return json.loads(capsys.readouterr().out)

    return run_one


def test_journey__every_verb_with_json__one_object_that_fits_the_next(
    running_octet_home, here, toured_with_octet, tmp_path
):
    """What a verb prints is what the next one takes: model, job, proof, audit, money."""
    home, bundle = running_octet_home, str(running_octet_home / "bundles" / "digits-octet")
    model = toured_with_octet[1]["model_id"]
    source = tmp_path / "input.json"
    source.write_text(json.dumps([0.5] * 64))
    proof = tmp_path / "proof.json"

    assert here("model", "check", str(home / "models" / "digits.onnx"))["parameters"] == 1474
    assert here("circuit", "inspect", bundle)["manifest"]["srs"]["secure"] is False
    assert here("circuit", "mock", bundle, "--input", str(source))["satisfied"] is True
    proved = here("circuit", "prove", bundle, "--input", str(source), "--out", str(proof))
    assert here("circuit", "verify", bundle, str(proof))["accepted"] is True
    assert here("audit", "proof", str(proof), "--bundle", bundle)["verdict"] == "accepted"

    assert here("chain", "deploy")["chain_id"] == 31337
    dataset = ("--dataset-digest", toured_with_octet[1]["dataset"])
    registered = here("registry", "register", bundle, *dataset)
    assert (registered["model_id"], registered["registered_now"]) == (model, False)
    shown = here("registry", "show", model)
    assert (shown["status"], shown["fees"]["model_fee"]) == ("PROVEN", "0.500000 zUSD")
    assert shown["dataset"] == "sha256:" + toured_with_octet[1]["dataset"][2:]
    assert model in [found["model_id"] for found in here("registry", "list")["models"]]
    assert here("verifier", "show", shown["circuit_id"])["class"] == "local"
    assert here("did", "resolve", model)["didDocument"]["id"] == shown["did"]
    assert here("lineage", "show", model)["models"][0]["model_id"] == model

    job = here("job", "open", model, "--input", str(source), "--fee", "2.5")["job_id"]
    assert here("job", "show", job)["status"] == "OPEN"
    assert job in [found["job_id"] for found in here("job", "list")["jobs"]]
    assert here("audit", "job", job, code=4)["verdict"] == "inconclusive"
    previewed = as_json(home, "prover", "run", "--dry-run")["jobs"]
    assert {"job": job, "would": "claim"} in previewed
    served = as_json(home, "prover", "run", "--job", job)
    assert served["settled"] == 1
    waited = here("job", "wait", job)
    assert waited["verified"] is True
    assert waited["output_integers"] == proved["output_integers"]
    assert waited["price"] == "3.010000 zUSD"
    assert here("audit", "job", job, "--rebuild")["verdict"] == "accepted"

    assert here("prover", "withdraw")["withdrawn"] == "2.500000 zUSD"
    assert here("prover", "status")["markets"][0]["counts"]["settled"] >= 4
    assert here("revenue", "show", model)["holders_due"]["units"] == "487500"
    here("revenue", "claim", model)
    here("revenue", "collect-platform", model)
    assert here("revenue", "show", model)["holders_due"]["units"] == "0"
    here("revenue", "withdraw")
    before = here("prover", "status")["account"]
    here("prover", "stake", "2")
    here("prover", "unstake", "1")
    after = here("prover", "status")["account"]
    assert units(after, "free") - units(before, "free") == 1_000_000
    assert units(after, "leaving") - units(before, "leaving") == 1_000_000

    cancelled = here("job", "open", model, "--input", str(source), "--fee", "1")["job_id"]
    assert here("job", "cancel", cancelled)["status"] == "CANCELLED"

    assert as_json(home, "chain", "down") == {"stopped": True}
    assert nodes_of(home) == []


def test_journey__tab__a_signed_request_is_paid_from_it_and_the_rest_comes_back(
    running_octet_home, here, toured_with_octet, tmp_path
):
    """Open, sign, prove, verify, settle, close: what each prints is what the next one takes."""
    bundle = str(running_octet_home / "bundles" / "digits-octet")
    source, request, proof = (tmp_path / name for name in ("input.json", "request.json", "proof.json"))
    source.write_text(json.dumps([0.5] * 64))
    prover = here("prover", "status")["account"]["account"]
    opened = here("tab", "open", toured_with_octet[1]["model_id"], "--prover", prover, "--amount", "5")
    tab = opened["tab_id"]
    signed = here("tab", "sign", tab, "--input", str(source), "--fee", "1", "--out", str(request))
    assert signed["price"] == "1.510000 zUSD"
    bound = ("--context", signed["context"])
    proved = here("circuit", "prove", bundle, "--input", str(source), "--out", str(proof), *bound)
    verified = here("tab", "verify", str(request), str(proof))
    assert (verified["verified"], verified["output_integers"]) == (True, proved["output_integers"])
    assert here("tab", "settle", str(request), str(proof), "--dry-run")["dry_run"] is True
    waiting = here("audit", "request", str(request), code=4)
    assert (waiting["verdict"], waiting["meaning"]) == ("inconclusive", "not settled")
    settled = here("tab", "settle", str(request), str(proof))
    assert settled["prover_fee"] == "1.000000 zUSD"
    audited = here("audit", "request", settled["request"])
    assert (audited["verdict"], audited["facts"]["prover_fee"]) == ("accepted", "1000000")
    assert here("audit", "request", str(request), "--rebuild")["verdict"] == "accepted"
    assert here("tab", "show", tab)["balance"] == "3.490000 zUSD"
    assert [found["tab_id"] for found in here("tab", "list")["tabs"]] == [tab]
    assert here("tab", "close", tab, "--as", "prover")["returned"] == "3.490000 zUSD"
    assert here("tab", "show", tab)["status"] == "CLOSED"


def units(account, name) -> int:
    """Return an amount such as 1.250000 zUSD in the token's smallest unit."""
    return int(account[name].split()[0].replace(".", ""))


DRY_RUNS = {
    "deploy": ("chain", "deploy"),
    "register": ("registry", "register", "{bundle}", "--dataset-digest", "{dataset}"),
    "set-fee": ("registry", "set-fee", "{model}", "--model-fee", "0.75"),
    "set-derivatives": ("registry", "set-derivatives", "{model}", "--rate", "50000"),
    "retire": ("registry", "retire", "{model}"),
    "add": ("verifier", "add", "{bundle}"),
    "tombstone": ("verifier", "tombstone", "{circuit}", "--reason", "a test"),
    "attest": ("verifier", "attest", "{circuit}", "--verdict", "rebuilt", "--report", "{input}"),
    "open": ("job", "open", "{model}", "--input", "{input}", "--fee", "1"),
    "rising": ("job", "open", "{model}", "--input", "{input}", "--min-fee", "1", "--max-fee", "2"),
    "cancel": ("job", "cancel", "{job}"),
    "refund": ("job", "refund", "{job}"),
    "stake": ("prover", "stake", "1"),
    "unstake": ("prover", "unstake", "1"),
    "withdraw": ("prover", "withdraw"),
    "claim": ("revenue", "claim", "{model}"),
    "collect": ("revenue", "collect-platform", "{model}"),
}


def test_dry_run__of_everything_that_sends__sends_nothing(
    running_octet_home, here, toured_with_octet, tmp_path
):
    """With --dry-run the chain's height, the model, the jobs and the stake stay as they were."""
    home, model = running_octet_home, toured_with_octet[1]["model_id"]
    source = tmp_path / "input.json"
    source.write_text(json.dumps([0.25] * 64))
    job = here("job", "open", model, "--input", str(source), "--fee", "1")["job_id"]
    served = as_json(home, "prover", "run", "--job", job)
    assert served["settled"] == 1
    later = here("job", "open", model, "--input", str(source), "--fee", "1")["job_id"]
    shown = here("registry", "show", model)
    values = {
        "bundle": home / "bundles" / "digits-octet",
        "model": model,
        "circuit": shown["circuit_id"],
        "dataset": toured_with_octet[1]["dataset"],
        "input": source,
        "job": later,
    }
    stake = here("prover", "status")["account"]
    height = _height(home)
    for argv in DRY_RUNS.values():
        planned = here(*(part.format(**values) for part in argv), "--dry-run")
        assert planned["dry_run"] is True
    assert _height(home) == height
    assert here("registry", "show", model) == shown
    assert here("job", "show", later)["status"] == "OPEN"
    assert here("prover", "status")["account"] == stake


def _height(home) -> int:

    with Chain(detached_endpoint(home / "chain")) as chain:
        return chain.height()


def test_prover_run__as_a_loop__serves_a_job_and_stops_on_sigterm(
    running_octet_home, toured_with_octet, tmp_path
):
    """A running node settles what is opened meanwhile, and SIGTERM ends it in order."""
    source = tmp_path / "input.json"
    source.write_text(json.dumps([0.75] * 64))
    with subprocess.Popen(
        [*ZKML, "prover", "run"],
        env={**environment(running_octet_home), "ZKML_PROVER_POLL_SECONDS": "0.2"},
        cwd=running_octet_home.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as node:
        try:
            opened = as_json(
                running_octet_home,
                "job",
                "open",
                toured_with_octet[1]["model_id"],
                "--input",
                str(source),
                "--fee",
                "1",
            )
            waited = as_json(running_octet_home, "job", "wait", opened["job_id"], "--timeout", "120")
            assert waited["verified"] is True
            node.send_signal(signal.SIGTERM)
            out, err = node.communicate(timeout=60)
        finally:
            node.kill()
    assert node.returncode == 0, err
    assert "stopped" in out
    assert "Traceback" not in err
