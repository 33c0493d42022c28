"""Plans: immutable, numbered terms under which payers are charged."""

from __future__ import annotations

from dataclasses import dataclass

from eth_utils.crypto import keccak

from tallystick.core.period import Period, Unit


@dataclass(frozen=True, slots=True)
class PlanTerms:
    """The terms of a plan. Addresses are checksummed, `price_units` are base units of the token per period, `catch_up`
    is how many missed periods stay collectible."""

    payee: str
    price_units: int
    token: str
    every: int
    unit: Unit
    catch_up: int = 0

    @property
    def period(self) -> Period:
        """The length of a period."""
        return Period(self.every, self.unit)

    def hash(self) -> bytes:
        """keccak-256 of the ABI-encoded terms, as `Subscriptions.termsHash`: what a payer agrees to."""
        words = (
            int(self.payee, 16),
            self.price_units,
            int(self.token, 16),
            self.every,
            int(self.unit),
            self.catch_up,
        )
        return keccak(b"".join(word.to_bytes(32, "big") for word in words))


@dataclass(frozen=True, slots=True)
class Plan:
    """A plan as it stands on chain; plans are numbered from 1."""

    plan_id: int
    terms: PlanTerms
