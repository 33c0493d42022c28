"""Plans: immutable, numbered terms under which payers are charged."""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils.crypto import keccak

from tallystick.core.period import Period, Unit

MOST_SEATS = 2**24 - 1
MOST_UNITS = 2**96 - 1
"""The contract counts seats in 24 bits, and prices, rates and credit in 96."""

_MORE = 1 << 240
"""The plan has more than a payee, a price and a period."""


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """The terms of a plan. Addresses are checksummed, prices are base units of the token.

    `price_units` is due each period, and `seat_price_units` for each seat on top of it (0: no seats are sold).
    `catch_up` is how many missed periods stay collectible. `trial` is how many seconds pass before the first charge,
    once for each payer and `family` of plans. `grace` is for how many seconds after its start a period can still be
    charged, or the subscription has ended (0: no end). The payer agrees to `min_charges` before they may cancel; after
    `max_charges` a subscription ends (0: never). Of each charge `fee_bps` hundredths of a percent, rounded down, go to
    `fee_receiver` (None where there is no fee). Usage may cost `usage_cap_units` a period (0: none is charged) and
    `usage_price_units` for a million units of it; beside the payee `biller` charges it (None: nobody does).
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

    def hash(self, register_id: int) -> bytes:
        """What a payer agrees to, as `Subscriptions.termsHash`: keccak-256 of a zero byte and the words in which the
        contract keeps the plan (`PlanWords`). `register_id` is that of the payee and token."""
        hot = int(self.payee, 16) | self.price_units << 160
        grid = int(self.token, 16) | self.every << 160 | int(self.unit) << 192 | self.catch_up << 200
        grid |= register_id << 208
        life = self.seat_price_units | self.trial << 96 | self.grace << 128 | self.min_charges << 160
        life |= self.max_charges << 176 | self.fee_bps << 192 | self.family << 208
        fee = int(self.fee_receiver or "0", 16) | self.usage_cap_units << 160
        usage = int(self.biller or "0", 16) | self.usage_price_units << 160
        words = [hot, grid | _MORE, life, fee, usage] if life or fee or usage else [hot, grid]
        return keccak(bytes(1) + b"".join(word.to_bytes(32, "big") for word in words))


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it stands on chain; plans are numbered from 1. `register_id` is that of its payee and token. One that
    is archived takes no more subscriptions."""

    plan_id: int
    register_id: int
    terms: PlanTerms
    archived: bool = False

    def terms_hash(self) -> bytes:
        """What a payer agrees to, see `PlanTerms.hash`."""
        return self.terms.hash(self.register_id)
