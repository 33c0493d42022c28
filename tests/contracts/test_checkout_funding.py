"""How the money of a quote comes, and with it the payer's consent: an allowance, a permit, Permit2, ERC-3009, and
collectors that bring money of their own. What any payment by signed words has in common is in `test_escrow_funding`."""

from __future__ import annotations

from typing import Any

import pytest
from ape.exceptions import ContractLogicError
from eth_utils.crypto import keccak

from tests.contracts.checkouts import VALID_BEFORE, Sales
from tests.contracts.hostile import play
from tests.contracts.payments import (
    ALLOWANCE,
    AMOUNT,
    AUTHORIZATION,
    COLLECTOR,
    NO_HASH,
    PERMIT,
    PERMIT2_WITNESS,
    reverts_as,
    second_forms,
    wrapped,
)
from tests.contracts.stage import UNLIMITED, Account, Contract, Stage, reverts, reverts_bare
from tests.tricks import Trick

LOCKED = keccak(text="ReentrancyGuardReentrantCall()")[:4]
PARTS = [(AMOUNT,), (AMOUNT - 3, 1, 2)]


# --- Allowance ---


@pytest.mark.parametrize("parts", PARTS)
def test_anyone_sends_what_the_payer_accepted(sales: Sales, parts: tuple[int, ...]) -> None:
    quote = sales.quote(*parts)
    with sales.nothing_changes(), reverts("InvalidSignature", signer=sales.payer):
        sales.pay(quote, sender=sales.anyone)
    with sales.moves(payer=-AMOUNT, **dict(zip(("payee", "second", "third"), parts, strict=False))):
        sales.pay(quote, ALLOWANCE, sales.acceptance(quote), sender=sales.anyone)


def test_an_acceptance_is_of_this_quote_by_this_payer(sales: Sales, payers: list[Account], stage: Stage) -> None:
    quote = sales.quote()
    wrong = [
        sales.acceptance(quote, key=payers[1]),
        sales.acceptance(quote, payer=payers[1].address),
        sales.acceptance(quote._replace(invoice=NO_HASH)),
        sales.acceptance(quote._replace(payouts=[(sales.third.address, AMOUNT)])),
        sales.acceptance(quote, chain_id=1),
        sales.acceptance(quote, contract=stage.escrow.address),
        *second_forms(sales.acceptance(quote)),
    ]
    for data in wrong:
        with sales.nothing_changes(), reverts("InvalidSignature", signer=sales.payer):
            sales.pay(quote, ALLOWANCE, data, sender=sales.anyone)


def test_a_merchants_own_signature_takes_nothing_from_the_merchant(sales: Sales, token: Contract) -> None:
    """Who signs a quote offers it; it is no consent to pay it, though the merchant has money and an allowance here."""
    token.mint(sales.merchant, AMOUNT, sender=sales.anyone)
    quote = sales.quote()
    with sales.nothing_changes(), reverts("InvalidSignature", signer=sales.merchant):
        sales.pay(quote, ALLOWANCE, sales.offer(quote), payer=sales.merchant, sender=sales.anyone)


def test_a_payers_acceptance_is_no_merchants_signature(sales: Sales) -> None:
    quote = sales.quote(merchant=sales.payer)
    with sales.nothing_changes(), reverts("InvalidSignature", signer=sales.payer):
        sales.pay(quote, offer=sales.acceptance(quote))


def test_E14_E15_a_wallet_that_is_not_there_yet_accepts(
    sales: Sales, project: Any, stage: Stage, payers: list[Account]
) -> None:
    """It has let the contract take nothing yet: its signature is good, the money is what is missing."""
    factory = project.MockWalletFactory.deploy(sender=stage.anyone)
    wallet, create = factory.addressFor(payers[1]), factory.create.encode_input(payers[1])
    quote = sales.quote()
    data = wrapped(factory, create, sales.acceptance(quote, payer=wallet, key=payers[1]))
    with sales.nothing_changes(), reverts("AllowanceTooLow", found=0, needed=AMOUNT):
        sales.checkout.pay(quote, sales.offer(quote), wallet, ALLOWANCE, data, sender=sales.anyone)


def test_too_little_allowed_or_there(sales: Sales, token: Contract) -> None:
    token.approve(sales.checkout, AMOUNT - 1, sender=sales.payer)
    with sales.nothing_changes(), reverts("AllowanceTooLow", found=AMOUNT - 1, needed=AMOUNT):
        sales.pay(sales.quote())
    token.approve(sales.checkout, UNLIMITED, sender=sales.payer)
    there = token.balanceOf(sales.payer)
    with sales.nothing_changes(), reverts("BalanceTooLow", found=there, needed=there + 1):
        sales.pay(sales.quote(there + 1))


# --- Permit ---


@pytest.mark.parametrize("parts", PARTS)
@pytest.mark.parametrize("sender", ["payer", "anyone"])
def test_E10_a_permit_pays_also_where_somebody_used_it_before(
    sales: Sales, token: Contract, sender: str, parts: tuple[int, ...]
) -> None:
    token.approve(sales.checkout, 0, sender=sales.payer)
    quote = sales.quote(*parts)
    data = sales.permit(token, sales.payer, value=AMOUNT, spender=sales.checkout)
    if sender == "anyone":
        with sales.nothing_changes(), reverts("InvalidSignature", signer=sales.payer):
            sales.pay(quote, PERMIT, data, sender=sales.anyone)  # a permit is no consent
        words = [data[place : place + 32] for place in range(0, 160, 32)]
        permit = AMOUNT, UNLIMITED, words[2][-1], words[3], words[4]
        token.permit(sales.payer, sales.checkout, *permit, sender=sales.anyone)
        data += sales.acceptance(quote)
    sales.pay(quote, PERMIT, data, sender=getattr(sales, sender))
    assert token.allowance(sales.payer, sales.checkout) == 0
    assert sales.total() == (1, AMOUNT)


def test_E11_a_token_that_swallows_the_permit(sales: Sales, weth: Contract) -> None:
    weth.deposit(value=AMOUNT, sender=sales.payer)
    quote = sales.quote(token=weth)
    with sales.nothing_changes(weth), reverts("AllowanceTooLow", found=0, needed=AMOUNT):
        sales.pay(quote, PERMIT, bytes(160))
    weth.approve(sales.checkout, AMOUNT, sender=sales.payer)
    sales.pay(quote, PERMIT, bytes(160))


def test_half_a_permit(sales: Sales) -> None:
    with sales.nothing_changes(), reverts_bare():
        sales.pay(sales.quote(), PERMIT, bytes(159))


# --- Permit2 ---


@pytest.fixture
def owner(permit2: Contract, sales: Sales, token: Contract) -> Account:
    """The payer, who lets Permit2 move the token, and not the contract."""
    token.approve(permit2, UNLIMITED, sender=sales.payer)
    token.approve(sales.checkout, 0, sender=sales.payer)
    return sales.payer


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize("parts", PARTS)
def test_permit2_one_signature_is_consent_and_money(sales: Sales, parts: tuple[int, ...]) -> None:
    quote = sales.quote(*parts)
    with sales.moves(payer=-AMOUNT, **dict(zip(("payee", "second", "third"), parts, strict=False))):
        sales.pay(quote, PERMIT2_WITNESS, sales.by_permit2(quote, 7), sender=sales.anyone)


@pytest.mark.usefixtures("owner")
def test_permit2_of_another_quote_or_with_other_words(sales: Sales, token: Contract, payers: list[Account]) -> None:
    quote, other = sales.quote(), sales.quote()
    wrong = [
        sales.by_permit2(other),
        sales.by_permit2(quote, key=payers[1]),
        sales.by_permit2(quote, spender="0x" + "11" * 20),
        sales.by_permit2(quote, deadline=VALID_BEFORE),
        sales.by_permit2(quote, permitted={"token": token.address, "amount": AMOUNT + 1}),
        bytes(32) + sales.acceptance(quote),
        bytes(32) + sales.by_permit2(quote, 1)[32:],
    ]
    for data in wrong:
        for sender in (sales.anyone, sales.payer):
            with sales.nothing_changes(), reverts_as("InvalidSigner()"):
                sales.pay(quote, PERMIT2_WITNESS, data, sender=sender)


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize(("second", "good"), [(-1, True), (0, False)])
def test_E20_permit2_until_the_quote_ends(sales: Sales, stage: Stage, second: int, good: bool) -> None:
    quote = sales.quote()
    data = sales.by_permit2(quote)
    stage.at(VALID_BEFORE + second)
    if good:
        sales.pay(quote, PERMIT2_WITNESS, data, sender=sales.anyone)
        return
    with sales.nothing_changes(), reverts("QuoteExpired", validBefore=VALID_BEFORE, time=VALID_BEFORE):
        sales.pay(quote, PERMIT2_WITNESS, data, sender=sales.anyone)


# --- ERC-3009 ---


@pytest.mark.parametrize("parts", PARTS)
def test_an_authorization_is_consent_and_money(sales: Sales, usdc: Contract, parts: tuple[int, ...]) -> None:
    usdc.approve(sales.checkout, 0, sender=sales.payer)
    quote = sales.quote(*parts, token=usdc)
    with sales.moves(usdc, payer=-AMOUNT, **dict(zip(("payee", "second", "third"), parts, strict=False))):
        sales.pay(quote, AUTHORIZATION, sales.by_authorization(quote), sender=sales.anyone)
    assert usdc.authorizationState(sales.payer, sales.id(quote))


def test_E07_an_authorization_for_a_payee_that_is_blocked(sales: Sales, usdc: Contract, stage: Stage) -> None:
    """It comes by way of the contract, which keeps it for the payee: the payer has paid."""
    usdc.blacklist(sales.payee, sender=stage.anyone)
    quote = sales.quote(token=usdc)
    with sales.moves(usdc, payer=-AMOUNT, checkout=AMOUNT):
        sales.pay(quote, AUTHORIZATION, sales.by_authorization(quote), sender=sales.anyone)
    assert sales.checkout.claimable(sales.payee, usdc) == AMOUNT


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "0x" + "11" * 20},
        {"value": AMOUNT + 1},
        {"validAfter": 1},
        {"validBefore": VALID_BEFORE + 1},
        {"nonce": NO_HASH},
    ],
)
def test_an_authorization_of_something_else(sales: Sales, usdc: Contract, changes: dict[str, Any]) -> None:
    quote = sales.quote(token=usdc)
    data = sales.by_authorization(quote, **changes)
    with sales.nothing_changes(usdc), pytest.raises(ContractLogicError, match="FiatTokenV2: invalid signature"):
        sales.pay(quote, AUTHORIZATION, data, sender=sales.anyone)


def test_E01_a_token_that_swallows_an_authorization(sales: Sales, weth: Contract) -> None:
    weth.deposit(value=AMOUNT, sender=sales.payer)
    with sales.nothing_changes(weth), reverts("AmountMismatch", received=0, expected=AMOUNT):
        sales.pay(sales.quote(token=weth), AUTHORIZATION, b"\x01" * 65)


# --- Collectors ---


@pytest.fixture
def collector(stage: Stage, project: Any, token: Contract) -> Contract:
    """A contract with money of its own."""
    collector = project.MockCollector.deploy(sender=stage.anyone)
    token.mint(collector, 5 * AMOUNT, sender=stage.anyone)
    return collector


def collect(sales: Sales, collector: Contract, quote: Any) -> Any:
    call = sales.checkout.pay.encode_input(quote, sales.offer(quote), sales.payer, COLLECTOR, b"")
    return collector.execute(sales.checkout, call, sender=sales.anyone)


@pytest.mark.parametrize("parts", PARTS)
def test_a_collector_brings_its_own_money(sales: Sales, collector: Contract, parts: tuple[int, ...]) -> None:
    quote = sales.quote(*parts)
    with sales.moves(**dict(zip(("payee", "second", "third"), parts, strict=False))):
        receipt = collect(sales, collector, quote)
    assert sales.events(receipt)[0][1]["collector"] == collector.address
    assert (bytes(collector.paymentId()), collector.payer()) == (sales.id(quote), sales.payer.address)


def test_a_collector_that_brings_less(sales: Sales, collector: Contract, usdc: Contract, stage: Stage) -> None:
    """What the contract keeps for somebody does not fill it up."""
    usdc.blacklist(sales.second, sender=stage.anyone)
    sales.pay(sales.quote(1, AMOUNT, token=usdc))
    usdc.mint(collector, AMOUNT, sender=stage.anyone)
    collector.setShortBy(1, sender=stage.anyone)
    with sales.nothing_changes(usdc), reverts_as("AmountMismatch(uint256,uint256)", AMOUNT - 1, AMOUNT):
        collect(sales, collector, sales.quote(token=usdc))


VERBS = ["pay", "withdrawQuote", "sweep", "refund", "claim", "noteCoins"]


def test_every_entry_point_is_tried(sales: Sales) -> None:
    assert sorted(entry.name for entry in sales.checkout.contract_type.mutable_methods) == sorted(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_E03_a_collector_comes_in_nowhere(sales: Sales, collector: Contract, stage: Stage, verb: str) -> None:
    quote, other, checkout = sales.quote(), sales.quote(), sales.checkout
    call = {
        "pay": checkout.pay.encode_input(other, sales.offer(other), sales.payer, ALLOWANCE, sales.acceptance(other)),
        "withdrawQuote": checkout.withdrawQuote.encode_input(1),
        "sweep": checkout.sweep.encode_input(collector, stage.token, [NO_HASH]),
        "refund": checkout.refund.encode_input(NO_HASH, stage.token, sales.payer, 1),
        "claim": checkout.claim.encode_input(collector, stage.token),
        "noteCoins": checkout.noteCoins.encode_input(1),
    }[verb]
    collector.setDetour(checkout, call, sender=stage.anyone)
    collect(sales, collector, quote)
    assert not collector.detourSucceeded()
    locked = keccak(text="NotAuthorized(address)")[:4] if verb == "noteCoins" else LOCKED
    assert bytes(collector.detourAnswer())[:4] == locked
    assert sales.total() == (1, AMOUNT)


def test_E03_money_that_a_payment_brings_counts_once(
    sales: Sales, collector: Contract, stage: Stage, token: Contract
) -> None:
    """A collector cannot pass off as its own what comes in on the way."""
    take = token.transferFrom.encode_input(sales.payer, sales.checkout, AMOUNT)
    collector.setShortBy(AMOUNT, sender=stage.anyone)
    collector.setDetour(token, take, sender=stage.anyone)
    with sales.nothing_changes(), reverts_as("AmountMismatch(uint256,uint256)", 0, AMOUNT):
        collect(sales, collector, sales.quote())


def test_an_account_that_is_no_collector(sales: Sales) -> None:
    with sales.nothing_changes(), reverts_bare():
        sales.pay(sales.quote(), COLLECTOR)


def test_E06_a_permit_that_burns_all_gas_harms_its_sender_alone(sales: Sales, hostile: Contract) -> None:
    hostile.approve(sales.checkout, UNLIMITED, sender=sales.payer)
    play(hostile, "permit", Trick.BURN_GAS)
    sales.pay(sales.quote(token=hostile), PERMIT, bytes(160))
