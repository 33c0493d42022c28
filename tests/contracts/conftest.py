"""Fixtures of the contract tests: one chain for all of them, taken back after each test (Ape's isolation).

Run with `ape test tests/contracts`, in the project's environment.
"""

from __future__ import annotations

from typing import Any

import ape
import pytest

from tests.contracts.channels import AMOUNT, Channels
from tests.contracts.checkouts import Sales
from tests.contracts.payments import Payments
from tests.contracts.permit2 import ABI, PERMIT2, place_permit2
from tests.contracts.stage import START, SUBSCRIBED, UNLIMITED, Account, Contract, Stage, deploy
from tests.hypothesis_profiles import load_profile


def pytest_configure() -> None:
    load_profile()


@pytest.fixture(scope="session")
def stage(chain: Any, project: Any, accounts: Any) -> Stage:
    """The contract, a token that behaves, a merchant who has approved refunds; one second from block to block."""
    chain.provider.make_request("anvil_setBlockTimestampInterval", [1])
    chain.pending_timestamp = START
    deployer, merchant, anyone = accounts[0], accounts[1], accounts[2]
    escrow = project.Escrow.deploy(sender=deployer)
    subscriptions = deploy(project, deployer, escrow)
    token = project.MockToken.deploy("Mock Dollar", "MUSD", 6, sender=deployer)
    stage = Stage(chain, subscriptions, escrow, token, merchant, anyone)
    token.approve(subscriptions, UNLIMITED, sender=merchant)
    return stage


@pytest.fixture(scope="session")
def subscriptions(stage: Stage) -> Contract:
    """The contract under test."""
    return stage.subscriptions


@pytest.fixture(scope="session")
def token(stage: Stage) -> Contract:
    """OpenZeppelin's token with EIP-2612, 6 decimals."""
    return stage.token


@pytest.fixture(scope="session")
def merchant(stage: Stage) -> Account:
    """The payee of plans."""
    return stage.merchant


@pytest.fixture(scope="session")
def anyone(stage: Stage) -> Account:
    """Somebody without any role."""
    return stage.anyone


@pytest.fixture(scope="session")
def payers(stage: Stage, accounts: Any) -> list[Account]:
    """Four accounts with funds and an unlimited allowance."""
    payers = list(accounts[3:7])
    for payer in payers:
        stage.fund(payer)
    return payers


@pytest.fixture(scope="session")
def payer(payers: list[Account]) -> Account:
    """The first of them."""
    return payers[0]


@pytest.fixture
def monthly(stage: Stage) -> int:
    """The merchant's monthly plan; a late charge pays the current month only."""
    return stage.create_plan()


@pytest.fixture
def subscribed(stage: Stage, payer: Account, monthly: int) -> int:
    """The first payer's subscription to the monthly plan, opened and paid at SUBSCRIBED."""
    return stage.subscribe(payer, monthly, at=SUBSCRIBED)


@pytest.fixture(scope="session")
def usdc(stage: Stage, project: Any, payers: list[Account]) -> Contract:
    """USDC as it behaves: blocklist, pause, finite allowances."""
    usdc = project.MockUSDC.deploy(sender=stage.anyone)
    for payer in payers:
        stage.fund(payer, usdc)
    return usdc


@pytest.fixture(scope="session")
def usdt(stage: Stage, project: Any, payers: list[Account]) -> Contract:
    """USDT as it behaves: no return value, a fee that can be switched on."""
    usdt = project.MockUSDT.deploy(sender=stage.anyone)
    for payer in payers:
        stage.fund(payer, usdt)
    return usdt


@pytest.fixture(scope="session")
def weth(stage: Stage, project: Any) -> Contract:
    """A token whose fallback swallows `permit`."""
    return project.MockWETH.deploy(sender=stage.anyone)


@pytest.fixture(scope="session")
def hostile(stage: Stage, project: Any, payers: list[Account]) -> Contract:
    """A token that misbehaves once told to; see `play`."""
    hostile = project.HostileToken.deploy(sender=stage.anyone)
    for payer in payers:
        stage.fund(payer, hostile)
    return hostile


@pytest.fixture(scope="session")
def hooked(stage: Stage, project: Any, payers: list[Account]) -> Contract:
    """A token that calls sender and receiver, as ERC-777 does."""
    hooked = project.HookedToken.deploy(sender=stage.anyone)
    for payer in payers:
        stage.fund(payer, hooked)
    return hooked


@pytest.fixture(scope="session")
def permit2(stage: Stage) -> Contract:
    """Permit2, at its address."""
    place_permit2(stage.rpc)
    return ape.Contract(PERMIT2, abi=ABI)


# --- Escrow ---


@pytest.fixture(scope="session")
def escrow(stage: Stage, project: Any) -> Contract:
    """The contract that holds payments."""
    return project.Escrow.deploy(sender=stage.anyone)


@pytest.fixture(scope="session")
def payments(
    stage: Stage, escrow: Contract, payers: list[Account], accounts: Any, token: Contract, usdc: Contract
) -> Payments:
    """Its parties: the first payer, the merchant, an operator, an arbiter, a receiver of fees. The payers allow it all
    that they have, and the merchant allows it refunds."""
    named = {"operator": accounts[7], "arbiter": accounts[8], "receiver": accounts[9]}
    for account in (*payers, stage.merchant):
        token.approve(escrow, UNLIMITED, sender=account)
        usdc.approve(escrow, UNLIMITED, sender=account)
    return Payments(stage, escrow, payers[0], named)


# --- Checkout ---


@pytest.fixture(scope="session")
def checkout(stage: Stage, project: Any) -> Contract:
    """The contract that has quotes paid."""
    return project.Checkout.deploy(sender=stage.anyone)


@pytest.fixture(scope="session")
def sales(
    stage: Stage,
    project: Any,
    checkout: Contract,
    payments: Payments,
    payers: list[Account],
    token: Contract,
    usdc: Contract,
) -> Sales:
    """Its parties. The payers allow it all that they have, and the merchant allows it refunds."""
    for account in (*payers, stage.merchant):
        token.approve(checkout, UNLIMITED, sender=account)
        usdc.approve(checkout, UNLIMITED, sender=account)
    code = project.Deposit.contract_type.deployment_bytecode.bytecode
    return Sales(stage, checkout, payments, bytes.fromhex(code.removeprefix("0x")))


# --- Channels ---


@pytest.fixture(scope="session")
def channels(
    stage: Stage, project: Any, payers: list[Account], accounts: Any, token: Contract, usdc: Contract
) -> Channels:
    """The contract and its parties: payers who allow it all that they have, a receiver with an authorizer of its own, a
    spending key."""
    contract = project.Channels.deploy(sender=stage.anyone)
    for payer in payers:
        token.approve(contract, UNLIMITED, sender=payer)
        usdc.approve(contract, UNLIMITED, sender=payer)
    named = {"receiver": accounts[10], "authorizer": accounts[11], "key": accounts[12]}
    return Channels(stage, contract, payers, named)


@pytest.fixture(scope="session")
def deposit_collector(stage: Stage, project: Any, token: Contract) -> Contract:
    """One that brings money of its own."""
    collector = project.MockDepositCollector.deploy(sender=stage.anyone)
    token.mint(collector, 100 * AMOUNT, sender=stage.anyone)
    return collector
