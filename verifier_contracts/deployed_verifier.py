"""A circuit's verifier exactly as a chain has it, run in this process.

The adapter's code must hash to the circuit's pin, and what it calls to the adapter's own pins; all of it
comes from a stranger and is checked before it runs. Whether that code verifies the right key is known only
to who compares it with what the key gives: see `expected_verifier`.
"""

from collections.abc import Callable
from typing import Literal

from eth_utils.address import to_checksum_address

from verifier_contracts.artifacts import ContractArtifact, load_artifact
from verifier_contracts.local_evm import LocalEvm
from verifier_contracts.shared_adapter import SharedAdapter
from verifier_contracts.shared_systems import SHARED_SYSTEMS, SharedSystem
from zkml.adapters.evm.abi import encode_call, function
from zkml.adapters.evm.reverts import RevertDecoder
from zkml.core.digests import keccak256
from zkml.core.identifiers import CircuitSpec
from zkml.core.tensors import unpack_input, unpack_output
from zkml.errors import ProofRejectedError, RevertedError, VerifierMismatchError

CodeOf = Callable[[str], bytes]
"""Returns the code that a chain has at an address."""

VerifierKind = Literal["generated", "shared", "other"]


class DeployedVerifier:
    """The code of one circuit's verifier, checked against its pins.

    Attributes:
        spec: the circuit, whose id the caller has re-derived.
        kind: `generated` for a verifier of this circuit alone, `shared` for one of all circuits with the
            circuit's key, each with the adapter of this version of zkml; `other` for anything else.
        adapter_code: code of the adapter.
        inner_code_hash: keccak256 of the code of the verifier that the adapter calls; None where it verifies
            by itself.
        inner_address: where that is, checksummed; None where the adapter calls none.
        shared: what the shared adapter pins; None for the other kinds.
        system: whose shared verifier it is; None for the other kinds.
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
        abis = [load_artifact("EzklVerifier").abi, *(system.code.abi for system in SHARED_SYSTEMS)]
        self._evm = LocalEvm(chain_id=chain_id, reverts=RevertDecoder(abis))
        self.adapter_code = _pinned(spec.adapter, spec.adapter_code_hash, code_of, "adapter")
        self._evm.place(spec.adapter, self.adapter_code)
        self.inner_address: str | None = None
        self.shared: SharedAdapter | None
        self.system: SharedSystem | None
        self.shared, self.system = self._shared_adapter(code_of)
        self.kind: VerifierKind = "other"
        if self.shared is not None:
            self.kind = "shared"
        elif _is_code_of(load_artifact("EzklVerifier"), self.adapter_code):
            self.kind = "generated"
        self.inner_code_hash = self._place_inner(code_of)
        if self.shared is not None:
            self._place_key(self.shared, code_of)

    @property
    def verifier_address(self) -> str | None:
        """Where the code is that decides: what the adapter calls, or else delegates to; None if unknown."""
        if self.inner_address is None and self.shared is not None:
            return self.shared.implementation
        return self.inner_address

    @property
    def is_shipped_adapter(self) -> bool:
        """Whether the adapter is one that comes with this version of zkml."""
        return self.kind != "other"

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

    def _shared_adapter(self, code_of: CodeOf) -> tuple[SharedAdapter, SharedSystem] | tuple[None, None]:
        """Return what a clone of a shared adapter of ours pins, having placed the code that it runs."""
        found = SharedAdapter.parse(self.adapter_code)
        if found is None:
            return None, None
        implementation = code_of(found.implementation)
        # Behind a clone of anything else there is no code that we know to look for.
        self._evm.place(found.implementation, implementation)
        for system in SHARED_SYSTEMS:
            if _is_code_of(system.code, implementation):
                return found, system
        return None, None

    def _place_inner(self, code_of: CodeOf) -> bytes | None:
        """Place the verifier that an adapter calls, if its own code has the address and hash of one."""
        address, code_hash = self._constant("verifier"), self._constant("verifierCodeHash")
        # An adapter may verify by itself; then there is nothing to place.
        if address is None or code_hash is None:
            return None
        inner = str(to_checksum_address(address[12:]))
        self._evm.place(inner, _pinned(inner, code_hash, code_of, "verifier"))
        self.inner_address = inner
        return code_hash

    def _place_key(self, shared: SharedAdapter, code_of: CodeOf) -> None:
        """Place the stored key, and register it as the chain's own verifier has it registered."""
        words, stored = shared.read_key(code_of)
        for address, code in stored.items():
            self._evm.place(address, code)
        if self.inner_address is not None:
            self._evm.transact(self.inner_address, _registration(words))

    def _constant(self, name: str) -> bytes | None:
        entry = function(load_artifact("EzklVerifier").abi, name)
        try:
            data = self._evm.call(self.spec.adapter, encode_call(entry, ()), gas_limit=100_000).data
        except RevertedError:
            return None
        return data if len(data) == 32 else None


def _registration(words: tuple[bytes, ...]) -> bytes:
    return encode_call(function(load_artifact("IHalo2ReusableVerifier").abi, "registerVka"), (words,))


def _is_code_of(contract: ContractArtifact, code: bytes) -> bool:
    try:
        contract.verify_code(code, where=contract.name)
    except VerifierMismatchError:
        return False
    return True


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
