"""ChannelPlan: what a subscription is charged goes into the payer's channel, by one consent for both.

created
├── without a receiver, or an authorizer: ZeroAddress
├── for the channels' own contract: PartyRefused
└── with a delay that no channel has: WithdrawDelayOutOfRange
fill
├── of another plan: AnotherPlan
├── nothing was charged since: nothing
└── charged
    ├── the token blocks this contract: Subscriptions keeps it, and it is filled once it was claimed
    └── into the channel of payer and beneficiary, which is opened where it is new
archive: by the receiver alone
"""

from __future__ import annotations

from typing import Any

import pytest
from ape.exceptions import ContractLogicError
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tallystick.core.subscription import DeclineReason
from tests.contracts.channels import DELAY, Channel, Channels, Config
from tests.contracts.feeds import refuses_to_create
from tests.contracts.signing import (
    NO_COUPON,
    Conditions,
    MandateWithConditions,
    signed_mandate_with_conditions,
)
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    NOBODY,
    PRICE,
    SUBSCRIBED,
    Account,
    Contract,
    Stage,
    balances_move,
    reverts,
)

MONTH = 3
"""`Unit.Month`."""


def deployed(stage: Stage, project: Any, channels: Channels, token: Contract) -> Contract:
    parties = channels.receiver, channels.authorizer
    return project.ChannelPlan.deploy(
        stage.subscriptions, channels.contract, *parties, DELAY, token, PRICE, 1, MONTH, sender=stage.anyone
    )


@pytest.fixture
def plan(stage: Stage, project: Any, channels: Channels, token: Contract) -> Contract:
    return deployed(stage, project, channels, token)


@pytest.fixture
def opened(stage: Stage, plan: Contract, payer: Account) -> int:
    """The first payer's subscription, its first period paid."""
    return stage.subscribe(payer, plan.planId(), at=SUBSCRIBED)


def config_of(plan: Contract, subscription_id: int) -> Config:
    return Config(*plan.channelOf(subscription_id))


def fill(stage: Stage, plan: Contract, *subscription_ids: int) -> Any:
    return plan.fill(list(subscription_ids), sender=stage.anyone)


def test_the_plan_has_a_price_and_a_period_and_nothing_else(stage: Stage, plan: Contract, token: Contract) -> None:
    terms = stage.subscriptions.plan(plan.planId())
    assert (terms.payee, terms.token, terms.price, terms.every, terms.unit) == (plan, token, PRICE, 1, MONTH)
    others = set(terms.__dataclass_fields__) - {"payee", "token", "price", "every", "unit"}
    assert {getattr(terms, name) for name in others} <= {0, NOBODY}


def test_it_is_not_created_with_terms_that_no_channel_can_have(
    stage: Stage, project: Any, channels: Channels, token: Contract
) -> None:
    """What is charged under it could never leave it."""
    contracts = stage.subscriptions.address, channels.contract.address
    good = channels.receiver.address, channels.authorizer.address, DELAY
    least, most = 15 * 60, 30 * DAY
    outside = "WithdrawDelayOutOfRange(uint256,uint256,uint256)"
    for place, wrong, error, *values in (
        (0, NOBODY, "ZeroAddress()"),
        (1, NOBODY, "ZeroAddress()"),
        (0, contracts[1], "PartyRefused(address)", contracts[1]),
        (2, least - 1, outside, least - 1, least, most),
        (2, most + 1, outside, most + 1, least, most),
    ):
        terms = [*good[:place], wrong, *good[place + 1 :]]
        kinds = ["address"] * 4 + ["uint40", "address", "uint96", "uint32", "uint8"]
        arguments = encode(kinds, [*contracts, *terms, token.address, PRICE, 1, MONTH])
        refuses_to_create(stage, project.ChannelPlan, arguments, error, *values)


def test_each_charge_goes_into_the_payers_channel(
    stage: Stage, plan: Contract, opened: int, channels: Channels, token: Contract, payer: Account
) -> None:
    config = config_of(plan, opened)
    assert config == Config(
        *(payer, NOBODY, channels.receiver, channels.authorizer, token, DELAY, opened.to_bytes(32, "big"))
    )
    assert tuple(plan.unfilled(opened)) == (1, PRICE)
    with balances_move(token, {"plan": plan, "channels": channels.contract}, {"plan": -PRICE, "channels": PRICE}):
        receipt = fill(stage, plan, opened)
    (event,) = receipt.decode_logs(plan.ChannelFilled)
    assert (event.subscriptionId, event.charges, event.amount) == (opened, 1, PRICE)
    assert bytes(event.channelId) == channels.id(config)
    assert channels.state(config) == Channel(PRICE)
    for due in (FIRST_DUE, FIRST_DUE + 31 * DAY):
        assert stage.charge(opened, at=due) == [DeclineReason.NONE]
    assert tuple(plan.unfilled(opened)) == (2, 2 * PRICE)
    fill(stage, plan, opened)
    assert channels.state(config) == Channel(3 * PRICE)
    assert token.balanceOf(plan) == 0


def test_what_was_filled_is_spent_by_vouchers_and_the_rest_comes_back(
    stage: Stage, plan: Contract, opened: int, channels: Channels
) -> None:
    fill(stage, plan, opened)
    config = config_of(plan, opened)
    with channels.moves(receiver=PRICE // 3, contract=-(PRICE // 3)):
        channels.claim_rows(channels.voucher(config, PRICE // 3))
    with channels.moves(payer=PRICE - PRICE // 3, contract=-(PRICE - PRICE // 3)):
        channels.withdraw(config)


def test_one_signature_is_for_the_subscription_and_for_the_key_that_signs_vouchers(
    stage: Stage, plan: Contract, channels: Channels, payer: Account
) -> None:
    """Whom the subscription serves signs for what it uses; anyone submits, charges and fills."""
    plan_id, subscriptions = plan.planId(), stage.subscriptions
    conditions = Conditions(max_per_period=PRICE, max_total=12 * PRICE, beneficiary=channels.key.address)
    mandate = MandateWithConditions(payer.address, [bytes(subscriptions.termsHash(plan_id))], conditions=conditions)
    signature = signed_mandate_with_conditions(stage, payer, mandate, plan_id)
    stage.at(SUBSCRIBED)
    subscriptions.submitMandateWithConditions(mandate, plan_id, signature, NO_COUPON, b"", sender=stage.anyone)
    fill(stage, plan, 1)
    config = config_of(plan, 1)
    assert config.payer_authorizer == channels.key
    with channels.moves(receiver=7, contract=-7):
        channels.claim_rows(channels.voucher(config, 7, key=channels.key))
    assert len(channels.skipped(channels.claim_rows(channels.voucher(config, 8)))) == 1  # not by the payer's key


def test_what_was_not_charged_is_passed_over(
    stage: Stage, plan: Contract, opened: int, channels: Channels, payers: list[Account], token: Contract
) -> None:
    second = stage.subscribe(payers[1], plan.planId())
    fill(stage, plan, opened)
    with stage.nothing_stored([channels.contract.address]):
        assert not fill(stage, plan, opened, opened).decode_logs(plan.ChannelFilled)
    receipt = fill(stage, plan, opened, second, second)
    assert [event.subscriptionId for event in receipt.decode_logs(plan.ChannelFilled)] == [second]
    assert token.balanceOf(plan) == 0


def test_a_cancelled_subscription_has_what_it_paid_filled(
    stage: Stage, plan: Contract, opened: int, channels: Channels, payer: Account
) -> None:
    stage.subscriptions.cancel(opened, sender=payer)
    fill(stage, plan, opened)
    assert channels.state(config_of(plan, opened)) == Channel(PRICE)


def bubbles(error: str) -> Any:
    """The body reverts with this error, which Ape does not name: of a contract behind, or of a view."""
    return pytest.raises(ContractLogicError, match=keccak(text=error)[:4].hex())


def test_of_another_plan(stage: Stage, plan: Contract, subscribed: int, monthly: int) -> None:
    with reverts("AnotherPlan", subscriptionId=subscribed, found=monthly, expected=plan.planId()):
        fill(stage, plan, subscribed)
    for view in (plan.unfilled, plan.channelOf):
        with bubbles("AnotherPlan(uint256,uint256,uint256)"):
            view(subscribed)


def test_E07_what_the_token_would_not_let_the_plan_receive_is_filled_once_it_was_claimed(
    stage: Stage, project: Any, channels: Channels, usdc: Contract, payer: Account
) -> None:
    plan = deployed(stage, project, channels, usdc)
    opened = stage.subscribe(payer, plan.planId(), at=SUBSCRIBED)
    usdc.blacklist(plan, sender=stage.anyone)
    assert stage.charge(opened, at=FIRST_DUE) == [DeclineReason.NONE]
    usdc.unBlacklist(plan, sender=stage.anyone)
    with bubbles("BalanceTooLow(uint256,uint256)"):
        fill(stage, plan, opened)
    stage.subscriptions.claim(plan, usdc, sender=stage.anyone)
    fill(stage, plan, opened)
    assert channels.state(config_of(plan, opened)) == Channel(2 * PRICE)


def test_another_key_has_a_channel_of_its_own(stage: Stage, plan: Contract, channels: Channels, payer: Account) -> None:
    """What was not filled before goes into the new one."""
    opened = stage.subscribe(payer, plan.planId(), at=SUBSCRIBED)
    fill(stage, plan, opened)
    first = config_of(plan, opened)
    stage.charge(opened, at=FIRST_DUE)
    stage.subscriptions.setConditions(opened, Conditions(beneficiary=channels.key.address), sender=payer)
    fill(stage, plan, opened)
    second = config_of(plan, opened)
    assert (second.payer, second.payer_authorizer) == (payer, channels.key)
    assert (channels.state(first), channels.state(second)) == (Channel(PRICE), Channel(PRICE))


def test_nobody_gets_a_charge_of_another_price(
    stage: Stage, plan: Contract, opened: int, payer: Account, channels: Channels
) -> None:
    """Refunds, coupons, other plans and a move of the register are the payee's, which is this contract; it has no verb
    for them and signs nothing."""
    subscriptions = stage.subscriptions
    plan_id = stage.create_plan(price=1)
    with reverts("NotAuthorized", caller=channels.receiver.address):
        subscriptions.refund(opened, 1, 1, sender=channels.receiver)
    with reverts("NotAuthorized", caller=channels.receiver.address):
        subscriptions.createPlan(subscriptions.plan(plan.planId()), sender=channels.receiver)
    with reverts("AnotherRegister", found=1, expected=0):
        stage.change_plan(payer, opened, plan_id)


def test_the_receiver_alone_ends_the_sale(
    stage: Stage, plan: Contract, opened: int, channels: Channels, payers: list[Account]
) -> None:
    with reverts("NotAuthorized", caller=stage.anyone.address):
        plan.archive(sender=stage.anyone)
    plan.archive(sender=channels.receiver)
    with reverts("PlanIsArchived", planId=plan.planId()):
        stage.subscribe(payers[1], plan.planId())
    assert stage.charge(opened, at=FIRST_DUE) == [DeclineReason.NONE]
    fill(stage, plan, opened)
    assert channels.state(config_of(plan, opened)) == Channel(2 * PRICE)
