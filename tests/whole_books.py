"""Books with something of every contract in them, of a chain that goes on while the context lasts."""

from __future__ import annotations

from pathlib import Path

from tallystick.chain.rpc import Rpc
from tallystick.config import Config, PegConfig, X402Config, load_config
from tallystick.flows.follow import ingest_once
from tallystick.flows.ingest import ingest
from tallystick.flows.mirror import open_mirror
from tallystick.storage.database import open_database
from tallystick.testing import Anvil
from tests.batch_settlement import BatchSettlement
from tests.business import Business
from tests.docs.beginnings import sold
from tests.flows.test_channel_mirror import Life
from tests.payments import Payments
from tests.sales import AMOUNT, Sales


def mirror_everything(anvil: Anvil, folder: Path, database: str | None = None) -> Config:
    """Mirrors subscriptions, escrow payments, quotes and deposits, channels of ours and x402's into a database, the
    folder's unless another is named; the configuration with which it is read."""
    sold(anvil, folder)
    url = database or f"sqlite:///{folder}/tallystick.db"
    business = Business(anvil)
    payments = Payments(business)
    payments.held()
    payments.call(payments.payer, "revoke", payments.terms().words)
    sales = Sales(payments.business)
    expecting = open_database(url)
    sales.expect(expecting, "X")
    ingest(expecting, Rpc(anvil.url), sales.target(pegs={}))
    expecting.dispose()
    sales.send("X", AMOUNT)
    sales.pay(sales.quote("Y"))
    life = Life(business)
    life.fill(life.channel(1), 1_000)
    life.claim(life.voucher(life.channel(1), 10))
    theirs = BatchSettlement(business)
    theirs.deposit(theirs.channel(1), 500)
    theirs.claim(theirs.channel(1), 20, 15)
    anvil.finalize()
    pegs = load_config(folder / "tallystick.toml", environment={}).peg
    config = Config(
        rpc_url=anvil.url,
        deployment=folder / "deployments" / "31337.json",
        database=url,
        peg=(*pegs, PegConfig(token=sales.token, currency="USD")),
        x402=X402Config(start_block=0, contract=theirs.address),
    )
    mirror = open_mirror(config)
    ingest_once(mirror)
    mirror.engine.dispose()
    return config
