"""What each operation costs in gas, beside the least it could cost and beside what others cost.

    toolchain/run python -m benchmarks.gas                 measures, prints a table, writes results/gas.json
    toolchain/run python -m benchmarks.gas --snapshot      also makes this run the measure for the tests
    toolchain/run python -m benchmarks.gas --check         fails on an unexplained rise, writes nothing (`make check`)

Whole receipts (21,000 + calldata + execution - refunds) on Anvil under Osaka's rules, blocks 12 s apart: 9.99 of a
token with 6 decimals, addresses like random ones, balances nonzero before and after, a later period. The limits are
measured in the same run with `TransferLoop`. Exits with 1 when an operation costs more than it may, or rose above the
snapshot and docs/gas.md does not say why.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak
from rich.console import Console
from rich.table import Table

from benchmarks.gas_channels import channel_plans, channels
from benchmarks.gas_checkout import checkout
from benchmarks.gas_escrow import escrow
from benchmarks.scene import (
    DAY_S,
    FUNDS_UNITS,
    NOBODY,
    PER_REGISTER,
    PRICE_UNITS,
    UNLIMITED,
    Sale,
    Scene,
    account,
    calldata,
    measured,
    start,
)
from benchmarks.standards import (
    OZ_FINITE,
    OZ_INFINITE,
    PAGE,
    USDC,
    Measurement,
    cells,
    excesses,
    explained_rises,
    rises,
)
from tallystick.core import mandate as mandates
from tallystick.core import permit as permits
from tallystick.core.period import Unit
from tallystick.core.plan import Plan, PlanTerms
from tallystick.testing import Anvil

HERE = Path(__file__).parent
RESULTS = HERE / "results" / "gas.json"
SNAPSHOT = HERE / "gas-snapshot.json"

ROWS = 100
FEW = 10

SUBSCRIBE_WITH_CONDITIONS = (
    "subscribeWithConditions(uint256,bytes32,uint256,(uint96,uint96,uint40,uint40,address,bool),"
    "(uint32,uint16,uint96,uint16,address,uint256,uint256),bytes)"
)


def sell(scene: Scene, kind: str) -> Sale:
    """A plan with a hundred payers, who have paid once."""
    payee = account(f"payee {kind}")
    scene.create_plan(kind, payee)
    scene.newest = scene.registers * PER_REGISTER
    scene.registers += 1
    sale = Sale(kind, scene.tokens[kind], payee, scene.plans, [account(f"{kind} {row}") for row in range(ROWS)])
    scene.fund(kind, sale.payers, scene.subscriptions, scene.loop, scene.operator)
    scene.subscribe(sale.payers, sale.plan_id)
    scene.send_all([(payer, scene.loop, open_limit(sale, row)) for row, payer in enumerate(sale.payers)])
    return sale


def open_limit(sale: Sale, row: int) -> bytes:
    """What opens a row of the limit's contract and pays for the first time."""
    signature = "openAndCollect(address,address,uint256,uint256)"
    return calldata(signature, sale.token, sale.payee, PRICE_UNITS, limit_row(sale, row))


def limit_row(sale: Sale, row: int) -> int:
    """The number under which the limit's contract keeps a payer."""
    return sale.plan_id << 8 | row


def transfer_limits(scene: Scene, sale: Sale) -> list[Measurement]:
    """Money moved from payers to payee, and nothing else."""
    single = calldata("transferFrom(address,address,uint256)", sale.payers[0], sale.payee, PRICE_UNITS)
    loop = calldata("collect(address,address,uint256,address[])", sale.token, sale.payee, PRICE_UNITS, sale.payers)
    return [
        measured("plain transferFrom", sale.kind, 1, scene.send(scene.operator, sale.token, single)),
        measured("tightest loop", sale.kind, ROWS, scene.send(scene.operator, scene.loop, loop) // ROWS),
    ]


def charges(scene: Scene, sale: Sale) -> list[Measurement]:
    """Alone and in batches, each beside transferFrom + a slot + an event; and rows that are not due."""
    found = []
    first_id = scene.newest - ROWS + 1
    for n in (ROWS, FEW, 1):
        scene.next_month()
        gas = scene.charge(range(first_id, first_id + n))
        record = calldata(
            "collectAndRecord(address,address,uint256,uint256[])",
            sale.token,
            sale.payee,
            PRICE_UNITS,
            [limit_row(sale, row) for row in range(n)],
        )
        found.append(measured("charge", sale.kind, n, gas, scene.send(scene.operator, scene.loop, record) // n))
    scene.charge(range(first_id, first_id + ROWS))
    not_due = scene.charge(range(first_id, first_id + ROWS))
    return [*reversed(found), measured("charge, not due", sale.kind, ROWS, not_due)]


def subscribing(scene: Scene, sale: Sale) -> list[Measurement]:
    """A payer who is new to the contract: by a call, and by two signatures that somebody else brings."""
    payer = account(f"{sale.kind} direct")
    scene.fund(sale.kind, [payer], scene.subscriptions, scene.loop)
    (direct,) = scene.subscribe([payer], sale.plan_id)
    limit = scene.send(payer, scene.loop, open_limit(sale, ROWS))
    pause, resume, cancel = (
        scene.send(payer, scene.subscriptions, calldata(f"{verb}(uint256)", scene.newest))
        for verb in ("pause", "resume", "cancel")
    )
    return [
        measured("subscribe with first charge", sale.kind, 1, direct, limit),
        measured("submit mandate with permit", sale.kind, 1, submit_mandate(scene, sale), limit),
        measured("pause", sale.kind, 1, pause),
        measured("resume", sale.kind, 1, resume),
        measured("cancel", sale.kind, 1, cancel),
        measured("refund", sale.kind, 1, refund(scene, sale)),
        measured("create plan", sale.kind, 1, scene.create_plan(sale.kind, sale.payee)),
        *changing(scene, sale),
        *using(scene, sale),
        *conditional(scene, sale),
        *scheduling(scene, sale),
    ]


def changing(scene: Scene, sale: Sale) -> list[Measurement]:
    """A payer who never changed goes to a plan that costs twice as much, and back, in the middle of a period."""
    payer = account(f"{sale.kind} changing")
    scene.fund(sale.kind, [payer], scene.subscriptions)
    scene.create_plan(sale.kind, sale.payee, 2 * PRICE_UNITS)
    scene.subscribe([payer], sale.plan_id)
    found = []
    for name, plan_id in (("up", scene.plans), ("down", sale.plan_id), ("up again", scene.plans)):
        scene.anvil.advance(DAY_S)
        arguments = (scene.newest, plan_id, scene.terms_hash(plan_id), 0, PRICE_UNITS)
        change = calldata("changePlan(uint256,uint256,bytes32,uint256,uint256)", *arguments)
        found.append(measured(f"change plan, {name}", sale.kind, 1, scene.send(payer, scene.subscriptions, change)))
    return found


def using(scene: Scene, sale: Sale) -> list[Measurement]:
    """The payee charges what a payer used, for the first time ever and once more in the same period."""
    payer = account(f"{sale.kind} using")
    scene.fund(sale.kind, [payer], scene.subscriptions)
    scene.create_plan(sale.kind, sale.payee, usage_units=2 * PRICE_UNITS)
    scene.subscribe([payer], scene.plans)
    found = []
    for number, op in enumerate(("charge usage", "charge usage, later"), start=2):
        arguments = (scene.newest, number, PRICE_UNITS, PRICE_UNITS, keccak(text=op))
        charge = calldata("chargeUsage(uint256,uint256,uint256,uint256,bytes32)", *arguments)
        found.append(measured(op, sale.kind, 1, scene.send(sale.payee, scene.subscriptions, charge)))
    return found


def conditional(scene: Scene, sale: Sale) -> list[Measurement]:
    """Payers who limited what a period and all charges may cost, and until when: what their charges cost more."""
    payers = [account(f"{sale.kind} limiting {row}") for row in range(FEW)]
    scene.fund(sale.kind, payers, scene.subscriptions)
    conditions = (2 * PRICE_UNITS, 24 * PRICE_UNITS, 0, 2_000_000_000, NOBODY, False)
    no_coupon = (0, 0, 0, 0, NOBODY, 0, 0)
    arguments = (sale.plan_id, scene.terms_hash(sale.plan_id), 0, conditions, no_coupon, b"")
    subscribe = calldata(SUBSCRIBE_WITH_CONDITIONS, *arguments)
    opened = scene.send_all([(payer, scene.subscriptions, subscribe) for payer in payers])
    scene.newest += FEW
    found = []
    for n in (FEW, 1):
        scene.next_month()
        gas = scene.charge(range(scene.newest - n + 1, scene.newest + 1))
        found.append(measured("charge with conditions", sale.kind, n, gas))
    return [measured("subscribe with conditions", sale.kind, 1, opened[-1]), *reversed(found)]


def scheduling(scene: Scene, sale: Sale) -> list[Measurement]:
    """A payer goes to a plan that costs twice as much when the period ends."""
    payer = account(f"{sale.kind} scheduling")
    scene.fund(sale.kind, [payer], scene.subscriptions)
    scene.create_plan(sale.kind, sale.payee, 2 * PRICE_UNITS)
    scene.subscribe([payer], sale.plan_id)
    arguments = (scene.newest, scene.plans, scene.terms_hash(scene.plans), 0)
    schedule = calldata("scheduleChange(uint256,uint256,bytes32,uint256)", *arguments)
    scheduled = scene.send(payer, scene.subscriptions, schedule)
    scene.next_month()
    charged = scene.charge([scene.newest])
    return [
        measured("schedule change", sale.kind, 1, scheduled),
        measured("charge, change scheduled", sale.kind, 1, charged),
    ]


def submit_mandate(scene: Scene, sale: Sale) -> int:
    """The payer signs twice and sends nothing; the gas that the relayer used."""
    key = keccak(text=f"{sale.kind} signing")
    payer = Account.from_key(key).address
    scene.fund(sale.kind, [payer])
    terms = PlanTerms(sale.payee, PRICE_UNITS, sale.token, 1, Unit.MONTH)
    plan = Plan(sale.plan_id, (scene.newest - 1) // PER_REGISTER, terms)
    mandate = mandates.Mandate(payer, sale.plan_id, int.from_bytes(keccak(text="salt"), "big"), 2_000_000_000)
    asked = mandates.typed_data(mandate, plan, chain_id=scene.anvil.chain_id, contract=scene.subscriptions)
    consent = Account.sign_typed_data(key, full_message=asked).signature
    name, version = ("USD Coin", "2") if sale.kind == USDC else ("Mock Dollar", "1")
    permit = permits.Permit(payer, scene.subscriptions, UNLIMITED, 0, 2_000_000_000)
    token = permits.TokenDomain(name, version, scene.anvil.chain_id, to_checksum_address(sale.token))
    allowing = Account.sign_typed_data(key, full_message=permits.typed_data(permit, token)).signature
    signed = permits.signed_permit(permit, bytes(allowing))
    scene.newest += 1
    submit = calldata(
        "submitMandateWithPermit((address,uint256,uint256,uint256,uint256),bytes,(uint256,uint256,uint8,bytes32,bytes32))",
        (mandate.payer, mandate.plan_id, mandate.seats, mandate.salt, mandate.valid_before),
        bytes(consent),
        (signed.value_units, signed.deadline, signed.v, signed.r, signed.s),
    )
    return scene.send(scene.operator, scene.subscriptions, submit)


def refund(scene: Scene, sale: Sale) -> int:
    """The whole of one charge, after the payee has refunded another; the gas it used."""
    approve = calldata("approve(address,uint256)", scene.subscriptions, FUNDS_UNITS)
    scene.send(sale.payee, sale.token, approve)
    give_back = [
        calldata("refund(uint256,uint256,uint256)", subscription_id, 1, PRICE_UNITS)
        for subscription_id in (scene.newest - 1, scene.newest)
    ]
    return [scene.send(sale.payee, scene.subscriptions, data) for data in give_back][1]


def measure(anvil: Anvil) -> list[Measurement]:
    """Everything, on a chain that `start` started."""
    scene = Scene(anvil)
    found = []
    for kind in (OZ_INFINITE, OZ_FINITE, USDC):
        sale = sell(scene, kind)
        found += [*transfer_limits(scene, sale), *charges(scene, sale), *subscribing(scene, sale)]
    sections = (escrow, checkout, channels, channel_plans)
    parts = [section(scene, kind) for section in sections for kind in (OZ_INFINITE, USDC)]
    return found + [line for part in parts for line in part]


def show(measurements: Sequence[Measurement]) -> None:
    """The table."""
    table = Table("operation", "token", "rows", title="gas, whole receipts, per row")
    for heading in ("gas", "at most", "limit", "x limit", "best peer", "x peer"):
        table.add_column(heading, justify="right")
    table.add_column("peer")
    for line in measurements:
        table.add_row(*cells(line))
    Console(width=160).print(table)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures gas.")
    parser.add_argument("--snapshot", action="store_true", help="make this run the measure for the tests")
    parser.add_argument("--check", action="store_true", help="only fail on an unexplained rise")
    arguments = parser.parse_args()
    with start() as anvil:
        measurements = measure(anvil)
    risen = rises(measurements, json.loads(SNAPSHOT.read_text()), explained_rises(PAGE.read_text()))
    if risen:
        print(*risen, sep="\n", file=sys.stderr)
    if arguments.check:
        return 1 if risen else 0
    show(measurements)
    RESULTS.write_text(json.dumps([asdict(line) for line in measurements], indent=2) + "\n")
    if arguments.snapshot and not risen:
        SNAPSHOT.write_text(json.dumps({line.key: line.gas_per_row for line in measurements}, indent=2) + "\n")
    too_dear = excesses(measurements)
    print(*too_dear.values(), sep="\n", file=sys.stderr)
    return 1 if risen or too_dear else 0


if __name__ == "__main__":
    sys.exit(main())
