"""One job from its opening to its payment: fetch, witness, claim, prove, check, settle.

Each stage begins when the output of the one before is filed, so that a node that was killed goes on here
where it stood, and nothing that costs money is done twice.
"""

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from prover_nodes.journal import AnyRecord, Case, CaseState, Journal, Purpose, Stage
from prover_nodes.outbox import Outbox
from prover_nodes.policy import (
    Policy,
    Skip,
    SkipCode,
    evaluate,
    evaluate_named,
    evaluate_request,
    evaluate_status,
    holds_claim,
    is_paid,
)
from prover_nodes.ports import Circuit, Market, find_circuit
from prover_nodes.services.check import check_proof
from prover_nodes.services.claim import claim_job
from prover_nodes.services.fetch import FetchedInput, fetch_input
from prover_nodes.services.inspect import inspect_gas_limit, inspect_verifier
from prover_nodes.services.prove import prove_claim
from prover_nodes.services.settle import find_settlement, settle_claim
from prover_nodes.services.stake import add_stake, plan_stake
from prover_nodes.services.witness import make_witness
from zkml.core.identifiers import CircuitSpec
from zkml.core.job_machine import JobFacts, JobStatus, payee_of, status_of
from zkml.core.ports.store import ArtifactStore
from zkml.core.progress import Progress, ProgressEvent
from zkml.core.records import (
    ClaimRecord,
    JobRequest,
    ProofRecord,
    SettlementRecord,
    WitnessRecord,
    from_hex,
)
from zkml.errors import (
    ArtifactError,
    BindingError,
    LayoutError,
    MarketError,
    StorageError,
    TombstonedError,
    VerificationError,
    WitnessError,
)

_log = logging.getLogger(__name__)


class _LeftAloneError(Exception):
    """Ends a job's stages early; never leaves this module."""

    def __init__(self, skip: Skip) -> None:
        super().__init__(skip.reason)
        self.skip = skip


_TOMBSTONED = Skip(
    SkipCode.TOMBSTONED,
    "the circuit is tombstoned: no proof is paid, and a refund sets collateral free",
    is_final=True,
)


@dataclass(frozen=True, slots=True)
class Pipeline:
    """What the stages of one node work with.

    Attributes:
        market: the chain, as this prover sees it.
        outbox: this prover's transactions.
        journal: this node's memory.
        circuits: what it can prove.
        store: inputs by content address.
        policy: which jobs it takes on.
        input_limit_bytes: largest input to read by content address.
        progress: told where each stage is.
        specs: what circuit ids that were asked for are pinned to, which never changes.
        verdicts: what an inspection of the code behind a circuit id found, which never changes either.
    """

    market: Market
    outbox: Outbox
    journal: Journal
    circuits: Sequence[Circuit]
    store: ArtifactStore
    policy: Policy
    input_limit_bytes: int
    progress: Progress
    specs: dict[bytes, CircuitSpec] = field(default_factory=dict)
    verdicts: dict[bytes, Skip | None] = field(default_factory=dict)

    def screen(self, request: JobRequest, now: int) -> Skip | None:
        """Judge a waiting job by its opening and what is known of its circuit; asks nobody."""
        spec = self.specs.get(from_hex(request.circuit_id))
        circuit = None if spec is None else find_circuit(self.circuits, spec.verifying_key_digest)
        return evaluate_request(request, spec, circuit, self.policy, prover=self.market.account, now=now)

    def run(self, case: Case) -> SettlementRecord | Skip:
        """Take a job as far as it goes now.

        Returns:
            Its settlement, or why it was left alone.

        Raises:
            ZkmlError: a stage failed; what was filed stays, and the next run goes on there.
        """
        try:
            return self._run(case)
        except _LeftAloneError as left:
            return left.skip
        except TombstonedError:
            return _TOMBSTONED
        except MarketError:
            # Time passed or somebody moved while a stage was at work: the job's status says what is left.
            skip = self._status_skip(self.market.facts(from_hex(case.request.job_id)))
            if skip is None:
                raise
            return skip

    def _run(self, case: Case) -> SettlementRecord:
        facts = self._look(case.request)
        if is_paid(facts, self.market.account):
            return self._recover(case)
        circuit = self._take_on(case.request, facts)

        fetched = self._filed(case, Stage.FETCH, FetchedInput, lambda: self._fetch(case))
        witness = self._filed(case, Stage.WITNESS, WitnessRecord, lambda: self._witness(fetched, circuit))
        case, claim = self._claim(case, witness)
        proof = self._filed(
            case,
            Stage.PROVE,
            ProofRecord,
            lambda: prove_claim(claim, witness, circuit, progress=self.progress),
        )
        self._await_turn(case)
        checked = self._check(case, witness, proof, circuit)
        return self._filed(
            case,
            Stage.SETTLE,
            SettlementRecord,
            lambda: settle_claim(case, witness, claim, checked, market=self.market, outbox=self.outbox),
        )

    def _look(self, request: JobRequest) -> JobFacts:
        """Return the job's facts, which must be those of the event that announced it."""
        facts = self.market.facts(from_hex(request.job_id))
        spec = request.as_spec()
        stored = (
            *(facts.requester, facts.model_id, facts.circuit_id, facts.input_commitment, facts.quote),
            *(facts.min_prover_fee, facts.max_prover_fee, facts.ramp_seconds, facts.claim_seconds),
            *(facts.deadline, facts.restricted),
        )
        announced = (
            *(request.requester, spec.model_id, spec.circuit_id, spec.input_commitment),
            *(request.quote.as_quote(), spec.min_prover_fee, spec.max_prover_fee, spec.ramp_seconds),
            *(spec.claim_seconds, spec.deadline, bool(spec.provers)),
        )
        if stored != announced:
            raise BindingError(
                f"expected job {request.job_id} as its opening event has it, found other facts on chain",
                hint="the endpoint contradicts itself: use another one",
            )
        return facts

    def _take_on(self, request: JobRequest, facts: JobFacts) -> Circuit:
        """Return the job's circuit, unless the policy, a person or the verifier's code forbids the job."""
        spec = self._spec(facts.circuit_id)
        circuit = find_circuit(self.circuits, spec.verifying_key_digest)
        now, prover, terms = self.market.now(), self.market.account, self.market.collateral_terms()
        skip = evaluate(facts, spec, circuit, self.policy, terms, prover=prover, now=now)
        if skip is not None or circuit is None:
            raise _LeftAloneError(skip or Skip(SkipCode.UNKNOWN_CIRCUIT, "no bundle"))
        if self.market.is_tombstoned(facts.circuit_id):
            raise _LeftAloneError(_TOMBSTONED)
        if not holds_claim(facts, prover, now):
            skip = self._access_skip(request, facts) or self._inspect(facts.circuit_id, spec, circuit)
            if skip is not None:
                raise _LeftAloneError(skip)
        return circuit

    def _access_skip(self, request: JobRequest, facts: JobFacts) -> Skip | None:
        skip = evaluate_named(request, self.market.account)
        if skip is None and not self.market.may_prove(facts.model_id):
            return Skip(SkipCode.ACCESS_REFUSED, "the model is closed, and its owner granted no access")
        return skip

    def _status_skip(self, facts: JobFacts) -> Skip | None:
        """Return why a job's status ends the work on it; not where it was this prover who settled it."""
        if is_paid(facts, self.market.account):
            return None
        return evaluate_status(facts, self.policy, prover=self.market.account, now=self.market.now())

    def _spec(self, circuit_id: bytes) -> CircuitSpec:
        if circuit_id not in self.specs:
            self.specs[circuit_id] = self.market.circuit(circuit_id)
        return self.specs[circuit_id]

    def _inspect(self, circuit_id: bytes, spec: CircuitSpec, circuit: Circuit) -> Skip | None:
        """Return why no collateral may depend on this circuit's verifier; looked into once."""
        if circuit_id not in self.verdicts:
            self.verdicts[circuit_id] = inspect_verifier(
                spec, circuit, code_of=self.market.code_of, chain_id=self.market.chain_id
            ) or inspect_gas_limit(spec, circuit, progress=self.progress)
        return self.verdicts[circuit_id]

    def _fetch(self, case: Case) -> FetchedInput:
        try:
            return fetch_input(case.request, self.store, limit_bytes=self.input_limit_bytes)
        except StorageError:
            raise
        except ArtifactError as error:
            raise _LeftAloneError(Skip(SkipCode.INPUT_UNAVAILABLE, error.message)) from error
        except BindingError as error:
            skip = Skip(SkipCode.UNPROVABLE_INPUT, error.message, is_final=True)
            raise _LeftAloneError(skip) from error

    def _witness(self, fetched: FetchedInput, circuit: Circuit) -> WitnessRecord:
        try:
            return make_witness(fetched, circuit, progress=self.progress)
        except (WitnessError, LayoutError) as error:
            skip = Skip(SkipCode.UNPROVABLE_INPUT, error.message, is_final=True)
            raise _LeftAloneError(skip) from error

    def _claim(self, case: Case, witness: WitnessRecord) -> tuple[Case, ClaimRecord]:
        """Return the claim that stands, and the case under its number."""
        filed = self.journal.read(case, Stage.CLAIM, ClaimRecord)
        facts = self._look(case.request)
        if filed is not None and self._stands(facts, filed):
            return case, filed
        # The witness took time, and so does a restart.
        self._take_on(case.request, facts)
        self._stake(case, facts)
        claim = self._timed(Stage.CLAIM, lambda: claim_job(case, witness, self.market, self.outbox))
        if filed is None:
            self.journal.file(case, Stage.CLAIM, claim)
        elif claim.transaction != filed.transaction:
            _log.warning("job %s is claimed anew, a reorg undid %s", case.request.job_id, filed.transaction)
            case = self.journal.begin_claim(case, claim)
            claim = self.journal.read(case, Stage.CLAIM, ClaimRecord) or claim
        else:
            claim = filed
        return case, claim

    def _stake(self, case: Case, facts: JobFacts) -> None:
        """Note that a claim is begun, and have free what it locks."""
        if holds_claim(facts, self.market.account, self.market.now()):
            self.journal.mark(case, CaseState.WORKING)
            return
        plan = plan_stake(case, facts, policy=self.policy, market=self.market, outbox=self.outbox)
        if isinstance(plan, Skip):
            raise _LeftAloneError(plan)
        self.journal.mark(case, CaseState.WORKING)
        systems = [circuit.proof_system_id for circuit in self.circuits]
        add_stake(case, plan, systems, market=self.market, outbox=self.outbox)

    def _stands(self, facts: JobFacts, claim: ClaimRecord) -> bool:
        mined = self.outbox.transactions.receipt(claim.transaction) is not None
        return mined and holds_claim(facts, self.market.account, self.market.now())

    def _await_turn(self, case: Case) -> None:
        """Leave the job alone while the claimer before may still settle, and if it did."""
        facts, now, prover = self._look(case.request), self.market.now(), self.market.account
        skip = self._status_skip(facts)
        if skip is None and status_of(facts, now) is JobStatus.GRACE and payee_of(facts, now) != prover:
            note = f"{facts.previous_prover} may settle until {facts.grace_ends_at}"
            skip = Skip(SkipCode.IN_GRACE, note, look_again_at=facts.grace_ends_at + 1)
        if skip is not None:
            raise _LeftAloneError(skip)

    def _check(self, case: Case, witness: WitnessRecord, proof: ProofRecord, circuit: Circuit) -> ProofRecord:
        if self.journal.last_transaction(case, Purpose.SETTLE) is not None:
            # It was checked before that was signed. Where the settlement waits to be mined, the chain's
            # next block has the job settled already, and would refuse a second one.
            return proof
        try:
            return self._timed(
                "check",
                lambda: check_proof(
                    case.request,
                    witness,
                    proof,
                    circuit=circuit,
                    market=self.market,
                    transactions=self.outbox.transactions,
                ),
            )
        except VerificationError as error:
            _log.warning("the node's own proof of job %s is refused: %s", case.request.job_id, error.message)
            self.journal.discard(case, Stage.PROVE)
            raise

    def _recover(self, case: Case) -> SettlementRecord:
        """Return the settlement of a job that an earlier run got paid for."""
        proof = self.journal.read(case, Stage.PROVE, ProofRecord)
        if proof is None:
            note = "settled by this account already, and the journal does not say how"
            raise _LeftAloneError(Skip(SkipCode.NOT_OPEN, note, is_final=True))
        return self._filed(
            case,
            Stage.SETTLE,
            SettlementRecord,
            lambda: find_settlement(case, proof, self.market, self.outbox),
        )

    def _filed(
        self, case: Case, stage: Stage, kind: type[AnyRecord], make: Callable[[], AnyRecord]
    ) -> AnyRecord:
        """Return the filed output of a stage, or run the stage and file what it gives."""
        filed = self.journal.read(case, stage, kind)
        if filed is not None:
            return filed
        # The proof system reports on its own stages, and knows how long they should take.
        reports = stage in (Stage.WITNESS, Stage.PROVE)
        record = make() if reports else self._timed(stage, make)
        self.journal.file(case, stage, record)
        return record

    def _timed(self, stage: str, make: Callable[[], AnyRecord]) -> AnyRecord:
        started = time.monotonic()
        self.progress(ProgressEvent(str(stage)))
        record = make()
        self.progress(ProgressEvent(str(stage), time.monotonic() - started, finished=True))
        return record
