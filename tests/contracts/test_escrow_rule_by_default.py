"""ruleByDefault: where the arbiter did not rule in time, anyone divides what is held as the terms say."""

from __future__ import annotations

import pytest

from tests.contracts.payments import (
    AMOUNT,
    CAPTURE_BEFORE,
    CLOSED,
    NONE,
    OPEN,
    TIMEOUT,
    Payments,
)
from tests.contracts.stage import DAY, Contract, Stage, reverts


@pytest.mark.parametrize("who", ["payer", "payee", "anyone", "arbiter"])
def test_E41_divides_as_the_terms_say(payments: Payments, stage: Stage, who: str) -> None:
    terms = payments.disputed()
    stage.at(stage.now + TIMEOUT)
    with payments.moves(payee=24_750_000, receiver=250_000, payer=75_000_000, escrow=-AMOUNT):
        receipt = payments.escrow.ruleByDefault(terms, sender=getattr(payments, who))
    values = {"toPayee": 24_750_000, "toPayer": 75_000_000, "arbiterFee": 0, "fee": 250_000, "byDefault": True}
    assert payments.events(receipt) == [("Ruled", {"paymentId": payments.id(terms)} | values)]
    assert payments.state(terms)[:3] == (CLOSED, 0, 25_000_000)


@pytest.mark.parametrize(
    ("payee_bps", "to_payee"), [(0, 0), (1, 9), (3_333, 33_326), (5_000, 49_994), (9_999, 99_979), (10_000, 99_989)]
)
def test_E41_E38_the_payees_part_is_rounded_down_and_the_payer_receives_the_rest(
    payments: Payments, stage: Stage, payee_bps: int, to_payee: int
) -> None:
    terms = payments.disputable(default_payee_bps=payee_bps, amount=99_989)
    payments.authorize(terms)
    payments.escrow.dispute(terms, bytes(32), sender=payments.payee)
    stage.at(stage.now + TIMEOUT)
    parts = {name: units for name, units in (("payee", to_payee), ("payer", 99_989 - to_payee)) if units}
    with payments.moves(escrow=-99_989, **parts):
        payments.escrow.ruleByDefault(terms, sender=payments.anyone)


def test_E41_of_what_is_left(payments: Payments, stage: Stage) -> None:
    terms = payments.with_all()
    payments.authorize(terms)
    payments.escrow.capture(terms, 60_000_000, 100, sender=payments.payee)
    payments.escrow.dispute(terms, bytes(32), sender=payments.payer)
    stage.at(stage.now + TIMEOUT)
    with payments.moves(payee=9_900_000, receiver=100_000, payer=30_000_000, escrow=-40_000_000):
        payments.escrow.ruleByDefault(terms, sender=payments.anyone)
    assert payments.state(terms).refundable == 70_000_000


@pytest.mark.parametrize(("second", "good"), [(-1, False), (0, True), (1, True)])
def test_E41_E20_from_the_timeout_on(payments: Payments, stage: Stage, second: int, good: bool) -> None:
    terms = payments.disputed(at=CAPTURE_BEFORE - 1)
    end = CAPTURE_BEFORE - 1 + TIMEOUT
    stage.at(end + second)
    if good:
        payments.escrow.ruleByDefault(terms, sender=payments.anyone)
        return
    with payments.nothing_changes(), reverts("RulingNotEnded", rulingBefore=end, time=end - 1):
        payments.escrow.ruleByDefault(terms, sender=payments.payer)


def test_E28_the_longest_timeout(payments: Payments, stage: Stage) -> None:
    longest = 2**32 - 1
    terms = payments.disputed(ruling_timeout=longest)
    stage.at(payments.state(terms).since + longest)
    payments.escrow.ruleByDefault(terms, sender=payments.anyone)


def test_refuses_where_nothing_is_disputed(payments: Payments, stage: Stage) -> None:
    unknown, held, ruled = payments.with_all(), payments.with_all(), payments.disputed()
    payments.authorize(held)
    payments.escrow.rule(ruled, 1, 0, sender=payments.arbiter)
    stage.at(stage.now + TIMEOUT + DAY)
    for terms, status in ((unknown, NONE), (held, OPEN), (ruled, CLOSED)):
        with payments.nothing_changes(), reverts("NotDisputed", paymentId=payments.id(terms), status=status):
            payments.escrow.ruleByDefault(terms, sender=payments.anyone)


def test_E07_a_blocked_party_stops_nobody(payments: Payments, usdc: Contract, stage: Stage) -> None:
    terms = payments.disputed(token=usdc)
    stage.at(stage.now + TIMEOUT)
    usdc.blacklist(payments.payer, sender=stage.anyone)
    with payments.moves(usdc, payee=24_750_000, receiver=250_000, escrow=-25_000_000):
        payments.escrow.ruleByDefault(terms, sender=payments.anyone)
    assert payments.claimable(payments.payer, usdc) == 75_000_000
