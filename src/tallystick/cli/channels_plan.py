"""`tallystick channels`: plans whose charges fill channels."""

from __future__ import annotations

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.output import Record, Span, Table, shown
from tallystick.cli.plans import UNITS
from tallystick.cli.spans import SPAN
from tallystick.config import Config
from tallystick.core.channel_plan import ChannelFilled
from tallystick.core.money import Amount, Token

_plan = click.argument("plan", metavar="CONTRACT")


@click.command(
    "create-plan",
    epilog=examples(
        "tallystick channels create-plan --price 5.00 --token 0xA0b8...",
        "tallystick channels create-plan --price 1 --every 1 --unit week --token 0xA0b8... --authorizer 0x7099...79C8",
    ),
)
@click.option("--price", required=True, metavar="AMOUNT", help="What each period puts into the channel: 5.00.")
@click.option("--token", required=True, metavar="ADDRESS", help="In which token.")
@click.option("--every", type=click.IntRange(1), default=1, show_default=True, help="How many units make a period.")
@click.option("--unit", type=click.Choice(UNITS), default="month", show_default=True, help="Calendar months and years.")
@click.option("--authorizer", metavar="ADDRESS", help="Who claims for you.  [default: the account that signs]")
@click.option("--delay", type=SPAN, default="1d", show_default=True, help="How long a withdrawal waits for claims.")
@configured
@shown
def create_plan(
    config: Config, price: str, token: str, every: int, unit: str, authorizer: str | None, delay: int
) -> Record:
    """Create a plan whose charges fill the payer's channel to the account that signs here.

    Payers subscribe to it as to any plan. What they are charged goes into channels of their own, is spent by vouchers,
    and comes back where it is not spent. The contract of the plan belongs to nobody; the same terms make the same one.
    """
    from tallystick.core.address import parse_address
    from tallystick.core.channel_plan import ChannelPlanTerms
    from tallystick.core.money import parse_units
    from tallystick.core.period import Unit
    from tallystick.flows.channel_plan import create_channel_plan
    from tallystick.flows.connect import open_contract

    connection = open_contract(unlocked(config), signing=True)
    described = connection.token(parse_address(token)).describe()
    merchant = connection.sender.address
    claims = parse_address(authorizer) if authorizer else merchant
    units = parse_units(price, described.decimals)
    terms = ChannelPlanTerms(merchant, claims, delay, described.address, units, every, Unit[unit.upper()])
    made = create_channel_plan(connection, terms)
    return Record(
        {
            "contract": made.contract,
            "plan_id": made.plan_id,
            "price": Amount(units, described),
            "every": f"{every} {unit}",
            "receiver": merchant,
            "delay": Span(delay),
            "transaction": made.transaction,
        },
        note=f"Next: name {made.contract} in merchant.payees; tallystick bill then charges and fills.",
    )


@click.command(
    "fill",
    epilog=examples(
        "tallystick channels fill 0x5FbD...0aa3                        all that the mirror knows",
        "tallystick channels fill 0x5FbD...0aa3 1000000001 1000000002",
    ),
)
@_plan
@click.argument("subscriptions", metavar="[SUBSCRIPTION]...", nargs=-1, type=click.IntRange(1))
@configured
@shown
def fill(config: Config, plan: str, subscriptions: tuple[int, ...]) -> Table:
    """Put what subscriptions were charged since the last time into their channels. Anyone may; the account that signs
    here pays the gas. `tallystick bill` does it by itself for your own plans.

    Without numbers it is done for all subscriptions of the plan, which are read from the mirror.
    """
    from tallystick.core.address import parse_address
    from tallystick.flows.channel_plan import fill_channels, open_channel_plan
    from tallystick.flows.connect import open_contract
    from tallystick.flows.fill import fill_all
    from tallystick.storage.database import open_existing

    connection = open_contract(unlocked(config), signing=True)
    address = parse_address(plan)
    if not subscriptions:
        done = fill_all(connection, open_existing(config.database), address, max_gas=config.bill.max_gas)
        if done.failed and not done.filled:
            raise next(iter(done.failed.values()))
        described = connection.token(done.plan.terms.token).describe()
        rows = [_filled(event.subscription_id, described, event, transaction) for event, transaction in done.filled]
        rows += [_filled(number, described, reason=str(error)) for number, error in done.failed.items()]
        return Table(rows, empty="everything that was charged is in its channel")
    terms = open_channel_plan(connection, address).terms_of(subscriptions[0])
    described = connection.token(terms.token).describe()
    sent = fill_channels(connection, address, subscriptions)
    events = {event.subscription_id: event for event in sent.events if isinstance(event, ChannelFilled)}
    numbers = dict.fromkeys(subscriptions)
    return Table([_filled(number, described, events.get(number), sent.receipt.transaction) for number in numbers])


def _filled(
    subscription_id: int,
    token: Token,
    event: ChannelFilled | None = None,
    transaction: str | None = None,
    reason: str | None = None,
) -> dict[str, object]:
    return {
        "subscription": subscription_id,
        "charges": event.charges if event else 0,
        "filled": Amount(event.amount_units if event else 0, token),
        "channel": event.channel_id if event else None,
        "transaction": transaction,
        "not_filled": reason,
    }


@click.command("take-up", epilog=examples("tallystick channels take-up 0x5FbD...0aa3 1000000001"))
@_plan
@click.argument("subscription", type=click.IntRange(1))
@configured
@shown
def take_up(config: Config, plan: str, subscription: int) -> Record:
    """Spend from a subscription's channel with this wallet: as its payer, or as the key that the payer named."""
    from tallystick.core.address import parse_address
    from tallystick.flows.channel_plan import take_up_channel
    from tallystick.flows.connect import open_contract
    from tallystick.storage.database import open_durable

    connection = open_contract(unlocked(config), signing=True)
    found = take_up_channel(connection, open_durable(config.database), parse_address(plan), subscription)
    channel = found.channel
    token = connection.token(channel.terms.token).describe()
    return Record(
        {
            "channel": channel.channel_id,
            "payer": channel.terms.payer,
            "receiver": channel.terms.receiver,
            "usable": Amount(found.spending.usable_sum - found.spending.signed_sum, token),
        },
        note=f"Next: tallystick channels voucher 0x{channel.channel_id.hex()[:8]} --amount AMOUNT",
    )
