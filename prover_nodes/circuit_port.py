"""A circuit this node can prove, over a bundle and its proof system."""

import contextlib
from pathlib import Path

from circuits.bundle import Bundle
from circuits.port import ProofSystem, WitnessResult
from circuits.sample import prove_sample
from circuits.verification import verify_proof
from circuits.verifier_source import shared_key, shared_verifier_source, verifier_source
from verifier_contracts.codegen import compile_shared_verifier, compile_verifier
from verifier_contracts.expected_verifier import ExpectedVerifier
from verifier_contracts.gas_limit import least_gas_limit, measured_gas_limit
from verifier_contracts.shared_key import SharedKey
from zkml.adapters.process.child import Limits
from zkml.core.digests import digest_bytes, keccak256
from zkml.core.identifiers import proof_system_id
from zkml.core.progress import Progress
from zkml.core.records import ProofFile, to_hex
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import CircuitError, InstanceMismatchError, StorageError, ToolchainError, WitnessError


class BundleCircuit:
    """Implements `prover_nodes.ports.Circuit`.

    The witness file is private and stays below `work`, which only its owner may enter, until the proof is
    made. Losing it costs nothing: it is computed again.
    """

    def __init__(
        self, bundle: Bundle, system: ProofSystem, *, work: Path, verifiers: Path, limits: Limits
    ) -> None:
        """Use a bundle whose files were just checked.

        Args:
            bundle: opened with all roles.
            system: the proof system that its manifest names.
            work: directory for witnesses.
            verifiers: folder of compiled verifiers.
            limits: memory and time of the verifying process.
        """
        self._bundle = bundle
        self._system = system
        self._work = work
        self._verifiers = verifiers
        self._limits = limits
        self._expected: dict[bytes, ExpectedVerifier] = {}
        self._shared_key: SharedKey | None = None
        self._tried_shared_key = False
        self.name = bundle.manifest.name
        self.verifying_key_digest = digest_bytes(bundle.manifest.verifying_key)
        self.batch = bundle.manifest.batch
        self.layout: TensorLayout = bundle.manifest.tensor_layout
        self.domain: InputDomain = bundle.manifest.input_domain
        self.proof_system_id = proof_system_id(bundle.manifest.proof_system)

    def shared_key_digest(self) -> bytes | None:
        """Return the digest of the key that the shared verifier takes; None where it cannot be made here."""
        if not self._tried_shared_key:
            self._tried_shared_key = True
            with contextlib.suppress(CircuitError, ToolchainError):
                self._shared_key = SharedKey.parse(shared_key(self._bundle))
        return None if self._shared_key is None else self._shared_key.digest

    def expected_verifier(self, key_digest: bytes) -> ExpectedVerifier:
        """Return what the verifier has to be; generated once a process, compiled once a machine."""
        if key_digest not in self._expected:
            self._expected[key_digest] = self._make_verifier(key_digest)
        return self._expected[key_digest]

    def least_gas_limit(self, key_digest: bytes, *, progress: Progress) -> int:
        """Return the least gas limit that suffices; proves a sample where it was not measured before."""
        measured = measured_gas_limit(
            self.expected_verifier(key_digest),
            lambda: prove_sample(self._bundle, self._system, scratch=self._work, progress=progress),
            cache_dir=self._verifiers,
        )
        return least_gas_limit(measured)

    def expected_prove_seconds(self) -> float | None:
        """Return how long a proof should take here, or None when nobody knows yet."""
        return self._system.expected_prove_seconds(self._bundle)

    def witness(self, packed_input: bytes, *, progress: Progress) -> tuple[bytes, float]:
        """Compute the circuit on an input; see `ProofSystem.witness`."""
        made = self._witness(packed_input, progress)
        return made.output, made.wall_seconds

    def prove(self, packed_input: bytes, packed_output: bytes, *, progress: Progress) -> tuple[bytes, float]:
        """Prove that the circuit maps this input to this output; see `ProofSystem.prove`."""
        try:
            witness = self._system.load_witness(self._bundle, packed_input, self._witness_path(packed_input))
        except WitnessError:
            witness = self._witness(packed_input, progress)
        made = self._system.prove(self._bundle, witness, progress=progress)
        self._check_tensors(made.proof, packed_input, packed_output)
        self._witness_path(packed_input).unlink(missing_ok=True)
        return bytes.fromhex(made.proof.proof[2:]), made.wall_seconds

    def verify(self, packed_input: bytes, packed_output: bytes, proof: bytes) -> None:
        """Check a proof with the circuit's own verifier; see `circuits.verification`."""
        manifest = self._bundle.manifest
        portable = ProofFile(
            system=manifest.system,
            system_version=manifest.system_version,
            circuit=manifest.circuit,
            verifying_key=manifest.verifying_key,
            input=to_hex(packed_input),
            output=to_hex(packed_output),
            proof=to_hex(proof),
        )
        verify_proof(self._bundle, portable, limits=self._limits)

    def _make_verifier(self, key_digest: bytes) -> ExpectedVerifier:
        if key_digest == self.verifying_key_digest:
            source, key = verifier_source(self._bundle), None
            code = compile_verifier(source, cache_dir=self._verifiers).runtime_code
        else:
            source, key = shared_verifier_source(self._bundle), SharedKey.parse(shared_key(self._bundle))
            code = compile_shared_verifier(source, cache_dir=self._verifiers).runtime_code
        return ExpectedVerifier(
            code=code,
            layout=self.layout,
            weight_commitment=self._bundle.manifest.weight_commitment,
            key_digest=self.verifying_key_digest if key is None else key.digest,
            key=key,
        )

    def _witness(self, packed_input: bytes, progress: Progress) -> WitnessResult:
        try:
            self._work.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"expected a writable {self._work}, found {error.strerror}") from error
        path = self._witness_path(packed_input)
        return self._system.witness(self._bundle, packed_input, path, progress=progress)

    def _witness_path(self, packed_input: bytes) -> Path:
        name = keccak256(self.verifying_key_digest + packed_input).hex()
        return self._work / f"{name[:32]}.witness.json"

    @staticmethod
    def _check_tensors(proof: ProofFile, packed_input: bytes, packed_output: bytes) -> None:
        """A proof of anything but what was witnessed would be refused by the chain, at our cost."""
        if (proof.input, proof.output) != (to_hex(packed_input), to_hex(packed_output)):
            raise InstanceMismatchError("expected a proof of the witnessed input and output, found another")
