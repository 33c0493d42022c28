"""Claiming what the till took: in batches over many channels, when it is worth its fees or cannot wait."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from sqlalchemy import Engine

from tallystick.chain.contract import Sent
from tallystick.core.channel import Channel
from tallystick.core.channel_events import Claimed, ClaimSkipped, Refusal, Settled
from tallystick.core.till import BPS, ClaimCosts, Taken, worth_claiming
from tallystick.core.voucher import Voucher
from tallystick.errors import InputError
from tallystick.flows.connect import Connection
from tallystick.flows.look_up_channel import till_channels
from tallystick.storage.channels import write_claimed, write_refusal
from tallystick.storage.database import transaction

ROWS = 100
"""Vouchers in one transaction: some 1.5 million gas, or 2.3 where spending keys signed all of them."""
MOST_BPS = 200
"""What part of a claim may go for its fees where nothing else is said: 2 %."""
NOTICE_S = 600
FOR_GOOD = {Refusal.INVALID_SIGNATURE, Refusal.ABOVE_LIMIT, Refusal.KEY_EXPIRED}
"""What no later claim of the same voucher would change. A payer's code may; its next voucher is tried again."""


@dataclass(frozen=True, slots=True)
class ClaimPolicy:
    """When a claim is worth it. A whole coin of the chain is worth `coin_units` of the token; None: everything is
    claimed, whatever it costs. `gas_price_wei` is the node's suggestion unless given; `most_bps` of what is claimed, in
    hundredths of a percent, may go for fees. `notice_s` as the till's rules have it."""

    coin_units: int | None = None
    gas_price_wei: int | None = None
    most_bps: int = MOST_BPS
    rows: int = ROWS
    notice_s: int = NOTICE_S


class ClaimedRow(NamedTuple):
    """What became of one channel's voucher: `units` were claimed, or `reason` says why none were. `transaction` None:
    it was not sent."""

    channel: Channel
    units: int
    reason: Refusal | None
    transaction: str | None


@dataclass(frozen=True, slots=True)
class ClaimReport:
    """What a run did: `rows` of what was sent, `waiting` of what is not worth its fees yet, with the units that wait,
    `paid_units` by receiver and token, and the gas that was used."""

    rows: list[ClaimedRow]
    waiting: list[ClaimedRow]
    paid_units: dict[tuple[str, str], int]
    gas_used: int


def claim_vouchers(
    connection: Connection, engine: Engine, token: str, policy: ClaimPolicy | None = None, *, dry_run: bool = False
) -> ClaimReport:
    """Claims for the signer, who is receiver or authorizer, what the till took in a token. `dry_run` sends nothing, and
    tells what would be sent as rows without a transaction.

    Each batch is a transaction of its own: what was sent before one that fails stays. Raises InputError for a policy
    that cannot be, NotAuthorized, and what `ChannelsContract.claim` raises.
    """
    policy = policy or ClaimPolicy()
    if not 0 < policy.most_bps <= BPS or not policy.rows > 0:
        raise InputError(
            f"found a share of {policy.most_bps} hundredths of a percent in batches of {policy.rows}, allowed are 1 to "
            f"{BPS}, and at least one row: name others"
        )
    taken, time = _open(connection, engine, token)
    costs = _costs(connection, policy)
    batches = worth_claiming(taken, costs, time, notice_s=policy.notice_s, rows=policy.rows)
    chosen = {row.voucher.channel for batch in batches for row in batch}
    waiting = [
        ClaimedRow(row.voucher.channel, row.claimable_units, None, None)
        for row in taken
        if row.voucher.channel not in chosen and row.claimable_units
    ]
    report = ClaimReport([], waiting, {}, 0)
    for batch in batches:
        if dry_run:
            planned = [ClaimedRow(row.voucher.channel, row.claimable_units, None, None) for row in batch]
            report.rows.extend(planned)
        else:
            report = _sent(connection, engine, [row.voucher for row in batch], report)
    return report


def _open(connection: Connection, engine: Engine, token: str) -> tuple[list[Taken], int]:
    """What was taken in a token and can be claimed by the signer, and the chain's time."""
    account = connection.sender.address
    found = []
    for each in till_channels(connection, engine):
        terms = each.voucher.channel.terms
        if terms.token == token and account in {terms.receiver, terms.receiver_authorizer}:
            found.append(each)
    found = [each for each in found if each.voucher.sum_units > each.claimed_sum and each.refusal is None]
    seen = connection.channels.states([each.voucher.channel.channel_id for each in found])
    with transaction(engine) as database:
        for each, state in zip(found, seen.states, strict=True):
            if state.claimed_sum > each.claimed_sum:
                write_claimed(database, each.voucher.channel, state.claimed_sum)
    return [Taken(each.voucher, state) for each, state in zip(found, seen.states, strict=True)], seen.time


def _costs(connection: Connection, policy: ClaimPolicy) -> ClaimCosts | None:
    if policy.coin_units is None:
        return None
    price_wei = policy.gas_price_wei
    if price_wei is None:
        price_wei = int(connection.node.request("eth_gasPrice", []), 16)
    return ClaimCosts(price_wei, policy.coin_units, policy.most_bps)


def _sent(connection: Connection, engine: Engine, vouchers: Sequence[Voucher], before: ClaimReport) -> ClaimReport:
    if not connection.channels.claimable(vouchers):
        return before  # another process was quicker: a transaction would claim nothing
    sent = connection.channels.claim(vouchers)
    by_id = {voucher.channel.channel_id: voucher for voucher in vouchers}
    paid = dict(before.paid_units)
    for event in sent.events:
        if isinstance(event, Settled):
            pair = event.receiver, event.token
            paid[pair] = paid.get(pair, 0) + event.amount_units
    with transaction(engine) as database:
        for event in sent.events:
            if isinstance(event, Claimed):
                write_claimed(database, by_id[event.channel_id].channel, event.claimed_sum)
            elif isinstance(event, ClaimSkipped) and event.reason in FOR_GOOD:
                write_refusal(database, by_id[event.channel_id], event.reason.name.lower())
    rows = [*before.rows, *_rows(sent, vouchers)]
    return ClaimReport(rows, before.waiting, paid, before.gas_used + sent.receipt.gas_used)


def _rows(sent: Sent, vouchers: Sequence[Voucher]) -> list[ClaimedRow]:
    channels = {voucher.channel.channel_id: voucher.channel for voucher in vouchers}
    rows = []
    for event in sent.events:
        if isinstance(event, Claimed):
            rows.append(ClaimedRow(channels[event.channel_id], event.amount_units, None, sent.receipt.transaction))
        elif isinstance(event, ClaimSkipped):
            rows.append(ClaimedRow(channels[event.channel_id], 0, event.reason, sent.receipt.transaction))
    return rows
