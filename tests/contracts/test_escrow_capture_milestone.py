"""captureMilestone: a part of what is held, once, from its time on, in a tree that the terms name."""

from __future__ import annotations

import pytest

from tests.contracts.payments import (
    AMOUNT,
    CAPTURE_BEFORE,
    CLOSED,
    DISPUTED,
    NO_HASH,
    OPEN,
    Milestone,
    Payments,
    State,
    Terms,
    pair,
)
from tests.contracts.stage import DAY, START, Account, Receipt, Stage, reverts

LATER = START + 5 * DAY
FIRST, SECOND, THIRD = Milestone(0, 50_000_000), Milestone(1, 30_000_000, LATER), Milestone(2, 20_000_000)
"""Together all of the payment."""
ROOT = pair(pair(FIRST.leaf(), SECOND.leaf()), THIRD.leaf())
PROOFS = {
    FIRST: [SECOND.leaf(), THIRD.leaf()],
    SECOND: [FIRST.leaf(), THIRD.leaf()],
    THIRD: [pair(FIRST.leaf(), SECOND.leaf())],
}


def capture(
    payments: Payments,
    terms: Terms,
    milestone: Milestone,
    *,
    proof: list[bytes] | None = None,
    fee_bps: int = 0,
    sender: Account | None = None,
) -> Receipt:
    proof = PROOFS[milestone] if proof is None else proof
    sender = sender or payments.payee
    return payments.escrow.captureMilestone(terms, *milestone, fee_bps, proof, sender=sender)


@pytest.fixture
def held(payments: Payments) -> Terms:
    """A payment in three milestones."""
    return payments.authorized(milestones_root=ROOT)


# --- What it does ---


@pytest.mark.parametrize("who", ["payee", "operator"])
def test_pays_a_milestone(payments: Payments, held: Terms, who: str) -> None:
    payment_id, since = payments.id(held), payments.state(held).since
    with payments.moves(payee=FIRST.amount, escrow=-FIRST.amount):
        receipt = capture(payments, held, FIRST, sender=getattr(payments, who))
    assert payments.events(receipt) == [
        ("MilestoneReached", {"paymentId": payment_id, "index": 0}),
        ("Captured", {"paymentId": payment_id, "amount": FIRST.amount, "fee": 0}),
    ]
    assert payments.state(held) == State(OPEN, AMOUNT - FIRST.amount, FIRST.amount, since, 0b1)


def test_pays_all_of_them_in_any_order(payments: Payments, held: Terms, stage: Stage) -> None:
    stage.at(LATER)
    with payments.moves(payee=AMOUNT, escrow=-AMOUNT):
        for milestone in (THIRD, SECOND, FIRST):
            capture(payments, held, milestone)
    assert payments.state(held)[::4] == (CLOSED, 0b111)


def test_pays_the_fee_of_each(payments: Payments) -> None:
    terms = payments.with_fee(milestones_root=ROOT)
    payments.authorize(terms)
    with payments.moves(payee=49_000_000, receiver=1_000_000, escrow=-FIRST.amount):
        capture(payments, terms, FIRST, fee_bps=200)
    with payments.nothing_changes(), reverts("FeeOutOfRange", found=99, least=100, most=300):
        capture(payments, terms, THIRD, fee_bps=99)


def test_a_single_milestone_is_its_own_tree(payments: Payments) -> None:
    only = Milestone(19, AMOUNT)
    terms = payments.authorized(milestones_root=only.leaf())
    capture(payments, terms, only, proof=[])
    assert payments.state(terms)[::4] == (CLOSED, 1 << 19)


# --- What it refuses ---


def test_E44_a_dust_capture_of_the_payer_does_not_deny_the_last_milestone(
    payments: Payments, held: Terms, stage: Stage
) -> None:
    """The payer releases a unit, so that less is held than the milestones are together: the last pays what is left."""
    stage.at(LATER)
    capture(payments, held, FIRST)
    capture(payments, held, SECOND)
    payments.escrow.capture(held, 1, 0, sender=payments.payer)
    with payments.moves(payee=THIRD.amount - 1, escrow=1 - THIRD.amount):
        receipt = capture(payments, held, THIRD)
    assert payments.events(receipt)[1][1]["amount"] == THIRD.amount - 1
    assert payments.state(held)[:3] == (CLOSED, 0, AMOUNT)


def test_milestones_beyond_what_is_held_pay_what_is_left(payments: Payments) -> None:
    one, other = Milestone(3, AMOUNT - 1), Milestone(4, AMOUNT)
    terms = payments.authorized(milestones_root=pair(one.leaf(), other.leaf()))
    capture(payments, terms, one, proof=[other.leaf()])
    with payments.moves(payee=1, escrow=-1):
        capture(payments, terms, other, proof=[one.leaf()])
    assert payments.state(terms)[::4] == (CLOSED, 0b11000)


def test_refuses_a_second_time(payments: Payments, held: Terms) -> None:
    capture(payments, held, FIRST)
    with payments.nothing_changes(), reverts("MilestoneCaptured", paymentId=payments.id(held), index=0):
        capture(payments, held, FIRST)


def test_refuses_the_same_index_with_another_amount(payments: Payments) -> None:
    one, other = Milestone(0, 1), Milestone(0, 2)
    terms = payments.authorized(milestones_root=pair(one.leaf(), other.leaf()))
    capture(payments, terms, one, proof=[other.leaf()])
    with payments.nothing_changes(), reverts("MilestoneCaptured", paymentId=payments.id(terms), index=0):
        capture(payments, terms, other, proof=[one.leaf()])


@pytest.mark.parametrize(
    ("milestone", "proof"),
    [
        (FIRST._replace(amount=FIRST.amount + 1), PROOFS[FIRST]),
        (FIRST._replace(place=1), PROOFS[FIRST]),
        (SECOND._replace(releasable_at=0), PROOFS[SECOND]),
        (FIRST, PROOFS[THIRD]),
        (FIRST, PROOFS[FIRST][::-1]),
        (FIRST, PROOFS[FIRST][:1]),
        (FIRST, []),
        (FIRST, [*PROOFS[FIRST], NO_HASH]),
    ],
)
def test_refuses_what_is_not_in_the_tree(
    payments: Payments, held: Terms, milestone: Milestone, proof: list[bytes]
) -> None:
    expected = {"paymentId": payments.id(held), "index": milestone.place}
    with payments.nothing_changes(), reverts("UnknownMilestone", **expected):
        capture(payments, held, milestone, proof=proof)


def test_refuses_a_node_of_the_tree_as_a_leaf(payments: Payments, held: Terms) -> None:
    """A second preimage: two hashes as index and amount. Leaves are hashed twice, and of three words."""
    low, high = sorted([FIRST.leaf(), SECOND.leaf()])
    forged = Milestone(int.from_bytes(low, "big"), int.from_bytes(high, "big"))
    with payments.nothing_changes(), reverts("UnknownMilestone", paymentId=payments.id(held), index=forged.place):
        capture(payments, held, forged, proof=[THIRD.leaf()])


@pytest.mark.parametrize("index", [20, 24, 255, 256, 2**255])
def test_refuses_an_index_above_19(payments: Payments, index: int) -> None:
    """Its bit would be another's of the payment's word."""
    milestone = Milestone(index, AMOUNT)
    terms = payments.authorized(milestones_root=milestone.leaf())
    with payments.nothing_changes(), reverts("UnknownMilestone", paymentId=payments.id(terms), index=index):
        capture(payments, terms, milestone, proof=[])


def test_refuses_where_the_terms_name_no_tree(payments: Payments) -> None:
    terms = payments.authorized()
    for proof in ([], [NO_HASH], [FIRST.leaf()]):
        with payments.nothing_changes(), reverts("UnknownMilestone", paymentId=payments.id(terms), index=0):
            capture(payments, terms, FIRST, proof=proof)


def test_E32_refuses_a_milestone_of_nothing(payments: Payments) -> None:
    nothing = Milestone(0, 0)
    terms = payments.authorized(milestones_root=nothing.leaf())
    with payments.nothing_changes(), reverts("ZeroAmount"):
        capture(payments, terms, nothing, proof=[])


def test_only_payee_and_operator_may(payments: Payments, held: Terms) -> None:
    """The payer needs no milestone to release."""
    for sender in (payments.payer, payments.anyone, payments.receiver):
        with payments.nothing_changes(), reverts("NotAuthorized", caller=sender):
            capture(payments, held, FIRST, sender=sender)


@pytest.mark.parametrize(("second", "good"), [(-1, False), (0, True), (1, True)])
def test_E20_from_its_time_on(payments: Payments, held: Terms, stage: Stage, second: int, good: bool) -> None:
    stage.at(LATER + second)
    if good:
        capture(payments, held, SECOND)
    else:
        with payments.nothing_changes(), reverts("MilestoneTooEarly", releasableAt=LATER, time=LATER - 1):
            capture(payments, held, SECOND)


@pytest.mark.parametrize(("second", "good"), [(-1, True), (0, False), (1, False)])
def test_E20_until_capture_ends(payments: Payments, held: Terms, stage: Stage, second: int, good: bool) -> None:
    stage.at(CAPTURE_BEFORE + second)
    if good:
        capture(payments, held, FIRST)
        return
    expected = {"captureBefore": CAPTURE_BEFORE, "time": CAPTURE_BEFORE + second}
    with payments.nothing_changes(), reverts("CaptureEnded", **expected):
        capture(payments, held, FIRST)


@pytest.mark.parametrize(("second", "good"), [(-1, False), (0, True), (1, True)])
def test_E20_after_the_dispute_window(payments: Payments, stage: Stage, second: int, good: bool) -> None:
    terms = payments.authorized(milestones_root=ROOT, dispute_window=DAY)
    until = payments.state(terms).since + DAY
    stage.at(until + second)
    if good:
        capture(payments, terms, FIRST)
    else:
        with payments.nothing_changes(), reverts("WindowOpen", until=until, time=until - 1):
            capture(payments, terms, FIRST)


def test_refuses_while_it_is_disputed_and_when_it_is_closed(payments: Payments) -> None:
    terms = payments.disputed(milestones_root=ROOT)
    with payments.nothing_changes(), reverts("NotOpen", paymentId=payments.id(terms), status=DISPUTED):
        capture(payments, terms, FIRST)
    payments.escrow.void(terms, sender=payments.payee)
    with payments.nothing_changes(), reverts("NotOpen", paymentId=payments.id(terms), status=CLOSED):
        capture(payments, terms, FIRST)


def test_refuses_what_was_never_authorized(payments: Payments) -> None:
    terms = payments.terms(milestones_root=ROOT)
    with payments.nothing_changes(), reverts("UnknownPayment", paymentId=payments.id(terms)):
        capture(payments, terms, FIRST)
