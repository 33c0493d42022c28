// SPDX-License-Identifier: MIT
pragma solidity ^0.8.28;

import {SubscriptionsState} from "./SubscriptionsState.sol";
import {DiscountSlots} from "./libraries/DiscountSlot.sol";
import {PlanWords} from "./libraries/PlanWords.sol";

/// @title SubscriptionsCoupons
/// @notice What payees sign to take something off: what {SubscriptionsConsent} and {SubscriptionsPayer} redeem and
/// {SubscriptionsViews} shows.
abstract contract SubscriptionsCoupons is SubscriptionsState {
    bytes32 private constant COUPON_TYPEHASH = keccak256(
        "Coupon(address payee,address token,uint256 planId,uint256 basisPointsOff,uint256 amountOff,uint256 periods,address payer,uint256 code,uint256 validBefore)"
    );

    function _redeem(
        address payer,
        uint256 planId,
        PlanWords words,
        Coupon calldata coupon,
        bytes calldata signature
    ) internal returns (bytes32 couponHash) {
        if (block.timestamp >= coupon.validBefore) revert SignatureExpired(coupon.validBefore, block.timestamp);
        bool isForPlan = coupon.planId == 0 || coupon.planId == planId;
        bool isForPayer = coupon.payer == address(0) || coupon.payer == payer;
        bool takesOff = coupon.basisPointsOff | coupon.amountOff != 0 && coupon.periods != 0;
        if (!isForPlan || !isForPayer || !takesOff || coupon.basisPointsOff > DiscountSlots.BASIS) {
            revert CouponNotFor(planId, payer);
        }
        couponHash = _couponDigest(coupon, words);
        if (_couponUsed[couponHash][payer]) revert CouponUsed(couponHash, payer);
        if (_isSaltUsed(words.payee(), coupon.code)) revert SaltUsed(words.payee(), coupon.code); // revoked
        _requireSignature(words.payee(), couponHash, signature);
        _couponUsed[couponHash][payer] = true;
    }

    function _discount(uint256 subscriptionId, Coupon calldata coupon, bytes32 couponHash) internal {
        _discounts[subscriptionId] =
            DiscountSlots.pack(coupon.amountOff, coupon.basisPointsOff, coupon.periods, coupon.planId);
        _extras[subscriptionId] = _extras[subscriptionId].withDiscounted(true);
        emit CouponRedeemed(
            subscriptionId,
            couponHash,
            coupon.planId,
            coupon.basisPointsOff,
            coupon.amountOff,
            coupon.periods
        );
    }

    function _couponDigest(Coupon calldata coupon, PlanWords words) internal view returns (bytes32) {
        return _hashTypedDataV4(
            keccak256(
                abi.encode(
                    COUPON_TYPEHASH,
                    words.payee(),
                    words.token(),
                    coupon.planId,
                    coupon.basisPointsOff,
                    coupon.amountOff,
                    coupon.periods,
                    coupon.payer,
                    coupon.code,
                    coupon.validBefore
                )
            )
        );
    }
}
