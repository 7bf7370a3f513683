"""The tabs of one prover on a chain, over the bindings of the contracts."""

import re
from collections.abc import Iterator, Sequence

from eth_utils.address import to_checksum_address

from marketplace.tabs import SignedPermit
from prover_nodes.direct.ports import ListedModel
from prover_nodes.ports import FoundMove
from prover_nodes.services.watch import REORG_BLOCKS
from registry.dids import DidResolver
from zkml.adapters.evm.gas import fee_fields, most_per_gas_wei
from zkml.adapters.evm.transactions import Call
from zkml.core.api_messages import TabOpening
from zkml.core.identifiers import CircuitSpec
from zkml.core.market_identifiers import TabSpec
from zkml.core.pricing import FeeQuote
from zkml.core.records import from_hex
from zkml.core.signed_requests import SignedRequest
from zkml.core.tabs import TabFacts
from zkml.errors import NotRegisteredError, TabRefusedError
from zkml.wiring import Market

_UNPRINTABLE = re.compile(r"[^A-Za-z0-9._-]+")


class ChainTabs:
    """Implements `prover_nodes.direct.ports.TabMarket`."""

    def __init__(self, market: Market, account: str) -> None:
        """Bind it.

        Args:
            market: the chain and its contracts.
            account: the prover's address, checksummed.
        """
        self._market = market
        self._chain = market.chain
        self._tabs = market.tabs
        deployment = market.deployment
        self._dids = DidResolver(market.chain, deployment.addresses, from_block=deployment.block)
        self._found: dict[bytes, dict[bytes, CircuitSpec]] = {}
        self._read_up_to: dict[bytes, int] = {}
        self.account = account

    @property
    def chain_id(self) -> int:
        """EIP-155 id."""
        return self._chain.chain_id

    @property
    def manager(self) -> str:
        """Address of the job manager, checksummed."""
        return self._tabs.address

    @property
    def token(self) -> str:
        """Address of the payment token, checksummed."""
        return self._market.token.address

    def now(self) -> int:
        """Return chain time in seconds."""
        return self._chain.now()

    def gas_price_wei(self) -> int:
        """Return the most that one gas would cost in a transaction signed now."""
        return most_per_gas_wei(fee_fields(self._chain))

    def ether_wei(self) -> int:
        """Return how much ether this prover has, in wei."""
        return self._chain.balance_wei(self.account)

    def list_models(self, key_digests: Sequence[bytes]) -> Iterator[ListedModel]:
        """Yield the PROVEN models that have a circuit pinned to one of these keys."""
        found: dict[int, list[tuple[bytes, CircuitSpec]]] = {}
        for digest in key_digests:
            for circuit_id, spec in self._circuits_of(digest).items():
                model_id = self._model_of(circuit_id)
                if model_id is not None:
                    found.setdefault(model_id, []).append((circuit_id, spec))
        for model_id, circuits in found.items():
            commitment = self._market.registry.commitment_of(model_id)
            yield ListedModel(
                model_id=model_id,
                did=self._dids.did_of_model(model_id),
                name=_printable(commitment.name),
                manifest_cid=commitment.manifest_cid,
                circuits=tuple(circuits),
                is_closed=self._market.registry.is_closed(model_id),
            )

    def quote(self, model_id: int) -> FeeQuote:
        """Return what model and platform ask of a tab that opens now."""
        return self._market.manager.quote_for(model_id)

    def tab(self, tab_id: bytes) -> TabFacts | None:
        """Return a tab as the latest block has it, or None."""
        try:
            return self._tabs.facts(tab_id)
        except TabRefusedError:
            return None

    def is_tab_deep(self, tab_id: bytes, confirmations: int) -> bool:
        """Say whether a tab was open already so many blocks ago."""
        if confirmations == 0:
            return True
        try:
            self._tabs.facts(tab_id, block=max(0, self._chain.height() - confirmations))
        except TabRefusedError:
            return False
        return True

    def is_nonce_used(self, tab_id: bytes, nonce: int) -> bool:
        """Say whether a tab's nonce was used."""
        return self._tabs.is_nonce_used(tab_id, nonce)

    def is_tombstoned(self, circuit_id: bytes) -> bool:
        """Say whether a circuit's proofs are not paid any more."""
        return self._market.router.is_tombstoned(circuit_id)

    def may_prove(self, model_id: int) -> bool:
        """Say whether the owner of a model lets this prover prove it."""
        return self._market.registry.may_prove(model_id, self.account)

    def code_of(self, address: str) -> bytes:
        """Return the runtime code at an address; empty when there is none."""
        return self._chain.code(address)

    def settlement_of(self, digest: bytes) -> FoundMove | None:
        """Return the settlement of a signed request, or None."""
        found = self._tabs.events.request_settled(digest)
        return None if found is None else FoundMove(found.where.transaction, found.where.block)

    def context_of(self, request: SignedRequest) -> bytes:
        """Return what a proof of a signed request to this prover is bound to; asks no chain."""
        return self._tabs.context_of(request, self.account)

    def opened_tab_id(self, opening: TabOpening) -> bytes:
        """Return the id that a tab opened for this prover gets now, as its requester's next one."""
        requester = str(to_checksum_address(opening.requester))
        return self._tabs.tab_id_of(self._spec(opening), requester, self._tabs.nonces_of(requester))

    def plan_settle(self, request: SignedRequest, signature: bytes, proved: Sequence[bytes]) -> Call:
        """Return the call that settles a request: packed input, packed output and proof in `proved`."""
        return self._tabs.contract.plan("settleSigned", tuple(request), signature, *proved)

    def plan_open(self, opening: TabOpening) -> Call:
        """Return the call that opens a tab in its requester's name."""
        requester = str(to_checksum_address(opening.requester))
        spec, signature = tuple(self._spec(opening)), from_hex(opening.signature)
        if opening.kind == "eip3009":
            return self._tabs.contract.plan(
                "openTabAuthorized", spec, requester, 0, opening.deadline, signature
            )
        permit = SignedPermit(opening.deadline, signature).as_abi()
        return self._tabs.contract.plan(
            "openTabPermitted", spec, requester, permit, from_hex(opening.opening_signature)
        )

    def _circuits_of(self, key_digest: bytes) -> dict[bytes, CircuitSpec]:
        """Return the circuits of a key; of the chain only what is new since the last time is read."""
        first, head = self._market.deployment.block, self._chain.height()
        start = max(first, self._read_up_to.get(key_digest, first) - REORG_BLOCKS)
        known = self._found.setdefault(key_digest, {})
        known.update(self._market.router.find_by_key(key_digest, from_block=start))
        self._read_up_to[key_digest] = head
        return known

    def _model_of(self, circuit_id: bytes) -> int | None:
        """Return the PROVEN model of a circuit for one input, or None; a reorg may have undone either."""
        registry = self._market.registry
        try:
            model_id = registry.proven_model_of(circuit_id)
        except NotRegisteredError:
            return None
        return model_id if model_id and registry.batch_of(model_id, circuit_id) == 1 else None

    def _spec(self, opening: TabOpening) -> TabSpec:
        signer = str(to_checksum_address(opening.signer))
        return TabSpec(int(opening.model_id), self.account, signer, int(opening.amount), opening.expiry)


def _printable(name: str) -> str:
    """Return a model's name as `records.Name` has it: a stranger wrote it."""
    kept = _UNPRINTABLE.sub("-", name).strip("-._")[:64]
    return kept or "model"
