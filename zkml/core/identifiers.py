"""Identifiers: a thing's id is the hash of what it is, under a tag.

Each function is the twin of a line of Solidity; tests hold the two equal on a running chain. Those of jobs
and tabs are in `market_identifiers`.
"""

from typing import Any, NamedTuple

from eth_abi.abi import encode
from eth_utils.address import to_canonical_address

from zkml.core.digests import keccak256
from zkml.core.tensors import InputDomain, TensorLayout

CIRCUIT_TAG = keccak256(b"zkml.circuit.v1")
MODEL_TAG = keccak256(b"zkml.model.v2")
REGISTRATION_TAG = keccak256(b"zkml.registration.v1")
GENESIS_TAG = keccak256(b"zkml.genesis.v1")

ZERO32 = bytes(32)

LOCAL_CHAIN_IDS = frozenset({31337, 1337})
"""Chains on which an insecure SRS and the class LOCAL are allowed; a constant of the contracts too."""

CIRCUIT_SPEC_ABI = (
    "(address,bytes32,bytes32,bytes32,bytes4,(uint32,uint8,uint32,uint8),(int64,int64),uint32,uint8)"
)
MODEL_COMMITMENT_ABI = "(bytes32[],bytes32,bytes32,bytes32,bytes32,bytes32,uint256,string,string,string)"
FEE_TERMS_ABI = "(uint80,uint80,uint32)"
DERIVATIVE_TERMS_ABI = "(bool,uint32,uint80,uint32)"

MAX_RATE_PPM = 500_000
"""No fee part and no royalty is set above it, in millionths."""


class VerifierClass:
    """What a verifier entry can be trusted for; the numbers of the contract's enum."""

    NONE = 0
    LOCAL = 1
    CEREMONY = 2
    UNVOUCHED = 3

    NAMES = ("none", "local", "ceremony", "unvouched")


def proof_system_id(name: str) -> bytes:
    """Return the four bytes of ERC-7992: keccak256 of the lower-case name and version."""
    return keccak256(name.encode())[:4]


class CircuitSpec(NamedTuple):
    """One entry of the router, in the order of the Solidity struct.

    Attributes:
        adapter: the circuit's `IProofVerifier`, checksummed.
        adapter_code_hash: keccak256 of its code.
        verifying_key_digest: 32 bytes.
        weight_commitment: keccak256 of the commitment to the weights that the adapter pins; zero where the
            verifying key binds them.
        proof_system_id: 4 bytes, see `proof_system_id`.
        layout: the public tensors.
        domain: the integers that input elements may take.
        gas_limit: gas that the adapter is called with.
        verifier_class: a number of `VerifierClass`.
    """

    adapter: str
    adapter_code_hash: bytes
    verifying_key_digest: bytes
    weight_commitment: bytes
    proof_system_id: bytes
    layout: TensorLayout
    domain: InputDomain
    gas_limit: int
    verifier_class: int

    def as_abi(self) -> tuple[Any, ...]:
        """Return the nested tuple that an ABI encoder takes."""
        return (*self[:5], self.layout.as_abi(), self.domain.as_abi(), self.gas_limit, self.verifier_class)


class ModelCommitment(NamedTuple):
    """What a publisher commits to when a model is registered, in the order of the Solidity struct.

    Attributes:
        circuit_ids: the circuits that prove the model, 32 bytes each; the first is for one input.
        onnx_digest: SHA-256 of the ONNX file.
        settings_digest: SHA-256 of the first circuit's canonical settings.
        manifest_digest: SHA-256 of the bundle's manifest.
        dataset_digest: SHA-256 that names the training data; zero: undeclared.
        key_commitment: keccak256 of the key that the published artifact is encrypted with; zero: none is,
            and the model is open.
        predecessor: the model of the same owner that this is a new version of, or 0.
        manifest_cid: where the manifest is published, without a scheme.
        name: what people call it; not unique.
        licence: SPDX expression of the weights' licence.
    """

    circuit_ids: tuple[bytes, ...]
    onnx_digest: bytes
    settings_digest: bytes
    manifest_digest: bytes
    dataset_digest: bytes
    key_commitment: bytes
    predecessor: int
    manifest_cid: str
    name: str
    licence: str

    @property
    def circuit_id(self) -> bytes:
        """The first circuit: the one for a single input."""
        return self.circuit_ids[0]


class FeeTerms(NamedTuple):
    """What a model asks for, in the order of the Solidity struct.

    Attributes:
        model_fee: asked per inference, in the payment token's smallest unit.
        min_model_fee: the fee cannot be set below it; it can only rise.
        min_model_fee_ppm: least part of a job's whole price, in millionths; it can only rise.
    """

    model_fee: int = 0
    min_model_fee: int = 0
    min_model_fee_ppm: int = 0


class DerivativeTerms(NamedTuple):
    """What derivatives declared from now on owe, in the order of the Solidity struct.

    Attributes:
        derivatives_allowed: whether a model may name this one as parent.
        min_rate_ppm: least part of a derivative's income, in millionths.
        min_model_fee: least `FeeTerms.min_model_fee` of a derivative.
        min_model_fee_ppm: least `FeeTerms.min_model_fee_ppm` of a derivative.
    """

    derivatives_allowed: bool = True
    min_rate_ppm: int = 0
    min_model_fee: int = 0
    min_model_fee_ppm: int = 0


def _hash(types: list[str], values: list[Any]) -> bytes:
    return keccak256(encode(types, values))


def circuit_id(chain_id: int, router: str, spec: CircuitSpec) -> bytes:
    """Return the id under which `router` files `spec`."""
    abi = (to_canonical_address(spec.adapter), *spec.as_abi()[1:])
    return _hash(
        ["bytes32", "uint256", "address", CIRCUIT_SPEC_ABI],
        [CIRCUIT_TAG, chain_id, to_canonical_address(router), abi],
    )


def model_id(chain_id: int, registry: str, publisher: str, commitment: ModelCommitment) -> int:
    """Return the ERC-721 token id of a model."""
    inner = _hash([MODEL_COMMITMENT_ABI], [tuple(commitment)])
    outer = _hash(
        ["bytes32", "uint256", "address", "address", "bytes32"],
        [MODEL_TAG, chain_id, to_canonical_address(registry), to_canonical_address(publisher), inner],
    )
    return int.from_bytes(outer, "big")


def registration_hash(
    chain_id: int,
    registry: str,
    publisher: str,
    commitment: ModelCommitment,
    *,
    fees: FeeTerms,
    derivatives: DerivativeTerms,
    salt: bytes,
) -> bytes:
    """Return what a publisher files before it registers: nobody learns from it what will be registered.

    Args:
        chain_id: EIP-155 id.
        registry: address of the model registry.
        publisher: who will register.
        commitment: what will be registered.
        fees: what it will ask for.
        derivatives: what derivatives will owe.
        salt: 32 bytes that nobody can guess.
    """
    inner = _hash(
        [MODEL_COMMITMENT_ABI, FEE_TERMS_ABI, DERIVATIVE_TERMS_ABI],
        [tuple(commitment), tuple(fees), tuple(derivatives)],
    )
    return _hash(
        ["bytes32", "uint256", "address", "address", "bytes32", "bytes32"],
        [
            REGISTRATION_TAG,
            chain_id,
            to_canonical_address(registry),
            to_canonical_address(publisher),
            inner,
            salt,
        ],
    )


def genesis_seed(chain_id: int, registry: str, model: int, owner: str) -> bytes:
    """Return the seed of the inputs that a model's genesis proofs must be about."""
    return _hash(
        ["bytes32", "uint256", "address", "uint256", "address"],
        [GENESIS_TAG, chain_id, to_canonical_address(registry), model, to_canonical_address(owner)],
    )


def uniqueness_key(circuit: bytes, spec: CircuitSpec) -> bytes:
    """Return what at most one model is PROVEN for.

    Audited code reads key and weights of the class CEREMONY, so there they are the measure; for every other
    class they are what whoever added the circuit says, so there it is the circuit itself.
    """
    if spec.verifier_class != VerifierClass.CEREMONY:
        return circuit
    return _hash(
        ["uint8", "bytes32", "bytes32"],
        [VerifierClass.CEREMONY, spec.verifying_key_digest, spec.weight_commitment],
    )
