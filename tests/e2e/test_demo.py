"""The tour, as a newcomer runs it: from nothing, again, interrupted, side by side, on another node."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from commands import ZKML, environment, nodes_of, zkml

from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import Call, send
from zkml.adapters.home_directory import lock_home
from zkml.adapters.keys.dev_keys import dev_account
from zkml.adapters.keys.key_files import create_key_file
from zkml.config.home import Home

pytestmark = pytest.mark.e2e


def test_demo__from_nothing__three_jobs_paid_for_what_the_proofs_say(toured):
    """Accuracy is at least 95 %, each output is the proof's, each job is paid exactly its fee."""
    _, report = toured
    assert report["float_accuracy"] >= 0.95
    assert report["circuit_accuracy"] >= report["float_accuracy"] - 0.02
    assert len(report["jobs"]) == 3
    assert {job["paid"] for job in report["jobs"]} == {"2500000"}
    assert all(job["gas"] < 1_000_000 and job["prove_seconds"] > 0 for job in report["jobs"])
    assert [job["predicted"] for job in report["jobs"]] == [job["label"] for job in report["jobs"]]
    assert not report["srs_is_secure"]


def test_demo__six_lies__each_refused_by_its_own_check(toured):
    """Every lie is refused for its own reason, in a mined transaction where one can be sent."""
    attempts = {attempt["lie"]: attempt for attempt in toured[1]["attempts"]}
    assert list(attempts) == [
        "a changed output",
        "a changed input",
        "a proof of another image",
        "a proof with trailing bytes",
        "a random proof",
        "an instance plus the field modulus",
    ]
    assert attempts["a changed input"]["reason"] == "InputMismatch"
    for lie in (
        "a changed output",
        "a proof of another image",
        "a proof with trailing bytes",
        "a random proof",
    ):
        assert attempts[lie]["reason"] == "ProofRejected: VerifierReverted"
    sent = [attempt["transaction"] for attempt in attempts.values() if attempt["transaction"]]
    assert len(set(sent)) == 5


def test_demo__balances__move_by_the_terms_and_their_sums_agree(toured):
    """Requester pays three fees, prover earns them, the cheat's collateral burns, escrow ends empty."""
    _, report = toured
    moved = {row["account"]: int(row["after"]) - int(row["before"]) for row in report["balances"]}
    assert moved == {
        "publisher": 0,
        "requester": -7_500_000,
        "prover": 7_500_000,
        "cheat": -1_000_000,
        "escrow": 0,
        "burned": 1_000_000,
    }
    assert report["sum_before"] == report["sum_after"]
    assert report["forfeited"] == "1000000"


def test_demo__all_four_jobs__pass_their_audit(toured):
    """The audit accepts three paid jobs and the refunded one."""
    _, report = toured
    jobs = [job["job_id"] for job in report["jobs"]] + [report["cheated_job"]]
    assert report["audits"] == dict.fromkeys(jobs, "accepted")


def test_demo__after_it_ended__no_process_of_it_is_left(toured):
    """The node and its guard ended with the command."""
    assert nodes_of(toured[0]) == []


def test_demo__second_run__same_model_on_the_same_chain(copied_home, toured):
    """A second run goes on with the chain, and publishes nothing twice."""
    run = zkml(copied_home, "demo", "--json")
    assert run.returncode == 0, run.stderr
    report = json.loads(run.stdout)
    assert report["model_id"] == toured[1]["model_id"]
    assert not {job["job_id"] for job in report["jobs"]} & {job["job_id"] for job in toured[1]["jobs"]}
    assert "setup" not in run.stderr
    assert "activate" not in run.stderr


@pytest.mark.parametrize(
    ("stage", "how"),
    [
        ("deploy the verifier", signal.SIGKILL),
        ("job 1: claim", signal.SIGINT),
        ("job 2: prove", signal.SIGKILL),
        ("cheat in six ways", signal.SIGINT),
    ],
    ids=["kill-deploy", "ctrl-c-claim", "kill-prove", "ctrl-c-cheat"],
)
def test_demo__stopped_in_the_middle__leaves_no_process_and_the_next_run_works(copied_home, stage, how):
    """Ctrl-C and SIGKILL at any stage leave no node, and the next run ends well, with sums that agree."""
    if stage == "deploy the verifier":
        shutil.rmtree(copied_home / "chain")
        shutil.rmtree(copied_home / "deployments")
    process = subprocess.Popen(
        [*ZKML, "demo"],
        env=environment(copied_home),
        cwd=copied_home.parent,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    for line in process.stderr:
        if line.strip().startswith(stage):
            break
    process.send_signal(how)
    _, err = process.communicate(timeout=60)
    assert process.returncode == (130 if how == signal.SIGINT else -signal.SIGKILL), err
    assert "Traceback" not in err
    _wait_until_gone(copied_home)
    again = zkml(copied_home, "demo", "--json")
    assert again.returncode == 0, again.stderr
    report = json.loads(again.stdout)
    assert report["sum_before"] == report["sum_after"]
    assert len(report["jobs"]) == 3


def _wait_until_gone(home: Path) -> None:
    """The guard of a killed parent needs a moment to stop the node, which writes its state first."""
    for pid in nodes_of(home):
        try:
            psutil.Process(pid).wait(timeout=30)
        except psutil.NoSuchProcess:
            continue
    assert nodes_of(home) == []


def test_demo__two_homes_at_once__both_work(copied_home, tmp_path):
    """Two checkouts side by side do not disturb each other."""
    other = Path(shutil.copytree(copied_home, tmp_path / "other" / "home"))
    running = [
        subprocess.Popen(
            [*ZKML, "demo", "--json", "-q"],
            env=environment(home),
            cwd=home.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for home in (copied_home, other)
    ]
    for process in running:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        assert json.loads(out)["sum_before"] == json.loads(out)["sum_after"]


def test_demo__home_in_use__refused_at_once(copied_home):
    """A second process in the same home is refused with exit code 1 and a hint."""
    with lock_home(Home(copied_home), "demo"):
        run = zkml(copied_home, "demo")
    assert run.returncode == 1
    assert "ZK-CFG-003" in run.stderr
    assert "hint: wait for it" in run.stderr


def test_demo__on_another_node__deploys_there(copied_home, tmp_path):
    """With --rpc-url the tour runs on that node, which goes on running."""
    with Anvil.start(tmp_path / "node") as node:
        run = zkml(copied_home, "demo", "--json", "--rpc-url", node.endpoint)
        assert run.returncode == 0, run.stderr
        assert json.loads(run.stdout)["endpoint"] == node.endpoint


def test_demo__key_of_ones_own__deploys_and_funds_with_it(copied_home, tmp_path):
    """Where the development key has nothing to give, --key-file deploys and pays."""
    key = tmp_path / "funder.key"
    funder = create_key_file(key)
    with Anvil.start(tmp_path / "node") as node:
        with Chain(node.endpoint) as chain:
            gift = Call(funder.address, b"", "send ether", value_wei=1000 * 10**18)
            send(chain, dev_account(31337), gift)
            spent = chain.nonce(dev_account(31337).address)
        run = zkml(copied_home, "demo", "--json", "--rpc-url", node.endpoint, "--key-file", str(key))
        assert run.returncode == 0, run.stderr
        with Chain(node.endpoint) as chain:
            assert chain.nonce(dev_account(31337).address) == spent


def test_demo__dry_run__does_nothing(tmp_path):
    """With --dry-run the tour says what it would do, and makes no home."""
    home = tmp_path / "home"
    run = zkml(home, "demo", "--dry-run", "--json")
    assert run.returncode == 0, run.stderr
    assert len(json.loads(run.stdout)["steps"]) == 8
    assert not home.exists()


def test_demo__json__one_object_on_stdout_and_progress_on_stderr(copied_home):
    """stdout holds one JSON object and nothing else; the stages are on stderr."""
    run = zkml(copied_home, "demo", "--json")
    assert isinstance(json.loads(run.stdout), dict)
    assert "settle" in run.stderr
