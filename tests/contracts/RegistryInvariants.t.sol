// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {LocalPaymentToken} from "marketplace/src/LocalPaymentToken.sol";
import {AncestorShare, Parent} from "registry/src/ILineageRegistry.sol";
import {FeeTerms, ModelStatus} from "registry/src/IModelRegistry.sol";
import {Stake} from "registry/src/IProverRegistry.sol";
import {LineageRegistry} from "registry/src/LineageRegistry.sol";
import {ModelRegistry} from "registry/src/ModelRegistry.sol";
import {ProverRegistry} from "registry/src/ProverRegistry.sol";
import {ModelHandler} from "tests/contracts/support/ModelHandler.sol";
import {Specification} from "tests/contracts/support/Specification.sol";
import {StakeHandler} from "tests/contracts/support/StakeHandler.sol";

/// @notice Forge reads what it may call from here: the handler's moves and nothing else.
abstract contract Handled is Specification {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function handled() internal view virtual returns (address handler, bytes4[] memory selectors);

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        (targets[0],) = handled();
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        (address handler, bytes4[] memory selectors) = handled();
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(handler, selectors);
    }
}

/// @notice What holds of models and lineage after any sequence of moves.
/// forge-config: default.invariant.runs = 12
contract ModelInvariantsTest is Handled {
    ModelHandler private handler;
    ModelRegistry private models;
    LineageRegistry private lineage;

    function setUp() external {
        handler = new ModelHandler();
        models = handler.registry();
        lineage = handler.lineage();
    }

    function handled() internal view override returns (address, bytes4[] memory selectors) {
        selectors = new bytes4[](6);
        selectors[0] = handler.register.selector;
        selectors[1] = handler.activate.selector;
        selectors[2] = handler.declare.selector;
        selectors[3] = handler.setTerms.selector;
        selectors[4] = handler.sell.selector;
        selectors[5] = handler.retire.selector;
        return (address(handler), selectors);
    }

    function invariant_I3_model_states_only_go_forward() external view {
        vm.assertEq(handler.broken(), "", "move");
        for (uint256 i; i < handler.modelCount(); ++i) {
            uint256 id = handler.ids(i);
            vm.assertEq(uint256(models.statusOf(id)), uint256(handler.bookOf(id).status), "status");
            vm.assertEq(models.ownerOf(id), handler.bookOf(id).owner, "owner");
        }
    }

    function invariant_I5_one_proven_model_per_circuit() external view {
        for (uint256 i; i < handler.modelCount(); ++i) {
            uint256 id = handler.ids(i);
            if (handler.bookOf(id).provenAt == 0) continue;
            vm.assertEq(models.provenModelOf(models.circuitOf(id)), id, "the circuit's model");
        }
    }

    function invariant_I7_shares_never_pass_the_rates_or_a_half() external view {
        for (uint256 i; i < handler.modelCount(); ++i) {
            uint256 id = handler.ids(i);
            AncestorShare[] memory shares = lineage.sharesOf(id);
            uint256 total;
            for (uint256 k; k < shares.length; ++k) {
                total += shares[k].ppm;
                vm.assertGe(shares[k].ppm, 1, "no empty share");
            }
            Parent[] memory parents = lineage.parentsOf(id);
            uint256 granted;
            for (uint256 k; k < parents.length; ++k) {
                granted += parents[k].ratePpm;
            }
            vm.assertEq(total, lineage.totalPpmOf(id), "sum");
            vm.assertLe(total, granted, "rates");
            vm.assertLe(granted, 500_000, "a half");
        }
    }

    function invariant_I12_commitments_lineage_and_minimum_fees_stand() external view {
        for (uint256 i; i < handler.modelCount(); ++i) {
            uint256 id = handler.ids(i);
            ModelHandler.Book memory book = handler.bookOf(id);
            vm.assertEq(keccak256(abi.encode(models.commitmentOf(id))), book.commitmentHash, "commitment");
            if (book.declared) vm.assertEq(handler.lineageHash(id), book.lineageHash, "lineage");
            FeeTerms memory floor = handler.floorOf(id);
            vm.assertEq(abi.encode(models.feeTermsOf(id)), abi.encode(floor), "fees");
        }
    }

    /// @dev An edge goes from a model that was not PROVEN to one that was, and that turns once: so the order of proving
    ///      is an order of the graph.
    function invariant_I16_lineage_is_acyclic_and_bounded() external view {
        for (uint256 i; i < handler.modelCount(); ++i) {
            uint256 id = handler.ids(i);
            uint256 provenAt = handler.bookOf(id).provenAt;
            Parent[] memory parents = lineage.parentsOf(id);
            vm.assertLe(parents.length, 4, "parents");
            vm.assertTrue((parents.length != 0) == handler.bookOf(id).declared, "declared once");
            AncestorShare[] memory shares = lineage.sharesOf(id);
            vm.assertLe(shares.length, 16, "ancestors");
            for (uint256 k; k < parents.length; ++k) {
                checkOlder(parents[k].modelId, provenAt);
            }
            for (uint256 k; k < shares.length; ++k) {
                checkOlder(shares[k].modelId, provenAt);
                for (uint256 j; j < k; ++j) {
                    vm.assertTrue(shares[j].modelId != shares[k].modelId, "listed once");
                }
            }
        }
    }

    /// @dev The handler would prove nothing if its honest moves never came through.
    function test_handler__honest_moves__reach_every_status_and_declare() external {
        for (uint256 i; i < 3; ++i) {
            handler.register(i, 1);
        }
        handler.activate(0, true);
        handler.declare(1, 8, true);
        handler.activate(1, true);
        handler.retire(0, true);
        vm.assertTrue(handler.bookOf(handler.ids(1)).declared, "declared");
        ModelStatus[3] memory expected = [ModelStatus.DEPRECATED, ModelStatus.PROVEN, ModelStatus.REGISTERED];
        for (uint256 i; i < 3; ++i) {
            vm.assertTrue(models.statusOf(handler.ids(i)) == expected[i], "status");
        }
        vm.assertEq(handler.broken(), "", "move");
    }

    function checkOlder(uint256 ancestorId, uint256 provenAt) private view {
        uint256 ancestorProvenAt = handler.bookOf(ancestorId).provenAt;
        vm.assertTrue(ancestorProvenAt != 0, "an ancestor is PROVEN");
        if (provenAt != 0) vm.assertLt(ancestorProvenAt, provenAt, "before its descendant");
    }
}

/// @notice What holds of stakes after any sequence of moves.
contract StakeInvariantsTest is Handled {
    address private constant BURN_ADDRESS = 0x000000000000000000000000000000000000dEaD;

    StakeHandler private handler;
    ProverRegistry private provers;
    LocalPaymentToken private token;

    function setUp() external {
        handler = new StakeHandler();
        (provers, token) = (handler.provers(), handler.token());
    }

    function handled() internal view override returns (address, bytes4[] memory selectors) {
        selectors = new bytes4[](9);
        selectors[0] = handler.join.selector;
        selectors[1] = handler.stake.selector;
        selectors[2] = handler.requestUnstake.selector;
        selectors[3] = handler.unstake.selector;
        selectors[4] = handler.lock.selector;
        selectors[5] = handler.release.selector;
        selectors[6] = handler.forfeit.selector;
        selectors[7] = handler.send.selector;
        selectors[8] = handler.disturb.selector;
        return (address(handler), selectors);
    }

    function invariant_I1_stake_and_forfeits_are_all_that_is_held() external view {
        uint256 owed = handler.toBurn() + handler.toTreasury();
        for (uint256 i; i < handler.ACTORS(); ++i) {
            Stake memory found = provers.stakeOf(handler.actor(i));
            owed += uint256(found.free) + found.locked + found.leaving;
        }
        vm.assertEq(token.balanceOf(address(provers)), owed + handler.donated(), "every token is owed or donated");
        vm.assertEq(
            owed + handler.takenOut() + handler.burned() + handler.collected(), handler.paidIn(), "and was paid in"
        );
    }

    function invariant_I11_forfeits_of_locked_stake_only_and_by_the_manager_only() external view {
        vm.assertEq(handler.broken(), "", "move");
        for (uint256 i; i < handler.ACTORS(); ++i) {
            address account = handler.actor(i);
            StakeHandler.Book memory book = handler.bookOf(account);
            Stake memory found = provers.stakeOf(account);
            vm.assertLe(book.forfeited + found.locked, book.everLocked, "never more than was locked");
            vm.assertEq(found.free, book.free, "free");
            vm.assertEq(found.locked, book.locked, "locked");
            vm.assertEq(found.leaving, book.leaving, "leaving");
        }
        (uint256 toBurn, uint256 toTreasury) = provers.forfeits();
        vm.assertEq(toBurn, handler.toBurn(), "to burn");
        vm.assertEq(toTreasury, handler.toTreasury(), "to the treasury");
        vm.assertEq(token.balanceOf(BURN_ADDRESS), handler.burned(), "burned");
    }

    /// @dev Forge throws away what an invariant writes.
    function invariant_I13_all_stake_comes_out() external {
        for (uint256 i; i < handler.ACTORS(); ++i) {
            address account = handler.actor(i);
            uint80 locked = provers.stakeOf(account).locked;
            if (locked != 0) {
                vm.prank(address(handler));
                provers.release(account, locked);
            }
            uint80 free = provers.stakeOf(account).free;
            vm.startPrank(account);
            if (free != 0) provers.requestUnstake(free);
            vm.warp(block.timestamp + 1 days);
            if (provers.stakeOf(account).leaving != 0) provers.unstake(account);
            vm.stopPrank();
        }
        if (handler.toBurn() != 0) provers.burnForfeits();
        if (handler.toTreasury() != 0) provers.collectForfeits();
        vm.assertEq(token.balanceOf(address(provers)), handler.donated(), "all stake is out");
    }

    function invariant_I18_stakes_fit_their_width() external view {
        for (uint256 i; i < handler.ACTORS(); ++i) {
            Stake memory found = provers.stakeOf(handler.actor(i));
            vm.assertLe(uint256(found.free) + found.locked + found.leaving, type(uint80).max, "80 bits");
        }
    }

    /// @dev The handler would prove nothing if its honest moves never came through.
    function test_handler__honest_moves__lock_forfeit_and_leave() external {
        handler.stake(0, 1_000);
        handler.lock(0, 600, true);
        handler.forfeit(0, 1, 200, 100, 50, true);
        handler.release(0, 100, true);
        handler.requestUnstake(1, 40);
        handler.disturb(5, 1 days);
        handler.disturb(5, type(uint32).max);
        vm.warp(block.timestamp + 1 days);
        handler.unstake(1);
        handler.send(true);
        handler.send(false);
        vm.assertEq(handler.broken(), "", "move");
        vm.assertTrue(handler.takenOut() != 0 && handler.burned() != 0 && handler.collected() != 0, "money moved");
    }
}
