"""createPlan: anyone states immutable terms."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_utils.crypto import keccak

from tallystick.core.period import Unit
from tallystick.core.plan import PlanTerms
from tests.contracts.stage import DAY, NOBODY, PRICE, REGISTER, START, Account, Contract, Stage, reverts, reverts_bare

MAX_PERIOD_S = 100 * 366 * 86_400
PLAIN = {
    "every": 1,
    "unit": 3,
    "catchUp": 0,
    "seatPrice": 0,
    "trial": 0,
    "grace": 0,
    "minCharges": 0,
    "maxCharges": 0,
    "feeBps": 0,
    "family": 0,
    "feeReceiver": NOBODY,
    "usageCap": 0,
    "usagePrice": 0,
    "biller": NOBODY,
    "alignTo": 0,
    "quoter": NOBODY,
    "refundsUnused": False,
    "protection": 0,
    "arbiter": NOBODY,
    "rulingTimeout": 0,
    "defaultPayeeBps": 0,
    "maxArbiterFeeBps": 0,
}
RICH = {
    "every": 2,
    "unit": int(Unit.WEEK),
    "catchUp": 3,
    "seatPrice": 5,
    "trial": 6,
    "grace": 7,
    "minCharges": 8,
    "maxCharges": 9,
    "feeBps": 10,
    "family": 11,
    "alignTo": 12,
    "refundsUnused": True,
}
METERED = {"usageCap": 13, "usagePrice": 14}
PROTECTED = {"protection": 15, "rulingTimeout": 16, "defaultPayeeBps": 17, "maxArbiterFeeBps": 18}


def terms_of(stage: Stage, **changes: Any) -> tuple[Any, ...]:
    """Valid terms, some of them changed."""
    terms = {"payee": stage.merchant, "price": PRICE, "token": stage.token} | PLAIN
    assert changes.keys() <= terms.keys()
    return tuple((terms | changes).values())


def test_states_its_terms_and_numbers_plans_from_1(
    stage: Stage, subscriptions: Contract, merchant: Account, token: Contract
) -> None:
    receiver = stage.anyone.address
    receipt = subscriptions.createPlan(terms_of(stage, **RICH, feeReceiver=receiver), sender=merchant)
    (opened, (name, values)) = stage.events(receipt)
    assert opened == ("RegisterOpened", {"registerId": 0, "payee": merchant, "token": token})
    assert (name, values["planId"], values["registerId"]) == ("PlanCreated", 1, 0)
    expected = {
        "payee": merchant.address,
        "price": PRICE,
        "token": token.address,
        **PLAIN,
        **RICH,
        "feeReceiver": receiver,
    }
    # Ape gives the terms in an event as a list, its addresses without checksums.
    assert values["terms"] == [value.lower() if isinstance(value, str) else value for value in expected.values()]
    assert dict(subscriptions.plan(1).items()) == expected
    assert stage.create_plan() == 2
    assert dict(subscriptions.plan(2).items()) == {"payee": merchant, "price": PRICE, "token": token, **PLAIN}
    subscriptions.createPlan(terms_of(stage, **METERED, biller=receiver), sender=merchant)
    expected = {"payee": merchant, "price": PRICE, "token": token, **PLAIN, **METERED, "biller": receiver}
    assert dict(subscriptions.plan(3).items()) == expected
    subscriptions.createPlan(terms_of(stage, **PROTECTED, arbiter=receiver), sender=merchant)
    expected = {"payee": merchant, "price": PRICE, "token": token, **PLAIN, **PROTECTED, "arbiter": receiver}
    assert dict(subscriptions.plan(4).items()) == expected


def test_opens_a_register_for_each_payee_and_token_and_numbers_subscriptions_in_it(
    stage: Stage, subscriptions: Contract, usdc: Contract, payer: Account, anyone: Account
) -> None:
    numbers = []
    for payee, token in [(stage.merchant, stage.token), (stage.merchant, usdc), (anyone, usdc)] * 2:
        receipt = subscriptions.createPlan(terms_of(stage, payee=payee, token=token), sender=payee)
        events = stage.events(receipt)
        numbers.append((len(events), events[-1][1]["registerId"]))
    assert numbers == [(2, 0), (2, 1), (2, 2), (1, 0), (1, 1), (1, 2)]
    assert (subscriptions.registerCount(), subscriptions.planCount()) == (3, 6)
    opened = [stage.subscribe(payer, plan_id) for plan_id in (1, 2, 3, 4, 5, 6)]
    assert opened == [1, REGISTER + 1, 2 * REGISTER + 1, 2, REGISTER + 2, 2 * REGISTER + 2]


MOST = PlanTerms(
    payee="", price_units=2**96 - 1, token="", every=14, unit=Unit.DAY, catch_up=255, seat_price_units=2**96 - 1,
    trial=2**32 - 1, grace=2**32 - 1, min_charges=65_535, max_charges=65_535, fee_bps=9_999, family=65_535,
    fee_receiver="0xFFfFfFffFFfffFFfFFfFFFFFffFFFffffFfFFFfF", align_to=START, refunds_unused=True,
)  # fmt: skip
METERED_MOST = replace(
    MOST,
    min_charges=0,
    max_charges=0,
    usage_cap_units=2**96 - 1,
    usage_price_units=2**96 - 1,
    biller=MOST.fee_receiver,
    refunds_unused=False,
    quoter="the token",  # any contract
)
PROTECTED_MOST = replace(
    MOST,
    refunds_unused=False,
    quoter="the token",
    protection=2**32 - 1,
    arbiter=MOST.fee_receiver,
    ruling_timeout=2**32 - 1,
    default_payee_bps=10_000,
    max_arbiter_fee_bps=10_000,
)
LEAST = PlanTerms(payee="", price_units=1, token="", every=14, unit=Unit.DAY)


@pytest.mark.parametrize(
    "terms",
    [
        MOST,
        METERED_MOST,
        PROTECTED_MOST,
        LEAST,
        replace(LEAST, protection=1, arbiter="0x" + "00" * 19 + "01", ruling_timeout=1),
        replace(LEAST, catch_up=255, price_units=2**96 - 1),
        replace(LEAST, price_units=0, seat_price_units=1),
        replace(LEAST, trial=1),
        replace(LEAST, grace=1),
        replace(LEAST, min_charges=1),
        replace(LEAST, max_charges=1),
        replace(LEAST, family=1),
        replace(LEAST, align_to=1),
        replace(LEAST, refunds_unused=True),
        replace(LEAST, quoter="the token"),
        replace(LEAST, usage_cap_units=1, usage_price_units=1),
        replace(LEAST, fee_bps=1, fee_receiver="0x" + "00" * 19 + "01"),
    ],
)
@pytest.mark.parametrize("register_id", [0, 1])
def test_terms_hash_is_that_of_the_plan_as_it_is_stored(
    stage: Stage, subscriptions: Contract, anyone: Account, terms: PlanTerms, register_id: int
) -> None:
    if register_id == 1:
        stage.create_plan(payee=anyone)
    quoter = stage.token if terms.quoter else None
    terms = replace(terms, payee=stage.merchant.address, token=stage.token.address)
    terms = replace(terms, quoter=quoter and quoter.address)
    plan_id = stage.create_plan(
        price=terms.price_units,
        every=terms.every,
        unit=terms.unit,
        catch_up=terms.catch_up,
        seat_price=terms.seat_price_units,
        trial=terms.trial,
        grace=terms.grace,
        min_charges=terms.min_charges,
        max_charges=terms.max_charges,
        fee_bps=terms.fee_bps,
        family=terms.family,
        fee_receiver=terms.fee_receiver,
        usage_cap=terms.usage_cap_units,
        usage_price=terms.usage_price_units,
        biller=terms.biller,
        align_to=terms.align_to,
        quoter=quoter,
        refunds_unused=terms.refunds_unused,
        protection=terms.protection,
        arbiter=terms.arbiter,
        ruling_timeout=terms.ruling_timeout,
        default_payee_bps=terms.default_payee_bps,
        max_arbiter_fee_bps=terms.max_arbiter_fee_bps,
    )
    assert bytes(subscriptions.termsHash(plan_id)) == terms.hash(register_id)
    assert tuple(subscriptions.plan(plan_id)) == (
        terms.payee,
        terms.price_units,
        terms.token,
        terms.every,
        terms.unit,
        terms.catch_up,
        terms.seat_price_units,
        terms.trial,
        terms.grace,
        terms.min_charges,
        terms.max_charges,
        terms.fee_bps,
        terms.family,
        terms.fee_receiver or NOBODY,
        terms.usage_cap_units,
        terms.usage_price_units,
        terms.biller or NOBODY,
        terms.align_to,
        terms.quoter or NOBODY,
        terms.refunds_unused,
        terms.protection,
        terms.arbiter or NOBODY,
        terms.ruling_timeout,
        terms.default_payee_bps,
        terms.max_arbiter_fee_bps,
    )


def test_only_the_payee_creates_its_plans(
    stage: Stage, subscriptions: Contract, payer: Account, anyone: Account
) -> None:
    for sender in (payer, anyone):
        with stage.nothing_changes(), reverts("NotAuthorized", caller=sender):
            subscriptions.createPlan(terms_of(stage), sender=sender)
    subscriptions.createPlan(terms_of(stage, payee=anyone), sender=anyone)
    assert subscriptions.plan(1).payee == anyone


def test_refuses_no_payee(stage: Stage, subscriptions: Contract, merchant: Account) -> None:
    with stage.nothing_changes(), reverts("ZeroAddress"):
        subscriptions.createPlan(terms_of(stage, payee=NOBODY), sender=merchant)


def test_refuses_itself_as_payee_because_no_money_could_leave_it(
    stage: Stage, subscriptions: Contract, merchant: Account
) -> None:
    data = "0x" + subscriptions.createPlan.encode_input(terms_of(stage, payee=subscriptions)).hex()
    call = {"from": subscriptions.address, "to": subscriptions.address, "data": data}
    answer = stage.rpc("debug_traceCall", call, "latest", {"tracer": "callTracer"})["output"]
    assert bytes.fromhex(answer[2:]) == keccak(text="PayeeRefused(address)")[:4] + encode(
        ["address"], [subscriptions.address]
    )
    with stage.nothing_changes(), reverts("NotAuthorized", caller=merchant):
        subscriptions.createPlan(terms_of(stage, payee=subscriptions), sender=merchant)


def test_refuses_itself_as_the_receiver_of_a_fee(stage: Stage, subscriptions: Contract, merchant: Account) -> None:
    with stage.nothing_changes(), reverts("PayeeRefused", payee=subscriptions):
        subscriptions.createPlan(terms_of(stage, feeBps=1, feeReceiver=subscriptions), sender=merchant)


def test_E32_refuses_a_price_of_nothing(stage: Stage, subscriptions: Contract, merchant: Account) -> None:
    with stage.nothing_changes(), reverts("ZeroAmount"):
        subscriptions.createPlan(terms_of(stage, price=0), sender=merchant)


def test_E01_refuses_a_token_without_code(stage: Stage, subscriptions: Contract, merchant: Account) -> None:
    with stage.nothing_changes(), reverts("NotAContract", account=stage.anyone):
        subscriptions.createPlan(terms_of(stage, token=stage.anyone), sender=merchant)


@pytest.mark.parametrize(
    ("every", "unit"),
    [
        (1, Unit.SECOND),
        (MAX_PERIOD_S, Unit.SECOND),
        (36_600, Unit.DAY),
        (5_228, Unit.WEEK),
        (1_180, Unit.MONTH),
        (100, Unit.YEAR),
    ],
)
def test_E28_accepts_periods_up_to_100_years(stage: Stage, subscriptions: Contract, every: int, unit: Unit) -> None:
    assert subscriptions.plan(stage.create_plan(every=every, unit=unit)).every == every


@pytest.mark.parametrize(
    ("every", "unit", "found_s"),
    [
        (0, Unit.SECOND, 0),
        (0, Unit.MONTH, 0),
        (MAX_PERIOD_S + 1, Unit.SECOND, MAX_PERIOD_S + 1),
        (36_601, Unit.DAY, 36_601 * 86_400),
        (5_229, Unit.WEEK, 5_229 * 7 * 86_400),
        (1_181, Unit.MONTH, 1_181 * 31 * 86_400),
        (101, Unit.YEAR, 101 * 366 * 86_400),
        (2**32 - 1, Unit.YEAR, (2**32 - 1) * 366 * 86_400),
    ],
)
def test_E28_refuses_no_period_and_more_than_100_years(
    stage: Stage, subscriptions: Contract, merchant: Account, every: int, unit: Unit, found_s: int
) -> None:
    with reverts("PeriodOutOfRange", foundSeconds=found_s, allowedSeconds=MAX_PERIOD_S):
        subscriptions.createPlan(terms_of(stage, every=every, unit=unit), sender=merchant)


@pytest.mark.parametrize("fee_bps", [10_000, 10_001, 65_535])
def test_refuses_a_fee_of_everything(
    stage: Stage, subscriptions: Contract, merchant: Account, anyone: Account, fee_bps: int
) -> None:
    with stage.nothing_changes(), reverts("FeeTooHigh", found=fee_bps, allowed=9_999):
        subscriptions.createPlan(terms_of(stage, feeBps=fee_bps, feeReceiver=anyone), sender=merchant)


def test_refuses_a_fee_without_a_receiver_a_receiver_without_a_fee_and_the_payee_as_receiver(
    stage: Stage, subscriptions: Contract, merchant: Account, anyone: Account
) -> None:
    for changes in ({"feeBps": 1}, {"feeReceiver": anyone}, {"feeBps": 1, "feeReceiver": merchant}):
        with stage.nothing_changes(), reverts("TermsContradict"):
            subscriptions.createPlan(terms_of(stage, **changes), sender=merchant)


def test_refuses_a_minimum_above_the_maximum(stage: Stage, subscriptions: Contract, merchant: Account) -> None:
    with stage.nothing_changes(), reverts("TermsContradict"):
        subscriptions.createPlan(terms_of(stage, minCharges=4, maxCharges=3), sender=merchant)
    subscriptions.createPlan(terms_of(stage, minCharges=3, maxCharges=3), sender=merchant)


@pytest.mark.parametrize("offset_s", [-1, 0, 1])
def test_E20_refuses_a_grid_that_begins_in_the_future(
    stage: Stage, subscriptions: Contract, merchant: Account, offset_s: int
) -> None:
    now = START + DAY
    stage.at(now)
    if offset_s <= 0:
        subscriptions.createPlan(terms_of(stage, alignTo=now + offset_s), sender=merchant)
        assert subscriptions.plan(1).alignTo == now + offset_s
        return
    with stage.nothing_changes(), reverts("AlignedToFuture", found=now + offset_s, time=now):
        subscriptions.createPlan(terms_of(stage, alignTo=now + offset_s), sender=merchant)


def test_refuses_a_quoter_without_code_and_refunds_of_a_quoted_price(
    stage: Stage, subscriptions: Contract, merchant: Account
) -> None:
    with stage.nothing_changes(), reverts("NotAContract", account=stage.anyone):
        subscriptions.createPlan(terms_of(stage, quoter=stage.anyone), sender=merchant)
    with stage.nothing_changes(), reverts("TermsContradict"):
        subscriptions.createPlan(terms_of(stage, quoter=stage.token, refundsUnused=True), sender=merchant)


@pytest.mark.parametrize(
    "change",
    [
        {"protection": 0},
        {"protection": 0, "rulingTimeout": 0, "defaultPayeeBps": 0, "maxArbiterFeeBps": 0},
        {"protection": 0, "arbiter": NOBODY, "defaultPayeeBps": 0, "maxArbiterFeeBps": 0},
        {"protection": 0, "arbiter": NOBODY, "rulingTimeout": 0, "maxArbiterFeeBps": 0},
        {"protection": 0, "arbiter": NOBODY, "rulingTimeout": 0, "defaultPayeeBps": 0},
        {"arbiter": NOBODY},
        {"arbiter": "the payee"},
        {"arbiter": "the contract"},
        {"rulingTimeout": 0},
        {"defaultPayeeBps": 10_001},
        {"maxArbiterFeeBps": 10_001},
        {"refundsUnused": True},
        {"usageCap": 1, "usagePrice": 1},
    ],
)
def test_refuses_half_a_protection_and_what_the_escrow_would_know_nothing_of(
    stage: Stage, subscriptions: Contract, merchant: Account, change: dict[str, Any]
) -> None:
    parties = {"the payee": merchant, "the contract": subscriptions}
    change = {name: parties.get(value, value) if name == "arbiter" else value for name, value in change.items()}
    with stage.nothing_changes(), reverts("TermsContradict"):
        subscriptions.createPlan(terms_of(stage, **PROTECTED | {"arbiter": stage.anyone} | change), sender=merchant)
    subscriptions.createPlan(terms_of(stage, **PROTECTED, arbiter=stage.anyone), sender=merchant)


def test_refuses_a_unit_that_does_not_exist(stage: Stage, subscriptions: Contract, merchant: Account) -> None:
    with reverts_bare():
        subscriptions.createPlan(terms_of(stage, unit=5), sender=merchant)


@pytest.mark.parametrize("decimals", [0, 2, 6, 18, 24])
def test_E04_prices_are_base_units_whatever_the_decimals(
    stage: Stage, project: Any, payer: Account, decimals: int
) -> None:
    token = project.MockToken.deploy("Mock", "MOCK", decimals, sender=stage.anyone)
    price = 7 * 10**decimals
    token.mint(payer, price, sender=payer)
    token.approve(stage.subscriptions, price, sender=payer)
    stage.subscribe(payer, stage.create_plan(token=token, price=price))
    assert token.balanceOf(stage.merchant) == price
