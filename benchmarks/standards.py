"""What gas is measured against: what an operation should cost, what others cost, what it cost before.

A rise of more than 1 % above the snapshot is explained by a row in docs/gas.md, or it fails.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

PAGE = Path(__file__).parent.parent / "docs" / "gas.md"
EXPLAINED = "| operation, token, rows | gas | why |"
OZ_INFINITE, OZ_FINITE, USDC = "OZ infinite", "OZ finite", "MockUSDC"

BOUNDS = {
    ("charge", OZ_INFINITE, 100): 20_750,
    ("charge", OZ_FINITE, 100): 24_400,
    ("charge", OZ_INFINITE, 10): 24_500,
    ("charge", OZ_INFINITE, 1): 60_000,
    ("charge, not due", OZ_INFINITE, 100): 5_500,
    ("subscribe with first charge", OZ_INFINITE, 1): 80_000,
    ("submit mandate with permit", OZ_INFINITE, 1): 165_000,
    ("change plan, up", OZ_INFINITE, 1): 85_000,
    ("cancel", OZ_INFINITE, 1): 32_000,
    ("authorize, Permit2", OZ_INFINITE, 1): 110_178,
    ("authorize, Permit2", USDC, 1): 125_832,
    ("capture", OZ_INFINITE, 1): 52_538,
    ("capture", USDC, 1): 62_062,
    ("void", OZ_INFINITE, 1): 50_130,
    ("void", USDC, 1): 59_580,
    ("refund of a payment", OZ_INFINITE, 1): 65_430,
    ("refund of a payment", USDC, 1): 82_980,
    ("charge in one, Permit2", OZ_INFINITE, 1): 122_014,
    ("charge in one, Permit2", USDC, 1): 139_542,
    ("charge in one, ERC-3009", USDC, 1): 143_818,
    ("sweep", OZ_INFINITE, 1): 80_000,
    ("sweep", OZ_INFINITE, 20): 48_000,
    ("open a channel, ERC-3009", USDC, 1): 110_000,
    ("claim vouchers", OZ_INFINITE, 100): 15_000,
}
"""The most that an operation may cost. Of payments in escrow: a tenth below commerce-payments."""

TOLERANCE = 0.01
"""Of a rise, which is what a compiler's other order of functions makes."""

# Others, as measured on 2026-11-21 in the same conditions: on OpenZeppelin's token with an unlimited allowance, and on
# real USDC v2.2, which runs behind a proxy (a transfer alone costs 4,400 more than with MockUSDC).
# In batches theirs is what one more charge costs; ours is the whole receipt divided by the rows.
# "prefunded": the payer's money is locked up in a contract beforehand.
PEERS: dict[tuple[str, int], dict[str, tuple[int, int]]] = {
    ("charge", 1): {
        "spend-permissions, later period": (76_921, 89_632),
        "Request recurring proxy": (109_445, 125_035),
        "Unlock renewMembershipFor": (119_937, 133_948),
        "commerce-payments, Permit2": (135_572, 155_047),
        "ApePay claim, prefunded": (56_638, 67_220),
        "Sablier Flow withdraw, prefunded": (90_473, 101_055),
    },
    ("charge", 100): {
        "Unlock renewMembershipFor": (48_976, 54_487),
        "spend-permissions, later period": (52_964, 54_972),
        "Request recurring proxy": (75_859, 83_059),
        "commerce-payments, Permit2": (96_198, 105_169),
        "ApePay claim, prefunded": (22_517, 24_599),
        "Sablier Flow withdraw, prefunded": (41_000, 43_082),
    },
    ("subscribe with first charge", 1): {
        "ApePay create, prefunded": (236_516, 250_527),
        "Sablier Flow create, prefunded": (162_571, 179_360),
        "Superfluid createFlow": (303_943, 303_955),
    },
    ("submit mandate with permit", 1): {"commerce-payments charge, Permit2 approved before": (135_572, 155_047)},
    ("refund", 1): {"commerce-payments": (72_700, 92_200)},
    ("authorize, Permit2", 1): {"commerce-payments": (122_421, 139_814)},
    ("capture", 1): {"commerce-payments": (58_376, 68_958), "refund-protocol withdraw": (87_605, 98_187)},
    ("void", 1): {"commerce-payments": (55_700, 66_200)},
    ("refund of a payment", 1): {"commerce-payments": (72_700, 92_200)},
    ("charge in one, Permit2", 1): {"commerce-payments": (135_572, 155_047)},
    ("charge in one, ERC-3009", 1): {"commerce-payments": (159_798, 159_798)},
    ("pay a quote, Permit2", 1): {"commerce-payments charge": (135_572, 155_047)},
    ("pay a quote, ERC-3009", 1): {"commerce-payments charge": (159_798, 159_798)},
}


@dataclass(frozen=True, slots=True)
class Measurement:
    """One line of the table. `limit` is the least that this could cost, `best_peer` the cheapest of the others, where
    there are any; gas, per row of a batch of `n`."""

    op: str
    token: str
    n: int
    gas_per_row: int
    limit: int | None
    best_peer: int | None
    peer: str | None

    @property
    def key(self) -> str:
        """Its name in the snapshot."""
        return f"{self.op}, {self.token}, {self.n}"


def cells(line: Measurement) -> list[str]:
    """A line of the table."""
    bound = BOUNDS.get((line.op, line.token, line.n))
    return [
        line.op,
        line.token,
        str(line.n),
        f"{line.gas_per_row:,}",
        f"{bound:,}" if bound else "",
        f"{line.limit:,}" if line.limit else "",
        f"{line.gas_per_row / line.limit:.2f}" if line.limit else "",
        f"{line.best_peer:,}" if line.best_peer else "",
        f"{line.gas_per_row / line.best_peer:.2f}" if line.best_peer else "",
        line.peer or "",
    ]


def excesses(measurements: Sequence[Measurement]) -> dict[str, str]:
    """What costs more than it should: key to what is said of it."""
    return {
        line.key: f"{line.key}: {line.gas_per_row:,} gas per row, it should be {bound:,}"
        for line in measurements
        if (bound := BOUNDS.get((line.op, line.token, line.n))) and line.gas_per_row > bound
    }


def explained_rises(page: str) -> dict[str, int]:
    """Key and gas of each rise that docs/gas.md explains."""
    return {key.strip(): int(gas.replace(",", "")) for key, gas, _ in _rows(page, EXPLAINED)}


def _rows(page: str, heading: str) -> list[list[str]]:
    _, _, table = page.partition(heading)
    rows = takewhile(lambda line: line.startswith("|"), table.strip().splitlines()[1:])
    return [row.strip("|").split("|") for row in rows]


def rises(measurements: Sequence[Measurement], snapshot: dict[str, int], explained: dict[str, int]) -> list[str]:
    """What costs more than in the snapshot, and more than was explained. A new operation has nothing to rise from."""
    found = []
    for line in measurements:
        before = max(snapshot.get(line.key, line.gas_per_row), explained.get(line.key, 0))
        if line.gas_per_row > before * (1 + TOLERANCE):
            found.append(
                f"{line.key}: {line.gas_per_row:,} gas, {before:,} before: make it cheaper, or say why in docs/gas.md"
            )
    return found
