"""resume: the clock goes on where it was stopped; the next charge is due when what was left has passed (E25)."""

from __future__ import annotations

import pytest

from tallystick.core.period import Unit
from tallystick.core.subscription import DeclineReason, Status
from tests.contracts.stage import DAY, FIRST_DUE, PRICE, SUBSCRIBED, Account, Contract, Stage, reverts, utc

PAUSED_AT = utc(2027, 2, 10, 12)
LEFT_S = 18 * DAY
RESUMED_AT = utc(2027, 3, 20, 12)
"""After the month would have been renewed."""
NEW_DUE = RESUMED_AT + LEFT_S
PAID, NOT_DUE = DeclineReason.NONE, DeclineReason.NOT_DUE


@pytest.fixture
def paused(stage: Stage, payer: Account, subscribed: int) -> int:
    """The first payer's subscription, paused with LEFT_S of its first month left."""
    stage.at(PAUSED_AT)
    stage.subscriptions.pause(subscribed, sender=payer)
    return subscribed


def pass_over(stage: Stage, payer: Account, subscription_id: int, paused_at: int, resumed_at: int) -> None:
    """Stops the clock from one time to another."""
    stage.at(paused_at)
    stage.subscriptions.pause(subscription_id, sender=payer)
    stage.at(resumed_at)
    stage.subscriptions.resume(subscription_id, sender=payer)


def test_E25_goes_on_where_it_was_stopped(
    stage: Stage, subscriptions: Contract, payer: Account, paused: int, monthly: int
) -> None:
    stage.at(RESUMED_AT)
    receipt = subscriptions.resume(paused, sender=payer)
    assert stage.events(receipt) == [("Resumed", {"subscriptionId": paused, "nextDue": NEW_DUE})]
    found = subscriptions.subscription(paused)
    assert (found.payer, found.planId, found.charges) == (payer, monthly, 1)
    assert (found.status, found.nextDue, found.anchorDay) == (Status.ACTIVE, NEW_DUE, 7)  # 7 April
    assert stage.totals() == (1, PRICE, 0, 0)


@pytest.mark.parametrize(("offset_s", "outcome"), [(-1, NOT_DUE), (0, PAID), (1, PAID)])
def test_E20_E25_a_pause_across_a_renewal_bills_once_and_from_the_new_due_time(
    stage: Stage,
    subscriptions: Contract,
    token: Contract,
    payer: Account,
    paused: int,
    offset_s: int,
    outcome: DeclineReason,
) -> None:
    stage.at(RESUMED_AT)
    subscriptions.resume(paused, sender=payer)
    assert stage.charge(paused, paused) == [NOT_DUE, NOT_DUE]
    stage.at(NEW_DUE + offset_s)
    receipt = subscriptions.charge([paused, paused], sender=stage.anyone)
    assert stage.outcomes(receipt) == [outcome, NOT_DUE]
    charged = [values for name, values in stage.events(receipt) if name == "Charged"]
    assert [(values["chargeNumber"], values["periodStart"], values["periodEnd"]) for values in charged] == (
        [(2, NEW_DUE, utc(2027, 5, 7, 12))] if outcome == PAID else []
    )
    assert token.balanceOf(stage.merchant) == (1 + len(charged)) * PRICE


@pytest.mark.parametrize("resumed_at", [FIRST_DUE - 1, FIRST_DUE, FIRST_DUE + 1])
def test_E25_resuming_about_the_old_renewal_owes_nothing(
    stage: Stage, subscriptions: Contract, payer: Account, paused: int, resumed_at: int
) -> None:
    stage.at(resumed_at)
    subscriptions.resume(paused, sender=payer)
    assert stage.next_due(paused) == resumed_at + LEFT_S
    assert stage.charge(paused, at=resumed_at + LEFT_S - 1) == [NOT_DUE]
    assert stage.charge(paused) == [PAID]


def test_E25_the_last_second_is_kept(stage: Stage, payer: Account, subscribed: int) -> None:
    pass_over(stage, payer, subscribed, FIRST_DUE - 1, RESUMED_AT)
    assert stage.next_due(subscribed) == RESUMED_AT + 1
    assert stage.charge(subscribed, at=RESUMED_AT + 1) == [PAID]


def test_E25_however_often_it_is_paused_each_period_is_served_whole(
    stage: Stage, token: Contract, payer: Account
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(every=30, unit=Unit.DAY), at=SUBSCRIBED)
    due = SUBSCRIBED + 30 * DAY
    for charges in range(1, 4):
        for served_s, paused_s in ((DAY, 1), (7 * DAY + 1, 90 * DAY), (1, 33 * DAY)):
            pass_over(stage, payer, subscription_id, stage.now + served_s, stage.now + served_s + paused_s)
            due += paused_s
            assert stage.next_due(subscription_id) == due
            assert stage.charge(subscription_id) == [NOT_DUE]
        assert token.balanceOf(stage.merchant) == charges * PRICE
        assert stage.charge(subscription_id, at=due) == [PAID]
        due += 30 * DAY


def test_E25_pause_and_resume_in_one_block_change_nothing_but_the_anchor(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int
) -> None:
    stage.rpc("evm_setAutomine", False)
    try:
        for verb in (subscriptions.pause, subscriptions.resume):
            data = "0x" + verb.encode_input(subscribed).hex()
            call = {"from": payer.address, "to": subscriptions.address, "data": data, "gas": hex(10**6)}
            stage.rpc("eth_sendTransaction", call)
        stage.at(PAUSED_AT)
        stage.rpc("evm_mine")
    finally:
        stage.rpc("evm_setAutomine", True)
    found = subscriptions.subscription(subscribed)
    assert (stage.now, found.status, found.nextDue, found.anchorDay) == (PAUSED_AT, Status.ACTIVE, FIRST_DUE, 28)


@pytest.mark.parametrize(("catch_up", "collected"), [(0, 1), (2, 2)])
def test_E22_E25_the_time_of_a_pause_is_not_among_the_missed_periods(
    stage: Stage, payer: Account, catch_up: int, collected: int
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(catch_up=catch_up), at=SUBSCRIBED)
    pass_over(stage, payer, subscription_id, PAUSED_AT, utc(2027, 9, 13, 12))  # due on 1 October
    assert stage.next_due(subscription_id) == utc(2027, 10, 1, 12)
    outcomes = stage.charge(*[subscription_id] * 4, at=utc(2027, 11, 1, 12))
    assert outcomes == [PAID] * collected + [NOT_DUE] * (4 - collected)


@pytest.mark.parametrize(
    ("start", "unit", "paused_at", "resumed_at", "dues"),
    [
        # Anchored on the 31st; goes on to be due on another day, on a 31st again, on a 30th, on 29 February.
        (SUBSCRIBED, Unit.MONTH, PAUSED_AT, utc(2027, 3, 10, 12), [(2027, 3, 28), (2027, 4, 28), (2027, 5, 28)]),
        (SUBSCRIBED, Unit.MONTH, PAUSED_AT, utc(2027, 3, 13, 12), [(2027, 3, 31), (2027, 4, 30), (2027, 5, 31)]),
        (SUBSCRIBED, Unit.MONTH, PAUSED_AT, utc(2027, 4, 12, 12), [(2027, 4, 30), (2027, 5, 30), (2027, 6, 30)]),
        (SUBSCRIBED, Unit.MONTH, PAUSED_AT, utc(2028, 2, 11, 12), [(2028, 2, 29), (2028, 3, 29), (2028, 4, 29)]),
        # From a day that every month has to one that February does not have.
        (
            utc(2027, 2, 10),
            Unit.MONTH,
            utc(2027, 3, 9),
            utc(2028, 1, 30),
            [(2028, 1, 31), (2028, 2, 29), (2028, 3, 31)],
        ),
        (utc(2027, 3, 1), Unit.YEAR, utc(2028, 2, 29), utc(2032, 2, 28), [(2032, 2, 29), (2033, 2, 28)]),
        (
            utc(2028, 2, 29),
            Unit.YEAR,
            utc(2029, 2, 27),
            utc(2030, 2, 27),
            [(2030, 2, 28), (2031, 2, 28), (2032, 2, 28)],
        ),
        (SUBSCRIBED, Unit.WEEK, SUBSCRIBED + DAY, SUBSCRIBED + 3 * DAY, [(2027, 2, 9), (2027, 2, 16)]),
    ],
)
def test_E24_E25_the_day_of_the_new_due_time_is_the_anchor(
    stage: Stage,
    payer: Account,
    start: int,
    unit: Unit,
    paused_at: int,
    resumed_at: int,
    dues: list[tuple[int, int, int]],
) -> None:
    subscription_id = stage.subscribe(payer, stage.create_plan(unit=unit), at=start)
    pass_over(stage, payer, subscription_id, paused_at, resumed_at)
    assert stage.subscriptions.subscription(subscription_id).anchorDay == dues[0][2]
    for due in dues:
        assert stage.next_due(subscription_id) == utc(*due) + start % DAY
        assert stage.charge(subscription_id, at=stage.next_due(subscription_id)) == [PAID]


def test_ends_with_the_period_that_goes_on(stage: Stage, subscriptions: Contract, payer: Account, paused: int) -> None:
    stage.at(RESUMED_AT)
    subscriptions.resume(paused, sender=payer)
    receipt = subscriptions.cancelAtPeriodEnd(paused, sender=payer)
    assert stage.events(receipt) == [("CancellationScheduled", {"subscriptionId": paused, "endsAt": NEW_DUE})]


# --- Who, and when not ---


def test_only_the_payer_may(stage: Stage, subscriptions: Contract, payers: list[Account], paused: int) -> None:
    for sender in (stage.merchant, stage.anyone, payers[1]):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            subscriptions.resume(paused, sender=sender)


@pytest.mark.parametrize("subscription_id", [0, 2, 2**63, 2**256 - 1])
def test_refuses_what_does_not_exist(
    subscriptions: Contract, payer: Account, paused: int, subscription_id: int
) -> None:
    assert paused == 1
    with reverts("UnknownSubscription", subscriptionId=subscription_id):
        subscriptions.resume(subscription_id, sender=payer)


@pytest.mark.parametrize(
    ("verbs", "status"),
    [
        ([], Status.ACTIVE),
        (["pause", "resume"], Status.ACTIVE),
        (["cancelAtPeriodEnd"], Status.ENDING),
        (["cancel"], Status.CANCELLED),
        (["pause", "cancel"], Status.CANCELLED),
    ],
)
def test_refuses_what_is_not_paused(
    stage: Stage, subscriptions: Contract, payer: Account, subscribed: int, verbs: list[str], status: Status
) -> None:
    for verb in verbs:
        getattr(subscriptions, verb)(subscribed, sender=payer)
    with stage.nothing_changes(), reverts("NotPaused", subscriptionId=subscribed, status=status):
        subscriptions.resume(subscribed, sender=payer)
