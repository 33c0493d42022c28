"""`tallystick convert`: receipts into the settlement token, what tokens are worth, and what was gained or lost."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.convert_contracts import deploy_quoter, deploy_swapper
from tallystick.cli.output import Record, Table, Time, shown, to_json, to_text
from tallystick.config import Config
from tallystick.core.conversion_policy import Verdict
from tallystick.core.rate import decimal_of, document
from tallystick.errors import ConfigError, DatabaseError, InputError, LedgerError, RevertError

if TYPE_CHECKING:
    from tallystick.flows.connect import Connection
    from tallystick.flows.convert import Converted, PlannedConversion

NO_CONVERSIONS = (
    "no conversions yet: only final blocks are in the books, and `tallystick index --once` brings the mirror up to date"
)
_accounts = click.option(
    "--account",
    "accounts",
    multiple=True,
    metavar="ADDRESS",
    help="Whose; may be repeated.  [default: merchant.payees, or all that ever converted]",
)


@click.group()
def convert() -> None:
    """Turn what you received into the token that you settle in, within a limit on slippage.

    The limit counts from a quoter's rate (Chainlink's feeds), never from the pools that are swapped through. Nobody
    owns the contracts, and nothing stays in them.
    """


@convert.command(
    epilog=examples(
        "tallystick convert run                            what the rules would do now; sends nothing",
        "tallystick convert run --yes                      and does it, as from a daily timer",
        "tallystick convert run --asset 0x1aBa... --amount 250.00 --yes",
    )
)
@click.option("--yes", is_flag=True, help="Send it. Without, only the plan is shown.")
@click.option("--asset", metavar="ADDRESS", help="This one now, whatever threshold and schedule say.")
@click.option("--amount", metavar="AMOUNT", help="So much of it: 250.00.  [default: all]")
@click.option("--account", metavar="ADDRESS", help="Whose plan is shown.  [default: the account that signs]")
@click.option("--json", "as_json", is_flag=True, help="JSON instead of text.")
@configured
def run(
    config: Config, /, yes: bool, asset: str | None, amount: str | None, account: str | None, as_json: bool
) -> None:
    """Convert what was received into the settlement token, by the rules of [convert] in tallystick.toml.

    Shown are the balance, what the quoter's rate makes of the amount, the least that must come in (that rate less
    max_slippage_bps), what the pools would give now, and, where the books are there, what that gains or loses against
    what was received. With --yes the allowance of exactly that amount is given and the exchange sent, for at least that
    much or not at all. Ends with 1 where something was to be sent and could not.
    """
    from tallystick.core.address import parse_address
    from tallystick.flows.connect import open_contract
    from tallystick.flows.convert import configured_rules, planned_now

    if yes and account:
        raise InputError("found --account and --yes: only the account that signs can convert what it has")
    if amount is not None and asset is None:
        raise InputError("found --amount without --asset: say of which asset")
    connection = open_contract(config) if account else open_contract(unlocked(config), signing=True)
    owner = parse_address(account) if account else connection.sender.address
    settlement, rules = configured_rules(connection, config.convert)
    plans = planned_now(connection, owner, settlement, rules, parse_address(asset) if asset else None, amount)
    rows, failed = [], False
    try:
        for planned in plans:
            row = _row(planned) | _expected(config, connection, planned)
            done = _send(connection, config, planned, row) if yes and planned.verdict is Verdict.CONVERT else None
            failed = failed or (yes and planned.verdict in {Verdict.CONVERT, Verdict.NO_RATE} and done is None)
            rows.append(row)
    finally:  # also where the node fails in the middle: what was sent is told
        click.echo(to_json(Table(rows)) if as_json else "\n\n".join(map(_as_text, rows)))
    if not as_json and not yes and any(planned.amount is not None for planned in plans):
        click.echo("\nNothing was sent. With --yes what has the verdict `convert` and no refusal is.", err=True)
    if failed:
        raise click.exceptions.Exit(1)


def _send(
    connection: Connection, config: Config, planned: PlannedConversion, row: dict[str, object]
) -> Converted | None:
    """Sends what can be; what happened stands in the row then."""
    from tallystick.flows.convert import convert as send

    if planned.refusal is not None:
        return None
    try:
        done = send(connection, planned, valid_s=config.convert.valid_s)
    except RevertError as error:
        row["refusal"] = str(error)
        return None
    row["verdict"], row["amount"], row["received"] = "converted", done.used, done.received
    row["least_out"], row["transaction"] = done.planned.least_out, done.transaction
    return done


def _expected(config: Config, connection: Connection, planned: PlannedConversion) -> dict[str, object]:
    """What it would gain, where the books say what had been paid; nothing where they do not."""
    from tallystick.flows.gains import currency_of, expected_gain
    from tallystick.flows.mirror import open_books
    from tallystick.flows.rates import RateSources

    nothing: dict[str, object] = {"cost": None, "expected_gain": None}
    if planned.amount is None or planned.pool_out is None:
        return nothing
    try:
        books, code = open_books(config), currency_of(config)
        account, amount = planned.account, planned.amount
        rates = RateSources(config.rate, config.peg)
        _, cost, worth = expected_gain(books, connection.node, rates, code, account, amount, planned.pool_out)
    except (ConfigError, DatabaseError, LedgerError, InputError, RevertError):
        return nothing  # the plan is good without
    return {"cost": cost, "expected_gain": worth - cost}


def _as_text(row: dict[str, object]) -> str:
    """A line for each value that there is."""
    return to_text(Record({key: value for key, value in row.items() if value is not None}))


def _row(planned: PlannedConversion) -> dict[str, object]:
    return {
        "asset": planned.rule.asset.symbol,
        "verdict": planned.verdict.value,
        "balance": planned.balance,
        "amount": planned.amount,
        "quoted": planned.quoted,
        "least_out": planned.least_out,
        "pools_give": planned.pool_out,
        "slippage_bps": planned.slippage_bps,
        "received": None,
        "refusal": planned.refusal,
        "transaction": None,
    }


@convert.command(
    epilog=examples(
        "tallystick convert rate 0xA0b8...                        by the [[rate]] of tallystick.toml",
        "tallystick convert rate 0xA0b8... --currency EUR --block 19000000 --json",
    )
)
@click.argument("token")
@click.option("--currency", metavar="CODE", help="In which currency.  [default: convert.currency, or the only one]")
@click.option("--block", type=click.IntRange(0), metavar="NUMBER", help="As of this block.  [default: the newest]")
@configured
@shown
def rate(config: Config, token: str, currency: str | None, block: int | None) -> Record:
    """What a token is worth in a currency, and how one knows: feed, round, answer, block, or a file's line.

    The rate is an exact fraction that follows from the evidence alone. An old, incomplete, zero or negative answer is
    an error, and so is any while a rollup's sequencer is down. Sends nothing, keeps nothing, needs no key.
    """
    from tallystick.chain.node import connect
    from tallystick.core.address import parse_address
    from tallystick.core.rate import shown as in_words
    from tallystick.flows.gains import currency_of
    from tallystick.flows.rates import RateSources

    sources = RateSources(config.rate, config.peg)
    found = sources.rate(
        connect(config.rpc_url),
        parse_address(token),
        currency or currency_of(config),
        "latest" if block is None else block,
    )
    fraction = found.fraction
    return Record(
        {
            "token": found.token,
            "currency": found.currency,
            "rate": decimal_of(fraction),
            "numerator": str(fraction.numerator),
            "denominator": str(fraction.denominator),
            "known_by": in_words(found.evidence),
            "evidence": document(found.evidence),
        }
    )


@convert.command(epilog=examples("tallystick convert record", "tallystick convert record --account 0x7099...79C8"))
@_accounts
@configured
@shown
def record(config: Config, accounts: tuple[str, ...]) -> Record:
    """Record what received and converted tokens were worth, block by block, with the evidence.

    Needed where no [[peg]] says it, and by the sources of [[rate]]: feeds, of which the node must still have the
    block's state, or a file. What is recorded stays as it is; `tallystick audit verify` looks at the evidence again.
    Best run after each `tallystick index`.
    """
    from tallystick.chain.node import connect
    from tallystick.cli.progress import Meter
    from tallystick.flows.gains import currency_of, record_rates
    from tallystick.flows.mirror import open_books
    from tallystick.flows.rates import RateSources

    code, books, node = currency_of(config), open_books(config), connect(config.rpc_url)
    with Meter("rates") as meter:
        done = record_rates(
            books, node, RateSources(config.rate, config.peg), code, _owners(config, accounts), on_progress=meter.show
        )
    values: dict[str, object] = {"currency": code, "recorded": done.new, "recorded_before": done.known}
    return Record(values | {"refused": [refusal._asdict() for refusal in done.refused]})


@convert.command(
    epilog=examples(
        "tallystick convert gains                     every conversion with its gain or loss, and the lots it used",
        "tallystick convert gains --json",
        "tallystick ledger trial-balance --of conversion",
    )
)
@_accounts
@configured
@shown
def gains(config: Config, accounts: tuple[str, ...]) -> Record:
    """Realised gains and losses of conversions, with the lots that were used: first in, first out.

    Worked out of the journals and the recorded rates each time, in the order of the chain, up to the block that all
    journals have reached. Asks no node.
    """
    from tallystick.flows.gains import currency_of, read_gains
    from tallystick.flows.mirror import open_books

    found = read_gains(open_books(config), currency_of(config), _owners(config, accounts))
    conversions = [
        {
            "entry": one.place.number,
            "time": Time(one.origin.block_time),
            "account": one.account,
            "given": one.given,
            "received": one.received,
            "proceeds": one.proceeds,
            "cost": one.cost,
            "gain": one.gain,
            "uncovered": one.uncovered,
            "valued_by": found.known_by(one.place, one.received),
            "transaction": one.origin.transaction_hash,
        }
        for one in found.disposals
    ]
    lots = [
        {
            "conversion": one.place.number,
            "received": Time(part.receipt.origin.block_time),
            "amount": part.amount,
            "cost": part.cost,
            "proceeds": part.proceeds,
            "gain": part.gain,
            "valued_by": found.known_by(part.receipt.place, part.receipt.amount),
            "transaction": part.receipt.origin.transaction_hash,
        }
        for one in found.disposals
        for part in one.parts
    ]
    held = [
        {"account": account, "amount": lots.amount, "cost": lots.cost, "lots": sum(1 for _ in lots)}
        for (account, _), lots in found.lots.items()
    ]
    return Record(
        {
            "currency": found.currency.code,
            "through_block": found.through_block,
            "gain": found.gain,
            "conversions": conversions,
            "lots_used": lots,
            "held": held,
        },
        note="" if conversions else NO_CONVERSIONS,
    )


def _owners(config: Config, accounts: tuple[str, ...]) -> tuple[str, ...]:
    from tallystick.core.address import parse_address

    return tuple(map(parse_address, accounts)) or config.merchant.payees


for _command in (deploy_swapper, deploy_quoter):
    convert.add_command(_command)
