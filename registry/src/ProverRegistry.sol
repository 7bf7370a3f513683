// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IProverRegistry, Stake} from "registry/src/IProverRegistry.sol";
import {IProtocolAdmin} from "verifier_contracts/src/IProtocolAdmin.sol";

/// @title Provers: who they are, how they are reached, and what they stand to lose
/// @dev Every token held is owed: stake of every kind, or forfeits on their way. What arrives otherwise is nobody's and is
///      never counted. Locking, releasing and forfeiting move numbers only, in one word of storage per prover, and carry
///      no guard: they call nobody, and their caller has its own.
contract ProverRegistry is IProverRegistry, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;

    struct Forfeits {
        uint128 toBurn;
        uint128 toTreasury;
    }

    struct Profile {
        string endpoint;
        bytes4[] proofSystems;
    }

    address private constant BURN_ADDRESS = 0x000000000000000000000000000000000000dEaD;
    uint256 private constant MAX_ENDPOINT_BYTES = 256;
    uint256 private constant MAX_PROOF_SYSTEMS = 8;
    uint256 private constant MAX_STAKE = type(uint80).max;

    IERC20 private immutable TOKEN;
    address private immutable JOB_MANAGER;
    IProtocolAdmin private immutable ADMIN;
    uint32 private immutable UNSTAKE_DELAY_SECONDS;

    mapping(address prover => Stake) private _stakes;
    mapping(address prover => Profile) private _profiles;
    Forfeits private _forfeits;

    modifier onlyJobManager() {
        if (msg.sender != JOB_MANAGER) revert NotJobManager(msg.sender);
        _;
    }

    /// @param token_ the token that stake is held in; one that takes a fee on transfers is refused at each use.
    /// @param jobManager_ the only contract that locks, releases and forfeits; it may be deployed later.
    /// @param admin_ the admin whose treasury is meant.
    /// @param unstakeDelaySeconds_ between asking for stake and taking it.
    constructor(IERC20 token_, address jobManager_, IProtocolAdmin admin_, uint32 unstakeDelaySeconds_) {
        if (address(token_).code.length == 0) revert NotAContract(address(token_));
        if (address(admin_).code.length == 0) revert NotAContract(address(admin_));
        TOKEN = token_;
        JOB_MANAGER = jobManager_;
        ADMIN = admin_;
        UNSTAKE_DELAY_SECONDS = unstakeDelaySeconds_;
    }

    /// @inheritdoc IProverRegistry
    function register(string calldata endpoint, bytes4[] calldata proofSystems) external {
        uint256 endpointBytes = bytes(endpoint).length;
        uint256 count = proofSystems.length;
        if (endpointBytes > MAX_ENDPOINT_BYTES || count == 0 || count > MAX_PROOF_SYSTEMS) {
            revert ProfileRefused(endpointBytes, count);
        }
        _stakes[msg.sender].registered = true;
        _profiles[msg.sender] = Profile({endpoint: endpoint, proofSystems: proofSystems});
        emit ProverRegistered(msg.sender, endpoint, proofSystems);
    }

    /// @inheritdoc IProverRegistry
    function stake(address prover, uint80 amount) external nonReentrant {
        Stake storage held = _stakes[prover];
        if (!held.registered) revert NotRegistered(prover);
        if (amount == 0) revert ZeroAmount();
        uint256 total = _totalOf(held) + amount;
        if (total > MAX_STAKE) revert StakeTooHigh(prover, total, MAX_STAKE);

        held.free += amount;
        emit Staked(prover, msg.sender, amount);
        uint256 before = TOKEN.balanceOf(address(this));
        TOKEN.safeTransferFrom(msg.sender, address(this), amount);
        uint256 received = TOKEN.balanceOf(address(this)) - before;
        if (received != amount) revert ReceivedAmountMismatch(amount, received);
    }

    /// @inheritdoc IProverRegistry
    function requestUnstake(uint80 amount) external {
        if (amount == 0) revert ZeroAmount();
        Stake storage held = _stakes[msg.sender];
        uint80 free = held.free;
        if (amount > free) revert StakeTooLow(msg.sender, amount, free);
        uint40 leavesAt = uint40(block.timestamp + UNSTAKE_DELAY_SECONDS);

        held.free = free - amount;
        held.leaving += amount;
        held.leavesAt = leavesAt;
        emit UnstakeRequested(msg.sender, amount, leavesAt);
    }

    /// @inheritdoc IProverRegistry
    function unstake(address to) external nonReentrant {
        Stake storage held = _stakes[msg.sender];
        uint80 amount = held.leaving;
        uint40 leavesAt = held.leavesAt;
        if (amount == 0 || block.timestamp < leavesAt) revert NothingToUnstake(msg.sender, amount, leavesAt);

        held.leaving = 0;
        emit Unstaked(msg.sender, amount);
        TOKEN.safeTransfer(to, amount);
    }

    /// @inheritdoc IProverRegistry
    function lock(address prover, uint80 amount) external onlyJobManager {
        Stake storage held = _stakes[prover];
        if (!held.registered) revert NotRegistered(prover);
        uint80 free = held.free;
        if (amount > free) revert StakeTooLow(prover, amount, free);

        held.free = free - amount;
        held.locked += amount;
        emit CollateralLocked(prover, amount);
    }

    /// @inheritdoc IProverRegistry
    function release(address prover, uint80 amount) external onlyJobManager {
        Stake storage held = _stakes[prover];
        (uint80 free, uint80 locked) = (held.free, held.locked);
        if (amount > locked) revert StakeTooLow(prover, amount, locked);
        // Cannot overflow: all stake of a prover fits 80 bits.
        unchecked {
            (held.free, held.locked) = (free + amount, locked - amount);
        }
        emit CollateralReleased(prover, amount);
    }

    /// @inheritdoc IProverRegistry
    function forfeit(address prover, uint80 amount, address bonusTo, uint80 bonus, uint80 toTreasury)
        external
        onlyJobManager
    {
        bool valid = bonus <= amount / 2 && toTreasury <= amount - bonus
            && (bonus == 0 || (bonusTo != address(0) && bonusTo != prover));
        if (!valid) revert ForfeitRefused(prover, amount, bonusTo, bonus, toTreasury);
        _unlock(prover, amount);
        if (bonus != 0) bonus = _give(bonusTo, bonus);
        Forfeits storage waiting = _forfeits;
        waiting.toTreasury += toTreasury;
        waiting.toBurn += amount - bonus - toTreasury;
        emit CollateralForfeited(prover, amount, bonusTo, bonus, toTreasury);
    }

    /// @inheritdoc IProverRegistry
    function burnForfeits() external nonReentrant {
        uint256 amount = _forfeits.toBurn;
        if (amount == 0) revert NothingForfeited();
        _forfeits.toBurn = 0;
        emit ForfeitsBurned(amount);
        TOKEN.safeTransfer(BURN_ADDRESS, amount);
    }

    /// @inheritdoc IProverRegistry
    function collectForfeits() external nonReentrant {
        uint256 amount = _forfeits.toTreasury;
        if (amount == 0) revert NothingForfeited();
        address treasury = ADMIN.treasury();
        _forfeits.toTreasury = 0;
        emit ForfeitsCollected(treasury, amount);
        TOKEN.safeTransfer(treasury, amount);
    }

    /// @inheritdoc IProverRegistry
    function stakeOf(address prover) external view returns (Stake memory) {
        return _stakes[prover];
    }

    /// @inheritdoc IProverRegistry
    function profileOf(address prover) external view returns (string memory endpoint, bytes4[] memory proofSystems) {
        Profile storage profile = _profiles[prover];
        return (profile.endpoint, profile.proofSystems);
    }

    /// @inheritdoc IProverRegistry
    function forfeits() external view returns (uint256 toBurn, uint256 toTreasury) {
        return (_forfeits.toBurn, _forfeits.toTreasury);
    }

    /// @inheritdoc IProverRegistry
    function unstakeDelaySeconds() external view returns (uint32) {
        return UNSTAKE_DELAY_SECONDS;
    }

    /// @inheritdoc IProverRegistry
    function jobManager() external view returns (address) {
        return JOB_MANAGER;
    }

    /// @inheritdoc IProverRegistry
    function token() external view returns (IERC20) {
        return TOKEN;
    }

    /// @inheritdoc IProverRegistry
    function admin() external view returns (IProtocolAdmin) {
        return ADMIN;
    }

    function _unlock(address prover, uint80 amount) private {
        Stake storage held = _stakes[prover];
        uint80 locked = held.locked;
        if (amount > locked) revert StakeTooLow(prover, amount, locked);
        held.locked = locked - amount;
    }

    /// @dev Credits as much of a bonus as fits: a settlement must not fail because its prover's stake is full.
    function _give(address prover, uint80 bonus) private returns (uint80 given) {
        Stake storage held = _stakes[prover];
        uint256 room = MAX_STAKE - _totalOf(held);
        given = bonus < room ? bonus : uint80(room);
        held.free += given;
    }

    function _totalOf(Stake storage held) private view returns (uint256) {
        return uint256(held.free) + held.locked + held.leaving;
    }
}
