// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @dev Ancestors being gathered: the first `length` places of both arrays are used.
struct Gathering {
    uint256[] ids;
    uint256[] ppm;
    uint256 length;
}

/// @title The fold of lineage: what each ancestor is owed of a child's income, all paths together
/// @notice shares(c) = sum over parents p of r(p) * (1 - |shares(p)|) to p itself and r(p) * shares(p) to p's own
///         ancestors. So a parent pays its ancestors out of its own part, and the whole never passes the sum of the rates,
///         whatever the depth. Every term is rounded down to a millionth; terms under one millionth stay with the child.
library LineageFold {
    uint256 internal constant PPM = 1_000_000;

    /// @notice Room for `capacity` ancestors.
    function create(uint256 capacity) internal pure returns (Gathering memory gathering) {
        gathering.ids = new uint256[](capacity);
        gathering.ppm = new uint256[](capacity);
    }

    /// @notice Adds the part `ratePpm * partPpm` to an ancestor, behind the others if it is new.
    function add(Gathering memory gathering, uint256 modelId, uint256 ratePpm, uint256 partPpm) internal pure {
        uint256 ppm = ratePpm * partPpm / PPM;
        if (ppm == 0) return;
        uint256 length = gathering.length;
        for (uint256 i; i < length; ++i) {
            if (gathering.ids[i] == modelId) {
                gathering.ppm[i] += ppm;
                return;
            }
        }
        gathering.ids[length] = modelId;
        gathering.ppm[length] = ppm;
        gathering.length = length + 1;
    }
}
