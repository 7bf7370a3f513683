// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IJobManager, JobSpec, JobStatus} from "marketplace/src/IJobManager.sol";
import {Stake} from "registry/src/IProverRegistry.sol";
import {Market} from "tests/contracts/support/Market.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";

/// @notice A market with one model on a double, a requester and three equipped provers, and jobs in every state.
/// @dev What {Market-jobSpec} costs when it is claimed in the block it was opened in is written out here once.
abstract contract JobTest is Market {
    uint80 internal constant STAKE = 100_000_000;
    /// @dev At 50 zUSD for the prover a tenth of the price is 5,556,667; at 10 the model's own 2 zUSD are more.
    uint80 internal constant ESCROW = 50_000_000 + 5_556_667 + FLAT_FEE;
    uint80 internal constant PROVER_FEE = 10_000_000;
    uint80 internal constant REVENUE = 1_950_000;
    uint80 internal constant PLATFORM = 50_000 + FLAT_FEE;
    uint80 internal constant PRICE = PROVER_FEE + REVENUE + PLATFORM;
    uint80 internal constant COLLATERAL = 1_201_000;
    uint80 internal constant BONUS = 600_500;
    address internal constant BURN_ADDRESS = 0x000000000000000000000000000000000000dEaD;

    TripleVerifier internal verifier;
    uint256 internal modelId;
    bytes32 internal circuitId;

    function setUp() public virtual {
        deployMarket();
        verifier = new TripleVerifier();
        modelId = provenModel(verifier, "digits");
        circuitId = registry.circuitOf(modelId);
        fund(requester, 1_000_000_000);
        equip(prover, STAKE);
        equip(rival, STAKE);
        equip(stranger, STAKE);
    }

    function openJob() internal returns (bytes32 jobId) {
        return openAs(requester, jobSpec(modelId));
    }

    /// @dev A job that the prover claimed at the least price and holds an acceptable proof for.
    function claimedJob() internal returns (bytes32 jobId) {
        jobId = openJob();
        claimAs(prover, jobId);
        acceptFor(verifier, jobId, prover);
    }

    /// @dev As {claimedJob}, a second past its claim deadline.
    function lateJob() internal returns (bytes32 jobId) {
        jobId = claimedJob();
        vm.warp(manager.job(jobId).claimDeadline + 1);
    }

    /// @dev A late job that the rival has just taken over; prover and rival hold acceptable proofs.
    function contestedJob() internal returns (bytes32 jobId) {
        jobId = lateJob();
        reclaimAs(rival, jobId);
    }

    /// @dev The one that the double accepts is the last one told of, for each payee.
    function settleBy(address payee, bytes32 jobId) internal {
        acceptFor(verifier, jobId, payee);
        settleAs(payee, jobId);
    }

    function assertStatus(bytes32 jobId, JobStatus expected) internal view {
        vm.assertEq(uint256(manager.statusOf(jobId)), uint256(expected), "status");
    }

    function assertStake(address account, uint256 free, uint256 locked) internal view {
        Stake memory stake = provers.stakeOf(account);
        vm.assertEq(stake.free, free, "free stake");
        vm.assertEq(stake.locked, locked, "locked stake");
    }

    function assertForfeits(uint256 toBurn, uint256 toTreasury) internal view {
        (uint256 burning, uint256 collectable) = provers.forfeits();
        vm.assertEq(burning, toBurn, "to burn");
        vm.assertEq(collectable, toTreasury, "to the treasury");
    }

    /// @dev A settled job paid this prover and this model, once.
    function assertPaid(address account) internal view {
        vm.assertEq(ledger.credits(account), PROVER_FEE, "prover's fee");
        vm.assertEq(ledger.incomeOf(modelId).revenue, REVENUE, "revenue");
        vm.assertEq(ledger.incomeOf(modelId).platform, PLATFORM, "platform");
    }

    function assertNothingEarned() internal view {
        vm.assertEq(ledger.credits(prover), 0, "prover's credit");
        vm.assertEq(ledger.credits(rival), 0, "rival's credit");
        vm.assertEq(ledger.incomeOf(modelId).revenue, 0, "revenue");
        vm.assertEq(ledger.incomeOf(modelId).platform, 0, "platform");
    }

    function wrongStatus(bytes32 jobId, JobStatus status) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IJobManager.WrongStatus.selector, jobId, status);
    }

    function notClaimant(bytes32 jobId, address caller, address payee) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IJobManager.NotClaimant.selector, jobId, caller, payee);
    }

    function refuseOpen(JobSpec memory spec, bytes memory input, bytes memory error_) internal {
        vm.expectRevert(error_);
        vm.prank(requester);
        manager.open(spec, input);
    }
}
