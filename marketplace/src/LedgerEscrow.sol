// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC3009} from "@openzeppelin/contracts/interfaces/draft-IERC3009.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IRevenueLedger, TransferAuthorization} from "marketplace/src/IRevenueLedger.sol";

/// @title The ledger's till: tokens come in as escrow and leave as credits
/// @dev The only code of the ledger that calls the token, and so the only code that is guarded against reentry. Nothing
///      that is owed follows from a balance: a donation is nobody's.
abstract contract LedgerEscrow is IRevenueLedger, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    uint256 private constant SIGNATURE_BYTES = 65;

    IERC20 private immutable TOKEN;
    address internal immutable JOB_MANAGER;

    /// @inheritdoc IRevenueLedger
    mapping(address account => uint256) public credits;

    /// @param token_ the token that everything is paid in; none that takes a fee or whose balances move by themselves.
    /// @param jobManager_ the job manager, at the address that it will have.
    constructor(IERC20 token_, address jobManager_) {
        _checkCode(address(token_));
        if (jobManager_ == address(0)) revert NotAContract(jobManager_);
        TOKEN = token_;
        JOB_MANAGER = jobManager_;
    }

    modifier only(address allowed) {
        if (msg.sender != allowed) revert NotAllowed(msg.sender, allowed);
        _;
    }

    /// @inheritdoc IRevenueLedger
    function pull(address payer, uint256 amount) external nonReentrant only(JOB_MANAGER) {
        _pull(payer, amount);
    }

    /// @inheritdoc IRevenueLedger
    function pullAuthorized(TransferAuthorization calldata authorization, uint256 amount)
        external
        nonReentrant
        only(JOB_MANAGER)
    {
        bytes calldata signature = authorization.signature;
        if (signature.length != SIGNATURE_BYTES) revert SignatureRefused(signature.length);
        uint256 before = TOKEN.balanceOf(address(this));
        IERC3009(address(TOKEN))
            .receiveWithAuthorization(
                authorization.from,
                address(this),
                amount,
                authorization.validAfter,
                authorization.validBefore,
                authorization.nonce,
                uint8(signature[64]),
                bytes32(signature[:32]),
                bytes32(signature[32:64])
            );
        _checkReceived(authorization.from, before, amount);
    }

    /// @inheritdoc IRevenueLedger
    function pullPermitted(address payer, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        nonReentrant
        only(JOB_MANAGER)
    {
        // Anybody may have used the permit before, to stop this: what counts is the allowance.
        try IERC20Permit(address(TOKEN)).permit(payer, address(this), amount, deadline, v, r, s) {} catch {}
        _pull(payer, amount);
    }

    /// @inheritdoc IRevenueLedger
    function credit(address account, uint256 amount) external only(JOB_MANAGER) {
        credits[account] += amount;
        emit Credited(account, amount);
    }

    /// @inheritdoc IRevenueLedger
    function withdraw(address to) external nonReentrant returns (uint256 amount) {
        if (to == address(0) || to == address(this)) revert ReceiverRefused(to);
        amount = credits[msg.sender];
        if (amount == 0) revert NothingToWithdraw(msg.sender);

        credits[msg.sender] = 0;
        emit Withdrawn(msg.sender, to, amount);
        TOKEN.safeTransfer(to, amount);
    }

    /// @inheritdoc IRevenueLedger
    function jobManager() external view returns (address) {
        return JOB_MANAGER;
    }

    /// @inheritdoc IRevenueLedger
    function token() external view returns (IERC20) {
        return TOKEN;
    }

    function _pull(address payer, uint256 amount) private {
        uint256 before = TOKEN.balanceOf(address(this));
        TOKEN.safeTransferFrom(payer, address(this), amount);
        _checkReceived(payer, before, amount);
    }

    /// @dev Measures what came, so that a token which takes a fee or lies cannot leave escrow uncovered.
    function _checkReceived(address payer, uint256 before, uint256 amount) private {
        uint256 received = TOKEN.balanceOf(address(this)) - before;
        if (received != amount) revert ReceivedAmountMismatch(amount, received);
        emit Deposited(payer, amount);
    }

    function _checkCode(address account) internal view {
        if (account.code.length == 0) revert NotAContract(account);
    }
}
