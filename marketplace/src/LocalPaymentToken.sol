// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";

/// @title A payment token for local chains
/// @notice Has what real stablecoins have (6 decimals, ERC-2612 permit, ERC-3009) and no value: it cannot be deployed
///         anywhere else.
contract LocalPaymentToken is ERC20, ERC20Permit, ERC3009, Ownable {
    /// @notice The chain is not a local one (31337 or 1337).
    error NotALocalChain(uint256 chainId);

    uint256 private constant ANVIL_CHAIN_ID = 31337;
    uint256 private constant GANACHE_CHAIN_ID = 1337;

    constructor() ERC20("zkML Local USD", "zUSD") ERC20Permit("zkML Local USD") Ownable(msg.sender) {
        if (block.chainid != ANVIL_CHAIN_ID && block.chainid != GANACHE_CHAIN_ID) revert NotALocalChain(block.chainid);
    }

    /// @notice Makes tokens out of nothing; the deployer may.
    /// @param account who gets them.
    /// @param amount how many, in millionths of a token.
    function mint(address account, uint256 amount) external onlyOwner {
        _mint(account, amount);
    }

    /// @notice As in the stablecoins it stands for.
    /// @inheritdoc ERC20
    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
