// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Routing} from "tests/contracts/support/Routing.sol";
import {IProtocolAdmin, PlatformTerms} from "verifier_contracts/src/IProtocolAdmin.sol";
import {ProtocolAdmin} from "verifier_contracts/src/ProtocolAdmin.sol";

contract ProtocolAdminTest is Routing {
    function setUp() external {
        deployRouting();
    }

    function test_constructor__what_was_given__stands() external view {
        expectTerms(admin.platformTerms(), PlatformTerms(25_000, 10_000));
        expectTerms(admin.platformCaps(), PlatformTerms(100_000, 1_000_000));
        vm.assertEq(admin.owner(), owner, "owner");
        vm.assertEq(admin.treasury(), treasury, "treasury");
        vm.assertEq(admin.guardian(), guardian, "guardian");
        vm.assertFalse(admin.isAudited(keccak256("code")), "nothing is audited at first");
    }

    function test_constructor__cap_above_a_tenth_or_terms_above_the_cap_or_no_treasury__refused() external {
        vm.expectRevert(
            abi.encodeWithSelector(IProtocolAdmin.PlatformFeeTooHigh.selector, 100_001, 100_000, 5, type(uint80).max)
        );
        new ProtocolAdmin(owner, treasury, guardian, PlatformTerms(0, 0), PlatformTerms(100_001, 5));
        vm.expectRevert(abi.encodeWithSelector(IProtocolAdmin.PlatformFeeTooHigh.selector, 11, 10, 0, 0));
        new ProtocolAdmin(owner, treasury, guardian, PlatformTerms(11, 0), PlatformTerms(10, 0));
        vm.expectRevert(abi.encodeWithSelector(IProtocolAdmin.PlatformFeeTooHigh.selector, 0, 10, 1, 0));
        new ProtocolAdmin(owner, treasury, guardian, PlatformTerms(0, 1), PlatformTerms(10, 0));
        vm.expectRevert(abi.encodeWithSelector(IProtocolAdmin.TreasuryMissing.selector));
        new ProtocolAdmin(owner, address(0), guardian, PlatformTerms(0, 0), PlatformTerms(0, 0));
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0)));
        new ProtocolAdmin(address(0), treasury, guardian, PlatformTerms(0, 0), PlatformTerms(0, 0));
    }

    function testFuzz_setPlatformTerms__within_the_caps__set(uint32 feePpm, uint80 flatFee) external {
        PlatformTerms memory terms =
            PlatformTerms(uint32(within(feePpm, 0, 100_000)), uint80(within(flatFee, 0, 1_000_000)));
        vm.expectEmit(address(admin));
        emit IProtocolAdmin.PlatformTermsSet(terms.feePpm, terms.flatFee);
        vm.prank(owner);
        admin.setPlatformTerms(terms);
        expectTerms(admin.platformTerms(), terms);
    }

    function testFuzz_setPlatformTerms__above_a_cap__refused(uint32 feePpm, uint80 flatFee) external {
        vm.assume(feePpm > 100_000 || flatFee > 1_000_000);
        vm.expectRevert(
            abi.encodeWithSelector(IProtocolAdmin.PlatformFeeTooHigh.selector, feePpm, 100_000, flatFee, 1_000_000)
        );
        vm.prank(owner);
        admin.setPlatformTerms(PlatformTerms(feePpm, flatFee));
    }

    function test_setTreasury_and_setGuardian__by_the_owner__set() external {
        vm.startPrank(owner);
        vm.expectRevert(abi.encodeWithSelector(IProtocolAdmin.TreasuryMissing.selector));
        admin.setTreasury(address(0));
        vm.expectEmit(address(admin));
        emit IProtocolAdmin.TreasurySet(stranger);
        admin.setTreasury(stranger);
        vm.assertEq(admin.treasury(), stranger, "treasury");
        vm.expectEmit(address(admin));
        emit IProtocolAdmin.GuardianSet(address(0));
        admin.setGuardian(address(0));
        vm.assertEq(admin.guardian(), address(0), "nobody may tombstone");
        vm.stopPrank();
    }

    function testFuzz_addAuditedVerifier__once__for_ever(bytes32 codeHash) external {
        vm.assume(codeHash != 0);
        vm.startPrank(owner);
        vm.expectEmit(address(admin));
        emit IProtocolAdmin.VerifierAudited(codeHash);
        admin.addAuditedVerifier(codeHash);
        vm.assertTrue(admin.isAudited(codeHash), "audited");
        vm.expectRevert(abi.encodeWithSelector(IProtocolAdmin.CodeHashRefused.selector, codeHash));
        admin.addAuditedVerifier(codeHash);
        vm.expectRevert(abi.encodeWithSelector(IProtocolAdmin.CodeHashRefused.selector, bytes32(0)));
        admin.addAuditedVerifier(0);
        vm.stopPrank();
    }

    function testFuzz_every_power__by_anybody_but_the_owner__refused(address caller) external {
        vm.assume(caller != owner);
        bytes memory refused = abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, caller);
        vm.startPrank(caller);
        vm.expectRevert(refused);
        admin.setPlatformTerms(PlatformTerms(0, 0));
        vm.expectRevert(refused);
        admin.setTreasury(caller);
        vm.expectRevert(refused);
        admin.setGuardian(caller);
        vm.expectRevert(refused);
        admin.addAuditedVerifier(keccak256("mine"));
        vm.expectRevert(refused);
        admin.transferOwnership(caller);
        vm.expectRevert(refused);
        admin.acceptOwnership();
        vm.stopPrank();
    }

    function test_ownership__handed_over_in_two_steps_and_never_dropped() external {
        vm.prank(owner);
        admin.transferOwnership(stranger);
        vm.assertEq(admin.owner(), owner, "until it is accepted");
        vm.prank(stranger);
        admin.acceptOwnership();
        vm.assertEq(admin.owner(), stranger, "new owner");
        vm.prank(stranger);
        vm.expectRevert(abi.encodeWithSelector(ProtocolAdmin.RenouncingRefused.selector));
        admin.renounceOwnership();
    }

    /// @dev The whole list of what can be called, compared with what the code itself compares a selector with.
    function test_I12_powers__are_these_and_no_other() external view {
        bytes4[16] memory known = [
            admin.setPlatformTerms.selector,
            admin.setTreasury.selector,
            admin.setGuardian.selector,
            admin.addAuditedVerifier.selector,
            admin.transferOwnership.selector,
            admin.acceptOwnership.selector,
            admin.renounceOwnership.selector,
            // Views.
            admin.owner.selector,
            admin.pendingOwner.selector,
            admin.platformTerms.selector,
            admin.platformCaps.selector,
            admin.treasury.selector,
            admin.guardian.selector,
            admin.isAudited.selector,
            // Never reached: what is left is found below to be nothing.
            bytes4(0),
            bytes4(0)
        ];
        bytes memory code = address(admin).code;
        uint256 found;
        for (uint256 i; i + 5 < code.length; ++i) {
            uint8 opcode = uint8(code[i]);
            bool isPush = opcode >= 0x60 && opcode <= 0x7f;
            // PUSH4 selector, EQ: an entry of the dispatcher.
            if (opcode == 0x63 && code[i + 5] == 0x14) {
                vm.assertTrue(has(known, bytes4(word(code, i + 1))), "an unknown selector in the code");
                ++found;
            }
            if (isPush) i += opcode - 0x5f;
        }
        vm.assertEq(found, 14, "selectors in the code");
    }

    function has(bytes4[16] memory known, bytes4 selector) private pure returns (bool) {
        for (uint256 i; i < known.length; ++i) {
            if (known[i] == selector) return selector != 0;
        }
        return false;
    }

    function word(bytes memory code, uint256 at_) private pure returns (bytes32 value) {
        assembly {
            value := mload(add(add(code, 0x20), at_))
        }
    }

    function expectTerms(PlatformTerms memory found, PlatformTerms memory expected) private pure {
        vm.assertEq(abi.encode(found), abi.encode(expected), "terms");
    }
}
