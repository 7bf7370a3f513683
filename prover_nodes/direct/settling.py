"""From a checked proof to the payment: at once, again until it is mined and deep, and never twice."""

import logging

from prover_nodes.direct.parts import WORK_KIND, DirectParts
from prover_nodes.direct.proving import settlement_call
from prover_nodes.direct.requests import RequestCase, RequestProof, RequestStage, RequestState
from prover_nodes.direct.troubles import is_final, pause_after, reason_of
from prover_nodes.journal import Purpose
from zkml.adapters.evm.answers import TransactionReceipt
from zkml.core.records import SettlementRecord, WitnessRecord, from_hex
from zkml.errors import ArtifactNotFoundError, NotFinalError, RpcError, VerificationError, ZkmlError

CONFIRM_POLL_SECONDS = 1.0
TIME_TO_TELL = 0.5
"""Part of the settle margin that must be left when an output is told before it is paid for."""
HELD_UP = 3
"""So many attempts that failed, and the node accepts nothing new: it would answer for nothing."""

_log = logging.getLogger(__name__)


class Settling:
    """The stage that collects; `settle` is the work of a lane."""

    def __init__(self, parts: DirectParts) -> None:
        """Use the parts of a service."""
        self._parts = parts
        self._troubles: dict[str, tuple[int, str]] = {}

    def settle(self, request: str) -> float | None:
        """Settle a proved request; return when to look again, or None."""
        parts = self._parts
        try:
            case = parts.journal.case(request)
            if case.state is not RequestState.PROVED:
                return None
            again = self._settle(case)
        except ZkmlError as error:
            return self._trouble(request, error)
        self._troubles.pop(request, None)
        return again

    def held_up(self) -> str:
        """Return why proved requests are not settled, where that was tried several times; else nothing."""
        for number, message in tuple(self._troubles.values()):
            if number >= HELD_UP:
                return message
        return ""

    def check_time(self, case: RequestCase) -> None:
        """Check that a proved request is paid, or that enough time is left to have it paid.

        Raises:
            NotFinalError: its output is told once it is paid, lest it is told for nothing.
            RpcError: the endpoint does not answer.
            StorageError: the journal does not.
        """
        parts = self._parts
        needed = parts.api.settle_margin_seconds * TIME_TO_TELL
        left = case.expiry - parts.market.now()
        trouble = self.held_up()
        if left >= needed and not trouble:
            return
        if case.state is RequestState.SETTLED or parts.deliveries.find(case.id, Purpose.SETTLE_SIGNED):
            return
        found = "settlements that cannot be sent" if trouble else f"{left} s"
        raise NotFinalError(
            f"expected {needed:g} s to settle request {case.id} before its output is told, found {found}",
            hint="the output is told once it is paid for: ask again",
            retry_after=1,
        )

    def is_collectible(self, case: RequestCase) -> bool:
        """Say whether a proved request is paid, or would be if it were settled now.

        Raises:
            NotFinalError: its settlement is sent, and the chain refuses another one: it is being mined.
            RpcError: the endpoint does not answer.
            StorageError: the journal does not.
        """
        parts = self._parts
        if case.state is RequestState.SETTLED or parts.deliveries.find(case.id, Purpose.SETTLE_SIGNED):
            return True
        try:
            parts.deliveries.simulate(settlement_call(parts, case, self.proved(case)))
        except RpcError:
            raise
        except ZkmlError as error:
            # It may have been mined since the first look, which is why it is refused now. An endpoint may
            # even have its effect before its receipt.
            if parts.deliveries.find(case.id, Purpose.SETTLE_SIGNED) is not None:
                return True
            if parts.deliveries.is_underway(case.id, Purpose.SETTLE_SIGNED):
                raise NotFinalError(
                    f"expected the settlement of request {case.id} to be mined, found it sent",
                    hint="the output is told once it is paid for: ask again",
                    retry_after=1,
                ) from error
            return False
        return True

    def proved(self, case: RequestCase) -> tuple[bytes, bytes, bytes]:
        """Return packed input, packed output and proof of a proved request.

        Raises:
            ArtifactNotFoundError: they are kept no longer.
        """
        witness, proof = self._records(case)
        return from_hex(witness.input), from_hex(witness.output), from_hex(proof.proof)

    def prove_seconds(self, case: RequestCase) -> float:
        """Return how long the proof of a proved request took; raises as `proved` does."""
        return self._records(case)[1].wall_seconds

    def _records(self, case: RequestCase) -> tuple[WitnessRecord, RequestProof]:
        journal = self._parts.journal
        witness = journal.read(case, RequestStage.WITNESS, WitnessRecord)
        proof = journal.read(case, RequestStage.PROVE, RequestProof)
        if witness is None or proof is None:
            raise ArtifactNotFoundError(
                f"expected output and proof of request {case.id}, found that they are kept no longer",
                hint="a settled request's are on chain: zkml tab answer",
            )
        return witness, proof

    def _settle(self, case: RequestCase) -> float | None:
        parts = self._parts
        receipt = parts.deliveries.find(case.id, Purpose.SETTLE_SIGNED)
        if receipt is None:
            call = settlement_call(parts, case, self.proved(case))
            receipt = parts.deliveries.deliver(case.id, Purpose.SETTLE_SIGNED, call)
            _log.info("request %s is settled by %s", case.id, receipt.transaction)
        if not parts.deliveries.is_confirmed(receipt):
            return CONFIRM_POLL_SECONDS
        self._finish(case, receipt.transaction, receipt.block, receipt)
        return None

    def _finish(
        self, case: RequestCase, transaction: str, block: int, receipt: TransactionReceipt | None
    ) -> None:
        parts = self._parts
        _, proof = self._records(case)
        gas = receipt.gas_used if receipt else 0
        record = SettlementRecord(
            proof_record=proof.own_digest,
            transaction=transaction,
            block=block,
            gas_used=gas,
            prover_fee=case.accepted.request.prover_fee,
        )
        if parts.journal.read(case, RequestStage.SETTLE, SettlementRecord) is None:
            parts.journal.file(case, RequestStage.SETTLE, record)
        self._troubles.pop(case.id, None)
        now = parts.market.now()
        if parts.journal.mark(case, RequestState.SETTLED, now=now, expected=(RequestState.PROVED,)):
            seconds = float(max(0, now - case.accepted.accepted_at))
            fee = int(case.accepted.request.prover_fee)
            parts.observer.work_settled(WORK_KIND, fee=fee, gas=gas, seconds=seconds)
        parts.feed.changed(case.id)

    def _trouble(self, request: str, error: ZkmlError) -> float | None:
        number = self._troubles.get(request, (0, ""))[0] + 1
        self._troubles[request] = number, error.message
        try:
            return self._judge(self._parts.journal.case(request), error, number)
        except ZkmlError as second:
            _log.warning("request %s waits to be settled: %s", request, second.message)
            return pause_after(number)

    def _judge(self, case: RequestCase, error: ZkmlError, number: int) -> float | None:
        parts = self._parts
        _log.warning("request %s is not settled yet: %s", case.id, error.message)
        is_over = parts.market.now() > case.expiry
        if is_final(error) or isinstance(error, VerificationError) or is_over:
            found = parts.market.settlement_of(case.digest)
            if found is not None:
                receipt = parts.deliveries.find(case.id, Purpose.SETTLE_SIGNED)
                self._finish(case, found.transaction, found.block, receipt)
                return None
            is_gone = parts.market.tab(case.accepted.tab_id) is None
            if is_over or not is_gone:
                self._lose(case, error)
                return None
        parts.observer.work_failed(WORK_KIND, error.code, given_up=False)
        parts.journal.note(case, reason_of(error), now=parts.market.now())
        return pause_after(number)

    def _lose(self, case: RequestCase, error: ZkmlError) -> None:
        """Note that a proof will not be paid: its tab, its circuit or its time is over."""
        parts = self._parts
        _log.error("request %s will not be paid: %s", case.id, error.message)
        now, reason = parts.market.now(), reason_of(error)
        if parts.journal.mark(
            case, RequestState.FAILED, now=now, reason=reason, expected=(RequestState.PROVED,)
        ):
            parts.observer.work_failed(WORK_KIND, error.code, given_up=True)
        self._troubles.pop(case.id, None)
        parts.feed.changed(case.id)
