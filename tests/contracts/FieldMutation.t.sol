// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {JobSpec, SignedRequest} from "marketplace/src/IJobManager.sol";
import {JobManager} from "marketplace/src/JobManager.sol";
import {TabTest} from "tests/contracts/support/TabTest.sol";
import {TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";

/// @notice Change one bound field of a job, a batch or a signed request, and what settled before reverts.
contract FieldMutationTest is TabTest {
    /// @dev A settlement as somebody would send it.
    struct Attempt {
        address caller;
        address target;
        uint256 chain;
        bytes data;
    }

    TripleVerifier private batch = new TripleVerifier();
    bytes32 private batchId;
    bytes32 private twinId;
    JobManager private otherManager;

    function setUp() public override {
        super.setUp();
        JobManager first = manager;
        deployOn(address(token), defaultTerms());
        otherManager = manager;
        // The market that is attacked is the second one; the first is another contract with the same code.
        (otherManager, manager) = (first, otherManager);
        verifier = new TripleVerifier();
        bytes32[] memory circuitIds = new bytes32[](3);
        circuitIds[0] = router.add(specOf(address(verifier), "single"));
        circuitIds[1] = router.add(specOf(address(verifier), "another way to prove the same"));
        circuitIds[2] = router.add(specOf(address(batch), "batch", 2));
        modelId = registerModel(commitmentFor(circuitIds, "digits"));
        prove(modelId);
        (circuitId, twinId, batchId) = (circuitIds[0], circuitIds[1], circuitIds[2]);
        approveLedger(requester);
        equip(prover, STAKE);
        equip(rival, STAKE);
    }

    function test_I4_settle__any_bound_field_changed__reverts() external {
        bytes32 jobId = claimedJob();
        string[9] memory names = ["chain", "contract", "job", "model", "circuit", "input", "output", "proof", "payee"];
        bytes32[3] memory others = [claim(jobSpec(modelId)), claim(ofAnotherModel()), claim(onTheTwin())];
        for (uint256 field; field < names.length; ++field) {
            Attempt memory attempt = Attempt(prover, address(manager), block.chainid, "");
            bytes32 subject = jobId;
            (bytes memory input, bytes memory output, bytes memory proof) = (INPUT, OUTPUT, PROOF);
            if (field == 0) attempt.chain = 1337;
            if (field == 1) attempt.target = address(otherManager);
            if (field == 2 || field == 3 || field == 4) subject = others[field - 2];
            if (field == 5) input = flipped(INPUT, 1);
            if (field == 6) output = flipped(OUTPUT, 1);
            if (field == 7) proof = flipped(PROOF, 1);
            if (field == 8) attempt.caller = rival;
            attempt.data = abi.encodeCall(manager.settle, (subject, input, output, proof));
            refuse(attempt, names[field]);
        }
        assertNothingEarned();
        settleAs(prover, jobId);
        assertPaid(prover);
    }

    function test_I4_context__any_of_its_fields_changed__is_another_proof() external {
        bytes32 jobId = claimedJob();
        bytes32 right = manager.contextOf(jobId, prover);
        bytes32 tag = keccak256("zkml.context.v1");
        bytes32[5] memory wrong = [
            keccak256(abi.encode(keccak256("zkml.context.v2"), block.chainid, address(manager), jobId, prover)),
            keccak256(abi.encode(tag, uint256(1), address(manager), jobId, prover)),
            keccak256(abi.encode(tag, block.chainid, address(otherManager), jobId, prover)),
            keccak256(abi.encode(tag, block.chainid, address(manager), keccak256("job"), prover)),
            keccak256(abi.encode(tag, block.chainid, address(manager), jobId, rival))
        ];
        string[5] memory names = ["tag", "chain", "contract", "job", "payee"];
        verifier.accept(right, "", "", "");
        for (uint256 field; field < names.length; ++field) {
            verifier.accept(wrong[field], INPUT, OUTPUT, PROOF);
            refuse(
                Attempt(
                    prover,
                    address(manager),
                    block.chainid,
                    abi.encodeCall(manager.settle, (jobId, INPUT, OUTPUT, PROOF))
                ),
                names[field]
            );
        }
        acceptFor(verifier, jobId, prover);
        settleAs(prover, jobId);
    }

    function test_I4_jobId__any_field_changed__is_another_id() external {
        bytes32 base = openJob();
        vm.assertEq(base, idOf(jobSpec(modelId), requester, 0), "the formula");
        string[14] memory names = [
            "model",
            "circuit",
            "input commitment",
            "input URI",
            "min prover fee",
            "max prover fee",
            "max total",
            "ramp",
            "claim period",
            "deadline",
            "provers",
            "requester",
            "nonce",
            "chain"
        ];
        for (uint256 field; field < names.length; ++field) {
            JobSpec memory spec = jobSpec(modelId);
            if (field == 0) spec.modelId++;
            if (field == 1) spec.circuitId = twinId;
            if (field == 2) spec.inputCommitment = 0;
            if (field == 3) spec.inputUri = "x";
            if (field == 4) spec.minProverFee++;
            if (field == 5) spec.maxProverFee++;
            if (field == 6) spec.maxTotal++;
            if (field == 7) spec.rampSeconds++;
            if (field == 8) spec.claimSeconds++;
            if (field == 9) spec.deadline++;
            if (field == 10) spec.provers = new address[](1);
            if (field == 13) vm.chainId(1337);
            bytes32 id = idOf(spec, field == 11 ? stranger : requester, field == 12 ? 1 : 0);
            vm.assertTrue(id != base, names[field]);
        }
    }

    function test_I4_settleBatch__any_bound_field_changed__reverts() external {
        bytes32[] memory jobIds = new bytes32[](2);
        (jobIds[0], jobIds[1]) = (claim(jobSpec(modelId)), claim(jobSpec(modelId)));
        bytes32 third = claim(jobSpec(modelId));
        bytes32 foreign = claim(ofAnotherModel());
        (bytes memory input, bytes memory output) = (bytes.concat(INPUT, INPUT), bytes.concat(OUTPUT, OUTPUT));
        bytes32 context =
            keccak256(bytes.concat(manager.contextOf(jobIds[0], prover), manager.contextOf(jobIds[1], prover)));
        batch.accept(context, input, output, PROOF);
        string[12] memory names = [
            "chain",
            "contract",
            "first job",
            "second job",
            "order",
            "number of jobs",
            "model",
            "circuit",
            "input",
            "output",
            "proof",
            "payee"
        ];
        for (uint256 field; field < names.length; ++field) {
            Attempt memory attempt = Attempt(prover, address(manager), block.chainid, "");
            bytes32[] memory subjects = new bytes32[](field == 5 ? 1 : 2);
            for (uint256 i; i < subjects.length; ++i) {
                subjects[i] = jobIds[field == 4 ? 1 - i : i];
            }
            if (field == 0) attempt.chain = 1337;
            if (field == 1) attempt.target = address(otherManager);
            if (field == 2) subjects[0] = third;
            if (field == 3) subjects[1] = third;
            if (field == 6) subjects[1] = foreign;
            if (field == 11) attempt.caller = rival;
            attempt.data = abi.encodeCall(
                manager.settleBatch,
                (
                    subjects,
                    field == 7 ? circuitId : batchId,
                    field == 8 ? flipped(input, 6) : input,
                    field == 9 ? flipped(output, 11) : output,
                    field == 10 ? flipped(PROOF, 0) : PROOF
                )
            );
            refuse(attempt, names[field]);
        }
        assertNothingEarned();
        vm.prank(prover, prover);
        manager.settleBatch(jobIds, batchId, input, output, PROOF);
        vm.assertEq(ledger.credits(prover), 2 * PROVER_FEE, "the unchanged one settles");
    }

    function test_I4_settleSigned__any_bound_field_changed__reverts_with_the_old_signature() external {
        mutateRequest(false);
    }

    /// @dev The proof is bound to the request as well: a new signature does not turn an old proof into a new answer.
    function test_I4_settleSigned__any_bound_field_changed__reverts_even_signed_anew() external {
        mutateRequest(true);
    }

    function mutateRequest(bool signedAnew) private {
        bytes32 tabId = openTab();
        vm.prank(requester);
        bytes32 secondTab = manager.openTab(tabSpec());
        SignedRequest memory original = requestOn(tabId, 1);
        acceptRequest(original, prover);
        bytes memory signature = sign(SIGNER_KEY, digestOf(original));
        string[13] memory names = [
            "tab",
            "circuit",
            "input commitment",
            "model fee",
            "prover fee",
            "expiry",
            "nonce",
            "chain",
            "contract",
            "input",
            "output",
            "proof",
            "signature"
        ];
        for (uint256 field; field < names.length; ++field) {
            Attempt memory attempt = Attempt(prover, address(manager), block.chainid, "");
            SignedRequest memory request = requestOn(tabId, 1);
            bytes memory input = field == 9 || field == 2 ? flipped(INPUT, 1) : INPUT;
            if (field == 0) request.tabId = secondTab;
            if (field == 1) request.circuitId = twinId;
            if (field == 2) request.inputCommitment = keccak256(input);
            if (field == 3) request.modelFee += 1;
            if (field == 4) request.proverFee -= 1;
            if (field == 5) request.expiry += 1;
            if (field == 6) request.nonce += 1;
            if (field == 7) attempt.chain = 1337;
            if (field == 8) attempt.target = address(otherManager);
            bool isOfRequest = field < 7;
            bytes memory shown = signedAnew && isOfRequest ? sign(SIGNER_KEY, digestOf(request)) : signature;
            if (field == 12) shown = flipped(signature, 5);
            attempt.data = abi.encodeCall(
                manager.settleSigned,
                (
                    request,
                    shown,
                    input,
                    field == 10 ? flipped(OUTPUT, 3) : OUTPUT,
                    field == 11 ? flipped(PROOF, 2) : PROOF
                )
            );
            refuse(attempt, names[field]);
        }
        assertNothingEarned();
        settleSigned(original, signature);
        assertPaid(prover);
    }

    // --- words ----------------------------------------------------------------------------------

    function refuse(Attempt memory attempt, string memory field) private {
        uint256 chain = block.chainid;
        vm.chainId(attempt.chain);
        vm.prank(attempt.caller, attempt.caller);
        (bool success,) = attempt.target.call(attempt.data);
        vm.chainId(chain);
        vm.assertFalse(success, field);
    }

    function claim(JobSpec memory spec) private returns (bytes32 jobId) {
        jobId = openAs(requester, spec);
        claimAs(prover, jobId);
    }

    function ofAnotherModel() private returns (JobSpec memory) {
        uint256 other = provenModel(verifier, "letters");
        return jobSpec(other);
    }

    function onTheTwin() private view returns (JobSpec memory spec) {
        spec = jobSpec(modelId);
        spec.circuitId = twinId;
    }

    function idOf(JobSpec memory spec, address account, uint256 nonce) private view returns (bytes32) {
        bytes32 tag = keccak256("zkml.job.v2");
        return keccak256(abi.encode(tag, block.chainid, address(manager), account, nonce, keccak256(abi.encode(spec))));
    }
}
