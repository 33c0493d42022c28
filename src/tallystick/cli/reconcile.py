"""`tallystick reconcile`: what was expected against what came, on both sides of the tally."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from tallystick.cli import configured, examples
from tallystick.cli.output import Table, Time, shown
from tallystick.cli.spans import DATE
from tallystick.config import Config
from tallystick.core.money import Amount
from tallystick.core.open_item import ItemKind

if TYPE_CHECKING:
    from tallystick.core.money import Token
    from tallystick.core.reconciliation import ChargeRow, RowKey
    from tallystick.flows.recognise import OwnPlans
    from tallystick.flows.reconcile_wallets import Explanation, WalletReport

KINDS = [kind.value for kind in ItemKind]


@click.group()
def reconcile() -> None:
    """Expected against received, wallets against the ledger, and what somebody has to look at.

    Nothing is written: each report is worked out of the books whenever it is asked for.
    """


@reconcile.command(
    epilog=examples(
        "tallystick reconcile charges",
        "tallystick reconcile charges --since 2027-01-01 --until 2027-03-31 --json",
        "tallystick reconcile charges --payer 0x3C44...93BC",
    )
)
@click.option("--since", type=DATE, metavar="DATE", help="From this month on (UTC); the first one's.")
@click.option("--until", type=DATE, metavar="DATE", help="Up to this month; the last final block's.")
@click.option("--payer", metavar="ADDRESS", help="Of this payer.")
@configured
@shown
def charges(config: Config, since: int | None, until: int | None, payer: str | None) -> Table:
    """What subscriptions were expected to pay against what they paid: by month, plan and payer.

    A period is expected in the month in which it falls due while its subscription is active. `expected` is `received`
    and `missing`, and `missing` is what was refunded, declined, or not charged for another reason; `open` is what of
    the last two can still be charged. `late` is what of `received` came in another month than it was due.

    A charged period is expected with what it was charged, another with what a charge would have taken when it was due.
    Usage, and a change at once, is expected when it is charged. Periods at a quoted price that were not charged are
    counted as `unknown`: nobody can say their amount. Final blocks alone count; the plans are your own
    (merchant.payees, or the account of TALLYSTICK_KEY; where neither is there, all).
    """
    from tallystick.core.address import parse_address
    from tallystick.core.reconciliation import month_of
    from tallystick.flows.mirror import open_books
    from tallystick.flows.reconcile_charges import reconcile_charges
    from tallystick.storage.database import reading
    from tallystick.storage.tokens import read_tokens

    wanted = parse_address(payer) if payer else None
    books = open_books(config)
    with reading(books.engine) as connection:
        tokens = read_tokens(connection, books.source.chain_id)
        found = reconcile_charges(connection, books.source, _own(config))
    first = "" if since is None else month_of(since)
    last = month_of(books.source.final_time if until is None else until)
    return Table(
        [
            _charges(key, row, tokens[key.token])
            for key, row in found.items()
            if first <= key.month <= last and wanted in {None, key.payer}
        ],
        empty="nothing fell due in final blocks: `tallystick index --once` brings the mirror up to date",
    )


def _charges(key: RowKey, row: ChargeRow, token: Token) -> dict[str, object]:
    return {
        "month": key.month,
        "plan": key.plan_id,
        "expected": Amount(row.expected_units, token),
        "received": Amount(row.received_units, token),
        "missing": Amount(row.missing_units, token),
        "refunded": Amount(row.refunded_units, token),
        "declined": Amount(row.declined_units, token),
        "not_charged": Amount(row.uncharged_units, token),
        "open": Amount(row.open_units, token),
        "late": Amount(row.late_units, token),
        "unknown": row.unknown,
        "why": sorted(row.reasons),
        "payer": key.payer,
    }


def _own(config: Config) -> OwnPlans:
    """The merchant's plans, as `tallystick status` and `bill` know them."""
    from tallystick.chain.signer import KeySigner
    from tallystick.flows.recognise import OwnPlans

    key = config.signer.key
    return OwnPlans.of(config.merchant, KeySigner.from_key(key.get_secret_value()).address if key else None)


@reconcile.command(
    epilog=examples(
        "tallystick reconcile wallets",
        "tallystick reconcile wallets --block 19000000 --json",
        "tallystick reconcile wallets --explain                what moved outside, transaction by transaction",
    )
)
@click.option("--block", type=int, metavar="NUMBER", help="As of the end of this block.  [default: the books' last]")
@click.option("--explain", is_flag=True, help="What the differences are made of, by the tokens' transfers.")
@configured
@shown
def wallets(config: Config, block: int | None, explain: bool) -> Table:
    """Wallets on chain against the ledger: what moved outside of Tallystick's contracts.

    Of each payee (merchant.payees; where none is named, every account that has a wallet in the ledger) and each token
    of the books: `Assets:Wallet` over all journals, and what the token says the wallet holds at the end of that block.
    `outside` is the difference: what came in other ways, less what was spent in other ways, ever. Nothing is wrong
    with that: the contracts see only what goes through them.

    With --explain each line is a part of `outside`, and the lines of a wallet add up to it: what it held before the
    first block of the books, each transaction since in which something moved that no journal has, and what no transfer
    tells of. It reads the state of two blocks: for old ones the node must be an archive node.
    """
    from tallystick.chain.rpc import Rpc
    from tallystick.flows.mirror import open_books
    from tallystick.flows.reconcile_wallets import explain_wallets, reconcile_wallets

    books, rpc = open_books(config), Rpc(config.rpc_url)
    report = reconcile_wallets(books, rpc, config.merchant.payees, block)
    empty = f"no wallet has anything, on chain or in the ledger, at block {report.block}"
    if explain:
        return Table(
            [line for found in explain_wallets(books, rpc, report) for line in _explained(found)],
            f"nothing moved outside of the contracts by block {report.block}" if report.rows else empty,
        )
    return Table(_wallets(report), empty)


@reconcile.command(
    epilog=examples("tallystick reconcile exceptions", "tallystick reconcile exceptions --kind late --json"),
)
@click.option("--kind", type=click.Choice(KINDS), help="Only these.")
@configured
@shown
def exceptions(config: Config, kind: str | None) -> Table:
    """What did not go as agreed and waits for somebody, the oldest first, with the command that goes on.

    Transfers that match no invoice, too little, too much, too late, sent twice, in another token or in one that the
    books do not know; charges that are due, with the reason of the last decline and when it is tried again; disputes,
    and what the escrow holds after the payee's time; what a contract keeps for an account that could not receive it.

    Of your own plans and payees (merchant.payees, or the account of TALLYSTICK_KEY; where neither is there, of all).
    It is read from the books, pending blocks included; the exit code is 0 whatever is open.
    """
    from tallystick.flows.mirror import open_books
    from tallystick.flows.reconcile_exceptions import reconcile_exceptions

    return Table(
        [
            {
                "kind": item.kind.value,
                "since": Time(item.since),
                "about": item.about,
                "amount": None if item.units is None else Amount(item.units, token),
                "why": item.why,
                "next_at": None if item.next_at is None else Time(item.next_at),
                "to_do": item.to_do,
                "account": item.account,
                "token": item.token,
            }
            for item, token in reconcile_exceptions(open_books(config), _own(config))
            if kind in {None, item.kind.value}
        ],
        empty="nothing is open",
    )


def _wallets(report: WalletReport) -> list[dict[str, object]]:
    return [
        {
            "block": report.block,
            "time": Time(report.time),
            "ledger": Amount(row.ledger_units, row.token),
            "on_chain": None if row.chain_units is None else Amount(row.chain_units, row.token),
            "outside": None if row.outside_units is None else Amount(row.outside_units, row.token),
            "wallet": row.wallet,
            "token": row.token.address,
        }
        for row in report.rows
    ]


def _explained(found: Explanation) -> list[dict[str, object]]:
    row, before, untold = found.row, f"held before block {found.first_block}", "told by no transfer"
    parts: list[tuple[str, int, int | None, bytes | None, tuple[str, ...]]] = [
        (before, found.before_units, None, None, ()),
        *(
            ("moved in" if part.units > 0 else "moved out", part.units, part.block_time, part.transaction, part.others)
            for part in found.moved
        ),
        (untold, found.untold_units, None, None, ()),
    ]
    return [
        {
            "what": what,
            "outside": Amount(units, row.token),
            "time": None if time is None else Time(time),
            "others": list(others),
            "wallet": row.wallet,
            "token": row.token.address,
            "transaction": transaction,
        }
        for what, units, time, transaction, others in parts
        if units
    ]
