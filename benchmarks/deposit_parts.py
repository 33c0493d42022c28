"""Where the gas of a sweep goes: alone and in a batch of twenty deposit addresses, by what it is spent on.

    toolchain/run python -m benchmarks.deposit_parts       prints a table, writes results/deposit-parts.json

From the trace of the transactions that `benchmarks.gas` measures, on OpenZeppelin's token.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.gas import HERE
from benchmarks.gas_checkout import FEW, Sales
from benchmarks.scene import Scene, start
from benchmarks.standards import OZ_INFINITE

RESULTS = HERE / "results" / "deposit-parts.json"
TRANSACTION, TOKEN, REST = "the transaction: 21,000 and calldata", "the token: its code and storage", "everything else"
GIVEN_BACK = "given back, for a balance that is zero now"
ENTERS = {"CALL": "reaching each other", "STATICCALL": "reaching each other", "CREATE2": "creating a contract there"}
PARTS = {
    **ENTERS,
    "SELFDESTRUCT": "the end of it",
    "LOG4": "the event",
    "TLOAD": "guard, and what is to be moved",
    "TSTORE": "guard, and what is to be moved",
}
ORDER = [TRANSACTION, "creating a contract there", "the end of it", TOKEN, GIVEN_BACK]
ORDER += [part for part in dict.fromkeys(PARTS.values()) if part not in ORDER] + [REST]


def spent(steps: Sequence[dict[str, Any]], token: str) -> Counter[str]:
    """Gas by part, of a trace with its stack. What a frame costs is its own: of a call without what is called."""
    parts: Counter[str] = Counter()
    in_token = {1: False}
    for place, step in enumerate(steps[:-1]):
        depth, following = step["depth"], steps[place + 1]
        if step["op"] in ENTERS and following["depth"] > depth:
            after = next(later for later in steps[place + 1 :] if later["depth"] <= depth)
            inner = following["gas"] - _left(steps, place + 1)
            cost = step["gas"] - after["gas"] - inner
            in_token[depth + 1] = step["op"] != "CREATE2" and int(step["stack"][-2], 16) == int(token, 16)
        else:
            cost = step["gasCost"]
        parts[TOKEN if in_token[depth] else PARTS.get(step["op"], REST)] += cost
    return parts


def _left(steps: Sequence[dict[str, Any]], begin: int) -> int:
    """The gas that a frame gave back, whose first step is at `begin`."""
    depth = steps[begin]["depth"]
    end = next(place for place in range(begin, len(steps)) if steps[place]["depth"] < depth)
    last = steps[end - 1]
    return int(last["gas"]) - int(last["gasCost"])


def intrinsic(data: bytes) -> int:
    """What a transaction costs before anything runs: 21,000, 4 for a byte that is zero, 16 for any other."""
    return 21_000 + sum(16 if byte else 4 for byte in data)


def measure() -> dict[str, dict[str, int]]:
    """Gas per address of a part, for a sweep alone and one of twenty."""
    found = {}
    with start("--steps-tracing") as anvil:
        sales = Sales(Scene(anvil), OZ_INFINITE)
        sales.sweep(0, 1)
        for first, count in ((1, 1), (2, FEW)):
            sales.sweep(first, count)
            sent = anvil.rpc("eth_getBlockByNumber", "latest", True)["transactions"][0]
            used = int(anvil.receipt(sent["hash"])["gasUsed"], 16)
            options = {"disableStorage": True, "disableMemory": True}
            steps = anvil.rpc("debug_traceTransaction", sent["hash"], options)["structLogs"]
            parts = spent(steps, sales.token)
            parts[TRANSACTION] = intrinsic(bytes.fromhex(sent["input"][2:]))
            parts[GIVEN_BACK] = used - sum(parts.values())
            found[str(count)] = {part: round(parts[part] / count) for part in ORDER} | {"all": used // count}
    return found


def main() -> None:
    found = measure()
    table = Table("part", *(f"{count} addresses" for count in found), title="gas of a sweep, per address")
    for part in [*ORDER, "all"]:
        table.add_row(part, *(f"{of[part]:,}" for of in found.values()))
    Console(width=100).print(table)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
