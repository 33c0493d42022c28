// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

library Permit2Call {
    address internal constant PERMIT2 = 0x000000000022D473030F116dDEE9F6B43aC78BA3;

    function tryTransferFrom(address token, address from, address to, uint256 amount) internal returns (bool ok) {
        (ok,) = PERMIT2.call(abi.encodeWithSelector(0x36c78516, from, to, amount, token));
    }

    function tryAllowance(address token, address owner, address spender) internal view returns (bool ok, uint256 found) {
        bytes memory data;
        (ok, data) = PERMIT2.staticcall(abi.encodeWithSelector(0x927da105, owner, token, spender));
        if (ok) found = uint160(uint256(bytes32(data)));
    }
}
