// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice What the platform takes, as it stands; jobs and tabs copy it when they open.
/// @param feePpm its part of every model fee, in millionths.
/// @param flatFee what it takes of every settlement besides, in the token's smallest unit.
struct PlatformTerms {
    uint32 feePpm;
    uint80 flatFee;
}

/// @title Everything that an admin can do, in one place
/// @notice The owner is meant to be a timelock. It sets the platform's fee (capped), the treasury and the guardian, and
///         adds audited verifiers; it removes nothing. The guardian tombstones circuits, without delay, and does nothing
///         else. No job, tab or model that exists is altered by any of this.
interface IProtocolAdmin {
    /// @notice The platform's fee for what opens from now on.
    event PlatformTermsSet(uint32 feePpm, uint80 flatFee);
    /// @notice Who takes the platform's income from now on.
    event TreasurySet(address indexed treasury);
    /// @notice Who may tombstone circuits from now on; nobody if zero.
    event GuardianSet(address indexed guardian);
    /// @notice Shared verifier code was added to the audited list, for ever.
    event VerifierAudited(bytes32 indexed codeHash);

    /// @notice The fee is above its cap.
    error PlatformFeeTooHigh(uint32 feePpm, uint32 maxFeePpm, uint80 flatFee, uint80 maxFlatFee);
    /// @notice The treasury is the zero address.
    error TreasuryMissing();
    /// @notice The code hash is zero or on the list already.
    error CodeHashRefused(bytes32 codeHash);

    /// @notice Sets the platform's fee for what opens from now on; the owner may.
    function setPlatformTerms(PlatformTerms calldata terms) external;

    /// @notice Sets who takes the platform's income; the owner may.
    function setTreasury(address treasury) external;

    /// @notice Sets who may tombstone circuits; the owner may.
    function setGuardian(address guardian) external;

    /// @notice Adds code of a shared verifier to the audited list; the owner may.
    function addAuditedVerifier(bytes32 codeHash) external;

    /// @notice The platform's fee for what opens now.
    function platformTerms() external view returns (PlatformTerms memory);

    /// @notice The caps of the fee, fixed at deployment; the part is never above 10 %.
    function platformCaps() external view returns (PlatformTerms memory);

    /// @notice Who takes the platform's income.
    function treasury() external view returns (address);

    /// @notice Who may tombstone circuits.
    function guardian() external view returns (address);

    /// @notice Whether shared verifier code of this hash was audited.
    function isAudited(bytes32 codeHash) external view returns (bool);
}
