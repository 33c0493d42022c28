"""The merchant's till: judges vouchers without asking the node for each, and keeps the highest of each channel.

What the chain says of a channel is asked once and then kept for `FRESH_S`; within that time a payer cannot take
anything back, because every channel's delay is longer. A voucher that the channel seems to have too little for is
judged again after another look: it may have been topped up.
"""

from __future__ import annotations

import threading
import time as clock
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from sqlalchemy import Engine

from tallystick.chain.voucher_signature import VoucherJudge
from tallystick.config import MerchantConfig
from tallystick.core.address import parse_address
from tallystick.core.channel import MIN_WITHDRAW_DELAY_S, ChannelState, amount_of, opening_of
from tallystick.core.till import Refused, TillRules, refusal_of
from tallystick.core.voucher import Voucher
from tallystick.errors import InputError, VoucherRefused
from tallystick.flows.connect import Connection
from tallystick.storage.channels import TillChannel, lock_taken, write_taken
from tallystick.storage.database import transaction

FRESH_S: Final = 60
"""How long what the chain said is good: far below the shortest delay of withdrawals, 900 seconds."""
MOST_KEPT: Final = 100_000
LOOK_AGAIN = {Refused.ABOVE_BALANCE, Refused.ANOTHER_OPENING, Refused.WITHDRAWAL}
"""What may be otherwise by now on the chain."""


def till_rules(
    connection: Connection,
    merchant: MerchantConfig,
    *,
    tokens: Sequence[str] = (),
    receivers: Sequence[str] = (),
    authorizers: Sequence[str] = (),
    margin_bps: int = 100,
    notice_s: int = 600,
    least_delay_s: int = MIN_WITHDRAW_DELAY_S,
) -> TillRules:
    """What a till takes (`TillRules`). Tokens and receivers are those of the configuration, or else the signer, where
    none are given; the receivers and the signer can claim, unless authorizers are given.

    Raises InputError where no token is named: anybody can make one that is worth nothing. Raises KeyMissing where
    nobody says who is paid.
    """
    found_tokens = [parse_address(each) for each in tokens] or list(merchant.tokens)
    if not found_tokens:
        raise InputError("found no token to take vouchers in: name one with --token, or as merchant.tokens")
    found = [parse_address(each) for each in receivers] or list(merchant.payees) or [connection.sender.address]
    signers = [connection.signer.address] if connection.signer else []
    may_claim = [parse_address(each) for each in authorizers] or [*found, *signers]
    return TillRules(
        *(frozenset(found), frozenset(may_claim), frozenset(found_tokens)),
        margin_bps=margin_bps,
        notice_s=notice_s,
        least_delay_s=least_delay_s,
    )


class Seen(NamedTuple):
    """What a channel had at `time`, the chain's in Unix seconds; `at_s` is the process's own clock then."""

    state: ChannelState
    time: int
    at_s: float


@dataclass(frozen=True, slots=True)
class Accepted:
    """A voucher that is kept: it is for `units` more than the one before."""

    voucher: Voucher
    units: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """A voucher that is not, and why; `allowed_units` is the most that is taken of the channel now."""

    voucher: Voucher
    reason: Refused
    allowed_units: int

    def error(self) -> VoucherRefused:
        """The same as an error."""
        voucher = self.voucher
        units = amount_of(voucher.sum_units)
        return VoucherRefused(voucher.channel.channel_id, self.reason.value, units, self.allowed_units)


class Till:
    """Takes vouchers by its rules. Threads may share one; any number of processes may share its database."""

    def __init__(self, connection: Connection, engine: Engine, rules: TillRules) -> None:
        self.rules = rules
        self._connection = connection
        self._engine = engine
        self._judge = VoucherJudge(connection.node)
        self._seen: dict[bytes, Seen] = {}
        self._lock = threading.Lock()

    def accept(self, voucher: Voucher, *, least_units: int = 1) -> Accepted:
        """Takes one voucher for at least `least_units` more than the channel's last. Raises VoucherRefused, a NodeError
        or a DatabaseError; nothing is kept then."""
        (answer,) = self.accept_many([voucher], least_units=least_units)
        if isinstance(answer, Rejected):
            raise answer.error()
        return answer

    def accept_many(self, vouchers: Sequence[Voucher], *, least_units: int = 1) -> list[Accepted | Rejected]:
        """Takes many, in their order, in one transaction: each is kept or refused by itself.

        Of two processes that are given the same voucher one takes it, and it is stale for the other.
        """
        seen = self._look_at(vouchers)
        answers: list[Accepted | Rejected | None] = [self._before(voucher, seen) for voucher in vouchers]
        left = [voucher for voucher, answer in zip(vouchers, answers, strict=True) if answer is None]
        kept = iter(self._keep(left, seen, least_units) if left else [])
        return [next(kept) if answer is None else answer for answer in answers]

    def verify(self, voucher: Voucher) -> Refused | None:
        """Why a voucher would not be taken, whatever was taken before; None where it is good. Keeps nothing."""
        answer = self._before(voucher, self._look_at([voucher]))
        return None if answer is None else answer.reason

    def _before(self, voucher: Voucher, seen: dict[bytes, Seen]) -> Rejected | None:
        """All that needs no look at what was taken before. `seen` has the channels of all vouchers that are ours."""
        channel = voucher.channel
        if channel.channel_id not in seen or not self._is_ours(voucher):
            return Rejected(voucher, self.rules.takes(channel.terms) or Refused.FOREIGN, 0)
        found = seen[channel.channel_id]
        refused = refusal_of(voucher, found.state, 0, self._time(found), self.rules)
        if refused in LOOK_AGAIN and clock.monotonic() - found.at_s > 1:
            seen |= self.look([channel.channel_id])
            found = seen[channel.channel_id]
            refused = refusal_of(voucher, found.state, 0, self._time(found), self.rules)
        if refused is None and not self._judge.is_signed(voucher):
            refused = Refused.INVALID_SIGNATURE
        return None if refused is None else self._rejected(voucher, refused, found)

    def _is_ours(self, voucher: Voucher) -> bool:
        here, channel = self._connection.channels, voucher.channel
        is_here = (channel.chain_id, channel.contract) == (here.node.chain_id, here.address)
        return is_here and self.rules.takes(channel.terms) is None

    def _keep(
        self, vouchers: Sequence[Voucher], looked: dict[bytes, Seen], least_units: int
    ) -> list[Accepted | Rejected]:
        answers: list[Accepted | Rejected] = []
        changed: dict[bytes, TillChannel] = {}
        with transaction(self._engine) as database:
            known = lock_taken(database, vouchers)
            for voucher in vouchers:
                channel_id = voucher.channel.channel_id
                before, seen = known[channel_id], looked[channel_id]
                time, taken = self._time(seen), before.voucher.sum_units
                refused = refusal_of(voucher, seen.state, taken, time, self.rules, least_units=least_units)
                if refused is not None:
                    answers.append(self._rejected(voucher, refused, seen))
                    continue
                start = taken if opening_of(taken) == seen.state.opening else 0
                units = voucher.sum_units - max(start, seen.state.claimed_sum)
                known[channel_id] = changed[channel_id] = TillChannel(
                    voucher, max(before.claimed_sum, seen.state.claimed_sum), time
                )
                answers.append(Accepted(voucher, units))
            write_taken(database, list(changed.values()))
        return answers

    def _rejected(self, voucher: Voucher, reason: Refused, seen: Seen) -> Rejected:
        most = self.rules.most_sum(voucher.channel.terms, seen.state, self._time(seen))
        return Rejected(voucher, reason, amount_of(most))

    # --- What the chain says ---

    def look(self, channel_ids: Iterable[bytes]) -> dict[bytes, Seen]:
        """Asks the chain for many channels at once, and remembers. Raises a NodeError."""
        wanted = list(dict.fromkeys(channel_ids))
        if not wanted:
            return {}
        at_s = clock.monotonic()
        states, time = self._connection.channels.states(wanted)
        found = {each: Seen(state, time, at_s) for each, state in zip(wanted, states, strict=True)}
        with self._lock:
            if len(self._seen) + len(wanted) > MOST_KEPT:
                self._seen.clear()
            self._seen |= found
        return found

    def _look_at(self, vouchers: Sequence[Voucher]) -> dict[bytes, Seen]:
        """What the chain said of the vouchers' channels, as far as they are ours: nobody else's are looked up."""
        now = clock.monotonic()
        ours = {voucher.channel.channel_id for voucher in vouchers if self._is_ours(voucher)}
        known = {each: seen for each in ours if (seen := self._seen.get(each)) and now - seen.at_s <= FRESH_S}
        return known | self.look(ours - known.keys())

    @staticmethod
    def _time(seen: Seen) -> int:
        """The chain's time by now, rounded down."""
        return seen.time + int(clock.monotonic() - seen.at_s)
