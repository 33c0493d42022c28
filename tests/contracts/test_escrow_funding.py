"""How the money of a payment comes, and with it the payer's consent: signatures of each kind of account, permits,
Permit2, ERC-3009, and collectors that bring money of their own."""

from __future__ import annotations

from typing import Any

import pytest
from ape.exceptions import ContractLogicError, CustomError
from eth_utils.crypto import keccak

from tests.contracts.hostile import play
from tests.contracts.payments import (
    ALL,
    ALLOWANCE,
    AMOUNT,
    AUTHORIZATION,
    AUTHORIZE_BEFORE,
    COLLECTOR,
    NO_HASH,
    NONE,
    OPEN,
    PERMIT,
    PERMIT2_WITNESS,
    Payments,
    State,
    Terms,
    reverts_as,
    second_forms,
    signed,
    wrapped,
)
from tests.contracts.stage import NOBODY, UNLIMITED, Account, Contract, Stage, reverts, reverts_bare
from tests.contracts.test_contract_accounts import delegate
from tests.tricks import Trick

LOCKED = keccak(text="ReentrancyGuardReentrantCall()")[:4]
NO_PERMIT = UNLIMITED.to_bytes(32, "big") * 2 + (27).to_bytes(32, "big") + b"\x01" * 32 + b"\x02" * 32
"""Signed by nobody."""


# --- Allowance, of accounts with code ---


@pytest.fixture
def wallet(stage: Stage, project: Any, payments: Payments, token: Contract, payers: list[Account]) -> Contract:
    """A contract account with funds and allowance; the second payer's key signs for it."""
    wallet = project.MockWallet.deploy(sender=stage.anyone)
    wallet.setSigner(payers[1], sender=stage.anyone)
    token.mint(wallet, 10 * AMOUNT, sender=stage.anyone)
    wallet.execute(token, token.approve.encode_input(payments.escrow, UNLIMITED), sender=stage.anyone)
    return wallet


def test_a_contract_account_pays_by_the_signature_it_accepts(
    payments: Payments, wallet: Contract, payers: list[Account]
) -> None:
    terms = payments.terms(payer=wallet)
    with payments.nothing_changes(), reverts("InvalidSignature", signer=wallet):
        payments.escrow.authorize(terms, ALLOWANCE, payments.consent(terms, payers[0]), sender=payments.anyone)
    with payments.moves(escrow=AMOUNT):
        payments.escrow.authorize(terms, ALLOWANCE, payments.consent(terms, payers[1]), sender=payments.anyone)


def test_a_contract_account_calls_itself(payments: Payments, wallet: Contract) -> None:
    terms = payments.terms(payer=wallet)
    call = payments.escrow.authorize.encode_input(terms, ALLOWANCE, b"")
    wallet.execute(payments.escrow, call, sender=payments.anyone)
    assert payments.state(terms).status == OPEN


def test_E14_a_key_that_a_wallet_gave_up_consents_to_nothing_more(
    payments: Payments, wallet: Contract, payers: list[Account], stage: Stage
) -> None:
    before, after = payments.terms(payer=wallet), payments.terms(payer=wallet)
    payments.escrow.authorize(before, ALLOWANCE, payments.consent(before, payers[1]), sender=payments.anyone)
    wallet.setSigner(payers[2], sender=stage.anyone)
    with payments.nothing_changes(), reverts("InvalidSignature", signer=wallet):
        payments.escrow.authorize(after, ALLOWANCE, payments.consent(after, payers[1]), sender=payments.anyone)
    payments.escrow.capture(before, ALL, 0, sender=payments.payee)


def test_E06_a_signature_check_that_burns_all_gas_harms_its_submitter_alone(
    payments: Payments, wallet: Contract, payers: list[Account], stage: Stage
) -> None:
    terms = payments.terms(payer=wallet)
    wallet.setBurnsGas(True, sender=stage.anyone)
    with payments.nothing_changes(), reverts("InvalidSignature", signer=wallet):
        payments.escrow.authorize(terms, ALLOWANCE, payments.consent(terms, payers[1]), sender=payments.anyone)


def test_E16_an_account_with_code_consents_by_its_key(payments: Payments, project: Any, stage: Stage) -> None:
    silent = project.MockToken.deploy("No", "WALLET", 0, sender=stage.anyone)  # code that knows no ERC-1271
    delegate(stage, payments.payer, silent.address)
    terms = payments.terms()
    payments.escrow.authorize(terms, ALLOWANCE, payments.consent(terms), sender=payments.anyone)
    assert payments.state(terms).status == OPEN


def test_E16_an_account_with_code_consents_by_its_code(
    payments: Payments, project: Any, stage: Stage, payers: list[Account]
) -> None:
    delegate(stage, payments.payer, project.MockWallet.deploy(sender=stage.anyone).address)
    project.MockWallet.at(payments.payer.address).setSigner(payers[3], sender=stage.anyone)
    terms = payments.terms()
    with payments.nothing_changes(), reverts("InvalidSignature", signer=terms.payer):
        payments.escrow.authorize(terms, ALLOWANCE, payments.consent(terms, payers[1]), sender=payments.anyone)
    payments.escrow.authorize(terms, ALLOWANCE, payments.consent(terms, payers[3]), sender=payments.anyone)
    assert payments.state(terms).status == OPEN


@pytest.fixture
def factory(stage: Stage, project: Any) -> Contract:
    """Deploys wallets at addresses that are known before."""
    return project.MockWalletFactory.deploy(sender=stage.anyone)


def by_the_wallet(payments: Payments, stage: Stage, factory: Contract, token: Contract, payers: list[Account]) -> Terms:
    """Terms of a wallet with funds that is not there yet, for which the second payer's key will sign; the test lets
    the contract take its money, as a wallet's first transactions would."""
    address = factory.addressFor(payers[1])
    token.mint(address, AMOUNT, sender=stage.anyone)
    stage.rpc("anvil_impersonateAccount", address)
    stage.rpc("anvil_setBalance", address, hex(10**18))
    approval = "0x" + token.approve.encode_input(payments.escrow, UNLIMITED).hex()
    sent = stage.rpc("eth_sendTransaction", {"from": address, "to": token.address, "data": approval})
    stage.chain.provider.get_receipt(sent)
    stage.rpc("anvil_stopImpersonatingAccount", address)
    stage.rpc("anvil_setNonce", address, "0x0")  # what CREATE2 asks for
    return payments.terms(payer=address)


def test_E15_a_wallet_that_is_not_there_yet_signs_and_pays(
    payments: Payments, stage: Stage, factory: Contract, token: Contract, payers: list[Account]
) -> None:
    terms = by_the_wallet(payments, stage, factory, token, payers)
    inner = payments.consent(terms, payers[1])
    create = factory.create.encode_input(payers[1])
    for signature in (inner, wrapped(factory, create, payments.consent(terms, payers[2]))):
        with payments.nothing_changes(), reverts("InvalidSignature", signer=terms.payer):
            payments.escrow.authorize(terms, ALLOWANCE, signature, sender=payments.anyone)
    with payments.moves(escrow=AMOUNT):
        payments.escrow.authorize(terms, ALLOWANCE, wrapped(factory, create, inner), sender=payments.anyone)
    assert payments.state(terms) == State(OPEN, AMOUNT, 0, stage.now)


def test_E03_E15_who_deploys_it_has_no_authority_and_comes_in_nowhere(
    payments: Payments, stage: Stage, factory: Contract, token: Contract, payers: list[Account]
) -> None:
    """The factory tries to capture another payment, of which the payment's state was written already, and this one."""
    held = payments.authorized()
    for target in (held, None):
        taken = stage.rpc("evm_snapshot")
        terms = by_the_wallet(payments, stage, factory, token, payers)
        call = payments.escrow.reclaim.encode_input(target or terms)
        detour = factory.createWithDetour.encode_input(payers[1], payments.escrow, call)
        signature = wrapped(factory, detour, payments.consent(terms, payers[1]))
        payments.escrow.authorize(terms, ALLOWANCE, signature, sender=payments.anyone)
        assert not factory.detourSucceeded()
        assert bytes(factory.detourAnswer()) == LOCKED
        assert factory.caller() not in (payments.escrow.address, payments.anyone.address)
        stage.rpc("evm_revert", taken)


def test_E15_no_call_takes_what_payers_allow_the_contract(
    payments: Payments, project: Any, stage: Stage, token: Contract, payers: list[Account]
) -> None:
    thief = project.MockWallet.deploy(sender=stage.anyone)  # accepts nothing
    terms = payments.terms(payer=thief)
    steal = token.transferFrom.encode_input(payments.payer, stage.anyone, AMOUNT)
    signature = wrapped(token, steal, payments.consent(terms, payers[1]))
    with payments.nothing_changes(), reverts("InvalidSignature", signer=thief):
        payments.escrow.authorize(terms, ALLOWANCE, signature, sender=payments.anyone)


# --- Permit ---


@pytest.fixture
def poor(payments: Payments, token: Contract, usdc: Contract) -> Account:
    """The payer, with funds and without any allowance."""
    for asset in (token, usdc):
        asset.approve(payments.escrow, 0, sender=payments.payer)
    return payments.payer


@pytest.mark.parametrize("name", ["token", "usdc"])
@pytest.mark.parametrize("sender", ["payer", "anyone"])
def test_a_permit_pays(
    payments: Payments, poor: Account, token: Contract, usdc: Contract, name: str, sender: str
) -> None:
    asset, version = {"token": (token, "1"), "usdc": (usdc, "2")}[name]
    terms = payments.terms(token=asset)
    data = payments.permit(asset, poor, value=AMOUNT, version=version)
    if sender == "anyone":
        with payments.nothing_changes(asset), reverts("InvalidSignature", signer=poor):
            payments.escrow.authorize(terms, PERMIT, data, sender=payments.anyone)  # a permit is no consent
        data += payments.consent(terms)
    with payments.moves(asset, payer=-AMOUNT, escrow=AMOUNT):
        payments.escrow.authorize(terms, PERMIT, data, sender=getattr(payments, sender))
    assert asset.allowance(poor, payments.escrow) == 0


def test_too_small_a_permit_is_too_low_an_allowance(payments: Payments, poor: Account, token: Contract) -> None:
    terms = payments.terms()
    data = payments.permit(token, poor, value=AMOUNT - 1)
    with payments.nothing_changes(), reverts("AllowanceTooLow", found=AMOUNT - 1, needed=AMOUNT):
        payments.escrow.authorize(terms, PERMIT, data, sender=poor)


def test_E10_a_permit_that_somebody_used_before_is_no_obstacle(
    payments: Payments, poor: Account, token: Contract
) -> None:
    terms = payments.terms()
    data = payments.permit(token, poor, value=AMOUNT)
    words = [data[place : place + 32] for place in range(0, 160, 32)]
    token.permit(poor, payments.escrow, AMOUNT, UNLIMITED, words[2][-1], words[3], words[4], sender=payments.anyone)
    payments.escrow.authorize(terms, PERMIT, data + payments.consent(terms), sender=payments.anyone)
    assert payments.state(terms).status == OPEN


def test_E10_a_permit_that_fails_leaves_the_allowance_to_decide(payments: Payments, token: Contract) -> None:
    payments.escrow.authorize(payments.terms(), PERMIT, NO_PERMIT, sender=payments.payer)
    token.approve(payments.escrow, 0, sender=payments.payer)
    with payments.nothing_changes(), reverts("AllowanceTooLow", found=0, needed=AMOUNT):
        payments.escrow.authorize(payments.terms(), PERMIT, NO_PERMIT, sender=payments.payer)


def test_E11_a_token_that_swallows_the_permit_leaves_the_allowance_to_decide(
    payments: Payments, weth: Contract
) -> None:
    weth.deposit(value=AMOUNT, sender=payments.payer)
    terms = payments.terms(token=weth)
    with payments.nothing_changes(weth), reverts("AllowanceTooLow", found=0, needed=AMOUNT):
        payments.escrow.authorize(terms, PERMIT, NO_PERMIT, sender=payments.payer)
    weth.approve(payments.escrow, AMOUNT, sender=payments.payer)
    payments.escrow.authorize(terms, PERMIT, NO_PERMIT, sender=payments.payer)
    assert payments.state(terms).status == OPEN


@pytest.mark.parametrize("trick", [Trick.REVERT_BOMB, Trick.RETURN_BOMB, Trick.RETURN_FALSE, Trick.BURN_GAS])
def test_E06_a_hostile_permit_leaves_the_allowance_to_decide(
    payments: Payments, hostile: Contract, trick: Trick
) -> None:
    hostile.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    play(hostile, "permit", trick)
    payments.escrow.authorize(payments.terms(token=hostile), PERMIT, NO_PERMIT, sender=payments.payer)


@pytest.mark.parametrize(("wait_s", "good"), [(-1, True), (0, True), (1, False)])
def test_E20_a_permit_is_good_until_its_deadline(
    payments: Payments, poor: Account, token: Contract, stage: Stage, wait_s: int, good: bool
) -> None:
    deadline = stage.now + 100
    data = payments.permit(token, poor, deadline=deadline)
    stage.at(deadline + wait_s)
    if good:
        payments.escrow.authorize(payments.terms(), PERMIT, data, sender=poor)
    else:
        with reverts("AllowanceTooLow", found=0, needed=AMOUNT):
            payments.escrow.authorize(payments.terms(), PERMIT, data, sender=poor)


def test_refuses_half_a_permit(payments: Payments, token: Contract, poor: Account) -> None:
    data = payments.permit(token, poor)
    dirty = data[:64] + b"\x01" + data[65:]  # a `v` of more than a byte
    for wrong in (b"", data[:159], dirty):
        with payments.nothing_changes(), reverts_bare():
            payments.escrow.authorize(payments.terms(), PERMIT, wrong, sender=poor)


# --- Permit2 ---


@pytest.fixture
def owner(permit2: Contract, payments: Payments, token: Contract) -> Account:
    """The payer, who lets Permit2 move the token, and not the contract."""
    token.approve(permit2, UNLIMITED, sender=payments.payer)
    token.approve(payments.escrow, 0, sender=payments.payer)
    return payments.payer


@pytest.mark.usefixtures("owner")
def test_permit2_one_signature_is_consent_and_money(payments: Payments) -> None:
    terms = payments.with_all()
    with payments.moves(payer=-AMOUNT, escrow=AMOUNT):
        receipt = payments.escrow.authorize(
            terms, PERMIT2_WITNESS, payments.by_permit2(terms, 7), sender=payments.anyone
        )
    assert payments.events(receipt)[0][1]["collector"] == NOBODY
    assert payments.state(terms).status == OPEN


@pytest.mark.usefixtures("owner")
def test_permit2_each_nonce_once(payments: Payments) -> None:
    one, other = payments.terms(), payments.terms()
    payments.escrow.authorize(one, PERMIT2_WITNESS, payments.by_permit2(one, 255), sender=payments.anyone)
    with payments.nothing_changes(), reverts_as("InvalidNonce()"):
        payments.escrow.authorize(other, PERMIT2_WITNESS, payments.by_permit2(other, 255), sender=payments.anyone)
    with payments.nothing_changes(), reverts("PaymentExists", paymentId=payments.id(one), status=OPEN):
        payments.escrow.authorize(one, PERMIT2_WITNESS, payments.by_permit2(one, 256), sender=payments.anyone)
    payments.escrow.authorize(other, PERMIT2_WITNESS, payments.by_permit2(other, 256), sender=payments.anyone)


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize(
    "changes",
    [
        {"spender": "0x" + "11" * 20},
        {"deadline": AUTHORIZE_BEFORE},
        {"permitted": {"token": "0x" + "11" * 20, "amount": AMOUNT}},
        {"permitted": {"amount": AMOUNT + 1}},
    ],
)
def test_permit2_refuses_what_was_not_signed(payments: Payments, changes: dict[str, Any], token: Contract) -> None:
    terms = payments.terms()
    if "permitted" in changes:
        changes = {"permitted": {"token": token.address} | changes["permitted"]}
    data = payments.by_permit2(terms, 0, **changes)
    for wrong in (data, (1).to_bytes(32, "big") + payments.by_permit2(terms, 0)[32:]):  # another nonce
        with payments.nothing_changes(), reverts_as("InvalidSigner()"):
            payments.escrow.authorize(terms, PERMIT2_WITNESS, wrong, sender=payments.anyone)


@pytest.mark.usefixtures("owner")
def test_permit2_refuses_other_terms_than_the_witness_even_from_the_payer(payments: Payments) -> None:
    """The caller's being the payer is no consent here: the signature is of the terms or of nothing."""
    terms = payments.terms()
    other = terms._replace(payee=payments.operator.address)
    for sender in (payments.anyone, payments.operator, payments.payer):
        with payments.nothing_changes(), reverts_as("InvalidSigner()"):
            payments.escrow.authorize(other, PERMIT2_WITNESS, payments.by_permit2(terms), sender=sender)


@pytest.mark.usefixtures("owner")
def test_permit2_refuses_anothers_signature_and_half_of_one(payments: Payments, payers: list[Account]) -> None:
    terms = payments.terms()
    with payments.nothing_changes(), reverts_as("InvalidSigner()"):
        data = payments.by_permit2(terms, key=payers[1])
        payments.escrow.authorize(terms, PERMIT2_WITNESS, data, sender=payments.anyone)
    data = payments.by_permit2(terms)
    with payments.nothing_changes(), reverts_as("InvalidSignatureLength()"):
        payments.escrow.authorize(terms, PERMIT2_WITNESS, data[:-2], sender=payments.anyone)
    with payments.nothing_changes(), reverts_bare():
        payments.escrow.authorize(terms, PERMIT2_WITNESS, data[:31], sender=payments.anyone)


@pytest.mark.usefixtures("owner")
def test_permit2_the_consent_is_no_signature_of_the_terms_nor_the_other_way_round(payments: Payments) -> None:
    terms = payments.terms()
    data = payments.by_permit2(terms)
    with payments.nothing_changes(), reverts("InvalidSignature", signer=terms.payer):
        payments.escrow.authorize(terms, ALLOWANCE, data[32:], sender=payments.anyone)
    with payments.nothing_changes(), reverts_as("InvalidSigner()"):
        plain = bytes(32) + payments.consent(terms)
        payments.escrow.authorize(terms, PERMIT2_WITNESS, plain, sender=payments.anyone)


@pytest.mark.usefixtures("owner")
@pytest.mark.parametrize(("second", "good"), [(-1, True), (0, False)])
def test_E20_permit2_until_authorization_ends(payments: Payments, stage: Stage, second: int, good: bool) -> None:
    terms = payments.terms()
    data = payments.by_permit2(terms)
    stage.at(AUTHORIZE_BEFORE + second)
    if good:
        payments.escrow.authorize(terms, PERMIT2_WITNESS, data, sender=payments.anyone)
        return
    expected = {"authorizeBefore": AUTHORIZE_BEFORE, "time": AUTHORIZE_BEFORE}
    with payments.nothing_changes(), reverts("AuthorizationExpired", **expected):
        payments.escrow.authorize(terms, PERMIT2_WITNESS, data, sender=payments.anyone)


def test_permit2_of_a_contract_account(
    payments: Payments, permit2: Contract, wallet: Contract, token: Contract, payers: list[Account], stage: Stage
) -> None:
    wallet.execute(token, token.approve.encode_input(permit2, UNLIMITED), sender=stage.anyone)
    terms = payments.terms(payer=wallet)
    with payments.nothing_changes(), reverts_as("InvalidContractSignature()"):
        payments.escrow.authorize(terms, PERMIT2_WITNESS, payments.by_permit2(terms), sender=payments.anyone)
    data = payments.by_permit2(terms, key=payers[1])
    payments.escrow.authorize(terms, PERMIT2_WITNESS, data, sender=payments.anyone)
    assert payments.state(terms).status == OPEN


@pytest.mark.usefixtures("permit2")
def test_E01_permit2_where_nothing_moves(
    payments: Payments, permit2: Contract, usdt: Contract, hostile: Contract, stage: Stage
) -> None:
    """Permit2 takes a token at its word; the contract does not."""
    usdt.approve(permit2, UNLIMITED, sender=payments.payer)
    hostile.approve(permit2, UNLIMITED, sender=payments.payer)
    usdt.setParams(1_000, UNLIMITED, sender=stage.anyone)
    play(hostile, "transferFrom", Trick.RETURN_TRUE)
    for token, received in ((usdt, AMOUNT * 9 // 10), (hostile, 0)):
        terms = payments.terms(token=token)
        with payments.nothing_changes(token), reverts("AmountMismatch", received=received, expected=AMOUNT):
            payments.escrow.authorize(terms, PERMIT2_WITNESS, payments.by_permit2(terms), sender=payments.anyone)


def test_E01_without_permit2_nothing_is_held(payments: Payments, permit2: Contract, stage: Stage) -> None:
    terms = payments.terms()
    data = payments.by_permit2(terms)
    code = stage.rpc("eth_getCode", permit2.address, "latest")
    stage.rpc("anvil_setCode", permit2.address, "0x")
    try:
        with payments.nothing_changes(), reverts_bare():
            payments.escrow.authorize(terms, PERMIT2_WITNESS, data, sender=payments.anyone)
    finally:
        stage.rpc("anvil_setCode", permit2.address, code)


# --- ERC-3009 ---


def test_an_authorization_of_a_key(payments: Payments, usdc: Contract) -> None:
    terms = payments.with_all(token=usdc)
    usdc.approve(payments.escrow, 0, sender=payments.payer)
    with payments.moves(usdc, payer=-AMOUNT, escrow=AMOUNT):
        payments.escrow.authorize(terms, AUTHORIZATION, payments.by_authorization(terms), sender=payments.anyone)
    assert usdc.authorizationState(terms.payer, payments.id(terms))


def test_an_authorization_of_a_contract_account(
    payments: Payments, usdc: Contract, wallet: Contract, payers: list[Account], stage: Stage
) -> None:
    """Its signature is as long as it likes; one of 65 bytes goes the way of a key's, at whose end the token asks it."""
    usdc.mint(wallet, 3 * AMOUNT, sender=stage.anyone)
    terms = payments.terms(token=usdc, payer=wallet)
    signature = payments.by_authorization(terms, key=payers[1])
    payments.escrow.authorize(terms, AUTHORIZATION, signature, sender=payments.anyone)
    stage.rpc("anvil_setCode", wallet.address, ANSWERS_YES)
    for length in (0, 64, 66, 300):
        terms = payments.terms(token=usdc, payer=wallet, amount=7)
        payments.escrow.authorize(terms, AUTHORIZATION, b"\x05" * length, sender=payments.anyone)
        assert payments.state(terms).held == 7


ANSWERS_YES = "0x631626ba7e60e01b5f5260205ff3"
"""Code that answers everything with ERC-1271's yes."""


@pytest.mark.parametrize(
    "changes",
    [
        {"to": "0x" + "11" * 20},
        {"value": AMOUNT - 1},
        {"value": AMOUNT + 1},
        {"validAfter": 1},
        {"validBefore": AUTHORIZE_BEFORE + 1},
        {"nonce": NO_HASH},
    ],
)
def test_an_authorization_of_something_else_is_refused(
    payments: Payments, usdc: Contract, changes: dict[str, Any]
) -> None:
    terms = payments.terms(token=usdc)
    with payments.nothing_changes(usdc), reverts_with("FiatTokenV2: invalid signature"):
        data = payments.by_authorization(terms, **changes)
        payments.escrow.authorize(terms, AUTHORIZATION, data, sender=payments.anyone)


def test_an_authorization_is_of_these_terms_alone(payments: Payments, usdc: Contract) -> None:
    """Its nonce is the payment: with whatever other term, it is another one."""
    terms = payments.with_all(token=usdc)
    data = payments.by_authorization(terms)
    for other in (terms._replace(payee=payments.operator.address), terms._replace(max_fee_bps=10_000)):
        for sender in (payments.anyone, payments.payer):
            with payments.nothing_changes(usdc), reverts_with("FiatTokenV2: invalid signature"):
                payments.escrow.authorize(other, AUTHORIZATION, data, sender=sender)


def test_E12_E13_an_authorization_elsewhere_or_in_a_second_form(payments: Payments, usdc: Contract) -> None:
    terms = payments.terms(token=usdc)
    message = payments.authorization_data(terms)
    message["domain"] = message["domain"] | {"chainId": 1}
    wrong = [signed(payments.payer, message), payments.consent(terms), *second_forms(payments.by_authorization(terms))]
    for data in wrong:
        with payments.nothing_changes(usdc), reverts_with("FiatTokenV2: invalid signature"):
            payments.escrow.authorize(terms, AUTHORIZATION, data, sender=payments.anyone)


def test_E17_an_authorization_that_was_cancelled(payments: Payments, usdc: Contract) -> None:
    terms = payments.terms(token=usdc)
    data = payments.by_authorization(terms)
    message = payments.authorization_data(terms)
    cancel = "address authorizer,bytes32 nonce"
    message["types"] = {
        "EIP712Domain": message["types"]["EIP712Domain"],
        "CancelAuthorization": [
            {"type": kind, "name": name} for kind, name in (field.split() for field in cancel.split(","))
        ],
    }
    message["primaryType"] = "CancelAuthorization"
    message["message"] = {"authorizer": terms.payer, "nonce": payments.id(terms)}
    usdc.cancelAuthorization(terms.payer, payments.id(terms), signed(payments.payer, message), sender=payments.anyone)
    with payments.nothing_changes(usdc), reverts_with("FiatTokenV2: authorization is used or canceled"):
        payments.escrow.authorize(terms, AUTHORIZATION, data, sender=payments.anyone)


def test_E01_a_token_that_swallows_an_authorization(payments: Payments, weth: Contract, token: Contract) -> None:
    weth.deposit(value=AMOUNT, sender=payments.payer)
    weth.approve(payments.escrow, UNLIMITED, sender=payments.payer)
    terms = payments.terms(token=weth)
    for data in (b"\x01" * 65, b""):
        with payments.nothing_changes(weth), reverts("AmountMismatch", received=0, expected=AMOUNT):
            payments.escrow.authorize(terms, AUTHORIZATION, data, sender=payments.payer)
    terms = payments.terms(token=token)  # which does not know it
    with payments.nothing_changes(), reverts_bare():
        payments.escrow.authorize(terms, AUTHORIZATION, b"\x01" * 65, sender=payments.payer)


def reverts_with(message: str) -> Any:
    """The body reverts with a reason in words, another contract's."""
    return pytest.raises(ContractLogicError, match=message)


# --- Collectors ---


@pytest.fixture
def collector(stage: Stage, project: Any, token: Contract) -> Contract:
    """A contract with money of its own."""
    collector = project.MockCollector.deploy(sender=stage.anyone)
    token.mint(collector, 5 * AMOUNT, sender=stage.anyone)
    return collector


def collect(payments: Payments, collector: Contract, terms: Terms) -> Any:
    call = payments.escrow.authorize.encode_input(terms, COLLECTOR, b"")
    return collector.execute(payments.escrow, call, sender=payments.anyone)


def test_a_collector_brings_its_own_money(payments: Payments, collector: Contract, token: Contract) -> None:
    """It needs no consent: whatever becomes of the payment, the payer can only receive."""
    terms = payments.terms()
    with payments.moves(escrow=AMOUNT):
        receipt = collect(payments, collector, terms)
    assert payments.events(receipt)[0][1]["collector"] == collector.address
    assert (bytes(collector.paymentId()), collector.payer()) == (payments.id(terms), terms.payer)
    assert token.balanceOf(collector) == 4 * AMOUNT
    with payments.moves(payer=AMOUNT, escrow=-AMOUNT):
        payments.escrow.void(terms, sender=payments.payee)


@pytest.mark.parametrize("short_by", [1, AMOUNT - 1, AMOUNT])
def test_a_collector_that_brings_less_or_nothing(
    payments: Payments, collector: Contract, stage: Stage, short_by: int
) -> None:
    """What is held for others does not fill it up."""
    payments.authorized()
    collector.setShortBy(short_by, sender=stage.anyone)
    with payments.nothing_changes(), reverts_as("AmountMismatch(uint256,uint256)", AMOUNT - short_by, AMOUNT):
        collect(payments, collector, payments.terms())


VERBS = ["authorize", "charge", "revoke", "capture", "captureMilestone", "void", "reclaim", "refund", "dispute"]
VERBS += ["submitEvidence", "rule", "ruleByDefault", "claim"]


def test_every_entry_point_is_tried(payments: Payments) -> None:
    functions = payments.escrow.contract_type.mutable_methods
    assert sorted(entry.name for entry in functions) == sorted(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_E03_a_collector_comes_in_nowhere(payments: Payments, collector: Contract, stage: Stage, verb: str) -> None:
    terms, own = payments.terms(), payments.terms(payer=collector)
    escrow = payments.escrow
    call = {
        "authorize": escrow.authorize.encode_input(own, COLLECTOR, b""),
        "charge": escrow.charge.encode_input(own, 0, COLLECTOR, b""),
        "revoke": escrow.revoke.encode_input(own),
        "capture": escrow.capture.encode_input(terms, ALL, 0),
        "captureMilestone": escrow.captureMilestone.encode_input(terms, 0, 1, 0, 0, []),
        "void": escrow.void.encode_input(terms),
        "reclaim": escrow.reclaim.encode_input(terms),
        "refund": escrow.refund.encode_input(terms, 1),
        "dispute": escrow.dispute.encode_input(terms, NO_HASH),
        "submitEvidence": escrow.submitEvidence.encode_input(terms, NO_HASH),
        "rule": escrow.rule.encode_input(terms, 1, 0),
        "ruleByDefault": escrow.ruleByDefault.encode_input(terms),
        "claim": escrow.claim.encode_input(collector, payments.stage.token),
    }[verb]
    collector.setDetour(escrow, call, sender=stage.anyone)
    collect(payments, collector, terms)
    assert not collector.detourSucceeded()
    assert bytes(collector.detourAnswer()) == LOCKED
    assert payments.total() == (1, AMOUNT)


def test_E03_money_that_a_payment_brings_counts_once(
    payments: Payments, collector: Contract, stage: Stage, token: Contract
) -> None:
    """A collector cannot pass off as its own what comes in on the way, by taking it from a payer of the contract."""
    take = token.transferFrom.encode_input(payments.payer, payments.escrow, AMOUNT)
    collector.setShortBy(AMOUNT, sender=stage.anyone)
    collector.setDetour(token, take, sender=stage.anyone)
    with payments.nothing_changes(), reverts_as("AmountMismatch(uint256,uint256)", 0, AMOUNT):
        collect(payments, collector, payments.terms())


def test_an_account_that_is_no_collector(payments: Payments, project: Any, stage: Stage) -> None:
    terms = payments.terms()
    for sender in (payments.payer, payments.anyone):
        with payments.nothing_changes(), reverts_bare():
            payments.escrow.authorize(terms, COLLECTOR, payments.consent(terms), sender=sender)
    wallet = project.MockWallet.deploy(sender=stage.anyone)
    call = payments.escrow.authorize.encode_input(terms, COLLECTOR, b"")
    with payments.nothing_changes(), pytest.raises(ContractLogicError):
        wallet.execute(payments.escrow, call, sender=stage.anyone)
    assert payments.state(terms).status == NONE


def test_nobody_else_is_asked_for_the_money(payments: Payments, collector: Contract) -> None:
    """Who calls brings it, not whom the terms or the data name."""
    terms = payments.terms(payer=collector)
    with payments.nothing_changes(), pytest.raises((ContractLogicError, CustomError)):
        payments.escrow.authorize(terms, COLLECTOR, b"", sender=payments.anyone)
