"""The typed binding of LineageRegistry: parents, rates, and the folded shares of ancestors.

An edge is *declared* by the child's owner: that the weights really derive from the parent's is not proved.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from eth_account.signers.local import LocalAccount

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.abi import Event
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import OnSigned, ignore_signed
from zkml.errors import RpcError

MAX_PARENTS = 4
MAX_ANCESTORS = 16
MAX_TOTAL_PPM = 500_000
"""Constants of the contract."""


class Parent(NamedTuple):
    """A direct parent: as offered when lineage is declared, as granted afterwards.

    Attributes:
        model_id: a PROVEN model.
        rate_ppm: its part of the child's income, in millionths.
    """

    model_id: int
    rate_ppm: int


class AncestorShare(NamedTuple):
    """One ancestor's part of a model's income after the platform's, all paths folded, in millionths."""

    model_id: int
    ppm: int


@dataclass(frozen=True, slots=True)
class Declaration:
    """A lineage as the transaction that declared it announced it.

    Attributes:
        child_id: whose it is.
        parents: with the rates granted.
        shares: of all ancestors, folded.
        block: height of the transaction.
        transaction: its hash.
    """

    child_id: int
    parents: tuple[Parent, ...]
    shares: tuple[AncestorShare, ...]
    block: int
    transaction: str


class LineageRegistryBinding:
    """The lineage registry at an address."""

    def __init__(self, chain: Chain, address: str, *, from_block: int) -> None:
        """Bind it.

        Args:
            chain: where it is.
            address: checksummed.
            from_block: height of its deployment, where the search for events begins.
        """
        self.chain = chain
        self.contract = BoundContract(chain, load_artifact("LineageRegistry"), address)
        self._from_block = from_block

    @property
    def address(self) -> str:
        """Where it is, checksummed."""
        return self.contract.address

    def declare(
        self,
        account: LocalAccount,
        child_id: int,
        parents: Sequence[Parent],
        max_total_ppm: int,
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Declare a child's parents, once and before it is PROVEN; effective from then on.

        Args:
            account: the child's owner.
            child_id: a REGISTERED model.
            parents: 1 to 4 PROVEN models, with the rates offered; a parent's minimum is granted where the
                offer is below it.
            max_total_ppm: the granted rates may not add up to more: a parent may raise its minimum meanwhile.
            on_signed: called with the signed transaction before it leaves this machine.

        Raises:
            NotOwnerError: the account does not own the child.
            LineageError: see the errors of `ILineageRegistry`; carries the name and arguments.
            ChainError: see `BoundContract.transact`.
        """
        offers = [tuple(parent) for parent in parents]
        return self.contract.transact(
            account, "declare", child_id, offers, max_total_ppm, on_signed=on_signed
        )

    def parents_of(self, model_id: int) -> tuple[Parent, ...]:
        """Return the direct parents with granted rates; empty for a root."""
        return _parents(self.contract.call("parentsOf", model_id), self.address)

    def shares_of(self, model_id: int) -> tuple[AncestorShare, ...]:
        """Return all ancestors with folded shares, in the order of their first appearance."""
        return _shares(self.contract.call("sharesOf", model_id), self.address)

    def total_ppm_of(self, model_id: int) -> int:
        """Return the sum of the folded shares, in millionths."""
        return int(self.contract.call("totalPpmOf", model_id))

    def share_of(self, model_id: int, ancestor_id: int) -> int:
        """Return one ancestor's folded share, in millionths; 0 if it is none."""
        return int(self.contract.call("shareOf", model_id, ancestor_id))

    def is_effective(self, model_id: int) -> bool:
        """Say whether a model's edges count: it has been PROVEN."""
        return bool(self.contract.call("isEffective", model_id))

    def declarations(self, *, to_block: int | None = None) -> Iterator[Declaration]:
        """Yield all lineages that were declared, oldest first.

        Raises:
            RpcError: an event that no lineage registry emits; see also `Chain.logs`.
        """
        for event in self.contract.find_events(
            "LineageDeclared", from_block=self._from_block, to_block=to_block
        ):
            yield _declaration(event)


def _declaration(event: Event) -> Declaration:
    values, where = event.arguments, event.log.transaction
    return Declaration(
        child_id=values["childId"],
        parents=_parents(values["parents"], where),
        shares=_shares(values["shares"], where),
        block=event.log.block,
        transaction=where,
    )


def _parents(values: Sequence[Any], where: str) -> tuple[Parent, ...]:
    found = tuple(Parent(*value) for value in values)
    _check(found, MAX_PARENTS, where)
    return found


def _shares(values: Sequence[Any], where: str) -> tuple[AncestorShare, ...]:
    found = tuple(AncestorShare(*value) for value in values)
    _check(found, MAX_ANCESTORS, where)
    return found


def _check(found: Sequence[Parent | AncestorShare], longest: int, where: str) -> None:
    """Refuse what no lineage registry stores: too many, one twice, or more than half of the income."""
    total = sum(ppm for _, ppm in found)
    if (
        len(found) > longest
        or len({model for model, _ in found}) != len(found)
        or total > MAX_TOTAL_PPM
        or any(ppm == 0 for _, ppm in found)
    ):
        raise RpcError(
            f"expected at most {longest} different models with up to {MAX_TOTAL_PPM} ppm in all, "
            f"found {len(found)} with {total} ppm at {where}",
            hint="the endpoint lies, or the contract is another one",
        )
