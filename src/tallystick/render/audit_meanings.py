"""What it means that something differs, in plain words: for each kind of row that an audit names."""

from __future__ import annotations

import functools
import re
from collections.abc import Sequence
from types import MappingProxyType
from typing import Final

MEANINGS: Final = MappingProxyType(
    {
        ("block <number>, hash",): (
            "the books end with another block than your node has: it follows another branch or another chain, or the "
            "books do"
        ),
        ("block <number>, time",): "the books give the last block another time",
        ("pending block <number>",): "the books have another header for a block that is not final yet",
        ("the source's first block",): (
            "the books begin with another block than the manifest says: events before it would be missing"
        ),
        ("token <address>",): (
            "the books show the token with another symbol or other decimals than it states; amounts would be shown "
            "wrongly"
        ),
        ("event in block <number>, log <number>",): "an event was taken out, added or changed in the database",
        ("journal entry <number>",): "an entry was taken out, added or changed",
        ("journal entry <number>, hash",): (
            "the entry's content is not what was hashed (`expected` is the hash of the stored content): it was changed "
            "after it was written"
        ),
        ("journal entry <number>, previous hash",): (
            "the entry does not follow the one before it: an entry between them was changed, taken out or put in"
        ),
        ("journal entry <number>, debits less credits",): (
            "the entry does not balance, by so many base units of the token"
        ),
        ("balance of <account> in <token>",): (
            "what trial balances are read from is not what the entries add up to; behind `entry`, how the account "
            "stood after an earlier entry"
        ),
        ("postings of journal entry <number>",): "postings whose entry is missing",
        ("invoice <number> of <payee>", "credit note <number> of <payee>"): (
            "a document is missing, was added or changed; if only `fiat` differs, the value or the declared peg was"
        ),
        ("lines of <document>",): "lines whose document is missing",
        ("register <number>", "plan <number>", "subscription <number>"): (
            "what the books say of it is not what its events say"
        ),
        ("number of plans", "number of registers"): (
            "the events make more or fewer than the contract counted: your node leaves events out, ask another"
        ),
        ("claimable of <account> in <token>",): (
            "what the contract keeps for the account is not what the books say; behind `journal`, not what the journal "
            "says"
        ),
        ("payment <id>",): (
            "an escrow payment is missing, was added or changed; `on chain`: the contract has it otherwise"
        ),
        ("charge <id>, payment <id>",): (
            "the escrow did not hold this protected charge by the payment that its invoice names"
        ),
        ("payment <id>, invoice of the protected charge",): "the escrow held a charge that has no invoice",
        ("payments of <payee> in <token>",): ("how many there are, and of what amount, is not what the events say"),
        ("revoked payment <id>",): "it was revoked, or was not",
        ("held for <payee> in <token>",): "the journal does not have in escrow what the contract holds",
        ("balance of the contract in <token>",): "the escrow has less than it owes",
        ("deposit of <receiver>, <invoice>, <token>", "sale of <merchant>, <invoice>, <token>"): (
            "what came for the invoice, or was sold, is not what the events say"
        ),
        ("quotes of <merchant>, <token>", "used numbers of <merchant>, <word>"): (
            "the same of quotes; `on chain`: the contract has others"
        ),
        ("deposit address <address> of <invoice> in <token>, on chain",): (
            "what stands there is not what came and was not swept. More came before it was expected: it comes into the "
            "books when it is swept. Else the books' node left a transfer or a sweep out"
        ),
        ("channel <id>",): (
            "a payment channel is missing, was added or changed; `on chain`: the contract has it otherwise"
        ),
        ("claims of <receiver> in <token>",): (
            "what was claimed for the receiver, or paid to it, is not what the events say"
        ),
        ("journal of channels, <account> in <token>",): (
            "the journal does not say of the account what the contract counted"
        ),
        ("rate of <token> in <currency> in block <number>",): (
            "the evidence of a recorded rate does not lead to it when it is looked up again"
        ),
        ("control total of <payee> in <token>",): (
            "journal and contract counted differently; if no event differs, your node leaves events out: ask another"
        ),
    }
)
"""What each kind of row that differs means; docs/audit.md has the same table, and a test that says so."""


def meaning_of(row: str) -> str | None:
    """What it means that a row differs, in a sentence; None for a row of no known kind."""
    found = next((meaning for pattern, meaning in _patterns() if pattern.fullmatch(row)), None)
    if found is None:
        return None
    plain = re.sub(r"`([^`]+)`", r"“\1”", found)
    return f"{plain[0].upper()}{plain[1:]}."


@functools.cache
def _patterns() -> Sequence[tuple[re.Pattern[str], str]]:
    """The longest names first: `journal entry 4, hash` is no matter of `journal entry 4`, behind whose comma may stand
    any value that differs."""
    named = [(name, meaning) for names, meaning in MEANINGS.items() for name in names]
    ordered = sorted(named, key=lambda pair: len(re.sub(r"<\w+>", "", pair[0])), reverse=True)
    return [(_pattern(name), meaning) for name, meaning in ordered]


def _pattern(name: str) -> re.Pattern[str]:
    """A merchant's name for an invoice may have anything in it, commas and line breaks too."""
    return re.compile(re.sub(r"<\w+>", r".+", re.escape(name)) + r"(, [\w ]+)?", re.DOTALL)
