"""Attacks of nodes on those who pay them, found in review, with a whole market beside."""

import pytest
from chain_fixtures import ONE_TOKEN
from node_simulator import FEE, PRICE, VALUES, serving, start_market

from zkml.errors import ServiceUnreachableError

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def market(tmp_path_factory):
    with start_market(tmp_path_factory.mktemp("review")) as market:
        yield market


@pytest.fixture
def requester(market, tmp_path):
    return market.requester(tmp_path, market.built.funded(100 * ONE_TOKEN))


def test_price__raised_after_the_offer__is_not_signed_where_another_node_is_cheaper(market, requester):
    """A node that is listed as the cheapest, and then asks for more than the next one, gets no signature."""
    with serving(market) as honest, serving(market, fee=FEE - 1) as bait:
        bait.twist_offer = lambda fields: setattr(bait, "fee", FEE + 5)
        for node in (honest, bait):
            node.announce()
        prediction = market.model(requester, max_fee=PRICE + 100).predict(VALUES)
        assert prediction.receipt.prover == honest.account.address
        assert bait.paid == []
        for node in (honest, bait):
            node.announce("")


def test_terms__too_long_to_be_kept__are_refused_before_a_tab_is_opened(market, requester):
    """What the journal could not hold is refused in words, and neither opens a tab nor signs anything."""
    with serving(market) as node:
        node.twist_terms = lambda fields: fields["extra"].update(padding="x" * 9_000)
        with pytest.raises(ServiceUnreachableError, match="terms of at most"):
            market.model(requester, node=node.url).predict(VALUES)
        assert node.paid == []
    assert market.bound.tabs.nonces_of(requester.account.address) == 0
