"""The judge of coverage: what it counts, what it cannot, and when it is not enough."""

from __future__ import annotations

from toolchain.solidity_coverage import File, assembly_lines, read, table, without_assembly

REPORT = """TN:
SF:contracts/Subscriptions.sol
DA:1,3
DA:2,0
DA:5,0
BRDA:1,0,0,2
BRDA:1,0,1,-
end_of_record
SF:contracts/mocks/MockToken.sol
DA:1,0
end_of_record
SF:tests/solidity/Scene.sol
DA:1,0
end_of_record
"""
SOURCE = """function f() {
    g();
    assembly ("memory-safe") { // { is no brace here
        if x {
            y()
        }
    }
    h();
}
"""


def test_reads_the_contracts_alone() -> None:
    (file,) = read(REPORT.splitlines())
    assert file == File("contracts/Subscriptions.sol", {1: 3, 2: 0, 5: 0}, {(1, "0.0"): 2, (1, "0.1"): 0})
    assert file.missed == ["1?", "2", "5"]


def test_assembly_is_left_out_and_counted() -> None:
    assert assembly_lines(SOURCE) == {3, 4, 5, 6, 7}
    (file,) = read(REPORT.splitlines())
    visible, hidden = without_assembly(file, SOURCE)
    assert (visible.lines, hidden) == ({1: 3, 2: 0}, 1)


def test_98_of_100_lines_or_branches_are_not_enough() -> None:
    def file(lines: int, branches: int) -> File:
        return File(
            "contracts/A.sol",
            {line: int(line < lines) for line in range(100)},
            {(line, "0.0"): int(line < branches) for line in range(100)},
        )

    assert [table([file(*run)])[1] for run in [(99, 99), (98, 99), (99, 98)]] == [True, False, False]
    text, _ = table([file(98, 99)])
    assert "98/100 98.0 %" in text
    assert text.splitlines()[1].endswith("98 99 99?")
