"""Calldata of settlements: read back exactly, in one encoding only, and never as something else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.calldata import given_activation, given_settlements
from verifier_contracts.artifacts import load_artifact
from zkml.adapters.evm import abi
from zkml.adapters.evm.answers import Transaction
from zkml.core.signed_requests import SignedRequest, request_digest
from zkml.errors import BindingError, EvidenceUnavailableError

CHAIN = 31337
MANAGER = "0x" + "11" * 20
SENDER = "0x" + "22" * 20
HEX32 = st.binary(min_size=32, max_size=32)
BYTES = st.binary(max_size=70)
AMOUNT = st.integers(0, 2**80 - 1)
SETTLEMENT = st.tuples(HEX32, BYTES, BYTES, BYTES)
REQUESTS = st.builds(
    SignedRequest, HEX32, HEX32, HEX32, AMOUNT, AMOUNT, st.integers(0, 2**40 - 1), st.integers(0, 2**64 - 1)
)
CALLS = st.one_of(
    st.tuples(st.just("settle"), SETTLEMENT),
    st.tuples(st.just("settleMany"), st.tuples(st.lists(SETTLEMENT, max_size=3))),
    st.tuples(
        st.just("settleBatch"), st.tuples(st.lists(HEX32, min_size=1, max_size=4), HEX32, BYTES, BYTES, BYTES)
    ),
    st.tuples(st.just("settleSigned"), st.tuples(REQUESTS.map(tuple), BYTES, BYTES, BYTES, BYTES)),
)


def sent(data, target=MANAGER):
    return Transaction("0x" + "ab" * 32, SENDER, target, data, 0, 0, 1, "0x" + "cd" * 32)


def calldata(function, arguments, artifact="JobManager"):
    return abi.encode_call(abi.function(load_artifact(artifact).abi, function), arguments)


def read(data):
    return given_settlements(CHAIN, MANAGER, sent(data))


@given(CALLS)
def test_settlements__of_any_call__are_what_was_sent(call):
    """Every subject, tensor and proof of a settling transaction is read back, in order."""
    function, arguments = call
    found = read(calldata(function, arguments))
    assert {proof.function for proof in found} <= {function}
    tensors = [(proof.packed_input, proof.packed_output, proof.proof) for proof in found]
    if function == "settle":
        assert ([found[0].subject], tensors) == ([arguments[0]], [arguments[1:]])
    elif function == "settleMany":
        assert [(proof.subject, *rest) for proof, rest in zip(found, tensors, strict=True)] == arguments[0]
    elif function == "settleBatch":
        assert (list(found[0].job_ids), found[0].circuit_id) == arguments[:2]
        assert (found[0].subject, tensors) == (arguments[0][0], [arguments[2:]])
    else:
        request = SignedRequest(*arguments[0])
        assert (found[0].request, found[0].signature, tensors) == (request, arguments[1], [arguments[2:]])
        assert (found[0].subject, found[0].job_ids) == (request_digest(CHAIN, MANAGER, request), ())


@given(CALLS, st.binary(min_size=1, max_size=40))
def test_settlements__with_bytes_behind_them__give_no_verdict(call, tail):
    """Calldata with more in it than its arguments could be read in two ways: it is not read at all."""
    with pytest.raises(EvidenceUnavailableError, match="canonical"):
        read(calldata(*call) + tail)
    with pytest.raises(EvidenceUnavailableError, match="canonical"):
        read(calldata(*call) + bytes(32))


@given(CALLS, st.data())
def test_settlements__of_damaged_calldata__never_crash(call, data):
    """Whatever bytes a transaction carries, the answer is proofs or one of our errors."""
    raw = bytearray(calldata(*call))
    for _ in range(data.draw(st.integers(1, 3))):
        raw[data.draw(st.integers(4, len(raw) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(4, len(raw)))
    for damaged in (bytes(raw), bytes(raw[:cut])):
        try:
            found = read(damaged)
        except (BindingError, EvidenceUnavailableError):
            continue
        assert found is not None


def test_settlements__offsets_that_share_one_place__give_no_verdict():
    """Two arguments that point at the same bytes decode, but not in the canonical encoding."""
    data = bytearray(calldata("settle", (bytes(32), b"a", b"a", b"p")))
    head = 4 + 2 * 32
    data[head : head + 32] = data[head - 32 : head]
    with pytest.raises(EvidenceUnavailableError, match="canonical"):
        read(bytes(data))


def test_settlements__array_whose_elements_are_one__is_refused_before_it_fills_the_memory():
    """A hostile endpoint cannot make a few bytes of calldata into gigabytes: elements stay in their own places."""
    large = calldata("settleMany", ([(bytes(32), b"", b"", bytes(100_000))],))
    count = 20_000
    offsets = (32 * count).to_bytes(32, "big") * count
    bomb = large[:4] + (32).to_bytes(32, "big") + count.to_bytes(32, "big") + offsets + large[4 + 96 :]
    endless = large[:36] + (2**200).to_bytes(32, "big") + large[68:]
    for data in (bomb, endless):
        with pytest.raises(EvidenceUnavailableError, match="canonical"):
            read(data)


def test_settlements__batch_of_nothing__cannot_have_been_accepted():
    """The contract refuses an empty batch, so a transaction of one is no evidence."""
    with pytest.raises(BindingError, match="batch of jobs"):
        read(calldata("settleBatch", ([], bytes(32), b"", b"", b"")))


@pytest.mark.parametrize(
    "transaction",
    [
        sent(calldata("settle", (bytes(32), b"", b"", b"")), target=SENDER),
        sent(calldata("settle", (bytes(32), b"", b"", b"")), target=None),
        sent(calldata("claim", (bytes(32),))),
        sent(b""),
    ],
    ids=["another contract", "a creation", "another move", "nothing"],
)
def test_settlements__of_a_transaction_that_settles_nothing__are_none(transaction):
    """A transaction that does something else is no settlement of its own, and no error."""
    assert given_settlements(CHAIN, MANAGER, transaction) is None
    assert given_activation(MANAGER, transaction) is None


@given(st.integers(0, 2**256 - 1), HEX32, BYTES, BYTES)
def test_activation__of_any_model__is_what_was_sent(model, circuit, output, proof):
    """Model, circuit, output and proof of an activation are read back."""
    data = calldata("activate", (model, circuit, output, proof), artifact="ModelRegistry")
    found = given_activation(MANAGER, sent(data))
    assert (found.subject, found.circuit_id) == (model.to_bytes(32, "big"), circuit)
    assert (found.packed_output, found.proof, found.packed_input) == (output, proof, b"")
    assert given_settlements(CHAIN, MANAGER, sent(data)) is None
