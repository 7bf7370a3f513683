"""Who asks: an account on a market, what it trusts, and where it keeps what it signs."""

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from eth_account.signers.local import LocalAccount
from filelock import FileLock, Timeout

from zkml.adapters.system_clock import SystemClock
from zkml.client.call_journal import CallJournal
from zkml.client.request_journal import RequestJournal
from zkml.client.tab_journal import TabJournal
from zkml.config.home import Home
from zkml.config.settings import ClientSettings, Settings
from zkml.core.ports.clock import Clock
from zkml.core.ports.store import ArtifactStore
from zkml.core.verifier_classes import accepted_classes
from zkml.errors import HomeLockedError, StorageError
from zkml.wiring import Market, account_for, open_chain, open_market, open_store

_LOCK_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Requester:
    """One account's side of the calls that it pays on tabs.

    Attributes:
        market: chain and contracts.
        account: opens tabs and signs requests.
        directory: where signed openings, requests, calls and answers are kept.
        store: where manifests are looked up, and kept.
        settings: of the client.
        trusted: numbers of the verifier classes that are trusted on this chain.
        clock: this machine's time.
    """

    market: Market
    account: LocalAccount
    directory: Path
    store: ArtifactStore
    settings: ClientSettings
    trusted: frozenset[int]
    clock: Clock

    @property
    def requests(self) -> RequestJournal:
        """Signed requests by tab and nonce."""
        return RequestJournal(self.directory / "tabs")

    @property
    def openings(self) -> TabJournal:
        """Signed openings of tabs."""
        return TabJournal(self.directory / "tab-openings")

    @property
    def calls(self) -> CallJournal:
        """Paid calls whose answer may not have come."""
        return CallJournal(self.directory / "calls")

    @property
    def answers(self) -> Path:
        """Proofs that were paid for, by the request's digest."""
        return self.directory / "answers"

    @contextlib.contextmanager
    def alone(self, purpose: str) -> Iterator[None]:
        """Hold a lock among all threads and processes of this directory; the system frees it after a crash.

        Raises:
            HomeLockedError: another holds it for minutes.
            StorageError: the lock file cannot be written.
        """
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            lock = FileLock(self.directory / f"{purpose}.lock")
            lock.acquire(timeout=_LOCK_SECONDS)
        except Timeout as error:
            raise HomeLockedError(
                f"expected {purpose} of {self.directory} to be free, found another process at work",
                hint="wait for it, or use another home: ZKML_HOME=DIR",
            ) from error
        except OSError as error:
            raise StorageError(
                f"expected a writable directory, found {error.strerror} at {self.directory}"
            ) from error
        try:
            yield
        finally:
            lock.release()


def open_requester(
    settings: Settings,
    home: Home,
    environment: Mapping[str, str],
    *,
    market: Market | None = None,
    account: LocalAccount | None = None,
) -> Requester:
    """Return the requester of a home.

    Args:
        settings: of this run.
        home: of this run.
        environment: where ZKML_PRIVATE_KEY is looked up.
        market: the chain and its contracts, when they are open already.
        account: who asks; the requester's key of the home when None.

    Raises:
        ConfigError, ChainError: see `wiring.open_chain` and `wiring.open_market`.
        KeyFileError: see `wiring.account_for`.
    """
    market = market or open_market(home, open_chain(settings, home))
    if account is None:
        is_local = market.chain.is_local
        account = account_for("requester", settings, home, is_local=is_local, environment=environment)
    return Requester(
        market=market,
        account=account,
        directory=home.client,
        store=open_store(home),
        settings=settings.client,
        trusted=accepted_classes(settings.chain.accepted_classes, market.chain.chain_id),
        clock=SystemClock(),
    )
