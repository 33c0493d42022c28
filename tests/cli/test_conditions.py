"""Conditions, coupons, other wallets, changes at the period's end and new kinds of plans, from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.business import Business
from tests.chain.mocks import created
from tests.cli.conftest import BILLER, MERCHANT, OTHER, PAYER, Run, Say
from tests.contracts.permit2 import place_permit2

DAY_S = 86_400
SUBSCRIPTIONS = "subscriptions"


def units(text: str) -> dict[str, str]:
    whole, _, fraction = text.partition(".")
    return {"units": str(int(whole + fraction)), "amount": text, "asset": "USDC"}


def seconds(shown: str) -> int:
    return int(datetime.fromisoformat(shown).timestamp())


def test_new_kinds_of_plans_show_their_terms(
    say: Say, write: Callable[..., str], business: Business, sell: Callable[..., Any]
) -> None:
    quoter = created(business, "MockQuoter")
    aligned = sell("--price", "9.99", "--align-to", "2026-01-01", "--refunds-unused")
    assert (aligned["align_to"], aligned["refunds_unused"], aligned["quoter"]) == ("2026-01-01T00:00:00Z", True, None)
    quoted = sell("--price", 999, "--quoter", quoter.lower())
    assert (quoted["price"], quoted["quoted_price"], quoted["quoter"]) == (None, 999, quoter)
    shown = say(None, "plans", "show", 2)
    assert {key: shown[key] for key in ("price", "quoted_price", "align_to", "refunds_unused")} == {
        "price": None,
        "quoted_price": 999,
        "align_to": None,
        "refunds_unused": False,
    }
    assert [row["price"] for row in say(None, "plans", "list")] == [units("9.990000"), None]
    create = ("plans", "create", "--token", business.token)
    price = write(MERCHANT, *create, "--price", "9.99", "--quoter", quoter, exit_code=1)
    assert "found the price '9.99' for a plan with a quoter" in price
    grid = write(MERCHANT, *create, "--price", 1, "--align-to", "soon", exit_code=2)
    assert "found 'soon', allowed is a date such as 2027-01-01" in grid
    future = write(MERCHANT, *create, "--price", 1, "--align-to", "2099-01-01", exit_code=1)
    assert "name a time in the past" in future
    opened = say(PAYER, SUBSCRIPTIONS, "subscribe", 2, "--max-per-period", "0.002")
    assert opened["paid"] == units("0.000999")
    found = say(None, SUBSCRIPTIONS, "show", opened["subscription_id"])
    assert (found["price"], found["next_charge"]["amount"]) == (None, units("0.000999"))
    missing = write(PAYER, SUBSCRIPTIONS, "subscribe", 2, exit_code=1)
    assert "set the most that a period may cost" in missing


def test_conditions_are_stated_shown_and_taken_back(
    say: Say, write: Callable[..., str], run: Run, business: Business, sell: Callable[..., Any]
) -> None:
    sell("--price", "9.99")
    friend = business.anvil.address(OTHER)
    bounds = ("--max-per-period", "12", "--max-total", "100", "--ends", "2090-12-31T12:00", "--beneficiary", friend)
    say(PAYER, SUBSCRIPTIONS, "subscribe", 1, *bounds)
    shown = say(None, SUBSCRIPTIONS, "show", 1)
    assert {key: shown[key] for key in ("max_per_period", "max_total_left", "ends_at", "beneficiary")} == {
        "max_per_period": units("12.000000"),
        "max_total_left": units("90.010000"),
        "ends_at": "2090-12-31T12:00:00Z",
        "beneficiary": friend,
    }
    stated = say(PAYER, SUBSCRIPTIONS, "set-conditions", 1, "--max-per-period", "9.98")
    assert (stated["max_per_period"], stated["max_total"], stated["beneficiary"]) == (units("9.980000"), None, None)
    business.anvil.advance(31 * DAY_S)
    assert say(None, SUBSCRIPTIONS, "preview", 1)["would_decline"] == "over_mandate"
    say(PAYER, SUBSCRIPTIONS, "set-conditions", 1)
    assert say(None, SUBSCRIPTIONS, "preview", 1)["would_decline"] is None
    assert "may not do this" in write(MERCHANT, SUBSCRIPTIONS, "set-conditions", 1, exit_code=1)
    low = write(PAYER, SUBSCRIPTIONS, "subscribe", 1, "--max-per-period", "5", exit_code=1)
    assert "the first charge, which is due now, would decline (over mandate)" in low
    later = say(PAYER, SUBSCRIPTIONS, "subscribe", 1, "--starts", "2080-01-01")
    assert (later["trial"], later["paid_until"]) == (True, "2080-01-01T00:00:00Z")
    assert "beneficiary" in run(SUBSCRIPTIONS, "show", 1).stdout


def test_a_coupon_is_a_file(
    say: Say, write: Callable[..., str], run: Run, business: Business, sell: Callable[..., Any]
) -> None:
    sell("--price", "10")
    told = write(
        MERCHANT,
        *("plans", "sign-coupon", 1, "--percent-off", "12.5", "--periods", 2, "--code", 7, "--out", "coupon.json"),
    )
    assert "code 7; to redeem it: tallystick subscriptions redeem NUMBER FILE" in told
    assert json.loads(Path("coupon.json").read_text())["basis_points_off"] == 1_250
    opened = say(PAYER, SUBSCRIPTIONS, "subscribe", 1, "--coupon", "coupon.json")
    assert opened["paid"] == units("8.750000")
    assert say(None, SUBSCRIPTIONS, "show", 1)["discount"] == {
        "percent_off": "12.50",
        "amount_off": units("0.000000"),
        "periods": 1,
    }
    key = {"TALLYSTICK_KEY": business.anvil.key(MERCHANT)}
    text = run("plans", "sign-coupon", "--token", business.token, "--amount-off", "1", env=key).stdout
    say(OTHER, SUBSCRIPTIONS, "subscribe", 1)
    redeemed = say(OTHER, SUBSCRIPTIONS, "redeem", 2, "-", text=text)
    assert (redeemed["amount_off"], redeemed["periods"]) == (units("1.000000"), 1)
    used = write(PAYER, SUBSCRIPTIONS, "subscribe", 1, "--coupon", "coupon.json", exit_code=1)
    assert "has redeemed the coupon" in used
    wrong = write(PAYER, SUBSCRIPTIONS, "redeem", 1, "tallystick.toml", exit_code=1)
    assert "this is not a signed coupon" in wrong
    assert "have the payee write it anew with `tallystick plans sign-coupon`" in wrong
    assert "name the plan, or with --token" in write(MERCHANT, "plans", "sign-coupon", exit_code=2)
    assert "found '0.001', allowed is 0 to 100" in write(
        MERCHANT, "plans", "sign-coupon", 1, "--percent-off", "0.001", exit_code=2
    )
    assert "name what the coupon takes off" in write(MERCHANT, "plans", "sign-coupon", 1, exit_code=1)
    assert "may not do this" in write(PAYER, "plans", "sign-coupon", 1, "--percent-off", 1, exit_code=1)


def test_a_mandate_for_several_plans_is_a_file(
    say: Say, write: Callable[..., str], business: Business, sell: Callable[..., Any]
) -> None:
    sell("--price", "10")
    sell("--price", "30")
    write(MERCHANT, "plans", "sign-coupon", "--token", business.token, "--percent-off", 50, "--out", "coupon.json")
    business.anvil.rpc("anvil_setBalance", business.anvil.address(PAYER), "0x0")
    told = write(
        PAYER,
        *(SUBSCRIPTIONS, "sign", 1, 2, "--max-per-period", "30", "--min-period", "28d", "--coupon", "coupon.json"),
        *("--out", "mandate.json"),
    )
    assert "agrees to one of the plans 1, 2, salt " in told
    submit = (SUBSCRIPTIONS, "submit", "mandate.json")
    assert "found no choice, the mandate is for one of the plans 1, 2" in write(BILLER, *submit, exit_code=1)
    assert "submit the coupon for which the payer signed" in write(BILLER, *submit, "--plan", 2, exit_code=1)
    opened = say(BILLER, *submit, "--plan", 2, "--coupon", "coupon.json")
    assert (opened["payer"], opened["plan_id"], opened["paid"]) == (
        *(business.anvil.address(PAYER), 2),
        units("15.000000"),
    )
    assert "was submitted or revoked before" in write(
        BILLER, *submit, "--plan", 1, "--coupon", "coupon.json", exit_code=1
    )
    write(PAYER, SUBSCRIPTIONS, "sign", 1, "--out", "plain.json")
    plain = write(BILLER, SUBSCRIPTIONS, "submit", "plain.json", "--plan", 2, exit_code=2)
    assert "leave --plan and --coupon out" in plain


def test_E08_permit2_from_the_command_line(
    say: Say, write: Callable[..., str], business: Business, sell: Callable[..., Any]
) -> None:
    sell("--price", "10")
    assert "there is no Permit2 at" in write(PAYER, SUBSCRIPTIONS, "approve", 1, "--permit2", exit_code=1)
    place_permit2(business.anvil.rpc)
    approved = say(PAYER, SUBSCRIPTIONS, "approve", 1, "--periods", 2, "--permit2")
    assert (approved["allowance"], len(approved["transactions"])) == (units("20.000000"), 2)
    say(PAYER, SUBSCRIPTIONS, "subscribe", 1, "--permit2", "--funding", "allowance")
    shown = say(None, SUBSCRIPTIONS, "show", 1)
    assert (shown["by_permit2"], shown["payer_allowance"]) == (True, units("10.000000"))


def test_changes_wait_or_not_and_prices_are_lowered(
    say: Say, write: Callable[..., str], business: Business, sell: Callable[..., Any]
) -> None:
    sell("--price", "30")
    sell("--price", "10")
    due = say(PAYER, SUBSCRIPTIONS, "subscribe", 1)["paid_until"]
    quoted = say(None, SUBSCRIPTIONS, "quote", 1, 2)
    assert (quoted["when"], quoted["to_pay"], quoted["next_due"]) == ("period-end", units("0.000000"), due)
    changed = say(PAYER, SUBSCRIPTIONS, "change", 1, 2)
    assert (changed["when"], changed["plan_id"], changed["next_due"]) == ("period-end", 2, due)
    shown = say(None, SUBSCRIPTIONS, "show", 1)
    assert (shown["plan_id"], shown["scheduled"]) == (1, {"plan_id": 2, "seats": None})
    assert (shown["next_charge"]["plan_id"], shown["next_charge"]["amount"]) == (2, units("10.000000"))
    say(PAYER, SUBSCRIPTIONS, "change", 1, 1)
    assert say(None, SUBSCRIPTIONS, "show", 1)["scheduled"] is None
    lowered = say(MERCHANT, SUBSCRIPTIONS, "lower-price", 1, "--plan", 2)
    assert (lowered["subscriptions"], lowered["plan_id"]) == ([1], 2)
    assert "may not do this" in write(PAYER, SUBSCRIPTIONS, "lower-price", 1, "--plan", 2, exit_code=1)
    assert "by lower prices alone" in write(MERCHANT, SUBSCRIPTIONS, "lower-price", 1, "--plan", 1, exit_code=1)
    business.anvil.set_time(seconds(due))
    business.charge(1)
    assert say(None, SUBSCRIPTIONS, "show", 1)["plan_id"] == 2
    now = say(PAYER, SUBSCRIPTIONS, "change", 1, 1)
    assert (now["when"], now["plan_id"]) == ("now", 1)
    told = write(PAYER, SUBSCRIPTIONS, "sign-change", 1, 2, "--out", "change.json")
    assert "to send it: tallystick subscriptions change --signed FILE" in told
    sent = say(BILLER, SUBSCRIPTIONS, "change", "--signed", "change.json")
    assert (sent["when"], sent["plan_id"]) == ("period-end", 2)
    for arguments in ((), (1,), (1, 2, "--signed", "change.json")):
        assert "--signed FILE" in write(PAYER, SUBSCRIPTIONS, "change", *arguments, exit_code=2)


def test_a_subscription_is_handed_over_by_files(
    say: Say, write: Callable[..., str], business: Business, sell: Callable[..., Any]
) -> None:
    sell("--price", "10")
    say(PAYER, SUBSCRIPTIONS, "subscribe", 1)
    other = business.anvil.address(OTHER)
    sign = (SUBSCRIPTIONS, "sign-payer-change")
    told = write(PAYER, *sign, 1, other, "--out", "change.json")
    assert f"{other} signs next: tallystick subscriptions sign-payer-change --signed FILE" in told
    one = write(BILLER, SUBSCRIPTIONS, "change-payer", "change.json", exit_code=1)
    assert f"found no signature of {other}" in one
    assert "both have signed" in write(OTHER, *sign, "--signed", "change.json", "--out", "both.json")
    changed = say(BILLER, SUBSCRIPTIONS, "change-payer", "both.json")
    assert (changed["payer"], changed["former_payer"]) == (other, business.anvil.address(PAYER))
    assert "have it signed anew" in write(BILLER, SUBSCRIPTIONS, "change-payer", "both.json", exit_code=1)
    for arguments in ((), (1,), (1, other, "--signed", "both.json")):
        assert "name the subscription and its new payer" in write(PAYER, *sign, *arguments, exit_code=2)
    assert "allowed are 0x and 40 hex digits" in write(OTHER, *sign, 1, "nobody", exit_code=1)


def test_a_wallet_stands_in_by_a_file(
    say: Say, write: Callable[..., str], business: Business, sell: Callable[..., Any]
) -> None:
    sell("--price", "10")
    say(PAYER, SUBSCRIPTIONS, "subscribe", 1, "--periods", 1)
    told = write(OTHER, SUBSCRIPTIONS, "sign-fallback", 1, "--out", "fallback.json")
    assert "tallystick subscriptions set-fallback FILE" in told
    other = business.anvil.address(OTHER)
    assert "may not do this" in write(MERCHANT, SUBSCRIPTIONS, "set-fallback", "fallback.json", exit_code=1)
    assert say(PAYER, SUBSCRIPTIONS, "set-fallback", "fallback.json")["fallback_wallet"] == other
    say(OTHER, SUBSCRIPTIONS, "approve", 1, "--periods", 1)
    shown = say(None, SUBSCRIPTIONS, "show", 1)
    assert (shown["fallback_wallet"], shown["next_charge"]["missing"]) == (other, None)
    assert say(OTHER, SUBSCRIPTIONS, "drop-fallback", 1)["fallback_wallet"] is None
    assert "no fallback wallet or plan to drop" in write(PAYER, SUBSCRIPTIONS, "drop-fallback", 1, exit_code=1)
    wrong = write(PAYER, SUBSCRIPTIONS, "set-fallback", "tallystick.toml", exit_code=1)
    assert "sign-fallback" in wrong


def test_a_charge_is_made_in_a_second_token(
    say: Say, write: Callable[..., str], business: Business, sell: Callable[..., Any]
) -> None:
    sell("--price", "10")
    second = business.create_token()
    business.mint(business.anvil.address(PAYER), 10**9, token=second)
    business.mint(business.anvil.address(MERCHANT), 10**9, token=second)
    say(MERCHANT, "plans", "create", "--every", 30, "--unit", "day", "--token", second, "--price", "11.50")
    offered = say(MERCHANT, "plans", "offer-alternative", 1, 2)
    assert (offered["plan_id"], offered["alternative_plan_id"]) == (1, 2)
    assert "already" in write(MERCHANT, "plans", "offer-alternative", 1, 2, exit_code=1)
    opened = say(PAYER, SUBSCRIPTIONS, "subscribe", 1, "--periods", 1)
    due = seconds(opened["paid_until"])
    named = say(PAYER, SUBSCRIPTIONS, "set-fallback-plan", 1, 2)
    assert named["fallback_plan_id"] == 2
    say(PAYER, SUBSCRIPTIONS, "approve", 2, "--periods", 2)
    shown = say(None, SUBSCRIPTIONS, "show", 1)
    assert (shown["fallback_plan_id"], shown["fallback_wallet"], shown["next_charge"]["missing"]) == (2, None, None)
    business.anvil.set_time(due)
    told = say(None, SUBSCRIPTIONS, "preview", 1)
    assert (told["plan_id"], told["amount"]["amount"], told["would_decline"]) == (2, "11.500000", None)
    shown = say(None, SUBSCRIPTIONS, "show", 1)["next_charge"]
    assert (shown["plan_id"], shown["alternative_plan_id"], shown["amount"]["units"]) == (1, 2, "11500000")
    business.charge(1)
    assert say(MERCHANT, "refunds", "create", 1, 2, "--amount", "1.50")["left"] == units("10.000000")
    history = say(None, SUBSCRIPTIONS, "show", 1, "--history")["history"]
    assert [entry["event"] for entry in history[-4:]] == [
        "fallback_plan_set",
        "paid_in_alternative",
        "charged",
        "refunded",
    ]
    assert history[-2]["values"]["amount"] == units("11.500000")
    assert say(MERCHANT, "plans", "withdraw-alternative", 1, 2)["alternative_plan_id"] == 2
    assert say(PAYER, SUBSCRIPTIONS, "drop-fallback", 1)["fallback_plan_id"] is None


def test_a_plan_is_proposed(say: Say, write: Callable[..., str], sell: Callable[..., Any]) -> None:
    sell("--price", "10")
    sell("--price", "12")
    say(PAYER, SUBSCRIPTIONS, "subscribe", 1)
    told = say(MERCHANT, SUBSCRIPTIONS, "propose-plan", 1, 1, "--plan", 2)
    assert (told["subscriptions"], told["plan_id"]) == ([1, 1], 2)
    shown = say(None, SUBSCRIPTIONS, "show", 1, "--history")
    assert (shown["plan_id"], shown["history"][-1]["event"]) == (1, "plan_proposed")
    assert "may not do this" in write(PAYER, SUBSCRIPTIONS, "propose-plan", 1, "--plan", 2, exit_code=1)


def test_a_payee_cancels_with_a_refund(
    say: Say, write: Callable[..., str], business: Business, sell: Callable[..., Any]
) -> None:
    sell("--price", "30", "--refunds-unused")
    due = seconds(say(PAYER, SUBSCRIPTIONS, "subscribe", 1)["paid_until"])
    cancel = (SUBSCRIPTIONS, "cancel", 1)
    assert "cancel with `tallystick subscriptions cancel --refund`" in write(MERCHANT, *cancel, exit_code=1)
    both = write(MERCHANT, *cancel, "--refund", "--at-period-end", exit_code=2)
    assert "leave --refund or --at-period-end out" in both
    assert "may not do this" in write(PAYER, *cancel, "--refund", exit_code=1)
    business.anvil.set_time(due - 15 * DAY_S)
    ended = say(MERCHANT, *cancel, "--refund")
    assert (ended["status"], ended["charge_numbers"]) == ("cancelled", [1])
    assert 14_999_000 < int(ended["refunded"]["units"]) <= 15_000_000


def test_help_teaches(run: Run) -> None:
    for group, verb in (
        *((SUBSCRIPTIONS, verb) for verb in ("subscribe", "sign", "submit", "set-conditions", "redeem", "change")),
        *((SUBSCRIPTIONS, verb) for verb in ("quote", "lower-price", "sign-payer-change", "change-payer", "approve")),
        *((SUBSCRIPTIONS, verb) for verb in ("sign-fallback", "set-fallback", "drop-fallback", "sign-change")),
        *((SUBSCRIPTIONS, verb) for verb in ("set-fallback-plan", "propose-plan")),
        *(("plans", verb) for verb in ("sign-coupon", "sign-payee-change", "change-payee")),
        *(("plans", verb) for verb in ("offer-alternative", "withdraw-alternative")),
        ("plans", "create"),
    ):
        text = run(group, verb, "--help").stdout
        assert "Example" in text
        assert f"tallystick {group} {verb}" in text
