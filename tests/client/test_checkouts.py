"""Quotes and deposit addresses in the hands of merchant, payer and whoever sends, by the facade."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tallystick import Config, DepositStatus, SignedRefundAddress, Tallystick, parse_refund_address
from tallystick.chain.rpc import Rpc
from tallystick.core.checkout_events import InvoiceRefunded, QuotePaid, Unswept
from tallystick.core.funding import Funding
from tallystick.core.permit2 import PERMIT2
from tallystick.core.quote import Payout
from tallystick.core.quote_texts import SignedQuote, parse_checkout, parse_quote
from tallystick.errors import (
    AllowanceTooLow,
    BalanceTooLow,
    DatabaseError,
    InputError,
    InvalidSignature,
    NotAContract,
    NothingToClaim,
    NumberUsed,
    PermitUnsupported,
    QuoteExpired,
    ZeroAmount,
)
from tallystick.flows.checkout_books import CHECKOUT
from tallystick.flows.describe_quote import QuoteStatus
from tallystick.flows.ingest import Target, ingest
from tallystick.storage.database import open_database
from tests.business import UNLIMITED, Business
from tests.client.conftest import Connect
from tests.client.test_payments import PLAIN_TOKEN
from tests.contracts.permit2 import place_permit2

DAY = 86_400
RELAYER, SECOND = 5, 6


def units(anyone: Tallystick, business: Business, account: str) -> int:
    return anyone._connection.token(business.token).balance(account)


def quoted(merchant: Tallystick, business: Business, number: int = 1, **more: Any) -> SignedQuote:
    return merchant.checkout_quote(number=number, amount="25.00", token=business.token, **more)


def test_a_quote_is_paid_once_by_whoever_pays_it(merchant: Tallystick, payer: Tallystick, business: Business) -> None:
    quote = quoted(merchant, business, invoice="INV-2027-0042")
    assert parse_quote(quote.render()) == quote
    assert payer.quote_state(quote).status is QuoteStatus.PAYABLE
    paid = payer.pay_quote(parse_quote(quote.render())).one(QuotePaid)
    assert (paid.quote, paid.payer, paid.quote_id) == (quote.quote, payer.address, quote.quote_id)
    assert paid.quote.invoice == b"INV-2027-0042".ljust(32, b"\0")
    assert units(merchant, business, merchant.address) == 25_000_000
    assert payer.quote_state(quote).status is QuoteStatus.USED
    for again in (quote, quoted(merchant, business)):
        with pytest.raises(NumberUsed, match="needs a quote with a number of its own"):
            payer.pay_quote(again)
    assert merchant.quote_total(merchant.address, business.token) == (1, 25_000_000)


@pytest.mark.parametrize(
    ("funding", "expected"),
    [
        ("auto", Funding.AUTHORIZATION),
        ("authorization", Funding.AUTHORIZATION),
        ("permit", Funding.PERMIT),
        ("permit2", Funding.PERMIT2),
        ("allowance", Funding.ALLOWANCE),
    ],
)
def test_what_the_payer_signed_anyone_may_send(
    merchant: Tallystick, payer: Tallystick, as_account: Connect, business: Business, funding: str, expected: Funding
) -> None:
    relayer = as_account(RELAYER)
    if funding == "allowance":
        business.token_call(payer.address, "approve", business.manifest.contract("Checkout").address, UNLIMITED)
    if funding == "permit2":
        place_permit2(business.anvil.rpc)
        business.token_call(payer.address, "approve", PERMIT2, UNLIMITED)
    quote = quoted(merchant, business, shares=[(merchant.address, 97), (relayer.address, 3)])
    assert quote.quote.payouts == (Payout(merchant.address, 24_250_000), Payout(relayer.address, 750_000))
    signed = payer.sign_checkout(quote, funding=funding)
    assert signed.funding is expected
    assert parse_checkout(signed.render()) == signed
    paid = relayer.pay_quote(parse_checkout(signed.render())).one(QuotePaid)
    assert paid.payer == payer.address
    assert units(merchant, business, merchant.address) == 24_250_000
    assert units(merchant, business, relayer.address) == 750_000


def test_nobody_pays_with_anothers_money(
    merchant: Tallystick, payer: Tallystick, as_account: Connect, business: Business
) -> None:
    business.token_call(payer.address, "approve", business.manifest.contract("Checkout").address, UNLIMITED)
    quote, other = quoted(merchant, business), quoted(merchant, business, 2)
    signed = payer.sign_checkout(quote)
    with pytest.raises(InvalidSignature):
        as_account(RELAYER).pay_quote(replace(signed, signed_quote=other))


def test_until_it_expires(merchant: Tallystick, payer: Tallystick, business: Business) -> None:
    quote = quoted(merchant, business, valid_s=60)
    business.anvil.set_time(business.anvil.timestamp + 61)
    assert payer.quote_state(quote).status is QuoteStatus.EXPIRED
    with pytest.raises(QuoteExpired, match="ask for a new one"):
        payer.pay_quote(quote)


def test_withdrawn(merchant: Tallystick, payer: Tallystick, business: Business) -> None:
    quote = quoted(merchant, business)
    merchant.withdraw_quote(1)
    assert payer.quote_state(quote).status is QuoteStatus.USED
    with pytest.raises(NumberUsed):
        payer.pay_quote(quote)


def test_what_cannot_be_quoted(merchant: Tallystick, business: Business) -> None:
    many = [(business.account(number), 1) for number in range(17)]
    checkout = business.manifest.contract("Checkout").address
    usual: dict[str, Any] = {"number": 1, "amount": 5, "token": business.token}
    wrong: dict[str, Any]
    for wrong, message in (
        ({"number": -1}, "allowed are 0 to"),
        ({"amount": 0}, "above zero"),
        ({"valid_s": 0}, "above zero"),
        ({"invoice": "x" * 33}, "33 bytes"),
        ({"invoice": ""}, "0 bytes"),
        ({"shares": many}, "17 payees"),
        ({"shares": [(checkout, 1)]}, "the contract itself"),
        ({"amount": 1, "shares": many[:2]}, "each has 1 to"),
        ({"amount": 2**96}, "each has 1 to"),
    ):
        with pytest.raises(InputError, match=message):
            merchant.checkout_quote(**(usual | wrong))
    with pytest.raises(NotAContract):
        merchant.checkout_quote(number=1, amount=5, token=merchant.address)


def test_a_quote_for_elsewhere(merchant: Tallystick, payer: Tallystick, business: Business) -> None:
    quote = quoted(merchant, business)
    for other in (replace(quote, chain_id=1), replace(quote, contract=business.token)):
        for verb in (payer.pay_quote, payer.sign_checkout, payer.quote_state):
            with pytest.raises(InputError, match="have one made for here"):
                verb(other)


def test_money_that_is_not_there_or_not_allowed(merchant: Tallystick, as_account: Connect, business: Business) -> None:
    poor, quote = as_account(RELAYER), quoted(merchant, business)
    with pytest.raises(BalanceTooLow):
        poor.pay_quote(quote)
    other = merchant.checkout_quote(number=3, amount=5, token=business._create(bytes.fromhex(PLAIN_TOKEN)))
    with pytest.raises(AllowanceTooLow):
        poor.sign_checkout(other)
    for funding in ("authorization", "permit"):
        with pytest.raises(PermitUnsupported):
            poor.sign_checkout(other, funding=funding)


def test_a_text_that_was_changed_on_the_way(merchant: Tallystick, payer: Tallystick, business: Business) -> None:
    quote = quoted(merchant, business)
    text = quote.render()
    for old, new in (
        ('"number": "1"', '"number": "2"'),
        ('"amount": "25000000"', '"amount": "24000000"'),
        ('"amount": "25000000"', '"amount": "0"'),
        ('"invoice": "1"', '"invoice": ""'),
        (merchant.address, payer.address),
        ('"valid_before": ', '"valid_before": 1'),
    ):
        assert old in text
        with pytest.raises(InputError, match="have the merchant write it anew"):
            parse_quote(text.replace(old, new))
    signed = payer.sign_checkout(quote).render()
    assert parse_quote(signed) == quote
    with pytest.raises(InputError, match="have the payer write it anew"):
        parse_checkout(signed.replace('"authorization"', '"collector"'))
    with pytest.raises(InputError, match="have the payer write it anew"):
        parse_checkout(text)


# --- Deposit addresses ---


def test_E23_what_an_exchange_sent_late_twice_and_in_another_token(
    merchant: Tallystick, payer: Tallystick, as_account: Connect, business: Business
) -> None:
    relayer = as_account(RELAYER)
    place = merchant.deposit_address("INV-1", token=business.token)
    assert (place.receiver, place.invoice, place.balance.units) == (merchant.address, "INV-1", 0)
    assert relayer.deposit_address("INV-1", token=business.token, receiver=merchant.address) == place
    business.token_call(payer.address, "transfer", place.address, 10)
    business.token_call(payer.address, "transfer", place.address, 15)
    assert merchant.deposit_address("INV-1", token=business.token).balance.units == 25
    rows = relayer.sweep(["INV-1", "INV-2"], token=business.token, receiver=merchant.address)
    assert [(row.invoice, row.amount_units, row.reason) for row in rows] == [
        ("INV-1", 25, None),
        ("INV-2", 0, Unswept.EMPTY),
    ]
    assert units(merchant, business, merchant.address) == 25
    business.token_call(payer.address, "transfer", place.address, 7)
    (row,) = merchant.sweep(["INV-1"], token=business.token)
    assert (row.amount_units, units(merchant, business, merchant.address)) == (7, 32)
    business.anvil.rpc("anvil_setBalance", place.address, hex(5))
    (row,) = merchant.sweep(["INV-1"], token=None)
    assert (row.token, row.amount_units) == (None, 5)


def test_more_addresses_than_fit_into_one_transaction(
    merchant: Tallystick, payer: Tallystick, business: Business
) -> None:
    names = [f"INV-{number}" for number in range(103)]
    for name in (names[0], names[-1]):
        place = merchant.deposit_address(name, token=business.token)
        business.token_call(payer.address, "transfer", place.address, 3)
    rows = merchant.sweep(names, token=business.token)
    assert [row.invoice for row in rows] == names
    assert [row.amount_units for row in rows] == [3, *[0] * 101, 3]
    assert len({row.transaction for row in rows}) == 2


def test_what_cannot_be_swept(merchant: Tallystick, business: Business) -> None:
    for wrong in ([], ["A", "B", "A"]):
        with pytest.raises(InputError, match="each once"):
            merchant.sweep(wrong, token=business.token)
    with pytest.raises(InputError, match="33 bytes"):
        merchant.deposit_address("x" * 33, token=business.token)


def test_a_refund_says_what_for(merchant: Tallystick, payer: Tallystick, business: Business) -> None:
    business.mint(merchant.address, 10_000_000)
    refunded = merchant.refund_invoice("INV-1", "4.00", token=business.token, to=payer.address).one(InvoiceRefunded)
    assert refunded == InvoiceRefunded(
        merchant.address, b"INV-1".ljust(32, b"\0"), payer.address, business.token, 4_000_000
    )
    assert units(merchant, business, merchant.address) == 6_000_000
    with pytest.raises(BalanceTooLow):
        merchant.refund_invoice("INV-1", "7.00", token=business.token, to=payer.address)
    with pytest.raises(ZeroAmount):
        merchant.refund_invoice("INV-1", 0, token=business.token, to=payer.address)


def test_E07_what_a_payee_could_not_receive_is_claimed(
    merchant: Tallystick, payer: Tallystick, as_account: Connect, business: Business
) -> None:
    blocked = as_account(SECOND).address
    business.block(blocked)
    quote = quoted(merchant, business, shares=[(merchant.address, 1), (blocked, 1)])
    payer.pay_quote(quote)
    business.unblock(blocked)
    payer.claim_checkout(blocked, business.token)
    assert units(merchant, business, blocked) == 12_500_000
    with pytest.raises(NothingToClaim):
        payer.claim_checkout(blocked, business.token)


def test_a_refund_to_the_account_that_signed_for_it(
    merchant: Tallystick, payer: Tallystick, business: Business
) -> None:
    """By its key, or by the code of a wallet (ERC-1271); for this invoice of this merchant alone."""
    business.mint(merchant.address, 10**9)
    signed = payer.sign_refund_address("INV-1", receiver=merchant.address)
    assert parse_refund_address(signed.render()) == signed
    given = merchant.refund_invoice("INV-1", "5", token=business.token, to=signed).one(InvoiceRefunded)
    assert (given.to, given.amount_units) == (payer.address, 5_000_000)

    def refused(kind: type[Exception], by: Tallystick, invoice: str, proof: SignedRefundAddress) -> None:
        before = units(by, business, by.address)
        with pytest.raises(kind):
            by.refund_invoice(invoice, "5", token=business.token, to=proof)
        assert units(by, business, by.address) == before

    wallet = business.account("wallet")
    to_wallet = replace(signed, address=replace(signed.address, to=wallet))
    refused(InputError, merchant, "INV-2", signed)
    refused(InputError, payer, "INV-1", signed)
    refused(InvalidSignature, merchant, "INV-1", to_wallet)
    for broken in (b"", bytes(65), b"\xff" * 65, signed.signature[:-1], signed.signature + b"\0"):
        refused(InvalidSignature, merchant, "INV-1", replace(signed, signature=broken))
    answers = {"yes": "631626ba7e60e01b5f5260205ff3", "no": "5f5f5260205ff3", "reverts": "5f5ffd"}
    for said, code in answers.items():
        business.anvil.rpc("anvil_setCode", wallet, "0x" + code)
        if said == "yes":
            given = merchant.refund_invoice("INV-1", "5", token=business.token, to=to_wallet).one(InvoiceRefunded)
            assert given.to == wallet
        else:
            refused(InvalidSignature, merchant, "INV-1", to_wallet)
    with pytest.raises(InputError, match="this is not a signed address for a refund"):
        parse_refund_address("{}")


def test_what_is_expected_and_what_came(
    merchant: Tallystick, payer: Tallystick, business: Business, tmp_path: Path
) -> None:
    config = Config(rpc_url=business.anvil.url, database=f"sqlite:///{tmp_path}/books.db")
    seller = Tallystick(merchant._connection, config)
    place = seller.expect_deposit("INV-1", "25.00", token=business.token, tolerance="0.05", valid_s=DAY)
    assert (place.address, place.amount_units) == (
        seller.deposit_address("INV-1", token=business.token).address,
        25_000_000,
    )
    with pytest.raises(DatabaseError, match="index --once"):
        seller.deposits()
    contract = business.manifest.contract("Checkout")
    engine = open_database(config.database)
    ingest(
        engine,
        Rpc(business.anvil.url),
        Target(business.anvil.chain_id, business.subscriptions, business.contract.start_block),
    )
    target = Target(business.anvil.chain_id, contract.address, contract.start_block, kind=CHECKOUT)
    assert seller.deposits()[0].status is DepositStatus.OPEN
    business.mint(payer.address, 10**9)
    business.token_call(payer.address, "transfer", place.address, 24_960_000)
    ingest(engine, Rpc(business.anvil.url), target)
    found = seller.deposit("INV-1")
    assert (found.status, found.in_token(business.token).waived_units) == (DepositStatus.PAID, 40_000)
    assert [one.invoice for one in seller.deposits(receiver=seller.address, status=DepositStatus.PAID)] == ["INV-1"]
    engine.dispose()
