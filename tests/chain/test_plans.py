"""Plans with every kind of terms are read as they were created, and their hash is the contract's."""

from __future__ import annotations

from typing import Any

import pytest

from tallystick.chain.node import Node
from tallystick.chain.plans import read_plans
from tallystick.core.period import Unit
from tallystick.core.plan import Plan, PlanTerms
from tests.business import PRICE_UNITS, Business

EVERYTHING: dict[str, Any] = {
    "catch_up": 255,
    "seat_price_units": 2**96 - 1,
    "trial": 2**32 - 1,
    "grace": 2**32 - 1,
    "fee_bps": 9_999,
    "family": 65_535,
    "fee_receiver": "0xFFfFfFffFFfffFFfFFfFFFFFffFFFffffFfFFFfF",
    "usage_cap_units": 2**96 - 1,
    "usage_price_units": 2**96 - 1,
    "biller": "0xFFfFfFffFFfffFFfFFfFFFFFffFFFffffFfFFFfF",
}


@pytest.mark.parametrize(
    "more",
    [
        {},
        {"align_to": 1},
        {"align_to": 1_700_000_000},
        {"refunds_unused": True},
        {"quoter": "the token"},
        {"align_to": 1, "refunds_unused": True, **EVERYTHING},
        {"align_to": 1, "quoter": "the token", **EVERYTHING},
        {"min_charges": 65_534, "max_charges": 65_535, "quoter": "the token"},
    ],
)
def test_what_a_payer_agrees_to_is_what_the_contract_keeps(
    business: Business, node: Node, more: dict[str, Any]
) -> None:
    if "quoter" in more:
        more = more | {"quoter": business.token}  # any contract
    plan_id = business.create_plan(**more)
    terms = PlanTerms(business.payee, PRICE_UNITS, business.token, 1, Unit.MONTH, **more)
    assert read_plans(node, business.subscriptions, [plan_id]) == [Plan(plan_id, 0, terms)]
    assert terms.hash(0) == business.terms_hash(plan_id)
    assert terms.objection() is None
