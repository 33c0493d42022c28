"""Plans: immutable, numbered terms under which payers are charged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from eth_utils.crypto import keccak

from tallystick.core.period import DAY_S, Period, Unit, anchor_day_of

MOST_SEATS = 2**24 - 1
MOST_UNITS = 2**96 - 1
"""The contract counts seats in 24 bits, and prices, rates and credit in 96."""

BASIS = 10_000
"""Hundredths of a percent in a whole."""

MOST_PERIOD_S = 100 * 366 * DAY_S
"""A period lasts a second to a hundred years, as `createPlan` counts them: by the longest that a unit can be."""
_LONGEST_S = {Unit.SECOND: 1, Unit.DAY: DAY_S, Unit.WEEK: 7 * DAY_S, Unit.MONTH: 31 * DAY_S, Unit.YEAR: 366 * DAY_S}

_MORE = 1 << 240
"""The plan has more than a payee, a price and a period."""
_REFUNDS_UNUSED = 1 << 241
_PROTECTED = 1 << 242


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """The terms of a plan. Addresses are checksummed, prices are base units of the token.

    `price_units` is due each period, and `seat_price_units` for each seat on top of it (0: no seats are sold).
    `catch_up` is how many missed periods stay collectible. `trial` is how many seconds pass before the first charge,
    once for each payer and `family` of plans. `grace` is for how many seconds after its start a period can still be
    charged, or the subscription has ended (0: no end). The payer agrees to `min_charges` before they may cancel; after
    `max_charges` a subscription ends (0: never). Of each charge `fee_bps` hundredths of a percent, rounded down, go to
    `fee_receiver` (None where there is no fee). Usage may cost `usage_cap_units` a period (0: none is charged) and
    `usage_price_units` for a million units of it; beside the payee `biller` charges it (None: nobody does). On the grid
    of the time `align_to` all periods lie, the first being what is left of one (0: each subscription has its own grid).
    `quoter` says how much of the token `price_units` and `seat_price_units` are, which are then in its units (None:
    they are units of the token). With `refunds_unused` the payee ends a subscription at once only with a refund of what
    is left of the paid period. With a `protection` each charge is held in escrow for so many seconds before the payee
    can capture it, so that the payer can dispute it (0: charges go to the payee): `arbiter` then has `ruling_timeout`
    seconds to divide it, for a fee of at most `max_arbiter_fee_bps` hundredths of a percent of it, and afterwards the
    payee gets `default_payee_bps` of it.
    """

    payee: str
    price_units: int
    token: str
    every: int
    unit: Unit
    catch_up: int = 0
    seat_price_units: int = 0
    trial: int = 0
    grace: int = 0
    min_charges: int = 0
    max_charges: int = 0
    fee_bps: int = 0
    family: int = 0
    fee_receiver: str | None = None
    usage_cap_units: int = 0
    usage_price_units: int = 0
    biller: str | None = None
    align_to: int = 0
    quoter: str | None = None
    refunds_unused: bool = False
    protection: int = 0
    arbiter: str | None = None
    ruling_timeout: int = 0
    default_payee_bps: int = 0
    max_arbiter_fee_bps: int = 0

    @property
    def period(self) -> Period:
        """The length of a period."""
        return Period(self.every, self.unit)

    def rate(self, seats: int) -> int:
        """What a whole period costs with so many seats, in base units."""
        return self.price_units + self.seat_price_units * seats

    def seats_allowed(self) -> tuple[int, int]:
        """The fewest and the most seats that a payer may have: (0, 0) where the plan sells none."""
        if not self.seat_price_units:
            return 0, 0
        return 1, min(MOST_SEATS, (MOST_UNITS - self.price_units) // self.seat_price_units)

    def fee(self, units: int) -> int:
        """The part of a charge that goes to the fee's receiver, rounded down."""
        return units * self.fee_bps // 10_000

    def usage_limit(self, quantity: int) -> int:
        """The most that so many units of usage may cost, rounded down."""
        return quantity * self.usage_price_units // 1_000_000

    def stub(self, start: int, rate_units: int) -> tuple[int, int]:
        """Of a plan whose periods lie on one grid: the first point of it after `start`, and what the time to it costs
        at `rate_units` for a whole period, rounded up. `start` is not before `align_to`."""
        period, day = self.period, anchor_day_of(self.align_to)
        whole_periods = period.whole_periods(self.align_to, start, day)
        before = period.later(self.align_to, whole_periods, day)
        end = period.later(self.align_to, whole_periods + 1, day)
        return end, -(-rate_units * (end - start) // (end - before))

    def is_stub(self, start: int, end: int) -> bool:
        """Whether a period that was charged is only a part of one, on the plan's own grid."""
        return self.align_to != 0 and self.period.later(end, -1, anchor_day_of(self.align_to)) != start

    def objection(self) -> str | None:
        """Why `createPlan` refuses these terms, as far as they tell by themselves; None where it does not."""
        period_s = self.every * _LONGEST_S[self.unit]
        counted, sold = self.min_charges or self.max_charges, self.usage_cap_units != 0
        if not self.price_units and not self.seat_price_units:
            return "nothing is charged"
        if not 0 < period_s <= MOST_PERIOD_S:
            return f"a period of up to {period_s} seconds, allowed are 1 to {MOST_PERIOD_S}"
        if (self.fee_receiver is None) != (self.fee_bps == 0) or self.fee_receiver == self.payee:
            return f"a fee of {self.fee_bps} for {self.fee_receiver}"
        if 0 < self.max_charges < self.min_charges:
            return f"at least {self.min_charges} charges and at most {self.max_charges}"
        if sold != (self.usage_price_units != 0) or (self.biller and not sold) or (sold and counted):
            return (
                f"usage of up to {self.usage_cap_units} at {self.usage_price_units} charged by {self.biller}"
                f"{', with a number of charges agreed' if counted else ''}"
            )
        if self.quoter and self.refunds_unused:
            return "a quoted price, of which what is left of a period has no exact value to refund"
        return self._objection_to_protection()

    def _objection_to_protection(self) -> str | None:
        disputes = (self.ruling_timeout, self.default_payee_bps, self.max_arbiter_fee_bps)
        if not self.protection:
            return (
                "an arbiter, or what a dispute needs, without a protection" if self.arbiter or any(disputes) else None
            )
        if self.arbiter in {None, self.payee} or not self.ruling_timeout:
            return f"a protection with the arbiter {self.arbiter}, who has {self.ruling_timeout} seconds to rule"
        if max(self.default_payee_bps, self.max_arbiter_fee_bps) > BASIS:
            return f"parts of {self.default_payee_bps} and {self.max_arbiter_fee_bps} of {BASIS}"
        if self.refunds_unused or self.usage_cap_units:
            return "a protection beside refunds or usage, which the escrow would know nothing of"
        return None

    def is_cheaper_than(self, old: PlanTerms) -> bool:
        """Whether these terms, of the same register as `old`, differ from them by prices alone, and the fee: none
        higher, one lower. The least number of charges may be lower as well."""
        free = ("price_units", "seat_price_units", "usage_cap_units", "usage_price_units")
        prices = [(getattr(self, name), getattr(old, name)) for name in free]
        same: dict[str, Any] = {name: getattr(old, name) for name in (*free, "min_charges", "fee_bps", "fee_receiver")}
        return (
            replace(self, **same) == old
            and self.min_charges <= old.min_charges
            and (self.seat_price_units == 0) == (old.seat_price_units == 0)
            and all(new <= before for new, before in prices)
            and any(new < before for new, before in prices)
        )

    def hash(self, register_id: int) -> bytes:
        """What a payer agrees to, as `Subscriptions.termsHash`: keccak-256 of a zero byte and the words in which the
        contract keeps the plan (`PlanWords`). `register_id` is that of the payee and token."""
        hot = int(self.payee, 16) | self.price_units << 160
        grid = int(self.token, 16) | self.every << 160 | int(self.unit) << 192 | self.catch_up << 200
        grid |= register_id << 208 | (_REFUNDS_UNUSED if self.refunds_unused else 0)
        shield = int(self.arbiter or "0", 16) | self.protection << 160 | self.ruling_timeout << 192
        shield |= self.default_payee_bps << 224 | self.max_arbiter_fee_bps << 240
        life = self.seat_price_units | self.trial << 96 | self.grace << 128 | self.min_charges << 160
        life |= self.max_charges << 176 | self.fee_bps << 192 | self.family << 208 | self.align_to << 224
        fee = int(self.fee_receiver or "0", 16) | self.usage_cap_units << 160
        usage = int(self.biller or "0", 16) | self.usage_price_units << 160
        quote = int(self.quoter or "0", 16)
        if self.protection:
            words = [hot, grid | _MORE | _PROTECTED, life, fee, usage, quote, shield]
        else:
            words = [hot, grid | _MORE, life, fee, usage, quote] if life or fee or usage or quote else [hot, grid]
        return keccak(bytes(1) + b"".join(word.to_bytes(32, "big") for word in words))


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it stands on chain; plans are numbered from 1. `register_id` is that of its payee and token. One that
    is archived takes no more subscriptions. Where its register belongs to another payee by now, `terms` name that one,
    and `first_payee` is who created it. `alternatives` are the plans in other tokens that the payee offers in its
    place, as the mirror knows them; a plan read from the contract names none."""

    plan_id: int
    register_id: int
    terms: PlanTerms
    archived: bool = False
    first_payee: str | None = None
    alternatives: tuple[int, ...] = ()

    def paying(self, payee: str) -> Plan:
        """The plan in a register that belongs to `payee`."""
        created_by = self.first_payee or self.terms.payee
        first_payee = None if payee == created_by else created_by
        return replace(self, terms=replace(self.terms, payee=payee), first_payee=first_payee)

    def terms_hash(self) -> bytes:
        """What a payer agrees to, see `PlanTerms.hash`; who is paid now does not change it."""
        return replace(self.terms, payee=self.first_payee or self.terms.payee).hash(self.register_id)
