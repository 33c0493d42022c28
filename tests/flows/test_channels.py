"""The till and the wallet with others at the same time, killed in between, and payers that are contracts."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from eth_abi.abi import encode
from eth_account import Account
from eth_utils.abi import function_signature_to_4byte_selector
from sqlalchemy import Engine

from tallystick.chain.signer import KeySigner
from tallystick.chain.voucher_signature import VoucherJudge, is_by_key, recovered
from tallystick.config import Config
from tallystick.core.channel import Channel
from tallystick.core.channel_events import ClaimSkipped, Refusal
from tallystick.core.till import Refused, TillRules
from tallystick.core.voucher import SpendingKey, Voucher, spending_key_typed_data, voucher_typed_data
from tallystick.core.voucher_texts import parse_voucher
from tallystick.flows.accept_vouchers import Accepted, Till
from tallystick.flows.claim_vouchers import claim_vouchers
from tallystick.flows.connect import Connection, open_contract
from tallystick.flows.deploy import write_manifest
from tallystick.flows.look_up_channel import find_wallet_channel
from tallystick.flows.open_channel import make_channel, open_channel
from tallystick.flows.sign_voucher import sign_voucher
from tallystick.storage.channels import read_till
from tallystick.storage.database import open_durable, reading
from tests.business import Business, calldata
from tests.chain.mocks import created
from tests.databases import NewDatabase

MERCHANT, PAYER, SIGNER = 1, 2, 3
ROOT = Path(__file__).parents[2]
Connect = Callable[[int], Connection]


@pytest.fixture
def connect(business: Business, tmp_path: Path) -> Connect:
    manifest = tmp_path / "31337.json"
    write_manifest(manifest, business.manifest)
    config = Config(rpc_url=business.anvil.url, deployment=manifest)
    return lambda index: open_contract(config, signer=KeySigner(Account.from_key(business.anvil.key(index))))


def opened(payer: Connection, engine: Engine, business: Business, units: int = 10**6) -> Channel:
    business.mint(payer.sender.address, units)
    channel = make_channel(payer, receiver=business.anvil.address(MERCHANT), token=business.token)
    open_channel(payer, engine, channel, units)
    return channel


def rules(business: Business) -> TillRules:
    merchant = frozenset({business.anvil.address(MERCHANT)})
    return TillRules(merchant, merchant, frozenset({business.token}), margin_bps=0)


def test_of_two_tills_one_takes_each_voucher(connect: Connect, business: Business, new_database: NewDatabase) -> None:
    url = new_database()
    payer, merchant, engine = connect(PAYER), connect(MERCHANT), open_durable(url)
    channels = [opened(payer, engine, business) for _ in range(3)]
    vouchers = [sign_voucher(payer, engine, channel.channel_id, 7) for _ in range(25) for channel in channels]
    tills = [Till(merchant, open_durable(url), rules(business)) for _ in range(2)]

    def take(till: Till) -> list[Any]:
        return [answer for start in range(0, 75, 5) for answer in till.accept_many(vouchers[start : start + 5])]

    with ThreadPoolExecutor(2) as pool:
        answers = [answer for found in pool.map(take, tills) for answer in found]
    accepted = [answer for answer in answers if isinstance(answer, Accepted)]
    for channel in channels:
        mine = [each for each in accepted if each.voucher.channel == channel]
        assert sum(each.units for each in mine) == 25 * 7  # every unit is counted for one of them
        assert len({each.voucher.sum_units for each in mine}) == len(mine)
    assert {answer.reason for answer in answers if not isinstance(answer, Accepted)} <= {Refused.STALE}
    with reading(engine) as database:
        kept = read_till(database, 31_337, merchant.channels.address)
    assert {each.voucher.sum_units for each in kept} == {25 * 7}


SIGN = """
import json, sys
from eth_account import Account
from pathlib import Path
from tallystick.chain.signer import KeySigner
from tallystick.config import Config
from tallystick.core.voucher_texts import render_voucher
from tallystick.flows.claim_vouchers import claim_vouchers
from tallystick.flows.connect import open_contract
from tallystick.flows.sign_voucher import sign_voucher
from tallystick.storage.database import open_durable

url, rpc, manifest, key, channel = sys.argv[1:]
config = Config(rpc_url=rpc, deployment=Path(manifest))
connection = open_contract(config, signer=KeySigner(Account.from_key(key)))
engine = open_durable(url)
while True:
    voucher = sign_voucher(connection, engine, bytes.fromhex(channel), 1)
    print(json.dumps(render_voucher(voucher)), flush=True)
"""


def test_E64_two_wallets_killed_at_any_moment_never_sign_for_the_same_or_less(
    connect: Connect, business: Business, tmp_path: Path
) -> None:
    """What was handed out is never above what the database has, and no two vouchers are for one sum."""
    url = f"sqlite:///{tmp_path}/wallet.db"
    payer, engine = connect(PAYER), open_durable(url)
    channel = opened(payer, engine, business)
    command = [sys.executable, "-c", SIGN, url, business.anvil.url, str(tmp_path / "31337.json")]
    command += [business.anvil.key(PAYER), channel.channel_id.hex()]
    running = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT) for _ in range(2)]
    lines: list[str] = []
    for process in running:
        assert process.stdout is not None
        lines += [process.stdout.readline() for _ in range(17)]
    for process in running:
        os.kill(process.pid, signal.SIGKILL)
    for process in running:
        assert process.stdout is not None
        lines += [line for line in process.stdout if line.endswith("\n")]
        process.wait()
        process.stdout.close()
    seen = [parse_voucher(json.loads(line)).sum_units for line in lines]
    stored = find_wallet_channel(payer, engine, channel.channel_id)
    assert len(set(seen)) == len(seen)
    assert max(seen) <= stored.spending.signed_sum <= max(seen) + 2  # a voucher of each may not have left
    after = sign_voucher(payer, engine, channel.channel_id, 1)
    assert after.sum_units > max(seen)
    last = find_wallet_channel(payer, engine, channel.channel_id).last_voucher
    assert last == after


# --- Signatures, as the contract judges them --------------------------------------------------------------------------


def signed(business: Business, channel: Channel, units: int, index: int = SIGNER) -> Voucher:
    signer = KeySigner(Account.from_key(business.anvil.key(index)))
    return Voucher(channel, units, signer.sign_typed_data(voucher_typed_data(channel, units)))


def funded(business: Business, merchant: Connection, payer: str) -> Channel:
    """A channel of any payer, filled by somebody else."""
    terms = make_channel(merchant, receiver=business.anvil.address(PAYER), token=business.token).terms
    merchant_address = merchant.sender.address
    terms = replace(terms, payer=payer, receiver=merchant_address, receiver_authorizer=merchant_address)
    operator = business.operator
    business.mint(operator, 10**6)
    business.token_call(operator, "approve", merchant.channels.address, 10**6)
    business.send(operator, merchant.channels.address, calldata("Channels", "fill", terms.words, 10**6, 0, b""))
    return merchant.channels.channel(terms)


def reason_on_chain(merchant: Connection, voucher: Voucher) -> Refusal | None:
    """What a claim says of it; None where it pays."""
    found = [event for event in merchant.channels.claim([voucher]).events if isinstance(event, ClaimSkipped)]
    return found[0].reason if found else None


def test_E14_E16_a_payer_with_code_is_asked_and_a_burner_of_gas_is_refused(
    connect: Connect, business: Business, tmp_path: Path
) -> None:
    merchant = connect(MERCHANT)
    wallet = created(business, "MockWallet")

    def tell(name: str, value: object, kind: str) -> None:
        data = function_signature_to_4byte_selector(f"{name}({kind})") + encode([kind], [value])
        business.send(business.operator, wallet, "0x" + data.hex())

    tell("setSigner", business.anvil.address(SIGNER), "address")
    channel = funded(business, merchant, wallet)
    till = Till(merchant, open_durable(f"sqlite:///{tmp_path}/till.db"), rules(business))
    voucher = signed(business, channel, 7)
    assert till.accept(voucher).units == 7
    assert till.verify(signed(business, channel, 8, index=PAYER)) is Refused.INVALID_SIGNATURE
    key = KeySigner(Account.from_key(business.anvil.key(4)))
    end = business.anvil.timestamp + 10**6
    message = spending_key_typed_data(channel, key.address, 100, end)
    granted = SpendingKey(
        key.address, 100, end, KeySigner(Account.from_key(business.anvil.key(SIGNER))).sign_typed_data(message)
    )
    by_key = Voucher(channel, 9, key.sign_typed_data(voucher_typed_data(channel, 9)), granted)
    assert till.accept(by_key).units == 2
    assert till.verify(replace(by_key, spending_key=replace(granted, limit_sum=101))) is Refused.INVALID_SIGNATURE
    assert reason_on_chain(merchant, by_key) is None
    tell("setBurnsGas", True, "bool")
    fresh = Till(merchant, open_durable(f"sqlite:///{tmp_path}/till.db"), rules(business))
    assert fresh.verify(signed(business, channel, 10)) is Refused.INVALID_SIGNATURE  # E06
    assert reason_on_chain(merchant, signed(business, channel, 10)) is Refusal.INVALID_SIGNATURE
    stale = fresh  # its old voucher is claimed, and a newer one that was taken before the wallet changed its mind
    tell("setBurnsGas", False, "bool")
    assert stale.accept(signed(business, channel, 11)).units == 2
    other = funded(business, merchant, business.anvil.address(SIGNER))
    assert till.accept(signed(business, other, 5)).units == 5
    tell("setSigner", business.anvil.address(PAYER), "address")
    engine = open_durable(f"sqlite:///{tmp_path}/till.db")
    report = claim_vouchers(merchant, engine, business.token)
    rows = {row.channel: (row.units, row.reason) for row in report.rows}
    assert rows == {channel: (0, Refusal.INVALID_SIGNATURE), other: (5, None)}
    assert claim_vouchers(merchant, engine, business.token).rows == []  # it is not tried again, which would cost gas
    again = Till(merchant, engine, rules(business))
    assert again.accept(signed(business, channel, 12, index=PAYER)).units == 1
    report = claim_vouchers(merchant, engine, business.token)
    assert [(row.units, row.reason) for row in report.rows] == [(3, None)]
    seven = business.anvil.address(5)  # E16: an account with a key and code
    business.anvil.rpc("anvil_setCode", seven, business.anvil.rpc("eth_getCode", wallet, "latest"))
    delegated = funded(business, merchant, seven)
    assert till.accept(signed(business, delegated, 3, index=5)).units == 3


def test_E13_signatures_of_other_forms_are_refused_as_on_chain(connect: Connect, business: Business) -> None:
    merchant = connect(MERCHANT)
    channel = funded(business, merchant, business.anvil.address(SIGNER))
    judge = VoucherJudge(merchant.node)
    good = signed(business, channel, 5)
    r, s, v = good.signature[:32], int.from_bytes(good.signature[32:64], "big"), good.signature[64]
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    high = r + (order - s).to_bytes(32, "big") + bytes((55 - v,))
    compact = r + (s | (v - 27) << 255).to_bytes(32, "big")
    forms = [high, compact, good.signature[:64] + bytes((v - 27,)), good.signature + b"\0", bytes(65), b""]
    forms.append(b"\xff" * 32 + good.signature[32:])
    for form in forms:
        wrong = replace(good, signature=form)
        assert not judge.is_signed(wrong)
        assert reason_on_chain(merchant, wrong) is Refusal.INVALID_SIGNATURE
    assert recovered(good.digest, good.signature) == bytes.fromhex(business.anvil.address(SIGNER)[2:])
    assert not is_by_key("0x" + "0" * 40, good.digest, bytes(65))  # the zero account signs nothing
    assert judge.is_signed(good)
    assert reason_on_chain(merchant, good) is None


def test_a_batch_is_looked_up_at_once_and_each_row_is_judged_by_itself(
    connect: Connect, business: Business, tmp_path: Path
) -> None:
    payer, merchant = connect(PAYER), connect(MERCHANT)
    engine = open_durable(f"sqlite:///{tmp_path}/both.db")
    channels = [opened(payer, engine, business) for _ in range(4)]
    vouchers = [sign_voucher(payer, engine, each.channel_id, 5) for each in channels for _ in range(2)]
    calls: list[int] = []
    asked = merchant.channels.states

    def counted(channel_ids: Any) -> Any:
        calls.append(len(channel_ids))
        return asked(channel_ids)

    merchant.channels.states = counted  # type: ignore[method-assign]  # counts, and asks the real chain
    till = Till(merchant, engine, rules(business))
    wrong = replace(vouchers[2], sum_units=10**6 + 1)
    answers = till.accept_many([vouchers[1], vouchers[0], wrong, *vouchers[3:]], least_units=5)
    assert calls == [4]
    shown = [each.units if isinstance(each, Accepted) else each.reason for each in answers]
    assert shown == [10, Refused.STALE, Refused.ABOVE_BALANCE, 10, 5, 5, 5, 5]
