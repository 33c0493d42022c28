"""Every call of the contract through the typed layer, on a real chain."""

from __future__ import annotations

import dataclasses
import importlib
import json
from collections.abc import Callable

import pytest
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from tallystick.chain.calls import call_data
from tallystick.chain.node import Node
from tallystick.chain.plans import plan_address
from tallystick.chain.sender import Call, Sender
from tallystick.chain.signer import KeySigner
from tallystick.chain.subscriptions import ControlTotals, Subscriptions
from tallystick.core.change import Segment
from tallystick.core.events import (
    CancellationScheduled,
    Cancelled,
    Charged,
    Claimable,
    Claimed,
    Declined,
    MandateAccepted,
    MandateRevoked,
    Paused,
    PlanChanged,
    PlanCreated,
    Refunded,
    RegisterOpened,
    Resumed,
    SeatsSet,
    Subscribed,
    UsageCharged,
)
from tallystick.core.mandate import Mandate, typed_data
from tallystick.core.period import Unit
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import DeclineReason, Status, Subscription
from tallystick.errors import (
    AllowanceTooLow,
    AnotherChargeIsNext,
    BalanceTooLow,
    ChargeDue,
    HistoryMismatch,
    InputError,
    InvalidSignature,
    KeyMissing,
    MandateExpired,
    NodeInvalid,
    NotAContract,
    NotActive,
    NotAuthorized,
    NothingToClaim,
    NotPaused,
    PayeeRefused,
    PayerIsPayee,
    PeriodOutOfRange,
    PlanIsArchived,
    RefundTooHigh,
    SaltUsed,
    TermsChanged,
    TokenRefused,
    ToPayTooHigh,
    TransactionReverted,
    UnknownCharge,
    UnknownPlan,
    UnknownSubscription,
    UsageAboveCap,
    UsageTooDear,
    ZeroAddress,
    ZeroAmount,
)
from tests.business import PRICE_UNITS, Business
from tests.chain.conftest import Proxy

MERCHANT, PAYER, OTHER = 1, 2, 3
FAR = 2**40
On = Callable[[int], Subscriptions]


@pytest.fixture
def on(business: Business, node: Node, sender_of: Callable[[int], Sender]) -> On:
    """The contract as one of Anvil's accounts uses it; the merchant is account 1."""
    business.payee = business.anvil.address(MERCHANT)
    return lambda index: Subscriptions(node, business.subscriptions, sender_of(index))


@pytest.fixture
def plan(business: Business, on: On) -> Plan:
    terms = PlanTerms(business.payee, PRICE_UNITS, business.token, 1, Unit.MONTH, 2)
    plan_id = on(MERCHANT).create_plan(terms).one(PlanCreated).plan_id
    return Plan(plan_id, 0, terms)


def give(business: Business, index: int, *, units: int = 10**9, allowance: int = 10**9) -> str:
    address = business.anvil.address(index)
    business.mint(address, units)
    business.approve(address, allowance)
    return address


def signed(business: Business, plan: Plan, mandate: Mandate, index: int = PAYER) -> bytes:
    signer = KeySigner.from_key(business.anvil.key(index))
    return signer.sign_typed_data(
        typed_data(mandate, plan, chain_id=business.anvil.chain_id, contract=business.subscriptions)
    )


def test_plans_are_created_and_read(on: On, plan: Plan) -> None:
    contract = on(MERCHANT)
    assert contract.plan(1) == plan
    yearly = dataclasses.replace(plan.terms, every=2, unit=Unit.YEAR, catch_up=0)
    sent = contract.create_plan(yearly)
    assert sent.events == (PlanCreated(2, 0, yearly),)
    assert contract.plan_count() == 2
    assert contract.plans([2, 1]) == [Plan(2, 0, yearly), plan]
    for unknown in (0, 3, 2**256 - 1):
        with pytest.raises(UnknownPlan, match=f"there is no plan {unknown} on this chain"):
            contract.plan(unknown)


def test_wrong_terms_are_refused_before_anything_is_sent(business: Business, on: On, plan: Plan) -> None:
    contract = on(MERCHANT)
    before = business.anvil.block_number
    terms = plan.terms
    for wrong, error in (
        (dataclasses.replace(terms, payee="0x" + "00" * 20), ZeroAddress),
        (dataclasses.replace(terms, payee=business.anvil.address(OTHER)), NotAuthorized),
        (dataclasses.replace(terms, price_units=0), ZeroAmount),
        (dataclasses.replace(terms, token=business.payee), NotAContract),
        (dataclasses.replace(terms, every=101, unit=Unit.YEAR), PeriodOutOfRange),
        (dataclasses.replace(terms, price_units=2**96), InputError),
        (dataclasses.replace(terms, every=-1), InputError),
        (dataclasses.replace(terms, token="0x12"), InputError),
    ):
        with pytest.raises(error):
            contract.create_plan(wrong)
    assert business.anvil.block_number == before


def test_subscribe_charge_and_totals(business: Business, on: On, plan: Plan) -> None:
    payer, contract = give(business, PAYER), on(PAYER)
    sent = contract.subscribe(plan)
    opened, charged = sent.one(Subscribed), sent.one(Charged)
    now = business.anvil.timestamp
    assert opened == Subscribed(1, payer, 1, now)
    assert (charged.charge_number, charged.period_start, charged.amount_units) == (1, now, PRICE_UNITS)
    assert contract.register_count() == 1
    found = contract.subscription(1)
    assert found == Subscription(1, payer, 1, charged.period_end, 1, Status.ACTIVE, found.anchor_day)

    assert contract.charge_dry_run([1, 9]) == [DeclineReason.NOT_DUE, DeclineReason.UNKNOWN]
    business.anvil.set_time(charged.period_end)
    biller = on(OTHER)
    assert biller.charge_dry_run([1, 9]) == [DeclineReason.NONE, DeclineReason.UNKNOWN]
    assert Subscriptions(biller.node, biller.address).charge_dry_run([1]) == [DeclineReason.NONE]
    assert 50_000 < biller.charge_gas([1]) < 800_000
    sent = biller.charge([1, 9])
    assert sent.reasons == [DeclineReason.NONE, DeclineReason.UNKNOWN]
    assert sent.one(Declined).subscription_id == 9
    assert biller.charge([1]).reasons == [DeclineReason.NOT_DUE]
    totals = ControlTotals(1, 2, 2 * PRICE_UNITS, 0, 0)
    assert contract.control_totals(business.payee, business.token) == totals
    assert contract.control_totals(payer, business.token) == ControlTotals(0, 0, 0, 0, 0)
    with pytest.raises(InputError, match="no subscription to charge"):
        biller.charge([])


def test_subscribing_without_means_or_sense_is_refused_by_name(business: Business, on: On, plan: Plan) -> None:
    contract = on(PAYER)
    with pytest.raises(AllowanceTooLow) as allowance:
        contract.subscribe(plan)
    assert (allowance.value.found, allowance.value.needed) == (0, PRICE_UNITS)
    give(business, PAYER, units=1)
    with pytest.raises(BalanceTooLow) as balance:
        contract.subscribe(plan)
    assert (balance.value.found, balance.value.needed) == (1, PRICE_UNITS)
    other = Plan(1, 0, dataclasses.replace(plan.terms, price_units=1))
    with pytest.raises(TermsChanged) as terms:
        contract.subscribe(other)
    assert (terms.value.found, terms.value.expected) == (plan.terms_hash(), other.terms_hash())
    with pytest.raises(PayerIsPayee):
        on(MERCHANT).subscribe(plan)
    with pytest.raises(UnknownPlan):
        contract.subscribe(Plan(7, 0, plan.terms))


def test_a_mandate_is_submitted_by_anyone_once(business: Business, on: On, plan: Plan) -> None:
    payer, contract = give(business, PAYER), on(OTHER)
    mandate = Mandate(payer, 1, 42, FAR)
    signature = signed(business, plan, mandate)
    assert not contract.is_salt_used(payer, 42)
    sent = contract.submit_mandate(mandate, signature)
    assert sent.one(MandateAccepted) == MandateAccepted(1, payer, 42, contract.mandate_hash(mandate))
    assert sent.one(Subscribed).payer == payer
    assert contract.is_salt_used(payer, 42)
    with pytest.raises(SaltUsed) as used:
        contract.submit_mandate(mandate, signature)
    assert (used.value.payer, used.value.salt) == (payer, 42)

    expired = Mandate(payer, 1, 43, business.anvil.timestamp)
    with pytest.raises(MandateExpired):
        contract.submit_mandate(expired, signed(business, plan, expired))
    forged = Mandate(payer, 1, 44, FAR)
    with pytest.raises(InvalidSignature) as wrong:
        contract.submit_mandate(forged, signed(business, plan, forged, OTHER))
    assert wrong.value.signer == payer
    assert on(PAYER).revoke_mandate(44).events == (MandateRevoked(payer, 44),)
    with pytest.raises(SaltUsed):
        contract.submit_mandate(forged, signed(business, plan, forged))


def test_E72_a_revert_after_the_dry_run_has_its_reason_and_its_transaction(
    business: Business, on: On, plan: Plan
) -> None:
    """Between trying and mining, somebody else submits the same mandate."""
    payer = give(business, PAYER)
    mandate = Mandate(payer, 1, 42, FAR)
    values = ((payer, 1, 0, 42, FAR), signed(business, plan, mandate))
    call = Call(business.subscriptions, call_data("submitMandate", *values))
    slow, quick = on(OTHER).sender, on(MERCHANT).sender
    business.anvil.rpc("evm_setAutomine", False)
    submission = slow.submit(call)
    business.anvil.rpc("anvil_dropTransaction", submission.transaction)
    first = quick.submit(call)
    business.anvil.mine()
    raw = submission.versions[submission.transaction]
    business.anvil.rpc("eth_sendRawTransaction", "0x" + raw.hex())
    business.anvil.mine()
    assert quick.wait(first).block_number == business.anvil.block_number - 1
    with pytest.raises(SaltUsed) as caught:
        slow.wait(submission)
    reverted = caught.value.__cause__
    assert isinstance(reverted, TransactionReverted)
    assert reverted.transaction == submission.transaction
    assert f"{submission.transaction} was mined in block {business.anvil.block_number} and reverted" in str(reverted)


def test_cancelling(business: Business, on: On, plan: Plan) -> None:
    give(business, PAYER)
    payer, merchant, stranger = on(PAYER), on(MERCHANT), on(OTHER)
    for _ in range(2):
        payer.subscribe(plan)
    end = payer.subscription(2).next_due
    with pytest.raises(NotAuthorized) as caught:
        stranger.cancel(1)
    assert caught.value.caller == business.anvil.address(OTHER)
    assert payer.cancel(1).events == (Cancelled(1),)
    with pytest.raises(NotActive, match="subscription 1 is cancelled, this needs an active one") as inactive:
        merchant.cancel(1)
    assert (inactive.value.subscription_id, inactive.value.status) == (1, 2)
    assert merchant.cancel_at_period_end(2).events == (CancellationScheduled(2, end),)
    assert payer.subscription(2).status is Status.ENDING
    with pytest.raises(NotActive, match="subscription 2 is ending, this needs an active one"):
        payer.cancel_at_period_end(2)
    for unknown in (0, 3):
        with pytest.raises(UnknownSubscription, match=f"no subscription {unknown} on this chain"):
            payer.cancel(unknown)


def test_E25_pausing_and_resuming(business: Business, on: On, plan: Plan) -> None:
    give(business, PAYER)
    payer, merchant = on(PAYER), on(MERCHANT)
    payer.subscribe(plan)
    due = payer.subscription(1).next_due
    with pytest.raises(NotAuthorized):
        merchant.pause(1)
    with pytest.raises(NotPaused, match="subscription 1 is active, not paused") as running:
        payer.resume(1)
    assert (running.value.subscription_id, running.value.status) == (1, 0)
    sent = payer.pause(1)
    left = due - payer.node.timestamp()
    assert sent.events == (Paused(1, left),)
    assert payer.subscription(1)[3:6] == (left, 1, Status.PAUSED)
    for attempt in (payer.pause, payer.cancel_at_period_end):
        with pytest.raises(NotActive, match="is paused, this needs an active one: resume it first"):
            attempt(1)
    business.anvil.advance(100 * 86_400)
    assert payer.charge_dry_run([1]) == [DeclineReason.PAUSED]
    resumed = payer.resume(1).one(Resumed)
    assert resumed == Resumed(1, payer.node.timestamp() + left)
    business.anvil.advance(left)
    with pytest.raises(ChargeDue, match="have it charged first, or cancel it") as late:
        payer.pause(1)
    assert (late.value.subscription_id, late.value.due) == (1, resumed.next_due)
    for unknown in (0, 2):
        for attempt in (payer.pause, payer.resume):
            with pytest.raises(UnknownSubscription, match=f"no subscription {unknown} on this chain"):
                attempt(unknown)


def test_the_contract_itself_is_refused_as_receiver(business: Business, on: On, plan: Plan) -> None:
    terms = dataclasses.replace(plan.terms, fee_bps=1, fee_receiver=business.subscriptions)
    with pytest.raises(PayeeRefused, match=f"{business.subscriptions} is the contract itself"):
        on(MERCHANT).create_plan(terms)


def test_E36_refunds_are_bounded_by_the_charge(business: Business, on: On, plan: Plan) -> None:
    give(business, PAYER)
    give(business, MERCHANT)
    on(PAYER).subscribe(plan)
    merchant = on(MERCHANT)
    assert merchant.refund(1, 1, 1_000_000).events == (Refunded(1, 1, 1_000_000),)
    assert merchant.refunded(1, 1) == 1_000_000
    assert merchant.control_totals(business.payee, business.token) == ControlTotals(1, 1, PRICE_UNITS, 1, 1_000_000)
    with pytest.raises(RefundTooHigh) as high:
        merchant.refund(1, 1, PRICE_UNITS)
    assert (high.value.requested, high.value.refundable) == (PRICE_UNITS, PRICE_UNITS - 1_000_000)
    with pytest.raises(UnknownCharge) as unknown:
        merchant.refund(1, 2, 1)
    assert unknown.value.args == (1, 2, 1)
    with pytest.raises(ZeroAmount):
        merchant.refund(1, 1, 0)
    with pytest.raises(NotAuthorized):
        on(OTHER).refund(1, 1, 1)


def test_without_a_key_nothing_is_written(business: Business, node: Node, plan: Plan) -> None:
    contract = Subscriptions(node, business.subscriptions)
    assert contract.plan(1) == plan
    with pytest.raises(KeyMissing, match="set TALLYSTICK_KEY"):
        contract.subscribe(plan)


def test_an_address_without_the_contract_is_said_to_be_one(business: Business, node: Node) -> None:
    with pytest.raises(NodeInvalid, match="plan was answered by 0 bytes that it cannot answer"):
        Subscriptions(node, business.anvil.address(7)).plan(1)


def test_a_receipt_without_its_events_is_refused(business: Business, on: On, plan: Plan) -> None:
    give(business, PAYER)
    sent = on(PAYER).subscribe(plan)
    with pytest.raises(NodeInvalid, match="has no Refunded event, which it must have"):
        sent.one(Refunded)


# --- Seats, changes, claims -------------------------------------------------------------------------------------------


def test_a_plan_is_read_with_its_register_and_compared_with_its_code(business: Business, on: On, plan: Plan) -> None:
    other = dataclasses.replace(plan.terms, payee=business.anvil.address(OTHER), seat_price_units=5, family=3, trial=60)
    created = on(OTHER).create_plan(other)
    assert created.events == (
        RegisterOpened(1, other.payee, business.token),
        PlanCreated(2, 1, other),
    )
    contract = on(PAYER)
    assert contract.plan(2) == Plan(2, 1, other)
    assert contract.plan(2).terms_hash() == business.terms_hash(2)
    on(OTHER).archive_plan(2)
    assert contract.plan(2).archived
    assert contract.is_archived(2)
    assert not contract.is_archived(1)
    with pytest.raises(PlanIsArchived):
        on(OTHER).archive_plan(2)


def test_a_node_that_lies_about_a_plan_is_found_out(business: Business, node: Node, proxy: Proxy, plan: Plan) -> None:
    """Its terms are worth nothing unless they hash to what the chain keeps, which is what payers agree to."""
    price = f"{PRICE_UNITS:064x}"

    def cheaper(method: str, answer: bytes) -> tuple[int, bytes]:
        del method
        return 200, json.dumps(json.loads(answer.replace(price.encode(), f"{1:064x}".encode()))).encode()

    proxy.misbehave = cheaper
    contract = Subscriptions(Node(type(node.provider)(proxy.url), node.chain_id), business.subscriptions)
    with pytest.raises(NodeInvalid, match="the terms of plan 1 are not those that its code at 0x"):
        contract.plan(plan.plan_id)


def test_the_addresses_of_plans_follow_from_their_numbers() -> None:
    """As any library computes the address of an account's n-th contract, and go-ethereum's tests have it."""
    rlp = importlib.import_module("rlp")  # which has no types
    known = "0x6ac7ea33f8831ea9dcc53393aaa88b25a785dbf0"
    assert plan_address(known, 1).lower() == "0x343c43a37d37dff08ae8c4a11544c718abb4fcf8"
    creator = "0x970E8128AB834E8EAC17Ab8E3812F010678CF791"
    for number in (1, 127, 128, 255, 256, 65_535, 65_536, 2**24, 2**32 - 1):
        expected = keccak(rlp.encode([bytes.fromhex(creator[2:]), number]))[12:]
        assert plan_address(creator, number) == to_checksum_address(expected)


def test_seats_a_change_and_its_views(business: Business, on: On, plan: Plan) -> None:
    give(business, PAYER)
    team = dataclasses.replace(plan.terms, seat_price_units=1_000_000)
    on(MERCHANT).create_plan(team)
    contract = on(PAYER)
    opened = contract.subscribe(contract.plan(2), seats=3)
    assert [type(event) for event in opened.events] == [Subscribed, SeatsSet, Charged]
    assert contract.subscription(1).seats == 3
    assert contract.commitment(1) == 0
    preview = contract.preview(1)
    assert (preview.reason, preview.amount_units, preview.credit_used_units) == (
        *(DeclineReason.NOT_DUE, PRICE_UNITS + 3_000_000, 0),
    )
    quoted = contract.quote(1, 2, 5)
    assert (quoted.to_pay_units, quoted.credit_units) == (2_000_000, 0)
    with pytest.raises(ToPayTooHigh) as high:
        contract.change_plan(1, contract.plan(2), 5, 1)
    assert high.value.allowed == 1
    sent = contract.change_plan(1, contract.plan(2), 5, quoted.to_pay_units)
    assert sent.one(PlanChanged) == PlanChanged(1, 2, 5, 0)
    assert sent.one(Charged).charge_number == 2
    assert contract.commitment(1) != 0
    with pytest.raises(HistoryMismatch, match="subscription 1 was changed"):
        on(MERCHANT).refund(1, 1, 1)
    with pytest.raises(HistoryMismatch):
        on(MERCHANT).refund(1, 1, 1, [Segment(1, 5, 5)])
    give(business, MERCHANT)
    history = [Segment(1, PRICE_UNITS + 3_000_000, sent.one(Charged).amount_units)]
    assert on(MERCHANT).refund(1, 1, 1, history).one(Refunded).amount_units == 1


def test_stopping_and_claiming(business: Business, on: On, plan: Plan) -> None:
    payer = give(business, PAYER)
    contract = on(PAYER)
    for _ in range(2):
        contract.subscribe(plan)
    business.block(business.payee)
    business.anvil.set_time(contract.subscription(2).next_due)
    assert contract.charge([2]).one(Claimable) == Claimable(business.payee, business.token, 2, PRICE_UNITS)
    assert contract.claimable(business.payee, business.token) == PRICE_UNITS
    with pytest.raises(TokenRefused):
        contract.claim(business.payee, business.token)
    business.unblock(business.payee)
    assert contract.claim(business.payee, business.token).events == (
        Claimed(business.payee, business.token, PRICE_UNITS),
    )
    with pytest.raises(NothingToClaim) as nothing:
        contract.claim(business.payee, business.token)
    assert (nothing.value.account, nothing.value.token) == (business.payee, business.token)
    assert contract.stop([1, 2, 2, 77], [5, 5]).events == (Cancelled(1), Cancelled(2), MandateRevoked(payer, 5))


def test_usage_is_charged_within_what_was_agreed_to(business: Business, on: On, plan: Plan) -> None:
    give(business, PAYER)
    biller = business.anvil.address(OTHER)
    metered = dataclasses.replace(plan.terms, usage_cap_units=500, usage_price_units=2_000_000, biller=biller)
    created = on(MERCHANT).create_plan(metered)
    assert created.events == (PlanCreated(2, 0, metered),)
    contract = on(OTHER)
    assert contract.plan(2) == Plan(2, 0, metered)
    assert contract.plan(2).terms_hash() == business.terms_hash(2)
    end = on(PAYER).subscribe(contract.plan(2)).one(Charged).period_end
    start = contract.node.timestamp()
    assert contract.usage_left(1) == 500
    document = bytes(range(32))
    assert contract.charge_usage(1, 2, 399, 200, document).events == (
        UsageCharged(1, 2, 200, document),
        Charged(1, 2, start, end, 399),
    )
    assert (contract.usage_left(1), contract.commitment(1) != 0) == (101, True)
    with pytest.raises(UsageAboveCap) as high:
        contract.charge_usage(1, 3, 102, 200, document)
    assert high.value.args == (102, 101)
    for number in (2, 4):
        with pytest.raises(AnotherChargeIsNext) as other:
            contract.charge_usage(1, number, 102, 200, document)
        assert other.value.args == (number, 3)
    with pytest.raises(UsageTooDear) as dear:
        contract.charge_usage(1, 3, 3, 1, document)
    assert dear.value.args == (3, 2)
    with pytest.raises(NotAuthorized):
        on(PAYER).charge_usage(1, 3, 1, 1, document)
    with pytest.raises(InputError, match="chargeUsage"):
        contract.charge_usage(1, 3, 1, 1, bytes(33))
    give(business, MERCHANT)
    assert on(MERCHANT).refund(1, 2, 399, [Segment(1, PRICE_UNITS, 399)]).one(Refunded).amount_units == 399
    totals = ControlTotals(1, 2, PRICE_UNITS + 399, 1, 399)
    assert contract.control_totals(business.payee, business.token) == totals
    on(PAYER).subscribe(plan)
    assert contract.usage_left(2) == 0
