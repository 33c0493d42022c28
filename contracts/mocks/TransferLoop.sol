// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

/// @notice The least that collecting from many payers can cost, for the gas benchmark: no consent, no schedule, no
/// checks. Never deploy it where money is real.
contract TransferLoop {
    mapping(uint256 row => uint256) private _slots;

    event Collected(uint256 indexed row, uint256 time, uint256 amount);

    /// @notice transferFrom alone.
    function collect(address token, address to, uint256 amount, address[] calldata payers) external {
        for (uint256 i = 0; i < payers.length; ++i) {
            _transferFrom(token, payers[i], to, amount);
        }
    }

    /// @notice transferFrom, one slot read and written, one event with one topic: what a charge cannot do without.
    function collectAndRecord(address token, address to, uint256 amount, uint256[] calldata rows) external {
        for (uint256 i = 0; i < rows.length; ++i) {
            uint256 slot = _slots[rows[i]];
            _slots[rows[i]] = slot + (1 << 160);
            _transferFrom(token, address(uint160(slot)), to, amount);
            emit Collected(rows[i], block.timestamp, amount);
        }
    }

    /// @notice One new slot, transferFrom, one event with one topic: what a subscription with its first charge cannot
    /// do without.
    function openAndCollect(address token, address to, uint256 amount, uint256 row) external {
        _slots[row] = uint160(msg.sender) + (1 << 160);
        _transferFrom(token, msg.sender, to, amount);
        emit Collected(row, block.timestamp, amount);
    }

    function _transferFrom(address token, address from, address to, uint256 amount) private {
        assembly ("memory-safe") {
            let data := mload(0x40)
            mstore(data, shl(224, 0x23b872dd))
            mstore(add(data, 0x04), from)
            mstore(add(data, 0x24), to)
            mstore(add(data, 0x44), amount)
            if iszero(call(gas(), token, 0, data, 0x64, 0, 0x20)) { revert(0, 0) }
        }
    }
}
