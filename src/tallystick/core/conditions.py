"""What a payer adds to the terms of a plan, and the mandate that carries it.

A mandate with conditions names the terms of one plan or several, of which whoever submits it chooses one, and is
EIP-712 typed data as `ISubscriptions.MandateWithConditions` says. The contract fills in payee, token and trial from the
plan that is chosen, so all plans of a mandate have the same ones.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from tallystick.core.address import ZERO_ADDRESS, parse_address
from tallystick.core.mandate import SignedMandate, parse_mandate
from tallystick.core.permit import PermitText, SignedPermit, parse_permit, permit_text
from tallystick.core.permit2 import Permit2Text, SignedPermit2, parse_permit2, permit2_text
from tallystick.core.plan import Plan
from tallystick.core.signed import (
    WORD_BYTES,
    message_of,
    parse_bytes,
    parse_uint256,
    parse_word,
    reading_signed,
    rendered,
    shown_bytes,
)
from tallystick.errors import InputError

_TYPE = (
    "MandateWithConditions(address payer,address payee,address token,bytes32[] plans,uint256 seats,"
    "uint256 trialSeconds,uint256 maxPerPeriod,uint256 minSecondsPerPeriod,uint256 maxTotal,uint256 startsAt,"
    "uint256 endsAt,address beneficiary,bool byPermit2,bytes32 coupon,uint256 salt,uint256 validBefore)"
)
NO_COUPON_HASH = bytes(WORD_BYTES)
"""In the place of a coupon's hash, where a mandate comes without one."""


@dataclass(frozen=True, slots=True)
class Conditions:
    """What a payer adds to the terms of a plan; zeros and None add nothing. Amounts are units of the token.

    `max_per_period_units`: the most that a period may cost, its usage up to the cap included; a plan whose price is
    quoted needs one. `max_total_units`: the most that all charges together may cost from now on. `starts_at` (Unix
    seconds): when the first period begins, where that is later than the plan would have it. `ends_at`: the first second
    at which nothing is charged any more. `beneficiary`: whom the subscription serves (None: the payer). `by_permit2`:
    charges take the money through Permit2.
    """

    max_per_period_units: int = 0
    max_total_units: int = 0
    starts_at: int = 0
    ends_at: int = 0
    beneficiary: str | None = None
    by_permit2: bool = False


NO_CONDITIONS = Conditions()


@dataclass(frozen=True, slots=True)
class MandateWithConditions:
    """Who agrees to which plans, with how many seats, under which conditions.

    `plans` are the hashes of their terms. `min_seconds_per_period`: the shortest that a period of the chosen plan may
    be. `coupon` is the hash of the coupon that comes with it. `salt` and `valid_before` are as those of a `Mandate`.
    """

    payer: str
    plans: tuple[bytes, ...]
    salt: int
    valid_before: int
    seats: int = 0
    min_seconds_per_period: int = 0
    conditions: Conditions = NO_CONDITIONS
    coupon: bytes = NO_COUPON_HASH


@dataclass(frozen=True, slots=True)
class SignedMandateWithConditions:
    """A mandate with its signature. `plan_ids` are the numbers of its plans, in their order; they are not signed, and
    the contract looks for the terms.

    `permit` lets the contract, or Permit2 where charges go through it, move the payer's tokens; `permit2` lets the
    contract move them there. `chain_id` and `contract` say where it is good.
    """

    chain_id: int
    contract: str
    mandate: MandateWithConditions
    plan_ids: tuple[int, ...]
    signature: bytes
    permit: SignedPermit | None = None
    permit2: SignedPermit2 | None = None

    def render(self) -> str:
        """The text that a payer hands to whoever submits it: JSON, numbers beyond 64 bits as text, bytes as hex."""
        return rendered(_document(self))


def typed_data(
    mandate: MandateWithConditions, plan: Plan, *, chain_id: int, contract: str, trial_used: bool = False
) -> dict[str, Any]:
    """The whole EIP-712 message of a mandate, as `eth_signTypedData_v4` takes it. `plan` is any of its plans;
    `trial_used`: the payer had the trial of its family already."""
    conditions = mandate.conditions
    values = {
        "payer": mandate.payer,
        "payee": plan.terms.payee,
        "token": plan.terms.token,
        "plans": list(mandate.plans),
        "seats": mandate.seats,
        "trialSeconds": 0 if trial_used else plan.terms.trial,
        "maxPerPeriod": conditions.max_per_period_units,
        "minSecondsPerPeriod": mandate.min_seconds_per_period,
        "maxTotal": conditions.max_total_units,
        "startsAt": conditions.starts_at,
        "endsAt": conditions.ends_at,
        "beneficiary": conditions.beneficiary or ZERO_ADDRESS,
        "byPermit2": conditions.by_permit2,
        "coupon": mandate.coupon,
        "salt": mandate.salt,
        "validBefore": mandate.valid_before,
    }
    return message_of(_TYPE, values, chain_id=chain_id, contract=contract)


def require_alike(plans: Sequence[Plan], trials: Sequence[int]) -> None:
    """Raises InputError unless one signature is good for all of these plans: they need the same payee, token and trial.
    `trials` are the seconds that each would give the payer."""
    if not plans:
        raise InputError("found no plan to agree to, at least one is needed: name its number")
    first = plans[0]
    for plan, trial in zip(plans, trials, strict=True):
        for what, found, expected in (
            ("payee", plan.terms.payee, first.terms.payee),
            ("token", plan.terms.token, first.terms.token),
            ("trial (in seconds)", trial, trials[0]),
        ):
            if found != expected:
                raise InputError(
                    f"plan {plan.plan_id} has the {what} {found}, plan {first.plan_id} has {expected}: plans of one "
                    "mandate have the same; sign one for each"
                )


# --- The text form ----------------------------------------------------------------------------------------------------


class _PlanText(msgspec.Struct, forbid_unknown_fields=True):
    plan_id: int
    terms: str


class _ConditionsText(msgspec.Struct, forbid_unknown_fields=True):
    max_per_period: str
    max_total: str
    starts_at: int
    ends_at: int
    beneficiary: str | None
    by_permit2: bool


class _MandateText(msgspec.Struct, forbid_unknown_fields=True):
    chain_id: int
    contract: str
    payer: str
    plans: list[_PlanText]
    seats: int
    min_seconds_per_period: int
    conditions: _ConditionsText
    coupon: str
    salt: str
    valid_before: str
    signature: str
    permit: PermitText | None = None
    permit2: Permit2Text | None = None


def _document(signed: SignedMandateWithConditions) -> _MandateText:
    mandate, conditions = signed.mandate, signed.mandate.conditions
    return _MandateText(
        chain_id=signed.chain_id,
        contract=signed.contract,
        payer=mandate.payer,
        plans=[
            _PlanText(plan_id, shown_bytes(terms))
            for plan_id, terms in zip(signed.plan_ids, mandate.plans, strict=True)
        ],
        seats=mandate.seats,
        min_seconds_per_period=mandate.min_seconds_per_period,
        conditions=_ConditionsText(
            max_per_period=str(conditions.max_per_period_units),
            max_total=str(conditions.max_total_units),
            starts_at=conditions.starts_at,
            ends_at=conditions.ends_at,
            beneficiary=conditions.beneficiary,
            by_permit2=conditions.by_permit2,
        ),
        coupon=shown_bytes(mandate.coupon),
        salt=str(mandate.salt),
        valid_before=str(mandate.valid_before),
        signature=shown_bytes(signed.signature),
        permit=permit_text(signed.permit),
        permit2=permit2_text(signed.permit2),
    )


def parse_mandate_with_conditions(text: bytes | str) -> SignedMandateWithConditions:
    """The mandate that `SignedMandateWithConditions.render` wrote. Raises InputError when it is not one, or a value is
    impossible."""
    advice = "have the payer write it anew with `tallystick subscriptions sign`"
    with reading_signed("a signed mandate with conditions", advice):
        found = msgspec.json.decode(text, type=_MandateText)
        mandate = MandateWithConditions(
            payer=parse_address(found.payer),
            plans=tuple(parse_word(plan.terms) for plan in found.plans),
            salt=parse_uint256(found.salt),
            valid_before=parse_uint256(found.valid_before),
            seats=found.seats,
            min_seconds_per_period=found.min_seconds_per_period,
            conditions=_conditions(found.conditions),
            coupon=parse_word(found.coupon),
        )
        return SignedMandateWithConditions(
            chain_id=found.chain_id,
            contract=parse_address(found.contract),
            mandate=mandate,
            plan_ids=tuple(plan.plan_id for plan in found.plans),
            signature=parse_bytes(found.signature),
            permit=parse_permit(found.permit),
            permit2=parse_permit2(found.permit2),
        )


def _conditions(text: _ConditionsText) -> Conditions:
    return Conditions(
        parse_uint256(text.max_per_period),
        parse_uint256(text.max_total),
        text.starts_at,
        text.ends_at,
        None if text.beneficiary is None else parse_address(text.beneficiary),
        text.by_permit2,
    )


def parse_any_mandate(text: bytes | str) -> SignedMandate | SignedMandateWithConditions:
    """A signed mandate of either kind: with conditions, or of one plan and without. Raises InputError when it is
    neither, or a value is impossible."""
    try:
        has_conditions = "conditions" in msgspec.json.decode(text, type=dict[str, Any])
    except (msgspec.DecodeError, ValueError):
        has_conditions = False
    return parse_mandate_with_conditions(text) if has_conditions else parse_mandate(text)
