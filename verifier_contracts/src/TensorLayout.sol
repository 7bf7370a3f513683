// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice How many elements of how many bytes a circuit's public input and output have.
struct TensorLayout {
    uint32 inputCount;
    uint8 inputBytes;
    uint32 outputCount;
    uint8 outputBytes;
}

/// @notice The integers that each input element may take, both ends included.
struct InputDomain {
    int64 min;
    int64 max;
}

/// @title Packed public tensors
/// @notice A tensor travels as its elements in row-major order, each a two's-complement big-endian integer of 1 to 8
///         bytes. There is exactly one encoding of a tensor, so an alias such as n + r cannot be written.
/// @dev The twin is `zkml/core/tensors.py`. Loops are in assembly because every job runs them over every element.
library PackedTensors {
    /// @notice A count is zero or above {MAX_ELEMENTS}, or a width is not 1 to 8 bytes.
    error InvalidLayout(TensorLayout tensors);
    /// @notice The domain is empty, wider than 2^32 integers, or does not fit the width of an input element.
    error InvalidDomain(InputDomain domain, uint8 inputBytes);
    /// @notice The packed input is not inputCount * inputBytes long.
    error InputLengthMismatch(uint256 expected, uint256 found);
    /// @notice The packed output is not outputCount * outputBytes long.
    error OutputLengthMismatch(uint256 expected, uint256 found);
    /// @notice An input element lies outside the circuit's domain.
    error ElementOutOfDomain(uint256 index, int256 element, int64 min, int64 max);

    /// @dev More than any circuit that verifies within a transaction has; bounds every loop below.
    uint256 internal constant MAX_ELEMENTS = 65_536;
    uint256 internal constant MAX_ELEMENT_BYTES = 8;
    /// @dev Expansion draws 32 bits per element.
    uint256 internal constant MAX_DOMAIN_SPAN = 1 << 32;
    /// @dev The order of BN254's G1: negative elements are written as this plus the element.
    uint256 internal constant SCALAR_FIELD_ORDER =
        21888242871839275222246405745257275088548364400416034343698204186575808495617;

    /// @notice Reverts unless `tensors` is one that a circuit may have.
    function checkLayout(TensorLayout memory tensors) internal pure {
        bool valid = _isCount(tensors.inputCount) && _isCount(tensors.outputCount) && _isWidth(tensors.inputBytes)
            && _isWidth(tensors.outputBytes);
        if (!valid) revert InvalidLayout(tensors);
    }

    /// @notice Reverts unless `domain` is not empty, can be drawn from, and fits elements of `inputBytes` bytes.
    function checkDomain(InputDomain memory domain, uint8 inputBytes) internal pure {
        int256 half = int256(1) << (8 * uint256(inputBytes) - 1);
        bool valid =
            domain.min <= domain.max && domain.min >= -half && domain.max < half && span(domain) <= MAX_DOMAIN_SPAN;
        if (!valid) revert InvalidDomain(domain, inputBytes);
    }

    /// @notice Reverts unless the packed input has the length that the layout says.
    function checkInputLength(uint256 count, uint256 width, uint256 length) internal pure {
        unchecked {
            if (length != count * width) revert InputLengthMismatch(count * width, length);
        }
    }

    /// @notice Reverts unless the packed output has the length that the layout says.
    function checkOutputLength(uint256 count, uint256 width, uint256 length) internal pure {
        unchecked {
            if (length != count * width) revert OutputLengthMismatch(count * width, length);
        }
    }

    /// @notice Reverts with the first element that lies outside the domain.
    /// @dev The length must be checked first: a last element cut short would be read past the end.
    function checkElements(bytes calldata packed, uint256 width, InputDomain memory domain) internal pure {
        // A domain of all integers of the width leaves none outside.
        if (span(domain) >> (8 * width) != 0) return;
        // Widths that divide a word's halves are checked a word at a time.
        bool isWide = width & (width - 1) == 0;
        bool outside = isWide ? _anyOutsideByWords(packed, width, domain) : _anyOutsideOneByOne(packed, width, domain);
        if (outside) _revertWithFirstOutside(packed, width, domain);
    }

    /// @notice Draws an input of the circuit's domain from a seed.
    /// @dev element_i = min + chunk_i mod span, where chunk_i is the (i mod 8)-th 32-bit group, most significant first,
    ///      of keccak256(seed || uint32(i / 8)). The remainder's bias is at most span / 2^32 and harmless: the input
    ///      only has to be one that the publisher did not choose.
    function expand(bytes32 seed, uint256 count, uint256 width, InputDomain memory domain)
        internal
        pure
        returns (bytes memory packed)
    {
        int256 min = domain.min;
        uint256 size = span(domain);
        assembly ("memory-safe") {
            packed := mload(0x40)
            let at := add(packed, 0x20)
            let end := add(at, mul(count, width))
            // The last element is written as a whole word, so one word more than the bytes is taken.
            mstore(0x40, and(add(end, 0x3f), not(0x1f)))
            mstore(packed, mul(count, width))

            let shift := sub(256, shl(3, width))
            let word := 0
            mstore(0x00, seed)
            for { let i := 0 } lt(at, end) { i := add(i, 1) } {
                let group := and(i, 7)
                if iszero(group) {
                    mstore(0x20, shl(224, shr(3, i)))
                    word := keccak256(0x00, 0x24)
                }
                let chunk := and(shr(sub(224, shl(5, group)), word), 0xffffffff)
                mstore(at, shl(shift, add(min, mod(chunk, size))))
                at := add(at, width)
            }
            mstore(end, 0)
        }
    }

    /// @notice Writes one 32-byte field element per packed element to memory from `destination` on.
    /// @dev The caller owns the memory and has checked the length. A negative element x becomes r + x, which in the
    ///      EVM's wrapping arithmetic is one addition.
    /// @return end the address after the last element.
    function writeInstances(bytes calldata packed, uint256 width, uint256 destination)
        internal
        pure
        returns (uint256 end)
    {
        uint256 order = SCALAR_FIELD_ORDER;
        assembly ("memory-safe") {
            let shift := sub(256, shl(3, width))
            let at := packed.offset
            let limit := add(at, packed.length)
            end := destination
            // Four elements a turn, then what is left one by one.
            let stride := shl(2, width)
            for { let last := sub(limit, mod(packed.length, stride)) } lt(at, last) {} {
                let element := sar(shift, calldataload(at))
                mstore(end, add(element, and(order, sar(255, element))))
                at := add(at, width)
                element := sar(shift, calldataload(at))
                mstore(add(end, 0x20), add(element, and(order, sar(255, element))))
                at := add(at, width)
                element := sar(shift, calldataload(at))
                mstore(add(end, 0x40), add(element, and(order, sar(255, element))))
                at := add(at, width)
                element := sar(shift, calldataload(at))
                mstore(add(end, 0x60), add(element, and(order, sar(255, element))))
                at := add(at, width)
                end := add(end, 0x80)
            }
            for {} lt(at, limit) { at := add(at, width) } {
                let element := sar(shift, calldataload(at))
                mstore(end, add(element, and(order, sar(255, element))))
                end := add(end, 0x20)
            }
        }
    }

    /// @notice How many integers the domain holds.
    function span(InputDomain memory domain) internal pure returns (uint256) {
        unchecked {
            // Both ends are int64, so the difference of a valid domain cannot overflow 256 bits.
            return uint256(int256(domain.max) - int256(domain.min) + 1);
        }
    }

    function _anyOutsideOneByOne(bytes calldata packed, uint256 width, InputDomain memory domain)
        private
        pure
        returns (bool outside)
    {
        int256 min = domain.min;
        uint256 last = span(domain) - 1;
        assembly ("memory-safe") {
            let shift := sub(256, shl(3, width))
            let end := add(packed.offset, packed.length)
            // One comparison per element: below min the difference wraps to a number above any span.
            for { let at := packed.offset } lt(at, end) { at := add(at, width) } {
                outside := or(outside, gt(sub(sar(shift, calldataload(at)), min), last))
            }
        }
    }

    /// @dev All the elements of a word at once, for widths of 1, 2, 4 and 8 bytes. With the sign bits turned over, order
    ///      is that of unsigned numbers of b bits. Every second element is given a lane of 2b bits, and the others
    ///      another word of such lanes, so that a sum has room for its carry, which is the answer: x + (2^b - 1 - max)
    ///      carries if x > max, and x + (2^b - min) carries unless x < min.
    function _anyOutsideByWords(bytes calldata packed, uint256 width, InputDomain memory domain)
        private
        pure
        returns (bool outside)
    {
        assembly ("memory-safe") {
            let bits := shl(3, width)
            let lanes
            let signs
            let above
            let reach
            {
                let limit := shl(bits, 1)
                let half := shr(1, limit)
                let ones := div(not(0), sub(shl(bits, limit), 1))
                lanes := mul(ones, sub(limit, 1))
                signs := mul(ones, or(half, shl(bits, half)))
                above := mul(ones, sub(sub(limit, 1), add(mload(add(domain, 0x20)), half)))
                reach := mul(ones, sub(limit, add(mload(domain), half)))
            }
            let carries := 0
            let end := add(packed.offset, packed.length)
            for { let at := packed.offset } lt(at, end) { at := add(at, 0x20) } {
                let word := xor(calldataload(at), signs)
                if gt(add(at, 0x20), end) {
                    // Behind the last element, the least one allowed stands in for whatever follows in calldata.
                    let least := sub(add(lanes, div(lanes, sub(shl(bits, 1), 1))), reach)
                    let missing := shr(shl(3, sub(end, at)), not(0))
                    word := or(and(word, not(missing)), and(or(least, shl(bits, least)), missing))
                }
                let even := and(word, lanes)
                word := and(shr(bits, word), lanes)
                carries := or(
                    carries,
                    or(or(add(even, above), add(word, above)), not(and(add(even, reach), add(word, reach))))
                )
            }
            // The carries of a lane stand one bit above its element.
            outside := iszero(iszero(and(carries, add(lanes, div(lanes, sub(shl(bits, 1), 1))))))
        }
    }

    /// @dev The slow second look, only on the way to a revert. It never returns: should the two ever differ, the slice
    ///      runs past the end, and that reverts too.
    function _revertWithFirstOutside(bytes calldata packed, uint256 width, InputDomain memory domain) private pure {
        for (uint256 index;; ++index) {
            int256 element = int256(uint256(bytes32(packed[index * width:(index + 1) * width]))) >> (256 - 8 * width);
            if (element < domain.min || element > domain.max) {
                revert ElementOutOfDomain(index, element, domain.min, domain.max);
            }
        }
    }

    function _isCount(uint256 count) private pure returns (bool) {
        return count > 0 && count <= MAX_ELEMENTS;
    }

    function _isWidth(uint256 width) private pure returns (bool) {
        return width > 0 && width <= MAX_ELEMENT_BYTES;
    }
}
