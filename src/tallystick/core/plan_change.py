"""A change of plan or seats at the period's end, signed by the payer as EIP-712 typed data and sent by anyone."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tallystick.core.address import parse_address
from tallystick.core.plan import Plan
from tallystick.core.signed import (
    message_of,
    parse_bytes,
    parse_uint256,
    reading_signed,
    rendered,
    shown_bytes,
)

_TYPE = (
    "PlanChange(uint256 subscriptionId,address payer,uint256 planId,uint256 pricePerPeriod,uint256 pricePerSeat,"
    "uint256 seats,uint256 periodCount,string periodUnit,bytes32 terms,uint256 salt,uint256 validBefore)"
)


@dataclass(frozen=True, slots=True)
class PlanChange:
    """The payer changes to a plan and so many seats when the paid period ends. `salt` is the payer's, good once;
    `valid_before` in Unix seconds."""

    subscription_id: int
    payer: str
    plan_id: int
    seats: int
    salt: int
    valid_before: int


@dataclass(frozen=True, slots=True)
class SignedPlanChange:
    """A change with the payer's signature; `chain_id` and `contract` say where it is good."""

    chain_id: int
    contract: str
    change: PlanChange
    signature: bytes

    def render(self) -> str:
        """The text that a payer hands to whoever submits it: JSON, large numbers as text, bytes as hex."""
        change = self.change
        return rendered(
            _PlanChangeText(
                chain_id=self.chain_id,
                contract=self.contract,
                subscription_id=str(change.subscription_id),
                payer=change.payer,
                plan_id=change.plan_id,
                seats=change.seats,
                salt=str(change.salt),
                valid_before=str(change.valid_before),
                signature=shown_bytes(self.signature),
            )
        )


def typed_data(change: PlanChange, plan: Plan, *, chain_id: int, contract: str) -> dict[str, Any]:
    """The whole EIP-712 message of a change to this plan, as `eth_signTypedData_v4` takes it."""
    terms = plan.terms
    values = {
        "subscriptionId": change.subscription_id,
        "payer": change.payer,
        "planId": change.plan_id,
        "pricePerPeriod": terms.price_units,
        "pricePerSeat": terms.seat_price_units,
        "seats": change.seats,
        "periodCount": terms.every,
        "periodUnit": terms.unit.word,
        "terms": plan.terms_hash(),
        "salt": change.salt,
        "validBefore": change.valid_before,
    }
    return message_of(_TYPE, values, chain_id=chain_id, contract=contract)


# --- The text form ----------------------------------------------------------------------------------------------------


class _PlanChangeText(msgspec.Struct, forbid_unknown_fields=True):
    chain_id: int
    contract: str
    subscription_id: str
    payer: str
    plan_id: int
    seats: int
    salt: str
    valid_before: str
    signature: str


def parse_plan_change(text: bytes | str) -> SignedPlanChange:
    """What `SignedPlanChange.render` wrote. Raises InputError when it is not that, or a value is impossible."""
    advice = "have the payer write it anew with `tallystick subscriptions sign-change`"
    with reading_signed("a signed change of plan", advice):
        found = msgspec.json.decode(text, type=_PlanChangeText)
        change = PlanChange(
            subscription_id=parse_uint256(found.subscription_id),
            payer=parse_address(found.payer),
            plan_id=found.plan_id,
            seats=found.seats,
            salt=parse_uint256(found.salt),
            valid_before=parse_uint256(found.valid_before),
        )
        return SignedPlanChange(found.chain_id, parse_address(found.contract), change, parse_bytes(found.signature))
