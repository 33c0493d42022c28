"""How many vouchers a till judges in a second on one core, beside the limit: coincurve's bare recovery of a key.

    toolchain/run python -m benchmarks.vouchers [--vouchers 20000]

Channels stand on a real chain; vouchers are signed in advance, each another one. Rounds of the bare recovery and of the
till alternate, so that both see the same machine. Counted is the processor time of this process, as other processes may
have a core at the same time; `accepted` is the whole way into a database on a disk, by the clock.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import coincurve
from eth_account import Account
from eth_account.messages import encode_typed_data

from tallystick.chain.signer import KeySigner
from tallystick.config import Config
from tallystick.core.channel import Channel, ChannelTerms
from tallystick.core.till import TillRules
from tallystick.core.voucher import SpendingKey, Voucher, spending_key_digest, voucher_digest, voucher_typed_data
from tallystick.flows.accept_vouchers import Accepted, Till
from tallystick.flows.connect import Connection, open_contract
from tallystick.flows.deploy import write_manifest
from tallystick.storage.database import open_durable
from tallystick.testing import Anvil, start_anvil
from tests.business import Business, calldata

RESULTS = Path(__file__).parent / "results" / "vouchers.json"
CHANNELS = 50
ROUNDS = 5
BATCH = 100
LEAST_PER_S = 15_000
GENERAL = 1_000
"""How many the general library is given: it is slow."""


def signature_of(key: coincurve.PrivateKey, digest: bytes) -> bytes:
    """As the contract takes it."""
    compact = key.sign_recoverable(digest, hasher=None)
    return compact[:64] + bytes((compact[64] + 27,))


def channels_on(business: Business, merchant: str, contract: str, count: int) -> list[tuple[Channel, str]]:
    """Channels with money, each of a payer of its own; the payers' keys."""
    found = []
    business.mint(business.operator, count * 10**9)
    business.token_call(business.operator, "approve", contract, count * 10**9)
    for number in range(1, count + 1):
        key = f"{number:064x}"
        payer = Account.from_key(key).address
        terms = ChannelTerms(payer, None, merchant, merchant, business.token, 86_400, bytes(32))
        business.send(business.operator, contract, calldata("Channels", "fill", terms.words, 10**9, 0, b""))
        found.append((Channel(business.anvil.chain_id, contract, terms), key))
    return found


def vouchers_of(channels: Sequence[tuple[Channel, str]], count: int, *, by_key: bool) -> list[Voucher]:
    """In turn of each channel, for one unit more each time; by the payer or by a spending key that it signed for."""
    keys = {channel: coincurve.PrivateKey(bytes.fromhex(key)) for channel, key in channels}
    own = coincurve.PrivateKey(b"\7" * 32)
    address = Account.from_key(own.secret).address
    granted = {}
    for channel, key in keys.items():
        digest = spending_key_digest(channel, address, 10**9, 2**40 - 1)
        granted[channel] = SpendingKey(address, 10**9, 2**40 - 1, signature_of(key, digest))
    found = []
    for number in range(count):
        channel, _ = channels[number % len(channels)]
        units = 1 + number // len(channels)
        signature = signature_of(own if by_key else keys[channel], voucher_digest(channel, units))
        found.append(Voucher(channel, units, signature, granted[channel] if by_key else None))
    return found


def rate(work: Callable[[], object], count: int, clock: Callable[[], float] = time.process_time) -> float:
    """How many a second."""
    started = clock()
    work()
    return count / (clock() - started)


def bare(vouchers: Sequence[Voucher]) -> Callable[[], None]:
    """The recovery of the keys alone, of digests and signatures made before."""
    prepared = [(each.signature[:64] + bytes((each.signature[64] - 27,)), each.digest) for each in vouchers]

    def work() -> None:
        for signature, digest in prepared:
            coincurve.PublicKey.from_signature_and_message(signature, digest, hasher=None)

    return work


def judged(till: Till, vouchers: Sequence[Voucher]) -> Callable[[], None]:
    """All of the till's judgement but whether a voucher was taken before, which the database knows."""

    def work() -> None:
        refused = [till.verify(each) for each in vouchers]
        assert not any(refused), refused

    return work


def general(vouchers: Sequence[Voucher]) -> Callable[[], None]:
    """The same signatures by eth-account, which encodes typed data of any kind."""

    def work() -> None:
        for each in vouchers:
            message = encode_typed_data(full_message=voucher_typed_data(each.channel, each.sum_units))
            assert Account.recover_message(message, signature=each.signature) == each.channel.terms.payer

    return work


def accepted(till: Till, vouchers: Sequence[Voucher]) -> Callable[[], None]:
    """Kept in the database, a batch in a transaction."""

    def work() -> None:
        for start in range(0, len(vouchers), BATCH):
            answers = till.accept_many(vouchers[start : start + BATCH])
            assert all(isinstance(answer, Accepted) for answer in answers)

    return work


def connection_to(business: Business, folder: Path) -> Connection:
    """As the merchant, Anvil's second account."""
    manifest = folder / "31337.json"
    write_manifest(manifest, business.manifest)
    config = Config(rpc_url=business.anvil.url, deployment=manifest)
    return open_contract(config, signer=KeySigner(Account.from_key(business.anvil.key(1))))


def measure(anvil: Anvil, folder: Path, count: int) -> dict[str, object]:
    """All rates, the median of the rounds."""
    business = Business(anvil)
    connection = connection_to(business, folder)
    merchant = frozenset({connection.sender.address})
    rules = TillRules(merchant, merchant, frozenset({business.token}))
    till = Till(connection, open_durable(f"sqlite:///{folder}/till.db"), rules)
    channels = channels_on(business, connection.sender.address, connection.channels.address, CHANNELS)
    plain = vouchers_of(channels, count, by_key=False)
    by_key = vouchers_of(channels, count, by_key=True)
    till.look(channel.channel_id for channel, _ in channels)
    limits, own, keyed = [], [], []
    for _ in range(ROUNDS):
        limits.append(rate(bare(plain), count))
        own.append(rate(judged(till, plain), count))
        keyed.append(rate(judged(till, by_key), count))
    limit, found = statistics.median(limits), statistics.median(own)
    single = Till(connection, open_durable(f"sqlite:///{folder}/single.db"), replace(rules, margin_bps=50))
    few = plain[:GENERAL]
    return {
        "vouchers": count,
        "channels": CHANNELS,
        "bare_recoveries_per_s": round(limit),
        "judged_per_s": round(found),
        "ratio_to_bare": round(found / limit, 2),
        "of_spending_keys_judged_per_s": round(statistics.median(keyed)),
        "by_eth_account_per_s": round(rate(general(few), GENERAL)),
        "accepted_in_batches_of_100_per_s": round(rate(accepted(till, plain), count, time.perf_counter)),
        "accepted_one_by_one_per_s": round(
            rate(lambda: [single.accept(each) for each in few], GENERAL, time.perf_counter)
        ),
        "least_allowed_per_s": LEAST_PER_S,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--vouchers", type=int, default=20_000)
    count = parser.parse_args().vouchers
    with tempfile.TemporaryDirectory() as folder, start_anvil() as anvil:
        result = measure(anvil, Path(folder), count)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))
    if int(str(result["judged_per_s"])) < LEAST_PER_S:
        raise SystemExit(f"fewer than {LEAST_PER_S} vouchers a second")


if __name__ == "__main__":
    main()
