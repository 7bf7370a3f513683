"""Claiming: bring a job to where its proof is next: judged, fetched, witnessed, promised a slot, claimed."""

import logging
from dataclasses import dataclass, field

from prover_nodes.filing import Filing
from prover_nodes.journal import Case, CaseState, Journal, Stage
from prover_nodes.judge import Judge, LeftAloneError
from prover_nodes.outbox import Outbox
from prover_nodes.policy import Skip, SkipCode, holds_claim, is_paid, proof_due_in
from prover_nodes.ports import Circuit, Market
from prover_nodes.services.claim import claim_job
from prover_nodes.services.fetch import FetchedInput, fetch_input
from prover_nodes.services.stake import add_stake, collateral_of, plan_stake
from prover_nodes.services.witness import make_witness
from prover_nodes.slots import Promise
from prover_nodes.stake_turns import StakeTurns, Turn
from prover_nodes.work import Claimed, Paid, Prepared, Proved
from zkml.core.job_machine import JobFacts
from zkml.core.ports.store import ArtifactStore
from zkml.core.records import ClaimRecord, ProofRecord, WitnessRecord
from zkml.errors import ArtifactError, BindingError, LayoutError, StorageError, WitnessError

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claiming:
    """The first stages of a job.

    Attributes:
        judge: says which jobs are taken on.
        outbox: this prover's transactions.
        filing: keeps what stages gave.
        store: inputs by content address.
        input_limit_bytes: largest input to read by content address.
        turns: keeps claims from counting on the same stake.
    """

    judge: Judge
    outbox: Outbox
    filing: Filing
    store: ArtifactStore
    input_limit_bytes: int
    turns: StakeTurns = field(default_factory=StakeTurns)

    @property
    def _journal(self) -> Journal:
        return self.filing.journal

    @property
    def _market(self) -> Market:
        return self.judge.market

    def prepare(self, case: Case) -> Prepared | Claimed | Proved | Paid:
        """Do what comes before a job's claim, or find how much further it is already.

        Raises:
            LeftAloneError: why it is left alone.
        """
        facts = self.judge.look(case.request)
        if is_paid(facts, self._market.account):
            return self._paid(case)
        filed = self._journal.read(case, Stage.CLAIM, ClaimRecord)
        circuit = self.judge.take_on(case.request, facts, is_promised=filed is not None)
        fetched = self.filing.filed(case, circuit, Stage.FETCH, FetchedInput, lambda: self._fetch(case))
        witness = self.filing.filed(
            case, circuit, Stage.WITNESS, WitnessRecord, lambda: self._witness(fetched, circuit)
        )
        # The witness took time, and so does a restart.
        facts = self.judge.look(case.request)
        promise = self._promise(case, circuit, facts, filed)
        try:
            if filed is not None and self._stands(facts, filed):
                return self._go_on(case, circuit, witness, filed, promise)
        except BaseException:
            self.judge.admission.slots.withdraw(promise)
            raise
        return Prepared(case, circuit, witness, facts, filed, promise)

    def claim(self, prepared: Prepared) -> Claimed | Proved:
        """Claim a prepared job; its promise is withdrawn where that fails.

        Raises:
            LeftAloneError: the stake does not allow it.
        """
        circuit, witness = prepared.circuit, prepared.witness
        try:
            case, claim = self._claim(prepared)
            return self._go_on(case, circuit, witness, claim, prepared.promise)
        except BaseException:
            self.judge.admission.slots.withdraw(prepared.promise)
            raise

    def _go_on(
        self, case: Case, circuit: Circuit, witness: WitnessRecord, claim: ClaimRecord, promise: Promise
    ) -> Claimed | Proved:
        proof = self._journal.read(case, Stage.PROVE, ProofRecord)
        if proof is None:
            return Claimed(case, circuit, witness, claim, promise)
        self.judge.admission.slots.withdraw(promise)
        return Proved(case, circuit, witness, claim, proof)

    def _promise(self, case: Case, circuit: Circuit, facts: JobFacts, filed: ClaimRecord | None) -> Promise:
        """Reserve the proof's slot before the claim: in time, unless collateral is at stake already."""
        admission, now = self.judge.admission, self._market.now()
        is_held = holds_claim(facts, self._market.account, now)
        if is_held or filed is not None:
            return admission.owe(circuit)
        promise = admission.promise(
            self.judge.take_on(case.request, facts),
            within_seconds=proof_due_in(facts, self.judge.policy, now),
        )
        if isinstance(promise, Skip):
            raise LeftAloneError(promise)
        return promise

    def _claim(self, prepared: Prepared) -> tuple[Case, ClaimRecord]:
        """Return the claim that stands, and the case under its number."""
        case, filed, witness = prepared.case, prepared.filed, prepared.witness
        if filed is not None:
            # A reorg undid it: the job is judged as a new one.
            self.judge.take_on(case.request, prepared.facts, is_promised=True)
        with self.turns.turn() as turn:
            self._stake(case, prepared.facts, turn)
            claim = self.filing.timed(
                Stage.CLAIM, prepared.circuit, lambda: claim_job(case, witness, self._market, self.outbox)
            )
        if filed is None:
            self._journal.file(case, Stage.CLAIM, claim)
            return case, claim
        if claim.transaction == filed.transaction:
            return case, filed
        _log.warning("job %s is claimed anew, a reorg undid %s", case.request.job_id, filed.transaction)
        case = self._journal.begin_claim(case, claim)
        return case, self._journal.read(case, Stage.CLAIM, ClaimRecord) or claim

    def _stake(self, case: Case, facts: JobFacts, turn: Turn) -> None:
        """Note that a claim is begun, and have free what it locks."""
        if holds_claim(facts, self._market.account, self._market.now()):
            self._journal.mark(case, CaseState.WORKING)
            turn.share(0)
            return
        if self._shares_stake(facts, turn):
            self._journal.mark(case, CaseState.WORKING)
            return
        policy, market = self.judge.policy, self._market
        plan = plan_stake(case, facts, policy=policy, market=market, outbox=self.outbox)
        if isinstance(plan, Skip):
            raise LeftAloneError(plan)
        self._journal.mark(case, CaseState.WORKING)
        if plan.suffices:
            turn.share(plan.needed)
            return
        systems = [circuit.proof_system_id for circuit in self.judge.circuits]
        add_stake(case, plan, systems, market=market, outbox=self.outbox)

    def _shares_stake(self, facts: JobFacts, turn: Turn) -> bool:
        """Reserve stake beside claims that are on their way; where it is too little, wait for them."""
        reserved = turn.reserved
        if not reserved:
            return False
        held, needed = self._market.stake(), collateral_of(facts, self._market)
        if held.registered and held.free - reserved >= needed:
            turn.share(needed)
            return True
        turn.wait_for_others()
        return False

    def _stands(self, facts: JobFacts, claim: ClaimRecord) -> bool:
        mined = self.outbox.transactions.receipt(claim.transaction) is not None
        return mined and holds_claim(facts, self._market.account, self._market.now())

    def _paid(self, case: Case) -> Paid:
        proof = self._journal.read(case, Stage.PROVE, ProofRecord)
        if proof is None:
            note = "settled by this account already, and the journal does not say how"
            raise LeftAloneError(Skip(SkipCode.NOT_OPEN, note, is_final=True))
        return Paid(case, proof)

    def _fetch(self, case: Case) -> FetchedInput:
        try:
            return fetch_input(case.request, self.store, limit_bytes=self.input_limit_bytes)
        except StorageError:
            raise
        except ArtifactError as error:
            raise LeftAloneError(Skip(SkipCode.INPUT_UNAVAILABLE, error.message)) from error
        except BindingError as error:
            skip = Skip(SkipCode.UNPROVABLE_INPUT, error.message, is_final=True)
            raise LeftAloneError(skip) from error

    def _witness(self, fetched: FetchedInput, circuit: Circuit) -> WitnessRecord:
        try:
            return make_witness(fetched, circuit, progress=self.filing.progress)
        except (WitnessError, LayoutError) as error:
            skip = Skip(SkipCode.UNPROVABLE_INPUT, error.message, is_final=True)
            raise LeftAloneError(skip) from error
