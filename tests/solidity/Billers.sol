// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Payers} from "./Payers.sol";

/// @notice Who charges usage at random: payees, their billers, and those who may not.
abstract contract Billers is Payers {
    /// @dev Mostly of a plan with usage. A third of the callers is anybody; a fourth of the bills is too dear by a unit
    /// of usage, a fourth of any kind; a fourth of the numbers is not the next.
    function chargeUsage(uint256 seed, uint256 amount, uint256 quantity, uint256 caller) external clocked {
        uint256 id = _someMetered(seed);
        PlanTerms storage terms = _termsOf(rows[id].planId);
        address right = caller % 2 == 0 || terms.biller == address(0) ? _payeeOf(rows[id].planId) : terms.biller;
        amount = bound(amount, 0, _usageLeft(id) + 1);
        Bill memory bill = Bill(_senderOf(right, caller / 2), 0, amount, 0, keccak256(abi.encode(seed, caller)));
        bill.chargeNumber = _someNumber(rows[id].charges, uint256(bill.usageHash));
        bill.quantity = _someQuantity(amount, terms.usagePrice, quantity);
        billed[id] = bill;
        _bills(id, bill, bill.sender == _payeeOf(rows[id].planId) ? "usage charged" : "usage charged by a biller");
    }

    function _bills(uint256 id, Bill memory bill, string memory what) private {
        bool allowed = _isBillable(id, bill);
        uint256 before = rows[id].nextDue;
        bytes memory data = abi.encodeCall(
            subscriptions.chargeUsage, (id, bill.chargeNumber, bill.amount, bill.quantity, bill.usageHash)
        );
        (bool ok, bytes memory failure) = _tries(what, bill.sender, data);
        vm.assertTrue(allowed || !ok, "Inv-17: who may charge usage, when, and how much");
        if (ok) vm.assertEq(subscriptions.subscription(id).nextDue, before, "Inv-17: usage moves no due time");
        else if (allowed) _assertLack(failure, _termsOf(rows[id].planId).token);
    }

    /// @dev The next, that of the last charge again, one too far, none, or any.
    function _someNumber(uint256 charges, uint256 seed) private pure returns (uint256) {
        uint256[4] memory wrong = [charges, charges + 2, 0, seed];
        return seed % 16 < 4 ? wrong[seed % 16] : charges + 1;
    }

    /// @dev Just enough for the amount, a unit less, or more.
    function _someQuantity(uint256 amount, uint256 price, uint256 seed) private pure returns (uint256) {
        uint256 enough = price == 0 ? seed % 1e12 : (amount * 1e6 + price - 1) / price;
        if (seed % 4 == 0) return enough == 0 ? 0 : enough - 1;
        if (seed % 4 == 1) return seed;
        return seed % 4 == 2 ? enough : enough + seed / 4 % 1e12;
    }

    function _someMetered(uint256 seed) private view returns (uint256 id) {
        for (uint256 i = 0; i < ids.length && seed % 8 > 0; ++i) {
            id = _anyId(bound(seed, 0, type(uint128).max) + i);
            if (_termsOf(rows[id].planId).usageCap > 0 && rows[id].status == Status.Active) return id;
        }
        return _anyId(seed);
    }
}
