"""Another account is paid from now on, in a token: what both accounts sign, as EIP-712 typed data, and anyone sends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

from tallystick.core.address import parse_address
from tallystick.core.signed import message_of, parse_bytes, parse_uint256, reading_signed, rendered, shown_bytes

_TYPE = "PayeeChange(address payee,address token,address newPayee,uint256 salt,uint256 validBefore)"


@dataclass(frozen=True, slots=True)
class PayeeChange:
    """`new_payee` is paid in `token` in place of `payee`, for all plans and subscriptions. `salt` is the old payee's,
    good once; `valid_before` in Unix seconds."""

    payee: str
    token: str
    new_payee: str
    salt: int
    valid_before: int


@dataclass(frozen=True, slots=True)
class SignedPayeeChange:
    """A change with the signatures that it has so far; an empty one is missing. Whoever sends it needs none of their
    own. `chain_id` and `contract` say where it is good."""

    chain_id: int
    contract: str
    change: PayeeChange
    payee_signature: bytes = b""
    new_payee_signature: bytes = b""

    def render(self) -> str:
        """The text for the other account, or for whoever submits it: JSON, large numbers as text, bytes as hex."""
        change = self.change
        return rendered(
            _PayeeChangeText(
                chain_id=self.chain_id,
                contract=self.contract,
                payee=change.payee,
                token=change.token,
                new_payee=change.new_payee,
                salt=str(change.salt),
                valid_before=str(change.valid_before),
                payee_signature=shown_bytes(self.payee_signature),
                new_payee_signature=shown_bytes(self.new_payee_signature),
            )
        )


def typed_data(change: PayeeChange, *, chain_id: int, contract: str) -> dict[str, Any]:
    """The whole EIP-712 message, as `eth_signTypedData_v4` takes it."""
    values = {
        "payee": change.payee,
        "token": change.token,
        "newPayee": change.new_payee,
        "salt": change.salt,
        "validBefore": change.valid_before,
    }
    return message_of(_TYPE, values, chain_id=chain_id, contract=contract)


# --- The text form ----------------------------------------------------------------------------------------------------


class _PayeeChangeText(msgspec.Struct, forbid_unknown_fields=True):
    chain_id: int
    contract: str
    payee: str
    token: str
    new_payee: str
    salt: str
    valid_before: str
    payee_signature: str
    new_payee_signature: str


def parse_payee_change(text: bytes | str) -> SignedPayeeChange:
    """What `SignedPayeeChange.render` wrote. Raises InputError when it is not that, or a value is impossible."""
    advice = "have one of the accounts write it anew with `tallystick plans sign-payee-change`"
    with reading_signed("a signed change of payee", advice):
        found = msgspec.json.decode(text, type=_PayeeChangeText)
        change = PayeeChange(
            payee=parse_address(found.payee),
            token=parse_address(found.token),
            new_payee=parse_address(found.new_payee),
            salt=parse_uint256(found.salt),
            valid_before=parse_uint256(found.valid_before),
        )
        return SignedPayeeChange(
            chain_id=found.chain_id,
            contract=parse_address(found.contract),
            change=change,
            payee_signature=parse_bytes(found.payee_signature),
            new_payee_signature=parse_bytes(found.new_payee_signature),
        )
