"""Acts: several events of one transaction that only mean something together, such as the credit that a charge uses, the
charge, and the change of plan that made it. What belongs to an act is told without anything of the contract between.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NoReturn, TypeVar

from tallystick.core.channel_events import RecordedChannel
from tallystick.core.checkout_events import RecordedCheckout
from tallystick.core.events import (
    Charged,
    Claimable,
    ConditionsSet,
    CouponRedeemed,
    CreditUsed,
    Discounted,
    Event,
    PaidByFallback,
    PaidInAlternative,
    PlanChanged,
    PlanCreated,
    Protected,
    Quoted,
    Recorded,
    RegisterOpened,
    SeatsSet,
    Subscribed,
    Upgraded,
    UsageCharged,
)
from tallystick.core.payment_events import RecordedPayment
from tallystick.errors import EventsInconsistent

E = TypeVar("E", bound=Event)

PartOfCharge = (
    Claimable | CreditUsed | Discounted | PaidByFallback | PaidInAlternative | Protected | Quoted | UsageCharged
)
"""What is told of a charge before it."""

_PAYMENT: tuple[type[Event], ...] = (PaidByFallback, Protected, Claimable, Charged)

_FOLLOWERS: dict[type[Event], tuple[type[Event], ...]] = {
    RegisterOpened: (PlanCreated,),
    Subscribed: (SeatsSet, ConditionsSet, Charged),
    SeatsSet: (ConditionsSet, Charged),
    ConditionsSet: (CouponRedeemed, Quoted, Discounted, Protected, Charged),
    CouponRedeemed: (Quoted, Discounted, Protected, Charged),
    PlanChanged: (Quoted, Discounted, CreditUsed, PaidInAlternative, *_PAYMENT),
    Quoted: (Discounted, CreditUsed, *_PAYMENT),
    Discounted: (CreditUsed, *_PAYMENT),
    CreditUsed: (*_PAYMENT, Upgraded),
    PaidByFallback: (Protected, Claimable, Charged),
    Protected: (Charged,),
    PaidInAlternative: (Claimable, Charged),
    Claimable: (Claimable, CreditUsed, Charged),
    UsageCharged: (Charged,),
    Charged: (PlanChanged,),
}
"""What comes next, where an event is not the last of its act."""


class Act:
    """The events of an act whose last one is still to come; empty between acts."""

    def __init__(self) -> None:
        self._told: list[Recorded] = []

    def __bool__(self) -> bool:
        return bool(self._told)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Act) and self._told == other._told

    __hash__ = None  # type: ignore[assignment]  # it changes

    def add(self, recorded: Recorded) -> None:
        """One more event, which is not the last."""
        self._told.append(recorded)

    def end(self) -> None:
        """The last event was told."""
        self._told.clear()

    def kinds(self) -> list[type[Event]]:
        """The types of its events."""
        return [type(recorded.event) for recorded in self._told]

    def all(self, kind: type[E]) -> Iterator[tuple[Recorded, E]]:
        """Its events of a type, each also with where it stands."""
        for recorded in self._told:
            if isinstance(recorded.event, kind):
                yield recorded, recorded.event

    def require_continued(self, recorded: Recorded) -> None:
        """Raises EventsInconsistent unless an event goes on with the act."""
        last = self._told[-1]
        is_follower = isinstance(recorded.event, _FOLLOWERS[type(last.event)])
        same_transaction = recorded.origin.transaction_hash == last.origin.transaction_hash
        if not is_follower or not same_transaction or _subject(recorded.event) != _subject(last.event):
            refuse(recorded, f"it stands where what belongs to {type(last.event).__name__} is missing")

    def require_whole(self) -> None:
        """Raises EventsInconsistent where the act is not complete."""
        if self._told:
            refuse(self._told[-1], "what belongs to it is missing")


def refuse(recorded: Recorded | RecordedPayment | RecordedCheckout | RecordedChannel, found: str) -> NoReturn:
    """Raises EventsInconsistent: the event cannot follow what is in the books."""
    origin = recorded.origin
    raise EventsInconsistent(
        f"{type(recorded.event).__name__} in block {origin.block_number}, log {origin.log_index}, cannot follow what "
        f"is in the books: {found}. The node left events out, or is on another branch: ask another node"
    )


def _subject(event: Event) -> int:
    """The register or subscription that an event is about."""
    if isinstance(event, RegisterOpened | PlanCreated):
        return event.register_id
    return event.subscription_id if isinstance(event, Claimable) else int(event[0])
