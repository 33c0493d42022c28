"""The journal: double-entry, append-only, hash-chained. One entry for each event that moves money.

Debits and credits of an entry balance per asset. An entry names its event by block, transaction and log index, so that
anyone can look it up on chain, and carries the hash of the entry before it, so that nothing can be changed, taken out
or put in unseen.

Chart of accounts (`<payee>` is the address that is paid, `<receiver>` the one that gets a plan's fee):

    Assets:Wallet:<account>                     what the account received and gave back through the contract
    Assets:Claimable:<account>                  what the contract keeps for an account that could not receive it
    Assets:Protected:<payee>                    charges that went into escrow, until the escrow's books settle them
    Income:Subscriptions:<payee>:Plan-<number>  charges of a plan, fees included
    Income:Usage:<payee>:Plan-<number>          charges of usage under a plan, fees included
    Income:Refunds:<payee>:Plan-<number>        refunds of charges of a plan; a debit balance, it reduces income
    Expenses:Fees:<payee>:Plan-<number>         the part of a plan's charges that went to the receiver of its fee
    Income:Fees:<receiver>                      fees

Escrow payments have a journal of their own, with these accounts beside the two of the first lines and the last one
(`core.payment_ledger` makes its entries):

    Assets:Escrow:<payee>                       what the contract holds for payments to the payee
    Liabilities:Held:<payee>                    the same, as long as nobody knows whose it will be
    Income:Payments:<payee>                     what was captured or charged, fees included
    Income:Refunds:<payee>:Payments             refunds of it; a debit balance
    Expenses:Fees:<payee>:Payments              the part of it that went to the receiver of the fee
    Expenses:Rulings:<payee>                    what rulings cost, of payments that a collector brought
    Income:Rulings:<arbiter>                    what rulings brought their arbiter
    Equity:Returned:<payer>                     what went back to a payer who could not receive it
    Assets:Protected:<payee>                    in place of Liabilities:Held and Income:Payments where a collector (a
                                                contract that has books of its own) brought the payment: it balances
                                                with the same account there

Payment channels have a journal of their own (`core.channel_books` makes its entries). What a payer put in is in no
entry: it is the payer's until it is claimed.

    Assets:Channels:<receiver>                  what was claimed and is not paid out yet
    Income:Channels:<receiver>                  what was claimed

Conversions have one, too, with `Assets:Wallet` and these; the last two are in a currency and are not stored, they
follow from the journals and recorded rates (`core.conversion_books`, `core.gains`):

    Equity:Conversion:<caller>                  what an exchange took and brought; per asset, it clears in value
    Income:Gains:<caller>                       what conversions brought above what was converted had cost
    Expenses:Losses:<caller>                    what they brought less

Credit from a change of plan is no money, and is in no entry: it makes later charges smaller. A charge that credit pays
alone moves nothing and has no entry; its invoice says so.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from hashlib import sha256
from typing import Literal, NamedTuple

from tallystick.core.events import Charged, Claimed, Origin, Refunded
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


class Kept(NamedTuple):
    """Which parts of a charge the contract keeps because they could not be received: the payee's, and the fee."""

    payee: bool = False
    fee: bool = False


NOTHING_KEPT = Kept()


def postings_for(
    event: Charged | Refunded, plan_id: int, terms: PlanTerms, kept: Kept = NOTHING_KEPT, *, is_usage: bool = False
) -> tuple[Posting, ...]:
    """The balanced postings of an event that moved money between payer and payee; none where nothing moved.

    `plan_id` and `terms` are of the plan under which the charge was made; `is_usage` says that it was made for usage.
    """
    payee, token, units = terms.payee, terms.token, event.amount_units
    if isinstance(event, Refunded):
        return (
            Posting(f"Income:Refunds:{payee}:Plan-{plan_id}", "D", token, units),
            Posting(f"Assets:Wallet:{payee}", "C", token, units),
        )
    if not units:
        return ()
    income = Posting(f"Income:{'Usage' if is_usage else 'Subscriptions'}:{payee}:Plan-{plan_id}", "C", token, units)
    if terms.protection:  # fees and what the payee receives are in the escrow's books
        return Posting(f"Assets:Protected:{payee}", "D", token, units), income
    asset = f"Assets:Claimable:{payee}" if kept.payee else f"Assets:Wallet:{payee}"
    fee = terms.fee(units) if terms.fee_bps else 0
    if not fee:
        return Posting(asset, "D", token, units), income
    receiver = terms.fee_receiver
    return (
        Posting(asset, "D", token, units - fee),
        Posting(f"Expenses:Fees:{payee}:Plan-{plan_id}", "D", token, fee),
        income,
        Posting(f"Assets:{'Claimable' if kept.fee else 'Wallet'}:{receiver}", "D", token, fee),
        Posting(f"Income:Fees:{receiver}", "C", token, fee),
    )


def entry_for(
    number: int,
    event: Charged | Refunded,
    origin: Origin,
    plan_id: int,
    terms: PlanTerms,
    previous_hash: bytes,
    kept: Kept = NOTHING_KEPT,
    *,
    is_usage: bool = False,
) -> Entry:
    """The journal entry of a charge or a refund that moved money, chained to the entry before it."""
    kind = "charge" if isinstance(event, Charged) else "refund"
    return new_entry(number, kind, origin, postings_for(event, plan_id, terms, kept, is_usage=is_usage), previous_hash)


def claim_entry(number: int, event: Claimed, origin: Origin, previous_hash: bytes) -> Entry:
    """The journal entry of an account's claim, chained to the entry before it."""
    postings = (
        Posting(f"Assets:Wallet:{event.account}", "D", event.token, event.amount_units),
        Posting(f"Assets:Claimable:{event.account}", "C", event.token, event.amount_units),
    )
    return new_entry(number, "claim", origin, postings, previous_hash)


def new_entry(number: int, kind: str, origin: Origin, postings: tuple[Posting, ...], previous_hash: bytes) -> Entry:
    """An entry with its hash, chained to the entry before it."""
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


def balances_of(postings: Iterable[Posting]) -> list[Balance]:
    """What postings debit and credit per account and token, ordered by both."""
    sums: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0, 0])
    for account, side, token, units in postings:
        sums[account, token]["DC".index(side)] += units
    return [Balance(*key, *sums[key]) for key in sorted(sums)]


def imbalance(postings: Iterable[Posting]) -> dict[str, int]:
    """Debits less credits for each token in which they differ: empty for a balanced entry."""
    sums: defaultdict[str, int] = defaultdict(int)
    for posting in postings:
        sums[posting.token] += posting.units if posting.side == "D" else -posting.units
    return {token: units for token, units in sums.items() if units}
