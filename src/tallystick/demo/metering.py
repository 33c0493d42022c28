"""A customer's program in the year: it pays by the request, over a channel, and the merchant claims once."""

from __future__ import annotations

from dataclasses import dataclass

from tallystick.core.money import Amount
from tallystick.core.period import DAY_S
from tallystick.demo.stage import Stage

DEPOSIT, PRICE_UNITS, ALLOWED = "20.00", 2_500, "5.00"
REQUESTS, AT_ONCE = 1_000, 100


@dataclass(frozen=True, slots=True)
class Metering:
    """How many vouchers there were, what the one claim of them brought, and what went back to the customer."""

    channel_id: bytes
    vouchers: int
    claims: int
    claimed: Amount
    refunded: Amount


def play_metering(stage: Stage) -> Metering:
    """A customer opens a channel and lets a program spend from it, which has no money and pays for each request with a
    voucher. The merchant claims the last of them, and gives back what was not used."""
    customer, program = stage.funded("customer"), stage.funded("program", ether=False)
    stage.give(customer, DEPOSIT)
    merchant, spender = stage.merchant, stage.as_(program)
    channel = stage.as_(customer).open_channel(receiver=merchant.address, token=stage.token, deposit=DEPOSIT)
    spender.adopt_channel(stage.as_(customer).grant_key(channel, program.address, ALLOWED, valid_s=30 * DAY_S))
    rules = merchant.till_rules(tokens=[stage.token])
    paid = 0
    for _ in range(REQUESTS // AT_ONCE):
        vouchers = [spender.sign_voucher(channel, PRICE_UNITS) for _ in range(AT_ONCE)]
        for answer in merchant.accept_vouchers(vouchers, least_units=PRICE_UNITS, rules=rules):
            paid += getattr(answer, "units", 0)
    report = merchant.claim_vouchers(stage.token)
    claimed = sum(row.units for row in report.rows)
    assert claimed == paid, (claimed, paid)
    left = merchant.channel(channel).state.available
    merchant.refund_channel(channel)
    token = merchant.token(stage.token)
    return Metering(channel.channel_id, REQUESTS, len(report.rows), Amount(claimed, token), Amount(left, token))
