"""The moves of a model's steward as plans: simulated, priced, and with their effects; nothing is sent."""

from marketplace import share_effects
from marketplace.offerings import OfferingsBinding
from marketplace.plans import Plan
from marketplace.stewards import Resolution, StewardBinding
from zkml.core.offering_machine import OfferingFacts

VOTING_SECONDS = 7 * 86_400
"""How long votes are taken; a constant of the contract."""


class StewardPlans:
    """Plans of one offering's steward. Each raises as the move itself does."""

    def __init__(self, offerings: OfferingsBinding, facts: OfferingFacts) -> None:
        self._offerings = offerings
        self._facts = facts
        self._steward: StewardBinding = offerings.steward_of(facts)

    def set_fee(self, sender: str, fee: int) -> Plan:
        """Plan to set the model's fee."""
        dry_run = self._steward.dry_run(sender, "setFee", fee)
        model = self._facts.model_id
        before = self._offerings.registry().fee_terms_of(model).model_fee
        return Plan(dry_run, share_effects.fee_effects(model, before, fee))

    def grant_access(self, sender: str, prover: str) -> Plan:
        """Plan to let a prover prove the closed model."""
        dry_run = self._steward.dry_run(sender, "grantAccess", prover)
        return Plan(dry_run, share_effects.access_effects(self._facts.model_id, prover))

    def record_successor(self, sender: str, successor_id: int) -> Plan:
        """Plan to recognise a successor version."""
        dry_run = self._steward.dry_run(sender, "recordSuccessor", successor_id)
        return Plan(dry_run, share_effects.successor_effects(self._facts.model_id, successor_id))

    def propose(self, sender: str, resolution: Resolution, fee: int = 0) -> Plan:
        """Plan to ask the holders; the motion gets this number if nobody else asks before."""
        dry_run = self._steward.dry_run(sender, "propose", int(resolution), fee)
        number, ends = len(self._steward.motions()) + 1, self._offerings.chain.now() + VOTING_SECONDS
        return Plan(dry_run, share_effects.motion_effects(number, resolution, fee, ends))

    def support(self, sender: str, motion_id: int) -> Plan:
        """Plan to vote for a motion."""
        dry_run = self._steward.dry_run(sender, "support", motion_id)
        motion = self._steward.motion(motion_id)
        votes = self._offerings.shares_of(self._facts).past_votes(sender, motion.snapshot_at)
        return Plan(dry_run, share_effects.support_effects(motion, sender, votes))

    def carry(self, sender: str, motion_id: int) -> Plan:
        """Plan to carry a motion out."""
        dry_run = self._steward.dry_run(sender, "carry", motion_id)
        return Plan(
            dry_run, share_effects.carry_effects(self._steward.motion(motion_id), self._facts.model_id)
        )
