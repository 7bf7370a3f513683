// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Vm} from "tests/contracts/support/Vm.sol";
import {InputDomain, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @notice What every test contract stands on: the cheatcodes, and packing written the slow and obvious way.
abstract contract Specification {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);

    uint256 internal constant R = 21888242871839275222246405745257275088548364400416034343698204186575808495617;

    /// @dev Maps any number into a range, both ends included.
    function within(uint256 value, uint256 min, uint256 max) internal pure returns (uint256) {
        uint256 size = max - min + 1;
        return size == 0 ? value : min + value % size;
    }

    function within(int256 value, int256 min, int256 max) internal pure returns (int256) {
        return min + int256(uint256(value) % uint256(max - min + 1));
    }

    /// @dev Two's complement, big-endian, byte by byte: the oracle for the assembly of PackedTensors.
    function pack(int256[] memory elements, uint256 width) internal pure returns (bytes memory packed) {
        packed = new bytes(elements.length * width);
        for (uint256 i; i < elements.length; ++i) {
            for (uint256 k; k < width; ++k) {
                packed[i * width + k] = bytes1(uint8(uint256(elements[i]) >> (8 * (width - 1 - k))));
            }
        }
    }

    /// @dev A pseudorandom tensor whose elements lie in a range.
    function tensor(uint256 seed, uint256 count, int256 min, int256 max)
        internal
        pure
        returns (int256[] memory elements)
    {
        elements = new int256[](count);
        for (uint256 i; i < count; ++i) {
            elements[i] = within(int256(uint256(keccak256(abi.encode(seed, i)))), min, max);
        }
    }

    /// @dev Field elements: x to x, -x to r - x.
    function felts(int256[] memory head, int256[] memory tail) internal pure returns (uint256[] memory instances) {
        instances = new uint256[](head.length + tail.length);
        for (uint256 i; i < instances.length; ++i) {
            int256 element = i < head.length ? head[i] : tail[i - head.length];
            instances[i] = element < 0 ? R - uint256(-element) : uint256(element);
        }
    }

    /// @dev The greatest element of a width.
    function top(uint256 width) internal pure returns (int256) {
        return int256(1 << (8 * width - 1)) - 1;
    }

    /// @dev A byte string of any length.
    function noise(uint256 seed, uint256 length) internal pure returns (bytes memory data) {
        data = new bytes(length);
        for (uint256 i; i < length; ++i) {
            data[i] = bytes1(uint8(uint256(keccak256(abi.encode(seed, i)))));
        }
    }

    /// @dev The same bytes with one bit of one byte turned over.
    function flipped(bytes memory data, uint256 place) internal pure returns (bytes memory changed) {
        changed = bytes.concat(data);
        changed[place % data.length] ^= 0x01;
    }
}
