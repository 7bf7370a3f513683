"""A circuit's verifier exactly as a chain has it, run in this process.

The adapter's code must hash to the circuit's pin, and the generated verifier's code to the adapter's; both
come from a stranger and are checked before they run. Whether that code verifies the right key is not
known here: the circuit's class says what its pin is worth.
"""

from collections.abc import Callable

from eth_utils.address import to_checksum_address

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.local_evm import LocalEvm
from zkml.adapters.evm.abi import encode_call, function
from zkml.adapters.evm.reverts import RevertDecoder
from zkml.core.digests import keccak256
from zkml.core.identifiers import CircuitSpec
from zkml.core.tensors import unpack_input, unpack_output
from zkml.errors import ProofRejectedError, RevertedError, VerifierMismatchError

CodeOf = Callable[[str], bytes]
"""Returns the code that a chain has at an address."""


class DeployedVerifier:
    """The code of one circuit's verifier, checked against its pins.

    Attributes:
        spec: the circuit, whose id the caller has re-derived.
        is_shipped_adapter: whether the adapter is the one that comes with this version of zkml.
        inner_code_hash: keccak256 of the generated verifier's code; None where the adapter has none.
        inner_address: where the generated verifier is, checksummed; None where the adapter has none.
    """

    def __init__(self, spec: CircuitSpec, code_of: CodeOf, *, chain_id: int) -> None:
        """Fetch the code and check it.

        Args:
            spec: the circuit.
            code_of: fetches code from the chain.
            chain_id: what the code sees as `block.chainid`.

        Raises:
            VerifierMismatchError: code on the chain is not the pinned code.
            RpcError: from `code_of`.
        """
        self.spec = spec
        artifact = load_artifact("EzklVerifier")
        self._evm = LocalEvm(chain_id=chain_id, reverts=RevertDecoder([artifact.abi]))
        adapter_code = _pinned(spec.adapter, spec.adapter_code_hash, code_of, "adapter")
        self._evm.place(spec.adapter, adapter_code)
        try:
            artifact.verify_code(adapter_code, where=spec.adapter)
            self.is_shipped_adapter = True
        except VerifierMismatchError:
            self.is_shipped_adapter = False
        self.inner_address: str | None = None
        self.inner_code_hash = self._place_inner(code_of)

    def verify(self, *, context: bytes, packed_input: bytes, packed_output: bytes, proof: bytes) -> int:
        """Verify a proof as the router would: lengths, domain, then the adapter with its gas limit.

        Args:
            context: 32 bytes that the proof is bound to, where its system can.
            packed_input: the input.
            packed_output: the output.
            proof: the proof.

        Returns:
            Gas of the adapter's execution.

        Raises:
            LayoutError: a length is wrong.
            DomainError: an input element lies outside the circuit's domain.
            ProofRejectedError: the deployed code refused; says why.
        """
        self.spec.domain.check(unpack_input(self.spec.layout, packed_input))
        unpack_output(self.spec.layout, packed_output)
        entry = function(load_artifact("IProofVerifier").abi, "verify")
        calldata = encode_call(entry, (context, packed_input, packed_output, proof))
        try:
            result = self._evm.call(self.spec.adapter, calldata, gas_limit=self.spec.gas_limit)
        except RevertedError as error:
            revert = error.context.get("revert")
            raise ProofRejectedError(
                "expected the deployed verifier to accept the proof, found that it refused: "
                f"{revert.describe() if revert else error.message}",
                hint="the proof is not one of this input and output, or belongs to another circuit",
                adapter=self.spec.adapter,
            ) from error
        if result.data:
            raise ProofRejectedError(
                f"expected no return data of the adapter, found {len(result.data)} bytes "
                f"at {self.spec.adapter}"
            )
        return result.gas_used

    def _place_inner(self, code_of: CodeOf) -> bytes | None:
        """Place the generated verifier, whose address and code hash are constants in the adapter's code."""
        address, code_hash = self._constant("verifier"), self._constant("verifierCodeHash")
        # An adapter of another proof system may verify by itself; then there is nothing to place.
        if address is None or code_hash is None:
            return None
        inner = str(to_checksum_address(address[12:]))
        self._evm.place(inner, _pinned(inner, code_hash, code_of, "verifier"))
        self.inner_address = inner
        return code_hash

    def _constant(self, name: str) -> bytes | None:
        entry = function(load_artifact("EzklVerifier").abi, name)
        try:
            data = self._evm.call(self.spec.adapter, encode_call(entry, ()), gas_limit=100_000).data
        except RevertedError:
            return None
        return data if len(data) == 32 else None


def _pinned(address: str, code_hash: bytes, code_of: CodeOf, what: str) -> bytes:
    code = code_of(address)
    found = keccak256(code)
    if found != code_hash:
        raise VerifierMismatchError(
            f"expected {what} code of hash 0x{code_hash.hex()}, found 0x{found.hex()} at {address}",
            hint="the code changed after it was pinned, or the endpoint lies",
            address=address,
        )
    return code
