// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {Billers} from "./Billers.sol";

/// @notice How payers consent at random with conditions and coupons, and state them anew.
abstract contract Consents is Billers {
    uint256 private constant CODES = 12;

    // -------------------------------------------------------------- subscribe

    /// @dev An eighth of the coupons is forged, a fourth of the subscriptions has none.
    function subscribeWithConditions(
        uint256 payerSeed,
        uint256 planSeed,
        uint256 seats,
        uint256 seed,
        uint256 couponSeed
    ) external clocked {
        if (ids.length == SUBSCRIPTIONS) return;
        (address payer, uint256 planId) = (payers[payerSeed % PAYERS], planSeed % plans.length + 1);
        seats = _someSeats(planId, seats);
        askedConditions = _someConditions(planId, seats, seed);
        askedCoupon = _someCoupon(planId, payer, couponSeed);
        bytes memory signature = _couponSignature(planId, couponSeed);
        bool allowed = _mayOpen(payer, planId, seats) && _mayRedeem(payer, planId, couponSeed, true);
        bytes memory data = abi.encodeCall(
            subscriptions.subscribeWithConditions,
            (planId, subscriptions.termsHash(planId), seats, askedConditions, askedCoupon, signature)
        );
        _opensWith("subscribed with conditions", payer, payer, planId, seats, data, allowed);
    }

    /// @dev Of two plans the one is chosen by whom it is submitted; a fourth is signed with another payer's key.
    function submitMandateWithConditions(
        uint256 payerSeed,
        uint256 planSeed,
        uint256 seats,
        uint256 seed,
        uint256 couponSeed,
        uint256 forger
    ) external clocked {
        if (ids.length == SUBSCRIPTIONS) return;
        uint256 planId = planSeed % plans.length + 1;
        seats = _someSeats(planId, seats);
        askedConditions = _someConditions(planId, seats, seed);
        askedCoupon = _someCoupon(planId, payers[payerSeed % PAYERS], couponSeed);
        MandateWithConditions memory mandate = _mandateWith(payerSeed % PAYERS, planId, seats, seed % SALTS, forger);
        bool allowed = forger % 4 > 0 && mandate.validBefore > _now() && !saltUsed[mandate.payer][mandate.salt]
            && _mayOpen(mandate.payer, planId, seats) && _mayRedeem(mandate.payer, planId, couponSeed, true);
        bytes memory signature = _sign(
            (payerSeed % PAYERS + (forger % 4 == 0 ? 1 : 0)) % PAYERS,
            subscriptions.mandateWithConditionsHash(mandate, planId)
        );
        bytes memory data = _submitting(mandate, planId, signature, couponSeed);
        _opensWith("mandate with conditions", address(0xc0ffee), mandate.payer, planId, seats, data, allowed);
    }

    function _mandateWith(uint256 payer, uint256 planId, uint256 seats, uint256 salt, uint256 forger)
        private
        view
        returns (MandateWithConditions memory mandate)
    {
        (mandate.payer, mandate.seats, mandate.conditions) = (payers[payer], seats, askedConditions);
        mandate.plans = new bytes32[](2);
        mandate.plans[forger % 2] = subscriptions.termsHash(planId);
        mandate.plans[1 - forger % 2] = subscriptions.termsHash(planId % plans.length + 1);
        if (askedCoupon.periods > 0) mandate.coupon = subscriptions.couponHash(planId, askedCoupon);
        (mandate.salt, mandate.validBefore) = (salt, forger % 9 == 8 ? _now() : _now() + 1);
    }

    function _submitting(MandateWithConditions memory mandate, uint256 planId, bytes memory signature, uint256 seed)
        private
        view
        returns (bytes memory)
    {
        return abi.encodeCall(
            subscriptions.submitMandateWithConditions,
            (mandate, planId, signature, askedCoupon, _couponSignature(planId, seed))
        );
    }

    /// @dev The first charge, where it is due now, may lack money or a price: then nothing begins.
    function _opensWith(
        string memory what,
        address sender,
        address payer,
        uint256 planId,
        uint256 seats,
        bytes memory data,
        bool allowed
    ) private {
        bytes32 consent = _consent(payer, planId, seats);
        if (allowed) ++consents[consent];
        (bool ok,) = _tries(what, sender, data);
        vm.assertTrue(allowed || !ok, "Inv-1, Inv-18: no subscription without consent");
        if (!ok && allowed) --consents[consent];
    }

    function _mayOpen(address payer, uint256 planId, uint256 seats) private view returns (bool) {
        if (!_isOpenTo(payer, planId, seats)) return false;
        Conditions storage conditions = askedConditions;
        return _termsOf(planId).quoter == address(0) || conditions.maxPerPeriod > 0;
    }

    // -------------------------------------------------------------- conditions

    function setConditions(uint256 idSeed, uint256 seed, uint256 caller) external clocked {
        seed = spread(seed);
        uint256 id = _anyId(idSeed);
        Subscription storage row = rows[id];
        askedConditions = _someConditions(row.planId, row.seats, seed);
        address sender = _senderOf(row.payer, caller);
        bool quoted = _termsOf(row.planId).quoter != address(0);
        bool allowed = sender == row.payer && row.status != Status.Cancelled
            && (!quoted || askedConditions.maxPerPeriod > 0);
        _mustDo("conditions set", sender, abi.encodeCall(subscriptions.setConditions, (id, askedConditions)), allowed);
    }

    function redeemCoupon(uint256 idSeed, uint256 couponSeed, uint256 caller) external clocked {
        couponSeed = spread(couponSeed);
        uint256 id = _anyId(idSeed);
        Subscription storage row = rows[id];
        askedCoupon = _someCoupon(row.planId, row.payer, couponSeed);
        address sender = _senderOf(row.payer, caller);
        bytes memory signature = _couponSignature(row.planId, couponSeed);
        bool allowed = sender == row.payer && row.status != Status.Cancelled && !discounts[id].isOn
            && _mayRedeem(row.payer, row.planId, couponSeed, false);
        bytes memory data = abi.encodeCall(subscriptions.redeemCoupon, (id, askedCoupon, signature));
        _mustDo("coupon redeemed", sender, data, allowed);
    }

    /// @dev Half of them have no limit of a kind; the limits lie around what a few periods cost.
    function _someConditions(uint256 planId, uint256 seats, uint256 seed)
        private
        view
        returns (Conditions memory conditions)
    {
        uint256 rate = _rateOf(planId, seats) + _termsOf(planId).usageCap;
        bool quoted = _termsOf(planId).quoter != address(0);
        if (quoted || seed % 2 == 0) conditions.maxPerPeriod = _uint96(rate * (90 + (seed >> 8) % 60) / 100);
        if (seed >> 16 & 1 == 0) conditions.maxTotal = _uint96(rate * ((seed >> 24) % 600) / 100);
        if (seed >> 32 & 3 == 0) conditions.endsAt = uint40(_now() + (seed >> 40) % 100 days);
        if (seed >> 72 & 7 == 0) conditions.startsAt = uint40(_now() + (seed >> 80) % 30 days);
        if (seed >> 112 & 1 == 0) conditions.beneficiary = address(uint160(seed >> 120 & 0xff));
        conditions.byPermit2 = seed >> 136 & 3 == 0;
    }

    function _uint96(uint256 amount) private pure returns (uint96) {
        return amount > type(uint96).max ? type(uint96).max : uint96(amount);
    }

    // ----------------------------------------------------------------- coupons

    /// @dev For any plan or this one, seldom for another plan or payer, or late.
    function _someCoupon(uint256 planId, address payer, uint256 seed) private view returns (Coupon memory coupon) {
        if (seed % 4 == 0) return coupon;
        if (seed >> 8 & 1 == 0) coupon.planId = uint32(seed >> 12 & 7 == 0 ? planId % plans.length + 1 : planId);
        if (seed >> 16 & 3 > 0) coupon.basisPointsOff = uint16((seed >> 24) % 10_002);
        if (seed >> 40 & 1 == 0) coupon.amountOff = uint96((seed >> 48) % 2e7);
        coupon.periods = uint16(1 + (seed >> 80) % 3);
        if (seed >> 96 & 3 == 0) coupon.payer = seed >> 100 & 7 == 0 ? address(0xc0ffee) : payer;
        coupon.code = (seed >> 112) % CODES;
        coupon.validBefore = seed >> 128 & 15 == 0 ? _now() : type(uint256).max;
    }

    function _couponSignature(uint256 planId, uint256 seed) private view returns (bytes memory) {
        uint256 signer;
        while (payees[signer] != _payeeOf(planId)) {
            ++signer;
        }
        bool forged = seed >> 136 & 7 == 0;
        return _sign(PAYERS + (signer + (forged ? 1 : 0)) % PAYEES, subscriptions.couponHash(planId, askedCoupon));
    }

    /// @dev Inv-19: who may redeem `askedCoupon`, and when.
    function _mayRedeem(address payer, uint256 planId, uint256 seed, bool mayBeNone) private view returns (bool) {
        Coupon storage coupon = askedCoupon;
        if (coupon.periods == 0) return mayBeNone;
        if (coupon.basisPointsOff == 0 && coupon.amountOff == 0) return false;
        if (coupon.basisPointsOff > 10_000 || coupon.validBefore <= _now() || seed >> 136 & 7 == 0) return false;
        if (coupon.planId != 0 && coupon.planId != planId) return false;
        if (coupon.payer != address(0) && coupon.payer != payer) return false;
        if (saltUsed[_payeeOf(planId)][coupon.code]) return false;
        return !couponUsed[subscriptions.couponHash(planId, coupon)][payer];
    }
}
