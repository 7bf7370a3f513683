// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {Routing} from "tests/contracts/support/Routing.sol";
import {Halo2Yes, SharedKeyDouble, TripleVerifier} from "tests/contracts/support/VerifierDoubles.sol";
import {CircuitSpec, Verdict, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";
import {TensorLayout} from "verifier_contracts/src/TensorLayout.sol";
import {VerifierRouter} from "verifier_contracts/src/VerifierRouter.sol";

/// @notice Everybody who may touch a router, hostile adapters included, and a book of what must be so.
/// @dev No move reverts: what the router refuses is noted, and whether it should have.
contract RouterHandler is Routing {
    struct Book {
        bytes32 entry;
        bytes32 codePin;
        address implementation;
        bool tombstoned;
    }

    uint256 private constant ADAPTERS = 6;
    bytes32 private constant CONTEXT = keccak256("context");

    bytes32[] public circuitIds;
    mapping(bytes32 circuitId => Book) public books;
    mapping(address adapter => bytes) private _code;
    address[] private _adapters;
    SharedKeyDouble private _shared = new SharedKeyDouble();
    uint256 private _keys;

    /// @notice The first rule that was broken; empty while none is.
    string public broken;
    uint256 public accepted;
    uint256 public refused;

    constructor() {
        deployRouting();
        audit(address(_shared));
        for (uint256 i; i < ADAPTERS; ++i) {
            bool isClone = i >= ADAPTERS / 2;
            _adapters.push(isClone ? Clones.clone(address(_shared)) : address(new TripleVerifier()));
            if (!isClone) TripleVerifier(_adapters[i]).accept(CONTEXT, INPUT, OUTPUT, PROOF);
            _code[_adapters[i]] = _adapters[i].code;
        }
        _code[address(_shared)] = address(_shared).code;
        add(0, 0);
        add(ADAPTERS - 1, 1);
    }

    function routerUnderTest() external view returns (VerifierRouter) {
        return router;
    }

    function count() external view returns (uint256) {
        return circuitIds.length;
    }

    function add(uint256 which, uint256 class_) public {
        address adapter = _adapters[which % ADAPTERS];
        bytes32 key = keccak256(abi.encode(++_keys));
        CircuitSpec memory spec = specOf(adapter, key);
        spec.class_ = VerifierClass(1 + class_ % 3);
        bool isWhole = adapter.codehash == keccak256(_code[adapter])
            && address(_shared).codehash == keccak256(_code[address(_shared)]);
        bool isClone = which % ADAPTERS >= ADAPTERS / 2;
        if (isWhole && isClone) SharedKeyDouble(adapter).pin(key, 0, TensorLayout(4, 1, 2, 4), publicConstants());
        try router.add(spec) returns (bytes32 circuitId) {
            if (spec.class_ == VerifierClass.CEREMONY && !(isWhole && isClone)) broken = "a stranger in CEREMONY";
            circuitIds.push(circuitId);
            address implementation =
                isClone && adapter.codehash == keccak256(_code[adapter]) ? address(_shared) : address(0);
            books[circuitId] = Book(keccak256(abi.encode(spec)), pinOf(adapter, implementation), implementation, false);
        } catch {
            if (isWhole && (isClone || spec.class_ != VerifierClass.CEREMONY)) broken = "a good circuit was refused";
        }
    }

    function addAgain(uint256 which, address caller) external {
        CircuitSpec memory spec = router.circuit(circuitOf(which));
        vm.prank(caller);
        try router.add(spec) {
            broken = "an id was used twice";
        } catch {}
    }

    function bury(uint256 which, address caller, bool byGuardian) external {
        bytes32 circuitId = circuitOf(which);
        if (byGuardian) caller = admin.guardian();
        vm.prank(caller);
        try router.tombstone(circuitId, "unsound") {
            if (caller != admin.guardian()) broken = "a tombstone by a stranger";
            if (books[circuitId].tombstoned) broken = "two tombstones";
            books[circuitId].tombstoned = true;
        } catch {
            if (byGuardian && !books[circuitId].tombstoned) broken = "the guardian was refused";
        }
    }

    function attest(uint256 which, address caller, bool rebuilt) external {
        vm.prank(caller);
        router.attest(circuitOf(which), rebuilt ? Verdict.REBUILT : Verdict.REFUTED, CONTEXT, "");
    }

    function rule(uint256 what) external {
        vm.prank(owner);
        if (what % 3 == 0) admin.setGuardian(address(uint160(what)));
        else if (what % 3 == 1) admin.addAuditedVerifier(keccak256(abi.encode(what, ++_keys)));
        else admin.setTreasury(address(uint160(what | 1)));
    }

    /// @dev The adapter turns hostile, by its own code or by another's: always accepting, a delegated account, none.
    function corrupt(uint256 which, uint256 how) external {
        which %= ADAPTERS + 1;
        address target = which == ADAPTERS ? address(_shared) : _adapters[which];
        if (how % 5 == 0) {
            vm.etch(target, _code[target]);
        } else if (how % 5 == 1) {
            vm.etch(target, hex"00");
        } else if (how % 5 == 2) {
            vm.etch(target, abi.encodePacked(hex"ef0100", address(new Halo2Yes())));
        } else if (how % 5 == 3) {
            vm.etch(target, "");
        } else if (which < ADAPTERS / 2 && target.codehash == keccak256(_code[target])) {
            TripleVerifier(target).turn(TripleVerifier.Mood(how % 7));
        }
    }

    function verify(uint256 which, bool trueContext) external {
        bytes32 circuitId = circuitOf(which);
        Book memory book = books[circuitId];
        address adapter = router.circuit(circuitId).adapter;
        try router.verify{gas: 2_000_000}(circuitId, trueContext ? CONTEXT : bytes32(0), INPUT, OUTPUT, PROOF) {
            ++accepted;
            if (book.tombstoned) broken = "accepted in spite of its tombstone";
            if (pinOf(adapter, book.implementation) != book.codePin) broken = "accepted by other code";
        } catch {
            ++refused;
        }
    }

    /// @dev A wrong tensor is refused whatever the adapter says.
    function verifyWrongTensor(uint256 which, uint8 element) external {
        bytes memory input = bytes.concat(hex"0001fe", bytes1(element));
        bool inside = element <= 1 || element >= 0xfe;
        if (inside) input = bytes.concat(input, hex"00");
        try router.verify{gas: 2_000_000}(circuitOf(which), CONTEXT, input, OUTPUT, PROOF) {
            broken = "a wrong tensor was accepted";
        } catch {}
    }

    function circuitOf(uint256 which) public view returns (bytes32) {
        return circuitIds[which % circuitIds.length];
    }

    function pinOf(address adapter, address implementation) public view returns (bytes32) {
        return
            keccak256(abi.encode(adapter.codehash, implementation == address(0) ? bytes32(0) : implementation.codehash));
    }
}
