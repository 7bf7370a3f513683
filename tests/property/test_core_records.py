"""Records: frozen, named by digest, read strictly."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from zkml.core.digests import canonical_json, digest_of, keccak256
from zkml.core.records import (
    ClaimRecord,
    JobRequest,
    ProofFile,
    ProofRecord,
    QuoteFields,
    SettlementRecord,
    SignedRequestRecord,
    WitnessRecord,
    from_hex,
    to_hex,
)
from zkml.errors import FormatError

HEX32 = st.binary(min_size=32, max_size=32).map(to_hex)
DIGEST = st.binary(max_size=8).map(digest_of)
BYTES = st.binary(max_size=40).map(to_hex)
AMOUNT = st.integers(0, 2**256 - 1).map(str)
ADDRESS = st.binary(min_size=20, max_size=20).map(to_hex)
NUMBER = st.integers(0, 2**53 - 1)
SECONDS = st.floats(0, 1e6)
PLAIN_NAME = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", fullmatch=True)
NAME = st.text(st.characters(codec="utf-8"), max_size=30)

REQUESTS = st.builds(
    JobRequest,
    chain_id=NUMBER,
    manager=ADDRESS,
    job_id=HEX32,
    model_id=AMOUNT,
    circuit_id=HEX32,
    requester=ADDRESS,
    input_commitment=HEX32,
    input_uri=NAME,
    input=BYTES,
    min_prover_fee=AMOUNT,
    max_prover_fee=AMOUNT,
    max_total=AMOUNT,
    ramp_seconds=NUMBER,
    claim_seconds=NUMBER,
    deadline=NUMBER,
    provers=st.lists(ADDRESS, max_size=8).map(tuple),
    quote=st.builds(
        QuoteFields, model_fee_floor=AMOUNT, model_fee_ppm=NUMBER, flat_fee=AMOUNT, platform_ppm=NUMBER
    ),
    escrow=AMOUNT,
    opened_transaction=HEX32,
    opened_block=NUMBER,
    opened_block_hash=HEX32,
)
RECORDS = st.one_of(
    REQUESTS,
    st.builds(WitnessRecord, request=DIGEST, input=BYTES, output=BYTES, wall_seconds=SECONDS),
    st.builds(
        ClaimRecord,
        request=DIGEST,
        witness=DIGEST,
        prover=ADDRESS,
        claim_number=NUMBER,
        transaction=HEX32,
        block=NUMBER,
    ),
    st.builds(ProofRecord, claim=DIGEST, proof=BYTES, wall_seconds=SECONDS),
    st.builds(
        SettlementRecord,
        proof_record=DIGEST,
        transaction=HEX32,
        block=NUMBER,
        gas_used=NUMBER,
        prover_fee=AMOUNT,
    ),
    st.builds(
        SignedRequestRecord,
        chain_id=NUMBER,
        manager=ADDRESS,
        tab_id=HEX32,
        circuit_id=HEX32,
        input_commitment=HEX32,
        model_fee=AMOUNT,
        prover_fee=AMOUNT,
        expiry=NUMBER,
        nonce=AMOUNT,
        signature=BYTES,
    ),
    st.builds(
        ProofFile,
        system=PLAIN_NAME,
        system_version=PLAIN_NAME,
        circuit=DIGEST,
        verifying_key=DIGEST,
        input=BYTES,
        output=BYTES,
        proof=BYTES,
    ),
)
CLAIM = ClaimRecord(
    request=digest_of(b"r"),
    witness=digest_of(b"w"),
    prover="0x" + "aB" * 20,
    claim_number=1,
    transaction="0x" + "01" * 32,
    block=5,
)


def fields_of(record):
    """Return a record as the JSON object that its file holds."""
    return json.loads(record.to_bytes())


@given(RECORDS)
def test_record__bytes__come_back(record):
    """A record's bytes parse to an equal record with the same bytes and digest."""
    again = type(record).from_bytes(record.to_bytes(), where="test")
    assert again == record
    assert again.to_bytes() == record.to_bytes()
    assert again.own_digest == record.own_digest


@given(RECORDS, st.data())
def test_record__any_field_changed__has_another_digest(record, data):
    """No field can be changed without changing the digest by which later records name this one."""
    name = data.draw(st.sampled_from(sorted(type(record).model_fields)))
    value = getattr(record, name)
    if isinstance(value, str):
        other = "0x" + value[2:][::-1] + "00" if value.startswith("0x") else value + "1"
    elif isinstance(value, tuple):
        other = (*value, "0x" + "00" * 20)
    elif isinstance(value, QuoteFields):
        other = value.model_copy(update={"model_fee_ppm": value.model_fee_ppm + 1})
    else:
        # JSON holds whole numbers up to 2^53 - 1.
        other = value + 1 if value < 2**53 - 1 else value - 1
    assert record.model_copy(update={name: other}).own_digest != record.own_digest


def test_record__names_in_another_order__is_the_same():
    """The order of names and blanks in a file do not change the record."""
    shuffled = json.dumps(dict(reversed(fields_of(CLAIM).items())), indent=2).encode()
    assert ClaimRecord.from_bytes(shuffled, where="x").own_digest == CLAIM.own_digest


@pytest.mark.parametrize("name", ["format", *ClaimRecord.model_fields])
def test_record__field_missing__is_refused_by_name(name):
    """A record without one of its fields is refused, and the message names it."""
    fields = fields_of(CLAIM)
    del fields[name]
    with pytest.raises(FormatError, match=name):
        ClaimRecord.from_bytes(canonical_json(fields), where="the claim")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("foreign", 1),
        ("block", "5"),
        ("block", 5.5),
        ("block", True),
        ("block", None),
        ("prover", 5),
        ("prover", "0x12"),
        ("prover", "0x" + "aB" * 20 + "\n"),
        ("request", "sha256:00"),
        ("request", ["sha256:" + "0" * 64]),
        ("transaction", "0x" + "0A" * 32),
        ("format", "zkml.proof-record/1"),
        ("format", 1),
    ],
)
def test_record__foreign_or_mistyped_field__is_refused(name, value):
    """A foreign field, text for a number, a number for text, and near misses of a pattern are refused."""
    data = canonical_json({**fields_of(CLAIM), name: value})
    with pytest.raises(FormatError, match=r"in the claim$") as caught:
        ClaimRecord.from_bytes(data, where="the claim")
    assert "\n" not in caught.value.message


def test_record__hostile_field_name__stays_one_short_line():
    """A foreign name of many lines cannot forge lines of our messages."""
    data = canonical_json({**fields_of(CLAIM), "a\nzkml: all good\x1b[2K" + "b" * 9_000: 1})
    with pytest.raises(FormatError) as caught:
        ClaimRecord.from_bytes(data, where="x")
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 600


@pytest.mark.parametrize("amount", ["", "01", "-1", "1.0", "1e3", "0x1", " 1", "1" * 79, "\u0661"])
def test_amount__other_spelling__is_refused(amount):
    """An amount has one spelling: decimal digits without sign, blanks or leading zeros."""
    record = SettlementRecord(
        proof_record=digest_of(b""), transaction="0x" + "00" * 32, block=1, gas_used=1, prover_fee="1"
    )
    with pytest.raises(FormatError, match="prover_fee"):
        SettlementRecord.from_bytes(canonical_json({**fields_of(record), "prover_fee": amount}), where="x")


def test_record__frozen__cannot_be_changed():
    """A record is a value."""
    with pytest.raises(ValidationError, match="frozen"):
        CLAIM.block = 6


def test_record__two_kinds_of_equal_fields__differ_in_digest():
    """The tag is part of the digest, so no record passes for another kind."""

    class Other(ClaimRecord):
        tag = "zkml.other/1"

    assert Other(**CLAIM.model_dump()).own_digest != CLAIM.own_digest


def test_record__endless_number__has_no_digest():
    """A record with infinity has no canonical form."""
    record = ProofRecord(claim=digest_of(b""), proof="0x", wall_seconds=float("inf"))
    with pytest.raises(FormatError, match="canonical"):
        record.to_bytes()


@given(st.binary(max_size=50))
def test_hex__bytes__come_back(data):
    """Hexadecimal text is undone, with and without its prefix."""
    assert from_hex(to_hex(data)) == from_hex(data.hex()) == data


@pytest.mark.parametrize("text", ["0x0", "zz", "0x 12", "12 34", "0x12\n", None, 5, b"12", "0x0x12"])
def test_hex__other_text__is_refused(text):
    """Odd digits, blanks and other types are no bytes."""
    with pytest.raises(FormatError, match="hexadecimal bytes"):
        from_hex(text)


def test_proof_file__digest__is_of_the_proof_bytes():
    """A proof is named as the contracts' events name it: keccak256 of its bytes."""
    file = ProofFile(
        system="ezkl",
        system_version="23.0.5",
        circuit=digest_of(b"c"),
        verifying_key=digest_of(b"v"),
        input="0x01",
        output="0x02",
        proof="0x0304",
    )
    assert file.proof_digest == keccak256(b"\x03\x04")


@given(REQUESTS)
def test_request__as_a_spec__keeps_every_field(request):
    """What a job's id is computed from is the record's own: no field is lost or changed on the way."""
    spec = request.as_spec()._asdict()
    for name, value in spec.items():
        kept = getattr(request, name)
        assert kept == (to_hex(value) if isinstance(value, bytes) else type(kept)(value))
    assert QuoteFields.from_quote(request.quote.as_quote()) == request.quote
