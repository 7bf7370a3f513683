"""Which prover node to ask: those that the chain knows, the cheapest first, then the fastest.

The registry's endpoints are strangers' text: they are asked all at once, with a deadline, and only where
an endpoint of the public network leads. A node that the user names is asked wherever it is.
"""

import concurrent.futures
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from eth_utils.address import to_checksum_address

from zkml.adapters.http.client import printable
from zkml.client.known_model import KnownModel
from zkml.client.node_api import NodeApi
from zkml.client.payment_terms import CheckedOffer, check_offer
from zkml.client.requester import Requester
from zkml.core.api_messages import ModelList, caip2
from zkml.errors import (
    BindingError,
    ConfigError,
    PaymentRequiredError,
    ProverRefusedError,
    RpcError,
    ServiceUnreachableError,
    ZkmlError,
)
from zkml.wiring import Market

MAX_CANDIDATES = 64
_AT_ONCE = 16
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class ServingNode:
    """A node that serves a model, with an offer that agrees with the chain."""

    api: NodeApi
    offer: CheckedOffer


def find_nodes(requester: Requester, known: KnownModel, *, max_fee: int, node: str = "") -> list[ServingNode]:
    """Return the nodes that serve a model for at most `max_fee`, the best first.

    Args:
        requester: who asks.
        known: the model.
        max_fee: the most that one answer may cost in all, in the token's smallest unit.
        node: base URL of the only node to ask; those of the prover registry when empty.

    Raises:
        ConfigError: `node` is no base URL.
        ServiceUnreachableError: no node serves the model.
        PaymentRequiredError: all that do ask for more.
        ZkmlError: with `node`, whatever is wrong with it.
    """
    found = [_given(requester, known, node)] if node else _registered(requester, known)
    cheap = [one for one in found if one.offer.price <= max_fee]
    if not cheap:
        show, least = requester.market.token.show, min(one.offer.price for one in found)
        raise PaymentRequiredError(
            f"expected an answer for at most {show(max_fee)}, found {show(least)} or more",
            hint="raise the most that an answer may cost (--max-fee); model and platform are part of it",
        )
    return sorted(cheap, key=lambda one: (one.offer.price, one.offer.expected_seconds, one.offer.prover))


def candidates(market: Market, known: KnownModel) -> list[tuple[str, str]]:
    """Return prover and endpoint of those who may prove a model and say where they are reached.

    Raises:
        RpcError: see `Chain.request`.
    """
    system = market.router.circuit(known.commitment.circuit_id).proof_system_id
    found = []
    for prover in market.provers.registered_provers(from_block=market.deployment.block):
        try:
            profile = market.provers.profile_of(prover)
        except RpcError:
            # A profile that nobody can read is its prover's own loss.
            continue
        if profile.endpoint and system in profile.proof_systems and _may_prove(market, known, prover):
            stake = market.provers.stake_of(prover)
            found.append((-(stake.free + stake.locked), prover, profile.endpoint))
    # Registering costs nothing but gas: whoever has something to lose is asked first.
    return [(prover, endpoint) for _, prover, endpoint in sorted(found)[:MAX_CANDIDATES]]


def _may_prove(market: Market, known: KnownModel, prover: str) -> bool:
    registered = market.provers.stake_of(prover).registered
    return registered and market.registry.may_prove(known.model_id, prover)


def _given(requester: Requester, known: KnownModel, node: str) -> ServingNode:
    market = requester.market
    api = NodeApi(node, requester.settings, private_allowed=True)
    models = api.models()
    prover = str(to_checksum_address(models.prover))
    if not _may_prove(market, known, prover):
        raise ProverRefusedError(
            f"expected a registered prover with access to {known.did}, found {prover} at {api.endpoint}",
            hint="is the node of this chain and deployment?",
        )
    return ServingNode(api, _offer_in(requester, known, models, prover, api.endpoint))


def _registered(requester: Requester, known: KnownModel) -> list[ServingNode]:
    asked = candidates(requester.market, known)
    allowed = requester.market.chain.is_local

    def ask(prover: str, endpoint: str) -> ServingNode:
        api = NodeApi(endpoint, requester.settings, private_allowed=allowed)
        return ServingNode(api, _offer_in(requester, known, api.models(), prover, api.endpoint))

    found, reasons = _all_of(asked, ask, seconds=requester.settings.http_timeout_seconds)
    if not found:
        shown = "; ".join(reasons[:_SHOWN]) or "no registered prover says where it is reached"
        raise ServiceUnreachableError(
            f"expected a node that serves {known.did}, found none among {len(asked)}: {shown}",
            hint="name one yourself: --node URL",
        )
    return found


def _all_of(
    asked: Iterable[tuple[str, str]], ask: Callable[[str, str], ServingNode], *, seconds: float
) -> tuple[list[ServingNode], list[str]]:
    """Ask everybody at once; return who served, and why the others did not."""
    pool = concurrent.futures.ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="discovery")
    waiting = {pool.submit(ask, *one): one[1] for one in asked}
    done, late = concurrent.futures.wait(waiting, timeout=seconds)
    # Whoever is late ends by its own limits; nobody waits for it here.
    pool.shutdown(wait=False, cancel_futures=True)
    found, reasons = [], [f"{printable(waiting[one], 80)}: no answer in time" for one in late]
    for one in done:
        try:
            found.append(one.result())
        except (ZkmlError, ConfigError) as error:
            reasons.append(f"{printable(waiting[one], 80)}: {error.message}")
    return found, sorted(reasons)


def _offer_in(
    requester: Requester, known: KnownModel, models: ModelList, prover: str, where: str
) -> CheckedOffer:
    """Return a node's offer of a model, held against the chain."""
    market = requester.market
    expected = (prover.lower(), caip2(market.chain.chain_id), market.token.address.lower())
    found = (models.prover.lower(), models.network, models.asset.lower())
    if found != expected:
        raise BindingError(
            f"expected a node of prover {expected[0]} on {expected[1]} paid in {expected[2]}, "
            f"found {found[0]} on {printable(found[1], 40)} paid in {found[2]} at {where}"
        )
    offers = [one.offer for one in models.models if one.did.lower() == known.did.lower()]
    if len(offers) != 1:
        raise ServiceUnreachableError(
            f"expected one offer of {known.did}, found {len(offers)} at {where}",
            hint="the node serves other models",
        )
    return check_offer(market, known, offers[0], prover=prover, trusted=requester.trusted)
