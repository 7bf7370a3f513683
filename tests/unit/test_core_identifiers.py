"""Identifiers: hashes of what they name, encoded as Solidity's abi.encode does."""

import pytest

from zkml.core.digests import keccak256
from zkml.core.identifiers import (
    LOCAL_CHAIN_IDS,
    CircuitSpec,
    JobSpec,
    ModelCommitment,
    VerifierClass,
    circuit_id,
    genesis_seed,
    job_context,
    job_id,
    model_id,
    proof_system_id,
)
from zkml.core.tensors import InputDomain, TensorLayout

A, B, C = ("0x" + digit * 40 for digit in "abc")
SPEC = CircuitSpec(
    adapter=A,
    adapter_code_hash=b"\x01" * 32,
    verifying_key_digest=b"\x02" * 32,
    proof_system_id=proof_system_id("halo2-kzg-bn254-ezkl-v23"),
    layout=TensorLayout(64, 2, 10, 3),
    domain=InputDomain(-1, 128),
    gas_limit=900_000,
    verifier_class=VerifierClass.LOCAL,
)
COMMITMENT = ModelCommitment(b"\x01" * 32, b"\x02" * 32, b"\x03" * 32, b"\x04" * 32, "bafkrei", "digits")
JOB = JobSpec(
    model_id=7, input_commitment=b"\x05" * 32, input_uri="ipfs://x", fee=10**6, deadline=1_800_000_000
)


def word(value):
    """Encode an integer, an address or bytes as one 32-byte word, by hand."""
    if isinstance(value, str):
        value = int(value, 16)
    if isinstance(value, bytes):
        return value.ljust(32, b"\0")
    return (value % 2**256).to_bytes(32, "big")


def text(value):
    """Encode a string's length and padded bytes, by hand."""
    data = value.encode()
    return word(len(data)) + data + bytes(-len(data) % 32)


def test_circuit_id__is_the_hash_of_the_static_words():
    """A circuit's id hashes tag, chain, router and every field of the entry, a word each."""
    fields = [A, b"\x01" * 32, b"\x02" * 32, SPEC.proof_system_id, 64, 2, 10, 3, -1, 128, 900_000, 1]
    expected = keccak256(b"".join(word(v) for v in [keccak256(b"zkml.circuit.v1"), 31337, B, *fields]))
    assert circuit_id(31337, B, SPEC) == expected


def test_model_id__is_the_hash_of_tag_chain_registry_publisher_commitment():
    """A model's id hashes the commitment as a struct with two strings, then the rest."""
    head = [*COMMITMENT[:4], 6 * 32, 6 * 32 + len(text("bafkrei"))]
    inner = keccak256(word(32) + b"".join(word(v) for v in head) + text("bafkrei") + text("digits"))
    outer = keccak256(b"".join(word(v) for v in [keccak256(b"zkml.model.v1"), 1, B, C, inner]))
    assert model_id(1, B, C, COMMITMENT) == int.from_bytes(outer, "big")


def test_job_id__is_the_hash_of_tag_chain_manager_requester_nonce_spec():
    """A job's id hashes the specification as a struct with one string, then the rest."""
    inner = keccak256(
        word(32)
        + b"".join(word(v) for v in [7, b"\x05" * 32, 5 * 32, 10**6, 1_800_000_000])
        + text("ipfs://x")
    )
    outer = keccak256(b"".join(word(v) for v in [keccak256(b"zkml.job.v1"), 31337, B, C, 3, inner]))
    assert job_id(31337, B, C, 3, JOB) == outer


def test_genesis_seed_and_context__are_hashes_of_their_words():
    """Seed and context hash their tag, chain, contract, subject and account."""
    seed = keccak256(b"".join(word(v) for v in [keccak256(b"zkml.genesis.v1"), 5, B, 99, C]))
    assert genesis_seed(5, B, 99, C) == seed
    context = keccak256(b"".join(word(v) for v in [keccak256(b"zkml.context.v1"), 5, B, b"\x09" * 32, C]))
    assert job_context(5, B, b"\x09" * 32, C) == context


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("adapter", C),
        ("adapter_code_hash", b"\x09" * 32),
        ("verifying_key_digest", b"\x09" * 32),
        ("proof_system_id", b"\x09" * 4),
        ("layout", TensorLayout(64, 2, 10, 4)),
        ("domain", InputDomain(-1, 129)),
        ("gas_limit", 900_001),
        ("verifier_class", VerifierClass.UNVOUCHED),
    ],
)
def test_circuit_id__any_field_changed__is_another(name, value):
    """No field of an entry can be changed under one id."""
    assert circuit_id(31337, B, SPEC._replace(**{name: value})) != circuit_id(31337, B, SPEC)


@pytest.mark.parametrize("index", range(6))
def test_model_id__any_field_changed__is_another(index):
    """No field of a commitment can be changed under one id."""
    fields = list(COMMITMENT)
    fields[index] = b"\x09" * 32 if index < 4 else "other"
    assert model_id(1, B, C, ModelCommitment(*fields)) != model_id(1, B, C, COMMITMENT)


def test_identifiers__checksum_case__does_not_count():
    """An address names one account however its letters are cased."""
    mixed = "0x" + "aB" * 20
    assert job_context(1, mixed, bytes(32), C) == job_context(1, mixed.lower(), bytes(32), C)


def test_model_id__strings_moved_between_fields__is_another():
    """Bytes cannot wander from one string to its neighbour."""
    first = COMMITMENT._replace(manifest_cid="ab", name="c")
    second = COMMITMENT._replace(manifest_cid="a", name="bc")
    assert model_id(1, B, C, first) != model_id(1, B, C, second)


def test_constants__are_the_contracts():
    """The proof system's id and the local chains are the ones of the contracts."""
    assert SPEC.proof_system_id.hex() == "29e846df"
    assert {31337, 1337} == LOCAL_CHAIN_IDS
    assert VerifierClass.NAMES[VerifierClass.CEREMONY] == "ceremony"
    assert VerifierClass.NAMES[VerifierClass.NONE] == "none"
