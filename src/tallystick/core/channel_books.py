"""The books of payment channels: what each event of `Channels` does to channels, journal and the receivers' totals.

`ChannelBooks.apply` is the only way from an event to anything that is derived from it, as `core.payment_books` for
escrow payments. A channel's id is the digest of its terms, so that terms which a node changed do not pass; its sums are
told with each event, so that one that was left out is noticed at the channel's next.

The journal is the receivers': income is what they claimed, when they did. What payers put in and take back is in none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple

from tallystick.core.act import refuse
from tallystick.core.channel import Channel, ChannelState, ChannelTerms
from tallystick.core.channel_events import (
    ChannelClosed,
    ChannelCreated,
    ChannelEvent,
    ChannelOpened,
    ChannelRefunded,
    Claimed,
    ClaimSkipped,
    Deposited,
    RecordedChannel,
    Settled,
    WithdrawalAnnounced,
    Withdrawn,
)
from tallystick.core.ledger import GENESIS_HASH, Entry, Posting, new_entry

CLAIM, SETTLEMENT = "channel_claim", "settlement"
"""How entries call their events."""


@dataclass(frozen=True, slots=True)
class BookedChannel:
    """A channel as the books have it. How many refunds there were is not in it: one of nothing is not told."""

    channel_id: bytes
    terms: ChannelTerms
    state: ChannelState


class ReceiverSums(NamedTuple):
    """Units that were ever claimed for a receiver in a token, and paid to it."""

    receiver: str
    token: str
    claimed_units: int
    settled_units: int


class ChannelChange(NamedTuple):
    """What one event does: what it makes, and what stands differently after it. What it leaves alone is None. There is
    no invoice of a claim, which is for what its payer used over time."""

    channel: BookedChannel | None = None
    entry: Entry | None = None
    sums: ReceiverSums | None = None
    invoice: None = None


_NOTHING = ChannelChange()


class _Awaited(NamedTuple):
    """What must come next, in the same transaction, of the same channel."""

    kind: type[ChannelEvent]
    channel_id: bytes
    after: RecordedChannel


class ChannelBooks:
    """Everything that the next event may need to know, of the contract at one address on one chain.

    Whoever keeps only a part in memory fills in the channels that the coming events touch.
    """

    def __init__(self, chain_id: int, contract: str) -> None:
        self.chain_id = chain_id
        self.contract = contract
        self.channels: dict[bytes, BookedChannel] = {}
        self.sums: dict[tuple[str, str], ReceiverSums] = {}
        self.entry_number = 0
        self.entry_hash = GENESIS_HASH
        self._awaited: _Awaited | None = None

    def apply(self, recorded: RecordedChannel, *, final: bool = True) -> ChannelChange:
        """The change that an event makes; the books then stand after it.

        Only a final event is journalled. Raises EventsInconsistent for an event that cannot follow the ones before it.
        """
        event, awaited, self._awaited = recorded.event, self._awaited, None
        if awaited is not None:
            same = awaited.after.origin.transaction_hash == recorded.origin.transaction_hash
            if not same or type(event) is not awaited.kind or getattr(event, "channel_id", None) != awaited.channel_id:
                refuse(recorded, f"it stands where {awaited.kind.__name__} is missing")
        elif isinstance(event, ChannelClosed):
            refuse(recorded, "nothing before it closes the channel")
        elif isinstance(event, ChannelCreated) and self._has_money(event.channel_id):
            refuse(recorded, "the channel is open already")
        elif isinstance(event, Deposited) and not self._has_money(event.channel_id):
            refuse(recorded, "nothing before it opens the channel")
        return self._VERBS[type(event)](self, recorded, event, final)

    def require_whole(self) -> None:
        """Raises EventsInconsistent where what belongs to the last event was not told."""
        if self._awaited is not None:
            refuse(self._awaited.after, f"{self._awaited.kind.__name__} is missing after it")

    # --- when a channel closes, which is not the same in x402's own contract ---

    def closes(self, state: ChannelState, units: int, *, as_announced: bool) -> bool:
        """Whether a channel closes with units that go back, a withdrawal `as_announced` or a refund."""
        return units == state.available or (as_announced and state.closing)

    def announces_closing(self, state: ChannelState, units: int) -> bool:
        """Whether a withdrawal of so many units, once it is paid out, closes the channel."""
        return units == state.available

    def closed(self, state: ChannelState) -> ChannelState:
        """What a channel has after it was closed: what came in meanwhile, in the next opening."""
        return ChannelState(state.opening + 1, state.available, 0)

    # --- money comes in ---

    def _create(self, recorded: RecordedChannel, event: ChannelCreated, _final: bool) -> ChannelChange:
        """Its deposit is told next; after a closing there is something in it already."""
        channel = self._begun(recorded, event.channel_id, event.terms)
        if not channel.state.deposited:
            self._await(Deposited, channel, recorded)
        return self._set(channel)

    def _open(self, recorded: RecordedChannel, event: ChannelOpened, _final: bool) -> ChannelChange:
        channel = self._begun(recorded, event.channel_id, event.terms)
        if channel.state.deposited or not event.amount_units:
            refuse(recorded, f"{event.amount_units} units open a channel that has {channel.state.deposited}")
        return self._set(_with(channel, deposited=event.amount_units))

    def _begun(self, recorded: RecordedChannel, channel_id: bytes, terms: ChannelTerms) -> BookedChannel:
        expected = Channel(self.chain_id, self.contract, terms).channel_id
        if channel_id != expected:
            refuse(recorded, f"its terms are those of channel 0x{expected.hex()}, not of 0x{channel_id.hex()}")
        return self.channels.get(channel_id) or BookedChannel(channel_id, terms, ChannelState(0, 0, 0))

    def _deposit(self, recorded: RecordedChannel, event: Deposited, _final: bool) -> ChannelChange:
        before = self._channel(recorded, event.channel_id)
        after = _with(before, deposited=before.state.deposited + event.amount_units)
        if after.state.balance_sum != event.balance_sum:
            refuse(recorded, f"it makes the balance {event.balance_sum}, not {after.state.balance_sum}")
        return self._set(after)

    # --- money goes out ---

    def _claim(self, recorded: RecordedChannel, event: Claimed, final: bool) -> ChannelChange:
        before = self._channel(recorded, event.channel_id)
        after = _with(before, claimed=before.state.claimed + event.amount_units)
        if not event.amount_units or after.state.claimed_sum != event.claimed_sum or after.state.available < 0:
            refuse(
                recorded,
                f"{event.amount_units} units make the claims {event.claimed_sum}, not {after.state.claimed_sum}, of "
                f"{after.state.balance_sum}",
            )
        receiver, token = after.terms.receiver, after.terms.token
        sums = self._add(receiver, token, claimed=event.amount_units)
        entry = None
        if final:
            debit, credit = f"Assets:Channels:{receiver}", f"Income:Channels:{receiver}"
            entry = self._write(recorded, CLAIM, debit, credit, token, event.amount_units)
        return self._set(after)._replace(entry=entry, sums=sums)

    def _skip(self, _recorded: RecordedChannel, _event: ClaimSkipped, _final: bool) -> ChannelChange:
        """Of a channel that there may never have been."""
        return _NOTHING

    def _settle(self, recorded: RecordedChannel, event: Settled, final: bool) -> ChannelChange:
        sums = self._add(event.receiver, event.token, settled=event.amount_units)
        if sums.settled_units != sums.claimed_units or not event.amount_units:
            refuse(recorded, f"{sums.settled_units} units would be paid out, {sums.claimed_units} were claimed")
        entry = None
        if final:
            debit, credit = f"Assets:Wallet:{event.receiver}", f"Assets:Channels:{event.receiver}"
            entry = self._write(recorded, SETTLEMENT, debit, credit, event.token, event.amount_units)
        return ChannelChange(entry=entry, sums=sums)

    def _refund(self, recorded: RecordedChannel, event: ChannelRefunded, _final: bool) -> ChannelChange:
        """It counts towards a withdrawal that was announced."""
        before = self._channel(recorded, event.channel_id)
        state, units = before.state, event.amount_units
        fulfils = state.withdrawal_since != 0 and units >= state.withdrawing
        closes = self.closes(state, units, as_announced=fulfils)
        after = self._paid_back(recorded, before, units)
        if fulfils or closes:
            after = _with(after, withdrawing=0, withdrawal_since=0, closing=False)
        elif state.withdrawal_since:
            after = _with(after, withdrawing=state.withdrawing - units)
        return self._left(recorded, after, closes=closes)

    def _announce(self, recorded: RecordedChannel, event: WithdrawalAnnounced, _final: bool) -> ChannelChange:
        before = self._channel(recorded, event.channel_id)
        state, units = before.state, event.amount_units
        if state.withdrawal_since or not 0 < units <= state.available:
            refuse(recorded, f"{units} units are asked back of {state.available}, after {state.withdrawing} were")
        since = event.finalize_after - before.terms.withdraw_delay_s
        closing = self.announces_closing(state, units)
        return self._set(_with(before, withdrawing=units, withdrawal_since=since, closing=closing))

    def _withdraw(self, recorded: RecordedChannel, event: Withdrawn, _final: bool) -> ChannelChange:
        before = self._channel(recorded, event.channel_id)
        state = before.state
        expected = min(state.withdrawing, state.available)
        if not state.withdrawal_since or event.amount_units != expected:
            refuse(recorded, f"{event.amount_units} units are withdrawn, {expected} were asked back and are there")
        closes = self.closes(state, expected, as_announced=True)
        after = self._paid_back(recorded, before, expected)
        after = _with(after, withdrawing=0, withdrawal_since=0, closing=False)
        return self._left(recorded, after, closes=closes)

    def _close(self, recorded: RecordedChannel, event: ChannelClosed, _final: bool) -> ChannelChange:
        before = self._channel(recorded, event.channel_id)
        if event.terms != before.terms:
            refuse(recorded, "its terms are others than those of its channel")
        after = replace(before, state=self.closed(before.state))
        if after.state.deposited:
            self._await(ChannelCreated, after, recorded)
        return self._set(after)

    # --- parts ---

    def _has_money(self, channel_id: bytes) -> bool:
        found = self.channels.get(channel_id)
        return found is not None and found.state.deposited != 0

    def _channel(self, recorded: RecordedChannel, channel_id: bytes) -> BookedChannel:
        found = self.channels.get(channel_id)
        if found is None:
            refuse(recorded, f"channel 0x{channel_id.hex()} is unknown")
        return found

    def _paid_back(self, recorded: RecordedChannel, before: BookedChannel, units: int) -> BookedChannel:
        if units > before.state.available:
            refuse(recorded, f"{units} units go back, {before.state.available} are there")
        return _with(before, deposited=before.state.deposited - units)

    def _left(self, recorded: RecordedChannel, after: BookedChannel, *, closes: bool) -> ChannelChange:
        if closes:
            self._await(ChannelClosed, after, recorded)
        return self._set(after)

    def _await(self, kind: type[ChannelEvent], channel: BookedChannel, after: RecordedChannel) -> None:
        self._awaited = _Awaited(kind, channel.channel_id, after)

    def _set(self, channel: BookedChannel) -> ChannelChange:
        self.channels[channel.channel_id] = channel
        return ChannelChange(channel)

    def _add(self, receiver: str, token: str, *, claimed: int = 0, settled: int = 0) -> ReceiverSums:
        before = self.sums.get((receiver, token)) or ReceiverSums(receiver, token, 0, 0)
        after = before._replace(
            claimed_units=before.claimed_units + claimed, settled_units=before.settled_units + settled
        )
        self.sums[receiver, token] = after
        return after

    def _write(self, recorded: RecordedChannel, kind: str, debit: str, credit: str, token: str, units: int) -> Entry:
        self.entry_number += 1
        postings = Posting(debit, "D", token, units), Posting(credit, "C", token, units)
        entry = new_entry(self.entry_number, kind, recorded.origin, postings, self.entry_hash)
        self.entry_hash = entry.hash
        return entry

    _VERBS: ClassVar[dict[type[ChannelEvent], Callable[[ChannelBooks, RecordedChannel, Any, bool], ChannelChange]]] = {
        ChannelCreated: _create,
        ChannelOpened: _open,
        ChannelClosed: _close,
        Deposited: _deposit,
        Claimed: _claim,
        ClaimSkipped: _skip,
        Settled: _settle,
        ChannelRefunded: _refund,
        WithdrawalAnnounced: _announce,
        Withdrawn: _withdraw,
    }


def _with(channel: BookedChannel, **changes: Any) -> BookedChannel:
    return replace(channel, state=channel.state._replace(**changes))


def touched_channels(events: Iterable[ChannelEvent]) -> list[bytes]:
    """The channels that these events are about."""
    return sorted({event.channel_id for event in events if not isinstance(event, Settled)})
