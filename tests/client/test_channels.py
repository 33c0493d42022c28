"""Payment channels in the hands of payer, spending key and merchant, by the facade on a real chain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_account import Account

from tallystick import Config, Tallystick
from tallystick.chain.calls import call_data, decoded
from tallystick.core.channel import Channel, ChannelState, sum_of
from tallystick.core.channel_events import (
    ChannelClosed,
    ChannelCreated,
    ChannelRefunded,
    Claimed,
    Deposited,
    Refusal,
    Settled,
    WithdrawalAnnounced,
    Withdrawn,
)
from tallystick.core.spending import Limits
from tallystick.core.till import CLAIM_GAS, ROW_GAS, Refused
from tallystick.core.voucher import Voucher, spending_key_digest
from tallystick.core.voucher_texts import parse_grant, parse_voucher, render_voucher
from tallystick.errors import (
    BalanceTooLow,
    ChannelExhausted,
    InputError,
    InvalidSignature,
    NotAuthorized,
    NoWithdrawal,
    SpendingLimit,
    UnknownChannel,
    VoucherRefused,
    WithdrawalPending,
    WithdrawalTooEarly,
    WithdrawalTooHigh,
)
from tallystick.flows.accept_vouchers import Accepted, Rejected
from tallystick.flows.claim_vouchers import ClaimPolicy, _rows
from tests.business import Business
from tests.client.conftest import MERCHANT, PAYER
from tests.contracts.permit2 import place_permit2

KEY, FRIEND, STRANGER = 4, 5, 6
DAY = 86_400
CENT = 10_000


class Parties:
    """Each with a database of its own."""

    def __init__(self, business: Business, manifest: Path, folder: Path) -> None:
        self.business, self._manifest, self._folder = business, manifest, folder
        self.payer, self.merchant, self.key, self.friend = map(self.as_account, (PAYER, MERCHANT, KEY, FRIEND))
        for each in (self.payer, self.friend):
            business.mint(each.address, 10**12)

    def as_account(self, index: int) -> Tallystick:
        return Tallystick.connect(
            Config(),
            rpc_url=self.business.anvil.url,
            deployment=self._manifest,
            signer=Account.from_key(self.business.anvil.key(index)),
            database=f"sqlite:///{self._folder}/{index}.db",
        )

    @property
    def token(self) -> str:
        return self.business.token

    def opened(self, deposit: str = "1.00", **more: Any) -> Channel:
        return self.payer.open_channel(receiver=self.merchant.address, token=self.token, deposit=deposit, **more)

    def take(self, voucher: Voucher, **more: Any) -> Accepted:
        return self.merchant.accept_voucher(voucher, rules=self.rules(), **more)

    def refused(self, voucher: Voucher, **more: Any) -> str:
        """Why the till does not take it."""
        with pytest.raises(VoucherRefused) as caught:
            self.take(voucher, **more)
        return caught.value.reason

    def rules(self, **more: Any) -> Any:
        return self.merchant.till_rules(tokens=[self.token], **more)

    def units(self, account: str) -> int:
        return self.merchant._connection.token(self.token).balance(account)

    def state(self, channel: Channel) -> ChannelState:
        return self.merchant._connection.channels.state(channel.channel_id)

    def look_again(self) -> None:
        """As if a minute had passed."""
        self.merchant._tills.clear()


@pytest.fixture
def parties(business: Business, manifest: Path, tmp_path: Path) -> Parties:
    return Parties(business, manifest, tmp_path)


def test_a_channel_from_its_first_deposit_to_a_claim(parties: Parties) -> None:
    payer, merchant = parties.payer, parties.merchant
    channel = parties.opened()
    assert parties.state(channel) == ChannelState(0, 1_000_000, 0)
    assert payer.last_voucher(channel) is None
    vouchers = [payer.sign_voucher(channel, "0.01") for _ in range(3)]
    assert [voucher.sum_units for voucher in vouchers] == [CENT, 2 * CENT, 3 * CENT]
    assert payer.last_voucher(channel) == vouchers[-1]
    first, last = vouchers[0], vouchers[-1]
    assert parse_voucher(render_voucher(first)) == first
    assert parties.take(parse_voucher(render_voucher(first))).units == CENT
    assert parties.take(last, at_least="0.02").units == 2 * CENT  # what was lost on the way is in the next
    assert [parties.refused(each) for each in (first, vouchers[1], last)] == ["stale"] * 3
    report = merchant.claim_vouchers(parties.token)
    assert [(row.channel, row.units, row.reason) for row in report.rows] == [(channel, 3 * CENT, None)]
    assert report.paid_units == {(merchant.address, parties.token): 3 * CENT}
    assert parties.units(merchant.address) == 3 * CENT
    assert merchant.receiver_total(merchant.address, parties.token) == (3 * CENT, 3 * CENT)
    assert merchant.claim_vouchers(parties.token).rows == []  # nothing is claimed twice
    found = merchant.channel(channel)
    assert (found.state.claimed, found.till is not None, found.wallet) == (3 * CENT, True, None)
    assert payer.channel(channel.channel_id.hex()[:8]).channel == channel
    assert merchant.settle_channels(parties.token).events == ()


def test_digests_are_the_contract_s(parties: Parties) -> None:
    payer = parties.payer
    channel = parties.opened(voucher_key=parties.key.address)
    node, contract = payer._connection.node, payer._connection.channels.address

    def view(name: str, *values: object) -> Any:
        return decoded(name, node.call(contract, call_data(name, *values, contract="Channels")), contract="Channels")

    assert view("getChannelId", channel.terms.words) == channel.channel_id
    most = 2**128 - 1
    assert view("getVoucherDigest", channel.channel_id, most) == Voucher(channel, most, b"").digest
    asked = parties.key.address, most, 2**40 - 1
    assert view("getSpendingKeyDigest", channel.channel_id, *asked) == spending_key_digest(channel, *asked)


@pytest.mark.parametrize("funding", ["auto", "authorization", "permit2", "permit", "allowance"])
def test_a_deposit_comes_in_every_way(parties: Parties, funding: str) -> None:
    if funding == "permit2":
        place_permit2(parties.business.anvil.rpc)
    before = parties.units(parties.payer.address)
    channel = parties.opened(funding=funding)
    event = parties.payer.top_up_channel(channel, "0.50", funding=funding).one(Deposited)
    assert event == Deposited(channel.channel_id, parties.payer.address, 500_000, 1_500_000)
    assert (parties.state(channel).deposited, parties.units(parties.payer.address)) == (1_500_000, before - 1_500_000)


def test_a_deposit_that_cannot_be_is_refused_before_anything_is_sent(parties: Parties) -> None:
    blocks = parties.business.anvil.block_number
    with pytest.raises(BalanceTooLow):
        parties.opened("2000000")
    with pytest.raises(InputError, match="allowed are 1 to"):
        parties.opened("0")
    with pytest.raises(InputError, match=r"found a delay of 899 seconds, allowed are 900 to 2592000"):
        parties.opened(withdraw_delay_s=899)
    contract = parties.payer._connection.channels.address
    with pytest.raises(InputError, match="the contract itself"):
        parties.payer.open_channel(receiver=contract, token=parties.token, deposit=1)
    assert parties.business.anvil.block_number == blocks


def test_the_wallet_keeps_its_own_limits_and_never_signs_for_less(parties: Parties) -> None:
    payer = parties.payer
    channel = parties.opened(limits=Limits(per_voucher=50_000, per_channel=200_000, per_day=120_000))
    with pytest.raises(SpendingLimit, match="60000 units were asked for, the wallet allows 50000 at once"):
        payer.sign_voucher(channel, 60_000)
    payer.sign_voucher(channel, 50_000)
    payer.sign_voucher(channel, 50_000)
    with pytest.raises(SpendingLimit, match="allows 20000 within a day"):
        payer.sign_voucher(channel, 50_000)
    payer.limit_channel(channel, Limits(per_channel=200_000))
    with pytest.raises(SpendingLimit, match="allows 100000 for this channel"):
        payer.sign_voucher(channel, 100_001)
    payer.limit_channel(channel, Limits())
    with pytest.raises(ChannelExhausted, match="900000 are left in the channel"):
        payer.sign_voucher(channel, 900_001)
    parties.friend.top_up_channel(channel, 1)  # a friend adds; the wallet looks before it says no
    assert payer.sign_voucher(channel, 900_001).sum_units == 1_000_001
    again = parties.as_account(PAYER)  # another process with the same database
    with pytest.raises(ChannelExhausted):
        again.sign_voucher(channel, 1)
    assert again.last_voucher(channel) == payer.last_voucher(channel)
    with pytest.raises(UnknownChannel, match="found 0 channels"):
        parties.friend.sign_voucher("0x" + "12" * 32, 1)
    with pytest.raises(InputError, match="above zero"):
        payer.sign_voucher(channel, 0)


def test_a_request_is_signed_for_once(parties: Parties) -> None:
    payer = parties.payer
    channel = parties.opened()
    first = payer.sign_voucher(channel, CENT, request="page 7")
    assert payer.sign_voucher(channel, CENT, request="page 7") == first
    assert parties.as_account(PAYER).sign_voucher(channel, CENT, request="page 7") == first
    with pytest.raises(InputError, match="found 20000 units for the request 'page 7', which was signed for with 10000"):
        payer.sign_voucher(channel, 2 * CENT, request="page 7")
    assert payer.sign_voucher(channel, CENT, request="page 8").sum_units == 2 * CENT
    assert payer.sign_voucher(channel, CENT).sum_units == 3 * CENT
    assert payer.sign_voucher(channel, CENT, request="page 8").sum_units == 4 * CENT  # of the last one alone


def test_a_spending_key_signs_within_its_limit_and_time(parties: Parties) -> None:
    payer, key = parties.payer, parties.key
    channel = parties.opened()
    payer.sign_voucher(channel, CENT)
    grant = payer.grant_key(channel, key.address, 5 * CENT, valid_s=DAY)
    assert parse_grant(grant.render()) == grant
    with pytest.raises(NotAuthorized):
        parties.friend.adopt_channel(grant)
    with pytest.raises(InvalidSignature):
        key.adopt_channel(replace(grant, key=replace(grant.key, limit_sum=grant.key.limit_sum + 1)))
    assert key.adopt_channel(grant) == channel
    voucher = key.sign_voucher(channel, 4 * CENT)
    assert voucher.sum_units == 5 * CENT  # it goes on from where the payer was
    assert parties.take(voucher).units == 5 * CENT
    with pytest.raises(SpendingLimit, match="allows 10000 by its key"):
        key.sign_voucher(channel, 2 * CENT)
    assert key.adopt_channel(payer.grant_key(channel, key.address, 5 * CENT)) == channel  # a new grant, no new start
    assert key.last_voucher(channel).sum_units == 5 * CENT  # type: ignore[union-attr]  # it has one
    report = parties.merchant.claim_vouchers(parties.token)
    assert [(row.units, row.reason) for row in report.rows] == [(5 * CENT, None)]
    with pytest.raises(NotAuthorized):
        key.grant_key(channel, key.address, 1)


def test_the_till_takes_only_what_it_can_claim(parties: Parties) -> None:
    payer, key = parties.payer, parties.key
    channel = parties.opened()
    voucher = payer.sign_voucher(channel, CENT)
    forged = replace(voucher, signature=voucher.signature[:64] + bytes((voucher.signature[64] ^ 7,)))  # E13: v
    assert parties.refused(forged) == "invalid_signature"
    assert parties.refused(replace(voucher, sum_units=2 * CENT)) == "invalid_signature"
    assert parties.refused(voucher, at_least=CENT + 1) == "too_little"
    elsewhere = replace(channel, chain_id=1)
    assert parties.refused(replace(voucher, channel=elsewhere)) == "foreign"  # E12
    others = payer.open_channel(receiver=parties.friend.address, token=parties.token, deposit="1")
    assert parties.refused(payer.sign_voucher(others, CENT)) == "foreign"
    limited = payer.sign_voucher(channel, 980_000)
    assert parties.take(limited).units == 990_000  # all but the margin of a hundredth
    beyond = payer.sign_voucher(channel, 1)
    with pytest.raises(
        VoucherRefused, match=r"less the till's margin: the payer has to top it up. Allowed are up to 990"
    ):
        parties.take(beyond)
    answers = parties.merchant.accept_vouchers([beyond, voucher], rules=parties.rules(margin_bps=0))
    assert isinstance(answers[0], Accepted)
    assert isinstance(answers[1], Rejected)
    assert answers[1].reason is Refused.STALE
    mine = parties.opened()
    grant = payer.grant_key(mine, key.address, 2 * CENT, valid_s=650)
    key.adopt_channel(grant)
    signed = key.sign_voucher(mine, CENT)
    assert parties.take(signed).units == CENT
    late = key.sign_voucher(mine, CENT)
    parties.business.anvil.advance(60)
    parties.look_again()
    assert parties.refused(late) == "key_expired"
    with pytest.raises(InputError, match="found no token to take vouchers in"):
        parties.merchant.till_rules()


def test_E52_what_is_out_can_be_claimed_before_a_withdrawal_and_nothing_new_is_taken_when_it_is_near(
    parties: Parties,
) -> None:
    payer, merchant, anvil = parties.payer, parties.merchant, parties.business.anvil
    channel = parties.opened(withdraw_delay_s=900)
    parties.take(payer.sign_voucher(channel, 10 * CENT))
    late = payer.sign_voucher(channel, CENT)
    later = payer.sign_voucher(channel, CENT)
    announced = payer.withdraw_channel(channel).one(WithdrawalAnnounced)
    assert announced.amount_units == 1_000_000
    with pytest.raises(ChannelExhausted):
        payer.sign_voucher(channel, 1)
    parties.look_again()
    assert parties.take(late).units == CENT  # in time for a claim
    anvil.advance(400)
    parties.look_again()
    assert parties.refused(later) == "withdrawal"
    with pytest.raises(WithdrawalPending):
        payer.withdraw_channel(channel)
    with pytest.raises(WithdrawalTooEarly):
        payer.finish_withdrawal(channel)
    dear = ClaimPolicy(coin_units=1, gas_price_wei=1, most_bps=1)
    assert [row.units for row in merchant.claim_vouchers(parties.token, dear).rows] == [11 * CENT]
    anvil.advance(500)
    done = payer.finish_withdrawal(channel)
    assert done.one(Withdrawn).amount_units == 1_000_000 - 11 * CENT
    assert done.one(ChannelClosed).channel_id == channel.channel_id
    with pytest.raises(NoWithdrawal):
        payer.finish_withdrawal(channel)


def test_E53_E54_a_top_up_keeps_nothing_alive_and_a_new_opening_begins_anew(parties: Parties) -> None:
    payer, merchant, anvil = parties.payer, parties.merchant, parties.business.anvil
    channel = parties.opened(withdraw_delay_s=900)
    parties.take(payer.sign_voucher(channel, 10 * CENT))
    old = payer.sign_voucher(channel, CENT)
    payer.withdraw_channel(channel)
    parties.friend.top_up_channel(channel, "5.00")
    anvil.advance(400)
    parties.look_again()
    assert parties.refused(old) == "withdrawal"  # all of it ends in 500 seconds, whatever came in
    anvil.advance(500)
    done = payer.finish_withdrawal(channel)
    assert done.one(Withdrawn).amount_units == 1_000_000
    assert done.one(ChannelCreated).channel_id == channel.channel_id
    assert parties.state(channel) == ChannelState(1, 5_000_000, 0)
    parties.look_again()
    assert parties.refused(old) == "stale"
    assert merchant.claim_vouchers(parties.token).rows == []  # what was not claimed in time is lost, and no gas with it
    assert payer.last_voucher(channel) is None
    new = payer.sign_voucher(channel, CENT)
    assert new.sum_units == sum_of(1, CENT)
    assert parties.take(new).units == CENT
    assert [row.units for row in merchant.claim_vouchers(parties.token).rows] == [CENT]


def test_E51_more_than_the_channel_has_waits_in_the_till_for_a_top_up(parties: Parties) -> None:
    payer, merchant = parties.payer, parties.merchant
    channel = parties.opened(withdraw_delay_s=900)
    parties.take(payer.sign_voucher(channel, 99 * CENT))
    before = merchant._connection.channels
    refunded = before.refund(channel.terms, 50 * CENT)  # past the SDK's guard
    assert refunded.one(ChannelRefunded).amount_units == 50 * CENT
    assert [row.units for row in merchant.claim_vouchers(parties.token).rows] == [50 * CENT]
    assert merchant.claim_vouchers(parties.token).rows == []
    parties.friend.top_up_channel(channel, "0.60")
    assert [row.units for row in merchant.claim_vouchers(parties.token).rows] == [49 * CENT]


def test_the_merchant_refunds_what_no_voucher_is_out_for(parties: Parties) -> None:
    payer, merchant = parties.payer, parties.merchant
    channel = parties.opened()
    parties.take(payer.sign_voucher(channel, 10 * CENT))
    with pytest.raises(InputError, match="allowed are 1 to 900000: 100000 more are in the channel for vouchers"):
        merchant.refund_channel(channel, "0.95")
    assert merchant.refund_channel(channel, "0.10").one(ChannelRefunded).amount_units == 10 * CENT
    assert merchant.refund_channel(channel).one(ChannelRefunded).amount_units == 80 * CENT
    assert [row.units for row in merchant.claim_vouchers(parties.token).rows] == [10 * CENT]
    with pytest.raises(WithdrawalTooHigh):
        payer.withdraw_channel(channel, 1)


def test_claims_wait_until_they_are_worth_their_fees(parties: Parties) -> None:
    payer, merchant = parties.payer, parties.merchant
    channels = [parties.opened() for _ in range(3)]
    for channel, cents in zip(channels, (50, 20, 1), strict=True):
        parties.take(payer.sign_voucher(channel, cents * CENT))
    # 10 gwei at 3,000 dollars: a claim alone costs 2.24 dollars, a row 0.44
    dear = ClaimPolicy(coin_units=3_000 * 10**6, gas_price_wei=10 * 10**9)
    report = merchant.claim_vouchers(parties.token, dear)
    assert (report.rows, sum(row.units for row in report.waiting)) == ([], 71 * CENT)
    # 10 million wei: 0.2 cents for a claim and 0.04 for a row, so that one of a cent costs more than a fiftieth
    cheap = replace(dear, gas_price_wei=10**7)
    planned = merchant.claim_vouchers(parties.token, cheap, dry_run=True)
    assert [(row.units, row.transaction) for row in planned.rows] == [(50 * CENT, None), (20 * CENT, None)]
    assert [row.units for row in planned.waiting] == [CENT]
    done = merchant.claim_vouchers(parties.token, cheap)
    assert [row.units for row in done.rows] == [50 * CENT, 20 * CENT]
    assert len(done.paid_units) == 1
    last = merchant.claim_vouchers(parties.token)
    assert [row.units for row in last.rows] == [CENT]
    assert CLAIM_GAS + ROW_GAS > last.gas_used > (CLAIM_GAS + ROW_GAS) * 9 // 10  # what is reckoned with
    with pytest.raises(InputError, match="allowed are 1 to 10000"):
        merchant.claim_vouchers(parties.token, ClaimPolicy(most_bps=0))


def test_E50_E51_a_row_that_pays_nothing_is_told_with_its_reason_and_stops_no_other(parties: Parties) -> None:
    payer, merchant = parties.payer, parties.merchant
    good, other = parties.opened(), parties.opened()
    vouchers = [payer.sign_voucher(channel, CENT) for channel in (good, other)]
    older = vouchers[1]
    merchant._connection.channels.claim([payer.sign_voucher(other, CENT)])  # by another till
    sent = merchant._connection.channels.claim([older, vouchers[0]])
    rows = [(row.channel, row.units, row.reason) for row in _rows(sent, [older, vouchers[0]])]
    assert rows == [(other, 0, Refusal.STALE), (good, CENT, None)]
    assert sent.one(Claimed).channel_id == good.channel_id
    assert sent.one(Settled).amount_units == CENT
