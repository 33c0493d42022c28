"""Payers that are contracts, or have code beside their key: ERC-1271 and EIP-7702."""

from __future__ import annotations

from typing import Any

import pytest
from eth_account import Account as Keys

from tallystick.core.subscription import DeclineReason
from tests.contracts.signing import Mandate, signed_mandate
from tests.contracts.stage import FIRST_DUE, PRICE, SUBSCRIBED, UNLIMITED, Account, Contract, Stage, reverts


@pytest.fixture
def wallet(stage: Stage, project: Any, token: Contract, payers: list[Account]) -> Contract:
    """A contract account with funds and allowance; the second payer's key signs for it."""
    wallet = project.MockWallet.deploy(sender=stage.anyone)
    wallet.setSigner(payers[1], sender=stage.anyone)
    token.mint(wallet, 100 * PRICE, sender=stage.anyone)
    approval = token.approve.encode_input(stage.subscriptions, UNLIMITED)
    wallet.execute(token, approval, sender=stage.anyone)
    return wallet


def delegate(stage: Stage, account: Account, code: str) -> None:
    """Gives an account with a key the code of a contract, by a transaction of EIP-7702 that somebody else pays."""
    nonce = int(stage.rpc("eth_getTransactionCount", account.address, "latest"), 16)
    permission = Keys.sign_authorization({"chainId": 31_337, "address": code, "nonce": nonce}, account.private_key)
    transaction = {
        "type": 4,
        "chainId": 31_337,
        "nonce": int(stage.rpc("eth_getTransactionCount", stage.anyone.address, "latest"), 16),
        "to": stage.anyone.address,
        "value": 0,
        "gas": 200_000,
        "maxFeePerGas": 10**10,
        "maxPriorityFeePerGas": 0,
        "authorizationList": [permission],
    }
    signed = Keys.sign_transaction(transaction, stage.anyone.private_key)
    sent = stage.rpc("eth_sendRawTransaction", "0x" + bytes(signed.raw_transaction).hex())
    stage.chain.provider.get_receipt(sent)  # waits until it is mined
    assert stage.rpc("eth_getCode", account.address, "latest") == "0xef0100" + code[2:].lower()


def test_a_contract_account_pays_by_the_signature_it_accepts(
    stage: Stage, subscriptions: Contract, token: Contract, payers: list[Account], wallet: Contract, monthly: int
) -> None:
    mandate = Mandate(wallet.address, monthly)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=wallet):
        subscriptions.submitMandate(mandate, signed_mandate(stage, payers[0], mandate), sender=stage.anyone)
    subscriptions.submitMandate(mandate, signed_mandate(stage, payers[1], mandate), sender=stage.anyone)
    assert token.balanceOf(stage.merchant) == PRICE


def test_E14_consent_stands_when_the_key_changes_until_it_is_revoked(
    stage: Stage, subscriptions: Contract, payers: list[Account], wallet: Contract, monthly: int
) -> None:
    mandate, later = Mandate(wallet.address, monthly, salt=1), Mandate(wallet.address, monthly, salt=2)
    stage.at(SUBSCRIBED)
    subscriptions.submitMandate(mandate, signed_mandate(stage, payers[1], mandate), sender=stage.anyone)
    wallet.setSigner(payers[2], sender=stage.anyone)
    assert stage.charge(1, at=FIRST_DUE) == [DeclineReason.NONE]
    with reverts("InvalidSignature", signer=wallet):
        subscriptions.submitMandate(later, signed_mandate(stage, payers[1], later), sender=stage.anyone)
    wallet.execute(subscriptions, subscriptions.cancel.encode_input(1), sender=stage.anyone)
    assert stage.charge(1, at=stage.next_due(1)) == [DeclineReason.CANCELLED]


def test_E16_an_account_with_code_consents_by_its_key(
    stage: Stage, project: Any, subscriptions: Contract, payer: Account, token: Contract, monthly: int
) -> None:
    silent = project.MockToken.deploy("No", "WALLET", 0, sender=stage.anyone)  # code that knows no ERC-1271
    delegate(stage, payer, silent.address)
    mandate = Mandate(payer.address, monthly)
    subscriptions.submitMandate(mandate, signed_mandate(stage, payer, mandate), sender=stage.anyone)
    assert token.balanceOf(stage.merchant) == PRICE


def test_E16_an_account_with_code_consents_by_its_code(
    stage: Stage, project: Any, subscriptions: Contract, payers: list[Account], token: Contract, monthly: int
) -> None:
    payer, session_key = payers[0], payers[3]
    delegate(stage, payer, project.MockWallet.deploy(sender=stage.anyone).address)
    project.MockWallet.at(payer.address).setSigner(session_key, sender=stage.anyone)
    mandate = Mandate(payer.address, monthly)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
        subscriptions.submitMandate(mandate, signed_mandate(stage, payers[1], mandate), sender=stage.anyone)
    subscriptions.submitMandate(mandate, signed_mandate(stage, session_key, mandate), sender=stage.anyone)
    assert token.balanceOf(stage.merchant) == PRICE


def test_E06_a_signature_check_that_burns_all_gas_harms_its_submitter_alone(
    stage: Stage, subscriptions: Contract, payers: list[Account], wallet: Contract, monthly: int
) -> None:
    mandate = Mandate(wallet.address, monthly)
    wallet.setBurnsGas(True, sender=stage.anyone)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=wallet):
        subscriptions.submitMandate(mandate, signed_mandate(stage, payers[1], mandate), sender=stage.anyone)
