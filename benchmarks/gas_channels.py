"""What each verb of a payment channel costs, and of a plan that fills channels: part of `benchmarks.gas`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from eth_abi.abi import encode
from eth_account import Account
from eth_utils.address import to_checksum_address
from eth_utils.crypto import keccak

from benchmarks.scene import (
    DAY_S,
    FUNDS_UNITS,
    PER_REGISTER,
    PRICE_UNITS,
    Scene,
    account,
    calldata,
    creation_code,
    measured,
)
from benchmarks.standards import USDC, Measurement
from tallystick.contracts import load_artefact
from tallystick.core.period import Unit
from tallystick.core.permit2 import PERMIT2
from tests.contracts.channels import AUTHORIZATION, PERMIT2_WITNESS, Channels, Config, Voucher
from tests.contracts.payments import signed
from tests.contracts.permit2 import place_permit2

CONFIG = "(address,address,address,address,address,uint40,bytes32)"
CLAIMS = f"(({CONFIG},uint128),bytes,uint128)[]"
ROWS = (1, 10, 100)
FILLED = (1, 20)
PLAN = ["address"] * 4 + ["uint40", "address", "uint96", "uint32", "uint8"]
DEPOSIT_UNITS = 100 * PRICE_UNITS


class Parties:
    """One receiver in a token and as many channels as the largest batch, each of a payer with a spending key."""

    def __init__(self, scene: Scene, kind: str) -> None:
        self.scene, self.kind, self.token = scene, kind, scene.tokens[kind]
        place_permit2(scene.anvil.rpc)
        self.contract = to_checksum_address(scene.create(creation_code("Channels")))
        of_contract = encode(["address"], [self.contract])
        self.collector = to_checksum_address(scene.create(creation_code("AuthorizationCollector") + of_contract))
        self.receiver, self.authorizer = account(f"{kind} receiver"), account(f"{kind} authorizer")
        self.payers = [Account.from_key(keccak(text=f"{kind} payer of channel {i}")) for i in range(max(ROWS))]
        self.keys = [Account.from_key(keccak(text=f"{kind} spending key {i}")) for i in range(max(ROWS))]
        scene.fund(kind, [payer.address for payer in self.payers], self.contract, PERMIT2)
        scene.fund(kind, [self.receiver])
        scene.send(self.receiver, self.token, calldata("mint(address,uint256)", self.contract, FUNDS_UNITS))
        self.signs = _Signs(self.contract)

    def config(self, number: int, salt: str = "first") -> Config:
        """The terms of a payer's channel; any salt is as random as any other."""
        payer, key = self.payers[number].address, self.keys[number].address
        of_salt = keccak(text=f"{salt} {number}")
        return Config(payer, key, self.receiver, self.authorizer, to_checksum_address(self.token), DAY_S, of_salt)

    def send(self, sender: str, signature: str, *values: Any) -> int:
        """The gas that a call of the contract used."""
        return self.scene.send(sender, self.contract, calldata(signature, *values))

    def fund(self, config: Config, funding: int = 0, data: bytes = b"") -> int:
        """A deposit, by the payer where it is by allowance."""
        sender = self.scene.operator if data else config.payer
        return self.send(sender, f"fill({CONFIG},uint128,uint8,bytes)", config, DEPOSIT_UNITS, funding, data)

    def vouchers(self, count: int, most: int) -> list[Voucher]:
        """One of each of the first channels, signed by its spending key."""
        found = []
        for number in range(count):
            config, key = self.config(number), self.keys[number]
            found.append(Voucher(config, most, signed(_Key(key), self.signs.voucher_data(config, most))))
        return found

    def claim_rows(self, vouchers: Sequence[Voucher]) -> int:
        """The gas for each row."""
        rows = b"".join(voucher.row() for voucher in vouchers)
        common = (self.receiver, self.authorizer, self.token, DAY_S)
        used = self.send(self.authorizer, "claimRows(address,address,address,uint40,bytes)", *common, rows)
        return used // len(vouchers)

    def claim(self, vouchers: Sequence[Voucher]) -> int:
        """As x402 does; the gas for each row."""
        return self.send(self.authorizer, f"claim({CLAIMS})", [each.claim() for each in vouchers]) // len(vouchers)


class _Key:
    """What signs, as the tests' helpers take it."""

    def __init__(self, key: Any) -> None:
        self.private_key = key.key


class _Signs(Channels):
    """What is signed for a contract, without a stage."""

    def __init__(self, contract: str) -> None:
        self.contract = type("At", (), {"address": contract})()


def channels(scene: Scene, kind: str) -> list[Measurement]:
    """Each verb once, after others of its kind, on channels of payers and a receiver with money."""
    made = Parties(scene, kind)
    gas: dict[tuple[str, int], int] = {}
    for number in range(max(ROWS)):
        gas["open a channel, allowance", 1] = made.fund(made.config(number))
    gas["top up a channel, allowance", 1] = made.fund(made.config(0))
    for salt in ("by Permit2", "by Permit2 again"):  # the first pays for a word of Permit2's bitmap
        config, nonce = made.config(0, salt), 0 if salt == "by Permit2" else 1
        data = made.signs.permit2_transfer(config, DEPOSIT_UNITS, nonce=nonce, key=_Key(made.payers[0]))
        gas["open a channel, Permit2", 1] = made.fund(config, PERMIT2_WITNESS, data)
    if kind == USDC:
        config = made.config(0, "by ERC-3009")
        data = made.signs.authorization(config, DEPOSIT_UNITS, key=_Key(made.payers[0]))
        gas["open a channel, ERC-3009", 1] = made.fund(config, AUTHORIZATION, data)
        data = made.signs.authorization(config, DEPOSIT_UNITS, key=_Key(made.payers[0]), salt=8)
        gas["top up a channel, ERC-3009", 1] = made.fund(config, AUTHORIZATION, data)
        config = made.config(0, "by the collector")
        key = _Key(made.payers[0])
        data = made.signs.authorization(config, DEPOSIT_UNITS, to=made.collector, key=key)
        deposit = f"deposit({CONFIG},uint128,address,bytes)"
        gas["open a channel by x402's collector, ERC-3009", 1] = made.send(
            scene.operator, deposit, config, DEPOSIT_UNITS, made.collector, data
        )
    made.claim_rows(made.vouchers(max(ROWS), PRICE_UNITS))
    for turn, count in enumerate(ROWS, start=2):
        gas["claim vouchers", count] = made.claim_rows(made.vouchers(count, turn * PRICE_UNITS))
    stale = made.vouchers(max(ROWS), PRICE_UNITS)
    gas["claim vouchers, none of them new", max(ROWS)] = made.claim_rows(stale)
    for turn, count in enumerate(ROWS, start=10):
        gas["claim vouchers as x402 does", count] = made.claim(made.vouchers(count, turn * PRICE_UNITS))
    gas["settle", 1] = made.send(scene.operator, "settle(address,address)", made.receiver, made.token)
    half = ("uint128", DEPOSIT_UNITS // 4)
    for number in range(2):
        payer, config = made.payers[number].address, made.config(number)
        announced = made.send(payer, f"initiateWithdraw({CONFIG},{half[0]})", config, half[1])
        gas["announce a withdrawal", 1] = announced
    scene.anvil.advance(2 * DAY_S)
    for number in range(2):
        payer, config = made.payers[number].address, made.config(number)
        gas["withdraw", 1] = made.send(payer, f"finalizeWithdraw({CONFIG})", config)
    gas["refund of a channel", 1] = made.send(made.authorizer, f"refund({CONFIG},{half[0]})", made.config(1), half[1])
    return [measured(op, kind, n, used) for (op, n), used in gas.items()]


def channel_plans(scene: Scene, kind: str) -> list[Measurement]:
    """What payers were charged for another month of a plan, put into their channels, which are open."""
    terms = (account(f"{kind} receiver of a plan"), account(f"{kind} authorizer of a plan"), DAY_S)
    sold = (scene.tokens[kind], PRICE_UNITS, 1, Unit.MONTH)
    created = encode(PLAN, [scene.subscriptions, load_artefact("Channels").address, *terms, *sold])
    contract = scene.create(load_artefact("ChannelPlan").creation_code + created)
    scene.plans += 1
    scene.newest = scene.registers * PER_REGISTER
    scene.registers += 1
    payers = [account(f"{kind} payer of a plan {row}") for row in range(max(FILLED))]
    scene.fund(kind, payers, scene.subscriptions)
    scene.subscribe(payers, scene.plans)
    ids = range(scene.newest - len(payers) + 1, scene.newest + 1)
    scene.send(scene.operator, contract, calldata("fill(uint256[])", list(ids)))
    found = []
    for n in FILLED:
        scene.next_month()
        scene.charge(ids)
        used = [
            scene.send(scene.operator, contract, calldata("fill(uint256[])", list(part))) for part in (ids[:n], ids[n:])
        ]
        found.append(measured("fill channels of a plan", kind, n, used[0] // n))
    return found
