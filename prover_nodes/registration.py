"""Have this node in the prover registry, with the endpoint where clients reach it.

Clients ask registered provers alone, also where their user names the node.
"""

import logging
import threading

from prover_nodes.build import NodeParts
from prover_nodes.halting import Halted
from prover_nodes.journal import Purpose
from prover_nodes.services.stake import MAX_PROOF_SYSTEMS
from zkml.errors import ZkmlError

_SUBJECT = "endpoint"
MAX_SUBJECT_LENGTH = 71
"""What the journal has room for."""

_log = logging.getLogger(__name__)


class EndpointNotice:
    """Writes the account and its endpoint into the registry while the other components work already."""

    name = "endpoint"

    def __init__(self, parts: NodeParts, endpoint: str, *, retry_seconds: float = 1.0) -> None:
        """Prepare to write it; after a failure it is tried again, less and less often.

        Args:
            parts: of the node.
            endpoint: see `publish_endpoint`.
            retry_seconds: pause after the first failure.
        """
        self._parts = parts
        self._endpoint = endpoint
        self._retry_seconds = retry_seconds
        self._what = "the endpoint" if endpoint else "the account"
        self._problem = f"{self._what} is not in the prover registry yet"
        self._thread = threading.Thread(target=self._write, name="zkml-endpoint", daemon=True)
        self._over = threading.Event()

    def start(self) -> None:
        """Begin, in a thread."""
        self._thread.start()

    def drain(self) -> None:
        """Try no more."""
        self._over.set()

    def is_idle(self) -> bool:
        """Say that nobody waits for it."""
        return True

    def stop(self) -> None:
        """End."""
        self._over.set()
        if self._thread.is_alive():
            self._thread.join()

    def problem(self) -> str:
        """Say what keeps it from being written."""
        return self._problem

    def failure(self) -> BaseException | None:
        """Say that the node works without it."""
        return None

    def _write(self) -> None:
        pause = self._retry_seconds
        while not self._over.is_set():
            try:
                publish_endpoint(self._parts, self._endpoint)
            except Halted:
                return
            except ZkmlError as error:
                self._problem = f"{self._what} is not in the prover registry: {error.code}: {error.message}"
                _log.warning("%s", self._problem)
                self._over.wait(pause)
                pause = min(60.0, 2 * pause)
            else:
                self._problem = ""
                return


def publish_endpoint(parts: NodeParts, endpoint: str) -> str | None:
    """Register the account with an endpoint, or change its endpoint, where the registry says otherwise.

    Registering locks nothing; stake is added when a claim needs it.

    Args:
        parts: of the node.
        endpoint: base URL of its API; empty to leave the one of a registered account as it is.

    Returns:
        The transaction, or None where the registry says so already.

    Raises:
        ChainError: see `Outbox.deliver`.
    """
    provers, account = parts.chain_market.provers, parts.account.address
    systems = sorted({circuit.proof_system_id for circuit in parts.circuits})[:MAX_PROOF_SYSTEMS]
    call = provers.contract.plan("register", endpoint, systems)
    subject = f"{_SUBJECT}:{parts.journal.scope}"[:MAX_SUBJECT_LENGTH]
    sent = None
    # What an earlier start has sent is waited for first, and may name another endpoint.
    for _ in range(2):
        is_registered = provers.stake_of(account).registered
        if is_registered and endpoint in {"", provers.profile_of(account).endpoint}:
            break
        receipt = parts.outbox.deliver(subject, Purpose.ENDPOINT, call, repeat=True, label=_SUBJECT)
        sent = receipt.transaction
        _log.info("the prover registry has %s at %s: %s", account, endpoint or "no endpoint", sent)
    return sent
