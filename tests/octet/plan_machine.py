"""The contract's plan machine by itself, in an EVM of this process: a memory image in, a value and the image out."""

from functools import cache

from circuits.octet.chain.instructions import Section, Slot
from verifier_contracts.compiler import compile_sources
from verifier_contracts.local_evm import LocalEvm
from verifier_contracts.sources import collect_sources, read_source
from zkml.adapters.evm.reverts import RevertDecoder

_ADDRESS = "0x00000000000000000000000000000000000c0da1"
_PATH = "PlanHarness.sol"
_SOURCE = """// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OctetPlan} from "verifier_contracts/src/OctetPlan.sol";

/// Calldata: the byte offset of the first instruction, then an image of memory. Answer: value, gas, the image.
contract PlanHarness {
    fallback() external {
        uint256 base;
        uint256 length = msg.data.length - 32;
        assembly ("memory-safe") {
            base := add(mload(0x40), 0x40)
            calldatacopy(base, 0x20, length)
            mstore(0x40, add(base, length))
        }
        uint256 used = gasleft();
        uint256 value = OctetPlan.run(base, base + uint256(bytes32(msg.data[:32])));
        used -= gasleft();
        assembly ("memory-safe") {
            mstore(sub(base, 0x40), value)
            mstore(sub(base, 0x20), used)
            return(sub(base, 0x40), add(length, 0x40))
        }
    }
}
"""


@cache
def _machine():
    sources = {**collect_sources(["verifier_contracts/src/OctetPlan.sol"], read_source), _PATH: _SOURCE}
    contracts = {item.name: item for item in compile_sources(sources)}
    errors = [contracts["OctetPlan"].abi]
    evm = LocalEvm(reverts=RevertDecoder(errors))
    evm.place(_ADDRESS, contracts["PlanHarness"].runtime_code)
    return evm


def run_code(code, words):
    """Run a segment over words of memory.

    Args:
        code: instructions, as bytes; it lies behind the words.
        words: of memory, slot 0 first.

    Returns:
        The segment's value, its gas, and the words afterwards.
    """
    image = b"".join(word.to_bytes(32, "big") for word in words)
    entry = len(image).to_bytes(32, "big")
    data = _machine().call(_ADDRESS, entry + image + code + bytes(32)).data
    numbers = [int.from_bytes(data[at : at + 32], "big") for at in range(0, len(data) - 31, 32)]
    return numbers[0], numbers[1], numbers[2 : 2 + len(words)]


class PlanMemory:
    """Memory of a whole plan: constants, frame and temporaries, by slot."""

    def __init__(self, plan):
        """Lay the constants out in front of the frame; everything else holds what nobody wrote."""
        self._starts = {
            Section.CONSTANT: 0,
            Section.FRAME: len(plan.constants),
            Section.TEMPORARY: len(plan.constants) + plan.frame.size,
        }
        self._segments = plan.encode(0, len(plan.constants))
        self.words = [*plan.constants, *[(1 << 255) - 19] * plan.frame_size]

    def __setitem__(self, slot: Slot, value: int) -> None:
        """Write one word."""
        self.words[self._starts[slot.section] + slot.index] = value

    def __getitem__(self, slot: Slot) -> int:
        """Read one word."""
        return self.words[self._starts[slot.section] + slot.index]

    def run(self, segment: int) -> tuple[int, int]:
        """Run a segment in the contract; return its value and gas."""
        value, gas, self.words = run_code(self._segments[segment], self.words)
        return value, gas
