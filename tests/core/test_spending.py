"""A wallet never signs for less than before, nor beyond its limits or what the channel has; and its texts."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from tallystick.core.channel import Channel, ChannelState, amount_of, opening_of, sum_of
from tallystick.core.spending import DAY_S, Limits, Spending
from tallystick.core.voucher import SpendingKey, Voucher
from tallystick.core.voucher_texts import Grant, parse_grant, parse_voucher, render_voucher
from tallystick.errors import ChannelExhausted, InputError, SpendingLimit
from tests.core.test_channel import CHANNELS, SUMS, TIMES
from tests.core.test_quote import ADDRESSES

KEYS = st.builds(SpendingKey, ADDRESSES, SUMS, TIMES, st.binary(max_size=200))


def test_each_limit_names_what_it_allows() -> None:
    start = Spending(100, 1_000, day=5, day_units=40)
    for limits, message in (
        (Limits(per_voucher=49), "50 units were asked for, the wallet allows 49 at once"),
        (Limits(per_channel=149), "allows 49 for this channel"),
        (Limits(per_day=89), "allows 49 within a day"),
    ):
        with pytest.raises(SpendingLimit, match=message):
            start.after(50, limits, 5 * DAY_S)
    assert start.after(50, Limits(50, 150, 90), 6 * DAY_S - 1) == Spending(150, 1_000, 5, 90)
    assert start.after(50, Limits(per_day=50), 6 * DAY_S) == Spending(150, 1_000, 6, 50)  # E20: the next day
    with pytest.raises(ChannelExhausted, match="901 units were asked for, 900 are left"):
        start.after(901, Limits(), 0)
    with pytest.raises(SpendingLimit, match="allows 20 by its key"):
        Spending(100, 1_000, key_limit_sum=120).after(21, Limits(), 0)


def test_E54_after_a_closing_it_begins_anew() -> None:
    spending = Spending(sum_of(0, 900), sum_of(0, 1_000)).seen(ChannelState(1, 50, 0))
    assert (spending.signed_sum, spending.usable_sum) == (sum_of(1, 0), sum_of(1, 50))
    assert spending.after(50, Limits(per_channel=50), 0).signed_sum == sum_of(1, 50)


class Wallet(RuleBasedStateMachine):
    """Random signing, claims, deposits and closings: what the chain could claim is what was signed."""

    @initialize(units=st.integers(1, 1_000))
    def open(self, units: int) -> None:
        self.state = ChannelState(0, units, 0)
        self.wallet = Spending(0, 0).seen(self.state)
        self.highest, self.paid = 0, 0

    @rule(units=st.integers(1, 400), time=st.integers(0, 10 * DAY_S))
    def sign(self, units: int, time: int) -> None:
        before = self.wallet
        try:
            self.wallet = before.after(units, Limits(per_voucher=300, per_channel=5_000), time)
        except (SpendingLimit, ChannelExhausted):
            assert (
                units > 300
                or amount_of(before.signed_sum) + units > 5_000
                or (before.signed_sum + units > before.usable_sum)
            )
            return
        assert self.wallet.signed_sum == before.signed_sum + units > self.highest
        self.highest = self.wallet.signed_sum

    @rule()
    def claim(self) -> None:
        if opening_of(self.highest) == self.state.opening and self.highest > self.state.claimed_sum:
            units = min(self.highest, self.state.balance_sum) - self.state.claimed_sum
            self.state = self.state._replace(claimed=self.state.claimed + units)
        self.look()

    @rule(units=st.integers(1, 1_000))
    def deposit(self, units: int) -> None:
        self.state = self.state._replace(deposited=self.state.deposited + units)

    @rule()
    def close(self) -> None:
        self.state = ChannelState(self.state.opening + 1, 0, 0)
        self.look()

    @rule()
    def look(self) -> None:
        self.wallet = self.wallet.seen(self.state)

    @invariant()
    def nothing_is_signed_beyond_the_channel(self) -> None:
        if hasattr(self, "wallet") and opening_of(self.wallet.signed_sum) == self.state.opening:
            assert self.wallet.signed_sum <= self.state.balance_sum
            assert self.wallet.signed_sum >= self.state.claimed_sum or self.highest < self.state.claimed_sum


TestWallet = Wallet.TestCase


# --- Texts ------------------------------------------------------------------------------------------------------------


@given(CHANNELS, SUMS, st.binary(max_size=200), st.none() | KEYS)
def test_a_voucher_is_read_as_it_was_written(
    channel: Channel, units: int, signature: bytes, key: SpendingKey | None
) -> None:
    voucher = Voucher(channel, units, signature, key)
    assert parse_voucher(render_voucher(voucher)) == voucher
    if key is not None:
        grant = Grant(channel, key, units)
        assert parse_grant(grant.render()) == grant


@given(CHANNELS, SUMS)
def test_a_text_that_is_none_is_refused(channel: Channel, units: int) -> None:
    text = render_voucher(Voucher(channel, units, b"12"))
    shorter = text.replace(f'"sum": "{units}"', f'"sum": "{units + 2**128}"')
    other = text.replace(f'"withdraw_delay_s": {channel.terms.withdraw_delay_s}', '"withdraw_delay_s": 7')
    for wrong in (text[:-5], "{}", shorter, other, text.replace('"0x3132"', '"3132"'), ""):
        with pytest.raises(InputError, match="this is not a voucher"):
            parse_voucher(wrong)
    with pytest.raises(InputError, match="this is not a spending key"):
        parse_grant(text)
