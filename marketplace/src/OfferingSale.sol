// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {IUniswapV2Factory} from "@uniswap/v2-core/contracts/interfaces/IUniswapV2Factory.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ArtifactChallenge} from "marketplace/src/ArtifactChallenge.sol";
import {CreatorVault} from "marketplace/src/CreatorVault.sol";
import {ICreatorVault} from "marketplace/src/ICreatorVault.sol";
import {
    IInitialModelOffering,
    Offering,
    OfferingOutcome,
    OfferingStatus,
    OfferingTerms
} from "marketplace/src/IInitialModelOffering.sol";
import {IModelSteward} from "marketplace/src/IModelSteward.sol";
import {IModelToken, IModelTokenFactory} from "marketplace/src/IModelToken.sol";
import {ModelSteward} from "marketplace/src/ModelSteward.sol";
import {OfferingBook} from "marketplace/src/OfferingBook.sol";
import {Part} from "marketplace/src/IRevenueLedger.sol";
import {ModelStatus} from "registry/src/IModelRegistry.sol";
import {CircuitSpec, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";

/// @title Opening an offering, and selling it
/// @dev Clones and token are made in {open}; all they call back is this contract, the ledger and the registry.
abstract contract OfferingSale is OfferingBook {
    uint256 private constant MAX_WINDOW_SECONDS = 90 days;
    uint256 private constant CREATOR_PERCENT = 49;
    /// @dev 10^12 whole shares are 2^100 units, which fit a pool.
    uint256 private constant MAX_SHARES = 1e12;
    uint256 private constant MAX_SECONDS = 3650 days;
    /// @dev What the domain of a permit can hold in a word.
    uint256 private constant MAX_NAME_BYTES = 31;
    uint256 private constant MAX_SYMBOL_BYTES = 16;
    /// @dev The pool opens at the price even if all of the payment token is donated to it; three would do at the opening,
    ///      and the rest is for a supply that grows.
    uint256 private constant DONATION_MARGIN = 20_000;
    uint256 private constant MIN_SEED_UNITS = 10_000;
    /// @dev Fewer bits of input, and a proof of the release might have been seen before.
    uint256 private constant MIN_INPUT_BITS = 64;
    /// @dev EIP-7825 caps a transaction at 16.7 million.
    uint256 private constant MAX_PROOF_GAS = 15_500_000;
    bytes32 private constant RELEASE_TAG = keccak256("zkml.release.v1");

    IModelTokenFactory private immutable TOKENS;
    IUniswapV2Factory private immutable POOLS;
    address private immutable VAULT_CODE;
    address private immutable STEWARD_CODE;

    /// @param tokens_ makes share tokens.
    /// @param pools_ the factory of Uniswap v2.
    constructor(IModelTokenFactory tokens_, IUniswapV2Factory pools_) {
        if (address(tokens_).code.length == 0) revert NotAContract(address(tokens_));
        if (address(pools_).code.length == 0) revert NotAContract(address(pools_));
        TOKENS = tokens_;
        POOLS = pools_;
        VAULT_CODE = address(new CreatorVault(LEDGER, pools_));
        STEWARD_CODE = address(new ModelSteward(LEDGER));
    }

    /// @inheritdoc IInitialModelOffering
    function shareTokens() external view returns (IModelTokenFactory) {
        return TOKENS;
    }

    /// @inheritdoc IInitialModelOffering
    function pools() external view returns (IUniswapV2Factory) {
        return POOLS;
    }

    /// @inheritdoc IInitialModelOffering
    function open(OfferingTerms calldata terms) external nonReentrant returns (uint256 offeringId) {
        uint256 publicShares = terms.totalShares - creatorSharesOf(terms.totalShares);
        _checkTerms(terms, publicShares);
        bool fixedWeights = _checkModel(terms.modelId);
        offeringId = ++offeringCount;
        lastOfferingOf[terms.modelId] = offeringId;
        Offering storage offering = _offerings[offeringId];
        _store(offering, terms, uint64(publicShares));
        offering.fixedWeights = fixedWeights;
        offering.holidayCount = uint32(CALENDAR.holidayCount());
        _make(offering, offeringId, terms);
        emit OfferingOpened(
            offeringId,
            terms.modelId,
            msg.sender,
            address(offering.shares),
            offering.fixedWeights,
            offering.closesAt,
            terms
        );

        REGISTRY.transferFrom(msg.sender, address(offering.steward), terms.modelId);
        offering.steward.fixFees(terms.fees);
        _take(msg.sender, terms.bond);
    }

    /// @inheritdoc IInitialModelOffering
    function reserve(uint256 offeringId, uint64 most, uint64 least) external nonReentrant returns (uint64 count) {
        Offering storage offering = _in(offeringId, OfferingStatus.OPEN);
        _checkAlive(offering.modelId);
        uint64 left = offering.publicShares - offering.reserved;
        count = most < left ? most : left;
        if (count == 0 || count < least) revert TooFewShares(offeringId, left, least);

        uint256 cost = uint256(count) * offering.price;
        offering.reserved += count;
        reservationOf[offeringId][msg.sender] += count;
        emit SharesReserved(offeringId, msg.sender, count, cost);
        offering.shares.mint(msg.sender, count * SHARE);
        _take(msg.sender, cost);
        if (count == left) _softLock(offeringId, offering);
    }

    /// @inheritdoc IInitialModelOffering
    function offerResale(uint256 offeringId, uint64 count) external {
        _checkPassable(offeringId);
        uint64 has = reservationOf[offeringId][msg.sender];
        if (count > has) revert TooFewShares(offeringId, has, count);
        resaleOf[offeringId][msg.sender] = count;
        emit ResaleOffered(offeringId, msg.sender, count);
    }

    /// @inheritdoc IInitialModelOffering
    function buyResale(uint256 offeringId, address holder, uint64 count) external nonReentrant {
        _checkPassable(offeringId);
        uint64 offered = resaleOf[offeringId][holder];
        if (count == 0 || count > offered) revert TooFewShares(offeringId, offered, count);
        Offering storage offering = _offerings[offeringId];

        uint256 cost = uint256(count) * offering.price;
        resaleOf[offeringId][holder] = offered - count;
        reservationOf[offeringId][holder] -= count;
        reservationOf[offeringId][msg.sender] += count;
        credits[holder] += cost;
        emit SharesPassedOn(offeringId, holder, msg.sender, count, cost);
        offering.shares.moveReserved(holder, msg.sender, count * SHARE);
        _take(msg.sender, cost);
    }

    /// @inheritdoc IInitialModelOffering
    function close(uint256 offeringId) external nonReentrant {
        OfferingStatus status = statusOf(offeringId);
        Offering storage offering = _offerings[offeringId];
        // What can be neither sold nor released any more need not wait for its window's end.
        bool dead = status == OfferingStatus.OPEN && ROUTER.isTombstoned(releaseCircuit(offeringId));
        bool failed = status == OfferingStatus.FAILED && offering.outcome == OfferingOutcome.NONE;
        if (!dead && !failed) revert WrongStatus(offeringId, status);

        offering.outcome = OfferingOutcome.FAILED;
        credits[offering.creator] += offering.bond;
        emit OfferingFailed(offeringId);
        offering.steward.giveBack(offering.creator);
    }

    /// @notice The creator's whole shares: floor(49 %).
    function creatorSharesOf(uint256 totalShares) public pure returns (uint256) {
        return totalShares * CREATOR_PERCENT / 100;
    }

    /// @dev Reverts if the model's first circuit, which must release it, is tombstoned.
    function _checkAlive(uint256 modelId) internal view returns (bytes32 circuitId) {
        circuitId = REGISTRY.circuitOf(modelId);
        if (ROUTER.isTombstoned(circuitId)) revert ModelRefused(modelId, "tombstoned");
    }

    /// @dev What of the raise and of the creator's shares goes into the pool: at the price, to less than a unit.
    function _seedOf(uint256 publicShares, uint256 price, uint256 seedPpm)
        internal
        pure
        returns (uint256 money, uint256 shares)
    {
        return (publicShares * price * seedPpm / PPM, publicShares * SHARE * seedPpm / PPM);
    }

    /// @dev All shares are made by now: the creator's here. What the model earns from now on is theirs.
    function _softLock(uint256 offeringId, Offering storage offering) private {
        offering.softLockedAt = uint40(block.timestamp);
        offering.unlockAt = uint40(CALENDAR.unlockAt(block.timestamp, offering.holidayCount));
        uint256 modelId = offering.modelId;
        // Not yet of any input: the reveal adds the key, which no buyer knows, so choosing the block chooses nothing.
        bytes32 seed = keccak256(
            abi.encode(
                RELEASE_TAG,
                block.chainid,
                address(this),
                offeringId,
                modelId,
                block.number,
                blockhash(block.number - 1),
                block.prevrandao
            )
        );
        offering.seed = seed;
        emit SoftLocked(offeringId, offering.unlockAt, seed);

        IModelToken shares = offering.shares;
        uint256 supply = (uint256(offering.publicShares) + offering.creatorShares) * SHARE;
        shares.mint(address(offering.vault), uint256(offering.creatorShares) * SHARE);
        LEDGER.startShares(modelId, address(shares), supply);
        shares.startEarning();
    }

    function _store(Offering storage offering, OfferingTerms calldata terms, uint64 publicShares) private {
        offering.modelId = terms.modelId;
        offering.creator = msg.sender;
        offering.publicShares = publicShares;
        offering.creatorShares = terms.totalShares - publicShares;
        offering.seedPpm = terms.seedPpm;
        offering.guardian = terms.guardian;
        offering.price = terms.price;
        offering.vestingSeconds = terms.vestingSeconds;
        offering.lpLockSeconds = terms.lpLockSeconds;
        offering.successorRatePpm = terms.successorRatePpm;
        offering.bond = terms.bond;
        offering.closesAt = uint40(block.timestamp + terms.windowSeconds);
        offering.maxModelFee = terms.maxModelFee;
        offering.artifact = terms.artifact;
    }

    /// @dev The pool is made here and not at the release, whose gas the proof needs. Somebody may have made it before.
    function _make(Offering storage offering, uint256 offeringId, OfferingTerms calldata terms) private {
        IModelToken shares = TOKENS.create(terms.name, terms.symbol, LEDGER, terms.modelId);
        bytes memory facts = abi.encode(msg.sender, terms.modelId, shares);
        ICreatorVault vault = ICreatorVault(Clones.cloneWithImmutableArgs(VAULT_CODE, facts));
        offering.shares = shares;
        offering.vault = vault;
        offering.steward = IModelSteward(Clones.cloneWithImmutableArgs(STEWARD_CODE, abi.encode(offeringId)));
        vault.prepare();
        if (POOLS.getPair(address(shares), address(TOKEN)) == address(0)) {
            // slither-disable-next-line unused-return
            POOLS.createPair(address(shares), address(TOKEN));
        }
    }

    function _checkModel(uint256 modelId) private view returns (bool fixedWeights) {
        if (REGISTRY.statusOf(modelId) != ModelStatus.PROVEN) revert ModelRefused(modelId, "not proven");
        // A model whose shares are out is a steward's, which opens nothing.
        if (REGISTRY.ownerOf(modelId) != msg.sender) revert ModelRefused(modelId, "not the owner");
        if (REGISTRY.commitmentOf(modelId).keyCommitment == 0) revert ModelRefused(modelId, "no key");
        if (!REGISTRY.derivativeTermsOf(modelId).derivativesAllowed) revert ModelRefused(modelId, "no derivatives");
        Part[] memory split = LEDGER.splitOf(modelId);
        // The last part is the holders'.
        if (split[split.length - 1].ppm < PPM / 2) revert ModelRefused(modelId, "split");
        CircuitSpec memory circuit = ROUTER.circuit(_checkAlive(modelId));
        if (_rules.acceptedClasses >> uint8(circuit.class_) & 1 == 0) revert ModelRefused(modelId, "class");
        // What the release adds is about 160 for each input and 0.7 million, and a donation to the pool a little.
        if (circuit.gasLimit + 160 * uint256(circuit.tensors.inputCount) > MAX_PROOF_GAS) {
            revert ModelRefused(modelId, "gas");
        }
        if (circuit.class_ != VerifierClass.LOCAL && _inputBits(circuit) < MIN_INPUT_BITS) {
            revert ModelRefused(modelId, "input bits");
        }
        return circuit.weightCommitment == 0;
    }

    /// @dev Whole bits of each element, together.
    function _inputBits(CircuitSpec memory circuit) private pure returns (uint256 bits) {
        // The domain spans at most 2^32 integers.
        uint256 span = uint256(int256(circuit.domain.max) - circuit.domain.min) + 1;
        for (; span > 1; span >>= 1) {
            bits += circuit.tensors.inputCount;
        }
    }

    function _checkTerms(OfferingTerms calldata terms, uint256 publicShares) private view {
        _within("totalShares", terms.totalShares, 100, MAX_SHARES);
        _within("price", terms.price, 1, type(uint80).max);
        _within("windowSeconds", terms.windowSeconds, 1, MAX_WINDOW_SECONDS);
        uint256 raise = publicShares * terms.price;
        uint256 leastBond = Math.max(_rules.minBond, Math.ceilDiv(raise * _rules.bondPpm, PPM));
        _within("bond", terms.bond, leastBond, type(uint128).max);
        _within("vestingSeconds", terms.vestingSeconds, _rules.minVestingSeconds, MAX_SECONDS);
        _within("lpLockSeconds", terms.lpLockSeconds, _rules.minLpLockSeconds, MAX_SECONDS);
        _within("minModelFee", terms.fees.minModelFee, 1, terms.maxModelFee);
        _within("minModelFeePpm", terms.fees.minModelFeePpm, 1, PPM / 2);
        _within("modelFee", terms.fees.modelFee, terms.fees.minModelFee, terms.maxModelFee);
        _within("successorRatePpm", terms.successorRatePpm, 1, PPM / 2);
        _within("name", bytes(terms.name).length, 1, MAX_NAME_BYTES);
        _within("symbol", bytes(terms.symbol).length, 1, MAX_SYMBOL_BYTES);
        if (terms.guardian == address(0) || terms.guardian == msg.sender) revert NotAContract(terms.guardian);
        ArtifactChallenge.check(terms.artifact);
        _checkSeed(terms, publicShares);
    }

    function _checkSeed(OfferingTerms calldata terms, uint256 publicShares) private view {
        // At most 96 %: as many shares as the creator has.
        uint256 mostPpm = (terms.totalShares - publicShares) * PPM / publicShares;
        _within("seedPpm", terms.seedPpm, _rules.minSeedPpm, mostPpm);
        (uint256 money, uint256 shares) = _seedOf(publicShares, terms.price, terms.seedPpm);
        _within("seedMoney", money, MIN_SEED_UNITS, type(uint112).max);
        uint256 leastShares = Math.mulDiv(TOKEN.totalSupply(), DONATION_MARGIN, money) + MIN_SEED_UNITS;
        _within("seedShares", shares, leastShares, type(uint112).max);
    }

    function _checkPassable(uint256 offeringId) private view {
        OfferingStatus status = statusOf(offeringId);
        // From the opening until the release is overdue.
        bool passable = status == OfferingStatus.OPEN || status >= OfferingStatus.SOFT_LOCKED
            && status <= OfferingStatus.RELEASABLE;
        if (!passable) revert WrongStatus(offeringId, status);
    }
}
