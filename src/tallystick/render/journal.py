"""The journal as text that other programs read: JSON lines, CSV, beancount, hledger.

The same entries always give the same bytes. Amounts are decimal numbers with all of a token's digits, exact.
"""

from __future__ import annotations

import csv
import datetime as dt
import io
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import msgspec

from tallystick.core.ledger import Entry, Posting
from tallystick.core.money import Token, decimal_text
from tallystick.errors import CorruptionError

Entries = Iterable[tuple[str, Entry]]
"""Entries, each behind the name of its journal: `subscriptions`, `escrow`, ... Numbers begin anew in each journal."""
Tokens = Mapping[str, Token]

KINDS = (
    *("charge", "refund", "claim", "authorization", "capture", "void", "reclaim", "ruling", "kept"),
    *("quote", "deposit", "sweep", "channel_claim", "settlement", "conversion"),
)
ACCOUNT = re.compile("(?:Assets|Equity|Expenses|Income|Liabilities)(?::[A-Z0-9][A-Za-z0-9-]*)+")
"""The accounts of `core.ledger`, all of which beancount and hledger take."""
SIDES = {"D": "debit", "C": "credit"}
BEANCOUNT_UNITS = 10**27
UINT256_UNITS = BEANCOUNT_UNITS**2
"""The unit of the leading part: below 2^256 there are three."""
BEANCOUNT_WORDS = {"TRUE", "FALSE", "NULL"}
CSV_COLUMNS = (
    *("journal", "entry", "kind", "time", "account", "side", "amount", "units", "asset", "token"),
    *("block", "transaction", "log_index", "hash"),
)


def journal_jsonl(entries: Entries, tokens: Tokens) -> Iterator[str]:
    """One JSON object a line, one entry each; units are text, because many readers round large integers."""
    for journal, entry in entries:
        origin = entry.origin
        document = {
            "journal": journal,
            "entry": entry.number,
            "kind": entry.kind,
            "time": _time(entry),
            "block": origin.block_number,
            "block_hash": "0x" + origin.block_hash.hex(),
            "transaction": "0x" + origin.transaction_hash.hex(),
            "log_index": origin.log_index,
            "postings": [
                {
                    "account": posting.account,
                    "side": SIDES[posting.side],
                    "units": str(posting.units),
                    "amount": decimal_text(posting.units, known_token(tokens, posting.token).decimals),
                    "asset": known_token(tokens, posting.token).symbol,
                    "token": posting.token,
                }
                for posting in entry.postings
            ],
            "previous_hash": "0x" + entry.previous_hash.hex(),
            "hash": "0x" + entry.hash.hex(),
        }
        yield msgspec.json.encode(document).decode() + "\n"


def journal_csv(entries: Entries, tokens: Tokens) -> Iterator[str]:
    """One posting a line, under a header (RFC 4180)."""
    yield _csv_line(CSV_COLUMNS)
    for journal, entry in entries:
        origin = entry.origin
        for posting in entry.postings:
            token = known_token(tokens, posting.token)
            yield _csv_line(
                (
                    journal,
                    entry.number,
                    entry.kind,
                    _time(entry),
                    posting.account,
                    SIDES[posting.side],
                    decimal_text(posting.units, token.decimals),
                    posting.units,
                    token.symbol,
                    posting.token,
                    origin.block_number,
                    "0x" + origin.transaction_hash.hex(),
                    origin.log_index,
                    "0x" + entry.hash.hex(),
                )
            )


def journal_beancount(entries: Entries, tokens: Tokens) -> Iterator[str]:
    """A beancount file that `bean-check` accepts: every account opened on the day of its first posting, one transaction
    for each entry. Source: the Beancount Language Syntax, version 3.

    Beancount computes with 28 digits. An amount of more is written in parts of 27, so that their sums are exact with a
    carry between the parts. Raises CorruptionError for an account or a kind of entry that no event gives.
    """
    commodities = _commodities(tokens)
    opened: set[str] = set()
    yield 'option "title" "Tallystick"\n'
    for journal, entry in entries:
        day = _day(entry)
        for account in _new_accounts(entry, opened):
            yield f"\n{day} open {account}\n"
        yield f'\n{day} * "{entry.kind}"\n'
        yield f'  journal: "{journal}"\n'
        yield f'  entry: "{entry.number}"\n'
        yield f'  transaction: "0x{entry.origin.transaction_hash.hex()}"\n'
        yield f'  log: "{entry.origin.log_index}"\n'
        for part in _parts(entry.postings):
            for posting in part:
                amount = _signed(posting, known_token(tokens, posting.token))
                yield f"  {posting.account}  {amount} {commodities[posting.token]}\n"


def journal_hledger(entries: Entries, tokens: Tokens) -> Iterator[str]:
    """A journal that `hledger check --strict` accepts: accounts and commodities declared before their first posting,
    one transaction for each entry, its number as the code. Source: the manual of hledger 1.25, "journal format".

    Hledger computes with as many digits as there are, but balances and shows them at a commodity's precision: its
    directive has all digits of the token. Raises CorruptionError as `journal_beancount` does.
    """
    commodities = {address: name if name.isalpha() else f'"{name}"' for address, name in _commodities(tokens).items()}
    declared: set[str] = set()
    yield "; Tallystick\n\ndecimal-mark .\n"  # else 1.000 may be a thousand
    for journal, entry in entries:
        origin = entry.origin
        for account in _new_accounts(entry, declared):
            yield f"\naccount {account}\n"
        for address in dict.fromkeys(posting.token for posting in entry.postings):
            if address not in declared:
                declared.add(address)
                yield f"\ncommodity 0.{'0' * known_token(tokens, address).decimals} {commodities[address]}\n"
        yield f"\n{_day(entry)} * ({entry.number}) {entry.kind}\n"
        yield f"    ; journal:{journal}\n"
        yield f"    ; time:{_time(entry)}\n"
        yield f"    ; block:{origin.block_number}\n"
        yield f"    ; transaction:0x{origin.transaction_hash.hex()}\n"
        yield f"    ; log_index:{origin.log_index}\n"
        for posting in entry.postings:
            amount = _signed(posting, known_token(tokens, posting.token))
            yield f"    {posting.account}  {amount} {commodities[posting.token]}\n"


TEXT_FORMATS: dict[str, Callable[[Entries, Tokens], Iterator[str]]] = {
    "jsonl": journal_jsonl,
    "csv": journal_csv,
    "beancount": journal_beancount,
    "hledger": journal_hledger,
}


def known_token(tokens: Tokens, address: str) -> Token:
    """The token at an address. Raises CorruptionError where it is not among those of the database."""
    found = tokens.get(address)
    if found is None:
        raise CorruptionError(
            f"the journal has postings in {address}, and the database does not know that token: somebody deleted it. "
            "Build the books anew in another database"
        )
    return found


def _new_accounts(entry: Entry, known: set[str]) -> Iterator[str]:
    """The accounts of an entry that are not known yet, and are then. Raises CorruptionError for what would be read as
    something else: an account or a kind that no event gives."""
    if entry.kind not in KINDS:
        raise _changed(entry, entry.kind, ", ".join(KINDS))
    for posting in entry.postings:
        if posting.account not in known:
            if not ACCOUNT.fullmatch(posting.account):
                raise _changed(entry, posting.account, "accounts such as Assets:Wallet:0x...")
            known.add(posting.account)
            yield posting.account


def _changed(entry: Entry, found: str, allowed: str) -> CorruptionError:
    """What stands in the journal would be read as something else: it ends the export."""
    return CorruptionError(
        f"journal entry {entry.number} has {found!r}, allowed are {allowed}: somebody changed it. "
        "Run `tallystick audit verify`, and build the books anew in another database"
    )


def _parts(postings: Sequence[Posting]) -> Iterator[list[Posting]]:
    """The postings with 27 digits of their units at a time, the leading ones first."""
    unit = UINT256_UNITS
    while unit:
        parts = [(posting, posting.units // unit % BEANCOUNT_UNITS * unit) for posting in postings]
        yield [posting._replace(units=units) for posting, units in parts if units]
        unit //= BEANCOUNT_UNITS


def _signed(posting: Posting, token: Token) -> str:
    return decimal_text(posting.units if posting.side == "D" else -posting.units, token.decimals)


def _commodities(tokens: Tokens) -> dict[str, str]:
    """A commodity for each token, each its own, of beancount and hledger alike: its symbol, with the end of its address
    where several share one, or the address alone where somebody has made even those alike."""
    plain = {address: _commodity(token.symbol) for address, token in tokens.items()}
    longer = {address: f"{name[:16].rstrip('-')}-{address[-6:].upper()}" for address, name in plain.items()}
    count = Counter(plain.values())
    names = {address: name if count[name] == 1 else longer[address] for address, name in plain.items()}
    count = Counter(names.values())
    return {address: name if count[name] == 1 else f"T{address[2:25].upper()}" for address, name in names.items()}


def _commodity(symbol: str) -> str:
    """Upper-case letters, digits and -, beginning with a letter, ending with a letter or digit, at most 23 long (one
    shorter than what stands for an address alone), and no word of beancount's own."""
    plain = re.sub("[^A-Z0-9]+", "-", symbol.upper()).strip("-")
    named = plain[:1].isalpha() and plain not in BEANCOUNT_WORDS
    return (plain if named else f"T{plain}")[:23].strip("-")


def _csv_line(values: Iterable[object]) -> str:
    line = io.StringIO()
    csv.writer(line).writerow(values)
    return line.getvalue()


def _time(entry: Entry) -> str:
    return dt.datetime.fromtimestamp(entry.origin.block_time, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _day(entry: Entry) -> str:
    return dt.datetime.fromtimestamp(entry.origin.block_time, dt.UTC).strftime("%Y-%m-%d")
