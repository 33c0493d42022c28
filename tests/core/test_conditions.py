"""What is signed beside plain mandates: the contract's digests, and texts that say it all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tallystick.chain.node import connect
from tallystick.chain.signer import KeySigner, typed_data_digest
from tallystick.chain.subscriptions import Subscriptions
from tallystick.core import conditions, coupon, fallback, payer_change
from tallystick.core.address import parse_address
from tallystick.core.conditions import (
    Conditions,
    MandateWithConditions,
    SignedMandateWithConditions,
    parse_any_mandate,
    parse_mandate_with_conditions,
    require_alike,
)
from tallystick.core.coupon import Coupon, SignedCoupon, parse_coupon
from tallystick.core.fallback import Fallback, SignedFallback, parse_fallback
from tallystick.core.mandate import Mandate, SignedMandate
from tallystick.core.payer_change import PayerChange, SignedPayerChange, parse_payer_change
from tallystick.core.period import Unit
from tallystick.core.permit import SignedPermit
from tallystick.core.permit2 import Permit2, SignedPermit2
from tallystick.core.plan_change import PlanChange, SignedPlanChange, parse_plan_change
from tallystick.errors import InputError
from tallystick.testing import start_anvil
from tests.business import Business

UINT256 = st.integers(0, 2**256 - 1)
UINT96 = st.integers(0, 2**96 - 1)
TIMES = st.integers(0, 2**40 - 1)
WORDS = st.binary(min_size=32, max_size=32)
SIGNATURES = st.binary(max_size=200)
CHAINS = st.integers(1, 2**53)
ADDRESSES = st.binary(min_size=20, max_size=20).map(lambda raw: parse_address("0x" + raw.hex()))
OTHERS = st.none() | ADDRESSES.filter(lambda address: int(address, 16) != 0)
SIGNER = KeySigner.from_key("0x" + "11" * 32)

CONDITIONS = st.builds(Conditions, UINT96, UINT96, TIMES, TIMES, OTHERS, st.booleans())
PERMITS = st.none() | st.builds(SignedPermit, UINT256, UINT256, st.integers(0, 255), WORDS, WORDS)
PERMITS2 = st.none() | st.builds(
    SignedPermit2,
    st.builds(Permit2, ADDRESSES, st.integers(0, 2**160 - 1), TIMES, TIMES, ADDRESSES, UINT256),
    SIGNATURES,
)
COUPONS = st.builds(
    Coupon,
    plan_id=st.integers(0, 2**32 - 1),
    basis_points_off=st.integers(0, 2**16 - 1),
    amount_off_units=UINT96,
    periods=st.integers(0, 2**16 - 1),
    code=UINT256,
    valid_before=UINT256,
    payer=OTHERS,
)


@st.composite
def signed_mandates(draw: st.DrawFn) -> SignedMandateWithConditions:
    plan_ids = tuple(draw(st.lists(st.integers(1, 2**32 - 1), min_size=1, max_size=4)))
    mandate = MandateWithConditions(
        payer=draw(ADDRESSES),
        plans=tuple(draw(WORDS) for _ in plan_ids),
        salt=draw(UINT256),
        valid_before=draw(UINT256),
        seats=draw(st.integers(0, 2**24)),
        min_seconds_per_period=draw(st.integers(0, 2**40)),
        conditions=draw(CONDITIONS),
        coupon=draw(WORDS),
    )
    permits = draw(PERMITS), draw(PERMITS2)
    return SignedMandateWithConditions(draw(CHAINS), draw(ADDRESSES), mandate, plan_ids, draw(SIGNATURES), *permits)


@pytest.fixture(scope="module")
def business() -> Iterator[Business]:
    """A contract with plans of two payees, one of them with a trial."""
    with start_anvil() as anvil:
        found = Business(anvil)
        found.create_plan()
        found.create_plan(0, 1, Unit.YEAR, seat_price_units=7, trial=9, payee=found.account("other"))
        yield found


# --- Digests ----------------------------------------------------------------------------------------------------------


@given(plan_id=st.integers(1, 2), plans=st.lists(WORDS, max_size=3), payer=ADDRESSES, added=CONDITIONS, rest=UINT256)
def test_E12_the_digest_of_a_mandate_with_conditions_is_the_contract_s(
    business: Business, plan_id: int, plans: list[bytes], payer: str, added: Conditions, rest: int
) -> None:
    contract = Subscriptions(connect(business.anvil.url), business.subscriptions)
    mandate = MandateWithConditions(
        payer, tuple(plans), rest, rest ^ 1, rest ^ 2, rest ^ 3, added, rest.to_bytes(32, "big")
    )
    message = conditions.typed_data(mandate, contract.plan(plan_id), chain_id=31337, contract=business.subscriptions)
    assert typed_data_digest(message) == contract.mandate_with_conditions_hash(mandate, plan_id)
    assert len(SIGNER.sign_typed_data(message)) == 65


@given(plan_id=st.integers(1, 2), found=COUPONS)
def test_E12_the_digest_of_a_coupon_is_the_contract_s(business: Business, plan_id: int, found: Coupon) -> None:
    contract = Subscriptions(connect(business.anvil.url), business.subscriptions)
    terms = contract.plan(plan_id).terms
    signed = SignedCoupon(31337, business.subscriptions, terms.payee, terms.token, found, b"")
    assert typed_data_digest(signed.typed_data()) == contract.coupon_hash(plan_id, found)


def test_the_types_of_other_wallets_are_the_contract_s() -> None:
    """As `SubscriptionsPayer` hashes them; that it takes the signatures is shown where they are sent."""

    def written(message: dict[str, Any]) -> str:
        name = message["primaryType"]
        return f"{name}({','.join(part['type'] + ' ' + part['name'] for part in message['types'][name])})"

    change = PayerChange(1, SIGNER.address, SIGNER.address, bytes(32), 2, 3, 4, 5, 6)
    assert written(payer_change.typed_data(change, chain_id=1, contract=SIGNER.address)) == (
        "PayerChange(uint256 subscriptionId,address payer,address newPayer,bytes32 terms,uint256 seats,"
        "uint256 maxPerPeriod,uint256 endsAt,uint256 salt,uint256 validBefore)"
    )
    consent = Fallback(1, SIGNER.address, SIGNER.address, bytes(32), 2, 3, 4)
    assert written(fallback.typed_data(consent, chain_id=1, contract=SIGNER.address)) == (
        "Fallback(uint256 subscriptionId,address payer,address wallet,bytes32 terms,uint256 seats,uint256 salt,"
        "uint256 validBefore)"
    )


# --- Texts ------------------------------------------------------------------------------------------------------------


@given(signed_mandates())
def test_a_mandate_with_conditions_survives_its_text(signed: SignedMandateWithConditions) -> None:
    assert parse_mandate_with_conditions(signed.render()) == signed
    assert parse_any_mandate(signed.render().encode()) == signed


@given(st.builds(SignedCoupon, CHAINS, ADDRESSES, ADDRESSES, ADDRESSES, COUPONS, SIGNATURES))
def test_a_coupon_survives_its_text(signed: SignedCoupon) -> None:
    assert parse_coupon(signed.render()) == signed


CHANGES = st.builds(
    PayerChange, UINT256, ADDRESSES, ADDRESSES, WORDS, st.integers(0, 2**24), UINT96, TIMES, UINT256, UINT256
)


@given(st.builds(SignedPayerChange, CHAINS, ADDRESSES, CHANGES, SIGNATURES, SIGNATURES))
def test_a_change_of_payer_survives_its_text(signed: SignedPayerChange) -> None:
    assert parse_payer_change(signed.render()) == signed


CONSENTS = st.builds(Fallback, UINT256, ADDRESSES, ADDRESSES, WORDS, st.integers(0, 2**24), UINT256, UINT256)


@given(st.builds(SignedFallback, CHAINS, ADDRESSES, CONSENTS, SIGNATURES))
def test_a_consent_to_stand_in_survives_its_text(signed: SignedFallback) -> None:
    assert parse_fallback(signed.render()) == signed


PLAN_CHANGES = st.builds(PlanChange, UINT256, ADDRESSES, st.integers(0, 2**32), st.integers(0, 2**24), UINT256, UINT256)


@given(st.builds(SignedPlanChange, CHAINS, ADDRESSES, PLAN_CHANGES, SIGNATURES))
def test_a_change_of_plan_survives_its_text(signed: SignedPlanChange) -> None:
    assert parse_plan_change(signed.render()) == signed


def test_either_kind_of_mandate_is_told_by_its_text() -> None:
    plain = SignedMandate(1, SIGNER.address, Mandate(SIGNER.address, 1, 2, 3), b"\x01")
    assert parse_any_mandate(plain.render()) == plain
    with pytest.raises(InputError, match="not a signed mandate with conditions"):
        parse_mandate_with_conditions(plain.render())


@given(st.text() | st.binary())
def test_text_that_is_none_of_them_is_an_error(text: str | bytes) -> None:
    for parse, what in (
        (parse_any_mandate, "a signed mandate"),
        (parse_mandate_with_conditions, "a signed mandate with conditions"),
        (parse_coupon, "a signed coupon"),
        (parse_payer_change, "a signed change of payer"),
        (parse_plan_change, "a signed change of plan"),
        (parse_fallback, "a signed consent to pay in another's place"),
    ):
        with pytest.raises(InputError, match=f"this is not {what}"):
            parse(text)


def test_impossible_values_are_errors() -> None:
    mandate = MandateWithConditions(SIGNER.address, (bytes(32),), 7, 8)
    change = PayerChange(1, SIGNER.address, SIGNER.address, bytes(32), 2, 3, 4, 5, 6)
    texts: list[tuple[Any, str, dict[str, object]]] = [
        (
            parse_any_mandate,
            SignedMandateWithConditions(1, SIGNER.address, mandate, (1,), b"").render(),
            {"coupon": "0x12", "salt": "-1", "payer": "0x12", "plans": [{"plan_id": 1, "terms": "0x"}], "seats": "2"},
        ),
        (
            parse_coupon,
            SignedCoupon(1, SIGNER.address, SIGNER.address, SIGNER.address, Coupon(1, 1, 0, 1, 0, 9), b"").render(),
            {"amount_off": str(2**256), "signature": "00", "periods": "many", "payer": "nobody"},
        ),
        (
            parse_payer_change,
            SignedPayerChange(1, SIGNER.address, change).render(),
            {"terms": "0x00", "max_per_period": "-1", "new_payer": "", "more": 1},
        ),
        (
            parse_fallback,
            SignedFallback(
                1, SIGNER.address, Fallback(1, SIGNER.address, SIGNER.address, bytes(32), 2, 3, 4), b""
            ).render(),
            {"wallet": "0x", "valid_before": "soon", "chain_id": None},
        ),
    ]
    for parse, text, wrongs in texts:
        parse(text)
        for key, value in wrongs.items():
            with pytest.raises(InputError, match="anew"):
                parse(json.dumps(json.loads(text) | {key: value}))


def test_plans_that_one_signature_cannot_name_are_refused(business: Business) -> None:
    contract = Subscriptions(connect(business.anvil.url), business.subscriptions)
    plans = contract.plans([1, 2])
    require_alike(plans[:1], [0])
    with pytest.raises(InputError, match=r"plan 2 has the payee .* plan 1 has .*: plans of one mandate have the same"):
        require_alike(plans, [0, 0])
    with pytest.raises(InputError, match=r"plan 1 has the trial \(in seconds\) 9, plan 1 has 0"):
        require_alike([plans[0], plans[0]], [0, 9])
    with pytest.raises(InputError, match="found no plan to agree to"):
        require_alike([], [])
    assert coupon.NO_COUPON.periods == 0
