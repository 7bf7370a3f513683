// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Offering} from "marketplace/src/IInitialModelOffering.sol";
import {IModelSteward, Resolution} from "marketplace/src/IModelSteward.sol";
import {IModelToken} from "marketplace/src/IModelToken.sol";
import {Parent} from "registry/src/ILineageRegistry.sol";
import {IModelRegistry, ModelCommitment, ModelStatus} from "registry/src/IModelRegistry.sol";
import {OfferingWorld} from "tests/contracts/support/OfferingWorld.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";

/// @notice What the steward of an offered model lets its creator, its holders and everybody else do.
/// @dev Each call of a test is a transaction of its own.
/// forge-config: default.isolate = true
contract ModelStewardTest is OfferingWorld {
    IModelSteward private steward;

    function setUp() external {
        deployOfferings();
        modelId = closedModel("digits");
    }

    function test_I12_fee__only_the_creator_and_only_within_the_band() external {
        open();
        vm.prank(publisher);
        steward.setFee(5_000_000);
        vm.assertEq(registry.feeTermsOf(modelId).modelFee, 5_000_000, "upper end");
        vm.prank(publisher);
        steward.setFee(1_000_000);
        vm.assertEq(registry.feeTermsOf(modelId).modelFee, 1_000_000, "lower end");
        vm.expectRevert(abi.encodeWithSelector(IModelSteward.FeeOutOfBand.selector, 5_000_001, 1_000_000, 5_000_000));
        vm.prank(publisher);
        steward.setFee(5_000_001);
        vm.expectRevert(abi.encodeWithSelector(IModelSteward.FeeOutOfBand.selector, 999_999, 1_000_000, 5_000_000));
        vm.prank(publisher);
        steward.setFee(999_999);
        vm.expectRevert(abi.encodeWithSelector(IModelSteward.NotCreator.selector, eve, publisher));
        vm.prank(eve);
        steward.setFee(2_000_000);
    }

    function test_steward__nobody_takes_the_model_out_of_it() external {
        open();
        vm.expectRevert(abi.encodeWithSelector(IModelSteward.NotOffering.selector, publisher, address(offerings)));
        vm.prank(publisher);
        steward.giveBack(publisher);
        vm.expectRevert();
        vm.prank(publisher);
        registry.transferFrom(address(steward), publisher, modelId);
        vm.expectRevert(
            abi.encodeWithSelector(IModelRegistry.NotModelOwner.selector, modelId, publisher, address(steward))
        );
        vm.prank(publisher);
        registry.retire(modelId);
        vm.prank(publisher);
        steward.grantAccess(prover);
        vm.assertTrue(registry.mayProve(modelId, prover), "provers can still be let in");
    }

    function test_retire__more_than_half_of_the_holders_votes_and_nothing_less() external {
        uint256 id = trading();
        steward = offerings.offeringOf(id).steward;
        IModelToken shares = sharesIn(id);
        vm.prank(ann);
        shares.delegate(ann);
        vm.prank(ben);
        shares.delegate(ben);
        vm.warp(block.timestamp + 1);
        vm.prank(stranger);
        uint256 motion = steward.propose(Resolution.RETIRE, 0);
        vm.warp(block.timestamp + 1);
        // All but the vault's: 511 and what is in the pool, 127.75.
        vm.assertEq(steward.eligibleFor(motion), PUBLIC * SHARE + SEED_SHARES, "eligible");
        vm.expectRevert(abi.encodeWithSelector(IModelSteward.NoVotes.selector, eve));
        vm.prank(eve);
        steward.support(motion);
        vm.prank(ann);
        steward.support(motion);
        vm.expectRevert(abi.encodeWithSelector(IModelSteward.MotionClosed.selector, motion));
        vm.prank(ann);
        steward.support(motion);
        vm.expectRevert(
            abi.encodeWithSelector(IModelSteward.NotCarried.selector, motion, 300 * SHARE, PUBLIC * SHARE + SEED_SHARES)
        );
        steward.carry(motion);
        vm.prank(ben);
        steward.support(motion);
        uint256 end = steward.motionOf(motion).endsAt;
        vm.warp(end + 1);
        vm.expectRevert(abi.encodeWithSelector(IModelSteward.MotionClosed.selector, motion));
        steward.carry(motion);
        vm.warp(end);
        steward.carry(motion);
        vm.assertEq(uint256(registry.statusOf(modelId)), uint256(ModelStatus.DEPRECATED), "retired");
        vm.expectRevert(abi.encodeWithSelector(IModelSteward.MotionClosed.selector, motion));
        steward.carry(motion);
    }

    function test_motions__before_the_end_or_on_what_is_the_creator_s__refused() external {
        uint256 id = sold();
        steward = offerings.offeringOf(id).steward;
        vm.expectRevert(abi.encodeWithSelector(IModelSteward.MotionRefused.selector, Resolution.RETIRE));
        steward.propose(Resolution.RETIRE, 0);
        offerings.reveal(id, KEY);
        vm.warp(offerings.releasableAt(id));
        finalizeAs(stranger, id);
        vm.expectRevert(abi.encodeWithSelector(IModelSteward.MotionRefused.selector, Resolution.FEE));
        steward.propose(Resolution.FEE, 2_000_000);
    }

    function test_default__the_creator_has_no_say_and_holders_set_the_fee() external {
        uint256 id = sold();
        steward = offerings.offeringOf(id).steward;
        IModelToken shares = sharesIn(id);
        vm.prank(ann);
        shares.delegate(ann);
        vm.warp(uint256(offerings.offeringOf(id).unlockAt) + GRACE + 1);
        offerings.declareDefault(id);
        vm.expectRevert(abi.encodeWithSelector(IModelSteward.NotCreator.selector, publisher, publisher));
        vm.prank(publisher);
        steward.setFee(2_000_000);
        uint256 motion = steward.propose(Resolution.FEE, 3_000_000);
        uint256 opening = steward.propose(Resolution.OPEN, 0);
        vm.warp(block.timestamp + 1);
        vm.startPrank(ann);
        steward.support(motion);
        steward.support(opening);
        vm.stopPrank();
        steward.carry(motion);
        steward.carry(opening);
        vm.assertEq(registry.feeTermsOf(modelId).modelFee, 3_000_000, "fee");
        vm.assertFalse(registry.isClosed(modelId), "open");
    }

    function test_successor__the_same_publisher_s_and_a_child_at_the_rate() external {
        open();
        uint256 cheap = successor("cheap", 99_999);
        vm.expectRevert(abi.encodeWithSelector(IModelSteward.SuccessorRefused.selector, cheap));
        steward.recordSuccessor(cheap);
        uint256 orphan = successor("orphan", 0);
        vm.expectRevert(abi.encodeWithSelector(IModelSteward.SuccessorRefused.selector, orphan));
        steward.recordSuccessor(orphan);
        uint256 next = successor("next", 100_000);
        steward.recordSuccessor(next);
        vm.assertTrue(steward.isSuccessor(next), "recognised");
        vm.expectRevert(abi.encodeWithSelector(IModelSteward.SuccessorRefused.selector, next));
        steward.recordSuccessor(next);
        address before = publisher;
        publisher = eve;
        uint256 foreign = successor("foreign", 100_000);
        publisher = before;
        vm.expectRevert(abi.encodeWithSelector(IModelSteward.SuccessorRefused.selector, foreign));
        steward.recordSuccessor(foreign);
    }

    function open() private {
        steward = offerings.offeringOf(offered()).steward;
    }

    function successor(string memory name, uint32 ratePpm) private returns (uint256 id) {
        TripleVerifier adapter = new TripleVerifier();
        id = registerModel(commitmentFor(router.add(specOf(address(adapter), keccak256(bytes(name)))), name));
        if (ratePpm != 0) {
            Parent[] memory parents = new Parent[](1);
            parents[0] = Parent({modelId: modelId, ratePpm: ratePpm});
            vm.prank(publisher);
            lineage.declare(id, parents, ratePpm);
        }
        prove(id);
    }
}
