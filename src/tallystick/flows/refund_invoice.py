"""Giving back what was received for an invoice, to an account that the payer names."""

from __future__ import annotations

from tallystick.chain.contract import Sent
from tallystick.core.reference import parse_reference
from tallystick.errors import BalanceTooLow
from tallystick.flows.connect import Connection


def refund_invoice(connection: Connection, invoice: str, token: str, to: str, units: int) -> Sent:
    """Moves the signer's own money to `to`, and says on chain what for; the allowance is raised where it is too low.

    The chain does not know how much was received: who refunds must. Raises BalanceTooLow, ZeroAmount, PartyRefused,
    InputError for an invoice that cannot be one, before anything is sent.
    """
    reference, sender, contract = parse_reference(invoice), connection.sender, connection.token(token)
    balance = contract.balance(sender.address)
    if balance < units:
        raise BalanceTooLow(balance, units)
    allowance = contract.allowance(sender.address, connection.checkout.address)
    if allowance < units:
        contract.approve(sender, connection.checkout.address, allowance + units)
    return connection.checkout.refund(reference, token, to, units)
