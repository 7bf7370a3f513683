"""The tour's books: what is compared at its end, and what it refuses."""

import dataclasses

import pytest

from zkml.demo.balances import Books, Holding, compare
from zkml.errors import PaymentMismatchError

BEFORE = Books(
    holdings={"requester": Holding(100), "prover": Holding(40, stake=10)},
    escrow=0,
    income=0,
    forfeits=0,
    burned=0,
    ledger_tokens=0,
    provers_tokens=10,
)
AFTER = dataclasses.replace(
    BEFORE,
    holdings={"requester": Holding(70), "prover": Holding(40, credits=20, stake=8)},
    escrow=3,
    income=7,
    forfeits=1,
    burned=1,
    ledger_tokens=30,
    provers_tokens=9,
)


def test_compare__every_unit_has_an_owner__rows_by_account():
    """A row holds all that an account has, wherever it is; what is nobody's yet has rows of its own."""
    rows = {row.account: (row.before, row.after) for row in compare(BEFORE, AFTER)}
    assert rows == {
        "requester": (100, 70),
        "prover": (50, 68),
        "escrow": (0, 3),
        "income": (0, 7),
        "forfeits": (0, 1),
        "burned": (0, 1),
    }


@pytest.mark.parametrize(
    "changed",
    [
        {"burned": 2},
        {"escrow": 4},
        {"holdings": {**AFTER.holdings, "requester": Holding(69)}},
        {"ledger_tokens": 29},
        {"ledger_tokens": 31},
        {"provers_tokens": 8},
        {"provers_tokens": 10},
    ],
    ids="-".join,
)
def test_compare__one_unit_more_or_less_anywhere__refused(changed):
    """A unit that appears, vanishes, or lies in a contract that owes it to nobody ends the tour."""
    with pytest.raises(PaymentMismatchError):
        compare(BEFORE, dataclasses.replace(AFTER, **changed))


def test_compare__tokens_of_strangers_in_a_contract__left_out_while_they_stay():
    """What accounts outside of the tour hold is no fault, as long as it does not change."""
    had = dataclasses.replace(BEFORE, ledger_tokens=5, provers_tokens=10 + 9)
    has = dataclasses.replace(AFTER, ledger_tokens=30 + 5, provers_tokens=9 + 9)
    assert compare(had, has) == compare(BEFORE, AFTER)
    with pytest.raises(PaymentMismatchError, match="prover registry"):
        compare(had, dataclasses.replace(has, provers_tokens=9 + 8))


def test_compare__contract_that_owes_more_than_it_holds__refused():
    """A contract that could not pay everybody is refused even if it was so before."""
    had = dataclasses.replace(BEFORE, holdings={**BEFORE.holdings, "requester": Holding(99, credits=1)})
    with pytest.raises(PaymentMismatchError, match="revenue ledger"):
        compare(had, dataclasses.replace(AFTER, ledger_tokens=29))
