// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

/// @notice The part of forge's cheatcodes that these tests use.
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    /// @dev What the last call used; in an isolated test all of its transaction.
    struct Gas {
        uint64 gasLimit;
        uint64 gasTotalUsed;
        uint64 gasMemoryUsed;
        int64 gasRefunded;
        uint64 gasRemaining;
    }

    function lastCallGas() external view returns (Gas memory gas);
    function warp(uint256 timestamp) external;
    function roll(uint256 blockNumber) external;
    function getNonce(address account) external view returns (uint64 nonce);
    function computeCreateAddress(address deployer, uint256 nonce) external pure returns (address account);
    function mockCall(address target, bytes calldata data, bytes calldata answer) external;
    function mockCallRevert(address target, bytes calldata data, bytes calldata reason) external;
    function clearMockedCalls() external;
    function cool(address target) external;
    function snapshotState() external returns (uint256 id);
    function revertToState(uint256 id) external returns (bool success);
    function chainId(uint256 id) external;
    function prank(address sender) external;
    function prank(address sender, address origin) external;
    function startPrank(address sender) external;
    function startPrank(address sender, address origin) external;
    function stopPrank() external;
    function etch(address target, bytes calldata code) external;
    function assume(bool condition) external pure;
    function addr(uint256 privateKey) external pure returns (address account);
    function sign(uint256 privateKey, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);

    function expectRevert() external;
    function expectPartialRevert(bytes4 selector) external;
    function expectRevert(bytes4 selector) external;
    function expectRevert(bytes calldata data) external;
    function expectEmit(address emitter) external;
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory logs);
    function expectCall(address target, bytes calldata data, uint64 count) external;

    function snapshotGasLastCall(string calldata group, string calldata name) external returns (uint256 gasUsed);
    function snapshotValue(string calldata group, string calldata name, uint256 value) external;

    function assertTrue(bool condition, string calldata claim) external pure;
    function assertFalse(bool condition, string calldata claim) external pure;
    function assertEq(uint256 found, uint256 expected, string calldata claim) external pure;
    function assertEq(int256 found, int256 expected, string calldata claim) external pure;
    function assertEq(address found, address expected, string calldata claim) external pure;
    function assertEq(bytes32 found, bytes32 expected, string calldata claim) external pure;
    function assertEq(bytes calldata found, bytes calldata expected, string calldata claim) external pure;
    function assertEq(string calldata found, string calldata expected, string calldata claim) external pure;
    function assertLe(uint256 found, uint256 bound, string calldata claim) external pure;
    function assertLt(uint256 found, uint256 bound, string calldata claim) external pure;
    function assertGe(uint256 found, uint256 bound, string calldata claim) external pure;
}
