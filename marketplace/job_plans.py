"""The moves of a job as plans: simulated, priced, and with their effects; nothing is sent."""

from collections.abc import Sequence

from marketplace import job_effects
from marketplace.effects import Effects
from marketplace.jobs import JobManagerBinding, Settlement
from marketplace.plans import Plan
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.bindings import BoundContract
from zkml.core.market_identifiers import JobSpec, job_id
from zkml.core.pricing import escrow_for


class JobPlans:
    """Plans of one job manager's moves. Each raises as the move itself does."""

    def __init__(self, manager: JobManagerBinding) -> None:
        self._manager = manager

    def open(self, sender: str, spec: JobSpec, packed_input: bytes) -> Plan:
        """Plan to open a job; its id is the one it gets if `sender` opens nothing before."""
        manager = self._manager
        nonce = manager.nonces_of(sender, block=manager.chain.head)
        job = job_id(manager.chain.chain_id, manager.address, sender, nonce, spec)
        escrow = escrow_for(manager.quote_for(spec.model_id), spec.max_prover_fee)
        dry_run = manager.dry_run(sender, "open", tuple(spec), packed_input)
        return Plan(dry_run, job_effects.opening_effects(job, sender, escrow))

    def claim(self, sender: str, job: bytes) -> Plan:
        """Plan to claim a job; its price is the one of the present second."""
        manager = self._manager
        dry_run = manager.dry_run(sender, "claim", job)
        facts, now = manager.facts(job), manager.chain.now()
        return Plan(dry_run, job_effects.claim_effects(facts, sender, now, manager.terms()))

    def reclaim(self, sender: str, job: bytes) -> Plan:
        """Plan to take a late claim over."""
        manager = self._manager
        dry_run = manager.dry_run(sender, "reclaim", job)
        facts, now = manager.facts(job), manager.chain.now()
        return Plan(dry_run, job_effects.reclaim_effects(facts, sender, now, manager.terms()))

    def settle(self, sender: str, one: Settlement) -> Plan:
        """Plan to settle a job."""
        return Plan(self._manager.dry_run(sender, "settle", *one), self._settled(sender, [one.job_id]))

    def settle_many(self, sender: str, settlements: Sequence[Settlement]) -> Plan:
        """Plan to settle several jobs by a proof each."""
        dry_run = self._manager.dry_run(sender, "settleMany", list(settlements))
        return Plan(dry_run, self._settled(sender, [one.job_id for one in settlements]))

    def settle_batch(
        self, sender: str, jobs: Sequence[bytes], circuit_id: bytes, batch: tuple[bytes, bytes, bytes]
    ) -> Plan:
        """Plan to settle several jobs by one proof; see `JobManagerBinding.settle_batch`."""
        dry_run = self._manager.dry_run(sender, "settleBatch", list(jobs), circuit_id, *batch)
        return Plan(dry_run, self._settled(sender, jobs))

    def cancel(self, sender: str, job: bytes) -> Plan:
        """Plan to take an unclaimed job back."""
        manager = self._manager
        dry_run = manager.dry_run(sender, "cancel", job)
        return Plan(dry_run, job_effects.cancel_effects(manager.facts(job), manager.chain.now()))

    def refund(self, sender: str, job: bytes) -> Plan:
        """Plan to refund a job."""
        manager = self._manager
        dry_run = manager.dry_run(sender, "refund", job)
        facts, now = manager.facts(job), manager.chain.now()
        tombstoned = self._is_tombstoned(facts.circuit_id)
        effects = job_effects.refund_effects(facts, now, manager.terms(), is_tombstoned=tombstoned)
        return Plan(dry_run, effects)

    def _settled(self, sender: str, jobs: Sequence[bytes]) -> Effects:
        manager = self._manager
        now, terms = manager.chain.now(), manager.terms()
        parts = [job_effects.settlement_effects(manager.facts(job), sender, now, terms) for job in jobs]
        return Effects(
            tuple(flow for part in parts for flow in part.flows),
            tuple(change for part in parts for change in part.changes),
        )

    def _is_tombstoned(self, circuit_id: bytes) -> bool:
        router = BoundContract(
            self._manager.chain, load_artifact("VerifierRouter"), self._manager.address_of("router")
        )
        return bool(router.call("isTombstoned", circuit_id))
