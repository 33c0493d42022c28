"""Random journals: few accounts that move often, in few tokens, by amounts up to the largest that there is."""

from __future__ import annotations

from hypothesis import strategies as st

from tallystick.core.events import Origin
from tallystick.core.ledger import GENESIS_HASH, Entry, Posting, new_entry
from tallystick.core.money import UINT256_MAX

START_BLOCK = 7
POSTINGS = st.builds(
    Posting,
    st.sampled_from(["Assets:Wallet:a", "Assets:Wallet:b", "Income:Sales:a", "Income:Sales:b", "Equity:Returned:c"]),
    st.sampled_from("DC"),
    st.sampled_from(["0xT", "0xU"]),
    st.integers(1, 9) | st.just(UINT256_MAX),
)
"""Not balanced: that is another rule."""


@st.composite
def journals(draw: st.DrawFn) -> list[Entry]:
    """Up to forty entries. Some share a block, some blocks have none, and time passes with the blocks."""
    lines = draw(st.lists(st.lists(POSTINGS, min_size=1, max_size=5), max_size=40))
    block, previous, entries = START_BLOCK, GENESIS_HASH, []
    for number, postings in enumerate(lines, start=1):
        block += draw(st.integers(0, 2))
        origin = Origin(block, bytes(32), time_of(block), bytes(32), number)
        entries.append(new_entry(number, "charge", origin, tuple(postings), previous))
        previous = entries[-1].hash
    return entries


def time_of(block: int) -> int:
    """Two blocks may have the same second."""
    return 1_000 + block // 2 * 3


@st.composite
def pieces(draw: st.DrawFn, entries: list[Entry]) -> list[list[Entry]]:
    """The entries in their order, in pieces of any size."""
    cuts = sorted(draw(st.lists(st.integers(0, len(entries)), max_size=6)))
    return [entries[start:end] for start, end in zip([0, *cuts], [*cuts, len(entries)], strict=True)]
