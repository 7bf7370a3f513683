// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Specification} from "tests/contracts/support/Specification.sol";
import {Ceremony} from "verifier_contracts/src/Ceremonies.sol";
import {PlatformTerms} from "verifier_contracts/src/IProtocolAdmin.sol";
import {CircuitSpec, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";
import {ProtocolAdmin} from "verifier_contracts/src/ProtocolAdmin.sol";
import {InputDomain, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";
import {VerifierRouter} from "verifier_contracts/src/VerifierRouter.sol";

/// @notice A router and its admin as they are deployed, and the words to speak of them shortly.
abstract contract Routing is Specification {
    uint32 internal constant GAS_LIMIT = 300_000;
    bytes internal constant INPUT = hex"0001feff";
    bytes internal constant OUTPUT = hex"00000001fffffffe";
    bytes internal constant PROOF = hex"c0ffee";

    address internal owner = address(0x0E4E);
    address internal treasury = address(0x7EA5);
    address internal guardian = address(0x64A4);
    address internal stranger = address(0xD00D);

    ProtocolAdmin internal admin;
    VerifierRouter internal router;

    function deployRouting() internal {
        admin = new ProtocolAdmin(
            owner, treasury, guardian, PlatformTerms(25_000, 10_000), PlatformTerms(100_000, 1_000_000)
        );
        router = newRouter();
    }

    function newRouter() internal returns (VerifierRouter) {
        Ceremony[] memory ceremonies = new Ceremony[](1);
        ceremonies[0] = publicCeremony();
        return new VerifierRouter(admin, ceremonies);
    }

    /// @dev The ceremony whose SRS EZKL serves, of which the first 516 bytes lie in circuits/srs_data.
    function publicCeremony() internal pure returns (Ceremony memory) {
        return Ceremony({
            name: "perpetual powers of tau, as halo2 files",
            negatedTauG2: [
                bytes32(0x186282957db913abd99f91db59fe69922e95040603ef44c0bd7aa3adeef8f5ac),
                0x17944351223333f260ddc3b4af45191b856689eda9eab5cbcddbbe570ce860d2,
                0x06d971ff4a7467c3ec596ed6efc674572e32fd6f52b721f97e35b0b3d3546753,
                0x06ecdb9f9567f59ed2eee36e1e1d58797fd13cc97fafc2910f5e8a12f202fa9a
            ]
        });
    }

    /// @dev G1, G2 and the public ceremony's -[tau]G2, as a key has them.
    function publicConstants() internal pure returns (bytes32[10] memory constants) {
        bytes32[4] memory tau = publicCeremony().negatedTauG2;
        return [
            bytes32(uint256(1)),
            bytes32(uint256(2)),
            0x198e9393920d483a7260bfb731fb5d25f1aa493335a9e71297e485b7aef312c2,
            0x1800deef121f1e76426a00665e5c4479674322d4f75edadd46debd5cd992f6ed,
            0x090689d0585ff075ec9e99ad690c3395bc4b313370b38ef355acdadcd122975b,
            0x12c85ea5db8c6deb4aab71808dcb408fe3d1e7690c43d37b4ce6cc0166fa7daa,
            tau[0],
            tau[1],
            tau[2],
            tau[3]
        ];
    }

    function specOf(address adapter, bytes32 keyDigest) internal view returns (CircuitSpec memory) {
        return CircuitSpec({
            adapter: adapter,
            adapterCodeHash: adapter.codehash,
            verifyingKeyDigest: keyDigest,
            weightCommitment: 0,
            proofSystemId: 0x29e846df,
            tensors: TensorLayout({inputCount: 4, inputBytes: 1, outputCount: 2, outputBytes: 4}),
            domain: InputDomain({min: -2, max: 1}),
            gasLimit: GAS_LIMIT,
            class_: VerifierClass.LOCAL
        });
    }

    function audit(address implementation) internal {
        bytes32 codeHash = implementation.codehash;
        vm.prank(owner);
        admin.addAuditedVerifier(codeHash);
    }

    function tombstone(bytes32 circuitId) internal {
        vm.prank(guardian);
        router.tombstone(circuitId, "unsound");
    }
}
