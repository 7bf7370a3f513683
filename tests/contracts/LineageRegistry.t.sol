// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AncestorShare, ILineageRegistry, Parent} from "registry/src/ILineageRegistry.sol";
import {DerivativeTerms, FeeTerms, IModelRegistry, ModelCommitment} from "registry/src/IModelRegistry.sol";
import {LineageRegistry} from "registry/src/LineageRegistry.sol";
import {Registries} from "tests/contracts/support/Registries.sol";

contract LineageRegistryTest is Registries {
    uint256 private constant PPM = 1_000_000;
    /// @dev Sixteen digits below a millionth: what the path sum is computed in.
    uint256 private constant FINE = 1e22;

    LineageRegistry private lineage;
    uint256 private root;
    uint256 private child;
    uint256 private names;

    function setUp() external {
        deployRegistries();
        lineage = new LineageRegistry(models);
        root = proven();
        child = registered();
    }

    // --- declare --------------------------------------------------------------------------------

    function test_declare__one_parent__event_views_and_effect_with_the_proof() external {
        Parent[] memory parents = new Parent[](1);
        parents[0] = Parent(root, 200_000);
        AncestorShare[] memory shares = new AncestorShare[](1);
        shares[0] = AncestorShare(root, 200_000);
        vm.expectEmit(address(lineage));
        emit ILineageRegistry.LineageDeclared(child, parents, shares);
        declare(child, parents);
        vm.assertEq(abi.encode(lineage.parentsOf(child)), abi.encode(parents), "parents");
        vm.assertEq(abi.encode(lineage.sharesOf(child)), abi.encode(shares), "shares");
        vm.assertEq(lineage.totalPpmOf(child), 200_000, "total");
        vm.assertEq(lineage.shareOf(child, root), 200_000, "share");
        vm.assertEq(lineage.shareOf(child, child), 0, "no ancestor");
        vm.assertFalse(lineage.isEffective(child), "declared");
        proveModel(child);
        vm.assertTrue(lineage.isEffective(child), "effective");
        vm.prank(publisher);
        models.retire(child);
        vm.assertTrue(lineage.isEffective(child), "and stays it");
        vm.assertEq(address(lineage.registry()), address(models), "registry");
        vm.assertEq(lineage.parentsOf(root).length + lineage.sharesOf(root).length, 0, "a root has none");
    }

    function test_declare__child_not_registered_or_of_another__refused() external {
        Parent[] memory parents = one(root, 1);
        expect(abi.encodeWithSelector(ILineageRegistry.ChildNotRegistered.selector, 7));
        declare(7, parents);
        expect(abi.encodeWithSelector(ILineageRegistry.ChildNotRegistered.selector, root));
        declare(root, parents);
        expect(abi.encodeWithSelector(ILineageRegistry.NotChildOwner.selector, child, stranger, publisher));
        vm.prank(stranger);
        lineage.declare(child, parents, HALF_PPM);
    }

    function test_I16_declare__again__refused_and_nothing_changes() external {
        declare(child, one(root, 5));
        bytes memory before = abi.encode(lineage.parentsOf(child), lineage.sharesOf(child));
        expect(abi.encodeWithSelector(ILineageRegistry.LineageExists.selector, child));
        declare(child, one(root, 5));
        proveModel(child);
        uint256 another = proven();
        expect(abi.encodeWithSelector(ILineageRegistry.ChildNotRegistered.selector, child));
        declare(child, one(another, 5));
        vm.assertEq(abi.encode(lineage.parentsOf(child), lineage.sharesOf(child)), before, "written once");
    }

    function test_I16_declare__no_parent_or_five__refused() external {
        expect(abi.encodeWithSelector(ILineageRegistry.ParentCountOutOfRange.selector, 0, 4));
        declare(child, new Parent[](0));
        expect(abi.encodeWithSelector(ILineageRegistry.ParentCountOutOfRange.selector, 5, 4));
        declare(child, new Parent[](5));
    }

    function test_I16_declare__parent_not_proven_itself_retired_or_repeated__refused() external {
        uint256 unproven = registered();
        expect(abi.encodeWithSelector(ILineageRegistry.ParentNotProven.selector, unproven));
        declare(child, one(unproven, 1));
        expect(abi.encodeWithSelector(ILineageRegistry.ParentNotProven.selector, child));
        declare(child, one(child, 1));
        expect(abi.encodeWithSelector(ILineageRegistry.ParentRepeated.selector, root));
        declare(child, two(root, 1, root, 2));
        vm.prank(publisher);
        models.retire(root);
        expect(abi.encodeWithSelector(ILineageRegistry.ParentNotProven.selector, root));
        declare(child, one(root, 1));
    }

    function test_I16_declare__cycle__cannot_be_written() external {
        // child -> other is declared; other -> child needs child PROVEN and other not: whoever is PROVEN first is
        // out of the other's reach.
        uint256 other = registered();
        expect(abi.encodeWithSelector(ILineageRegistry.ParentNotProven.selector, other));
        declare(child, one(other, 1));
        proveModel(other);
        declare(child, one(other, 1));
        proveModel(child);
        expect(abi.encodeWithSelector(ILineageRegistry.ChildNotRegistered.selector, other));
        declare(other, one(child, 1));
    }

    function test_I7_declare__rates_above_a_half__refused() external {
        uint256 other = proven();
        expect(abi.encodeWithSelector(ILineageRegistry.TotalTooHigh.selector, HALF_PPM + 1, HALF_PPM));
        declare(child, two(root, 300_000, other, 200_001));
        uint32 highest = type(uint32).max;
        expect(abi.encodeWithSelector(ILineageRegistry.TotalTooHigh.selector, 2 * uint256(highest), HALF_PPM));
        declareGuarded(child, two(root, highest, other, highest), highest);
        declare(child, two(root, 300_000, other, 200_000));
        vm.assertEq(lineage.totalPpmOf(child), HALF_PPM, "a half is allowed");
    }

    function test_declare__parent_raises_its_minimum_meanwhile__stopped_by_the_guard() external {
        // The child's owner reads 5 %, and means to pay 5 %.
        setTerms(root, DerivativeTerms(true, 50_000, 0, 0));
        Parent[] memory parents = one(root, 50_000);
        setTerms(root, DerivativeTerms(true, 400_000, 0, 0));
        expect(abi.encodeWithSelector(ILineageRegistry.TotalTooHigh.selector, 400_000, 50_000));
        declareGuarded(child, parents, 50_000);
        declareGuarded(child, parents, 400_000);
        vm.assertEq(lineage.parentsOf(child)[0].ratePpm, 400_000, "granted, not offered");
    }

    function test_declare__licence__minimum_rate_fees_and_permission_are_enforced() external {
        expect(abi.encodeWithSelector(ILineageRegistry.RateMissing.selector, root));
        declare(child, one(root, 0));
        DerivativeTerms memory terms = DerivativeTerms(true, 0, 5, 0);
        setTerms(root, terms);
        expect(abi.encodeWithSelector(ILineageRegistry.MinimumFeeTooLow.selector, root, terms));
        declare(child, one(root, 1));
        terms = DerivativeTerms(true, 0, 0, 7);
        setTerms(root, terms);
        expect(abi.encodeWithSelector(ILineageRegistry.MinimumFeeTooLow.selector, root, terms));
        declare(child, one(root, 1));
        setTerms(root, DerivativeTerms(false, 0, 0, 0));
        expect(abi.encodeWithSelector(ILineageRegistry.DerivativesRefused.selector, root));
        declare(child, one(root, 1));
        setTerms(root, DerivativeTerms(true, 30_000, 5, 7));
        vm.prank(publisher);
        models.setFeeTerms(child, FeeTerms({modelFee: 5, minModelFee: 5, minModelFeePpm: 7}));
        declare(child, one(root, 0));
        vm.assertEq(lineage.shareOf(child, root), 30_000, "the minimum, where nothing is offered");
    }

    function test_I12_lineage__after_every_owner_act_of_parent_and_child__unchanged() external {
        declare(child, one(root, 40_000));
        proveModel(child);
        bytes memory before = abi.encode(lineage.parentsOf(child), lineage.sharesOf(child));
        setTerms(root, DerivativeTerms(false, HALF_PPM, 1e9, HALF_PPM));
        vm.startPrank(publisher);
        models.setFeeTerms(root, FeeTerms({modelFee: 9, minModelFee: 9, minModelFeePpm: 9}));
        models.retire(root);
        models.transferFrom(publisher, stranger, root);
        models.transferFrom(publisher, stranger, child);
        vm.stopPrank();
        vm.assertEq(abi.encode(lineage.parentsOf(child), lineage.sharesOf(child)), before, "lineage");
    }

    function test_constructor__registry_without_code__refused() external {
        vm.expectRevert(abi.encodeWithSelector(ILineageRegistry.NotARegistry.selector, stranger));
        new LineageRegistry(IModelRegistry(stranger));
    }

    // --- the fold -------------------------------------------------------------------------------

    function test_I7_fold__diamond__equals_the_numbers_worked_out_by_hand() external {
        // a <-10%- b, a <-20%- c, b <-25%- d -20%-> c.
        uint256 b = derived(one(root, 100_000));
        uint256 c = derived(one(root, 200_000));
        uint256 d = derived(two(b, 250_000, c, 200_000));
        // b: 25 % of 90 %. a: 25 % of 10 % and 20 % of 20 %, together. c: 20 % of 80 %.
        vm.assertEq(lineage.shareOf(d, b), 225_000, "b");
        vm.assertEq(lineage.shareOf(d, root), 65_000, "a, by both paths");
        vm.assertEq(lineage.shareOf(d, c), 160_000, "c");
        vm.assertEq(lineage.totalPpmOf(d), 450_000, "the sum of the rates");
        AncestorShare[] memory shares = lineage.sharesOf(d);
        vm.assertTrue(shares.length == 3, "three ancestors, none twice");
        vm.assertTrue(shares[0].modelId == b && shares[1].modelId == root && shares[2].modelId == c, "as they appear");
    }

    function test_I7_fold__parent_that_is_an_ancestor_too__is_paid_for_both_once_listed() external {
        uint256 b = derived(one(root, 100_000));
        uint256 d = derived(two(b, 100_000, root, 50_000));
        vm.assertEq(lineage.shareOf(d, b), 90_000, "b");
        vm.assertEq(lineage.shareOf(d, root), 60_000, "as parent and as grandparent");
        vm.assertEq(lineage.sharesOf(d).length, 2, "once");
        vm.assertEq(lineage.parentsOf(d).length, 2, "parents");
    }

    function test_I7_fold__chain_of_tenths__goes_on_for_ever_and_dust_stays_with_the_child() external {
        uint256 last = root;
        for (uint256 depth = 1; depth < 24; ++depth) {
            last = derived(one(last, 100_000));
            vm.assertLe(lineage.totalPpmOf(last), 100_000, "never above its rate");
        }
        // 90,000, 9,000, .. 9: what is further away has less than a millionth.
        vm.assertEq(lineage.sharesOf(last).length, 5, "ancestors");
        vm.assertEq(lineage.totalPpmOf(last), 99_999, "one millionth stays with the child");
    }

    function test_I16_fold__chain_of_halves__ends_at_the_seventeenth_ancestor() external {
        uint256 last = root;
        for (uint256 depth = 1; depth <= 16; ++depth) {
            last = derived(one(last, HALF_PPM));
            vm.assertLe(lineage.totalPpmOf(last), HALF_PPM, "never above a half");
        }
        vm.assertEq(lineage.sharesOf(last).length, 16, "ancestors");
        expect(abi.encodeWithSelector(ILineageRegistry.TooManyAncestors.selector, 17, 16));
        declare(child, one(last, HALF_PPM));
    }

    function test_I16_fold__seventeen_ancestors__refused_and_sixteen_kept() external {
        uint256[] memory merges = new uint256[](4);
        for (uint256 i; i < 4; ++i) {
            uint256[] memory roots = new uint256[](3);
            for (uint256 k; k < 3; ++k) {
                roots[k] = proven();
            }
            Parent[] memory parents = new Parent[](3);
            for (uint256 k; k < 3; ++k) {
                parents[k] = Parent(roots[k], 100_000);
            }
            merges[i] = derived(parents);
        }
        Parent[] memory four = new Parent[](4);
        for (uint256 i; i < 4; ++i) {
            four[i] = Parent(merges[i], 100_000);
        }
        uint256 full = derived(four);
        vm.assertEq(lineage.sharesOf(full).length, 16, "sixteen");
        expect(abi.encodeWithSelector(ILineageRegistry.TooManyAncestors.selector, 17, 16));
        declare(child, one(full, 100_000));
        // A rate so small that every share but the parent's own falls below a millionth is refused nothing.
        declare(child, one(full, 9));
        vm.assertEq(lineage.sharesOf(child).length, 1, "dust stays with the child");
        vm.assertEq(lineage.totalPpmOf(child), 5, "9 less the parent's own 40 %, rounded down");
    }

    function test_I16_fold__parent_with_less_than_a_millionth__is_no_ancestor_but_a_parent() external {
        uint256 b = derived(one(root, HALF_PPM));
        declare(child, one(b, 1));
        vm.assertEq(lineage.parentsOf(child).length, 1, "a parent");
        vm.assertEq(lineage.sharesOf(child).length, 0, "of nothing");
        vm.assertEq(lineage.totalPpmOf(child), 0, "total");
        expect(abi.encodeWithSelector(ILineageRegistry.LineageExists.selector, child));
        declare(child, one(root, 1));
    }

    /// @notice On random DAGs, from edges alone: no share is above its exact path sum, and it is below by less than one
    ///         millionth for every edge of every path; all shares together miss the sum of the rates by less than one
    ///         millionth for every term of the fold.
    function testFuzz_I7_fold__random_dag__equals_the_path_sum_within_its_rounding(uint256 seed) external {
        uint256 size = 4 + seed % 6;
        uint256[] memory ids = new uint256[](size);
        ids[0] = root;
        for (uint256 i = 1; i < size; ++i) {
            ids[i] = derived(randomParents(seed, ids, i));
            checkAgainstPaths(ids, i);
        }
    }

    function checkAgainstPaths(uint256[] memory ids, uint256 node) private view {
        uint256 total;
        for (uint256 j; j < node; ++j) {
            (uint256 weight, uint256 edges) = pathWeight(ids[node], ids[j]);
            // What the ancestor keeps of its own income. Rounding here loses less than 2^20 of FINE's units.
            uint256 exact = weight * (PPM - lineage.totalPpmOf(ids[j])) / PPM;
            uint256 found = uint256(lineage.shareOf(ids[node], ids[j])) * (FINE / PPM);
            vm.assertLe(found, exact + (1 << 20), "never more than the paths give");
            vm.assertLe(exact, found + edges * (FINE / PPM), "less by under a millionth an edge");
            total += lineage.shareOf(ids[node], ids[j]);
        }
        vm.assertEq(total, lineage.totalPpmOf(ids[node]), "the total is the sum");
        checkDust(ids[node], total);
    }

    /// @dev What a parent does not keep its ancestors have, so only the rounding of each term is missing from the rates.
    function checkDust(uint256 modelId, uint256 total) private view {
        Parent[] memory parents = lineage.parentsOf(modelId);
        uint256 granted;
        uint256 terms;
        for (uint256 k; k < parents.length; ++k) {
            granted += parents[k].ratePpm;
            terms += 1 + lineage.sharesOf(parents[k].modelId).length;
        }
        vm.assertLe(granted, HALF_PPM, "rates of a half at most");
        vm.assertLe(total, granted, "never above the rates");
        vm.assertLt(granted - total, terms, "and below by under a millionth a term");
    }

    /// @dev The slow way: over all paths the product of their rates, in units of 1 / FINE, and how many edges they have.
    function pathWeight(uint256 from, uint256 to) private view returns (uint256 weight, uint256 edges) {
        if (from == to) return (FINE, 0);
        Parent[] memory parents = lineage.parentsOf(from);
        for (uint256 k; k < parents.length; ++k) {
            (uint256 above, uint256 edgesAbove) = pathWeight(parents[k].modelId, to);
            if (above == 0) continue;
            weight += above * parents[k].ratePpm / PPM;
            edges += edgesAbove + 1;
        }
    }

    // --- words ----------------------------------------------------------------------------------

    function randomParents(uint256 seed, uint256[] memory ids, uint256 below)
        private
        pure
        returns (Parent[] memory parents)
    {
        uint256 count = within(dice(seed, below, 0), 1, below < 4 ? below : 4);
        uint256 first = dice(seed, below, 1);
        parents = new Parent[](count);
        for (uint256 k; k < count; ++k) {
            uint256 rate = within(dice(seed, below, 2 + k), 1, HALF_PPM / count);
            parents[k] = Parent(ids[(first % below + k) % below], uint32(dice(seed, below, 9) % 5 == 0 ? 1 : rate));
        }
    }

    function dice(uint256 seed, uint256 node, uint256 roll) private pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed, node, roll)));
    }

    function proven() private returns (uint256) {
        return provenModel(nextName());
    }

    function registered() private returns (uint256) {
        return registeredModel(nextName());
    }

    function nextName() private returns (string memory) {
        return string(abi.encodePacked("model", ++names));
    }

    function derived(Parent[] memory parents) private returns (uint256 modelId) {
        modelId = registered();
        declare(modelId, parents);
        proveModel(modelId);
    }

    function declare(uint256 modelId, Parent[] memory parents) private {
        declareGuarded(modelId, parents, HALF_PPM);
    }

    function declareGuarded(uint256 modelId, Parent[] memory parents, uint32 maxTotalPpm) private {
        vm.prank(publisher);
        lineage.declare(modelId, parents, maxTotalPpm);
    }

    function setTerms(uint256 modelId, DerivativeTerms memory terms) private {
        vm.prank(publisher);
        models.setDerivativeTerms(modelId, terms);
    }

    function expect(bytes memory error_) private {
        vm.expectRevert(error_);
    }

    function one(uint256 modelId, uint32 ratePpm) private pure returns (Parent[] memory parents) {
        parents = new Parent[](1);
        parents[0] = Parent(modelId, ratePpm);
    }

    function two(uint256 first, uint32 firstPpm, uint256 second, uint32 secondPpm)
        private
        pure
        returns (Parent[] memory parents)
    {
        parents = new Parent[](2);
        parents[0] = Parent(first, firstPpm);
        parents[1] = Parent(second, secondPpm);
    }
}
