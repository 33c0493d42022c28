"""What a till takes is what it could claim whatever the payer does, and a claim never costs more than it may."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tallystick.core.channel import MOST_UNITS, Channel, ChannelState, ChannelTerms, sum_of
from tallystick.core.till import (
    CLAIM_GAS,
    ROW_GAS,
    ClaimCosts,
    Refused,
    Taken,
    TillRules,
    refusal_of,
    worth_claiming,
)
from tallystick.core.voucher import SpendingKey, Voucher
from tallystick.errors import REFUSED_BECAUSE

PAYER, MERCHANT, TOKEN = ("0x" + digit * 40 for digit in "123")
TERMS = ChannelTerms(PAYER, None, MERCHANT, MERCHANT, TOKEN, 3_600, bytes(32))
CHANNEL = Channel(1, "0x" + "4" * 40, TERMS)
RULES = TillRules(frozenset({MERCHANT}), frozenset({MERCHANT}), frozenset({TOKEN}))
NOW = 1_000_000
SIGNATURE = bytes(65)


def voucher(units: int, opening: int = 0, **changes: Any) -> Voucher:
    return replace(Voucher(CHANNEL, sum_of(opening, units), SIGNATURE), **changes)


def judged(units: int, state: ChannelState, *, taken: int = 0, time: int = NOW, **more: Any) -> Refused | None:
    return refusal_of(voucher(units, state.opening), state, taken, time, more.pop("rules", RULES), **more)


def test_every_reason_has_its_words() -> None:
    assert {reason.value for reason in Refused} == REFUSED_BECAUSE.keys()


@pytest.mark.parametrize(
    ("units", "state", "more", "expected"),
    [
        (1, ChannelState(0, 100, 0), {}, None),
        (99, ChannelState(0, 100, 0), {}, None),
        (100, ChannelState(0, 100, 0), {}, Refused.ABOVE_BALANCE),
        (101, ChannelState(0, 101, 0), {}, Refused.ABOVE_BALANCE),  # the margin is rounded up
        (5, ChannelState(0, 100, 5), {}, Refused.STALE),  # E50
        (6, ChannelState(0, 100, 5), {}, None),
        (7, ChannelState(0, 100, 5), {"taken": 7}, Refused.STALE),
        (8, ChannelState(0, 100, 5), {"taken": 7}, None),
        (8, ChannelState(0, 100, 5), {"taken": 7, "least_units": 2}, Refused.TOO_LITTLE),
        (9, ChannelState(0, 100, 5), {"taken": 7, "least_units": 2}, None),
        (1, ChannelState(0, 0, 0), {}, Refused.ABOVE_BALANCE),  # there is no such channel
        # A withdrawal of a part: until ten minutes before its end as if there was none (E52), ...
        (90, ChannelState(0, 100, 0, 20, NOW - 2_999), {}, None),
        (90, ChannelState(0, 100, 0, 20, NOW - 3_000), {}, Refused.WITHDRAWAL),
        (79, ChannelState(0, 100, 0, 20, NOW - 3_000), {}, None),
        (80, ChannelState(0, 100, 0, 20, NOW - 3_000), {}, Refused.WITHDRAWAL),
        # ... and of everything: nothing more, also of what came in meanwhile (E53).
        (90, ChannelState(0, 100, 0, 100, NOW - 2_999, True), {}, None),
        (1, ChannelState(0, 900, 0, 100, NOW - 3_000, True), {}, Refused.WITHDRAWAL),
    ],
)
def test_a_voucher_is_taken_up_to_what_is_safe(
    units: int, state: ChannelState, more: dict[str, Any], expected: Refused | None
) -> None:
    assert judged(units, state, **more) is expected


def test_E54_a_voucher_of_another_opening_is_not_taken() -> None:
    state = ChannelState(3, 100, 0)
    assert refusal_of(voucher(5, 2), state, 0, NOW, RULES) is Refused.STALE
    assert refusal_of(voucher(5, 4), state, 0, NOW, RULES) is Refused.ANOTHER_OPENING
    assert refusal_of(voucher(5, 3), state, sum_of(2, 99), NOW, RULES) is None


def test_a_channel_that_is_not_the_till_s_is_refused_first() -> None:
    state = ChannelState(0, 100, 0)
    for name in ("receiver", "receiver_authorizer", "token"):
        changed: Any = {name: PAYER}
        terms = replace(TERMS, **changed)
        other = replace(voucher(5), channel=replace(CHANNEL, terms=terms))
        assert refusal_of(other, state, 0, NOW, RULES) is Refused.FOREIGN
    assert judged(5, state, rules=replace(RULES, least_delay_s=3_601)) is Refused.DELAY_TOO_SHORT
    assert refusal_of(voucher(5, signature=bytes(2**14)), state, 0, NOW, RULES) is Refused.MALFORMED


@pytest.mark.parametrize(
    ("limit", "end", "expected"),
    [
        (5, NOW + 601, None),
        (4, NOW + 601, Refused.ABOVE_LIMIT),
        (5, NOW + 600, Refused.KEY_EXPIRED),  # E20: the notice is at its end
    ],
)
def test_a_spending_key_is_good_within_its_limits(limit: int, end: int, expected: Refused | None) -> None:
    found = voucher(5, spending_key=SpendingKey(PAYER, limit, end, SIGNATURE))
    assert refusal_of(found, ChannelState(0, 100, 0), 0, NOW, RULES) is expected


STATES = st.builds(
    lambda opening, deposited, claimed, back, since, closing: ChannelState(
        opening, deposited, min(claimed, deposited), min(back, deposited - min(claimed, deposited)), since, closing
    ),
    st.integers(0, 5),
    st.integers(0, MOST_UNITS),
    st.integers(0, MOST_UNITS),
    st.integers(0, MOST_UNITS),
    st.just(0) | st.integers(NOW - 4_000, NOW),
    st.booleans(),
)


@given(STATES, st.integers(1, MOST_UNITS), st.integers(0, 10_000))
def test_E52_what_is_taken_can_be_claimed_whatever_the_payer_does(
    state: ChannelState, units: int, margin_bps: int
) -> None:
    """Even when the withdrawal ends first: or there is a notice's time to claim before it does."""
    rules = replace(RULES, margin_bps=margin_bps)
    found = voucher(units, state.opening)
    assume(refusal_of(found, state, 0, NOW, rules) is None)
    assert state.claimed < units <= state.deposited
    assert Taken(found, state).claimable_units == units - state.claimed
    until = state.withdrawable_at(TERMS)
    if until is not None and until <= NOW + rules.notice_s:
        assert not state.closing
        after = state._replace(deposited=state.deposited - state.withdrawing, withdrawing=0, withdrawal_since=0)
        assert Taken(found, after).claimable_units == units - state.claimed


# --- Claims -----------------------------------------------------------------------------------------------------------


def taken(units: int, number: int = 0, state: ChannelState | None = None, **changes: Any) -> Taken:
    channel = replace(CHANNEL, terms=replace(TERMS, salt=number.to_bytes(32, "big")))
    found = voucher(units, channel=channel, **changes)
    return Taken(found, state or ChannelState(0, 10**12, 0))


def claimed(rows: list[Taken], costs: ClaimCosts | None) -> list[list[int]]:
    batches = worth_claiming(rows, costs, NOW, notice_s=600, rows=3)
    return [[row.claimable_units for row in batch] for batch in batches]


DOLLAR = 10**6
COSTS = ClaimCosts(10**9, 2_000 * DOLLAR, 200)
"""A gwei at 2,000 dollars: 14,600 gas are 2.92 cents, and 60,000 are 12."""


def test_fees_are_rounded_up_and_what_they_may_be_down() -> None:
    assert COSTS.fee_units_up(ROW_GAS) == 29_200
    assert (COSTS.fee_units_up(CLAIM_GAS), ClaimCosts(1, 1, 200).fee_units_up(1)) == (120_000, 1)
    assert COSTS.allowed_units_down(99) == 1


def test_E51_a_claim_is_what_the_channel_has_and_nothing_after_a_closing() -> None:
    assert taken(7, state=ChannelState(0, 5, 2)).claimable_units == 3
    assert taken(2, state=ChannelState(0, 5, 2)).claimable_units == 0
    assert taken(7, state=ChannelState(1, 50, 0)).claimable_units == 0  # E54


def test_small_claims_wait_for_others_to_share_the_cost_with() -> None:
    one = [taken(3 * DOLLAR)]
    assert claimed(one, COSTS) == []
    many = [taken(4 * DOLLAR, number) for number in range(3)]
    assert claimed(many, COSTS) == [[4 * DOLLAR] * 3]
    assert claimed([*many, taken(DOLLAR, 9)], COSTS) == [[4 * DOLLAR] * 3]  # that one's own row costs too much
    assert claimed([taken(1)], None) == [[1]]
    assert claimed([taken(units, units) for units in (1, 5, 3, 4, 2)], None) == [[5, 4, 3], [2, 1]]
    assert claimed([taken(5, state=ChannelState(1, 5, 0))], None) == []


def test_what_cannot_wait_is_claimed_where_it_brings_more_than_it_costs() -> None:
    leaving = ChannelState(0, DOLLAR, 0, DOLLAR, NOW, True)
    assert claimed([taken(DOLLAR // 2, 1, leaving)], COSTS) == [[DOLLAR // 2]]
    assert claimed([taken(DOLLAR // 10, 1, leaving)], COSTS) == []  # 15 cents to claim 10
    both = [taken(DOLLAR // 2, 1, leaving), taken(2 * DOLLAR, 2)]
    assert claimed(both, COSTS) == [[2 * DOLLAR, DOLLAR // 2]]  # which then shares the cost
    safe = leaving._replace(withdrawing=DOLLAR // 4, closing=False)
    assert claimed([taken(DOLLAR // 2, 1, safe)], COSTS) == []
    ending = SpendingKey(PAYER, DOLLAR, NOW + 1_200, SIGNATURE)
    assert claimed([taken(DOLLAR // 2, spending_key=ending)], COSTS) == [[DOLLAR // 2]]
    assert claimed([taken(DOLLAR // 2, spending_key=replace(ending, valid_before=NOW + 1_201))], COSTS) == []


@given(
    st.lists(st.integers(1, 10**9), min_size=1, max_size=12),
    st.integers(1, 10**12),
    st.integers(1, 10**10),
    st.integers(1, 10_000),
)
def test_no_claim_costs_more_than_its_share(units: list[int], price: int, coin: int, bps: int) -> None:
    costs = ClaimCosts(price, coin, bps)
    rows = [taken(each, number) for number, each in enumerate(units)]
    batches = worth_claiming(rows, costs, NOW, notice_s=600, rows=5)
    chosen = [row for batch in batches for row in batch]
    assert len({row.voucher.channel for row in chosen}) == len(chosen)
    for batch in batches:
        assert len(batch) <= 5
        gas = CLAIM_GAS + len(batch) * ROW_GAS
        assert costs.fee_units_up(gas) * 10_000 <= sum(row.claimable_units for row in batch) * bps


def test_batches_have_terms_in_common() -> None:
    other = replace(CHANNEL, terms=replace(TERMS, withdraw_delay_s=7_200))
    rows = [taken(5, 1), taken(6, 2), Taken(voucher(4, channel=other), ChannelState(0, 10, 0))]
    assert claimed(rows, None) == [[6, 5], [4]]
