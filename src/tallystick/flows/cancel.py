"""Ending what a payer began: by a signature that anyone sends, everything at once, or with a refund by the payee."""

from __future__ import annotations

from collections.abc import Sequence

from tallystick.chain.subscriptions import Sent
from tallystick.core.cancellation import Cancellation, Revocation, SignedEnd, typed_data
from tallystick.core.subscription import Status
from tallystick.errors import BalanceTooLow, NotAuthorized, UnusedNotRefunded
from tallystick.flows.connect import Connection
from tallystick.flows.history import read_segments
from tallystick.flows.refund import cost_of
from tallystick.flows.submit import require_here

CANCELLATION_VALID_S = 7 * 86_400


def sign_cancellation(
    connection: Connection, subscription_id: int, *, valid_s: int = CANCELLATION_VALID_S
) -> SignedEnd:
    """The signer, who is the payer, ends a subscription without sending anything; anyone may submit it within `valid_s`
    seconds. Raises UnknownSubscription, NotAuthorized or KeyMissing."""
    payer = connection.sender.address
    if connection.contract.subscription(subscription_id).payer != payer:
        raise NotAuthorized(payer)
    return _signed(connection, Cancellation(payer, subscription_id, connection.node.timestamp() + valid_s))


def sign_revocation(connection: Connection, salt: int) -> SignedEnd:
    """The signer makes their mandate with this salt worthless once anyone submits this. Raises KeyMissing."""
    return _signed(connection, Revocation(connection.sender.address, salt))


def _signed(connection: Connection, end: Cancellation | Revocation) -> SignedEnd:
    chain_id, contract = connection.node.chain_id, connection.contract.address
    message = typed_data(end, chain_id=chain_id, contract=contract)
    return SignedEnd(chain_id, contract, end, connection.sender.signer.sign_typed_data(message))


def submit_end(connection: Connection, signed: SignedEnd) -> Sent:
    """Submits a payer's cancellation or revocation; the signer here pays the gas.

    Raises InputError for one for another chain or contract, and what `Subscriptions.cancel_by_signature` or
    `revoke_mandate_by_signature` raises.
    """
    require_here(connection, "signature", signed.chain_id, signed.contract)
    end, contract = signed.end, connection.contract
    if isinstance(end, Cancellation):
        return contract.cancel_by_signature(end.subscription_id, end.valid_before, signed.signature)
    return contract.revoke_mandate_by_signature(end.payer, end.salt, signed.signature)


def stop(
    connection: Connection, subscription_ids: Sequence[int] | None = None, salts: Sequence[int] = ()
) -> Sent | None:
    """The signer's emergency stop, whatever the plans' minimum: ends these subscriptions, or all that they have opened
    by the logs, and makes mandates with these salts worthless. What is not the signer's is passed over. None where
    nothing is left to stop. Raises NodeErrors or KeyMissing.
    """
    if subscription_ids is None:
        opened = connection.history().subscriptions_of(connection.sender.address)
        found = [connection.contract.subscription(number) for number in opened]
        subscription_ids = [one.subscription_id for one in found if one.status is not Status.CANCELLED]
    if not subscription_ids and not salts:
        return None
    return connection.contract.stop(subscription_ids, salts)


def cancel_with_refund(connection: Connection, subscription_id: int) -> Sent:
    """The signer, who is the payee, ends a subscription now and gives back what is left of the paid period, and the
    credit, out of the newest charges.

    What was paid is read from the chain's logs. An allowance that is too low is raised by an approval first. Raises
    NotAuthorized, and what `Subscriptions.cancel_with_refund` raises, before anything is sent.
    """
    contract, sender = connection.contract, connection.sender
    found = contract.subscription(subscription_id)
    terms = contract.plan(found.plan_id).terms
    if sender.address != terms.payee:
        raise NotAuthorized(sender.address)
    history = tuple(read_segments(connection, subscription_id))
    needed_units = contract.unused(subscription_id, terms.payee, history)
    charge_numbers, sum_units = [], 0
    for number in range(found.charges, 0, -1):
        if sum_units >= needed_units:
            break
        cost_units, alternative_id = cost_of(number, history, terms.rate(found.seats))
        left_units = cost_units - contract.refunded(subscription_id, number)
        if left_units and not alternative_id:
            charge_numbers.append(number)
            sum_units += left_units
    if sum_units < needed_units:
        raise UnusedNotRefunded(sum_units, needed_units)
    token = connection.token(terms.token)
    balance_units = token.balance(sender.address)
    if balance_units < needed_units:
        raise BalanceTooLow(balance_units, needed_units)
    if token.allowance(sender.address, contract.address) < needed_units:
        token.approve(sender, contract.address, needed_units)
    return contract.cancel_with_refund(subscription_id, charge_numbers, history)
