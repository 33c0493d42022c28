"""Fills channels: what plans that fill channels were charged, by whomever, goes into the channels of those who paid.

The chain alone says what is not filled yet, so nothing is lost between a charge and its filling, and nothing is filled
twice. The mirror says of which subscriptions to ask. What cannot be filled holds up nothing else.
"""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection as Database
from sqlalchemy import Engine

from tallystick.chain.channel_plan import ChannelPlanContract
from tallystick.chain.contract import Sent
from tallystick.chain.subscriptions import Subscriptions
from tallystick.chain.token import TokenContract
from tallystick.core.books import Books
from tallystick.core.channel_plan import ChannelFilled
from tallystick.core.plan import Plan
from tallystick.core.subscription import PER_REGISTER
from tallystick.errors import (
    CorruptionError,
    InputError,
    NodeRefused,
    RevertError,
    TallystickError,
    TransactionReverted,
)
from tallystick.flows.channel_plan import channel_plan_at, open_channel_plan
from tallystick.flows.connect import Connection
from tallystick.flows.pending import read_present
from tallystick.flows.recognise import OwnPlans
from tallystick.storage.database import reading
from tallystick.storage.sources import Source, find_source
from tallystick.storage.subscriptions import charge_counts

MOST_ROWS = 100
"""Subscriptions in one request or call, as in one call of charges."""
REMEMBER_S = 3_600
"""How long what was seen of the chain is believed: a reorganisation, or a node that was behind, is found out then."""


@dataclass
class PlanFill:
    """What was done for one plan: the channels that were filled, each with its transaction, and by subscription why
    others were not. Such a failure cost gas where it was `mined`."""

    plan: Plan
    filled: list[tuple[ChannelFilled, str]] = field(default_factory=list)
    failed: dict[int, TallystickError] = field(default_factory=dict)
    mined: bool = False
    transactions: list[str] = field(default_factory=list)
    gas_used: int = 0

    @property
    def units(self) -> int:
        """What went into channels, of the plan's token."""
        return sum(event.amount_units for event, _ in self.filled)


class Filler:
    """Fills the channels of the merchant's plans, round after round, with the gas of who charges. `channels` are those
    of the deployment.

    In between it only remembers what spares requests: which payees are contracts of ours, up to which charge everything
    was seen in its channel, and which plan's call was mined without effect, so that it does not burn gas in each round.
    """

    def __init__(
        self, subscriptions: Subscriptions, channels: str, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._subscriptions = subscriptions
        self._ours = subscriptions.address, channels
        self._clock = clock
        self._forget()

    def fill_once(
        self,
        engine: Engine,
        source: Source,
        *,
        own: OwnPlans,
        max_gas: int,
        charged: Collection[int] = (),
        renew: Callable[[], None] = lambda: None,
    ) -> list[PlanFill]:
        """Fills what is unfilled of own plans, in calls of at most `max_gas`; tells the plans of which something was.

        `charged` are subscriptions of which the mirror does not know the last charge yet; `renew` is called between
        transactions. Raises as `bill_once`, but not for what a plan or a token refuses.
        """
        if self._clock() >= self._forget_at:
            self._forget()
        with reading(engine) as database:
            books = read_present(database, source, {}).books
        done = []
        for plan_id, plan in sorted(books.plans.items()):
            if own.objection(plan_id, plan.terms) is None and (contract := self._contract(plan.terms.payee)):
                renew()
                with reading(engine) as database:
                    counts = _counts(database, source, books, plan)
                work = _PlanRound(self._subscriptions, contract, plan, max_gas, renew)
                done.append(self._fill_plan(work, counts, set(charged)))
        return [fill for fill in done if fill.transactions or fill.failed]

    def _forget(self) -> None:
        self._forget_at = self._clock() + REMEMBER_S
        self._contracts: dict[str, ChannelPlanContract | None] = {}
        self._seen: dict[int, int] = {}
        self._burnt: dict[int, PlanFill] = {}

    def _contract(self, payee: str) -> ChannelPlanContract | None:
        if payee not in self._contracts:
            node, sender = self._subscriptions.node, self._subscriptions.sender
            try:
                self._contracts[payee] = channel_plan_at(node, payee, self._ours, sender)
            except InputError:
                self._contracts[payee] = None
        return self._contracts[payee]

    def _fill_plan(self, work: _PlanRound, counts: dict[int, int], charged: set[int]) -> PlanFill:
        """First what was charged just now; then, only where money is left, whatever else may be unfilled."""
        plan_id, fill = work.fill.plan.plan_id, work.fill
        if before := self._burnt.get(plan_id):
            return PlanFill(fill.plan, failed=before.failed)
        for rows in (charged & counts.keys(), counts.keys() - charged):
            asked = sorted(number for number in rows if number in charged or counts[number] > self._seen.get(number, 0))
            empty = work.fill_rows(asked)
            self._seen |= {number: counts[number] if number in empty else 0 for number in asked}
        if fill.mined:
            self._burnt[plan_id] = fill
        return fill


def fill_all(connection: Connection, engine: Engine, address: str, *, max_gas: int) -> PlanFill:
    """Fills what is unfilled of one plan, of the subscriptions that the mirror knows.

    Raises InputError where the contract is no plan that fills channels, and CorruptionError where the database does not
    mirror it.
    """
    contract = open_channel_plan(connection, address)
    plan_id = contract.plan_id()
    with reading(engine) as database:
        source = find_source(database, connection.node.chain_id, connection.contract.address)
        books = None if source is None else read_present(database, source, {}).books
        if source is None or books is None or plan_id not in books.plans:
            raise CorruptionError(
                f"the database does not mirror plan {plan_id} of {connection.contract.address} on chain "
                f"{connection.node.chain_id} yet: run `tallystick index --once` first, or name subscriptions"
            )
        counts = _counts(database, source, books, books.plans[plan_id])
    work = _PlanRound(connection.contract, contract, books.plans[plan_id], max_gas)
    work.fill_rows(sorted(counts))
    return work.fill


def _counts(database: Database, source: Source, books: Books, plan: Plan) -> dict[int, int]:
    """How often each subscription was charged, pending charges too; of a plan that is the only one in its register."""
    pending = {
        number: subscription.charges
        for number, subscription in books.subscriptions.items()
        if number // PER_REGISTER == plan.register_id and subscription.charges
    }
    return charge_counts(database, source.source_id, plan.register_id) | pending


class _PlanRound:
    """One round's calls of one plan."""

    def __init__(
        self,
        subscriptions: Subscriptions,
        contract: ChannelPlanContract,
        plan: Plan,
        max_gas: int,
        renew: Callable[[], None] = lambda: None,
    ) -> None:
        self.fill = PlanFill(plan)
        self._subscriptions = subscriptions
        self._contract = contract
        self._max_gas = max_gas
        self._renew = renew

    def fill_rows(self, asked: Sequence[int]) -> set[int]:
        """Fills what can be filled; of the subscriptions that it answers, everything was in the channel before."""
        ready: list[int] = []
        empty: set[int] = set()
        if not asked or self.fill.mined:
            return empty
        kept = self._bring_what_was_kept()
        if kept is None and not self._holds_a_charge():
            return empty
        for start in range(0, len(asked), MOST_ROWS):
            self._renew()
            rows = asked[start : start + MOST_ROWS]
            for number, found in zip(rows, self._contract.fill_each_dry_run(rows), strict=True):
                if not isinstance(found, int):
                    self.fill.failed[number] = kept or found
                elif found:
                    ready.append(number)
                else:
                    empty.add(number)
        self._send_rows(ready, kept)
        return empty

    def _send_rows(self, rows: Sequence[int], error: TallystickError | None) -> None:
        """After a call that was mined without effect nothing is sent any more: `error` is why."""
        while rows and not self.fill.mined:
            batch = self._fitting(rows[:MOST_ROWS])
            if error := self._send(functools.partial(self._contract.fill, batch)):
                self.fill.failed |= dict.fromkeys(batch, error)
            rows = rows[len(batch) :]
        if rows and error:
            self.fill.failed |= dict.fromkeys(rows, error)

    def _bring_what_was_kept(self) -> TallystickError | None:
        """What the contract could not receive, `Subscriptions` keeps for it. Answers why it still cannot."""
        account, token = self._contract.address, self.fill.plan.terms.token
        if not self._subscriptions.claimable(account, token):
            return None
        return self._send(functools.partial(self._subscriptions.claim, account, token))

    def _holds_a_charge(self) -> bool:
        """Whether the contract has a price at least: with less there is nothing that it could fill."""
        terms = self.fill.plan.terms
        try:
            return TokenContract(self._contract.node, terms.token).balance(terms.payee) >= terms.price_units
        except (RevertError, NodeRefused):  # the token does not say
            return True

    def _fitting(self, rows: Sequence[int]) -> Sequence[int]:
        """As many as the gas of a batch allows, one at least."""
        while len(rows) > 1:
            try:
                if self._contract.fill_gas(rows) <= self._max_gas:
                    break
            except (RevertError, NodeRefused):  # together they take more than the node gives
                pass
            rows = rows[: len(rows) // 2]
        return rows

    def _send(self, send: Callable[[], Sent]) -> TallystickError | None:
        """What stopped it: a token may behave when it is tried and misbehave when it is mined."""
        self._renew()
        try:
            sent = send()
        except (RevertError, NodeRefused, TransactionReverted) as error:
            self.fill.mined = isinstance(error, TransactionReverted) or isinstance(error.__cause__, TransactionReverted)
            return error
        transaction = sent.receipt.transaction
        self.fill.transactions.append(transaction)
        self.fill.gas_used += sent.receipt.gas_used
        self.fill.filled += [(event, transaction) for event in sent.events if isinstance(event, ChannelFilled)]
        return None
