"""Fails when a file of `src/tallystick/core/` holds a float, a true division, the clock or randomness.

    toolchain/run python toolchain/check_core.py

The imports that core/ may not make are import-linter's to check; this reads what imports do not show.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CORE = ROOT / "src" / "tallystick" / "core"
CLOCKS = {"now", "today", "utcnow"}


def impurities(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Line and description of all that is neither pure nor exact."""
    for node in ast.walk(tree):
        match node:
            case ast.Constant(value=float() | complex()):
                yield node.lineno, f"the float {node.value!r}"
            case ast.Name(id="float"):
                yield node.lineno, "float"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield node.lineno, "a division that gives a float: use `//` and name the rounding"
            case ast.Call(func=ast.Attribute(attr=name)) if name in CLOCKS:
                yield node.lineno, f"the clock (`{name}()`): take the time as an argument"
            case ast.Call(func=ast.Name(id="open" | "input" | "print" as name)):
                yield node.lineno, f"input or output (`{name}()`)"


def main() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}: {what}"
        for path in sorted(CORE.rglob("*.py"))
        for line, what in impurities(ast.parse(path.read_text(), str(path)))
    ]
    if found:
        sys.exit("\n".join([*found, f"core/ must stay pure and exact; {len(found)} found."]))


if __name__ == "__main__":
    main()
