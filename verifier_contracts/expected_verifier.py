"""What a circuit's verifier has to be, from its own key: compared with what a chain has, byte for byte.

Behind a router entry may be code that accepts a genesis proof and refuses everything later, or accepts
anything. No sample proof can show that, so the code itself must be the right one.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from verifier_contracts.deployed_verifier import DeployedVerifier, VerifierKind
from verifier_contracts.local_verification import (
    VerificationGas,
    adapter_code,
    verify_in_local_evm,
    verify_shared_in_local_evm,
)
from verifier_contracts.shared_key import SharedKey
from verifier_contracts.shared_systems import SharedSystem
from zkml.core.digests import keccak256
from zkml.core.tensors import TensorLayout


@dataclass(frozen=True, slots=True)
class ExpectedVerifier(ABC):
    """A circuit's verifier as its bundle makes it.

    Attributes:
        layout: the circuit's public tensors.
        weight_commitment: 32 bytes; zeros where the key binds the weights.
        key_digest: what the router pins of the key: SHA-256 of the verifying key file for a generated
            verifier, keccak256 of the key's words for the shared one.
    """

    layout: TensorLayout
    weight_commitment: bytes
    key_digest: bytes

    @property
    @abstractmethod
    def kind(self) -> VerifierKind:
        """Which of the verifiers it is, as `DeployedVerifier.kind` says it."""

    @property
    def identity(self) -> bytes:
        """32 bytes that change with anything a verification's cost depends on."""
        layout = "/".join(str(number) for number in self.layout.as_abi())
        pins = self.weight_commitment + self.key_digest + layout.encode()
        return keccak256(self._code_identity() + pins + self.kind.encode())

    @abstractmethod
    def verify(self, *, packed_input: bytes, packed_output: bytes, proof: bytes) -> VerificationGas:
        """Verify a proof that is bound to no context, in this process with this code and our adapter.

        Raises:
            ProofRejectedError: it refused; says why.
        """

    def difference_from(self, deployed: DeployedVerifier) -> str | None:
        """Say in words what a deployed verifier has that is foreign; None when it is this one.

        Args:
            deployed: a circuit's verifier, whose code was checked against its pins.
        """
        spec = deployed.spec
        if not self._is_like(deployed):
            return f"the adapter at {spec.adapter} is not the one of this version of zkml"
        if spec.verifying_key_digest != self.key_digest:
            return f"the circuit is pinned to another key, 0x{spec.verifying_key_digest.hex()}"
        if spec.weight_commitment != self.weight_commitment:
            return f"the circuit is pinned to other weights, 0x{spec.weight_commitment.hex()}"
        if deployed.inner_code_hash != self._inner_code_hash():
            return f"the code at {deployed.inner_address} is not what the key generates"
        if not self._adapter_matches(deployed):
            return f"the adapter at {spec.adapter} was made for another layout, key or weights"
        return None

    @abstractmethod
    def _code_identity(self) -> bytes:
        """Return 32 bytes that change with the code that verifies."""

    @abstractmethod
    def _is_like(self, deployed: DeployedVerifier) -> bool:
        """Say whether a deployed verifier is of this kind, with our adapter."""

    @abstractmethod
    def _inner_code_hash(self) -> bytes | None:
        """Return keccak256 of the code that the adapter calls; None where it verifies by itself."""

    @abstractmethod
    def _adapter_matches(self, deployed: DeployedVerifier) -> bool:
        """Say whether the adapter is one of this layout, key and weights."""


@dataclass(frozen=True, slots=True)
class ExpectedGenerated(ExpectedVerifier):
    """A verifier of this circuit alone.

    Attributes:
        code: its runtime code.
    """

    code: bytes

    @property
    def kind(self) -> VerifierKind:
        """Which of the verifiers it is."""
        return "generated"

    def verify(self, *, packed_input: bytes, packed_output: bytes, proof: bytes) -> VerificationGas:
        """Verify a proof; see `ExpectedVerifier.verify`."""
        return verify_in_local_evm(
            self.code,
            self.layout,
            packed_input=packed_input,
            packed_output=packed_output,
            proof=proof,
            weight_commitment=self.weight_commitment,
        )

    def _code_identity(self) -> bytes:
        return keccak256(self.code)

    def _is_like(self, deployed: DeployedVerifier) -> bool:
        return deployed.kind == self.kind and deployed.inner_address is not None

    def _inner_code_hash(self) -> bytes:
        return keccak256(self.code)

    def _adapter_matches(self, deployed: DeployedVerifier) -> bool:
        # Its constants are code too: under another layout than the router's it refuses every proof.
        assert deployed.inner_address is not None  # `_is_like` looked
        made = adapter_code(deployed.inner_address, self.code, self.layout, self.weight_commitment)
        return keccak256(made) == deployed.spec.adapter_code_hash


@dataclass(frozen=True, slots=True)
class ExpectedShared(ExpectedVerifier):
    """The verifier of all circuits of a system, with this circuit's key.

    Attributes:
        system: whose it is.
        key: what it takes.
        inner_code: runtime code of the verifier that it calls; None where it verifies by itself.
    """

    system: SharedSystem
    key: SharedKey
    inner_code: bytes | None

    @property
    def kind(self) -> VerifierKind:
        """Which of the verifiers it is."""
        return "shared"

    def verify(self, *, packed_input: bytes, packed_output: bytes, proof: bytes) -> VerificationGas:
        """Verify a proof; see `ExpectedVerifier.verify`."""
        return verify_shared_in_local_evm(
            self.system,
            self.inner_code,
            self.key,
            self.layout,
            packed_input=packed_input,
            packed_output=packed_output,
            proof=proof,
            weight_commitment=self.weight_commitment,
        )

    def _code_identity(self) -> bytes:
        return keccak256(self.system.code.runtime_code + (self._inner_code_hash() or b""))

    def _is_like(self, deployed: DeployedVerifier) -> bool:
        return deployed.system is self.system

    def _inner_code_hash(self) -> bytes | None:
        return None if self.inner_code is None else keccak256(self.inner_code)

    def _adapter_matches(self, deployed: DeployedVerifier) -> bool:
        shared = deployed.shared
        found = shared and (shared.key_digest, shared.weight_commitment, shared.layout)
        return found == (self.key_digest, self.weight_commitment, self.layout)
