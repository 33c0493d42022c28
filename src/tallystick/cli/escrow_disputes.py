"""`tallystick escrow`: disputes, their documents, and rulings."""

from __future__ import annotations

from pathlib import Path

import click

from tallystick.cli import configured, examples
from tallystick.cli.escrow_files import Named, done, payment_argument
from tallystick.cli.escrow_verbs import opened, units_of
from tallystick.cli.output import Record, Table, Time, shown
from tallystick.config import Config

_document = click.Path(dir_okay=False, path_type=Path)


@click.command(
    epilog=examples(
        "tallystick escrow dispute terms.json --evidence photograph.png",
        "tallystick escrow dispute 0x5e1f...a392",
    )
)
@payment_argument
@click.option("--evidence", "path", type=_document, metavar="FILE", help="A document; the database keeps it.")
@configured
@shown
def dispute(config: Config, named: Named, path: Path | None) -> Record:
    """Call the arbiter: by payer or payee, while money is held. What is held stays so until there is a ruling.

    Only the document's keccak-256 goes on chain. The document is kept in the database, for those who may see it.
    """
    from tallystick.flows.evidence import NO_EVIDENCE, keep_document, read_document
    from tallystick.storage.database import open_database

    document = read_document(path) if path else None
    connection, offer = opened(config, named)
    if document is not None:
        keep_document(open_database(config.database), document)
    sent = connection.escrow.dispute(offer.terms, document.hash if document else NO_EVIDENCE)
    return done(connection, offer, sent)


@click.group(
    epilog=examples(
        "tallystick escrow evidence submit terms.json letter.pdf",
        "tallystick escrow evidence show terms.json --out documents/",
    )
)
def evidence() -> None:
    """Documents of a dispute: their hash on chain, they themselves in the database."""


@evidence.command(epilog=examples("tallystick escrow evidence submit terms.json letter.pdf"))
@payment_argument
@click.argument("path", type=_document, metavar="FILE")
@configured
@shown
def submit(config: Config, named: Named, path: Path) -> Record:
    """Name a document in a dispute: by payer, payee or arbiter."""
    from tallystick.flows.evidence import keep_document, read_document
    from tallystick.storage.database import open_database

    document = read_document(path)
    connection, offer = opened(config, named)
    keep_document(open_database(config.database), document)
    return done(connection, offer, connection.escrow.submit_evidence(offer.terms, document.hash))


@evidence.command(
    "show",
    epilog=examples(
        "tallystick escrow evidence show terms.json",
        "tallystick escrow evidence show terms.json --out documents/",
    ),
)
@payment_argument
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), metavar="FOLDER", help="Write them there.")
@configured
@shown
def show_evidence(config: Config, named: Named, out: Path | None) -> Table:
    """What was named in a payment's dispute, and whether the database has it. Ends with 1 where it does not.

    Each document is hashed again and compared with what stands on chain: what is missing or was changed is said.
    """
    from tallystick.flows.evidence import Found, list_evidence
    from tallystick.flows.mirror import open_books
    from tallystick.flows.typeset import file_name

    offer, books = named.offer(config), open_books(config)
    found = list_evidence(books.engine, books.payments, offer.payment_id)
    rows = []
    for one in found:
        document = one.document
        if one.found is not Found.WHOLE:
            words = (
                "is not in the database" if document is None else f"is NOT the one in the database ({document.name})"
            )
            click.echo(f"WARNING: document 0x{one.hash.hex()}, named by {one.by}, {words}: ask them for it", err=True)
            click.get_current_context().call_on_close(_fail)
        elif out is not None and document is not None:
            out.mkdir(parents=True, exist_ok=True)
            (out / file_name(f"{one.hash.hex()[:8]}-{document.name}")).write_bytes(document.content)
        rows.append(
            {
                "hash": one.hash,
                "by": one.by,
                "named_at": Time(one.time),
                "document": one.found.value,
                "name": document and document.name,
                "media_type": document and document.media_type,
                "bytes": document and len(document.content),
            }
        )
    return Table(rows, empty="no document was named, as far as the mirror has read (`tallystick index --once`)")


def _fail() -> None:
    raise click.exceptions.Exit(1)


@click.command(
    epilog=examples(
        "tallystick escrow rule terms.json --payee-amount 10.00 --arbiter-fee 1.00",
        "tallystick escrow rule terms.json --default      the arbiter was silent; anyone may",
    )
)
@payment_argument
@click.option("--payee-amount", metavar="AMOUNT", help="The payee's part, of which the platform gets its least fee.")
@click.option("--arbiter-fee", metavar="AMOUNT", default="0", help="The arbiter's part; the payer gets the rest.")
@click.option("--default", "by_default", is_flag=True, help="As the terms say, after the arbiter's time.")
@configured
@shown
def rule(config: Config, named: Named, payee_amount: str | None, arbiter_fee: str, by_default: bool) -> Record:
    """Divide what is held: by the arbiter, or by default by anyone, once the arbiter's time is over."""
    from tallystick.core.payment_events import Ruled

    if by_default == (payee_amount is not None):
        raise click.UsageError("name the payee's part with --payee-amount, or have the terms decide with --default")
    connection, offer = opened(config, named)
    if by_default:
        sent = connection.escrow.rule_by_default(offer.terms)
    else:
        payee, fee = units_of(connection, offer, payee_amount), units_of(connection, offer, arbiter_fee)
        sent = connection.escrow.rule(offer.terms, payee or 0, fee or 0)
    ruled = sent.one(Ruled)
    parts = {"payee": ruled.to_payee_units, "payer": ruled.to_payer_units, "arbiter": ruled.arbiter_fee_units}
    return done(connection, offer, sent, **parts, fee=ruled.fee_units)
