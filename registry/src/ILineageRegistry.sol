// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {DerivativeTerms, IModelRegistry} from "registry/src/IModelRegistry.sol";

/// @notice A direct parent.
/// @param modelId a PROVEN model.
/// @param ratePpm its part of the child's income, in millionths: as offered when lineage is declared, as granted (the
///        greater of the offer and the parent's minimum) afterwards.
struct Parent {
    uint256 modelId;
    uint32 ratePpm;
}

/// @notice One ancestor's part of a model's income after the platform's, all paths folded, in millionths.
struct AncestorShare {
    uint256 modelId;
    uint32 ppm;
}

/// @title Proof-of-Intelligence lineage: who is owed a part of a model's income
/// @notice Written once, before the model is PROVEN, and effective only from then on. An edge is DECLARED by the child's
///         owner: that the weights really derive from the parent's is not proved, and nobody is told that it is.
interface ILineageRegistry {
    /// @notice Lineage was declared; effective once the child is PROVEN.
    event LineageDeclared(uint256 indexed childId, Parent[] parents, AncestorShare[] shares);

    /// @notice The registry's address has no code.
    error NotARegistry(address registry);
    /// @notice Only the child's owner may declare.
    error NotChildOwner(uint256 childId, address caller, address owner);
    /// @notice The child must be REGISTERED and not PROVEN yet.
    error ChildNotRegistered(uint256 childId);
    /// @notice The child's lineage was written before.
    error LineageExists(uint256 childId);
    /// @notice None or more than {MAX_PARENTS} parents.
    error ParentCountOutOfRange(uint256 count, uint256 maximum);
    /// @notice The parent is not PROVEN.
    error ParentNotProven(uint256 parentId);
    /// @notice The parent is named twice.
    error ParentRepeated(uint256 parentId);
    /// @notice The parent allows no derivatives.
    error DerivativesRefused(uint256 parentId);
    /// @notice A rate is zero.
    error RateMissing(uint256 parentId);
    /// @notice The granted rates add up to more than the child's owner agreed to or than {MAX_TOTAL_PPM}.
    error TotalTooHigh(uint256 totalPpm, uint256 maximumPpm);
    /// @notice The child's minimum fee is below what the parent's licence asks of derivatives.
    error MinimumFeeTooLow(uint256 parentId, DerivativeTerms terms);
    /// @notice More than {MAX_ANCESTORS} ancestors would be left.
    error TooManyAncestors(uint256 count, uint256 maximum);

    /// @notice Declares the child's parents, once; its owner may, before the child is PROVEN.
    /// @param childId a REGISTERED model.
    /// @param parents 1 to {MAX_PARENTS}, each PROVEN and with a licence that allows it.
    /// @param maxTotalPpm the sum of granted rates may not pass it: parents may raise their minimum meanwhile.
    function declare(uint256 childId, Parent[] calldata parents, uint32 maxTotalPpm) external;

    /// @notice The direct parents with granted rates; empty for a root.
    function parentsOf(uint256 modelId) external view returns (Parent[] memory parents);

    /// @notice All ancestors with folded shares, in the order of their first appearance; at most {MAX_ANCESTORS}.
    function sharesOf(uint256 modelId) external view returns (AncestorShare[] memory shares);

    /// @notice The sum of the folded shares.
    function totalPpmOf(uint256 modelId) external view returns (uint32 ppm);

    /// @notice One ancestor's folded share; zero if it is none.
    function shareOf(uint256 modelId, uint256 ancestorId) external view returns (uint32 ppm);

    /// @notice Whether the model's edges count: it has been PROVEN.
    function isEffective(uint256 modelId) external view returns (bool);

    /// @notice The registry whose models these are.
    function registry() external view returns (IModelRegistry);
}
