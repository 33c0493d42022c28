"""Opening the mirror: what a node says of itself."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from tallystick.config import Config
from tallystick.errors import NodeInvalid
from tallystick.flows.mirror import open_mirror
from tallystick.testing import Anvil
from tests.chain.conftest import Proxy


@pytest.mark.parametrize("answer", ["mainnet", "", "0x", "0xzz", "9" * 5_000 + "g"])
def test_a_chain_id_that_is_no_number_is_the_nodes_fault(anvil: Anvil, tmp_path: Path, answer: str) -> None:
    proxy = Proxy(anvil.url)
    try:
        proxy.always(msgspec.json.encode({"jsonrpc": "2.0", "id": 1, "result": answer}))
        with pytest.raises(NodeInvalid, match="says its chain is"):
            open_mirror(Config(rpc_url=proxy.url, database=f"sqlite:///{tmp_path}/books.db"))
    finally:
        proxy.stop()
