// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Part, PayeeKind} from "marketplace/src/IRevenueLedger.sol";
import {ModelStatus} from "registry/src/IModelRegistry.sol";
import {LedgerWorld, ShareBorrower, ShareLender, SharesDouble} from "tests/contracts/support/LedgerWorld.sol";
import {ReentrantToken} from "tests/contracts/support/TokenDoubles.sol";

/// @notice Plays everybody around a ledger whose token calls back, and keeps its own books of who is owed what.
/// @dev Each move is one transaction. The books know revenue and rates, and nothing that the ledger worked out.
contract LedgerHandler is LedgerWorld {
    uint256 public constant ACTORS = 6;
    uint256 public constant MODELS = 4;
    address private constant CONTRIBUTORS = address(0xC0);
    address private constant STAKERS = address(0x57);

    ReentrantToken public money;
    address[] public actors;
    address public lender;
    /// @notice A forbidden move that went through; empty while all is well.
    string public broken;

    uint256 public pulled;
    uint256 public withdrawn;
    uint256 public donated;
    uint256 public escrow;
    uint256 public platformEarned;
    mapping(uint256 model => uint256) public revenueOf;
    mapping(uint256 model => uint256) public inheritedOf;
    mapping(uint256 descendant => mapping(uint256 ancestor => uint256)) public royalties;
    mapping(address account => uint256) public owed;
    mapping(address account => uint256) public paidOut;
    mapping(uint256 model => uint256) public sharesSupply;
    mapping(uint256 model => mapping(address holder => uint256)) public shareUnits;
    mapping(uint256 model => uint256) private _booked;

    constructor() {
        deployLedger(manager);
        money = new ReentrantToken();
        useToken(money);
        for (uint160 i; i < ACTORS - 1; ++i) {
            actors.push(address(0xAC700 + i));
        }
        // The token earns too: what it has is what it would like to take twice.
        actors.push(address(money));
        lender = address(new ShareLender());
        for (uint256 id = 1; id <= MODELS; ++id) {
            registry.set(id, actors[id % 3], ModelStatus.REGISTERED);
        }
        lineage.add(2, 1, 100_000);
        lineage.add(3, 1, 50_001);
        lineage.add(3, 2, 149_999);
        for (uint256 id = 1; id <= 3; ++id) {
            lineage.add(4, id, 123_457);
        }
        Part[] memory parts = new Part[](2);
        parts[0] = Part(PayeeKind.STAKERS, 33_333, STAKERS);
        parts[1] = Part(PayeeKind.CONTRIBUTORS, 99_999, CONTRIBUTORS);
        vm.prank(actors[1]);
        ledger.fixParts(4, parts);
        for (uint256 id = 1; id <= MODELS; ++id) {
            registry.set(id, actors[id % 3], ModelStatus.PROVEN);
        }
        money.mint(requester, type(uint128).max);
        vm.prank(requester);
        money.approve(address(ledger), type(uint256).max);
    }

    // --- moves ----------------------------------------------------------------------------------

    function settle(uint256 model, uint256 who, uint80 fee, uint80 revenue, uint80 platform, bool small) public {
        if (small) (fee, revenue, platform) = (fee % 8, revenue % 8, platform % 8);
        deposit(uint256(fee) + revenue + platform);
        spend(modelIn(model), actors[who % ACTORS], fee, revenue, platform);
        book();
    }

    function giveBack(uint256 who, uint80 amount) external {
        deposit(amount);
        escrow -= amount;
        owed[actors[who % ACTORS]] += amount;
        vm.prank(manager);
        ledger.credit(actors[who % ACTORS], amount);
        book();
    }

    function keepEscrow(uint80 amount) external {
        deposit(amount);
        book();
    }

    function claimLineage(uint256 descendant, uint256 ancestor) external {
        take(abi.encodeCall(ledger.claimLineage, (modelIn(descendant), modelIn(ancestor))));
        book();
    }

    function claimOwner(uint256 model) external {
        if (sharesSupply[modelIn(model)] != 0) return;
        take(abi.encodeCall(ledger.claimOwner, (modelIn(model))));
        book();
    }

    function claimPart(bool stakers) external {
        take(abi.encodeCall(ledger.claimPart, (4, stakers ? PayeeKind.STAKERS : PayeeKind.CONTRIBUTORS)));
        book();
    }

    function claimShares(uint256 model, uint256 who) external {
        if (sharesSupply[modelIn(model)] == 0) return;
        take(abi.encodeCall(ledger.claimShares, (modelIn(model), holderIn(who))));
        book();
    }

    function collectPlatform(uint256 model) external {
        uint256[] memory ids = new uint256[](1);
        ids[0] = modelIn(model);
        take(abi.encodeCall(ledger.collectPlatform, (ids)));
        book();
    }

    function sell(uint256 model, uint256 who) external {
        registry.sell(modelIn(model), actors[who % 3]);
        book();
    }

    function startShares(uint256 model, uint256 who, uint96 first, uint96 lent) external {
        model = modelIn(model);
        if (sharesSupply[model] != 0) return;
        share(model, holderIn(who), within(first, 1, 1e24), lender, within(lent, 1, 1e24));
        sharesSupply[model] = within(first, 1, 1e24) + within(lent, 1, 1e24);
    }

    function transferShares(uint256 model, uint256 from, uint256 to, uint256 amount) external {
        model = modelIn(model);
        if (sharesSupply[model] == 0) return;
        SharesDouble shares = SharesDouble(ledger.sharesOf(model));
        address sender = holderIn(from);
        amount = within(amount, 0, shares.balanceOf(sender));
        vm.prank(sender);
        require(shares.transfer(holderIn(to), amount));
        book();
    }

    /// @dev Borrows shares, settles, claims whatever there is, and gives the shares back, all in one transaction.
    function flashLoan(uint256 model, uint256 other, uint80 revenue) external {
        model = modelIn(model);
        if (sharesSupply[model] == 0) return;
        SharesDouble shares = SharesDouble(ledger.sharesOf(model));
        uint256 amount = shares.balanceOf(lender);
        ShareBorrower borrower = new ShareBorrower(shares, lender);
        deposit(revenue);
        address[] memory targets = new address[](3);
        bytes[] memory calls = new bytes[](3);
        (targets[0], calls[0]) = (address(this), abi.encodeCall(this.spend, (model, actors[0], 0, revenue, 0)));
        (targets[1], calls[1]) = (address(ledger), abi.encodeCall(ledger.claimLineage, (modelIn(other), model)));
        (targets[2], calls[2]) = (address(ledger), abi.encodeCall(ledger.claimShares, (model, address(borrower))));
        ShareLender(lender).lend(shares, amount, address(borrower), abi.encodeCall(borrower.run, (targets, calls)));
        bool gained = ledger.credits(address(borrower)) != 0 || ledger.sharesDue(model, address(borrower)) != 0;
        if (gained) broken = "a flash loan of shares gained something";
        book();
    }

    function withdraw(uint256 who) external {
        address account = accountIn(who);
        uint256 amount = ledger.credits(account);
        if (amount == 0) return;
        vm.prank(account);
        uint256 sent = ledger.withdraw(address(0x5AFE));
        if (sent != amount) broken = "a withdrawal of another amount";
        paidOut[account] += sent;
        withdrawn += sent;
        book();
    }

    /// @dev The ledger is not in this, so the token may do as anybody may: it is quiet, to keep the books simple.
    function donate(uint80 amount) external {
        donated += amount;
        money.arm(address(0), "");
        money.mint(address(ledger), amount);
    }

    /// @dev From now on the token calls this in every transfer.
    function arm(uint256 which, uint256 model) external {
        uint256 id = modelIn(model);
        uint256[] memory ids = new uint256[](1);
        ids[0] = id;
        bytes[6] memory calls = [
            abi.encodeCall(ledger.withdraw, (address(0xBAD))),
            abi.encodeCall(ledger.claimOwner, (id)),
            abi.encodeCall(ledger.claimLineage, (4, id)),
            abi.encodeCall(ledger.claimPart, (4, PayeeKind.STAKERS)),
            abi.encodeCall(ledger.claimShares, (id, actors[which % ACTORS])),
            abi.encodeCall(ledger.collectPlatform, (ids))
        ];
        money.arm(address(ledger), calls[which % 6]);
    }

    /// @dev What nobody may, tried by anybody.
    function disturb(uint256 which, uint256 who, uint256 model, uint80 amount) external {
        uint256 id = modelIn(model);
        bytes[6] memory calls = [
            abi.encodeCall(ledger.settle, (id, stranger, amount, amount, amount)),
            abi.encodeCall(ledger.credit, (stranger, amount)),
            abi.encodeCall(ledger.pull, (requester, amount)),
            abi.encodeCall(ledger.startShares, (id, address(money), 1)),
            abi.encodeCall(ledger.beforeModelTransfer, (id, stranger)),
            abi.encodeCall(ledger.beforeShareTransfer, (id, lender, 0, stranger, amount))
        ];
        vm.prank(actors[who % ACTORS]);
        (bool success,) = address(ledger).call(calls[which % 6]);
        if (success) broken = "a stranger did what only contracts may";
    }

    // --- the books ------------------------------------------------------------------------------

    /// @dev Reached by borrowers too, who have a proof.
    function spend(uint256 model, address payee, uint80 fee, uint80 revenue, uint80 platform) public {
        escrow -= uint256(fee) + revenue + platform;
        owed[payee] += fee;
        platformEarned += platform;
        revenueOf[model] += revenue;
        vm.prank(manager);
        ledger.settle(model, payee, fee, revenue, platform);
    }

    function takeEverything() external {
        money.arm(address(0), "");
        uint256[] memory ids = new uint256[](MODELS);
        for (uint256 id = MODELS; id >= 1; --id) {
            ids[id - 1] = id;
            for (uint256 ancestor = 1; ancestor < id; ++ancestor) {
                take(abi.encodeCall(ledger.claimLineage, (id, ancestor)));
            }
        }
        take(abi.encodeCall(ledger.collectPlatform, (ids)));
        take(abi.encodeCall(ledger.claimPart, (4, PayeeKind.STAKERS)));
        take(abi.encodeCall(ledger.claimPart, (4, PayeeKind.CONTRIBUTORS)));
    }

    /// @dev In a transaction after {takeEverything}: shares earn what is inherited from the next one on.
    function takeHolders() external {
        for (uint256 id = 1; id <= MODELS; ++id) {
            if (sharesSupply[id] == 0) take(abi.encodeCall(ledger.claimOwner, (id)));
            for (uint256 i; i <= ACTORS && sharesSupply[id] != 0; ++i) {
                take(abi.encodeCall(ledger.claimShares, (id, holderIn(i))));
            }
        }
        for (uint256 i; i < ACTORS + 4; ++i) {
            address account = accountIn(i);
            if (ledger.credits(account) == 0) continue;
            vm.prank(account);
            ledger.withdraw(address(0x5AFE));
        }
    }

    function ledgerAddress() external view returns (address) {
        return address(ledger);
    }

    function ownerOf(uint256 model) public view returns (address) {
        return registry.ownerOf(model);
    }

    function rateOf(uint256 descendant, uint256 ancestor) public view returns (uint256) {
        return lineage.shareOf(descendant, ancestor);
    }

    /// @dev Lineage and parts.
    function sharedPpmOf(uint256 model) public view returns (uint256) {
        return lineage.totalPpmOf(model) + (model == 4 ? 33_333 + 99_999 : 0);
    }

    /// @dev Whoever may have credits.
    function accountIn(uint256 who) public view returns (address) {
        who %= ACTORS + 4;
        if (who < ACTORS) return actors[who];
        return [lender, treasury, CONTRIBUTORS, STAKERS][who - ACTORS];
    }

    /// @dev Whoever may have shares.
    function holderIn(uint256 who) public view returns (address) {
        who %= ACTORS + 1;
        return who < ACTORS ? actors[who] : lender;
    }

    function modelIn(uint256 model) public pure returns (uint256) {
        return model % MODELS + 1;
    }

    function deposit(uint256 amount) private {
        escrow += amount;
        pulled += amount;
        vm.prank(manager);
        ledger.pull(requester, amount);
    }

    /// @dev Ends a transaction: what models earned in it is owed to whoever holds them now.
    function book() private {
        for (uint256 id = 1; id <= MODELS; ++id) {
            for (uint256 ancestor = 1; ancestor < id; ++ancestor) {
                uint256 moved = revenueOf[id] * rateOf(id, ancestor) / 1e6 - ledger.lineageDue(id, ancestor);
                if (moved < royalties[id][ancestor]) broken = "a royalty came back";
                inheritedOf[ancestor] += moved - royalties[id][ancestor];
                royalties[id][ancestor] = moved;
            }
        }
        for (uint256 id = 1; id <= MODELS; ++id) {
            uint256 income = revenueOf[id] - revenueOf[id] * sharedPpmOf(id) / 1e6 + inheritedOf[id];
            uint256 gain = income - _booked[id];
            _booked[id] = income;
            if (gain == 0) continue;
            if (sharesSupply[id] == 0) {
                owed[ownerOf(id)] += gain;
                continue;
            }
            for (uint256 i; i <= ACTORS; ++i) {
                address holder = holderIn(i);
                shareUnits[id][holder] += gain * SharesDouble(ledger.sharesOf(id)).balanceOf(holder);
            }
        }
    }
}
