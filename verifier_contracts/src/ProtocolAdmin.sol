// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";
import {IProtocolAdmin, PlatformTerms} from "verifier_contracts/src/IProtocolAdmin.sol";

/// @title Everything that an admin can do, in one place
/// @dev Holds no money and calls nobody. Whoever reads it copies what must not change under a job.
contract ProtocolAdmin is IProtocolAdmin, Ownable2Step {
    /// @notice The owner cannot leave the office empty: a guardian or treasury that is lost could never be replaced.
    error RenouncingRefused();

    /// @dev A tenth, in millionths: no deployment may cap the platform's part above it.
    uint32 private constant MAX_FEE_PPM = 100_000;

    uint32 private immutable FEE_PPM_CAP;
    uint80 private immutable FLAT_FEE_CAP;

    PlatformTerms private _terms;
    /// @inheritdoc IProtocolAdmin
    address public treasury;
    /// @inheritdoc IProtocolAdmin
    address public guardian;
    /// @inheritdoc IProtocolAdmin
    mapping(bytes32 codeHash => bool) public isAudited;

    /// @param owner_ a timelock, in a deployment.
    /// @param treasury_ who takes the platform's income at first.
    /// @param guardian_ who may tombstone at first; nobody if zero.
    /// @param terms the platform's fee at first.
    /// @param caps what the fee can never exceed.
    constructor(
        address owner_,
        address treasury_,
        address guardian_,
        PlatformTerms memory terms,
        PlatformTerms memory caps
    ) Ownable(owner_) {
        if (caps.feePpm > MAX_FEE_PPM) {
            revert PlatformFeeTooHigh(caps.feePpm, MAX_FEE_PPM, caps.flatFee, type(uint80).max);
        }
        FEE_PPM_CAP = caps.feePpm;
        FLAT_FEE_CAP = caps.flatFee;
        _setTerms(terms, caps);
        _setTreasury(treasury_);
        _setGuardian(guardian_);
    }

    /// @inheritdoc IProtocolAdmin
    function setPlatformTerms(PlatformTerms calldata terms) external onlyOwner {
        _setTerms(terms, platformCaps());
    }

    /// @inheritdoc IProtocolAdmin
    function setTreasury(address treasury_) external onlyOwner {
        _setTreasury(treasury_);
    }

    /// @inheritdoc IProtocolAdmin
    function setGuardian(address guardian_) external onlyOwner {
        _setGuardian(guardian_);
    }

    /// @inheritdoc IProtocolAdmin
    function addAuditedVerifier(bytes32 codeHash) external onlyOwner {
        if (codeHash == 0 || isAudited[codeHash]) revert CodeHashRefused(codeHash);
        isAudited[codeHash] = true;
        emit VerifierAudited(codeHash);
    }

    /// @notice Always refused, see {RenouncingRefused}; the office can only be handed over, in two steps.
    function renounceOwnership() public pure override {
        revert RenouncingRefused();
    }

    /// @inheritdoc IProtocolAdmin
    function platformTerms() external view returns (PlatformTerms memory) {
        return _terms;
    }

    /// @inheritdoc IProtocolAdmin
    function platformCaps() public view returns (PlatformTerms memory) {
        return PlatformTerms(FEE_PPM_CAP, FLAT_FEE_CAP);
    }

    /// @dev Takes the caps as an argument, because a constructor cannot read its immutables.
    function _setTerms(PlatformTerms memory terms, PlatformTerms memory caps) private {
        if (terms.feePpm > caps.feePpm || terms.flatFee > caps.flatFee) {
            revert PlatformFeeTooHigh(terms.feePpm, caps.feePpm, terms.flatFee, caps.flatFee);
        }
        _terms = terms;
        emit PlatformTermsSet(terms.feePpm, terms.flatFee);
    }

    function _setTreasury(address treasury_) private {
        if (treasury_ == address(0)) revert TreasuryMissing();
        treasury = treasury_;
        emit TreasurySet(treasury_);
    }

    function _setGuardian(address guardian_) private {
        guardian = guardian_;
        emit GuardianSet(guardian_);
    }
}
