"""`tallystick deploy --test-token`: something to pay with, on a chain of one's own and nowhere else."""

from __future__ import annotations

import json
from pathlib import Path

from tallystick.chain.node import connect
from tallystick.chain.token import TokenContract
from tallystick.flows.mint import MINTED_UNITS
from tallystick.testing import Anvil, start_anvil
from tests.cli.conftest import Run


def test_the_signer_gets_a_million_each_time(run: Run, anvil: Anvil) -> None:
    arguments = ("deploy", "--rpc", anvil.url, "--test-token", "--json")
    first, again = (json.loads(run(*arguments, env={"TALLYSTICK_KEY": anvil.key(3)}).stdout) for _ in range(2))
    assert first["test_token"] == again["test_token"]
    token = TokenContract(connect(anvil.url), first["test_token"])
    assert token.balance(anvil.address(3)) == 2 * MINTED_UNITS
    described = token.describe()
    assert (described.symbol, described.decimals) == ("USDC", 6)


def test_a_chain_that_others_use_gets_nothing(run: Run) -> None:
    with start_anvil("--chain-id", "8453") as public:
        done = run("deploy", "--rpc", public.url, "--test-token", env={"TALLYSTICK_KEY": public.key(0)}, exit_code=1)
        assert done.stderr == (
            "error: this is chain 8453, a test token is for chains of one's own (31337 or 1337): use the stablecoin "
            "that this chain has\n"
        )
        assert (public.block_number, list(Path().iterdir())) == (0, [])
