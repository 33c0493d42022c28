"""An order in the year: paid into escrow, delivered in part, disputed, and divided by an arbiter."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.core.money import Amount
from tallystick.core.payment_events import Ruled
from tallystick.core.payment_texts import parse_payment, parse_signed_payment
from tallystick.core.period import DAY_S
from tallystick.demo.stage import Stage

PRICE, CAPTURED, AWARDED, FEE = "250.00", "100.00", "60.00", "5.00"
WINDOW_DAYS, HEARING_DAYS = 3, 2


@dataclass(frozen=True, slots=True)
class Order:
    """How the order ended: what was captured before the dispute, and the parts of the ruling."""

    payment_id: bytes
    captured: Amount
    to_payee: Amount
    to_payer: Amount
    arbiter_fee: Amount


def play_order(stage: Stage) -> Order:
    """A payer without gas money signs terms; the merchant sends them, captures a part, and the two fall out over the
    rest."""
    buyer, arbiter = stage.funded("buyer"), stage.funded("arbiter")
    stage.give(buyer, PRICE)
    merchant = stage.merchant
    offer = merchant.payment_terms(
        payer=buyer.address,
        amount=PRICE,
        token=stage.token,
        arbiter=arbiter.address,
        dispute_window_s=WINDOW_DAYS * DAY_S,
        max_arbiter_fee_bps=500,
    )
    signed = stage.as_(buyer).sign_payment(parse_payment(offer.render()))
    merchant.authorize(parse_signed_payment(signed.render()))
    stage.at(stage.anvil.timestamp + WINDOW_DAYS * DAY_S)
    merchant.capture(offer, CAPTURED)
    stage.as_(buyer).dispute(offer, document=b"the import of 2019 is missing")
    merchant.submit_evidence(offer, b"it was not in the order")
    stage.at(stage.anvil.timestamp + HEARING_DAYS * DAY_S)
    ruled = stage.as_(arbiter).rule(offer, AWARDED, arbiter_fee=FEE).one(Ruled)
    token = merchant.token(stage.token)
    parts = (ruled.to_payee_units, ruled.to_payer_units, ruled.arbiter_fee_units)
    captured = Amount(merchant.units(CAPTURED, stage.token), token)
    return Order(offer.payment_id, captured, *(Amount(units, token) for units in parts))
