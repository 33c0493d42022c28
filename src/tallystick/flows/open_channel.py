"""Opening a payment channel and adding to it: the payer's wallet remembers it before any money moves."""

from __future__ import annotations

import secrets
from dataclasses import replace

from sqlalchemy import Engine

from tallystick.chain.contract import Sent
from tallystick.chain.permit2 import Permit2Contract
from tallystick.core.channel import (
    MAX_WITHDRAW_DELAY_S,
    MIN_WITHDRAW_DELAY_S,
    MOST_UNITS,
    Channel,
    ChannelTerms,
    authorization_deposit,
    authorization_typed_data,
    own_agreement,
    permit2_deposit,
    permit2_typed_data,
)
from tallystick.core.funding import Funding
from tallystick.core.permit2 import PERMIT2
from tallystick.core.spending import Limits, Spending
from tallystick.errors import BalanceTooLow, InputError, PermitUnsupported
from tallystick.flows.bring import PaymentFunding, own_money
from tallystick.flows.connect import Connection
from tallystick.flows.look_up_channel import refresh
from tallystick.storage.channels import WalletChannel, lock_wallet_channel, write_wallet_channel
from tallystick.storage.database import transaction

DELAY_S = 86_400
"""How long the receiver has to claim once a withdrawal is announced, where nothing else is said: a day."""
VALID_S = 3_600
"""How long what is signed for a deposit can be sent."""


def make_channel(
    connection: Connection,
    *,
    receiver: str,
    token: str,
    receiver_authorizer: str | None = None,
    payer_authorizer: str | None = None,
    withdraw_delay_s: int = DELAY_S,
    salt: bytes | None = None,
) -> Channel:
    """A channel from the signer to a receiver, who may let an authorizer claim; nothing is sent. `salt` is random
    unless given. Raises InputError for terms that the contract would not take, NotAContract or KeyMissing."""
    payer, contract = connection.sender.address, connection.channels
    if not MIN_WITHDRAW_DELAY_S <= withdraw_delay_s <= MAX_WITHDRAW_DELAY_S:
        raise InputError(
            f"found a delay of {withdraw_delay_s} seconds, allowed are {MIN_WITHDRAW_DELAY_S} to "
            f"{MAX_WITHDRAW_DELAY_S}: name one between"
        )
    if contract.address in {payer, receiver}:
        raise InputError(f"found {contract.address} for a party, which is the contract itself: name another")
    connection.token(token).describe()
    salt = secrets.token_bytes(32) if salt is None else salt
    authorizer = receiver_authorizer or receiver
    return contract.channel(ChannelTerms(payer, payer_authorizer, receiver, authorizer, token, withdraw_delay_s, salt))


def open_channel(
    connection: Connection,
    engine: Engine,
    channel: Channel,
    units: int,
    *,
    limits: Limits | None = None,
    funding: PaymentFunding = PaymentFunding.AUTO,
) -> Sent:
    """Puts a first deposit into a channel; the wallet keeps it, with its limits, from before that.

    Raises BalanceTooLow or InputError before anything is sent, and what `ChannelsContract.fill` raises.
    """
    brought = _money(connection, channel, units, funding)
    keep_channel(engine, channel, limits)
    sent = connection.channels.fill(channel.terms, units, *brought)
    refresh(connection, engine, channel.channel_id)
    return sent


def keep_channel(engine: Engine, channel: Channel, limits: Limits | None) -> None:
    """The wallet has a channel from now on, with limits where some are given; what it knows already stays."""
    with transaction(engine) as database:
        known = lock_wallet_channel(database, channel.chain_id, channel.contract, channel.channel_id)
        found = known or WalletChannel(channel, None, Spending(0, 0), None, Limits())
        write_wallet_channel(database, found if limits is None else replace(found, limits=limits))


def top_up_channel(
    connection: Connection, channel: Channel, units: int, *, funding: PaymentFunding = PaymentFunding.AUTO
) -> Sent:
    """Adds to a channel, by anyone, with the signer's own money. It resets no timer, and makes no old voucher good.

    Raises what `open_channel` does, and DepositTooHigh.
    """
    return connection.channels.fill(channel.terms, units, *_money(connection, channel, units, funding))


def _money(connection: Connection, channel: Channel, units: int, funding: PaymentFunding) -> tuple[Funding, bytes]:
    """How the signer's money comes, and the data with which it does. By itself: from the allowance where it is enough,
    by ERC-3009 where signer and payer are one and the token takes it, else by a permit or an approval.

    Permit2 has to be asked for: it moves the payer's money by a second contract, where a permit needs none.
    """
    if not 0 < units <= MOST_UNITS:
        raise InputError(f"found {units} units to deposit, allowed are 1 to 2^96 - 1: name another amount")
    owner, terms = connection.sender.address, channel.terms
    token = connection.token(terms.token)
    if (found := token.balance(owner)) < units:
        raise BalanceTooLow(found, units)
    end = connection.node.timestamp() + VALID_S
    if funding is PaymentFunding.AUTO:
        enough = token.allowance(owner, channel.contract) >= units
        if owner == terms.payer and not enough and token.has_authorizations():
            funding = PaymentFunding.AUTHORIZATION
    if funding is PaymentFunding.AUTHORIZATION:
        return Funding.AUTHORIZATION, _authorization(connection, channel, units, end)
    if funding is PaymentFunding.PERMIT2:
        return Funding.PERMIT2, _permit2(connection, channel, units, end)
    agreed = own_agreement(channel, owner, units, valid_before=end)
    if funding is PaymentFunding.ALLOWANCE:
        token.approve(connection.sender, channel.contract, max(units, token.allowance(owner, channel.contract)))
        return Funding.ALLOWANCE, b""
    if funding is PaymentFunding.PERMIT:
        token.domain()  # raises where it takes none, and nothing is approved
    return own_money(connection, agreed)


def _authorization(connection: Connection, channel: Channel, units: int, valid_before: int) -> bytes:
    _require_payer(connection, channel)
    token = connection.token(channel.terms.token)
    if not token.has_authorizations():
        raise PermitUnsupported(f"the token {token.address} takes no ERC-3009 authorizations: choose another way")
    salt = secrets.randbits(256)
    message = authorization_typed_data(channel, units, token.domain(), salt=salt, valid_before=valid_before)
    return authorization_deposit(salt, valid_before, connection.sender.signer.sign_typed_data(message))


def _permit2(connection: Connection, channel: Channel, units: int, valid_before: int) -> bytes:
    _require_payer(connection, channel)
    token, payer = connection.token(channel.terms.token), channel.terms.payer
    nonce = Permit2Contract(connection.node).free_nonce(payer)
    if token.allowance(payer, PERMIT2) < units:
        token.approve(connection.sender, PERMIT2, units)
    message = permit2_typed_data(channel, units, nonce=nonce, valid_before=valid_before)
    return permit2_deposit(nonce, valid_before, connection.sender.signer.sign_typed_data(message))


def _require_payer(connection: Connection, channel: Channel) -> None:
    if connection.sender.address != channel.terms.payer:
        raise InputError(
            f"found {connection.sender.address}, this way moves the money of the payer {channel.terms.payer} alone: "
            "choose `allowance` or `permit` to bring your own"
        )
