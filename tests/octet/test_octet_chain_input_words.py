"""The contract reads the words of an input from packed calldata as the specification reads them from bytes."""

from functools import cache
from math import prod
from random import Random

from hypothesis import example, given, settings
from hypothesis import strategies as st

from circuits.octet.chain.chain_key import input_descriptors
from circuits.octet.input_words import words_of
from circuits.octet.tensors import Input
from verifier_contracts.compiler import compile_sources
from verifier_contracts.local_evm import LocalEvm
from verifier_contracts.sources import collect_sources, read_source

_ADDRESS = "0x00000000000000000000000000000000000c0da2"
_PATH = "WordsHarness.sol"
_SOURCE = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OctetInputWords} from "verifier_contracts/src/OctetInputWords.sol";
import {OctetKey} from "verifier_contracts/src/OctetKey.sol";

/// Calldata: number of words, number of descriptors, zero point, descriptors, the packed input. Answer: words.
contract WordsHarness {
    fallback() external {
        uint256 count = uint256(bytes32(msg.data[:32]));
        uint256 tensors = uint256(bytes32(msg.data[32:64]));
        uint256 places = (3 << OctetKey.INPUT_DESCRIPTORS) | (tensors << OctetKey.INPUT_COUNT)
            | (uint256(bytes32(msg.data[64:96])) << OctetKey.ZERO_POINT);
        uint256 base;
        assembly ("memory-safe") {
            base := mload(0x40)
            mstore(add(base, 0x40), places)
            calldatacopy(add(base, 0x60), 0x60, mul(tensors, 0x20))
            mstore(0x40, add(base, 0x10000))
        }
        OctetInputWords.write(base, msg.data[96 + 32 * tensors:], base + 0x8000);
        assembly ("memory-safe") {
            return(add(base, 0x8000), mul(add(count, 1), 0x20))
        }
    }
}
"""


@cache
def _machine():
    sources = {**collect_sources(["verifier_contracts/src/OctetInputWords.sol"], read_source), _PATH: _SOURCE}
    evm = LocalEvm()
    contracts = compile_sources(sources)
    evm.place(_ADDRESS, next(item.runtime_code for item in contracts if item.name == "WordsHarness"))
    return evm


def words_in_contract(inputs, data, zero, count):
    """Return the words, and the word behind them, which nobody may write."""
    numbers = [count, len(inputs), zero, *input_descriptors(inputs)]
    head = b"".join(number.to_bytes(32, "big") for number in numbers)
    # What follows the input in calldata is a proof: any bytes.
    answer = _machine().call(_ADDRESS, head + data + b"\xa5" * 32).data
    return [int.from_bytes(answer[at : at + 32], "big") for at in range(0, len(answer), 32)]


@st.composite
def tensors(draw):
    """A few inputs of one width, a zero point, and bytes within the domain of two's complement."""
    width = draw(st.sampled_from([1, 2]))
    zero = draw(st.integers(0, 255))
    shapes = draw(st.lists(st.lists(st.integers(1, 9), min_size=1, max_size=3), min_size=1, max_size=2))
    last = draw(st.integers(1, 70))
    shapes[0] = [*shapes[0][:2], last]
    inputs = tuple(Input(f"x{i}", tuple(shape), width=width) for i, shape in enumerate(shapes))
    return inputs, zero, draw(st.integers(0, 1 << 30))


@settings(max_examples=80, deadline=None)
@given(tensors())
@example(((Input("x", (1, 28, 28)),), 128, 1))
@example(((Input("x", (3, 32), width=2),), 200, 2))
def test_chain_input_words__the_contract_reads_the_specifications_words(drawn):
    """Lines shorter than a word, of two words and of many, of one byte and of two an element, to the last lane."""
    inputs, zero, seed = drawn
    rng = Random(seed)
    data, expected = b"", []
    for given_input in inputs:
        width = given_input.width
        reach = 1 << 8 * width - 1
        low, high = max(0, zero - reach), min(255, zero + reach - 1)
        values = [rng.choice([low, high, rng.randint(low, high)]) for _ in range(prod(given_input.dims))]
        data += b"".join((value - zero).to_bytes(width, "big", signed=True) for value in values)
        expected += words_of(given_input, values)
    found = words_in_contract(inputs, data, zero, len(expected))
    assert found == [*expected, 0]
