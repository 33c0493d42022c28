"""Mandates: a payer's consent to a plan, signed once as EIP-712 typed data and submitted by anyone.

What is signed names the plan's terms and not just its number, as `ISubscriptions.Mandate` says; the contract fills them
in from the plan, so that a signature over other terms is no signature.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tallystick.core.address import parse_address
from tallystick.core.permit import PermitText, SignedPermit, parse_permit, permit_text
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
    "Mandate(address payer,uint256 planId,address payee,address token,uint256 pricePerPeriod,uint256 pricePerSeat,"
    "uint256 seats,uint256 maxUsagePerPeriod,uint256 periodCount,string periodUnit,uint256 missedPeriods,"
    "uint256 trialSeconds,bytes32 terms,uint256 salt,uint256 validBefore)"
)


@dataclass(frozen=True, slots=True)
class Mandate:
    """Who agrees to which plan, with how many seats.

    `salt` is good for one subscription of the payer, ever; `valid_before` (Unix seconds) is the first second at which
    the mandate can no longer be submitted.
    """

    payer: str
    plan_id: int
    salt: int
    valid_before: int
    seats: int = 0


@dataclass(frozen=True, slots=True)
class SignedMandate:
    """A mandate with its signature, and the permit that funds it where the payer signed one as well.

    `chain_id` and `contract` say where it is good.
    """

    chain_id: int
    contract: str
    mandate: Mandate
    signature: bytes
    permit: SignedPermit | None = None

    def render(self) -> str:
        """The text that a payer hands to whoever submits it: JSON, numbers beyond 64 bits as text, bytes as hex."""
        return rendered(_document(self))


def typed_data(
    mandate: Mandate, plan: Plan, *, chain_id: int, contract: str, trial_used: bool = False
) -> dict[str, Any]:
    """The whole EIP-712 message of a mandate to this plan, as `eth_signTypedData_v4` takes it. `trial_used`: the payer
    had the trial of the plan's family already, and would pay at once."""
    terms = plan.terms
    values = {
        "payer": mandate.payer,
        "planId": mandate.plan_id,
        "payee": terms.payee,
        "token": terms.token,
        "pricePerPeriod": terms.price_units,
        "pricePerSeat": terms.seat_price_units,
        "seats": mandate.seats,
        "maxUsagePerPeriod": terms.usage_cap_units,
        "periodCount": terms.every,
        "periodUnit": terms.unit.word,
        "missedPeriods": terms.catch_up,
        "trialSeconds": 0 if trial_used else terms.trial,
        "terms": plan.terms_hash(),
        "salt": mandate.salt,
        "validBefore": mandate.valid_before,
    }
    return message_of(_TYPE, values, chain_id=chain_id, contract=contract)


# --- The text form ----------------------------------------------------------------------------------------------------


class _MandateText(msgspec.Struct, forbid_unknown_fields=True):
    chain_id: int
    contract: str
    payer: str
    plan_id: int
    seats: int
    salt: str
    valid_before: str
    signature: str
    permit: PermitText | None = None


def _document(signed: SignedMandate) -> _MandateText:
    return _MandateText(
        chain_id=signed.chain_id,
        contract=signed.contract,
        payer=signed.mandate.payer,
        plan_id=signed.mandate.plan_id,
        seats=signed.mandate.seats,
        salt=str(signed.mandate.salt),
        valid_before=str(signed.mandate.valid_before),
        signature=shown_bytes(signed.signature),
        permit=permit_text(signed.permit),
    )


def parse_mandate(text: bytes | str) -> SignedMandate:
    """The mandate that `SignedMandate.render` wrote. Raises InputError when it is not one, or a value is impossible."""
    with reading_signed("a signed mandate", "have the payer write it anew with `tallystick subscriptions sign`"):
        found = msgspec.json.decode(text, type=_MandateText)
        return SignedMandate(
            chain_id=found.chain_id,
            contract=parse_address(found.contract),
            mandate=Mandate(
                parse_address(found.payer),
                found.plan_id,
                parse_uint256(found.salt),
                parse_uint256(found.valid_before),
                found.seats,
            ),
            signature=parse_bytes(found.signature),
            permit=parse_permit(found.permit),
        )
