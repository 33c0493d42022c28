"""Which node is read: the rules of the points, and what no node may do to another's."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tallystick.core.health import FAILED, HALF_LIFE_MS, MOST, OUTVOTED, TOLERATED_LAG, Health, by_health, common_head

TIMES = st.integers(0, 10**9)
HEADS = st.integers(0, 2**40)
HEALTHS = st.builds(
    Health,
    head=st.none() | HEADS,
    latency_ms=st.integers(0, 10**7),
    fault_points=st.integers(0, MOST),
    noted_at_ms=TIMES,
)
FORGOTTEN_MS = 11 * HALF_LIFE_MS
"""When the most that is remembered is halved to nothing."""


@given(health=HEALTHS, now_ms=TIMES, head=HEADS)
def test_points_are_bounded_whatever_a_node_did(health: Health, now_ms: int, head: int) -> None:
    assert 0 <= health.points(now_ms, head) <= 3 * MOST


@given(health=HEALTHS, now_ms=TIMES, head=HEADS, points=st.sampled_from([FAILED, OUTVOTED]))
def test_a_failure_never_makes_a_node_healthier(health: Health, now_ms: int, head: int, points: int) -> None:
    assert health.failed(now_ms, points).points(now_ms, head) >= health.points(now_ms, head)


@given(health=HEALTHS, now_ms=TIMES, later_ms=TIMES, head=HEADS)
def test_time_heals_and_nothing_else_does(health: Health, now_ms: int, later_ms: int, head: int) -> None:
    failed = health.failed(now_ms)
    assert failed.points(now_ms + later_ms, head) <= failed.points(now_ms, head)
    without_faults = Health(health.head, health.latency_ms).points(0, head)
    assert failed.points(now_ms + FORGOTTEN_MS, head) == without_faults


@given(health=HEALTHS, now_ms=TIMES, head=HEADS, more=st.integers(0, 10**6))
def test_a_node_that_lags_more_is_never_healthier(health: Health, now_ms: int, head: int, more: int) -> None:
    assert health.points(now_ms, head + more) >= health.points(now_ms, head)


@given(head=HEADS, behind=st.integers(0, TOLERATED_LAG), latency_ms=st.integers(0, 999))
def test_a_node_that_answers_within_a_second_a_few_blocks_apart_has_no_points(
    head: int, behind: int, latency_ms: int
) -> None:
    assert Health().answered(head, latency_ms).points(0, head + behind) == 0


@given(healths=st.lists(HEALTHS, min_size=1), now_ms=TIMES)
def test_of_nodes_as_healthy_the_first_is_read(healths: list[Health], now_ms: int) -> None:
    order = by_health(healths, now_ms)
    head = common_head(healths)
    ranked = [(healths[place].points(now_ms, head), place) for place in order]
    assert ranked == sorted(ranked)
    assert sorted(order) == list(range(len(healths)))


@given(heads=st.lists(HEADS, min_size=2, max_size=8), lie=st.integers(2**41, 2**256))
def test_no_single_node_makes_the_others_seem_to_lag(heads: list[int], lie: int) -> None:
    honest = [Health().answered(head, 0) for head in heads]
    assert common_head([*honest, Health().answered(lie, 0)]) <= max(heads)


def test_an_outvoted_claim_weighs_more_than_failures_and_both_are_forgotten_in_minutes() -> None:
    stumbled, lied = Health().failed(0).failed(0), Health().failed(0, OUTVOTED)
    assert by_health([lied, stumbled, Health()], 0) == [2, 1, 0]
    assert by_health([lied, stumbled, Health()], 5 * HALF_LIFE_MS) == [1, 2, 0]
    assert by_health([lied, stumbled, Health()], 7 * HALF_LIFE_MS) == [0, 1, 2]


def test_one_pause_is_not_all_of_a_nodes_latency() -> None:
    steady = Health().answered(1, 100)
    assert steady.answered(2, 1_900).latency_ms == 1_000
    assert Health().answered(1, 3_000).points(0, 1) == 3
