// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {LocalPaymentToken} from "marketplace/src/LocalPaymentToken.sol";
import {ProverRegistry} from "registry/src/ProverRegistry.sol";
import {Registries, TreasuryDouble} from "tests/contracts/support/Registries.sol";
import {IProtocolAdmin} from "verifier_contracts/src/IProtocolAdmin.sol";

/// @notice Makes random moves of provers and their manager, good and bad, and keeps its own books of every stake.
contract StakeHandler is Registries {
    uint256 public constant ACTORS = 4;
    uint32 private constant DELAY = 1 days;

    /// @dev What the handler knows of a prover, none of it read back.
    struct Book {
        uint256 free;
        uint256 locked;
        uint256 leaving;
        uint256 leavesAt;
        uint256 forfeited;
        uint256 everLocked;
        bool registered;
    }

    LocalPaymentToken public token;
    ProverRegistry public provers;
    uint256 public donated;
    uint256 public toBurn;
    uint256 public toTreasury;
    uint256 public burned;
    uint256 public collected;
    uint256 public takenOut;
    uint256 public paidIn;
    /// @notice A forbidden move that went through, or an allowed one that did not; empty while all is well.
    string public broken;

    mapping(address => Book) private _books;

    constructor() {
        vm.warp(1_800_000_000);
        token = new LocalPaymentToken();
        TreasuryDouble admin = new TreasuryDouble();
        admin.setTreasury(address(0x7EA));
        provers = new ProverRegistry(IERC20(address(token)), address(this), IProtocolAdmin(address(admin)), DELAY);
        token.mint(stranger, type(uint128).max);
        vm.prank(stranger);
        token.approve(address(provers), type(uint256).max);
        for (uint256 i; i + 1 < ACTORS; ++i) {
            join(i);
        }
    }

    function join(uint256 who) public {
        vm.prank(actor(who));
        provers.register("", new bytes4[](1));
        _books[actor(who)].registered = true;
    }

    function stake(uint256 who, uint80 amount) external {
        address prover_ = actor(who);
        Book storage book = _books[prover_];
        bool allowed = book.registered && amount != 0 && total(book) + amount <= type(uint80).max;
        vm.prank(stranger);
        try provers.stake(prover_, amount) {
            if (!allowed) broken = "stake";
            book.free += amount;
            paidIn += amount;
        } catch {
            if (allowed) broken = "stake refused";
        }
    }

    function requestUnstake(uint256 who, uint80 amount) external {
        address prover_ = actor(who);
        Book storage book = _books[prover_];
        amount = uint80(within(amount, 0, book.free + 1));
        bool allowed = amount != 0 && amount <= book.free;
        vm.prank(prover_);
        try provers.requestUnstake(amount) {
            if (!allowed) broken = "request";
            book.free -= amount;
            book.leaving += amount;
            book.leavesAt = block.timestamp + DELAY;
        } catch {
            if (allowed) broken = "request refused";
        }
    }

    function unstake(uint256 who) external {
        address prover_ = actor(who);
        Book storage book = _books[prover_];
        bool allowed = book.leaving != 0 && block.timestamp >= book.leavesAt;
        vm.prank(prover_);
        try provers.unstake(prover_) {
            if (!allowed) broken = "unstake";
            takenOut += book.leaving;
            book.leaving = 0;
        } catch {
            if (allowed) broken = "unstake refused";
        }
    }

    function lock(uint256 who, uint80 amount, bool byManager) external {
        address prover_ = actor(who);
        Book storage book = _books[prover_];
        amount = uint80(within(amount, 0, book.free + 1));
        bool allowed = byManager && book.registered && amount <= book.free;
        if (!byManager) vm.prank(prover_);
        try provers.lock(prover_, amount) {
            if (!allowed) broken = "lock";
            book.free -= amount;
            book.locked += amount;
            book.everLocked += amount;
        } catch {
            if (allowed) broken = "lock refused";
        }
    }

    function release(uint256 who, uint80 amount, bool byManager) external {
        address prover_ = actor(who);
        Book storage book = _books[prover_];
        amount = uint80(within(amount, 0, book.locked + 1));
        bool allowed = byManager && amount <= book.locked;
        if (!byManager) vm.prank(prover_);
        try provers.release(prover_, amount) {
            if (!allowed) broken = "release";
            book.locked -= amount;
            book.free += amount;
        } catch {
            if (allowed) broken = "release refused";
        }
    }

    function forfeit(uint256 who, uint256 to, uint80 amount, uint80 bonus, uint80 part, bool byManager) external {
        address prover_ = actor(who);
        address bonusTo = actor(to);
        Book storage book = _books[prover_];
        amount = uint80(within(amount, 0, book.locked + 1));
        bonus = uint80(within(bonus, 0, uint256(amount) / 2 + 1));
        part = uint80(within(part, 0, amount));
        bool allowed = byManager && amount <= book.locked && bonus <= amount / 2 && part <= amount - bonus
            && (bonus == 0 || prover_ != bonusTo);
        if (!byManager) vm.prank(prover_);
        try provers.forfeit(prover_, amount, bonusTo, bonus, part) {
            if (!allowed) broken = "forfeit";
            book.locked -= amount;
            book.forfeited += amount;
            uint256 room = type(uint80).max - total(_books[bonusTo]);
            uint256 given = bonus < room ? bonus : room;
            _books[bonusTo].free += given;
            toTreasury += part;
            toBurn += amount - given - part;
        } catch {
            if (allowed) broken = "forfeit refused";
        }
    }

    function send(bool burn) external {
        uint256 due = burn ? toBurn : toTreasury;
        try this.sendForfeits(burn) {
            if (due == 0) broken = "send";
            if (burn) (burned, toBurn) = (burned + due, 0);
            else (collected, toTreasury) = (collected + due, 0);
        } catch {
            if (due != 0) broken = "send refused";
        }
    }

    function sendForfeits(bool burn) external {
        if (burn) provers.burnForfeits();
        else provers.collectForfeits();
    }

    function disturb(uint64 amount, uint32 seconds_) external {
        token.mint(address(provers), amount);
        donated += amount;
        vm.warp(block.timestamp + within(seconds_, 1, DELAY));
    }

    function bookOf(address prover_) external view returns (Book memory) {
        return _books[prover_];
    }

    function actor(uint256 who) public pure returns (address) {
        return address(uint160(0xAC700 + who % ACTORS));
    }

    function total(Book storage book) private view returns (uint256) {
        return book.free + book.locked + book.leaving;
    }
}
