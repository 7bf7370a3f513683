// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IProtocolAdmin} from "verifier_contracts/src/IProtocolAdmin.sol";

/// @notice A prover's stake, in the token's smallest unit.
/// @param free what claims can lock.
/// @param locked what claims have locked.
/// @param leaving what was asked back and cannot be locked any more.
/// @param leavesAt chain time in seconds from which `leaving` can be taken.
/// @param registered whether the prover has registered.
struct Stake {
    uint80 free;
    uint80 locked;
    bool registered;
    uint80 leaving;
    uint40 leavesAt;
}

/// @title Provers: who they are, how they are reached, and what they stand to lose
/// @notice Only the job manager locks, releases and forfeits. What is forfeited is a bonus, the treasury's, or burned; it
///         never reaches a requester.
interface IProverRegistry {
    /// @notice A prover registered, or says something new of itself.
    event ProverRegistered(address indexed prover, string endpoint, bytes4[] proofSystems);
    /// @notice Somebody added to a prover's stake.
    event Staked(address indexed prover, address indexed payer, uint80 amount);
    /// @notice A prover asked for stake back.
    event UnstakeRequested(address indexed prover, uint80 amount, uint40 leavesAt);
    /// @notice A prover took stake back.
    event Unstaked(address indexed prover, uint80 amount);
    /// @notice A claim locked stake.
    event CollateralLocked(address indexed prover, uint80 amount);
    /// @notice A claim ended well or was undone.
    event CollateralReleased(address indexed prover, uint80 amount);
    /// @notice A claim was broken: `bonus` goes to another prover's stake, `toTreasury` to the treasury, the rest burns.
    event CollateralForfeited(
        address indexed prover, uint80 amount, address indexed bonusTo, uint80 bonus, uint80 toTreasury
    );
    /// @notice What was forfeited to the fire was sent to the burn address.
    event ForfeitsBurned(uint256 amount);
    /// @notice What was forfeited to the treasury was sent to it.
    event ForfeitsCollected(address indexed treasury, uint256 amount);

    /// @notice An address of the constructor has no code.
    error NotAContract(address account);
    /// @notice Only the job manager may.
    error NotJobManager(address caller);
    /// @notice The prover has not registered.
    error NotRegistered(address prover);
    /// @notice An endpoint above its length, or too many proof systems, or none.
    error ProfileRefused(uint256 endpointBytes, uint256 proofSystems);
    /// @notice The free stake does not cover what is to be locked or asked back, or the locked stake what is to be released
    ///         or forfeited.
    error StakeTooLow(address prover, uint256 needed, uint256 found);
    /// @notice All stake of one prover must fit 80 bits, so that giving locked stake back can never overflow.
    error StakeTooHigh(address prover, uint256 total, uint256 maximum);
    /// @notice The bonus is above half of the forfeit, has nobody to go to or goes to whoever forfeits, or the parts are
    ///         more than the whole.
    error ForfeitRefused(address prover, uint80 amount, address bonusTo, uint80 bonus, uint80 toTreasury);
    /// @notice The amount is zero.
    error ZeroAmount();
    /// @notice Nothing was asked back, or the delay is not over.
    error NothingToUnstake(address prover, uint256 leaving, uint40 leavesAt);
    /// @notice Nothing is to be burned or collected.
    error NothingForfeited();
    /// @notice The token delivered another amount than was asked for.
    error ReceivedAmountMismatch(uint256 expected, uint256 received);

    /// @notice Registers the caller as a prover, or replaces what it said.
    /// @param endpoint where clients reach it, at most 256 bytes; may be empty.
    /// @param proofSystems what it can prove, 1 to 8 ids of ERC-7992.
    function register(string calldata endpoint, bytes4[] calldata proofSystems) external;

    /// @notice Adds to a registered prover's stake; the caller pays.
    function stake(address prover, uint80 amount) external;

    /// @notice Asks for free stake back; the delay begins anew for all that is leaving.
    function requestUnstake(uint80 amount) external;

    /// @notice Takes what was asked back, after the delay, and sends it to `to`.
    function unstake(address to) external;

    /// @notice Locks free stake for a claim; the job manager may.
    function lock(address prover, uint80 amount) external;

    /// @notice Gives locked stake back; the job manager may.
    function release(address prover, uint80 amount) external;

    /// @notice Takes locked stake away; the job manager may.
    /// @param prover who broke a claim.
    /// @param amount what was locked for it.
    /// @param bonusTo whose free stake gets the bonus; zero if there is none.
    /// @param bonus at most half of the amount. What would make that stake too high to store burns: nobody's stake can stop
    ///        a settlement.
    /// @param toTreasury what the treasury gets; amount - bonus - toTreasury burns.
    function forfeit(address prover, uint80 amount, address bonusTo, uint80 bonus, uint80 toTreasury) external;

    /// @notice Sends all that is to burn to the burn address; anyone may.
    function burnForfeits() external;

    /// @notice Sends the treasury what was forfeited to it; anyone may.
    function collectForfeits() external;

    /// @notice A prover's stake.
    function stakeOf(address prover) external view returns (Stake memory);

    /// @notice What a prover says of itself.
    function profileOf(address prover) external view returns (string memory endpoint, bytes4[] memory proofSystems);

    /// @notice What waits to be burned and to be collected.
    function forfeits() external view returns (uint256 toBurn, uint256 toTreasury);

    /// @notice Seconds between asking for stake and taking it.
    function unstakeDelaySeconds() external view returns (uint32);

    /// @notice The only contract that locks, releases and forfeits.
    function jobManager() external view returns (address);

    /// @notice The token that stake is held in.
    function token() external view returns (IERC20);

    /// @notice The admin whose treasury is meant.
    function admin() external view returns (IProtocolAdmin);
}
