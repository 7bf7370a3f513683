"""The verifier contract in an EVM of this process, behind the interface of the other verifiers of these tests.

The adapter is a clone with its immutable arguments, as a factory makes it; keys and clones are put in place without a
transaction, so that a test pays for the verification alone. What a router refuses before it asks, an element outside
the domain, is refused here too.
"""

from functools import cache

from careless_contract import (
    CALLERS,
    CONTRACT,
    ROUTERS,
    careless_code,
    careless_plan,
    switch,
)
from eth_utils.address import to_canonical_address, to_checksum_address

from circuits.octet.chain.chain_key import chain_key_words
from circuits.octet.program import Program
from circuits.octet.proof_length import words_to_bytes
from verifier_contracts.artifacts import load_artifact
from verifier_contracts.local_evm import LocalEvm
from zkml.adapters.evm.abi import encode_call, function
from zkml.adapters.evm.reverts import RevertDecoder
from zkml.core.digests import keccak256
from zkml.core.tensors import InputDomain, TensorLayout
from zkml.errors import RevertedError

NAME = "contract"
OUTPUT_BYTES = 4
ZERO_POINTS = {1: 128, 2: 200}
"""The port's zero point by width: what these tests' bytes are packed with."""

ENOUGH_GAS = 4_000_000_000
"""For a verifier that goes on where two precompiles have failed, each of which takes all but a 64th of the gas."""

_WHOLE = "0x00000000000000000000000000000000000c0c70"
CARELESS = "0x00000000000000000000000000000000000c0c71"
_CHUNK_BYTES = 32 * 767


class EvmVerifier:
    """The contract as it is shipped, or without one of its checks."""

    name = NAME

    def __init__(self):
        self._adapters = {}

    def has(self, check):
        """Whether a check is the contract's, or its caller's that is imitated here."""
        return check not in CALLERS

    def accepts(self, key, claim, words, without=""):
        """Whether words prove a claim, to a contract that lacks one check or none."""
        try:
            self.gas(key, claim, words, without)
        except RevertedError:
            return False
        return True

    def gas(self, key, claim, words, without=""):
        """Return the gas of verifying a proof, without a transaction's base and calldata cost.

        Raises:
            RevertedError: the contract refuses, or its caller does: an element outside the domain, a context or
                an output that a call cannot hold.
        """
        program = key.verifying.program
        calldata = call_of(program, claim, words)
        if without != ROUTERS:
            check_domain(program, claim)
        adapter = self._adapter(key, without)
        if not without:
            return evm().call(adapter, calldata).gas_used
        calldata += switch(program, without, len(calldata) - 32 * len(words)).to_bytes(32, "big")
        return evm().call(adapter, calldata, gas_limit=ENOUGH_GAS).gas_used

    def _adapter(self, key, without):
        """Return the address of a key's clone, of the whole contract or of the careless one."""
        place = id(key.verifying), without
        if place not in self._adapters:
            with careless_plan(key.verifying.program, without):
                layout, domain, zero = tensors(key.verifying.program)
                words = chain_key_words(key.verifying, key.srs.tau_g2, layout, domain, zero)
            # The key is kept beside its address, so that its identity stays its own.
            self._adapters[place] = put(words, layout, CARELESS if without else _WHOLE), key.verifying
        return self._adapters[place][0]


@cache
def evm():
    """The EVM of this process, with both builds of the contract."""
    made = LocalEvm(reverts=RevertDecoder([load_artifact(CONTRACT).abi]))
    made.place(_WHOLE, load_artifact(CONTRACT).runtime_code)
    return made


@cache
def _careless():
    evm().place(CARELESS, careless_code())
    return CARELESS


def put(words, layout, implementation=_WHOLE, **pins):
    """Put a key and a clone for it in place, and return the clone's address.

    Args:
        words: of the key.
        layout: of the packed tensors.
        implementation: the clone's.
        pins: `digest` and `weights` that the clone names, where they are not the key's.
    """
    if implementation == CARELESS:
        _careless()
    data = b"".join(words)
    digest = keccak256(data)
    chunks = []
    for start in range(0, len(data), _CHUNK_BYTES):
        chunks.append(_address(keccak256(digest + bytes([len(chunks)]))))
        evm().place(chunks[-1], b"\0" + data[start : start + _CHUNK_BYTES])
    code = clone(
        implementation, layout, pins.get("digest", digest), len(words), chunks, pins.get("weights", bytes(32))
    )
    address = _address(keccak256(code))
    evm().place(address, code)
    return address


def clone(implementation, layout, digest, words, chunks, weights=bytes(32)):
    """Return the code of an EIP-1167 clone with `SharedKeyPins` behind it."""
    head, tail = bytes.fromhex("363d3d373d3d3d363d73"), bytes.fromhex("5af43d82803e903d91602b57fd5bf3")
    pins = b"".join(
        [
            digest,
            weights,
            layout.input_count.to_bytes(4, "big"),
            layout.input_bytes.to_bytes(1, "big"),
            layout.output_count.to_bytes(4, "big"),
            layout.output_bytes.to_bytes(1, "big"),
            words.to_bytes(2, "big"),
            *(to_canonical_address(chunk) for chunk in chunks),
            *(bytes(20) for _ in range(3 - len(chunks))),
        ]
    )
    return head + to_canonical_address(implementation) + tail + pins


def packed(program, claim):
    """Return a claim's input and output as a caller of the contract has them.

    Raises:
        RevertedError: an element does not fit its bytes, so that nobody could ask.
    """
    (width,) = {given.width for given in program.inputs}
    zero = ZERO_POINTS[width]
    data = b"".join((byte - zero).to_bytes(width, "big", signed=True) for byte in claim.inputs)
    try:
        output = b"".join(value.to_bytes(OUTPUT_BYTES, "big", signed=True) for value in claim.outputs)
    except OverflowError as error:
        raise _nobody_could_ask("outputs of 32 bits") from error
    return data, output


def call_of(program, claim, words):
    """Return the calldata of verifying a claim.

    Raises:
        RevertedError: there is no such call.
    """
    data, output = packed(program, claim)
    if len(claim.context) != 32:
        raise _nobody_could_ask("a context of 32 bytes")
    if any(word >> 256 for word in words):
        raise _nobody_could_ask("words of 256 bits")
    return encoded(claim.context, data, output, words)


def encoded(context, data, output, words):
    """Return the calldata of any call of the verifier."""
    verify = function(load_artifact(CONTRACT).abi, "verify")
    return encode_call(verify, (context, data, output, words_to_bytes(words)))


def tensors(program: Program):
    """Return the layout, domain and zero point of a program whose inputs all have one width."""
    (width,) = {given.width for given in program.inputs}
    zero = ZERO_POINTS[width]
    layout = TensorLayout(
        sum(_elements(given.dims) for given in program.inputs),
        width,
        sum(output.count for output in program.outputs),
        OUTPUT_BYTES,
    )
    low, high = min(g.low for g in program.inputs), max(g.high for g in program.inputs)
    return layout, InputDomain(low - zero, high - zero), zero


def check_domain(program, claim):
    """Refuse what a router refuses before it asks the contract.

    Raises:
        RevertedError: an element is outside its input's domain.
    """
    start = 0
    for given in program.inputs:
        count = _elements(given.dims)
        if any(not given.low <= byte <= given.high for byte in claim.inputs[start : start + count]):
            raise RevertedError("expected elements of the domain, found others", name="", data="0x")
        start += count


def _nobody_could_ask(expected):
    return RevertedError(f"expected {expected}, found others", name="", data="0x")


def _address(digest):
    return to_checksum_address(digest[12:])


def _elements(dims):
    count = 1
    for length in dims:
        count *= length
    return count
