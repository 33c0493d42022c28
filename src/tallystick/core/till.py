"""What a merchant's till takes of vouchers, and what of them it is worth claiming. Amounts are base units.

The till is careful in the merchant's favour: margins are rounded up, what fees may cost is rounded down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from tallystick.core.channel import MIN_WITHDRAW_DELAY_S, ChannelState, ChannelTerms, opening_of
from tallystick.core.voucher import Voucher

BPS = 10_000
WEI = 10**18
CLAIM_GAS = 60_000
"""Of a claim beside its rows, the payout included; docs/gas.md has what it measured."""
ROW_GAS = 14_600
KEY_ROW_GAS = 8_000
"""More, where a spending key signed: two signatures are checked and carried."""
CODE_ROW_GAS = 30_000
"""More, where the payer's code is asked; what that costs is its own."""


class Refused(Enum):
    """Why a till takes no voucher; `errors.REFUSED_BECAUSE` has the words."""

    FOREIGN = "foreign"
    MALFORMED = "malformed"
    DELAY_TOO_SHORT = "delay_too_short"
    STALE = "stale"
    TOO_LITTLE = "too_little"
    ANOTHER_OPENING = "another_opening"
    ABOVE_BALANCE = "above_balance"
    WITHDRAWAL = "withdrawal"
    ABOVE_LIMIT = "above_limit"
    KEY_EXPIRED = "key_expired"
    INVALID_SIGNATURE = "invalid_signature"


@dataclass(frozen=True, slots=True)
class TillRules:
    """What a till takes.

    Channels that pay one of `receivers` in one of `tokens`, which one of `authorizers` can claim. `margin_bps`: what
    part of the deposit, in hundredths of a percent, no voucher may reach. `notice_s`: how long before a withdrawal, or
    the end of a spending key, nothing is taken any more that these would make worthless: it is the time that a claim
    may need. `least_delay_s`: the shortest delay of withdrawals, in seconds.
    """

    receivers: frozenset[str]
    authorizers: frozenset[str]
    tokens: frozenset[str]
    margin_bps: int = 100
    notice_s: int = 600
    least_delay_s: int = MIN_WITHDRAW_DELAY_S

    def takes(self, terms: ChannelTerms) -> Refused | None:
        """Why a channel of these terms is none for this till; None where it is one."""
        parties = terms.receiver in self.receivers and terms.receiver_authorizer in self.authorizers
        if not parties or terms.token not in self.tokens:
            return Refused.FOREIGN
        return Refused.DELAY_TOO_SHORT if terms.withdraw_delay_s < self.least_delay_s else None

    def withdrawal_is_near(self, terms: ChannelTerms, state: ChannelState, time: int) -> bool:
        """Whether the payer can have what it asked back before a claim is certain to be made."""
        until = state.withdrawable_at(terms)
        return until is not None and time + self.notice_s >= until

    def most_sum(self, terms: ChannelTerms, state: ChannelState, time: int) -> int:
        """The highest sum of a voucher that is taken now.

        Beyond it lies the margin and, once a withdrawal is near, what was asked back. A withdrawal that closes the
        channel makes every voucher worthless, also what comes in meanwhile (E53, E54).
        """
        margin = -(-state.deposited * self.margin_bps // BPS)
        most = state.balance_sum - margin
        if self.withdrawal_is_near(terms, state, time):
            most = state.claimed_sum if state.closing else most - state.withdrawing
        return max(most, state.claimed_sum)


def refusal_of(
    voucher: Voucher, state: ChannelState, taken_sum: int, time: int, rules: TillRules, *, least_units: int = 1
) -> Refused | None:
    """Why a voucher is not taken, its signature aside; None where it is.

    `taken_sum` is that of the channel's highest voucher so far, 0 where there is none; `least_units` how much more it
    must be for; `time` the chain's, in Unix seconds.
    """
    terms = voucher.channel.terms
    if refused := rules.takes(terms):
        return refused
    if not voucher.is_sound:
        return Refused.MALFORMED
    if opening_of(voucher.sum_units) != state.opening:
        return Refused.STALE if opening_of(voucher.sum_units) < state.opening else Refused.ANOTHER_OPENING
    before = max(taken_sum, state.claimed_sum)
    if voucher.sum_units <= before:
        return Refused.STALE
    if voucher.sum_units < before + least_units:
        return Refused.TOO_LITTLE
    if voucher.sum_units > rules.most_sum(terms, state, time):
        near = rules.withdrawal_is_near(terms, state, time)
        return Refused.WITHDRAWAL if near and voucher.sum_units <= state.balance_sum else Refused.ABOVE_BALANCE
    key = voucher.spending_key
    if key is not None and voucher.sum_units > key.limit_sum:
        return Refused.ABOVE_LIMIT
    if key is not None and time + rules.notice_s >= key.valid_before:
        return Refused.KEY_EXPIRED
    return None


# --- What is worth claiming -------------------------------------------------------------------------------------------


class Taken(NamedTuple):
    """A channel's highest voucher that was taken, and what the channel has."""

    voucher: Voucher
    state: ChannelState

    @property
    def claimable_units(self) -> int:
        """What a claim would pay now: up to the channel's balance, nothing after a closing (E51, E54)."""
        if opening_of(self.voucher.sum_units) != self.state.opening:
            return 0
        return max(0, min(self.voucher.sum_units, self.state.balance_sum) - self.state.claimed_sum)

    @property
    def gas(self) -> int:
        """What its row of a claim costs."""
        more = KEY_ROW_GAS if self.voucher.spending_key is not None else 0
        plain = len(self.voucher.signature) == 65
        return ROW_GAS + more + (0 if plain else CODE_ROW_GAS)

    def is_urgent(self, time: int, notice_s: int) -> bool:
        """Whether waiting may lose it: a withdrawal is announced that takes some of it, or the spending key ends within
        twice the notice."""
        key = self.voucher.spending_key
        if key is not None and time + 2 * notice_s >= key.valid_before:
            return True
        if not self.state.withdrawal_since:
            return False
        return self.state.closing or self.voucher.sum_units > self.state.balance_sum - self.state.withdrawing


@dataclass(frozen=True, slots=True)
class ClaimCosts:
    """What a claim may cost. `gas_price_wei` is paid per gas; a whole coin of the chain (10^18 wei) is worth
    `coin_units` of the token; `most_bps` of what is claimed may go for fees, in hundredths of a percent."""

    gas_price_wei: int
    coin_units: int
    most_bps: int

    def fee_units_up(self, gas: int) -> int:
        """What gas costs, in units of the token, rounded up."""
        return -(-gas * self.gas_price_wei * self.coin_units // WEI)

    def allowed_units_down(self, units: int) -> int:
        """What may go for fees of a claim of so much, rounded down."""
        return units * self.most_bps // BPS


def worth_claiming(
    taken: Sequence[Taken], costs: ClaimCosts | None, time: int, *, notice_s: int, rows: int
) -> list[list[Taken]]:
    """Batches of at most `rows`, each of one token and with the same receiver, authorizer and delay, largest claims
    first.

    A row is claimed where its own gas stays within the share, and with it a batch where all of its gas does: small
    claims wait for others to share the batch's own cost with. What is urgent is claimed wherever it brings more than it
    costs, and what is worth its own row comes along. Without `costs` everything is claimed.
    """
    groups: dict[tuple[object, ...], list[Taken]] = {}
    for row in sorted(taken, key=lambda each: -each.claimable_units):
        terms = row.voucher.channel.terms
        if row.claimable_units and _is_worth_its_row(row, costs, time, notice_s):
            common = terms.receiver, terms.receiver_authorizer, terms.token, terms.withdraw_delay_s
            groups.setdefault(common, []).append(row)
    batches = [group[start : start + rows] for group in groups.values() for start in range(0, len(group), rows)]
    return [batch for batch in batches if _is_worth_it(batch, costs, time, notice_s)]


def _is_worth_its_row(row: Taken, costs: ClaimCosts | None, time: int, notice_s: int) -> bool:
    if costs is None:
        return True
    fee = costs.fee_units_up(row.gas)
    if row.is_urgent(time, notice_s):
        return fee < row.claimable_units
    return fee <= costs.allowed_units_down(row.claimable_units)


def _is_worth_it(batch: Sequence[Taken], costs: ClaimCosts | None, time: int, notice_s: int) -> bool:
    if costs is None:
        return True
    urgent = [row for row in batch if row.is_urgent(time, notice_s)]
    calm = [row for row in batch if row not in urgent]
    fee, allowed = _fee(calm, costs), costs.allowed_units_down(sum(row.claimable_units for row in calm))
    pays = bool(urgent) and _fee(urgent, costs) < sum(row.claimable_units for row in urgent)
    return pays or (bool(calm) and fee <= allowed)


def _fee(batch: Sequence[Taken], costs: ClaimCosts) -> int:
    return costs.fee_units_up(CLAIM_GAS + sum(row.gas for row in batch))
