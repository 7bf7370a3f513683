// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC721Errors} from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import {ERC6551Account} from "erc6551/examples/simple/ERC6551Account.sol";
import {IERC6551Registry} from "erc6551/interfaces/IERC6551Registry.sol";
import {ERC7992Commitment, IERC7992Registry} from "registry/src/IERC7992.sol";
import {
    DerivativeTerms,
    FeeTerms,
    IModelRegistry,
    ITransferObserver,
    ModelCommitment,
    ModelStatus
} from "registry/src/IModelRegistry.sol";
import {ModelRegistry} from "registry/src/ModelRegistry.sol";
import {ModelTest} from "tests/contracts/support/ModelTest.sol";
import {ObserverDouble} from "tests/contracts/support/Registries.sol";
import {IVerifierRouter} from "verifier_contracts/src/IVerifierRouter.sol";

/// @notice What a model's owner may, and the token.
contract ModelRegistryTest is ModelTest {
    // --- what owners may ------------------------------------------------------------------------

    function test_owner_calls__of_anybody_else__refused() external {
        bytes memory refusal =
            abi.encodeWithSelector(IModelRegistry.NotModelOwner.selector, modelId, stranger, publisher);
        vm.startPrank(stranger);
        vm.expectRevert(refusal);
        models.setFeeTerms(modelId, defaultFees());
        vm.expectRevert(refusal);
        models.setDerivativeTerms(modelId, defaultDerivatives());
        vm.expectRevert(refusal);
        models.setAccess(modelId, stranger, true);
        vm.expectRevert(refusal);
        models.openModel(modelId);
        vm.expectRevert(refusal);
        models.retire(modelId);
        vm.expectRevert(refusal);
        models.deprecateModel(modelId);
        vm.stopPrank();
    }

    function testFuzz_I12_setFeeTerms__minimums__never_fall(
        FeeTerms calldata before,
        FeeTerms calldata asked,
        uint8 shape
    ) external {
        FeeTerms memory first = sane(before, 0);
        uint256 id = registerAs(publisher, commitmentFor(circuitId, "fees"), first, defaultDerivatives());
        FeeTerms memory second = sane(asked, shape);
        bool allowed = second.minModelFeePpm <= HALF_PPM && second.modelFee >= second.minModelFee
            && second.minModelFee >= first.minModelFee && second.minModelFeePpm >= first.minModelFeePpm;
        if (!allowed) vm.expectRevert();
        vm.prank(publisher);
        models.setFeeTerms(id, second);
        FeeTerms memory found = models.feeTermsOf(id);
        vm.assertEq(abi.encode(found), abi.encode(allowed ? second : first), "terms");
        vm.assertGe(found.minModelFee, first.minModelFee, "minimum fee");
        vm.assertGe(found.minModelFeePpm, first.minModelFeePpm, "minimum part");
    }

    function test_I12_setFeeTerms__below_a_minimum__refused_with_the_floor() external {
        FeeTerms memory floor = FeeTerms({modelFee: 9, minModelFee: 5, minModelFeePpm: 7});
        vm.prank(publisher);
        models.setFeeTerms(modelId, floor);
        FeeTerms[3] memory asked = [
            FeeTerms({modelFee: 4, minModelFee: 5, minModelFeePpm: 7}),
            FeeTerms({modelFee: 9, minModelFee: 4, minModelFeePpm: 7}),
            FeeTerms({modelFee: 9, minModelFee: 5, minModelFeePpm: 6})
        ];
        for (uint256 i; i < 3; ++i) {
            vm.expectRevert(termsRefused(asked[i], floor));
            vm.prank(publisher);
            models.setFeeTerms(modelId, asked[i]);
        }
        vm.expectEmit(address(models));
        emit IModelRegistry.FeeTermsSet(modelId, 5, 5, 7);
        vm.prank(publisher);
        models.setFeeTerms(modelId, FeeTerms({modelFee: 5, minModelFee: 5, minModelFeePpm: 7}));
    }

    function test_setDerivativeTerms__may_fall__event_and_view() external {
        DerivativeTerms memory terms =
            DerivativeTerms({derivativesAllowed: true, minRatePpm: 9, minModelFee: 8, minModelFeePpm: 7});
        for (uint256 i; i < 2; ++i) {
            vm.expectEmit(address(models));
            emit IModelRegistry.DerivativeTermsSet(modelId, terms);
            vm.prank(publisher);
            models.setDerivativeTerms(modelId, terms);
            vm.assertEq(abi.encode(models.derivativeTermsOf(modelId)), abi.encode(terms), "terms");
            terms = DerivativeTerms({derivativesAllowed: false, minRatePpm: 0, minModelFee: 0, minModelFeePpm: 0});
        }
        terms.minRatePpm = HALF_PPM + 1;
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.RateOutOfRange.selector, HALF_PPM + 1, HALF_PPM));
        vm.prank(publisher);
        models.setDerivativeTerms(modelId, terms);
    }

    function test_closed_model__grant_take_back_and_open__decide_who_may_prove() external {
        ModelCommitment memory commitment = letters();
        commitment.keyCommitment = keccak256("key");
        uint256 id = registerAs(publisher, commitment);
        vm.assertTrue(models.isClosed(id), "closed");
        vm.assertFalse(models.mayProve(id, prover), "nobody yet");
        vm.assertFalse(models.mayProve(id, publisher), "not even its owner, without a grant");
        vm.startPrank(publisher);
        vm.expectEmit(address(models));
        emit IModelRegistry.AccessSet(id, prover, true);
        models.setAccess(id, prover, true);
        vm.assertTrue(models.mayProve(id, prover), "granted");
        vm.assertFalse(models.mayProve(id, stranger), "to one");
        models.setAccess(id, prover, false);
        vm.assertFalse(models.mayProve(id, prover), "taken back");
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelOpened(id);
        models.openModel(id);
        vm.assertTrue(models.mayProve(id, stranger), "open to all");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotClosed.selector, id));
        models.openModel(id);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotClosed.selector, id));
        models.setAccess(id, prover, true);
        vm.stopPrank();
    }

    function test_I3_retire__proven_once__for_ever_and_its_circuit_stays_taken() external {
        vm.startPrank(publisher);
        expectWrongStatus(modelId, ModelStatus.REGISTERED);
        models.retire(modelId);
        vm.stopPrank();
        proveModel(modelId);
        vm.startPrank(publisher);
        vm.expectEmit(address(models));
        emit IModelRegistry.ModelRetired(modelId);
        models.deprecateModel(modelId);
        vm.assertTrue(models.statusOf(modelId) == ModelStatus.DEPRECATED, "status");
        vm.assertEq(models.provenModelOf(circuitId), modelId, "its circuit is nobody else's");
        expectWrongStatus(modelId, ModelStatus.DEPRECATED);
        models.retire(modelId);
        expectWrongStatus(modelId, ModelStatus.DEPRECATED);
        models.activate(modelId, circuitId, OUTPUT, PROOF);
        vm.stopPrank();
    }

    function test_I12_commitment__after_every_owner_act__unchanged() external {
        bytes memory before = abi.encode(models.commitmentOf(modelId));
        proveModel(modelId);
        vm.startPrank(publisher);
        models.setFeeTerms(modelId, FeeTerms({modelFee: 9, minModelFee: 9, minModelFeePpm: 9}));
        models.setDerivativeTerms(modelId, defaultDerivatives());
        models.retire(modelId);
        models.transferFrom(publisher, stranger, modelId);
        vm.stopPrank();
        vm.assertEq(abi.encode(models.commitmentOf(modelId)), before, "commitment");
        vm.assertEq(models.publisherOf(modelId), publisher, "publisher");
    }

    // --- the token ------------------------------------------------------------------------------

    function test_transfer__observer__hears_of_it_before_and_not_of_the_mint() external {
        vm.assertEq(observer.calls(), 0, "minted unheard");
        vm.prank(publisher);
        models.transferFrom(publisher, stranger, modelId);
        vm.assertEq(observer.calls(), 1, "heard once");
        vm.assertEq(observer.lastModel(), modelId, "of this model");
        vm.assertEq(observer.lastFrom(), publisher, "whose seller");
        vm.assertEq(observer.ownerThen(), publisher, "still owned it");
        vm.assertEq(models.ownerOf(modelId), stranger, "and then no more");
    }

    function test_transfer__of_anybody_else__refused() external {
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InsufficientApproval.selector, stranger, modelId));
        vm.prank(stranger);
        models.transferFrom(publisher, stranger, modelId);
        vm.assertEq(observer.calls(), 0, "and unheard");
    }

    function test_transfer__observer_refuses_or_is_missing__nothing_moves() external {
        observer.refuse();
        vm.expectRevert(ObserverDouble.Refused.selector);
        vm.prank(publisher);
        models.transferFrom(publisher, stranger, modelId);
        vm.etch(address(observer), "");
        vm.expectRevert();
        vm.prank(publisher);
        models.transferFrom(publisher, stranger, modelId);
        vm.assertEq(models.ownerOf(modelId), publisher, "owner");
    }

    function test_transfer__to_its_own_account__refused() external {
        address account = models.accountOf(modelId);
        vm.expectRevert(abi.encodeWithSelector(IERC721Errors.ERC721InvalidReceiver.selector, account));
        vm.prank(publisher);
        models.transferFrom(publisher, account, modelId);
    }

    function test_createAccount__by_anybody_twice__the_account_of_the_owner() external {
        address expected = models.accountOf(modelId);
        vm.assertEq(expected.code.length, 0, "not yet");
        for (uint256 i; i < 2; ++i) {
            vm.prank(stranger);
            vm.assertEq(models.createAccount(modelId), expected, "account");
        }
        vm.assertEq(
            accounts.account(address(accountCode), 0, block.chainid, address(models), modelId), expected, "ERC-6551"
        );
        ERC6551Account account = ERC6551Account(payable(expected));
        (uint256 chainId, address contract_, uint256 tokenId) = account.token();
        vm.assertTrue(
            chainId == block.chainid && contract_ == address(models) && tokenId == modelId, "bound to the token"
        );
        vm.assertEq(account.owner(), publisher, "follows the owner");
        vm.prank(publisher);
        models.transferFrom(publisher, stranger, modelId);
        vm.assertEq(account.owner(), stranger, "to whoever buys");
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, 7));
        models.createAccount(7);
    }

    function testFuzz_royaltyInfo__five_percent__to_the_publisher(uint256 price) external {
        vm.prank(publisher);
        models.transferFrom(publisher, stranger, modelId);
        (address receiver, uint256 amount) = models.royaltyInfo(modelId, price);
        vm.assertEq(receiver, publisher, "receiver");
        vm.assertEq(amount, price / 20, "amount");
    }

    function test_supportsInterface__standards__by_their_ids() external view {
        bytes4[4] memory ids = [bytes4(0x01ffc9a7), 0x80ac58cd, 0x2a55205a, 0xd28519b1];
        for (uint256 i; i < ids.length; ++i) {
            vm.assertTrue(models.supportsInterface(ids[i]), "ERC-165, ERC-721, ERC-2981, ERC-7992");
        }
        vm.assertTrue(type(IERC7992Registry).interfaceId == 0xd28519b1, "ERC-7992's registry");
        vm.assertFalse(models.supportsInterface(0xffffffff), "nothing else");
    }

    function test_erc7992__getModel__in_the_words_of_the_standard() external {
        (ERC7992Commitment memory found, bool deprecated, address owner) = models.getModel(modelId);
        vm.assertEq(found.modelHash, keccak256("onnx"), "model");
        vm.assertEq(found.circuitHash, keccak256(abi.encodePacked(circuitId)), "circuits");
        vm.assertEq(found.vkHash, keccak256("digits"), "key");
        vm.assertTrue(found.proofSystemId == 0x29e846df, "proof system");
        vm.assertEq(found.uri, models.tokenURI(modelId), "uri");
        vm.assertFalse(deprecated, "not deprecated");
        vm.assertEq(owner, publisher, "owner");
        proveModel(modelId);
        vm.prank(publisher);
        models.deprecateModel(modelId);
        (, deprecated,) = models.getModel(modelId);
        vm.assertTrue(deprecated, "deprecated");
        vm.expectRevert(IModelRegistry.NotSupported.selector);
        models.registerModel(found);
        vm.expectRevert(IModelRegistry.NotSupported.selector);
        models.updateModel(modelId, found);
    }

    function test_views__unknown_model__refused() external {
        bytes[12] memory calls = [
            abi.encodeCall(models.commitmentOf, (7)),
            abi.encodeCall(models.circuitOf, (7)),
            abi.encodeCall(models.genesisSeed, (7)),
            abi.encodeCall(models.genesisInput, (7, circuitId)),
            abi.encodeCall(models.missingGenesis, (7)),
            abi.encodeCall(models.tokenURI, (7)),
            abi.encodeCall(models.publisherOf, (7)),
            abi.encodeCall(models.feeTermsOf, (7)),
            abi.encodeCall(models.derivativeTermsOf, (7)),
            abi.encodeCall(models.isClosed, (7)),
            abi.encodeCall(models.mayProve, (7, prover)),
            abi.encodeCall(models.royaltyInfo, (7, 1))
        ];
        for (uint256 i; i < calls.length; ++i) {
            (bool success, bytes memory data) = address(models).staticcall(calls[i]);
            vm.assertFalse(success, "answered");
            vm.assertEq(data, abi.encodeWithSelector(IModelRegistry.UnknownModel.selector, 7), "refusal");
        }
        vm.assertTrue(models.statusOf(7) == ModelStatus.NONE, "status");
        vm.assertEq(models.batchOf(7, circuitId), 0, "batch");
        vm.expectRevert(abi.encodeWithSelector(IVerifierRouter.UnknownCircuit.selector, ANOTHER));
        models.provenModelOf(ANOTHER);
    }

    function test_constructor__no_code_or_ages__refused() external {
        IERC6551Registry accounts_ = IERC6551Registry(address(accounts));
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotAContract.selector, stranger));
        new ModelRegistry(IVerifierRouter(stranger), observer, accounts_, address(accountCode), 1, 2);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotAContract.selector, stranger));
        new ModelRegistry(router, observer, IERC6551Registry(stranger), address(accountCode), 1, 2);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.NotAContract.selector, stranger));
        new ModelRegistry(router, observer, accounts_, stranger, 1, 2);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CommitmentAgesRefused.selector, 0, 2));
        new ModelRegistry(router, observer, accounts_, address(accountCode), 0, 2);
        vm.expectRevert(abi.encodeWithSelector(IModelRegistry.CommitmentAgesRefused.selector, 3, 2));
        new ModelRegistry(router, observer, accounts_, address(accountCode), 3, 2);
        // The observer is deployed after the registry.
        new ModelRegistry(router, ITransferObserver(stranger), accounts_, address(accountCode), 1, 1);
    }

    // --- words ----------------------------------------------------------------------------------

    /// @param shape 0: within the rules. Else anything that the type can hold.
    function sane(FeeTerms calldata terms, uint8 shape) private pure returns (FeeTerms memory found) {
        found = terms;
        if (shape % 4 == 3) return found;
        found.minModelFeePpm = uint32(within(found.minModelFeePpm, 0, HALF_PPM));
        if (found.modelFee < found.minModelFee) {
            (found.modelFee, found.minModelFee) = (found.minModelFee, found.modelFee);
        }
    }
}
