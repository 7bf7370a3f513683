// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IJobManager, JobSpec, JobStatus} from "marketplace/src/IJobManager.sol";
import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";
import {Forwarder} from "tests/contracts/support/Forwarder.sol";
import {JobTest} from "tests/contracts/support/JobTest.sol";
import {BearerVerifier, TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {IVerifierRouter} from "verifier_contracts/src/IVerifierRouter.sol";
import {PackedTensors} from "verifier_contracts/src/TensorLayout.sol";

/// @notice Settling a job by a proof of its own: who is paid, for what, and what stops it.
contract JobSettlementTest is JobTest {
    function test_I2_settle__accepted_proof__verified_credited_and_recorded_in_one_transaction() external {
        bytes32 jobId = claimedJob();
        vm.expectCall(
            address(verifier),
            abi.encodeCall(verifier.verify, (manager.contextOf(jobId, prover), INPUT, OUTPUT, PROOF)),
            1
        );
        vm.expectEmit(address(manager));
        emit IJobManager.JobSettled(jobId, prover, PROVER_FEE, OUTPUT, keccak256(PROOF));
        vm.expectEmit(address(ledger));
        emit IRevenueLedger.RevenueSettled(modelId, prover, PROVER_FEE, REVENUE, PLATFORM);
        settleAs(prover, jobId);
        assertStatus(jobId, JobStatus.SETTLED);
        assertPaid(prover);
        assertStake(prover, STAKE, 0);
        vm.assertEq(ledger.credits(requester), ESCROW - PRICE, "nobody else");
        vm.assertEq(token.balanceOf(address(ledger)), ESCROW, "nothing left the bank");
    }

    function test_I2_settle__verifier_refuses_reverts_answers_junk_or_burns_gas__nothing_moves() external {
        bytes32 jobId = claimedJob();
        for (uint256 mood = 1; mood <= 4; ++mood) {
            verifier.turn(TripleVerifier.Mood(mood));
            vm.expectRevert();
            settleAs(prover, jobId);
            assertNothingEarned();
            assertStatus(jobId, JobStatus.CLAIMED);
            assertStake(prover, STAKE - COLLATERAL, COLLATERAL);
        }
        verifier.turn(TripleVerifier.Mood.HONEST);
        settleAs(prover, jobId);
    }

    function test_settle__verifier_that_accepts_all__moves_its_own_models_money_alone() external {
        TripleVerifier liar = new TripleVerifier();
        uint256 badModel = provenModel(liar, "bad");
        liar.turn(TripleVerifier.Mood.ACCEPTS_ALL);
        bytes32 honest = claimedJob();
        bytes32 bad = openAs(requester, jobSpec(badModel));
        vm.startPrank(rival, rival);
        manager.claim(bad);
        manager.settle(bad, INPUT, "whatever", "");
        vm.expectRevert(notClaimant(honest, rival, prover));
        manager.settle(honest, INPUT, OUTPUT, PROOF);
        vm.stopPrank();
        vm.assertEq(ledger.incomeOf(modelId).revenue, 0, "the honest model's income");
        vm.assertEq(ledger.credits(rival), PROVER_FEE, "what its own requester agreed to");
        settleAs(prover, honest);
        assertPaid(prover);
    }

    function testFuzz_I4_settle__changed_input__refused_even_if_the_verifier_accepts_all(uint256 place) external {
        bytes32 jobId = claimedJob();
        verifier.turn(TripleVerifier.Mood.ACCEPTS_ALL);
        bytes memory changed = flipped(INPUT, place);
        vm.expectRevert(
            abi.encodeWithSelector(IJobManager.InputMismatch.selector, keccak256(INPUT), keccak256(changed))
        );
        vm.prank(prover);
        manager.settle(jobId, changed, OUTPUT, PROOF);
    }

    function test_settle__input_by_uri_outside_the_domain__cannot_be_settled() external {
        JobSpec memory spec = jobSpec(modelId);
        spec.inputUri = "ipfs://bafy";
        spec.inputCommitment = keccak256(hex"00000002");
        vm.prank(requester);
        bytes32 jobId = manager.open(spec, "");
        claimAs(prover, jobId);
        verifier.turn(TripleVerifier.Mood.ACCEPTS_ALL);
        vm.expectRevert(abi.encodeWithSelector(PackedTensors.ElementOutOfDomain.selector, 3, int256(2), -2, 1));
        vm.prank(prover);
        manager.settle(jobId, hex"00000002", OUTPUT, PROOF);
    }

    // --- where the proof stands -----------------------------------------------------------------

    function test_settle__call_of_an_account_without_code__publishes_no_proof() external {
        bytes32 jobId = claimedJob();
        vm.recordLogs();
        settleAs(prover, jobId);
        vm.assertEq(publications(), 0, "calldata has it");
    }

    function test_settle__through_a_contract__publishes_the_proof() external {
        Forwarder pool = new Forwarder();
        equip(address(pool), STAKE);
        bytes32 jobId = openJob();
        pool.forward(address(manager), abi.encodeCall(manager.claim, (jobId)));
        acceptFor(verifier, jobId, address(pool));
        expectPublication(jobId);
        vm.prank(stranger, stranger);
        pool.forward(address(manager), abi.encodeCall(manager.settle, (jobId, INPUT, OUTPUT, PROOF)));
        vm.assertEq(ledger.credits(address(pool)), PROVER_FEE, "the contract is paid");
    }

    function test_settle__in_a_transaction_of_another_account__publishes_the_proof() external {
        bytes32 jobId = claimedJob();
        expectPublication(jobId);
        vm.prank(prover, stranger);
        manager.settle(jobId, INPUT, OUTPUT, PROOF);
    }

    function test_settle__from_an_account_with_delegated_code__publishes_the_proof() external {
        bytes32 jobId = claimedJob();
        // As under EIP-7702: its own transaction, yet code of the account may have made the call.
        vm.etch(prover, hex"00");
        expectPublication(jobId);
        settleAs(prover, jobId);
    }

    // --- whose proof it is ----------------------------------------------------------------------

    function test_I15_settle__stranger_copies_the_proof__not_paid() external {
        bytes32 jobId = claimedJob();
        vm.expectRevert(notClaimant(jobId, stranger, prover));
        settleAs(stranger, jobId);
        vm.expectRevert(notClaimant(jobId, requester, prover));
        settleAs(requester, jobId);
        settleAs(prover, jobId);
        assertPaid(prover);
    }

    function test_I5_settle__twice__refused() external {
        bytes32 jobId = claimedJob();
        settleAs(prover, jobId);
        vm.expectRevert(wrongStatus(jobId, JobStatus.SETTLED));
        settleAs(prover, jobId);
        assertPaid(prover);
    }

    function test_I5_settle__proof_bound_to_another_job_or_prover__rejected() external {
        claimedJob();
        bytes32 second = openJob();
        claimAs(rival, second);
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        settleAs(rival, second);
    }

    function test_I5_settle__genesis_proof_borrowed__rejected() external {
        bytes memory input = registry.genesisInput(modelId, circuitId);
        JobSpec memory spec = jobSpec(modelId);
        spec.inputCommitment = keccak256(input);
        vm.prank(requester);
        bytes32 jobId = manager.open(spec, input);
        claimAs(prover, jobId);
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        vm.prank(prover, prover);
        manager.settle(jobId, input, new bytes(8), PROOF);
    }

    function test_I5_settle__proof_without_context__pays_each_claimant_of_a_job_with_its_input_once() external {
        (bytes32 first, bytes32 second) = bearerJobs();
        claimAs(prover, first);
        claimAs(rival, second);
        settleAs(prover, first);
        vm.expectRevert(notClaimant(second, prover, rival));
        settleAs(prover, second);
        settleAs(rival, second);
        vm.assertEq(ledger.credits(prover), PROVER_FEE, "first");
        vm.assertEq(ledger.credits(rival), PROVER_FEE, "second");
    }

    // --- when -----------------------------------------------------------------------------------

    function test_settle__unclaimed_job__refused() external {
        bytes32 jobId = openJob();
        vm.expectRevert(wrongStatus(jobId, JobStatus.OPEN));
        settleAs(prover, jobId);
        // Not even the zero address, which "holds" the claim of an open job.
        vm.expectRevert(wrongStatus(jobId, JobStatus.OPEN));
        settleAs(address(0), jobId);
        vm.expectRevert(wrongStatus(0, JobStatus.NONE));
        settleAs(prover, 0);
    }

    function test_I11_settle__late_but_not_taken_over__whole_price_and_collateral() external {
        bytes32 jobId = lateJob();
        assertStatus(jobId, JobStatus.LATE);
        settleAs(prover, jobId);
        assertPaid(prover);
        assertStake(prover, STAKE, 0);
        assertForfeits(0, 0);
    }

    function test_I11_settle__at_the_deadline_passes__after_it_is_refused() external {
        bytes32 jobId = claimedJob();
        vm.warp(START + 1 hours + 1);
        vm.expectRevert(wrongStatus(jobId, JobStatus.EXPIRED));
        settleAs(prover, jobId);
        vm.warp(START + 1 hours);
        settleAs(prover, jobId);
        assertStake(prover, STAKE, 0);
    }

    function test_I14_settle__verifier_code_replaced__refused_and_refundable() external {
        bytes32 jobId = claimedJob();
        vm.etch(address(verifier), hex"00");
        vm.expectPartialRevert(IVerifierRouter.CodeHashMismatch.selector);
        settleAs(prover, jobId);
        vm.warp(START + 1 hours + 1);
        manager.refund(jobId);
        vm.assertEq(ledger.credits(requester), ESCROW, "price and what the claim left over");
    }

    function test_contextOf__is_the_formula() external {
        bytes32 jobId = claimedJob();
        bytes32 tag = keccak256("zkml.context.v1");
        bytes32 expected = keccak256(abi.encode(tag, uint256(31337), address(manager), jobId, prover));
        vm.assertEq(manager.contextOf(jobId, prover), expected, "context");
        vm.assertTrue(manager.contextOf(jobId, rival) != expected, "payee");
    }

    // --- words ----------------------------------------------------------------------------------

    /// @dev Two jobs on one input of a circuit whose proofs carry no context.
    function bearerJobs() private returns (bytes32 first, bytes32 second) {
        BearerVerifier bearer = new BearerVerifier();
        bytes32 circuit = router.add(specOf(address(bearer), keccak256("bearer")));
        uint256 model = registerModel(commitmentFor(circuit, "bearer"));
        bearer.accept(registry.genesisInput(model, circuit), OUTPUT, PROOF);
        registry.activate(model, circuit, OUTPUT, PROOF);
        bearer.accept(INPUT, OUTPUT, PROOF);
        (first, second) = (openAs(requester, jobSpec(model)), openAs(requester, jobSpec(model)));
    }

    function expectPublication(bytes32 jobId) private {
        vm.expectEmit(address(manager));
        emit IJobManager.ProofPublished(jobId, INPUT, OUTPUT, PROOF);
    }
}
