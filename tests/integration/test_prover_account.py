"""A prover's account on chain: what it has earned, to the last unit and wei, and where clients reach it."""

import csv
import io
import json
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from chain_fixtures import EXAMPLE_OUTPUT, new_account, proof_of
from client_lab import FEE, INPUT, LOCAL, Lab, start_lab

from prover_nodes.chain_port import ChainTransactions
from prover_nodes.earnings import read_earnings
from prover_nodes.journal import open_journal
from prover_nodes.outbox import Outbox
from prover_nodes.registration import EndpointNotice, publish_endpoint
from zkml.adapters.evm.timetravel import pass_time
from zkml.adapters.system_clock import SystemClock
from zkml.cli.main import run
from zkml.cli.prover_earnings import parse_since
from zkml.client import Proved, RequestJournal, open_tab, sign_request, verify_answer
from zkml.core.records import from_hex
from zkml.errors import ConfigError, RpcError

pytestmark = pytest.mark.integration

PROVED = Proved(INPUT, EXAMPLE_OUTPUT, proof_of(INPUT, EXAMPLE_OUTPUT))
ETHER = 10**18


@pytest.fixture(scope="module")
def lab(tmp_path_factory) -> Iterator[Lab]:
    """A market on which the prover has settled two jobs and a request, claimed one more, and withdrawn."""
    folder = tmp_path_factory.mktemp("earnings")
    with start_lab(folder) as lab:
        market, prover = lab.market, lab.prover
        lab.receipts = []
        for _ in range(2):
            job = lab.open().job_id
            lab.receipts += [settled_claim(lab, job), settled_job(lab, job)]
        market.ledger.withdraw(prover)
        pass_time(market.chain, 3 * 86400)
        lab.middle = market.chain.now()
        tab = open_tab(
            market,
            lab.requester,
            model_id=lab.built.model_id,
            prover=prover.address,
            amount=10 * FEE,
            expiry=market.chain.now() + 600,
            accepted_classes=LOCAL,
        ).tab_id
        record = sign_request(
            market,
            lab.requester,
            RequestJournal(folder / "tabs"),
            tab_id=tab,
            packed_input=INPUT,
            prover_fee=FEE,
            max_total=10 * FEE,
            expiry=market.chain.now() + 300,
            accepted_classes=LOCAL,
        )
        answer = verify_answer(market, record, PROVED, accepted_classes=LOCAL)
        lab.receipts.append(
            market.tabs.settle_signed(prover, answer.request, from_hex(record.signature), PROVED)
        )
        lab.lost = settled_claim(lab, lab.open().job_id)
        yield lab


def settled_claim(lab, job):
    """Claim a job; return the receipt."""
    return lab.market.manager.claim(lab.prover, job)


def settled_job(lab, job):
    """Settle a job; return the receipt."""
    return lab.market.manager.settle(lab.prover, job, INPUT, EXAMPLE_OUTPUT, proof_of(INPUT, EXAMPLE_OUTPUT))


def wei(receipts) -> int:
    """Return what transactions cost."""
    return sum(receipt.gas_used * receipt.gas_price_wei for receipt in receipts)


def test_earnings__fees_and_gas__are_what_was_paid(lab):
    """Fees are those of the settlements, gas is that of claims and settlements, and net is what is left."""
    found = read_earnings(lab.market, lab.prover.address, units_per_ether=2000 * 10**6)
    assert [income.kind for income in found.incomes] == ["job", "job", "request"]
    total = found.total()
    assert (total.count, total.fees, total.gas_wei) == (3, 3 * FEE, wei(lab.receipts))
    assert total.gas_units == -(-wei(lab.receipts) * 2000 * 10**6 // ETHER)
    assert total.net == 3 * FEE - total.gas_units
    assert found.by(lambda income: income.kind)["request"].fees == FEE
    assert list(found.by(lambda income: f"{income.model_id}")) == [str(lab.built.model_id)]


def test_earnings__all_fees__are_what_the_ledger_has_paid_and_owes(lab):
    """What was withdrawn and what can be withdrawn is exactly what was earned."""
    found = read_earnings(lab.market, lab.prover.address)
    assert found.all_fees == found.withdrawn + found.credits == 3 * FEE
    assert (found.withdrawn, found.other_credits) == (2 * FEE, 0)
    assert found.total().net is None


def test_earnings__gas_that_earned_nothing__is_told_apart(lab):
    """A claim that was not settled, a withdrawal and what the journal knows besides count as other gas."""
    market, account = lab.market, lab.prover.address
    found = read_earnings(market, account)
    [withdrawal] = market.ledger.contract.find_events("Withdrawn", {"account": account}, from_block=0)
    paid = wei([lab.lost, market.chain.receipt(withdrawal.log.transaction)])
    assert found.other_gas_wei == paid
    staked = next(market.provers.contract.find_events("Staked", from_block=0)).log.transaction
    more = read_earnings(market, account, transactions=[staked, lab.lost.transaction, "0x" + "12" * 32])
    assert more.other_gas_wei == paid + wei([market.chain.receipt(staked)])


def test_earnings__since__leaves_out_what_is_older_but_not_of_the_ledger(lab):
    """Only the days asked for are added up; whether the ledger agrees is told of all of them."""
    found = read_earnings(lab.market, lab.prover.address, since=lab.middle)
    assert [income.kind for income in found.incomes] == ["request"]
    assert found.total().gas_wei == wei(lab.receipts[-1:])
    assert found.other_gas_wei == wei([lab.lost])
    assert found.all_fees == 3 * FEE
    assert len(read_earnings(lab.market, lab.prover.address).by(lambda income: income.day)) == 2


def test_earnings__of_somebody_else__are_nothing(lab):
    """Another account's settlements are not counted, whoever's transaction they were in."""
    found = read_earnings(lab.market, lab.requester.address)
    assert (found.incomes, found.all_fees, found.other_gas_wei) == ((), 0, 0)


def test_command__json_csv_and_text__say_the_same(lab, capsys):
    """The three forms have the same figures, and totals are the sums of their parts."""
    argv = ["prover", "earnings", "--home", str(lab.folder), "--rpc-url", lab.endpoint]
    argv += ["--account", lab.prover.address]
    assert run([*argv, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert run([*argv, "--csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert run(argv) == 0
    text = capsys.readouterr().out
    assert sum(int(row["fee_units"]) for row in rows) == int(found["total"]["fees"]) == 3 * FEE
    assert sum(int(row["gas_wei"]) for row in rows) == int(found["total"]["gas_wei"])
    for groups in ("by_day", "by_model", "by_kind"):
        assert sum(int(part["fees"]) for part in found[groups].values()) == 3 * FEE
    assert "3 settled: fees 6.000000 zUSD" in text
    assert [row["id"] for row in rows] == [entry["id"] for entry in found["settled"]]
    assert run([*argv, "--csv", "--json"]) == 2


@pytest.fixture
def parts(lab, tmp_path):
    """What publishing an endpoint needs of a node, with a fresh account."""
    market, account = lab.market, new_account(lab.market.chain)
    with open_journal(tmp_path / "journal.sqlite", "scope") as journal:
        outbox = Outbox(
            transactions=ChainTransactions(market.chain, account),
            journal=journal,
            clock=SystemClock(),
            timeout_seconds=20,
            confirmations=0,
        )
        yield SimpleNamespace(
            chain_market=market,
            account=account,
            circuits=[SimpleNamespace(proof_system_id=lab.built.spec.proof_system_id)],
            journal=journal,
            outbox=outbox,
        )


def endpoint_of(parts) -> str:
    """Return what the registry says."""
    return parts.chain_market.provers.profile_of(parts.account.address).endpoint


def test_publish_endpoint__is_written_once_and_changed_when_it_changes(parts):
    """The account is registered with its endpoint; nothing is sent while the registry says the same."""
    first = publish_endpoint(parts, "http://127.0.0.1:1")
    assert endpoint_of(parts) == "http://127.0.0.1:1"
    assert publish_endpoint(parts, "http://127.0.0.1:1") is None
    second = publish_endpoint(parts, "http://127.0.0.1:2")
    third = publish_endpoint(parts, "http://127.0.0.1:1")
    assert endpoint_of(parts) == "http://127.0.0.1:1"
    assert len({first, second, third}) == 3


def test_publish_endpoint__of_a_node_that_names_none__registers_it_and_changes_nothing_more(parts):
    """Whoever names a node that has no public URL finds its prover registered; a URL that is there stays."""
    registered = publish_endpoint(parts, "")
    assert registered is not None
    assert parts.chain_market.provers.stake_of(parts.account.address).registered
    assert publish_endpoint(parts, "") is None
    assert publish_endpoint(parts, "http://127.0.0.1:1") is not None
    assert publish_endpoint(parts, "") is None
    assert endpoint_of(parts) == "http://127.0.0.1:1"


def test_endpoint_notice__the_chain_fails_at_first__is_written_later(parts, monkeypatch):
    """A node whose endpoint cannot be written yet says so, works, and tries again."""
    failed, real = threading.Event(), parts.outbox.deliver

    def deliver(*args, **options):
        if not failed.is_set():
            failed.set()
            raise RpcError("expected an answer, found none")
        return real(*args, **options)

    monkeypatch.setattr(parts, "outbox", SimpleNamespace(deliver=deliver))
    notice = EndpointNotice(parts, "http://127.0.0.1:3", retry_seconds=0.01)
    assert "not in the prover registry" in notice.problem()
    notice.start()
    deadline = time.monotonic() + 20
    while notice.problem() and time.monotonic() < deadline:
        failed.wait(0.05)
    notice.stop()
    assert (endpoint_of(parts), notice.problem(), notice.failure()) == ("http://127.0.0.1:3", "", None)


def test_parse_since__dates_and_spans__are_chain_time():
    """A date is its midnight in UTC, a span is counted back from now, and anything else is refused."""
    now = int(datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp())
    assert parse_since("2026-03-02", now) == now - 12 * 3600
    assert (parse_since("24h", now), parse_since("2d", now)) == (now - 86400, now - 2 * 86400)
    assert parse_since("999999d", now) == 0
    for text in ("yesterday", "7", "-3d", "2026-13-01", ""):
        with pytest.raises(ConfigError):
            parse_since(text, now)
