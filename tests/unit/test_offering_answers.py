"""What an endpoint says of offerings is its word: what no contract of ours can hold is refused, names are tamed."""

from dataclasses import replace

import pytest

from marketplace.offering_answers import (
    default_cause,
    offering_facts,
    offering_rules,
    offering_status,
    offering_terms,
)
from marketplace.vaults import Vested, VestingState
from verifier_contracts.terms import OfferingRules, default_offering_rules
from zkml.core.artifact_encryption import Artifact
from zkml.core.identifiers import FeeTerms
from zkml.core.job_machine import ZERO_ADDRESS
from zkml.core.offering_machine import OfferingFacts, OfferingOutcome, OfferingStatus, ends_at, status_of
from zkml.core.offering_money import show_shares
from zkml.core.offering_moves import MOVES, check_move
from zkml.core.offering_terms import OfferingTerms, check_terms
from zkml.errors import (
    ConfigError,
    InvalidTransitionError,
    MarketError,
    NotOwnerError,
    RpcError,
    TombstonedError,
)

CREATOR, GUARDIAN = "0x" + "11" * 20, "0x" + "22" * 20
ARTIFACT = Artifact(b"\x01" * 32, b"\x02" * 32, 5000)
RULES = default_offering_rules(is_local=True)
OPEN = OfferingFacts(
    offering_id=7,
    model_id=5,
    creator=CREATOR,
    public_shares=51,
    seed_ppm=250_000,
    guardian=GUARDIAN,
    price=1_000_000,
    outcome=OfferingOutcome.NONE,
    fixed_weights=False,
    shares="0x" + "33" * 20,
    creator_shares=49,
    holiday_count=0,
    vault="0x" + "44" * 20,
    reserved=3,
    vesting_seconds=90 * 86_400,
    steward="0x" + "55" * 20,
    lp_lock_seconds=180 * 86_400,
    successor_rate_ppm=1,
    bond=6_000_000,
    bonus=0,
    closes_at=1_000,
    soft_locked_at=0,
    unlock_at=0,
    revealed_at=0,
    max_model_fee=10,
    unpaid=0,
    seed=bytes(32),
    key=bytes(32),
    artifact=ARTIFACT,
)
SOLD = replace(OPEN, reserved=51, soft_locked_at=900, unlock_at=20_000, seed=b"\x03" * 32)
REVEALED = replace(SOLD, revealed_at=19_990, key=b"\x04" * 32)
DEFAULTED = replace(REVEALED, outcome=OfferingOutcome.DEFAULTED, unpaid=51, bonus=6_000_000)
TERMS = OfferingTerms.build(
    model_id=5,
    total_shares=100,
    price=1_000_000,
    bond=6_000_000,
    window_seconds=1_000,
    seed_ppm=250_000,
    vesting_seconds=90 * 86_400,
    lp_lock_seconds=180 * 86_400,
    fees=FeeTerms(10, 1, 1),
    max_model_fee=10,
    successor_rate_ppm=1,
    guardian=GUARDIAN,
    artifact=ARTIFACT,
    name="Shares",
    symbol="SHR",
)


def answered(facts):
    """Return the fields that the contract would answer."""
    values = [getattr(facts, name) for name in OfferingFacts.__slots__][1:]
    return [*values[:-1], facts.artifact.as_abi()]


@pytest.mark.parametrize("facts", [OPEN, SOLD, REVEALED, DEFAULTED])
def test_facts__of_an_offering__read_back_as_they_are(facts):
    """Fields in the contract's order become the same facts again."""
    assert offering_facts(7, answered(facts), where="here") == facts


def test_facts__all_zero__are_of_no_offering():
    """A number that nobody opened has no creator and no artifact, and is no error yet."""
    none = [ZERO_ADDRESS if "0x" in str(value) else 0 for value in answered(OPEN)]
    none[-4:] = [0, bytes(32), bytes(32), (bytes(32), bytes(32), 0)]
    found = offering_facts(9, none, where="here")
    assert not found.exists
    assert found.artifact is None
    assert status_of(found, RULES, 5) is OfferingStatus.NONE


CONTRADICTIONS = {
    "an outcome of another number": (OPEN, {"outcome": 4}),
    "released, but not sold": (OPEN, {"outcome": 2}),
    "defaulted, but not sold": (OPEN, {"outcome": 3}),
    "failed, but sold": (SOLD, {"outcome": 1}),
    "released, but not revealed": (SOLD, {"outcome": 2}),
    "more reserved than offered": (SOLD, {"reserved": 52}),
    "sold without a lock": (OPEN, {"reserved": 51}),
    "locked without a sale": (SOLD, {"reserved": 50}),
    "a lock of no time": (SOLD, {"unlock_at": 900}),
    "unlocked without a lock": (OPEN, {"unlock_at": 1}),
    "revealed before the sale": (SOLD, {"revealed_at": 899}),
    "revealed without a sale": (OPEN, {"revealed_at": 1}),
    "a bonus without a default": (SOLD, {"bonus": 1}),
    "unpaid without a default": (REVEALED, {"unpaid": 1}),
    "more unpaid than sold": (DEFAULTED, {"unpaid": 52}),
    "no shares": (OPEN, {"public_shares": 0, "reserved": 0}),
    "no price": (OPEN, {"price": 0}),
    "more than all for the pool": (OPEN, {"seed_ppm": 1_000_001}),
}


@pytest.mark.parametrize("name", CONTRADICTIONS)
def test_facts__that_contradict_each_other__are_an_endpoints_invention(name):
    """Nobody computes with an offering that no contract can hold."""
    facts, changes = CONTRADICTIONS[name]
    with pytest.raises(RpcError):
        offering_facts(7, answered(replace(facts, **changes)), where="here")


def test_facts__with_an_artifact_of_no_size__are_refused():
    """An artifact that cannot be opened is not sold."""
    fields = answered(OPEN)
    fields[-1] = (*ARTIFACT.as_abi()[:2], 0)
    with pytest.raises(RpcError):
        offering_facts(7, fields, where="here")


def test_terms__through_the_contracts_struct__are_the_same():
    """What is signed and what an event tells are one record."""
    assert offering_terms(TERMS.as_abi(), where="here") == TERMS
    assert OfferingTerms.from_abi(TERMS.as_abi()) == TERMS


@pytest.mark.parametrize("name", ["", "\x1b[2Jmodel", "a\nb\r", "\u202eledom", "\ufffd" * 64, "x" * 1000])
def test_terms__with_a_hostile_name__are_read_and_tamed(name):
    """A creator's name can neither stop readers nor move their cursor."""
    found = offering_terms([*TERMS.as_abi()[:-2], name, name], where="here")
    for text in (found.name, found.symbol):
        assert text.isprintable()
        assert len(text) <= 64


@pytest.mark.parametrize(
    "changes", [{"total_shares": 0}, {"price": 0}, {"price": 2**80}, {"guardian": "0x1"}]
)
def test_terms__that_no_contract_announces__are_refused(changes):
    """Numbers beyond the contract's types, or of nothing, are an endpoint's invention."""
    fields = dict(zip(OfferingTerms.model_fields, TERMS.as_abi(), strict=True))
    with pytest.raises(RpcError):
        offering_terms([*{**fields, **changes}.values()], where="here")


def test_terms__of_no_number__are_a_creators_mistake():
    """What does not fit the contract's types is said before anything is signed."""
    with pytest.raises(ConfigError):
        OfferingTerms.build(**{**dict(TERMS), "price": 2**80})


def test_check_terms__without_a_guardian_of_its_own__are_refused():
    """The creator cannot watch over itself, in whatever case its address is written."""
    check_terms(TERMS, RULES, creator=CREATOR, token_supply=10**12)
    for guardian in (ZERO_ADDRESS, "0x" + "AB" * 20):
        terms = TERMS.model_copy(update={"guardian": guardian})
        with pytest.raises(MarketError):
            check_terms(terms, RULES, creator="0x" + "ab" * 20, token_supply=10**12)


def test_rules__read_from_the_chain__are_those_it_was_made_with():
    """A deployment's numbers survive the way through the contract; others are refused."""
    assert offering_rules(OfferingRules().as_abi(), where="here") == OfferingRules()
    with pytest.raises(RpcError):
        offering_rules([*OfferingRules().as_abi()[:-1], 256], where="here")


@pytest.mark.parametrize("read", [offering_status, default_cause])
def test_enums__of_another_number__are_refused(read):
    """A number that no enum has is an endpoint's invention."""
    assert int(read(1, where="here")) == 1
    with pytest.raises(RpcError):
        read(9, where="here")


STATES = {
    OfferingStatus.OPEN: (OPEN, 1_000),
    OfferingStatus.FAILED: (OPEN, 1_001),
    OfferingStatus.SOFT_LOCKED: (SOLD, 20_600),
    OfferingStatus.REVEALED: (REVEALED, 20_049),
    OfferingStatus.RELEASABLE: (REVEALED, 20_050),
    OfferingStatus.OVERDUE: (REVEALED, 20_651),
    OfferingStatus.TRADING: (replace(REVEALED, outcome=OfferingOutcome.TRADING), 99_999),
    OfferingStatus.DEFAULTED: (DEFAULTED, 99_999),
}


@pytest.mark.parametrize("status", STATES)
def test_check_move__in_each_status__allows_its_moves_and_names_the_next_step(status):
    """Every move is allowed in its statuses alone, and a refusal says what the offering is and what comes next."""
    facts, now = STATES[status]
    assert status_of(facts, RULES, now) is status
    for move, allowed in MOVES.items():
        if status in allowed:
            check_move(facts, RULES, move, now)
            continue
        with pytest.raises(InvalidTransitionError) as caught:
            check_move(facts, RULES, move, now)
        assert status.name in caught.value.message
        assert caught.value.hint
        assert "None" not in caught.value.hint


@pytest.mark.parametrize("status", STATES)
def test_ends_at__of_each_status__is_its_last_second(status):
    """A second later the status is another one, and at that second it is still the same."""
    facts, now = STATES[status]
    last = ends_at(facts, RULES, now)
    if last is not None:
        assert status_of(facts, RULES, last) is status
        assert status_of(facts, RULES, last + 1) is not status
    else:
        assert status_of(facts, RULES, now + 10**9) is status


def test_check_move__of_nobody_strangers_and_tombstones__says_why():
    """No such offering, another's office, a circuit that is not trusted: each is its own error."""
    cases = [
        (replace(OPEN, creator=ZERO_ADDRESS), "reserve", {}, MarketError),
        (REVEALED, "guardian_default", {"caller": CREATOR}, NotOwnerError),
        (OPEN, "reserve", {"is_tombstoned": True}, TombstonedError),
    ]
    for facts, move, extra, expected in cases:
        with pytest.raises(expected):
            check_move(facts, RULES, move, 1_000, **extra)
    check_move(SOLD, RULES, "declare_default", 1_000, is_tombstoned=True)
    with pytest.raises(InvalidTransitionError):
        check_move(replace(OPEN, closes_at=2**40 - 1), RULES, "reveal", 5)
    closed = replace(OPEN, outcome=OfferingOutcome.FAILED)
    with pytest.raises(InvalidTransitionError, match="closed"):
        check_move(closed, RULES, "close", 2_000)


@pytest.mark.parametrize(
    ("units", "text"),
    [(0, "0"), (1, "0.000000000000000001"), (10**18, "1"), (12_750 * 10**15, "12.75"), (100 * 10**18, "100")],
)
def test_show_shares__to_the_last_unit__is_exact(units, text):
    """People read whole shares, and no unit is lost."""
    assert show_shares(units) == text


@pytest.mark.parametrize(
    ("now", "due"), [(99, (0, 0)), (100, (0, 0)), (105, (50, 500)), (110, (100, 1000)), (999, (100, 1000))]
)
def test_vesting__second_by_second__is_even_and_ends(now, due):
    """What is due grows evenly from the release on, and never passes the whole; before it nothing is."""
    state = VestingState(100, 10, 200, 100, 1000, 0, 0)
    assert state.due_at(now) == Vested(*due)
    assert VestingState(0, 0, 0, 0, 0, 0, 0).due_at(now) == Vested(0, 0)
