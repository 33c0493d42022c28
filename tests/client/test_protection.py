"""Plans that protect charges, from the merchant's offer to a ruling, in the books of both contracts."""

from __future__ import annotations

from collections import defaultdict

import pytest
from sqlalchemy import update

from tallystick import PaymentStatus, Tallystick
from tallystick.chain.rpc import Rpc
from tallystick.core.events import Protected
from tallystick.core.invoice import Kind
from tallystick.core.payment_texts import PaymentOffer
from tallystick.errors import PlanIsProtected, TermsContradict
from tallystick.flows.audit import audit
from tallystick.flows.audit_payments import audit_payments
from tallystick.flows.change import When
from tallystick.flows.ingest import Target, ingest
from tallystick.storage.database import open_database, reading, transaction
from tallystick.storage.invoices import read_invoices
from tallystick.storage.journal import read_entries
from tallystick.storage.payments import read_payments
from tallystick.storage.schema import invoices as invoice_rows
from tests.business import Business
from tests.client.conftest import Connect
from tests.databases import NewDatabase
from tests.payments import Payments

DAY = 86_400
ARBITER = 4
PRICE = 40_000_000


@pytest.fixture
def arbiter(as_account: Connect) -> Tallystick:
    return as_account(ARBITER)


@pytest.fixture
def plan_id(merchant: Tallystick, arbiter: Tallystick, business: Business) -> int:
    plan = merchant.create_plan(
        price="40.00",
        token=business.token,
        protection_s=14 * DAY,
        arbiter=arbiter.address,
        ruling_timeout_s=7 * DAY,
        default_payee_bps=5_000,
        max_arbiter_fee_bps=500,
        fee_bps=250,
        fee_receiver=business.account("platform"),
    )
    assert merchant.plan(plan.plan_id) == plan
    assert plan.terms_hash() == business.terms_hash(plan.plan_id)
    return plan.plan_id


class Books:
    """The books of both contracts, with every block final."""

    def __init__(self, business: Business, url: str) -> None:
        contract, payments = business.contract, Payments(business)
        self.engine, self.rpc = open_database(url), Rpc(business.anvil.url)
        self.sales = Target(business.anvil.chain_id, contract.address, contract.start_block, finality=0)
        self.escrow = payments.target(finality=0)
        for target in (self.sales, self.escrow):
            ingest(self.engine, self.rpc, target)

    def offers(self) -> dict[bytes, PaymentOffer]:
        """The payments that the escrow has, by their ids."""
        with reading(self.engine) as connection:
            found = read_payments(connection, 2)
        return {key: PaymentOffer(self.escrow.chain_id, self.escrow.contract, found[key].terms) for key in found}

    def balances(self) -> dict[str, int]:
        """Debits less credits of each account, over both journals."""
        sums: defaultdict[str, int] = defaultdict(int)
        with reading(self.engine) as connection:
            for source_id in (1, 2):
                for entry in read_entries(connection, source_id):
                    for posting in entry.postings:
                        sums[posting.account] += posting.units if posting.side == "D" else -posting.units
        return {account: units for account, units in sums.items() if units}


def test_one_life_of_a_protected_subscription_and_its_books(
    business: Business,
    merchant: Tallystick,
    payer: Tallystick,
    arbiter: Tallystick,
    plan_id: int,
    new_database: NewDatabase,
) -> None:
    subscription = payer.subscribe(plan_id)
    number = subscription.subscription_id
    business.anvil.advance(31 * DAY)
    second = merchant.charge([number]).one(Protected).payment_id
    business.anvil.advance(31 * DAY)
    third = merchant.charge([number]).one(Protected).payment_id
    offers = Books(business, new_database()).offers()
    (first,) = offers.keys() - {second, third}

    merchant.capture(offers[first])  # its window is over
    payer.dispute(offers[third], document=b"it stopped working")
    arbiter.rule(offers[third], "10.00", arbiter_fee="1.00")
    payer.capture(offers[second])
    merchant.refund_payment(offers[second], "5.00")
    assert merchant.payment(offers[third]).status is PaymentStatus.CLOSED

    books = Books(business, new_database())
    with reading(books.engine) as connection:
        invoices = list(read_invoices(connection, 1, kind=Kind.INVOICE))
    assert [invoice.payment_id for invoice in invoices] == [first, second, third]
    me, platform = merchant.address, business.account("platform")
    fees = 1_000_000 + 1_000_000 + 250_000
    assert books.balances() == {
        f"Assets:Wallet:{me}": 90_000_000 - fees - 5_000_000,
        f"Expenses:Fees:{me}:Payments": fees,
        f"Assets:Wallet:{platform}": fees,
        f"Income:Fees:{platform}": -fees,
        f"Income:Subscriptions:{me}:Plan-{plan_id}": -3 * PRICE,
        f"Income:Refunds:{me}:Payments": 5_000_000 + 29_000_000,
        f"Expenses:Rulings:{me}": 1_000_000,
        f"Assets:Wallet:{arbiter.address}": 1_000_000,
        f"Income:Rulings:{arbiter.address}": -1_000_000,
    }  # nothing is left in escrow, nor of what it protected
    assert audit(books.engine, books.rpc, books.sales).differences == []
    assert audit_payments(books.engine, books.rpc, books.escrow).differences == []

    with transaction(books.engine) as connection:
        second_invoice = (invoice_rows.c.charge_number == 2) & (invoice_rows.c.source_id == 1)
        connection.execute(update(invoice_rows).where(second_invoice).values(payment_id=first))
    found = audit_payments(books.engine, books.rpc, books.escrow).differences
    assert [difference.row for difference in found] == [
        f"payment 0x{second.hex()}, invoice of the protected charge",
    ]
    with transaction(books.engine) as connection:
        connection.execute(update(invoice_rows).where(second_invoice).values(payment_id=b"x" * 32))
    (difference, _) = audit_payments(books.engine, books.rpc, books.escrow).differences
    assert difference.row == f"charge {number}/2, payment 0x{(b'x' * 32).hex()}"


def test_what_does_not_go_with_a_protection_says_what_to_do(
    business: Business, merchant: Tallystick, payer: Tallystick, arbiter: Tallystick, plan_id: int
) -> None:
    with pytest.raises(PlanIsProtected, match="subscribe with conditions"):
        payer.sign_mandate(plan_id)
    signed = payer.sign_mandate_with_conditions([plan_id])
    number = merchant.submit_mandate(signed, plan_id=plan_id).subscription_id
    with pytest.raises(PlanIsProtected, match="refund in escrow"):
        merchant.refund(number, 1, "1.00")
    dearer = merchant.create_plan(
        price="80.00", token=business.token, protection_s=DAY, arbiter=arbiter.address, ruling_timeout_s=DAY
    )
    offer = payer.quote(number, dearer)
    assert (offer.when, offer.to_pay_units) == (When.PERIOD_END, 0)
    with pytest.raises(PlanIsProtected, match="change when the paid period ends"):
        payer.quote(number, dearer, when=When.NOW)
    with pytest.raises(TermsContradict):
        merchant.create_plan(price="1.00", token=business.token, protection_s=DAY)
