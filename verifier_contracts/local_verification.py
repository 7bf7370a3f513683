"""Verify a proof with the very code that the chain runs, in this process.

A generated verifier is run twice: alone, with instances built here, and through our adapter, which builds
them itself. Two ways to the same verdict, so a fault in one of them shows.
"""

from dataclasses import dataclass

from eth_utils.address import to_canonical_address

from verifier_contracts.artifacts import load_artifact
from verifier_contracts.local_evm import CALL_GAS_LIMIT, LocalEvm
from verifier_contracts.shared_key import SharedKey
from verifier_contracts.shared_systems import SharedSystem
from zkml.adapters.evm.abi import decode_values, encode_call, encode_constructor, function
from zkml.adapters.evm.reverts import RevertDecoder
from zkml.core.identifiers import ZERO32
from zkml.core.tensors import TensorLayout, instances_of
from zkml.errors import ProofRejectedError, RevertedError

NO_CONTEXT = bytes(32)
"""What is verified here was made for nobody: a system that binds contexts binds this one."""
_VERIFIER_ADDRESS = "0x00000000000000000000000000000000000e2c10"


@dataclass(frozen=True, slots=True)
class VerificationGas:
    """Gas of one accepted proof, without a transaction's base and calldata cost.

    Attributes:
        adapter: of our adapter, the verifier's included.
        verifier: of the generated verifier alone; None for the shared one, which is not run alone.
    """

    adapter: int
    verifier: int | None = None

    @property
    def recommended_limit(self) -> int:
        """The gas limit to pin for the circuit: a quarter above the cost, in steps of 10,000.

        The least that works is about 2 % above it, because the adapter and the verifier each keep a
        64th back (EIP-150); the rest is for inputs that cost more, and for a future rise of prices.
        """
        return -(-self.adapter * 5 // 4 // 10_000) * 10_000


def verify_in_local_evm(
    verifier_code: bytes,
    layout: TensorLayout,
    *,
    packed_input: bytes,
    packed_output: bytes,
    proof: bytes,
    weight_commitment: bytes = ZERO32,
    gas_limit: int = CALL_GAS_LIMIT,
) -> VerificationGas:
    """Verify a proof that the circuit maps an input to an output.

    Args:
        verifier_code: runtime code of the generated verifier.
        layout: the circuit's public tensors.
        packed_input: the input, packed.
        packed_output: the output, packed.
        proof: the proof's bytes.
        weight_commitment: the pin of committed weights; zeros where the key binds them.
        gas_limit: gas the adapter may use, as the router gives it.

    Returns:
        What verification costs.

    Raises:
        ProofRejectedError: the adapter or the verifier refused; says which and why.
        LayoutError: the layout is none that a contract accepts.
    """
    evm = LocalEvm(reverts=RevertDecoder([load_artifact("EzklVerifier").abi]))
    evm.place(_VERIFIER_ADDRESS, verifier_code)
    adapter = _deploy_adapter(evm, _VERIFIER_ADDRESS, layout, weight_commitment)
    adapter_gas = _verify_with(evm, adapter, (packed_input, packed_output, proof), gas_limit)
    instances = instances_of(layout, packed_input, packed_output)
    return VerificationGas(adapter_gas, verify_instances(verifier_code, instances, proof))


def verify_shared_in_local_evm(
    system: SharedSystem,
    inner_code: bytes | None,
    key: SharedKey,
    layout: TensorLayout,
    *,
    packed_input: bytes,
    packed_output: bytes,
    proof: bytes,
    weight_commitment: bytes = ZERO32,
    gas_limit: int = CALL_GAS_LIMIT,
) -> VerificationGas:
    """Verify a proof with a system's shared verifier, through a factory's adapter of the circuit's key.

    Args:
        system: whose verifier it is.
        inner_code: runtime code of the verifier that it calls; None where it verifies by itself.
        key: the circuit's key.
        layout: the circuit's public tensors.
        packed_input: the input, packed.
        packed_output: the output, packed.
        proof: the proof's bytes.
        weight_commitment: the pin of committed weights; zeros where the key binds them.
        gas_limit: gas the adapter may use, as the router gives it.

    Raises:
        ProofRejectedError: the adapter or the verifier refused; says why.
        RevertedError: the factory refuses the key or the layout.
    """
    artifact = load_artifact(system.factory)
    evm = LocalEvm(reverts=RevertDecoder([system.code.abi, artifact.abi]))
    arguments: tuple[bytes, ...] = ()
    if inner_code is not None:
        evm.place(_VERIFIER_ADDRESS, inner_code)
        arguments = (to_canonical_address(_VERIFIER_ADDRESS),)
    factory = evm.deploy(artifact.creation_code, encode_constructor(artifact.abi, arguments))
    evm.transact(factory, encode_call(function(artifact.abi, "storeKey"), (key.words,)))
    create = function(artifact.abi, "createAdapter")
    made = evm.transact(factory, encode_call(create, (key.digest, layout.as_abi(), weight_commitment)))
    (adapter,) = decode_values(("address",), made.data, "createAdapter")
    gas = _verify_with(evm, adapter, (packed_input, packed_output, proof), gas_limit)
    return VerificationGas(gas)


def verify_instances(verifier_code: bytes, instances: tuple[int, ...], proof: bytes) -> int:
    """Verify a proof of bare instances with the generated verifier alone.

    Args:
        verifier_code: runtime code of the generated verifier.
        instances: 256-bit numbers, passed on as they are: refusing r and above is the verifier's task.
        proof: the proof's bytes.

    Returns:
        Gas of the verifier, without a transaction's base and calldata cost.

    Raises:
        ProofRejectedError: the verifier reverted, or answered anything but true.
    """
    evm = LocalEvm()
    evm.place(_VERIFIER_ADDRESS, verifier_code)
    entry = function(load_artifact("IHalo2Verifier").abi, "verifyProof")
    try:
        result = evm.call(_VERIFIER_ADDRESS, encode_call(entry, (proof, instances)))
    except RevertedError as error:
        raise _rejected("verifier", error) from error
    # An address without code, or code that is no verifier, also returns without a revert.
    if result.data != (1).to_bytes(32, "big"):
        raise ProofRejectedError(
            f"expected the verifier to return true, found {len(result.data)} bytes of other data",
            hint="the code is not that of a generated verifier",
        )
    return result.gas_used


def adapter_code(
    verifier_address: str,
    verifier_code: bytes,
    layout: TensorLayout,
    weight_commitment: bytes = ZERO32,
) -> bytes:
    """Return the runtime code that our adapter to a generated verifier has on chain, immutables filled in.

    Args:
        verifier_address: where the generated verifier is, or will be, deployed.
        verifier_code: its runtime code.
        layout: the circuit's public tensors.
        weight_commitment: the pin of committed weights; zeros where the key binds them.

    Returns:
        Runtime code; its keccak256 is what the router pins.

    Raises:
        RevertedError: the adapter refuses the layout or the verifier.
    """
    evm = LocalEvm(reverts=RevertDecoder([load_artifact("EzklVerifier").abi]))
    evm.place(verifier_address, verifier_code)
    return evm.code_at(_deploy_adapter(evm, verifier_address, layout, weight_commitment))


def _deploy_adapter(
    evm: LocalEvm, verifier_address: str, layout: TensorLayout, weight_commitment: bytes
) -> str:
    artifact = load_artifact("EzklVerifier")
    arguments = (to_canonical_address(verifier_address), layout.as_abi(), weight_commitment)
    return evm.deploy(artifact.creation_code, encode_constructor(artifact.abi, arguments))


def _verify_with(evm: LocalEvm, adapter: str, claim: tuple[bytes, bytes, bytes], gas_limit: int) -> int:
    entry = function(load_artifact("IProofVerifier").abi, "verify")
    try:
        return evm.call(adapter, encode_call(entry, (NO_CONTEXT, *claim)), gas_limit=gas_limit).gas_used
    except RevertedError as error:
        raise _rejected("adapter", error) from error


def _rejected(contract: str, error: RevertedError) -> ProofRejectedError:
    reason = error.context["revert"].describe() if "revert" in error.context else error.message
    return ProofRejectedError(
        f"expected the {contract} to accept the proof, found that it refused: {reason}",
        hint="the proof is not one of this input and output, or belongs to another circuit",
        contract=contract,
        data=error.context.get("data", "0x"),
    )
