// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice Keeps one percent of every transfer.
contract FeeToken is ERC20 {
    constructor() ERC20("Fee", "FEE") {}

    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (from != address(0) && to != address(0)) super._update(to, address(0), value / 100);
    }
}

/// @notice Says it transferred and did not.
contract LyingToken is ERC20 {
    constructor() ERC20("Lie", "LIE") {}

    function transferFrom(address, address, uint256) public pure override returns (bool) {
        return true;
    }
}

/// @notice Calls back in the middle of every transfer, and keeps what came of it.
contract ReentrantToken is ERC20 {
    address private _target;
    bytes private _call;
    bytes public lastRevert;
    uint256 public succeeded;

    constructor() ERC20("Reentrant", "RE") {}

    function mint(address account, uint256 amount) external {
        _mint(account, amount);
    }

    function arm(address target, bytes memory call_) external {
        _target = target;
        _call = call_;
    }

    function _update(address from, address to, uint256 value) internal override {
        super._update(from, to, value);
        if (_target == address(0)) return;
        (bool success, bytes memory data) = _target.call(_call);
        if (success) ++succeeded;
        else lastRevert = data;
    }
}
