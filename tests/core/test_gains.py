"""Gains by FIFO lots: read like a small journal, and nothing of a cost is lost or made whatever the journal is."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.conversion_books import ConversionBooks, exchange_of, postings_for
from tallystick.core.events import Origin
from tallystick.core.gains import Disposal, GainsBook, Place, gain_postings, moves_of
from tallystick.core.ledger import Entry, Posting, imbalance, new_entry
from tallystick.core.money import Amount, Token, currency
from tallystick.core.swap import Swapped
from tallystick.errors import EventsInconsistent, LedgerError

MERCHANT, OTHER, PAYEE = (f"0x{number:040d}" for number in (1, 2, 3))
EURC, USDC = (Token(1, f"0x{number:040d}", name, 6) for number, name in ((11, "EURC"), (12, "USDC")))
TOKENS = {token.address: token for token in (EURC, USDC)}
USD = currency("USD")
SALES, SWAPS = "0xSales", "0xSwaps"
MILLION = 10**6


def origin(block: int) -> Origin:
    return Origin(block, bytes(32), block, bytes(32), 0)


def received(block: int, units: int, token: Token = EURC, account: str = MERCHANT) -> Entry:
    lines = (
        Posting(f"Assets:Wallet:{account}", "D", token.address, units),
        Posting(f"Income:Subscriptions:{account}:Plan-1", "C", token.address, units),
    )
    return new_entry(block, "charge", origin(block), lines, bytes(32))


def refunded(block: int, units: int, account: str = MERCHANT) -> Entry:
    lines = (
        Posting(f"Income:Refunds:{account}:Plan-1", "D", EURC.address, units),
        Posting(f"Assets:Wallet:{account}", "C", EURC.address, units),
    )
    return new_entry(block, "refund", origin(block), lines, bytes(32))


def converted(block: int, given: int, brought: int, receiver: str = MERCHANT, *, back: bool = False) -> Entry:
    ends = (USDC.address, EURC.address) if back else (EURC.address, USDC.address)
    event = Swapped(MERCHANT, *ends, receiver, given, brought)
    return new_entry(block, "conversion", origin(block), postings_for(event), bytes(32))


def gains(
    entries: Sequence[tuple[str, Entry]], rates: dict[int, int] | None = None, *, tokens: Sequence[Token] = (EURC,)
) -> GainsBook:
    """`rates`: cents of a euro by block; a dollar is a dollar."""
    cents = rates or {}

    def value(place: Place, at: Origin, amount: Amount) -> Amount:
        if amount.asset == USDC:
            return Amount(amount.units // 10**4, USD)
        if at.block_number not in cents:
            raise LedgerError(f"no rate for entry {place.number}")
        return Amount(amount.units * cents[at.block_number] // 10**6, USD)

    book = GainsBook(TOKENS, USD, value, {(MERCHANT, token.address) for token in tokens})
    for contract, entry in entries:
        book.apply(contract, entry)
    return book


def test_the_oldest_euros_go_first() -> None:
    book = gains(
        [
            (SALES, received(1, 100 * MILLION)),
            (SALES, received(2, 100 * MILLION)),
            (SWAPS, converted(3, 150 * MILLION, 165 * MILLION)),
        ],
        {1: 100, 2: 120},
    )
    (found,) = book.disposals
    assert [(part.amount.units, part.cost.units, part.gain.units) for part in found.parts] == [
        (100 * MILLION, 100_00, 10_00),
        (50 * MILLION, 60_00, -5_00),
    ]
    assert (found.proceeds.units, found.cost.units, found.gain.units) == (165_00, 160_00, 5_00)
    left = book.lots[MERCHANT, EURC.address]
    assert (left.amount.units, left.cost.units) == (50 * MILLION, 60_00)
    assert gain_postings(found) == (
        Posting(f"Equity:Conversion:{MERCHANT}", "D", "USD", 5_00),
        Posting(f"Income:Gains:{MERCHANT}", "C", "USD", 5_00),
    )


def test_a_refund_leaves_at_cost_and_what_came_from_elsewhere_has_no_gain() -> None:
    book = gains(
        [
            (SALES, received(1, 100 * MILLION)),
            (SALES, refunded(2, 60 * MILLION)),
            (SWAPS, converted(3, 100 * MILLION, 110 * MILLION)),
        ],
        {1: 100},
    )
    (found,) = book.disposals
    assert (found.uncovered.units, found.uncovered_proceeds.units) == (60 * MILLION, 66_00)
    assert (found.cost.units, found.gain.units) == (40_00, 4_00)
    assert gain_postings(found)[1].account == f"Income:Gains:{MERCHANT}"
    assert gains([(SALES, refunded(1, MILLION))]).lots[MERCHANT, EURC.address].amount.units == 0


def test_what_a_contract_keeps_is_the_accounts_already_and_a_claim_moves_nothing() -> None:
    kept = (
        Posting(f"Assets:Claimable:{MERCHANT}", "D", EURC.address, MILLION),
        Posting(f"Income:Subscriptions:{MERCHANT}:Plan-1", "C", EURC.address, MILLION),
    )
    claimed = (
        Posting(f"Assets:Wallet:{MERCHANT}", "D", EURC.address, MILLION),
        Posting(f"Assets:Claimable:{MERCHANT}", "C", EURC.address, MILLION),
    )
    entries = [new_entry(1, "charge", origin(1), kept, bytes(32)), new_entry(2, "claim", origin(2), claimed, bytes(32))]
    book = gains([*((SALES, entry) for entry in entries), (SWAPS, converted(3, MILLION, 2 * MILLION))], {1: 100})
    (found,) = book.disposals
    assert (found.cost.units, found.gain.units, found.uncovered.units) == (1_00, 1_00, 0)


def test_what_a_conversion_brings_costs_what_it_was_worth() -> None:
    book = gains(
        [
            (SALES, received(1, 100 * MILLION)),
            (SWAPS, converted(2, 100 * MILLION, 110 * MILLION)),
            (SWAPS, converted(3, 110 * MILLION, 90 * MILLION, back=True)),
            (SALES, received(4, 5 * MILLION, account=OTHER)),
        ],
        {1: 100, 3: 120},
        tokens=(EURC, USDC),
    )
    first, second = book.disposals
    assert (first.gain.units, second.cost.units, second.proceeds.units) == (10_00, 110_00, 108_00)
    assert gain_postings(second) == (
        Posting(f"Expenses:Losses:{MERCHANT}", "D", "USD", 2_00),
        Posting(f"Equity:Conversion:{MERCHANT}", "C", "USD", 2_00),
    )
    assert book.cost_of(MERCHANT, Amount(100 * MILLION, EURC)) == (Amount(90 * MILLION, EURC), Amount(108_00, USD))
    assert book.cost_of(MERCHANT, Amount(45 * MILLION, EURC))[1] == Amount(54_00, USD)


def test_what_another_receives_is_sold_all_the_same_and_what_nobody_converts_needs_no_rate() -> None:
    sales = [(SALES, received(1, MILLION)), (SALES, received(2, MILLION, account=OTHER))]
    book = gains([*sales, (SWAPS, converted(3, MILLION, MILLION, PAYEE))], {1: 50})
    assert [found.gain.units for found in book.disposals] == [50]
    with pytest.raises(LedgerError, match="no rate for entry 2"):
        gains([(SALES, received(2, MILLION))])


EVENTS = st.lists(
    st.tuples(st.sampled_from(["in", "out", "swap", "back"]), st.integers(1, 10**12), st.integers(1, 10**12)),
    max_size=25,
)


@given(EVENTS, st.integers(1, 500))
def test_nothing_is_lost_between_parts_nor_does_a_receipt_cost_more(
    events: list[tuple[str, int, int]], cents: int
) -> None:
    entries = []
    for block, (kind, units, more) in enumerate(events, start=1):
        match kind:
            case "in":
                entries.append((SALES, received(block, units)))
            case "out":
                entries.append((SALES, refunded(block, units)))
            case _:
                entries.append((SWAPS, converted(block, units, more, back=kind == "back")))
    rates = {block: cents + block for block in range(1, len(events) + 1)}
    book = gains(entries, rates, tokens=(EURC, USDC))
    for found in book.disposals:
        assert found.gain == sum_of(found)
        assert sum(part.proceeds.units for part in found.parts) + found.uncovered_proceeds.units == found.proceeds.units
        assert sum(part.amount.units for part in found.parts) + found.uncovered.units == found.given.units
        assert all(part.cost.units >= 0 for part in found.parts)
        lines = gain_postings(found)
        assert imbalance(lines) == {}
        assert bool(lines) == bool(found.gain.units)
    for token in (EURC, USDC):
        came = sum(max(0, moves_of(entry.postings).get((MERCHANT, token.address), 0)) for _, entry in entries)
        went = sum(max(0, -moves_of(entry.postings).get((MERCHANT, token.address), 0)) for _, entry in entries)
        lots = book.lots[MERCHANT, token.address]
        assert max(0, came - went) <= lots.amount.units <= came
    used = [part for found in book.disposals for part in found.parts]
    taken: dict[Place, int] = {}
    for part in used:
        taken[part.receipt.place] = taken.get(part.receipt.place, 0) + part.cost.units
        assert part.receipt.place.number <= len(entries)
    costs = {part.receipt.place: part.receipt.cost.units for part in used}
    assert all(taken[place] <= costs[place] for place in taken)


def sum_of(found: Disposal) -> Amount:
    total = Amount(0, USD)
    for part in found.parts:
        total += part.gain
    return total


# --- The journal ------------------------------------------------------------------------------------------------------

SWAPPED = st.builds(
    Swapped,
    st.just(MERCHANT),
    st.just(EURC.address),
    st.just(USDC.address),
    st.sampled_from([MERCHANT, PAYEE]),
    st.integers(0, 2**256 - 1),
    st.integers(1, 2**256 - 1),
)


@given(st.lists(SWAPPED, max_size=5))
def test_each_exchange_is_one_balanced_entry_chained_to_the_one_before(events: list[Swapped]) -> None:
    books, last = ConversionBooks({}), bytes(32)
    for number, event in enumerate(events, start=1):
        assert books.apply(origin(number), event, final=False).entry is None
        entry = books.apply(origin(number), event).entry
        assert entry is not None
        assert (entry.number, entry.previous_hash, imbalance(entry.postings)) == (number, last, {})
        assert all(posting.units > 0 for posting in entry.postings)
        last = entry.hash
        found = exchange_of(entry)
        if event.amount_in_units:
            assert found == (
                event.caller,
                event.token_in,
                event.amount_in_units,
                event.receiver,
                event.token_out,
                event.amount_out_units,
            )
        else:
            assert found is None


def test_an_exchange_that_brought_nothing_cannot_be() -> None:
    with pytest.raises(EventsInconsistent, match="ask another node"):
        ConversionBooks({}).apply(origin(1), Swapped(MERCHANT, EURC.address, USDC.address, MERCHANT, 5, 0))
