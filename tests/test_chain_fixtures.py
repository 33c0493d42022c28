"""The test chain itself: what the other tests stand on."""

import pytest

from tallystick.testing import ETHER_WEI, Anvil, AnvilError, start_anvil


def test_accounts_are_funded_and_keys_fit(anvil: Anvil) -> None:
    assert [address.lower() for address in anvil.rpc("eth_accounts")] == [anvil.address(i).lower() for i in range(10)]
    assert int(anvil.rpc("eth_getBalance", anvil.address(9), "latest"), 16) == 10_000 * ETHER_WEI
    assert anvil.key(0) == "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"


def test_time_and_blocks_move_as_told(anvil: Anvil) -> None:
    then = anvil.timestamp
    anvil.set_time(then + 100)
    assert anvil.timestamp == then + 100
    anvil.advance(31)
    assert (anvil.timestamp, anvil.block_number) == (then + 131, 2)
    anvil.mine(5, interval_s=12)
    assert anvil.block_number == 7
    head = anvil.finalize()
    assert (head, anvil.block_number) == (7, 9)


def test_snapshot_and_reorganisation_replace_blocks(anvil: Anvil) -> None:
    anvil.mine(4)
    mark = anvil.snapshot()
    anvil.mine(2)
    anvil.revert(mark)
    assert anvil.block_number == 4
    before = anvil.rpc("eth_getBlockByNumber", "0x3", False)["hash"]
    anvil.reorg(2)
    assert anvil.block_number == 4
    assert anvil.rpc("eth_getBlockByNumber", "0x3", False)["hash"] != before


def test_old_blocks_stay_and_their_state_goes(anvil: Anvil) -> None:
    anvil.mine(200)
    assert anvil.rpc("eth_getBlockByNumber", "0x1", False)["number"] == "0x1"
    assert anvil.rpc("eth_getBalance", anvil.address(0), hex(200 - 100)) == hex(10_000 * ETHER_WEI)
    with pytest.raises(AnvilError, match="BlockOutOfRange"):
        anvil.rpc("eth_getBalance", anvil.address(0), "0x1")


def test_errors_and_batches_come_back(anvil: Anvil) -> None:
    assert anvil.batch([("eth_chainId", []), ("eth_blockNumber", [])]) == ["0x7a69", "0x0"]
    with pytest.raises(AnvilError, match="Method not found"):
        anvil.rpc("no_such_method")


def test_options_reach_anvil() -> None:
    with start_anvil("--chain-id", "1337") as anvil:
        assert anvil.chain_id == 1337
    with pytest.raises(AnvilError, match="no-such-option"), start_anvil("--no-such-option"):
        pass
