"""What a payer's wallet signs of its own accord: limits on vouchers, beside what the channel has.

Amounts are base units of the channel since it was opened, days are those of UTC.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tallystick.core.channel import ChannelState, amount_of, opening_of, sum_of
from tallystick.errors import ChannelExhausted, SpendingLimit

DAY_S = 86_400


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that is signed for at once, for a channel since it was opened, and within a day. None: no limit but what
    the channel has."""

    per_voucher: int | None = None
    per_channel: int | None = None
    per_day: int | None = None


@dataclass(frozen=True, slots=True)
class Spending:
    """How far a wallet has signed: `signed_sum` by its highest voucher, `day` the day of that, in days since 1970, and
    `day_units` what was signed for on it. `usable_sum` is the most that the channel has for vouchers, as far as the
    wallet knows; a spending key of its own may have `key_limit_sum`."""

    signed_sum: int
    usable_sum: int
    day: int = 0
    day_units: int = 0
    key_limit_sum: int | None = None

    def seen(self, state: ChannelState) -> Spending:
        """After a look at the chain. In a new opening it begins anew, and vouchers of the one before are worthless
        (E54); what was claimed was signed for, also where this wallet does not know of it."""
        usable = state.balance_sum - state.withdrawing
        signed = self.signed_sum if opening_of(self.signed_sum) == state.opening else sum_of(state.opening, 0)
        return replace(self, signed_sum=max(signed, state.claimed_sum), usable_sum=usable)

    def after(self, units: int, limits: Limits, time: int) -> Spending:
        """After a voucher for `units` more, signed at a time in Unix seconds. Raises SpendingLimit or
        ChannelExhausted."""
        day = time // DAY_S
        today = (self.day_units if day == self.day else 0) + units
        amount = amount_of(self.signed_sum)
        _within("at once", units, units, limits.per_voucher)
        _within("for this channel", units, amount + units, limits.per_channel)
        _within("within a day", units, today, limits.per_day)
        wanted = self.signed_sum + units
        if wanted > self.usable_sum:
            raise ChannelExhausted(units, max(0, self.usable_sum - self.signed_sum))
        if self.key_limit_sum is not None and wanted > self.key_limit_sum:
            raise SpendingLimit("by its key", units, max(0, self.key_limit_sum - self.signed_sum))
        return replace(self, signed_sum=wanted, day=day, day_units=today)


def _within(name: str, units: int, total: int, limit: int | None) -> None:
    if limit is not None and total > limit:
        raise SpendingLimit(name, units, max(0, limit - (total - units)))
