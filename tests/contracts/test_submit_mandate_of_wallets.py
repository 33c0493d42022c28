"""submitMandateWithConditions for payers that are contracts, have code beside their key, or are not there yet."""

from __future__ import annotations

from typing import Any

import pytest
from eth_utils.crypto import keccak

from tests.contracts.signing import Conditions, MandateWithConditions, signed_mandate_with_conditions
from tests.contracts.special import charge, charge_as_foreseen
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    FUNDS,
    NOBODY,
    PRICE,
    SUBSCRIBED,
    UNLIMITED,
    Account,
    Contract,
    Stage,
    reverts,
)
from tests.contracts.test_contract_accounts import delegate
from tests.contracts.test_submit_mandate_with_conditions import submit, terms, wrap


@pytest.fixture
def mandate(stage: Stage, payer: Account, monthly: int) -> MandateWithConditions:
    """The payer's consent to the monthly plan, for at most two periods."""
    return MandateWithConditions(
        payer.address, terms(stage, monthly), conditions=Conditions(max_total=2 * PRICE), salt=7
    )


# --- Accounts with code ---


@pytest.fixture
def wallet(stage: Stage, project: Any, token: Contract, payers: list[Account]) -> Contract:
    """A contract account with funds and allowance; the second payer's key signs for it."""
    wallet = project.MockWallet.deploy(sender=stage.anyone)
    wallet.setSigner(payers[1], sender=stage.anyone)
    token.mint(wallet, 100 * PRICE, sender=stage.anyone)
    wallet.execute(token, token.approve.encode_input(stage.subscriptions, UNLIMITED), sender=stage.anyone)
    return wallet


def test_a_contract_account_pays_by_the_signature_it_accepts_until_it_cancels(
    stage: Stage,
    subscriptions: Contract,
    payers: list[Account],
    wallet: Contract,
    monthly: int,
    mandate: MandateWithConditions,
) -> None:
    mandate = mandate._replace(payer=wallet.address)
    another = signed_mandate_with_conditions(stage, payers[0], mandate, monthly)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=wallet):
        submit(stage, mandate, monthly, another)
    stage.at(SUBSCRIBED)
    submit(stage, mandate, monthly, signed_mandate_with_conditions(stage, payers[1], mandate, monthly))
    wallet.setSigner(payers[2], sender=stage.anyone)  # E14
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE).amount == PRICE
    wallet.execute(subscriptions, subscriptions.cancel.encode_input(1), sender=stage.anyone)
    assert charge(stage, 1, at=stage.next_due(1)) == ["Cancelled"]


def test_E06_a_signature_check_that_burns_all_gas_harms_its_submitter_alone(
    stage: Stage, payers: list[Account], wallet: Contract, monthly: int, mandate: MandateWithConditions
) -> None:
    mandate = mandate._replace(payer=wallet.address)
    wallet.setBurnsGas(True, sender=stage.anyone)
    signature = signed_mandate_with_conditions(stage, payers[1], mandate, monthly)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=wallet):
        submit(stage, mandate, monthly, signature)


def test_E16_an_account_with_code_consents_by_its_key(
    stage: Stage,
    project: Any,
    token: Contract,
    payer: Account,
    monthly: int,
    mandate: MandateWithConditions,
) -> None:
    silent = project.MockToken.deploy("No", "WALLET", 0, sender=stage.anyone)  # code that knows no ERC-1271
    delegate(stage, payer, silent.address)
    submit(stage, mandate, monthly, signed_mandate_with_conditions(stage, payer, mandate, monthly))
    assert token.balanceOf(stage.merchant) == PRICE


def test_E16_an_account_with_code_consents_by_its_code(
    stage: Stage,
    project: Any,
    token: Contract,
    payers: list[Account],
    monthly: int,
    mandate: MandateWithConditions,
) -> None:
    payer, session_key = payers[0], payers[3]
    delegate(stage, payer, project.MockWallet.deploy(sender=stage.anyone).address)
    project.MockWallet.at(payer.address).setSigner(session_key, sender=stage.anyone)
    another = signed_mandate_with_conditions(stage, payers[1], mandate, monthly)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
        submit(stage, mandate, monthly, another)
    submit(stage, mandate, monthly, signed_mandate_with_conditions(stage, session_key, mandate, monthly))
    assert token.balanceOf(stage.merchant) == PRICE


# --- Wallets that are not there yet ---


@pytest.fixture
def factory(stage: Stage, project: Any) -> Contract:
    """Deploys wallets at addresses that are known before."""
    return project.MockWalletFactory.deploy(sender=stage.anyone)


@pytest.fixture
def to_come(
    stage: Stage, factory: Contract, payers: list[Account], monthly: int, mandate: MandateWithConditions
) -> MandateWithConditions:
    """The consent of a wallet that is not there, for which the second payer's key will sign; it begins later."""
    address = factory.addressFor(payers[1])
    assert stage.rpc("eth_getCode", address, "latest") == "0x"
    return mandate._replace(
        payer=address, plans=terms(stage, monthly), conditions=Conditions(starts_at=FIRST_DUE, max_total=PRICE)
    )


def test_E15_a_wallet_that_is_not_there_yet_signs_and_pays_when_it_is(
    stage: Stage,
    project: Any,
    subscriptions: Contract,
    token: Contract,
    payers: list[Account],
    monthly: int,
    factory: Contract,
    to_come: MandateWithConditions,
) -> None:
    inner = signed_mandate_with_conditions(stage, payers[1], to_come, monthly)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=to_come.payer):
        submit(stage, to_come, monthly, inner)
    signature = wrap(factory, factory.create.encode_input(payers[1]), inner)
    stage.at(SUBSCRIBED)
    events = stage.events(submit(stage, to_come, monthly, signature))
    assert [name for name, _ in events] == ["Subscribed", "ConditionsSet", "MandateAccepted"]
    assert (stage.opened(), subscriptions.subscription(1).payer) == (1, to_come.payer)
    wallet = project.MockWallet.at(to_come.payer)
    token.mint(wallet, PRICE, sender=stage.anyone)
    wallet.execute(token, token.approve.encode_input(subscriptions, PRICE), sender=stage.anyone)
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE).amount == PRICE
    with stage.nothing_changes(), reverts("SaltUsed", payer=wallet, salt=7):
        submit(stage, to_come, monthly, signature)


def test_E15_who_deploys_it_has_no_authority(
    stage: Stage,
    subscriptions: Contract,
    token: Contract,
    payers: list[Account],
    monthly: int,
    factory: Contract,
    to_come: MandateWithConditions,
) -> None:
    stage.subscribe(payers[0], monthly)
    inner = signed_mandate_with_conditions(stage, payers[1], to_come, monthly)
    detour = factory.createWithDetour.encode_input(payers[1], subscriptions, subscriptions.charge.encode_input([1]))
    stage.at(SUBSCRIBED)
    submit(stage, to_come, monthly, wrap(factory, detour, inner))
    assert not factory.detourSucceeded()
    assert bytes(factory.detourAnswer()) == keccak(text="ReentrancyGuardReentrantCall()")[:4]
    caller = factory.caller()
    assert caller != subscriptions
    assert (token.balanceOf(caller), token.allowance(payers[0], caller)) == (0, 0)
    assert token.balanceOf(payers[0]) == FUNDS - PRICE


def test_E15_no_call_takes_what_payers_allow_the_contract(
    stage: Stage,
    project: Any,
    subscriptions: Contract,
    token: Contract,
    payers: list[Account],
    monthly: int,
    mandate: MandateWithConditions,
) -> None:
    """The token as the factory, and the contract itself: whoever they are called by, it is not the contract."""
    thief = project.MockWallet.deploy(sender=stage.anyone)  # accepts the inner signature after the call, not before
    mandate = mandate._replace(payer=thief.address, conditions=Conditions(starts_at=SUBSCRIBED + DAY))
    inner = signed_mandate_with_conditions(stage, payers[1], mandate, monthly)
    steal = token.transferFrom.encode_input(payers[0], stage.anyone, PRICE)
    own = project.SubscriptionsCharges.at(subscriptions.address).chargeSpecialRow.encode_input(1)
    for target, call in ((token, steal), (subscriptions, own)):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=thief):
            submit(stage, mandate, monthly, wrap(target, call, inner))
    submit(stage, mandate, monthly, wrap(thief, thief.setSigner.encode_input(payers[1]), inner))  # it prepares itself
    assert token.balanceOf(payers[0]) == FUNDS


def test_E15_somebody_may_have_deployed_it_before(
    stage: Stage, payers: list[Account], monthly: int, factory: Contract, to_come: MandateWithConditions
) -> None:
    inner = signed_mandate_with_conditions(stage, payers[1], to_come, monthly)
    factory.create(payers[1], sender=stage.anyone)
    submit(stage, to_come, monthly, wrap(factory, factory.create.encode_input(payers[1]), inner))
    assert factory.caller() == stage.anyone


def test_E15_another_key_or_another_wallet_is_refused_and_nothing_is_deployed(
    stage: Stage, payers: list[Account], monthly: int, factory: Contract, to_come: MandateWithConditions
) -> None:
    create = factory.create.encode_input(payers[1])
    inner = signed_mandate_with_conditions(stage, payers[1], to_come, monthly)
    for signature in (
        wrap(factory, create, signed_mandate_with_conditions(stage, payers[2], to_come, monthly)),
        wrap(factory, factory.create.encode_input(payers[2]), inner),
        wrap(NOBODY, create, inner),
        wrap(factory, b"", inner),
        wrap(factory, create, inner)[:-1],
    ):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=to_come.payer):
            submit(stage, to_come, monthly, signature)
    assert stage.rpc("eth_getCode", to_come.payer, "latest") == "0x"
