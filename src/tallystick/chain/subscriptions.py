"""Typed calls of `Subscriptions`, over the one ABI artefact.

Reads need a node alone, writes a sender as well. Every call raises the contract's own errors (`errors.ContractError`)
and NodeErrors; writes also SignerErrors and TransactionErrors. Amounts are base units of the plan's token, times Unix
seconds.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

from eth_abi import abi as codec
from eth_abi.exceptions import DecodingError, EncodingError
from eth_utils.abi import function_signature_to_4byte_selector, get_abi_input_types, get_abi_output_types
from eth_utils.address import to_checksum_address

from tallystick.chain.decode import decode_event, event_names
from tallystick.chain.node import Node, hex_bytes
from tallystick.chain.sender import Call, Receipt, Sender
from tallystick.chain.signer import NO_KEY
from tallystick.contracts import load_artefact
from tallystick.core.events import Charged, Declined, Event
from tallystick.core.mandate import Mandate
from tallystick.core.period import Unit
from tallystick.core.permit import SignedPermit
from tallystick.core.plan import Plan, PlanTerms
from tallystick.core.subscription import DeclineReason, Status, Subscription
from tallystick.errors import InputError, KeyMissing, NodeInvalid

E = TypeVar("E", bound=Event)


class ControlTotals(NamedTuple):
    """Count and sum of all charges and refunds that a payee ever had in one token."""

    charge_count: int
    charged_units: int
    refund_count: int
    refunded_units: int


@dataclass(frozen=True, slots=True)
class Sent:
    """A transaction that had its effect, and the contract's events in it, in their order."""

    receipt: Receipt
    events: tuple[Event, ...]

    def one(self, kind: type[E]) -> E:
        """The first event of a kind that the call always has. Raises NodeInvalid when the node left it out."""
        for event in self.events:
            if isinstance(event, kind):
                return event
        raise NodeInvalid(
            f"the receipt of {self.receipt.transaction} has no {kind.__name__} event, which it must have: ask another "
            "node"
        )

    @property
    def reasons(self) -> list[DeclineReason]:
        """Of a `charge`: for each row why it was not paid, NONE where it was."""
        return [
            event.reason if isinstance(event, Declined) else DeclineReason.NONE
            for event in self.events
            if isinstance(event, Charged | Declined)
        ]


class Subscriptions:
    """The contract at one address on one chain."""

    def __init__(self, node: Node, address: str, sender: Sender | None = None) -> None:
        self.node = node
        self.address = address
        self._sender = sender

    @property
    def sender(self) -> Sender:
        """Who sends. Raises KeyMissing where there is no key."""
        if self._sender is None:
            raise KeyMissing(NO_KEY)
        return self._sender

    # --- Reads ---

    def plan_count(self) -> int:
        """How many plans there are; they are numbered from 1."""
        return int(self._read("planCount"))

    def plan(self, plan_id: int) -> Plan:
        """Raises UnknownPlan."""
        return _plan(plan_id, self._read("plan", plan_id))

    def plans(self, plan_ids: Iterable[int]) -> list[Plan]:
        """Many plans in few requests. Raises UnknownPlan."""
        ids = list(plan_ids)
        answers = self.node.request_many(
            [
                ("eth_call", [{"to": self.address, "data": "0x" + _data("plan", plan_id).hex()}, "latest"])
                for plan_id in ids
            ]
        )
        return [
            _plan(plan_id, _decoded("plan", hex_bytes(answer))) for plan_id, answer in zip(ids, answers, strict=True)
        ]

    def subscription_count(self) -> int:
        """How many subscriptions there are; they are numbered from 1."""
        return int(self._read("subscriptionCount"))

    def subscription(self, subscription_id: int) -> Subscription:
        """Raises UnknownSubscription."""
        payer, plan_id, next_due, charges, status, anchor_day = self._read("subscription", subscription_id)
        return Subscription(
            subscription_id, to_checksum_address(payer), plan_id, next_due, charges, Status(status), anchor_day
        )

    def refunded(self, subscription_id: int, charge_number: int) -> int:
        """Units that were given back of one charge."""
        return int(self._read("refunded", subscription_id, charge_number))

    def control_totals(self, payee: str, token: str) -> ControlTotals:
        """What the contract counted for a payee in a token; zeros where it never charged."""
        (charge_count, charged), (refund_count, refunded) = self._read("controlTotals", payee, token)
        return ControlTotals(charge_count, charged, refund_count, refunded)

    def is_salt_used(self, payer: str, salt: int) -> bool:
        """Whether the payer's mandate with this salt was submitted or revoked."""
        return bool(self._read("isSaltUsed", payer, salt))

    def mandate_hash(self, mandate: Mandate) -> bytes:
        """The EIP-712 digest that the contract expects to be signed. Raises UnknownPlan."""
        return bytes(self._read("mandateHash", _tuple(mandate)))

    # --- Plans and consent ---

    def create_plan(self, terms: PlanTerms) -> Sent:
        """Event: PlanCreated. Raises ZeroAddress, ZeroAmount, NotAContract or PeriodOutOfRange."""
        values = (terms.payee, terms.price_units, terms.token, terms.every, int(terms.unit), terms.catch_up)
        return self._send("createPlan", values)

    def subscribe(self, plan: Plan, permit: SignedPermit | None = None) -> Sent:
        """The sender subscribes on exactly these terms and pays the first period. Events: Subscribed, Charged.

        Raises UnknownPlan, TermsChanged, PayerIsPayee, AllowanceTooLow, BalanceTooLow, TokenRefused or AmountMismatch.
        """
        if permit is None:
            return self._send("subscribe", plan.plan_id, plan.terms.hash())
        return self._send("subscribeWithPermit", plan.plan_id, plan.terms.hash(), _permit(permit))

    def submit_mandate(self, mandate: Mandate, signature: bytes, permit: SignedPermit | None = None) -> Sent:
        """Subscribes the mandate's payer, who pays the first period. Events: Subscribed, Charged, MandateAccepted.

        Raises what `subscribe` does, and MandateExpired, InvalidSignature or SaltUsed.
        """
        if permit is None:
            return self._send("submitMandate", _tuple(mandate), signature)
        return self._send("submitMandateWithPermit", _tuple(mandate), signature, _permit(permit))

    def revoke_mandate(self, salt: int) -> Sent:
        """Makes the sender's mandate with this salt worthless. Event: MandateRevoked. Raises SaltUsed."""
        return self._send("revokeMandate", salt)

    # --- Charges, cancellations, refunds ---

    def charge_dry_run(self, subscription_ids: Sequence[int]) -> list[DeclineReason]:
        """What `charge` would do in the next block: for each row why it would not be paid, NONE where it would be."""
        _require_rows(subscription_ids)
        call = Call(self.address, _data("charge", list(subscription_ids)))
        answer = (
            self.node.call(call.to, call.data, block="pending") if self._sender is None else self._sender.dry_run(call)
        )
        return [DeclineReason(reason) for reason in _decoded("charge", answer)]

    def charge_gas(self, subscription_ids: Sequence[int]) -> int:
        """The gas that `charge` would need in the next block."""
        _require_rows(subscription_ids)
        return self.sender.estimate(Call(self.address, _data("charge", list(subscription_ids))))

    def charge(self, subscription_ids: Sequence[int]) -> Sent:
        """Charges what is due; `reasons` of the answer says how each row went. Events: Charged or Declined for each."""
        _require_rows(subscription_ids)
        return self._send("charge", list(subscription_ids))

    def cancel(self, subscription_id: int) -> Sent:
        """Ends a subscription now. Event: Cancelled. Raises UnknownSubscription, NotAuthorized or NotActive."""
        return self._send("cancel", subscription_id)

    def cancel_at_period_end(self, subscription_id: int) -> Sent:
        """Ends a subscription when the paid period does. Event: CancellationScheduled. Raises as `cancel`."""
        return self._send("cancelAtPeriodEnd", subscription_id)

    def pause(self, subscription_id: int) -> Sent:
        """The payer stops the clock within a paid period. Event: Paused.

        Raises UnknownSubscription, NotAuthorized, NotActive or ChargeDue.
        """
        return self._send("pause", subscription_id)

    def resume(self, subscription_id: int) -> Sent:
        """The payer lets the clock go on. Event: Resumed. Raises UnknownSubscription, NotAuthorized or NotPaused."""
        return self._send("resume", subscription_id)

    def refund(self, subscription_id: int, charge_number: int, amount_units: int) -> Sent:
        """The sender, who is the payee, gives back a part or all of a charge, by its allowance. Event: Refunded.

        Raises UnknownSubscription, UnknownCharge, NotAuthorized, ZeroAmount, RefundTooHigh, AllowanceTooLow,
        BalanceTooLow or TokenRefused.
        """
        return self._send("refund", subscription_id, charge_number, amount_units)

    # --- Parts ---

    def _read(self, name: str, *values: object) -> Any:
        return _decoded(name, self.node.call(self.address, _data(name, *values)))

    def _send(self, name: str, *values: object) -> Sent:
        receipt = self.sender.send(Call(self.address, _data(name, *values)))
        return Sent(receipt, self._events(receipt))

    def _events(self, receipt: Receipt) -> tuple[Event, ...]:
        names = event_names()
        events = []
        for log in receipt.logs:
            if log["address"].lower() == self.address.lower() and (name := names.get(log["topics"][0])):
                topics = b"".join(hex_bytes(topic) for topic in log["topics"][1:])
                events.append(decode_event(name, topics, hex_bytes(log["data"])))
        return tuple(events)


def _require_rows(subscription_ids: Sequence[int]) -> None:
    if not subscription_ids:
        raise InputError("found no subscription to charge, at least one is needed: name its number")


def _plan(plan_id: int, values: Any) -> Plan:
    payee, price_units, token, every, unit, catch_up = values
    terms = PlanTerms(to_checksum_address(payee), price_units, to_checksum_address(token), every, Unit(unit), catch_up)
    return Plan(plan_id, terms)


def _tuple(mandate: Mandate) -> tuple[str, int, int, int]:
    return mandate.payer, mandate.plan_id, mandate.salt, mandate.valid_before


def _permit(permit: SignedPermit) -> tuple[int, int, int, bytes, bytes]:
    return permit.value_units, permit.deadline, permit.v, permit.r, permit.s


# --- The ABI ----------------------------------------------------------------------------------------------------------


class _Function(NamedTuple):
    selector: bytes
    inputs: list[str]
    outputs: list[str]


@functools.cache
def _functions() -> dict[str, _Function]:
    table = {}
    for entry in load_artefact("Subscriptions").abi:
        if entry["type"] == "function":
            item: Any = entry  # the ABI is plain JSON
            inputs = get_abi_input_types(item)
            selector = function_signature_to_4byte_selector(f"{entry['name']}({','.join(inputs)})")
            table[entry["name"]] = _Function(selector, inputs, get_abi_output_types(item))
    return table


def _data(name: str, *values: object) -> bytes:
    function = _functions()[name]
    try:
        return function.selector + codec.encode(function.inputs, values)
    except EncodingError as error:
        raise InputError(f"found a value that {name}({', '.join(function.inputs)}) cannot hold: {error}") from error


def _decoded(name: str, answer: bytes) -> Any:
    try:
        (value,) = codec.decode(_functions()[name].outputs, answer)
    except DecodingError as error:
        raise NodeInvalid(
            f"{name} was answered by {len(answer)} bytes that it cannot answer ({error}): check the contract's address "
            "and the chain, and ask another node"
        ) from error
    return value
