"""Identifiers of the market: a job's, a tab's, and what a proof for a payee is bound to.

Each function is the twin of a line of `JobManager`; tests hold the two equal on a running chain.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from eth_abi.abi import encode
from eth_utils.address import to_canonical_address

from zkml.core.digests import keccak256

JOB_TAG = keccak256(b"zkml.job.v2")
TAB_TAG = keccak256(b"zkml.tab.v1")
CONTEXT_TAG = keccak256(b"zkml.context.v1")

JOB_SPEC_ABI = "(uint256,bytes32,bytes32,string,uint80,uint80,uint80,uint32,uint32,uint40,address[])"
TAB_SPEC_ABI = "(uint256,address,address,uint80,uint40)"


class JobSpec(NamedTuple):
    """What a requester asks for, in the order of the Solidity struct.

    Attributes:
        model_id: a PROVEN model.
        circuit_id: one of its circuits for one input, 32 bytes.
        input_commitment: keccak256 of the packed input.
        input_uri: where provers fetch the input when it is not given in the call.
        min_prover_fee: offered when the job opens, in the token's smallest unit.
        max_prover_fee: offered from `ramp_seconds` on.
        max_total: the most that the job may take from the requester.
        ramp_seconds: how long the offer rises.
        claim_seconds: how long a claimer is safe from being replaced.
        deadline: chain time in seconds; settling is allowed up to and including it.
        provers: who may claim, checksummed; empty: anyone.
    """

    model_id: int
    circuit_id: bytes
    input_commitment: bytes
    input_uri: str
    min_prover_fee: int
    max_prover_fee: int
    max_total: int
    ramp_seconds: int
    claim_seconds: int
    deadline: int
    provers: tuple[str, ...] = ()


class TabSpec(NamedTuple):
    """A tab as its requester asks for it, in the order of the Solidity struct.

    Attributes:
        model_id: a PROVEN model.
        prover: the only one who is paid from it, checksummed.
        signer: whose key signs requests, checksummed.
        amount: what is reserved, in the token's smallest unit.
        expiry: chain time in seconds; settling is allowed up to and including it.
    """

    model_id: int
    prover: str
    signer: str
    amount: int
    expiry: int


def job_id(chain_id: int, manager: str, requester: str, nonce: int, spec: JobSpec) -> bytes:
    """Return the id of the job that `requester` opens with its `nonce`."""
    provers = [to_canonical_address(prover) for prover in spec.provers]
    inner = _hash([JOB_SPEC_ABI], [(*spec[:-1], provers)])
    return _opened_id(JOB_TAG, chain_id, (manager, requester), nonce, inner)


def tab_id(chain_id: int, manager: str, requester: str, nonce: int, spec: TabSpec) -> bytes:
    """Return the id of the tab that `requester` opens with its `nonce`.

    The same bytes are the nonce of an EIP-3009 authorization that opens this tab.
    """
    prover, signer = to_canonical_address(spec.prover), to_canonical_address(spec.signer)
    inner = _hash([TAB_SPEC_ABI], [(spec.model_id, prover, signer, spec.amount, spec.expiry)])
    return _opened_id(TAB_TAG, chain_id, (manager, requester), nonce, inner)


def context_of(chain_id: int, manager: str, subject: bytes, payee: str) -> bytes:
    """Return what a proof that can bind its payee is bound to.

    Args:
        chain_id: EIP-155 id.
        manager: address of the job manager.
        subject: a job's id, or a signed request's digest.
        payee: who is paid by the proof.
    """
    return _hash(
        ["bytes32", "uint256", "address", "bytes32", "address"],
        [CONTEXT_TAG, chain_id, to_canonical_address(manager), subject, to_canonical_address(payee)],
    )


def batch_context(contexts: Sequence[bytes]) -> bytes:
    """Return what one proof for several jobs is bound to: the hash of their contexts, in order."""
    return keccak256(b"".join(contexts))


def _opened_id(tag: bytes, chain_id: int, who: tuple[str, str], nonce: int, inner: bytes) -> bytes:
    """Hash what was opened with manager and requester, `who`."""
    addresses = [to_canonical_address(address) for address in who]
    return _hash(
        ["bytes32", "uint256", "address", "address", "uint256", "bytes32"],
        [tag, chain_id, *addresses, nonce, inner],
    )


def _hash(types: list[str], values: list[Any]) -> bytes:
    return keccak256(encode(types, values))
