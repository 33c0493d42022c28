"""Plans whose charges fill channels: created by a merchant, filled by anyone, spent from by the payer's wallet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Engine

from tallystick.chain.abi import CODEC
from tallystick.chain.channel_plan import ARTEFACT, ChannelPlanContract
from tallystick.chain.contract import Sent
from tallystick.chain.node import Node
from tallystick.chain.sender import Sender
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.channel import MAX_WITHDRAW_DELAY_S, MIN_WITHDRAW_DELAY_S
from tallystick.core.channel_plan import ChannelPlanTerms
from tallystick.core.spending import Limits
from tallystick.errors import InputError, NotAuthorized
from tallystick.flows.connect import Connection
from tallystick.flows.create import created, require_code
from tallystick.flows.look_up_channel import refresh
from tallystick.flows.open_channel import keep_channel
from tallystick.storage.channels import WalletChannel

_CREATED_WITH = ["address"] * 4 + ["uint40", "address", "uint96", "uint32", "uint8"]
MOST_PRICE = 2**96 - 1
MOST_EVERY = 2**32 - 1


@dataclass(frozen=True, slots=True)
class CreatedChannelPlan:
    """Where the plan's contract is, and its plan; `transaction` is None where it was there before."""

    contract: str
    plan_id: int
    transaction: str | None


def create_channel_plan(connection: Connection, terms: ChannelPlanTerms) -> CreatedChannelPlan:
    """Creates a plan with its contract, unless one with these very terms is there: its address follows from them.

    Raises InputError for terms out of range, NotAContract, and what the contract's plan refuses.
    """
    if terms.receiver_authorizer == ZERO_ADDRESS:
        raise InputError(f"found {ZERO_ADDRESS} for who claims for the receiver: name an account, or none for your own")
    allowed = {
        "price": (terms.price_units, 1, MOST_PRICE),
        "number of units in a period": (terms.every, 1, MOST_EVERY),
        "delay in seconds": (terms.withdraw_delay_s, MIN_WITHDRAW_DELAY_S, MAX_WITHDRAW_DELAY_S),
    }
    for name, (found, least, most) in allowed.items():
        if not least <= found <= most:
            raise InputError(f"found {found} for the {name}, allowed are {least} to {most}")
    connection.token(terms.token).describe()
    called = connection.contract.address, connection.channels.address
    made = created(connection, ARTEFACT, CODEC.encode(_CREATED_WITH, [*called, *terms.words]))
    return CreatedChannelPlan(made.address, open_channel_plan(connection, made.address).plan_id(), made.transaction)


def open_channel_plan(connection: Connection, address: str) -> ChannelPlanContract:
    """The plan's contract, as `channel_plan_at`."""
    ours = connection.contract.address, connection.channels.address
    return channel_plan_at(connection.node, address, ours, connection.sender if connection.signer else None)


def channel_plan_at(node: Node, address: str, ours: tuple[str, str], sender: Sender | None) -> ChannelPlanContract:
    """The contract of a plan that fills channels, after its code, and the contracts that it calls, were compared with
    ours: subscriptions and channels. Raises InputError where it is another."""
    require_code(node, address, ARTEFACT)
    found = ChannelPlanContract(node, address, sender)
    if (called := found.contracts()) != ours:
        raise InputError(
            f"the plan at {address} is of the subscriptions {called[0]} and the channels {called[1]}, the deployment "
            f"names {ours[0]} and {ours[1]}: name another plan, or another deployment"
        )
    return found


def fill_channels(connection: Connection, address: str, subscription_ids: Sequence[int]) -> Sent:
    """Puts what these subscriptions were charged since the last time into their channels, with the signer's gas. Raises
    InputError for no subscription, and as `open_channel_plan` and `ChannelPlanContract.fill`."""
    if not subscription_ids:
        raise InputError("found no subscription to fill a channel of: name one at least")
    return open_channel_plan(connection, address).fill(subscription_ids)


def take_up_channel(
    connection: Connection, engine: Engine, address: str, subscription_id: int, *, limits: Limits | None = None
) -> WalletChannel:
    """The signer, the payer or the key that the payer named, spends from a subscription's channel by this wallet from
    now on. What it knows already stays. Raises AnotherPlan, NotAuthorized or InputError."""
    terms = open_channel_plan(connection, address).terms_of(subscription_id)
    if (signer := connection.sender.address) != (terms.payer_authorizer or terms.payer):
        raise NotAuthorized(signer)
    channel = connection.channels.channel(terms)
    keep_channel(engine, channel, limits)
    return refresh(connection, engine, channel.channel_id)
