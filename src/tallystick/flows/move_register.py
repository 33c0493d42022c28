"""Moving a register, a payee's plans and subscriptions in a token, to another payee: both sign, anyone submits."""

from __future__ import annotations

import secrets
from dataclasses import replace

from tallystick.chain.subscriptions import Sent
from tallystick.core.payee_change import PayeeChange, SignedPayeeChange, typed_data
from tallystick.errors import InputError, NotAuthorized
from tallystick.flows.connect import Connection
from tallystick.flows.submit import require_here

PAYEE_CHANGE_VALID_S = 7 * 86_400


def sign_payee_change(
    connection: Connection,
    payee: str,
    token: str,
    new_payee: str,
    *,
    valid_s: int = PAYEE_CHANGE_VALID_S,
    salt: int | None = None,
) -> SignedPayeeChange:
    """The signer, who is `payee` or `new_payee`, agrees that `new_payee` is paid in a token from now on; for the other
    one to sign as well (`countersign_payee_change`). Nothing is sent.

    Raises InputError where they are one account, NotAuthorized or KeyMissing.
    """
    if payee == new_payee:
        raise InputError(
            f"found {payee} as the old and the new payee, allowed are two accounts: name the one that is paid now, on "
            "the command line with --payee"
        )
    salt = secrets.randbits(256) if salt is None else salt
    change = PayeeChange(payee, token, new_payee, salt, connection.node.timestamp() + valid_s)
    return _signed(connection, SignedPayeeChange(connection.node.chain_id, connection.contract.address, change))


def countersign_payee_change(connection: Connection, signed: SignedPayeeChange) -> SignedPayeeChange:
    """The signer, who is the other account of the change, agrees as well. Raises InputError for one for elsewhere,
    NotAuthorized or KeyMissing."""
    require_here(connection, "change of payee", signed.chain_id, signed.contract)
    return _signed(connection, signed)


def change_payee(connection: Connection, signed: SignedPayeeChange) -> Sent:
    """Submits a change that both agreed to; the signer here pays the gas, and needs no signature of their own where
    they are one of the two.

    Raises InputError for one for elsewhere or without a signature, and what `Subscriptions.change_payee` raises.
    """
    require_here(connection, "change of payee", signed.chain_id, signed.contract)
    change = signed.change
    for account, signature in ((change.payee, signed.payee_signature), (change.new_payee, signed.new_payee_signature)):
        if not signature and account != connection.sender.address:
            raise InputError(
                f"found no signature of {account}, both accounts must sign: have it sign the same change "
                "with `tallystick plans sign-payee-change --signed FILE`"
            )
    return connection.contract.change_payee(signed)


def _signed(connection: Connection, signed: SignedPayeeChange) -> SignedPayeeChange:
    signer, change = connection.sender.signer, signed.change
    if signer.address not in {change.payee, change.new_payee}:
        raise NotAuthorized(signer.address)
    signature = signer.sign_typed_data(typed_data(change, chain_id=signed.chain_id, contract=signed.contract))
    if signer.address == change.payee:
        return replace(signed, payee_signature=signature)
    return replace(signed, new_payee_signature=signature)
