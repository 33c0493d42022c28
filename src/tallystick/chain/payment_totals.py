"""What `Escrow` counts and keeps itself: payments of each payee, each payment's state, and what it keeps for those who
could not receive it. The judge over a node that leaves events out and over a database in which a row was changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from eth_utils.abi import function_signature_to_4byte_selector

from tallystick.chain.rpc import Caller
from tallystick.chain.totals import address_word, asked, words_of
from tallystick.errors import NodeInvalid, NodeRefused

_PAYMENT_TOTAL = function_signature_to_4byte_selector("paymentTotal(address,address)")
_PAYMENT = function_signature_to_4byte_selector("payment(bytes32)")
_CLAIMABLE = function_signature_to_4byte_selector("claimable(address,address)")
_BALANCE = function_signature_to_4byte_selector("balanceOf(address)")


class CountedTotal(NamedTuple):
    """How many payments were ever made, and the sum of their amounts."""

    payments: int = 0
    sum_units: int = 0


class PaymentFacts(NamedTuple):
    """A payment as the contract has it: `status` is the number of `core.payment.PaymentStatus`."""

    status: int = 0
    held_units: int = 0
    refundable_units: int = 0
    since: int = 0
    milestones: int = 0


class CountedPayments(NamedTuple):
    """The totals of the pairs of payee and token asked for, what is kept for the pairs of account and token, and the
    payments by their ids."""

    totals: dict[tuple[str, str], CountedTotal]
    claimables: dict[tuple[str, str], int]
    payments: dict[bytes, PaymentFacts]


def read_counted_payments(
    rpc: Caller,
    contract: str,
    pairs: Sequence[tuple[str, str]],
    accounts: Sequence[tuple[str, str]],
    ids: Sequence[bytes],
    block: int,
) -> CountedPayments:
    """What the contract had by the end of a block; zeros where there was no contract yet.

    Raises NodeRefused where the node does not keep the state of that block any more.
    """
    calls = [_PAYMENT_TOTAL + address_word(payee) + address_word(token) for payee, token in pairs]
    calls += [_CLAIMABLE + address_word(account) + address_word(token) for account, token in accounts]
    calls += [_PAYMENT + payment_id for payment_id in ids]
    answers = asked(rpc, [(contract, data) for data in calls], block)
    second, third = len(pairs), len(pairs) + len(accounts)
    totals = [CountedTotal(*words_of(rpc, answer, len(CountedTotal._fields))) for answer in answers[:second]]
    kept = [words_of(rpc, answer, 1)[0] for answer in answers[second:third]]
    facts = [PaymentFacts(*words_of(rpc, answer, len(PaymentFacts._fields))) for answer in answers[third:]]
    return CountedPayments(
        dict(zip(pairs, totals, strict=True)),
        dict(zip(accounts, kept, strict=True)),
        dict(zip(ids, facts, strict=True)),
    )


def read_holding(rpc: Caller, contract: str, token: str, block: int) -> int | None:
    """The contract's balance of a token at the end of a block, whose state the node keeps; None where the token does
    not say."""
    data = _BALANCE + address_word(contract)
    try:
        (answer,) = asked(rpc, [(token, data)], block)
        return words_of(rpc, answer, 1)[0]
    except (NodeRefused, NodeInvalid):
        return None
