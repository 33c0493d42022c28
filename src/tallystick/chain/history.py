"""Reads from the logs what the contract itself does not keep: one subscription's past, a payer's subscriptions, and who
has something to claim. In bounded ranges, as `chain.logs` does."""

from __future__ import annotations

from collections.abc import Iterator

from tallystick.chain.decode import topic_of
from tallystick.chain.logs import LogReader, Topic
from tallystick.chain.rpc import Rpc
from tallystick.core.events import Claimable, Event, Recorded, Subscribed

OF_A_SUBSCRIPTION = (
    *("Subscribed", "SeatsSet", "MandateAccepted", "Charged", "CreditUsed", "PlanChanged", "Declined", "Cancelled"),
    *("CancellationScheduled", "Paused", "Resumed", "Refunded", "UsageCharged", "ChangeScheduled", "ConditionsSet"),
    *("CouponRedeemed", "Discounted", "Quoted", "FallbackSet", "PaidByFallback", "PayerChanged", "PriceLowered"),
    *("FallbackPlanSet", "PaidInAlternative", "PlanProposed", "Upgraded", "Protected"),
)
"""The events whose first indexed value is a subscription's number."""


class HistoryReader:
    """Reads the logs of `Subscriptions` at `contract` from `start_block`, the one of its deployment, to the newest.

    Raises NodeErrors.
    """

    def __init__(self, url: str, contract: str, start_block: int) -> None:
        self._rpc = Rpc(url)
        self._contract = contract
        self._start_block = start_block

    def of_subscription(self, subscription_id: int) -> list[Recorded]:
        """Everything that happened to a subscription, oldest first."""
        number = "0x" + subscription_id.to_bytes(32, "big").hex()
        found = self._read([[topic_of(name) for name in OF_A_SUBSCRIPTION], number])
        return [recorded for recorded in found if _subscription_of(recorded.event) == subscription_id]

    def subscriptions_of(self, payer: str) -> list[int]:
        """The numbers of all subscriptions that an account ever opened, oldest first."""
        events = [recorded.event for recorded in self._read([topic_of("Subscribed"), None, _word(payer)])]
        return [event.subscription_id for event in events if isinstance(event, Subscribed) and event.payer == payer]

    def claimables(self, account: str | None = None) -> list[Claimable]:
        """What the contract ever took into its keeping, for all accounts or one; whether it was claimed is not said."""
        events = [
            recorded.event
            for recorded in self._read([topic_of("Claimable"), None if account is None else _word(account)])
        ]
        return [event for event in events if isinstance(event, Claimable) and account in {None, event.account}]

    def _read(self, topics: list[Topic]) -> Iterator[Recorded]:
        reader = LogReader(self._rpc, self._contract, topics=topics)
        head = reader.header("latest")
        if head is None:
            return
        for chunk in reader.read(self._start_block, head.number):
            for entry in chunk.logs:
                yield Recorded(entry.origin, entry.event)


def _subscription_of(event: Event) -> int | None:
    number: int | None = getattr(event, "subscription_id", None)
    return number


def _word(address: str) -> str:
    return "0x" + address[2:].lower().rjust(64, "0")
