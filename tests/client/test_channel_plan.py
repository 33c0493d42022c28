"""A plan whose charges fill channels: one consent for the subscription and the key that spends it by vouchers."""

from __future__ import annotations

from pathlib import Path

import pytest
from eth_account import Account

from tallystick import Config, Tallystick
from tallystick.core.address import parse_address
from tallystick.core.channel_plan import ChannelFilled
from tallystick.core.spending import Limits
from tallystick.errors import AnotherPlan, ChannelExhausted, InputError, NotAuthorized, SpendingLimit
from tests.business import Business
from tests.client.conftest import BILLER, MERCHANT, PAYER

KEY = 4
PRICE = 5_000_000


class Parties:
    """Merchant, payer, voucher key and a biller, each with a database of its own; the plan is 5 dollars a month."""

    def __init__(self, business: Business, manifest: Path, folder: Path) -> None:
        self.business, self._manifest, self._folder = business, manifest, folder
        self.merchant, self.payer, self.key, self.biller = map(self._as, (MERCHANT, PAYER, KEY, BILLER))
        business.mint(self.payer.address, 10**9)
        self.plan = self.merchant.create_channel_plan(token=business.token, price="5.00", unit="month")

    def _as(self, index: int) -> Tallystick:
        return Tallystick.connect(
            Config(),
            rpc_url=self.business.anvil.url,
            deployment=self._manifest,
            database=f"sqlite:///{self._folder}/{index}.db",
            signer=Account.from_key(self.business.anvil.key(index)),
        )


@pytest.fixture
def parties(business: Business, manifest: Path, tmp_path: Path) -> Parties:
    return Parties(business, manifest, tmp_path)


def test_a_charge_goes_into_the_channel_and_is_spent_by_vouchers(parties: Parties) -> None:
    payer, merchant, plan = parties.payer, parties.merchant, parties.plan
    number = payer.subscribe(plan.plan_id).subscription_id
    (filled,) = parties.biller.fill_channels(plan.contract, [number])
    channel = payer.take_up_channel(plan.contract, number, limits=Limits(per_voucher=1_000_000))
    assert filled == ChannelFilled(number, channel.channel_id, 1, PRICE)
    assert (channel.terms.payer, channel.terms.receiver) == (payer.address, merchant.address)
    assert payer.channel(channel).state.deposited == PRICE
    assert parties.biller.fill_channels(plan.contract, [number]) == [], "nothing was charged since"
    with pytest.raises(SpendingLimit):
        payer.sign_voucher(channel, "1.01")
    voucher = payer.sign_voucher(channel, "1.00")
    rules = merchant.till_rules(tokens=[parties.business.token])
    merchant.accept_voucher(voucher, rules=rules)
    report = merchant.claim_vouchers(parties.business.token)
    assert report.paid_units == {(merchant.address, parties.business.token): 1_000_000}
    parties.business.anvil.advance(40 * 86_400)
    parties.business.call(parties.biller.address, "charge", [number])
    parties.biller.fill_channels(plan.contract, [number, number])
    assert payer.channel(channel).state.deposited == 2 * PRICE


def test_the_key_that_the_payer_named_spends_and_nobody_else(parties: Parties) -> None:
    payer, plan = parties.payer, parties.plan
    conditions = payer.conditions(beneficiary=parties.key.address, token=parties.business.token)
    number = payer.subscribe(plan.plan_id, conditions=conditions).subscription_id
    with pytest.raises(NotAuthorized):
        payer.take_up_channel(plan.contract, number)
    channel = parties.key.take_up_channel(plan.contract, number)
    with pytest.raises(ChannelExhausted):
        parties.key.sign_voucher(channel, 1)
    parties.biller.fill_channels(plan.contract, [number])
    assert parties.key.sign_voucher(channel, PRICE).sum_units == PRICE
    again = parties.key.take_up_channel(plan.contract, number)
    assert again == channel
    assert parties.key.last_voucher(channel) is not None, "what the wallet signed stays"


def test_a_plan_is_created_once_and_is_of_this_deployment(parties: Parties, business: Business) -> None:
    token, plan = business.token, parties.plan
    again = parties.merchant.create_channel_plan(token=token, price="5.00", unit="month")
    assert (again.contract, again.plan_id, again.transaction) == (plan.contract, plan.plan_id, None)
    other = parties.merchant.create_channel_plan(token=token, price="6.00", unit="month")
    number = parties.payer.subscribe(other.plan_id).subscription_id
    with pytest.raises(AnotherPlan, match="name the contract of its own plan"):
        parties.biller.fill_channels(plan.contract, [number])
    with pytest.raises(InputError, match="is not that of ChannelPlan"):
        parties.biller.fill_channels(token, [number])
    with pytest.raises(InputError, match="name one at least"):
        parties.biller.fill_channels(plan.contract, [])
    with pytest.raises(InputError, match="found 1 for the delay in seconds"):
        parties.merchant.create_channel_plan(token=token, price="5.00", withdraw_delay_s=1)
    with pytest.raises(InputError, match="for who claims for the receiver"):
        parties.merchant.create_channel_plan(token=token, price="5.00", receiver_authorizer="0x" + "00" * 20)
    with pytest.raises(InputError, match="found 0 for the price"):
        parties.merchant.create_channel_plan(token=token, price=0)
    with pytest.raises(NotAuthorized):
        parties.payer.archive_channel_plan(plan.contract)
    parties.merchant.archive_channel_plan(plan.contract)
    assert parse_address(parties.merchant.plan(plan.plan_id).terms.payee) == plan.contract


def test_a_plan_of_other_contracts_is_not_filled(parties: Parties, business: Business) -> None:
    """Somebody creates our very code over subscriptions and channels of their own."""
    from tallystick.chain.abi import CODEC
    from tallystick.contracts import load_artefact
    from tallystick.flows.channel_plan import _CREATED_WITH

    foreign = business._create(load_artefact("Channels").creation_code)
    owner = parties.merchant.address
    words = [business.subscriptions, foreign, owner, owner, 86_400, business.token, PRICE, 1, 3]
    plan = business._create(load_artefact("ChannelPlan").creation_code + CODEC.encode(_CREATED_WITH, words))
    with pytest.raises(InputError, match="name another plan, or another deployment"):
        parties.biller.fill_channels(plan, [1])
