"""What a circuit's verifier has to be, from its own key: compared with what a chain has, byte for byte.

Behind a router entry may be code that accepts a genesis proof and refuses everything later, or accepts
anything. No sample proof can show that, so the code itself must be the right one.
"""

from dataclasses import dataclass
from typing import Literal

from verifier_contracts.deployed_verifier import DeployedVerifier
from verifier_contracts.local_verification import (
    VerificationGas,
    adapter_code,
    verify_in_local_evm,
    verify_shared_in_local_evm,
)
from verifier_contracts.shared_key import SharedKey
from zkml.core.digests import keccak256
from zkml.core.tensors import TensorLayout


@dataclass(frozen=True, slots=True)
class ExpectedVerifier:
    """A circuit's verifier as its bundle makes it.

    Attributes:
        code: runtime code of EZKL's verifier: the generated one, or the reusable one.
        layout: the circuit's public tensors.
        weight_commitment: 32 bytes; zeros where the key binds the weights.
        key_digest: what the router pins of the key: SHA-256 of the verifying key file for a generated
            verifier, keccak256 of the key's words for the shared one.
        key: the key that the shared verifier takes; None for a generated one.
    """

    code: bytes
    layout: TensorLayout
    weight_commitment: bytes
    key_digest: bytes
    key: SharedKey | None = None

    @property
    def kind(self) -> Literal["generated", "shared"]:
        """Which of the two verifiers it is."""
        return "generated" if self.key is None else "shared"

    @property
    def identity(self) -> bytes:
        """32 bytes that change with anything a verification's cost depends on."""
        layout = "/".join(str(number) for number in self.layout.as_abi())
        pins = self.weight_commitment + self.key_digest + layout.encode()
        return keccak256(keccak256(self.code) + pins + self.kind.encode())

    def verify(self, *, packed_input: bytes, packed_output: bytes, proof: bytes) -> VerificationGas:
        """Verify a proof in this process with this code and our adapter.

        Raises:
            ProofRejectedError: it refused; says why.
        """
        if self.key is None:
            return verify_in_local_evm(
                self.code,
                self.layout,
                packed_input=packed_input,
                packed_output=packed_output,
                proof=proof,
                weight_commitment=self.weight_commitment,
            )
        return verify_shared_in_local_evm(
            self.code,
            self.key,
            self.layout,
            packed_input=packed_input,
            packed_output=packed_output,
            proof=proof,
            weight_commitment=self.weight_commitment,
        )

    def difference_from(self, deployed: DeployedVerifier) -> str | None:
        """Say in words what a deployed verifier has that is foreign; None when it is this one.

        Args:
            deployed: a circuit's verifier, whose code was checked against its pins.
        """
        spec = deployed.spec
        if deployed.kind != self.kind or deployed.inner_address is None:
            return f"the adapter at {spec.adapter} is not the one of this version of zkml"
        if spec.verifying_key_digest != self.key_digest:
            return f"the circuit is pinned to another key, 0x{spec.verifying_key_digest.hex()}"
        if spec.weight_commitment != self.weight_commitment:
            return f"the circuit is pinned to other weights, 0x{spec.weight_commitment.hex()}"
        if deployed.inner_code_hash != keccak256(self.code):
            return f"the code at {deployed.inner_address} is not what the key generates"
        if not self._adapter_matches(deployed, deployed.inner_address):
            return f"the adapter at {spec.adapter} was made for another layout, key or weights"
        return None

    def _adapter_matches(self, deployed: DeployedVerifier, inner: str) -> bool:
        shared = deployed.shared
        if shared is not None:
            found = (shared.key_digest, shared.weight_commitment, shared.layout)
            return found == (self.key_digest, self.weight_commitment, self.layout)
        # Its constants are code too: under another layout than the router's it refuses every proof.
        made = adapter_code(inner, self.code, self.layout, self.weight_commitment)
        return keccak256(made) == deployed.spec.adapter_code_hash
