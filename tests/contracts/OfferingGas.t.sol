// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Artifact, ArtifactChallenge, WrongChunk} from "marketplace/src/ArtifactChallenge.sol";
import {Offering, OfferingTerms} from "marketplace/src/IInitialModelOffering.sol";
import {IModelToken, IModelTokenFactory} from "marketplace/src/IModelToken.sol";
import {InitialModelOffering} from "marketplace/src/InitialModelOffering.sol";
import {ModelTokenFactory} from "marketplace/src/ModelTokenFactory.sol";
import {OfferingWorld} from "tests/contracts/support/OfferingWorld.sol";

/// @notice What each move of an offering costs as a transaction of its own (isolated: base fee, calldata and cold storage
///         included), with a verifier that costs next to nothing, so that the figures are ours alone.
/// forge-config: default.isolate = true
contract OfferingGasTest is OfferingWorld {
    uint256 private constant MOST_GAS_FOR_HOLDERS = 1_000;
    uint256 private constant MOST_GAS_FOR_A_CHALLENGE = 500_000;
    uint64 private constant HUNDRED_MB = 100_000_000;

    function setUp() external {
        deployOfferings();
        modelId = closedModel("digits");
    }

    /// @dev EIP-7825 caps a transaction at 2^24 gas; two more contracts come out of the constructor.
    function test_gas__deployment__fits_a_transaction() external {
        address place = vm.computeCreateAddress(address(this), vm.getNonce(address(this)) + 1);
        IModelTokenFactory tokens = new ModelTokenFactory();
        vm.mockCall(address(ledger), abi.encodeCall(ledger.offerings, ()), abi.encode(place));
        uint256 before = gasleft();
        new InitialModelOffering(ledger, calendar, tokens, pools, rules());
        uint256 gas = before - gasleft();
        vm.snapshotValue("deployment", "InitialModelOffering", gas);
        vm.assertLt(gas, 1 << 24, "deployment");
    }

    function test_gas__from_open_to_trading() external {
        pay(publisher, BOND);
        vm.prank(publisher);
        registry.approve(address(offerings), modelId);
        OfferingTerms memory terms = termsOf(modelId);
        vm.prank(publisher);
        uint256 id = offerings.open(terms);
        vm.snapshotGasLastCall("offering", "open");
        pay(ann, RAISE);
        pay(ben, RAISE);
        vm.prank(ann);
        offerings.reserve(id, 300, 300);
        vm.snapshotGasLastCall("offering", "reserve");
        vm.prank(ann);
        offerings.offerResale(id, 100);
        vm.snapshotGasLastCall("offering", "offer_resale");
        vm.prank(ben);
        offerings.buyResale(id, ann, 100);
        vm.snapshotGasLastCall("offering", "buy_resale");
        vm.prank(ben);
        offerings.reserve(id, 211, 211);
        vm.snapshotGasLastCall("offering", "reserve_and_soft_lock");
        offerings.reveal(id, KEY);
        vm.snapshotGasLastCall("offering", "reveal");
        vm.warp(offerings.releasableAt(id));
        acceptRelease(id);
        vm.prank(stranger, stranger);
        offerings.finalize(id, OUTPUT, PROOF);
        vm.snapshotGasLastCall("offering", "finalize");
        vm.prank(ann);
        offerings.withdraw(ann);
        vm.snapshotGasLastCall("offering", "withdraw");
        Offering memory offering = offerings.offeringOf(id);
        vm.prank(ann);
        offering.shares.transfer(eve, SHARE);
        vm.snapshotGasLastCall("shares", "transfer");
        earn(modelId, 1_001_000);
        offering.shares.snapshot();
        vm.snapshotGasLastCall("shares", "snapshot");
        vm.prank(ann);
        offering.shares.claim(1);
        vm.snapshotGasLastCall("shares", "claim");
        vm.warp(block.timestamp + 10 days);
        offering.vault.payVested();
        vm.snapshotGasLastCall("vault", "pay_vested");
    }

    function test_gas__failure_and_default() external {
        uint256 state = vm.snapshotState();
        uint256 id = offered();
        reserveAs(ann, id, 1);
        vm.warp(block.timestamp + 31 days);
        offerings.close(id);
        vm.snapshotGasLastCall("offering", "close");
        offerings.repay(id, ann);
        vm.snapshotGasLastCall("offering", "repay_after_failure");
        vm.revertToState(state);
        id = sold();
        earn(modelId, 1_001_000);
        vm.warp(block.timestamp + 31 days);
        offerings.declareDefault(id);
        vm.snapshotGasLastCall("offering", "default");
        offerings.repay(id, ann);
        vm.snapshotGasLastCall("offering", "repay_after_default");
    }

    /// @dev A tree of 24,415 chunks has paths of at most 15; what the others are does not matter to a chunk's path.
    function test_gas__challenge_of_a_chunk_of_100_megabytes__below_half_a_million() external {
        bytes memory cipher = noise(3, 4096);
        bytes32[] memory path = new bytes32[](15);
        for (uint256 i; i < 15; ++i) {
            path[i] = keccak256(abi.encode("sibling", i));
        }
        WrongChunk memory chunk =
            WrongChunk({index: 24_000, cipherChunk: cipher, cipherPath: path, plainDigest: "x", plainPath: path});
        OfferingTerms memory terms = termsOf(modelId);
        terms.artifact = Artifact({
            plainRoot: climb(ArtifactChallenge.leafOf(ArtifactChallenge.PLAIN, 24_000, 4096, "x"), path),
            cipherRoot: climb(
                ArtifactChallenge.leafOf(ArtifactChallenge.CIPHER, 24_000, 4096, keccak256(cipher)), path
            ),
            sizeBytes: HUNDRED_MB
        });
        uint256 id = openAs(publisher, terms);
        sell(id);
        offerings.reveal(id, KEY);
        vm.prank(eve);
        offerings.challenge(id, chunk);
        vm.assertLt(vm.snapshotGasLastCall("offering", "challenge"), MOST_GAS_FOR_A_CHALLENGE, "challenge");
    }

    /// @dev Real shares, released, that one holder has or ten thousand; each of them is in the ledger's books.
    function test_I8_settle__costs_the_same_for_one_holder_and_for_ten_thousand() external {
        uint256 id = offered();
        reserveAs(ann, id, PUBLIC);
        offerings.reveal(id, KEY);
        vm.warp(offerings.releasableAt(id));
        finalizeAs(stranger, id);
        earn(modelId, 1_000);
        uint256 one = settling();
        Spreader spreader = new Spreader();
        IModelToken shares = sharesIn(id);
        vm.prank(ann);
        shares.transfer(address(spreader), 10_000);
        for (uint160 i; i < 10; ++i) {
            spreader.spread(shares, i * 1000, 1000);
        }
        vm.assertEq(shares.balanceOf(address(0x401DE20000)), 1, "the first");
        vm.assertEq(shares.balanceOf(address(0x401DE20000 + 9_999)), 1, "the last of ten thousand");
        uint256 many = settling();
        vm.snapshotValue("shares", "settle_1_holder", one);
        vm.snapshotValue("shares", "settle_10000_holders", many);
        vm.assertLt(many > one ? many - one : one - many, MOST_GAS_FOR_HOLDERS, "gas");
        // And all of them can have their part, each by itself.
        earn(modelId, 1e23);
        vm.assertEq(ledger.claimShares(modelId, address(0x401DE20000 + 9_999)), 1e23 / (TOTAL * SHARE), "paid");
    }

    function settling() private returns (uint256 gas) {
        fund(requester, 1_000);
        ledger.pull(requester, 1_000);
        ledger.settle(modelId, prover, 0, 1_000, 0);
        return vm.lastCallGas().gasTotalUsed;
    }

    function climb(bytes32 node, bytes32[] memory path) private pure returns (bytes32) {
        for (uint256 i; i < path.length; ++i) {
            node = node < path[i]
                ? keccak256(abi.encodePacked(node, path[i]))
                : keccak256(abi.encodePacked(path[i], node));
        }
        return node;
    }
}

/// @notice Gives one unit of a share to each of many accounts.
contract Spreader {
    function spread(IModelToken shares, uint160 first, uint160 count) external {
        for (uint160 i; i < count; ++i) {
            require(shares.transfer(address(0x401DE20000 + first + i), 1), "transfer");
        }
    }
}
