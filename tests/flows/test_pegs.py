"""Pegs are recorded when they take effect: the values of invoices follow from the books, whatever is configured."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tallystick.chain.rpc import Rpc
from tallystick.config import Config, PegConfig
from tallystick.core.invoice import Invoice, Kind
from tallystick.core.pegs import DeclaredPeg
from tallystick.errors import AnotherLeads, NodeInvalid
from tallystick.flows.audit import AuditReport, audit
from tallystick.flows.ingest import Progress, Target, ingest
from tallystick.flows.mirror import StoredBooks
from tallystick.flows.present import Presenter
from tallystick.storage.database import open_database, reading, transaction
from tallystick.storage.invoices import read_invoices
from tallystick.storage.pegs import declare_pegs, read_pegs
from tallystick.storage.sources import Source, find_source, hold_source
from tallystick.testing import Anvil
from tests.business import PRICE_UNITS, UNLIMITED, Business
from tests.databases import NewDatabase
from tests.flows.test_ingest import content

MONTH_AND_MORE = 32 * 86_400
CENTS = PRICE_UNITS // 10_000


class Shop:
    """A merchant with one subscriber, and books whose pegs are given with each mirroring."""

    def __init__(self, anvil: Anvil, url: str) -> None:
        self.anvil = anvil
        self.business = Business(anvil)
        self.subscription = self.business.subscribe(self.business.payer("anna"), self.business.create_plan())
        self.business.token_call(self.business.payee, "approve", self.business.subscriptions, UNLIMITED)
        self.usd = {self.business.token: "USD"}
        self.engine = open_database(url)

    def target(self, pegs: Mapping[str, str]) -> Target:
        contract = self.business.contract
        return Target(
            self.anvil.chain_id, contract.address, contract.start_block, pegs=dict(pegs), events_per_request=1
        )

    def mirror(self, pegs: Mapping[str, str], *, final: bool = True) -> int:
        """The number of the first block that is not final then."""
        if final:
            self.anvil.finalize()
        return ingest(self.engine, Rpc(self.anvil.url), self.target(pegs)).final_block + 1

    def charge(self) -> None:
        self.anvil.advance(MONTH_AND_MORE)
        self.business.charge(self.subscription)

    def refund(self, charge: int, units: int = 2_500_000) -> None:
        self.business.call(self.business.payee, "refund", self.subscription, charge, units)

    def audit(self) -> AuditReport:
        """As somebody does it who has no configuration of the merchant's."""
        return audit(self.engine, Rpc(self.anvil.url), self.target({}))

    @property
    def source(self) -> Source:
        with reading(self.engine) as connection:
            source = find_source(connection, self.anvil.chain_id, self.business.subscriptions)
        assert source is not None
        return source

    def pegs(self) -> list[DeclaredPeg]:
        with reading(self.engine) as connection:
            return read_pegs(connection, self.source.source_id)

    def documents(self, kind: Kind) -> list[Invoice]:
        with reading(self.engine) as connection:
            return list(read_invoices(connection, self.source.source_id, kind=kind))

    def values(self, kind: Kind = Kind.INVOICE) -> list[tuple[str, int] | None]:
        """Currency and minor units of each document."""
        return [
            None if document.fiat is None else (document.fiat.currency, document.fiat.units)
            for document in self.documents(kind)
        ]

    def peg(self, from_block: int, currency: str | None) -> DeclaredPeg:
        return DeclaredPeg(self.business.token, from_block, currency)


@pytest.fixture
def shop(anvil: Anvil, new_database: NewDatabase) -> Shop:
    return Shop(anvil, new_database())


def test_pegs_from_the_first_block_on_need_no_configuration_to_be_audited(shop: Shop) -> None:
    shop.charge()
    shop.mirror(shop.usd)
    report = shop.audit()
    assert report.ok
    assert report.pegs == shop.pegs() == [shop.peg(shop.business.contract.start_block, "USD")]
    assert shop.values() == [("USD", CENTS)] * 2


def test_a_peg_that_is_added_later_holds_for_new_blocks_only(shop: Shop) -> None:
    since = shop.mirror({})
    shop.charge()
    shop.refund(1)
    shop.refund(2)
    shop.mirror(shop.usd)
    assert shop.values() == [None, ("USD", CENTS)]
    assert shop.values(Kind.CREDIT_NOTE) == [None, ("USD", 250)], "as the invoices that they correct"
    report = shop.audit()
    assert report.ok
    assert report.pegs == [shop.peg(since, "USD")]


def test_a_peg_that_is_removed_ends_with_the_last_final_block(shop: Shop) -> None:
    shop.mirror(shop.usd)
    before = shop.documents(Kind.INVOICE)
    shop.charge()
    end = shop.source.final_number + 1
    shop.refund(1)
    shop.refund(2)
    shop.mirror({})
    assert shop.documents(Kind.INVOICE)[:1] == before
    assert shop.values() == [("USD", CENTS), None]
    assert shop.values(Kind.CREDIT_NOTE) == [("USD", 250), None]
    report = shop.audit()
    assert report.ok
    assert report.pegs == [shop.peg(shop.business.contract.start_block, "USD"), shop.peg(end, None)]


def test_a_peg_to_another_currency_follows_the_one_before(shop: Shop) -> None:
    first = shop.mirror(shop.usd)
    shop.charge()
    second = shop.mirror({shop.business.token: "JPY"})
    shop.charge()
    shop.refund(1)
    shop.mirror(shop.usd)
    assert shop.values() == [("USD", CENTS), ("JPY", 10), ("USD", CENTS)]
    assert shop.values(Kind.CREDIT_NOTE) == [("USD", 250)]
    start = shop.business.contract.start_block
    assert shop.pegs() == [shop.peg(start, "USD"), shop.peg(first, "JPY"), shop.peg(second, "USD")]
    assert shop.audit().ok


def test_the_same_again_changes_nothing_and_what_no_final_block_used_leaves_no_trace(shop: Shop) -> None:
    shop.mirror(shop.usd)
    expected = content(shop.engine)
    for pegs in (shop.usd, {}, shop.usd, {shop.business.token: "EUR"}, {}, shop.usd):
        shop.mirror(pegs, final=False)
    assert content(shop.engine) == expected


def test_pending_documents_are_valued_as_they_will_be(shop: Shop) -> None:
    since = shop.mirror({})
    shop.charge()
    shop.mirror(shop.usd, final=False)
    without = Presenter(StoredBooks(shop.engine, shop.source), Config())
    pegged = Config(peg=(PegConfig(token=shop.business.token, currency="EUR"),))
    for presenter in (without, Presenter(StoredBooks(shop.engine, shop.source), pegged)):
        document = presenter.find(f"{shop.subscription}/2")
        assert document.number is None
        assert document.fiat is not None
        assert str(document.fiat.amount) == "9.99 USD"
    shop.anvil.reorg(1)  # the charge is gone, and what was declared stands
    shop.business.charge(shop.subscription)
    shop.mirror(shop.usd, final=False)
    assert shop.pegs() == [shop.peg(since, "USD")]
    shop.mirror(shop.usd)
    assert shop.values() == [None, ("USD", CENTS)]
    assert shop.audit().ok


def test_stopped_at_any_range_the_pegs_are_those_of_an_undisturbed_run_E64(
    shop: Shop, new_database: NewDatabase
) -> None:
    shop.mirror({})
    for _ in range(4):
        shop.charge()
    before = shop.source
    shop.mirror(shop.usd)
    expected = content(shop.engine)
    again = open_database(new_database())
    rpc = Rpc(shop.anvil.url)
    ingest(again, rpc, Target(*_until(shop, before.final_number), pegs={}))

    def stop(_: Progress) -> None:
        raise KeyboardInterrupt

    for _ in range(3):
        with pytest.raises(KeyboardInterrupt):
            ingest(again, rpc, shop.target(shop.usd), on_progress=stop)
    ingest(again, rpc, shop.target(shop.usd))
    assert content(again) == expected


def _until(shop: Shop, block: int) -> tuple[int, str, int, int]:
    """A target whose blocks are final up to this one."""
    target = shop.target({})
    return target.chain_id, target.contract, target.start_block, shop.anvil.block_number - block


def test_a_declaration_is_not_recorded_beside_a_node_on_another_branch(shop: Shop) -> None:
    shop.mirror({})
    expected = content(shop.engine)
    rpc = Rpc(shop.anvil.url, sleep=lambda _: None)
    call = rpc.call

    def lagging(kind: object, method: str, *params: object) -> object:
        return None if params[:1] == (hex(shop.source.final_number),) else call(kind, method, *params)

    rpc.call = lagging  # type: ignore[method-assign]  # the real one, but for one block
    with pytest.raises(NodeInvalid, match="it lags behind"):
        ingest(shop.engine, rpc, shop.target(shop.usd))
    assert content(shop.engine) == expected


def test_a_mirror_with_other_pegs_ends_the_one_that_knows_them_not_E65(shop: Shop) -> None:
    """Otherwise it would go on to write values that nothing declares."""
    for _ in range(3):
        shop.charge()
    shop.anvil.finalize()

    def declared_elsewhere(_: Progress) -> None:
        with transaction(shop.engine) as connection:
            source = find_source(connection, shop.anvil.chain_id, shop.business.subscriptions)
            assert source is not None
            hold_source(connection, source)
            declare_pegs(connection, source, {})

    with pytest.raises(AnotherLeads, match="declared other pegs"):
        ingest(shop.engine, Rpc(shop.anvil.url), shop.target(shop.usd), on_progress=declared_elsewhere)
    shop.mirror(shop.usd)
    assert shop.audit().ok
