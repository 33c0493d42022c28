"""What one act tells in several events: seats, trials, credit, changes, parts that the contract keeps, claims; what
does not belong together is refused."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from tallystick.core.books import Books, Change
from tallystick.core.events import (
    CancellationScheduled,
    Cancelled,
    Charged,
    Claimable,
    Claimed,
    CreditUsed,
    Declined,
    Event,
    Origin,
    Paused,
    PlanArchived,
    PlanChanged,
    PlanCreated,
    Recorded,
    Refunded,
    RegisterOpened,
    Resumed,
    SeatsSet,
    Subscribed,
    Upgraded,
    UsageCharged,
)
from tallystick.core.ledger import Posting
from tallystick.core.period import Unit
from tallystick.core.plan import PlanTerms
from tallystick.core.subscription import PER_REGISTER, DeclineReason, Subscription
from tallystick.errors import EventsInconsistent

DAY = 86_400
PAYEE, TOKEN, PAYER, PLATFORM, OTHER = "0xPayee", "0xToken", "0xPayer", "0xPlatform", "0xOther"
SMALL = PlanTerms(PAYEE, 3_000, TOKEN, 30, Unit.DAY)
LARGE = replace(SMALL, price_units=9_000, fee_bps=1_000, fee_receiver=PLATFORM)
SEATED = replace(SMALL, price_units=600, seat_price_units=300)
WEEKLY = replace(SMALL, price_units=700, every=7)
METERED = replace(LARGE, usage_cap_units=5_000, usage_price_units=2_000_000, biller=OTHER, grace=DAY)
TRIED = replace(SMALL, trial=10 * DAY, grace=2 * DAY, max_charges=2)


class Story:
    """Plans 1 to 5 and one of another payee; subscription 1 is to the small one, paid on day 0. Each act in a block."""

    def __init__(self) -> None:
        self.books = Books({}, keep_all=True)
        self.blocks = 0
        self.at(0, RegisterOpened(0, PAYEE, TOKEN), PlanCreated(1, 0, SMALL))
        for number, terms in enumerate((LARGE, SEATED, WEEKLY, TRIED), start=2):
            self.at(0, PlanCreated(number, 0, terms))
        self.at(0, RegisterOpened(1, OTHER, TOKEN), PlanCreated(6, 1, replace(SMALL, payee=OTHER)))
        self.at(0, Subscribed(1, PAYER, 1, 0), charged(1, 0, 30, 3_000))

    def at(self, day: int, *act: Event) -> Change:
        """What the last event of a transaction does."""
        self.blocks += 1
        transaction = b"%d" % self.blocks
        change = Change()
        for log, event in enumerate(act):
            origin = Origin(self.blocks, b"block", day * DAY, transaction, log)
            change = self.books.apply(Recorded(origin, event))
        self.books.act.require_whole()
        return change

    @property
    def subscription(self) -> Subscription:
        return self.books.subscriptions[1]


def charged(number: int, start: int, end: int, units: int, subscription_id: int = 1) -> Charged:
    return Charged(subscription_id, number, start * DAY, end * DAY, units)


def metered() -> Story:
    """Plan 7 has usage, and 8 the same with a trial; subscription 2 to the former was paid on day 0."""
    story = Story()
    story.at(0, PlanCreated(7, 0, METERED))
    story.at(0, PlanCreated(8, 0, replace(METERED, trial=10 * DAY)))
    story.at(0, Subscribed(2, PAYER, 7, 0), charged(1, 0, 30, 9_000, 2))
    return story


def usage(number: int, units: int, quantity: int, start: int = 0) -> list[Event]:
    """A charge of usage of subscription 2."""
    return [UsageCharged(2, number, quantity, b"h" * 32), charged(number, start, start + 30, units, 2)]


UPGRADE: list[Event] = [Upgraded(1, 2, 2, 4_000)]  # two thirds of 9,000 less those of 3,000
CHARGE, CHANGE = charged(2, 10, 30, 4_000), PlanChanged(1, 2, 0, 0)
"""The same in two events, as changes of seats or period are told."""


def test_an_upgrade_is_charged_for_the_rest_of_the_period() -> None:
    change = Story().at(10, *UPGRADE)
    assert change.subscription is not None
    assert change.subscription[2:5] == (2, 30 * DAY, 2)
    assert change.invoice is not None
    assert (change.invoice.plan_id, change.invoice.charge_number, change.invoice.total_units) == (2, 2, 4_000)
    assert (change.invoice.period_start, change.invoice.period_end) == (10 * DAY, 30 * DAY)
    assert change.invoice.lines == (("Change to plan 2, rest of the period", 1, 4_000, 4_000),)
    assert change.entry is not None
    assert change.entry.origin == change.invoice.origin
    assert change.entry.postings == (
        Posting(f"Assets:Wallet:{PAYEE}", "D", TOKEN, 3_600),
        Posting(f"Expenses:Fees:{PAYEE}:Plan-2", "D", TOKEN, 400),
        Posting(f"Income:Subscriptions:{PAYEE}:Plan-2", "C", TOKEN, 4_000),
        Posting(f"Assets:Wallet:{PLATFORM}", "D", TOKEN, 400),
        Posting(f"Income:Fees:{PLATFORM}", "C", TOKEN, 400),
    )


def test_a_downgrade_is_credit_which_later_charges_use_up() -> None:
    story = Story()
    story.at(10, *UPGRADE)
    change = story.at(10, PlanChanged(1, 1, 0, 4_000))
    assert (change.invoice, change.entry, story.subscription.credit_units) == (None, None, 4_000)
    covered = story.at(30, CreditUsed(1, 3, 3_000), charged(3, 30, 60, 0))
    assert covered.invoice is not None
    assert covered.invoice.total_units == 0
    assert covered.invoice.number == 3
    assert covered.invoice.lines == (
        ("Plan 1, one period of 30 days", 1, 3_000, 3_000),
        ("Credit from a change of plan", 1, -3_000, -3_000),
    )
    assert covered.entry is None  # nothing moved
    partly = story.at(60, CreditUsed(1, 4, 1_000), charged(4, 60, 90, 2_000))
    assert partly.invoice is not None
    assert partly.entry is not None
    assert (partly.invoice.total_units, partly.entry.number) == (2_000, 3)
    assert story.subscription.credit_units == 0
    with pytest.raises(EventsInconsistent, match="2001 units refunded of a charge of 2000"):
        story.at(61, Refunded(1, 4, 2_001))


def test_a_change_to_another_period_begins_a_new_one() -> None:
    change = Story().at(20, CreditUsed(1, 2, 700), charged(2, 20, 27, 0), PlanChanged(1, 4, 0, 300))
    assert change.subscription is not None
    assert (change.subscription.next_due, change.subscription.anchor_day) == (27 * DAY, 21)
    assert change.invoice is not None
    assert [line.description for line in change.invoice.lines] == [
        "Change to plan 4, one period of 7 days",
        "Credit from a change of plan",
    ]


def test_seats_are_a_line_of_their_own() -> None:
    story = Story()
    opened = story.at(0, Subscribed(2, PAYER, 3, 0), SeatsSet(2, 4), charged(1, 0, 30, 1_800, 2))
    assert opened.invoice is not None
    assert opened.invoice.lines == (
        ("Plan 3, one period of 30 days", 1, 600, 600),
        ("Plan 3, seats for one period of 30 days", 4, 300, 1_200),
    )
    more = story.at(15, charged(2, 15, 30, 150, 2), PlanChanged(2, 3, 5, 0))
    assert more.invoice is not None
    assert more.invoice.lines[0].description == "Change to plan 3 with 5 seats, rest of the period"


def test_E27_a_trial_ends_with_the_first_charge() -> None:
    story = Story()
    opened = story.at(1, Subscribed(2, PAYER, 5, 11 * DAY))
    assert opened[1:4] == (story.books.subscriptions[2], None, None)
    assert [story.books.subscriptions[2].is_due(TRIED, 11 * DAY + s) for s in (-1, 0, 2 * DAY - 1, 2 * DAY)] == [
        *(False, True, True, False),
    ]
    story.at(12, charged(1, 11, 41, 3_000, 2))
    story.at(41, charged(2, 41, 71, 3_000, 2))
    assert not story.books.subscriptions[2].is_due(TRIED, 71 * DAY)
    with pytest.raises(EventsInconsistent, match="subscription 2 has ended"):
        story.at(71, charged(3, 71, 101, 3_000, 2))


def test_grace_that_has_passed_ends_a_subscription() -> None:
    story = Story()
    story.at(1, Subscribed(2, PAYER, 5, 11 * DAY))
    with pytest.raises(EventsInconsistent, match="subscription 2 has ended"):
        story.at(13, charged(1, 11, 41, 3_000, 2))


def test_E07_what_cannot_be_received_is_claimable_and_then_claimed() -> None:
    story = Story()
    story.at(10, *UPGRADE)
    kept = story.at(30, kept_of(PAYEE, 8_100), kept_of(PLATFORM, 900), charged(3, 30, 60, 9_000))
    assert kept.entry is not None
    assert [(posting.account, posting.units) for posting in kept.entry.postings] == [
        (f"Assets:Claimable:{PAYEE}", 8_100),
        (f"Expenses:Fees:{PAYEE}:Plan-2", 900),
        (f"Income:Subscriptions:{PAYEE}:Plan-2", 9_000),
        (f"Assets:Claimable:{PLATFORM}", 900),
        (f"Income:Fees:{PLATFORM}", 900),
    ]
    assert kept.claimables == ((PAYEE, TOKEN, 8_100), (PLATFORM, TOKEN, 900))
    partly = story.at(60, kept_of(PLATFORM, 900), charged(4, 60, 90, 9_000))
    assert partly.entry is not None
    accounts = [posting.account for posting in partly.entry.postings]
    assert accounts[::3] == [f"Assets:Wallet:{PAYEE}", f"Assets:Claimable:{PLATFORM}"]
    claimed = story.at(61, Claimed(PLATFORM, TOKEN, 1_800))
    assert claimed.entry is not None
    assert claimed.entry.kind == "claim"
    assert claimed.entry.postings == (
        Posting(f"Assets:Wallet:{PLATFORM}", "D", TOKEN, 1_800),
        Posting(f"Assets:Claimable:{PLATFORM}", "C", TOKEN, 1_800),
    )
    assert story.books.claimables == {(PAYEE, TOKEN): 8_100, (PLATFORM, TOKEN): 0}


def kept_of(account: str, units: int, subscription_id: int = 1) -> Claimable:
    return Claimable(account, TOKEN, subscription_id, units)


def test_a_refund_is_of_the_plan_that_was_charged() -> None:
    story = Story()
    story.at(10, *UPGRADE)
    refund = story.at(11, Refunded(1, 1, 3_000))
    assert refund.entry is not None
    assert refund.entry.postings[0].account == f"Income:Refunds:{PAYEE}:Plan-1"
    assert refund.invoice is not None
    assert (refund.invoice.plan_id, refund.invoice.corrects) == (1, 1)


def test_registers_number_their_own_subscriptions() -> None:
    story = Story()
    number = PER_REGISTER + 1
    story.at(0, Subscribed(number, PAYER, 6, 0), charged(1, 0, 30, 3_000, number))
    assert [register.subscriptions for register in story.books.registers.values()] == [1, 1]
    with pytest.raises(EventsInconsistent, match=f"subscription 3 is opened where {number + 1} is the next"):
        story.at(1, Subscribed(3, PAYER, 6, DAY))


def test_E25_a_paused_period_counts_as_the_longest_of_its_kind_and_its_next_does_not() -> None:
    story = Story()
    story.at(10, Paused(1, 20 * DAY))
    assert story.at(40, Resumed(1, 60 * DAY)).subscription == story.subscription
    assert story.subscription.shifted
    story.at(40, Upgraded(1, 2, 2, 4_000))
    assert story.subscription.shifted
    story.at(60, charged(3, 60, 90, 9_000))
    assert not story.subscription.shifted


def test_usage_is_charged_for_the_period_being_served() -> None:
    story = metered()
    change = story.at(10, *usage(2, 1_999, 1_000))
    assert change.subscription is not None
    assert change.subscription == story.books.subscriptions[2]
    assert (change.subscription.next_due, change.subscription.charges) == (30 * DAY, 2)
    assert change.subscription.usage_left(METERED) == 3_001
    assert change.invoice is not None
    assert change.invoice.lines == (("Plan 7, 1,000 units of usage", 1, 1_999, 1_999),)
    assert change.invoice.usage == (1_000, b"h" * 32)
    assert (change.invoice.period_start, change.invoice.period_end, change.invoice.charge_number) == (0, 30 * DAY, 2)
    assert change.entry is not None
    assert change.entry.kind == "charge"
    assert change.entry.postings == (
        Posting(f"Assets:Wallet:{PAYEE}", "D", TOKEN, 1_800),
        Posting(f"Expenses:Fees:{PAYEE}:Plan-7", "D", TOKEN, 199),
        Posting(f"Income:Usage:{PAYEE}:Plan-7", "C", TOKEN, 1_999),
        Posting(f"Assets:Wallet:{PLATFORM}", "D", TOKEN, 199),
        Posting(f"Income:Fees:{PLATFORM}", "C", TOKEN, 199),
    )
    refund = story.at(11, Refunded(2, 2, 1_999))
    assert refund.invoice is not None
    assert (refund.invoice.corrects, refund.invoice.usage) == (change.invoice.number, None)
    assert refund.entry is not None
    assert refund.entry.postings[0].account == f"Income:Refunds:{PAYEE}:Plan-7"
    with pytest.raises(EventsInconsistent, match="2000 units refunded of a charge of 1999"):
        story.at(12, Refunded(2, 2, 1))


def test_the_cap_is_that_of_a_period() -> None:
    story = metered()
    story.at(10, *usage(2, 4_999, 10_000))
    story.at(11, *usage(3, 1, 1))
    assert story.books.subscriptions[2].usage_left(METERED) == 0
    story.at(30, charged(4, 30, 60, 9_000, 2))
    assert story.books.subscriptions[2].usage_left(METERED) == 5_000
    story.at(31, *usage(5, 5_000, 2_500, 30))
    story.at(32, CancellationScheduled(2, 60 * DAY))
    assert story.books.subscriptions[2].usage_left(METERED) == 0


def test_a_change_that_only_gives_credit_goes_on_counting() -> None:
    story = metered()
    less = replace(METERED, price_units=3_000, usage_cap_units=1_000)
    story.at(10, PlanCreated(9, 0, less))
    story.at(10, *usage(2, 2_000, 1_000))
    story.at(15, PlanChanged(2, 9, 0, 3_000))
    assert story.books.subscriptions[2].usage_left(less) == 0
    story.at(15, CreditUsed(2, 3, 3_000), charged(3, 15, 30, 0, 2), PlanChanged(2, 7, 0, 0))
    assert story.books.subscriptions[2].usage_left(METERED) == 5_000


def test_E25_a_pause_gives_no_second_cap() -> None:
    story = metered()
    story.at(10, *usage(2, 5_000, 2_500))
    story.at(10, Paused(2, 20 * DAY))
    story.at(50, Resumed(2, 70 * DAY))
    assert story.books.subscriptions[2].usage_left(METERED) == 0


def test_what_ends_is_still_charged_for_usage() -> None:
    story = metered()
    story.at(10, CancellationScheduled(2, 30 * DAY))
    assert story.at(30, *usage(2, 10, 5)).entry is not None
    with pytest.raises(EventsInconsistent, match="subscription 2 has ended"):
        story.at(31, *usage(3, 10, 5))


def test_half_of_the_numbers_stay_for_periods() -> None:
    story = metered()
    books = story.books
    books.subscriptions[2] = books.subscriptions[2]._replace(charges=32_766)
    story.at(10, *usage(32_767, 10, 5))
    message = "it is for usage after 32767 charges, allowed is less than 32767"
    with pytest.raises(EventsInconsistent, match=message):
        story.at(10, *usage(32_768, 10, 5))


USED: list[tuple[int, list[Event]]] = [(5, usage(2, 4_000, 2_000))]
TRYING: list[tuple[int, list[Event]]] = [(0, [Subscribed(3, PAYER, 8, 10 * DAY)])]
IMPOSSIBLE_USAGE: list[tuple[list[tuple[int, list[Event]]], int, list[Event], str]] = [
    ([], 10, usage(2, 2_001, 1_000), "2001 units for 1000 of usage, which cost at most 2000; 5000 are left"),
    ([], 10, usage(2, 5_001, 10_000), "5001 units for 10000 of usage, which cost at most 20000; 5000 are left"),
    ([], 10, usage(2, 0, 10_000), "0 units for 10000 of usage"),
    (USED, 10, usage(3, 1_001, 10_000), "1000 are left of the period"),
    ([], 10, usage(3, 10, 10), "charge 3 follows charge 1"),
    ([], 10, usage(2, 10, 10)[:1], "what belongs to it is missing"),
    ([], 10, usage(2, 10, 10)[1:], "what belongs to it is missing"),
    ([], 10, [usage(2, 10, 10)[0], Cancelled(2)], "what belongs to UsageCharged is missing"),
    ([], 10, [usage(2, 10, 10)[0], charged(2, 0, 30, 10)], "what belongs to UsageCharged is missing"),
    ([], 10, [usage(2, 10, 10)[0], *usage(2, 10, 10)], "what belongs to UsageCharged is missing"),
    ([], 30, [CreditUsed(2, 2, 1), *usage(2, 10, 10)], "what belongs to CreditUsed is missing"),
    ([], 10, [*usage(2, 10, 10), PlanChanged(2, 1, 0, 0)], "units of credit are left, expected are"),
    ([], 10, [usage(3, 10, 10)[0], usage(2, 10, 10)[1]], "it is charge 2, usage was told of charge 3"),
    ([], 10, usage(2, 10, 10, 30), "it is for [2592000, 5184000), served is [0, 2592000)"),
    ([], 10, [usage(2, 10, 10)[0], charged(2, 0, 29, 10, 2)], "served is [0, 2592000)"),
    ([(5, [Cancelled(2)])], 10, usage(2, 10, 10), "subscription 2 is cancelled"),
    ([(5, [Paused(2, 25 * DAY)])], 10, usage(2, 10, 10), "subscription 2 is paused"),
    ([], 31, usage(2, 10, 10), "subscription 2 has ended"),
    (TRYING, 5, [UsageCharged(3, 1, 9, b"h"), charged(1, -20, 10, 9, 3)], "it is for usage within the trial"),
    (
        [],
        10,
        [UsageCharged(1, 2, 9, b"h"), charged(2, 0, 30, 9)],
        "9 units for 9 of usage, which cost at most 0; 0 are",
    ),
    ([], 10, [UsageCharged(9, 2, 9, b"h"), charged(2, 0, 30, 9, 9)], "subscription 9 is unknown"),
]


@pytest.mark.parametrize(("before", "day", "act", "message"), IMPOSSIBLE_USAGE)
def test_E62_usage_that_cannot_be_charged_is_refused(
    before: list[tuple[int, list[Event]]], day: int, act: list[Event], message: str
) -> None:
    story = metered()
    for earlier_day, earlier in before:
        story.at(earlier_day, *earlier)
    entries = story.books.entry_number
    with pytest.raises(EventsInconsistent, match=re.escape(message)):
        story.at(day, *act)
    assert story.books.entry_number <= entries + (len(act) > 2)  # what came before it in the transaction


TRIAL: list[tuple[int, list[Event]]] = [(1, [Subscribed(2, PAYER, 5, 11 * DAY)])]
WITH_CREDIT: list[tuple[int, list[Event]]] = [(10, UPGRADE), (10, [PlanChanged(1, 1, 0, 4_000)])]
IMPOSSIBLE: list[tuple[list[tuple[int, list[Event]]], int, list[Event], str]] = [
    # acts that are not whole, or of several things
    ([], 0, [Subscribed(2, PAYER, 1, 0)], "Subscribed in block 8, log 0, cannot follow"),
    ([], 0, [Subscribed(2, PAYER, 3, 0), charged(1, 0, 30, 600, 2)], "how many seats it is for was not told"),
    ([], 0, [Subscribed(2, PAYER, 3, 0), SeatsSet(2, 1)], "what belongs to it is missing"),
    ([], 0, [Subscribed(2, PAYER, 3, 0), SeatsSet(1, 1)], "what belongs to Subscribed is missing"),
    ([], 0, [Subscribed(2, PAYER, 3, 0), Cancelled(2)], "what belongs to Subscribed is missing"),
    ([], 0, [Subscribed(2, PAYER, 3, 0), SeatsSet(2, 0)], "0 seats of a plan that has 1 to 16777215"),
    ([], 0, [Subscribed(2, PAYER, 1, 0), SeatsSet(2, 1)], "1 seats of a plan that has 0 to 0"),
    ([], 1, [Subscribed(2, PAYER, 5, 5 * DAY)], "what belongs to it is missing"),  # conditions that ask for it
    (TRIAL, 11, [charged(1, 11, 41, 2_999, 2)], "expected 3000 units"),
    (TRIAL, 5, [charged(1, 5, 35, 3_000, 2)], "what belongs to it is missing"),
    (TRIAL, 5, [charged(1, 5, 11, 1, 2), PlanChanged(2, 1, 0, 0)], "plans that end after a number of charges"),
    ([], 0, [RegisterOpened(2, PAYER, TOKEN)], "what belongs to it is missing"),
    ([], 0, [RegisterOpened(2, PAYER, TOKEN), PlanCreated(7, 0, SMALL)], "what belongs to RegisterOpened is missing"),
    ([], 0, [RegisterOpened(2, PAYER, TOKEN), PlanCreated(7, 2, SMALL)], "which is not of 0xPayee and 0xToken"),
    # credit
    ([], 30, [CreditUsed(1, 2, 1), charged(2, 30, 60, 2_999)], "expected 3000 units"),
    ([], 30, [CreditUsed(1, 2, 1), charged(2, 30, 60, 3_000)], "it uses 0 units of credit, told were [(2, 1)]"),
    (WITH_CREDIT, 30, [charged(3, 30, 60, 3_000)], "expected 0 units"),
    (WITH_CREDIT, 30, [charged(3, 30, 60, 0)], "it uses 3000 units of credit, told were none"),
    (WITH_CREDIT, 30, [CreditUsed(1, 3, 2_999), charged(3, 30, 60, 0)], "told were [(3, 2999)]"),
    (WITH_CREDIT, 30, [CreditUsed(1, 4, 3_000), charged(3, 30, 60, 0)], "told were [(4, 3000)]"),
    (WITH_CREDIT, 30, [CreditUsed(1, 3, 3_000)], "what belongs to it is missing"),
    (WITH_CREDIT, 30, [CreditUsed(1, 3, 3_000), Cancelled(1)], "what belongs to CreditUsed is missing"),
    # changes
    ([], 10, [CHARGE], "what belongs to it is missing"),
    ([], 10, [CHANGE], "it charges 4000 units, 0 by credit; told was nothing"),
    ([], 10, [charged(2, 10, 30, 3_999), CHANGE], "it is 3999 units for [864000, 2592000), of the change that"),
    ([], 10, [charged(2, 10, 31, 4_000), CHANGE], "it is 4000 units for [864000, 2678400), of the change that"),
    ([], 10, [charged(2, 9, 30, 4_000), CHANGE], "of the change that made it 4000 units for [864000, 2592000)"),
    ([], 10, [charged(3, 10, 30, 4_000), CHANGE], "charge 3 follows charge 1"),
    ([], 10, [CHARGE, PlanChanged(1, 2, 0, 1)], "1 units of credit are left, expected are 0"),
    ([], 10, [CHARGE, PlanChanged(1, 7, 0, 0)], "plan 7 is unknown"),
    ([], 10, [CHARGE, PlanChanged(1, 2, 1, 0)], "plan 2 has 0 to 0 seats, not 1"),
    ([], 10, [CHARGE, CHANGE], "a change like this is told in one event"),
    ([], 10, [CreditUsed(1, 2, 1), *UPGRADE], "it charges 4000 units, 0 by credit; told was CreditUsed, Charged"),
    ([], 10, [kept_of(PAYEE, 3_600), *UPGRADE], "what belongs to Claimable is missing"),
    ([], 10, [Upgraded(1, 2, 2, 3_999)], "it is 3999 units for [864000, 2592000), of the change that made it 4000"),
    ([], 10, [Upgraded(1, 2, 3, 4_000)], "charge 3 follows charge 1"),
    ([], 10, [Upgraded(1, 7, 2, 4_000)], "plan 7 is unknown"),
    ([], 10, [Upgraded(1, 4, 2, 700)], "0 units of credit are left, expected are 1300"),
    ([], 30, [Upgraded(1, 2, 2, 9_000)], "a charge is due since 2592000"),
    (WITH_CREDIT, 10, [Upgraded(1, 2, 3, 4_000)], "4000 by credit; told was Charged"),
    (WITH_CREDIT, 10, [CreditUsed(1, 3, 4_000), Upgraded(1, 2, 3, 0)], "a change like this is told in two events"),
    ([], 30, [PlanChanged(1, 2, 0, 0)], "a charge is due since 2592000"),
    ([], 10, [PlanChanged(1, 6, 0, 0)], "plan 6 is of register 1, plan 1 of 0"),
    ([(5, [PlanArchived(2)])], 10, UPGRADE, "plan 2 is archived"),
    (WITH_CREDIT, 10, [CHARGE, CHANGE], "charge 2 follows charge 2"),
    (WITH_CREDIT, 10, [charged(3, 10, 30, 4_000), PlanChanged(1, 2, 0, 0)], "4000 by credit; told was Charged"),
    (WITH_CREDIT, 11, [PlanChanged(1, 4, 0, 0)], "units of credit are left, expected are"),
    # what is kept
    ([], 30, [kept_of(PAYEE, 2_999), charged(2, 30, 60, 3_000)], "2999 units of 0xToken are kept for 0xPayee"),
    ([], 30, [kept_of(OTHER, 3_000), charged(2, 30, 60, 3_000)], "are kept for 0xOther, which are no part of it"),
    ([], 30, [kept_of(PAYEE, 3_000), kept_of(PAYEE, 3_000), charged(2, 30, 60, 3_000)], "no part of it"),
    ([], 30, [Claimable(PAYEE, OTHER, 1, 3_000), charged(2, 30, 60, 3_000)], "3000 units of 0xOther are kept"),
    ([], 30, [kept_of(PAYEE, 3_000, 2), charged(2, 30, 60, 3_000)], "subscription 2 is unknown"),
    ([], 30, [kept_of(PAYEE, 3_000)], "what belongs to it is missing"),
    ([], 30, [kept_of(PAYEE, 3_000), Declined(1, 30 * DAY, DeclineReason.BALANCE)], "what belongs to Claimable"),
    ([(30, [kept_of(PAYEE, 3_000), charged(2, 30, 60, 3_000)])], 31, [Claimed(PAYEE, TOKEN, 2_999)], "3000 are kept"),
    ([(30, [kept_of(PAYEE, 3_000), charged(2, 30, 60, 3_000)])], 31, [Claimed(OTHER, TOKEN, 3_000)], "0 are kept"),
]


@pytest.mark.parametrize(("before", "day", "act", "message"), IMPOSSIBLE)
def test_E62_an_act_that_cannot_be_is_refused(
    before: list[tuple[int, list[Event]]], day: int, act: list[Event], message: str
) -> None:
    story = Story()
    for earlier_day, earlier in before:
        story.at(earlier_day, *earlier)
    entries = story.books.entry_number
    with pytest.raises(EventsInconsistent, match=re.escape(message)):
        story.at(day, *act)
    assert story.books.entry_number == entries


def test_E62_the_events_of_an_act_are_of_one_transaction() -> None:
    books = Story().books
    events: list[Event] = [Subscribed(2, PAYER, 1, DAY), charged(1, 1, 31, 3_000, 2)]
    first, second = (Recorded(Origin(20, b"b", DAY, b"%d" % at, at), event) for at, event in enumerate(events))
    books.apply(first)
    with pytest.raises(EventsInconsistent, match="what belongs to Subscribed is missing"):
        books.apply(second)
