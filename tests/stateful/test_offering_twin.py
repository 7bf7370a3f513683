"""The offering machine twice: what Python derives and foresees is what the contracts do, on many histories.

The contracts are the real ones, the pool's included, in an EVM whose clock jumps; the verifier accepts
everything, since proofs are another matter.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from offering_walk import (
    AUDITOR,
    BUYERS,
    CREATOR,
    PUBLIC,
    STRANGER,
    OfferingWalk,
    offered_market,
    terms_of,
)

from zkml.core.identifiers import FeeTerms
from zkml.core.offering_machine import OfferingStatus
from zkml.core.offering_money import SHARE, bought_for, cost_of, least_bond, most_seed_ppm
from zkml.core.offering_terms import MAX_SECONDS, MAX_WINDOW_SECONDS, check_terms
from zkml.errors import MarketError, RevertedError

ANNE, BILL, CARA = BUYERS
OFFSETS = st.sampled_from([-1, 0, 1])
EDGES = st.sampled_from(["close", "unlock", "release", "unlock grace", "release grace"])
PEOPLE = st.sampled_from([*BUYERS, CREATOR])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("wait"), EDGES, OFFSETS),
        st.tuples(st.just("reserve"), PEOPLE, st.sampled_from([0, 1, 25, 26, 60]), st.sampled_from([1, 30])),
        st.tuples(st.just("resell"), PEOPLE, st.integers(0, 30)),
        st.tuples(st.just("buy"), PEOPLE, PEOPLE, st.integers(0, 20)),
        st.tuples(st.sampled_from(["reveal", "challenge", "finalize", "default", "close"]), PEOPLE),
        st.tuples(st.sampled_from(["reveal", "finalize", "earn", "tombstone"]), PEOPLE),
        st.tuples(st.just("guard"), st.sampled_from([AUDITOR, STRANGER])),
        st.tuples(st.sampled_from(["repay", "claim"]), PEOPLE, PEOPLE),
        st.tuples(st.sampled_from(["withdraw", "vest", "income"]), PEOPLE),
        st.tuples(st.just("return"), PEOPLE, st.sampled_from(["Pool", "Burned"])),
    ),
    max_size=10,
)
SOLD = [("reserve", ANNE, 20), ("earn", ANNE), ("reserve", BILL, 30), ("reserve", CARA, 9)]
REVEALED = [*SOLD, ("earn", ANNE), ("wait", "unlock", -20), ("reveal", CREATOR)]
STARTS = {
    "opened": [],
    "sold": SOLD,
    "revealed": REVEALED,
    "released": [*REVEALED, ("wait", "release"), ("finalize", STRANGER)],
    "refuted": [*REVEALED, ("challenge", STRANGER)],
}


@pytest.fixture(scope="module")
def market():
    """One deployment with a model to offer."""
    return offered_market()


def walk_of(market, steps, **terms):
    """Walk one offering through steps, compare both sides after each, and return the walk."""
    kept = market.snapshot()
    try:
        walk = OfferingWalk(market, **terms)
        walk.agree()
        for step in steps:
            walk.step(*step)
            walk.agree()
    finally:
        market.restore(kept)
    return walk


@settings(max_examples=25)
@given(st.sampled_from(sorted(STARTS)), STEPS)
def test_history__status_moves_and_money__are_the_same_here_and_on_chain(market, start, steps):
    """I10, I13: on any history both sides agree on status, allowed moves and every unit of money moved."""
    walk_of(market, [*STARTS[start], *steps])


BACK = [("repay", STRANGER, ANNE), ("repay", BILL, BILL), ("repay", CARA, CARA), ("repay", CARA, CARA)]
TAKEN = [("withdraw", ANNE), ("withdraw", BILL), ("withdraw", CARA), ("withdraw", CREATOR)]
PATHS = {
    "failed": [("reserve", ANNE, 50), ("wait", "close", 1), ("reserve", BILL, 1), *BACK[:1], ("close", BILL)],
    "overdue reveal": [*SOLD, ("wait", "unlock grace"), ("default", ANNE), ("wait", "unlock grace", 1),
                       ("reveal", CREATOR), ("earn", ANNE), ("default", ANNE), *BACK, *TAKEN],
    "overdue release": [*REVEALED, ("wait", "release grace", 1), ("finalize", ANNE), ("default", ANNE), *BACK],
    "refuted": [*REVEALED, ("earn", ANNE), ("claim", ANNE, ANNE), ("claim", ANNE, ""), ("earn", ANNE),
                ("challenge", STRANGER), *BACK, *TAKEN,
                ("earn", ANNE), ("return", ANNE, "Burned"), ("claim", ANNE, ANNE), ("return", ANNE, "Burned")],
    "guardian": [*REVEALED, ("guard", STRANGER), ("wait", "release", -1), ("guard", AUDITOR), *BACK],
    "guardian late": [*REVEALED, ("wait", "release"), ("guard", AUDITOR), ("challenge", STRANGER)],
    "on sale, tombstoned": [("reserve", ANNE, 20), ("tombstone", ANNE), ("reserve", BILL, 1), ("default", ANNE),
                            ("close", BILL), ("close", BILL), ("repay", BILL, ANNE), ("withdraw", CREATOR)],
    "tombstoned late": [*SOLD, ("wait", "unlock grace", 1), ("tombstone", ANNE), ("default", ANNE), *BACK],
    "tombstoned": [*REVEALED, ("tombstone", ANNE), ("wait", "release"), ("finalize", ANNE), ("default", ANNE)],
    "released": [*REVEALED, ("finalize", ANNE), ("wait", "release"), ("earn", ANNE), ("finalize", ANNE),
                 ("vest", ANNE), ("wait", "release grace", 86_400), ("vest", BILL), ("income", ANNE),
                 ("claim", ANNE, BILL), ("repay", ANNE, ANNE), ("withdraw", CREATOR), ("earn", ANNE),
                 ("return", ANNE, "Pool"), ("claim", ANNE, ANNE), ("return", ANNE, "Burned"),
                 ("wait", "release grace", 172_800), ("vest", ANNE)],
    "resold": [("reserve", ANNE, 20), ("resell", ANNE, 12), ("buy", BILL, ANNE, 13), ("buy", BILL, ANNE, 5),
               ("buy", ANNE, ANNE, 2), ("resell", ANNE, 16), ("reserve", CARA, PUBLIC, 20), ("buy", CARA, ANNE, 1),
               ("wait", "unlock grace", 1), ("buy", CARA, ANNE, 1), ("default", ANNE), *BACK, *TAKEN],
    "late reveal": [*SOLD, ("wait", "unlock grace"), ("reveal", ANNE), ("finalize", ANNE), ("wait", "release"),
                    ("finalize", BILL)],
}  # fmt: skip
REFUSALS = {
    "failed": ["WrongStatus"],
    "overdue reveal": ["WrongStatus", "WrongStatus", "NothingToClaim", "NothingToWithdraw"],
    "overdue release": ["WrongStatus", "NothingToClaim"],
    "refuted": ["NothingToClaim", "NothingToWithdraw"],
    "guardian": ["NotGuardian", "NothingToClaim"],
    "guardian late": ["WrongStatus", "WrongStatus"],
    "tombstoned": ["CircuitIsTombstoned"],
    "on sale, tombstoned": ["ModelRefused", "WrongStatus", "WrongStatus"],
    "tombstoned late": ["NothingToClaim"],
    "released": ["WrongStatus", "NothingDue", "WrongStatus", "NothingToClaim"],
    "resold": ["TooFewShares", "TooFewShares", "WrongStatus", "NothingToClaim", "NothingToWithdraw"],
    "late reveal": ["WrongStatus"],
}


@pytest.mark.parametrize("path", PATHS)
def test_path__every_way_it_can_end__is_the_same_here_and_on_chain(market, path):
    """Failure, release and each default end as Python foresees, and both sides refuse the same moves."""
    assert walk_of(market, PATHS[path]).refusals == REFUSALS[path]


def test_paths__together__visit_every_status(market):
    """The two sides are compared in every status that an offering can have."""
    seen = set()
    for steps in (PATHS["failed"], PATHS["refuted"], PATHS["late reveal"], PATHS["overdue release"]):
        seen |= walk_of(market, steps).seen
    assert seen == set(OfferingStatus) - {OfferingStatus.NONE}
    assert OfferingStatus(market.read("offerings", "statusOf", 999)) is OfferingStatus.NONE


def edges_of(market):
    """Return, for each number of the terms, values about the edges of what may be offered."""
    rules = market.rules
    raised = PUBLIC * terms_of(market).price
    bond, seed = least_bond(raised, rules), most_seed_ppm(PUBLIC, 49)
    fees = terms_of(market).fees
    return {
        "total_shares": (99, 100, 10**12, 10**12 + 1),
        "price": (0, 1, 783, 784, 785),
        "bond": (0, bond - 1, bond, 2**128 - 1),
        "window_seconds": (0, 1, MAX_WINDOW_SECONDS, MAX_WINDOW_SECONDS + 1),
        "seed_ppm": (rules.min_seed_ppm - 1, rules.min_seed_ppm, seed, seed + 1),
        "vesting_seconds": (
            rules.min_vesting_seconds - 1,
            rules.min_vesting_seconds,
            MAX_SECONDS,
            MAX_SECONDS + 1,
        ),
        "lp_lock_seconds": (
            rules.min_lp_lock_seconds - 1,
            rules.min_lp_lock_seconds,
            MAX_SECONDS,
            MAX_SECONDS + 1,
        ),
        "fees": (
            fees._replace(min_model_fee=0),
            FeeTerms(900_001, 900_001, 500_000),
            FeeTerms(900_002, 8, 60_000),
            FeeTerms(900_001, 900_002, 60_000),
            FeeTerms(8, 9, 60_000),
            fees._replace(min_model_fee_ppm=0),
            fees._replace(min_model_fee_ppm=500_001),
        ),
        "max_model_fee": (800_000, 800_001),
        "successor_rate_ppm": (0, 1, 500_000, 500_001),
        "name": ("", "n", "\N{EURO SIGN}" * 10 + "n", "\N{EURO SIGN}" * 10 + "nn"),
        "symbol": ("", "s", "s" * 16, "s" * 17),
        "guardian": (CREATOR, "0x" + "00" * 20, STRANGER),
    }


FIELDS = [
    "total_shares", "price", "bond", "window_seconds", "seed_ppm", "vesting_seconds", "lp_lock_seconds", "fees",
    "max_model_fee", "successor_rate_ppm", "name", "symbol", "guardian",
]  # fmt: skip


@pytest.mark.parametrize("field", FIELDS)
def test_check_terms__about_every_edge__accepts_what_the_contract_does(market, field):
    """What may be offered ends at the same number here and on chain, and names what is wrong alike."""
    values = edges_of(market)[field]
    found = [
        (opening_refusal(market, field, value), foreseen_refusal(market, field, value)) for value in values
    ]
    assert [on_chain for on_chain, _ in found] == [here for _, here in found]
    refused = sum(here is not None for _, here in found)
    assert 0 < refused < len(values)


def foreseen_refusal(market, field, value):
    """Return the field for which Python refuses terms, in lower case; None if it accepts them."""
    terms, supply = terms_of(market, **{field: value}), market.read("token", "totalSupply")
    try:
        check_terms(terms, market.rules, creator=CREATOR, token_supply=supply)
    except MarketError as error:
        return error.context.get("field", "").replace("_", "")
    return None


def opening_refusal(market, field, value):
    """Return the field for which the contract refuses to open, in lower case; None if it opens."""
    terms = terms_of(market, **{field: value})
    kept = market.snapshot()
    try:
        market.send(CREATOR, "token", "approve", market.addresses["offerings"], 2**255)
        market.send(CREATOR, "registry", "approve", market.addresses["offerings"], market.model_id)
        market.send(CREATOR, "offerings", "open", terms.as_abi())
    except RevertedError as error:
        revert = error.context["revert"]
        if revert.name == "ERC20InsufficientBalance":
            return None  # nobody has so much for a bond: its number was right
        field = revert.arguments.get("field", b"")
        return (field.rstrip(b"\0").decode() if isinstance(field, bytes) else str(field)).lower()
    finally:
        market.restore(kept)
    return None


@pytest.mark.parametrize("beyond", [0, 1])
def test_check_terms__of_a_seed_that_donations_could_move__is_refused_here_and_on_chain(market, beyond):
    """A pool that all of the payment token could unbalance is not opened, from the same unit of supply on."""
    seed, kept = terms_of(market).seed, market.snapshot()
    most = ((seed.shares - 9_999) * seed.money - 1) // 20_000
    try:
        missing = most + beyond - market.read("token", "totalSupply")
        market.send(CREATOR, "token", "mint", STRANGER, missing)
        expected = "seedshares" if beyond else None
        assert opening_refusal(market, "seed_ppm", terms_of(market).seed_ppm) == expected
        assert foreseen_refusal(market, "seed_ppm", terms_of(market).seed_ppm) == expected
    finally:
        market.restore(kept)


@pytest.mark.parametrize("amount", [1, 7, 10_001, 777_777, 5_000_000])
def test_quotes__of_the_pool__are_exact_to_the_unit(market, amount):
    """The real pool gives what Python quotes, and not a unit more, in both directions."""
    kept = market.snapshot()
    try:
        walk = OfferingWalk(market)
        for step in STARTS["released"]:
            walk.step(*step)
        market.bind("pool", "UniswapV2Pair", walk.pool)
        for paid, token, other in (
            (amount, "token", "shares"),
            (amount * SHARE // 1_000_000, "shares", "token"),
        ):
            reserves = [market.read(name, "balanceOf", walk.pool) for name in (token, other)]
            bought = bought_for(paid, *reserves)
            least = cost_of(bought, *reserves)
            assert bought_for(least, *reserves) == bought
            assert least == 0 or bought_for(least - 1, *reserves) < bought
            market.send(ANNE, token, "transfer", walk.pool, paid)
            is_first = int(market.addresses[token], 16) < int(market.addresses[other], 16)
            for wanted in (bought + 1, bought):
                out = (0, wanted) if is_first else (wanted, 0)
                if wanted == bought and bought:
                    market.send(ANNE, "pool", "swap", *out, ANNE, b"")
                else:
                    with pytest.raises(RevertedError):
                        market.send(ANNE, "pool", "swap", *out, ANNE, b"")
    finally:
        market.restore(kept)
