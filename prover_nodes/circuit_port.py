"""A circuit this node can prove, over a bundle and its proof system."""

import contextlib
import threading
from pathlib import Path

from circuits.bundle import Bundle
from circuits.measurements import Measured
from circuits.port import ProofSystem
from circuits.portable_proof import portable_proof
from circuits.sample import sample_input
from circuits.verification import verify_proof
from circuits.verifier_source import VerifierChoice, choose_verifier
from prover_nodes.observer import Observer, SilentObserver
from prover_nodes.workers.local import LocalWorker
from prover_nodes.workers.port import Proved, Worker
from verifier_contracts.expected_verifier import ExpectedVerifier
from verifier_contracts.gas_limit import least_gas_limit, measured_gas_limit
from zkml.adapters.process.child import Limits
from zkml.circuit_verifiers import make_shared_key, make_verifier
from zkml.core.digests import Digest, digest_bytes
from zkml.core.identifiers import proof_system_id
from zkml.core.progress import Progress, labelled
from zkml.core.records import NO_CONTEXT, ProofFile, from_hex
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import CircuitError, InstanceMismatchError, ToolchainError, UnsuitableCircuitError

_UNBOUND = from_hex(NO_CONTEXT)
"""The context of a sample, which nobody is paid for."""


class BundleCircuit:
    """Implements `prover_nodes.ports.Circuit`; threads may use it at once."""

    def __init__(
        self,
        bundle: Bundle,
        system: ProofSystem,
        *,
        work: Path,
        verifiers: Path,
        limits: Limits,
        observer: Observer | None = None,
        worker: Worker | None = None,
    ) -> None:
        """Use a bundle whose files were just checked.

        Args:
            bundle: opened with all roles.
            system: the proof system that its manifest names.
            work: directory for witnesses.
            verifiers: folder of compiled verifiers.
            limits: memory and time of the verifying process.
            observer: hears of each proof.
            worker: who computes and proves; this machine when None.
        """
        self._bundle = bundle
        self._verifiers = verifiers
        self._limits = limits
        self._observer: Observer = observer or SilentObserver()
        self._worker: Worker = worker or LocalWorker(bundle, system, work)
        self._making = threading.RLock()
        self._expected: dict[bytes, ExpectedVerifier] = {}
        self._shared_key_digest: bytes | None = None
        self._tried_shared_key = False
        self.name = bundle.manifest.name
        self.verifying_key_digest = digest_bytes(bundle.manifest.verifying_key)
        self.batch = bundle.manifest.batch
        self.proof_bytes = bundle.manifest.proof_bytes
        self.layout: TensorLayout = bundle.manifest.tensor_layout
        self.domain: InputDomain = bundle.manifest.input_domain
        self.proof_system_id = proof_system_id(bundle.manifest.proof_system)
        self.label = f"{self.name}@{self.verifying_key_digest.hex()[:8]}"
        self.circuit_digest: Digest = bundle.manifest.circuit

    def shared_key_digest(self) -> bytes | None:
        """Return the digest of the key that the shared verifier takes; None where it cannot be made here."""
        with self._making:
            if not self._tried_shared_key:
                self._tried_shared_key = True
                with contextlib.suppress(CircuitError, ToolchainError, UnsuitableCircuitError):
                    self._shared_key_digest = make_shared_key(self._bundle).digest
        return self._shared_key_digest

    def usual_key_digest(self) -> bytes:
        """Return the digest of the key that the usual verifier of the circuit's system takes.

        Raises:
            CircuitError, ToolchainError, UnsuitableCircuitError: it cannot be made here.
        """
        if choose_verifier(self._bundle.manifest, None) == "generated":
            return self.verifying_key_digest
        return make_shared_key(self._bundle).digest

    def expected_verifier(self, key_digest: bytes) -> ExpectedVerifier:
        """Return what the verifier has to be; generated once a process, compiled once a machine."""
        with self._making:
            if key_digest not in self._expected:
                self._expected[key_digest] = self._make_verifier(key_digest)
            return self._expected[key_digest]

    def least_gas_limit(self, key_digest: bytes, *, progress: Progress) -> int:
        """Return the least gas limit that suffices; proves a sample where it was not measured before."""
        measured = measured_gas_limit(
            self.expected_verifier(key_digest),
            lambda: self._prove_sample(progress),
            cache_dir=self._verifiers,
        )
        return least_gas_limit(measured)

    def measured(self, stage: str) -> Measured | None:
        """Return what `witness` or `prove` took where it is done, or None when it never ran there."""
        return self._worker.measured(stage)

    def forget_measured(self) -> None:
        """Forget what the stages took where they are done."""
        self._worker.forget_measured()

    def measure_once(self, *, progress: Progress) -> Proved:
        """Make and check one proof of a sample, whose figures are remembered.

        Raises:
            ProvingError: it could not be made.
            VerificationError: it does not hold.
        """
        packed = sample_input(self._bundle)
        computed = self._worker.witness(packed, progress=progress)
        made = self.prove_any(packed, context=_UNBOUND, progress=progress)
        self.verify(packed, computed.output, made.proof, context=_UNBOUND)
        return made

    def expected_prove_seconds(self) -> float | None:
        """Return how long a proof should take here, or None when nobody knows yet."""
        found = self.measured("prove")
        return None if found is None else found.seconds

    def expected_witness_seconds(self) -> float | None:
        """Return how long a witness should take here, or None when nobody knows yet."""
        found = self.measured("witness")
        return None if found is None else found.seconds

    def expected_peak_bytes(self) -> int | None:
        """Return the resident memory that a proof should need here, or None when nobody looked."""
        found = self.measured("prove")
        return None if found is None else found.peak_bytes

    def witness(self, packed_input: bytes, *, progress: Progress) -> tuple[bytes, float]:
        """Compute the circuit on an input; see `Worker.witness`."""
        made = self._worker.witness(packed_input, progress=progress)
        return made.output, made.seconds

    def prove(
        self, packed_input: bytes, packed_output: bytes, *, context: bytes, progress: Progress
    ) -> tuple[bytes, float]:
        """Prove that the circuit maps this input to this output; see `Worker.prove`."""
        made = self.prove_any(packed_input, context=context, progress=progress)
        if made.output != packed_output:
            # The chain would refuse it, at our cost.
            raise InstanceMismatchError("expected a proof of the witnessed input and output, found another")
        return made.proof, made.seconds

    def prove_any(self, packed_input: bytes, *, context: bytes, progress: Progress) -> Proved:
        """Prove whatever the circuit makes of an input, and tell the observer; raises as `Worker.prove`."""
        made = self._worker.prove(packed_input, context=context, progress=progress)
        self._observer.proof_made(
            self.label, device=made.device, seconds=made.seconds, peak_bytes=made.peak_bytes
        )
        return made

    def verify(self, packed_input: bytes, packed_output: bytes, proof: bytes, *, context: bytes) -> None:
        """Check a proof with the circuit's own verifier; see `circuits.verification`."""
        manifest = self._bundle.manifest
        portable = portable_proof(manifest, packed_input, packed_output, proof, context=context)
        verify_proof(self._bundle, portable, context=context, limits=self._limits)

    def close(self) -> None:
        """End what is under way; doing it again changes nothing."""
        self._worker.close()

    def _prove_sample(self, progress: Progress) -> ProofFile:
        packed = sample_input(self._bundle)
        made = self.prove_any(packed, context=_UNBOUND, progress=labelled(progress, lambda: "sample"))
        return portable_proof(self._bundle.manifest, packed, made.output, made.proof, context=_UNBOUND)

    def _make_verifier(self, key_digest: bytes) -> ExpectedVerifier:
        is_generated = key_digest == self.verifying_key_digest
        choice: VerifierChoice = "generated" if is_generated else "shared"
        return make_verifier(self._bundle, choice, cache_dir=self._verifiers).expected
