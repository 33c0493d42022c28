"""How many nodes make a range final, and when another node is to be read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.quorum import Account, Ruling, common_final, decide, majority

A, B, C = (Account(bytes([number]) * 32, number, bytes(32)) for number in range(3))
ACCOUNTS = st.sampled_from([A, B, C])


@pytest.mark.parametrize(("nodes", "needed"), [(1, 1), (2, 2), (3, 2), (4, 3), (5, 3), (7, 4)])
def test_a_majority_is_more_than_half(nodes: int, needed: int) -> None:
    assert majority(nodes) == needed


@pytest.mark.parametrize(
    ("others", "needed", "nodes", "ruling"),
    [
        ([], 1, 1, Ruling.AGREED),
        ([A], 2, 2, Ruling.AGREED),
        ([B], 2, 2, Ruling.WAITS),
        ([], 2, 2, Ruling.WAITS),
        ([A, B], 2, 3, Ruling.AGREED),
        ([B, B], 2, 3, Ruling.OUTVOTED),
        ([B, C], 2, 3, Ruling.WAITS),
        ([B], 2, 3, Ruling.WAITS),
        ([A, B, B], 2, 4, Ruling.WAITS),  # as many against as for
        ([A, B, B], 3, 4, Ruling.WAITS),
        ([B, B, B], 3, 4, Ruling.OUTVOTED),
        ([B, B], 3, 3, Ruling.OUTVOTED),  # all are needed, most are enough to show which node is right
        ([A, B], 3, 3, Ruling.WAITS),
    ],
)
def test_what_follows_from_what_the_others_give(others: list[Account], needed: int, nodes: int, ruling: Ruling) -> None:
    assert decide(A, others, needed=needed, nodes=nodes) is ruling


@given(others=st.lists(ACCOUNTS, max_size=6), needed=st.integers(1, 7), away=st.integers(0, 3))
def test_nothing_is_final_with_fewer_than_needed_nor_against_as_many(
    others: list[Account], needed: int, away: int
) -> None:
    nodes = 1 + len(others) + away
    ruling = decide(A, others, needed=needed, nodes=nodes)
    agreeing = 1 + others.count(A)
    against = max(others.count(B), others.count(C))
    assert (ruling is Ruling.AGREED) == (agreeing >= needed and agreeing > against)
    if ruling is Ruling.OUTVOTED:
        assert against > agreeing


@given(others=st.lists(ACCOUNTS, min_size=1, max_size=6), needed=st.integers(2, 7))
def test_of_two_sides_at_most_one_becomes_final_whichever_node_is_read(others: list[Account], needed: int) -> None:
    said = [A, *others]
    final = {
        own
        for place, own in enumerate(said)
        if decide(own, said[:place] + said[place + 1 :], needed=needed, nodes=len(said)) is Ruling.AGREED
    }
    assert len(final) <= 1


@given(own=st.integers(0, 99), others=st.lists(st.integers(0, 99), max_size=6), needed=st.integers(1, 7))
def test_a_block_counts_as_final_when_enough_nodes_say_so(own: int, others: list[int], needed: int) -> None:
    final = common_final(own, others, needed)
    if final is None:
        assert 1 + len(others) < needed
        return
    assert final <= own
    assert sum(said >= final for said in (own, *others)) >= needed
    assert final == own or sum(said > final for said in (own, *others)) < needed
