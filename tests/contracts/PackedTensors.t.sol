// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Specification} from "tests/contracts/support/Specification.sol";
import {InputDomain, PackedTensors, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @notice Gives the library's internal functions an outside.
contract PackedTensorsDoor {
    function checkLayout(TensorLayout memory tensors) external pure {
        PackedTensors.checkLayout(tensors);
    }

    function checkDomain(InputDomain memory domain, uint8 width) external pure {
        PackedTensors.checkDomain(domain, width);
    }

    function checkElements(bytes calldata packed, uint256 width, InputDomain memory domain) external pure {
        PackedTensors.checkElements(packed, width, domain);
    }

    function expand(bytes32 seed, uint256 count, uint256 width, InputDomain memory domain)
        external
        pure
        returns (bytes memory packed, bytes memory after_)
    {
        packed = PackedTensors.expand(seed, count, width, domain);
        // Whatever is allocated next must not overlap the tensor.
        after_ = new bytes(64);
        for (uint256 i; i < 64; ++i) {
            after_[i] = 0xff;
        }
    }

    function instances(bytes calldata packed, uint256 width) external pure returns (uint256[] memory result) {
        result = new uint256[](packed.length / width);
        uint256 start;
        assembly {
            start := add(result, 0x20)
        }
        uint256 end = PackedTensors.writeInstances(packed, width, start);
        require(end == start + 32 * result.length, "wrote another number of words");
    }
}

contract PackedTensorsTest is Specification {
    PackedTensorsDoor private door = new PackedTensorsDoor();

    function testFuzz_instances__any_tensor__equal_the_slow_way(uint256 seed, uint256 count, uint256 width)
        external
        view
    {
        count = within(count, 0, 70);
        width = within(width, 1, 8);
        int256[] memory elements = tensor(seed, count, -top(width) - 1, top(width));
        vm.assertEq(
            abi.encode(door.instances(pack(elements, width), width)),
            abi.encode(felts(elements, new int256[](0))),
            "instances"
        );
    }

    function test_instances__ends_of_every_width__are_reduced_field_elements() external view {
        for (uint256 width = 1; width <= 8; ++width) {
            int256[] memory elements = new int256[](4);
            (elements[0], elements[1], elements[2], elements[3]) = (-top(width) - 1, -1, 0, top(width));
            uint256[] memory found = door.instances(pack(elements, width), width);
            vm.assertEq(found[0], R - uint256(top(width)) - 1, "least");
            vm.assertEq(found[1], R - 1, "minus one");
            vm.assertEq(found[2], 0, "zero");
            vm.assertEq(found[3], uint256(top(width)), "greatest");
        }
    }

    function testFuzz_elements__inside__pass(uint256 seed, uint256 count, uint256 width, int64 a, int64 b)
        external
        view
    {
        (width, count) = (within(width, 1, 8), within(count, 1, 70));
        InputDomain memory domain = domainWithin(width, a, b);
        door.checkElements(pack(tensor(seed, count, domain.min, domain.max), width), width, domain);
    }

    function testFuzz_elements__one_outside__named_with_its_index(
        uint256 seed,
        uint256 count,
        uint256 width,
        int64 a,
        int64 b,
        int256 outside,
        uint256 place
    ) external {
        (width, count) = (within(width, 1, 8), within(count, 1, 70));
        InputDomain memory domain = domainWithin(width, a, b);
        outside = within(outside, -top(width) - 1, top(width));
        vm.assume(outside < domain.min || outside > domain.max);
        int256[] memory elements = tensor(seed, count, domain.min, domain.max);
        place = place % count;
        elements[place] = outside;
        bytes memory packed = pack(elements, width);
        vm.expectRevert(
            abi.encodeWithSelector(PackedTensors.ElementOutOfDomain.selector, place, outside, domain.min, domain.max)
        );
        door.checkElements(packed, width, domain);
    }

    function test_elements__one_beside_each_end__refused() external {
        InputDomain memory domain = InputDomain(-3, 5);
        int256[] memory elements = new int256[](1);
        for (int256 element = -128; element < 128; ++element) {
            elements[0] = element;
            bytes memory packed = pack(elements, 1);
            if (element < -3 || element > 5) vm.expectPartialRevert(PackedTensors.ElementOutOfDomain.selector);
            door.checkElements(packed, 1, domain);
        }
    }

    function test_elements__domain_of_the_whole_width__none_is_outside() external {
        int256[] memory elements = new int256[](256);
        for (uint256 i; i < 256; ++i) {
            elements[i] = int256(i) - 128;
        }
        bytes memory packed = pack(elements, 1);
        door.checkElements(packed, 1, InputDomain(-128, 127));
        vm.expectRevert(
            abi.encodeWithSelector(PackedTensors.ElementOutOfDomain.selector, 255, 127, -128, 126)
        );
        door.checkElements(packed, 1, InputDomain(-128, 126));
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.ElementOutOfDomain.selector, 0, -128, -127, 127));
        door.checkElements(packed, 1, InputDomain(-127, 127));
    }

    function test_elements__widest_domain_of_eight_bytes__ends_pass_and_neighbours_do_not() external {
        InputDomain memory domain = InputDomain(type(int64).min, type(int64).min + int64(uint64(1 << 32)) - 1);
        int256[] memory elements = new int256[](2);
        (elements[0], elements[1]) = (int256(domain.min), int256(domain.max));
        door.checkElements(pack(elements, 8), 8, domain);
        elements[1] = int256(domain.max) + 1;
        bytes memory packed = pack(elements, 8);
        vm.expectPartialRevert(PackedTensors.ElementOutOfDomain.selector);
        door.checkElements(packed, 8, domain);
    }

    function testFuzz_expand__any_domain__equals_the_slow_way(
        bytes32 seed,
        uint256 count,
        uint256 width,
        int64 a,
        int64 b
    ) external view {
        (width, count) = (within(width, 1, 8), within(count, 1, 70));
        InputDomain memory domain = domainWithin(width, a, b);
        (bytes memory packed, bytes memory after_) = door.expand(seed, count, width, domain);
        int256[] memory expected = new int256[](count);
        for (uint256 i; i < count; ++i) {
            bytes32 word = keccak256(abi.encodePacked(seed, uint32(i / 8)));
            uint256 chunk = uint256(uint32(bytes4(word << (32 * (i % 8)))));
            expected[i] = domain.min + int256(chunk % uint256(int256(domain.max) - domain.min + 1));
        }
        vm.assertEq(packed, pack(expected, width), "expansion");
        vm.assertEq(after_.length, 64, "the next allocation starts behind the tensor");
        door.checkElements(packed, width, domain);
    }

    function test_expand__seed_zero__known_answer() external view {
        (bytes memory packed,) = door.expand(bytes32(0), 9, 1, InputDomain(0, 127));
        // keccak256(bytes32(0) || uint32(0)) and (.. || uint32(1)), each 32-bit group modulo 128.
        bytes32 first = keccak256(abi.encodePacked(bytes32(0), uint32(0)));
        for (uint256 i; i < 8; ++i) {
            vm.assertEq(uint8(packed[i]), uint8(first[4 * i + 3]) & 0x7f, "element of the first word");
        }
        vm.assertEq(
            uint8(packed[8]), uint8(keccak256(abi.encodePacked(bytes32(0), uint32(1)))[3]) & 0x7f, "second word"
        );
    }

    function test_layout__counts_and_widths_at_the_edges() external {
        door.checkLayout(TensorLayout(1, 1, 1, 1));
        door.checkLayout(TensorLayout(65_536, 8, 65_536, 8));
        refuseLayout(TensorLayout(0, 1, 1, 1));
        refuseLayout(TensorLayout(1, 0, 1, 1));
        refuseLayout(TensorLayout(1, 1, 0, 1));
        refuseLayout(TensorLayout(1, 1, 1, 0));
        refuseLayout(TensorLayout(65_537, 1, 1, 1));
        refuseLayout(TensorLayout(1, 9, 1, 1));
        refuseLayout(TensorLayout(1, 1, 65_537, 1));
        refuseLayout(TensorLayout(1, 1, 1, 9));
    }

    function test_domain__edges_of_width_and_span() external {
        door.checkDomain(InputDomain(-128, 127), 1);
        door.checkDomain(InputDomain(7, 7), 1);
        door.checkDomain(InputDomain(-(2 ** 31), 2 ** 31 - 1), 4);
        door.checkDomain(InputDomain(type(int64).max - 1, type(int64).max), 8);
        refuseDomain(InputDomain(1, 0), 1);
        refuseDomain(InputDomain(-129, 0), 1);
        refuseDomain(InputDomain(0, 128), 1);
        refuseDomain(InputDomain(-(2 ** 31), 2 ** 31), 5);
        refuseDomain(InputDomain(type(int64).min, type(int64).max), 8);
        refuseDomain(InputDomain(type(int64).max, type(int64).min), 8);
    }

    function refuseLayout(TensorLayout memory tensors) private {
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.InvalidLayout.selector, tensors));
        door.checkLayout(tensors);
    }

    function refuseDomain(InputDomain memory domain, uint8 width) private {
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.InvalidDomain.selector, domain, width));
        door.checkDomain(domain, width);
    }

    /// @dev A valid domain for a width, from any two numbers.
    function domainWithin(uint256 width, int64 a, int64 b) private pure returns (InputDomain memory domain) {
        int256 x = within(int256(a), -top(width) - 1, top(width));
        int256 y = within(int256(b), -top(width) - 1, top(width));
        (int256 low, int256 high) = x < y ? (x, y) : (y, x);
        if (high - low >= 2 ** 32) high = low + 2 ** 32 - 1;
        return InputDomain(int64(low), int64(high));
    }
}
