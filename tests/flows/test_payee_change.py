"""A register that belongs to another payee from some block on: who is paid, whose the documents are, what the contract
counts, and what payers agreed to."""

from __future__ import annotations

from tallystick.chain.node import Node, connect
from tallystick.chain.plans import read_plans
from tallystick.chain.rpc import Rpc
from tallystick.core.invoice import Kind
from tallystick.flows.audit import audit
from tallystick.flows.ingest import Target, ingest
from tallystick.storage.database import open_database, reading
from tallystick.storage.invoices import read_invoices
from tallystick.storage.journal import read_balances
from tallystick.storage.subscriptions import read_plans as stored_plans
from tallystick.storage.subscriptions import read_registers
from tests.business import PRICE_UNITS, UNLIMITED, Business
from tests.databases import NewDatabase

DAY = 86_400
SIGNS_ALL = "0x631626ba7e60e01b5f5260205ff3"
"""A wallet that finds every signature good (ERC-1271)."""


def move(business: Business, payee: str, new: str) -> None:
    business.anvil.rpc("anvil_setCode", payee, SIGNS_ALL)
    business.call(new, "changePayee", payee, business.token, new, 1, UNLIMITED, b"\1", b"")
    business.token_call(new, "approve", business.subscriptions, UNLIMITED)


def test_the_new_payee_has_what_the_old_one_had(business: Business, new_database: NewDatabase) -> None:
    old, new = business.payee, business.account("new payee")
    free = business.create_plan(PRICE_UNITS, usage_cap_units=50, usage_price_units=10**6)
    payer = business.payer("anna")
    number = business.subscribe(payer, free)
    business.block(old)
    business.anvil.advance(32 * DAY)
    business.charge(number)  # kept for the old payee
    agreed = business.terms_hash(free)
    move(business, old, new)
    business.mint(new, 10**9)
    business.call(new, "refund", number, 1, 1_000)
    business.call(new, "chargeUsage", number, 3, 50, 50, bytes(32))
    business.anvil.advance(32 * DAY)
    business.charge(number)
    business.unblock(old)
    again = business.create_plan(7, payee=old)  # a register of its own, anew
    more = business.create_plan(8, payee=new)
    business.subscribe(payer, again)
    business.call(business.operator, "claim", old, business.token)
    business.anvil.finalize()

    contract = business.contract
    target = Target(business.anvil.chain_id, contract.address, contract.start_block)
    engine, rpc = open_database(new_database()), Rpc(business.anvil.url)
    ingest(engine, rpc, target)
    assert audit(engine, rpc, target).differences == []
    with reading(engine) as connection:
        registers, plans = read_registers(connection, 1), stored_plans(connection, 1)
        documents = list(read_invoices(connection, 1))
        accounts = {balance.account for balance in read_balances(connection, 1)}
    assert [(found.payee, found[3:]) for found in registers.values()] == [(new, (1, 4, 1)), (old, (1, 1, 0))]
    assert [(plans[one].terms.payee, plans[one].first_payee) for one in (free, again, more)] == [
        *((new, old), (old, None), (new, None)),
    ]
    node: Node = connect(business.anvil.url)
    assert read_plans(node, business.subscriptions, list(plans)) == list(plans.values())
    assert plans[free].terms_hash() == agreed == business.terms_hash(free)
    series = {(found.kind, found.payee, found.number): found.charge_number for found in documents}
    assert series == {
        (Kind.INVOICE, old, 1): 1,
        (Kind.INVOICE, old, 2): 2,
        (Kind.INVOICE, old, 3): 1,
        (Kind.INVOICE, new, 1): 3,
        (Kind.INVOICE, new, 2): 4,
        (Kind.CREDIT_NOTE, new, 1): 1,
    }
    assert f"Income:Subscriptions:{new}:Plan-{free}" in accounts
    assert f"Income:Refunds:{new}:Plan-{free}" in accounts

    business.mint(new, 10**9)
    move(business, new, business.account("third"))
    business.charge(number)
    ingest(engine, rpc, target)  # pending
    business.anvil.advance(32 * DAY)
    business.charge(number)
    business.anvil.finalize()
    ingest(engine, rpc, target)
    assert audit(engine, rpc, target).differences == []
