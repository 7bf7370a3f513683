"""The moves of an offering as plans: simulated, priced, and with their effects; nothing is sent."""

from marketplace import offering_effects
from marketplace.effects import Effects
from marketplace.offering_effects import Income
from marketplace.offerings import REVEAL_GAS, OfferingsBinding
from marketplace.plans import Plan
from zkml.adapters.evm.gas import fee_fields, most_per_gas_wei
from zkml.adapters.evm.transactions import DryRun
from zkml.core.artifact_encryption import ArtifactKey, WrongChunk
from zkml.core.offering_machine import DefaultCause, OfferingFacts
from zkml.core.offering_moves import declared_cause
from zkml.core.offering_terms import OfferingTerms, check_terms


class OfferingPlans:
    """Plans of one contract's moves, or effects alone where approvals come first. Each raises as the move."""

    def __init__(self, offerings: OfferingsBinding) -> None:
        self._offerings = offerings

    def opening(self, sender: str, terms: OfferingTerms) -> Effects:
        """Return what opening does, before its approvals are there.

        Raises:
            MarketError: see `check_terms`.
            RpcError: see `Chain.request`.
        """
        offerings = self._offerings
        check_terms(terms, offerings.rules(), creator=sender, token_supply=offerings.token_supply())
        due = offerings.ledger().holders_due(terms.model_id)
        return offering_effects.opening_effects(offerings.count() + 1, sender, terms, due)

    def reserving(self, sender: str, offering_id: int, most: int) -> Effects:
        """Return what reserving does, before its approval is there; raises as `check_move` does."""
        offerings = self._offerings
        facts = offerings.facts(offering_id)
        is_last = most >= facts.left
        return offering_effects.reserve_effects(
            facts,
            offerings.rules(),
            sender,
            most,
            offerings.chain.now(),
            reserved=offerings.reservation_of(offering_id, sender),
            holidays=frozenset(offerings.calendar().holidays(facts.holiday_count))
            if is_last
            else frozenset(),
            owner_due=offerings.ledger().holders_due(facts.model_id) if is_last else 0,
        )

    def offer_resale(self, sender: str, offering_id: int, count: int) -> Plan:
        """Plan to offer shares at the price."""
        dry_run = self._offerings.dry_run(sender, "offerResale", offering_id, count)
        before = self._offerings.resale_of(offering_id, sender)
        facts = self._offerings.facts(offering_id)
        return Plan(dry_run, offering_effects.resale_offer_effects(facts, sender, before, count))

    def buying(self, sender: str, offering_id: int, holder: str, count: int) -> Effects:
        """Return what taking over offered shares does, before its approval is there."""
        offerings = self._offerings
        return offering_effects.resale_effects(
            offerings.facts(offering_id),
            sender,
            holder,
            count,
            offered=offerings.resale_of(offering_id, holder),
            reserved=(
                offerings.reservation_of(offering_id, sender),
                offerings.reservation_of(offering_id, holder),
            ),
        )

    def reveal(self, offering_id: int, key: ArtifactKey) -> Plan:
        """Plan to reveal the key, without telling it to anybody: neither the endpoint nor who reads the plan.

        The gas is the limit that the transaction will have, not an estimate.
        """
        offerings = self._offerings
        facts = offerings.check_reveal(offering_id, key)
        effects = offering_effects.reveal_effects(facts, offerings.rules(), offerings.chain.now())
        hidden = offerings.contract.plan("reveal", offering_id, bytes(32))
        cost_wei = REVEAL_GAS * most_per_gas_wei(fee_fields(offerings.chain))
        arguments = {**hidden.arguments, "key": "not shown"}
        return Plan(
            DryRun(hidden.target, hidden.data[:36], REVEAL_GAS, cost_wei, hidden.what, arguments), effects
        )

    def challenge(self, sender: str, offering_id: int, chunk: WrongChunk) -> Plan:
        """Plan to refute the artifact."""
        dry_run = self._offerings.dry_run(sender, "challenge", offering_id, chunk.as_abi())
        return Plan(dry_run, self.defaulting(offering_id, DefaultCause.REFUTED))

    def guardian_default(self, sender: str, offering_id: int, reason: str) -> Plan:
        """Plan to call the default as guardian."""
        dry_run = self._offerings.dry_run(sender, "guardianDefault", offering_id, reason)
        return Plan(dry_run, self.defaulting(offering_id, DefaultCause.GUARDIAN))

    def declare_default(self, sender: str, offering_id: int) -> Plan:
        """Plan to declare the default."""
        dry_run = self._offerings.dry_run(sender, "declareDefault", offering_id)
        facts, now = self._offerings.facts(offering_id), self._offerings.chain.now()
        cause = declared_cause(facts, self._offerings.rules(), now)
        return Plan(dry_run, self.defaulting(offering_id, cause))

    def defaulting(self, offering_id: int, cause: DefaultCause) -> Effects:
        """Return what a default does; raises as `check_move` does."""
        offerings = self._offerings
        facts, now = offerings.facts(offering_id), offerings.chain.now()
        held = self.income_of(facts, facts.vault)
        return offering_effects.default_effects(facts, offerings.rules(), cause, now, held)

    def finalize(self, sender: str, offering_id: int, packed_output: bytes, proof: bytes) -> Plan:
        """Plan to release."""
        offerings = self._offerings
        dry_run = offerings.dry_run(sender, "finalize", offering_id, packed_output, proof)
        facts, now = offerings.facts(offering_id), offerings.chain.now()
        return Plan(dry_run, offering_effects.release_effects(facts, offerings.rules(), now))

    def income_of(self, facts: OfferingFacts, holder: str) -> Income:
        """Return what a holder of shares has earned, and what the ledger credited to it already."""
        ledger = self._offerings.ledger()
        return Income(ledger.shares_due(facts.model_id, holder), ledger.credits_of(holder))
