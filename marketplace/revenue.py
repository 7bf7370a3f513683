"""The typed binding of RevenueLedger: what models have earned, who takes it, and credits."""

from collections.abc import Sequence

from eth_account.signers.local import LocalAccount

from marketplace.answers import checked_split, model_income, revenue_parts
from marketplace.revenue_events import RevenueEvents
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.adapters.evm.rpc import BlockTag, Chain
from zkml.adapters.evm.transactions import DryRun, OnSigned, ignore_signed
from zkml.core.job_machine import is_zero
from zkml.core.revenue import ModelIncome, Part, PayeeKind


class RevenueLedgerBinding:
    """The revenue ledger at an address. Amounts are in the token's smallest unit.

    Attributes:
        events: what was earned and taken.
    """

    def __init__(self, chain: Chain, address: str, *, from_block: int) -> None:
        """Bind it; `from_block` is the height of its deployment."""
        self.chain = chain
        self.contract = BoundContract(chain, load_artifact("RevenueLedger"), address)
        self.events = RevenueEvents(self.contract, from_block=from_block)

    @property
    def address(self) -> str:
        """Where it is, checksummed: what requesters allow to take their tokens."""
        return self.contract.address

    def income_of(self, model_id: int, *, block: BlockTag = "latest") -> ModelIncome:
        """Return what a model has earned."""
        return model_income(self.contract.call("incomeOf", model_id, block=block))

    def split_of(self, model_id: int) -> tuple[Part, ...]:
        """Return how a model's revenue is split: lineage, other parts, holders.

        Raises:
            RpcError: parts that do not sum to the whole; see also `Chain.request`.
        """
        where = f"at {self.address}"
        parts = revenue_parts(self.contract.call("splitOf", model_id), where=where)
        return checked_split(parts, where=where)

    def lineage_due(self, descendant_id: int, ancestor_id: int) -> int:
        """Return what `claim_lineage` would move now."""
        return int(self.contract.call("lineageDue", descendant_id, ancestor_id))

    def holders_due(self, model_id: int) -> int:
        """Return what holders have earned that is not taken."""
        return int(self.contract.call("holdersDue", model_id))

    def part_due(self, model_id: int, kind: PayeeKind) -> int:
        """Return what `claim_part` would credit now."""
        return int(self.contract.call("partDue", model_id, int(kind)))

    def shares_due(self, model_id: int, holder: str) -> int:
        """Return what `claim_shares` would credit now; 0 where no shares earn."""
        if is_zero(self.shares_of(model_id)):
            return 0
        return int(self.contract.call("sharesDue", model_id, holder))

    def shares_of(self, model_id: int) -> str:
        """Return the share token of a model, or the zero address while the owner is the holder."""
        return str(self.contract.call("sharesOf", model_id))

    def credits_of(self, account: str, *, block: BlockTag = "latest") -> int:
        """Return what an account can withdraw."""
        return int(self.contract.call("credits", account, block=block))

    def fix_parts(
        self,
        account: LocalAccount,
        model_id: int,
        parts: Sequence[Part],
        *,
        on_signed: OnSigned = ignore_signed,
    ) -> TransactionReceipt:
        """Fix a model's parts besides lineage and holders, once; the owner of a REGISTERED model may.

        Raises:
            MarketError: too many or too much, a kind twice, or fixed before.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "fixParts", model_id, list(parts), on_signed=on_signed)

    def claim_lineage(
        self, account: LocalAccount, descendant_id: int, ancestor_id: int
    ) -> TransactionReceipt:
        """Move what an ancestor has earned by a descendant to the ancestor's holders; anyone may.

        Raises:
            MarketError: nothing has been earned since it was last taken.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "claimLineage", descendant_id, ancestor_id)

    def claim_owner(self, account: LocalAccount, model_id: int) -> TransactionReceipt:
        """Credit a model's owner with the holders' income, until shares start; raises as `claim_lineage`."""
        return self.contract.transact(account, "claimOwner", model_id)

    def claim_part(self, account: LocalAccount, model_id: int, kind: PayeeKind) -> TransactionReceipt:
        """Credit the receiver of a part; raises as `claim_lineage` does."""
        return self.contract.transact(account, "claimPart", model_id, int(kind))

    def claim_shares(
        self, account: LocalAccount, model_id: int, holder: str, *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Credit a holder with what its shares have earned; anyone may; raises as `claim_lineage` does."""
        return self.contract.transact(account, "claimShares", model_id, holder, on_signed=on_signed)

    def collect_platform(self, account: LocalAccount, model_ids: Sequence[int]) -> TransactionReceipt:
        """Credit the treasury with the platform's part of models' income; raises as `claim_lineage` does."""
        return self.contract.transact(account, "collectPlatform", list(model_ids))

    def withdraw(
        self, account: LocalAccount, to: str = "", *, on_signed: OnSigned = ignore_signed
    ) -> TransactionReceipt:
        """Send the account's credits to `to`, or to itself.

        Raises:
            MarketError: there are none.
            ChainError: see `BoundContract.transact`.
        """
        return self.contract.transact(account, "withdraw", to or account.address, on_signed=on_signed)

    def dry_run(self, sender: str, function: str, *arguments: object) -> DryRun:
        """Say what a move would send and cost, without sending it; raises as the move does."""
        return self.contract.dry_run(sender, function, *arguments)

    def address_of(self, part: str) -> str:
        """Return the address of what this one uses as `token`, `registry`, `lineage` or `jobManager`."""
        return str(self.contract.call(part))
