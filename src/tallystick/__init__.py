"""Stablecoin billing whose books match the chain.

    from tallystick import Tallystick

`Tallystick` is the way in for applications, `AsyncTallystick` for those with an event loop (`tallystick.client`);
`tallystick.errors` has everything that it raises.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tallystick.client import AsyncTallystick as AsyncTallystick
    from tallystick.client import Tallystick as Tallystick
    from tallystick.config import Config as Config
    from tallystick.core.cancellation import SignedEnd as SignedEnd
    from tallystick.core.cancellation import parse_end as parse_end
    from tallystick.core.channel import Channel as Channel
    from tallystick.core.conditions import Conditions as Conditions
    from tallystick.core.conditions import SignedMandateWithConditions as SignedMandateWithConditions
    from tallystick.core.conditions import parse_any_mandate as parse_any_mandate
    from tallystick.core.coupon import SignedCoupon as SignedCoupon
    from tallystick.core.coupon import parse_coupon as parse_coupon
    from tallystick.core.expected import DepositStatus as DepositStatus
    from tallystick.core.fallback import SignedFallback as SignedFallback
    from tallystick.core.fallback import parse_fallback as parse_fallback
    from tallystick.core.mandate import SignedMandate as SignedMandate
    from tallystick.core.mandate import parse_mandate as parse_mandate
    from tallystick.core.money import Amount as Amount
    from tallystick.core.money import Token as Token
    from tallystick.core.payee_change import SignedPayeeChange as SignedPayeeChange
    from tallystick.core.payee_change import parse_payee_change as parse_payee_change
    from tallystick.core.payer_change import SignedPayerChange as SignedPayerChange
    from tallystick.core.payer_change import parse_payer_change as parse_payer_change
    from tallystick.core.payment import Milestone as Milestone
    from tallystick.core.payment import PaymentStatus as PaymentStatus
    from tallystick.core.payment import PaymentTerms as PaymentTerms
    from tallystick.core.payment_texts import PaymentOffer as PaymentOffer
    from tallystick.core.payment_texts import SignedPayment as SignedPayment
    from tallystick.core.payment_texts import parse_payment as parse_payment
    from tallystick.core.payment_texts import parse_signed_payment as parse_signed_payment
    from tallystick.core.period import Unit as Unit
    from tallystick.core.plan import Plan as Plan
    from tallystick.core.plan_change import SignedPlanChange as SignedPlanChange
    from tallystick.core.plan_change import parse_plan_change as parse_plan_change
    from tallystick.core.quote_texts import SignedCheckout as SignedCheckout
    from tallystick.core.quote_texts import SignedQuote as SignedQuote
    from tallystick.core.quote_texts import parse_checkout as parse_checkout
    from tallystick.core.quote_texts import parse_quote as parse_quote
    from tallystick.core.refund_address import SignedRefundAddress as SignedRefundAddress
    from tallystick.core.refund_address import parse_refund_address as parse_refund_address
    from tallystick.core.spending import Limits as Limits
    from tallystick.core.subscription import DeclineReason as DeclineReason
    from tallystick.core.subscription import Status as Status
    from tallystick.core.subscription import Subscription as Subscription
    from tallystick.core.voucher import Voucher as Voucher
    from tallystick.core.voucher_texts import parse_grant as parse_grant
    from tallystick.core.voucher_texts import parse_voucher as parse_voucher
    from tallystick.core.voucher_texts import render_voucher as render_voucher
    from tallystick.flows.bring import PaymentFunding as PaymentFunding
    from tallystick.flows.change import When as When
    from tallystick.flows.claim_vouchers import ClaimPolicy as ClaimPolicy
    from tallystick.flows.describe import SubscriptionState as SubscriptionState
    from tallystick.flows.describe_payment import PaymentState as PaymentState
    from tallystick.flows.describe_quote import QuoteStatus as QuoteStatus
    from tallystick.flows.fund import Funding as Funding

_HOMES = {
    "Amount": "tallystick.core.money",
    "AsyncTallystick": "tallystick.client",
    "Channel": "tallystick.core.channel",
    "ClaimPolicy": "tallystick.flows.claim_vouchers",
    "Conditions": "tallystick.core.conditions",
    "Config": "tallystick.config",
    "DeclineReason": "tallystick.core.subscription",
    "DepositStatus": "tallystick.core.expected",
    "Funding": "tallystick.flows.fund",
    "Limits": "tallystick.core.spending",
    "Milestone": "tallystick.core.payment",
    "PaymentFunding": "tallystick.flows.bring",
    "PaymentOffer": "tallystick.core.payment_texts",
    "PaymentState": "tallystick.flows.describe_payment",
    "PaymentStatus": "tallystick.core.payment",
    "PaymentTerms": "tallystick.core.payment",
    "Plan": "tallystick.core.plan",
    "QuoteStatus": "tallystick.flows.describe_quote",
    "SignedCheckout": "tallystick.core.quote_texts",
    "SignedCoupon": "tallystick.core.coupon",
    "SignedEnd": "tallystick.core.cancellation",
    "SignedFallback": "tallystick.core.fallback",
    "SignedMandate": "tallystick.core.mandate",
    "SignedMandateWithConditions": "tallystick.core.conditions",
    "SignedPayeeChange": "tallystick.core.payee_change",
    "SignedPayerChange": "tallystick.core.payer_change",
    "SignedPayment": "tallystick.core.payment_texts",
    "SignedPlanChange": "tallystick.core.plan_change",
    "SignedQuote": "tallystick.core.quote_texts",
    "SignedRefundAddress": "tallystick.core.refund_address",
    "Status": "tallystick.core.subscription",
    "Subscription": "tallystick.core.subscription",
    "SubscriptionState": "tallystick.flows.describe",
    "Tallystick": "tallystick.client",
    "Token": "tallystick.core.money",
    "Unit": "tallystick.core.period",
    "Voucher": "tallystick.core.voucher",
    "When": "tallystick.flows.change",
    "parse_any_mandate": "tallystick.core.conditions",
    "parse_checkout": "tallystick.core.quote_texts",
    "parse_coupon": "tallystick.core.coupon",
    "parse_end": "tallystick.core.cancellation",
    "parse_fallback": "tallystick.core.fallback",
    "parse_grant": "tallystick.core.voucher_texts",
    "parse_mandate": "tallystick.core.mandate",
    "parse_payee_change": "tallystick.core.payee_change",
    "parse_payer_change": "tallystick.core.payer_change",
    "parse_payment": "tallystick.core.payment_texts",
    "parse_plan_change": "tallystick.core.plan_change",
    "parse_quote": "tallystick.core.quote_texts",
    "parse_refund_address": "tallystick.core.refund_address",
    "parse_signed_payment": "tallystick.core.payment_texts",
    "parse_voucher": "tallystick.core.voucher_texts",
    "render_voucher": "tallystick.core.voucher_texts",
}
__all__ = [
    "Amount",
    "AsyncTallystick",
    "Channel",
    "ClaimPolicy",
    "Conditions",
    "Config",
    "DeclineReason",
    "DepositStatus",
    "Funding",
    "Limits",
    "Milestone",
    "PaymentFunding",
    "PaymentOffer",
    "PaymentState",
    "PaymentStatus",
    "PaymentTerms",
    "Plan",
    "QuoteStatus",
    "SignedCheckout",
    "SignedCoupon",
    "SignedEnd",
    "SignedFallback",
    "SignedMandate",
    "SignedMandateWithConditions",
    "SignedPayeeChange",
    "SignedPayerChange",
    "SignedPayment",
    "SignedPlanChange",
    "SignedQuote",
    "SignedRefundAddress",
    "Status",
    "Subscription",
    "SubscriptionState",
    "Tallystick",
    "Token",
    "Unit",
    "Voucher",
    "When",
    "parse_any_mandate",
    "parse_checkout",
    "parse_coupon",
    "parse_end",
    "parse_fallback",
    "parse_grant",
    "parse_mandate",
    "parse_payee_change",
    "parse_payer_change",
    "parse_payment",
    "parse_plan_change",
    "parse_quote",
    "parse_refund_address",
    "parse_signed_payment",
    "parse_voucher",
    "render_voucher",
]


def __getattr__(name: str) -> object:
    """Imports what is asked for, and no web3 for a program that only wants to know the version."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
