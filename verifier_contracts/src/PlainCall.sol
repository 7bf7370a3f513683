// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Whether the call is the transaction's own: then its calldata is what the transaction carries, and anybody who has
///      the chain's transactions has it. A proof that came any other way (a contract, a paymaster, an EIP-7702 account,
///      which has code and may call itself) stands in no transaction's calldata and must be published in an event, or
///      nobody could ever check it. Not always, because a byte of an event costs 8 gas, and the usual caller has paid
///      for the same byte as calldata. `tx.origin` decides nothing else: neither who may call nor who is paid.
function isPlainCall() view returns (bool) {
    return msg.sender == tx.origin && msg.sender.code.length == 0;
}
