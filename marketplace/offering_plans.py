"""The moves of an offering as plans: simulated, priced, and with their effects; nothing is sent."""

from marketplace import offering_effects, share_effects
from marketplace.effects import Effects
from marketplace.offering_effects import Income
from marketplace.offerings import OfferingsBinding
from marketplace.plans import Plan
from zkml.adapters.evm.gas import fee_fields, most_per_gas_wei
from zkml.adapters.evm.transactions import DryRun
from zkml.core.artifact_encryption import ArtifactKey, WrongChunk
from zkml.core.job_machine import ZERO_ADDRESS
from zkml.core.offering_machine import DefaultCause, OfferingFacts
from zkml.core.offering_moves import declared_cause
from zkml.core.offering_terms import OfferingTerms, check_terms
from zkml.errors import BindingError

REVEAL_GAS = 105_000
"""What a reveal costs, rounded up: it cannot be estimated without telling the key to the endpoint."""


class OfferingPlans:
    """Plans of one contract's moves. Each raises as the move itself does."""

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

    def open(self, sender: str, terms: OfferingTerms) -> Plan:
        """Plan to open an offering; it gets this number if nobody else opens one before."""
        effects = self.opening(sender, terms)
        return Plan(self._offerings.dry_run(sender, "open", terms.as_abi()), effects)

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

    def reserve(self, sender: str, offering_id: int, most: int, least: int = 1) -> Plan:
        """Plan to reserve shares."""
        dry_run = self._offerings.dry_run(sender, "reserve", offering_id, most, least)
        return Plan(dry_run, self.reserving(sender, offering_id, most))

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

    def buy_resale(self, sender: str, offering_id: int, holder: str, count: int) -> Plan:
        """Plan to take over offered shares."""
        dry_run = self._offerings.dry_run(sender, "buyResale", offering_id, holder, count)
        return Plan(dry_run, self.buying(sender, offering_id, holder, count))

    def reveal(self, sender: str, offering_id: int, key: ArtifactKey) -> Plan:
        """Plan to reveal the key, without telling it to anybody: neither the endpoint nor who reads the plan.

        Raises:
            BindingError: another key was committed to.
            InvalidTransitionError, MarketError: see `check_move`.
            NotFinalError: see `OfferingsBinding.reveal`.
            RpcError: see `Chain.request`.
        """
        offerings = self._offerings
        facts, now = offerings.facts(offering_id), offerings.chain.now()
        effects = offering_effects.reveal_effects(facts, offerings.rules(), now)
        offerings.check_lock_is_final(offering_id)
        if not key.opens(offerings.registry().commitment_of(facts.model_id).key_commitment):
            raise BindingError(
                f"expected the key that model {facts.model_id:#x} commits to, found another one for {sender}"
            )
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

    def close(self, sender: str, offering_id: int) -> Plan:
        """Plan to give model and bond back."""
        offerings = self._offerings
        dry_run = offerings.dry_run(sender, "close", offering_id)
        facts, now = offerings.facts(offering_id), offerings.chain.now()
        dead = offerings.is_tombstoned(facts)
        effects = offering_effects.close_effects(facts, offerings.rules(), now, is_tombstoned=dead)
        return Plan(dry_run, effects)

    def repay(self, sender: str, offering_id: int, holder: str) -> Plan:
        """Plan to pay a holder back."""
        offerings = self._offerings
        dry_run = offerings.dry_run(sender, "repay", offering_id, holder)
        facts, count = offerings.facts(offering_id), offerings.reservation_of(offering_id, holder)
        effects = offering_effects.repay_effects(
            facts, offerings.rules(), holder, count, offerings.chain.now()
        )
        return Plan(dry_run, effects)

    def withdraw(self, sender: str, to: str = "") -> Plan:
        """Plan to take the sender's credits."""
        dry_run = self._offerings.dry_run(sender, "withdraw", to or sender)
        amount = self._offerings.credits_of(sender)
        return Plan(dry_run, offering_effects.withdraw_effects(sender, to or sender, amount))

    def pay_vested(self, sender: str, offering_id: int) -> Plan:
        """Plan to pay to the creator what has vested."""
        facts = self._offerings.facts(offering_id)
        vault = self._offerings.vault_of(facts)
        dry_run = vault.dry_run(sender, "payVested")
        return Plan(dry_run, share_effects.vested_effects(facts, vault.vested_due()))

    def pay_income(self, sender: str, offering_id: int) -> Plan:
        """Plan to pay the income of the vault's shares to the creator."""
        facts = self._offerings.facts(offering_id)
        dry_run = self._offerings.vault_of(facts).dry_run(sender, "payIncome")
        held = self.income_of(facts, facts.vault)
        return Plan(dry_run, share_effects.vault_income_effects(facts, held))

    def pay_liquidity(self, sender: str, offering_id: int) -> Plan:
        """Plan to pay the pool's liquidity to the creator."""
        facts = self._offerings.facts(offering_id)
        dry_run = self._offerings.vault_of(facts).dry_run(sender, "payLiquidity")
        units = self._offerings.pool_of(facts).liquidity_of(facts.vault)
        return Plan(dry_run, share_effects.liquidity_effects(facts, units))

    def return_pool_income(self, sender: str, offering_id: int) -> Plan:
        """Plan to make the income of the pool's shares income of all shares again."""
        facts = self._offerings.facts(offering_id)
        shares = self._offerings.shares_of(facts)
        dry_run = shares.dry_run(sender, "returnPoolIncome")
        pool = shares.pool()
        effects = share_effects.returned_effects(facts.model_id, pool, self.income_of(facts, pool))
        return Plan(dry_run, effects)

    def return_burned_income(self, sender: str, offering_id: int) -> Plan:
        """Plan to make what destroyed shares would have earned income of all shares again."""
        facts = self._offerings.facts(offering_id)
        dry_run = self._offerings.shares_of(facts).dry_run(sender, "returnBurnedIncome")
        held = self.income_of(facts, ZERO_ADDRESS)
        return Plan(dry_run, share_effects.returned_effects(facts.model_id, ZERO_ADDRESS, held))

    def claim_shares(self, sender: str, model_id: int, holder: str) -> Plan:
        """Plan to credit a holder with the income of its shares."""
        ledger = self._offerings.ledger()
        dry_run = ledger.dry_run(sender, "claimShares", model_id, holder)
        return Plan(
            dry_run, share_effects.claim_effects(model_id, holder, ledger.shares_due(model_id, holder))
        )

    def income_of(self, facts: OfferingFacts, holder: str) -> Income:
        """Return what a holder of shares has earned, and what the ledger credited to it already."""
        ledger = self._offerings.ledger()
        return Income(ledger.shares_due(facts.model_id, holder), ledger.credits_of(holder))
