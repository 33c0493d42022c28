"""A real chain for tests and the demo: Anvil on a free port, started in some 30 ms, stopped when the test ends.

    with start_anvil("--block-time", "1") as anvil:      # Anvil's own options
        anvil.mine(3)

`anvil.url` is the JSON-RPC address, `anvil.key(0)` the private key of the first of the funded accounts.
Two blocks behind the head count as finalized (`--slots-in-an-epoch 1`); the state of the last 128 can be read.
"""

from __future__ import annotations

import contextlib
import functools
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Self

import urllib3
from eth_account import Account

from tallystick.errors import TallystickError

MNEMONIC = "test test test test test test test test test test test junk"
"""Anvil's default; everybody knows these keys."""
ETHER_WEI = 10**18
START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 5
STATES_KEPT = 128
"""Blocks behind the head whose state can be read. Anvil by itself would keep 500 in memory, a megabyte each, and write
older ones, some 300 kB each, to the home directory and leave them there. Blocks, receipts and logs are all kept."""
CALL_TIMEOUT_S = 120
RECEIPT_TIMEOUT_S = 10


class AnvilError(TallystickError):
    """Anvil did not start, or answered a call with an error (`code` and `data` as it gave them)."""

    def __init__(self, message: str, *, code: int | None = None, data: Any = None) -> None:
        super().__init__(message)
        self.code = code
        self.data = data


@functools.cache
def _account(index: int) -> tuple[str, str]:
    Account.enable_unaudited_hdwallet_features()
    account = Account.from_mnemonic(MNEMONIC, account_path=f"m/44'/60'/0'/0/{index}")
    return account.address, "0x" + bytes(account.key).hex()


class Anvil:
    """A running Anvil. Amounts are in wei, times in seconds since 1970."""

    def __init__(self, *options: str) -> None:
        self._log = tempfile.NamedTemporaryFile(mode="w+", prefix="anvil-", suffix=".log")  # noqa: SIM115 (kept until `stop`)
        command = ["anvil", "--host", "127.0.0.1", "--port", "0", *options]
        try:
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=self._log, stderr=subprocess.STDOUT
            )
        except FileNotFoundError as error:
            raise AnvilError(
                "there is no `anvil` on PATH: install Foundry (https://getfoundry.sh), or use `make demo`, "
                "which brings one"
            ) from error
        try:
            self.url = f"http://127.0.0.1:{self._await_port()}"
        except BaseException:
            self.stop()
            raise
        self._pool = urllib3.PoolManager(maxsize=2, timeout=CALL_TIMEOUT_S, retries=False)
        self.chain_id = int(self.rpc("eth_chainId"), 16)

    def _await_port(self) -> int:
        deadline = time.monotonic() + START_TIMEOUT_S
        mark = "Listening on 127.0.0.1:"
        while time.monotonic() < deadline:
            text = self.log
            if mark in text and text.endswith("\n"):
                return int(text.split(mark)[1].split()[0])
            if self._process.poll() is not None:
                raise AnvilError(f"anvil ended with {self._process.returncode}:\n{text}")
            time.sleep(0.005)
        raise AnvilError(f"anvil did not listen within {START_TIMEOUT_S} s:\n{self.log}")

    @property
    def log(self) -> str:
        """All that Anvil has printed."""
        return Path(self._log.name).read_text()

    @property
    def pid(self) -> int:
        """Anvil's process, for tests that stop or freeze a node."""
        return self._process.pid

    def stop(self) -> None:
        """Ends the node; safe to call twice."""
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    # --- Calls ---

    def rpc(self, method: str, *params: Any) -> Any:
        """The `result` of one JSON-RPC call. Raises AnvilError when the node answers with an error."""
        return self._result(self._post({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}))

    def batch(self, calls: Sequence[tuple[str, Sequence[Any]]]) -> list[Any]:
        """The results of many calls sent as one request, in their order; the way to build large chains quickly."""
        body = [
            {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            for number, (method, params) in enumerate(calls)
        ]
        answers = sorted(self._post(body), key=lambda answer: int(answer["id"]))
        return [self._result(answer) for answer in answers]

    def _post(self, body: Any) -> Any:
        return self._pool.request("POST", self.url, json=body).json()

    @staticmethod
    def _result(answer: Any) -> Any:
        if error := answer.get("error"):
            raise AnvilError(error["message"], code=error.get("code"), data=error.get("data"))
        return answer["result"]

    def receipt(self, transaction: str) -> Any:
        """The receipt of a transaction that was sent; Anvil mines it at once, and answers a few milliseconds later."""
        deadline = time.monotonic() + RECEIPT_TIMEOUT_S
        while time.monotonic() < deadline:
            if found := self.rpc("eth_getTransactionReceipt", transaction):
                return found
            time.sleep(0.002)
        raise AnvilError(f"{transaction} was not mined within {RECEIPT_TIMEOUT_S} s")

    # --- Accounts ---

    def address(self, index: int) -> str:
        """The checksummed address of a funded account (ten of them unless `--accounts` says more)."""
        return _account(index)[0]

    def key(self, index: int) -> str:
        """The private key of that account, 0x and 64 digits."""
        return _account(index)[1]

    def fund(self, address: str, wei: int = 100 * ETHER_WEI) -> None:
        """Sets the balance of any account."""
        self.rpc("anvil_setBalance", address, hex(wei))

    # --- Blocks and time ---

    @property
    def block_number(self) -> int:
        """The head's number."""
        return int(self.rpc("eth_blockNumber"), 16)

    @property
    def timestamp(self) -> int:
        """The head's time."""
        return int(self.rpc("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def mine(self, blocks: int = 1, *, interval_s: int = 1) -> None:
        """Adds blocks, each `interval_s` after the one before."""
        self.rpc("anvil_mine", hex(blocks), hex(interval_s))

    def set_time(self, timestamp: int) -> None:
        """Adds one block with exactly this time, which must lie after the head's."""
        self.rpc("evm_setNextBlockTimestamp", hex(timestamp))
        self.rpc("evm_mine")

    def advance(self, seconds: int) -> None:
        """Adds one block that many seconds after the head."""
        self.set_time(self.timestamp + seconds)

    def finalize(self) -> int:
        """Mines until what is now the head is final; its number."""
        head = self.block_number
        while int(self.rpc("eth_getBlockByNumber", "finalized", False)["number"], 16) < head:
            self.mine()
        return head

    def snapshot(self) -> str:
        """A mark for `revert`."""
        return str(self.rpc("evm_snapshot"))

    def revert(self, snapshot: str) -> None:
        """Takes the chain back to the mark, which is used up."""
        if self.rpc("evm_revert", snapshot) is not True:
            raise AnvilError(f"no snapshot {snapshot}")

    def reorg(self, depth: int, transactions: Sequence[tuple[Any, int]] = ()) -> None:
        """Replaces the last `depth` blocks by others of the same number.

        What was mined in them is gone; `transactions` are (signed raw transaction or request, block's place from 0).
        """
        self.rpc("anvil_reorg", depth, [list(pair) for pair in transactions])


@contextlib.contextmanager
def start_anvil(*options: str) -> Iterator[Anvil]:
    """An Anvil with options of one's own beside those that every test has."""
    with Anvil("--slots-in-an-epoch", "1", "--prune-history", str(STATES_KEPT), *options) as anvil:
        yield anvil
