// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC3009} from "@openzeppelin/contracts/token/ERC20/extensions/draft-ERC3009.sol";
import {LocalPaymentToken} from "marketplace/src/LocalPaymentToken.sol";
import {Specification} from "tests/contracts/support/Specification.sol";

contract LocalPaymentTokenTest is Specification {
    uint256 private constant KEY = 0xA11CE;
    address private constant SPENDER = address(0xB0B);

    LocalPaymentToken private token = new LocalPaymentToken();
    address private owner = vm.addr(KEY);

    function setUp() external {
        vm.warp(1_800_000_000);
        token.mint(owner, 100);
    }

    function test_metadata__name_symbol_and_six_decimals() external view {
        vm.assertEq(token.name(), "zkML Local USD", "name");
        vm.assertEq(token.symbol(), "zUSD", "symbol");
        vm.assertEq(token.decimals(), 6, "decimals");
    }

    function testFuzz_constructor__any_chain_but_the_local_ones__refused(uint64 chain) external {
        vm.assume(chain != 31337 && chain != 1337 && chain != 0);
        vm.chainId(chain);
        vm.expectRevert(abi.encodeWithSelector(LocalPaymentToken.NotALocalChain.selector, chain));
        new LocalPaymentToken();
    }

    function test_constructor__chain_1337__accepted() external {
        vm.chainId(1337);
        new LocalPaymentToken();
    }

    function test_mint__by_another_than_the_deployer__refused() external {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, SPENDER));
        vm.prank(SPENDER);
        token.mint(SPENDER, 1);
    }

    function test_permit__signed__allows_once() external {
        bytes32 inner = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                owner,
                SPENDER,
                60,
                token.nonces(owner),
                block.timestamp
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, typed(inner));
        token.permit(owner, SPENDER, 60, block.timestamp, v, r, s);
        vm.assertEq(token.allowance(owner, SPENDER), 60, "allowance");
        vm.expectPartialRevert(ERC20Permit.ERC2612InvalidSigner.selector);
        token.permit(owner, SPENDER, 60, block.timestamp, v, r, s);
    }

    function test_transferWithAuthorization__signed__moves_once() external {
        bytes32 nonce = keccak256("nonce");
        bytes32 inner = keccak256(
            abi.encode(
                keccak256(
                    "TransferWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
                ),
                owner,
                SPENDER,
                40,
                0,
                block.timestamp + 1,
                nonce
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(KEY, typed(inner));
        token.transferWithAuthorization(owner, SPENDER, 40, 0, block.timestamp + 1, nonce, v, r, s);
        vm.assertEq(token.balanceOf(SPENDER), 40, "moved");
        vm.assertTrue(token.authorizationState(owner, nonce), "used");
        vm.expectRevert(abi.encodeWithSelector(ERC3009.ERC3009UsedAuthorization.selector, owner, nonce));
        token.transferWithAuthorization(owner, SPENDER, 40, 0, block.timestamp + 1, nonce, v, r, s);
    }

    function typed(bytes32 inner) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), inner));
    }
}
