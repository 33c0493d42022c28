"""Wallets against the ledger: the difference is what moved outside of the contracts, to the last unit."""

from __future__ import annotations

import pytest
from sqlalchemy import Engine

from tallystick.chain.rpc import Rpc
from tallystick.core.address import ZERO_ADDRESS
from tallystick.core.money import Token
from tallystick.errors import DatabaseError, InputError, NodeInvalid, NodeRefused
from tallystick.flows.ingest import Target, ingest
from tallystick.flows.mirror import StoredBooks
from tallystick.flows.reconcile_wallets import Explanation, WalletRow, explain_wallets, reconcile_wallets
from tallystick.storage.database import open_database, reading, transaction
from tallystick.storage.sources import find_source
from tallystick.storage.tokens import add_tokens
from tallystick.testing import STATES_KEPT, start_anvil
from tests.business import PRICE_UNITS, UNLIMITED, Business
from tests.databases import NewDatabase
from tests.sales import AMOUNT, Sales


def mirrored(business: Business, engine: Engine, sales: Sales | None = None) -> StoredBooks:
    """The books of subscriptions, and of what is sold once where `sales` are given, up to the last final block."""
    contract = business.contract
    ingest(engine, Rpc(business.anvil.url), Target(business.anvil.chain_id, contract.address, contract.start_block))
    checkout = None
    with reading(engine) as connection:
        source = find_source(connection, business.anvil.chain_id, business.subscriptions)
    if sales is not None:
        sales.mirror(engine)
        with reading(engine) as connection:
            checkout = find_source(connection, business.anvil.chain_id, sales.contract.address)
    assert source is not None
    return StoredBooks(engine, source, checkout=checkout)


def parts(found: Explanation) -> list[int]:
    """What the difference is made of."""
    return [found.before_units, *(one.units for one in found.moved), found.untold_units]


def test_the_ledger_and_the_wallet_agree_where_nothing_moved_outside(
    business: Business, new_database: NewDatabase
) -> None:
    """Charges, a refund and a fee: both of whom the ledger has."""
    receiver = business.account("receiver")
    plan = business.create_plan(fee_bps=250, fee_receiver=receiver)
    subscription = business.subscribe(business.payer("ada"), plan)
    business.approve(business.payee, UNLIMITED)
    business.call(business.payee, "refund", subscription, 1, 2_000_000)
    business.anvil.finalize()
    books, rpc = mirrored(business, open_database(new_database())), Rpc(business.anvil.url)
    report = reconcile_wallets(books, rpc)
    fee = PRICE_UNITS * 250 // 10_000
    assert {row.wallet: (row.ledger_units, row.chain_units, row.outside_units) for row in report.rows} == {
        business.payee: (PRICE_UNITS - fee - 2_000_000, PRICE_UNITS - fee - 2_000_000, 0),
        receiver: (fee, fee, 0),
    }
    assert report.block == books.source.final_number
    assert report.time == books.source.final_time
    assert [parts(found) for found in explain_wallets(books, rpc, report)] == [[0, 0], [0, 0]]


def test_what_moved_outside_is_the_difference_and_each_transaction_of_it_is_named(
    business: Business, new_database: NewDatabase
) -> None:
    business.mint(business.payee, 500)
    business.subscribe(business.payer("ada"), business.create_plan())
    spent = business.token_call(business.payee, "transfer", business.operator, 1_000_000)
    business.token_call(business.payee, "transfer", business.payee, 77)
    came = business.token_call(business.payer("friend"), "transfer", business.payee, 30)
    business.anvil.finalize()
    books, rpc = mirrored(business, open_database(new_database())), Rpc(business.anvil.url)
    report = reconcile_wallets(books, rpc, [business.payee])
    (row,) = report.rows
    assert (row.ledger_units, row.outside_units) == (PRICE_UNITS, 500 - 1_000_000 + 30)
    (found,) = explain_wallets(books, rpc, report)
    assert [one.units for one in found.moved] == [500, -1_000_000, 30]
    assert [one.others for one in found.moved] == [(ZERO_ADDRESS,), (business.operator,), (business.account("friend"),)]
    assert "0x" + found.moved[1].transaction.hex() == spent["transactionHash"]
    assert found.moved[2].block_number == int(came["blockNumber"], 16)
    assert sum(parts(found)) == row.outside_units


def test_what_a_wallet_held_before_the_books_begin_is_told_apart(business: Business, new_database: NewDatabase) -> None:
    """The books begin with the contract's block, when the wallet of an old business is not empty."""
    plan = business.create_plan()
    business.mint(business.payee, 500)
    engine, start = open_database(new_database()), business.anvil.block_number + 1
    business.mint(business.payee, 3)
    business.subscribe(business.payer("ada"), plan)
    business.anvil.finalize()
    books, rpc = mirrored(business, engine), Rpc(business.anvil.url)
    young = StoredBooks(engine, books.source._replace(start_block=start))
    (found,) = explain_wallets(young, rpc, reconcile_wallets(young, rpc, [business.payee]))
    assert (found.first_block, found.before_units, [one.units for one in found.moved]) == (start, 500, [3])
    assert found.untold_units == 0


def test_a_block_of_the_past_is_held_against_the_ledger_of_that_time(
    business: Business, new_database: NewDatabase
) -> None:
    plan = business.create_plan()
    business.subscribe(business.payer("ada"), plan)
    then = business.anvil.block_number
    business.subscribe(business.payer("bob"), plan)
    business.token_call(business.payee, "transfer", business.operator, 5)
    business.anvil.finalize()
    books, rpc = mirrored(business, open_database(new_database())), Rpc(business.anvil.url)
    assert [row[2:] for row in reconcile_wallets(books, rpc, block=then).rows] == [(PRICE_UNITS, PRICE_UNITS)]
    assert [row[2:] for row in reconcile_wallets(books, rpc).rows] == [(2 * PRICE_UNITS, 2 * PRICE_UNITS - 5)]
    with pytest.raises(InputError, match=f"found block {books.source.final_number + 1}, the books have final blocks"):
        reconcile_wallets(books, rpc, block=books.source.final_number + 1)


def test_all_journals_count_and_money_at_deposit_addresses_does_not(
    business: Business, new_database: NewDatabase
) -> None:
    """A merchant that sells in two ways has one wallet. What comes at an address is in it when it is swept."""
    engine, sales = open_database(new_database()), Sales(business)
    sales.expect(engine, "swept")
    sales.expect(engine, "standing")
    sales.mirror(engine)
    before = 10**15
    business.subscribe(business.payer("ada"), business.create_plan(payee=sales.merchant))
    sales.send("swept", AMOUNT)
    sales.send("standing", AMOUNT)
    sales.sweep("swept")
    sales.pay(sales.quote("quoted"))
    business.anvil.finalize()
    books, rpc = mirrored(business, engine, sales), Rpc(business.anvil.url)
    row = next(row for row in reconcile_wallets(books, rpc, [sales.merchant]).rows if row.token.address == sales.token)
    assert (row.ledger_units, row.outside_units) == (PRICE_UNITS + 2 * AMOUNT, before)


def test_a_token_that_does_not_answer_spoils_no_other_row(business: Business, new_database: NewDatabase) -> None:
    """Anyone can have one in the books, by a plan of their own."""
    business.subscribe(business.payer("ada"), business.create_plan())
    business.anvil.finalize()
    books, rpc = mirrored(business, open_database(new_database())), Rpc(business.anvil.url)
    with transaction(books.engine) as connection:
        add_tokens(connection, [Token(business.anvil.chain_id, business.subscriptions, "BAD", 6)])
    assert [row.outside_units for row in reconcile_wallets(books, rpc).rows] == [0]
    row = WalletRow(business.payee, Token(1, business.subscriptions, "BAD", 6), 5, None)
    assert row.outside_units is None


def test_without_the_state_it_says_which_node_to_ask(business: Business, new_database: NewDatabase) -> None:
    business.subscribe(business.payer("ada"), business.create_plan())
    business.anvil.finalize()
    books, rpc = mirrored(business, open_database(new_database())), Rpc(business.anvil.url)
    business.anvil.mine(STATES_KEPT + 20)
    with pytest.raises(NodeRefused, match=r"does not keep the state of block \d+.*an archive node"):
        reconcile_wallets(books, rpc)


def test_another_chain_is_refused_and_so_are_books_without_a_final_block(
    business: Business, new_database: NewDatabase
) -> None:
    engine = open_database(new_database())
    business.subscribe(business.payer("ada"), business.create_plan())
    business.anvil.finalize()
    books = mirrored(business, engine)
    with start_anvil() as other:
        other.mine(books.source.final_number + 5)
        with pytest.raises(NodeInvalid, match="the node is on another branch or chain"):
            reconcile_wallets(books, Rpc(other.url))
    with pytest.raises(DatabaseError, match="is final in the books"):
        reconcile_wallets(StoredBooks(engine, books.source._replace(final_hash=b"")), Rpc(business.anvil.url))


def test_what_no_transfer_tells_of_is_told_apart(business: Business, new_database: NewDatabase) -> None:
    """The chain's own currency has no transfers: the ledger has what was swept, and the wallet pays gas besides."""
    engine, sales = open_database(new_database()), Sales(business)
    sales.expect(engine, "INV-1")
    sales.mirror(engine)
    sales.send_coins("INV-1", 10**18)
    sales.sweep("INV-1", token=None)
    business.anvil.finalize()
    books, rpc = mirrored(business, engine, sales), Rpc(business.anvil.url)
    report = reconcile_wallets(books, rpc, [sales.merchant])
    (found,) = [one for one in explain_wallets(books, rpc, report) if one.row.token.address == ZERO_ADDRESS]
    balance = int(business.anvil.rpc("eth_getBalance", sales.merchant, hex(report.block)), 16)
    assert (found.row.ledger_units, found.row.chain_units) == (10**18, balance)
    assert (found.moved, found.before_units) == ((), 0)
    assert found.untold_units == balance - 10**18 == found.row.outside_units
