"""Where the gas of a charge goes: alone and in a batch of a hundred, by what it is spent on.

    toolchain/run python -m benchmarks.charge_parts        prints a table, writes results/charge-parts.json

From the trace of the transactions that `benchmarks.gas` measures, on OpenZeppelin's token with an unlimited allowance.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.gas import HERE, ROWS, sell
from benchmarks.scene import GAS_LIMIT, MONTH_AND_MORE_S, Scene, calldata, start
from benchmarks.standards import OZ_INFINITE

RESULTS = HERE / "results" / "charge-parts.json"
CALLS = {"CALL", "STATICCALL", "DELEGATECALL"}
TRANSACTION, TOKEN, REST = "the transaction: 21,000 and calldata", "the token: its code and storage", "everything else"
PARTS = {
    "SSTORE": "storage written",
    "SLOAD": "storage read",
    "LOG2": "events",
    "LOG3": "events",
    "LOG4": "events",
    "EXTCODECOPY": "the plan, read from its code",
    "TLOAD": "reentrancy guard",
    "TSTORE": "reentrancy guard",
    "CALL": "reaching the token, and the frame of a run",
    "STATICCALL": "reaching the token, and the frame of a run",
}
ORDER = [TRANSACTION, TOKEN, *dict.fromkeys(PARTS.values()), REST]


def spent(steps: Sequence[dict[str, Any]], used: int) -> Counter[str]:
    """Gas by part, of a trace and the gas that the whole transaction used. The token's frames are those called from the
    contract's with something else than its own code; the contract calls itself and its token only."""
    parts: Counter[str] = Counter()
    own_depths = _own_depths(steps)
    for place, step in enumerate(steps[:-1]):
        depth, following = step["depth"], steps[place + 1]
        if step["op"] in CALLS and following["depth"] > depth:
            after = next(later for later in steps[place + 1 :] if later["depth"] <= depth)
            inner = following["gas"] - _left(steps, place + 1)
            cost = step["gas"] - after["gas"] - inner
        else:
            cost = step["gasCost"]
        parts[TOKEN if depth not in own_depths else PARTS.get(step["op"], REST)] += cost
    parts[TRANSACTION] = used - sum(parts.values())
    return parts


def _own_depths(steps: Sequence[dict[str, Any]]) -> set[int]:
    """Depths of the contract's frames: of a batch, the call and the run in it."""
    return {1, 2} if any(step["depth"] == 3 for step in steps) else {1}


def _left(steps: Sequence[dict[str, Any]], begin: int) -> int:
    """The gas that a frame gave back, whose first step is at `begin`."""
    depth = steps[begin]["depth"]
    end = next(place for place in range(begin, len(steps)) if steps[place]["depth"] < depth)
    last = steps[end - 1]
    return int(last["gas"]) - int(last["gasCost"])


def measure() -> dict[str, dict[str, int]]:
    """Gas per row of a part, for a charge alone and one of a hundred."""
    found = {}
    with start("--steps-tracing") as anvil:
        scene = Scene(anvil)
        sell(scene, OZ_INFINITE)
        first = scene.newest - ROWS + 1
        for n in (ROWS, 1):
            anvil.advance(MONTH_AND_MORE_S)
            data = calldata("charge(uint256[])", list(range(first, first + n)))
            sent = anvil.rpc(
                "eth_sendTransaction",
                {
                    "from": scene.operator,
                    "to": scene.subscriptions,
                    "data": "0x" + data.hex(),
                    "gas": hex(GAS_LIMIT),
                    "gasPrice": "0x0",
                },
            )
            used = int(anvil.receipt(sent)["gasUsed"], 16)
            options = {"disableStorage": True, "disableMemory": True, "disableStack": True}
            steps = anvil.rpc("debug_traceTransaction", sent, options)["structLogs"]
            parts = spent(steps, used)
            found[str(n)] = {part: parts[part] // n for part in ORDER} | {"all": used // n}
    return dict(reversed(found.items()))


def main() -> None:
    found = measure()
    table = Table("part", *(f"{n} rows" for n in found), title="gas of a charge, per row")
    for part in [*ORDER, "all"]:
        table.add_row(part, *(f"{of[part]:,}" for of in found.values()))
    Console(width=100).print(table)
    RESULTS.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
