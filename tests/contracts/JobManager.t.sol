// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IJobManager, Job, JobSpec, JobStatus, JobTerms} from "marketplace/src/IJobManager.sol";
import {JobManager} from "marketplace/src/JobManager.sol";
import {IModelRegistry, ModelStatus} from "registry/src/IModelRegistry.sol";
import {Forwarder} from "tests/contracts/support/Forwarder.sol";
import {Market} from "tests/contracts/support/Market.sol";
import {BearerVerifier, TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {IVerifierRouter} from "verifier_contracts/src/IVerifierRouter.sol";
import {PackedTensors} from "verifier_contracts/src/TensorLayout.sol";

contract JobManagerTest is Market {
    uint96 private constant FEE = 50_000_000;
    uint96 private constant COLLATERAL = 5_000_000;

    TripleVerifier private verifier = new TripleVerifier();
    uint256 private modelId;

    function setUp() external {
        deployMarket();
        modelId = provenModel(verifier, "digits");
        fund(requester, 1_000_000_000);
        fund(prover, 1_000_000_000);
        fund(stranger, 1_000_000_000);
    }

    // --- open -----------------------------------------------------------------------------------

    function test_open__with_input__event_id_facts_and_escrow() external {
        JobSpec memory spec = jobSpec(modelId);
        bytes32 expected = idOf(requester, 0, spec);
        vm.expectEmit(address(manager));
        emit IJobManager.JobOpened(
            expected,
            modelId,
            requester,
            registry.circuitOf(modelId),
            spec.inputCommitment,
            FEE,
            COLLATERAL,
            spec.deadline,
            "",
            INPUT
        );
        vm.assertEq(openAs(requester, spec), expected, "id");
        Job memory facts = manager.job(expected);
        vm.assertEq(facts.requester, requester, "requester");
        vm.assertEq(facts.fee, FEE, "fee");
        vm.assertEq(facts.prover, address(0), "prover");
        vm.assertEq(facts.collateral, COLLATERAL, "collateral");
        vm.assertEq(facts.modelId, modelId, "model");
        vm.assertEq(facts.circuitId, registry.circuitOf(modelId), "circuit");
        vm.assertEq(facts.inputCommitment, spec.inputCommitment, "commitment");
        vm.assertEq(facts.deadline, spec.deadline, "deadline");
        vm.assertTrue(facts.outcome == JobStatus.NONE, "outcome");
        assertStatus(expected, JobStatus.OPEN);
        vm.assertEq(token.balanceOf(address(manager)), FEE, "escrow");
        vm.assertEq(manager.nonces(requester), 1, "nonce");
    }

    function test_open__by_address_of_the_input__needs_no_input() external {
        JobSpec memory spec = jobSpec(modelId);
        spec.inputUri = "ipfs://bafy";
        vm.prank(requester);
        assertStatus(manager.open(spec, ""), JobStatus.OPEN);
    }

    function test_I5_open__same_spec_twice__two_jobs() external {
        JobSpec memory spec = jobSpec(modelId);
        vm.assertTrue(openAs(requester, spec) != openAs(requester, spec), "the nonce tells them apart");
        vm.assertEq(token.balanceOf(address(manager)), 2 * uint256(FEE), "both are in escrow");
    }

    function test_I4_jobId__any_field_changed__is_another_id() external {
        JobSpec memory spec = jobSpec(modelId);
        bytes32 base = openAs(requester, spec);
        vm.assertTrue(base != idOf(stranger, 0, spec), "requester");
        vm.assertTrue(base != idOf(requester, 1, spec), "nonce");
        for (uint256 field; field < 5; ++field) {
            JobSpec memory changed = jobSpec(modelId);
            if (field == 0) changed.modelId++;
            if (field == 1) changed.inputCommitment = 0;
            if (field == 2) changed.inputUri = "x";
            if (field == 3) changed.fee++;
            if (field == 4) changed.deadline++;
            vm.assertTrue(base != idOf(requester, 0, changed), "field of the spec");
        }
        vm.chainId(1337);
        vm.assertTrue(base != idOf(requester, 0, spec), "chain");
    }

    function test_open__model_not_proven__refused() external {
        JobSpec memory spec = jobSpec(12345);
        refuseOpen(spec, INPUT, abi.encodeWithSelector(IJobManager.ModelNotProven.selector, 12345, ModelStatus.NONE));
        bytes32 circuitId = registry.circuitOf(modelId);
        spec.modelId = registry.register(commitmentFor(circuitId, "young"));
        refuseOpen(
            spec,
            INPUT,
            abi.encodeWithSelector(IJobManager.ModelNotProven.selector, spec.modelId, ModelStatus.REGISTERED)
        );
    }

    function test_open__bad_input__refused() external {
        JobSpec memory spec = jobSpec(modelId);
        refuseOpen(spec, "", abi.encodeWithSelector(IJobManager.InputMissing.selector));
        refuseOpen(
            spec,
            hex"00000000",
            abi.encodeWithSelector(IJobManager.InputMismatch.selector, spec.inputCommitment, keccak256(hex"00000000"))
        );
        spec.inputCommitment = keccak256(hex"00000002");
        refuseOpen(
            spec, hex"00000002", abi.encodeWithSelector(PackedTensors.ElementOutOfDomain.selector, 3, int256(2), -2, 1)
        );
        spec.inputCommitment = keccak256(hex"000000");
        refuseOpen(spec, hex"000000", abi.encodeWithSelector(PackedTensors.InputLengthMismatch.selector, 4, 3));
    }

    function test_open__uri_longer_than_256_bytes__refused() external {
        JobSpec memory spec = jobSpec(modelId);
        spec.inputUri = string(noise(1, 257));
        bytes memory refusal = abi.encodeWithSelector(IJobManager.InputUriTooLong.selector, 257, 256);
        refuseOpen(spec, "", refusal);
        refuseOpen(spec, INPUT, refusal);
        spec.inputUri = string(noise(1, 256));
        openAs(requester, spec);
    }

    function test_open__zero_fee__refused() external {
        JobSpec memory spec = jobSpec(modelId);
        spec.fee = 0;
        refuseOpen(spec, INPUT, abi.encodeWithSelector(IJobManager.ZeroFee.selector));
    }

    function test_open__deadline_at_the_edges() external {
        JobSpec memory spec = jobSpec(modelId);
        spec.deadline = START + 29;
        refuseOpen(spec, INPUT, deadlineError(spec.deadline));
        spec.deadline = START + 30 days + 1;
        refuseOpen(spec, INPUT, deadlineError(spec.deadline));
        spec.deadline = type(uint64).max;
        refuseOpen(spec, INPUT, deadlineError(spec.deadline));
        spec.deadline = START + 30;
        openAs(requester, spec);
        spec.deadline = START + 30 days;
        openAs(requester, spec);
    }

    function test_open__without_allowance_or_funds__refused_and_nonce_unspent() external {
        JobSpec memory spec = jobSpec(modelId);
        vm.prank(requester);
        token.approve(address(manager), FEE - 1);
        vm.expectRevert();
        vm.prank(requester);
        manager.open(spec, INPUT);
        vm.expectRevert();
        vm.prank(address(0xF00D));
        manager.open(spec, INPUT);
        vm.assertEq(manager.nonces(requester), 0, "nonce");
        vm.assertEq(token.balanceOf(address(manager)), 0, "escrow");
    }

    // --- claim ----------------------------------------------------------------------------------

    function test_claim__open_job__event_prover_and_collateral() external {
        bytes32 jobId = openAs(requester, jobSpec(modelId));
        vm.expectEmit(address(manager));
        emit IJobManager.JobClaimed(jobId, prover, COLLATERAL);
        claimAs(prover, jobId);
        assertStatus(jobId, JobStatus.CLAIMED);
        vm.assertEq(manager.job(jobId).prover, prover, "prover");
        vm.assertEq(token.balanceOf(address(manager)), uint256(FEE) + COLLATERAL, "held");
    }

    function test_claim__at_the_deadline_passes__after_it_is_refused() external {
        bytes32 first = openAs(requester, jobSpec(modelId));
        bytes32 second = openAs(requester, jobSpec(modelId));
        vm.warp(START + 1 hours);
        claimAs(prover, first);
        vm.warp(START + 1 hours + 1);
        vm.expectRevert(wrongStatus(second, JobStatus.EXPIRED));
        claimAs(prover, second);
    }

    function test_claim__claimed_or_unknown__refused() external {
        bytes32 jobId = openAs(requester, jobSpec(modelId));
        claimAs(prover, jobId);
        vm.expectRevert(wrongStatus(jobId, JobStatus.CLAIMED));
        claimAs(stranger, jobId);
        vm.expectRevert(wrongStatus(jobId, JobStatus.CLAIMED));
        claimAs(prover, jobId);
        vm.expectRevert(wrongStatus(0, JobStatus.NONE));
        claimAs(prover, 0);
    }

    // --- settle ---------------------------------------------------------------------------------

    function test_I2_settle__accepted_proof__verified_credited_and_recorded_in_one_transaction() external {
        bytes32 jobId = claimedJob();
        vm.expectCall(
            address(verifier), abi.encodeCall(verifier.verify, (manager.contextOf(jobId), INPUT, OUTPUT, PROOF)), 1
        );
        vm.expectEmit(address(manager));
        emit IJobManager.JobSettled(jobId, prover, FEE, OUTPUT, keccak256(PROOF));
        settleAs(prover, jobId);
        assertStatus(jobId, JobStatus.SETTLED);
        vm.assertEq(manager.credits(prover), uint256(FEE) + COLLATERAL, "credit");
        vm.assertEq(manager.credits(requester), 0, "nobody else");
    }

    function test_I2_settle__verifier_refuses_reverts_answers_junk_or_burns_gas__nothing_moves() external {
        bytes32 jobId = claimedJob();
        for (uint256 mood = 1; mood <= 4; ++mood) {
            verifier.turn(TripleVerifier.Mood(mood));
            vm.expectRevert();
            settleAs(prover, jobId);
            vm.assertEq(manager.credits(prover), 0, "credit");
            assertStatus(jobId, JobStatus.CLAIMED);
        }
        verifier.turn(TripleVerifier.Mood.HONEST);
        settleAs(prover, jobId);
    }

    function test_I4_settle__changed_output_proof_or_context__rejected() external {
        bytes32 jobId = claimedJob();
        rejectSettle(jobId, flipped(OUTPUT, 7), PROOF);
        rejectSettle(jobId, OUTPUT, flipped(PROOF, 0));
        rejectSettle(jobId, OUTPUT, bytes.concat(PROOF, hex"00"));
        rejectSettle(jobId, OUTPUT, "");
        vm.chainId(1337);
        rejectSettle(jobId, OUTPUT, PROOF);
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

    function test_settle__call_of_an_account_without_code__publishes_no_proof() external {
        bytes32 jobId = claimedJob();
        vm.recordLogs();
        settleAs(prover, jobId);
        vm.assertEq(publications(), 0, "calldata has it");
    }

    function test_settle__through_a_contract__publishes_the_proof() external {
        Forwarder pool = new Forwarder();
        fund(address(pool), 1_000_000_000);
        bytes32 jobId = openAs(requester, jobSpec(modelId));
        pool.forward(address(manager), abi.encodeCall(manager.claim, (jobId)));
        verifier.accept(manager.contextOf(jobId), INPUT, OUTPUT, PROOF);
        expectPublication(jobId);
        vm.prank(stranger, stranger);
        pool.forward(address(manager), abi.encodeCall(manager.settle, (jobId, INPUT, OUTPUT, PROOF)));
        vm.assertEq(manager.credits(address(pool)), uint256(FEE) + COLLATERAL, "the contract is paid");
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

    function test_settle__stranger_copies_the_proof__not_paid() external {
        bytes32 jobId = claimedJob();
        vm.expectRevert(abi.encodeWithSelector(IJobManager.NotClaimant.selector, jobId, stranger, prover));
        settleAs(stranger, jobId);
        vm.expectRevert(abi.encodeWithSelector(IJobManager.NotClaimant.selector, jobId, requester, prover));
        settleAs(requester, jobId);
    }

    function test_I5_settle__twice__refused() external {
        bytes32 jobId = claimedJob();
        settleAs(prover, jobId);
        vm.expectRevert(wrongStatus(jobId, JobStatus.SETTLED));
        settleAs(prover, jobId);
        vm.assertEq(manager.credits(prover), uint256(FEE) + COLLATERAL, "paid once");
    }

    function test_I5_settle__proof_bound_to_another_job_or_prover__rejected() external {
        claimedJob();
        bytes32 second = openAs(requester, jobSpec(modelId));
        claimAs(stranger, second);
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        settleAs(stranger, second);
    }

    function test_I5_settle__proof_without_context__pays_each_claimant_of_a_job_with_its_input_once() external {
        (bytes32 first, bytes32 second) = bearerJobs();
        claimAs(prover, first);
        claimAs(stranger, second);
        settleAs(prover, first);
        vm.expectRevert(abi.encodeWithSelector(IJobManager.NotClaimant.selector, second, prover, stranger));
        settleAs(prover, second);
        settleAs(stranger, second);
        vm.assertEq(manager.credits(prover), uint256(FEE) + COLLATERAL, "first");
        vm.assertEq(manager.credits(stranger), uint256(FEE) + COLLATERAL, "second");
    }

    function test_settle__unclaimed_job__refused() external {
        bytes32 jobId = openAs(requester, jobSpec(modelId));
        vm.expectRevert(wrongStatus(jobId, JobStatus.OPEN));
        settleAs(prover, jobId);
        // Not even the zero address, which "holds" the claim of an open job.
        vm.expectRevert(wrongStatus(jobId, JobStatus.OPEN));
        settleAs(address(0), jobId);
        vm.expectRevert(wrongStatus(0, JobStatus.NONE));
        settleAs(prover, 0);
    }

    function test_I11_settle__at_the_deadline_passes__after_it_is_refused() external {
        bytes32 jobId = claimedJob();
        vm.warp(START + 1 hours + 1);
        vm.expectRevert(wrongStatus(jobId, JobStatus.EXPIRED));
        settleAs(prover, jobId);
        vm.warp(START + 1 hours);
        settleAs(prover, jobId);
    }

    function test_I14_settle__verifier_code_replaced__refused_and_refundable() external {
        bytes32 jobId = claimedJob();
        vm.etch(address(verifier), hex"00");
        vm.expectPartialRevert(IVerifierRouter.CodeHashMismatch.selector);
        settleAs(prover, jobId);
        vm.warp(START + 1 hours + 1);
        manager.refund(jobId);
        vm.assertEq(manager.credits(requester), FEE, "refunded");
    }

    function test_I12_settle__model_transferred_in_flight__terms_of_the_job_stand() external {
        bytes32 jobId = claimedJob();
        Job memory before = manager.job(jobId);
        vm.prank(publisher);
        registry.transferFrom(publisher, stranger, modelId);
        vm.assertEq(abi.encode(manager.job(jobId)), abi.encode(before), "facts");
        settleAs(prover, jobId);
        vm.assertEq(manager.credits(prover), uint256(FEE) + COLLATERAL, "credit");
    }

    // --- cancel and refund ----------------------------------------------------------------------

    function test_cancel__open_job__event_and_credit() external {
        bytes32 jobId = openAs(requester, jobSpec(modelId));
        vm.expectEmit(address(manager));
        emit IJobManager.JobCancelled(jobId);
        vm.prank(requester);
        manager.cancel(jobId);
        assertStatus(jobId, JobStatus.CANCELLED);
        vm.assertEq(manager.credits(requester), FEE, "credit");
    }

    function test_cancel__by_another__refused() external {
        bytes32 jobId = openAs(requester, jobSpec(modelId));
        vm.expectRevert(abi.encodeWithSelector(IJobManager.NotRequester.selector, jobId, stranger, requester));
        vm.prank(stranger);
        manager.cancel(jobId);
    }

    function test_I3_cancel__any_status_but_open__refused() external {
        bytes32 jobId = claimedJob();
        refuseCancel(jobId, JobStatus.CLAIMED);
        settleAs(prover, jobId);
        refuseCancel(jobId, JobStatus.SETTLED);
        jobId = openAs(requester, jobSpec(modelId));
        vm.prank(requester);
        manager.cancel(jobId);
        refuseCancel(jobId, JobStatus.CANCELLED);
        jobId = openAs(requester, jobSpec(modelId));
        vm.warp(START + 2 hours);
        refuseCancel(jobId, JobStatus.EXPIRED);
        manager.refund(jobId);
        refuseCancel(jobId, JobStatus.REFUNDED);
        refuseCancel(0, JobStatus.NONE);
    }

    function test_I11_refund__claimed_and_expired__fee_back_and_collateral_forfeited() external {
        bytes32 jobId = claimedJob();
        vm.warp(START + 1 hours + 1);
        assertStatus(jobId, JobStatus.EXPIRED);
        vm.expectEmit(address(manager));
        emit IJobManager.JobRefunded(jobId, requester, FEE, COLLATERAL);
        vm.prank(stranger);
        manager.refund(jobId);
        assertStatus(jobId, JobStatus.REFUNDED);
        vm.assertEq(manager.credits(requester), FEE, "the fee, and nothing of the forfeit");
        vm.assertEq(manager.credits(prover), 0, "prover");
        vm.assertEq(manager.forfeits(), COLLATERAL, "forfeits");
    }

    function test_I11_refund__never_claimed__forfeits_nothing() external {
        bytes32 jobId = openAs(requester, jobSpec(modelId));
        vm.warp(START + 1 hours + 1);
        vm.expectEmit(address(manager));
        emit IJobManager.JobRefunded(jobId, requester, FEE, 0);
        manager.refund(jobId);
        vm.assertEq(manager.forfeits(), 0, "forfeits");
    }

    function test_I3_refund__any_status_but_expired__refused() external {
        bytes32 jobId = openAs(requester, jobSpec(modelId));
        refuseRefund(jobId, JobStatus.OPEN);
        claimAs(prover, jobId);
        vm.warp(START + 1 hours);
        refuseRefund(jobId, JobStatus.CLAIMED);
        verifier.accept(manager.contextOf(jobId), INPUT, OUTPUT, PROOF);
        settleAs(prover, jobId);
        vm.warp(START + 2 hours);
        refuseRefund(jobId, JobStatus.SETTLED);
        jobId = openAs(requester, jobSpec(modelId));
        vm.prank(requester);
        manager.cancel(jobId);
        vm.warp(START + 4 hours);
        refuseRefund(jobId, JobStatus.CANCELLED);
        jobId = openAs(requester, jobSpec(modelId));
        vm.warp(START + 6 hours);
        manager.refund(jobId);
        refuseRefund(jobId, JobStatus.REFUNDED);
        refuseRefund(0, JobStatus.NONE);
    }

    function test_I13_refund_and_cancel__call_nothing_foreign() external {
        bytes32 claimed = claimedJob();
        bytes32 open = openAs(requester, jobSpec(modelId));
        // With verifier, router, registry and token gone, whoever still called one of them would revert.
        vm.etch(address(verifier), hex"fe");
        vm.etch(address(router), hex"fe");
        vm.etch(address(registry), hex"fe");
        bytes memory tokenCode = address(token).code;
        vm.etch(address(token), hex"fe");
        vm.prank(requester);
        manager.cancel(open);
        vm.warp(START + 1 hours + 1);
        manager.refund(claimed);
        vm.etch(address(token), tokenCode);
        vm.prank(requester);
        manager.withdraw();
        manager.burnForfeits();
        vm.assertEq(token.balanceOf(address(manager)), 0, "everything is out");
    }

    // --- withdraw and burn ----------------------------------------------------------------------

    function test_withdraw__credits__event_and_transfer_once() external {
        bytes32 jobId = claimedJob();
        settleAs(prover, jobId);
        uint256 before = token.balanceOf(prover);
        vm.expectEmit(address(manager));
        emit IJobManager.Withdrawn(prover, uint256(FEE) + COLLATERAL);
        vm.prank(prover);
        manager.withdraw();
        vm.assertEq(token.balanceOf(prover) - before, uint256(FEE) + COLLATERAL, "paid out");
        vm.assertEq(manager.credits(prover), 0, "credit");
        vm.expectRevert(abi.encodeWithSelector(IJobManager.NothingToWithdraw.selector, prover));
        vm.prank(prover);
        manager.withdraw();
    }

    function test_burnForfeits__forfeits__event_and_transfer_once() external {
        bytes32 jobId = claimedJob();
        vm.expectRevert(abi.encodeWithSelector(IJobManager.NothingToBurn.selector));
        manager.burnForfeits();
        vm.warp(START + 1 hours + 1);
        manager.refund(jobId);
        vm.expectEmit(address(manager));
        emit IJobManager.ForfeitsBurned(COLLATERAL);
        vm.prank(stranger);
        manager.burnForfeits();
        vm.assertEq(token.balanceOf(0x000000000000000000000000000000000000dEaD), COLLATERAL, "burned");
        vm.assertEq(manager.forfeits(), 0, "forfeits");
        vm.assertEq(token.balanceOf(address(manager)), FEE, "the requester's fee is untouched");
    }

    // --- numbers --------------------------------------------------------------------------------

    function testFuzz_I18_collateralFor__any_fee_and_terms__rounds_up_and_fits(
        uint96 fee,
        uint96 minCollateral,
        uint32 ppm
    ) external {
        ppm = uint32(within(ppm, 0, 1_000_000));
        vm.assume(minCollateral != 0 || ppm != 0);
        JobManager other = new JobManager(registry, IERC20(address(token)), JobTerms(minCollateral, ppm, 1, 1));
        uint256 part = (uint256(fee) * ppm + 999_999) / 1_000_000;
        vm.assertEq(other.collateralFor(fee), part > minCollateral ? part : minCollateral, "collateral");
    }

    function test_I18_fee__greatest_of_its_width__escrowed_and_paid_exactly() external {
        uint96 fee = type(uint96).max;
        fund(requester, uint256(fee));
        fund(prover, uint256(fee));
        JobSpec memory spec = jobSpec(modelId);
        spec.fee = fee;
        bytes32 jobId = openAs(requester, spec);
        uint96 collateral = manager.job(jobId).collateral;
        vm.assertEq(collateral, (uint256(fee) + 9) / 10, "ten percent, rounded up");
        claimAs(prover, jobId);
        verifier.accept(manager.contextOf(jobId), INPUT, OUTPUT, PROOF);
        settleAs(prover, jobId);
        vm.assertEq(manager.credits(prover), uint256(fee) + collateral, "beyond 96 bits");
        vm.prank(prover);
        manager.withdraw();
    }

    function testFuzz_status__any_facts_and_time__is_what_the_facts_say(
        bool claimed,
        uint256 end,
        uint64 duration,
        uint64 later
    ) external {
        JobSpec memory spec = jobSpec(modelId);
        spec.deadline = START + uint64(within(duration, 30, 30 days));
        bytes32 jobId = openAs(requester, spec);
        end %= 4;
        if (claimed) claimAs(prover, jobId);
        JobStatus outcome = JobStatus.NONE;
        if (end == 1 && claimed) {
            verifier.accept(manager.contextOf(jobId), INPUT, OUTPUT, PROOF);
            settleAs(prover, jobId);
            outcome = JobStatus.SETTLED;
        }
        if (end == 2 && !claimed) {
            vm.prank(requester);
            manager.cancel(jobId);
            outcome = JobStatus.CANCELLED;
        }
        if (end == 3) {
            vm.warp(uint256(spec.deadline) + 1);
            manager.refund(jobId);
            outcome = JobStatus.REFUNDED;
        }
        uint256 now_ = block.timestamp + within(later, 0, 60 days);
        vm.warp(now_);
        JobStatus expected = outcome != JobStatus.NONE
            ? outcome
            : now_ > spec.deadline ? JobStatus.EXPIRED : claimed ? JobStatus.CLAIMED : JobStatus.OPEN;
        assertStatus(jobId, expected);
    }

    function test_contextOf__is_the_formula() external {
        bytes32 jobId = claimedJob();
        bytes32 expected =
            keccak256(abi.encode(keccak256("zkml.context.v1"), uint256(31337), address(manager), jobId, prover));
        vm.assertEq(manager.contextOf(jobId), expected, "context");
    }

    function test_views__say_what_was_deployed() external view {
        vm.assertEq(address(manager.registry()), address(registry), "registry");
        vm.assertEq(address(manager.router()), address(router), "router");
        vm.assertEq(address(manager.token()), address(token), "token");
        vm.assertEq(abi.encode(manager.terms()), abi.encode(defaultTerms()), "terms");
        assertStatus(keccak256("no such job"), JobStatus.NONE);
    }

    function test_constructor__contradicting_terms_or_no_code__refused() external {
        refuseTerms(JobTerms(1, 1_000_001, 1, 1));
        refuseTerms(JobTerms(1, 0, 0, 1));
        refuseTerms(JobTerms(1, 0, 2, 1));
        vm.expectRevert(abi.encodeWithSelector(IJobManager.NotAContract.selector, stranger));
        new JobManager(IModelRegistry(stranger), IERC20(address(token)), defaultTerms());
        vm.expectRevert(abi.encodeWithSelector(IJobManager.NotAContract.selector, stranger));
        new JobManager(registry, IERC20(stranger), defaultTerms());
    }

    function test_constructor__claims_that_cost_nothing__refused() external {
        refuseTerms(JobTerms(0, 0, 1, 1));
        new JobManager(registry, IERC20(address(token)), JobTerms(1, 0, 1, 1));
        JobManager cheapest = new JobManager(registry, IERC20(address(token)), JobTerms(0, 1, 1, 1));
        vm.assertEq(cheapest.collateralFor(1), 1, "no fee is so small that a claim is free");
    }

    // --- words ----------------------------------------------------------------------------------

    /// @dev A job that the prover claimed and holds an acceptable proof for.
    function claimedJob() private returns (bytes32 jobId) {
        jobId = openAs(requester, jobSpec(modelId));
        claimAs(prover, jobId);
        verifier.accept(manager.contextOf(jobId), INPUT, OUTPUT, PROOF);
    }

    /// @dev Two jobs on one input of a circuit whose proofs carry no context.
    function bearerJobs() private returns (bytes32 first, bytes32 second) {
        BearerVerifier bearer = new BearerVerifier();
        bytes32 circuitId = router.add(specOf(address(bearer), keccak256("bearer")));
        uint256 bearerModel = registry.register(commitmentFor(circuitId, "bearer"));
        bearer.accept(registry.genesisInput(bearerModel), OUTPUT, PROOF);
        registry.activate(bearerModel, OUTPUT, PROOF);
        bearer.accept(INPUT, OUTPUT, PROOF);
        (first, second) = (openAs(requester, jobSpec(bearerModel)), openAs(requester, jobSpec(bearerModel)));
    }

    function idOf(address account, uint256 nonce, JobSpec memory spec) private view returns (bytes32) {
        return keccak256(
            abi.encode(
                keccak256("zkml.job.v1"), block.chainid, address(manager), account, nonce, keccak256(abi.encode(spec))
            )
        );
    }

    function assertStatus(bytes32 jobId, JobStatus expected) private view {
        vm.assertEq(uint256(manager.statusOf(jobId)), uint256(expected), "status");
    }

    function wrongStatus(bytes32 jobId, JobStatus status) private pure returns (bytes memory) {
        return abi.encodeWithSelector(IJobManager.WrongStatus.selector, jobId, status);
    }

    function deadlineError(uint64 deadline) private pure returns (bytes memory) {
        return abi.encodeWithSelector(
            IJobManager.DeadlineOutOfRange.selector, deadline, uint256(START) + 30, uint256(START) + 30 days
        );
    }

    function refuseOpen(JobSpec memory spec, bytes memory input, bytes memory error_) private {
        vm.expectRevert(error_);
        vm.prank(requester);
        manager.open(spec, input);
    }

    function rejectSettle(bytes32 jobId, bytes memory output, bytes memory proof) private {
        vm.expectPartialRevert(IVerifierRouter.ProofRejected.selector);
        vm.prank(prover);
        manager.settle(jobId, INPUT, output, proof);
        vm.assertEq(manager.credits(prover), 0, "credit");
        assertStatus(jobId, JobStatus.CLAIMED);
    }

    function expectPublication(bytes32 jobId) private {
        vm.expectEmit(address(manager));
        emit IJobManager.ProofPublished(jobId, INPUT, OUTPUT, PROOF);
    }

    function refuseCancel(bytes32 jobId, JobStatus status) private {
        vm.expectRevert(wrongStatus(jobId, status));
        vm.prank(requester);
        manager.cancel(jobId);
    }

    function refuseRefund(bytes32 jobId, JobStatus status) private {
        vm.expectRevert(wrongStatus(jobId, status));
        manager.refund(jobId);
    }

    function refuseTerms(JobTerms memory terms) private {
        vm.expectRevert(abi.encodeWithSelector(IJobManager.InvalidTerms.selector, terms));
        new JobManager(registry, IERC20(address(token)), terms);
    }
}
