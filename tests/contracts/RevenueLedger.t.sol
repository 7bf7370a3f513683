// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {IRevenueLedger, TransferAuthorization} from "marketplace/src/IRevenueLedger.sol";
import {RevenueLedger} from "marketplace/src/RevenueLedger.sol";
import {ILineageRegistry} from "registry/src/ILineageRegistry.sol";
import {LedgerWorld, OpenManager, SharesDouble} from "tests/contracts/support/LedgerWorld.sol";
import {FeeToken, LyingToken, ReentrantToken} from "tests/contracts/support/TokenDoubles.sol";
import {IProtocolAdmin} from "verifier_contracts/src/IProtocolAdmin.sol";

/// @dev Each call of a test is a transaction of its own: what is fresh is forgotten in between, as on a chain.
/// forge-config: default.isolate = true
contract RevenueLedgerEscrowTest is LedgerWorld {
    uint256 private constant PAYER_KEY = 0xBEEF;
    address private payer = vm.addr(PAYER_KEY);

    function setUp() external {
        deployLedger(address(0x3A6));
        vm.warp(1_800_000_000);
    }

    function test_constructor__addresses_without_code__refused() external {
        IERC20 money = IERC20(address(token));
        ILineageRegistry graph = ILineageRegistry(address(lineage));
        IProtocolAdmin keeper = IProtocolAdmin(address(admin));
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NotAContract.selector, stranger));
        new RevenueLedger(IERC20(stranger), manager, offerings, graph, keeper);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NotAContract.selector, stranger));
        new RevenueLedger(money, manager, offerings, ILineageRegistry(stranger), keeper);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NotAContract.selector, stranger));
        new RevenueLedger(money, manager, offerings, graph, IProtocolAdmin(stranger));
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NotAContract.selector, address(0)));
        new RevenueLedger(money, address(0), offerings, graph, keeper);
    }

    function test_getters__name_the_contracts_of_the_constructor() external view {
        vm.assertEq(address(ledger.token()), address(token), "token");
        vm.assertEq(ledger.jobManager(), manager, "job manager");
        vm.assertEq(ledger.offerings(), offerings, "offerings");
        vm.assertEq(address(ledger.registry()), address(registry), "registry");
        vm.assertEq(address(ledger.lineage()), address(lineage), "lineage");
        vm.assertEq(address(ledger.admin()), address(admin), "admin");
    }

    function test_I2_privileged_functions__any_other_caller__refused() external {
        proven(1);
        TransferAuthorization memory authorization = TransferAuthorization(payer, 0, 1, 0, new bytes(65));
        bytes[5] memory moves = [
            abi.encodeCall(ledger.pull, (requester, 1)),
            abi.encodeCall(ledger.pullAuthorized, (authorization, 1)),
            abi.encodeCall(ledger.pullPermitted, (requester, 1, 1, 27, 0, 0)),
            abi.encodeCall(ledger.credit, (stranger, 1)),
            abi.encodeCall(ledger.settle, (1, stranger, 1, 1, 1))
        ];
        for (uint256 i; i < moves.length; ++i) {
            expectRefusal(manager, moves[i], i % 2 == 0 ? stranger : owner);
            expectRefusal(manager, moves[i], offerings);
        }
        expectRefusal(offerings, abi.encodeCall(ledger.startShares, (1, address(token), 1)), manager);
        expectRefusal(address(registry), abi.encodeCall(ledger.beforeModelTransfer, (1, stranger)), owner);
        expectRefusal(address(0), abi.encodeCall(ledger.beforeShareTransfer, (1, owner, 1, stranger, 1)), stranger);
        SharesDouble shares = share(1, owner, 1, buyer, 1);
        expectRefusal(address(shares), abi.encodeCall(ledger.beforeShareTransfer, (1, owner, 1, stranger, 1)), stranger);
        expectRefusal(
            address(0), abi.encodeCall(ledger.beforeShareTransfer, (2, owner, 1, stranger, 1)), address(shares)
        );
    }

    function test_I1_pull__takes_exactly_the_amount() external {
        fund(requester, 100);
        vm.expectEmit(address(ledger));
        emit IRevenueLedger.Deposited(requester, 60);
        vm.prank(manager);
        ledger.pull(requester, 60);
        vm.assertEq(token.balanceOf(address(ledger)), 60, "escrow");
        vm.assertEq(token.balanceOf(requester), 40, "rest");
    }

    function test_I1_pull__fee_on_transfer_and_lying_tokens__refused() external {
        FeeToken taxed = new FeeToken();
        useToken(taxed);
        taxed.mint(requester, 1000);
        vm.prank(requester);
        taxed.approve(address(ledger), 1000);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.ReceivedAmountMismatch.selector, 1000, 990));
        vm.prank(manager);
        ledger.pull(requester, 1000);

        useToken(new LyingToken());
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.ReceivedAmountMismatch.selector, 1000, 0));
        vm.prank(manager);
        ledger.pull(requester, 1000);
    }

    function test_I5_pullAuthorized__signed_authorization__is_used_once() external {
        token.mint(payer, 200);
        TransferAuthorization memory authorization = authorizationOf(100, "tab");
        vm.prank(manager);
        ledger.pullAuthorized(authorization, 100);
        vm.assertEq(token.balanceOf(address(ledger)), 100, "escrow");
        vm.expectRevert();
        vm.prank(manager);
        ledger.pullAuthorized(authorization, 100);
    }

    function test_I4_pullAuthorized__any_other_field__refused() external {
        token.mint(payer, 1000);
        token.mint(stranger, 1000);
        TransferAuthorization memory signed = authorizationOf(100, "tab");
        for (uint256 field; field < 6; ++field) {
            TransferAuthorization memory changed = TransferAuthorization(
                signed.from, signed.validAfter, signed.validBefore, signed.nonce, signed.signature
            );
            if (field == 0) changed.from = stranger;
            if (field == 1) ++changed.validAfter;
            if (field == 2) --changed.validBefore;
            if (field == 3) changed.nonce = keccak256("other");
            if (field == 4) changed.signature = flipped(signed.signature, 7);
            vm.expectRevert();
            vm.prank(manager);
            ledger.pullAuthorized(changed, field == 5 ? 101 : 100);
        }
        signed.signature = bytes.concat(signed.signature, hex"00");
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.SignatureRefused.selector, 66));
        vm.prank(manager);
        ledger.pullAuthorized(signed, 100);
    }

    function test_pullPermitted__permit__gives_the_allowance() external {
        token.mint(payer, 100);
        (uint8 v, bytes32 r, bytes32 s) = permitOf(100);
        vm.prank(manager);
        ledger.pullPermitted(payer, 100, block.timestamp, v, r, s);
        vm.assertEq(token.balanceOf(address(ledger)), 100, "escrow");
    }

    function test_pullPermitted__permit_used_by_a_stranger_before__still_pulls() external {
        token.mint(payer, 100);
        (uint8 v, bytes32 r, bytes32 s) = permitOf(100);
        vm.prank(stranger);
        token.permit(payer, address(ledger), 100, block.timestamp, v, r, s);
        vm.prank(manager);
        ledger.pullPermitted(payer, 100, block.timestamp, v, r, s);
        vm.assertEq(token.balanceOf(address(ledger)), 100, "escrow");
    }

    function test_pullPermitted__no_valid_permit_and_no_allowance__refused() external {
        token.mint(payer, 100);
        (uint8 v, bytes32 r, bytes32 s) = permitOf(99);
        vm.expectRevert();
        vm.prank(manager);
        ledger.pullPermitted(payer, 100, block.timestamp, v, r, s);
    }

    function test_withdraw__credits_go_where_their_account_says_and_never_twice() external {
        earn(1, 70, 20, 10);
        vm.prank(manager);
        ledger.credit(requester, 0);
        vm.expectEmit(address(ledger));
        emit IRevenueLedger.Withdrawn(prover, stranger, 70);
        vm.prank(prover);
        vm.assertEq(ledger.withdraw(stranger), 70, "amount");
        vm.assertEq(token.balanceOf(stranger), 70, "received");
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NothingToWithdraw.selector, prover));
        vm.prank(prover);
        ledger.withdraw(prover);
        vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.NothingToWithdraw.selector, requester));
        vm.prank(requester);
        ledger.withdraw(requester);
    }

    function test_withdraw__to_nobody_or_the_ledger__refused() external {
        earn(1, 70, 0, 0);
        address[2] memory refused = [address(0), address(ledger)];
        for (uint256 i; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRevenueLedger.ReceiverRefused.selector, refused[i]));
            vm.prank(prover);
            ledger.withdraw(refused[i]);
        }
    }

    function test_I1_withdraw__token_refuses__credit_stays() external {
        earn(1, 70, 0, 0);
        bytes memory code = address(token).code;
        vm.etch(address(token), hex"60006000fd");
        vm.expectRevert();
        vm.prank(prover);
        ledger.withdraw(prover);
        vm.etch(address(token), code);
        vm.prank(prover);
        vm.assertEq(ledger.withdraw(prover), 70, "amount");
    }

    function test_I1_donation__is_never_counted() external {
        proven(1);
        token.mint(address(ledger), 12345);
        earn(1, 50, 30, 20);
        ledger.claimOwner(1);
        uint256[] memory ids = new uint256[](1);
        ids[0] = 1;
        ledger.collectPlatform(ids);
        address[3] memory payees = [prover, owner, treasury];
        for (uint256 i; i < 3; ++i) {
            vm.prank(payees[i]);
            ledger.withdraw(payees[i]);
        }
        vm.assertEq(token.balanceOf(address(ledger)), 12345, "the donation is nobody's");
    }

    function test_I1_token_that_calls_back__withdraws_and_pulls_nothing_twice() external {
        OpenManager door = new OpenManager();
        manager = address(door);
        ReentrantToken hostile = new ReentrantToken();
        useToken(hostile);
        door.serve(ledger);
        hostile.mint(requester, 1000);
        vm.prank(requester);
        hostile.approve(address(ledger), type(uint256).max);
        // A nested pull would be measured twice.
        hostile.arm(address(door), abi.encodeCall(door.pull, (requester, 10)));
        door.pull(requester, 100);
        expectGuard(hostile);
        vm.assertEq(hostile.balanceOf(address(ledger)), 100, "escrow");

        door.settle(1, address(hostile), 60, 0, 0);
        door.settle(1, prover, 40, 0, 0);
        // The token itself has credits, which it takes while somebody else's are paid.
        hostile.arm(address(ledger), abi.encodeCall(ledger.withdraw, (stranger)));
        vm.prank(prover);
        ledger.withdraw(prover);
        expectGuard(hostile);
        hostile.arm(address(door), abi.encodeCall(door.pull, (requester, 10)));
        vm.prank(address(hostile));
        ledger.withdraw(stranger);
        expectGuard(hostile);
        vm.assertEq(hostile.succeeded(), 0, "no call came through");
        vm.assertEq(hostile.balanceOf(stranger) + hostile.balanceOf(prover), 100, "paid once");
    }

    function expectGuard(ReentrantToken hostile) private view {
        vm.assertEq(
            hostile.lastRevert(),
            abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector),
            "the guard stopped it"
        );
    }

    function expectRefusal(address expected, bytes memory move, address caller) private {
        vm.prank(caller);
        (bool success, bytes memory reason) = address(ledger).call(move);
        vm.assertFalse(success, "refused");
        vm.assertEq(reason, abi.encodeWithSelector(IRevenueLedger.NotAllowed.selector, caller, expected), "reason");
    }

    function authorizationOf(uint256 amount, bytes32 nonce) private view returns (TransferAuthorization memory) {
        uint256 before = block.timestamp + 1 hours;
        bytes32 digest = typed(
            abi.encode(
                keccak256(
                    "ReceiveWithAuthorization(address from,address to,uint256 value,uint256 validAfter,uint256 validBefore,bytes32 nonce)"
                ),
                payer,
                address(ledger),
                amount,
                1,
                before,
                nonce
            )
        );
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(PAYER_KEY, digest);
        return TransferAuthorization(payer, 1, before, nonce, abi.encodePacked(r, s, v));
    }

    function permitOf(uint256 amount) private view returns (uint8 v, bytes32 r, bytes32 s) {
        bytes32 digest = typed(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                payer,
                address(ledger),
                amount,
                token.nonces(payer),
                block.timestamp
            )
        );
        return vm.sign(PAYER_KEY, digest);
    }

    function typed(bytes memory message) private view returns (bytes32) {
        return keccak256(abi.encodePacked(hex"1901", token.DOMAIN_SEPARATOR(), keccak256(message)));
    }
}
