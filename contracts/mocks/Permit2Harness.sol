// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {IPermit2, Permit2Call} from "../libraries/Permit2Call.sol";

/// @notice The library's functions, open to all, so that a test can be the contract that has an allowance in Permit2.
/// Never deploy it where money is real.
contract Permit2Harness {
    event Outcome(bool ok, uint256 gasUsed);

    function tryTransferFrom(address token, address from, address to, uint256 amount) external returns (bool ok) {
        uint256 gasBefore = gasleft();
        ok = Permit2Call.tryTransferFrom(token, from, to, amount);
        emit Outcome(ok, gasBefore - gasleft());
    }

    function tryAllowance(address token, address owner, address spender)
        external
        view
        returns (bool ok, uint256 allowance)
    {
        return Permit2Call.tryAllowance(token, owner, spender);
    }

    function tryPermit(address owner, IPermit2.PermitSingle calldata permitSingle, bytes calldata signature) external {
        Permit2Call.tryPermit(owner, permitSingle, signature);
    }

    function permit2() external pure returns (address) {
        return Permit2Call.PERMIT2;
    }

    function gasLimit() external pure returns (uint256) {
        return Permit2Call.GAS;
    }
}
