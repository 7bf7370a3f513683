// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice Passes calls on, as a wallet, a paymaster or a pool of provers does.
contract Forwarder {
    function forward(address target, bytes calldata call_) external {
        (bool success, bytes memory data) = target.call(call_);
        if (success) return;
        assembly {
            revert(add(data, 0x20), mload(data))
        }
    }
}
