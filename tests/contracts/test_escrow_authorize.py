"""authorize: the payer's money is held by terms that the payer agreed to, whoever sends them and however it comes."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils.address import to_checksum_address

from tests.contracts.hostile import REFUSALS, UNMOVED, play
from tests.contracts.payments import (
    ALL,
    ALLOWANCE,
    AMOUNT,
    AUTHORIZATION,
    AUTHORIZE_BEFORE,
    CAPTURE_BEFORE,
    CLOSED,
    NONE,
    OPEN,
    PERMIT,
    REFUND_BEFORE,
    Payments,
    State,
    Terms,
    second_forms,
)
from tests.contracts.stage import DAY, NOBODY, UNLIMITED, Account, Contract, Stage, reverts, reverts_bare
from tests.tricks import Trick

MOST = 2**96 - 1


# --- What it does ---


def test_holds_the_payers_money(payments: Payments) -> None:
    terms = payments.with_all(dispute_window=DAY, milestones_root=b"\x07" * 32)
    with payments.moves(payer=-AMOUNT, escrow=AMOUNT):
        receipt = payments.authorize(terms)
    (event,) = [event for event in receipt.events if event.event_name == "Authorized"]
    told = [value.lower() if isinstance(value, str) else value for value in event.terms]
    assert told == [value.lower() if isinstance(value, str) else value for value in terms]
    values = {"paymentId": payments.id(terms), "payer": terms.payer, "payee": terms.payee, "collector": NOBODY}
    assert payments.events(receipt) == [("Authorized", values)]
    assert receipt.return_value == payments.id(terms)
    assert payments.state(terms) == State(OPEN, AMOUNT, 0, payments.stage.now)
    assert payments.total() == (1, AMOUNT)


def test_of_two_that_differ_by_their_salt(payments: Payments, token: Contract) -> None:
    one, other = payments.authorized(), payments.authorized(amount=7)
    assert (payments.state(one).held, payments.state(other).held) == (AMOUNT, 7)
    assert token.balanceOf(payments.escrow) == AMOUNT + 7
    assert payments.total() == (2, AMOUNT + 7)


def test_the_largest_payment(payments: Payments, token: Contract) -> None:
    token.mint(payments.payer, MOST, sender=payments.payer)
    terms = payments.authorized(amount=MOST)
    payments.escrow.capture(terms, MOST - 1, 0, sender=payments.payee)
    assert payments.state(terms)[:3] == (OPEN, 1, MOST - 1)
    payments.escrow.capture(terms, 1, 0, sender=payments.payee)
    assert payments.state(terms)[:3] == (CLOSED, 0, MOST)
    payments.escrow.refund(terms, MOST, sender=payments.payee)
    assert payments.state(terms)[:3] == (CLOSED, 0, 0)


def test_the_longest_terms(payments: Payments) -> None:
    last = 2**40 - 1
    terms = payments.authorized(authorize_before=last, capture_before=last, refund_before=last)
    payments.escrow.capture(terms, ALL, 0, sender=payments.payee)


# --- Consent ---


def test_anyone_sends_what_the_payer_signed(payments: Payments, anyone: Account) -> None:
    terms = payments.terms()
    with payments.moves(payer=-AMOUNT, escrow=AMOUNT):
        payments.escrow.authorize(terms, ALLOWANCE, payments.consent(terms), sender=anyone)
    assert payments.state(terms).status == OPEN


@pytest.mark.parametrize("who", ["anyone", "payee", "operator", "arbiter", "receiver"])
def test_nobody_authorizes_without_a_signature(payments: Payments, who: str) -> None:
    terms = payments.with_all()
    for data in (b"", payments.consent(terms, payments.stage.merchant)):
        with payments.nothing_changes(), reverts("InvalidSignature", signer=terms.payer):
            payments.escrow.authorize(terms, ALLOWANCE, data, sender=getattr(payments, who))


CHANGES: dict[str, Any] = {
    "payee": "0x" + "11" * 20,
    "amount": AMOUNT - 1,
    "operator": "0x" + "11" * 20,
    "authorize_before": AUTHORIZE_BEFORE + 1,
    "capture_before": CAPTURE_BEFORE + 1,
    "refund_before": REFUND_BEFORE - 1,
    "dispute_window": 1,
    "arbiter": "0x" + "11" * 20,
    "ruling_timeout": 1,
    "default_payee_bps": 10_000,
    "max_arbiter_fee_bps": 10_000,
    "min_fee_bps": 101,
    "max_fee_bps": 301,
    "fee_receiver": "0x" + "11" * 20,
    "milestones_root": b"\x01" * 32,
    "salt": 99,
}


@pytest.mark.parametrize("name", CHANGES)
def test_refuses_what_was_not_signed(payments: Payments, name: str) -> None:
    """Whichever of the terms is another one."""
    terms = payments.with_all()
    signature = payments.consent(terms)
    with payments.nothing_changes(), reverts("InvalidSignature", signer=terms.payer):
        payments.escrow.authorize(terms._replace(**{name: CHANGES[name]}), ALLOWANCE, signature, sender=payments.anyone)


def test_refuses_another_token_than_was_signed(payments: Payments, usdc: Contract) -> None:
    terms = payments.terms()
    with payments.nothing_changes(), reverts("InvalidSignature", signer=terms.payer):
        other = terms._replace(token=usdc.address)
        payments.escrow.authorize(other, ALLOWANCE, payments.consent(terms), sender=payments.anyone)


def test_E12_refuses_what_was_signed_for_another_contract_or_chain(payments: Payments, stage: Stage) -> None:
    terms = payments.terms()
    elsewhere: list[dict[str, Any]] = [{"contract": stage.subscriptions.address}, {"chain_id": 1}, {"chain_id": 8_453}]
    for domain in elsewhere:
        signature = payments.consent(terms, **domain)
        with payments.nothing_changes(), reverts("InvalidSignature", signer=terms.payer):
            payments.escrow.authorize(terms, ALLOWANCE, signature, sender=payments.anyone)


def test_E12_a_second_contract_takes_nothing_by_the_firsts_signature(
    payments: Payments, project: Any, token: Contract
) -> None:
    second = project.Escrow.deploy(sender=payments.anyone)
    token.approve(second, UNLIMITED, sender=payments.payer)
    terms = payments.terms()
    signature = payments.consent(terms)
    with payments.nothing_changes(), reverts("InvalidSignature", signer=terms.payer):
        second.authorize(terms, ALLOWANCE, signature, sender=payments.anyone)
    assert second.paymentId(terms) != payments.escrow.paymentId(terms)


def test_E12_after_a_fork_of_the_chain_the_old_signature_is_refused(payments: Payments, stage: Stage) -> None:
    terms = payments.terms()
    signature = payments.consent(terms)
    stage.rpc("anvil_setChainId", 31_338)
    try:
        call = {
            "from": payments.anyone.address,
            "to": payments.escrow.address,
            "data": "0x" + payments.escrow.authorize.encode_input(terms, ALLOWANCE, signature).hex(),
        }
        with pytest.raises(Exception, match=r"8baa579f|815e1d64|revert"):
            stage.rpc("eth_call", call, "latest")
    finally:
        stage.rpc("anvil_setChainId", 31_337)
    assert stage.rpc("eth_call", call, "latest") == "0x" + payments.id(terms).hex()


def test_E13_refuses_a_second_form_of_a_signature(payments: Payments) -> None:
    terms = payments.terms()
    for signature in second_forms(payments.consent(terms)):
        with payments.nothing_changes(), reverts("InvalidSignature", signer=terms.payer):
            payments.escrow.authorize(terms, ALLOWANCE, signature, sender=payments.anyone)


def test_E13_nobody_is_no_payer_and_a_precompiled_contract_no_signer(payments: Payments) -> None:
    with payments.nothing_changes(), reverts("ZeroAddress"):
        payments.escrow.authorize(payments.terms(payer=NOBODY), ALLOWANCE, b"\x00" * 65, sender=payments.anyone)
    for number in range(1, 18):
        terms = payments.terms(payer=to_checksum_address(number.to_bytes(20, "big")))
        with payments.nothing_changes(), reverts("InvalidSignature", signer=terms.payer):
            payments.escrow.authorize(terms, ALLOWANCE, b"\x00" * 65, sender=payments.anyone)


# --- Once ---


def test_E17_refuses_a_second_time_whatever_became_of_the_first(payments: Payments, stage: Stage) -> None:
    held, captured, voided = (payments.terms(amount=7) for _ in range(3))
    signatures = {terms: payments.consent(terms) for terms in (held, captured, voided)}
    for terms, signature in signatures.items():
        payments.escrow.authorize(terms, ALLOWANCE, signature, sender=payments.anyone)
    payments.escrow.capture(captured, ALL, 0, sender=payments.payee)
    payments.escrow.void(voided, sender=payments.payee)
    disputed = payments.disputed()
    for terms, status in ((held, OPEN), (captured, CLOSED), (voided, CLOSED), (disputed, 2)):
        expected = {"paymentId": payments.id(terms), "status": status}
        for sender in (payments.anyone, payments.payer):
            with payments.nothing_changes(), reverts("PaymentExists", **expected):
                payments.escrow.authorize(terms, ALLOWANCE, signatures.get(terms, b""), sender=sender)
    assert payments.total() == (4, 3 * 7 + AMOUNT)
    assert stage.token.balanceOf(payments.escrow) == 7 + AMOUNT


# --- Terms ---


def test_E32_refuses_a_payment_of_nothing(payments: Payments) -> None:
    with payments.nothing_changes(), reverts("ZeroAmount"):
        payments.authorize(payments.terms(amount=0))


@pytest.mark.parametrize("party", ["payer", "payee"])
def test_refuses_nobody_as_a_party(payments: Payments, party: str) -> None:
    with payments.nothing_changes(), reverts("ZeroAddress"):
        payments.authorize(payments.terms(**{party: NOBODY}))


@pytest.mark.parametrize(
    ("party", "other", "refused"),
    [
        ("payee", "payer", "payer"),
        ("payer", "escrow", "escrow"),
        ("payee", "escrow", "escrow"),
        ("arbiter", "payee", "payee"),
        ("arbiter", "payer", "payer"),
        ("arbiter", "escrow", "escrow"),
        ("fee_receiver", "payer", "payer"),
        ("fee_receiver", "payee", "payee"),
        ("fee_receiver", "escrow", "escrow"),
    ],
)
def test_refuses_one_in_two_roles_and_the_contract_in_any(
    payments: Payments, party: str, other: str, refused: str
) -> None:
    """An arbiter who is a party would rule for itself; a fee to payer or payee is none."""
    terms = payments.with_all(**{party: getattr(payments, other)})
    with payments.nothing_changes(), reverts("PartyRefused", party=getattr(payments, refused)):
        payments.authorize(terms)


@pytest.mark.parametrize("role", ["payer", "payee", "arbiter", "receiver", "escrow"])
def test_the_operator_may_be_anyone(payments: Payments, role: str) -> None:
    payments.authorize(payments.with_all(operator=getattr(payments, role)))


def test_E01_refuses_a_token_without_code(payments: Payments) -> None:
    for account in (payments.anyone.address, NOBODY):
        with payments.nothing_changes(), reverts("NotAContract", account=account):
            payments.authorize(payments.terms(token=account))


@pytest.mark.parametrize("funding", [ALLOWANCE, PERMIT, AUTHORIZATION])
@pytest.mark.parametrize(("second", "good"), [(-1, True), (0, False), (1, False)])
def test_E20_until_authorization_ends(
    payments: Payments, usdc: Contract, stage: Stage, funding: int, second: int, good: bool
) -> None:
    terms, time = payments.terms(token=usdc), AUTHORIZE_BEFORE + second
    data = {
        ALLOWANCE: payments.consent(terms),
        PERMIT: payments.permit(usdc, payments.payer, version="2") + payments.consent(terms),
        AUTHORIZATION: payments.by_authorization(terms),
    }[funding]
    stage.at(time)
    if good:
        payments.escrow.authorize(terms, funding, data, sender=payments.anyone)
        return
    expected = {"authorizeBefore": AUTHORIZE_BEFORE, "time": time}
    with payments.nothing_changes(usdc), reverts("AuthorizationExpired", **expected):
        payments.escrow.authorize(terms, funding, data, sender=payments.anyone)


def test_E20_the_dispute_window_must_leave_time_to_capture(payments: Payments, stage: Stage) -> None:
    window = CAPTURE_BEFORE - AUTHORIZE_BEFORE
    for second, good in ((1, False), (0, False), (-1, True)):
        terms = payments.terms(dispute_window=window)
        now = CAPTURE_BEFORE - window + second
        terms = terms._replace(authorize_before=now + 100)
        stage.at(now)
        if good:
            payments.authorize(terms)
        else:
            stage.rpc("evm_revert", snapshot(stage, payments, terms))


def snapshot(stage: Stage, payments: Payments, terms: Terms) -> Any:
    """What takes the clock back, after the terms were refused."""
    taken = stage.rpc("evm_snapshot")
    with payments.nothing_changes(), reverts("TermsContradict"):
        payments.authorize(terms)
    return taken


@pytest.mark.parametrize(
    "changes",
    [
        {"authorize_before": CAPTURE_BEFORE + 1},
        {"capture_before": REFUND_BEFORE + 1},
        {"capture_before": AUTHORIZE_BEFORE - 1},
        {"refund_before": 0},
        {"min_fee_bps": 301},
        {"max_fee_bps": 10_001},
        {"max_fee_bps": 2**16 - 1, "min_fee_bps": 2**16 - 1},
        {"default_payee_bps": 10_001},
        {"max_arbiter_fee_bps": 10_001},
        {"fee_receiver": NOBODY},
        {"min_fee_bps": 0, "max_fee_bps": 0},
        {"arbiter": NOBODY},
        {"arbiter": NOBODY, "ruling_timeout": 0, "max_arbiter_fee_bps": 0},
        {"arbiter": NOBODY, "ruling_timeout": 0, "default_payee_bps": 0},
        {"arbiter": NOBODY, "default_payee_bps": 0, "max_arbiter_fee_bps": 0},
        {"ruling_timeout": 0},
        {"dispute_window": CAPTURE_BEFORE},
    ],
)
def test_refuses_terms_that_contradict_each_other(payments: Payments, changes: dict[str, Any]) -> None:
    with payments.nothing_changes(), reverts("TermsContradict"):
        payments.authorize(payments.with_all(**changes))


@pytest.mark.parametrize(
    "changes",
    [
        {"authorize_before": CAPTURE_BEFORE, "refund_before": CAPTURE_BEFORE},
        {"min_fee_bps": 300},
        {"min_fee_bps": 0, "max_fee_bps": 10_000},
        {"default_payee_bps": 10_000, "max_arbiter_fee_bps": 10_000},
        {"default_payee_bps": 0, "max_arbiter_fee_bps": 0, "ruling_timeout": 1},
    ],
)
def test_takes_terms_at_their_bounds(payments: Payments, changes: dict[str, Any]) -> None:
    payments.authorize(payments.with_all(**changes))


# --- The form of the call ---

WIDTHS = (160, 160, 160, 96, 160, 40, 40, 40, 32, 160, 32, 16, 16, 16, 16, 160)
"""Bits of the terms' fields; root and salt have all of a word."""


@pytest.mark.parametrize("field", range(len(WIDTHS)))
def test_refuses_a_field_with_more_bits_than_it_has(payments: Payments, stage: Stage, field: int) -> None:
    """The hash is of the calldata as it comes: were such terms taken, one payment would have many names."""
    data = bytearray(payments.escrow.authorize.encode_input(payments.with_all(), ALLOWANCE, b""))
    stage.rpc("eth_call", {"from": payments.payer.address, "to": payments.escrow.address, "data": "0x" + data.hex()})
    lowest = 4 + 32 * field + 31 - WIDTHS[field] // 8
    data[lowest] ^= 1
    with pytest.raises(Exception, match=r"execution reverted$"):
        stage.rpc(
            "eth_call", {"from": payments.payer.address, "to": payments.escrow.address, "data": "0x" + data.hex()}
        )


@pytest.mark.parametrize("funding", [5, 255])
def test_refuses_a_way_that_there_is_not(payments: Payments, stage: Stage, funding: int) -> None:
    data = bytearray(payments.escrow.authorize.encode_input(payments.terms(), ALLOWANCE, b""))
    data[4 + 18 * 32 + 31] = funding
    with pytest.raises(Exception, match="execution reverted"):
        stage.rpc(
            "eth_call", {"from": payments.payer.address, "to": payments.escrow.address, "data": "0x" + data.hex()}
        )


def test_takes_no_coin(payments: Payments) -> None:
    with reverts_bare():
        payments.escrow.authorize(payments.terms(), ALLOWANCE, b"", sender=payments.payer, value=1)
    with reverts_bare():
        payments.payer.transfer(payments.escrow, 1)
    assert payments.stage.chain.provider.get_balance(payments.escrow.address) == 0


# --- Tokens ---


def test_refuses_where_money_or_allowance_lacks(payments: Payments, token: Contract) -> None:
    terms = payments.terms()
    token.approve(payments.escrow, AMOUNT - 1, sender=payments.payer)
    with payments.nothing_changes(), reverts("AllowanceTooLow", found=AMOUNT - 1, needed=AMOUNT):
        payments.authorize(terms)
    token.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    token.transfer(payments.anyone, token.balanceOf(payments.payer) - AMOUNT + 1, sender=payments.payer)
    with payments.nothing_changes(), reverts("BalanceTooLow", found=AMOUNT - 1, needed=AMOUNT):
        payments.authorize(terms)
    assert payments.state(terms) == State(NONE, 0, 0, 0)
    assert payments.total() == (0, 0)


def test_E05_E07_refuses_while_the_token_is_paused_or_blocks_the_payer(
    payments: Payments, usdc: Contract, stage: Stage
) -> None:
    usdc.pause(sender=stage.anyone)
    with payments.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        payments.authorize(payments.terms(token=usdc))
    usdc.unpause(sender=stage.anyone)
    usdc.blacklist(payments.payer, sender=stage.anyone)
    with payments.nothing_changes(usdc), reverts("TokenRefused", token=usdc):
        payments.authorize(payments.terms(token=usdc))


def test_E02_refuses_a_token_that_takes_a_fee(payments: Payments, usdt: Contract, stage: Stage) -> None:
    usdt.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    usdt.setParams(1, UNLIMITED, sender=stage.anyone)
    expected = {"received": AMOUNT - AMOUNT // 10_000, "expected": AMOUNT}
    with payments.nothing_changes(usdt), reverts("AmountMismatch", **expected):
        payments.authorize(payments.terms(token=usdt))
    usdt.setParams(0, 0, sender=stage.anyone)
    payments.authorize(payments.terms(token=usdt))


@pytest.mark.parametrize("trick", REFUSALS)
def test_E01_E06_refuses_a_token_that_refuses(payments: Payments, hostile: Contract, trick: Trick) -> None:
    hostile.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    play(hostile, "transferFrom", trick)
    with payments.nothing_changes(hostile), reverts("TokenRefused", token=hostile):
        payments.authorize(payments.terms(token=hostile))


@pytest.mark.parametrize("trick", UNMOVED)
def test_E01_refuses_a_token_that_moves_nothing(payments: Payments, hostile: Contract, trick: Trick) -> None:
    hostile.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    play(hostile, "transferFrom", trick)
    with payments.nothing_changes(hostile), reverts("AmountMismatch", received=0, expected=AMOUNT):
        payments.authorize(payments.terms(token=hostile))


def test_E01_what_a_token_denies_to_have_moved_is_undone(payments: Payments, hostile: Contract) -> None:
    hostile.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    play(hostile, "transferFrom", Trick.MOVE_AND_DENY)
    with payments.nothing_changes(hostile), reverts("TokenRefused", token=hostile):
        payments.authorize(payments.terms(token=hostile))


@pytest.mark.parametrize("trick", [Trick.RETURN_ONE_BYTE, Trick.REFUSE, Trick.REVERT_BOMB, Trick.BURN_GAS])
def test_E06_refuses_a_token_that_tells_no_balance(payments: Payments, hostile: Contract, trick: Trick) -> None:
    hostile.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    play(hostile, "balanceOf", trick)
    with payments.nothing_changes(hostile), reverts("TokenRefused", token=hostile):
        payments.authorize(payments.terms(token=hostile))


def test_E01_a_token_that_returns_nothing(payments: Payments, usdt: Contract) -> None:
    usdt.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    terms = payments.authorized(token=usdt)
    assert usdt.balanceOf(payments.escrow) == payments.state(terms).held == AMOUNT
