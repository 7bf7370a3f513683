// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Specification} from "tests/contracts/support/Specification.sol";
import {OctetPoints} from "verifier_contracts/src/OctetPoints.sol";
import {OctetTranscript} from "verifier_contracts/src/OctetTranscript.sol";

/// @notice Gives the libraries' internal functions an outside, and what lies behind their results.
contract OctetTranscriptDoor {
    uint256 private constant CANARY = 0xdeadbeef;

    /// @return value of the polynomial.
    /// @return area the buffer, a word that nobody may write, the point, and such a word again.
    function rounds(uint256 state, uint256 claim, uint256 degree, uint256[] calldata words)
        external
        pure
        returns (uint256 value, uint256[] memory area)
    {
        area = new uint256[](degree + 3 + words.length / degree);
        (area[0], area[degree + 1], area[area.length - 1]) = (state, CANARY, CANARY);
        value = _rounds(_words(area), claim, degree, words);
        require(area[degree + 1] == CANARY && area[area.length - 1] == CANARY, "wrote too much");
    }

    function _rounds(uint256 buffer, uint256 claim, uint256 degree, uint256[] calldata words)
        private
        pure
        returns (uint256)
    {
        uint256 from;
        assembly {
            from := words.offset
        }
        uint256 end = from + 32 * words.length;
        uint256 to = buffer + 32 * (degree + 2);
        if (degree == 2) return OctetTranscript.secondRounds(buffer, from, end, to, claim);
        return OctetTranscript.firstRounds(buffer, from, end, to, claim);
    }

    function combine(uint256 x, uint256[] calldata words) external pure returns (uint256 total, uint256[] memory powers) {
        uint256[] memory scalars = words;
        powers = new uint256[](words.length + 1);
        powers[words.length] = CANARY;
        total = OctetTranscript.combine(x, _words(scalars), _words(powers), words.length);
        require(powers[words.length] == CANARY, "wrote too much");
    }

    function sum(uint256[] calldata points, uint256[] calldata factors) external view returns (uint256 x, uint256 y) {
        (uint256[] memory copied, uint256[] memory scalars) = (points, factors);
        uint256[] memory area = new uint256[](7);
        OctetPoints.sum(_words(area), _words(copied), _words(scalars), factors.length);
        return (area[0], area[1]);
    }

    function _words(uint256[] memory array) private pure returns (uint256 first) {
        assembly {
            first := add(array, 0x20)
        }
    }
}

/// @notice The loops of OCTET's transcript against their definitions, in the slow way.
contract OctetTranscriptTest is Specification {
    OctetTranscriptDoor private door = new OctetTranscriptDoor();

    uint256 private constant Q = 21888242871839275222246405745257275088696311157297823662689037894645226208583;

    function testFuzz_rounds__any_canonical_words__follow_the_polynomials(uint256 seed, bool second, uint256 count)
        external
        view
    {
        uint256 degree = second ? 2 : 6;
        uint256[] memory words = scalars(seed, degree * within(count, 0, 12));
        uint256 claim = uint256(keccak256(abi.encode(seed, "claim"))) % R;
        (uint256 value, uint256[] memory area) = door.rounds(seed, claim, degree, words);
        bytes32 state = bytes32(seed);
        for (uint256 i; i < words.length; i += degree) {
            uint256[] memory message = new uint256[](degree);
            for (uint256 j; j < degree; ++j) {
                message[j] = words[i + j];
            }
            state = keccak256(abi.encodePacked(state, message));
            uint256 x = uint256(state) % R;
            vm.assertEq(area[degree + 2 + i / degree], x, "challenge");
            claim = polynomialAt(message, claim, x);
        }
        vm.assertEq(area[0], uint256(state), "state");
        vm.assertEq(value, claim, "claim");
    }

    function testFuzz_rounds__any_word_plus_r__refused(uint256 seed, bool second, uint256 place) external {
        uint256 degree = second ? 2 : 6;
        uint256[] memory words = scalars(seed, degree * 8);
        words[place % words.length] += R;
        vm.expectRevert(OctetTranscript.ScalarNotCanonical.selector);
        door.rounds(seed, 0, degree, words);
    }

    function testFuzz_combine__any_number_of_words__is_their_sum_by_powers(uint256 x, uint256 seed, uint256 count)
        external
        view
    {
        x %= R;
        uint256[] memory words = scalars(seed, within(count, 0, 41));
        (uint256 total, uint256[] memory powers) = door.combine(x, words);
        uint256 power = 1;
        uint256 expected;
        for (uint256 i; i < words.length; ++i) {
            vm.assertEq(powers[i], power, "power");
            expected = addmod(expected, mulmod(power, words[i], R), R);
            power = mulmod(power, x, R);
        }
        vm.assertEq(total, expected, "sum");
    }

    function testFuzz_combine__any_word_that_is_not_canonical__refused(uint256 seed, uint256 count, uint256 place, uint256 high)
        external
    {
        uint256[] memory words = scalars(seed, within(count, 1, 41));
        words[place % words.length] = within(high, R, type(uint256).max);
        vm.expectRevert(OctetTranscript.ScalarNotCanonical.selector);
        door.combine(seed % R, words);
    }

    function testFuzz_sum__multiples_of_the_generator__add_up(uint256 seed, uint256 count) external view {
        uint256[] memory factors = scalars(seed, within(count, 1, 9));
        uint256[] memory points = new uint256[](2 * factors.length);
        uint256 total;
        for (uint256 i; i < factors.length; ++i) {
            // Infinity, the generator, its negative: whatever is added, the sum is a multiple that can be told.
            uint256 kind = uint256(keccak256(abi.encode(seed, i))) % 3;
            if (kind == 0) continue;
            (points[2 * i], points[2 * i + 1]) = (1, kind == 1 ? 2 : Q - 2);
            total = addmod(total, kind == 1 ? factors[i] : R - factors[i], R);
        }
        (uint256 x, uint256 y) = door.sum(points, factors);
        (bool done, bytes memory expected) = address(7).staticcall(abi.encode(1, 2, total));
        vm.assertTrue(done, "precompile");
        vm.assertEq(abi.encode(x, y), expected, "sum");
    }

    function testFuzz_sum__any_pair_of_numbers_that_is_no_point__refused(uint256 seed, uint256 place, uint256 x, uint256 y)
        external
    {
        vm.assume(x >= Q || y >= Q || mulmod(y, y, Q) != addmod(mulmod(mulmod(x, x, Q), x, Q), 3, Q));
        vm.assume(x != 0 || y != 0);
        uint256[] memory factors = scalars(seed, 5);
        uint256[] memory points = new uint256[](10);
        place %= 5;
        (points[2 * place], points[2 * place + 1]) = (x, y);
        factors[place] = seed % 2 == 0 ? 0 : factors[place];
        vm.expectRevert(OctetPoints.NotAPoint.selector);
        door.sum{gas: 3_000_000_000}(points, factors);
    }

    function polynomialAt(uint256[] memory message, uint256 claim, uint256 x) private pure returns (uint256 value) {
        // c_0, c_2 .. c_n; what is missing follows from s(0) + s(1).
        uint256 linear = addmod(claim, R - mulmod(2, message[0], R), R);
        uint256 power = mulmod(x, x, R);
        value = message[0];
        for (uint256 j = 1; j < message.length; ++j) {
            linear = addmod(linear, R - message[j], R);
            value = addmod(value, mulmod(message[j], power, R), R);
            power = mulmod(power, x, R);
        }
        value = addmod(value, mulmod(linear, x, R), R);
    }

    function scalars(uint256 seed, uint256 count) private pure returns (uint256[] memory words) {
        words = new uint256[](count);
        for (uint256 i; i < count; ++i) {
            uint256 drawn = uint256(keccak256(abi.encode(seed, i)));
            // The ends of the range come up as often as all others together.
            words[i] = drawn % 4 == 0 ? R - 1 : drawn % 4 == 1 ? 0 : (drawn >> 2) % R;
        }
    }
}
