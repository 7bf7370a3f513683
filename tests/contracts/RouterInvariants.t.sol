// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {RouterHandler} from "tests/contracts/support/RouterHandler.sol";
import {Specification} from "tests/contracts/support/Specification.sol";
import {VerifierRouter} from "verifier_contracts/src/VerifierRouter.sol";

/// @notice What holds of a router after any sequence of moves; the numbers are those of INVARIANTS.md.
contract RouterInvariantsTest is Specification {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    RouterHandler private handler;
    VerifierRouter private router;

    function setUp() external {
        handler = new RouterHandler();
        router = handler.routerUnderTest();
    }

    /// @dev Forge reads these two: the handler's moves are the only calls.
    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](9);
        selectors[0] = handler.add.selector;
        selectors[1] = handler.addAgain.selector;
        selectors[2] = handler.bury.selector;
        selectors[3] = handler.attest.selector;
        selectors[4] = handler.rule.selector;
        selectors[5] = handler.corrupt.selector;
        selectors[6] = handler.verify.selector;
        selectors[7] = handler.verifyWrongTensor.selector;
        selectors[8] = handler.verify.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    function invariant_I14_entries_never_change_and_never_leave() external view {
        for (uint256 i; i < handler.count(); ++i) {
            bytes32 circuitId = handler.circuitIds(i);
            (bytes32 entry,,,) = handler.books(circuitId);
            vm.assertTrue(router.exists(circuitId), "exists");
            vm.assertEq(keccak256(abi.encode(router.circuit(circuitId))), entry, "entry");
        }
    }

    function invariant_I14_tombstones_stand_where_they_were_put_and_nowhere_else() external view {
        for (uint256 i; i < handler.count(); ++i) {
            bytes32 circuitId = handler.circuitIds(i);
            (,,, bool tombstoned) = handler.books(circuitId);
            vm.assertTrue(router.isTombstoned(circuitId) == tombstoned, "tombstone");
        }
    }

    function invariant_I14_no_id_twice_no_other_code_no_buried_circuit() external view {
        vm.assertEq(handler.broken(), "", "rule");
    }
}
