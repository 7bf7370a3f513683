"""Claims on the revenue ledger as plans: simulated, priced, and with their effects; nothing is sent."""

from collections.abc import Sequence

from marketplace.effects import Effects, Flow, Pocket, PocketKind, effects_of
from marketplace.plans import Plan
from marketplace.revenue import RevenueLedgerBinding
from zkml.core.revenue import PayeeKind


class RevenuePlans:
    """Plans of one revenue ledger's moves. Each raises as the move itself does."""

    def __init__(self, ledger: RevenueLedgerBinding) -> None:
        self._ledger = ledger

    def claim_lineage(self, sender: str, descendant_id: int, ancestor_id: int) -> Plan:
        """Plan to move an ancestor's share of a descendant's revenue to the ancestor's holders."""
        dry_run = self._ledger.dry_run(sender, "claimLineage", descendant_id, ancestor_id)
        amount = self._ledger.lineage_due(descendant_id, ancestor_id)
        target = Pocket(PocketKind.INHERITED, f"model {ancestor_id:#x}")
        return Plan(dry_run, _from_model(PocketKind.REVENUE, descendant_id, amount, target))

    def claim_owner(self, sender: str, model_id: int, owner: str) -> Plan:
        """Plan to credit a model's owner with the holders' income."""
        dry_run = self._ledger.dry_run(sender, "claimOwner", model_id)
        amount = self._ledger.holders_due(model_id)
        return Plan(dry_run, _from_model(PocketKind.REVENUE, model_id, amount, _credits(owner)))

    def claim_part(self, sender: str, model_id: int, kind: PayeeKind) -> Plan:
        """Plan to credit the receiver of a part."""
        dry_run = self._ledger.dry_run(sender, "claimPart", model_id, int(kind))
        amount = self._ledger.part_due(model_id, kind)
        receiver = next(part.receiver for part in self._ledger.split_of(model_id) if part.kind is kind)
        return Plan(dry_run, _from_model(PocketKind.REVENUE, model_id, amount, _credits(receiver)))

    def collect_platform(self, sender: str, model_ids: Sequence[int], treasury: str) -> Plan:
        """Plan to credit the treasury with the platform's part of models' income."""
        dry_run = self._ledger.dry_run(sender, "collectPlatform", list(model_ids))
        flows = [
            Flow(
                self._ledger.income_of(model).platform, _model(PocketKind.PLATFORM, model), _credits(treasury)
            )
            for model in dict.fromkeys(model_ids)
        ]
        return Plan(dry_run, effects_of(flows))

    def withdraw(self, sender: str, to: str = "") -> Plan:
        """Plan to take the sender's credits."""
        dry_run = self._ledger.dry_run(sender, "withdraw", to or sender)
        flow = Flow(
            self._ledger.credits_of(sender), _credits(sender), Pocket(PocketKind.WALLET, to or sender)
        )
        return Plan(dry_run, effects_of([flow]))


def _from_model(kind: PocketKind, model_id: int, amount: int, target: Pocket) -> Effects:
    return effects_of([Flow(amount, _model(kind, model_id), target)])


def _model(kind: PocketKind, model_id: int) -> Pocket:
    return Pocket(kind, f"model {model_id:#x}")


def _credits(account: str) -> Pocket:
    return Pocket(PocketKind.CREDITS, account)
