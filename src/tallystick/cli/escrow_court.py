"""`tallystick escrow`: disputes that a judge decides, and a court on appeal."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import click

from tallystick.cli import configured, examples, unlocked
from tallystick.cli.escrow_files import Named, done, option_row, payment_argument, when
from tallystick.cli.escrow_verbs import opened
from tallystick.cli.files import out_option
from tallystick.cli.output import Record, Span, Time, shown
from tallystick.cli.spans import PERCENT, SPAN
from tallystick.config import Config
from tallystick.core.money import Amount
from tallystick.errors import InputError

if TYPE_CHECKING:
    from tallystick.flows.describe_case import CaseState

_document = click.Path(dir_okay=False, path_type=Path)


class _HexType(click.ParamType):
    name = "hex"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> bytes:
        """From 0x and an even number of hex digits."""
        if isinstance(value, bytes):
            return value
        found = re.fullmatch(r"0x((?:[0-9a-fA-F]{2})*)", str(value))
        if not found:
            self.fail(f"found {value!r}, allowed are 0x and pairs of hex digits, as the court says them", param, ctx)
        return bytes.fromhex(found[1])


@click.group(
    epilog=examples(
        "tallystick escrow court deploy --judge 0x90F7... --court 0x988b... --court-data 0x...   once",
        "tallystick escrow terms ... --arbiter ARBITER --ruling-within 60d                       for each payment",
        "tallystick escrow court show terms.json                                                 in a dispute",
    )
)
def court() -> None:
    """Disputes that a judge decides, and a court where a party appeals.

    An arbiter with a court is a contract that payments name with --arbiter. A judge divides a disputed payment; payer
    or payee can take that to an ERC-792 court, such as Kleros, and pay it; what is final anyone has done. Nobody owns
    the arbiter, and it can only divide between payer and payee.
    """


@court.command(
    epilog=examples(
        "tallystick escrow court deploy --judge 0x90F7... --court 0x988b... --appeal-within 7d --question /ipfs/Qm...",
        "tallystick escrow court deploy --court 0x988b... --court-data 0x0003          the court decides first",
        "tallystick escrow court deploy --judge 0x90F7... --test-court                    on an Anvil, to try it",
    )
)
@click.option("--court", "court_address", metavar="ADDRESS", help="The court, which answers as ERC-792 says.")
@click.option("--judge", metavar="ADDRESS", help="Who decides first.  [default: the court]")
@click.option(
    "--appeal-within", type=SPAN, default="7d", show_default=True, help="How long a party may take to appeal."
)
@click.option(
    "--court-data", type=_HexType(), default="0x", metavar="HEX", help="Which of its courts, how many jurors."
)
@click.option(
    "--question", default="", metavar="URI", help="Where the document of `court question` is, for the court to read."
)
@click.option("--test-court", is_flag=True, help="On a chain of your own: a court that anybody tells how to rule.")
@configured
@shown
def deploy(
    config: Config,
    court_address: str | None,
    judge: str | None,
    appeal_within: int,
    court_data: bytes,
    question: str,
    test_court: bool,
) -> Record:
    """Create an arbiter, for terms to name. Who judges, which court and how long is fixed for ever, and nobody owns it.

    Safe to repeat: its address follows from these values, and what is there is not created again.
    """
    from tallystick.core.address import parse_address
    from tallystick.flows.connect import open_contract
    from tallystick.flows.court import deploy_arbiter, place_test_court

    if test_court == (court_address is not None):
        raise click.UsageError("name the court with --court, or on a chain of your own take --test-court")
    found = parse_address(court_address) if court_address else None
    decides_first = parse_address(judge) if judge else None
    connection = open_contract(unlocked(config), signing=True)
    deployed = deploy_arbiter(
        connection,
        court=found or place_test_court(connection),
        judge=decides_first,
        appeal_s=appeal_within,
        court_data=court_data,
        question=question,
    )
    values = _arbiter_values(config, deployed.address) | {
        "created": deployed.transaction is not None,
        "transaction": deployed.transaction,
    }
    note = f"Next: tallystick escrow terms --arbiter {deployed.address} --ruling-within 60d"
    return Record(values, note=note)


@court.command(epilog=examples("tallystick escrow court describe 0x5FbD...0aa3"))
@click.argument("arbiter")
@configured
@shown
def describe(config: Config, arbiter: str) -> Record:
    """Who judges and which court, at an ARBITER that terms name, and what an appeal costs now.

    Its code is compared with what this package ships: look before you agree to terms that name it.
    """
    from tallystick.core.address import parse_address

    return Record(_arbiter_values(config, parse_address(arbiter)))


def _arbiter_values(config: Config, address: str) -> dict[str, object]:
    from tallystick.flows.connect import open_contract
    from tallystick.flows.describe_case import describe_arbiter

    state = describe_arbiter(open_contract(config), address)
    return {
        "arbiter": state.facts.address,
        "judge": state.facts.judge,
        "court": state.facts.court,
        "appeal_within": Span(state.facts.appeal_window_s) if state.facts.judge else None,
        "court_data": state.facts.court_data,
        "question": printable(state.question) or None,
        "appeal_cost": state.appeal_cost,
    }


@court.command(
    "show",
    epilog=examples("tallystick escrow court show terms.json", "tallystick escrow court show 0x5e1f...a392 --json"),
)
@payment_argument
@configured
@shown
def show_case(config: Config, named: Named) -> Record:
    """A case: who decides, what was decided, until when a party can appeal and at what cost, and what may be done next.

    Parts are of what is held now, before the platform's fee.
    """
    from tallystick.flows.connect import open_contract
    from tallystick.flows.describe_case import describe_case

    state = describe_case(open_contract(config), named.offer(config))
    return Record(_case_values(state))


def _case_values(state: CaseState) -> dict[str, object]:
    parts, token = state.division, state.held.asset
    divided = {"payee": parts.payee_units, "payer": parts.payer_units, "judge_fee": parts.judge_units} if parts else {}
    values: dict[str, object] = {
        "payment": state.offer.payment_id,
        "status": state.status,
        "stage": state.stage,
        "arbiter": state.arbiter.address,
        "judge": state.arbiter.judge,
        "court": state.arbiter.court,
        "held": state.held,
        "judged_at": when(state.judged_at),
        "appeal_before": when(state.appeal_before),
        "appeal_cost": state.appeal_cost,
        "dispute": state.dispute_id,
        "ruling": state.ruling,
        "default_from": when(state.ruling_before),
        "would_be": {name: Amount(units, token) for name, units in divided.items()} or None,
    }
    kept = {name: value for name, value in values.items() if value is not None}
    documents = [
        {"by": document.by, "shown_at": Time(time), "document": printable(document.uri)}
        for document, time in state.documents
    ]
    return kept | {"documents": documents, "options": [option_row(option, state.time) for option in state.options]}


def printable(text: str) -> str:
    """What somebody else wrote, without what would steer a terminal."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


@court.command(
    epilog=examples(
        "TALLYSTICK_KEY=0x... tallystick escrow court judge terms.json --payee 75",
        "TALLYSTICK_KEY=0x... tallystick escrow court judge terms.json --payee 0 --fee 2.5",
    )
)
@payment_argument
@click.option(
    "--payee",
    "payee_bps",
    type=PERCENT,
    required=True,
    metavar="PERCENT",
    help="The payee's part; the payer has the rest.",
)
@click.option(
    "--fee", "fee_bps", type=PERCENT, default=0, metavar="PERCENT", help="The judge's own, taken first of all."
)
@configured
@shown
def judge(config: Config, named: Named, payee_bps: int, fee_bps: int) -> Record:
    """Decide how a disputed payment is divided: by the judge, once. It is done when nobody appealed in time.

    Until then payer or payee can still give in, with `tallystick escrow capture` or `tallystick escrow void`.
    """
    from tallystick.flows.court import judge as decide
    from tallystick.flows.describe_case import describe_case

    connection, offer = opened(config, named)
    sent = decide(connection, offer, payee_bps, fee_bps)
    values = _case_values(describe_case(connection, offer)) | {"transaction": sent.receipt.transaction}
    return Record(values, note="What is final anyone has done: tallystick escrow court execute")


@court.command(
    epilog=examples(
        "TALLYSTICK_KEY=0x... tallystick escrow court appeal terms.json          says what it costs, and asks",
        "TALLYSTICK_KEY=0x... tallystick escrow court appeal terms.json --yes",
    )
)
@payment_argument
@click.option("--yes", is_flag=True, help="Pay without asking.")
@configured
@shown
def appeal(config: Config, named: Named, yes: bool) -> Record:
    """Take a case to the court: by payer or payee, while the appeal is possible. Who appeals pays the court, at once.

    Where there is no judge the court decides first.
    """
    from tallystick.flows.court import appeal as ask
    from tallystick.flows.court import arbiter_of
    from tallystick.flows.describe_case import coin, describe_case

    connection, offer = opened(config, named)
    cost_wei = arbiter_of(connection, offer).appeal_cost_wei()
    cost = Amount(cost_wei, coin(connection.node.chain_id))
    if not yes:
        _require_yes(f"The court takes {cost} from {connection.sender.address}, whoever wins. Appeal?", cost)
    sent = ask(connection, offer, cost_wei)
    values = _case_values(describe_case(connection, offer))
    return Record(values | {"paid": cost, "transaction": sent.receipt.transaction})


def _require_yes(question: str, cost: Amount) -> None:
    try:
        confirmed = click.confirm(question, err=True)
    except click.Abort:
        click.echo(err=True)
        confirmed = False
    if not confirmed:
        raise InputError(f"nobody agreed to pay {cost}, so nothing was sent: answer y, or add --yes")


@court.command(
    epilog=examples("tallystick escrow court evidence terms.json /ipfs/QmWQV5ZFFhEJiW8Lm7ay2zLxC2XS4wx1b2W7FfdrLMyQQc")
)
@payment_argument
@click.argument("uri")
@configured
@shown
def evidence(config: Config, named: Named, uri: str) -> Record:
    """Show judge and court a document: by payer, payee or judge, before an appeal or after it.

    URI is where the JSON of `tallystick escrow court exhibit` can be read. Name the file itself to the escrow too, with
    `tallystick escrow evidence submit`: its hash is the same there.
    """
    from tallystick.flows.court import show_evidence

    connection, offer = opened(config, named)
    return done(connection, offer, show_evidence(connection, offer, uri))


@court.command(epilog=examples("tallystick escrow court execute terms.json"))
@payment_argument
@configured
@shown
def execute(config: Config, named: Named) -> Record:
    """Have the escrow divide a payment as the court ruled, or as was judged and nobody appealed. Anyone may."""
    from tallystick.core.payment_events import Ruled
    from tallystick.flows.court import execute as divide

    connection, offer = opened(config, named)
    sent = divide(connection, offer)
    ruled = sent.one(Ruled)
    parts = {"payee": ruled.to_payee_units, "payer": ruled.to_payer_units, "judge_fee": ruled.arbiter_fee_units}
    record = done(connection, offer, sent, **parts, fee=ruled.fee_units)
    if not ruled.arbiter_fee_units:
        return record
    return Record(record.values, note="The judge's fee: tallystick escrow court pay-judge ARBITER TOKEN")


@court.command("pay-judge", epilog=examples("tallystick escrow court pay-judge 0x5FbD...0aa3 0xA0b8...eB48"))
@click.argument("arbiter")
@click.argument("token")
@configured
@shown
def pay_judge(config: Config, arbiter: str, token: str) -> Record:
    """Send an ARBITER's judge all fees in a TOKEN. Anyone may."""
    from tallystick.core.address import parse_address
    from tallystick.flows.connect import open_contract
    from tallystick.flows.court import open_arbiter

    address, paid_in = parse_address(arbiter), parse_address(token)
    connection = open_contract(unlocked(config), signing=True)
    contract, held_in = open_arbiter(connection, address), connection.token(paid_in)
    amount = Amount(held_in.balance(address), held_in.describe())
    sent = contract.pay_judge(paid_in)
    return Record({"judge": contract.facts().judge, "paid": amount, "transaction": sent.receipt.transaction})


@court.command(
    epilog=examples(
        "tallystick escrow court question --policy policy.pdf --policy-uri /ipfs/Qm.../policy.pdf --out question.json"
    )
)
@click.option("--title", default="Division of an escrow payment", show_default=True, help="What it is about.")
@click.option(
    "--description",
    default="Payer and payee of an escrow payment disagree about what was agreed on and delivered.",
    show_default=True,
    help="And in more words.",
)
@click.option(
    "--text",
    default="To whom is what is held to be paid?",
    show_default=True,
    metavar="QUESTION",
    help="What the court is asked.",
)
@click.option("--policy", type=_document, metavar="FILE", help="The document by which the court judges: its hash.")
@click.option("--policy-uri", metavar="URI", help="And where the court can read it.")
@out_option
def question(title: str, description: str, text: str, policy: Path | None, policy_uri: str | None, out: TextIO) -> None:
    """Write the JSON that tells a court what it is asked and what each ruling does (ERC-1497). Nothing is sent.

    Host it where the court can read it, and name it to `tallystick escrow court deploy --question`.
    """
    from tallystick.core.court_documents import question_document
    from tallystick.flows.evidence import read_document

    if (policy is None) != (policy_uri is None):
        raise click.UsageError("give the document with --policy and where it is with --policy-uri, or neither")
    document = read_document(policy) if policy else None
    out.write(
        question_document(
            title=title,
            description=description,
            question=text,
            policy_uri=policy_uri,
            policy_hash=document.hash if document else None,
            policy_extension=_extension(policy),
        )
    )


@court.command(
    epilog=examples(
        "tallystick escrow court exhibit photograph.png --uri /ipfs/Qm.../photograph.png --out exhibit.json",
        'tallystick escrow court exhibit letter.pdf --uri https://shop.example/letter.pdf --name "What was promised"',
    )
)
@click.argument("path", type=_document, metavar="FILE")
@click.option("--uri", required=True, metavar="URI", help="Where the court can read the file.")
@click.option("--name", metavar="TEXT", help="What it is.  [default: the file's name]")
@click.option("--description", default="", metavar="TEXT", help="What it shows.")
@out_option
def exhibit(path: Path, uri: str, name: str | None, description: str, out: TextIO) -> None:
    """Write the JSON with which a FILE is shown to a court (ERC-1497). Nothing is sent.

    Its `fileHash` is the hash under which the escrow knows the file. Host the JSON too, and name it with `tallystick
    escrow court evidence`.
    """
    from tallystick.core.court_documents import exhibit_document
    from tallystick.flows.evidence import read_document

    document = read_document(path)
    out.write(
        exhibit_document(
            name=name or document.name,
            description=description,
            file_uri=uri,
            file_hash=document.hash,
            file_extension=_extension(path),
        )
    )


def _extension(path: Path | None) -> str | None:
    return path.suffix.removeprefix(".") or None if path else None
