"""Audits to state: what they find is made up, and what they are is what `audit_all` and `check_pack` give."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tallystick.core.ledger import Posting
from tallystick.core.money import Token
from tallystick.core.pegs import DeclaredPeg
from tallystick.flows.audit import AuditReport
from tallystick.flows.audit_all import Audits
from tallystick.flows.audit_channels import ChannelsReport
from tallystick.flows.audit_checkout import CheckoutReport
from tallystick.flows.audit_conversions import ConversionsReport
from tallystick.flows.audit_payments import Holding, PaymentsReport
from tallystick.flows.check_pack import PackReport
from tallystick.flows.pack import About, PackedSource
from tallystick.flows.state_audit import state_audit, state_pack
from tallystick.render.statement import AuditStatement
from tallystick.storage.pack_file import Member

CHAIN, FIRST, LAST = 8453, 38_000_117, 38_214_907
HASH, TIME = bytes.fromhex("2b7ad1f04c9e6358017fd2ac4be95d130867fae2c1b94d5730e8a6f2d4c1b957"), 1_795_292_525
USDC = Token(CHAIN, "0x833589fCD6eDb6E08f4c7C32D4f71b54bdA02913", "USDC", 6)
DAI = Token(CHAIN, "0x50c5725949A6F0c72E6C4a641F24049A917DB0Cb", "DAI", 18)
PAYEE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
NAMES = ("Subscriptions", "Escrow", "Checkout", "Channels", "UniswapSwapper", "x402's channels")
CONTRACTS = {name: f"0x{number}FbDB2315678afecb367f032d93F642f64180aa3" for number, name in enumerate(NAMES)}
PEGS = [DeclaredPeg(USDC.address, FIRST, "USD"), DeclaredPeg(USDC.address, FIRST + 9_000, None)]


def begin(name: str, last: int = LAST) -> tuple[int, str, int, int, bytes, int]:
    """What every report begins with."""
    return CHAIN, CONTRACTS[name], FIRST, last, HASH, TIME


def audits(**subscriptions: Any) -> Audits:
    """An audit that finds nothing wrong, with something of every contract; `subscriptions` changes its first report."""
    counts: dict[str, Any] = {
        "events": 1_616,
        "entries": 808,
        "invoices": 812,
        "credit_notes": 2,
        "pending_blocks": 64,
        "charges_on_chain": 810,
        "charges_in_ledger": 810,
        "refunds_on_chain": 2,
        "refunds_in_ledger": 2,
    }
    return Audits(
        AuditReport(*begin("Subscriptions"), **(counts | {"tokens": [USDC, DAI], "pegs": PEGS} | subscriptions)),
        PaymentsReport(
            *begin("Escrow"),
            events=31,
            entries=29,
            invoices=12,
            tokens=[USDC, DAI],
            pegs=PEGS,
            payments_on_chain=9,
            payments_in_ledger=9,
            holdings=[Holding(USDC.address, 125_500_000, 125_500_000), Holding(DAI.address, 7, None)],
        ),
        CheckoutReport(
            *begin("Checkout"),
            events=7,
            entries=6,
            invoices=5,
            credit_notes=1,
            tokens=[USDC],
            pegs=PEGS,
            quotes_on_chain=3,
            quotes_in_ledger=3,
            expected=4,
            standing=4,
        ),
        ChannelsReport(
            *begin("Channels"),
            events=11,
            entries=5,
            channels=2,
            claims=4,
            settlements=1,
            tokens=[USDC],
            holdings=[Holding(USDC.address, 3 * 10**6, 2 * 10**6)],
        ),
        ConversionsReport(
            *begin("UniswapSwapper"), events=1, entries=1, tokens=[USDC], conversions=1, rates=13, rates_unchecked=5
        ),
        ChannelsReport(*begin("x402's channels", LAST - 40)),
    )


def differing(notes: Iterable[tuple[str, object, object]], **more: Any) -> AuditStatement:
    """The same with differences in the books of subscriptions."""
    found = audits(**more)
    for note in notes:
        found.subscriptions.note(*note)
    return state_audit(found)


def pack_report(found: Audits, compared: int, told: int = 6, unsigned: int = 20) -> PackReport:
    """A pack whose audit found that."""
    tables = ("events", "entries", "postings", "invoices", "lines", "plans", "subscriptions", "rates")
    names = ("blocks", "states", "answers", *(f"tables/{name}" for name in tables))
    members = [Member(name, 1_000 + 7 * len(name) ** 4, f"{place:x}" * 64) for place, name in enumerate(names, 1)]
    sources = [PackedSource("Subscriptions", CONTRACTS["Subscriptions"], FIRST, LAST, HASH.hex())]
    about = About(1, "0.1.0", CHAIN, sources, "{}")
    blocks = {LAST - place: bytes([place]) * 32 for place in range(120)}
    return PackReport("c4" * 32, 1_234_567, members, about, blocks, compared, 410, unsigned, 33, told, found)


def _postings(units: int) -> tuple[Posting, ...]:
    return (
        Posting(f"Assets:Wallet:{PAYEE}", "D", USDC.address, units),
        Posting(f"Income:Subscriptions:{PAYEE}:Plan-1", "C", USDC.address, units),
    )


THREE: tuple[tuple[str, object, object], ...] = (
    ("journal entry 4, hash", bytes([1]) * 32, bytes([2]) * 32),
    ("journal entry 4, postings", _postings(9_990_001), _postings(9_990_000)),
    (f"control total of {PAYEE} in {USDC.address}, charge sum", 69_930_001, 69_930_000),
)
MANY = [
    (f"journal entry {number}, hash", number.to_bytes(32), None if number % 5 == 0 else bytes([number % 256]) * 32)
    for number in range(1, 1_300)
]
HOSTILE = "#panic() *bold* `raw` \u202e[x] <label> @ref $x$ " + "endless" * 40

SAMPLES: dict[str, AuditStatement] = {
    "match": state_audit(audits()),
    "three": differing(THREE),
    "many": differing(MANY),
    "several_hundred": differing(MANY[:300]),
    "nothing_happened": state_audit(
        Audits(
            AuditReport(*begin("Subscriptions")),
            PaymentsReport(*begin("Escrow")),
            CheckoutReport(*begin("Checkout")),
            ChannelsReport(*begin("Channels")),
        )
    ),
    "hostile": differing(
        [(f"deposit of {PAYEE}, {HOSTILE}, 0x", HOSTILE, "ab" * 40_000), ("something new", None, 1)],
        tokens=[Token(CHAIN, USDC.address, HOSTILE, 6)],
    ),
    "pack": state_pack(pack_report(audits(pending_blocks=0), 120)),
    "pack_unanchored": state_pack(pack_report(audits(pending_blocks=0), 0)),
}
