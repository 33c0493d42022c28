"""Tables, numbers and formats in the documents are the code's."""

from __future__ import annotations

import inspect
import re
import tomllib
from dataclasses import fields
from typing import Any

from sqlalchemy import inspect as inspect_database
from sqlalchemy import text

from tallystick import errors
from tallystick.cli import bill, index
from tallystick.config import KEYS, SECRET_VARIABLES, VARIABLES, Config
from tallystick.core.balances import STRETCH
from tallystick.core.events import Charged, Origin
from tallystick.core.ledger import entry_for
from tallystick.core.period import Unit
from tallystick.core.plan import PlanTerms
from tallystick.core.subscription import MAX_CHARGES, DeclineReason
from tallystick.errors import ContractError, TallystickError
from tallystick.flows.bill import MOST_ROWS
from tallystick.flows.fill import REMEMBER_S
from tallystick.flows.follow import LONGEST_PAUSE_S
from tallystick.flows.lead import LEASE_S
from tallystick.flows.mint import MINTED_UNITS, OWN_CHAINS
from tallystick.flows.subscribe import PERIODS
from tallystick.storage.database import open_database, reading
from tests.databases import NewDatabase
from tests.docs.blocks import ROOT, blocks_of, prose_of, table_of

README, LEDGER = ROOT / "README.md", ROOT / "docs" / "ledger.md"
SELLING, OPERATING = ROOT / "docs" / "selling.md", ROOT / "docs" / "operating.md"
ESCROW, CHECKOUT = ROOT / "docs" / "escrow.md", ROOT / "docs" / "checkout.md"
CHANNELS = ROOT / "docs" / "channels.md"
CONVERSION = ROOT / "docs" / "conversion.md"


def test_every_key_of_the_configuration_with_its_variable_and_default() -> None:
    table = table_of(OPERATING, "| key | variable | default | what it is |")
    assert sorted(row[0] for row in table) == sorted(KEYS)
    variables = VARIABLES | SECRET_VARIABLES
    default = Config()
    for key, variable, shown, _ in table:
        assert variables[variable] == key
        section, _, name = key.rpartition(".")
        value = getattr(getattr(default, section) if section else default, name)
        if value is None:
            assert shown == "", key
        elif isinstance(value, bool):
            assert shown == str(value).lower(), key
        elif isinstance(value, tuple):
            assert tomllib.loads(f"value = {shown}")["value"] == list(value), key
        else:
            assert shown == str(value), key


def test_every_error_of_the_contract_with_its_values() -> None:
    table = [
        row
        for page in (SELLING, ESCROW, CHECKOUT, CHANNELS, CONVERSION)
        for row in table_of(page, "| error | values | when |")
    ]
    shown = {name: re.findall(r"\w+", values) for name, values, _ in table}
    assert shown == {cls.__name__: [part.name for part in fields(cls)] for cls in ContractError.__subclasses__()}


def test_every_other_error_and_whether_it_may_pass() -> None:
    classes: dict[str, type[TallystickError]] = {
        name: cls for name, cls in inspect.getmembers(errors, inspect.isclass) if issubclass(cls, TallystickError)
    }
    table = {name: passes for name, passes, _ in table_of(OPERATING, "| error | may pass | what to do |")}
    for name, passes in table.items():
        assert passes == ("yes" if classes[name].retryable else "no"), name
    parents = {base for cls in classes.values() for base in cls.__mro__[1:]}
    leaves = {name for name, cls in classes.items() if cls not in parents and not issubclass(cls, ContractError)}
    named = {name for page in (SELLING, CHANNELS) for name in re.findall(r"`(\w+)`", prose_of(page))}
    assert leaves - table.keys() - named == set()


def test_every_reason_why_a_voucher_is_refused() -> None:
    assert [row[0] for row in table_of(CHANNELS, "| reason | why it is not taken |")] == list(errors.REFUSED_BECAUSE)


def test_every_reason_of_a_decline() -> None:
    assert [row[0] for row in table_of(SELLING, "| reason | what it means |")] == [
        reason.name for reason in DeclineReason
    ]
    assert f"{MAX_CHARGES:,} charges" in prose_of(SELLING)


def test_numbers_in_the_text_are_the_code_s() -> None:
    operating, selling = (re.sub(r"\s+", " ", prose_of(page)) for page in (OPERATING, SELLING))
    assert f"every {index.POLL_S:.0f} seconds" in operating
    assert f"a round every {bill.POLL_S:.0f} seconds" in operating
    assert f"up to {MOST_ROWS} rows" in operating
    assert "in the block alone, after an hour" in operating
    assert REMEMBER_S == 3_600
    assert f"followed after {LEASE_S} seconds" in operating
    assert LONGEST_PAUSE_S == 60
    assert "a pause that grows to a minute" in operating
    assert Config().bill.retry_after_s == tuple(days * 86_400 for days in (1, 3, 5, 7))
    assert f"is raised ({PERIODS})" in selling
    assert f"a permit for {PERIODS} months" in README.read_text()
    assert MINTED_UNITS == 10**6 * 10**6
    assert OWN_CHAINS[0] == 31337


def test_every_view_with_its_columns(new_database: NewDatabase) -> None:
    engine = open_database(new_database())
    for view in inspect_database(engine).get_view_names():
        with reading(engine) as connection:
            columns = list(connection.execute(text(f"SELECT * FROM {view}")).keys())
        documented = [re.findall(r"\w+", row[0]) for row in table_of(LEDGER, f"| column of `{view}` | what it is |")]
        assert [name for names in documented for name in names] == columns, view


def test_the_length_of_a_stretch_of_the_journal() -> None:
    assert f"every stretch of {STRETCH:,} entries" in prose_of(LEDGER)


def test_the_example_of_the_hash_chain_is_what_the_ledger_computes() -> None:
    blocks = list(blocks_of(LEDGER))
    place = next(place for place, block in enumerate(blocks) if "sha256(bytes(32)" in block.text)
    code, shown = blocks[place].text, blocks[place + 1].text
    values: dict[str, Any] = {}
    exec(code, values)
    payee = values["wallet"].removeprefix("Assets:Wallet:")
    terms = PlanTerms(payee, 9_990_000, values["token"], 1, Unit.MONTH, 0)
    block_hash, transaction_hash = (bytes.fromhex(values[name]) for name in ("block_hash", "transaction_hash"))
    origin = Origin(21_000_000, block_hash, 1_769_846_400, transaction_hash, 4)
    event = Charged(1, 1, 1_769_846_400, 1_772_265_600, 9_990_000)
    assert entry_for(1, event, origin, 1, terms, bytes(32)).hash.hex() == shown.strip()
