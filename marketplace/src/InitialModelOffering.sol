// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IUniswapV2Factory} from "@uniswap/v2-core/contracts/interfaces/IUniswapV2Factory.sol";
import {ArtifactChallenge, WrongChunk} from "marketplace/src/ArtifactChallenge.sol";
import {IBusinessCalendar} from "marketplace/src/IBusinessCalendar.sol";
import {
    DefaultCause,
    IInitialModelOffering,
    Offering,
    OfferingOutcome,
    OfferingRules,
    OfferingStatus
} from "marketplace/src/IInitialModelOffering.sol";
import {IModelTokenFactory} from "marketplace/src/IModelToken.sol";
import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";
import {OfferingBook} from "marketplace/src/OfferingBook.sol";
import {OfferingSale} from "marketplace/src/OfferingSale.sol";
import {isPlainCall} from "verifier_contracts/src/PlainCall.sol";

/// @title Offerings of models: sold at a fixed price, released by a reveal, an unrefuted window and a fresh proof
/// @dev No owner, no setter, no pause. What reveals, refutes, releases and pays back; selling is in {OfferingSale}. Of
///      all endings only the release calls a verifier. Everything else that is called is a contract of the deployment,
///      or was made by this one.
contract InitialModelOffering is OfferingSale {
    using SafeERC20 for IERC20;

    uint256 private constant MAX_REASON_BYTES = 256;

    /// @param ledger_ the ledger; it must name this contract.
    /// @param calendar_ says when locks end.
    /// @param tokens_ makes share tokens.
    /// @param pools_ the factory of Uniswap v2.
    /// @param rules_ the numbers of this deployment.
    constructor(
        IRevenueLedger ledger_,
        IBusinessCalendar calendar_,
        IModelTokenFactory tokens_,
        IUniswapV2Factory pools_,
        OfferingRules memory rules_
    ) OfferingBook(ledger_, calendar_, rules_) OfferingSale(tokens_, pools_) {}

    /// @inheritdoc IInitialModelOffering
    function reveal(uint256 offeringId, bytes32 key) external {
        Offering storage offering = _in(offeringId, OfferingStatus.SOFT_LOCKED);
        bytes32 committed = REGISTRY.commitmentOf(offering.modelId).keyCommitment;
        if (ArtifactChallenge.keyCommitmentOf(key) != committed) revert WrongKey(offeringId);

        offering.key = key;
        offering.revealedAt = uint40(block.timestamp);
        // Fixed since the soft lock, but no buyer could wait for the block whose input suits it.
        offering.seed = keccak256(abi.encode(offering.seed, key));
        emit KeyRevealed(offeringId, key, uint40(releasableAt(offeringId)));
    }

    /// @inheritdoc IInitialModelOffering
    function challenge(uint256 offeringId, WrongChunk calldata chunk) external nonReentrant {
        Offering storage offering = _in(offeringId, OfferingStatus.REVEALED);
        ArtifactChallenge.refute(offering.artifact, offering.key, chunk);
        _default(offeringId, offering, DefaultCause.REFUTED, "");
    }

    /// @inheritdoc IInitialModelOffering
    function guardianDefault(uint256 offeringId, string calldata reason) external nonReentrant {
        Offering storage offering = _in(offeringId, OfferingStatus.REVEALED);
        if (msg.sender != offering.guardian) revert NotGuardian(offeringId, msg.sender, offering.guardian);
        uint256 lengthBytes = bytes(reason).length;
        if (lengthBytes == 0 || lengthBytes > MAX_REASON_BYTES) revert ReasonRefused(lengthBytes);
        _default(offeringId, offering, DefaultCause.GUARDIAN, reason);
    }

    /// @inheritdoc IInitialModelOffering
    function declareDefault(uint256 offeringId) external nonReentrant {
        OfferingStatus status = statusOf(offeringId);
        Offering storage offering = _offerings[offeringId];
        bool sold = offering.softLockedAt != 0 && offering.outcome == OfferingOutcome.NONE;
        // What is overdue was the creator's to do: a tombstone that comes after it excuses nothing.
        bool overdue = status == OfferingStatus.OVERDUE;
        bool tombstoned = sold && !overdue && ROUTER.isTombstoned(releaseCircuit(offeringId));
        if (!tombstoned && !overdue) revert WrongStatus(offeringId, status);
        _default(offeringId, offering, tombstoned ? DefaultCause.TOMBSTONED : DefaultCause.OVERDUE, "");
    }

    /// @inheritdoc IInitialModelOffering
    function finalize(uint256 offeringId, bytes calldata output, bytes calldata proof) external nonReentrant {
        Offering storage offering = _in(offeringId, OfferingStatus.RELEASABLE);
        bytes memory input = _verify(offeringId, offering, output, proof);
        uint256 raise = uint256(offering.publicShares) * offering.price;
        (uint256 money, uint256 shares) = _seedOf(offering.publicShares, offering.price, offering.seedPpm);

        offering.outcome = OfferingOutcome.TRADING;
        credits[offering.creator] += offering.bond;
        emit OfferingReleased(offeringId, msg.sender, keccak256(output), keccak256(proof), money, shares);
        if (!isPlainCall()) emit ProofPublished(bytes32(offeringId), input, output, proof);

        TOKEN.safeTransfer(address(offering.vault), raise);
        offering.shares.release(offering.vault.pool());
        offering.steward.openModel();
        offering.vault.start(raise, money, shares, offering.vestingSeconds, offering.lpLockSeconds);
    }

    /// @inheritdoc IInitialModelOffering
    function repay(uint256 offeringId, address holder) external nonReentrant returns (uint256 amount) {
        OfferingStatus status = statusOf(offeringId);
        bool failed = status == OfferingStatus.FAILED;
        if (!failed && status != OfferingStatus.DEFAULTED) revert WrongStatus(offeringId, status);
        uint64 count = reservationOf[offeringId][holder];
        if (count == 0) revert NothingToClaim(offeringId, holder);
        Offering storage offering = _offerings[offeringId];

        amount = uint256(count) * offering.price;
        if (!failed) amount += _takeBonus(offering, count);
        reservationOf[offeringId][holder] = 0;
        credits[holder] += amount;
        emit HolderRepaid(offeringId, holder, count, amount);
        if (failed) offering.shares.destroy(holder, count * SHARE);
    }

    /// @dev Of what is left, by what is left: the last holder takes the last unit.
    function _takeBonus(Offering storage offering, uint64 count) private returns (uint256 part) {
        uint64 unpaid = offering.unpaid;
        uint128 bonus = offering.bonus;
        part = uint256(bonus) * count / unpaid;
        // At most `bonus`, so it fits.
        offering.bonus = bonus - uint128(part);
        offering.unpaid = unpaid - count;
    }

    /// @dev The vault's income first, while it still has the shares. They keep no part in what comes later.
    function _default(uint256 offeringId, Offering storage offering, DefaultCause cause, string memory reason) private {
        offering.outcome = OfferingOutcome.DEFAULTED;
        offering.unpaid = offering.publicShares;
        uint256 bonus = offering.vault.forfeit();
        if (cause == DefaultCause.TOMBSTONED) credits[offering.creator] += offering.bond;
        else bonus += offering.bond;
        // Less than 2^128 of bond and 2^128 of income, of a token that has less.
        offering.bonus = uint128(bonus);
        emit OfferingDefaulted(offeringId, cause, msg.sender, bonus, reason);

        offering.shares.destroy(address(offering.vault), offering.creatorShares * SHARE);
        offering.shares.release(address(0));
    }

    /// @dev The proof is of an input that nobody knew before the soft lock, and where the system can bind it, for this
    ///      release.
    function _verify(uint256 offeringId, Offering storage offering, bytes calldata output, bytes calldata proof)
        private
        view
        returns (bytes memory input)
    {
        bytes32 circuitId = releaseCircuit(offeringId);
        bytes32 seed = offering.seed;
        input = ROUTER.expandInput(circuitId, seed);
        ROUTER.verify(circuitId, seed, input, output, proof);
    }
}
