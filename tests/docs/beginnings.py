"""What a document's reader has before its first block: each begins in an empty folder, beside a fresh chain."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eth_account import Account

from tallystick.chain.rpc import Rpc
from tallystick.core.money import parse_units
from tallystick.flows.channel_books import CHANNELS
from tallystick.flows.checkout_books import CHECKOUT
from tallystick.flows.deploy import write_manifest
from tallystick.flows.ingest import Target, ingest
from tallystick.flows.kind import SourceKind
from tallystick.flows.payment_books import ESCROW
from tallystick.storage.database import open_database
from tallystick.testing import Anvil
from tests.business import UNLIMITED, Business
from tests.docs.blocks import ROOT

FIRST_DAY = 1_769_846_400  # 2026-01-31 08:00 UTC
MONTHS = (1_772_265_600, 1_774_944_000)  # the same hour on the last of February and of March
CONFIG = """\
rpc_url = {url}

[merchant]
name = "Northwind Analytics Ltd"
address = ["12 Harbour Row", "Bristol BS1 4RB"]
email = "billing@northwind.example"

[[peg]]
token = {token}
currency = "USD"
"""


def clone(anvil: Anvil, folder: Path) -> None:
    """The project's folder after `git clone` and the set-up."""
    del anvil
    for name in (".venv", "node_modules", "toolchain"):
        (folder / name).symlink_to(ROOT / name)


def nothing(anvil: Anvil, folder: Path) -> None:
    """A chain without the contracts."""
    del anvil, folder


def deployer(anvil: Anvil, folder: Path) -> None:
    """A chain without the contracts; Ape has an account with the alias ALIAS, which nobody needs to unlock."""
    del anvil
    keyfile = folder / ".ape" / "accounts" / "ALIAS.json"
    keyfile.parent.mkdir(parents=True)
    keyfile.write_text(json.dumps(Account.encrypt(Account.create().key, "", iterations=1)))


def sold(anvil: Anvil, folder: Path) -> None:
    """Books of a merchant: three payers, a plan of 9.99 a month, three months, a decline, a refund, a cancellation."""
    business = Business(anvil)
    plan = business.create_plan()
    payers = [business.payer(name) for name in ("anna", "ben", "carla")]
    subscriptions = [business.subscribe(payer, plan) for payer in payers]
    anvil.set_time(MONTHS[0] + 60)
    business.charge(*subscriptions)
    business.token_call(payers[1], "transfer", business.operator, 10**12 - parse_units("19.98", 6))
    business.call(payers[2], "cancel", subscriptions[2])
    anvil.set_time(MONTHS[1] + 60)
    business.charge(*subscriptions)
    business.approve(business.payee, UNLIMITED)
    business.call(business.payee, "refund", subscriptions[0], 2, parse_units("5", 6))
    anvil.finalize()
    write_manifest(folder / "deployments" / "31337.json", business.manifest)
    config = CONFIG.format(url=json.dumps(anvil.url), token=json.dumps(business.token))
    (folder / "tallystick.toml").write_text(config)
    target = Target(anvil.chain_id, business.subscriptions, business.contract.start_block, pegs={business.token: "USD"})
    engine = open_database(f"sqlite:///{folder}/tallystick.db")
    ingest(engine, Rpc(anvil.url), target)
    kinds: tuple[SourceKind[Any, Any], ...] = (ESCROW, CHECKOUT, CHANNELS)
    for kind in kinds:
        contract = business.manifest.contract(kind.name)
        other = Target(anvil.chain_id, contract.address, contract.start_block, pegs=target.pegs, kind=kind)
        ingest(engine, Rpc(anvil.url), other)
    engine.dispose()


BEGINNINGS: dict[str, Callable[[Anvil, Path], None]] = {
    "README.md": clone,
    "docs/audit.md": sold,
    "docs/conversion.md": clone,
    "docs/invoices.md": sold,
    "docs/ledger.md": sold,
    "docs/operating.md": deployer,
    "docs/reconciling.md": sold,
}
"""Every other document begins with nothing."""

OPERATIONS = ROOT / "docs" / "operations"
CONVERSION = OPERATIONS / "conversion"
SWAP = OPERATIONS / "checkout" / "swap"
PLAN = OPERATIONS / "channels" / "plan"
OPERATIONS_OF = {
    "Subscriptions": OPERATIONS,
    "Escrow": OPERATIONS / "escrow",
    "CourtArbiter": OPERATIONS / "escrow" / "court",
    "Checkout": OPERATIONS / "checkout",
    "SwapCollector": SWAP,
    "Channels": OPERATIONS / "channels",
    "ChannelPlan": PLAN,
    "UniswapSwapper": CONVERSION,
}
"""The folder with the pages of each contract's verbs. Its README is read before each of the others."""
QUOTE = CONVERSION / "quote.md"
"""Of a contract that only reads."""
BEHIND = {SWAP: CONVERSION, PLAN: OPERATIONS / "channels"}
"""Folders whose set-up goes on where another's ends."""
BEGINNINGS |= {str(page.relative_to(ROOT)): clone for folder in (CONVERSION, SWAP) for page in folder.glob("*.md")}


def read_before(document: Path) -> list[Path]:
    """The pages that its reader has gone through."""
    folder = document.parent
    if folder not in OPERATIONS_OF.values():
        return []
    set_ups = [BEHIND[folder], folder] if folder in BEHIND else [folder]
    return [page for page in (set_up / "README.md" for set_up in set_ups) if page != document]
