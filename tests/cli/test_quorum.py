"""Several nodes on the command line: what is told when they disagree, and by whom."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tallystick.flows.deploy import write_manifest
from tests.business import UNLIMITED, Business
from tests.cli.conftest import Run
from tests.flows.test_quorum import Liar, truth, with_a_forged_amount

KEY_IN_PATH = "/v3/secret-of-the-provider"


@pytest.fixture
def other(run: Run, business: Business) -> Iterator[Liar]:
    """A business whose only refund is told differently by its second node."""
    del run  # changes into an empty folder
    number = business.subscribe(business.payer("ada"), business.create_plan())
    business.token_call(business.payee, "approve", business.subscriptions, UNLIMITED)
    business.call(business.payee, "refund", number, 1, 4_000_000)
    node = Liar(business.anvil.url, with_a_forged_amount)
    write_manifest(Path("deployments/31337.json"), business.manifest)
    Path("tallystick.toml").write_text(
        f'rpc_url = "{business.anvil.url}"\n[index]\nfinality = 0\nrpc_urls = ["{node.url}{KEY_IN_PATH}"]\n'
    )
    yield node
    node.stop()


def test_a_disagreement_stops_finality_is_told_by_name_and_passes(run: Run, business: Business, other: Liar) -> None:
    shown = f"{other.url}/..."
    done = json.loads(run("index", "--json").stdout)
    (wait,) = done["finality_waits"]
    assert (wait["contract"], wait["agreeing"], wait["needed"]) == (business.subscriptions, 1, 2)
    assert wait["since_block"] <= business.anvil.block_number
    assert f"{shown} disagrees with {business.anvil.url} on blocks " in wait["why"]
    assert f"first on block {business.anvil.block_number}: block 0x" in wait["why"]
    (said,) = done["disagreements"]
    assert said == {"node": shown, "why": wait["why"]}
    assert done["pending_blocks"] > 0
    documents = json.loads(run("invoices", "list", "--json").stdout)
    assert [(one["number"], one["status"]) for one in documents] == [(None, "pending"), (None, "pending")]

    text = run("index").stdout
    assert f"{business.subscriptions}: finality waits since block {wait['since_block']}, " in text
    assert text.count(shown) == 2  # in the table, and below it
    assert KEY_IN_PATH not in text

    status = json.loads(run("status", "--json").stdout)
    assert status["finality_waits"] == [wait]
    assert [(node["node"], node["is_read"], node["trouble"]) for node in status["nodes"]] == [
        (business.anvil.url, True, None),
        (shown, False, None),
    ]
    assert f"finality waits since block {wait['since_block']}" in run("status").stdout

    other.lie = truth
    done = json.loads(run("index", "--json").stdout)
    assert (done["finality_waits"], done["disagreements"]) == ([], [])
    assert json.loads(run("status", "--json").stdout)["finality_waits"] == []
    documents = json.loads(run("invoices", "list", "--json").stdout)
    assert [one["number"] for one in documents] == ["INV-000001", "CN-000001"]


def test_status_names_the_node_that_does_not_answer(run: Run, business: Business, other: Liar) -> None:
    other.stop()
    status = json.loads(run("status", "--json").stdout)
    assert [(node["head"], node["is_read"]) for node in status["nodes"]] == [
        (business.anvil.block_number, True),
        (None, False),
    ]
    assert "no answer from" in status["nodes"][1]["trouble"]
    assert f"no answer from {other.url}/..." in run("status").stdout


def test_the_mirror_follows_without_the_first_node(run: Run, business: Business, other: Liar) -> None:
    other.lie = truth
    gone = "http://127.0.0.1:9"
    config = Path("tallystick.toml")
    config.write_text(config.read_text().replace(f'"{business.anvil.url}"', f'"{gone}"') + "quorum = 1\n")
    done = json.loads(run("index", "--json").stdout)
    assert (done["final_block"], done["finality_waits"]) == (business.anvil.block_number, [])


def test_a_quorum_of_more_nodes_than_there_are_is_refused(run: Run, business: Business, other: Liar) -> None:
    config = Path("tallystick.toml")
    config.write_text(config.read_text() + "quorum = 2\n")
    done = run("index", "--rpc", other.url + KEY_IN_PATH, exit_code=1)
    assert "`index.quorum` is 2, and rpc_url is one of index.rpc_urls, so that there are 1 nodes" in done.stderr
    run("index", "--rpc", business.anvil.url)
