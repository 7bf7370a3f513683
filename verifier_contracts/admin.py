"""The typed bindings of ProtocolAdmin and of the timelock that owns it: all that an admin can do.

What the timelock does was proposed in the open and has waited; tombstones alone have no delay, and are the
guardian's (see `VerifierRouter.tombstone`).
"""

from dataclasses import dataclass
from typing import Any

from eth_account.signers.local import LocalAccount

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from verifier_contracts.terms import PlatformTerms
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import Chain
from zkml.adapters.evm.transactions import Call, OnSigned, ignore_signed
from zkml.core.identifiers import ZERO32


class ProtocolAdminBinding:
    """The admin at an address."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.contract = BoundContract(chain, load_artifact("ProtocolAdmin"), address)

    @property
    def address(self) -> str:
        """Where it is, checksummed."""
        return self.contract.address

    def owner(self) -> str:
        """Return who may change anything: the timelock, checksummed."""
        return str(self.contract.call("owner"))

    def guardian(self) -> str:
        """Return who may tombstone circuits, checksummed; the zero address is nobody."""
        return str(self.contract.call("guardian"))

    def treasury(self) -> str:
        """Return who takes the platform's income, checksummed."""
        return str(self.contract.call("treasury"))

    def platform_terms(self) -> PlatformTerms:
        """Return what the platform takes of what opens now."""
        return PlatformTerms.from_abi(self.contract.call("platformTerms"))

    def platform_caps(self) -> PlatformTerms:
        """Return what the platform can never exceed."""
        return PlatformTerms.from_abi(self.contract.call("platformCaps"))

    def is_audited(self, code_hash: bytes) -> bool:
        """Say whether shared verifier code of this hash was audited."""
        return bool(self.contract.call("isAudited", code_hash))

    def plan_platform_terms(self, terms: PlatformTerms) -> Call:
        """Return the call that sets what the platform takes of what opens from then on."""
        return self.contract.plan("setPlatformTerms", terms.as_abi())

    def plan_treasury(self, treasury: str) -> Call:
        """Return the call that sets who takes the platform's income."""
        return self.contract.plan("setTreasury", treasury)

    def plan_guardian(self, guardian: str) -> Call:
        """Return the call that sets who may tombstone; nobody if it is the zero address."""
        return self.contract.plan("setGuardian", guardian)

    def plan_audited_verifier(self, code_hash: bytes) -> Call:
        """Return the call that adds code of a shared verifier to the audited list, for ever."""
        return self.contract.plan("addAuditedVerifier", code_hash)


@dataclass(frozen=True, slots=True)
class Operation:
    """A call that the timelock is to make.

    Attributes:
        target: checksummed address.
        calldata: what it is called with.
        salt: 32 bytes; tells two operations with the same call apart.
    """

    target: str
    calldata: bytes
    salt: bytes = ZERO32

    @classmethod
    def of(cls, call: Call, salt: bytes = ZERO32) -> "Operation":
        """Return the operation that makes a planned call."""
        return cls(str(call.target), call.data, salt)

    @property
    def head(self) -> tuple[Any, ...]:
        """The arguments that scheduling and executing have in common: no ether, no predecessor."""
        return (self.target, 0, self.calldata, ZERO32, self.salt)


class TimelockBinding:
    """OpenZeppelin's TimelockController at an address."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.contract = BoundContract(chain, load_artifact("TimelockController"), address)

    def delay_seconds(self) -> int:
        """Return how long a proposal waits."""
        return int(self.contract.call("getMinDelay"))

    def schedule(
        self, account: LocalAccount, operation: Operation, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Propose an operation; it can be executed when the delay is over.

        Raises:
            NotOwnerError: the account is no proposer.
            RevertedError: it was proposed before.
            ChainError: see `BoundContract.transact`.
        """
        arguments = (*operation.head, self.delay_seconds())
        return self.contract.transact(account, "schedule", *arguments, on_signed=on_signed)

    def execute(
        self, account: LocalAccount, operation: Operation, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Execute an operation whose delay is over; anybody may.

        Raises:
            RevertedError: it was not proposed, or has to wait, or has been executed.
            ZkmlError: what the target refuses.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "execute", *operation.head, on_signed=on_signed)

    def operation_id(self, operation: Operation) -> bytes:
        """Return the id, 32 bytes, by which the timelock knows an operation."""
        return bytes(self.contract.call("hashOperation", *operation.head))

    def ready_at(self, operation: Operation) -> int:
        """Return the chain time in seconds from which it can be executed; 0: not proposed, 1: executed."""
        return int(self.contract.call("getTimestamp", self.operation_id(operation)))

    def cancel(
        self, account: LocalAccount, operation: Operation, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Take a proposal back; its proposer may."""
        return self.contract.transact(account, "cancel", self.operation_id(operation), on_signed=on_signed)
