"""The tour, as a newcomer runs it: from nothing, again, interrupted, side by side, on another node."""

import json
import shutil
import signal
import subprocess
from pathlib import Path

import psutil
import pytest
from commands import ZKML, environment, interruptible, nodes_of, zkml
from systems import FAST, SYSTEMS

from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import Call, send
from zkml.adapters.home_directory import lock_home
from zkml.adapters.keys.dev_keys import dev_account
from zkml.adapters.keys.key_files import create_key_file
from zkml.config.home import Home
from zkml.demo.scene import MAX_PROVER_FEE, MIN_PROVER_FEE

pytestmark = pytest.mark.e2e


MODEL_FEE, PLATFORM_PPM, FLAT_FEE, MILLION = 500_000, 25_000, 10_000, 1_000_000


@pytest.fixture(scope="module", params=["toured", "toured_with_octet"], ids=["ezkl", "octet"])
def report(request) -> dict:
    """Return the report of a tour with each proof system."""
    return request.getfixturevalue(request.param)[1]


def paid_jobs(report: dict) -> list[dict]:
    """Return the jobs that were paid for: the honest three, and the one that was taken over."""
    return [*report["jobs"], report["taken_over"]]


def test_demo__from_nothing__three_jobs_paid_for_what_the_proofs_say(report):
    """Accuracy is at least 95 %, each output is the proof's, and each image gets the label it shows."""
    assert report["float_accuracy"] >= 0.95
    assert report["circuit_accuracy"] >= report["float_accuracy"] - 0.02
    assert len(report["jobs"]) == 3
    assert all(job["gas"] < 1_000_000 and job["prove_seconds"] > 0 for job in paid_jobs(report))
    assert [job["predicted"] for job in paid_jobs(report)] == [job["label"] for job in paid_jobs(report)]
    assert not report["srs_is_secure"]


def test_demo__prices__prover_model_and_platform_by_the_terms(report):
    """The prover gets what was on offer, the model its fee less the platform's part: the price."""
    for job in paid_jobs(report):
        cut = MODEL_FEE * PLATFORM_PPM // MILLION
        assert 1_000_000 <= int(job["paid"]) <= 2_500_000
        assert (int(job["revenue"]), int(job["platform"])) == (MODEL_FEE - cut, cut + FLAT_FEE)
        assert int(job["price"]) == int(job["paid"]) + MODEL_FEE + FLAT_FEE


def test_demo__auction__a_job_that_waits_pays_its_prover_more(report):
    """The three jobs are opened together and served one by one: each later claim finds a higher fee.

    OCTET serves each about as fast as it is opened, so that their order says nothing there.
    """
    fees = [int(job["paid"]) for job in report["jobs"]]
    assert all(MIN_PROVER_FEE <= fee <= MAX_PROVER_FEE for fee in fees)
    if report["system"].startswith("ezkl"):
        assert fees == sorted(fees)
        assert fees[0] < fees[-1]


def test_demo__six_lies__each_refused_by_its_own_check(report):
    """Every lie is refused for its own reason, in a mined transaction where one can be sent."""
    attempts = {attempt["lie"]: attempt for attempt in report["attempts"]}
    is_bound = "a proof made for another prover" in attempts
    assert list(attempts) == [
        "a changed output",
        "a changed input",
        "a proof of another image",
        "a proof with trailing bytes",
        "a random proof",
        "a proof made for another prover" if is_bound else "an instance plus the field modulus",
    ]
    assert is_bound == report["system"].startswith("octet")
    assert attempts["a changed input"]["reason"] == "InputMismatch"
    for lie in (
        "a changed output",
        "a proof of another image",
        "a proof with trailing bytes",
        "a random proof",
    ):
        assert attempts[lie]["reason"].startswith("ProofRejected: ")
    sent = [attempt["transaction"] for attempt in attempts.values() if attempt["transaction"]]
    assert len(set(sent)) == 5 + is_bound


def test_demo__broken_claims__cost_the_cheat_its_collateral_by_the_terms(report):
    """Who settles instead earns half of it; of the rest half is the treasury's and half burns."""
    taken, refunded = report["forfeits"]
    assert (taken["job_id"], refunded["job_id"]) == (report["cheated_job"], report["refunded_job"])
    assert (taken["ended"], refunded["ended"]) == ("settled by another prover", "refunded")
    parts = ("amount", "bonus", "to_treasury", "to_burn")
    assert [taken[part] for part in parts] == ["1000000", "500000", "250000", "250000"]
    assert [refunded[part] for part in parts] == ["1000000", "0", "500000", "500000"]
    assert report["forfeited"] == "2000000"
    assert report["taken_over"]["job_id"] == report["cheated_job"]


def test_demo__balances__move_by_the_terms_and_their_sums_agree(report):
    """Requester pays four prices, who earned them has them, and the cheat's collateral is gone."""
    moved = {row["account"]: int(row["after"]) - int(row["before"]) for row in report["balances"]}
    total = {
        part: sum(int(job[part]) for job in paid_jobs(report))
        for part in ("paid", "revenue", "platform", "price")
    }
    fines = {
        part: sum(int(fine[part]) for fine in report["forfeits"])
        for part in ("amount", "bonus", "to_treasury", "to_burn")
    }
    assert moved == {
        "publisher": total["revenue"],
        "requester": -total["price"],
        "prover": total["paid"] + fines["bonus"],
        "cheat": -fines["amount"],
        "platform": total["platform"] + fines["to_treasury"],
        "escrow": 0,
        "income": 0,
        "forfeits": 0,
        "burned": fines["to_burn"],
    }
    assert report["sum_before"] == report["sum_after"]


def test_demo__contracts__hold_what_they_owe_to_the_last_unit(report):
    """After everybody has pulled, the ledger is empty, and the prover registry holds exactly the stakes."""
    ledger, provers = report["contracts"]
    assert ledger == {"contract": "revenue ledger", "tokens": "0", "owed": "0"}
    staked = sum(int(row["stake"]) for row in report["balances"])
    assert provers == {"contract": "prover registry", "tokens": str(staked), "owed": str(staked)}
    for row in report["balances"]:
        assert int(row["after"]) == int(row["wallet"]) + int(row["credits"]) + int(row["stake"])
        assert row["credits"] == "0"


def test_demo__all_five_jobs__pass_their_audit(report):
    """The audit accepts three paid jobs, the one that was taken over and the refunded one."""
    jobs = [job["job_id"] for job in paid_jobs(report)] + [report["refunded_job"]]
    assert report["audits"] == dict.fromkeys(jobs, "accepted")


def test_demo__after_it_ended__no_process_of_it_is_left(left_behind):
    """The node and its guard ended with the command."""
    assert left_behind == []


def test_demo__second_run__same_model_on_the_same_chain(toured_with_octet, toured_again):
    """A second run goes on with the chain, and publishes nothing twice."""
    before, (run, report) = toured_with_octet[1], toured_again
    assert report["model_id"] == before["model_id"]
    assert not {job["job_id"] for job in report["jobs"]} & {job["job_id"] for job in before["jobs"]}
    assert "setup" not in run.stderr
    assert "activate" not in run.stderr


def test_demo__with_both_systems__one_chain_and_two_circuits_in_one_home(toured, toured_with_octet):
    """The second tour goes on with the chain of the first, with a model of its own and the same data."""
    (_, one), (_, other) = toured, toured_with_octet
    assert one["model_id"] != other["model_id"]
    assert (one["dataset"], one["float_accuracy"]) == (other["dataset"], other["float_accuracy"])


@pytest.mark.parametrize(
    ("system", "stage", "how"),
    [
        ("ezkl", "deploy the verifier", signal.SIGKILL),
        (FAST, "deploy the verifier", signal.SIGKILL),
        (FAST, "job 1: claim", signal.SIGINT),
        # Its proof takes seconds, in a process of its own.
        ("ezkl", "job 2: prove", signal.SIGKILL),
        (FAST, "cheat in six ways", signal.SIGINT),
    ],
    ids=["kill-deploy", "octet-kill-deploy", "ctrl-c-claim", "kill-prove", "ctrl-c-cheat"],
)
def test_demo__stopped_in_the_middle__leaves_no_process_and_the_next_run_works(
    copied_octet_home, system, stage, how
):
    """Ctrl-C and SIGKILL at any stage leave no node, and the next run ends well, with sums that agree."""
    home, argv = copied_octet_home, ("demo", "--system", system)
    if stage == "deploy the verifier":
        shutil.rmtree(home / "chain")
        shutil.rmtree(home / "deployments")
    with interruptible():
        process = subprocess.Popen(
            [*ZKML, *argv],
            env=environment(home),
            cwd=home.parent,
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
    _wait_until_gone(home)
    again = zkml(home, *argv, "--json")
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


def test_demo__two_homes_at_once__both_work(copied_octet_home, tmp_path):
    """Two checkouts side by side do not disturb each other."""
    other = Path(shutil.copytree(copied_octet_home, tmp_path / "other" / "home"))
    running = [
        subprocess.Popen(
            [*ZKML, "demo", "--system", FAST, "--json", "-q"],
            env=environment(home),
            cwd=home.parent,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for home in (copied_octet_home, other)
    ]
    for process in running:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0, err
        assert json.loads(out)["sum_before"] == json.loads(out)["sum_after"]


def test_demo__home_in_use__refused_at_once(copied_octet_home):
    """A second process in the same home is refused with exit code 1 and a hint."""
    with lock_home(Home(copied_octet_home), "demo"):
        run = zkml(copied_octet_home, "demo")
    assert run.returncode == 1
    assert "ZK-CFG-003" in run.stderr
    assert "hint: wait for it" in run.stderr


def test_demo__on_another_node__deploys_there(copied_octet_home, tmp_path):
    """With --rpc-url the tour runs on that node, which goes on running."""
    with Anvil.start(tmp_path / "node") as node:
        run = zkml(copied_octet_home, "demo", "--system", FAST, "--json", "--rpc-url", node.endpoint)
        assert run.returncode == 0, run.stderr
        assert json.loads(run.stdout)["endpoint"] == node.endpoint


def test_demo__key_of_ones_own__deploys_and_funds_with_it(copied_octet_home, tmp_path):
    """Where the development key has nothing to give, --key-file deploys and pays."""
    key = tmp_path / "funder.key"
    funder = create_key_file(key)
    with Anvil.start(tmp_path / "node") as node:
        with Chain(node.endpoint) as chain:
            gift = Call(funder.address, b"", "send ether", value_wei=1000 * 10**18)
            send(chain, dev_account(31337), gift)
            spent = chain.nonce(dev_account(31337).address)
        run = zkml(
            copied_octet_home,
            "demo",
            "--system",
            FAST,
            "--json",
            "--rpc-url",
            node.endpoint,
            "--key-file",
            str(key),
        )
        assert run.returncode == 0, run.stderr
        with Chain(node.endpoint) as chain:
            assert chain.nonce(dev_account(31337).address) == spent


@pytest.mark.parametrize("system", SYSTEMS)
def test_demo__dry_run__does_nothing(tmp_path, system):
    """With --dry-run the tour says what it would do, and makes no home."""
    home = tmp_path / "home"
    run = zkml(home, "demo", "--system", system, "--dry-run", "--json")
    assert run.returncode == 0, run.stderr
    told = json.loads(run.stdout)
    assert (len(told["steps"]), told["system"], told["circuit_cached"]) == (8, system, False)
    assert not home.exists()


def test_demo__json__one_object_on_stdout_and_progress_on_stderr(toured_again):
    """stdout holds one JSON object and nothing else; the stages are on stderr."""
    run, _ = toured_again
    assert isinstance(json.loads(run.stdout), dict)
    assert "settle" in run.stderr
