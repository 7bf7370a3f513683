// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IModelToken, IModelTokenFactory} from "marketplace/src/IModelToken.sol";
import {IRevenueLedger} from "marketplace/src/IRevenueLedger.sol";
import {ModelToken} from "marketplace/src/ModelToken.sol";

/// @title Makes share tokens, so that their code is not the offering's
/// @dev Anybody may have one made; it means nothing unless the offering contract had it made.
contract ModelTokenFactory is IModelTokenFactory {
    /// @inheritdoc IModelTokenFactory
    function create(string calldata name, string calldata symbol, IRevenueLedger ledger, uint256 modelId)
        external
        returns (IModelToken token)
    {
        return new ModelToken(name, symbol, ledger, modelId, msg.sender);
    }
}
