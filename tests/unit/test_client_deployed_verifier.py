"""A deployed verifier run in this process: nothing that is not pinned runs, nothing that is wrong passes."""

import pytest

from verifier_contracts.deployed_verifier import DeployedVerifier
from zkml.core.digests import keccak256
from zkml.core.identifiers import CircuitSpec, VerifierClass
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import DomainError, LayoutError, ProofRejectedError, VerifierMismatchError

ADAPTER = "0x00000000000000000000000000000000DeaDBeef"
STOP = b"\x00"
REVERT = bytes.fromhex("5f5ffd")
RETURN_TWO_WORDS = bytes.fromhex("60405ff3")
BURN_ALL_GAS = bytes.fromhex("5b5f56")
"""JUMPDEST PUSH0 JUMP: runs until its gas is gone."""


def deployed(code: bytes, *, gas_limit: int = 100_000, served: bytes | None = None) -> DeployedVerifier:
    layout, domain = TensorLayout(2, 1, 1, 2), InputDomain(-10, 10)
    spec = CircuitSpec(
        ADAPTER,
        keccak256(code),
        bytes(32),
        bytes(32),
        bytes(4),
        layout,
        domain,
        gas_limit,
        VerifierClass.LOCAL,
    )
    return DeployedVerifier(spec, lambda _: code if served is None else served, chain_id=31337)


def verify(verifier: DeployedVerifier, packed_input=b"\x01\xff", packed_output=b"\x00\x07") -> int:
    return verifier.verify(
        context=bytes(32), packed_input=packed_input, packed_output=packed_output, proof=b"\x01"
    )


def test_code__accepts__gas_is_returned_and_adapter_is_called_foreign():
    """Pinned code that accepts is believed, and said not to be ours."""
    verifier = deployed(STOP)
    assert verify(verifier) >= 0
    assert not verifier.is_shipped_adapter
    assert verifier.inner_code_hash is None


@pytest.mark.parametrize("served", [b"", STOP + STOP, REVERT])
def test_code__not_the_pinned__never_run(served):
    """Other code than the pinned is refused before it runs, also none at all."""
    with pytest.raises(VerifierMismatchError, match="expected adapter code of hash"):
        deployed(STOP + b"\x01", served=served)


@pytest.mark.parametrize("code", [REVERT, RETURN_TWO_WORDS, BURN_ALL_GAS])
def test_code__refuses_answers_or_runs_out_of_gas__rejected(code):
    """A revert, an answer where none is due, and a verifier beyond its gas limit are refusals."""
    with pytest.raises(ProofRejectedError):
        verify(deployed(code))


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"packed_input": b"\x01"}, LayoutError),
        ({"packed_input": b"\x01\x02\x03"}, LayoutError),
        ({"packed_output": b"\x00"}, LayoutError),
        ({"packed_input": b"\x0b\x00"}, DomainError),
        ({"packed_input": b"\x00\xf5"}, DomainError),
    ],
)
def test_tensors__wrong_length_or_domain__refused_as_the_router_does(changes, error):
    """What the router checks before it calls the adapter is checked here, too."""
    with pytest.raises(error):
        verify(deployed(STOP), **changes)
