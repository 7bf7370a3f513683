// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice A public ceremony, by what a verifying key says of it.
/// @param name what people call it.
/// @param negatedTauG2 -[tau]G2 as x.c1, x.c0, y.c1, y.c0.
struct Ceremony {
    string name;
    bytes32[4] negatedTauG2;
}

/// @title The constants by which a key names its ceremony
library Ceremonies {
    /// @notice The ceremony has no name, or its point is none of the group G2 or is infinity.
    error CeremonyRefused(string name, bytes32[4] negatedTauG2);

    /// @dev keccak256 of the generators of BN254 as a key has them: G1 (x, y), G2 (x.c1, x.c0, y.c1, y.c0). Another G1
    ///      or G2 with a ceremony's tau would be another proof system.
    bytes32 private constant GENERATORS_DIGEST = keccak256(
        abi.encode(
            uint256(1),
            uint256(2),
            0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2,
            0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed,
            0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b,
            0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa
        )
    );
    uint256 private constant GENERATOR_WORDS = 6;
    address private constant PAIRING = address(8);
    /// @dev EIP-1108 asks 79,000 for one pair; what fails takes all it was given.
    uint256 private constant PAIRING_GAS = 100_000;

    /// @notice Whether a key's constants begin with the generators that every key has.
    function haveGenerators(bytes32[10] memory constants) internal pure returns (bool) {
        bytes32 found;
        assembly ("memory-safe") {
            found := keccak256(constants, 0xc0)
        }
        return found == GENERATORS_DIGEST;
    }

    /// @notice The digest of the -[tau]G2 in a key's constants.
    function tauDigest(bytes32[10] memory constants) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            digest := keccak256(add(constants, 0xc0), 0x80)
        }
    }

    /// @notice The digest of a -[tau]G2.
    function tauDigest(bytes32[4] memory negatedTauG2) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            digest := keccak256(negatedTauG2, 0x80)
        }
    }

    /// @notice Reverts unless a ceremony has a name and a point.
    function check(Ceremony memory ceremony) internal view {
        bytes32[4] memory point = ceremony.negatedTauG2;
        bool isZero = (point[0] | point[1] | point[2] | point[3]) == 0;
        // The precompile fails on what is not in G2; with infinity on the other side it decides nothing else.
        (bool isPoint,) = PAIRING.staticcall{gas: PAIRING_GAS}(abi.encode(0, 0, point));
        if (bytes(ceremony.name).length == 0 || isZero || !isPoint) revert CeremonyRefused(ceremony.name, point);
    }
}
