"""What payers sign, written anew from the contract's documentation so that a mistake cannot hide on both sides."""

from __future__ import annotations

from typing import Any, NamedTuple

from eth_account import Account as Keys
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from tests.contracts.stage import UNLIMITED, Account, Contract, Stage

UNIT_NAMES = ["second", "day", "week", "month", "year"]
MANDATE_FIELDS = (
    "address payer,uint256 planId,address payee,address token,uint256 pricePerPeriod,uint256 pricePerSeat,"
    "uint256 seats,uint256 maxUsagePerPeriod,uint256 periodCount,string periodUnit,uint256 missedPeriods,"
    "uint256 trialSeconds,bytes32 terms,uint256 salt,uint256 validBefore"
)
REVOCATION_FIELDS = "address payer,uint256 salt"
CANCELLATION_FIELDS = "address payer,uint256 subscriptionId,uint256 validBefore"
PERMIT_FIELDS = "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline"
DOMAIN_FIELDS = "string name,string version,uint256 chainId,address verifyingContract"


class Mandate(NamedTuple):
    """What is submitted beside the signature; the contract fills in the rest from the plan."""

    payer: str
    plan_id: int
    seats: int = 0
    salt: int = 0
    valid_before: int = UNLIMITED


class Permit(NamedTuple):
    """An EIP-2612 permit of the contract under test."""

    value: int
    deadline: int
    v: int
    r: bytes
    s: bytes


NO_PERMIT = Permit(UNLIMITED, UNLIMITED, 27, b"\x01" * 32, b"\x02" * 32)
"""Signed by nobody."""


def _fields(text: str) -> list[dict[str, str]]:
    return [dict(zip(("type", "name"), field.split(" "), strict=True)) for field in text.split(",")]


def _typed_data(
    primary: str, fields: str, message: dict[str, Any], contract: str, name: str, version: str, chain_id: int
) -> dict[str, Any]:
    return {
        "types": {"EIP712Domain": _fields(DOMAIN_FIELDS), primary: _fields(fields)},
        "primaryType": primary,
        "domain": {"name": name, "version": version, "chainId": chain_id, "verifyingContract": contract},
        "message": message,
    }


def mandate_data(
    stage: Stage, mandate: Mandate, *, contract: str | None = None, chain_id: int = 31_337
) -> dict[str, Any]:
    """The EIP-712 message that a payer sees in their wallet."""
    terms = stage.subscriptions.plan(mandate.plan_id)
    message = {
        "payer": mandate.payer,
        "planId": mandate.plan_id,
        "payee": terms.payee,
        "token": terms.token,
        "pricePerPeriod": terms.price,
        "pricePerSeat": terms.seatPrice,
        "seats": mandate.seats,
        "maxUsagePerPeriod": terms.usageCap,
        "periodCount": terms.every,
        "periodUnit": UNIT_NAMES[terms.unit],
        "missedPeriods": terms.catchUp,
        "trialSeconds": 0 if stage.subscriptions.isTrialUsed(mandate.plan_id, mandate.payer) else terms.trial,
        "terms": bytes(stage.subscriptions.termsHash(mandate.plan_id)),
        "salt": mandate.salt,
        "validBefore": mandate.valid_before,
    }
    contract = contract or stage.subscriptions.address
    return _typed_data("Mandate", MANDATE_FIELDS, message, contract, "Tallystick Subscriptions", "1", chain_id)


def revocation_data(
    stage: Stage, payer: str, salt: int, *, contract: str | None = None, chain_id: int = 31_337
) -> dict[str, Any]:
    """What makes a mandate worthless, whoever sends it."""
    contract, message = contract or stage.subscriptions.address, {"payer": payer, "salt": salt}
    return _typed_data("Revocation", REVOCATION_FIELDS, message, contract, "Tallystick Subscriptions", "1", chain_id)


def cancellation_data(
    stage: Stage,
    payer: str,
    subscription_id: int,
    *,
    valid_before: int = UNLIMITED,
    contract: str | None = None,
    chain_id: int = 31_337,
) -> dict[str, Any]:
    """What ends a subscription, whoever sends it."""
    contract = contract or stage.subscriptions.address
    message = {"payer": payer, "subscriptionId": subscription_id, "validBefore": valid_before}
    return _typed_data(
        "Cancellation", CANCELLATION_FIELDS, message, contract, "Tallystick Subscriptions", "1", chain_id
    )


def digest(data: dict[str, Any]) -> bytes:
    """What is signed of a message: the EIP-712 digest."""
    signable = encode_typed_data(full_message=data)
    return keccak(b"\x19\x01" + signable.header + signable.body)


def signed(key: Account, data: dict[str, Any]) -> bytes:
    """65 bytes, r, s and v."""
    return bytes(Keys.sign_typed_data(key.private_key, full_message=data).signature)


def signed_mandate(stage: Stage, key: Account, mandate: Mandate, **domain: Any) -> bytes:
    """The signature of one key under a mandate."""
    return signed(key, mandate_data(stage, mandate, **domain))


def signed_permit(
    stage: Stage,
    token: Contract,
    owner: Account,
    *,
    value: int = UNLIMITED,
    deadline: int = UNLIMITED,
    version: str = "1",
) -> Permit:
    """The owner's permit to the contract under test, good for the owner's next nonce."""
    message = {
        "owner": owner.address,
        "spender": stage.subscriptions.address,
        "value": value,
        "nonce": token.nonces(owner),
        "deadline": deadline,
    }
    data = _typed_data("Permit", PERMIT_FIELDS, message, token.address, token.name(), version, 31_337)
    signature = signed(owner, data)
    return Permit(value, deadline, signature[64], signature[:32], signature[32:64])
