"""Sending on a real chain that does not mine by itself: each transaction has its effect once or not at all (E72)."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any

import pytest

from tallystick.chain.fees import Fees, bumped
from tallystick.chain.node import connect
from tallystick.chain.sender import Call, Sender
from tallystick.chain.signer import KeySigner
from tallystick.config import GasConfig
from tallystick.errors import (
    FundsTooLow,
    GasTooDear,
    NodeUnreachable,
    TransactionDropped,
    TransactionRefused,
    TransactionStuck,
)
from tallystick.testing import Anvil, AnvilError, start_anvil
from tests.chain.conftest import Proxy

GIFT_WEI = 7
GAS = GasConfig(wait_s=10, bumps=3)


class Clock:
    """Time that passes when somebody sleeps; what is planned happens then."""

    def __init__(self) -> None:
        self.now = 0.0
        self.plans: list[tuple[float, Callable[[], object]]] = []

    def at(self, second: float, action: Callable[[], object]) -> None:
        self.plans.append((second, action))

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        due = [action for second, action in self.plans if second <= self.now]
        self.plans = [(second, action) for second, action in self.plans if second > self.now]
        for action in due:
            action()


class Interrupted:
    """A signer before whose n-th signature the n-th of `before` happens."""

    def __init__(self, signer: KeySigner, *before: Callable[[], object]) -> None:
        self._signer = signer
        self._before = list(before)

    @property
    def address(self) -> str:
        return self._signer.address

    def sign_transaction(self, transaction: Mapping[str, Any]) -> bytes:
        if self._before:
            self._before.pop(0)()
        return self._signer.sign_transaction(transaction)

    def sign_typed_data(self, message: Mapping[str, Any]) -> bytes:
        return self._signer.sign_typed_data(message)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def idle() -> Iterator[Anvil]:
    """A chain that mines only when told."""
    with start_anvil("--no-mining") as chain:
        yield chain


def gift(chain: Anvil, *, to: int = 9) -> Call:
    """One that shows how often it had its effect."""
    return Call(chain.address(to), b"", GIFT_WEI)


def gifts(chain: Anvil, *, to: int = 9) -> int:
    """How many gifts arrived."""
    return (int(chain.rpc("eth_getBalance", chain.address(to), "latest"), 16) - 10_000 * 10**18) // GIFT_WEI


def sender_on(chain: Anvil, clock: Clock, gas: GasConfig = GAS, *, index: int = 0) -> Sender:
    signer = KeySigner.from_key(chain.key(index))
    return Sender(connect(chain.url), signer, gas, clock=clock.time, sleep=clock.sleep)


def pooled(chain: Anvil) -> list[dict[str, Any]]:
    """The pending transactions, by nonce."""
    pools = chain.rpc("txpool_content")
    return [tx for kind in ("pending", "queued") for account in pools[kind].values() for tx in account.values()]


def send_raw(chain: Anvil, nonce: int, *, gwei: int = 50, value: int = 0) -> None:
    """Another program with the key of account 0."""
    transaction = {
        "to": chain.address(5),
        "value": value,
        "gas": 21_000,
        "nonce": nonce,
        "chainId": chain.chain_id,
        "type": 2,
        "maxFeePerGas": gwei * 10**9,
        "maxPriorityFeePerGas": gwei * 10**9,
    }
    raw = KeySigner.from_key(chain.key(0)).sign_transaction(transaction)
    chain.rpc("eth_sendRawTransaction", "0x" + raw.hex())


def test_sends_waits_and_says_what_it_cost(anvil: Anvil) -> None:
    sender = Sender(connect(anvil.url), KeySigner.from_key(anvil.key(0)))
    receipt = sender.send(gift(anvil))
    assert gifts(anvil) == 1
    assert (receipt.block_number, receipt.gas_used, receipt.logs) == (1, 21_000, ())
    block = anvil.rpc("eth_getBlockByNumber", "0x1", False)
    assert receipt.block_hash == block["hash"]
    found = anvil.rpc("eth_getTransactionByHash", receipt.transaction)
    assert (found["type"], int(found["gas"], 16)) == ("0x2", 26_250)
    # EIP-1559. The transaction's own `gasPrice` is sometimes that of the next block, as Anvil says it.
    assert receipt.gas_price_wei == int(block["baseFeePerGas"], 16) + int(found["maxPriorityFeePerGas"], 16)


def test_threads_share_a_sender_and_every_transaction_is_mined_once(anvil: Anvil) -> None:
    sender = Sender(connect(anvil.url), KeySigner.from_key(anvil.key(0)))
    with ThreadPoolExecutor(8) as threads:
        receipts = list(threads.map(lambda _: sender.send(gift(anvil)), range(40)))
    assert len({receipt.transaction for receipt in receipts}) == 40
    assert gifts(anvil) == 40
    assert int(anvil.rpc("eth_getTransactionCount", anvil.address(0), "latest"), 16) == 40


def test_several_are_on_their_way_at_once_with_nonces_of_their_own(idle: Anvil, clock: Clock) -> None:
    sender = sender_on(idle, clock)
    submissions = [sender.submit(gift(idle)) for _ in range(5)]
    assert [submission.nonce for submission in submissions] == [0, 1, 2, 3, 4]
    idle.mine()
    assert {sender.wait(submission).block_number for submission in submissions} == {1}
    assert gifts(idle) == 5


def test_E72_a_stuck_transaction_is_replaced_by_higher_fees_and_happens_once(idle: Anvil, clock: Clock) -> None:
    sender = sender_on(idle, clock)
    offered: list[tuple[int, int]] = []

    def look() -> None:
        (found,) = pooled(idle)
        assert found["nonce"] == "0x0"
        offered.append((int(found["maxFeePerGas"], 16), int(found["maxPriorityFeePerGas"], 16)))

    for second in (1, 13, 25):
        clock.at(second, look)
    clock.at(26, idle.mine)
    submission = sender.submit(gift(idle))
    receipt = sender.wait(submission)
    assert (gifts(idle), submission.bumps, len(submission.versions)) == (1, 2, 3)
    assert receipt.transaction == submission.transaction
    for (fee, tip), (next_fee, next_tip) in itertools.pairwise(offered):
        assert next_fee * 8 >= fee * 9
        assert next_tip * 8 >= tip * 9


def test_E72_replacing_ends_and_the_fee_stays_within_its_limit(idle: Anvil, clock: Clock) -> None:
    sender = sender_on(idle, clock)
    submission = sender.submit(gift(idle))
    with pytest.raises(TransactionStuck, match="not mined after 3 of 3 replacements") as caught:
        sender.wait(submission)
    assert (caught.value.transaction, len(submission.versions)) == (submission.transaction, 4)
    assert 40 <= clock.now < 50

    limited = sender_on(idle, clock, GasConfig(wait_s=10, bumps=50, max_fee_gwei=Decimal(5)), index=1)
    submission = limited.submit(gift(idle))
    with pytest.raises(TransactionStuck, match="of 5 gwei allowed"):
        limited.wait(submission)
    assert 0 < submission.bumps < 10
    assert all(int(found["maxFeePerGas"], 16) <= 5 * 10**9 for found in pooled(idle) if found["nonce"] != "0x0")


def test_E72_a_transaction_that_the_pool_forgot_is_sent_again(idle: Anvil, clock: Clock) -> None:
    sender = sender_on(idle, clock, GasConfig(wait_s=60))
    submission = sender.submit(gift(idle))
    clock.at(3, lambda: idle.rpc("anvil_dropTransaction", submission.transaction))
    clock.at(20, idle.mine)
    assert sender.wait(submission).transaction == submission.transaction
    assert (gifts(idle), submission.bumps) == (1, 0)


def test_E72_a_transaction_that_another_program_replaced_is_reported_and_never_happens(
    idle: Anvil, clock: Clock
) -> None:
    sender = sender_on(idle, clock)
    submission = sender.submit(gift(idle))
    clock.at(2, lambda: send_raw(idle, submission.nonce))
    clock.at(3, idle.mine)
    with pytest.raises(TransactionDropped, match=r"nonce 0 of .* was used by another transaction") as caught:
        sender.wait(submission)
    assert caught.value.retryable
    assert gifts(idle) == 0
    again = sender.submit(gift(idle))
    idle.mine()
    assert sender.wait(again).block_number == 2
    assert gifts(idle) == 1


def test_E72_the_first_version_is_mined_while_the_second_is_signed(idle: Anvil, clock: Clock) -> None:
    signer = Interrupted(KeySigner.from_key(idle.key(0)), lambda: None, idle.mine)
    sender = Sender(connect(idle.url), signer, GAS, clock=clock.time, sleep=clock.sleep)
    submission = sender.submit(gift(idle))
    receipt = sender.wait(submission)
    assert receipt.transaction == submission.transaction
    assert (gifts(idle), submission.bumps, len(submission.versions)) == (1, 1, 1)


def test_E72_a_nonce_that_another_program_took_meanwhile_is_left_to_it(idle: Anvil, clock: Clock) -> None:
    def mined() -> None:
        send_raw(idle, 0)
        idle.mine()

    for before, expected in ((mined, [0, 1]), (lambda: send_raw(idle, 2), [2, 3])):
        signer = Interrupted(KeySigner.from_key(idle.key(0)), before)
        sender = Sender(connect(idle.url), signer, GAS, clock=clock.time, sleep=clock.sleep)
        submission = sender.submit(gift(idle))
        assert submission.nonce == expected[1]
        idle.mine()
        sender.wait(submission)
    assert gifts(idle) == 2


def test_E72_two_programs_with_one_key_each_send_all_of_theirs(anvil: Anvil) -> None:
    senders = [Sender(connect(anvil.url), KeySigner.from_key(anvil.key(0))) for _ in range(2)]
    start = threading.Barrier(2)

    def send_ten(number: int) -> int:
        start.wait()
        done = 0
        while done < 10:
            try:  # each to an account of its own: two equal transactions with one nonce are one transaction
                senders[number].send(gift(anvil, to=8 + number))
            except TransactionDropped:
                continue
            done += 1
        return done

    with ThreadPoolExecutor(2) as threads:
        assert list(threads.map(send_ten, range(2))) == [10, 10]
    assert (gifts(anvil, to=8), gifts(anvil, to=9)) == (10, 10)


def test_E72_an_answer_that_is_lost_does_not_send_twice(anvil: Anvil, proxy: Proxy, clock: Clock) -> None:
    lost = ["eth_sendRawTransaction"]

    def lose_one(method: str, answer: bytes) -> tuple[int, bytes] | None:
        if method in lost:
            lost.remove(method)
            return None
        return 200, answer

    proxy.misbehave = lose_one
    sender = Sender(connect(proxy.url), KeySigner.from_key(anvil.key(0)), GAS, clock=clock.time, sleep=clock.sleep)
    receipt = sender.send(gift(anvil))
    assert (receipt.block_number, gifts(anvil), lost) == (1, 1, [])
    assert proxy.calls.count("eth_sendRawTransaction") == 1


def test_E72_a_request_that_is_lost_is_sent_again(anvil: Anvil, proxy: Proxy, clock: Clock) -> None:
    proxy.swallowed.add("eth_sendRawTransaction")
    clock.at(5, proxy.swallowed.clear)
    sender = Sender(connect(proxy.url), KeySigner.from_key(anvil.key(0)), GAS, clock=clock.time, sleep=clock.sleep)
    assert sender.send(gift(anvil)).block_number == 1
    assert gifts(anvil) == 1


def test_E72_a_node_that_is_away_while_waiting_is_waited_for(anvil: Anvil, proxy: Proxy, clock: Clock) -> None:
    def away(method: str, answer: bytes) -> tuple[int, bytes] | None:
        return (503, b"") if method == "eth_getTransactionReceipt" and clock.now < 8 else (200, answer)

    proxy.misbehave = away
    there = connect(proxy.url, attempts=1)
    sender = Sender(there, KeySigner.from_key(anvil.key(0)), GAS, clock=clock.time, sleep=clock.sleep)
    assert sender.send(gift(anvil)).block_number == 1
    assert gifts(anvil) == 1

    proxy.misbehave = lambda method, answer: (429, b"") if method == "eth_getTransactionReceipt" else (200, answer)
    with pytest.raises(TransactionStuck, match="it may still be mined, so look at 0x"):
        sender.send(gift(anvil))


@pytest.mark.parametrize("method", ["eth_getTransactionReceipt", "eth_getTransactionCount"])
@pytest.mark.parametrize(
    ("status", "body"),
    [
        (200, b'{"jsonrpc": "2.0", "id": 0, "error": {"code": -32005, "message": "request rate limited"}}'),
        (200, b'{"jsonrpc": "2.0", "id": 0, "error": {"code": -32603, "message": "internal error"}}'),
        (200, b'{"jsonrpc": "2.0", "id": 0, "result": "soon"}'),
        (403, b"key expired"),
    ],
)
def test_E72_a_node_that_refuses_while_waiting_is_waited_for(
    idle: Anvil, clock: Clock, method: str, status: int, body: bytes
) -> None:
    """Whoever were told of the refusal would take the transaction for one that was not sent."""
    proxy = Proxy(idle.url)
    try:
        there = connect(proxy.url, attempts=1)
        sender = Sender(there, KeySigner.from_key(idle.key(0)), GAS, clock=clock.time, sleep=clock.sleep)
        submission = sender.submit(gift(idle))
        proxy.misbehave = lambda asked, answer: (status, body) if asked == method and clock.now < 8 else (200, answer)
        clock.at(4, idle.mine)
        assert sender.wait(submission).block_number == 1
        assert gifts(idle) == 1
    finally:
        proxy.stop()


def test_nothing_is_sent_when_the_chain_asks_too_much(idle: Anvil, clock: Clock) -> None:
    idle.rpc("anvil_setNextBlockBaseFeePerGas", hex(90 * 10**9))
    idle.mine()
    with pytest.raises(GasTooDear, match=r"asks [0-9.]+ gwei per gas, allowed are 20") as caught:
        sender_on(idle, clock, GasConfig(max_fee_gwei=Decimal(20))).send(gift(idle))
    assert caught.value.retryable
    assert pooled(idle) == []


def test_a_sender_without_coin_is_told_so(anvil: Anvil) -> None:
    poor = KeySigner.from_key("0x" + "11" * 32)
    with pytest.raises(FundsTooLow, match=f"{poor.address} cannot pay for the transaction's gas"):
        Sender(connect(anvil.url), poor).send(Call(anvil.address(9), b""))


def test_E73_a_key_for_another_chain_sends_nothing(anvil: Anvil) -> None:
    """What is signed names the chain of the node that was connected to; another chain's node refuses it."""
    with start_anvil("--chain-id", "1") as other:
        there = connect(other.url)
        sender = Sender(there, KeySigner.from_key(anvil.key(0)))
        object.__setattr__(sender.node, "provider", connect(anvil.url).provider)
        with pytest.raises(TransactionRefused, match="nothing was sent"):
            sender.send(gift(anvil))
    assert gifts(anvil) == 0


def test_a_chain_with_one_price_gets_one_price() -> None:
    with start_anvil("--hardfork", "berlin") as chain:
        sender = Sender(connect(chain.url), KeySigner.from_key(chain.key(0)))
        receipt = sender.send(gift(chain))
        assert chain.rpc("eth_getTransactionByHash", receipt.transaction)["type"] == "0x0"
        assert gifts(chain) == 1


def test_an_unreachable_node_is_an_error_before_anything_is_signed(anvil: Anvil, clock: Clock) -> None:
    sender = sender_on(anvil, clock)
    anvil.stop()
    with pytest.raises(
        NodeUnreachable, match=r"no answer from http://127\.0\.0\.1:\d+ \(ConnectionError\): start the node"
    ):
        sender.send(Call(sender.address, b""))


def test_a_bump_is_at_least_an_eighth_and_never_above_the_limit() -> None:
    gas = GasConfig(max_fee_gwei=Decimal(100))
    gwei = 10**9
    assert bumped(Fees(8, 0), Fees(1, 0), gas) == Fees(9, 1)
    assert bumped(Fees(10 * gwei, gwei), Fees(50 * gwei, 2 * gwei), gas) == Fees(50 * gwei, 2 * gwei)
    assert bumped(Fees(89 * gwei, gwei), Fees(1, 1), gas) is None
    assert bumped(Fees(88 * gwei, 87 * gwei), Fees(1, 1), gas) == Fees(99 * gwei, 87 * gwei * 9 // 8)
    assert bumped(Fees(88 * gwei, None), Fees(1, None), gas) == Fees(99 * gwei, None)


def test_the_idle_chain_is_idle(idle: Anvil) -> None:
    send_raw(idle, 0)
    with pytest.raises(AnvilError, match="replacement transaction underpriced"):
        send_raw(idle, 0, value=1)
    assert idle.block_number == 0
