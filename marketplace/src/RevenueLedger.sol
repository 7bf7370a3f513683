// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SlotDerivation} from "@openzeppelin/contracts/utils/SlotDerivation.sol";
import {TransientSlot} from "@openzeppelin/contracts/utils/TransientSlot.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {IRevenueLedger, ModelIncome, Part, PayeeKind} from "marketplace/src/IRevenueLedger.sol";
import {LedgerEscrow} from "marketplace/src/LedgerEscrow.sol";
import {ILineageRegistry} from "registry/src/ILineageRegistry.sol";
import {IModelRegistry, ITransferObserver, ModelStatus} from "registry/src/IModelRegistry.sol";
import {IProtocolAdmin} from "verifier_contracts/src/IProtocolAdmin.sol";

/// @title Escrow, credits and models' income: a settlement writes two slots, everything else is worked out when taken
/// @dev No owner and no setter. How income is split cannot change once there is any: lineage and parts are fixed while
///      a model is REGISTERED, and only PROVEN models have jobs. Of a model's revenue R, floor(R * T) is not the
///      holders', T being lineage and parts together: what waits there is less than one unit for each ancestor and
///      each part, and of the income of shares less than one unit for each holder. All is paid as R grows, whoever
///      claims and how often. This part moves no token: it calls the registries, the admin and, for a balance, the
///      model's shares, and only to read. Totals are uint128 and each settlement adds less than 2^81: 2^47 settlements
///      would be needed to fill one.
contract RevenueLedger is LedgerEscrow {
    using SafeCast for uint256;
    using SlotDerivation for bytes32;
    using TransientSlot for bytes32;
    using TransientSlot for TransientSlot.Uint256Slot;

    /// @dev What is known of a model's money. A settlement touches the first slot and no other.
    /// @param taken of the holders' income: what was credited to owners and to holders of shares.
    /// @param sharedPpm lineage and parts together, as they stood when shares started.
    /// @param startIncome the holders' income when shares started: shares have no part in it.
    struct Book {
        uint128 revenue;
        uint128 platform;
        uint128 inherited;
        uint128 taken;
        address shares;
        uint32 partsPpm;
        uint32 sharedPpm;
        uint128 totalShares;
        uint128 startIncome;
    }

    struct PartBook {
        address receiver;
        uint32 ppm;
        uint256 taken;
    }

    /// @param earned shares times income while they were held, summed up: divided by all shares it is what was earned,
    ///        so that no transfer rounds anything away.
    /// @param checkpoint the income of all shares that `earned` reaches to.
    /// @param taken what was credited.
    /// @param returned what of it was given back.
    struct HolderBook {
        uint256 earned;
        uint128 checkpoint;
        uint128 taken;
        uint128 returned;
    }

    uint256 private constant PPM = 1_000_000;
    uint256 private constant FIRST_PART = uint256(PayeeKind.CONTRIBUTORS);
    uint256 private constant LAST_PART = uint256(type(PayeeKind).max);
    uint256 private constant MAX_PARTS_PPM = 500_000;
    bytes32 private constant FRESH = keccak256("zkml.ledger.fresh.v1");

    address private immutable OFFERINGS;
    IModelRegistry private immutable REGISTRY;
    ILineageRegistry private immutable LINEAGE;
    IProtocolAdmin private immutable ADMIN;

    mapping(uint256 modelId => Book) private _books;
    mapping(uint256 modelId => mapping(PayeeKind kind => PartBook)) private _parts;
    mapping(uint256 modelId => mapping(address holder => HolderBook)) private _holders;
    mapping(uint256 descendantId => mapping(uint256 ancestorId => uint256)) private _inheritedBy;

    /// @param token_ the token that everything is paid in; none that takes a fee or whose balances move by themselves.
    /// @param jobManager_ the job manager, at the address that it will have.
    /// @param offerings_ the offering contract, at the address that it will have, or zero: no shares ever start.
    /// @param lineage_ the lineage, which names the registry.
    /// @param admin_ names the treasury.
    constructor(
        IERC20 token_,
        address jobManager_,
        address offerings_,
        ILineageRegistry lineage_,
        IProtocolAdmin admin_
    ) LedgerEscrow(token_, jobManager_) {
        _checkCode(address(lineage_));
        _checkCode(address(admin_));
        OFFERINGS = offerings_;
        LINEAGE = lineage_;
        REGISTRY = lineage_.registry();
        ADMIN = admin_;
        _checkCode(address(REGISTRY));
    }

    /// @inheritdoc IRevenueLedger
    function settle(uint256 modelId, address prover, uint80 proverFee, uint80 revenue, uint80 platformAmount)
        external
        only(JOB_MANAGER)
    {
        Book storage book = _books[modelId];
        (book.revenue, book.platform) = (book.revenue + revenue, book.platform + platformAmount);
        _freshen(modelId, revenue, 0);
        credits[prover] += proverFee;
        emit RevenueSettled(modelId, prover, proverFee, revenue, platformAmount);
    }

    /// @inheritdoc IRevenueLedger
    function fixParts(uint256 modelId, Part[] calldata parts) external {
        Book storage book = _books[modelId];
        bool open = REGISTRY.statusOf(modelId) == ModelStatus.REGISTERED && book.partsPpm == 0 && parts.length != 0;
        if (!open) revert PartsRefused(modelId);
        address owner = REGISTRY.ownerOf(modelId);
        if (msg.sender != owner) revert NotAllowed(msg.sender, owner);

        uint256 total;
        for (uint256 i; i < parts.length; ++i) {
            Part calldata part = parts[i];
            PartBook storage entry = _parts[modelId][part.kind];
            // The ledger has no use for credits of its own.
            bool sound = part.kind > PayeeKind.HOLDERS && entry.ppm == 0 && part.ppm != 0 && part.receiver != address(0)
                && part.receiver != address(this);
            if (!sound) revert PartsRefused(modelId);
            (entry.receiver, entry.ppm) = (part.receiver, part.ppm);
            total += part.ppm;
        }
        if (total > MAX_PARTS_PPM) revert PartsRefused(modelId);
        book.partsPpm = uint32(total);
        emit PartsFixed(modelId, parts);
    }

    /// @inheritdoc IRevenueLedger
    function claimLineage(uint256 descendantId, uint256 ancestorId) external returns (uint256 amount) {
        amount = lineageDue(descendantId, ancestorId);
        if (amount == 0) revert NothingToClaim(descendantId);

        _inheritedBy[descendantId][ancestorId] += amount;
        _books[ancestorId].inherited += amount.toUint128();
        _freshen(ancestorId, 0, amount);
        emit LineageClaimed(descendantId, ancestorId, amount);
    }

    /// @inheritdoc IRevenueLedger
    function claimOwner(uint256 modelId) external returns (uint256 amount) {
        address shares = _books[modelId].shares;
        if (shares != address(0)) revert WrongHolders(modelId, shares);
        amount = _creditOwner(modelId, REGISTRY.ownerOf(modelId));
        if (amount == 0) revert NothingToClaim(modelId);
    }

    /// @inheritdoc IRevenueLedger
    function claimPart(uint256 modelId, PayeeKind kind) external returns (uint256 amount) {
        amount = partDue(modelId, kind);
        if (amount == 0) revert NothingToClaim(modelId);

        PartBook storage entry = _parts[modelId][kind];
        address receiver = entry.receiver;
        entry.taken += amount;
        credits[receiver] += amount;
        emit PartClaimed(modelId, kind, receiver, amount);
    }

    /// @inheritdoc IRevenueLedger
    function claimShares(uint256 modelId, address holder) public returns (uint256 amount) {
        Book storage book = _books[modelId];
        amount = sharesDue(modelId, holder);
        if (amount == 0) revert NothingToClaim(modelId);

        _holders[modelId][holder].taken += amount.toUint128();
        book.taken += amount.toUint128();
        credits[holder] += amount;
        emit SharesClaimed(modelId, holder, amount);
    }

    /// @inheritdoc IRevenueLedger
    /// @dev Anybody may have claimed for the holder before: what lies in its credits is meant as well, but no more than
    ///      the holder was credited with for these shares.
    function returnShares(uint256 modelId, address holder)
        external
        only(_books[modelId].shares)
        returns (uint256 amount)
    {
        if (sharesDue(modelId, holder) != 0) claimShares(modelId, holder);
        HolderBook storage entry = _holders[modelId][holder];
        amount = Math.min(entry.taken - entry.returned, credits[holder]);
        if (amount == 0) revert NothingToClaim(modelId);

        credits[holder] -= amount;
        entry.returned += amount.toUint128();
        _books[modelId].inherited += amount.toUint128();
        _freshen(modelId, 0, amount);
        emit SharesReturned(modelId, holder, amount);
    }

    /// @inheritdoc IRevenueLedger
    function startShares(uint256 modelId, address shares, uint256 totalShares) external only(OFFERINGS) {
        Book storage book = _books[modelId];
        if (book.shares != address(0)) revert WrongHolders(modelId, book.shares);
        _checkCode(shares);
        if (totalShares == 0) revert NoShares(modelId);
        _creditOwner(modelId, REGISTRY.ownerOf(modelId));

        book.sharedPpm = _sharedPpm(modelId);
        book.shares = shares;
        book.totalShares = totalShares.toUint128();
        book.startIncome = book.taken;
        emit SharesStarted(modelId, shares, totalShares);
    }

    /// @inheritdoc ITransferObserver
    /// @dev Once shares have started nothing is the owner's. Unguarded and without a refusal, so that no model can be
    ///      locked in: what it calls are two reads of the lineage.
    function beforeModelTransfer(uint256 modelId, address from) external only(address(REGISTRY)) {
        if (_books[modelId].shares == address(0)) _creditOwner(modelId, from);
    }

    /// @inheritdoc IRevenueLedger
    function beforeShareTransfer(uint256 modelId, address from, uint256 fromBalance, address to, uint256 toBalance)
        external
        only(_books[modelId].shares)
    {
        uint256 income = _sharesIncome(modelId);
        _touch(modelId, from, fromBalance, income);
        _touch(modelId, to, toBalance, income);
    }

    /// @inheritdoc IRevenueLedger
    function collectPlatform(uint256[] calldata modelIds) external returns (uint256 amount) {
        address treasury = ADMIN.treasury();
        for (uint256 i; i < modelIds.length; ++i) {
            Book storage book = _books[modelIds[i]];
            uint256 part = book.platform;
            if (part == 0) continue;
            book.platform = 0;
            amount += part;
            emit PlatformCollected(modelIds[i], treasury, part);
        }
        if (amount == 0) revert NothingToClaim(modelIds.length == 0 ? 0 : modelIds[0]);
        credits[treasury] += amount;
    }

    /// @inheritdoc IRevenueLedger
    function incomeOf(uint256 modelId) external view returns (ModelIncome memory) {
        Book storage book = _books[modelId];
        return ModelIncome({revenue: book.revenue, platform: book.platform, inherited: book.inherited});
    }

    /// @inheritdoc IRevenueLedger
    function splitOf(uint256 modelId) external view returns (Part[] memory parts) {
        uint256 count = 2;
        for (uint256 kind = FIRST_PART; kind <= LAST_PART; ++kind) {
            if (_parts[modelId][PayeeKind(kind)].ppm != 0) ++count;
        }
        uint32 shared = _sharedPpm(modelId);
        parts = new Part[](count);
        parts[0] = Part(PayeeKind.LINEAGE, shared - _books[modelId].partsPpm, address(0));
        parts[count - 1] = Part(PayeeKind.HOLDERS, uint32(PPM) - shared, address(0));
        for (uint256 kind = LAST_PART; kind >= FIRST_PART; --kind) {
            PartBook storage entry = _parts[modelId][PayeeKind(kind)];
            if (entry.ppm != 0) parts[--count - 1] = Part(PayeeKind(kind), entry.ppm, entry.receiver);
        }
    }

    /// @inheritdoc IRevenueLedger
    function holdersDue(uint256 modelId) external view returns (uint256 amount) {
        return _holdersIncome(modelId) - _books[modelId].taken;
    }

    /// @inheritdoc IRevenueLedger
    function sharesOf(uint256 modelId) external view returns (address shares) {
        return _books[modelId].shares;
    }

    /// @inheritdoc IRevenueLedger
    function offerings() external view returns (address) {
        return OFFERINGS;
    }

    /// @inheritdoc IRevenueLedger
    function registry() external view returns (IModelRegistry) {
        return REGISTRY;
    }

    /// @inheritdoc IRevenueLedger
    function lineage() external view returns (ILineageRegistry) {
        return LINEAGE;
    }

    /// @inheritdoc IRevenueLedger
    function admin() external view returns (IProtocolAdmin) {
        return ADMIN;
    }

    /// @inheritdoc IRevenueLedger
    function lineageDue(uint256 descendantId, uint256 ancestorId) public view returns (uint256 amount) {
        if (!LINEAGE.isEffective(descendantId)) return 0;
        uint256 ppm = LINEAGE.shareOf(descendantId, ancestorId);
        return uint256(_books[descendantId].revenue) * ppm / PPM - _inheritedBy[descendantId][ancestorId];
    }

    /// @inheritdoc IRevenueLedger
    function partDue(uint256 modelId, PayeeKind kind) public view returns (uint256 amount) {
        PartBook storage entry = _parts[modelId][kind];
        if (entry.ppm == 0) revert UnknownPart(modelId, kind);
        return uint256(_books[modelId].revenue) * entry.ppm / PPM - entry.taken;
    }

    /// @inheritdoc IRevenueLedger
    function sharesDue(uint256 modelId, address holder) public view returns (uint256 amount) {
        Book storage book = _books[modelId];
        address shares = book.shares;
        if (shares == address(0)) revert WrongHolders(modelId, shares);
        HolderBook storage entry = _holders[modelId][holder];
        uint256 income = _sharesIncome(modelId);
        uint256 earned = entry.earned + _balanceOf(book, holder) * (income - entry.checkpoint);
        // A share token that lies about balances reaches its own model's income and no other money.
        uint256 due = Math.saturatingSub(earned / book.totalShares, entry.taken);
        return Math.min(due, income + book.startIncome - book.taken);
    }

    /// @dev Credits the owner with what holders have earned and nobody took; zero is no error.
    function _creditOwner(uint256 modelId, address owner) private returns (uint256 amount) {
        Book storage book = _books[modelId];
        amount = _holdersIncome(modelId) - book.taken;
        if (amount == 0) return 0;
        book.taken += amount.toUint128();
        credits[owner] += amount;
        emit OwnerIncomeClaimed(modelId, owner, amount);
    }

    /// @dev Brings a holder up to date before its balance changes.
    function _touch(uint256 modelId, address holder, uint256 balance, uint256 income) private {
        HolderBook storage entry = _holders[modelId][holder];
        if (holder == address(0)) balance = _balanceOf(_books[modelId], holder);
        entry.earned += balance * (income - entry.checkpoint);
        entry.checkpoint = income.toUint128();
    }

    /// @dev Shares that were burned are the zero address's.
    function _balanceOf(Book storage book, address holder) private view returns (uint256) {
        IERC20 shares = IERC20(book.shares);
        if (holder != address(0)) return shares.balanceOf(holder);
        return Math.saturatingSub(book.totalShares, shares.totalSupply());
    }

    /// @dev Remembers, until the transaction ends, what a model's holders cannot have had any part in before it: else
    ///      somebody who borrows shares, settles or claims lineage and gives the shares back would take their income.
    function _freshen(uint256 modelId, uint256 revenue, uint256 inherited) private {
        TransientSlot.Uint256Slot slot = FRESH.deriveMapping(modelId).asUint256();
        slot.tstore(slot.tload() + (revenue | inherited << 128));
    }

    /// @dev All shares' income since they started, without this transaction's: that is for whoever holds at its end.
    function _sharesIncome(uint256 modelId) private view returns (uint256) {
        Book storage book = _books[modelId];
        uint256 fresh = FRESH.deriveMapping(modelId).asUint256().tload();
        uint256 income = _netOf(book.revenue - uint128(fresh), book.sharedPpm) + book.inherited - (fresh >> 128);
        return Math.saturatingSub(income, book.startIncome);
    }

    function _holdersIncome(uint256 modelId) private view returns (uint256) {
        Book storage book = _books[modelId];
        uint256 revenue = book.revenue;
        return revenue == 0 ? book.inherited : _netOf(revenue, _sharedPpm(modelId)) + book.inherited;
    }

    /// @dev What lineage and parts together take of a model's revenue: the same for ever once it has any.
    function _sharedPpm(uint256 modelId) private view returns (uint32) {
        Book storage book = _books[modelId];
        if (book.shares != address(0)) return book.sharedPpm;
        return book.partsPpm + (LINEAGE.isEffective(modelId) ? LINEAGE.totalPpmOf(modelId) : 0);
    }

    function _netOf(uint256 revenue, uint256 sharedPpm) private pure returns (uint256) {
        return revenue - revenue * sharedPpm / PPM;
    }
}
