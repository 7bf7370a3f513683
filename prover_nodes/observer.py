"""What a node tells whoever counts: metrics and logs hang on this, and the stages know neither."""

from typing import Protocol


class Observer(Protocol):
    """Hears what happens; called from several threads, and must return at once."""

    def work_seen(self, kind: str) -> None:
        """A job was opened, or a request arrived; `kind` is `job` or `request`."""

    def work_skipped(self, kind: str, code: str) -> None:
        """Work was left alone; `code` is a `SkipCode` or the code of a refusal."""

    def work_failed(self, kind: str, code: str, *, given_up: bool) -> None:
        """A stage failed; `code` is that of the error."""

    def work_settled(self, kind: str, *, fee: int, gas: int, seconds: float) -> None:
        """Work was paid for.

        Args:
            kind: `job` or `request`.
            fee: in the payment token's smallest unit.
            gas: used by the settling transaction.
            seconds: from opening or arrival to settlement, in chain time for jobs.
        """

    def stage_finished(self, stage: str, circuit: str, seconds: float) -> None:
        """A stage ended well."""

    def queue_changed(self, stage: str, length: int) -> None:
        """So many pieces of work wait for a stage or are in it."""

    def transaction_sent(self, purpose: str, *, replacement: bool) -> None:
        """A transaction was broadcast for the first time; a replacement takes another one's nonce."""

    def gas_spent(self, purpose: str, *, gas: int, wei: int, succeeded: bool) -> None:
        """A transaction was mined."""

    def chain_read(self, head: int, chain_seconds: int) -> None:
        """The chain answered: height and time of its latest block."""

    def chain_failed(self, code: str) -> None:
        """The chain's endpoint failed."""

    def reorg_seen(self, depth: int) -> None:
        """So many blocks were replaced."""

    def proof_made(self, circuit: str, *, device: str, seconds: float, peak_bytes: int) -> None:
        """A proof was made; `device` is `cpu` or `gpu`, as the device's counters say."""


class SilentObserver:
    """Counts nothing: the default."""

    def work_seen(self, kind: str) -> None:
        """Ignore it."""

    def work_skipped(self, kind: str, code: str) -> None:
        """Ignore it."""

    def work_failed(self, kind: str, code: str, *, given_up: bool) -> None:
        """Ignore it."""

    def work_settled(self, kind: str, *, fee: int, gas: int, seconds: float) -> None:
        """Ignore it."""

    def stage_finished(self, stage: str, circuit: str, seconds: float) -> None:
        """Ignore it."""

    def queue_changed(self, stage: str, length: int) -> None:
        """Ignore it."""

    def transaction_sent(self, purpose: str, *, replacement: bool) -> None:
        """Ignore it."""

    def gas_spent(self, purpose: str, *, gas: int, wei: int, succeeded: bool) -> None:
        """Ignore it."""

    def chain_read(self, head: int, chain_seconds: int) -> None:
        """Ignore it."""

    def chain_failed(self, code: str) -> None:
        """Ignore it."""

    def reorg_seen(self, depth: int) -> None:
        """Ignore it."""

    def proof_made(self, circuit: str, *, device: str, seconds: float, peak_bytes: int) -> None:
        """Ignore it."""
