// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DerivativeTerms, FeeTerms, IModelRegistry, ModelCommitment, ModelStatus} from "registry/src/IModelRegistry.sol";
import {ModelTest} from "tests/contracts/support/ModelTest.sol";
import {Registries} from "tests/contracts/support/Registries.sol";

/// @notice A REGISTERED model on doubles, and what several of its tests say.
abstract contract ModelTest is Registries {
    bytes32 internal constant ANOTHER = keccak256("another");

    bytes32 internal circuitId;
    bytes32 internal anotherCircuit;
    uint256 internal modelId;

    function setUp() external {
        deployRegistries();
        circuitId = addCircuit("digits", 1);
        anotherCircuit = addCircuit("another", 1);
        modelId = registerAs(publisher, commitmentFor(circuitId, "digits"));
    }

    function letters() internal view returns (ModelCommitment memory) {
        return commitmentFor(circuitId, "letters");
    }

    function refuse(ModelCommitment memory commitment, bytes memory error_) internal {
        refuse(commitment, defaultFees(), defaultDerivatives(), error_);
    }

    function refuse(
        ModelCommitment memory commitment,
        FeeTerms memory fees,
        DerivativeTerms memory derivatives,
        bytes memory error_
    ) internal {
        vm.expectRevert(error_);
        vm.prank(publisher);
        models.register(commitment, fees, derivatives, SALT);
    }

    function termsRefused(FeeTerms memory terms, FeeTerms memory floor) internal pure returns (bytes memory) {
        return abi.encodeWithSelector(IModelRegistry.TermsRefused.selector, terms, floor);
    }

    function expectWrongStatus(uint256 id, ModelStatus status) internal {
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.WrongModelStatus.selector, id, status));
    }
}
