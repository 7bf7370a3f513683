"""One job from its opening to its payment, in four parts that may run beside those of other jobs.

    prepare: evaluate, fetch, witness  ->  claim  ->  prove  ->  settle: check, settle, confirm

Each stage begins when the output of the one before is filed, so that a node that was killed goes on here
where it stood, and nothing that costs money is done twice.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from prover_nodes.claiming import Claiming
from prover_nodes.filing import Filing
from prover_nodes.journal import Case, Journal, Purpose, Stage
from prover_nodes.judge import TOMBSTONED, Judge, LeftAloneError
from prover_nodes.outbox import Outbox
from prover_nodes.policy import Skip, SkipCode, is_paid
from prover_nodes.ports import Circuit, Market
from prover_nodes.services.check import check_proof
from prover_nodes.services.prove import prove_claim
from prover_nodes.services.settle import find_settlement, settle_claim
from prover_nodes.work import Claimed, Paid, Prepared, Proved
from zkml.core.job_machine import JobFacts, JobStatus, payee_of, status_of
from zkml.core.records import ProofRecord, SettlementRecord, from_hex
from zkml.errors import BackendError, MarketError, ProverLimitError, TombstonedError, VerificationError

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The stages of one node. They may run in several threads, each on its own job.

    Attributes:
        claiming: the stages before the proof.
    """

    claiming: Claiming

    @property
    def judge(self) -> Judge:
        """Says which jobs are taken on."""
        return self.claiming.judge

    @property
    def journal(self) -> Journal:
        """The node's memory."""
        return self.claiming.filing.journal

    @property
    def market(self) -> Market:
        """The chain, as this prover sees it."""
        return self.judge.market

    @property
    def circuits(self) -> Sequence[Circuit]:
        """What the node can prove."""
        return self.judge.circuits

    @property
    def _filing(self) -> Filing:
        return self.claiming.filing

    @property
    def _outbox(self) -> Outbox:
        return self.claiming.outbox

    def prepare(self, case: Case) -> Prepared | Claimed | Proved | Paid | Skip:
        """Bring a job to where its claim is next, or as far as it was already.

        Raises:
            ZkmlError: a stage failed; what was filed stays, and the next call goes on there.
        """
        return self._unless_left_alone(case, lambda: self.claiming.prepare(case))

    def claim(self, prepared: Prepared) -> Claimed | Proved | Skip:
        """Claim a prepared job.

        Raises:
            ZkmlError: it could not be claimed; a transaction that was sent is kept.
        """
        return self._unless_left_alone(prepared.case, lambda: self.claiming.claim(prepared))

    def prove(self, claimed: Claimed) -> Proved | Skip:
        """Make the proof of a claimed job when its turn comes; asks no chain.

        Raises:
            ZkmlError: no proof could be made; it is not filed, and the claim stands.
        """
        return self._unless_left_alone(claimed.case, lambda: self._prove(claimed))

    def settle(self, work: Proved | Paid) -> SettlementRecord | Skip:
        """Check a proof, make it public and see to it that it is paid for.

        Raises:
            ZkmlError: a stage failed; what was filed stays.
        """
        if isinstance(work, Paid):
            return self._unless_left_alone(work.case, lambda: self._recover(work.case, work.proof))
        return self._unless_left_alone(work.case, lambda: self._settle(work))

    def drop(self, work: Prepared | Claimed) -> None:
        """Give up the slot of a job that will not be proved now."""
        self.judge.admission.slots.withdraw(work.promise)

    def _unless_left_alone(self, case: Case, step: Callable[[], Result]) -> Result | Skip:
        try:
            return step()
        except LeftAloneError as left:
            return left.skip
        except TombstonedError:
            return TOMBSTONED
        except MarketError:
            # Time passed or somebody moved while a stage was at work: the job's status says what is left.
            skip = self.judge.status_skip(self.market.facts(from_hex(case.request.job_id)))
            if skip is None:
                raise
            return skip

    # --- prove ---

    def _prove(self, claimed: Claimed) -> Proved:
        case, circuit, witness, claim = claimed.case, claimed.circuit, claimed.witness, claimed.claim
        context = self.market.context_of(from_hex(case.request.job_id))
        with self.judge.admission.slots.make(claimed.promise):
            try:
                proof = self._filing.filed(
                    case,
                    circuit,
                    Stage.PROVE,
                    ProofRecord,
                    lambda: prove_claim(
                        claim, witness, circuit, context=context, progress=self._filing.progress
                    ),
                )
            except (ProverLimitError, BackendError):
                # Most likely it had too little memory beside the others.
                self.judge.admission.prove_alone(circuit)
                raise
        return Proved(case, circuit, witness, claim, proof)

    # --- settle ---

    def _settle(self, proved: Proved) -> SettlementRecord:
        case, facts = proved.case, self.judge.look(proved.case.request)
        if is_paid(facts, self.market.account):
            return self._recover(case, proved.proof)
        self._await_turn(facts)
        checked = self._check(proved)
        return self._filing.filed(
            case,
            proved.circuit,
            Stage.SETTLE,
            SettlementRecord,
            lambda: settle_claim(
                case, proved.witness, proved.claim, checked, market=self.market, outbox=self._outbox
            ),
        )

    def _await_turn(self, facts: JobFacts) -> None:
        """Leave the job alone while the claimer before may still settle, and if it did."""
        now, prover = self.market.now(), self.market.account
        skip = self.judge.status_skip(facts)
        if skip is None and status_of(facts, now) is JobStatus.GRACE and payee_of(facts, now) != prover:
            note = f"{facts.previous_prover} may settle until {facts.grace_ends_at}"
            skip = Skip(SkipCode.IN_GRACE, note, look_again_at=facts.grace_ends_at + 1)
        if skip is not None:
            raise LeftAloneError(skip)

    def _check(self, proved: Proved) -> ProofRecord:
        case = proved.case
        if self.journal.last_transaction(case, Purpose.SETTLE) is not None:
            # It was checked before that was signed. Where the settlement waits to be mined, the chain's
            # next block has the job settled already, and would refuse a second one.
            return proved.proof
        try:
            return self._filing.timed(
                "check",
                proved.circuit,
                lambda: check_proof(
                    case.request,
                    proved.witness,
                    proved.proof,
                    circuit=proved.circuit,
                    market=self.market,
                    transactions=self._outbox.transactions,
                ),
            )
        except VerificationError as error:
            _log.warning("the node's own proof of job %s is refused: %s", case.request.job_id, error.message)
            self.journal.discard(case, Stage.PROVE)
            raise

    def _recover(self, case: Case, proof: ProofRecord) -> SettlementRecord:
        """Return the settlement of a job that an earlier run got paid for."""
        return self._filing.filed(
            case,
            None,
            Stage.SETTLE,
            SettlementRecord,
            lambda: find_settlement(case, proof, self.market, self._outbox),
        )
