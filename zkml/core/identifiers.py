"""Identifiers: a thing's id is the hash of what it is, under a tag.

Each function is the twin of a line of Solidity; tests hold the two equal on a running chain.
"""

from typing import Any, NamedTuple

from eth_abi.abi import encode
from eth_utils.address import to_canonical_address

from zkml.core.digests import keccak256
from zkml.core.tensors import InputDomain, TensorLayout

CIRCUIT_TAG = keccak256(b"zkml.circuit.v1")
MODEL_TAG = keccak256(b"zkml.model.v1")
GENESIS_TAG = keccak256(b"zkml.genesis.v1")
JOB_TAG = keccak256(b"zkml.job.v1")
CONTEXT_TAG = keccak256(b"zkml.context.v1")

LOCAL_CHAIN_IDS = frozenset({31337, 1337})
"""Chains on which an insecure SRS and the class LOCAL are allowed; a constant of the contracts too."""

CIRCUIT_SPEC_ABI = "(address,bytes32,bytes32,bytes4,(uint32,uint8,uint32,uint8),(int64,int64),uint32,uint8)"
MODEL_COMMITMENT_ABI = "(bytes32,bytes32,bytes32,bytes32,string,string)"
JOB_SPEC_ABI = "(uint256,bytes32,string,uint96,uint64)"


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
    """One entry of the router, in the order of the Solidity struct."""

    adapter: str
    adapter_code_hash: bytes
    verifying_key_digest: bytes
    proof_system_id: bytes
    layout: TensorLayout
    domain: InputDomain
    gas_limit: int
    verifier_class: int

    def as_abi(self) -> tuple[Any, ...]:
        """Return the nested tuple that an ABI encoder takes."""
        return (
            self.adapter,
            self.adapter_code_hash,
            self.verifying_key_digest,
            self.proof_system_id,
            self.layout.as_abi(),
            self.domain.as_abi(),
            self.gas_limit,
            self.verifier_class,
        )


class ModelCommitment(NamedTuple):
    """What a publisher commits to when a model is registered, in the order of the Solidity struct."""

    circuit_id: bytes
    onnx_digest: bytes
    settings_digest: bytes
    manifest_digest: bytes
    manifest_cid: str
    name: str


class JobSpec(NamedTuple):
    """What a requester asks for, in the order of the Solidity struct."""

    model_id: int
    input_commitment: bytes
    input_uri: str
    fee: int
    deadline: int


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


def genesis_seed(chain_id: int, registry: str, model: int, owner: str) -> bytes:
    """Return the seed of the input that a model's genesis proof must be about."""
    return _hash(
        ["bytes32", "uint256", "address", "uint256", "address"],
        [GENESIS_TAG, chain_id, to_canonical_address(registry), model, to_canonical_address(owner)],
    )


def job_id(chain_id: int, manager: str, requester: str, nonce: int, spec: JobSpec) -> bytes:
    """Return the id of the job that `requester` opens with its `nonce`."""
    spec_hash = _hash([JOB_SPEC_ABI], [tuple(spec)])
    return _hash(
        ["bytes32", "uint256", "address", "address", "uint256", "bytes32"],
        [
            JOB_TAG,
            chain_id,
            to_canonical_address(manager),
            to_canonical_address(requester),
            nonce,
            spec_hash,
        ],
    )


def job_context(chain_id: int, manager: str, job: bytes, payee: str) -> bytes:
    """Return what a proof that can bind its job is bound to."""
    return _hash(
        ["bytes32", "uint256", "address", "bytes32", "address"],
        [CONTEXT_TAG, chain_id, to_canonical_address(manager), job, to_canonical_address(payee)],
    )
