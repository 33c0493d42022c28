"""submitMandateWithConditions: anyone brings a payer's signed consent to one of some plans, once, as it was signed."""

from __future__ import annotations

from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.address import to_checksum_address

from tests.contracts.signing import (
    NO_COUPON,
    Conditions,
    Coupon,
    Mandate,
    MandateWithConditions,
    digest,
    mandate_with_conditions_data,
    signed_coupon,
    signed_mandate,
    signed_mandate_with_conditions,
)
from tests.contracts.special import PAID, charge_as_foreseen, conditions_of, reason
from tests.contracts.stage import (
    DAY,
    FIRST_DUE,
    FUNDS,
    NOBODY,
    PRICE,
    SUBSCRIBED,
    UNLIMITED,
    Account,
    Contract,
    Receipt,
    Stage,
    deploy,
    reverts,
)

CURVE_ORDER = 0xFFFFFFFF_FFFFFFFF_FFFFFFFF_FFFFFFFE_BAAEDCE6_AF48A03B_BFD25E8C_D0364141
MAGIC = bytes.fromhex("6492" * 16)
"""Ends a signature of a wallet that is not there yet (ERC-6492)."""
TRIAL = 14 * DAY
EVERYTHING = Conditions(2 * PRICE, 20 * PRICE, 0, SUBSCRIBED + 400 * DAY, to_checksum_address("0x" + "be" * 20), False)


def terms(stage: Stage, *plans: int) -> list[bytes]:
    """What a mandate names plans by."""
    return [bytes(stage.subscriptions.termsHash(plan_id)) for plan_id in plans]


def submit(
    stage: Stage,
    mandate: MandateWithConditions,
    plan_id: int,
    signature: bytes,
    coupon: Coupon = NO_COUPON,
    coupon_signature: bytes = b"",
) -> Receipt:
    """Anyone submits it."""
    return stage.subscriptions.submitMandateWithConditions(
        mandate, plan_id, signature, coupon, coupon_signature, sender=stage.anyone
    )


@pytest.fixture
def mandate(stage: Stage, payer: Account, monthly: int) -> MandateWithConditions:
    """The payer's consent to the monthly plan, with every condition but Permit2 and a late start."""
    return MandateWithConditions(payer.address, terms(stage, monthly), conditions=EVERYTHING, salt=7)


def test_anyone_submits_what_the_payer_signed(
    stage: Stage,
    subscriptions: Contract,
    token: Contract,
    payer: Account,
    monthly: int,
    mandate: MandateWithConditions,
) -> None:
    signature = signed_mandate_with_conditions(stage, payer, mandate, monthly)
    stage.at(SUBSCRIBED)
    events = stage.events(submit(stage, mandate, monthly, signature))
    assert [name for name, _ in events] == ["Subscribed", "ConditionsSet", "Charged", "MandateAccepted"]
    assert events[0][1] == {"subscriptionId": 1, "payer": payer, "planId": 1, "firstDue": SUBSCRIBED}
    assert events[1][1] == {
        "subscriptionId": 1,
        "maxPerPeriod": 2 * PRICE,
        "maxTotal": 20 * PRICE,
        "endsAt": EVERYTHING.ends_at,
        "beneficiary": EVERYTHING.beneficiary,
        "byPermit2": False,
    }
    accepted = digest(mandate_with_conditions_data(stage, mandate, monthly))
    assert events[3][1] == {"subscriptionId": 1, "payer": payer, "salt": 7, "mandateHash": accepted}
    found = subscriptions.subscription(1)
    assert (found.payer, found.planId, found.charges, found.nextDue) == (payer, monthly, 1, FIRST_DUE)
    assert conditions_of(stage, 1) == EVERYTHING._replace(max_total=19 * PRICE)
    assert subscriptions.beneficiary(1) == EVERYTHING.beneficiary
    assert subscriptions.isSaltUsed(payer, 7)
    assert (token.balanceOf(payer), token.balanceOf(stage.merchant)) == (FUNDS - PRICE, PRICE)
    assert (stage.totals(), stage.opened()) == ((1, PRICE, 0, 0), 1)


# --- What is signed ---


@pytest.mark.parametrize("count", [0, 1, 3])
def test_what_is_signed_is_what_the_documentation_says(
    stage: Stage, subscriptions: Contract, payer: Account, count: int
) -> None:
    most = Conditions(2**96 - 1, 2**96 - 2, 2**40 - 1, 2**40 - 2, payer.address, True)
    plan_id = stage.create_plan(trial=2**32 - 1, seat_price=1)
    plans = [bytes([number]) * 32 for number in range(1, count + 1)]
    for conditions in (Conditions(), most):
        mandate = MandateWithConditions(
            payer.address, plans, UNLIMITED, UNLIMITED - 1, conditions, b"\xcc" * 32, UNLIMITED - 2, UNLIMITED - 3
        )
        found = bytes(subscriptions.mandateWithConditionsHash(mandate, plan_id))
        assert found == digest(mandate_with_conditions_data(stage, mandate, plan_id))


CHANGES: dict[str, dict[str, Any]] = {
    "payer": {"payer": "another"},
    "plans, one more": {"plans": "more"},
    "plans, another order": {"plans": "order"},
    "plans, fewer": {"plans": "fewer"},
    "seats": {"seats": 3},
    "minSecondsPerPeriod": {"min_seconds_per_period": 1},
    "salt": {"salt": 8},
    "validBefore": {"valid_before": UNLIMITED - 1},
    "coupon": {"coupon": b"\x01" * 32},
    "maxPerPeriod": {"max_per_period": 9 * PRICE},
    "maxTotal": {"max_total": 21 * PRICE},
    "startsAt": {"starts_at": SUBSCRIBED},
    "endsAt": {"ends_at": 0},
    "beneficiary": {"beneficiary": NOBODY},
    "byPermit2": {"by_permit2": True},
}


@pytest.mark.parametrize("field", list(CHANGES))
def test_refuses_what_was_not_signed_as_it_is_submitted(stage: Stage, payers: list[Account], field: str) -> None:
    plan_id, other = stage.create_plan(seat_price=1), stage.create_plan(seat_price=2)
    named = terms(stage, plan_id, other)
    signed = MandateWithConditions(payers[0].address, named, 2, 0, EVERYTHING, salt=7)
    signature = signed_mandate_with_conditions(stage, payers[0], signed, plan_id)
    change = dict(CHANGES[field])
    if "payer" in change:
        change["payer"] = payers[1].address
    if "plans" in change:
        change["plans"] = {"more": [*named, named[1]], "order": named[::-1], "fewer": named[:1]}[change["plans"]]
    is_condition = next(iter(change)) in Conditions._fields
    tampered = signed._replace(**{"conditions": EVERYTHING._replace(**change)} if is_condition else change)
    assert tampered != signed
    with stage.nothing_changes(), reverts("InvalidSignature", signer=tampered.payer):
        submit(stage, tampered, plan_id, signature)
    submit(stage, signed, plan_id, signature)


def test_refuses_a_plan_of_another_payee_or_token(
    stage: Stage, usdc: Contract, payer: Account, monthly: int, mandate: MandateWithConditions
) -> None:
    others = [stage.create_plan(payee=stage.anyone), stage.create_plan(token=usdc)]
    mandate = mandate._replace(plans=terms(stage, monthly, *others))
    signature = signed_mandate_with_conditions(stage, payer, mandate, monthly)
    for other in others:
        with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
            submit(stage, mandate, other, signature)
    submit(stage, mandate, monthly, signature)


def test_the_seconds_of_the_trial_are_signed(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account
) -> None:
    with_trial = stage.create_plan(trial=TRIAL)
    mandate = MandateWithConditions(payer.address, terms(stage, with_trial))
    unaware = signed_mandate_with_conditions(stage, payer, mandate, with_trial, trial_s=0)
    signature = signed_mandate_with_conditions(stage, payer, mandate, with_trial)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
        submit(stage, mandate, with_trial, unaware)
    submit(stage, mandate, with_trial, signature)
    assert stage.charges(1) == 0
    again = mandate._replace(salt=1)
    expecting = signed_mandate_with_conditions(stage, payer, again, with_trial)
    with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
        submit(stage, again, with_trial, expecting)  # the trial that it counts on is used up
    none_left = mandate_with_conditions_data(stage, again, with_trial, trial_s=0)
    assert bytes(subscriptions.mandateWithConditionsHash(again, with_trial)) == digest(none_left)
    submit(stage, again, with_trial, signed_mandate_with_conditions(stage, payer, again, with_trial, trial_s=0))
    assert (stage.charges(2), token.balanceOf(stage.merchant)) == (1, PRICE)


def test_of_plans_with_different_trials_only_those_with_the_signed_one(stage: Stage, payer: Account) -> None:
    plans = [stage.create_plan(trial=times * TRIAL, family=times) for times in range(3)]
    mandate = MandateWithConditions(payer.address, terms(stage, *plans))
    signature = signed_mandate_with_conditions(stage, payer, mandate, plans[1])
    for other in (plans[0], plans[2]):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
            submit(stage, mandate, other, signature)
    submit(stage, mandate, plans[1], signature)


# --- Which plan ---


@pytest.mark.parametrize("chosen", range(3))
def test_each_plan_that_it_names_can_be_chosen_once_in_all(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, chosen: int
) -> None:
    plans = [stage.create_plan(price=PRICE + number) for number in range(3)]
    mandate = MandateWithConditions(payer.address, terms(stage, *plans))
    signature = signed_mandate_with_conditions(stage, payer, mandate, plans[0])
    submit(stage, mandate, plans[chosen], signature)
    assert subscriptions.subscription(1).planId == plans[chosen]
    assert token.balanceOf(stage.merchant) == PRICE + chosen
    for plan_id in plans:
        with stage.nothing_changes(), reverts("SaltUsed", payer=payer, salt=0):
            submit(stage, mandate, plan_id, signature)


def test_no_other_plan_can_be_chosen(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int, mandate: MandateWithConditions
) -> None:
    other = stage.create_plan(price=PRICE - 1)
    signature = signed_mandate_with_conditions(stage, payer, mandate, monthly)
    with stage.nothing_changes(), reverts("PlanNotAgreed", planId=other):
        submit(stage, mandate, other, signature)
    none = mandate._replace(plans=[])
    with stage.nothing_changes(), reverts("PlanNotAgreed", planId=monthly):
        submit(stage, none, monthly, signed_mandate_with_conditions(stage, payer, none, monthly))
    for unknown in (0, 99, 2**32 + monthly, UNLIMITED):
        with stage.nothing_changes(), reverts("UnknownPlan", planId=unknown):
            submit(stage, mandate, unknown, signature)
        with reverts("UnknownPlan", planId=unknown):
            subscriptions.mandateWithConditionsHash.transact(mandate, unknown, sender=stage.anyone)


def test_a_reorganisation_that_renumbers_plans_takes_nobody_in(stage: Stage, payer: Account) -> None:
    plan_id = stage.create_plan()
    mandate = MandateWithConditions(payer.address, terms(stage, plan_id))
    signature = signed_mandate_with_conditions(stage, payer, mandate, plan_id)
    stage.rpc("anvil_reorg", 1, [])
    assert stage.create_plan(price=100 * PRICE) == plan_id
    with reverts("PlanNotAgreed", planId=plan_id):
        submit(stage, mandate, plan_id, signature)


SHORTEST = [
    ({"every": 3, "unit": 0}, 3),
    ({"every": 2, "unit": 1}, 2 * DAY),
    ({"every": 2, "unit": 2}, 14 * DAY),
    ({"every": 1, "unit": 3}, 28 * DAY),
    ({"every": 3, "unit": 3}, 3 * 28 * DAY),
    ({"every": 12, "unit": 3}, 365 * DAY),
    ({"every": 2, "unit": 4}, 730 * DAY),
]


@pytest.mark.parametrize(("period", "shortest"), SHORTEST)
@pytest.mark.parametrize("missing", [0, 1])
def test_a_period_is_at_least_as_long_as_signed(
    stage: Stage, payer: Account, period: dict[str, Any], shortest: int, missing: int
) -> None:
    plan_id = stage.create_plan(**period)
    mandate = MandateWithConditions(payer.address, terms(stage, plan_id), min_seconds_per_period=shortest + missing)
    signature = signed_mandate_with_conditions(stage, payer, mandate, plan_id)
    if missing:
        with stage.nothing_changes(), reverts("PeriodTooShort", found=shortest, allowed=shortest + 1):
            submit(stage, mandate, plan_id, signature)
    else:
        submit(stage, mandate, plan_id, signature)
        assert stage.next_due(1) - stage.now >= shortest


# --- When, and how often ---


@pytest.mark.parametrize(("offset_s", "works"), [(-1, True), (0, False), (1, False)])
def test_E20_a_mandate_is_good_before_validBefore(
    stage: Stage, payer: Account, monthly: int, mandate: MandateWithConditions, offset_s: int, works: bool
) -> None:
    mandate = mandate._replace(valid_before=SUBSCRIBED)
    signature = signed_mandate_with_conditions(stage, payer, mandate, monthly)
    time = SUBSCRIBED + offset_s
    stage.at(time)
    if works:
        submit(stage, mandate, monthly, signature)
        assert stage.charges(1) == 1
    else:
        with stage.nothing_changes(), reverts("MandateExpired", validBefore=SUBSCRIBED, time=time):
            submit(stage, mandate, monthly, signature)


def test_E17_a_mandate_is_good_once_even_after_cancelling(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int, mandate: MandateWithConditions
) -> None:
    signature = signed_mandate_with_conditions(stage, payer, mandate, monthly)
    submit(stage, mandate, monthly, signature)
    with stage.nothing_changes(), reverts("SaltUsed", payer=payer, salt=7):
        submit(stage, mandate, monthly, signature)
    subscriptions.cancel(1, sender=payer)
    with stage.nothing_changes(), reverts("SaltUsed", payer=payer, salt=7):
        submit(stage, mandate, monthly, signature)
    again = mandate._replace(salt=8)
    submit(stage, again, monthly, signed_mandate_with_conditions(stage, payer, again, monthly))
    assert stage.opened() == 2


@pytest.mark.parametrize("salt", [0, 255, 256, UNLIMITED])
def test_E17_a_salt_is_good_for_one_mandate_of_either_kind(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int, mandate: MandateWithConditions, salt: int
) -> None:
    mandate = mandate._replace(salt=salt)
    submit(stage, mandate, monthly, signed_mandate_with_conditions(stage, payer, mandate, monthly))
    plain = Mandate(payer.address, monthly, salt=salt)
    with stage.nothing_changes(), reverts("SaltUsed", payer=payer, salt=salt):
        subscriptions.submitMandate(plain, signed_mandate(stage, payer, plain), sender=stage.anyone)


def test_E17_a_revoked_mandate_is_worthless(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int, mandate: MandateWithConditions
) -> None:
    signature = signed_mandate_with_conditions(stage, payer, mandate, monthly)
    subscriptions.revokeMandate(7, sender=payer)
    with stage.nothing_changes(), reverts("SaltUsed", payer=payer, salt=7):
        submit(stage, mandate, monthly, signature)


# --- Whose signature ---


def wrap(factory: Any, call: bytes, signature: bytes) -> bytes:
    """A signature of ERC-6492: who is to be called with what before the wallet is asked."""
    return encode(["address", "bytes", "bytes"], [getattr(factory, "address", factory), call, signature]) + MAGIC


def test_E12_a_mandate_for_another_contract_is_refused(
    stage: Stage, project: Any, subscriptions: Contract, payer: Account, monthly: int, mandate: MandateWithConditions
) -> None:
    twin = deploy(project, stage.anyone)
    twin.createPlan(subscriptions.plan(monthly), sender=stage.merchant)
    assert twin.termsHash(1) == subscriptions.termsHash(monthly)
    signature = signed_mandate_with_conditions(stage, payer, mandate, monthly)
    with reverts("InvalidSignature", signer=payer):
        twin.submitMandateWithConditions(mandate, 1, signature, NO_COUPON, b"", sender=stage.anyone)


def test_E12_a_mandate_for_a_part_of_the_contract_or_another_chain_is_refused(
    stage: Stage, payer: Account, monthly: int, mandate: MandateWithConditions
) -> None:
    for domain in ({"contract": "0x" + "11" * 20}, {"chain_id": 1}):
        signature = signed_mandate_with_conditions(stage, payer, mandate, monthly, **domain)
        with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
            submit(stage, mandate, monthly, signature)


def test_E12_a_fork_with_a_new_chain_id_refuses_what_was_signed_before_it(
    stage: Stage, subscriptions: Contract, monthly: int, mandate: MandateWithConditions
) -> None:
    after = digest(mandate_with_conditions_data(stage, mandate, monthly, chain_id=31_338))
    data = "0x" + subscriptions.mandateWithConditionsHash.encode_input(mandate, monthly).hex()
    stage.rpc("anvil_setChainId", 31_338)
    try:
        assert stage.rpc("eth_call", {"to": subscriptions.address, "data": data}, "latest") == "0x" + after.hex()
    finally:
        stage.rpc("anvil_setChainId", 31_337)


def test_E13_a_second_form_of_a_signature_is_refused(
    stage: Stage, payer: Account, monthly: int, mandate: MandateWithConditions
) -> None:
    signature = signed_mandate_with_conditions(stage, payer, mandate, monthly)
    r, s, v = signature[:32], int.from_bytes(signature[32:64], "big"), signature[64]
    high_s = r + (CURVE_ORDER - s).to_bytes(32, "big") + bytes([55 - v])
    compact = r + (s | (v - 27) << 255).to_bytes(32, "big")
    wrapped = wrap(NOBODY, b"", signature)  # a key needs no wallet
    forms = (high_s, compact, signature[:64] + bytes([v - 27]), signature + b"\x00", b"", MAGIC, b"\x00" * 96 + MAGIC)
    for malleable in (*forms, wrapped):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=payer):
            submit(stage, mandate, monthly, malleable)


def test_E13_nobody_is_no_signer(stage: Stage, monthly: int, mandate: MandateWithConditions) -> None:
    mandate = mandate._replace(payer=NOBODY)
    for signature in (b"", b"\x00" * 65, b"\x00" * 64 + b"\x1b", wrap(NOBODY, b"", b"")):
        with stage.nothing_changes(), reverts("InvalidSignature", signer=NOBODY):
            submit(stage, mandate, monthly, signature)


# --- With a coupon ---


def test_the_coupon_that_it_names_comes_with_it(
    stage: Stage, subscriptions: Contract, token: Contract, payer: Account, monthly: int, mandate: MandateWithConditions
) -> None:
    coupon = Coupon(basis_points_off=2_500, periods=3)
    mandate = mandate._replace(coupon=bytes(subscriptions.couponHash(monthly, coupon)))
    signature = signed_mandate_with_conditions(stage, payer, mandate, monthly)
    stage.at(SUBSCRIBED)
    events = stage.events(submit(stage, mandate, monthly, signature, coupon, signed_coupon(stage, coupon)))
    names = ["Subscribed", "ConditionsSet", "CouponRedeemed", "Discounted", "Charged", "MandateAccepted"]
    assert [name for name, _ in events] == names
    assert token.balanceOf(stage.merchant) == PRICE - PRICE // 4
    assert conditions_of(stage, 1).max_total == 20 * PRICE - (PRICE - PRICE // 4)


def test_no_other_coupon_comes_with_it_and_it_cannot_be_left_out(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int, mandate: MandateWithConditions
) -> None:
    named, other = Coupon(basis_points_off=2_500, periods=3), Coupon(basis_points_off=1, code=1)
    hashes = [bytes(subscriptions.couponHash(monthly, coupon)) for coupon in (named, other)]
    with_coupon = mandate._replace(coupon=hashes[0])
    signature = signed_mandate_with_conditions(stage, payer, with_coupon, monthly)
    with stage.nothing_changes(), reverts("AnotherCoupon", found=bytes(32), expected=hashes[0]):
        submit(stage, with_coupon, monthly, signature)
    with stage.nothing_changes(), reverts("AnotherCoupon", found=hashes[1], expected=hashes[0]):
        submit(stage, with_coupon, monthly, signature, other, signed_coupon(stage, other))
    signature = signed_mandate_with_conditions(stage, payer, mandate, monthly)
    with stage.nothing_changes(), reverts("AnotherCoupon", found=hashes[0], expected=bytes(32)):
        submit(stage, mandate, monthly, signature, named, signed_coupon(stage, named))
    assert not subscriptions.isCouponUsed(hashes[0], payer)
    submit(stage, mandate, monthly, signature)


# --- What cannot be paid ---


def test_a_mandate_that_cannot_be_paid_stays_good(
    stage: Stage,
    subscriptions: Contract,
    token: Contract,
    payer: Account,
    monthly: int,
    mandate: MandateWithConditions,
) -> None:
    signature = signed_mandate_with_conditions(stage, payer, mandate, monthly)
    token.approve(subscriptions, PRICE - 1, sender=payer)
    lack = {"reason": reason("Allowance"), "found": PRICE - 1, "allowed": PRICE}
    with stage.nothing_changes(), reverts("FirstChargeDeclined", **lack):
        submit(stage, mandate, monthly, signature)
    assert not subscriptions.isSaltUsed(payer, 7)
    token.approve(subscriptions, PRICE, sender=payer)
    submit(stage, mandate, monthly, signature)
    assert token.balanceOf(stage.merchant) == PRICE


def test_refuses_what_subscribing_refuses(
    stage: Stage, subscriptions: Contract, payer: Account, monthly: int, mandate: MandateWithConditions
) -> None:
    own = mandate._replace(payer=stage.merchant.address)
    signature = signed_mandate_with_conditions(stage, stage.merchant, own, monthly)
    with stage.nothing_changes(), reverts("PayerIsPayee", account=stage.merchant):
        submit(stage, own, monthly, signature)
    seated = mandate._replace(seats=1)
    with stage.nothing_changes(), reverts("SeatsOutOfRange", found=1, allowed=0):
        submit(stage, seated, monthly, signed_mandate_with_conditions(stage, payer, seated, monthly))
    ended = mandate._replace(conditions=Conditions(ends_at=SUBSCRIBED))
    signature = signed_mandate_with_conditions(stage, payer, ended, monthly)
    stage.at(SUBSCRIBED)
    with stage.nothing_changes(), reverts("StartOutOfRange", found=SUBSCRIBED, allowed=SUBSCRIBED - 1):
        submit(stage, ended, monthly, signature)
    subscriptions.archivePlan(monthly, sender=stage.merchant)
    with stage.nothing_changes(), reverts("PlanIsArchived", planId=monthly):
        submit(stage, mandate, monthly, signed_mandate_with_conditions(stage, payer, mandate, monthly))


def test_a_late_start_needs_nobody_to_come_back(
    stage: Stage, payer: Account, monthly: int, mandate: MandateWithConditions
) -> None:
    mandate = mandate._replace(conditions=Conditions(starts_at=FIRST_DUE, max_total=PRICE))
    signature = signed_mandate_with_conditions(stage, payer, mandate, monthly)
    stage.at(SUBSCRIBED)
    events = stage.events(submit(stage, mandate, monthly, signature))
    assert [name for name, _ in events] == ["Subscribed", "ConditionsSet", "MandateAccepted"]
    assert charge_as_foreseen(stage, 1, at=FIRST_DUE).reason == PAID
    assert charge_as_foreseen(stage, 1, at=stage.next_due(1)).reason == "OverMandate"
