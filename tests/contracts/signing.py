"""What payers and payees sign, written anew from the contract's documentation: a mistake cannot hide on both sides."""

from __future__ import annotations

from typing import Any, NamedTuple

from eth_account import Account as Keys
from eth_account.messages import encode_typed_data
from eth_utils.crypto import keccak

from tests.contracts.stage import NOBODY, UNLIMITED, Account, Contract, Stage

UNIT_NAMES = ["second", "day", "week", "month", "year"]
MANDATE_FIELDS = (
    "address payer,uint256 planId,address payee,address token,uint256 pricePerPeriod,uint256 pricePerSeat,"
    "uint256 seats,uint256 maxUsagePerPeriod,uint256 periodCount,string periodUnit,uint256 missedPeriods,"
    "uint256 trialSeconds,bytes32 terms,uint256 salt,uint256 validBefore"
)
MANDATE_WITH_CONDITIONS_FIELDS = (
    "address payer,address payee,address token,bytes32[] plans,uint256 seats,uint256 trialSeconds,"
    "uint256 maxPerPeriod,uint256 minSecondsPerPeriod,uint256 maxTotal,uint256 startsAt,uint256 endsAt,"
    "address beneficiary,bool byPermit2,bytes32 coupon,uint256 salt,uint256 validBefore"
)
COUPON_FIELDS = (
    "address payee,address token,uint256 planId,uint256 basisPointsOff,uint256 amountOff,uint256 periods,"
    "address payer,uint256 code,uint256 validBefore"
)
REVOCATION_FIELDS = "address payer,uint256 salt"
CANCELLATION_FIELDS = "address payer,uint256 subscriptionId,uint256 validBefore"
PAYER_CHANGE_FIELDS = (
    "uint256 subscriptionId,address payer,address newPayer,bytes32 terms,uint256 seats,uint256 maxPerPeriod,"
    "uint256 endsAt,uint256 salt,uint256 validBefore"
)
PAYEE_CHANGE_FIELDS = "address payee,address token,address newPayee,uint256 salt,uint256 validBefore"
PLAN_CHANGE_FIELDS = (
    "uint256 subscriptionId,address payer,uint256 planId,uint256 pricePerPeriod,uint256 pricePerSeat,uint256 seats,"
    "uint256 periodCount,string periodUnit,bytes32 terms,uint256 salt,uint256 validBefore"
)
FALLBACK_FIELDS = (
    "uint256 subscriptionId,address payer,address wallet,bytes32 terms,uint256 seats,uint256 salt,uint256 validBefore"
)
PERMIT_FIELDS = "address owner,address spender,uint256 value,uint256 nonce,uint256 deadline"
DOMAIN_FIELDS = "string name,string version,uint256 chainId,address verifyingContract"


class Mandate(NamedTuple):
    """What is submitted beside the signature; the contract fills in the rest from the plan."""

    payer: str
    plan_id: int
    seats: int = 0
    salt: int = 0
    valid_before: int = UNLIMITED


class Conditions(NamedTuple):
    """What a payer adds to a plan's terms; as it stands here, nothing."""

    max_per_period: int = 0
    max_total: int = 0
    starts_at: int = 0
    ends_at: int = 0
    beneficiary: str = NOBODY
    by_permit2: bool = False


class MandateWithConditions(NamedTuple):
    """What is submitted beside the signature and the number of the plan that is chosen."""

    payer: str
    plans: list[bytes]
    seats: int = 0
    min_seconds_per_period: int = 0
    conditions: Conditions = Conditions()
    coupon: bytes = bytes(32)
    salt: int = 0
    valid_before: int = UNLIMITED


class Coupon(NamedTuple):
    """A payee's promise; the contract fills in payee and token from the plan."""

    plan_id: int = 0
    basis_points_off: int = 0
    amount_off: int = 0
    periods: int = 1
    payer: str = NOBODY
    code: int = 0
    valid_before: int = UNLIMITED


NO_COUPON = Coupon(periods=0)


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


def mandate_with_conditions_data(
    stage: Stage,
    mandate: MandateWithConditions,
    plan_id: int,
    *,
    trial_s: int | None = None,
    contract: str | None = None,
    chain_id: int = 31_337,
) -> dict[str, Any]:
    """The EIP-712 message that a payer sees in their wallet; the seconds of the trial are the plan's by default."""
    terms = stage.subscriptions.plan(plan_id)
    message = {
        "payer": mandate.payer,
        "payee": terms.payee,
        "token": terms.token,
        "plans": mandate.plans,
        "seats": mandate.seats,
        "trialSeconds": terms.trial if trial_s is None else trial_s,
        "maxPerPeriod": mandate.conditions.max_per_period,
        "minSecondsPerPeriod": mandate.min_seconds_per_period,
        "maxTotal": mandate.conditions.max_total,
        "startsAt": mandate.conditions.starts_at,
        "endsAt": mandate.conditions.ends_at,
        "beneficiary": mandate.conditions.beneficiary,
        "byPermit2": mandate.conditions.by_permit2,
        "coupon": mandate.coupon,
        "salt": mandate.salt,
        "validBefore": mandate.valid_before,
    }
    contract = contract or stage.subscriptions.address
    fields = MANDATE_WITH_CONDITIONS_FIELDS
    return _typed_data("MandateWithConditions", fields, message, contract, "Tallystick Subscriptions", "1", chain_id)


def coupon_data(
    stage: Stage,
    coupon: Coupon,
    *,
    payee: str | None = None,
    token: str | None = None,
    contract: str | None = None,
    chain_id: int = 31_337,
) -> dict[str, Any]:
    """What a payee signs, by default the merchant for plans in the usual token."""
    message = {
        "payee": payee or stage.merchant.address,
        "token": token or stage.token.address,
        "planId": coupon.plan_id,
        "basisPointsOff": coupon.basis_points_off,
        "amountOff": coupon.amount_off,
        "periods": coupon.periods,
        "payer": coupon.payer,
        "code": coupon.code,
        "validBefore": coupon.valid_before,
    }
    contract = contract or stage.subscriptions.address
    return _typed_data("Coupon", COUPON_FIELDS, message, contract, "Tallystick Subscriptions", "1", chain_id)


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


def payer_change_data(
    stage: Stage,
    subscription_id: int,
    payer: str,
    new_payer: str,
    *,
    plan_id: int | None = None,
    seats: int | None = None,
    max_per_period: int | None = None,
    ends_at: int | None = None,
    salt: int = 0,
    valid_before: int = UNLIMITED,
    contract: str | None = None,
    chain_id: int = 31_337,
) -> dict[str, Any]:
    """What both wallets sign before another one pays; what holds at present unless told otherwise."""
    contract = contract or stage.subscriptions.address
    found = stage.subscriptions.subscription(subscription_id)
    conditions = Conditions(*stage.subscriptions.conditions(subscription_id).found)
    message = {
        "subscriptionId": subscription_id,
        "payer": payer,
        "newPayer": new_payer,
        "terms": bytes(stage.subscriptions.termsHash(found.planId if plan_id is None else plan_id)),
        "seats": found.seats if seats is None else seats,
        "maxPerPeriod": conditions.max_per_period if max_per_period is None else max_per_period,
        "endsAt": conditions.ends_at if ends_at is None else ends_at,
        "salt": salt,
        "validBefore": valid_before,
    }
    return _typed_data("PayerChange", PAYER_CHANGE_FIELDS, message, contract, "Tallystick Subscriptions", "1", chain_id)


def payee_change_data(
    stage: Stage,
    payee: str,
    new_payee: str,
    *,
    token: str | None = None,
    salt: int = 0,
    valid_before: int = UNLIMITED,
    contract: str | None = None,
    chain_id: int = 31_337,
) -> dict[str, Any]:
    """What both payees sign before a register, by default in the usual token, is handed over."""
    contract = contract or stage.subscriptions.address
    message = {
        "payee": payee,
        "token": token or stage.token.address,
        "newPayee": new_payee,
        "salt": salt,
        "validBefore": valid_before,
    }
    return _typed_data("PayeeChange", PAYEE_CHANGE_FIELDS, message, contract, "Tallystick Subscriptions", "1", chain_id)


def plan_change_data(
    stage: Stage,
    subscription_id: int,
    payer: str,
    plan_id: int,
    *,
    seats: int = 0,
    salt: int = 0,
    valid_before: int = UNLIMITED,
    contract: str | None = None,
    chain_id: int = 31_337,
) -> dict[str, Any]:
    """What a payer signs before plan or seats change at the period's end."""
    contract = contract or stage.subscriptions.address
    terms = stage.subscriptions.plan(plan_id)
    message = {
        "subscriptionId": subscription_id,
        "payer": payer,
        "planId": plan_id,
        "pricePerPeriod": terms.price,
        "pricePerSeat": terms.seatPrice,
        "seats": seats,
        "periodCount": terms.every,
        "periodUnit": UNIT_NAMES[terms.unit],
        "terms": bytes(stage.subscriptions.termsHash(plan_id)),
        "salt": salt,
        "validBefore": valid_before,
    }
    return _typed_data("PlanChange", PLAN_CHANGE_FIELDS, message, contract, "Tallystick Subscriptions", "1", chain_id)


def fallback_data(
    stage: Stage,
    subscription_id: int,
    payer: str,
    wallet: str,
    *,
    plan_id: int,
    seats: int = 0,
    salt: int = 0,
    valid_before: int = UNLIMITED,
    contract: str | None = None,
    chain_id: int = 31_337,
) -> dict[str, Any]:
    """What a wallet signs before it pays where the payer cannot."""
    contract = contract or stage.subscriptions.address
    message = {
        "subscriptionId": subscription_id,
        "payer": payer,
        "wallet": wallet,
        "terms": bytes(stage.subscriptions.termsHash(plan_id)),
        "seats": seats,
        "salt": salt,
        "validBefore": valid_before,
    }
    return _typed_data("Fallback", FALLBACK_FIELDS, message, contract, "Tallystick Subscriptions", "1", chain_id)


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


def signed_mandate_with_conditions(
    stage: Stage, key: Account, mandate: MandateWithConditions, plan_id: int, **data: Any
) -> bytes:
    """The signature of one key under a mandate with conditions."""
    return signed(key, mandate_with_conditions_data(stage, mandate, plan_id, **data))


def signed_coupon(stage: Stage, coupon: Coupon, key: Account | None = None, **data: Any) -> bytes:
    """The signature of one key, by default the merchant's, under a coupon."""
    return signed(key or stage.merchant, coupon_data(stage, coupon, **data))


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
