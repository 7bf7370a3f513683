"""The history of a DID in the ERC-1056 registry: a linked list of events, walked back from the last.

Each event names the block of the one before it. An endpoint cannot leave one out in the middle without
breaking the chain, nor send us around in circles: blocks must fall.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.abi import Event
from zkml.adapters.evm.rpc import Chain
from zkml.errors import RpcError

EVENTS = ("DIDOwnerChanged", "DIDDelegateChanged", "DIDAttributeChanged")
MAX_CHANGES = 1_000
"""An identity with more changes is refused: whoever controls it can make them, and readers pay."""
MAX_VALUE_BYTES = 4_096
"""Of one attribute."""


@dataclass(frozen=True, slots=True)
class DidHistory:
    """What the registry knows of an identity.

    Attributes:
        identity: checksummed account.
        owner: who controls it: the account itself, unless it was given away.
        changes: all events, oldest first.
    """

    identity: str
    owner: str
    changes: tuple[Event, ...]


class DidRegistry:
    """An ERC-1056 registry at an address."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain = chain
        self.contract = BoundContract(chain, load_artifact("EthereumDIDRegistry"), address)

    def history(self, identity: str) -> DidHistory:
        """Return an identity's owner and all its changes.

        Raises:
            RpcError: the events do not form the list that the registry's state begins, there are more than
                1,000, or an attribute is longer than 4,096 bytes; see also `Chain.logs`.
        """
        owner = str(self.contract.call("identityOwner", identity))
        block = int(self.contract.call("changed", identity))
        newest_first: list[Event] = []
        while block:
            found = self._changes_in(identity, block)
            newest_first += reversed(found)
            if len(newest_first) > MAX_CHANGES:
                raise RpcError(f"expected at most {MAX_CHANGES} changes of {identity}, found more")
            block = _previous(found, block)
        return DidHistory(identity, owner, tuple(reversed(newest_first)))

    def _changes_in(self, identity: str, block: int) -> list[Event]:
        """Return an identity's events in one block, in the order they were emitted."""
        found = sorted(self._events_in(identity, block), key=lambda event: event.log.index)
        if not found:
            raise RpcError(
                f"expected a change of {identity} in block {block}, found none",
                hint="the endpoint may not keep old logs",
            )
        for event in found:
            if len(event.arguments.get("value", b"")) > MAX_VALUE_BYTES:
                raise RpcError(
                    f"expected attributes of at most {MAX_VALUE_BYTES} bytes, "
                    f"found {len(event.arguments['value'])} in {event.log.transaction}"
                )
        return found

    def _events_in(self, identity: str, block: int) -> Iterator[Event]:
        for name in EVENTS:
            yield from self.contract.find_events(
                name, {"identity": identity}, from_block=block, to_block=block
            )


def _previous(found: list[Event], block: int) -> int:
    """Return the block of the changes before these, 0 if there are none; check the links between them.

    Of several changes in one block the first names an earlier block, and the others this one.
    """
    links = [int(event.arguments["previousChange"]) for event in found]
    if links[0] >= block or any(link != block for link in links[1:]):
        raise RpcError(
            f"expected changes that lead from block {block} to an earlier one, found blocks {links[:5]}",
            hint="the endpoint left out changes or made some up",
        )
    return links[0]
