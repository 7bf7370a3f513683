"""The job machine twice: what Python derives and foresees is what the contracts do, on random histories.

The contracts are the real ones, in an EVM whose clock jumps; the verifier accepts everything, since proofs are
another matter.
"""

import pytest
from evm_market import CHAIN_ID, GUARDIAN, INPUT, OUTPUT, PROOF, START, EvmMarket, actor, error_name
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace import job_effects
from marketplace.answers import job_facts
from marketplace.effects import PocketKind
from zkml.core.identifiers import FeeTerms
from zkml.core.job_machine import JobStatus, check_move, payee_of, status_of
from zkml.core.market_identifiers import JobSpec, context_of, job_id
from zkml.core.pricing import FeeQuote, collateral_for, payment_for
from zkml.core.tensors import input_commitment
from zkml.errors import RevertedError, ZkmlError

REQUESTER = actor(0x11)
PROVERS = [actor(0x21), actor(0x22), actor(0x23)]
STRANGER = actor(0x66)
FEES = FeeTerms(model_fee=300_001, min_model_fee=7, min_model_fee_ppm=123_457)

SECONDS = st.one_of(st.sampled_from([0, 1, 24, 35, 36, 37, 60, 61]), st.integers(0, 400))
CALLERS = st.sampled_from([*PROVERS, REQUESTER, STRANGER])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), SECONDS),
        st.tuples(st.sampled_from(["claim", "reclaim", "settle"]), CALLERS),
        st.tuples(st.sampled_from(["reclaim", "settle"]), CALLERS),
        st.tuples(st.sampled_from(["cancel", "refund"]), CALLERS),
        st.tuples(st.just("tombstone"), st.just(GUARDIAN)),
    ),
    max_size=14,
)


@st.composite
def offers(draw):
    """Draw the terms of a job that the deployment allows: fees, times."""
    minimum = draw(st.integers(1, 3_000_000))
    length = draw(st.integers(61, 500))
    return {
        "min_prover_fee": minimum,
        "max_prover_fee": minimum + draw(st.integers(0, 3_000_000)),
        "ramp_seconds": draw(st.integers(0, length)),
        "claim_seconds": draw(st.integers(60, min(length, 150))),
        "deadline": length,
    }


@pytest.fixture(scope="module")
def market():
    """One deployment, with provers who have stake and a requester who has tokens."""
    deployed = EvmMarket(fees=FEES)
    for prover in PROVERS:
        deployed.enroll(prover, 50_000_000)
    deployed.fund(REQUESTER, 100_000_000, "ledger")
    return deployed


class Walk:
    """One job on its way through a random history."""

    def __init__(self, market, offer):
        self.market = market
        self.is_tombstoned = False
        self.refusals, self.seen = [], set()
        spec = {**offer, "deadline": market.now + offer["deadline"]}
        self.spec = JobSpec(
            market.model_id, market.circuit_id, input_commitment(INPUT), "", max_total=10**9, **spec
        )
        nonce = market.read("manager", "nonces", REQUESTER)
        self.job_id = market.send(REQUESTER, "manager", "open", tuple(self.spec), INPUT)
        assert self.job_id == job_id(CHAIN_ID, market.addresses["manager"], REQUESTER, nonce, self.spec)

    def facts(self):
        return job_facts(self.job_id, self.market.read("manager", "job", self.job_id), where="here")

    def agree(self):
        """Compare status, payee and offer now and on both sides of every second that matters."""
        market, facts, now = self.market, self.facts(), self.market.now
        moments = {facts.claim_deadline, facts.grace_ends_at, facts.deadline, START}
        for time in {now, *moments, *(moment + 1 for moment in moments)}:
            market.now = max(time, now)
            market._tick()
            on_chain = JobStatus(market.read("manager", "statusOf", self.job_id))
            assert status_of(facts, market.now) is on_chain, (facts, market.now)
            self.seen.add(on_chain)
            fee = market.read("manager", "proverFeeAt", self.job_id, time)
            assert facts.prover_fee_at(time) == fee
        market.now = now
        market._tick()

    def step(self, move, who):
        """Make a move if Python allows it, and see the contract do or refuse the same."""
        market, facts = self.market, self.facts()
        if move == "wait":
            market.pass_time(who)
            return
        if move == "tombstone":
            if not self.is_tombstoned:
                market.send(GUARDIAN, "router", "tombstone", market.circuit_id, "broken")
            self.is_tombstoned = True
            return
        try:
            foreseen = self.foresee(facts, move, who)
        except ZkmlError:
            with pytest.raises(RevertedError) as caught:
                self.move(move, who)
            self.refusals.append(error_name(caught.value))
            return
        before = self.pockets()
        self.move(move, who)
        assert self.pockets() == settle_flows(before, foreseen.flows), foreseen
        after = {change.subject: change.after for change in foreseen.changes}
        status = JobStatus(market.read("manager", "statusOf", self.job_id))
        assert after[f"status of job 0x{self.job_id.hex()}"] == status.name

    def foresee(self, facts, move, who):
        """Return the effects of a move, or raise why it cannot be made."""
        now, terms, dead = self.market.now, self.market.terms, self.is_tombstoned
        check_move(facts, move, now, caller=who, is_tombstoned=dead)
        if move in ("claim", "reclaim") and who not in PROVERS:
            raise ZkmlError("expected a registered prover, found none")
        if move == "cancel" and who != REQUESTER:
            raise ZkmlError("expected the requester, found another")
        if move == "settle":
            assert payee_of(facts, now) == who
            return job_effects.settlement_effects(facts, who, now, terms)
        if move == "cancel":
            return job_effects.cancel_effects(facts, now)
        if move == "refund":
            return job_effects.refund_effects(facts, now, terms, is_tombstoned=dead)
        effects = job_effects.claim_effects if move == "claim" else job_effects.reclaim_effects
        return effects(facts, who, now, terms)

    def move(self, move, who):
        tensors = (INPUT, OUTPUT, PROOF) if move == "settle" else ()
        self.market.send(who, "manager", move, self.job_id, *tensors)

    def pockets(self):
        """Return what every pocket holds; escrow is what the ledger holds and owes to nobody else."""
        market, found = self.market, {}
        for account in (*PROVERS, REQUESTER, STRANGER):
            found[PocketKind.CREDITS, account] = market.read("ledger", "credits", account)
            stake = market.read("provers", "stakeOf", account)
            found[PocketKind.FREE_STAKE, account] = stake[0]
            found[PocketKind.LOCKED_STAKE, account] = stake[1]
        revenue, platform, _ = market.read("ledger", "incomeOf", market.model_id)
        model = f"model {market.model_id:#x}"
        found[PocketKind.REVENUE, model], found[PocketKind.PLATFORM, model] = revenue, platform
        to_burn, to_treasury = market.read("provers", "forfeits")
        found[PocketKind.TO_BURN, ""], found[PocketKind.TO_TREASURY, ""] = to_burn, to_treasury
        held = market.read("token", "balanceOf", market.addresses["ledger"])
        owed = sum(amount for (kind, _), amount in found.items() if kind is PocketKind.CREDITS)
        found[PocketKind.ESCROW, f"job 0x{self.job_id.hex()}"] = held - owed - revenue - platform
        return found


def settle_flows(pockets, flows):
    """Return the pockets after tokens have moved."""
    after = dict(pockets)
    for flow in flows:
        after[flow.source.kind, flow.source.owner] -= flow.amount
        after[flow.target.kind, flow.target.owner] += flow.amount
    return after


@settings(max_examples=150)
@given(offers(), STEPS)
def test_history__status_moves_and_money__are_the_same_here_and_on_chain(market, offer, steps):
    """I3, I11, I13: on any history both sides agree on status, payee, allowed moves and every token moved."""
    kept = market.snapshot()
    try:
        walk = Walk(market, offer)
        walk.agree()
        for move, who in steps:
            walk.step(move, who)
            walk.agree()
    finally:
        market.restore(kept)


CLAIMED_TWICE = [
    ("claim", PROVERS[0]),
    ("wait", 61),
    ("reclaim", PROVERS[1]),
]


ENDINGS = {
    "grace used": [("settle", PROVERS[0])],
    "grace over": [("settle", PROVERS[1]), ("wait", 37), ("settle", PROVERS[0]), ("settle", PROVERS[1])],
    "taken back": [("wait", 61), ("reclaim", PROVERS[0]), ("settle", PROVERS[1])],
    "third prover": [("wait", 61), ("reclaim", PROVERS[2]), ("wait", 40), ("settle", PROVERS[2])],
    "nobody": [("wait", 600), ("settle", PROVERS[1]), ("refund", STRANGER)],
    "tombstone": [("tombstone", GUARDIAN), ("settle", PROVERS[0]), ("refund", STRANGER)],
}
REFUSALS = {
    "grace used": [],
    "grace over": ["NotClaimant", "NotClaimant"],
    "taken back": [],
    "third prover": [],
    "nobody": ["WrongStatus"],
    "tombstone": ["CircuitIsTombstoned"],
}


def walk_of(market, steps):
    """Walk one job through steps and return the walk."""
    kept = market.snapshot()
    offer = {"ramp_seconds": 100, "claim_seconds": 60, "deadline": 400}
    try:
        walk = Walk(market, {"min_prover_fee": 900_001, "max_prover_fee": 2_000_003, **offer})
        for move, who in steps:
            walk.agree()
            walk.step(move, who)
        walk.agree()
    finally:
        market.restore(kept)
    return walk


@pytest.mark.parametrize("ending", ENDINGS)
def test_reclaim__every_way_it_can_end__is_the_same_here_and_on_chain(market, ending):
    """The grace, the bonus, a second takeover, the refund and the tombstone end as Python foresees them."""
    walk = walk_of(market, [*CLAIMED_TWICE, *ENDINGS[ending]])
    assert walk.refusals == REFUSALS[ending]


def test_walks__together__visit_every_status(market):
    """The two sides are compared in every status that a job can have."""
    seen = walk_of(market, [("cancel", REQUESTER)]).seen
    for steps in ENDINGS.values():
        seen |= walk_of(market, [*CLAIMED_TWICE, *steps]).seen
    assert seen == set(JobStatus) - {JobStatus.NONE}
    assert JobStatus(market.read("manager", "statusOf", bytes(32))) is JobStatus.NONE


@given(
    st.integers(0, 2**60),
    st.integers(0, 500_000),
    st.integers(0, 10**6),
    st.integers(0, 100_000),
    st.integers(0, 2**60),
)
def test_payment_for__random_quotes__is_the_contracts(market, floor, ppm, flat, platform, fee):
    """I6, I18: Python and Solidity split every price alike, to the last unit, and the parts are the price."""
    quote = FeeQuote(floor, ppm, flat, platform)
    payment = payment_for(quote, fee)
    assert tuple(payment) == market.read("manager", "paymentFor", tuple(quote), fee)
    model_fee = payment.price - fee - flat
    assert model_fee * 10**6 >= ppm * payment.price
    assert model_fee >= floor


@given(st.integers(0, 2**80 - 1))
def test_collateral_for__random_prices__is_the_contracts(market, price):
    """I18: Python and Solidity ask for the same collateral."""
    terms = market.terms
    expected = collateral_for(price, int(terms.min_collateral), terms.collateral_ppm)
    assert market.read("manager", "collateralFor", price) == expected


@given(st.binary(min_size=32, max_size=32), st.binary(min_size=20, max_size=20))
def test_context__computed_here__is_the_managers(market, subject, payee):
    """What a proof is bound to is what Python computes from chain, manager, subject and payee."""
    address = "0x" + payee.hex()
    found = market.read("manager", "contextOf", subject, address)
    assert found == context_of(CHAIN_ID, market.addresses["manager"], subject, address)
