"""charge: the payer's money for the payee at once, by payee, operator or payer."""

from __future__ import annotations

from typing import Any

import pytest

from tests.contracts.payments import (
    ALL,
    ALLOWANCE,
    AMOUNT,
    AUTHORIZATION,
    AUTHORIZE_BEFORE,
    CLOSED,
    COLLECTOR,
    NO_HASH,
    PERMIT,
    PERMIT2_WITNESS,
    Payments,
    State,
)
from tests.contracts.stage import DAY, NOBODY, UNLIMITED, Account, Contract, Stage, reverts

WAYS = {"allowance": ALLOWANCE, "permit": PERMIT, "permit2": PERMIT2_WITNESS, "authorization": AUTHORIZATION}


@pytest.fixture
def poor(payments: Payments, usdc: Contract, permit2: Contract) -> Account:
    """The payer, who lets the contract move no USDC, and Permit2 all of it."""
    usdc.approve(payments.escrow, 0, sender=payments.payer)
    usdc.approve(permit2, UNLIMITED, sender=payments.payer)
    return payments.payer


@pytest.mark.parametrize("fee_bps", [0, 250])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("who", ["payee", "operator"])
def test_pays_payee_and_platform_at_once(
    payments: Payments, poor: Account, usdc: Contract, stage: Stage, who: str, way: str, fee_bps: int
) -> None:
    terms = payments.with_fee(token=usdc, min_fee_bps=0)
    if way == "allowance":
        usdc.approve(payments.escrow, AMOUNT, sender=poor)
    data = {
        "allowance": payments.consent(terms),
        "permit": payments.permit(usdc, poor, value=AMOUNT, version="2") + payments.consent(terms),
        "permit2": payments.by_permit2(terms),
        "authorization": payments.by_authorization(terms),
    }[way]
    fee = AMOUNT * fee_bps // 10_000
    parts = {"payee": AMOUNT - fee, "receiver": fee} if fee else {"payee": AMOUNT}
    with payments.moves(usdc, payer=-AMOUNT, **parts):
        receipt = payments.escrow.charge(terms, fee_bps, WAYS[way], data, sender=getattr(payments, who))
    values = {"paymentId": payments.id(terms), "payer": terms.payer, "payee": terms.payee}
    assert payments.events(receipt) == [("PaymentCharged", values | {"collector": NOBODY, "fee": fee})]
    assert receipt.return_value == payments.id(terms)
    assert payments.state(terms) == State(CLOSED, 0, AMOUNT, stage.now)
    assert payments.total(token=usdc) == (1, AMOUNT)


def test_by_the_payer_without_a_signature(payments: Payments) -> None:
    terms = payments.terms()
    with payments.moves(payer=-AMOUNT, payee=AMOUNT):
        payments.escrow.charge(terms, 0, ALLOWANCE, b"", sender=payments.payer)


@pytest.mark.parametrize("who", ["anyone", "arbiter", "receiver"])
def test_nobody_else_may(payments: Payments, who: str) -> None:
    """With the payer's signature all the same: anyone may authorize by it, not take it for the payee."""
    terms, sender = payments.with_all(), getattr(payments, who)
    with payments.nothing_changes(), reverts("NotAuthorized", caller=sender):
        payments.escrow.charge(terms, 100, ALLOWANCE, payments.consent(terms), sender=sender)


@pytest.mark.parametrize("who", ["payee", "operator"])
def test_not_without_consent(payments: Payments, who: str) -> None:
    terms, sender = payments.terms(), getattr(payments, who)
    for data in (b"", payments.consent(terms, sender), payments.consent(terms._replace(amount=AMOUNT - 1))):
        with payments.nothing_changes(), reverts("InvalidSignature", signer=terms.payer):
            payments.escrow.charge(terms, 0, ALLOWANCE, data, sender=sender)


@pytest.mark.parametrize("who", ["payee", "operator", "payer"])
def test_not_past_a_dispute_window_nor_past_milestones(payments: Payments, stage: Stage, who: str) -> None:
    window, milestones = payments.terms(dispute_window=1), payments.terms(milestones_root=b"\x01" * 32)
    sender, now = getattr(payments, who), stage.now + 10
    stage.at(now)
    with payments.nothing_changes(), reverts("WindowOpen", until=now + 1, time=now):
        payments.escrow.charge(window, 0, ALLOWANCE, payments.consent(window), sender=sender)
    with payments.nothing_changes(), reverts("MilestonesOnly", paymentId=payments.id(milestones)):
        payments.escrow.charge(milestones, 0, ALLOWANCE, payments.consent(milestones), sender=sender)


@pytest.mark.parametrize("fee_bps", [0, 99, 301, UNLIMITED])
@pytest.mark.parametrize("who", ["payee", "payer"])
def test_refuses_a_fee_beyond_the_terms(payments: Payments, who: str, fee_bps: int) -> None:
    terms = payments.with_fee()
    with payments.nothing_changes(), reverts("FeeOutOfRange", found=fee_bps, least=100, most=300):
        payments.escrow.charge(terms, fee_bps, ALLOWANCE, payments.consent(terms), sender=getattr(payments, who))


@pytest.mark.parametrize(("amount", "fee"), [(1, 0), (33, 0), (34, 1), (9_999, 299)])
def test_E33_a_fee_is_rounded_down_and_the_parts_are_the_whole(payments: Payments, amount: int, fee: int) -> None:
    terms = payments.with_fee(amount=amount)
    parts = {"payee": amount - fee, "receiver": fee} if fee else {"payee": amount}
    with payments.moves(payer=-amount, **parts):
        payments.escrow.charge(terms, 300, ALLOWANCE, b"", sender=payments.payer)


@pytest.mark.parametrize(
    ("changes", "error"), [({"amount": 0}, "ZeroAmount"), ({"refund_before": 0}, "TermsContradict")]
)
def test_E32_refuses_terms_that_cannot_be(payments: Payments, changes: dict[str, Any], error: str) -> None:
    with payments.nothing_changes(), reverts(error):
        payments.escrow.charge(payments.terms(**changes), 0, ALLOWANCE, b"", sender=payments.payer)


@pytest.mark.parametrize(("second", "good"), [(-1, True), (0, False), (1, False)])
def test_E20_until_authorization_ends(payments: Payments, stage: Stage, second: int, good: bool) -> None:
    terms, time = payments.terms(), AUTHORIZE_BEFORE + second
    stage.at(time)
    if good:
        payments.escrow.charge(terms, 0, ALLOWANCE, b"", sender=payments.payer)
        return
    expected = {"authorizeBefore": AUTHORIZE_BEFORE, "time": time}
    with payments.nothing_changes(), reverts("AuthorizationExpired", **expected):
        payments.escrow.charge(terms, 0, ALLOWANCE, b"", sender=payments.payer)


def test_E17_once_whether_charged_or_authorized_first(payments: Payments) -> None:
    first, second = payments.terms(), payments.authorized()
    payments.escrow.charge(first, 0, ALLOWANCE, payments.consent(first), sender=payments.payee)
    for terms, status in ((first, CLOSED), (second, 1)):
        expected = {"paymentId": payments.id(terms), "status": status}
        with payments.nothing_changes(), reverts("PaymentExists", **expected):
            payments.escrow.charge(terms, 0, ALLOWANCE, payments.consent(terms), sender=payments.payee)
    with payments.nothing_changes(), reverts("PaymentExists", paymentId=payments.id(first), status=CLOSED):
        payments.escrow.authorize(first, ALLOWANCE, payments.consent(first), sender=payments.anyone)


def test_who_authorizes_before_the_payee_charges_takes_nothing(payments: Payments) -> None:
    """The payee's charge fails, and its capture succeeds."""
    terms = payments.terms()
    signature = payments.consent(terms)
    payments.escrow.authorize(terms, ALLOWANCE, signature, sender=payments.anyone)
    with reverts("PaymentExists", paymentId=payments.id(terms), status=1):
        payments.escrow.charge(terms, 0, ALLOWANCE, signature, sender=payments.payee)
    with payments.moves(payee=AMOUNT, escrow=-AMOUNT):
        payments.escrow.capture(terms, ALL, 0, sender=payments.payee)


def test_nothing_is_held_of_it_afterwards(payments: Payments, stage: Stage) -> None:
    terms = payments.with_all()
    payments.escrow.charge(terms, 100, ALLOWANCE, b"", sender=payments.payer)
    closed = {"paymentId": payments.id(terms), "status": CLOSED}
    with reverts("NotOpen", **closed):
        payments.escrow.dispute(terms, NO_HASH, sender=payments.payer)
    with reverts("NotOpen", **closed):
        payments.escrow.capture(terms, ALL, 100, sender=payments.payee)
    stage.at(terms.capture_before + DAY)
    with reverts("NotOpen", **closed):
        payments.escrow.reclaim(terms, sender=payments.payer)


# --- Tokens ---


def test_E07_a_blocked_payee_is_kept_its_part_where_the_money_comes_through_the_contract(
    payments: Payments, usdc: Contract, stage: Stage
) -> None:
    """With a fee, or by ERC-3009. Else it goes from payer to payee, and the token refuses that."""
    usdc.blacklist(payments.payee, sender=stage.anyone)
    fee, none, authorization = payments.with_fee(token=usdc), payments.terms(token=usdc), payments.terms(token=usdc)
    payments.escrow.charge(fee, 300, ALLOWANCE, b"", sender=payments.payer)
    assert payments.claimable(payments.payee, usdc) == 97_000_000
    data = payments.by_authorization(authorization)
    payments.escrow.charge(authorization, 0, AUTHORIZATION, data, sender=payments.payee)
    assert payments.claimable(payments.payee, usdc) == usdc.balanceOf(payments.escrow) == 197_000_000
    with payments.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        payments.escrow.charge(none, 0, ALLOWANCE, b"", sender=payments.payer)


@pytest.mark.parametrize("fee_bps", [0, 300])
def test_E02_refuses_a_token_that_takes_a_fee(payments: Payments, usdt: Contract, stage: Stage, fee_bps: int) -> None:
    usdt.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    usdt.setParams(100, UNLIMITED, sender=stage.anyone)
    terms = payments.with_fee(token=usdt, min_fee_bps=0)
    with payments.nothing_changes(usdt), reverts("AmountMismatch", received=99_000_000, expected=AMOUNT):
        payments.escrow.charge(terms, fee_bps, ALLOWANCE, b"", sender=payments.payer)


def test_E01_usdt_pays(payments: Payments, usdt: Contract) -> None:
    usdt.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    with payments.moves(usdt, payer=-AMOUNT, payee=AMOUNT):
        payments.escrow.charge(payments.terms(token=usdt), 0, ALLOWANCE, b"", sender=payments.payer)
    with payments.moves(usdt, payer=-AMOUNT, payee=97_000_000, receiver=3_000_000):
        payments.escrow.charge(payments.with_fee(token=usdt), 300, ALLOWANCE, b"", sender=payments.payer)


def test_E02_a_payee_that_passes_on_what_it_receives_is_refused(
    payments: Payments, project: Any, hooked: Contract, stage: Stage
) -> None:
    hooked.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    payee = project.MockWallet.deploy(sender=stage.anyone)
    payee.setHook(hooked, hooked.transfer.encode_input(payments.anyone, 1), sender=stage.anyone)
    terms = payments.terms(token=hooked, payee=payee)
    with payments.nothing_changes(hooked), reverts("AmountMismatch", received=AMOUNT - 1, expected=AMOUNT):
        payments.escrow.charge(terms, 0, ALLOWANCE, b"", sender=payments.payer)


def test_E03_a_hook_of_the_payee_comes_in_nowhere(
    payments: Payments, project: Any, hooked: Contract, stage: Stage
) -> None:
    hooked.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    payee = project.MockWallet.deploy(sender=stage.anyone)
    terms = payments.terms(token=hooked, payee=payee)
    again = payments.escrow.refund.encode_input(terms, 1)
    payee.setHook(payments.escrow, again, sender=stage.anyone)
    payments.escrow.charge(terms, 0, ALLOWANCE, b"", sender=payments.payer)
    assert (payee.hooks(), payee.hookSucceeded()) == (1, False)


# --- Collectors ---


def test_a_collector_that_is_the_operator_brings_it(
    payments: Payments, project: Any, token: Contract, stage: Stage
) -> None:
    collector = project.MockCollector.deploy(sender=stage.anyone)
    token.mint(collector, AMOUNT, sender=stage.anyone)
    terms, other = payments.with_fee(operator=collector), payments.with_fee()
    for chosen, works in ((other, False), (terms, True)):
        call = payments.escrow.charge.encode_input(chosen, 300, COLLECTOR, b"")
        if works:
            with payments.moves(payee=97_000_000, receiver=3_000_000):
                receipt = collector.execute(payments.escrow, call, sender=stage.anyone)
            assert payments.events(receipt)[0][1]["collector"] == collector.address
        else:
            with payments.nothing_changes(), reverts("NotAuthorized", caller=collector):
                collector.execute(payments.escrow, call, sender=stage.anyone)
