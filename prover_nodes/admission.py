"""Admission: what a proof will take, by what was measured, and whether it can be promised in time."""

import threading
from dataclasses import dataclass, field

from prover_nodes.policy import Skip, SkipCode, predicted_seconds
from prover_nodes.ports import Circuit
from prover_nodes.slots import Promise, ProvingSlots

_MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Admission:
    """Promises proofs of circuits. Thread-safe.

    Attributes:
        slots: where proofs are made.
        limit_bytes: what one proving process may use: assumed where nothing was measured.
    """

    slots: ProvingSlots
    limit_bytes: int
    _alone: set[bytes] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def predicted_seconds(self, circuit: Circuit) -> float:
        """Return how long a proof should take."""
        return predicted_seconds(circuit)

    def memory_bytes(self, circuit: Circuit) -> int:
        """Return what a proof should use at most."""
        measured = circuit.expected_peak_bytes()
        if measured is not None and measured > self.slots.memory_bytes:
            return measured
        with self._lock:
            if circuit.verifying_key_digest in self._alone:
                return self.slots.memory_bytes
        return min(self.limit_bytes, self.slots.memory_bytes) if measured is None else measured

    def prove_alone(self, circuit: Circuit) -> None:
        """Make proofs of a circuit beside no other from now on: one ran out of memory."""
        with self._lock:
            self._alone.add(circuit.verifying_key_digest)

    def refusal(self, circuit: Circuit, within_seconds: float) -> Skip | None:
        """Return why a proof could not be promised now; promises nothing.

        Args:
            circuit: what would be proved.
            within_seconds: when the proof must be done, counted from now.
        """
        memory, seconds = self.memory_bytes(circuit), self.predicted_seconds(circuit)
        if memory > self.slots.memory_bytes:
            there_is = _mebibytes(self.slots.memory_bytes)
            return Skip(SkipCode.TOO_BIG, f"{circuit.name} takes {_mebibytes(memory)}, there is {there_is}")
        wait = self.slots.seconds_until_free(memory)
        if wait + seconds > within_seconds:
            note = f"{wait:.0f} s of others' proofs, {seconds:.0f} s of its own, {within_seconds:.0f} s left"
            return Skip(SkipCode.QUEUE_TOO_LONG, note)
        return None

    def promise(self, circuit: Circuit, *, within_seconds: float = float("inf")) -> Promise | Skip:
        """Promise a proof, or say why not.

        Args:
            circuit: what will be proved.
            within_seconds: when the proof must be done, counted from now.

        Returns:
            A promise, to be given to `ProvingSlots.make` or `withdraw`; or the reason against it.
        """
        while (refusal := self.refusal(circuit, within_seconds)) is None:
            seconds, memory = self.predicted_seconds(circuit), self.memory_bytes(circuit)
            promise = self.slots.promise(seconds, memory, within_seconds=within_seconds)
            if promise is not None:
                return promise
        return refusal

    def owe(self, circuit: Circuit) -> Promise:
        """Return a promise of a proof that collateral hangs on already, whatever stands against it."""
        memory = min(self.memory_bytes(circuit), self.slots.memory_bytes)
        promise = self.slots.promise(self.predicted_seconds(circuit), memory)
        assert promise is not None  # it fits, and has all the time there is
        return promise


def _mebibytes(number: int) -> str:
    return f"{-(-number // _MEBIBYTE)} MiB"
