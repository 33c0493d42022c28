"""Runs the demo and writes what it leaves behind."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

from tallystick.chain.pack_chain import RecordingRpc
from tallystick.demo.stage import MERCHANT, Stage
from tallystick.demo.story import Tell, Year
from tallystick.demo.summary import summarize
from tallystick.errors import InputError
from tallystick.flows.audit_all import Audits, audit_all
from tallystick.flows.check_pack import block_hashes, trusted_hashes
from tallystick.flows.export import export_journal_file, journal_name
from tallystick.flows.mirror import open_books
from tallystick.flows.pack import write_pack
from tallystick.flows.present import Presenter
from tallystick.flows.rates import RateSources
from tallystick.flows.state_audit import state_audit, statement_writer
from tallystick.flows.typeset import typeset_all
from tallystick.render.journal import TEXT_FORMATS
from tallystick.render.pdf import PdfRenderer
from tallystick.testing import start_anvil

PACK, TRUSTED, REPORT = "audit.pack", "trusted.txt", "audit.pdf"
MARK = ".tallystick-demo"
"""A folder with this file is ours to write anew."""
FIRST_DAY = 1_738_310_400  # 2025-01-31 08:00 UTC: the last of a month, so that each month tells the anchor rule
CONFIG = """\
# The books of the demo. Its chain is gone, so what reads the books works, and what asks the chain does not.
database = "sqlite:///tallystick.db"

[merchant]
name = {name}
address = {address}
tax_id = {tax_id}
email = {email}

[[peg]]
token = {token}
currency = "USD"

[convert]
settlement = {token}
currency = "USD"
"""


def run_demo(folder: Path, tell: Tell) -> dict[str, Any]:
    """Plays the year, writes books, invoices, exports and `summary.json` into `folder`, and gives the summary.

    What an earlier demo left there is replaced; a folder with anything else in it is refused by InputError. Raises
    AnvilError where there is no Anvil. Leaves no process behind, whatever happens.
    """
    started = time.monotonic()
    prepare_folder(folder)
    with start_anvil("--timestamp", str(FIRST_DAY)) as anvil:
        tell(f"a chain of its own: Anvil on {anvil.url}, the clock at 2025-01-31")
        stage = Stage(anvil, folder)
        tell(f"the contracts, deployed: Subscriptions at {stage.contract_address}")
        counts = Year(stage, tell).play()
        books = open_books(stage.config)
        pdfs = typeset_all(Presenter(books, stage.config).documents(), folder / "invoices", PdfRenderer())
        tell(f"{pdfs} invoices and credit notes as PDF")
        for source in books.sources:
            name = "ledger" if source == books.source else journal_name(source)
            for form in TEXT_FORMATS:
                export_journal_file(books.engine, [source], form, folder / f"{name}.{form}")
        audits = _audit(stage, folder, tell)
        stage.mirror.engine.dispose()
    write_config(folder, stage)
    summary = summarize(counts, audits, books, pdfs) | {"seconds": round(time.monotonic() - started, 1)}
    books.engine.dispose()
    (folder / "summary.json").write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    return summary


def _audit(stage: Stage, folder: Path, tell: Tell) -> Audits:
    """The audit, and what proves the books where the chain is gone: a pack, and the hashes of its blocks."""
    mirror, config, rpc = stage.mirror, stage.config, RecordingRpc(stage.config.rpc_url)
    rates = RateSources(config.rate, config.peg)
    audits = audit_all(mirror.engine, rpc, mirror, node=stage.node, rates=rates)
    statement_writer(folder / REPORT)(state_audit(audits))
    if audits.ok:
        pack = write_pack(mirror, rpc, audits, folder / PACK)
        trusted = trusted_hashes(config.rpc_url, sorted(block_hashes(pack.path)))
        lines = (f"{number} 0x{found.hex()}" for number, found in trusted.items())
        (folder / TRUSTED).write_text("\n".join(lines) + "\n", encoding="utf-8")
        tell(f"the audit passes; a pack proves {pack.events} events to whoever has the hashes of {pack.blocks} blocks")
    else:
        tell(f"the audit finds {audits.difference_count} differences")
    return audits


def prepare_folder(folder: Path) -> None:
    """An empty folder with the demo's mark in it."""
    if folder.is_dir() and any(folder.iterdir()):
        if not (folder / MARK).exists():
            raise InputError(f"{folder} has files of somebody else's in it: name a new or empty folder with --out")
        shutil.rmtree(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / MARK).touch()
    except OSError as error:
        raise InputError(f"{folder} cannot be written ({error.strerror}): name another folder with --out") from error


def write_config(folder: Path, stage: Stage) -> None:
    """A configuration with which the commands read the demo's books."""
    values = {
        "name": MERCHANT.name,
        "address": list(MERCHANT.address),
        "tax_id": MERCHANT.tax_id,
        "email": MERCHANT.email,
        "token": stage.token,
    }
    text = CONFIG.format(**{key: json.dumps(value) for key, value in values.items()})
    (folder / "tallystick.toml").write_text(text, encoding="utf-8")
