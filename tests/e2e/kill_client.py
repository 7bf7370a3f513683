"""A client of a node that may be killed: it signs a request once, and asks until it has its answer."""

import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
from eth_account.signers.local import LocalAccount
from kill_world import ONE_TOKEN, PATIENCE_SECONDS, Operator, World

sys.path.insert(0, str(Path(__file__).parents[1] / "integration"))

from api_lab import PROVER_FEE, Client

from registry.dids import DidResolver
from zkml.core.api_messages import TabOpening
from zkml.core.pricing import least_model_fee
from zkml.core.records import SignedRequestRecord, from_hex, to_hex
from zkml.core.signed_requests import request_digest, request_from_record

BUSY = 503
TAB = 20 * ONE_TOKEN
"""What the client's tab is opened with."""


def serve_requests(world: World) -> None:
    """Register the prover, so that tabs can be opened for it, and let cases begin there."""
    from kill_world import PROVER  # noqa: PLC0415

    spec = world.market.router.circuit(world.circuit_id)
    world.market.provers.register(PROVER, "", [spec.proof_system_id])
    world.keep()


def client_of(world: World, account: LocalAccount, prover: str, url: str) -> Client:
    """Return a client of tests/integration/api_lab.py on this world."""

    def quote() -> Any:
        return world.market.manager.quote_for(world.model_id)

    terms = quote()
    deployment = world.market.deployment
    dids = DidResolver(world.chain, deployment.addresses, from_block=deployment.block)
    view = SimpleNamespace(
        chain=world.chain,
        market=world.market,
        built=SimpleNamespace(model_id=world.model_id, circuit_id=world.circuit_id),
        quote=quote,
        price=PROVER_FEE + least_model_fee(terms, PROVER_FEE) + terms.flat_fee,
        did=dids.did_of_model(world.model_id),
    )
    return Client(view, account, prover, url)  # type: ignore[arg-type]


def name_of(world: World, record: SignedRequestRecord) -> str:
    """Return the digest that names a request."""
    manager, chain_id = world.market.tabs.address, world.chain.chain_id
    return to_hex(request_digest(chain_id, manager, request_from_record(chain_id, manager, record)))


class PatientClient:
    """Asks one request on one tab, which the node has to open, again and again until it is answered."""

    def __init__(self, world: World, operator: Operator, account: LocalAccount, url: str) -> None:
        self.world = world
        self.packed = world.inputs[1]
        self.client = client_of(world, account, operator.account.address, url)
        self.opening: TabOpening = self.client.opening(TAB)
        self.record = self.client.sign(self.packed)
        self.id = name_of(world, self.record)

    def ask_once(self) -> dict[str, Any] | None:
        """Return the answer, or None where nobody answers or everybody is too busy."""
        try:
            answer = self.client.ask(self.record, self.packed, opening=self.opening)
        except httpx.TransportError:
            return None
        if answer.status_code == BUSY:
            return None
        assert answer.status_code == httpx.codes.OK, answer.text
        return dict(answer.json())

    def ask(self) -> dict[str, Any]:
        """Return the answer; the node may be killed and started meanwhile."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while (answer := self.ask_once()) is None:
            assert time.monotonic() < deadline, "no answer"
            time.sleep(0.05)
        return answer

    def settlements(self) -> list[Any]:
        """Return how often the request was settled."""
        events = self.world.market.tabs.events
        found = events.request_settled(from_hex(self.id))
        return [] if found is None else [found]
