"""Bringing a payer's money to a contract that takes payments by signed words: by signature, or in the payer's call."""

from __future__ import annotations

from enum import Enum

from tallystick.chain.permit2 import Permit2Contract
from tallystick.chain.token import TokenContract
from tallystick.core.funding import Agreement, Funding, permit2_data, permit_data
from tallystick.core.money import UINT256_MAX
from tallystick.core.permit2 import PERMIT2
from tallystick.errors import AllowanceTooLow, BalanceTooLow, PermitUnsupported
from tallystick.flows.connect import Connection


class PaymentFunding(Enum):
    """How a payer's money comes to a payment by signed words."""

    AUTO = "auto"
    """From the allowance where it is enough, else by what the token takes: ERC-3009, a permit, Permit2."""
    ALLOWANCE = "allowance"
    """From an allowance to the contract."""
    PERMIT = "permit"
    """By an EIP-2612 permit."""
    PERMIT2 = "permit2"
    """By Permit2, which the payer has allowed to move the token."""
    AUTHORIZATION = "authorization"
    """By an ERC-3009 authorization, as USDC takes it: one signature."""


def sign_money(connection: Connection, agreed: Agreement, funding: PaymentFunding) -> tuple[Funding, bytes]:
    """The signer, who is the payer, agrees and gives the right to the money: how it comes, and the data with which it
    does. Nothing is sent.

    Raises PermitUnsupported or InputError where it cannot come in the way asked for, AllowanceTooLow where it can in
    none, or KeyMissing.
    """
    signer, token = connection.sender.signer, connection.token(agreed.token)
    match _chosen(token, agreed) if funding is PaymentFunding.AUTO else funding:
        case PaymentFunding.AUTHORIZATION:
            if not token.has_authorizations():
                raise PermitUnsupported(
                    f"the token {agreed.token} takes no ERC-3009 authorizations: choose another way"
                )
            return Funding.AUTHORIZATION, signer.sign_typed_data(agreed.by_authorization(token.domain()))
        case PaymentFunding.PERMIT2:
            nonce = Permit2Contract(connection.node).free_nonce(agreed.payer)
            return Funding.PERMIT2, permit2_data(nonce, signer.sign_typed_data(agreed.by_permit2(nonce)))
        case PaymentFunding.PERMIT:
            return Funding.PERMIT, _permit(connection, agreed) + signer.sign_typed_data(agreed.consent)
    return Funding.ALLOWANCE, signer.sign_typed_data(agreed.consent)


def own_money(connection: Connection, agreed: Agreement) -> tuple[Funding, bytes]:
    """For a call of the payer, who is the signer: how the money comes, and the data with which it does. The allowance
    is raised where it is too low: by a permit where the token takes one, else by an approval, which is sent.

    Raises BalanceTooLow before anything is sent.
    """
    sender, token = connection.sender, connection.token(agreed.token)
    balance = token.balance(agreed.payer)
    if balance < agreed.amount_units:
        raise BalanceTooLow(balance, agreed.amount_units)
    allowance = token.allowance(agreed.payer, agreed.contract)
    if allowance >= agreed.amount_units:
        return Funding.ALLOWANCE, b""
    try:
        return Funding.PERMIT, _permit(connection, agreed)
    except PermitUnsupported:
        token.approve(sender, agreed.contract, allowance + agreed.amount_units)
        return Funding.ALLOWANCE, b""


def _permit(connection: Connection, agreed: Agreement) -> bytes:
    """A permit for what is missing of the amount, as the contracts take it before a signature of the words."""
    token, signer = connection.token(agreed.token), connection.sender.signer
    wanted = min(token.allowance(agreed.payer, agreed.contract) + agreed.amount_units, UINT256_MAX)
    signed = token.sign_permit(signer, agreed.contract, wanted, agreed.valid_before)
    return permit_data(signed.value_units, signed.deadline, signed.v, signed.r, signed.s)


def _chosen(token: TokenContract, agreed: Agreement) -> PaymentFunding:
    allowance = token.allowance(agreed.payer, agreed.contract)
    if allowance >= agreed.amount_units:
        return PaymentFunding.ALLOWANCE
    if token.has_authorizations():
        return PaymentFunding.AUTHORIZATION
    try:
        token.domain()
    except PermitUnsupported:
        pass
    else:
        return PaymentFunding.PERMIT
    if token.allowance(agreed.payer, PERMIT2) >= agreed.amount_units:
        return PaymentFunding.PERMIT2
    raise AllowanceTooLow(allowance, agreed.amount_units)
