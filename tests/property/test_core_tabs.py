"""Tabs without a chain: every reason why a request is not paid, each with words of its own."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zkml.core.job_machine import ZERO_ADDRESS
from zkml.core.pricing import FeeQuote
from zkml.core.signed_requests import SignedRequest
from zkml.core.tabs import TabFacts, check_close, check_request
from zkml.errors import BindingError, TabRefusedError

REQUESTER, PROVER, SIGNER = ("0x" + digit * 40 for digit in "123")
QUOTE = FeeQuote(model_fee_floor=50, model_fee_ppm=0, flat_fee=10, platform_ppm=25_000)
TAB = TabFacts(b"\x01" * 32, REQUESTER, PROVER, SIGNER, 7, 1_000, 500, QUOTE, closed=False)
REQUEST = SignedRequest(TAB.tab_id, bytes(32), bytes(32), 50, 40, 400, 3)


def check(tab=TAB, request=REQUEST, now=400, used=False):
    return check_request(tab, request, now, is_nonce_used=used)


def test_check_request__that_fits_its_tab__says_what_it_pays():
    """Both fees are exactly those that were signed, and the platform takes its part of the model's."""
    assert check() == (40, 49, 11)
    assert check(tab=replace(TAB, balance=100)).price == 100


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"tab": replace(TAB, requester=ZERO_ADDRESS)}, "expected an existing tab, found none"),
        ({"tab": replace(TAB, closed=True)}, "expected an open tab"),
        ({"now": 401}, "expired at 401"),
        ({"now": 501, "request": REQUEST._replace(expiry=900)}, "before 500"),
        ({"used": True}, "found 3 used"),
        ({"request": REQUEST._replace(model_fee=49)}, "at least 50, found 49"),
        ({"tab": replace(TAB, balance=99)}, "expected 100 on tab"),
    ],
)
def test_check_request__that_would_not_be_paid__is_refused_before_it_is_proved(changes, match):
    """I2: a prover learns before it proves that the chain would not pay it."""
    with pytest.raises(TabRefusedError, match=match):
        check(**changes)


def test_check_request__on_another_tab__is_refused():
    """I5: a request draws on its own tab alone."""
    with pytest.raises(BindingError, match="expected a request on tab"):
        check(request=REQUEST._replace(tab_id=bytes(32)))


def test_check_close__of_a_tab__is_for_its_prover_and_after_it_for_anyone():
    """I13: a requester gets its rest back at the latest when the tab has expired, whoever asks."""
    check_close(TAB, PROVER, 0)
    check_close(TAB, REQUESTER, 501)
    with pytest.raises(TabRefusedError, match="past its expiry 500"):
        check_close(TAB, REQUESTER, 500)
    with pytest.raises(TabRefusedError, match="expected an open tab"):
        check_close(replace(TAB, closed=True), PROVER, 0)


@given(st.lists(st.integers(0, 400), max_size=20))
def test_check_request__one_after_another__never_draws_more_than_there_is(fees):
    """I1: however many requests are paid, a tab's balance never falls below zero."""
    tab, paid = TAB, 0
    for nonce, fee in enumerate(fees):
        try:
            price = check(tab=tab, request=REQUEST._replace(prover_fee=fee, nonce=nonce)).price
        except TabRefusedError:
            continue
        paid += price
        tab = replace(tab, balance=tab.balance - price)
    assert 0 <= tab.balance == TAB.balance - paid
