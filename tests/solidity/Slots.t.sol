// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {ExtrasSlot, ExtrasSlots} from "../../contracts/libraries/ExtrasSlot.sol";
import {RegisterSlot} from "../../contracts/libraries/RegisterSlot.sol";
import {SubscriptionSlot, SubscriptionSlots} from "../../contracts/libraries/SubscriptionSlot.sol";
import {ISubscriptionsTypes} from "../../contracts/interfaces/ISubscriptionsTypes.sol";
import {Forge} from "./Forge.sol";

/// @notice A packed slot gives back what was put in, and a part that changes leaves the others as they were.
contract SlotsTest is Forge, ISubscriptionsTypes {
    struct Parts {
        address payer;
        uint256 planId;
        uint256 nextDue;
        bool shifted;
        uint256 charges;
        uint256 anchorDay;
        Status status;
        bool hasExtras;
    }

    function testFuzz_a_subscription(
        address payer,
        uint32 planId,
        uint256 due,
        uint16 charges,
        uint256 anchorDay,
        uint256 status
    ) public pure {
        due = bound(due, 0, 2 ** 39 - 1);
        anchorDay = bound(anchorDay, 1, 31);
        Status set = Status(bound(status, 0, 3));
        uint256 first = charges & 1;
        SubscriptionSlot slot = SubscriptionSlots.open(payer, planId, due, first, anchorDay);
        Parts memory parts = Parts(payer, planId, due, false, first, anchorDay, Status.Active, false);
        _assertParts(slot, parts);

        slot = slot.withStatus(set).withExtras();
        (parts.status, parts.hasExtras) = (set, true);
        _assertParts(slot, parts);

        slot = slot.withShiftedDue(2 ** 39 - 1 - due, 32 - anchorDay);
        (parts.nextDue, parts.shifted, parts.anchorDay) = (2 ** 39 - 1 - due, true, 32 - anchorDay);
        _assertParts(slot, parts);

        _assertChanged(slot, parts, ~planId, charges);

        slot = slot.advance(due, charges);
        (parts.nextDue, parts.shifted, parts.charges) = (due, false, charges);
        _assertParts(slot, parts);

        slot = slot.withDue(2 ** 39 - 1 - due, anchorDay);
        (parts.nextDue, parts.anchorDay) = (2 ** 39 - 1 - due, anchorDay);
        _assertParts(slot, parts);
    }

    /// @dev Another plan, one more charge, and a new period, which takes another place.
    function _assertChanged(SubscriptionSlot slot, Parts memory found, uint32 planId, uint256 charges) private pure {
        Parts memory parts =
            Parts(found.payer, planId, found.nextDue, true, found.charges, found.anchorDay, found.status, true);
        slot = slot.withPlan(planId);
        _assertParts(slot, parts);

        parts.charges = charges == SubscriptionSlots.MAX_CHARGES ? charges : charges + 1;
        slot = slot.withCharges(parts.charges - 1).withOneMoreCharge();
        _assertParts(slot, parts);

        parts.shifted = false;
        _assertParts(slot.withDue(parts.nextDue, parts.anchorDay), parts);
    }

    function _assertParts(SubscriptionSlot slot, Parts memory parts) private pure {
        vm.assertEq(slot.payer(), parts.payer, "payer");
        vm.assertEq(slot.planId(), parts.planId, "plan");
        vm.assertEq(slot.nextDue(), parts.nextDue, "next due");
        vm.assertTrue(slot.isShifted() == parts.shifted, "shifted");
        vm.assertEq(slot.charges(), parts.charges, "charges");
        vm.assertEq(slot.anchorDay(), parts.anchorDay, "anchor day");
        vm.assertEq(uint256(slot.status()), uint256(parts.status), "status");
        vm.assertTrue(slot.isActive() == (parts.status == Status.Active), "active");
        vm.assertTrue(slot.hasExtras() == parts.hasExtras, "extras");
    }

    function testFuzz_extras(uint24 seats, uint96 credit, uint128 history, uint96 used, uint16 charge, uint96 paid)
        public
        pure
    {
        used = uint96(bound(used, 0, credit));
        charge = charge == 0 ? 1 : charge;
        ExtrasSlot slot = ExtrasSlots.pack(seats, credit, history);
        vm.assertEq(slot.credit(), credit, "credit");
        vm.assertEq(slot.history(), history, "history");
        slot = slot.withCreditUsed(charge, uint256(paid) + used, paid);
        vm.assertEq(slot.seats(), seats, "seats");
        vm.assertEq(slot.credit(), credit - used, "what is left of the credit");
        uint256 link = ExtrasSlots.extend(history, charge - 1, uint256(paid) + used, paid);
        vm.assertEq(slot.history(), link, "what was paid is told");
    }

    /// @dev A link is never zero: zero says that nothing was changed.
    function testFuzz_a_history_has_no_zero(uint128 before, uint16 lastCharge, uint96 rate, uint96 paid) public pure {
        uint256 link = ExtrasSlots.extend(before, lastCharge, rate, paid);
        vm.assertTrue(link > 0 && link <= type(uint128).max, "128 bits, not zero");
        vm.assertTrue(link != ExtrasSlots.extend(before, lastCharge, uint256(rate) + 1, paid), "binds the rate");
    }

    function testFuzz_a_register(uint32 opened, uint48 count, uint144 sum) public pure {
        RegisterSlot slot = RegisterSlot.wrap(uint256(opened) << 192).withCharges(count, sum).withArchived();
        if (opened < type(uint32).max) slot = slot.withSubscription();
        vm.assertEq(slot.opened(), opened < type(uint32).max ? uint256(opened) + 1 : opened, "subscriptions");
        vm.assertEq(slot.count(), count, "count");
        vm.assertEq(slot.sum(), sum, "sum");
        vm.assertTrue(slot.hasArchived(), "archived");
    }
}
