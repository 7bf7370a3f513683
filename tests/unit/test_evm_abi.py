"""Calls, results, calldata and events of a contract's ABI."""

import pytest

from verifier_contracts.artifacts import load_artifact
from zkml.adapters.evm import abi
from zkml.adapters.evm.answers import Log
from zkml.core.identifiers import CircuitSpec
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import FormatError, RpcError

MANAGER = load_artifact("JobManager").abi
ROUTER = load_artifact("VerifierRouter").abi
ADDRESS = "0x5FbDB2315678afecb367f032d93F642f64180aa3"


def test_encode_call__nested_named_tuples__round_trips_with_checksummed_addresses():
    """A struct inside a struct goes in as named tuples and comes back as plain ones."""
    spec = CircuitSpec(
        ADDRESS.lower(),
        bytes(32),
        b"\x01" * 32,
        b"\x02" * 32,
        b"abcd",
        TensorLayout(2, 1, 3, 4),
        InputDomain(-5, 6),
        7,
        1,
    )
    entry = abi.function(ROUTER, "add")
    calldata = abi.encode_call(entry, [spec.as_abi()])
    expected = (ADDRESS, bytes(32), b"\x01" * 32, b"\x02" * 32, b"abcd", (2, 1, 3, 4), (-5, 6), 7, 1)
    assert abi.decode_calldata(entry, calldata) == {"spec": expected}


@pytest.mark.parametrize("arguments", [(b"\x01" * 33,), ("0x12",), (5,)])
def test_encode_call__wrong_argument__names_the_types(arguments):
    """An argument that does not fit its type is refused before anything is sent."""
    with pytest.raises(FormatError, match="bytes32"):
        abi.encode_call(abi.function(MANAGER, "claim"), arguments)


def test_decode_calldata__other_function__is_refused():
    """Calldata of claim is never read as settle."""
    calldata = abi.encode_call(abi.function(MANAGER, "claim"), [bytes(32)])
    with pytest.raises(FormatError, match="settle"):
        abi.decode_calldata(abi.function(MANAGER, "settle"), calldata)


@pytest.mark.parametrize("data", [b"", b"\x00" * 31, b"\xff" * 32])
def test_decode_values__short_or_absurd__is_refused(data):
    """An answer that is cut, or points beyond itself, is no value."""
    with pytest.raises(RpcError):
        abi.decode_values(("bytes",), data, "a call")


def test_decode_values__string_that_is_no_utf8__is_replaced():
    """A hostile string cannot stop whoever reads events: contracts accept any bytes."""
    hostile = (32).to_bytes(32, "big") + (2).to_bytes(32, "big") + b"\xff\xfe" + bytes(30)
    assert abi.decode_values(("string",), hostile, "an event") == ("\ufffd\ufffd",)


def test_decode_log__log_of_another_event__is_refused():
    """The topic decides what a log is."""
    log = Log(ADDRESS, (abi.event(MANAGER, "JobCancelled").topic, bytes(32)), b"", 1, "0x", "0x", 0)
    assert abi.decode_log(abi.event(MANAGER, "JobCancelled"), log).arguments == {"jobId": bytes(32)}
    with pytest.raises(RpcError, match="JobClaimed"):
        abi.decode_log(abi.event(MANAGER, "JobClaimed"), log)
