"""Giving back what was received for an invoice, to an account that the payer names, and proves to have."""

from __future__ import annotations

from tallystick.chain.contract import Sent
from tallystick.chain.signature import is_signed_by
from tallystick.core.reference import parse_reference, shown_reference
from tallystick.core.refund_address import RefundAddress, SignedRefundAddress
from tallystick.errors import BalanceTooLow, InputError, InvalidSignature
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


def sign_refund_address(connection: Connection, invoice: str, receiver: str) -> SignedRefundAddress:
    """The signer, a payer, names itself as the account to which money for an invoice is to go back. Nothing is sent.

    Raises InputError for an invoice that cannot be one, or KeyMissing.
    """
    signer = connection.sender.signer
    chain_id, contract = connection.node.chain_id, connection.checkout.address
    address = RefundAddress(chain_id, contract, receiver, parse_reference(invoice), signer.address)
    return SignedRefundAddress(address, signer.sign_typed_data(address.typed_data))


def proven_address(connection: Connection, signed: SignedRefundAddress, invoice: str, receiver: str) -> str:
    """The account that signed that money for this invoice of the receiver is to go back to it.

    Raises InputError for what is for another invoice, receiver, contract or chain, and InvalidSignature.
    """
    found = signed.address
    here = connection.node.chain_id, connection.checkout.address, receiver, parse_reference(invoice)
    if (found.chain_id, found.contract, found.receiver, found.invoice) != here:
        raise InputError(
            f"the address is for invoice {shown_reference(found.invoice)!r} of {found.receiver} at {found.contract} on "
            f"chain {found.chain_id}, this is {invoice!r} of {receiver} at {here[1]} on chain {here[0]}: have the "
            "payer sign one for it"
        )
    if not is_signed_by(connection.node, found.to, found.typed_data, signed.signature):
        raise InvalidSignature(found.to)
    return found.to
