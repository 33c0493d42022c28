"""Taking back what was not spent: the payer withdraws after the delay, or the merchant refunds at once."""

from __future__ import annotations

from sqlalchemy import Engine

from tallystick.chain.contract import Sent
from tallystick.core.channel import EVERYTHING, Channel
from tallystick.core.till import Taken
from tallystick.errors import InputError
from tallystick.flows.connect import Connection
from tallystick.flows.look_up_channel import refresh, till_channels, wallet_channels


def announce_withdrawal(connection: Connection, engine: Engine, channel: Channel, units: int | None = None) -> Sent:
    """The payer asks back what was not claimed, all of it unless `units` says how much; the receiver has the channel's
    delay to claim. The wallet signs for the rest alone from now on.

    Raises NotAuthorized, WithdrawalPending, WithdrawalTooHigh or ZeroAmount.
    """
    sent = connection.channels.announce_withdrawal(channel.terms, EVERYTHING if units is None else units)
    _look_again(connection, engine, channel)
    return sent


def finish_withdrawal(connection: Connection, engine: Engine, channel: Channel) -> Sent:
    """The payer has what was announced, or what the receiver left of it.

    Raises NotAuthorized, NoWithdrawal, WithdrawalTooEarly or TokenRefused.
    """
    sent = connection.channels.finish_withdrawal(channel.terms)
    _look_again(connection, engine, channel)
    return sent


def refund_channel(connection: Connection, engine: Engine, channel: Channel, units: int | None = None) -> Sent:
    """The receiver, or its authorizer, gives back to the payer what no voucher is out for: all of that unless `units`
    says how much. What is left is nothing: the channel is closed.

    Raises InputError where vouchers that the till took would lose their worth: claim them first. Raises NotAuthorized
    or TokenRefused.
    """
    state = connection.channels.state(channel.channel_id)
    taken = [each.voucher for each in till_channels(connection, engine) if each.voucher.channel == channel]
    owed = sum(Taken(voucher, state).claimable_units for voucher in taken)
    free = state.available - owed
    wanted = free if units is None else units
    if not 0 < wanted <= free:
        raise InputError(
            f"found {wanted} units to refund, allowed are 1 to {free}: {owed} more are in the channel for vouchers "
            "that were taken; claim those with `tallystick channels claim` first"
        )
    return connection.channels.refund(channel.terms, wanted)


def _look_again(connection: Connection, engine: Engine, channel: Channel) -> None:
    if any(each.channel == channel for each in wallet_channels(connection, engine)):
        refresh(connection, engine, channel.channel_id)
