"""The typed binding of ModelSteward: who owns an offered model, and what its holders decide by vote."""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from eth_account.signers.local import LocalAccount

from marketplace.offering_answers import named
from marketplace.places import Where
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import DryRun, OnSigned, ignore_signed
from zkml.errors import BindingError


class Resolution(IntEnum):
    """What holders can decide; the numbers of the contract's enum. FEE and OPEN after a default alone."""

    NONE = 0
    RETIRE = 1
    OPEN = 2
    FEE = 3


@dataclass(frozen=True, slots=True)
class Motion:
    """A vote.

    Attributes:
        motion_id: its number, from 1.
        resolution: what would be done.
        fee: the model's fee for FEE, in the token's smallest unit.
        snapshot_at: whose votes count: those at the end of this second.
        ends_at: the last second in which votes are taken and it can be carried out.
        is_done: whether it was carried out.
        support: votes for it, in share units.
    """

    motion_id: int
    resolution: Resolution
    fee: int
    snapshot_at: int
    ends_at: int
    is_done: bool
    support: int

    def is_live(self, now: int) -> bool:
        """Whether it can be voted for and carried out at chain time `now`."""
        return not self.is_done and now <= self.ends_at

    def has_majority(self, eligible: int) -> bool:
        """Whether more than half of the votes that count are for it."""
        return self.support * 2 > eligible


@dataclass(frozen=True, slots=True)
class Successor:
    """A recognised successor version, and the part of its income that it owes this model, in millionths."""

    model_id: int
    rate_ppm: int
    where: Where


@dataclass(frozen=True, slots=True)
class VoteCast:
    """A holder is for a motion, with so many share units."""

    motion_id: int
    voter: str
    votes: int
    where: Where


class StewardBinding:
    """The steward at an address."""

    def __init__(self, chain: Chain, address: str, *, from_block: int) -> None:
        """Bind it; `from_block` is a height before it was made."""
        self.chain = chain
        self.contract = BoundContract(chain, load_artifact("ModelSteward"), address)
        self._from_block = from_block

    @property
    def address(self) -> str:
        """Where it is, checksummed."""
        return self.contract.address

    def model_id(self) -> int:
        """Return whose steward it is."""
        return int(self.contract.call("modelId"))

    def motion(self, motion_id: int) -> Motion:
        """Return a motion.

        Raises:
            MarketError: no such motion.
            RpcError: see `Chain.request`.
        """
        kind, fee, *rest = self.contract.call("motionOf", motion_id)
        resolution = named(Resolution, kind, what="a resolution", where=f"at {self.address}")
        return Motion(motion_id, resolution, fee, *rest)

    def motions(self) -> list[Motion]:
        """Return all motions as they stand now, oldest first."""
        found = self.contract.find_events("MotionMade", from_block=self._from_block)
        return [self.motion(event.arguments["motionId"]) for event in found]

    def votes_for(self, motion_id: int) -> list[VoteCast]:
        """Return who was for a motion, oldest first."""
        filters = {"motionId": motion_id}
        return [
            VoteCast(motion_id, event.arguments["voter"], event.arguments["votes"], Where.of(event))
            for event in self.contract.find_events("MotionSupported", filters, from_block=self._from_block)
        ]

    def eligible_for(self, motion_id: int) -> int:
        """Return the votes that count for a motion, in share units: all shares but the vault's.

        Raises:
            MarketError: no such motion.
            RevertedError: the second whose votes count is not over.
            RpcError: see `Chain.request`.
        """
        return int(self.contract.call("eligibleFor", motion_id, block=self.contract.chain.head))

    def successors(self) -> list[Successor]:
        """Return the recognised successors, oldest first."""
        return [
            Successor(event.arguments["successorId"], event.arguments["ratePpm"], Where.of(event))
            for event in self.contract.find_events("SuccessorRecorded", from_block=self._from_block)
        ]

    def set_fee(
        self, account: LocalAccount, fee: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Set the model's fee within the offering's band; the creator may, until a default.

        Raises:
            NotOwnerError: the account is not the creator, or the offering defaulted.
            MarketError: the fee is outside the band.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "setFee", fee, on_signed=on_signed)

    def grant_access(
        self, account: LocalAccount, prover: str, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Let a prover prove the closed model; raises as `set_fee` does, and RegistryError if it is open."""
        return self.contract.transact(account, "grantAccess", prover, on_signed=on_signed)

    def pay_owner_income(
        self, account: LocalAccount, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Pay income from before the soft lock to the creator; anyone may.

        Raises:
            MarketError: there is none.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "payOwnerIncome", on_signed=on_signed)

    def record_successor(
        self, account: LocalAccount, model_id: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Recognise a successor version; anyone may.

        Raises:
            MarketError: another publisher's, not PROVEN, or without this model as parent at the rate.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "recordSuccessor", model_id, on_signed=on_signed)

    def propose(
        self,
        account: LocalAccount,
        resolution: Resolution,
        fee: int = 0,
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> tuple[int, TransactionReceipt]:
        """Ask the holders; anyone may, from the release or a default on.

        Returns:
            The motion's number and the receipt.

        Raises:
            MarketError: holders do not decide that now.
            ChainError: see `BoundContract.transact`.
        """
        receipt = self.contract.transact(account, "propose", int(resolution), fee, on_signed=on_signed)
        return self.proposed_in(receipt, account.address, resolution, fee), receipt

    def proposed_in(
        self, receipt: TransactionReceipt, proposer: str, resolution: Resolution, fee: int = 0
    ) -> int:
        """Return the number of the motion that a transaction made.

        Raises:
            BindingError: it made another one.
        """
        wanted: dict[str, Any] = {"by": proposer, "resolution": int(resolution), "fee": fee}
        made = [event.arguments for event in self.contract.events_in(receipt.logs, "MotionMade")]
        found = [event for event in made if wanted.items() <= event.items()]
        if len(found) != 1:
            raise BindingError(f"expected one such motion, found {len(found)} in {receipt.transaction}")
        return int(found[0]["motionId"])

    def support(
        self, account: LocalAccount, motion_id: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Vote for a motion with all that the account had when it was made.

        Raises:
            MarketError: no such motion, it is over, the account voted before or had no votes then.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "support", motion_id, on_signed=on_signed)

    def carry(
        self, account: LocalAccount, motion_id: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Carry out what more than half are for; anyone may; raises as `support` does."""
        return self.contract.transact(account, "carry", motion_id, on_signed=on_signed)

    def dry_run(self, sender: str, function: str, *arguments: object) -> DryRun:
        """Say what a move would send and cost, without sending it; raises as the move does."""
        return self.contract.dry_run(sender, function, *arguments)
