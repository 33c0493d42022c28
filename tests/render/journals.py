"""Entries to export: charges, refunds and claims in tokens that may call themselves anything."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from hypothesis import strategies as st

from tallystick.core.events import Charged, Claimed, Origin, Refunded
from tallystick.core.ledger import GENESIS_HASH, Entry, Kept, claim_entry, entry_for
from tallystick.core.money import UINT256_MAX, Token
from tallystick.core.period import Unit
from tallystick.core.plan import PlanTerms
from tallystick.render.journal import TEXT_FORMATS

ALICE, BOB = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8", "0x90F79bf6EB2c4f870365E785982E1f101E93b906"
CAROL = "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC"
USDC = Token(8453, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "USDC", 6)
DAI = Token(8453, "0x50c5725949A6F0c72E6C4a641F24049A917DB0Cb", "DAI", 18)
OTHER = Token(8453, "0x60c5725949A6F0c72E6C4a641F24049a917DB0Cb", "OTHER", 0)
CLAIM = 0
"""In place of a plan's number: an account claims what was kept for it."""
MOST_PLAIN = 9
"""Plans beyond have a fee."""
FIRST_TIME = 1_769_846_400  # 2026-01-31 08:00 UTC
DAY_S = 86_400
HOSTILE = (
    *('"', "''", "a\nb", "a\r\nb", "a\rb", ";", "a;b,c", "\\", "\\n", "\t", "\0", "\x1b[31m", "=1+1", "-", ""),
    *("TRUE", "NULL", "usdc", "USDC.e", "USD₮", "ﬁ", "ß", "é", "\u2028", "\u202e", "\x85", "💵", "0x833589", "9" * 99),
    'X"\n2020-01-01 open Assets:Thief\n2020-01-02 * "theft',
    'X","credit","1.000000","1","USDC"\r\n9,refund',
    'X"}]}\n{"entry": 9, "kind": "refund"}',
)

Sums = dict[tuple[str, str], int]
"""Debits less credits in base units, by account and token."""
Step = tuple[str, Token, int, int, int]
"""Payee, token, plan, units (refunded if negative) and how many seconds after the one before."""


def journal(*steps: Step) -> list[Entry]:
    """The entries of charges and refunds."""
    entries: list[Entry] = []
    time, previous = FIRST_TIME, GENESIS_HASH
    for number, (payee, token, plan, units, seconds) in enumerate(steps, start=1):
        time += seconds
        origin = Origin(100 + number, bytes([number % 256]) * 32, time, bytes([number % 251]) * 32, number % 7)
        if plan == CLAIM:
            entries.append(claim_entry(number, Claimed(payee, token.address, abs(units)), origin, previous))
        else:
            event = Charged(1, 1, time, time + 1, units) if units > 0 else Refunded(1, 1, -units)
            terms = PlanTerms(payee, abs(units), token.address, 1, Unit.MONTH)
            if plan > MOST_PLAIN:
                terms = replace(terms, fee_bps=plan % 9_999 + 1, fee_receiver=CAROL)
            kept = Kept(payee=plan % 2 == 1, fee=plan % 3 == 1)
            entries.append(entry_for(number, event, origin, plan, terms, previous, kept if plan > 3 else Kept()))
        previous = entries[-1].hash
    return entries


def charge(units: int, token: Token = USDC) -> Step:
    return ALICE, token, 1, units, DAY_S


def named(entries: Iterable[Entry]) -> Iterable[tuple[str, Entry]]:
    """Entries of the journal of subscriptions."""
    return (("subscriptions", entry) for entry in entries)


def text_of(form: str, entries: Iterable[Entry], tokens: Iterable[Token] = (USDC, DAI, OTHER)) -> str:
    return "".join(TEXT_FORMATS[form](named(entries), {token.address: token for token in tokens}))


def sums_of(entries: Iterable[Entry]) -> Sums:
    sums: defaultdict[tuple[str, str], int] = defaultdict(int)
    for posting in (posting for entry in entries for posting in entry.postings):
        sums[posting.account, posting.token] += posting.units if posting.side == "D" else -posting.units
    return dict(sums)


def address(number: int) -> str:
    return f"0x{number:040X}"


texts = st.sampled_from(HOSTILE) | st.text(st.characters(exclude_categories=["Cs"]), max_size=40)
amounts = st.integers(1, UINT256_MAX) | st.sampled_from([2**64 + 1, 10**28, 10**56 + 1, UINT256_MAX])


@st.composite
def books(draw: st.DrawFn) -> tuple[list[Entry], list[Token]]:
    """Entries of some payees in some tokens of any symbol, all the tokens among them or not."""
    symbols = draw(st.lists(texts, min_size=1, max_size=4))
    numbers = draw(
        st.lists(st.integers(0, 2**160 - 1), min_size=len(symbols), max_size=len(symbols), unique_by=lambda n: n >> 68)
    )
    tokens = [
        Token(1, address(number), symbol, draw(st.integers(0, 77)))
        for number, symbol in zip(numbers, symbols, strict=True)
    ]
    steps = st.tuples(
        st.sampled_from([ALICE, BOB]),
        st.sampled_from(tokens),
        st.sampled_from([CLAIM, 1, 4, 9_999, 2**64]) | st.integers(1, 2**64),
        amounts | amounts.map(lambda units: -units),
        st.integers(0, 3 * DAY_S),
    )
    return journal(*draw(st.lists(steps, max_size=6))), tokens
