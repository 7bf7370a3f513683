// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {LocalPaymentToken} from "marketplace/src/LocalPaymentToken.sol";
import {IProverRegistry, Stake} from "registry/src/IProverRegistry.sol";
import {ProverRegistry} from "registry/src/ProverRegistry.sol";
import {Specification} from "tests/contracts/support/Specification.sol";
import {TreasuryDouble} from "tests/contracts/support/Registries.sol";
import {FeeToken, LyingToken, ReentrantToken} from "tests/contracts/support/TokenDoubles.sol";
import {IProtocolAdmin} from "verifier_contracts/src/IProtocolAdmin.sol";

contract ProverRegistryTest is Specification {
    uint32 private constant DELAY = 1 days;
    address private constant BURN_ADDRESS = 0x000000000000000000000000000000000000dEaD;
    address private constant PROVER = address(0xCAFE);
    address private constant RIVAL = address(0xBEEF);
    address private constant STRANGER = address(0xD00D);
    address private constant MANAGER = address(0x3A7A6E2);
    address private constant TREASURY = address(0x7EA);

    LocalPaymentToken private token;
    TreasuryDouble private admin;
    ProverRegistry private provers;

    function setUp() external {
        vm.warp(1_800_000_000);
        token = new LocalPaymentToken();
        admin = new TreasuryDouble();
        admin.setTreasury(TREASURY);
        provers = registryOf(address(token));
        token.mint(PROVER, 1_000);
        token.mint(STRANGER, type(uint128).max);
        allow(PROVER);
        allow(STRANGER);
        join(provers, PROVER);
    }

    // --- profile --------------------------------------------------------------------------------

    function test_register__again__replaces_what_was_said() external {
        bytes4[] memory systems = new bytes4[](8);
        systems[7] = 0x29e846df;
        string memory endpoint = string(new bytes(256));
        vm.expectEmit(address(provers));
        emit IProverRegistry.ProverRegistered(PROVER, endpoint, systems);
        vm.prank(PROVER);
        provers.register(endpoint, systems);
        (string memory found, bytes4[] memory foundSystems) = provers.profileOf(PROVER);
        vm.assertEq(found, endpoint, "endpoint");
        vm.assertEq(abi.encode(foundSystems), abi.encode(systems), "systems");
        join(provers, PROVER);
        (found, foundSystems) = provers.profileOf(PROVER);
        vm.assertEq(found, "", "an endpoint may be empty");
        vm.assertEq(foundSystems.length, 1, "fewer systems");
        vm.assertTrue(provers.stakeOf(PROVER).registered, "registered");
    }

    function test_register__endpoint_or_systems_out_of_range__refused() external {
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.ProfileRefused.selector, 257, 1));
        provers.register(string(new bytes(257)), new bytes4[](1));
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.ProfileRefused.selector, 0, 0));
        provers.register("", new bytes4[](0));
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.ProfileRefused.selector, 0, 9));
        provers.register("", new bytes4[](9));
    }

    // --- stake ----------------------------------------------------------------------------------

    function test_stake__by_anybody_for_a_prover__event_and_tokens() external {
        vm.expectEmit(address(provers));
        emit IProverRegistry.Staked(PROVER, STRANGER, 40);
        vm.prank(STRANGER);
        provers.stake(PROVER, 40);
        expectStake(PROVER, 40, 0, 0);
        vm.assertEq(token.balanceOf(address(provers)), 40, "held");
    }

    function test_stake__unregistered_prover_or_zero__refused() external {
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.NotRegistered.selector, RIVAL));
        provers.stake(RIVAL, 1);
        vm.expectRevert(IProverRegistry.ZeroAmount.selector);
        provers.stake(PROVER, 0);
    }

    function test_I18_stake__more_than_eighty_bits__refused_whoever_pays() external {
        uint256 most = type(uint80).max;
        vm.startPrank(STRANGER);
        provers.stake(PROVER, uint80(most));
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.StakeTooHigh.selector, PROVER, most + 1, most));
        provers.stake(PROVER, 1);
        vm.stopPrank();
        // Neither locked nor leaving stake makes room, so giving it back always fits.
        lock(PROVER, 5);
        vm.prank(PROVER);
        provers.requestUnstake(7);
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.StakeTooHigh.selector, PROVER, most + 1, most));
        vm.prank(STRANGER);
        provers.stake(PROVER, 1);
        vm.prank(MANAGER);
        provers.release(PROVER, 5);
        expectStake(PROVER, most - 7, 0, 7);
    }

    function test_stake__token_that_keeps_a_part_or_lies__refused() external {
        FeeToken fee = new FeeToken();
        ProverRegistry other = registryOf(address(fee));
        join(other, PROVER);
        fee.mint(PROVER, 1_000);
        vm.startPrank(PROVER);
        fee.approve(address(other), 1_000);
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.ReceivedAmountMismatch.selector, 1_000, 990));
        other.stake(PROVER, 1_000);
        vm.stopPrank();
        other = registryOf(address(new LyingToken()));
        join(other, PROVER);
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.ReceivedAmountMismatch.selector, 1_000, 0));
        other.stake(PROVER, 1_000);
    }

    // --- unstake --------------------------------------------------------------------------------

    function test_unstake__after_the_delay__paid_to_whom_the_prover_says() external {
        stake(100);
        vm.expectEmit(address(provers));
        emit IProverRegistry.UnstakeRequested(PROVER, 30, uint40(block.timestamp + DELAY));
        vm.startPrank(PROVER);
        provers.requestUnstake(30);
        expectStake(PROVER, 70, 0, 30);
        uint40 leavesAt = uint40(block.timestamp + DELAY);
        vm.warp(leavesAt - 1);
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.NothingToUnstake.selector, PROVER, 30, leavesAt));
        provers.unstake(RIVAL);
        vm.warp(leavesAt);
        vm.expectEmit(address(provers));
        emit IProverRegistry.Unstaked(PROVER, 30);
        provers.unstake(RIVAL);
        vm.assertEq(token.balanceOf(RIVAL), 30, "paid");
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.NothingToUnstake.selector, PROVER, 0, leavesAt));
        provers.unstake(RIVAL);
        vm.stopPrank();
    }

    function test_requestUnstake__again__the_delay_begins_anew_for_all() external {
        stake(100);
        vm.startPrank(PROVER);
        provers.requestUnstake(30);
        vm.warp(block.timestamp + DELAY - 1);
        provers.requestUnstake(1);
        vm.warp(block.timestamp + 1);
        vm.expectPartialRevert(IProverRegistry.NothingToUnstake.selector);
        provers.unstake(PROVER);
        vm.warp(block.timestamp + DELAY - 1);
        provers.unstake(PROVER);
        vm.stopPrank();
        vm.assertEq(token.balanceOf(PROVER), 1_000 - 100 + 31, "both");
    }

    function test_requestUnstake__zero_or_more_than_is_free__refused() external {
        stake(100);
        lock(PROVER, 60);
        vm.startPrank(PROVER);
        vm.expectRevert(IProverRegistry.ZeroAmount.selector);
        provers.requestUnstake(0);
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.StakeTooLow.selector, PROVER, 41, 40));
        provers.requestUnstake(41);
        vm.stopPrank();
    }

    // --- what the job manager does --------------------------------------------------------------

    function test_I11_lock_release_and_forfeit__of_anybody_but_the_manager__refused() external {
        bytes memory refusal = abi.encodeWithSelector(IProverRegistry.NotJobManager.selector, PROVER);
        vm.startPrank(PROVER);
        vm.expectRevert(refusal);
        provers.lock(PROVER, 0);
        vm.expectRevert(refusal);
        provers.release(PROVER, 0);
        vm.expectRevert(refusal);
        provers.forfeit(PROVER, 0, address(0), 0, 0);
        vm.stopPrank();
    }

    function test_lock__free_stake_of_a_registered_prover__event_and_then_release() external {
        stake(100);
        vm.expectEmit(address(provers));
        emit IProverRegistry.CollateralLocked(PROVER, 60);
        lock(PROVER, 60);
        expectStake(PROVER, 40, 60, 0);
        vm.expectEmit(address(provers));
        emit IProverRegistry.CollateralReleased(PROVER, 60);
        vm.prank(MANAGER);
        provers.release(PROVER, 60);
        expectStake(PROVER, 100, 0, 0);
    }

    function test_lock__unregistered_or_more_than_is_free__refused() external {
        stake(100);
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.NotRegistered.selector, RIVAL));
        lock(RIVAL, 0);
        vm.prank(PROVER);
        provers.requestUnstake(1);
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.StakeTooLow.selector, PROVER, 100, 99));
        lock(PROVER, 100);
    }

    function test_I11_release_and_forfeit__more_than_is_locked__refused() external {
        stake(100);
        lock(PROVER, 60);
        bytes memory refusal = abi.encodeWithSelector(IProverRegistry.StakeTooLow.selector, PROVER, 61, 60);
        vm.startPrank(MANAGER);
        vm.expectRevert(refusal);
        provers.release(PROVER, 61);
        vm.expectRevert(refusal);
        provers.forfeit(PROVER, 61, address(0), 0, 0);
        vm.stopPrank();
    }

    function testFuzz_I11_forfeit__parts__add_up_to_the_whole(uint80 amount, uint80 bonus, uint80 toTreasury) external {
        join(provers, RIVAL);
        stakeBy(STRANGER, amount | 1);
        lock(PROVER, amount);
        bool allowed = bonus <= amount / 2 && toTreasury <= amount - bonus;
        if (!allowed) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IProverRegistry.ForfeitRefused.selector, PROVER, amount, RIVAL, bonus, toTreasury
                )
            );
        }
        vm.prank(MANAGER);
        provers.forfeit(PROVER, amount, RIVAL, bonus, toTreasury);
        if (!allowed) return;
        (uint256 toBurn, uint256 waiting) = provers.forfeits();
        vm.assertEq(provers.stakeOf(RIVAL).free, bonus, "bonus");
        vm.assertEq(waiting, toTreasury, "treasury");
        vm.assertEq(toBurn + waiting + bonus, amount, "all of it");
        vm.assertEq(provers.stakeOf(PROVER).locked, 0, "no more");
    }

    function test_I11_forfeit__bonus_to_nobody_or_to_the_forfeiter__refused() external {
        stake(100);
        lock(PROVER, 100);
        vm.startPrank(MANAGER);
        vm.expectPartialRevert(IProverRegistry.ForfeitRefused.selector);
        provers.forfeit(PROVER, 100, address(0), 1, 0);
        vm.expectPartialRevert(IProverRegistry.ForfeitRefused.selector);
        provers.forfeit(PROVER, 100, PROVER, 1, 0);
        vm.expectEmit(address(provers));
        emit IProverRegistry.CollateralForfeited(PROVER, 100, address(0), 0, 100);
        provers.forfeit(PROVER, 100, address(0), 0, 100);
        vm.stopPrank();
    }

    function test_I13_forfeit__bonus_to_a_full_stake__burns_and_does_not_stop_the_settlement() external {
        join(provers, RIVAL);
        uint256 most = type(uint80).max;
        vm.startPrank(STRANGER);
        provers.stake(RIVAL, uint80(most - 3));
        provers.stake(PROVER, 100);
        vm.stopPrank();
        lock(PROVER, 100);
        vm.expectEmit(address(provers));
        emit IProverRegistry.CollateralForfeited(PROVER, 100, RIVAL, 3, 20);
        vm.prank(MANAGER);
        provers.forfeit(PROVER, 100, RIVAL, 50, 20);
        vm.assertEq(provers.stakeOf(RIVAL).free, most, "full");
        (uint256 toBurn, uint256 toTreasury) = provers.forfeits();
        vm.assertTrue(toBurn == 77 && toTreasury == 20, "the rest burns");
    }

    function test_forfeits__burned_and_collected_by_anybody__once() external {
        stake(100);
        lock(PROVER, 100);
        vm.prank(MANAGER);
        provers.forfeit(PROVER, 100, address(0), 0, 30);
        vm.expectEmit(address(provers));
        emit IProverRegistry.ForfeitsBurned(70);
        vm.prank(RIVAL);
        provers.burnForfeits();
        vm.expectEmit(address(provers));
        emit IProverRegistry.ForfeitsCollected(TREASURY, 30);
        vm.prank(RIVAL);
        provers.collectForfeits();
        vm.assertEq(token.balanceOf(BURN_ADDRESS), 70, "burned");
        vm.assertEq(token.balanceOf(TREASURY), 30, "collected");
        vm.expectRevert(IProverRegistry.NothingForfeited.selector);
        provers.burnForfeits();
        vm.expectRevert(IProverRegistry.NothingForfeited.selector);
        provers.collectForfeits();
    }

    function test_I1_donation__never_counted_nor_paid_out() external {
        token.mint(address(provers), 500);
        stake(100);
        lock(PROVER, 40);
        vm.prank(MANAGER);
        provers.forfeit(PROVER, 40, address(0), 0, 10);
        provers.burnForfeits();
        provers.collectForfeits();
        vm.startPrank(PROVER);
        provers.requestUnstake(60);
        vm.warp(block.timestamp + DELAY);
        provers.unstake(PROVER);
        vm.stopPrank();
        vm.assertEq(token.balanceOf(address(provers)), 500, "the donation and nothing else");
    }

    // --- hostile token --------------------------------------------------------------------------

    function test_reentrant_token__every_call_that_moves_tokens__refused_inside_another() external {
        ReentrantToken hostile = new ReentrantToken();
        ProverRegistry other = registryOf(address(hostile));
        join(other, PROVER);
        // The token itself is a prover with stake to take, so only the guard stands in its way.
        join(other, address(hostile));
        hostile.mint(PROVER, 1_000);
        vm.startPrank(PROVER);
        hostile.approve(address(other), 1_000);
        other.stake(address(hostile), 100);
        other.stake(PROVER, 100);
        vm.stopPrank();
        vm.prank(address(hostile));
        other.requestUnstake(100);
        vm.prank(MANAGER);
        other.lock(PROVER, 50);
        vm.prank(MANAGER);
        other.forfeit(PROVER, 50, address(0), 0, 25);
        vm.warp(block.timestamp + DELAY);
        bytes[4] memory calls = [
            abi.encodeCall(other.stake, (PROVER, 1)),
            abi.encodeCall(other.unstake, (address(hostile))),
            abi.encodeCall(other.burnForfeits, ()),
            abi.encodeCall(other.collectForfeits, ())
        ];
        for (uint256 i; i < calls.length; ++i) {
            hostile.arm(address(other), calls[i]);
            vm.prank(PROVER);
            other.stake(PROVER, 10);
            vm.assertEq(
                hostile.lastRevert(),
                abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector),
                "guarded"
            );
        }
        vm.assertEq(hostile.succeeded(), 0, "none went through");
        vm.assertEq(hostile.balanceOf(address(other)), 100 + 100 + 40, "nothing left");
    }

    function test_constructor__no_code__refused_and_views() external {
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.NotAContract.selector, STRANGER));
        registryOf(STRANGER);
        vm.expectRevert(abi.encodeWithSelector(IProverRegistry.NotAContract.selector, STRANGER));
        new ProverRegistry(IERC20(address(token)), MANAGER, IProtocolAdmin(STRANGER), DELAY);
        vm.assertEq(provers.jobManager(), MANAGER, "manager");
        vm.assertEq(address(provers.token()), address(token), "token");
        vm.assertEq(address(provers.admin()), address(admin), "admin");
        vm.assertEq(provers.unstakeDelaySeconds(), DELAY, "delay");
    }

    // --- words ----------------------------------------------------------------------------------

    function registryOf(address token_) private returns (ProverRegistry) {
        return new ProverRegistry(IERC20(token_), MANAGER, IProtocolAdmin(address(admin)), DELAY);
    }

    function join(ProverRegistry registry, address account) private {
        bytes4[] memory systems = new bytes4[](1);
        systems[0] = 0x29e846df;
        vm.prank(account);
        registry.register("", systems);
    }

    function allow(address account) private {
        vm.prank(account);
        token.approve(address(provers), type(uint256).max);
    }

    function stake(uint80 amount) private {
        stakeBy(PROVER, amount);
    }

    function stakeBy(address payer, uint80 amount) private {
        vm.prank(payer);
        provers.stake(PROVER, amount);
    }

    function lock(address account, uint80 amount) private {
        vm.prank(MANAGER);
        provers.lock(account, amount);
    }

    function expectStake(address account, uint256 free, uint256 locked, uint256 leaving) private view {
        Stake memory found = provers.stakeOf(account);
        vm.assertEq(found.free, free, "free");
        vm.assertEq(found.locked, locked, "locked");
        vm.assertEq(found.leaving, leaving, "leaving");
    }
}
