// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {AncestorShare, ILineageRegistry, Parent} from "registry/src/ILineageRegistry.sol";
import {DerivativeTerms, FeeTerms, IModelRegistry, ModelStatus} from "registry/src/IModelRegistry.sol";
import {Gathering, LineageFold} from "registry/src/LineageFold.sol";

/// @title Proof-of-Intelligence lineage: who is owed a part of a model's income
/// @dev No admin, no second write. A child is REGISTERED and its parents are PROVEN, so they declared, if ever, before it:
///      there is no cycle. Calls the registry only, and moves no money.
contract LineageRegistry is ILineageRegistry {
    using LineageFold for Gathering;

    uint256 private constant MAX_PARENTS = 4;
    uint256 private constant MAX_ANCESTORS = 16;
    uint256 private constant MAX_TOTAL_PPM = 500_000;

    /// @dev Written once. `shares` and `rates` are packed; only the used places of the ids are ever written.
    struct Lineage {
        uint32 totalPpm;
        uint8 parentCount;
        uint8 ancestorCount;
        uint32[MAX_PARENTS] rates;
        uint32[MAX_ANCESTORS] shares;
        uint256[MAX_PARENTS] parentIds;
        uint256[MAX_ANCESTORS] ancestorIds;
    }

    IModelRegistry private immutable REGISTRY;

    mapping(uint256 modelId => Lineage) private _lineages;

    /// @param registry_ the registry whose models these are.
    constructor(IModelRegistry registry_) {
        if (address(registry_).code.length == 0) revert NotARegistry(address(registry_));
        REGISTRY = registry_;
    }

    /// @inheritdoc ILineageRegistry
    function declare(uint256 childId, Parent[] calldata parents, uint32 maxTotalPpm) external {
        Lineage storage lineage = _lineages[childId];
        if (REGISTRY.statusOf(childId) != ModelStatus.REGISTERED) revert ChildNotRegistered(childId);
        address owner = REGISTRY.ownerOf(childId);
        if (msg.sender != owner) revert NotChildOwner(childId, msg.sender, owner);
        if (lineage.parentCount != 0) revert LineageExists(childId);
        Parent[] memory granted = _grant(childId, parents, maxTotalPpm);
        AncestorShare[] memory shares = _fold(granted);

        _store(lineage, granted, shares);
        emit LineageDeclared(childId, granted, shares);
    }

    /// @inheritdoc ILineageRegistry
    function parentsOf(uint256 modelId) external view returns (Parent[] memory parents) {
        Lineage storage lineage = _lineages[modelId];
        parents = new Parent[](lineage.parentCount);
        for (uint256 i; i < parents.length; ++i) {
            parents[i] = Parent({modelId: lineage.parentIds[i], ratePpm: lineage.rates[i]});
        }
    }

    /// @inheritdoc ILineageRegistry
    function sharesOf(uint256 modelId) external view returns (AncestorShare[] memory shares) {
        Lineage storage lineage = _lineages[modelId];
        shares = new AncestorShare[](lineage.ancestorCount);
        for (uint256 i; i < shares.length; ++i) {
            shares[i] = AncestorShare({modelId: lineage.ancestorIds[i], ppm: lineage.shares[i]});
        }
    }

    /// @inheritdoc ILineageRegistry
    function totalPpmOf(uint256 modelId) external view returns (uint32 ppm) {
        return _lineages[modelId].totalPpm;
    }

    /// @inheritdoc ILineageRegistry
    function shareOf(uint256 modelId, uint256 ancestorId) external view returns (uint32 ppm) {
        Lineage storage lineage = _lineages[modelId];
        uint256 count = lineage.ancestorCount;
        for (uint256 i; i < count; ++i) {
            if (lineage.ancestorIds[i] == ancestorId) return lineage.shares[i];
        }
    }

    /// @inheritdoc ILineageRegistry
    function isEffective(uint256 modelId) external view returns (bool) {
        ModelStatus status = REGISTRY.statusOf(modelId);
        return status == ModelStatus.PROVEN || status == ModelStatus.DEPRECATED;
    }

    /// @inheritdoc ILineageRegistry
    function registry() external view returns (IModelRegistry) {
        return REGISTRY;
    }

    function _store(Lineage storage lineage, Parent[] memory parents, AncestorShare[] memory shares) private {
        uint32 totalPpm;
        for (uint256 i; i < parents.length; ++i) {
            lineage.parentIds[i] = parents[i].modelId;
            lineage.rates[i] = parents[i].ratePpm;
        }
        for (uint256 i; i < shares.length; ++i) {
            lineage.ancestorIds[i] = shares[i].modelId;
            lineage.shares[i] = shares[i].ppm;
            totalPpm += shares[i].ppm;
        }
        lineage.totalPpm = totalPpm;
        lineage.parentCount = uint8(parents.length);
        lineage.ancestorCount = uint8(shares.length);
    }

    /// @dev The parents with the rates that their licences grant, if all of them allow it.
    function _grant(uint256 childId, Parent[] calldata parents, uint32 maxTotalPpm)
        private
        view
        returns (Parent[] memory granted)
    {
        uint256 count = parents.length;
        if (count == 0 || count > MAX_PARENTS) revert ParentCountOutOfRange(count, MAX_PARENTS);
        FeeTerms memory fees = REGISTRY.feeTermsOf(childId);
        granted = new Parent[](count);
        uint256 totalPpm;
        for (uint256 i; i < count; ++i) {
            uint256 parentId = parents[i].modelId;
            for (uint256 j; j < i; ++j) {
                if (granted[j].modelId == parentId) revert ParentRepeated(parentId);
            }
            uint32 ratePpm = _licensedRate(fees, parentId, parents[i].ratePpm);
            granted[i] = Parent({modelId: parentId, ratePpm: ratePpm});
            totalPpm += ratePpm;
        }
        uint256 maximumPpm = maxTotalPpm < MAX_TOTAL_PPM ? maxTotalPpm : MAX_TOTAL_PPM;
        if (totalPpm > maximumPpm) revert TotalTooHigh(totalPpm, maximumPpm);
    }

    /// @dev What the parent's licence makes of an offer, in the terms that hold now.
    function _licensedRate(FeeTerms memory fees, uint256 parentId, uint32 offeredPpm)
        private
        view
        returns (uint32 ratePpm)
    {
        if (REGISTRY.statusOf(parentId) != ModelStatus.PROVEN) revert ParentNotProven(parentId);
        DerivativeTerms memory terms = REGISTRY.derivativeTermsOf(parentId);
        if (!terms.derivativesAllowed) revert DerivativesRefused(parentId);
        // The child's minimums never fall, so what holds now holds for ever.
        if (fees.minModelFee < terms.minModelFee || fees.minModelFeePpm < terms.minModelFeePpm) {
            revert MinimumFeeTooLow(parentId, terms);
        }
        ratePpm = offeredPpm > terms.minRatePpm ? offeredPpm : terms.minRatePpm;
        if (ratePpm == 0) revert RateMissing(parentId);
    }

    /// @dev Bounded: at most {MAX_PARENTS} * (1 + {MAX_ANCESTORS}) terms.
    function _fold(Parent[] memory parents) private view returns (AncestorShare[] memory shares) {
        Gathering memory gathering = LineageFold.create(parents.length * (1 + MAX_ANCESTORS));
        for (uint256 i; i < parents.length; ++i) {
            Lineage storage lineage = _lineages[parents[i].modelId];
            uint256 ratePpm = parents[i].ratePpm;
            gathering.add(parents[i].modelId, ratePpm, LineageFold.PPM - lineage.totalPpm);
            uint256 count = lineage.ancestorCount;
            for (uint256 k; k < count; ++k) {
                gathering.add(lineage.ancestorIds[k], ratePpm, lineage.shares[k]);
            }
        }
        if (gathering.length > MAX_ANCESTORS) revert TooManyAncestors(gathering.length, MAX_ANCESTORS);
        shares = new AncestorShare[](gathering.length);
        for (uint256 i; i < shares.length; ++i) {
            shares[i] = AncestorShare({modelId: gathering.ids[i], ppm: uint32(gathering.ppm[i])});
        }
    }
}
