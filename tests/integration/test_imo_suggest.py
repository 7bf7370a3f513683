"""`zkml imo suggest` on a real node: jobs, tabs and offerings of the real contracts become a range with its reasons."""

import json
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from chain_fixtures import (
    EXAMPLE_OUTPUT,
    ONE_TOKEN,
    Market,
    build_market,
    example_input,
    new_account,
    proof_of,
)

from marketplace.jobs import Settlement
from marketplace.offerings import OfferingsBinding
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import pass_time
from zkml.cli.main import run
from zkml.core.artifact_encryption import Artifact, ArtifactKey
from zkml.core.digests import keccak256
from zkml.core.identifiers import FeeTerms, ModelCommitment
from zkml.core.offering_machine import OfferingStatus
from zkml.core.offering_terms import OfferingTerms

pytestmark = pytest.mark.integration

DAY = 24 * 3600
EARNED = ONE_TOKEN - ONE_TOKEN * 25_000 // 1_000_000
SHARES = 1000


@dataclass
class Exchange:
    """A home with a market, provers and buyers."""

    home: Path
    endpoint: str
    market: Market
    offerings: OfferingsBinding
    _inputs: list[int] = field(default_factory=list)

    def serve(self, requester, prover) -> None:
        """Have one job of the model opened, claimed and settled."""
        self._inputs.append(len(self._inputs))
        market, packed = self.market, example_input(len(self._inputs))
        job, _ = market.jobs.open(requester, market.job_spec(packed), packed)
        market.jobs.claim(prover, job)
        market.jobs.settle(prover, *Settlement(job, packed, EXAMPLE_OUTPUT, proof_of(packed, EXAMPLE_OUTPUT)))

    def sealed_model(self, owner, name: bytes) -> int:
        """Register a model with an encrypted artifact and make it PROVEN."""
        market = self.market
        spec = market.spec._replace(verifying_key_digest=keccak256(name))
        circuit, _ = market.router.add(market.deployer, spec)
        digests = [keccak256(name + part) for part in (b"onnx", b"settings", b"manifest")]
        key = ArtifactKey(keccak256(name)).commitment
        commitment = ModelCommitment(
            (circuit,), *digests, bytes(32), key, 0, "bafkreitest", name.decode(), "MIT"
        )
        model, _ = market.registry.register(owner, commitment, FeeTerms(model_fee=ONE_TOKEN))
        packed = market.registry.genesis(model, circuit).packed_input
        market.registry.activate(owner, model, circuit, EXAMPLE_OUTPUT, proof_of(packed, EXAMPLE_OUTPUT))
        return model

    def offer(self, owner, name: bytes, *, price: int) -> int:
        """Offer a new model for an hour and return the offering's number."""
        model, market = self.sealed_model(owner, name), self.market
        terms = OfferingTerms.build(
            model_id=model,
            total_shares=SHARES,
            price=price,
            bond=max(ONE_TOKEN, price * SHARES),
            window_seconds=3600,
            seed_ppm=200_000,
            vesting_seconds=365 * DAY,
            lp_lock_seconds=365 * DAY,
            fees=FeeTerms(ONE_TOKEN, ONE_TOKEN, 10_000),
            max_model_fee=2 * ONE_TOKEN,
            successor_rate_ppm=50_000,
            guardian=new_account(market.chain).address,
            artifact=Artifact(keccak256(b"plain"), keccak256(b"cipher"), 5000),
            name="Shares",
            symbol="SHR",
        )
        market.token.mint(market.deployer, owner.address, terms.bond)
        market.token.approve(owner, self.offerings.address, terms.bond)
        market.registry.contract.transact(owner, "approve", self.offerings.address, model)
        return self.offerings.open(owner, terms)[0]

    def sell(self, offering: int) -> None:
        """Have one buyer take all public shares."""
        facts, market = self.offerings.facts(offering), self.market
        buyer = new_account(market.chain)
        market.token.mint(market.deployer, buyer.address, facts.raise_total)
        market.token.approve(buyer, self.offerings.address, facts.raise_total)
        self.offerings.reserve(buyer, offering, facts.public_shares)

    def release(self, offering: int, name: bytes) -> None:
        """Reveal the key, wait, and release with a fresh proof."""
        anyone, market = self.market.deployer, self.market
        self.offerings.reveal(anyone, offering, ArtifactKey(keccak256(name)))
        pass_time(market.chain, self.offerings.releasable_at(offering) - market.chain.now())
        packed = self.offerings.release_input(offering)
        self.offerings.finalize(anyone, offering, EXAMPLE_OUTPUT, proof_of(packed, EXAMPLE_OUTPUT))


@pytest.fixture(scope="module")
def exchange(tmp_path_factory):
    """One chain for this module."""
    home = tmp_path_factory.mktemp("exchange") / "home"
    with Anvil.start(home / "chain") as node, closing(Chain(node.endpoint)) as chain:
        market = build_market(chain, home / "deployments")
        where = market.deployment.offerings.address
        offerings = OfferingsBinding(chain, where, from_block=market.deployment.block)
        yield Exchange(home, node.endpoint, market, offerings)


@pytest.fixture
def ask(exchange, capsys):
    """Run the command and return what it prints."""

    def run_one(*argv: str, as_json: bool = True):
        words = [
            "imo",
            "suggest",
            f"{exchange.market.model_id:#x}",
            *argv,
            "--home",
            str(exchange.home),
            "-q",
        ]
        flags = ["--json"] if as_json else []
        assert run([*words, "--rpc-url", exchange.endpoint, *flags]) == 0
        found = capsys.readouterr().out
        return json.loads(found) if as_json else found

    return run_one


def test_suggest__from_a_new_model_to_one_with_a_market__shows_what_it_rests_on(exchange, ask):
    """Nothing is suggested of a new model; later each input has the chain's own counts, sums, blocks and weight."""
    market, chain = exchange.market, exchange.market.chain
    new = ask()
    assert (new["basis"], new["suggestion"], new["reason"]) == ("none", None, "no input has a basis")
    assert [each["basis"] for each in new["inputs"]] == [False, False, False]

    alice, bob, prover = market.funded(), market.funded(), market.enrolled()
    creator = market.deployer
    market.token.mint(creator, creator.address, 100 * ONE_TOKEN)
    market.token.approve(creator, market.ledger.address, 100 * ONE_TOKEN)
    friend = new_account(chain)
    market.token.contract.transact(creator, "transfer", friend.address, 10 * ONE_TOKEN)
    market.token.approve(friend, market.ledger.address, 10 * ONE_TOKEN)
    for _ in range(4):
        pass_time(chain, DAY - 60)
        exchange.serve(alice, prover)
        exchange.serve(bob, prover)
    exchange.serve(creator, prover)
    exchange.serve(friend, prover)
    packed = example_input(500)
    market.jobs.open(alice, market.job_spec(packed), packed)
    pass_time(chain, 240)

    found = ask(
        "--period-hours", "24", "--total-shares", str(SHARES), "--horizon-days", "8", "--discount", "0"
    )
    demand, comparables, record = found["inputs"]
    assert found["basis"] == "partial"
    assert [each["weight_ppm"] for each in found["inputs"]] == [10**6, 0, 0]
    data = demand["data"]
    assert (data["periods"], data["uses"], data["requesters"]) == (4, 8, 2)
    assert data["income_of_periods"] == [str(2 * EARNED)] * 4
    assert data["largest_requester_ppm"] == 500_000
    assert data["left_out"]["paid_by_them"]["uses"] == 1
    assert data["left_out"]["paid_by_those"]["uses"] == 1
    assert data["quotes"]["waiting"] == 1
    # Eight days ahead: without each day's largest payer, and with both and the job that waits.
    low, high = 8 * EARNED, 16 * EARNED + EARNED
    assert demand["value_of_all_shares"]["low"]["units"] == str(low)
    assert demand["value_of_all_shares"]["high"]["units"] == str(high)
    offered = found["suggestion"]
    assert offered["price"]["low"]["units"] == str(low // SHARES)
    assert offered["raise"]["high"]["units"] == str(-(-high // SHARES) * 510)
    assert (comparables["basis"], record["basis"]) == (False, False)


def test_suggest__with_offerings_that_break_and_keep_their_promise__falls_silent_and_speaks_again(
    exchange, ask
):
    """Another's sold offering is a comparable; the creator's overdue one ends all, until it has released one too."""
    stranger, market = new_account(exchange.market.chain), exchange.market
    sold = exchange.offer(stranger, b"sold", price=3 * ONE_TOKEN)
    exchange.offer(stranger, b"unsold", price=9 * ONE_TOKEN)
    broken = exchange.offer(market.deployer, b"broken", price=ONE_TOKEN)
    exchange.sell(sold)
    flags = ("--period-hours", "24", "--total-shares", str(SHARES))
    found = ask(*flags)
    comparables = found["inputs"][1]
    assert [each["weight_ppm"] for each in found["inputs"]] == [625_000, 375_000, 0]
    assert [each["offering"] for each in comparables["data"]["sold"]] == [sold]
    assert comparables["data"]["running"] == 1
    assert comparables["value_of_all_shares"]["low"]["units"] == str(3 * ONE_TOKEN * SHARES // 2)
    text = ask(*flags, as_json=False)
    assert f"offering {sold} (same proof system and size class): 1000 shares at 3.000000 zUSD" in text
    assert "weight 37.5 %" in text

    exchange.sell(broken)
    pass_time(market.chain, 30 * DAY)
    assert exchange.offerings.status(broken) is OfferingStatus.OVERDUE
    late = ask(*flags)
    assert (late["basis"], late["suggestion"]) == ("none", None)
    assert late["reason"] == "the creator defaulted more often than it released"
    assert late["inputs"][2]["data"]["defaulted"] == 1
    assert late["inputs"][1]["data"]["unsold"] == 1

    kept = exchange.offer(market.deployer, b"kept", price=5 * ONE_TOKEN)
    exchange.sell(kept)
    exchange.release(kept, b"kept")
    atoned = ask(*flags)
    record = atoned["inputs"][2]
    # The stranger's offering is overdue by now and no comparable: 5 to 2 is what is left of the weights.
    assert [each["weight_ppm"] for each in atoned["inputs"]] == [714_286, 0, 285_714]
    assert record["data"]["range_left_ppm"] == 400_000
    assert [each["price"]["units"] for each in record["data"]["released"]] == [str(5 * ONE_TOKEN)]
    assert atoned["suggestion"] is not None
