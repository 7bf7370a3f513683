"""What a node says of a settlement that the chain refuses: it is paid, it is being mined, or it is lost."""

from types import SimpleNamespace

import pytest

from prover_nodes.direct.requests import RequestState
from prover_nodes.direct.settling import Settling
from zkml.core.records import to_hex
from zkml.errors import BindingError, NotFinalError

ONE = to_hex(b"\1")


class Deliveries:
    """A chain that refuses to settle; `receipts` are what it answers, one look after the other."""

    def __init__(self, receipts, *, is_sent):
        self.receipts, self.is_sent = list(receipts), is_sent

    def find(self, subject, purpose):
        return self.receipts.pop(0)

    def simulate(self, call):
        raise BindingError("expected a nonce that is not used, found 1")

    def is_underway(self, subject, purpose):
        return self.is_sent


def ask(deliveries):
    """Ask whether a proved request can be collected."""
    record = SimpleNamespace(input=ONE, output=ONE, proof=ONE)
    signed = SimpleNamespace(signed=None, request=SimpleNamespace(signature=ONE))
    parts = SimpleNamespace(
        deliveries=deliveries,
        journal=SimpleNamespace(read=lambda *_: record),
        market=SimpleNamespace(plan_settle=lambda *_: None),
    )
    return Settling(parts).is_collectible(SimpleNamespace(id=ONE, state=RequestState.PROVED, accepted=signed))


def test_settling__refused_because_it_was_mined_meanwhile__is_paid():
    """The second look finds the receipt."""
    assert ask(Deliveries([None, object()], is_sent=True))


def test_settling__endpoint_with_the_effect_before_the_receipt__tells_the_client_to_ask_again():
    """Anvil's state is a moment ahead of its receipts, as one endpoint of several may be of another."""
    with pytest.raises(NotFinalError, match="found it sent") as caught:
        ask(Deliveries([None, None], is_sent=True))
    assert caught.value.context["retry_after"] == 1


def test_settling__refused_and_never_sent__is_not_told():
    """Nobody pays for it: the output stays here."""
    assert not ask(Deliveries([None, None], is_sent=False))
