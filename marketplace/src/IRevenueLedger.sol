// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ILineageRegistry} from "registry/src/ILineageRegistry.sol";
import {IModelRegistry, ITransferObserver} from "registry/src/IModelRegistry.sol";
import {IProtocolAdmin} from "verifier_contracts/src/IProtocolAdmin.sol";

/// @notice Who a part of a model's income is for.
enum PayeeKind {
    NONE,
    LINEAGE,
    HOLDERS,
    CONTRIBUTORS,
    STAKERS
}

/// @notice A part of a model's income after the platform's.
/// @param kind who it is for. LINEAGE follows from the lineage registry, HOLDERS is what the others leave; both are
///        reported and never given.
/// @param ppm how much, in millionths.
/// @param receiver who takes it; zero for LINEAGE and HOLDERS.
struct Part {
    PayeeKind kind;
    uint32 ppm;
    address receiver;
}

/// @notice What a model has earned, in the token's smallest unit.
/// @param revenue from settlements, after the platform's part.
/// @param inherited from descendants, taken with {IRevenueLedger-claimLineage}, and what pools of shares earned and gave
///        back: for holders alone, never split again.
/// @param platform the platform's part and its flat fees, not collected yet.
struct ModelIncome {
    uint128 revenue;
    uint128 platform;
    uint128 inherited;
}

/// @notice An EIP-3009 authorization, signed by whoever pays.
struct TransferAuthorization {
    address from;
    uint256 validAfter;
    uint256 validBefore;
    bytes32 nonce;
    bytes signature;
}

/// @title The bank of the market: escrow, credits, and models' income, all pulled and never pushed
/// @notice Every token here is owed: to live jobs and tabs, to credits, or to what models have earned and nobody has
///         taken. A settlement moves one number per model, whatever its ancestors and holders: who gets what is worked
///         out when it is taken.
/// @dev Of a model's revenue R, with lineage S ppm and other parts p_k ppm: an ancestor with share s has earned
///      floor(R * s / 10^6), a part floor(R * p_k / 10^6), and the holders R - floor(R * (S + sum p_k) / 10^6) +
///      inherited. Each only grows with R, and together they never pass R; less than one unit for each ancestor and part
///      waits for more revenue.
interface IRevenueLedger is ITransferObserver {
    /// @notice Tokens came into escrow.
    event Deposited(address indexed payer, uint256 amount);
    /// @notice An account was credited with what is its own again or what it has earned.
    event Credited(address indexed account, uint256 amount);
    /// @notice A settlement: who earned what.
    event RevenueSettled(
        uint256 indexed modelId, address indexed prover, uint80 proverFee, uint80 revenue, uint80 platformAmount
    );
    /// @notice An ancestor's share was moved to its holders.
    event LineageClaimed(uint256 indexed descendantId, uint256 indexed ancestorId, uint256 amount);
    /// @notice The owner's income was credited; before a sale, to the seller.
    event OwnerIncomeClaimed(uint256 indexed modelId, address indexed owner, uint256 amount);
    /// @notice A part's income was credited to its receiver.
    event PartClaimed(uint256 indexed modelId, PayeeKind indexed kind, address indexed receiver, uint256 amount);
    /// @notice The parts of a model besides lineage and holders were fixed.
    event PartsFixed(uint256 indexed modelId, Part[] parts);
    /// @notice From now on income is held for the holders of shares.
    event SharesStarted(uint256 indexed modelId, address indexed shares, uint256 totalShares);
    /// @notice A holder of shares was credited.
    event SharesClaimed(uint256 indexed modelId, address indexed holder, uint256 amount);
    /// @notice Income of shares that nobody could have withdrawn is income of all shares again.
    event SharesReturned(uint256 indexed modelId, address indexed holder, uint256 amount);
    /// @notice The platform's part of a model's income was credited to the treasury.
    event PlatformCollected(uint256 indexed modelId, address indexed treasury, uint256 amount);
    /// @notice An account took its credits.
    event Withdrawn(address indexed account, address indexed to, uint256 amount);

    /// @notice An address of the constructor has no code.
    error NotAContract(address account);
    /// @notice The caller may not.
    error NotAllowed(address caller, address expected);
    /// @notice The token delivered another amount than was asked for.
    error ReceivedAmountMismatch(uint256 expected, uint256 received);
    /// @notice An EIP-3009 signature has 65 bytes: r, s, v.
    error SignatureRefused(uint256 lengthBytes);
    /// @notice Credits cannot be sent there: nobody, or the ledger.
    error ReceiverRefused(address receiver);
    /// @notice The account has no credits.
    error NothingToWithdraw(address account);
    /// @notice Nothing has been earned since it was last taken.
    error NothingToClaim(uint256 modelId);
    /// @notice Parts can be fixed once, by the owner of a REGISTERED model, each kind once, 500,000 ppm
    ///         in all; a receiver must be somebody else than nobody and the ledger.
    error PartsRefused(uint256 modelId);
    /// @notice The model has no such part.
    error UnknownPart(uint256 modelId, PayeeKind kind);
    /// @notice Income is held for the holders of shares already, or not yet.
    error WrongHolders(uint256 modelId, address shares);
    /// @notice Nobody has any shares.
    error NoShares(uint256 modelId);

    /// @notice Takes tokens of `payer` into escrow; the job manager may.
    function pull(address payer, uint256 amount) external;

    /// @notice As {pull}, by an EIP-3009 authorization to this contract; the job manager may.
    function pullAuthorized(TransferAuthorization calldata authorization, uint256 amount) external;

    /// @notice As {pull}, by an ERC-2612 permit to this contract; the job manager may. A permit that somebody used
    ///         before is no error while the allowance it gave is there.
    function pullPermitted(address payer, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Moves escrow to an account's credits; the job manager may.
    function credit(address account, uint256 amount) external;

    /// @notice Splits what an accepted proof has earned; the job manager may.
    function settle(uint256 modelId, address prover, uint80 proverFee, uint80 revenue, uint80 platformAmount) external;

    /// @notice Fixes the parts besides lineage and holders, once; the owner of a REGISTERED model may.
    function fixParts(uint256 modelId, Part[] calldata parts) external;

    /// @notice Moves what an ancestor has earned by a descendant to the ancestor's holders; anyone may. Income is
    ///         inherited when it is moved: whoever sells a model or its shares moves it first.
    function claimLineage(uint256 descendantId, uint256 ancestorId) external returns (uint256 amount);

    /// @notice Credits the model's owner with the holders' income, until shares start; anyone may.
    function claimOwner(uint256 modelId) external returns (uint256 amount);

    /// @notice Credits a part's receiver; anyone may.
    function claimPart(uint256 modelId, PayeeKind kind) external returns (uint256 amount);

    /// @notice Credits a holder of shares; anyone may.
    function claimShares(uint256 modelId, address holder) external returns (uint256 amount);

    /// @notice Makes a holder's income of these shares income of all of them again, as if it were inherited; the share
    ///         token may, for a holder that cannot withdraw: a pool, or the zero address, which has what was burned.
    ///         Never more than the holder was credited as one.
    function returnShares(uint256 modelId, address holder) external returns (uint256 amount);

    /// @notice Credits the owner with what is the owner's and holds the rest for `shares` from now on; the offering
    ///         contract may, once for each model.
    /// @param shares a token that calls {beforeShareTransfer} from now on; all of it is minted before, or in this
    ///        transaction. Income of shares that are burned is the zero address's: see {returnShares}.
    /// @param totalShares the fixed supply, below 2^128.
    function startShares(uint256 modelId, address shares, uint256 totalShares) external;

    /// @notice Called by the share token before balances change, so that a transfer moves no past income. What a
    ///         transaction brings is for whoever holds when it ends: shares borrowed for one transaction earn nothing.
    function beforeShareTransfer(uint256 modelId, address from, uint256 fromBalance, address to, uint256 toBalance)
        external;

    /// @notice Credits the treasury with the platform's part of models' income; anyone may.
    function collectPlatform(uint256[] calldata modelIds) external returns (uint256 amount);

    /// @notice Sends the caller's credits to `to`.
    function withdraw(address to) external returns (uint256 amount);

    /// @notice What the account can withdraw.
    function credits(address account) external view returns (uint256 amount);

    /// @notice What a model has earned.
    function incomeOf(uint256 modelId) external view returns (ModelIncome memory);

    /// @notice How a model's revenue is split: LINEAGE, other parts, HOLDERS; sums to 1,000,000.
    function splitOf(uint256 modelId) external view returns (Part[] memory parts);

    /// @notice What {claimLineage} would move now.
    function lineageDue(uint256 descendantId, uint256 ancestorId) external view returns (uint256 amount);

    /// @notice What holders have earned that is not taken: the owner's, or all shares' together.
    function holdersDue(uint256 modelId) external view returns (uint256 amount);

    /// @notice What {claimPart} would credit now.
    function partDue(uint256 modelId, PayeeKind kind) external view returns (uint256 amount);

    /// @notice What {claimShares} would credit now.
    function sharesDue(uint256 modelId, address holder) external view returns (uint256 amount);

    /// @notice The share token of a model, or zero while the owner is the holder.
    function sharesOf(uint256 modelId) external view returns (address shares);

    /// @notice The only contract that moves escrow.
    function jobManager() external view returns (address);

    /// @notice The only contract that starts shares; zero where there are no offerings.
    function offerings() external view returns (address);

    /// @notice The token that everything is paid in.
    function token() external view returns (IERC20);

    /// @notice The registry of the models.
    function registry() external view returns (IModelRegistry);

    /// @notice The lineage that shares are taken from.
    function lineage() external view returns (ILineageRegistry);

    /// @notice The admin whose treasury is meant.
    function admin() external view returns (IProtocolAdmin);
}
