"""States what an audit did and found, for people and for programs, in a file."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Final

from tallystick.errors import InputError
from tallystick.flows.audit_all import Audits
from tallystick.flows.audit_channels import ChannelsReport
from tallystick.flows.audit_payments import PaymentsReport
from tallystick.flows.check_pack import PackReport
from tallystick.flows.compare import Report
from tallystick.flows.export import whole_file
from tallystick.render import audit_wording
from tallystick.render.audit_meanings import meaning_of
from tallystick.render.pdf import statement_renderer
from tallystick.render.statement import (
    AuditedBooks,
    AuditedPack,
    AuditStatement,
    BlockMark,
    Difference,
    Holding,
    PackMember,
    Peg,
    TokenSaid,
    statement_json_text,
)
from tallystick.render.wording import iso_text

PDF, JSON = ".pdf", ".json"
NAMES: Final = {
    "subscriptions": audit_wording.SUBSCRIPTIONS,
    "escrow": audit_wording.ESCROW,
    "checkout": audit_wording.CHECKOUT,
    "channels": audit_wording.CHANNELS,
    "conversion": audit_wording.SWAPPER,
    "x402": audit_wording.X402,
}
"""What the contracts are called whose books the parts of an audit are on."""


def state_audit(audits: Audits) -> AuditStatement:
    """What was compared with a node, and what came out."""
    return _stated(audits, None)


def state_pack(report: PackReport) -> AuditStatement:
    """The same of a pack."""
    pack = AuditedPack(
        pack=report.name,
        size=report.size,
        made_by=f"Tallystick {report.about.made_by}",
        blocks=len(report.blocks),
        blocks_compared=report.compared,
        transactions=report.transactions,
        unsigned_transactions=report.unsigned,
        proven_answers=report.proven_answers,
        unproven_answers=report.told_answers,
        members=tuple(PackMember(member.name, member.size, member.sha256) for member in report.members),
    )
    return _stated(report.audits, pack)


def statement_writer(path: Path) -> Callable[[AuditStatement], str | None]:
    """What writes statements to `path`, whole or not at all, as PDF or JSON by its suffix. It gives what is to be said
    of the file, if anything.

    An audit may take long, so what would keep its report from being written is said before: raises InputError for
    another suffix or a folder that there is none, PdfUnavailable for a PDF without typst.
    """
    suffix = path.suffix.lower()
    if suffix not in {PDF, JSON}:
        raise InputError(f"found the report {path.name!r}, allowed are names that end in {PDF} or {JSON}")
    if not path.parent.is_dir():
        raise InputError(f"{path.parent} is no folder: name a report in one that is there")
    renderer = statement_renderer() if suffix == PDF else None

    def write(statement: AuditStatement) -> str | None:
        pdf = renderer and renderer.render(statement)
        with whole_file(path) as file:
            file.write(pdf.content if pdf else statement_json_text(statement).encode())
        return pdf.note if pdf else None

    return write


def _stated(audits: Audits, pack: AuditedPack | None) -> AuditStatement:
    books = tuple(_books(NAMES[name], report) for name, report in audits.reports.items())
    software = f"Tallystick {version('tallystick')}"
    return AuditStatement(
        ok=audits.ok,
        verdict=audit_wording.verdict(books, pack),
        software=software,
        chain_id=audits.subscriptions.chain_id,
        as_of=max((one.last_block for one in books), key=lambda block: block.number),
        difference_count=audits.difference_count,
        checked=audit_wording.checked(books, pack, software),
        unchecked=audit_wording.unchecked(books, pack),
        books=books,
        pack=pack,
    )


def _books(name: str, report: Report) -> AuditedBooks:
    return AuditedBooks(
        name=name,
        contract=report.contract,
        first_block=report.start_block,
        last_block=BlockMark(report.block_number, f"0x{report.block_hash.hex()}", iso_text(report.block_time)),
        figures=report.figures,
        entries=report.entries,
        credit_notes=report.credit_notes,
        pending_blocks=report.pending_blocks,
        tokens=tuple(TokenSaid(token.address, token.symbol, token.decimals) for token in report.tokens),
        pegs=tuple(Peg(*peg) for peg in report.pegs),
        holdings=_holdings(report),
        difference_count=report.difference_count,
        differences=tuple(Difference(*found, meaning_of(found.row)) for found in report.differences),
    )


def _holdings(report: Report) -> tuple[Holding, ...]:
    if not isinstance(report, PaymentsReport | ChannelsReport):
        return ()
    declared = {peg.token for peg in report.pegs}
    return tuple(
        Holding(token, str(owed), None if balance is None else str(balance), token in declared)
        for token, owed, balance in report.holdings
    )
