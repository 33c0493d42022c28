"""What every contract of ours at one address has: calls that read, calls that are tried, calls that are sent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, TypeVar

from tallystick.chain.calls import call_data, decoded
from tallystick.chain.decode import SUBSCRIPTIONS
from tallystick.chain.decoder import Decoder
from tallystick.chain.node import Node, hex_bytes
from tallystick.chain.sender import Call, Receipt, Sender
from tallystick.chain.signer import NO_KEY
from tallystick.core.channel_events import ChannelEvent
from tallystick.core.channel_plan import ChannelFilled
from tallystick.core.checkout_events import CheckoutEvent
from tallystick.core.court import CourtEvent
from tallystick.core.events import Charged, Declined, Event
from tallystick.core.payment_events import PaymentEvent
from tallystick.core.subscription import DeclineReason
from tallystick.core.swap import Swapped
from tallystick.errors import KeyMissing, NodeInvalid

AnyEvent = Event | PaymentEvent | CourtEvent | CheckoutEvent | Swapped | ChannelEvent | ChannelFilled

E = TypeVar("E", bound=AnyEvent)


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that had its effect, and the contract's events in it, in their order."""

    receipt: Receipt
    events: tuple[AnyEvent, ...]

    def one(self, kind: type[E]) -> E:
        """The first event of a kind that the call always has. Raises NodeInvalid when the node left it out."""
        for event in self.events:
            if isinstance(event, kind):
                return event
        raise NodeInvalid(
            f"the receipt of {self.receipt.transaction} has no {kind.__name__} event, which it must have: ask another "
            "node"
        )

    @property
    def reasons(self) -> list[DeclineReason]:
        """Of a `charge`: for each row why it was not paid, NONE where it was."""
        return [
            event.reason if isinstance(event, Declined) else DeclineReason.NONE
            for event in self.events
            if isinstance(event, Charged | Declined)
        ]


class Contract:
    """A contract of ours at one address on one chain. `sender` is who signs and sends."""

    decoder: ClassVar[Decoder[Any]] = SUBSCRIPTIONS

    def __init__(self, node: Node, address: str, sender: Sender | None = None) -> None:
        self.node = node
        self.address = address
        self._sender = sender

    @property
    def sender(self) -> Sender:
        """Who sends. Raises KeyMissing where there is no key."""
        if self._sender is None:
            raise KeyMissing(NO_KEY)
        return self._sender

    def _read(self, name: str, *values: object) -> Any:
        artefact = self.decoder.contract
        return decoded(name, self.node.call(self.address, self._data(name, *values)), contract=artefact)

    def _data(self, name: str, *values: object) -> bytes:
        return call_data(name, *values, contract=self.decoder.contract)

    def _try(self, name: str, *values: object, sender: str) -> None:
        """Raises what the call would raise as that account's next transaction; sends nothing, and needs no key."""
        self.node.call(self.address, self._data(name, *values), sender=sender, block="pending")

    def _send(self, name: str, *values: object, value_wei: int = 0) -> Sent:
        receipt = self.sender.send(Call(self.address, self._data(name, *values), value_wei))
        return Sent(receipt, self.events_in(receipt))

    def events_in(self, receipt: Receipt) -> tuple[Any, ...]:
        """This contract's events in a transaction, in their order."""
        names = self.decoder.names()
        events = []
        for log in receipt.logs:
            if log["address"].lower() == self.address.lower() and (name := names.get(log["topics"][0])):
                topics = b"".join(hex_bytes(topic) for topic in log["topics"][1:])
                events.append(self.decoder.decode(name, topics, hex_bytes(log["data"])))
        return tuple(events)
