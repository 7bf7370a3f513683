"""Identifiers: hashes of what they name, encoded as Solidity's abi.encode does."""

import pytest

from zkml.core.digests import keccak256
from zkml.core.identifiers import (
    LOCAL_CHAIN_IDS,
    ZERO32,
    CircuitSpec,
    DerivativeTerms,
    FeeTerms,
    ModelCommitment,
    VerifierClass,
    circuit_id,
    genesis_seed,
    model_id,
    proof_system_id,
    registration_hash,
    uniqueness_key,
)
from zkml.core.tensors import InputDomain, TensorLayout

A, B, C = ("0x" + digit * 40 for digit in "abc")
SPEC = CircuitSpec(
    adapter=A,
    adapter_code_hash=b"\x01" * 32,
    verifying_key_digest=b"\x02" * 32,
    weight_commitment=b"\x03" * 32,
    proof_system_id=proof_system_id("halo2-kzg-bn254-ezkl-v23"),
    layout=TensorLayout(64, 2, 10, 3),
    domain=InputDomain(-1, 128),
    gas_limit=900_000,
    verifier_class=VerifierClass.LOCAL,
)
COMMITMENT = ModelCommitment(
    (b"\x01" * 32, b"\x11" * 32),
    b"\x02" * 32,
    b"\x03" * 32,
    b"\x04" * 32,
    b"\x05" * 32,
    b"\x06" * 32,
    7,
    "bafkrei",
    "digits",
    "MIT",
)
FEES, DERIVATIVES = FeeTerms(1, 2, 3), DerivativeTerms(True, 4, 5, 6)


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


def encoded(commitment):
    """Encode a commitment as the content of a struct with a list and three strings, by hand."""
    circuits = word(len(commitment.circuit_ids)) + b"".join(commitment.circuit_ids)
    tails = [circuits, *(text(value) for value in commitment[7:])]
    starts = [10 * 32 + sum(len(tail) for tail in tails[:position]) for position in range(4)]
    head = [starts[0], *commitment[1:7], *starts[1:]]
    return b"".join(word(value) for value in head) + b"".join(tails)


def words(*values):
    return keccak256(b"".join(word(value) for value in values))


def test_circuit_id__is_the_hash_of_the_static_words():
    """A circuit's id hashes tag, chain, router and every field of the entry, a word each."""
    pins = [A, b"\x01" * 32, b"\x02" * 32, b"\x03" * 32, SPEC.proof_system_id]
    expected = words(keccak256(b"zkml.circuit.v1"), 31337, B, *pins, 64, 2, 10, 3, -1, 128, 900_000, 1)
    assert circuit_id(31337, B, SPEC) == expected


def test_model_id__is_the_hash_of_tag_chain_registry_publisher_commitment():
    """A model's id hashes the commitment as a struct with a list and three strings, then the rest."""
    inner = keccak256(word(32) + encoded(COMMITMENT))
    outer = words(keccak256(b"zkml.model.v2"), 1, B, C, inner)
    assert model_id(1, B, C, COMMITMENT) == int.from_bytes(outer, "big")


def test_registration_hash__is_the_hash_of_tag_chain_registry_publisher_content_salt():
    """What is filed before a registration hashes commitment, fees and derivative terms, then the rest."""
    terms = b"".join(word(value) for value in (*FEES, *DERIVATIVES))
    content = keccak256(word(8 * 32) + terms + encoded(COMMITMENT))
    expected = words(keccak256(b"zkml.registration.v1"), 1, B, C, content, b"\x08" * 32)
    found = registration_hash(1, B, C, COMMITMENT, fees=FEES, derivatives=DERIVATIVES, salt=b"\x08" * 32)
    assert found == expected


@pytest.mark.parametrize(
    "change",
    [
        {"salt": b"\x09" * 32},
        {"fees": FEES._replace(model_fee=9)},
        {"derivatives": DERIVATIVES._replace(derivatives_allowed=False)},
    ],
)
def test_registration_hash__anything_changed__is_another(change):
    """Neither salt nor terms can be changed between the two steps of a registration."""
    terms = {"fees": FEES, "derivatives": DERIVATIVES, "salt": ZERO32}
    where = (1, B, C, COMMITMENT)
    assert registration_hash(*where, **terms) != registration_hash(*where, **{**terms, **change})


def test_genesis_seed__is_the_hash_of_its_words():
    """The seed hashes its tag, chain, registry, model and owner."""
    assert genesis_seed(5, B, 99, C) == words(keccak256(b"zkml.genesis.v1"), 5, B, 99, C)


def test_uniqueness_key__of_a_ceremony__is_key_and_weights():
    """Of audited code the key and the weights count, whatever the adapter; else the circuit alone."""
    circuit = b"\x0a" * 32
    assert uniqueness_key(circuit, SPEC) == circuit
    shared = SPEC._replace(verifier_class=VerifierClass.CEREMONY)
    assert uniqueness_key(circuit, shared) == words(2, b"\x02" * 32, b"\x03" * 32)
    assert uniqueness_key(circuit, shared) == uniqueness_key(ZERO32, shared._replace(adapter=C))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("adapter", C),
        ("adapter_code_hash", b"\x09" * 32),
        ("verifying_key_digest", b"\x09" * 32),
        ("weight_commitment", b"\x09" * 32),
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


@pytest.mark.parametrize("field", ModelCommitment._fields)
def test_model_id__any_field_changed__is_another(field):
    """No field of a commitment can be changed under one id."""
    other = {str: "other", int: 1, tuple: (b"\x01" * 32,), bytes: b"\x09" * 32}
    changed = COMMITMENT._replace(**{field: other[type(getattr(COMMITMENT, field))]})
    assert model_id(1, B, C, changed) != model_id(1, B, C, COMMITMENT)


def test_identifiers__checksum_case__does_not_count():
    """An address names one account however its letters are cased."""
    mixed = "0x" + "aB" * 20
    assert genesis_seed(1, mixed, 1, C) == genesis_seed(1, mixed.lower(), 1, C)


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
