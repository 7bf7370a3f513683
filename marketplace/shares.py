"""The typed binding of ModelToken: shares of a model, their votes, and what they have earned.

Amounts of shares are in units of 10^-18 of a whole share. What shares earn is credited in the revenue ledger
and withdrawn there.
"""

from enum import IntEnum

from eth_account.signers.local import LocalAccount

from marketplace.offering_answers import named, printable
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import BlockTag, Chain
from zkml.adapters.evm.transactions import OnSigned, ignore_signed
from zkml.core.offering_terms import MAX_NAME_BYTES, MAX_SYMBOL_BYTES
from zkml.errors import BindingError

SPARE_GAS = 80_000
"""Besides a node's estimate, which is for the head's second: votes and pools keep something by the second,
and whoever is first in a later one writes it anew, three checkpoints or two prices."""


class SharePhase(IntEnum):
    """Who moves shares; the numbers of the contract's enum. From EARNING on income is held for them."""

    RESERVED = 0
    EARNING = 1
    FREE = 2


class ShareToken:
    """The shares at an address."""

    def __init__(self, chain: Chain, address: str) -> None:
        """Bind them."""
        self.chain = chain
        self.contract = BoundContract(chain, load_artifact("ModelToken"), address, spare_gas=SPARE_GAS)

    @property
    def address(self) -> str:
        """Where they are, checksummed."""
        return self.contract.address

    def name(self) -> str:
        """Return their name, as its creator chose it."""
        return printable(str(self.contract.call("name")), MAX_NAME_BYTES)

    def symbol(self) -> str:
        """Return their symbol, as its creator chose it: proof of nothing."""
        return printable(str(self.contract.call("symbol")), MAX_SYMBOL_BYTES)

    def phase(self) -> SharePhase:
        """Return where they are in their life."""
        number = self.contract.call("phase")
        return named(SharePhase, number, what="a phase of shares", where=f"at {self.address}")

    def model_id(self) -> int:
        """Return whose shares they are."""
        return int(self.contract.call("modelId"))

    def pool(self) -> str:
        """Return the pool that the release seeded, or the zero address."""
        return str(self.contract.call("pool"))

    def total_supply(self, *, block: BlockTag = "latest") -> int:
        """Return how many units there are."""
        return int(self.contract.call("totalSupply", block=block))

    def balance_of(self, account: str, *, block: BlockTag = "latest") -> int:
        """Return how many units an account has."""
        return int(self.contract.call("balanceOf", account, block=block))

    def allowance(self, owner: str, spender: str) -> int:
        """Return how many units `spender` may take from `owner`."""
        return int(self.contract.call("allowance", owner, spender))

    def votes_of(self, account: str) -> int:
        """Return an account's votes now; shares vote once they are delegated, if only to their holder."""
        return int(self.contract.call("getVotes", account))

    def past_votes(self, account: str, time: int) -> int:
        """Return the votes of an account at the end of a past second."""
        return int(self.contract.call("getPastVotes", account, time, block=self.chain.head))

    def delegate_of(self, account: str) -> str:
        """Return who votes with an account's shares; zero: nobody."""
        return str(self.contract.call("delegates", account))

    def snapshot_count(self) -> int:
        """Return how many snapshots there are; they count from 1."""
        return int(self.contract.call("snapshotCount"))

    def transfer(
        self, account: LocalAccount, to: str, units: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Send shares, which are free from the release or a default on.

        Raises:
            MarketError: they are locked.
            ChainError: see `BoundContract.transact`; too few are of these.
        """
        return self.contract.transact(account, "transfer", to, units, on_signed=on_signed)

    def approve(
        self, account: LocalAccount, spender: str, units: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Let `spender` take exactly so many units; raises as `BoundContract.transact` does."""
        return self.contract.transact_repeatable(account, "approve", spender, units, on_signed=on_signed)

    def delegate(
        self, account: LocalAccount, to: str = "", *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Let `to`, or the account itself, vote with its shares; raises as `BoundContract.transact` does."""
        return self.contract.transact_repeatable(
            account, "delegate", to or account.address, on_signed=on_signed
        )

    def snapshot(
        self, account: LocalAccount, *, on_signed: OnSigned = ignore_signed
    ) -> tuple[int, TransactionReceipt]:
        """Pin what the model has earned; anyone may.

        Returns:
            The snapshot's number: the last one's where nothing came in since; and the receipt.

        Raises:
            BindingError: the chain pinned nothing.
            ChainError: see `BoundContract.transact`.
        """
        receipt = self.contract.transact(account, "snapshot", on_signed=on_signed)
        pinned = self.contract.events_in(receipt.logs, "IncomePinned")
        if pinned:
            return int(pinned[0].arguments["snapshotId"]), receipt
        found = self.snapshot_count()
        if found == 0:
            raise BindingError(f"expected a snapshot, found none after {receipt.transaction}")
        return found, receipt

    def claim(
        self, account: LocalAccount, snapshot_id: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Have all that the account's shares have earned by now credited in the ledger; once for a snapshot.

        Raises:
            MarketError: there is nothing, no such snapshot, or it was claimed.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "claim", snapshot_id, on_signed=on_signed)

    def return_pool_income(
        self, account: LocalAccount, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Make what the pool's shares earned all shares' income again; anyone may; raises as `claim`."""
        return self.contract.transact(account, "returnPoolIncome", on_signed=on_signed)

    def return_burned_income(
        self, account: LocalAccount, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Make what destroyed shares would have earned all shares' income again; anyone may; as `claim`."""
        return self.contract.transact(account, "returnBurnedIncome", on_signed=on_signed)

    def burn(
        self, account: LocalAccount, units: int, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Destroy shares, for nothing; raises as `transfer` does."""
        return self.contract.transact(account, "burn", units, on_signed=on_signed)
