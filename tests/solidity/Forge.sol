// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice Forge's cheat codes, those that are used here. A library of them would take longer to compile than our tests.
interface Vm {
    struct Log {
        bytes32[] topics;
        bytes data;
        address emitter;
    }

    function warp(uint256 timestamp) external;
    function prank(address sender) external;
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function etch(address account, bytes calldata code) external;
    function readFile(string calldata path) external view returns (string memory);
    function parseJsonBytes(string calldata json, string calldata key) external pure returns (bytes memory);
    function recordLogs() external;
    function getRecordedLogs() external returns (Log[] memory);
    function snapshotState() external returns (uint256);
    function revertToState(uint256 id) external returns (bool);
    function assertTrue(bool condition, string calldata what) external pure;
    function assertEq(uint256 found, uint256 expected, string calldata what) external pure;
    function assertEq(address found, address expected, string calldata what) external pure;
    function assertEq(bytes32 found, bytes32 expected, string calldata what) external pure;
    function assertLe(uint256 found, uint256 bound, string calldata what) external pure;
}

/// @notice The base of tests and handlers.
abstract contract Forge {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    /// @dev A seed of which each bit is as good as the other: Forge likes small numbers, whose high bits choose nothing.
    function spread(uint256 seed) internal pure returns (uint256) {
        return uint256(keccak256(abi.encode(seed)));
    }

    /// @dev `seed` where it lies in [low, high], else mapped into it.
    function bound(uint256 seed, uint256 low, uint256 high) internal pure returns (uint256) {
        if (low <= seed && seed <= high) return seed;
        return low + seed % (high - low + 1);
    }
}
