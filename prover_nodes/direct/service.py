"""The direct service: requests on tabs from the desk to the payment, in lanes of its own.

    accept -> [open the tab] -> witness -> prove -> check -> answer -> settle -> confirm

What is accepted is in the journal before it is promised, and each stage's output before the next begins: a
node that was killed goes on with what is left, and settles first what is proved.
"""

import logging
import threading

from prover_nodes.direct.artifacts import PublicArtifacts
from prover_nodes.direct.desk import Asked, Desk
from prover_nodes.direct.lanes import Lane
from prover_nodes.direct.offers import Offers
from prover_nodes.direct.parts import WORK_KIND, DirectParts
from prover_nodes.direct.proving import Proving
from prover_nodes.direct.requests import UNPROVED, RequestCase, RequestState
from prover_nodes.direct.settling import Settling
from prover_nodes.direct.views import Views
from prover_nodes.journal import Journal
from zkml.core.api_messages import ModelOffer
from zkml.errors import ZkmlError

REFRESH_SECONDS = 20.0
"""How often the chain is asked which models there are."""
RETRY_REFRESH_SECONDS = 2.0
_REFRESH = "refresh"
_FORGET = "forget"
_FORGET_SECONDS = 600.0

_log = logging.getLogger(__name__)


class DirectService:
    """Implements `prover_nodes.supervisor.Component`, and what the API asks of a node.

    Attributes:
        parts: what its stages work with.
        views: what clients are told.
        artifacts: what is given out by content address.
    """

    name = "requests"

    def __init__(
        self, parts: DirectParts, jobs: Journal, artifacts: PublicArtifacts, *, settlers: int
    ) -> None:
        """Make a service that does not run yet.

        Args:
            parts: what the stages work with.
            jobs: the journal of the market's jobs, to tell clients of them.
            artifacts: what is given out by content address.
            settlers: how many settlements at once.
        """
        self.parts = parts
        self.artifacts = artifacts
        self._draining = threading.Event()
        self._proving = Proving(parts, opened=self._queue_proof, proved=self._queue_settlement)
        self._settling = Settling(parts)
        self.views = Views(parts, self._settling, jobs)
        clock = parts.clock
        changed = parts.observer.queue_changed
        self._openings = Lane("open-tab", self._proving.open_tab, clock, changed=changed)
        # One more than proofs are made at once: it witnesses the next while they are.
        proofs = parts.admission.slots.count + 1
        self._proofs = Lane("prove-request", self._proving.prove, clock, threads=proofs, changed=changed)
        self._settlements = Lane(
            "settle-request", self._settling.settle, clock, threads=settlers, changed=changed
        )
        self._chores = Lane("requests-chores", self._chore, clock)
        self._offers = Offers(parts)
        self._desk = Desk(parts, self._offers, self.waiting, obstacle=self._obstacle)
        self._trouble = ""

    # --- Component ------------------------------------------------------------------------------

    def start(self) -> None:
        """Go on with what the journal holds, and begin to accept.

        Raises:
            StorageError: the journal cannot be read.
        """
        left = self.parts.journal.unsettled()
        for case in left:
            self._queue(case)
        if left:
            _log.info("%d requests go on", len(left))
        self._chores.put(_REFRESH)
        self._chores.put(_FORGET)
        for lane in self._lanes:
            lane.start()

    def drain(self) -> None:
        """Accept nothing new; what was accepted is proved and settled."""
        self._draining.set()

    def is_idle(self) -> bool:
        """Say whether everything that was accepted is settled or given up."""
        return not any(lane.length() for lane in (self._openings, self._proofs, self._settlements))

    def stop(self) -> None:
        """End; what is not done goes on at the next start."""
        self._draining.set()
        self.parts.halt.set()
        for lane in self._lanes:
            lane.stop()

    def problem(self) -> str:
        """Return why it cannot do its work now; empty where it can."""
        for lane in self._lanes:
            if lane.defect is not None:
                return f"lane {lane.name} stopped: {type(lane.defect).__name__}"
        if trouble := self._settling.held_up():
            return f"settlements cannot be sent: {trouble}"
        if not self.parts.catalogue.is_loaded:
            return self._trouble or "it has only begun to look which models there are"
        return self._trouble

    def failure(self) -> BaseException | None:
        """Return what ended a lane for good, or None."""
        return next((lane.defect for lane in self._lanes if lane.defect is not None), None)

    @property
    def is_draining(self) -> bool:
        """Whether nothing new is accepted."""
        return self._draining.is_set()

    # --- for the API ----------------------------------------------------------------------------

    def offers(self) -> tuple[ModelOffer, ...]:
        """Return an offer for each model; raises RpcError."""
        return tuple(self._offers.offer(model.did) for model in self.parts.catalogue.models())

    def offer(self, did: str, circuit_id: bytes | None = None) -> ModelOffer:
        """Return what one inference costs now; see `Offers.offer`."""
        return self._offers.offer(did, circuit_id)

    def check_open(self) -> None:
        """Check that new requests are taken on; see `Desk.check_open`."""
        self._desk.check_open()

    def submit(self, asked: Asked) -> RequestCase:
        """Accept a request and queue it, or return the one that was accepted before; see `Desk.accept`.

        Raises:
            ZkmlError: see `Desk.accept`.
        """
        try:
            case, is_new = self._desk.accept(asked)
        except ZkmlError as error:
            self.parts.observer.work_skipped(WORK_KIND, error.code)
            raise
        if is_new:
            self.parts.observer.work_seen(WORK_KIND)
            _log.info("request %s accepted for %s", case.id, case.accepted.price)
        # One that was accepted before may have been dropped between journal and lane.
        self._queue(case)
        return case

    def case(self, name: str) -> RequestCase:
        """Return a request that was submitted."""
        return self.parts.journal.case(name)

    def waiting(self) -> int:
        """Return how many requests are not proved yet."""
        return self._openings.length() + self._proofs.length()

    # --- lanes ----------------------------------------------------------------------------------

    @property
    def _lanes(self) -> tuple[Lane, ...]:
        return self._openings, self._proofs, self._settlements, self._chores

    def _queue(self, case: RequestCase) -> None:
        """Put a request into the lane where it goes on; one that is in a lane already stays there."""
        if case.state is RequestState.PROVED:
            self._settlements.put(case.id)
        elif case.state in UNPROVED:
            (self._proofs if case.accepted.opening is None else self._openings).put(case.id)

    def _obstacle(self) -> str:
        """Return why nothing new is taken on, in the words after "found"; empty where it is."""
        if self.is_draining:
            return "it about to stop"
        return "settlements that cannot be sent" if self._settling.held_up() else ""

    def _queue_proof(self, request: str) -> None:
        self._proofs.put(request)

    def _queue_settlement(self, request: str) -> None:
        self._settlements.put(request)

    def _chore(self, what: str) -> float:
        try:
            if what == _REFRESH:
                self.parts.catalogue.refresh()
                self._trouble = ""
                return REFRESH_SECONDS
            before = self.parts.market.now() - round(3600 * self.parts.api.keep_hours)
            self.parts.journal.forget(before=before)
        except ZkmlError as error:
            self._trouble = error.message
            return RETRY_REFRESH_SECONDS
        return _FORGET_SECONDS
