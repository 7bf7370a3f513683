"""`zkml job` and `zkml tab` on a real chain: what commands print, and that a dry run moves nothing."""

import json
from collections.abc import Iterator

import pytest
from chain_fixtures import EXAMPLE_OUTPUT, ONE_TOKEN, proof_of
from client_lab import ESCROW, FEE, INPUT, Lab, start_lab

from zkml.adapters.atomic_write import write_atomically
from zkml.adapters.evm.timetravel import pass_time
from zkml.cli import job_open, tab_requests
from zkml.cli.main import run
from zkml.client import answers, outputs
from zkml.core.job_machine import JobStatus
from zkml.core.records import ProofFile, from_hex, to_hex

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with start_lab(tmp_path_factory.mktemp("client")) as lab:
        for role, account in (("requester", lab.requester), ("prover", lab.prover)):
            write_atomically(lab.folder / "keys" / f"{role}.key", account.key.hex().encode(), mode=0o600)
        (lab.folder / "keys").chmod(0o700)
        yield lab


@pytest.fixture(autouse=True)
def packed(monkeypatch):
    """The model of these tests has no manifest: nothing packs an input or knows the scale of an output."""
    for module in (job_open, tab_requests):
        monkeypatch.setattr(module, "packed_input_of", lambda *_: INPUT)
    for module in (answers, outputs):
        monkeypatch.setattr(module, "real_values", lambda *_: None)


@pytest.fixture
def zkml(lab, capsys):
    """Run a command; return its JSON object."""

    def call(*words, code=0):
        chain = ["--home", str(lab.folder), "--rpc-url", lab.endpoint, "--json"]
        assert run([*words, *chain]) == code, capsys.readouterr()
        return json.loads(capsys.readouterr().out)

    return call


def model(lab):
    return f"{lab.built.model_id:#066x}"


def state(lab):
    """Return what a transaction of the requester would change."""
    chain = lab.market.chain
    return chain.height(), chain.nonce(lab.requester.address)


def flows(plan):
    return [(flow["amount"], flow["from"].split(" of ")[0], flow["to"].split(" of ")[0]) for flow in plan]


# --- jobs -----------------------------------------------------------------------------------------


def test_job_open__one_fee__price_of_prover_model_and_platform_in_escrow(lab, zkml):
    """A single --fee is both fees, and the default cap is the price as it is."""
    found = zkml("job", "open", model(lab), "--input", "x.json", "--fee", "2")
    assert (found["min_prover_fee"], found["max_prover_fee"]) == ("2.000000 zUSD", "2.000000 zUSD")
    assert found["escrow"] == "3.010000 zUSD"
    assert found["ramp_seconds"] == 0
    shown = zkml("job", "show", found["job_id"])
    assert (shown["status"], shown["escrow"]) == ("OPEN", "3.010000 zUSD")
    assert shown["offered_now"] == "2.000000 zUSD"
    assert shown["prover"] is None


def test_job_open__every_flag__is_in_the_request(lab, zkml):
    """Two fees, ramp, claim time, circuit and provers are asked for as they were given."""
    found = zkml(
        *("job", "open", model(lab), "--input", "x.json", "--min-fee", "1", "--max-fee", "2"),
        *("--max-total", "3.5", "--ramp", "100", "--claim-time", "70", "--within", "500"),
        *("--prover", lab.prover.address, "--prover", lab.requester.address),
        *("--circuit", to_hex(lab.built.circuit_id)),
    )
    asked = lab.market.manager.events.request(from_hex(found["job_id"])).as_spec()
    assert (asked.min_prover_fee, asked.max_prover_fee) == (ONE_TOKEN, FEE)
    assert (asked.max_total, asked.ramp_seconds, asked.claim_seconds) == (3_500_000, 100, 70)
    assert asked.provers == (lab.prover.address, lab.requester.address)
    assert asked.circuit_id == lab.built.circuit_id


@pytest.mark.parametrize(
    "fees",
    [(), ("--fee", "1", "--min-fee", "1"), ("--min-fee", "1"), ("--max-fee", "1")],
    ids=["none", "both", "least", "greatest"],
)
def test_job_open__fees_that_say_no_offer__usage_error(lab, zkml, fees):
    """Either one fee or both ends of a range; anything else is not guessed."""
    error = zkml("job", "open", model(lab), "--input", "x.json", *fees, code=2)["error"]
    assert "expected either --fee, or --min-fee and --max-fee" in error["message"]


@pytest.mark.parametrize("is_allowed", [False, True])
def test_job_open__dry_run__the_effects_and_nothing_sent(lab, zkml, is_allowed):
    """A dry run tells what would leave the account, with the allowance still to be given or not."""
    lab.market.token.approve(lab.requester, lab.market.ledger.address, ESCROW if is_allowed else 0)
    before = state(lab)
    found = zkml("job", "open", model(lab), "--input", "x.json", "--fee", "2", "--dry-run")
    assert state(lab) == before
    functions = [sent["function"] for sent in found["transactions"]]
    opening = found["transactions"][0] if is_allowed else found["then"]
    assert functions[0].endswith("open" if is_allowed else "approve")
    assert flows(opening["effects"]["flows"]) == [(str(ESCROW), "wallet", "escrow")]
    lab.market.token.approve(lab.requester, lab.market.ledger.address, 0)


def test_job_cancel_and_refund__dry_run_then_done__escrow_withdrawn(lab, zkml):
    """An open job is cancelled, by either word; a dry run before it changes nothing."""
    for verb in ("cancel", "refund"):
        job = zkml("job", "open", model(lab), "--input", "x.json", "--fee", "2")["job_id"]
        before = state(lab)
        plan = zkml("job", verb, job, "--dry-run")["transactions"][0]
        assert state(lab) == before
        assert plan["function"].endswith("cancel")
        assert flows(plan["effects"]["flows"]) == [(str(ESCROW), "escrow", "credits")]
        done = zkml("job", verb, job)
        assert (done["status"], done["withdrawn"]) == ("CANCELLED", "3.010000 zUSD")


def test_job_list_wait_and_show__settled_job(lab, zkml):
    """A settled job is listed, its output is verified and printed, and its facts name who was paid what."""
    job = zkml("job", "open", model(lab), "--input", "x.json", "--fee", "2")["job_id"]
    lab.settle(from_hex(job))
    output = zkml("job", "wait", job, "--timeout", "5")
    assert (output["verified"], output["output_integers"]) == (True, [-5, 70_000])
    assert (output["prover_fee"], output["price"]) == ("2.000000 zUSD", "3.010000 zUSD")
    listed = zkml("job", "list", "--requester", lab.requester.address)["jobs"]
    assert (listed[-1]["job_id"], listed[-1]["status"]) == (job, "SETTLED")
    assert zkml("job", "list", "--requester", lab.prover.address)["jobs"] == []
    shown = zkml("job", "show", job)
    assert (shown["prover"], shown["settlement"]) == (lab.prover.address, output["transaction"])
    assert shown["escrow"] is None


def test_job_refund__expired__by_the_command(lab, zkml):
    """Past its deadline a claimed job is refunded, and what it gave back is withdrawn."""
    job = zkml("job", "open", model(lab), "--input", "x.json", "--fee", "2", "--within", "90")["job_id"]
    with lab.afterwards_undone():
        lab.market.manager.claim(lab.prover, from_hex(job))
        pass_time(lab.market.chain, 120)
        assert zkml("job", "refund", job)["status"] == "REFUNDED"
    assert lab.market.manager.status(from_hex(job)) is JobStatus.OPEN


# --- tabs -----------------------------------------------------------------------------------------


@pytest.fixture
def proof_file(tmp_path):
    """What a prover answers with, as `zkml circuit prove` writes it."""
    record = ProofFile(
        system="hash",
        system_version="1",
        circuit="sha256:" + "11" * 32,
        verifying_key="sha256:" + "22" * 32,
        input=to_hex(INPUT),
        output=to_hex(EXAMPLE_OUTPUT),
        proof=to_hex(proof_of(INPUT, EXAMPLE_OUTPUT)),
    )
    path = tmp_path / "proof.json"
    path.write_bytes(record.to_bytes())
    return str(path)


def test_tab__opened_signed_verified_settled_and_closed(lab, zkml, tmp_path, proof_file):
    """The whole life of a tab from the command line, with files for requests and answers."""
    opening = ("tab", "open", model(lab), "--prover", lab.prover.address, "--amount", "10")
    before = state(lab)
    plan = zkml(*opening, "--dry-run")
    assert state(lab) == before
    assert flows(plan["then"]["effects"]["flows"]) == [("10000000", "wallet", "tab")]
    tab = zkml(*opening)["tab_id"]
    request = str(tmp_path / "request.json")
    signing = ("tab", "sign", tab, "--input", "x.json", "--fee", "2", "--out", request)
    assert zkml(*signing, "--dry-run")["price"] == "3.010000 zUSD"
    assert not (tmp_path / "request.json").exists()
    assert zkml(*signing)["request"]["nonce"] == "0"
    assert zkml("tab", "verify", request, proof_file)["output_integers"] == [-5, 70_000]
    before = lab.market.chain.height()
    planned = zkml("tab", "settle", request, proof_file, "--dry-run")["transactions"][0]
    assert lab.market.chain.height() == before
    assert (str(FEE), "tab", "credits") in flows(planned["effects"]["flows"])
    assert zkml("tab", "settle", request, proof_file)["prover_fee"] == "2.000000 zUSD"
    shown = zkml("tab", "show", tab)
    assert (shown["status"], shown["balance"], len(shown["settled"])) == ("OPEN", "6.990000 zUSD", 1)
    assert zkml(*signing)["request"]["nonce"] == "1"
    assert zkml("tab", "close", tab, code=1)["error"]["type"] == "TabRefusedError"
    planned = zkml("tab", "close", tab, "--as", "prover", "--dry-run")["transactions"][0]
    assert flows(planned["effects"]["flows"]) == [("6990000", "tab", "credits")]
    assert zkml("tab", "close", tab, "--as", "prover")["returned"] == "6.990000 zUSD"
    assert zkml("tab", "list", "--requester", lab.requester.address)["tabs"][-1]["closed"] is True


def test_tab__proof_of_another_output__not_settled(lab, zkml, tmp_path, proof_file):
    """`tab settle` verifies first: a wrong proof costs its prover no gas, and exits as rejected."""
    tab = zkml("tab", "open", model(lab), "--prover", lab.prover.address, "--amount", "10")["tab_id"]
    request = str(tmp_path / "request.json")
    zkml("tab", "sign", tab, "--input", "x.json", "--fee", "2", "--out", request)
    record = ProofFile.from_bytes((tmp_path / "proof.json").read_bytes(), where="proof.json")
    wrong = record.model_copy(update={"proof": "0x" + "00" * 32})
    (tmp_path / "wrong.json").write_bytes(wrong.to_bytes())
    nonce = lab.market.chain.nonce(lab.prover.address)
    for verb in ("verify", "settle"):
        error = zkml("tab", verb, request, str(tmp_path / "wrong.json"), code=3)["error"]
        assert error["type"] == "ProofRejectedError"
    assert lab.market.chain.nonce(lab.prover.address) == nonce


@pytest.mark.parametrize("content", ["", "{}", "nonsense", None])
def test_tab__damaged_files__one_clear_error(lab, zkml, tmp_path, proof_file, content):
    """A file that is missing or no record is named, whichever of the two it is."""
    damaged = tmp_path / "damaged.json"
    if content is not None:
        damaged.write_text(content)
    for files in ((str(damaged), proof_file), (proof_file, str(damaged))):
        error = zkml("tab", "verify", *files, code=1)["error"]
        assert error["type"] in ("FormatError", "ArtifactNotFoundError")
