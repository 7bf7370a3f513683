// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SignedRequest, TabSpec} from "marketplace/src/IJobManager.sol";
import {JobTest} from "tests/contracts/support/JobTest.sol";

/// @notice A requester with keys, and the words to open tabs and sign requests; every hash is spelt out by hand.
abstract contract TabTest is JobTest {
    uint256 internal constant SIGNER_KEY = 0x5163E4;
    uint80 internal constant AMOUNT = 100_000_000;
    /// @dev The model's 2 zUSD are more than a tenth of what goes with 10 zUSD for the prover.
    uint80 internal constant MODEL_FEE = 2_000_000;

    address internal signer = vm.addr(SIGNER_KEY);

    function tabSpec() internal view returns (TabSpec memory) {
        return TabSpec({
            modelId: modelId, prover: prover, signer: signer, amount: AMOUNT, expiry: uint40(block.timestamp + 1 days)
        });
    }

    function openTab() internal returns (bytes32) {
        vm.prank(requester);
        return manager.openTab(tabSpec());
    }

    function requestOn(bytes32 tabId, uint64 nonce) internal view returns (SignedRequest memory) {
        return SignedRequest({
            tabId: tabId,
            circuitId: circuitId,
            inputCommitment: keccak256(INPUT),
            modelFee: MODEL_FEE,
            proverFee: PROVER_FEE,
            expiry: uint40(block.timestamp + 1 hours),
            nonce: nonce
        });
    }

    /// @dev EIP-712, by hand.
    function digestOf(SignedRequest memory request) internal view returns (bytes32) {
        bytes32 typehash = keccak256(
            "SignedRequest(bytes32 tabId,bytes32 circuitId,bytes32 inputCommitment,uint80 modelFee,uint80 proverFee,uint40 expiry,uint64 nonce)"
        );
        return typed(
            keccak256(
                abi.encode(
                    typehash,
                    request.tabId,
                    request.circuitId,
                    request.inputCommitment,
                    request.modelFee,
                    request.proverFee,
                    request.expiry,
                    request.nonce
                )
            )
        );
    }

    function openingDigest(TabSpec memory spec, uint256 nonce) internal view returns (bytes32) {
        bytes32 typehash = keccak256(
            "TabOpening(uint256 modelId,address prover,address signer,uint80 amount,uint40 expiry,uint256 nonce)"
        );
        return
            typed(
                keccak256(abi.encode(typehash, spec.modelId, spec.prover, spec.signer, spec.amount, spec.expiry, nonce))
            );
    }

    function typed(bytes32 inner) private view returns (bytes32) {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("zkML JobManager"),
                keccak256("1"),
                block.chainid,
                address(manager)
            )
        );
        return keccak256(bytes.concat(hex"1901", domain, inner));
    }

    function sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    /// @dev Tells the double to accept a proof that pays `payee` for a request.
    function acceptRequest(SignedRequest memory request, address payee) internal {
        verifier.accept(manager.contextOf(digestOf(request), payee), INPUT, OUTPUT, PROOF);
    }

    function settleSigned(SignedRequest memory request, bytes memory signature) internal {
        vm.prank(prover, prover);
        manager.settleSigned(request, signature, INPUT, OUTPUT, PROOF);
    }

    /// @dev Signed by the tab's signer, with a proof that the double accepts.
    function settleRequest(SignedRequest memory request) internal {
        acceptRequest(request, prover);
        settleSigned(request, sign(SIGNER_KEY, digestOf(request)));
    }
}
