// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {OctetKey} from "verifier_contracts/src/OctetKey.sol";
import {OctetOpening} from "verifier_contracts/src/OctetOpening.sol";
import {OctetPlan} from "verifier_contracts/src/OctetPlan.sol";
import {OctetRows} from "verifier_contracts/src/OctetRows.sol";
import {SCALAR_ORDER, OctetTranscript} from "verifier_contracts/src/OctetTranscript.sol";

/// @title OCTET's protocol: two sumchecks over committed columns, and one opening
/// @notice Reads the messages of a proof in their order. What depends on the model comes from the key: counts, and the
///         plan, which evaluates the relations.
/// @dev Twin of `circuits/octet/spec/verifier.py`, step by step.
library OctetProtocol {
    /// @notice The first sumcheck's last claim is not what the columns' claims make of its polynomial.
    error FirstSumMismatch(uint256 expected, uint256 found);
    /// @notice The second sumcheck's last claim is not what the final values make of its polynomial.
    error SecondSumMismatch(uint256 expected, uint256 found);

    uint256 private constant R = SCALAR_ORDER;
    /// @dev What {OctetPoints} needs, and a word for a transcript's state in front of points.
    uint256 private constant AREA_BYTES = 0x1a0;

    /// @notice Reverts unless the words of calldata from `from` on prove the statement that `state` began with.
    /// @param base where the key begins in memory, with the frame behind it, which holds the statement's words.
    /// @param state the transcript's state, of the seed.
    /// @param from where the proof begins in calldata; its length was checked.
    function verify(uint256 base, uint256 state, uint256 from) internal view {
        OctetOpening.Claim memory claim = _reserve(base);
        claim.from = from;
        _store(claim.area, state);
        _firstSum(base, claim);
        uint256 kappas = _secondSum(base, claim);
        _combine(base, claim, from, kappas);
        unchecked {
            claim.negatedTau = base + 32 * OctetKey.TAU_WORD;
        }
        OctetOpening.verify(claim);
    }

    /// @dev Takes memory for messages, points and their factors.
    function _reserve(uint256 base) private pure returns (OctetOpening.Claim memory claim) {
        unchecked {
            uint256 shape = OctetKey.word(base, OctetKey.SHAPE_WORD);
            uint256 area;
            assembly ("memory-safe") {
                area := mload(0x40)
            }
            uint256 columns = OctetKey.columns(shape);
            uint256 factors = area + AREA_BYTES + 64 * (columns + OctetOpening.POINTS);
            uint256 end = factors + 32 * (columns + OctetOpening.POINTS + OctetKey.field(shape, OctetKey.FINALS_COUNT));
            assembly ("memory-safe") {
                mstore(0x40, end)
            }
            claim.nu = OctetKey.field(shape, OctetKey.NU);
            claim.area = area;
            claim.points = area + AREA_BYTES;
            claim.factors = factors;
            claim.columns = columns;
        }
    }

    /// @dev Messages R1, R2, the rounds and EV, which end in a claim for every slot of EV. Leaves the claims combined by
    ///      powers of mu.
    function _firstSum(uint256 base, OctetOpening.Claim memory claim) private pure {
        unchecked {
            uint256 state = _load(claim.area);
            uint256 from = claim.from;
            uint256 shape = OctetKey.word(base, OctetKey.SHAPE_WORD);
            uint256 frame = OctetKey.word(base, OctetKey.FRAME_WORD);
            uint256 length = 64 * OctetKey.field(shape, OctetKey.FIRST_COLUMNS);
            state = OctetTranscript.absorb(state, from, length, claim.points);
            from += length;
            uint256 challenge = OctetKey.inFrame(base, frame, OctetKey.ALPHA);
            _store(challenge, state % R);
            if (OctetKey.field(shape, OctetKey.TABLES) != 0) {
                state = OctetTranscript.squeeze(state, challenge + 32, 1);
            }
            length = 64 * OctetKey.field(shape, OctetKey.SECOND_COLUMNS);
            state = OctetTranscript.absorb(state, from, length, claim.points);
            from += length;
            OctetTranscript.powers(
                state % R, OctetKey.place(base, frame, OctetKey.LAMBDA), OctetKey.field(shape, OctetKey.POWERS)
            );
            state = OctetTranscript.squeeze(state, OctetKey.inFrame(base, frame, OctetKey.TAU), claim.nu);

            uint256 value = OctetPlan.run(base, OctetKey.segment(base, OctetKey.AFTER_TAU));
            length = OctetTranscript.FIRST_ROUND_BYTES * claim.nu;
            _store(claim.area, state);
            value = OctetTranscript.firstRounds(
                claim.area, from, from + length, OctetKey.inFrame(base, frame, OctetKey.RHO), value
            );
            from += length;

            uint256 claimed = OctetKey.place(base, frame, OctetKey.EV);
            length = 32 * OctetKey.field(shape, OctetKey.CLAIMS);
            state = OctetTranscript.absorb(_load(claim.area), from, length, claimed);
            claim.from = from + length;
            _store(claim.area, state);
            claim.value =
                OctetTranscript.combine(state % R, claimed, OctetKey.place(base, frame, OctetKey.MU), length / 32);
            uint256 expected = OctetPlan.run(base, OctetKey.segment(base, OctetKey.AFTER_RHO));
            expected = addmod(expected, OctetRows.valueAtRho(base), R);
            if (value != expected) revert FirstSumMismatch(expected, value); // check: first_sum
        }
    }

    /// @dev The rounds and the final values, which end in the claim to open.
    /// @return kappas where the powers of kappa lie.
    function _secondSum(uint256 base, OctetOpening.Claim memory claim) private pure returns (uint256 kappas) {
        unchecked {
            uint256 from = claim.from;
            uint256 shape = OctetKey.word(base, OctetKey.SHAPE_WORD);
            uint256 frame = OctetKey.word(base, OctetKey.FRAME_WORD);
            claim.point = OctetKey.inFrame(base, frame, OctetKey.SIGMA);
            uint256 length = OctetTranscript.SECOND_ROUND_BYTES * claim.nu;
            uint256 value = OctetTranscript.secondRounds(claim.area, from, from + length, claim.point, claim.value);
            from += length;

            uint256 finals = OctetKey.place(base, frame, OctetKey.FINALS);
            length = 32 * OctetKey.field(shape, OctetKey.FINALS_COUNT);
            uint256 state = OctetTranscript.absorb(_load(claim.area), from, length, finals);
            claim.from = from + length;
            _store(claim.area, state);
            kappas = claim.factors + 32 * (claim.columns + OctetOpening.POINTS);
            claim.value = OctetTranscript.combine(state % R, finals, kappas, length / 32);
            uint256 expected = OctetPlan.run(base, OctetKey.segment(base, OctetKey.AFTER_SIGMA));
            uint256 equal = OctetKey.inFrame(base, frame, OctetKey.EQ_RHO_SIGMA) + 32 * claim.nu;
            expected = addmod(expected, mulmod(_load(equal), _load(finals), R), R);
            if (value != expected) revert SecondSumMismatch(expected, value); // check: second_sum
        }
    }

    /// @dev The combination that is opened: every column times mu to its place among the claims at rho, and kappa to its
    ///      place among the finals. Of the columns that the prover sent, Y and V alone have claims elsewhere.
    function _combine(uint256 base, OctetOpening.Claim memory claim, uint256 start, uint256 kappas) private pure {
        uint256 shape = OctetKey.word(base, OctetKey.SHAPE_WORD);
        uint256 powers = OctetKey.place(base, OctetKey.word(base, OctetKey.FRAME_WORD), OctetKey.MU);
        uint256 sent = OctetKey.sentColumns(shape);
        uint256 points = claim.points;
        uint256 factors = claim.factors;
        assembly ("memory-safe") {
            calldatacopy(points, start, shl(6, sent))
            mcopy(factors, powers, shl(5, sent))
        }
        unchecked {
            _addFinal(factors, kappas, OctetKey.field(shape, OctetKey.Y_FINAL));
            _addFinal(factors + 32 * OctetKey.limbColumns(shape), kappas, OctetKey.field(shape, OctetKey.V_FINAL));
            _keyColumns(base, points + 64 * sent, factors + 32 * sent, powers, kappas);
        }
    }

    /// @dev Adds a power of kappa to a column's factor, unless the column has no final value.
    function _addFinal(uint256 factor, uint256 kappas, uint256 place) private pure {
        if (place == 0) return;
        assembly ("memory-safe") {
            mstore(factor, addmod(mload(factor), mload(add(kappas, shl(5, place))), SCALAR_ORDER))
        }
    }

    /// @dev Copies the commitments of the key and works out their factors.
    function _keyColumns(uint256 base, uint256 points, uint256 factors, uint256 powers, uint256 kappas) private pure {
        uint256 places = OctetKey.word(base, OctetKey.PLACES_WORD);
        uint256 descriptors = OctetKey.place(base, places, OctetKey.COLUMN_DESCRIPTORS);
        uint256 commitments = OctetKey.place(base, places, OctetKey.COMMITMENTS);
        uint256 count = OctetKey.field(OctetKey.word(base, OctetKey.SHAPE_WORD), OctetKey.KEY_COLUMNS);
        assembly ("memory-safe") {
            mcopy(points, commitments, shl(6, count))
            for { let i := 0 } lt(i, count) { i := add(i, 1) } {
                let packed := mload(add(descriptors, shl(5, shr(3, i))))
                packed := shr(sub(224, shl(5, and(i, 7))), packed)
                let factor := 0
                // Places among the claims are counted from 1 here, so that 0 says there is none.
                let place := and(shr(16, packed), 0xffff)
                if place { factor := mload(add(powers, shl(5, sub(place, 1)))) }
                place := and(packed, 0xffff)
                if place { factor := addmod(factor, mload(add(kappas, shl(5, place))), SCALAR_ORDER) }
                mstore(add(factors, shl(5, i)), factor)
            }
        }
    }

    function _load(uint256 cursor) private pure returns (uint256 value) {
        assembly ("memory-safe") {
            value := mload(cursor)
        }
    }

    function _store(uint256 to, uint256 value) private pure {
        assembly ("memory-safe") {
            mstore(to, value)
        }
    }
}
