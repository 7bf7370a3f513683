// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IUniswapV2Pair} from "@uniswap/v2-core/contracts/interfaces/IUniswapV2Pair.sol";
import {IModelToken} from "marketplace/src/IModelToken.sol";
import {InitialModelOffering} from "marketplace/src/InitialModelOffering.sol";
import {VerifierRouter} from "verifier_contracts/src/VerifierRouter.sol";

/// @notice Refuses every call.
contract Refuser {
    fallback() external {
        revert("no");
    }
}

/// @notice Borrows shares for one call, takes their votes, pins, has `call` done to its owner, and claims all it can
///         before it gives the shares back.
contract FlashBorrower {
    address private immutable OWNER = msg.sender;

    function borrow(IModelToken shares, address lender, uint256 amount, bytes calldata call_) external {
        shares.delegate(address(this));
        require(shares.transferFrom(lender, address(this), amount), "loan");
        finish(shares, call_);
        require(shares.transfer(lender, amount), "back");
    }

    /// @dev The pool lends as well, to whoever gives back a little more.
    function borrowFromPool(IUniswapV2Pair pair, IModelToken shares, uint256 amount, bytes calldata call_) external {
        bool first = pair.token0() == address(shares);
        shares.delegate(address(this));
        pair.swap(first ? amount : 0, first ? 0 : amount, address(this), abi.encode(shares, amount, call_));
    }

    function uniswapV2Call(address, uint256, uint256, bytes calldata data) external {
        (IModelToken shares, uint256 amount, bytes memory call_) = abi.decode(data, (IModelToken, uint256, bytes));
        finish(shares, call_);
        require(shares.transfer(msg.sender, amount * 1000 / 997 + 1), "back");
    }

    function finish(IModelToken shares, bytes memory call_) private {
        uint256 id = shares.snapshot();
        (bool done,) = OWNER.call(call_);
        require(done, "call");
        uint256 next = shares.snapshot();
        // Whatever can be claimed would be the borrower's.
        try shares.claim(id) {} catch {}
        try shares.claim(next) {} catch {}
    }
}

/// @notice Buys the last shares only in a block whose seed brings an input that it likes.
contract PickyBuyer {
    bytes32 private constant RELEASE_TAG = keccak256("zkml.release.v1");
    bytes32 public foreseen;

    /// @return bought whether it did.
    function buy(InitialModelOffering offerings, VerifierRouter router, uint256 id, uint64 count)
        external
        returns (bool bought)
    {
        bytes32 seed = keccak256(
            abi.encode(
                RELEASE_TAG,
                block.chainid,
                address(offerings),
                id,
                offerings.offeringOf(id).modelId,
                block.number,
                blockhash(block.number - 1),
                block.prevrandao
            )
        );
        bytes memory input = router.expandInput(offerings.releaseCircuit(id), seed);
        if (input[0] != 0xfe || input[1] != 0xfe) return false;
        foreseen = seed;
        offerings.token().approve(address(offerings), type(uint256).max);
        offerings.reserve(id, count, count);
        return true;
    }
}

/// @notice A holder to whom its token's every transfer is a chance: calls all that it was told to, again and again.
contract Accomplice {
    address[] private _targets;
    bytes[] private _calls;
    uint256 public woken;
    /// @dev The last call that went through.
    bytes public lastDone;

    function plan(address target, bytes calldata call_) external {
        _targets.push(target);
        _calls.push(call_);
    }

    function forget() external {
        delete _targets;
        delete _calls;
        (woken, lastDone) = (0, "");
    }

    function wake() external {
        ++woken;
        for (uint256 i; i < _calls.length; ++i) {
            (bool done,) = _targets[i].call(_calls[i]);
            if (done) lastDone = _calls[i];
        }
    }

    function act(address target, bytes calldata call_) external {
        (bool done, bytes memory data) = target.call(call_);
        if (done) return;
        assembly {
            revert(add(data, 0x20), mload(data))
        }
    }
}
