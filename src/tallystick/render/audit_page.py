"""The texts of an audit's report, as the strings that the PDF's template puts in their places.

All text of others (what rows have in them, what tokens call themselves) passes through here, where it is made printable
and, where it is one endless word, breakable.
"""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TypedDict

from tallystick.render.page import MAY_BREAK, Row, breakable
from tallystick.render.statement import AuditedBooks, AuditedPack, AuditStatement, BlockMark, Difference, TokenSaid
from tallystick.render.wording import amount_text, printable, time_text

VALUE_FITS = 600
"""Letters: a longer value is cut short on paper, and whole in the JSON that the PDF carries."""
BREAK_EVERY = 8
"""Letters of a word that is too long for its column. Each place to break weighs as much as a paragraph in the PDF, and
there may be a thousand differences of hundreds of letters."""


class PointTexts(TypedDict):
    """Something that was checked, or was not."""

    title: str
    text: str


class DifferenceTexts(TypedDict):
    """A row of the table of differences."""

    number: str
    row: str
    books: str
    found: str
    expected: str
    meaning: str


class TableTexts(TypedDict):
    """A table: `columns` are heads; for each, `mono` says whether it has hashes and addresses, `fits` whether it is as
    wide as they need."""

    title: str
    note: str
    columns: list[str]
    mono: list[bool]
    fits: list[bool]
    rows: list[list[str]]


class AuditPage(TypedDict):
    """Everything that the template shows."""

    title: str
    status: str
    tone: str
    verdict: str
    facts: list[Row]
    contracts: TableTexts
    last_blocks: TableTexts
    checked: list[PointTexts]
    unchecked: list[PointTexts]
    tables: list[TableTexts]
    differences_note: str
    differences: list[DifferenceTexts]
    pack: TableTexts | None
    footer: str
    meta_title: str
    meta_description: str


def audit_page(statement: AuditStatement) -> AuditPage:
    """The texts of the statement's pages."""
    at = f"chain {statement.chain_id}, block {statement.as_of.number}"
    count = statement.difference_count
    return {
        "title": "Audit report",
        "status": "No differences" if statement.ok else f"{count:,} difference{'' if count == 1 else 's'}",
        "tone": "done" if statement.ok else "open",
        "verdict": statement.verdict,
        "facts": _facts(statement),
        "contracts": _contracts(statement),
        "last_blocks": _last_blocks(statement),
        "checked": [{"title": point.title, "text": point.text} for point in statement.checked],
        "unchecked": [{"title": point.title, "text": point.text} for point in statement.unchecked],
        "tables": [table for table in (_tokens(statement), _pegs(statement), _holdings(statement)) if table["rows"]],
        "differences_note": _differences_note(statement),
        "differences": _differences(statement),
        "pack": None if statement.pack is None else _members(statement.pack),
        "footer": f"Audit of books, {at}, made with {statement.software}",
        "meta_title": f"Audit report, {at}",
        "meta_description": statement.verdict,
    }


def _facts(statement: AuditStatement) -> list[Row]:
    facts = {"Chain": f"number {statement.chain_id} (EIP-155)", "As of": _moment(statement.as_of)}
    if statement.pack is None:
        facts["Compared with"] = "a node of this chain, block by block"
    else:
        facts["Compared with"] = "a pack of evidence, without a node"
        facts["Pack"] = statement.pack.pack
        facts["Pack's file"] = f"{statement.pack.size:,} bytes, made by {printable(statement.pack.made_by)}"
        compared = f"{statement.pack.blocks_compared:,} of {statement.pack.blocks:,} compared with trusted ones"
        facts["Hashes of blocks"] = compared
    facts["Software"] = statement.software
    return [{"label": label, "value": value, "mono": label == "Pack"} for label, value in facts.items()]


def _contracts(statement: AuditStatement) -> TableTexts:
    rows = [[one.name, one.contract, str(one.first_block), str(one.last_block.number)] for one in statement.books]
    return _table("Contracts", "", ["Books of", "Contract", "First block", "Last block"], rows, "Contract")


def _last_blocks(statement: AuditStatement) -> TableTexts:
    """Each only once: the books of all contracts often end with the same block."""
    blocks = dict.fromkeys(one.last_block for one in statement.books)
    rows = [[str(block.number), block.hash, _time(block)] for block in blocks]
    return _table("Last blocks", "", ["Block", "Hash", "Time"], rows, "Hash", "Block")


def _tokens(statement: AuditStatement) -> TableTexts:
    rows = [[token.address, _free(token.symbol), str(token.decimals)] for token in _tokens_of(statement.books).values()]
    note = "As each token states it of itself."
    return _table("Tokens", note, ["Token", "Symbol", "Decimals"], rows, "Token")


def _pegs(statement: AuditStatement) -> TableTexts:
    books: defaultdict[tuple[str, int, str | None], list[str]] = defaultdict(list)
    for one in statement.books:
        for peg in one.pegs:
            books[peg.token, peg.from_block, peg.currency].append(one.name)
    rows = [
        [token, str(from_block), f"{currency}, at par" if currency else "no currency any more", ", ".join(names)]
        for (token, from_block, currency), names in books.items()
    ]
    note = "The merchant's word: the chain knows nothing of it."
    return _table("Declared worth", note, ["Token", "From block", "Worth", "In the books of"], rows, "Token")


def _holdings(statement: AuditStatement) -> TableTexts:
    tokens = _tokens_of(statement.books)
    rows = []
    for one in statement.books:
        for holding in one.holdings:
            balance, token = holding.balance_units, tokens.get(holding.token)
            has = "does not say" if balance is None else _amount(int(balance), token)
            rows.append([one.name, holding.token, _amount(int(holding.owed_units), token), has])
    note = "What each contract owes to somebody, and what it has."
    return _table("What contracts hold", note, ["Contract", "Token", "Owes", "Has"], rows, "Token", "Contract")


def _members(pack: AuditedPack) -> TableTexts:
    rows = [[_free(member.name), f"{member.size:,}", member.sha256] for member in pack.members]
    note = "SHA-256 of each member as it stands in the file. That of the manifest, which has this list, names the pack."
    return _table("Members of the pack", note, ["Member", "Bytes", "SHA-256"], rows, "SHA-256", "Member")


def _table(title: str, note: str, columns: list[str], rows: list[list[str]], mono: str, *fits: str) -> TableTexts:
    return {
        "title": title,
        "note": note,
        "columns": columns,
        "mono": [column == mono for column in columns],
        "fits": [column in {mono, *fits} for column in columns],
        "rows": rows,
    }


def _differences_note(statement: AuditStatement) -> str:
    if statement.ok:
        return "None was found."
    listed = sum(len(one.differences) for one in statement.books)
    more = statement.difference_count - listed
    note = (
        "“Found” is what the books have, “expected” what follows from the chain; “nothing” on one side means that a "
        "row is missing, or too many. Behind a comma stands the value that differs."
    )
    return f"{note} {listed:,} are listed, {more:,} more were counted." if more else note


def _differences(statement: AuditStatement) -> list[DifferenceTexts]:
    found = [(one.name, difference) for one in statement.books for difference in one.differences]
    return [_difference(number, name, difference) for number, (name, difference) in enumerate(found, start=1)]


def _difference(number: int, books: str, difference: Difference) -> DifferenceTexts:
    return {
        "number": str(number),
        "row": _free(difference.row),
        "books": books,
        "found": _free(difference.found),
        "expected": _free(difference.expected),
        "meaning": difference.meaning or "",
    }


def _tokens_of(books: tuple[AuditedBooks, ...]) -> dict[str, TokenSaid]:
    return {token.address: token for one in books for token in one.tokens}


def _amount(units: int, token: TokenSaid | None) -> str:
    """It may have 78 digits, and breaks at its groups."""
    number = f"{units:,}" if token is None else amount_text(units, token.decimals)
    broken = re.sub(r"(,|\d{6}(?=\d))", rf"\1{MAY_BREAK}", number)
    return f"{broken} {'base units' if token is None else _free(token.symbol)}"


def _moment(block: BlockMark) -> str:
    return f"block {block.number}, {_time(block)}"


def _time(block: BlockMark) -> str:
    return time_text(block.timestamp)


def _free(text: str) -> str:
    if len(text) > VALUE_FITS:
        text = f"{text[:VALUE_FITS]} … ({len(text):,} characters; whole in the attached JSON)"
    return breakable(printable(text), BREAK_EVERY)
