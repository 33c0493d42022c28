"""rule: the arbiter divides what is held between payee and payer, and takes a bounded fee."""

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
    Terms,
)
from tests.contracts.stage import DAY, UNLIMITED, Contract, Stage, reverts

MAX_FEE = AMOUNT // 20


@pytest.fixture
def disputed(payments: Payments) -> Terms:
    """A payment with a platform's fee of at least 1 %, and an arbiter who may take 5 %."""
    return payments.disputed()


@pytest.mark.parametrize(
    ("payee_amount", "arbiter_fee", "parts"),
    [
        (0, 0, {"payer": AMOUNT}),
        (AMOUNT, 0, {"payee": 99_000_000, "receiver": 1_000_000}),
        (0, MAX_FEE, {"payer": AMOUNT - MAX_FEE, "arbiter": MAX_FEE}),
        (AMOUNT - MAX_FEE, MAX_FEE, {"payee": 94_050_000, "receiver": 950_000, "arbiter": MAX_FEE}),
        (60_000_000, 1, {"payee": 59_400_000, "receiver": 600_000, "payer": 39_999_999, "arbiter": 1}),
        (99, 0, {"payee": 99, "payer": AMOUNT - 99}),  # E33: a fee that rounds to nothing
        (AMOUNT - 1, 1, {"payee": 99_000_000, "receiver": 999_999, "arbiter": 1}),
    ],
)
def test_E38_E42_divides_all_that_is_held(
    payments: Payments, disputed: Terms, payee_amount: int, arbiter_fee: int, parts: dict[str, int]
) -> None:
    since = payments.state(disputed).since
    with payments.moves(escrow=-AMOUNT, **parts):
        receipt = payments.escrow.rule(disputed, payee_amount, arbiter_fee, sender=payments.arbiter)
    divided = {
        "toPayee": parts.get("payee", 0),
        "toPayer": parts.get("payer", 0),
        "arbiterFee": arbiter_fee,
        "fee": parts.get("receiver", 0),
    }
    assert sum(divided.values()) == AMOUNT
    values = {"paymentId": payments.id(disputed), **divided, "byDefault": False}
    assert payments.events(receipt) == [("Ruled", values)]
    assert payments.state(disputed) == (CLOSED, 0, payee_amount, since, 0)


def test_E42_takes_no_more_than_the_terms_allow(payments: Payments, disputed: Terms) -> None:
    for fee in (MAX_FEE + 1, AMOUNT, UNLIMITED):
        with payments.nothing_changes(), reverts("RulingTooHigh", found=fee, allowed=MAX_FEE):
            payments.escrow.rule(disputed, 0, fee, sender=payments.arbiter)
    payments.escrow.rule(disputed, 0, MAX_FEE, sender=payments.arbiter)


@pytest.mark.parametrize("fee", [0, 1, MAX_FEE])
def test_E42_gives_no_more_than_is_held(payments: Payments, disputed: Terms, fee: int) -> None:
    allowed = AMOUNT - fee
    for amount in (allowed + 1, 2**96, UNLIMITED):
        with payments.nothing_changes(), reverts("RulingTooHigh", found=amount, allowed=allowed):
            payments.escrow.rule(disputed, amount, fee, sender=payments.arbiter)
    payments.escrow.rule(disputed, allowed, fee, sender=payments.arbiter)


def test_E42_the_fee_is_of_what_is_held_rounded_down(payments: Payments) -> None:
    terms = payments.with_all(amount=219)
    payments.authorize(terms)
    payments.escrow.capture(terms, 200, 100, sender=payments.payee)
    payments.escrow.dispute(terms, bytes(32), sender=payments.payee)
    with payments.nothing_changes(), reverts("RulingTooHigh", found=1, allowed=0):  # 5 % of 19
        payments.escrow.rule(terms, 0, 1, sender=payments.arbiter)
    payments.escrow.rule(terms, 19, 0, sender=payments.arbiter)
    assert payments.state(terms)[:3] == (CLOSED, 0, 219)


def test_E42_an_arbiter_who_works_for_nothing_takes_nothing(payments: Payments) -> None:
    terms = payments.disputed(max_arbiter_fee_bps=0)
    with payments.nothing_changes(), reverts("RulingTooHigh", found=1, allowed=0):
        payments.escrow.rule(terms, 0, 1, sender=payments.arbiter)
    payments.escrow.rule(terms, 1, 0, sender=payments.arbiter)


@pytest.mark.parametrize("who", ["payer", "payee", "operator", "receiver", "anyone"])
def test_E42_nobody_else_may(payments: Payments, disputed: Terms, who: str) -> None:
    sender = getattr(payments, who)
    with payments.nothing_changes(), reverts("NotAuthorized", caller=sender):
        payments.escrow.rule(disputed, 1, 0, sender=sender)


@pytest.mark.parametrize(("second", "good"), [(-1, True), (0, False), (1, False)])
def test_E41_E20_until_the_timeout(payments: Payments, stage: Stage, disputed: Terms, second: int, good: bool) -> None:
    end = payments.state(disputed).since + TIMEOUT
    stage.at(end + second)
    if good:
        payments.escrow.rule(disputed, 1, 0, sender=payments.arbiter)
    else:
        with payments.nothing_changes(), reverts("RulingEnded", rulingBefore=end, time=end + second):
            payments.escrow.rule(disputed, 1, 0, sender=payments.arbiter)


def test_E43_the_timeout_counts_from_the_dispute_beyond_the_end_of_capture(payments: Payments, stage: Stage) -> None:
    terms = payments.disputed(at=CAPTURE_BEFORE - 1)
    stage.at(CAPTURE_BEFORE - 1 + TIMEOUT - 1)
    payments.escrow.rule(terms, AMOUNT, 0, sender=payments.arbiter)
    assert payments.state(terms).status == CLOSED


def test_refuses_where_nothing_is_disputed(payments: Payments) -> None:
    unknown, held, ruled = payments.with_all(), payments.with_all(), payments.disputed()
    payments.authorize(held)
    payments.escrow.rule(ruled, 1, 0, sender=payments.arbiter)
    for terms, status in ((unknown, NONE), (held, OPEN), (ruled, CLOSED)):
        with payments.nothing_changes(), reverts("NotDisputed", paymentId=payments.id(terms), status=status):
            payments.escrow.rule(terms, 1, 0, sender=payments.arbiter)


@pytest.mark.parametrize("blocked", ["payee", "payer", "arbiter", "receiver"])
def test_E07_a_blocked_party_stops_nobody(payments: Payments, usdc: Contract, stage: Stage, blocked: str) -> None:
    terms = payments.disputed(token=usdc)
    parts = {"payee": 59_400_000, "receiver": 600_000, "payer": 35_000_000, "arbiter": MAX_FEE}
    usdc.blacklist(getattr(payments, blocked), sender=stage.anyone)
    kept = parts.pop(blocked)
    with payments.moves(usdc, escrow=kept - AMOUNT, **parts):
        payments.escrow.rule(terms, 60_000_000, MAX_FEE, sender=payments.arbiter)
    assert payments.claimable(getattr(payments, blocked), usdc) == kept
    usdc.unBlacklist(getattr(payments, blocked), sender=stage.anyone)
    with payments.moves(usdc, escrow=-kept, **{blocked: kept}):
        payments.escrow.claim(getattr(payments, blocked), usdc, sender=payments.anyone)


def test_the_arbiter_may_be_the_platform(payments: Payments) -> None:
    terms = payments.disputed(fee_receiver=payments.arbiter)
    with payments.moves(payee=49_500_000, payer=45_000_000, arbiter=5_500_000, escrow=-AMOUNT):
        payments.escrow.rule(terms, 50_000_000, MAX_FEE, sender=payments.arbiter)


def test_the_end_of_refunds_does_not_stop_a_ruling(payments: Payments, stage: Stage) -> None:
    terms = payments.disputed(ruling_timeout=60 * DAY)
    stage.at(terms.refund_before + DAY)
    payments.escrow.rule(terms, AMOUNT, 0, sender=payments.arbiter)
    assert payments.state(terms).refundable == AMOUNT
