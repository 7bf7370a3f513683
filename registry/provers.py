"""The typed binding of ProverRegistry: who proves, how they are reached, and what they stand to lose."""

from collections.abc import Sequence
from dataclasses import dataclass

from eth_account.signers.local import LocalAccount

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import BlockTag, Chain
from zkml.adapters.evm.transactions import OnSigned, ignore_signed
from zkml.errors import MarketError, RpcError

MAX_ENDPOINT_BYTES = 256
MAX_PROOF_SYSTEMS = 8
"""Constants of the contract."""


@dataclass(frozen=True, slots=True)
class Stake:
    """A prover's stake, in the token's smallest unit.

    Attributes:
        free: what claims can lock.
        locked: what claims have locked.
        registered: whether the prover has registered.
        leaving: what was asked back and cannot be locked any more.
        leaves_at: chain time in seconds from which `leaving` can be taken.
    """

    free: int
    locked: int
    registered: bool
    leaving: int
    leaves_at: int


@dataclass(frozen=True, slots=True)
class ProverProfile:
    """What a prover says of itself: a stranger's text.

    Attributes:
        endpoint: where clients reach it; may be empty.
        proof_systems: what it can prove, ids of ERC-7992, 4 bytes each.
    """

    endpoint: str
    proof_systems: tuple[bytes, ...]


class ProverRegistryBinding:
    """The prover registry at an address."""

    def __init__(self, chain: Chain, address: str) -> None:
        self.chain = chain
        self.contract = BoundContract(chain, load_artifact("ProverRegistry"), address)

    @property
    def address(self) -> str:
        """Where it is, checksummed; stakers approve it to take the payment token."""
        return self.contract.address

    def register(
        self,
        account: LocalAccount,
        endpoint: str,
        proof_systems: Sequence[bytes],
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Register the account as a prover, or replace what it said.

        Args:
            account: the prover.
            endpoint: where clients reach it, at most 256 bytes in UTF-8; may be empty.
            proof_systems: what it can prove, 1 to 8 ids of ERC-7992.
            on_signed: called with the signed transaction before it leaves this machine.

        Raises:
            MarketError: the endpoint is too long, or none or too many systems are named.
            ChainError: see `BoundContract.transact`.
        """
        length, count = len(endpoint.encode()), len(proof_systems)
        if length > MAX_ENDPOINT_BYTES or not 1 <= count <= MAX_PROOF_SYSTEMS:
            raise MarketError(
                f"expected an endpoint of at most {MAX_ENDPOINT_BYTES} bytes and 1 to {MAX_PROOF_SYSTEMS} "
                f"proof systems, found {length} bytes and {count}"
            )
        arguments = (endpoint, list(proof_systems))
        return self.contract.transact_repeatable(account, "register", *arguments, on_signed=on_signed)

    def stake(
        self,
        account: LocalAccount,
        amount: int,
        prover: str | None = None,
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Add to a registered prover's stake; the account pays, and has approved this contract.

        Args:
            account: who pays.
            amount: in the token's smallest unit; above 0.
            prover: whose stake it becomes; the account's own when None.
            on_signed: called with the signed transaction before it leaves this machine.

        Raises:
            ProverRefusedError: the prover has not registered.
            StakeError: the stake would not fit 80 bits.
            MarketError: the amount is 0.
            InsufficientFundsError: too few tokens, or too small an allowance.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(
            account, "stake", prover or account.address, amount, on_signed=on_signed
        )

    def request_unstake(
        self, account: LocalAccount, amount: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Ask for free stake back; the delay begins anew for all that is leaving.

        Raises:
            StakeError: less is free.
            MarketError: the amount is 0.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "requestUnstake", amount, on_signed=on_signed)

    def unstake(
        self, account: LocalAccount, to: str | None = None, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Take what was asked back, after the delay.

        Args:
            account: the prover.
            to: who receives it; the account itself when None.
            on_signed: called with the signed transaction before it leaves this machine.

        Raises:
            StakeError: nothing was asked back, or the delay is not over.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "unstake", to or account.address, on_signed=on_signed)

    def burn_forfeits(
        self, account: LocalAccount, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Send all that is to burn to the burn address; anybody may.

        Raises:
            MarketError: nothing is to burn.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "burnForfeits", on_signed=on_signed)

    def collect_forfeits(
        self, account: LocalAccount, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Send the treasury what was forfeited to it; anybody may. Raises as `burn_forfeits` does."""
        return self.contract.transact(account, "collectForfeits", on_signed=on_signed)

    def stake_of(self, prover: str, *, block: BlockTag = "latest") -> Stake:
        """Return a prover's stake; all zero where nobody registered."""
        return Stake(*self.contract.call("stakeOf", prover, block=block))

    def profile_of(self, prover: str) -> ProverProfile:
        """Return what a prover says of itself; empty where nobody registered.

        Raises:
            RpcError: longer than the contract allows; see also `Chain.request`.
        """
        endpoint, systems = self.contract.call("profileOf", prover)
        # What was no UTF-8 comes with one replaced letter, three bytes long, for each bad byte.
        if len(endpoint) > MAX_ENDPOINT_BYTES or len(systems) > MAX_PROOF_SYSTEMS:
            raise RpcError(
                f"expected at most {MAX_ENDPOINT_BYTES} bytes and {MAX_PROOF_SYSTEMS} proof systems, "
                f"found {len(endpoint)} letters and {len(systems)} of prover {prover}"
            )
        return ProverProfile(endpoint, tuple(systems))

    def registered_provers(self, *, from_block: int) -> tuple[str, ...]:
        """Return everybody who registered, checksummed, in the order they did.

        Args:
            from_block: height of the deployment.

        Raises:
            RpcError: see `Chain.logs`.
        """
        events = self.contract.find_events("ProverRegistered", from_block=from_block)
        return tuple(dict.fromkeys(str(event.arguments["prover"]) for event in events))

    def forfeits(self) -> tuple[int, int]:
        """Return what waits to be burned and to be collected, in the token's smallest unit."""
        to_burn, to_treasury = self.contract.call("forfeits")
        return int(to_burn), int(to_treasury)

    def unstake_delay_seconds(self) -> int:
        """Return how long stake that was asked back waits."""
        return int(self.contract.call("unstakeDelaySeconds"))
