// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IJobManager} from "marketplace/src/IJobManager.sol";
import {JobManager} from "marketplace/src/JobManager.sol";
import {RevenueLedger} from "marketplace/src/RevenueLedger.sol";
import {ITransferObserver} from "registry/src/IModelRegistry.sol";
import {ProverRegistry} from "registry/src/ProverRegistry.sol";
import {Market} from "tests/contracts/support/Market.sol";
import {PlatformTerms} from "verifier_contracts/src/IProtocolAdmin.sol";
import {ProtocolAdmin} from "verifier_contracts/src/ProtocolAdmin.sol";

/// @notice A manager refuses neighbours that do not know one another: what would be lost is found out by nobody later.
contract ReviewDeploymentTest is Market {
    function setUp() external {
        deployMarket();
    }

    function test_constructor__registry_that_tells_another_ledger_of_sales__refused() external {
        // A second ledger for the same registry, whose models' sales it would never hear of.
        deployBeside(admin, address(registry));
    }

    function test_constructor__router_of_another_admin__refused() external {
        PlatformTerms memory none = PlatformTerms(0, 0);
        ProtocolAdmin other = new ProtocolAdmin(stranger, stranger, stranger, none, none);
        uint256 nonce = vm.getNonce(address(this));
        address second = vm.computeCreateAddress(address(this), nonce);
        vm.mockCall(address(registry), abi.encodeWithSignature("observer()"), abi.encode(ITransferObserver(second)));
        deployBeside(other, address(router));
    }

    function deployBeside(ProtocolAdmin named, address blamed) private {
        uint256 nonce = vm.getNonce(address(this));
        address next = vm.computeCreateAddress(address(this), nonce + 2);
        RevenueLedger other = new RevenueLedger(IERC20(address(token)), next, address(0), lineage, named);
        ProverRegistry theirs = new ProverRegistry(IERC20(address(token)), next, named, UNSTAKE_SECONDS);
        vm.expectRevert(abi.encodeWithSelector(IJobManager.NotAContract.selector, blamed));
        new JobManager(other, theirs, defaultTerms());
    }
}
