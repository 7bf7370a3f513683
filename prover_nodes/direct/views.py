"""What clients are told of a request or a job: the journal's records as messages."""

from prover_nodes.direct.parts import DirectParts
from prover_nodes.direct.requests import RequestCase, RequestStage, RequestState
from prover_nodes.direct.settling import Settling
from prover_nodes.direct.troubles import problem_in
from prover_nodes.journal import Case, CaseState, Journal, Stage
from zkml.core.api_messages import (
    AttestationMessage,
    InferAnswer,
    JobMessage,
    SettlementMessage,
    State,
    caip2,
    problem_of,
)
from zkml.core.digests import keccak256
from zkml.core.records import ProofRecord, SettlementRecord, WitnessRecord, from_hex, to_hex
from zkml.errors import ArtifactNotFoundError, JobNotFoundError, NotFinalError, TabRefusedError

_JOB_STATES: dict[CaseState, State] = {
    CaseState.WAITING: "waiting",
    CaseState.WORKING: "working",
    CaseState.SETTLED: "settled",
    CaseState.CLOSED: "failed",
}
_TOLD = (RequestState.PROVED, RequestState.SETTLED)


class Views:
    """Reads for clients. Every method may raise RpcError and StorageError."""

    def __init__(self, parts: DirectParts, settling: Settling, jobs: Journal) -> None:
        """Read requests through `parts`, and jobs of the market from `jobs`."""
        self._parts = parts
        self._settling = settling
        self._jobs = jobs

    def answer(self, case: RequestCase) -> InferAnswer:
        """Return the proved output of a request that this node can collect for, now.

        Raises:
            NotFinalError: it is not proved yet, or is told once it is paid for: too late to be told before,
                or its settlement is being mined.
            TabRefusedError: its tab does not pay for it any more: then nobody is told the output.
            ArtifactNotFoundError: it is kept no longer.
        """
        if case.state not in _TOLD:
            raise NotFinalError(f"expected a proved request, found {case.id} {case.state}")
        self._settling.check_time(case)
        if not self._settling.is_collectible(case):
            raise TabRefusedError(
                f"expected a tab that pays for request {case.id}, found that it does not any more",
                hint="tab, circuit or time are over; nothing was paid",
            )
        packed_input, packed_output, proof = self._settling.proved(case)
        return InferAnswer(
            id=case.id,
            request=case.accepted.request,
            prover=case.accepted.prover,
            input=to_hex(packed_input),
            output=to_hex(packed_output),
            proof=to_hex(proof),
            prove_seconds=self._settling.prove_seconds(case),
        )

    def settlement(self, case: RequestCase) -> SettlementMessage | None:
        """Return the transaction that paid for a request, or None."""
        record = self._parts.journal.read(case, RequestStage.SETTLE, SettlementRecord)
        if record is None or case.state is not RequestState.SETTLED:
            return None
        return _settlement(record)

    def request(self, case: RequestCase) -> JobMessage:
        """Return what this node knows of a request."""
        answer = problem = None
        if case.state in _TOLD:
            try:
                answer = self.answer(case)
            except NotFinalError:
                # Its settlement is under way: there is nothing to tell yet.
                pass
            except (TabRefusedError, ArtifactNotFoundError) as error:
                problem = problem_of(error)
        elif case.state in (RequestState.REFUSED, RequestState.FAILED):
            problem = problem_in(case.reason, case.state)
        return JobMessage(
            id=case.id,
            kind="request",
            state=case.state.wire,
            stages=self._parts.journal.stages(case),
            answer=answer,
            settlement=self.settlement(case),
            problem=problem,
        )

    def find(self, name: str) -> JobMessage:
        """Return what this node knows of a request or of a job of the market.

        Raises:
            JobNotFoundError: neither is known here.
        """
        case = self._parts.journal.find(name)
        return self._job(self._job_case(name)) if case is None else self.request(case)

    def attestation(self, name: str) -> AttestationMessage:
        """Return where anybody finds the proof of settled work on chain.

        Raises:
            JobNotFoundError: neither request nor job of this id is known here.
            NotFinalError: it is not settled yet.
        """
        case = self._parts.journal.find(name)
        if case is None:
            return self._job_attestation(self._job_case(name))
        record = self._parts.journal.read(case, RequestStage.SETTLE, SettlementRecord)
        if record is None or case.state is not RequestState.SETTLED:
            raise _unsettled(name, case.state)
        proved = self._settling.proved(case)
        return self._attestation(name, case.accepted.request.circuit_id, proved, record)

    def _job_case(self, name: str) -> Case:
        try:
            return self._jobs.case_of(name)
        except LookupError:
            raise JobNotFoundError(
                f"expected a job or request of this node, found none with id {name}"
            ) from None

    def _job(self, case: Case) -> JobMessage:
        record = self._jobs.read(case, Stage.SETTLE, SettlementRecord)
        problem = problem_in(f"ZK-MKT-003 {case.reason}", RequestState.FAILED)
        return JobMessage(
            id=case.request.job_id,
            kind="job",
            state=_JOB_STATES[case.state],
            stages=tuple(stage.value for stage in Stage if self._jobs.has(case, stage)),
            settlement=None if record is None else _settlement(record),
            problem=problem if case.state is CaseState.CLOSED else None,
        )

    def _job_attestation(self, case: Case) -> AttestationMessage:
        record = self._jobs.read(case, Stage.SETTLE, SettlementRecord)
        witness = self._jobs.read(case, Stage.WITNESS, WitnessRecord)
        proof = self._jobs.read(case, Stage.PROVE, ProofRecord)
        if record is None or witness is None or proof is None:
            raise _unsettled(case.request.job_id, case.state)
        proved = (from_hex(witness.input), from_hex(witness.output), from_hex(proof.proof))
        return self._attestation(case.request.job_id, case.request.circuit_id, proved, record)

    def _attestation(
        self, name: str, circuit_id: str, proved: tuple[bytes, bytes, bytes], record: SettlementRecord
    ) -> AttestationMessage:
        digests = [to_hex(keccak256(part)) for part in proved]
        return AttestationMessage(
            id=name,
            network=caip2(self._parts.market.chain_id),
            manager=self._parts.market.manager,
            circuit_id=circuit_id,
            input_commitment=digests[0],
            output_hash=digests[1],
            proof_hash=digests[2],
            settlement=_settlement(record),
            record=record.own_digest,
        )


def _settlement(record: SettlementRecord) -> SettlementMessage:
    return SettlementMessage(
        transaction=record.transaction,
        block=record.block,
        gas_used=record.gas_used,
        prover_fee=record.prover_fee,
    )


def _unsettled(name: str, state: str) -> NotFinalError:
    return NotFinalError(f"expected settled work, found {name} {state}", hint="ask again once it is settled")
