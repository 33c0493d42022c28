"""Charges of usage through the facade: within the price and the cap that the payer agreed to, for a document's hash."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest
from eth_utils.crypto import keccak

from tallystick import Amount, Status, Tallystick
from tallystick.chain.token import TokenContract
from tallystick.core.change import Segment
from tallystick.core.events import Charged, Refunded, UsageCharged
from tallystick.core.plan import Plan
from tallystick.errors import (
    AllowanceTooLow,
    AnotherChargeIsNext,
    AssetMismatch,
    BalanceTooLow,
    InputError,
    NotActive,
    NotAuthorized,
    RefundTooHigh,
    TermsContradict,
    TrialRunning,
    UnknownSubscription,
    UsageAboveCap,
    UsageEnded,
    UsageTooDear,
    ZeroAmount,
)
from tallystick.flows.history import read_segments
from tests.business import Business
from tests.client.conftest import BILLER, Connect

DAY_S = 86_400
DOCUMENT = b"day,calls\n2026-11-01,600000\n2026-11-02,400000\n"


@pytest.fixture
def biller(as_account: Connect) -> Tallystick:
    return as_account(BILLER)


@pytest.fixture
def metered(merchant: Tallystick, business: Business, biller: Tallystick) -> Plan:
    """10 a month, and at most 5 more for usage at 2.50 for a million."""
    address = biller.address.lower()
    return merchant.create_plan(
        price="10", token=business.token, every=30, unit="day", usage_cap="5", usage_price="2.5", biller=address
    )


def test_a_plan_says_what_usage_may_cost(
    business: Business, merchant: Tallystick, biller: Tallystick, metered: Plan
) -> None:
    terms = metered.terms
    assert (terms.usage_cap_units, terms.usage_price_units, terms.biller) == (5_000_000, 2_500_000, biller.address)
    assert merchant.plan(1) == metered
    assert metered.terms_hash() == business.terms_hash(1)
    token = business.token
    contradictions: list[dict[str, Any]] = [
        {"usage_cap": "5"},
        {"usage_price": "5"},
        {"biller": biller.address},
        {"usage_cap": "5", "usage_price": "1", "max_charges": 3},
        {"usage_cap": "5", "usage_price": "1", "min_charges": 3},
    ]
    for wrong in contradictions:
        with pytest.raises(TermsContradict, match="usage needs a cap and a price"):
            merchant.create_plan(price=1, token=token, **wrong)


def test_biller_and_payee_charge_what_was_used(
    payer: Tallystick, merchant: Tallystick, biller: Tallystick, metered: Plan, tmp_path: Path
) -> None:
    opened = payer.subscribe(metered)
    assert str(payer.usage_left(1)) == "5.000000 USDC"
    sent = biller.charge_usage(1, "2.5", 1_000_000, document=DOCUMENT)
    told, charged = sent.events
    assert told == UsageCharged(1, 2, 1_000_000, keccak(DOCUMENT))
    assert charged == Charged(1, 2, opened.next_due - 30 * DAY_S, opened.next_due, 2_500_000)
    file = tmp_path / "november.csv"
    file.write_bytes(DOCUMENT)
    given: list[dict[str, Any]] = [
        *({"document": file}, {"document": str(file)}),
        *({"usage_hash": keccak(DOCUMENT)}, {"usage_hash": keccak(DOCUMENT).hex()}),
        {"usage_hash": "0x" + keccak(DOCUMENT).hex()},
    ]
    for one in given:
        sent = merchant.charge_usage(1, 10, 4, **one)
        assert sent.one(UsageCharged).usage_hash == keccak(DOCUMENT)
    assert payer.usage_left(1).units == 2_500_000 - 50
    state = payer.subscription(1, history=True)
    assert (state.usage_left_units, state.charges, state.next_due) == (2_500_000 - 50, 7, opened.next_due)
    assert state.next_charge is not None
    assert state.next_charge.amount_units == 10_000_000
    names = [type(entry.event).__name__ for entry in state.history or ()]
    assert names == ["Subscribed", "Charged", *["UsageCharged", "Charged"] * 6]


def test_what_the_payer_did_not_agree_to_is_refused_by_name(
    business: Business, payer: Tallystick, merchant: Tallystick, biller: Tallystick, metered: Plan
) -> None:
    payer.subscribe(metered)
    before = business.anvil.block_number
    with pytest.raises(UsageTooDear, match="so much of it costs at most 2500000: charge at most that") as dear:
        biller.charge_usage(1, "2.500001", 1_000_000, document=DOCUMENT)
    assert (dear.value.found, dear.value.allowed) == (2_500_001, 2_500_000)
    with pytest.raises(UsageAboveCap, match="5000000 are left of what the payer agreed to") as high:
        biller.charge_usage(1, "5.000001", 10**12, document=DOCUMENT)
    assert (high.value.found, high.value.allowed) == (5_000_001, 5_000_000)
    with pytest.raises(NotAuthorized, match="payee or biller state usage"):
        payer.charge_usage(1, 1, 1, document=DOCUMENT)
    with pytest.raises(ZeroAmount):
        biller.charge_usage(1, 0, 1, document=DOCUMENT)
    for attempt in (lambda: biller.charge_usage(7, 1, 1, document=DOCUMENT), lambda: payer.usage_left(7)):
        with pytest.raises(UnknownSubscription):
            attempt()
    other = Amount(1, dataclasses.replace(payer.token(business.token), symbol="EURC"))
    with pytest.raises(AssetMismatch):
        biller.charge_usage(1, other, 1, document=DOCUMENT)
    assert business.anvil.block_number == before
    biller.charge_usage(1, "5", 10**12, document=DOCUMENT)
    with pytest.raises(UsageAboveCap, match="0 are left"):
        biller.charge_usage(1, 1, 10**12, document=DOCUMENT)
    business.anvil.set_time(payer.subscription(1).next_due)
    merchant.charge([1])
    assert payer.usage_left(1).units == 5_000_000


def test_a_bill_that_names_its_number_is_charged_once(
    business: Business, payer: Tallystick, merchant: Tallystick, biller: Tallystick, metered: Plan
) -> None:
    due = payer.subscribe(metered).next_due
    first: dict[str, Any] = {"document": DOCUMENT, "charge_number": 2}
    assert biller.charge_usage(1, 1, 1, **first).one(Charged).charge_number == 2
    for again in (biller, merchant):
        with pytest.raises(AnotherChargeIsNext, match="charge 2, charge 3 is next: it was charged already") as repeated:
            again.charge_usage(1, 1, 1, **first)
        assert (repeated.value.found, repeated.value.expected) == (2, 3)
    with pytest.raises(AnotherChargeIsNext):
        biller.charge_usage(1, 1, 1, document=DOCUMENT, charge_number=4)
    assert biller.charge_usage(1, 1, 1, document=DOCUMENT).one(Charged).charge_number == 3
    business.anvil.set_time(due)
    merchant.charge([1])  # a period was charged in between: what was meant for the one before is not charged to this
    with pytest.raises(AnotherChargeIsNext):
        biller.charge_usage(1, 1, 1, document=DOCUMENT, charge_number=4)
    for impossible in (0, -1):
        with pytest.raises((AnotherChargeIsNext, InputError)):
            biller.charge_usage(1, 1, 1, document=DOCUMENT, charge_number=impossible)
    assert payer.subscription(1).charges == 4
    assert payer.usage_left(1).units == 5_000_000


def test_what_cannot_be_a_document_or_its_hash_is_refused(
    payer: Tallystick, merchant: Tallystick, metered: Plan, tmp_path: Path
) -> None:
    payer.subscribe(metered)
    with pytest.raises(InputError, match="found neither a document of the usage nor its hash"):
        merchant.charge_usage(1, 1, 1)
    with pytest.raises(InputError, match="found both a document and its hash"):
        merchant.charge_usage(1, 1, 1, document=DOCUMENT, usage_hash=bytes(32))
    for wrong in (bytes(31), "0x12", "june.csv", ""):
        with pytest.raises(InputError, match="for the hash of the usage, allowed are 32 bytes"):
            merchant.charge_usage(1, 1, 1, usage_hash=wrong)
    with pytest.raises(InputError, match="the document of the usage cannot be read"):
        merchant.charge_usage(1, 1, 1, document=tmp_path / "none.csv")
    for quantity in (-1, 2**256):
        with pytest.raises(InputError, match="cannot hold"):
            merchant.charge_usage(1, 1, quantity, document=DOCUMENT)


def test_when_usage_can_be_charged(business: Business, merchant: Tallystick, payer: Tallystick) -> None:
    """After the trial, while it is active or ending, also when the next charge is late; and not after the grace."""
    usage: dict[str, Any] = {"token": business.token, "usage_cap": "5", "usage_price": "1", "every": 30, "unit": "day"}
    tried = merchant.create_plan(price="1", trial_s=DAY_S, **usage)
    late = merchant.create_plan(price="1", grace_s=DAY_S, **usage)
    payer.subscribe(tried)
    with pytest.raises(TrialRunning, match="no usage is charged"):
        merchant.charge_usage(1, 1, 1, document=DOCUMENT)
    due = payer.subscribe(late).next_due
    payer.pause(2)
    with pytest.raises(NotActive, match="is paused"):
        merchant.charge_usage(2, 1, 1, document=DOCUMENT)
    payer.resume(2)
    payer.cancel_at_period_end(2)
    merchant.charge_usage(2, 1, 1, document=DOCUMENT)
    business.anvil.set_time(due + DAY_S // 2)
    merchant.charge_usage(2, 1, 1, document=DOCUMENT)
    business.anvil.advance(DAY_S)
    with pytest.raises(UsageEnded, match="subscription 2 takes no charge of usage any more") as ended:
        merchant.charge_usage(2, 1, 1, document=DOCUMENT)
    assert ended.value.subscription_id == 2
    merchant.charge([1])
    merchant.charge_usage(1, 1, 1, document=DOCUMENT)
    payer.cancel(1)
    with pytest.raises(NotActive, match="is cancelled"):
        merchant.charge_usage(1, 1, 1, document=DOCUMENT)


def test_a_plan_without_usage_takes_none(business: Business, payer: Tallystick, merchant: Tallystick) -> None:
    payer.subscribe(merchant.create_plan(price="1", token=business.token))
    assert payer.usage_left(1).units == 0
    assert payer.subscription(1).usage_left_units is None
    with pytest.raises(UsageTooDear):
        merchant.charge_usage(1, 1, 10**12, document=DOCUMENT)


def test_an_allowance_is_for_usage_as_well(
    business: Business, payer: Tallystick, merchant: Tallystick, metered: Plan
) -> None:
    token = TokenContract(payer.contract.node, business.token)
    payer.subscribe(metered, periods=2)
    assert token.allowance(payer.address, business.subscriptions) == 2 * 15_000_000 - 10_000_000
    business.approve(payer.address, 2)
    with pytest.raises(AllowanceTooLow) as short:
        merchant.charge_usage(1, 3, 2, document=DOCUMENT)
    assert (short.value.found, short.value.needed) == (2, 3)
    payer.approve(1, periods=1)
    assert token.allowance(payer.address, business.subscriptions) == 15_000_002
    signed = payer.sign_mandate(metered, periods=3)
    assert signed.permit is not None
    assert signed.permit.value_units == 15_000_002 + 3 * 15_000_000
    business.token_call(payer.address, "transfer", business.operator, token.balance(payer.address))
    with pytest.raises(BalanceTooLow):
        merchant.charge_usage(1, 3, 2, document=DOCUMENT)


def test_usage_is_refunded_by_what_it_cost(
    business: Business, payer: Tallystick, merchant: Tallystick, metered: Plan
) -> None:
    due = payer.subscribe(metered).next_due
    merchant.charge_usage(1, "1.25", 500_000, document=DOCUMENT)
    business.anvil.set_time(due + DAY_S)
    merchant.charge_usage(1, "2", 900_000, document=DOCUMENT)  # late, before the period's own charge
    merchant.charge([1])
    segments = read_segments(merchant._connection, 1)
    assert segments == [Segment(1, 10_000_000, 1_250_000), Segment(2, 10_000_000, 2_000_000)]
    with pytest.raises(RefundTooHigh, match="1250000 are left of this charge"):
        merchant.refund(1, 2, "1.250001")
    given_back = [merchant.refund(1, number).one(Refunded).amount_units for number in (1, 2, 3, 4)]
    assert given_back == [10_000_000, 1_250_000, 2_000_000, 10_000_000]
    assert payer.subscription(1).status is Status.ACTIVE


def test_a_change_that_charges_begins_the_count_anew_and_no_other(
    business: Business, payer: Tallystick, merchant: Tallystick, metered: Plan
) -> None:
    usage: dict[str, Any] = {"token": business.token, "every": 30, "unit": "day", "usage_price": "2.5"}
    smaller = merchant.create_plan(price="8", usage_cap="2", **usage)
    larger = merchant.create_plan(price="30", usage_cap="20", **usage)
    payer.subscribe(metered)
    merchant.charge_usage(1, "1.5", 10**6, document=DOCUMENT)
    assert payer.change_plan(1, smaller, when="now").charges == 2
    assert payer.usage_left(1).units == 500_000
    assert payer.change_plan(1, larger).charges == 3
    assert payer.usage_left(1).units == 20_000_000
    assert payer.subscription(1).usage_left_units == 20_000_000
    credit_units = payer.change_plan(1, smaller, when="now").credit_units
    merchant.charge_usage(1, "2", 10**6, document=DOCUMENT)
    assert payer.subscription(1).credit_units == credit_units > 0  # credit pays for periods alone
    assert merchant.refund(1, 4).one(Refunded).amount_units == 2_000_000
