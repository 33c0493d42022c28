"""What Slither finds in the contracts, as JSON on standard output. `check_slither.py` runs it in Slither's environment.

    python toolchain/slither_findings.py COMPILER

The contracts are compiled through the intermediate representation, because without it the compiler runs out of stack.
Mocks are left out, and so is what OpenZeppelin answers for.
"""

from __future__ import annotations

import inspect
import json
import logging
import sys
from pathlib import Path
from typing import Any

from crytic_compile import CryticCompile
from crytic_compile.platform.solc_standard_json import SolcStandardJson
from slither import Slither
from slither.detectors import all_detectors
from slither.detectors.abstract_detector import AbstractDetector

ROOT = Path(__file__).resolve().parent.parent
SOURCES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "contracts").glob("*.sol"))
OUTPUTS = ["abi", "metadata", "devdoc", "userdoc", "evm.bytecode", "evm.deployedBytecode"]
INPUT = {
    "language": "Solidity",
    "sources": {name: {"urls": [name]} for name in SOURCES},
    "settings": {
        "remappings": ["@openzeppelin/contracts/=node_modules/@openzeppelin/contracts/"],
        "evmVersion": "cancun",
        "viaIR": True,
        "optimizer": {"enabled": True, "runs": 1_000_000},  # as they are shipped; with fewer, the stack does not do
        "outputSelection": {"*": {"*": OUTPUTS, "": ["ast"]}},
    },
}


def qualified(element: dict[str, Any]) -> str:
    """`Contract.function.variable`."""
    parent = element.get("type_specific_fields", {}).get("parent")
    above = f"{qualified(parent)}." if parent else ""
    return above + str(element["name"])


def place(finding: dict[str, Any]) -> str:
    """What a finding is about: a variable, or a function and the statement in it. Not its line, which moves."""
    first, *others = finding["elements"]
    statements = [part["name"] for part in others if part["type"] == "node"]
    return ": ".join([qualified(first), *statements[-1:]])


def main() -> None:
    logging.getLogger("CryticCompile").setLevel(logging.ERROR)  # warnings of the compiler are not Slither's findings
    build = CryticCompile(SolcStandardJson(INPUT), solc=sys.argv[1])
    slither = Slither(build, filter_paths=["node_modules"])
    for _, detector in inspect.getmembers(all_detectors, inspect.isclass):
        if issubclass(detector, AbstractDetector) and detector is not AbstractDetector:
            slither.register_detector(detector)
    found = [finding for findings in slither.run_detectors() for finding in findings]
    rows = [
        {"impact": one["impact"], "detector": one["check"], "place": place(one), "text": one["description"]}
        for one in found
    ]
    # What the parts of the contract share is found once in each of them.
    json.dump(list({(row["detector"], row["place"], row["impact"]): row for row in rows}.values()), sys.stdout)


if __name__ == "__main__":
    main()
