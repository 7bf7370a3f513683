// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {SignedRequest} from "marketplace/src/IJobManager.sol";
import {TabTest} from "tests/contracts/support/TabTest.sol";
import {BearerVerifier} from "tests/contracts/support/VerifierDoubles.sol";

/// @notice Client and signer against their prover: the proof is in the client's hands before it is on chain.
contract ReviewTabsTest is TabTest {
    BearerVerifier private bearer;
    bytes32 private tabId;

    /// @dev A verifier without context, as EZKL's are: what the client was sent settles any request on that input.
    function setUp() public override {
        super.setUp();
        bearer = new BearerVerifier();
        bytes32 bearerCircuit = router.add(specOf(address(bearer), keccak256("bearer")));
        modelId = registerModel(commitmentFor(bearerCircuit, "bearer"));
        circuitId = bearerCircuit;
        bearer.accept(registry.genesisInput(modelId, circuitId), OUTPUT, PROOF);
        registry.activate(modelId, circuitId, OUTPUT, PROOF);
        bearer.accept(INPUT, OUTPUT, PROOF);
        tabId = openTab();
    }

    function test_I15_settleSigned__signer_outruns_its_prover_on_the_same_nonce__refused() external {
        SignedRequest memory honest = requestOn(tabId, 0);
        SignedRequest memory cheap = requestOn(tabId, 0);
        cheap.proverFee = 0;
        outrun(honest, cheap);
    }

    function test_I15_settleSigned__owner_of_the_model_empties_the_tab_into_its_own_fee__refused() external {
        SignedRequest memory honest = requestOn(tabId, 0);
        SignedRequest memory drain = requestOn(tabId, 1);
        drain.proverFee = 0;
        drain.modelFee = AMOUNT - FLAT_FEE;
        outrun(honest, drain);
    }

    function outrun(SignedRequest memory honest, SignedRequest memory other) private {
        bytes memory agreed = sign(SIGNER_KEY, digestOf(honest));
        bytes memory signature = sign(SIGNER_KEY, digestOf(other));
        address[3] memory senders = [requester, signer, publisher];
        for (uint256 i; i < senders.length; ++i) {
            vm.expectRevert(notClaimant(tabId, senders[i], prover));
            vm.prank(senders[i], senders[i]);
            manager.settleSigned(other, signature, INPUT, OUTPUT, PROOF);
        }
        settleSigned(honest, agreed);
        assertPaid(prover);
    }
}
