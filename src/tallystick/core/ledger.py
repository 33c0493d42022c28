"""The journal: double-entry, append-only, hash-chained. One entry for each event that moves money.

Debits and credits of an entry balance per asset. An entry names its event by block, transaction and log index, so that
anyone can look it up on chain, and carries the hash of the entry before it, so that nothing can be changed, taken out
or put in unseen.

Chart of accounts (`<payee>` is the address that receives the money):

    Assets:Wallet:<payee>                       what the payee's wallet received and gave back through the contract
    Income:Subscriptions:<payee>:Plan-<number>  charges of a plan
    Income:Refunds:<payee>:Plan-<number>        refunds of a plan; a debit balance, it reduces income
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from typing import Literal, NamedTuple

from tallystick.core.events import Charged, Origin, Refunded
from tallystick.core.plan import PlanTerms

Side = Literal["D", "C"]

GENESIS_HASH = bytes(32)
"""What the first entry of a journal follows."""


class Posting(NamedTuple):
    """One line of an entry: base units of a token debited (`D`) or credited (`C`) to an account. `token` is its
    checksummed address; units are positive."""

    account: str
    side: Side
    token: str
    units: int


class Entry(NamedTuple):
    """One journal entry. Numbered from 1 without gaps within a journal; `time` is the block's."""

    number: int
    kind: str
    origin: Origin
    postings: tuple[Posting, ...]
    previous_hash: bytes
    hash: bytes


class Balance(NamedTuple):
    """What was debited and credited to an account in one token, in base units."""

    account: str
    token: str
    debit_units: int
    credit_units: int


def postings_for(event: Charged | Refunded, plan_id: int, terms: PlanTerms) -> tuple[Posting, ...]:
    """The balanced postings of an event that moved money between payer and payee."""
    wallet = f"Assets:Wallet:{terms.payee}"
    if isinstance(event, Charged):
        income = f"Income:Subscriptions:{terms.payee}:Plan-{plan_id}"
        return (
            Posting(wallet, "D", terms.token, event.amount_units),
            Posting(income, "C", terms.token, event.amount_units),
        )
    return (
        Posting(f"Income:Refunds:{terms.payee}:Plan-{plan_id}", "D", terms.token, event.amount_units),
        Posting(wallet, "C", terms.token, event.amount_units),
    )


def entry_for(
    number: int, event: Charged | Refunded, origin: Origin, plan_id: int, terms: PlanTerms, previous_hash: bytes
) -> Entry:
    """The journal entry of an event, chained to the entry before it."""
    kind = "charge" if isinstance(event, Charged) else "refund"
    postings = postings_for(event, plan_id, terms)
    return Entry(
        number, kind, origin, postings, previous_hash, entry_hash(number, kind, origin, postings, previous_hash)
    )


def entry_hash(number: int, kind: str, origin: Origin, postings: tuple[Posting, ...], previous_hash: bytes) -> bytes:
    """SHA-256 of the previous entry's hash followed by the entry as text, in UTF-8:

        number|kind|block number|block hash|block time|transaction hash|log index|account,side,token,units;...

    with hashes in lower-case hex and numbers in decimal.
    """
    lines = ";".join([f"{account},{side},{token},{units}" for account, side, token, units in postings])
    block_number, block_hash, block_time, transaction_hash, log_index = origin
    text = (
        f"{number}|{kind}|{block_number}|{block_hash.hex()}|{block_time}|{transaction_hash.hex()}|{log_index}|{lines}"
    )
    return sha256(previous_hash + text.encode()).digest()


def imbalance(postings: Iterable[Posting]) -> dict[str, int]:
    """Debits less credits for each token in which they differ: empty for a balanced entry."""
    sums: defaultdict[str, int] = defaultdict(int)
    for posting in postings:
        sums[posting.token] += posting.units if posting.side == "D" else -posting.units
    return {token: units for token, units in sums.items() if units}
