// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {IProofVerifier} from "verifier_contracts/src/IProofVerifier.sol";
import {ISharedKeyVerifier} from "verifier_contracts/src/ISharedKeyVerifier.sol";
import {CircuitSpec, VerifierClass} from "verifier_contracts/src/IVerifierRouter.sol";
import {InputDomain, TensorLayout} from "verifier_contracts/src/TensorLayout.sol";

/// @notice Stands for EZKL's generated verifier: answers 1 to exactly the calldata it was told of, reverts empty
///         to all else, or misbehaves as told.
contract Halo2Double {
    bytes32 private _expected;
    bytes private _answer;
    bool private _lies;

    function expect(bytes memory call_) external {
        _expected = keccak256(call_);
    }

    function lie(bytes memory answer) external {
        _lies = true;
        _answer = answer;
    }

    fallback(bytes calldata call_) external returns (bytes memory) {
        if (_lies) return _answer;
        if (keccak256(call_) != _expected) revert();
        return abi.encode(true);
    }
}

/// @notice Answers 1 to everything, as cheaply as can be: what is left of a call's gas is the adapter's and router's.
contract Halo2Yes {
    fallback() external {
        assembly {
            mstore(0, 1)
            return(0, 0x20)
        }
    }
}

/// @notice Stands for EZKL's reusable verifier: knows the keys it was told of, answers to exactly the calldata it was
///         told of, or misbehaves as told.
contract Halo2ReusableDouble {
    mapping(bytes32 digest => bool) public isRegistered;
    uint256 public registrations;
    bytes32 private _expected;
    bytes32 private _digest;
    bytes private _answer;
    bool private _lies;
    bytes32 private _registeredAs;

    function registerVka(bytes32[] memory key) external returns (bytes32 digest) {
        digest = keccak256(abi.encodePacked(key));
        isRegistered[digest] = true;
        ++registrations;
        if (_registeredAs != 0) return _registeredAs;
    }

    function registerAs(bytes32 digest) external {
        _registeredAs = digest;
    }

    function expect(bytes memory call_, bytes32 digest) external {
        _expected = keccak256(call_);
        _digest = digest;
    }

    function lie(bytes memory answer) external {
        _lies = true;
        _answer = answer;
    }

    fallback(bytes calldata call_) external returns (bytes memory) {
        if (_lies) return _answer;
        if (keccak256(call_) != _expected || !isRegistered[_digest]) revert();
        // As EZKL's, the third value does not decode.
        return abi.encodePacked(uint256(1), _digest, type(uint256).max, uint256(7));
    }
}

/// @notice Loops until its gas is gone.
contract Halo2Burner {
    fallback() external {
        while (true) {}
    }
}

/// @notice Tries to write: a STATICCALL ends it.
contract Halo2Writer {
    uint256 private _calls;

    fallback() external {
        ++_calls;
        assembly {
            mstore(0, 1)
            return(0, 0x20)
        }
    }
}

/// @notice An adapter that accepts exactly one (input, output, proof) per context, until it turns hostile.
contract TripleVerifier is IProofVerifier {
    enum Mood {
        HONEST,
        REVERTS,
        JUNK,
        BURNS_GAS,
        LONG_REASON,
        HUGE_ANSWER,
        ACCEPTS_ALL
    }

    error TripleRefused(bytes32 context);

    mapping(bytes32 context => bytes32) private _accepted;
    Mood public mood;

    function accept(bytes32 context, bytes memory input, bytes memory output, bytes memory proof) external {
        _accepted[context] = keccak256(abi.encode(input, output, proof));
    }

    function turn(Mood mood_) external {
        mood = mood_;
    }

    function verify(bytes32 context, bytes calldata input, bytes calldata output, bytes calldata proof) external view {
        if (mood == Mood.REVERTS) revert("out of order");
        if (mood == Mood.JUNK) {
            assembly {
                mstore(0, 1)
                return(0, 0x20)
            }
        }
        if (mood == Mood.LONG_REASON) {
            assembly {
                revert(0, 100000)
            }
        }
        if (mood == Mood.HUGE_ANSWER) {
            assembly {
                return(0, 100000)
            }
        }
        while (mood == Mood.BURNS_GAS) {}
        if (mood == Mood.ACCEPTS_ALL) return;
        if (_accepted[context] != keccak256(abi.encode(input, output, proof))) revert TripleRefused(context);
    }
}

/// @notice What clones of a shared verifier would say, each as it was told; accepts every proof.
contract SharedKeyDouble is ISharedKeyVerifier {
    bytes32 public verifyingKeyDigest;
    bytes32 public weightCommitment;
    TensorLayout private _tensors;
    bytes32[10] private _constants;
    bytes32 private _demanded;

    error AnotherDomain();

    function pin(bytes32 keyDigest, bytes32 weights, TensorLayout memory tensors, bytes32[10] memory constants)
        external
    {
        verifyingKeyDigest = keyDigest;
        weightCommitment = weights;
        _tensors = tensors;
        _constants = constants;
    }

    function tensorLayout() external view returns (TensorLayout memory) {
        return _tensors;
    }

    function ceremonyConstants() external view returns (bytes32[10] memory) {
        return _constants;
    }

    /// @notice Makes it one of a key that says what domain it is for.
    function demand(InputDomain memory domain) external {
        _demanded = keccak256(abi.encode(domain));
    }

    function checkDomain(InputDomain calldata domain) external view {
        if (_demanded != 0 && keccak256(abi.encode(domain)) != _demanded) revert AnotherDomain();
    }

    function verify(bytes32, bytes calldata, bytes calldata, bytes calldata) external view {}
}

/// @notice An adapter without context, as EZKL's is: accepts one triple for any job and payee.
contract BearerVerifier is IProofVerifier {
    error AnotherTriple();

    bytes32 private _accepted;

    function accept(bytes memory input, bytes memory output, bytes memory proof) external {
        _accepted = keccak256(abi.encode(input, output, proof));
    }

    function verify(bytes32, bytes calldata input, bytes calldata output, bytes calldata proof) external view {
        if (_accepted != keccak256(abi.encode(input, output, proof))) revert AnotherTriple();
    }
}

/// @notice An adapter that says how much gas it was given, by refusing with it.
contract GasTeller is IProofVerifier {
    error Given(uint256 gas);

    function verify(bytes32, bytes calldata, bytes calldata, bytes calldata) external view {
        revert Given(gasleft());
    }
}

/// @notice A router in whose eyes every circuit is of one class and one verifying key, and every proof holds: so a test
///         can speak of the class CEREMONY, which the real router does not admit yet.
contract OneKeyRouter {
    VerifierClass private immutable CLASS;
    bytes32 private immutable KEY;

    constructor(VerifierClass class_, bytes32 keyDigest) {
        CLASS = class_;
        KEY = keyDigest;
    }

    function verify(bytes32, bytes32, bytes calldata, bytes calldata, bytes calldata) external pure {}

    function circuit(bytes32) external view returns (CircuitSpec memory spec) {
        spec.class_ = CLASS;
        spec.verifyingKeyDigest = KEY;
    }

    function exists(bytes32) external pure returns (bool) {
        return true;
    }

    function expandInput(bytes32, bytes32) external pure returns (bytes memory) {
        return "input";
    }
}
