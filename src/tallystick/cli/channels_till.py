"""`tallystick channels`: the merchant's till."""

from __future__ import annotations

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.files import content_of
from tallystick.cli.output import Record, Table, shown
from tallystick.cli.spans import PERCENT, SPAN
from tallystick.config import Config
from tallystick.core.money import Amount
from tallystick.errors import InputError

_token = click.option("--token", required=True, metavar="ADDRESS", help="In which token.")


@click.command(
    epilog=examples(
        "tallystick channels accept voucher.json --at-least 0.01 --token 0xA0b8...",
        "tallystick channels accept a.json b.json c.json      in a token of merchant.tokens",
    )
)
@click.argument("files", metavar="FILE...", nargs=-1, required=True)
@click.option("--at-least", metavar="AMOUNT", help="How much more than the channel's last it must be for: 0.01.")
@click.option(
    "--token", "tokens", multiple=True, metavar="ADDRESS", help="What is taken; repeatable.  [merchant.tokens]"
)
@click.option(
    "--receiver", "receivers", multiple=True, metavar="ADDRESS", help="Who is paid.  [merchant.payees, or who signs]"
)
@click.option("--margin", type=PERCENT, default="1", show_default=True, help="Percent of a deposit never to rely on.")
@click.option("--notice", type=SPAN, default="10m", show_default=True, help="The time that a claim may need.")
@configured
@shown
def accept(
    config: Config,
    files: tuple[str, ...],
    at_least: str | None,
    tokens: tuple[str, ...],
    receivers: tuple[str, ...],
    margin: int,
    notice: int,
) -> Table:
    """Take vouchers, and keep the highest of each channel. Nothing is sent.

    Each is taken or refused by itself; with one that is refused alone the exit code is 1. Many at once, or in a process
    that goes on, are judged far quicker by the SDK.
    """
    from tallystick.core.channel import amount_of
    from tallystick.core.money import parse_units
    from tallystick.core.voucher_texts import parse_voucher
    from tallystick.flows.accept_vouchers import Rejected, Till, till_rules
    from tallystick.flows.connect import open_contract
    from tallystick.storage.database import open_durable

    vouchers = [parse_voucher(content_of(file, "a voucher", "is a file with one, or -")) for file in files]
    has_key = config.signer.keystore is not None or config.signer.key is not None
    connection = open_contract(unlocked(config), signing=has_key or not receivers)
    rules = till_rules(
        connection, config.merchant, tokens=tokens, receivers=receivers, margin_bps=margin, notice_s=notice
    )
    engine = open_durable(config.database)
    described = {token: connection.token(token).describe() for token in rules.tokens}
    least = 1
    if at_least is not None:
        if len({token.decimals for token in described.values()}) > 1:
            raise InputError(
                "found tokens of different decimals, for which --at-least is no one amount: name one token"
            )
        least = parse_units(at_least, next(iter(described.values())).decimals)
    answers = Till(connection, engine, rules).accept_many(vouchers, least_units=least)
    if len(answers) == 1 and isinstance(answers[0], Rejected):
        raise answers[0].error()
    rows = []
    for answer in answers:
        channel, token = answer.voucher.channel, described.get(answer.voucher.channel.terms.token)
        taken = not isinstance(answer, Rejected)
        rows.append(
            {
                "channel": channel.channel_id,
                "payer": channel.terms.payer,
                "paid": Amount(0 if isinstance(answer, Rejected) else answer.units, token) if token else None,
                "in_all": Amount(amount_of(answer.voucher.sum_units), token) if taken and token else None,
                "refused": answer.reason.value if isinstance(answer, Rejected) else None,
            }
        )
    return Table(rows)


@click.command(
    epilog=examples(
        "tallystick channels claim --token 0xA0b8...                                everything, whatever it costs",
        "tallystick channels claim --token 0xA0b8... --coin-price 3000 --dry-run    what is worth its fees",
    )
)
@_token
@click.option("--coin-price", metavar="AMOUNT", help="What a coin of the chain is worth in the token: 3000.")
@click.option("--gas-price-gwei", metavar="GWEI", help="What a gas costs: 0.05.  [default: the node's word]")
@click.option("--most", type=PERCENT, default="2", show_default=True, help="Percent of a claim that may go for fees.")
@click.option("--rows", type=click.IntRange(1, 1_000), default=100, show_default=True, help="Vouchers in one go.")
@click.option("--dry-run", is_flag=True, help="Only say what would be claimed.")
@configured
@shown
def claim(
    config: Config,
    token: str,
    coin_price: str | None,
    gas_price_gwei: str | None,
    most: int,
    rows: int,
    dry_run: bool,
) -> Table:
    """Claim what was taken, for the account that signs here: the receiver, or its authorizer.

    With --coin-price a claim waits until its fees stay under the share, unless a withdrawal or the end of a spending
    key would make it worthless. A voucher that pays nothing stops no other; why it did is told.
    """
    from tallystick.core.address import parse_address
    from tallystick.core.money import parse_units
    from tallystick.flows.claim_vouchers import ClaimPolicy, claim_vouchers
    from tallystick.flows.connect import open_contract
    from tallystick.storage.database import open_durable

    if coin_price is None and gas_price_gwei is not None:
        raise InputError("found a gas price without --coin-price: name both, or neither to claim everything")
    connection = open_contract(unlocked(config), signing=True)
    described = connection.token(parse_address(token)).describe()
    policy = ClaimPolicy(
        coin_units=None if coin_price is None else parse_units(coin_price, described.decimals),
        gas_price_wei=None if gas_price_gwei is None else parse_units(gas_price_gwei, 9),
        most_bps=most,
        rows=rows,
    )
    engine = open_durable(config.database)
    report = claim_vouchers(connection, engine, described.address, policy, dry_run=dry_run)
    shown_rows = [
        {
            "channel": row.channel.channel_id,
            "payer": row.channel.terms.payer,
            "amount": Amount(row.units, described),
            "became": became,
            "transaction": row.transaction,
        }
        for became, row in [
            *((_became(row.reason, dry_run=dry_run), row) for row in report.rows),
            *(("waits", row) for row in report.waiting),
        ]
    ]
    return Table(shown_rows, empty="nothing to claim")


def _became(reason: object, *, dry_run: bool) -> str:
    from tallystick.core.channel_events import Refusal

    if isinstance(reason, Refusal):
        return reason.name.lower()
    return "to claim" if dry_run else "claimed"


@click.command(
    epilog=examples(
        "tallystick channels refund 0x3f9a12                 all that no voucher is out for, and the channel is closed",
        "tallystick channels refund 0x3f9a12 --amount 2.00",
    )
)
@click.argument("name", metavar="CHANNEL")
@click.option("--amount", metavar="AMOUNT", help="How much: 2.00.  [default: all that no voucher is out for]")
@configured
@shown
def refund(config: Config, name: str, amount: str | None) -> Record:
    """Give back to a payer, as the merchant, what you have not taken vouchers for: at once, without a delay."""
    from tallystick.core.channel_events import ChannelRefunded
    from tallystick.core.money import parse_units
    from tallystick.flows.connect import open_contract
    from tallystick.flows.leave_channel import refund_channel
    from tallystick.flows.look_up_channel import find_channel
    from tallystick.storage.database import open_durable

    connection, engine = open_contract(unlocked(config), signing=True), open_durable(config.database)
    channel = find_channel(connection, engine, name)
    token = connection.token(channel.terms.token).describe()
    units = None if amount is None else parse_units(amount, token.decimals)
    sent = refund_channel(connection, engine, channel, units)
    refunded = Amount(sent.one(ChannelRefunded).amount_units, token)
    values = {"channel": channel.channel_id, "to": channel.terms.payer, "refunded": refunded}
    return Record(values | {"transaction": sent.receipt.transaction})


@click.command(epilog=examples("tallystick channels settle --token 0xA0b8... --receiver 0x7099...79C8"))
@_token
@click.option("--receiver", metavar="ADDRESS", help="Whose.  [default: the account that signs]")
@configured
@shown
def settle(config: Config, token: str, receiver: str | None) -> Record:
    """Pay to a receiver what was claimed for it and could not be paid then, or was claimed by x402. Anyone may."""
    from tallystick.core.address import parse_address
    from tallystick.core.channel_events import Settled
    from tallystick.flows.connect import open_contract

    connection = open_contract(unlocked(config), signing=True)
    account = parse_address(receiver) if receiver else connection.sender.address
    described = connection.token(parse_address(token)).describe()
    sent = connection.channels.settle(account, described.address)
    units = sum(event.amount_units for event in sent.events if isinstance(event, Settled))
    values = {"receiver": account, "paid": Amount(units, described)}
    return Record(values | {"transaction": sent.receipt.transaction})
