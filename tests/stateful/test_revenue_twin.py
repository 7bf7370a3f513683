"""Revenue twice: what Python's formulas give is what the ledger says and pays, on random histories."""

import pytest
from evm_market import DEPLOYER, INPUT, OUTPUT, PROOF, TREASURY, EvmMarket, actor
from hypothesis import given, settings
from hypothesis import strategies as st

from marketplace.answers import checked_split, model_income, revenue_parts
from zkml.core.identifiers import FeeTerms
from zkml.core.market_identifiers import JobSpec
from zkml.core.revenue import ModelIncome, Part, PayeeKind, holders_earned, part_earned, split_of
from zkml.core.tensors import input_commitment
from zkml.errors import RevertedError

REQUESTER, PROVER, RECEIVER = actor(0x11), actor(0x21), actor(0x31)
RATE_PPM = 123_457
PART = Part(PayeeKind.CONTRIBUTORS, 77_777, RECEIVER)
STEPS = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["root", "child"]), st.integers(1, 3_000_001)),
        st.tuples(st.sampled_from(["lineage", "owner root", "owner child", "part", "platform"]), st.just(0)),
    ),
    max_size=8,
)


@pytest.fixture(scope="module")
def market():
    """A root and its derivative, which owes a part to somebody else besides."""
    deployed = EvmMarket(fees=FeeTerms(model_fee=300_001))
    deployed.root = (deployed.model_id, deployed.circuit_id)
    deployed.child = deployed.add_model(
        "child", FeeTerms(model_fee=7), parts=[PART], parents=[(deployed.model_id, RATE_PPM)]
    )
    deployed.enroll(PROVER, 50_000_000)
    deployed.fund(REQUESTER, 1_000_000_000, "ledger")
    return deployed


def settle_job(market, model, fee):
    """Open, claim and settle one job, with the prover fee `fee`."""
    model_id, circuit_id = model
    spec = JobSpec(
        model_id, circuit_id, input_commitment(INPUT), "", fee, fee, 10**9, 0, 60, market.now + 600
    )
    job = market.send(REQUESTER, "manager", "open", tuple(spec), INPUT)
    market.send(PROVER, "manager", "claim", job)
    market.send(PROVER, "manager", "settle", job, INPUT, OUTPUT, PROOF)


def income(market, model):
    return model_income(market.read("ledger", "incomeOf", model[0]))


CLAIMS = {
    "lineage": ("claimLineage", lambda market: (market.child[0], market.root[0])),
    "owner root": ("claimOwner", lambda market: (market.root[0],)),
    "owner child": ("claimOwner", lambda market: (market.child[0],)),
    "part": ("claimPart", lambda market: (market.child[0], int(PART.kind))),
    "platform": ("collectPlatform", lambda market: ([market.root[0], market.child[0]],)),
}


class Taken:
    """What has been taken of each kind of income so far."""

    def __init__(self):
        self.amounts = dict.fromkeys(CLAIMS, 0)

    def due(self, market):
        """Return what Python says can be taken now, of each kind."""
        root, child = income(market, market.root), income(market, market.child)
        return {
            "lineage": part_earned(child.revenue, RATE_PPM) - self.amounts["lineage"],
            "owner root": holders_earned(root, 0) - self.amounts["owner root"],
            "owner child": holders_earned(child, RATE_PPM + PART.ppm) - self.amounts["owner child"],
            "part": part_earned(child.revenue, PART.ppm) - self.amounts["part"],
            "platform": root.platform + child.platform,
        }


def dues_on_chain(market):
    root, child = market.root[0], market.child[0]
    return {
        "lineage": market.read("ledger", "lineageDue", child, root),
        "owner root": market.read("ledger", "holdersDue", root),
        "owner child": market.read("ledger", "holdersDue", child),
        "part": market.read("ledger", "partDue", child, int(PART.kind)),
        "platform": income(market, market.root).platform + income(market, market.child).platform,
    }


@settings(max_examples=60)
@given(STEPS)
def test_history__settlements_and_claims__pay_what_the_formulas_say(market, steps):
    """I6, I7: after any settlements and claims, what is due is what Python computes, and nothing passes revenue."""
    kept, taken = market.snapshot(), Taken()
    try:
        for what, fee in steps:
            if what in ("root", "child"):
                settle_job(market, getattr(market, what), fee)
            else:
                claim(market, taken, what)
            due = taken.due(market)
            assert due == dues_on_chain(market)
            child = income(market, market.child)
            earned = due["lineage"] + due["part"] + due["owner child"]
            gone = sum(taken.amounts[name] for name in ("lineage", "part", "owner child"))
            assert 0 <= child.revenue + child.inherited - earned - gone <= 2
    finally:
        market.restore(kept)


def claim(market, taken, what):
    """Take one kind of income: exactly what is due, or a refusal when nothing is."""
    function, arguments = CLAIMS[what]
    due = taken.due(market)[what]
    if due == 0:
        with pytest.raises(RevertedError):
            market.send(DEPLOYER, "ledger", function, *arguments(market))
        return
    receiver = {"part": RECEIVER, "platform": TREASURY}.get(what, DEPLOYER)
    before = market.read("ledger", "credits", receiver)
    assert market.send(DEPLOYER, "ledger", function, *arguments(market)) == due
    credited = market.read("ledger", "credits", receiver) - before
    assert credited == (0 if what == "lineage" else due)
    taken.amounts[what] += due


def test_split__of_root_and_child__is_the_ledgers(market):
    """The split that Python builds is the one that the ledger reports, and sums to the whole."""
    for model, ppm, parts in ((market.root, 0, []), (market.child, RATE_PPM, [PART])):
        found = revenue_parts(market.read("ledger", "splitOf", model[0]), where="here")
        assert checked_split(found, where="here") == split_of(ppm, parts)


@given(st.integers(0, 2**128 - 1), st.integers(0, 2**80), st.lists(st.integers(0, 250_000), max_size=4))
def test_formulas__any_split__never_pass_revenue(revenue, inherited, parts):
    """I6, I7: what all parties have earned together is the revenue, less a unit for each part at most."""
    found = ModelIncome(revenue, 0, inherited)
    earned = [part_earned(revenue, ppm) for ppm in parts]
    total = sum(earned) + holders_earned(found, sum(parts))
    assert revenue + inherited - len(parts) <= total <= revenue + inherited
