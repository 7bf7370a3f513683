// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";
import {LocalPaymentToken} from "marketplace/src/LocalPaymentToken.sol";
import {RevenueLedger} from "marketplace/src/RevenueLedger.sol";
import {AncestorShare, ILineageRegistry} from "registry/src/ILineageRegistry.sol";
import {ITransferObserver, ModelStatus} from "registry/src/IModelRegistry.sol";
import {Specification} from "tests/contracts/support/Specification.sol";
import {IProtocolAdmin} from "verifier_contracts/src/IProtocolAdmin.sol";

/// @notice What the ledger asks of a model registry, and nothing else.
contract RegistryDouble {
    mapping(uint256 => ModelStatus) public statusOf;
    mapping(uint256 => address) public ownerOf;
    ITransferObserver public observer;

    function observeBy(ITransferObserver observer_) external {
        observer = observer_;
    }

    function set(uint256 modelId, address owner, ModelStatus status) external {
        ownerOf[modelId] = owner;
        statusOf[modelId] = status;
    }

    function sell(uint256 modelId, address to) external {
        observer.beforeModelTransfer(modelId, ownerOf[modelId]);
        ownerOf[modelId] = to;
    }
}

/// @notice Folded shares as a test wants them; effective once the model was PROVEN.
contract LineageDouble {
    RegistryDouble public registry;
    mapping(uint256 => AncestorShare[]) private _shares;

    constructor(RegistryDouble registry_) {
        registry = registry_;
    }

    function add(uint256 modelId, uint256 ancestorId, uint32 ppm) external {
        _shares[modelId].push(AncestorShare(ancestorId, ppm));
    }

    function sharesOf(uint256 modelId) external view returns (AncestorShare[] memory) {
        return _shares[modelId];
    }

    function totalPpmOf(uint256 modelId) external view returns (uint32 ppm) {
        for (uint256 i; i < _shares[modelId].length; ++i) {
            ppm += _shares[modelId][i].ppm;
        }
    }

    function shareOf(uint256 modelId, uint256 ancestorId) external view returns (uint32) {
        for (uint256 i; i < _shares[modelId].length; ++i) {
            if (_shares[modelId][i].modelId == ancestorId) return _shares[modelId][i].ppm;
        }
        return 0;
    }

    function isEffective(uint256 modelId) external view returns (bool) {
        return registry.statusOf(modelId) > ModelStatus.REGISTERED;
    }
}

/// @notice Names a treasury.
contract TreasuryDouble {
    address public treasury;

    constructor(address treasury_) {
        treasury = treasury_;
    }

    function setTreasury(address treasury_) external {
        treasury = treasury_;
    }
}

/// @notice Shares that tell the ledger before they move.
contract SharesDouble is ERC20 {
    IRevenueLedger private immutable LEDGER;
    uint256 private immutable MODEL;

    constructor(IRevenueLedger ledger, uint256 modelId) ERC20("Shares", "SH") {
        LEDGER = ledger;
        MODEL = modelId;
    }

    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }

    function _update(address from, address to, uint256 value) internal override {
        if (from != address(0)) LEDGER.beforeShareTransfer(MODEL, from, balanceOf(from), to, balanceOf(to));
        super._update(from, to, value);
    }
}

/// @notice Says whatever it likes about balances.
contract LyingShares {
    uint256 public balance;

    function lie(uint256 balance_) external {
        balance = balance_;
    }

    function balanceOf(address) external view returns (uint256) {
        return balance;
    }
}

/// @notice Lends shares to whoever calls, for one call.
contract ShareLender {
    function lend(IERC20 shares, uint256 amount, address borrower, bytes calldata errand) external {
        require(shares.transfer(borrower, amount));
        (bool success, bytes memory reason) = borrower.call(errand);
        require(success, string(reason));
        require(shares.transferFrom(borrower, address(this), amount));
    }
}

/// @notice Does a list of calls while it holds what was lent.
contract ShareBorrower {
    constructor(IERC20 shares, address lender) {
        shares.approve(lender, type(uint256).max);
    }

    function run(address[] calldata targets, bytes[] calldata calls) external {
        for (uint256 i; i < targets.length; ++i) {
            (bool success,) = targets[i].call(calls[i]);
            // A claim of nothing reverts; what counts is what is left in the end.
            success;
        }
    }
}

/// @notice Settles for whoever asks, as a job manager does for whoever has a proof.
contract OpenManager {
    RevenueLedger private _ledger;

    function serve(RevenueLedger ledger) external {
        _ledger = ledger;
    }

    function pull(address payer, uint256 amount) external {
        _ledger.pull(payer, amount);
    }

    function settle(uint256 modelId, address prover, uint80 proverFee, uint80 revenue, uint80 platform) external {
        _ledger.settle(modelId, prover, proverFee, revenue, platform);
    }
}

/// @notice A ledger among doubles, and the words to speak of it shortly.
abstract contract LedgerWorld is Specification {
    address internal offerings = address(0x0FFE);
    address internal treasury = address(0x7EA5);
    address internal owner = address(0xA11CE);
    address internal buyer = address(0xB0B);
    address internal prover = address(0xCAFE);
    address internal requester = address(0x9E90);
    address internal stranger = address(0xD00D);

    LocalPaymentToken internal token;
    RegistryDouble internal registry;
    LineageDouble internal lineage;
    TreasuryDouble internal admin;
    RevenueLedger internal ledger;
    address internal manager = address(0x3A6);

    function deployLedger(address manager_) internal {
        token = new LocalPaymentToken();
        registry = new RegistryDouble();
        lineage = new LineageDouble(registry);
        admin = new TreasuryDouble(treasury);
        manager = manager_;
        useToken(IERC20(address(token)));
    }

    function useToken(IERC20 money) internal {
        ledger = new RevenueLedger(
            money, manager, offerings, ILineageRegistry(address(lineage)), IProtocolAdmin(address(admin))
        );
        registry.observeBy(ledger);
    }

    function proven(uint256 modelId) internal {
        registry.set(modelId, owner, ModelStatus.PROVEN);
    }

    /// @dev Tokens of a payer that the ledger may take.
    function fund(address payer, uint256 amount) internal {
        token.mint(payer, amount);
        vm.prank(payer);
        token.approve(address(ledger), type(uint256).max);
    }

    /// @dev Escrow comes in and a settlement pays all of it out.
    function earn(uint256 modelId, uint80 revenue) internal {
        earn(modelId, 0, revenue, 0);
    }

    function earn(uint256 modelId, uint80 proverFee, uint80 revenue, uint80 platform) internal {
        uint256 price = uint256(proverFee) + revenue + platform;
        fund(requester, price);
        vm.prank(manager);
        ledger.pull(requester, price);
        vm.prank(manager);
        ledger.settle(modelId, prover, proverFee, revenue, platform);
    }

    /// @dev Starts shares that are minted to two accounts.
    function share(uint256 modelId, address first, uint256 firstShares, address second, uint256 secondShares)
        internal
        returns (SharesDouble shares)
    {
        shares = new SharesDouble(ledger, modelId);
        shares.mint(first, firstShares);
        shares.mint(second, secondShares);
        vm.prank(offerings);
        ledger.startShares(modelId, address(shares), firstShares + secondShares);
    }

    /// @dev What an account gets by a claim that may find nothing.
    function take(bytes memory claim) internal returns (uint256 amount) {
        (bool success, bytes memory data) = address(ledger).call(claim);
        if (success) return abi.decode(data, (uint256));
        vm.assertEq(bytes32(bytes4(data)), bytes32(IRevenueLedger.NothingToClaim.selector), "the only refusal");
    }
}
