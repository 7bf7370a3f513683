"""From an accepted request to a checked proof: open its tab if need be, witness, prove, check."""

import logging
import time
from collections.abc import Callable

from prover_nodes.direct.catalogue import ServedCircuit
from prover_nodes.direct.cover import check_covered
from prover_nodes.direct.funds import check_funds
from prover_nodes.direct.openings import send_opening
from prover_nodes.direct.parts import WORK_KIND, DirectParts
from prover_nodes.direct.requests import (
    UNPROVED,
    RequestCase,
    RequestProof,
    RequestStage,
    RequestState,
)
from prover_nodes.direct.troubles import (
    MAX_FAILURES,
    is_final,
    is_requesters,
    is_surroundings,
    pause_after,
    reason_of,
)
from prover_nodes.work import label_of
from zkml.adapters.evm.transactions import Call
from zkml.core.records import WitnessRecord, from_hex, to_hex
from zkml.core.tabs import check_request
from zkml.errors import TabRefusedError, VerificationError, ZkmlError

TAB_POLL_SECONDS = 1.0
LOADING_POLL_SECONDS = 0.2

_log = logging.getLogger(__name__)


class Proving:
    """The stages before a request is answered; `open_tab` and `prove` are the work of two lanes."""

    def __init__(
        self, parts: DirectParts, *, opened: Callable[[str], None], proved: Callable[[str], None]
    ) -> None:
        """Use the parts of a service.

        Args:
            parts: what the stages work with.
            opened: told of a request whose tab is open, deep enough.
            proved: told of a request whose proof is checked.
        """
        self._parts = parts
        self._opened = opened
        self._proved = proved
        self._troubles: dict[str, int] = {}

    def open_tab(self, request: str) -> float | None:
        """Open a request's tab, unless it is open; return when to look again, or None."""
        return self._guarded(request, self._open)

    def prove(self, request: str) -> float | None:
        """Take a request as far as a checked proof; return when to try again, or None."""
        return self._guarded(request, self._prove)

    def _guarded(self, request: str, work: Callable[[RequestCase], float | None]) -> float | None:
        """Do work on a request, and turn what goes wrong into a state or a pause."""
        parts = self._parts
        try:
            case = parts.journal.case(request)
            if case.state not in UNPROVED:
                return None
            if not parts.catalogue.is_loaded:
                return LOADING_POLL_SECONDS
            again = work(case)
        except ZkmlError as error:
            return self._trouble(request, error)
        self._troubles.pop(request, None)
        return again

    def _trouble(self, request: str, error: ZkmlError) -> float | None:
        number = self._troubles[request] = self._troubles.get(request, 0) + 1
        try:
            return self._judge(self._parts.journal.case(request), error, number)
        except ZkmlError as second:
            # Disk and chain may fail together; the request stays where the journal has it.
            _log.warning("request %s waits: %s", request, second.message)
            return pause_after(number)

    def _judge(self, case: RequestCase, error: ZkmlError, number: int) -> float | None:
        parts = self._parts
        _log.warning("request %s: %s", case.id, error.message)
        if is_requesters(error):
            self.give_up(case, RequestState.REFUSED, reason_of(error))
            return None
        if (now := parts.market.now()) > case.expiry:
            late = TabRefusedError(
                f"expected a proof until {case.expiry}, found none at {now} ({error.code})"
            )
            self.give_up(case, RequestState.FAILED, reason_of(late))
            return None
        if isinstance(error, TabRefusedError) and parts.market.tab(case.accepted.tab_id) is None:
            # A reorg undid its opening, and may bring it back.
            return pause_after(number)
        if is_final(error):
            self.give_up(case, RequestState.FAILED, reason_of(error))
            return None
        is_ours = not is_surroundings(error)
        if is_ours and parts.journal.count_failure(case, now=parts.market.now()) >= MAX_FAILURES:
            self.give_up(case, RequestState.FAILED, reason_of(error))
            return None
        parts.observer.work_failed(WORK_KIND, error.code, given_up=False)
        parts.journal.note(case, reason_of(error), now=parts.market.now())
        return pause_after(number)

    def give_up(self, case: RequestCase, state: RequestState, reason: str) -> None:
        """End a request without a proof: its price is free again on its tab."""
        parts = self._parts
        now = parts.market.now()
        if parts.journal.mark(case, state, now=now, reason=reason, expected=UNPROVED):
            parts.observer.work_failed(WORK_KIND, reason.partition(" ")[0], given_up=True)
        parts.promises.drop(case.id)
        self._troubles.pop(case.id, None)
        parts.feed.changed(case.id)

    def _open(self, case: RequestCase) -> float | None:
        parts, opening = self._parts, case.accepted.opening
        tab = parts.market.tab(case.accepted.tab_id)
        if tab is None:
            if opening is None:
                raise TabRefusedError(f"expected tab {case.accepted.request.tab_id}, found none")
            # An input without a witness is worth no gas.
            self._witness(case, self._served(case))
            send_opening(parts, opening, case.accepted.tab_id)
        if not parts.market.is_tab_deep(case.accepted.tab_id, parts.policy.confirmations):
            return TAB_POLL_SECONDS
        self._check_opened(case)
        self._opened(case.id)
        return None

    def _check_opened(self, case: RequestCase) -> None:
        """Check the tab as it was opened: what model and platform ask may have changed before."""
        market = self._parts.market
        tab = market.tab(case.accepted.tab_id)
        if tab is None:
            raise TabRefusedError(f"expected tab {case.accepted.request.tab_id}, found none")
        check_request(tab, case.accepted.signed, market.now(), is_nonce_used=False)
        check_covered(market, self._parts.journal, case.accepted.request.tab_id)

    def _prove(self, case: RequestCase) -> float | None:
        parts = self._parts
        served = self._served(case)
        self._check_time(case, served)
        if parts.journal.mark(case, RequestState.WORKING, now=parts.market.now(), expected=UNPROVED):
            parts.feed.changed(case.id)
        witness = self._witness(case, served)
        proof = self._proof(case, served, witness)
        self._check(case, served, witness, proof)
        parts.journal.mark(case, RequestState.PROVED, now=parts.market.now(), expected=UNPROVED)
        parts.promises.drop(case.id)
        parts.feed.changed(case.id)
        self._proved(case.id)
        return None

    def _served(self, case: RequestCase) -> ServedCircuit:
        return self._parts.catalogue.circuit(from_hex(case.accepted.request.circuit_id))

    def _check_time(self, case: RequestCase, served: ServedCircuit) -> None:
        """Begin nothing that a restart has made too late."""
        now, filed = self._parts.market.now(), self._parts.journal.stages(case)
        needed = 0.0
        if RequestStage.PROVE not in filed:
            needed = self._parts.admission.predicted_seconds(served.circuit)
        if now + needed > case.expiry:
            raise TabRefusedError(
                f"expected {needed:.0f} s until the request expires, found {case.expiry - now}"
            )

    def _witness(self, case: RequestCase, served: ServedCircuit) -> WitnessRecord:
        parts = self._parts
        filed = parts.journal.read(case, RequestStage.WITNESS, WitnessRecord)
        if filed is not None:
            return filed
        progress = parts.feed.reporter(case.id, parts.progress)
        output, seconds = served.circuit.witness(case.accepted.packed_input, progress=progress)
        parts.observer.stage_finished(RequestStage.WITNESS, label_of(served.circuit), seconds)
        made = WitnessRecord(
            request=case.accepted.own_digest,
            input=case.accepted.input,
            output=to_hex(output),
            wall_seconds=seconds,
        )
        parts.journal.file(case, RequestStage.WITNESS, made)
        return made

    def _proof(self, case: RequestCase, served: ServedCircuit, witness: WitnessRecord) -> RequestProof:
        parts = self._parts
        filed = parts.journal.read(case, RequestStage.PROVE, RequestProof)
        if filed is not None:
            return filed
        progress = parts.feed.reporter(case.id, parts.progress)
        try:
            with parts.admission.slots.make(parts.promises.of(case.id, served.circuit)):
                proof, seconds = served.circuit.prove(
                    from_hex(witness.input),
                    from_hex(witness.output),
                    context=parts.market.context_of(case.accepted.signed),
                    progress=progress,
                )
        finally:
            # A promise is for one proof: another attempt needs another one.
            parts.promises.drop(case.id)
        parts.observer.stage_finished(RequestStage.PROVE, label_of(served.circuit), seconds)
        made = RequestProof(witness=witness.own_digest, proof=to_hex(proof), wall_seconds=seconds)
        parts.journal.file(case, RequestStage.PROVE, made)
        return made

    def _check(
        self, case: RequestCase, served: ServedCircuit, witness: WitnessRecord, proof: RequestProof
    ) -> None:
        """Verify here, then by the chain's own code at its head, and see that the tab covers everything."""
        parts = self._parts
        started = time.monotonic()
        proved = (from_hex(witness.input), from_hex(witness.output), from_hex(proof.proof))
        try:
            served.circuit.verify(*proved, context=parts.market.context_of(case.accepted.signed))
            parts.deliveries.simulate(settlement_call(parts, case, proved))
        except VerificationError:
            _log.warning("the node's own proof of request %s is refused", case.id)
            parts.journal.discard(case, RequestStage.PROVE)
            raise
        check_covered(parts.market, parts.journal, case.accepted.request.tab_id)
        check_funds(parts, served.settle_gas, requests=1)
        parts.observer.stage_finished("check", label_of(served.circuit), time.monotonic() - started)


def settlement_call(parts: DirectParts, case: RequestCase, proved: tuple[bytes, bytes, bytes]) -> Call:
    """Return the call that settles a proved request."""
    signature = from_hex(case.accepted.request.signature)
    return parts.market.plan_settle(case.accepted.signed, signature, proved)
