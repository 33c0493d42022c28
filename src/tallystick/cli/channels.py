"""`tallystick channels`: payment channels for many small payments, as the payer's wallet has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.channels_plan import create_plan, fill, take_up
from tallystick.cli.channels_till import accept, claim, refund, settle
from tallystick.cli.files import content_of, funding_option, out_option
from tallystick.cli.output import Record, Span, Table, Time, shown
from tallystick.cli.spans import SPAN
from tallystick.config import Config
from tallystick.core.money import Amount
from tallystick.errors import InputError

if TYPE_CHECKING:
    from tallystick.core.channel import Channel
    from tallystick.core.money import Token
    from tallystick.core.spending import Limits
    from tallystick.flows.connect import Connection

_channel = click.argument("name", metavar="CHANNEL")
_amount = click.option("--amount", required=True, metavar="AMOUNT", help="How much of the token: 0.01.")
_per_voucher = click.option("--per-voucher", metavar="AMOUNT", help="The most to sign for at once.")
_per_channel = click.option("--per-channel", metavar="AMOUNT", help="The most to sign for since it was opened.")
_per_day = click.option("--per-day", metavar="AMOUNT", help="The most to sign for within a day (UTC).")


@click.group()
def channels() -> None:
    """Many small payments over one deposit: vouchers cost nothing, and the merchant claims the newest.

    A payer opens a channel to a merchant, and signs a voucher for all that was used so far with each request. The
    merchant takes vouchers without a transaction, and claims when it pays to. What is not used comes back: by the
    merchant's refund at once, or by the payer's withdrawal after a delay.

    CHANNEL is a channel's id, or its first six digits or more. Wallet and till are kept in the database (--db): it
    alone knows of vouchers that are not claimed, so keep it as you keep money.
    """


for _command in (accept, claim, refund, settle, create_plan, fill, take_up):
    channels.add_command(_command)


@channels.command(
    "open",
    epilog=examples(
        "tallystick channels open --receiver 0x7099...79C8 --token 0xA0b8... --deposit 5.00",
        "tallystick channels open --receiver 0x7099... --token 0xA0b8... --deposit 5 --per-voucher 0.05 --per-day 1",
    ),
)
@click.option("--receiver", required=True, metavar="ADDRESS", help="Who is paid.")
@click.option("--token", required=True, metavar="ADDRESS", help="In which token.")
@click.option("--deposit", required=True, metavar="AMOUNT", help="How much to put in: 5.00.")
@click.option("--authorizer", metavar="ADDRESS", help="Who claims for the receiver.  [default: the receiver]")
@click.option("--voucher-key", metavar="ADDRESS", help="Whose key signs vouchers.  [default: the account that signs]")
@click.option("--delay", type=SPAN, default="1d", show_default=True, help="How long a withdrawal waits for claims.")
@_per_voucher
@_per_channel
@_per_day
@funding_option
@configured
@shown
def open_(
    config: Config,
    receiver: str,
    token: str,
    deposit: str,
    authorizer: str | None,
    voucher_key: str | None,
    delay: int,
    per_voucher: str | None,
    per_channel: str | None,
    per_day: str | None,
    funding: str,
) -> Record:
    """Open a channel with a first deposit of the account that signs here.

    Of itself the deposit comes from the allowance where it is enough, else by ERC-3009, a permit or an approval.
    """
    from tallystick.core.address import parse_address
    from tallystick.core.money import parse_units
    from tallystick.flows.bring import PaymentFunding
    from tallystick.flows.open_channel import make_channel, open_channel
    from tallystick.storage.database import open_durable

    connection = _opened(config)
    described = connection.token(parse_address(token)).describe()
    channel = make_channel(
        connection,
        receiver=parse_address(receiver),
        token=described.address,
        receiver_authorizer=parse_address(authorizer) if authorizer else None,
        payer_authorizer=parse_address(voucher_key) if voucher_key else None,
        withdraw_delay_s=delay,
    )
    limits = _limits(described, per_voucher, per_channel, per_day)
    units, way = parse_units(deposit, described.decimals), PaymentFunding(funding)
    engine = open_durable(config.database)
    sent = open_channel(connection, engine, channel, units, limits=limits, funding=way)
    values = {
        "channel": channel.channel_id,
        "payer": channel.terms.payer,
        "receiver": channel.terms.receiver,
        "deposit": Amount(units, described),
        "delay": Span(delay),
        "transaction": sent.receipt.transaction,
    }
    name = channel.channel_id.hex()[:8]
    return Record(values, note=f"Next: tallystick channels voucher 0x{name} --amount AMOUNT")


@channels.command("top-up", epilog=examples("tallystick channels top-up 0x3f9a12 --amount 5.00"))
@_channel
@_amount
@funding_option
@configured
@shown
def top_up(config: Config, name: str, amount: str, funding: str) -> Record:
    """Add to a channel, with the money of the account that signs here, whoever it is. No timer starts anew by it."""
    from tallystick.core.channel_events import Deposited
    from tallystick.core.money import parse_units
    from tallystick.flows.bring import PaymentFunding
    from tallystick.flows.open_channel import top_up_channel

    connection, channel, token = _found(config, name)
    units = parse_units(amount, token.decimals)
    sent = top_up_channel(connection, channel, units, funding=PaymentFunding(funding))
    added = next((event.amount_units for event in sent.events if isinstance(event, Deposited)), units)
    values = {"channel": channel.channel_id, "added": Amount(added, token)}
    return Record(values | {"transaction": sent.receipt.transaction})


@channels.command(
    epilog=examples(
        "tallystick channels voucher 0x3f9a12 --amount 0.01 --out voucher.json",
        "tallystick channels voucher 0x3f9a12 --again --out voucher.json   the last one, once more",
    )
)
@_channel
@click.option("--amount", metavar="AMOUNT", help="For how much more than the voucher before: 0.01.")
@click.option("--request", metavar="TEXT", help="What is paid for: asked for again, the same voucher is given again.")
@click.option("--again", is_flag=True, help="The last one, as after a lost answer. Nothing is signed.")
@out_option
@configured
def voucher(config: Config, /, name: str, amount: str | None, request: str | None, again: bool, out: TextIO) -> None:
    """Sign a voucher, for the merchant. Nothing is sent, and no gas is needed.

    It is for all that was used so far. It is written down before it is given, so that nothing is signed twice for less.
    """
    from tallystick.core.channel import amount_of
    from tallystick.core.money import parse_units
    from tallystick.core.voucher_texts import render_voucher
    from tallystick.flows.look_up_channel import find_wallet_channel
    from tallystick.flows.sign_voucher import sign_voucher
    from tallystick.storage.database import open_durable

    if (amount is None) != again:
        raise InputError("found neither or both of --amount and --again: say which of them is meant")
    connection, engine = _opened(config), open_durable(config.database)
    found = find_wallet_channel(connection, engine, name)
    token = connection.token(found.channel.terms.token).describe()
    if amount is None:
        signed = found.last_voucher
        if signed is None:
            raise InputError("found no voucher of this channel to give again: sign one with --amount")
    else:
        units = parse_units(amount, token.decimals)
        signed = sign_voucher(connection, engine, found.channel.channel_id, units, request=request)
    out.write(render_voucher(signed))
    total = Amount(amount_of(signed.sum_units), token)
    click.echo(f"good for {total} in all; the merchant next: tallystick channels accept FILE", err=True)


@channels.command(
    epilog=examples(
        "tallystick channels limit 0x3f9a12 --per-voucher 0.05 --per-day 1.00",
        "tallystick channels limit 0x3f9a12           no limit but what the channel has",
    )
)
@_channel
@_per_voucher
@_per_channel
@_per_day
@configured
@shown
def limit(config: Config, name: str, per_voucher: str | None, per_channel: str | None, per_day: str | None) -> Record:
    """Set the wallet's own limits for a channel, all of them anew. They hold in this database alone."""
    from tallystick.flows.sign_voucher import set_limits
    from tallystick.storage.database import open_durable

    connection, channel, token = _found(config, name, signing=False)
    limits = _limits(token, per_voucher, per_channel, per_day)
    set_limits(connection, open_durable(config.database), channel.channel_id, limits)
    return Record({"channel": channel.channel_id} | _limit_values(limits, token))


@channels.command(
    epilog=examples("tallystick channels key 0x3f9a12 --key 0x90F7... --limit 1.00 --valid-for 7d --out key.json")
)
@_channel
@click.option("--key", required=True, metavar="ADDRESS", help="Whose key may spend.")
@click.option("--limit", "units", required=True, metavar="AMOUNT", help="How much, from now on: 1.00.")
@click.option("--valid-for", type=SPAN, default="30d", show_default=True, help="How long what it signs is claimed.")
@out_option
@configured
def key(config: Config, /, name: str, key: str, units: str, valid_for: int, out: TextIO) -> None:
    """Let a key spend from a channel of yours, up to a limit: an agent's, or a phone's. Nothing is sent.

    Give it a channel of its own: of two who sign for one, the merchant takes the higher sum alone.
    """
    from tallystick.core.address import parse_address
    from tallystick.core.money import parse_units
    from tallystick.flows.sign_voucher import grant_key
    from tallystick.storage.database import open_durable

    connection, channel, token = _found(config, name)
    engine, most = open_durable(config.database), parse_units(units, token.decimals)
    grant = grant_key(connection, engine, channel.channel_id, parse_address(key), most, valid_s=valid_for)
    out.write(grant.render())
    click.echo(f"{grant.key.key} may spend; with its key next: tallystick channels adopt FILE", err=True)


@channels.command(epilog=examples("TALLYSTICK_KEY=0x... tallystick channels adopt key.json --per-voucher 0.05"))
@click.argument("file", metavar="FILE")
@_per_voucher
@_per_channel
@_per_day
@configured
@shown
def adopt(config: Config, file: str, per_voucher: str | None, per_channel: str | None, per_day: str | None) -> Record:
    """Spend from a payer's channel by a key for which the payer signed, which is the one that signs here."""
    from tallystick.core.channel import amount_of
    from tallystick.core.voucher_texts import parse_grant
    from tallystick.flows.sign_voucher import adopt_channel
    from tallystick.storage.database import open_durable

    grant = parse_grant(content_of(file, "a spending key", "is a file with one, or -"))
    connection = _opened(config)
    token = connection.token(grant.channel.terms.token).describe()
    limits = _limits(token, per_voucher, per_channel, per_day)
    found = adopt_channel(connection, open_durable(config.database), grant, limits=limits)
    return Record(
        {
            "channel": found.channel.channel_id,
            "payer": found.channel.terms.payer,
            "signed": Amount(amount_of(found.spending.signed_sum), token),
            "left": Amount(max(0, grant.key.limit_sum - found.spending.signed_sum), token),
            "valid_before": Time(grant.key.valid_before),
        }
    )


@channels.command(
    epilog=examples(
        "tallystick channels withdraw 0x3f9a12                 all that was not claimed, and the channel is closed",
        "tallystick channels withdraw 0x3f9a12 --amount 2.00",
    )
)
@_channel
@click.option("--amount", metavar="AMOUNT", help="How much: 2.00.  [default: all there is when it is paid out]")
@configured
@shown
def withdraw(config: Config, name: str, amount: str | None) -> Record:
    """Ask back what was not claimed. The merchant has the channel's delay to claim; then finish it."""
    from tallystick.core.channel_events import WithdrawalAnnounced
    from tallystick.core.money import parse_units
    from tallystick.flows.leave_channel import announce_withdrawal
    from tallystick.storage.database import open_durable

    connection, channel, token = _found(config, name)
    units = None if amount is None else parse_units(amount, token.decimals)
    sent = announce_withdrawal(connection, open_durable(config.database), channel, units)
    told = sent.one(WithdrawalAnnounced)
    values = {
        "channel": channel.channel_id,
        "asked_back": Amount(told.amount_units, token),
        "from": Time(told.finalize_after),
        "transaction": sent.receipt.transaction,
    }
    return Record(values, note=f"Then: tallystick channels finish-withdrawal 0x{channel.channel_id.hex()[:8]}")


@channels.command("finish-withdrawal", epilog=examples("tallystick channels finish-withdrawal 0x3f9a12"))
@_channel
@configured
@shown
def finish_withdrawal(config: Config, name: str) -> Record:
    """Have what was asked back, or what the merchant left of it, once the delay is over."""
    from tallystick.core.channel_events import ChannelClosed, Withdrawn
    from tallystick.flows.leave_channel import finish_withdrawal as finish
    from tallystick.storage.database import open_durable

    connection, channel, token = _found(config, name)
    sent = finish(connection, open_durable(config.database), channel)
    return Record(
        {
            "channel": channel.channel_id,
            "withdrawn": Amount(sent.one(Withdrawn).amount_units, token),
            "closed": any(isinstance(event, ChannelClosed) for event in sent.events),
            "transaction": sent.receipt.transaction,
        }
    )


@channels.command("list", epilog=examples("tallystick channels list", "tallystick channels list --json"))
@configured
@shown
def list_(config: Config) -> Table:
    """The channels of this database, those one spends from and those one is paid by. Needs no key."""
    from tallystick.core.channel import amount_of
    from tallystick.flows.connect import open_contract
    from tallystick.flows.look_up_channel import till_channels, wallet_channels
    from tallystick.storage.database import open_durable

    connection, engine = open_contract(config), open_durable(config.database)
    found = [("wallet", each.channel, each.spending.signed_sum) for each in wallet_channels(connection, engine)]
    found += [("till", each.voucher.channel, each.voucher.sum_units) for each in till_channels(connection, engine)]
    tokens = {channel.terms.token: connection.token(channel.terms.token) for _, channel, _ in found}
    described = {address: token.describe() for address, token in tokens.items()}
    rows = [
        {
            "channel": channel.channel_id,
            "kept_by": where,
            "payer": channel.terms.payer,
            "receiver": channel.terms.receiver,
            "vouchers": Amount(amount_of(sum_units), described[channel.terms.token]),
        }
        for where, channel, sum_units in found
    ]
    return Table(rows, empty="no channels in this database: `tallystick channels open --help` says how to begin")


@channels.command(epilog=examples("tallystick channels show 0x3f9a12", "tallystick channels show 0x3f9a12 --json"))
@_channel
@configured
@shown
def show(config: Config, name: str) -> Record:
    """A channel as it stands on chain, in the wallet and in the till. Needs no key."""
    from tallystick.core.channel import amount_of
    from tallystick.flows.look_up_channel import describe_channel
    from tallystick.storage.database import open_durable

    connection, channel, _ = _found(config, name, signing=False)
    report = describe_channel(connection, open_durable(config.database), channel)
    state, terms, wallet, till = report.state, channel.terms, report.wallet, report.till
    values: dict[str, object] = {
        "channel": channel.channel_id,
        "payer": terms.payer,
        "receiver": terms.receiver,
        "authorizer": terms.receiver_authorizer,
        "delay": Span(terms.withdraw_delay_s),
        "opening": state.opening,
        "deposited": report.amount(state.deposited),
        "claimed": report.amount(state.claimed),
        "available": report.amount(state.available),
    }
    until = state.withdrawable_at(terms)
    values["asked_back"] = None if until is None else report.amount(state.withdrawing)
    values["from"] = None if until is None else Time(until)
    if wallet is not None:
        signed = wallet.spending.signed_sum
        values["signed"] = report.amount(amount_of(signed))
        values["left_to_sign"] = report.amount(max(0, state.balance_sum - state.withdrawing - signed))
        values |= _limit_values(wallet.limits, report.token)
    if till is not None:
        values["taken"] = report.amount(amount_of(till.voucher.sum_units))
        values["taken_at"] = Time(till.taken_at)
        values["refused"] = till.refusal
    return Record(values)


def _opened(config: Config) -> Connection:
    from tallystick.flows.connect import open_contract

    return open_contract(unlocked(config), signing=True)


def _found(config: Config, name: str, *, signing: bool = True) -> tuple[Connection, Channel, Token]:
    from tallystick.flows.connect import open_contract
    from tallystick.flows.look_up_channel import find_channel
    from tallystick.storage.database import open_durable

    connection = _opened(config) if signing else open_contract(config)
    channel = find_channel(connection, open_durable(config.database), name)
    return connection, channel, connection.token(channel.terms.token).describe()


def _limits(token: Token, per_voucher: str | None, per_channel: str | None, per_day: str | None) -> Limits:
    from tallystick.core.money import parse_units
    from tallystick.core.spending import Limits

    given = (per_voucher, per_channel, per_day)
    return Limits(*(None if each is None else parse_units(each, token.decimals) for each in given))


def _limit_values(limits: Limits, token: Token) -> dict[str, object]:
    values = {"per_voucher": limits.per_voucher, "per_channel": limits.per_channel, "per_day": limits.per_day}
    return {name: None if units is None else Amount(units, token) for name, units in values.items()}
