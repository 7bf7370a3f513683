"""Offerings through their bindings on a real node: moves, status to the second, events, pool, income, plans."""

from contextlib import closing
from dataclasses import replace

import pytest
from registry_world import OUTPUT, build_world, proof_of

from marketplace.offering_effects import close_effects, repay_effects
from marketplace.offering_plans import OfferingPlans
from marketplace.offerings import REVEAL_GAS
from marketplace.pools import Side
from marketplace.share_effects import vested_effects
from marketplace.shares import SharePhase
from marketplace.steward_plans import StewardPlans
from marketplace.stewards import Resolution
from registry.models import ModelStatus
from verifier_contracts.router import VerifierRouter
from zkml.adapters.evm.anvil import Anvil
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.timetravel import pass_time
from zkml.core.artifact_encryption import Artifact, ArtifactKey, WrongChunk, cipher_leaf, plain_leaf
from zkml.core.digests import keccak256
from zkml.core.identifiers import FeeTerms
from zkml.core.job_machine import ZERO_ADDRESS
from zkml.core.offering_machine import (
    DefaultCause,
    OfferingOutcome,
    OfferingStatus,
    releasable_at,
    release_seed,
    status_of,
)
from zkml.core.offering_money import SHARE, show_shares
from zkml.core.offering_terms import OfferingTerms
from zkml.errors import (
    BindingError,
    ChainError,
    ConfigError,
    InsufficientFundsError,
    InvalidTransitionError,
    MarketError,
    NotFinalError,
    NotOwnerError,
    ProofRejectedError,
)
from zkml.wiring import bind

pytestmark = pytest.mark.integration

ONE_TOKEN = 1_000_000
KEY = ArtifactKey(keccak256(b"key of an offering"))
JUNK, DIGEST = b"junk" * 8, keccak256(b"a promise")
ARTIFACT = Artifact(plain_leaf(0, 32, DIGEST), cipher_leaf(0, JUNK), 32)
CHUNK = WrongChunk(0, JUNK, (), DIGEST, ())
PUBLIC = 51


@pytest.fixture(scope="module")
def chain(tmp_path_factory):
    folder = tmp_path_factory.mktemp("offerings")
    with Anvil.start(folder / "anvil") as node, closing(Chain(node.endpoint)) as connected:
        yield connected


class Sale:
    """The market with accounts that may buy, and models to offer."""

    def __init__(self, chain, folder):
        self.world = build_world(chain, folder)
        self.chain, self.market = chain, bind(chain, self.world.deployment)
        self.offerings, self.rules = self.market.offerings, self.market.deployment.offering_rules
        self.plans = OfferingPlans(self.offerings)
        self.creator = self.account()
        self.anne, self.bill = self.account(), self.account()
        self.guardian = self.world.account()

    def account(self):
        return self.world.account(1000 * ONE_TOKEN, self.offerings.address)

    def model(self, **changes):
        """Return a proven model of the creator's that is sold encrypted."""
        commitment = self.world.commitment(key_commitment=KEY.commitment)._replace(**changes)
        fees = FeeTerms(model_fee=ONE_TOKEN, min_model_fee=1, min_model_fee_ppm=10_000)
        return self.world.proven(self.creator, commitment, fees=fees)

    def terms(self, model):
        return OfferingTerms.build(
            model_id=model,
            total_shares=100,
            price=ONE_TOKEN,
            bond=10 * ONE_TOKEN,
            window_seconds=3600,
            seed_ppm=250_000,
            vesting_seconds=self.rules.min_vesting_seconds,
            lp_lock_seconds=self.rules.min_lp_lock_seconds,
            fees=FeeTerms(2 * ONE_TOKEN, ONE_TOKEN, 20_000),
            max_model_fee=3 * ONE_TOKEN,
            successor_rate_ppm=50_000,
            guardian=self.guardian.address,
            artifact=ARTIFACT,
            name="Shares",
            symbol="SHR",
        )

    def opened(self, **changes):
        model = self.model(**changes)
        self.market.registry.approve(self.creator, self.offerings.address, model)
        return self.offerings.open(self.creator, self.terms(model))[0]

    def sold(self, **changes):
        number = self.opened(**changes)
        self.offerings.reserve(self.anne, number, 20)
        self.offerings.reserve(self.bill, number, 60)
        return number

    def travel(self, time):
        """Mine a block at exactly a chain time; what is pending afterwards may be later."""
        self.chain.send_once("evm_setNextBlockTimestamp", [time])
        self.chain.send_once("evm_mine", [])
        assert self.chain.block("latest").timestamp == time

    def prove(self, number):
        """Return output and proof that release an offering."""
        return OUTPUT, proof_of(self.offerings.release_input(number))


@pytest.fixture(scope="module")
def sale(chain, tmp_path_factory):
    return Sale(chain, tmp_path_factory.mktemp("deployments"))


@pytest.fixture(autouse=True)
def clean_chain(chain, sale):
    """Let each test begin with the same chain and clock."""
    kept = chain.send_once("evm_snapshot", [])
    yield
    chain.send_once("evm_revert", [kept])


def revealed(sale):
    number = sale.sold()
    sale.offerings.reveal(sale.creator, number, KEY)
    return number


PATHS = {
    "unsold": (lambda sale: sale.opened(), lambda facts, rules: facts.closes_at, "OPEN", "FAILED", 1),
    "unrevealed": (
        lambda sale: sale.sold(),
        lambda facts, rules: facts.unlock_at + rules.grace_seconds,
        "SOFT_LOCKED",
        "OVERDUE",
        1,
    ),
    "revealed": (revealed, releasable_at, "REVEALED", "RELEASABLE", 0),
    "unreleased": (
        revealed,
        lambda facts, rules: releasable_at(facts, rules) + rules.grace_seconds,
        "RELEASABLE",
        "OVERDUE",
        1,
    ),
}


@pytest.mark.parametrize("path", PATHS)
def test_status_of__a_second_before_at_and_after_a_boundary__is_the_chains(sale, path):
    """Python and the chain's own clock change an offering's status in the same second."""
    make, boundary, before, after, last = PATHS[path]
    number = make(sale)
    facts = sale.offerings.facts(number)
    edge = boundary(facts, sale.rules)
    found = []
    for offset in (-1, 0, 1):
        sale.travel(edge + offset)
        on_chain = OfferingStatus(sale.offerings.contract.call("statusOf", number, block="latest"))
        assert status_of(facts, sale.rules, edge + offset) is on_chain
        found.append(on_chain.name)
    assert sale.offerings.status(number) is sale.offerings.status_on_chain(number) is on_chain
    assert found == [before, before if last else after, after]


def test_offering__released__trades_pays_and_tells_its_story(sale):
    """From opening to trading: money, shares, pool, votes and events are what the bindings say."""
    offerings, number = sale.offerings, sale.opened()
    model, anne, bill = offerings.facts(number).model_id, sale.anne, sale.bill
    assert offerings.last_offering_of(model) == number
    foreseen = sale.plans.reserving(anne.address, number, 20)
    assert [flow.amount for flow in foreseen.flows] == [20 * ONE_TOKEN]
    assert offerings.reserve(anne, number, 20)[0] == 20
    offerings.offer_resale(anne, number, 5)
    assert offerings.open_resales(number) == {anne.address: 5}
    offerings.buy_resale(bill, number, anne.address, 2)
    assert offerings.reserve(bill, number, 60)[0] == 31
    assert offerings.events.holders(number) == {anne.address: 18, bill.address: 33}
    with pytest.raises(InvalidTransitionError):
        offerings.release_input(number)

    foreseen = sale.market.calendar.foreseen_unlock(sale.chain.now())
    facts = offerings.facts(number)
    assert facts.unlock_at == foreseen == sale.market.calendar.unlock_at(facts.soft_locked_at)
    shares = offerings.shares_of(facts)
    assert (shares.phase(), shares.model_id(), shares.name()) == (SharePhase.EARNING, model, "Shares")
    with pytest.raises(MarketError):
        shares.transfer(anne, bill.address, 1)
    offerings.reveal(sale.creator, number, KEY)
    locked, told = offerings.events.soft_locked(number), offerings.events.revealed(number)
    facts = offerings.facts(number)
    assert (locked.unlock_at, told.key) == (facts.unlock_at, facts.key) == (foreseen, KEY.secret)
    assert facts.seed == release_seed(locked.seed, told.key)

    sale.travel(offerings.releasable_at(number))
    plan = sale.plans.finalize(anne.address, number, *sale.prove(number))
    with pytest.raises(ProofRejectedError):
        offerings.finalize(anne, number, OUTPUT, b"another proof")
    offerings.finalize(anne, number, *sale.prove(number))
    facts = offerings.facts(number)
    assert facts.outcome is OfferingOutcome.TRADING
    assert offerings.credits_of(sale.creator.address) == facts.bond == plan.effects.flows[0].amount
    check_pool(sale, facts, plan)
    check_vault(sale, facts)
    check_votes(sale, facts)
    released = offerings.events.released(number)
    assert released.proof_digest == keccak256(sale.prove(number)[1])
    assert released.caller == anne.address
    data = offerings.events.release_data(released)
    assert (data.sender, data.packed_output, data.proof) == (anne.address, *sale.prove(number))
    with pytest.raises(BindingError):
        offerings.events.release_data(replace(released, proof_digest=bytes(32)))


def check_pool(sale, facts, plan):
    """The pool opens at the price, quotes what it pays, and pays not a unit more."""
    pool, shares = sale.offerings.pool_of(facts), sale.offerings.shares_of(facts)
    reserves = pool.reserves()
    assert reserves.price == facts.price
    assert reserves.money == plan.effects.flows[1].amount == 12_750_000
    cost = reserves.cost_of(Side.MONEY, SHARE)
    assert reserves.bought_for(Side.MONEY, cost) >= SHARE > reserves.bought_for(Side.MONEY, cost - 1)
    with pytest.raises(MarketError):
        pool.trade(sale.bill, Side.MONEY, cost, least=2 * SHARE)
    before = shares.balance_of(sale.bill.address)
    trade = pool.trade(sale.bill, Side.MONEY, cost, least=SHARE)
    assert shares.balance_of(sale.bill.address) - before == trade.bought >= SHARE
    sold = pool.trade(sale.bill, Side.SHARES, SHARE, least=1)
    assert sold.bought < cost
    assert pool.reserves().money == reserves.money + cost - sold.bought


def check_vault(sale, facts):
    """What vests to the creator is what Python computes, to the second."""
    vault, token = sale.offerings.vault_of(facts), sale.market.token
    pass_time(sale.chain, 86_400)
    due = vault.vested_due()
    assert vested_effects(facts, due).flows[0].amount == due.money > 0
    before = token.balance_of(sale.creator.address)
    vault.pay_vested(sale.anne)
    paid = token.balance_of(sale.creator.address) - before
    state = vault.vesting()
    assert paid == state.money_paid >= due.money
    with pytest.raises(MarketError):
        vault.pay_liquidity(sale.anne)
    sale.travel(state.liquidity_at)
    vault.pay_liquidity(sale.anne)
    assert sale.offerings.pool_of(facts).liquidity_of(sale.creator.address) > 0


def check_votes(sale, facts):
    """Holders of more than half retire the model; borrowed or late shares do not vote."""
    steward, shares = sale.offerings.steward_of(facts), sale.offerings.shares_of(facts)
    plans = StewardPlans(sale.offerings, facts)
    assert sale.market.registry.owner_of(facts.model_id) == steward.address
    plans.set_fee(sale.creator.address, 3 * ONE_TOKEN)
    steward.set_fee(sale.creator, 3 * ONE_TOKEN)
    with pytest.raises(NotOwnerError):
        steward.set_fee(sale.anne, ONE_TOKEN)
    shares.delegate(sale.anne)
    shares.transfer(sale.bill, sale.anne.address, shares.balance_of(sale.bill.address))
    plan = plans.propose(sale.anne.address, Resolution.RETIRE)
    assert plan.effects.changes[0].subject == "motion 1"
    motion, _ = steward.propose(sale.anne, Resolution.RETIRE)
    with pytest.raises(MarketError):
        steward.propose(sale.anne, Resolution.OPEN)
    pass_time(sale.chain, 10)
    plan = plans.support(sale.anne.address, motion)
    steward.support(sale.anne, motion)
    with pytest.raises(MarketError):
        steward.support(sale.anne, motion)
    (found,) = steward.motions()
    assert show_shares(found.support) == plan.effects.changes[0].after
    assert found.has_majority(steward.eligible_for(motion))
    steward.carry(sale.bill, motion)
    assert sale.market.registry.status_of(facts.model_id) is ModelStatus.DEPRECATED
    assert [vote.votes for vote in steward.votes_for(motion)] == [found.support]


def test_offering__of_junk__is_refuted_and_its_bond_shared(sale):
    """A wrong chunk, shown by anyone, gives buyers their money and the bond, to the last unit."""
    offerings, number = sale.offerings, revealed(sale)
    with pytest.raises(NotOwnerError):
        sale.plans.guardian_default(sale.anne.address, number, "junk")
    assert sale.plans.guardian_default(sale.guardian.address, number, "junk").effects.flows
    plan = sale.plans.challenge(sale.anne.address, number, CHUNK)
    offerings.challenge(sale.anne, number, CHUNK)
    ended = offerings.events.defaulted(number)
    assert (ended.cause, ended.bonus) == (DefaultCause.REFUTED, plan.effects.flows[0].amount)
    facts, count = offerings.facts(number), offerings.reservation_of(number, sale.anne.address)
    foreseen = repay_effects(facts, sale.rules, sale.anne.address, count, sale.chain.now())
    amounts = [offerings.repay(sale.bill, number, who.address)[0] for who in (sale.anne, sale.bill)]
    assert amounts[0] == sum(flow.amount for flow in foreseen.flows)
    assert sum(amounts) == PUBLIC * ONE_TOKEN + 10 * ONE_TOKEN
    assert [repaid.amount for repaid in offerings.events.repaid(number)] == amounts
    before = sale.market.token.balance_of(sale.anne.address)
    offerings.withdraw(sale.anne)
    assert sale.market.token.balance_of(sale.anne.address) - before == amounts[0]
    shares = offerings.shares_of(offerings.facts(number))
    shares.transfer(sale.anne, sale.bill.address, SHARE)
    assert shares.total_supply() == PUBLIC * SHARE


def test_offering__not_sold_out__gives_model_bond_and_money_back(sale):
    """After the window the creator has model and bond again, and the buyer its money, once."""
    offerings, number = sale.offerings, sale.opened()
    offerings.reserve(sale.anne, number, 7)
    model = offerings.facts(number).model_id
    with pytest.raises(InvalidTransitionError):
        offerings.close(sale.anne, number)
    facts = offerings.facts(number)
    sale.travel(facts.closes_at + 1)
    foreseen = close_effects(facts, sale.rules, sale.chain.now())
    assert foreseen.flows[0].amount == 10 * ONE_TOKEN
    offerings.close(sale.anne, number)
    assert offerings.repay(sale.bill, number, sale.anne.address)[0] == 7 * ONE_TOKEN
    with pytest.raises(MarketError):
        offerings.repay(sale.bill, number, sale.anne.address)
    assert sale.market.registry.owner_of(model) == sale.creator.address
    assert offerings.events.failed(number) is not None
    assert offerings.credits_of(sale.anne.address) == 7 * ONE_TOKEN


def test_offering__never_revealed__is_declared_by_anyone(sale):
    """A creator who never reveals loses the bond as soon as the grace is over."""
    number = sale.sold()
    facts = sale.offerings.facts(number)
    sale.travel(facts.unlock_at + sale.rules.grace_seconds + 1)
    assert sale.plans.declare_default(sale.bill.address, number).effects.flows[0].amount == facts.bond
    sale.offerings.declare_default(sale.bill, number)
    assert sale.offerings.events.defaulted(number).cause is DefaultCause.OVERDUE


@pytest.fixture
def listened(monkeypatch):
    """Return what is sent to the endpoint from now on: methods and parameters."""
    sent, request = [], Chain.request

    def listening(self, method, *params):
        sent.append((method, repr(params)))
        return request(self, method, *params)

    monkeypatch.setattr(Chain, "request", listening)
    return sent


def test_plan_of_a_reveal__tells_the_key_to_nobody(sale, listened):
    """A dry run of the reveal neither sends the key to the endpoint nor prints it."""
    number = sale.sold()
    listened.clear()
    plan = sale.plans.reveal(number, KEY)
    assert listened
    assert not any(KEY.secret.hex() in text for _, text in listened)
    assert KEY.secret not in plan.dry_run.calldata
    assert KEY.secret.hex() not in repr(plan)
    with pytest.raises(BindingError):
        sale.plans.reveal(number, ArtifactKey(bytes(32)))


def test_reveal__before_it_is_sent__tells_the_key_to_nobody(sale, listened):
    """The endpoint sees the key in the signed transaction and in no simulation before; a poor sender sends none."""
    number = sale.sold()
    sale.chain.send_once("anvil_setBalance", [sale.bill.address, hex(10**9)])
    with pytest.raises(InsufficientFundsError):
        sale.offerings.reveal(sale.bill, number, KEY)
    with pytest.raises(BindingError):
        sale.offerings.reveal(sale.creator, number, ArtifactKey(bytes(32)))
    assert not any(KEY.secret.hex() in text for _, text in listened)
    sale.offerings.reveal(sale.creator, number, KEY)
    assert [method for method, text in listened if KEY.secret.hex() in text] == ["eth_sendRawTransaction"]


def test_reveal__of_a_model_with_the_longest_texts__stays_below_its_gas_limit(sale):
    """What the contract reads of the model decides what a reveal takes: at most, well below the fixed limit."""
    text = "x" * 128
    circuits = tuple(sale.world.circuit() for _ in range(4))
    number = sale.sold(manifest_cid=text, name=text, licence=text, circuit_ids=circuits)
    receipt = sale.offerings.reveal(sale.creator, number, KEY)
    assert 120_000 < receipt.gas_used < 0.7 * REVEAL_GAS


def test_reveal__of_a_sale_that_may_be_undone__is_not_sent(sale, monkeypatch):
    """The key stays secret until the sale is as deep as the chain's confirmations: nobody gets it for nothing."""
    number = sale.sold()
    monkeypatch.setattr(sale.chain, "confirmations", 2)
    with pytest.raises(NotFinalError):
        sale.offerings.reveal(sale.creator, number, KEY)
    with pytest.raises(NotFinalError):
        sale.plans.reveal(number, KEY)
    assert sale.offerings.facts(number).revealed_at == 0
    pass_time(sale.chain, 1)
    pass_time(sale.chain, 1)
    sale.offerings.check_lock_is_final(number)


def test_trade__elsewhere_than_on_a_local_chain__is_refused(sale, monkeypatch):
    """Two transactions without a router would be anybody's money in between: they are not sent."""
    pool = sale.offerings.pool_of(sale.offerings.facts(sale.sold()))
    monkeypatch.setattr(Chain, "is_local", property(lambda self: False))
    with pytest.raises(ConfigError):
        pool.trade(sale.bill, Side.MONEY, 1, least=1)


def test_offering__of_a_tombstoned_circuit__sells_and_releases_nothing(sale):
    """Whatever is found wrong with a proof system, buyers have their money back and the creator its bond."""
    number = sale.sold()
    router: VerifierRouter = sale.market.router
    router.tombstone(sale.world.deployer, sale.offerings.release_circuit(number), "unsound")
    assert sale.offerings.is_tombstoned(sale.offerings.facts(number))
    plan = sale.plans.declare_default(sale.anne.address, number)
    sale.offerings.declare_default(sale.anne, number)
    assert sale.offerings.credits_of(sale.creator.address) == plan.effects.flows[0].amount == 10 * ONE_TOKEN
    assert sale.offerings.events.defaulted(number).bonus == 0


def test_offering__unknown__is_said_so(sale):
    """A number that nobody opened is an error of ours, and NONE on the chain."""
    with pytest.raises(MarketError):
        sale.offerings.facts(99)
    with pytest.raises(MarketError):
        sale.offerings.events.opened(99)
    assert sale.offerings.status_on_chain(99) is OfferingStatus.NONE


def test_opened__event__has_the_terms_as_they_were_given(sale):
    """What an opening announces decodes to the terms that were signed, and buyers find it by model and creator."""
    number = sale.opened()
    opened, facts = sale.offerings.events.opened(number), sale.offerings.facts(number)
    assert opened.terms == sale.terms(facts.model_id)
    assert (opened.shares, opened.closes_at) == (facts.shares, facts.closes_at)
    found = sale.offerings.events.offerings(model_id=facts.model_id, creator=sale.creator.address)
    assert [each.offering_id for each in found] == [number]
    assert replace(opened, where=None) == replace(next(iter(sale.offerings.events.offerings())), where=None)


def test_shares__of_burned_and_pooled_ones__earn_for_all(sale):
    """What shares that cannot withdraw have earned comes back to the others; nothing to give back is refused."""
    number = revealed(sale)
    sale.offerings.challenge(sale.anne, number, CHUNK)
    shares = sale.offerings.shares_of(sale.offerings.facts(number))
    assert shares.pool() == ZERO_ADDRESS
    with pytest.raises((MarketError, ChainError)):
        shares.return_burned_income(sale.anne)
    with pytest.raises((MarketError, ChainError)):
        shares.claim(sale.anne, shares.snapshot(sale.anne)[0])
